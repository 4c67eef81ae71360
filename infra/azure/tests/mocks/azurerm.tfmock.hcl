# What Azure would answer: identifiers of the right form, so that the real provider accepts them too.

mock_resource "azurerm_resource_group" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk"
  }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.Storage/storageAccounts/stadrisk"
    primary_dfs_host = "stadrisk.dfs.core.windows.net"
  }
}

mock_resource "azurerm_storage_container" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.Storage/storageAccounts/stadrisk/blobServices/default/containers/any"
  }
}

mock_resource "azurerm_eventhub_namespace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.EventHub/namespaces/ethdrisk"
    identity = {
      principal_id = "00000000-0000-0000-0000-0000000000c1"
      tenant_id    = "00000000-0000-0000-0000-000000000002"
    }
  }
}

mock_resource "azurerm_databricks_workspace" {
  defaults = {
    id                       = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.Databricks/workspaces/adbdrisk"
    storage_account_identity = [{ principal_id = "00000000-0000-0000-0000-0000000000d2", tenant_id = "00000000-0000-0000-0000-000000000002", type = "SystemAssigned" }]
    workspace_id             = "1234567890123456"
    workspace_url            = "adb-1234567890123456.7.azuredatabricks.net"
    managed_disk_identity    = [{ principal_id = "00000000-0000-0000-0000-0000000000d0", tenant_id = "00000000-0000-0000-0000-000000000002", type = "SystemAssigned" }]
  }
}

mock_resource "azurerm_databricks_access_connector" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.Databricks/accessConnectors/adbdrisk-mi"
    identity = {
      principal_id = "00000000-0000-0000-0000-0000000000c0"
      tenant_id    = "00000000-0000-0000-0000-000000000002"
    }
  }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.OperationalInsights/workspaces/logdrisk"
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.ManagedIdentity/userAssignedIdentities/stadrisk-encryption"
    principal_id = "00000000-0000-0000-0000-0000000000e0"
  }
}
