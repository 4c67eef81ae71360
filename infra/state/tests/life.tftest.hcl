# The whole life on mocks: what is made can be destroyed, in an order that Terraform finds.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  subscription_id      = "00000000-0000-0000-0000-000000000001"
  location             = "brazilsouth"
  resource_group_name  = "rsgdrisktf"
  storage_account_name = "stadrisktf"
  tags                 = { domain = "risk", project = "datamaster", env = "prod" }
  writers = {
    ana      = { object_id = "00000000-0000-0000-0000-00000000000a", type = "User" }
    deployer = { object_id = "00000000-0000-0000-0000-00000000000b", type = "ServicePrincipal" }
  }
}

run "everything_is_made_and_the_lock_lifted_to_destroy_it" {
  assert {
    condition     = azurerm_management_lock.state.scope == azurerm_storage_account.state.id
    error_message = "The account is not locked."
  }
}
