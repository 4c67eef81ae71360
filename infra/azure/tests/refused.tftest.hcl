# What Azure would refuse after minutes is refused before anything is made, all of it together.

mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
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
  budget                       = { amount = 500, emails = ["risk-data@example.com"] }
}

run "bad_values_are_refused_together" {
  command = plan

  variables {
    subscription_id              = "risk"
    location                     = "Brazil South"
    tags                         = { domain = "risk" }
    resource_group_name          = "rsgdrisk."
    storage_account_name         = "stad-risk"
    containers                   = { raw = "ctrdriskraw" }
    eventhub_namespace_name      = "ethd"
    workspace_name               = "adbd risk"
    access_connector_name        = "mi"
    log_analytics_workspace_name = "-log"
    data_engineer_group_id       = "data_engineer"
    service_principal_object_id  = "spndatamasteradmin"
    soft_delete_days             = 0
    log_retention_days           = 7
    storage_replication          = "NONE"
    eventhub_sku                 = "Basic"
    budget                       = { amount = 500, emails = [] }
  }

  expect_failures = [
    var.subscription_id, var.location, var.tags, var.resource_group_name, var.storage_account_name, var.containers, var.eventhub_namespace_name,
    var.workspace_name, var.access_connector_name, var.log_analytics_workspace_name, var.data_engineer_group_id, var.service_principal_object_id,
    var.soft_delete_days, var.log_retention_days, var.storage_replication, var.eventhub_sku, var.budget,
  ]
}

run "storage_account_has_at_most_24_characters" {
  command = plan

  variables {
    storage_account_name = "stadaveryverylongdomainss"
  }

  expect_failures = [var.storage_account_name]
}

run "two_purposes_share_no_container" {
  command = plan

  variables {
    containers = { raw = "ctrdrisk", log = "ctrdrisk", mtst = "ctrdriskmtst", catlog = "ctrdriskcatlog" }
  }

  expect_failures = [var.containers]
}

run "container_has_no_two_hyphens" {
  command = plan

  variables {
    containers = { raw = "ctrd--risk", log = "ctrdrisklog", mtst = "ctrdriskmtst", catlog = "ctrdriskcatlog" }
  }

  expect_failures = [var.containers]
}

run "retention_is_of_a_container_that_is_there" {
  command = plan

  variables {
    retention = [{ container = "elsewhere", prefix = "account/", days = 1 }]
  }

  expect_failures = [var.retention]
}

run "retention_is_of_a_folder" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "account", days = 1 }]
  }

  expect_failures = [var.retention]
}

run "retention_is_of_no_whole_container" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "", days = 1 }]
  }

  expect_failures = [var.retention]
}

run "retention_is_a_day_at_least" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "account/", days = 0 }]
  }

  expect_failures = [var.retention]
}

run "retention_is_whole_days" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "account/", days = 1.5 }]
  }

  expect_failures = [var.retention]
}

run "folder_has_one_retention" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "account/", days = 1 }, { container = "ctrdriskraw", prefix = "account/", days = 2 }]
  }

  expect_failures = [var.retention]
}

run "premium_has_units_of_its_own" {
  command = plan

  variables {
    eventhub_sku      = "Premium"
    eventhub_capacity = 3
  }

  expect_failures = [var.eventhub_capacity]
}

run "budget_has_an_amount" {
  command = plan

  variables {
    budget = { amount = 0, emails = ["risk-data@example.com"] }
  }

  expect_failures = [var.budget]
}

run "budget_has_whole_percentages" {
  command = plan

  variables {
    budget = { amount = 1, emails = ["risk-data@example.com"], percentages = [99.5] }
  }

  expect_failures = [var.budget]
}

run "budget_has_at_most_five_alerts" {
  command = plan

  variables {
    budget = { amount = 1, emails = ["risk-data@example.com"], percentages = [10, 20, 30, 40, 50] }
  }

  expect_failures = [var.budget]
}

run "firewall_without_subnets_shuts_the_clusters_out" {
  command = plan

  variables {
    allowed_network = { ip_rules = ["203.0.113.7"] }
  }

  expect_failures = [var.allowed_network]
}

run "firewall_takes_no_private_address" {
  command = plan

  variables {
    allowed_network = {
      ip_rules   = ["10.1.2.3"]
      subnet_ids = ["/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"]
    }
  }

  expect_failures = [var.allowed_network]
}

run "firewall_takes_no_ipv6" {
  command = plan

  variables {
    allowed_network = {
      ip_rules   = ["2001:db8::1/64"]
      subnet_ids = ["/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"]
    }
  }

  expect_failures = [var.allowed_network]
}

run "firewall_takes_no_range_of_two" {
  command = plan

  variables {
    allowed_network = {
      ip_rules   = ["203.0.113.6/31"]
      subnet_ids = ["/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"]
    }
  }

  expect_failures = [var.allowed_network]
}

run "network_is_a_resource_id" {
  command = plan

  variables {
    virtual_network = {
      id = "vnet", public_subnet_name = "one", private_subnet_name = "one", public_security_group_association = "", private_security_group_association = ""
    }
  }

  expect_failures = [var.virtual_network]
}

run "own_key_has_a_version" {
  command = plan

  variables {
    customer_managed_key = {
      key_id                           = "https://vault.vault.azure.net/keys/lake"
      key_resource_id                  = "/subscriptions/s/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/vault/keys/lake"
      databricks_application_object_id = "00000000-0000-0000-0000-0000000000d1"
    }
  }

  expect_failures = [var.customer_managed_key]
}
