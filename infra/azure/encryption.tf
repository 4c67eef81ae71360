# Made only where you bring a key. An identity of its own, so that it may use the key before the account exists.

resource "azurerm_user_assigned_identity" "encryption" {
  count = var.customer_managed_key == null ? 0 : 1

  name                = "${var.storage_account_name}-encryption"
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "encryption" {
  for_each = var.customer_managed_key == null ? {} : {
    lake       = azurerm_user_assigned_identity.encryption[0].principal_id
    databricks = var.customer_managed_key.databricks_application_object_id
  }

  scope                = var.customer_managed_key.key_resource_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
}

# Azure makes two more identities with the workspace, for the clusters' disks and for its root storage.
resource "azurerm_role_assignment" "workspace_encryption" {
  for_each = var.customer_managed_key == null ? {} : {
    disks = azurerm_databricks_workspace.lakehouse.managed_disk_identity[0].principal_id
    root  = azurerm_databricks_workspace.lakehouse.storage_account_identity[0].principal_id
  }

  scope                = var.customer_managed_key.key_resource_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
}

resource "azurerm_databricks_workspace_root_dbfs_customer_managed_key" "root" {
  count = var.customer_managed_key == null ? 0 : 1

  workspace_id     = azurerm_databricks_workspace.lakehouse.id
  key_vault_key_id = var.customer_managed_key.key_id

  depends_on = [azurerm_role_assignment.workspace_encryption]
}

resource "azurerm_eventhub_namespace_customer_managed_key" "events" {
  count = local.events_use_a_key ? 1 : 0

  eventhub_namespace_id     = azurerm_eventhub_namespace.events.id
  key_vault_key_ids         = [var.customer_managed_key.key_id]
  user_assigned_identity_id = azurerm_user_assigned_identity.encryption[0].id

  depends_on = [azurerm_role_assignment.encryption]
}
