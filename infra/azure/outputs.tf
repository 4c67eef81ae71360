# What the next steps read: `terraform output -json`. No value is secret.

output "resource_group_id" {
  description = "Resource id of the resource group."
  value       = azurerm_resource_group.lakehouse.id
}

output "workspace_url" {
  description = "Address of the workspace, which goes into `targets:` of the project file."
  value       = "https://${azurerm_databricks_workspace.lakehouse.workspace_url}"
}

output "workspace_id" {
  description = "The workspace's number in Databricks, to which a metastore is assigned."
  value       = azurerm_databricks_workspace.lakehouse.workspace_id
}

output "workspace_resource_id" {
  description = "Resource id of the workspace, with which Azure identities log in to it."
  value       = azurerm_databricks_workspace.lakehouse.id
}

output "access_connector_id" {
  description = "Resource id of the access connector, from which Unity Catalog makes the storage credential."
  value       = azurerm_databricks_access_connector.lake.id
}

output "container_urls" {
  description = "Address of each purpose's container, from which Unity Catalog makes external locations."
  value       = { for purpose, name in var.containers : purpose => "abfss://${name}@${azurerm_storage_account.lake.primary_dfs_host}/" }
}

output "eventhub_bootstrap_servers" {
  description = "The Kafka endpoint of the Event Hubs namespace."
  value       = "${azurerm_eventhub_namespace.events.name}.servicebus.windows.net:9093"
}

output "eventhub_namespace_id" {
  description = "Resource id of the Event Hubs namespace, in which topics are made."
  value       = azurerm_eventhub_namespace.events.id
}

output "log_analytics_workspace_id" {
  description = "Resource id of the Log Analytics workspace that has the audit logs."
  value       = azurerm_log_analytics_workspace.audit.id
}
