# The whole life on mocks: what is made can be destroyed, in an order that Terraform finds.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  subscription_id              = "00000000-0000-0000-0000-000000000001"
  location                     = "brazilsouth"
  tags                         = { domain = "risk", project = "datamaster", env = "prod" }
  resource_group_name          = "rsgdrisk"
  storage_account_name         = "stadrisk"
  containers                   = { raw = "ctrdriskraw", log = "ctrdrisklog", mtst = "ctrdriskmtst", catlog = "ctrdriskcatlog" }
  eventhub_namespace_name      = "ethdrisk"
  workspace_name               = "adbdrisk"
  access_connector_name        = "adbdrisk-mi"
  log_analytics_workspace_name = "logdrisk"
  data_engineer_group_id       = "00000000-0000-0000-0000-0000000000a0"
  service_principal_object_id  = "00000000-0000-0000-0000-0000000000b2"
  retention                    = [{ container = "ctrdriskraw", prefix = "account/", days = 1 }, { container = "ctrdriskraw", prefix = "consents/", days = 365 }]
  budget                       = { amount = 500, emails = ["risk-data@example.com"] }
}

run "everything_is_made_and_destroyed" {
  variables {
    eventhub_sku = "Premium"
    customer_managed_key = {
      key_id                           = "https://vault.vault.azure.net/keys/lake/0123456789abcdef0123456789abcdef"
      key_resource_id                  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/vault/keys/lake"
      databricks_application_object_id = "00000000-0000-0000-0000-0000000000d1"
    }
    allowed_network = {
      subnet_ids = ["/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"]
    }
  }

  assert {
    condition     = length(azurerm_role_assignment.lakehouse) == 11 && length(azurerm_role_assignment.encryption) == 2 && length(azurerm_role_assignment.workspace_encryption) == 2
    error_message = "A role was not given."
  }
}
