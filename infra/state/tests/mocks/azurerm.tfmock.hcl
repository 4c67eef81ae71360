# What Azure would answer: identifiers of the right form, so that the real provider accepts them too.

mock_resource "azurerm_resource_group" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisktf"
  }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisktf/providers/Microsoft.Storage/storageAccounts/stadrisktf"
  }
}

mock_resource "azurerm_storage_container" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisktf/providers/Microsoft.Storage/storageAccounts/stadrisktf/blobServices/default/containers/tfstate"
  }
}
