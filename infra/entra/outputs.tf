# What infra/azure, Unity Catalog and the workflows read. No value is secret.

output "tenant_id" {
  description = "The tenant: `AZURE_TENANT_ID` of the workflows."
  value       = var.tenant_id
}

output "group_ids" {
  description = "Object id of each group, by its name."
  value = merge(
    { for name, group in azuread_group.team : name => group.object_id },
    { for name, group in data.azuread_group.existing : name => group.object_id },
  )
}

output "service_principal_client_id" {
  description = "Client id of the service principal: `AZURE_CLIENT_ID` of the workflows, and its name in Databricks."
  value       = azuread_application_registration.deployer.client_id
}

output "service_principal_object_id" {
  description = "Object id of the service principal, which Azure's roles are given to."
  value       = azuread_service_principal.deployer.object_id
}
