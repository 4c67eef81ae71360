# Least privilege: each role at the smallest scope that works, and none for people on the data, which they reach through
# Unity Catalog.

locals {
  connector = azurerm_databricks_access_connector.lake.identity[0].principal_id

  roles = merge(
    {
      for purpose, container in azurerm_storage_container.purpose : "lake-${purpose}" => {
        scope = container.id, role = "Storage Blob Data Contributor", principal = local.connector, type = "ServicePrincipal"
      }
    },
    {
      # Unity Catalog hands out short-lived signatures made with a user delegation key, which only the account gives.
      "lake-delegation"   = { scope = azurerm_storage_account.lake.id, role = "Storage Blob Delegator", principal = local.connector, type = "ServicePrincipal" }
      "events-receive"    = { scope = azurerm_eventhub_namespace.events.id, role = "Azure Event Hubs Data Receiver", principal = local.connector, type = "ServicePrincipal" }
      "events-send"       = { scope = azurerm_eventhub_namespace.events.id, role = "Azure Event Hubs Data Sender", principal = local.connector, type = "ServicePrincipal" }
      "events-capture"    = { scope = azurerm_storage_container.purpose["raw"].id, role = "Storage Blob Data Contributor", principal = azurerm_eventhub_namespace.events.identity[0].principal_id, type = "ServicePrincipal" }
      "deploys-workspace" = { scope = azurerm_databricks_workspace.lakehouse.id, role = "Contributor", principal = var.service_principal_object_id, type = "ServicePrincipal" }
      "deploys-topics"    = { scope = azurerm_eventhub_namespace.events.id, role = "Contributor", principal = var.service_principal_object_id, type = "ServicePrincipal" }
      "engineers-see"     = { scope = azurerm_resource_group.lakehouse.id, role = "Reader", principal = var.data_engineer_group_id, type = "Group" }
    },
  )
}

resource "azurerm_role_assignment" "lakehouse" {
  for_each = local.roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = each.value.type
}
