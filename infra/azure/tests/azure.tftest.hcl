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
  retention                    = [{ container = "ctrdriskraw", prefix = "account/", days = 1 }, { container = "ctrdriskraw", prefix = "consents/", days = 365 }]
  budget                       = { amount = 500, emails = ["risk-data@example.com"] }
}

override_resource {
  target          = azurerm_storage_container.purpose["raw"]
  override_during = plan
  values = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/Microsoft.Storage/storageAccounts/stadrisk/blobServices/default/containers/ctrdriskraw"
  }
}

run "names_are_the_ones_given" {
  command = plan

  assert {
    condition = ({
      group      = azurerm_resource_group.lakehouse.name
      account    = azurerm_storage_account.lake.name
      containers = { for purpose, container in azurerm_storage_container.purpose : purpose => container.name }
      namespace  = azurerm_eventhub_namespace.events.name
      workspace  = azurerm_databricks_workspace.lakehouse.name
      connector  = azurerm_databricks_access_connector.lake.name
      logs       = azurerm_log_analytics_workspace.audit.name
      }) == {
      group      = "rsgdrisk"
      account    = "stadrisk"
      containers = { raw = "ctrdriskraw", log = "ctrdrisklog", mtst = "ctrdriskmtst", catlog = "ctrdriskcatlog" }
      namespace  = "ethdrisk"
      workspace  = "adbdrisk"
      connector  = "adbdrisk-mi"
      logs       = "logdrisk"
    }
    error_message = "The names are not the ones given."
  }
}

run "every_resource_has_the_tags_and_the_region" {
  command = plan

  assert {
    condition = alltrue([for tags in [
      azurerm_resource_group.lakehouse.tags,
      azurerm_network_watcher.region[0].tags,
      azurerm_storage_account.lake.tags,
      azurerm_eventhub_namespace.events.tags,
      azurerm_databricks_workspace.lakehouse.tags,
      azurerm_databricks_access_connector.lake.tags,
      azurerm_log_analytics_workspace.audit.tags,
    ] : tags == tomap(var.tags)])
    error_message = "A resource has not the tags."
  }

  assert {
    condition = alltrue([for location in [
      azurerm_resource_group.lakehouse.location,
      azurerm_network_watcher.region[0].location,
      azurerm_storage_account.lake.location,
      azurerm_eventhub_namespace.events.location,
      azurerm_databricks_workspace.lakehouse.location,
      azurerm_databricks_access_connector.lake.location,
      azurerm_log_analytics_workspace.audit.location,
    ] : location == "brazilsouth"])
    error_message = "A resource is in another region."
  }
}

run "lake_is_hierarchical_and_closed" {
  command = plan

  assert {
    condition     = azurerm_storage_account.lake.is_hns_enabled && azurerm_storage_account.lake.account_kind == "StorageV2"
    error_message = "The account is no lake."
  }

  assert {
    condition = (azurerm_storage_account.lake.min_tls_version == "TLS1_2"
      && azurerm_storage_account.lake.https_traffic_only_enabled == true
      && azurerm_storage_account.lake.shared_access_key_enabled == false
      && azurerm_storage_account.lake.allow_nested_items_to_be_public == false
      && azurerm_storage_account.lake.cross_tenant_replication_enabled == false
      && azurerm_storage_account.lake.local_user_enabled == false
      && azurerm_storage_account.lake.infrastructure_encryption_enabled == true
    && alltrue([for container in values(azurerm_storage_container.purpose) : container.container_access_type == "private"]))
    error_message = "The lake can be reached by a key, by anybody, or without TLS 1.2."
  }

  assert {
    condition = (azurerm_storage_account.lake.blob_properties[0].delete_retention_policy[0].days == 7
    && azurerm_storage_account.lake.blob_properties[0].container_delete_retention_policy[0].days == 7)
    error_message = "A deleted file or container cannot be brought back."
  }

  assert {
    condition     = length(azurerm_storage_account.lake.network_rules) == 0 && length(azurerm_storage_account.lake.customer_managed_key) == 0 && length(azurerm_user_assigned_identity.encryption) == 0
    error_message = "There is a firewall or a key that nobody asked for."
  }
}

run "events_and_workspace_are_closed" {
  command = plan

  assert {
    condition     = azurerm_eventhub_namespace.events.local_authentication_enabled == false && azurerm_eventhub_namespace.events.minimum_tls_version == "1.2" && azurerm_eventhub_namespace.events.sku == "Standard"
    error_message = "A connection string opens the namespace, or it has no TLS 1.2, or no Kafka endpoint."
  }

  assert {
    condition     = azurerm_databricks_workspace.lakehouse.sku == "premium" && azurerm_databricks_workspace.lakehouse.custom_parameters[0].no_public_ip == true
    error_message = "The workspace is not premium, or its clusters have public addresses."
  }

  assert {
    condition     = azurerm_databricks_access_connector.lake.identity[0].type == "SystemAssigned"
    error_message = "The connector has no identity of its own."
  }
}

run "files_are_deleted_when_the_contracts_say" {
  command = plan

  assert {
    condition = { for rule in azurerm_storage_management_policy.retention[0].rule : one(rule.filters[0].prefix_match) => rule.actions[0].base_blob[0].delete_after_days_since_modification_greater_than } == {
      "ctrdriskraw/account/"  = 1
      "ctrdriskraw/consents/" = 365
    }
    error_message = "The days are not those of the contracts."
  }

  assert {
    condition     = alltrue([for rule in azurerm_storage_management_policy.retention[0].rule : rule.enabled && can(regex("^[A-Za-z0-9-]+$", rule.name))])
    error_message = "A rule is off, or has a name that Azure refuses."
  }
}

run "folders_that_differ_by_a_sign_have_rules_of_their_own" {
  command = plan

  variables {
    retention = [{ container = "ctrdriskraw", prefix = "a_b/", days = 1 }, { container = "ctrdriskraw", prefix = "a-b/", days = 2 }]
  }

  assert {
    condition     = length(distinct(azurerm_storage_management_policy.retention[0].rule[*].name)) == 2
    error_message = "Two rules have one name."
  }
}

run "nothing_is_deleted_without_retention" {
  command = plan

  variables {
    retention = []
  }

  assert {
    condition     = length(azurerm_storage_management_policy.retention) == 0
    error_message = "There is a lifecycle policy that nobody asked for."
  }
}

run "roles_are_few_and_narrow" {
  command = plan

  assert {
    condition = { for name, role in azurerm_role_assignment.lakehouse : name => role.role_definition_name } == {
      lake-raw          = "Storage Blob Data Contributor"
      lake-log          = "Storage Blob Data Contributor"
      lake-mtst         = "Storage Blob Data Contributor"
      lake-catlog       = "Storage Blob Data Contributor"
      lake-delegation   = "Storage Blob Delegator"
      events-receive    = "Azure Event Hubs Data Receiver"
      events-send       = "Azure Event Hubs Data Sender"
      events-capture    = "Storage Blob Data Contributor"
      deploys-workspace = "Contributor"
      deploys-topics    = "Contributor"
      engineers-see     = "Reader"
    }
    error_message = "There is a role too many or too few."
  }

  assert {
    condition = { for name, role in azurerm_role_assignment.lakehouse : name => role.scope if !contains(["lake-log", "lake-mtst", "lake-catlog"], name) } == {
      lake-raw          = azurerm_storage_container.purpose["raw"].id
      lake-delegation   = azurerm_storage_account.lake.id
      events-receive    = azurerm_eventhub_namespace.events.id
      events-send       = azurerm_eventhub_namespace.events.id
      events-capture    = azurerm_storage_container.purpose["raw"].id
      deploys-workspace = azurerm_databricks_workspace.lakehouse.id
      deploys-topics    = azurerm_eventhub_namespace.events.id
      engineers-see     = azurerm_resource_group.lakehouse.id
    }
    error_message = "A role has another scope."
  }

  assert {
    condition     = alltrue([for name in ["lake-raw", "lake-log", "lake-mtst", "lake-catlog"] : strcontains(azurerm_role_assignment.lakehouse[name].scope, "/blobServices/default/containers/")])
    error_message = "The connector reaches more than the containers."
  }

  assert {
    condition = { for name, role in azurerm_role_assignment.lakehouse : name => role.principal_id if !startswith(name, "lake-") } == {
      events-receive    = "00000000-0000-0000-0000-0000000000c0"
      events-send       = "00000000-0000-0000-0000-0000000000c0"
      events-capture    = "00000000-0000-0000-0000-0000000000c1"
      deploys-workspace = var.service_principal_object_id
      deploys-topics    = var.service_principal_object_id
      engineers-see     = var.data_engineer_group_id
    }
    error_message = "A role is somebody else's."
  }

  assert {
    condition     = alltrue([for role in values(azurerm_role_assignment.lakehouse) : role.scope != "/subscriptions/${var.subscription_id}"])
    error_message = "A role reaches the whole subscription."
  }
}

run "audit_logs_and_budget_tell_somebody" {
  command = plan

  assert {
    condition = { for name, setting in azurerm_monitor_diagnostic_setting.audit : name => one(setting.enabled_log[*].category_group) } == {
      workspace = "allLogs", lake = "audit", events = "allLogs"
    }
    error_message = "A service writes no audit log."
  }

  assert {
    condition     = alltrue([for setting in values(azurerm_monitor_diagnostic_setting.audit) : setting.log_analytics_workspace_id == azurerm_log_analytics_workspace.audit.id]) && endswith(azurerm_monitor_diagnostic_setting.audit["lake"].target_resource_id, "/stadrisk/blobServices/default")
    error_message = "A log goes elsewhere, or is not that of the blobs."
  }

  assert {
    condition     = azurerm_consumption_budget_resource_group.month.amount == 500 && azurerm_consumption_budget_resource_group.month.time_grain == "Monthly" && azurerm_consumption_budget_resource_group.month.resource_group_id == azurerm_resource_group.lakehouse.id
    error_message = "The budget is another."
  }

  assert {
    condition     = toset([for alert in azurerm_consumption_budget_resource_group.month.notification : "${alert.threshold_type} ${alert.threshold}"]) == toset(["Actual 50", "Actual 80", "Actual 100", "Forecasted 100"])
    error_message = "The alerts are not at the percentages."
  }

  assert {
    condition     = alltrue([for alert in azurerm_consumption_budget_resource_group.month.notification : alert.contact_emails == tolist(["risk-data@example.com"])])
    error_message = "An alert tells nobody."
  }

  assert {
    condition     = can(regex("^20[0-9]{2}-[0-9]{2}-01T00:00:00Z$", azurerm_consumption_budget_resource_group.month.time_period[0].start_date))
    error_message = "The budget does not begin on the first of a month."
  }
}

run "network_watcher_goes_with_the_rest" {
  command = plan

  assert {
    condition     = azurerm_network_watcher.region[0].resource_group_name == "rsgdrisk" && azurerm_network_watcher.region[0].name == "NetworkWatcher_brazilsouth"
    error_message = "The Network Watcher is not in the resource group that destroy removes."
  }
}

run "network_watcher_of_the_subscription_stays" {
  command = plan

  variables {
    network_watcher_is_managed = false
  }

  assert {
    condition     = length(azurerm_network_watcher.region) == 0
    error_message = "There is a second Network Watcher in the region."
  }
}

run "firewall_lets_in_the_named_and_the_connector" {
  command = plan

  variables {
    virtual_network = {
      id                                 = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet"
      public_subnet_name                 = "public"
      private_subnet_name                = "private"
      public_security_group_association  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"
      private_security_group_association = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/private"
    }
    allowed_network = {
      ip_rules   = ["203.0.113.7"]
      subnet_ids = ["/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/vnet/subnets/public"]
    }
  }

  assert {
    condition = (azurerm_storage_account.lake.network_rules[0].default_action == "Deny"
      && azurerm_storage_account.lake.network_rules[0].ip_rules == toset(["203.0.113.7"])
      && azurerm_storage_account.lake.network_rules[0].virtual_network_subnet_ids == var.allowed_network.subnet_ids
    && azurerm_storage_account.lake.network_rules[0].private_link_access[0].endpoint_resource_id == azurerm_databricks_access_connector.lake.id)
    error_message = "The lake's firewall is another."
  }

  assert {
    condition = (azurerm_eventhub_namespace.events.network_rulesets[0].default_action == "Deny"
      && one(azurerm_eventhub_namespace.events.network_rulesets[0].ip_rule).ip_mask == "203.0.113.7"
    && one(azurerm_eventhub_namespace.events.network_rulesets[0].virtual_network_rule).subnet_id == one(var.allowed_network.subnet_ids))
    error_message = "The namespace's firewall is another."
  }

  assert {
    condition     = azurerm_databricks_workspace.lakehouse.custom_parameters[0].virtual_network_id == var.virtual_network.id && azurerm_databricks_workspace.lakehouse.custom_parameters[0].private_subnet_name == "private"
    error_message = "The clusters are in another network."
  }
}

run "own_key_encrypts_everything" {
  command = plan

  variables {
    eventhub_sku = "Premium"
    customer_managed_key = {
      key_id                           = "https://vault.vault.azure.net/keys/lake/0123456789abcdef0123456789abcdef"
      key_resource_id                  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/vault/keys/lake"
      databricks_application_object_id = "00000000-0000-0000-0000-0000000000d1"
    }
  }

  assert {
    condition = (azurerm_storage_account.lake.customer_managed_key[0].key_vault_key_id == var.customer_managed_key.key_id
      && azurerm_databricks_workspace.lakehouse.managed_services_cmk_key_vault_key_id == var.customer_managed_key.key_id
      && azurerm_databricks_workspace.lakehouse.managed_disk_cmk_key_vault_key_id == var.customer_managed_key.key_id
      && azurerm_databricks_workspace_root_dbfs_customer_managed_key.root[0].key_vault_key_id == var.customer_managed_key.key_id
      && azurerm_eventhub_namespace_customer_managed_key.events[0].key_vault_key_ids == toset([var.customer_managed_key.key_id])
    && azurerm_eventhub_namespace.events.identity[0].type == "SystemAssigned, UserAssigned")
    error_message = "Something is encrypted with another key."
  }

  assert {
    condition = toset([for role in concat(values(azurerm_role_assignment.encryption), values(azurerm_role_assignment.workspace_encryption)) : "${role.role_definition_name} ${role.principal_id}" if role.scope == var.customer_managed_key.key_resource_id]) == toset([
      "Key Vault Crypto Service Encryption User 00000000-0000-0000-0000-0000000000e0",
      "Key Vault Crypto Service Encryption User 00000000-0000-0000-0000-0000000000d1",
      "Key Vault Crypto Service Encryption User 00000000-0000-0000-0000-0000000000d0",
      "Key Vault Crypto Service Encryption User 00000000-0000-0000-0000-0000000000d2",
    ])
    error_message = "Somebody may not use the key, or may do more with it."
  }
}

run "standard_topics_keep_the_key_of_microsoft" {
  command = plan

  variables {
    customer_managed_key = {
      key_id                           = "https://vault.vault.azure.net/keys/lake/0123456789abcdef0123456789abcdef"
      key_resource_id                  = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/vault/keys/lake"
      databricks_application_object_id = "00000000-0000-0000-0000-0000000000d1"
    }
  }

  assert {
    condition     = length(azurerm_eventhub_namespace_customer_managed_key.events) == 0 && azurerm_eventhub_namespace.events.identity[0].type == "SystemAssigned"
    error_message = "The Standard tier takes no key of one's own."
  }
}

run "outputs_are_what_the_next_steps_read" {
  command = plan

  assert {
    condition = ({
      url = output.workspace_url, id = output.workspace_id, raw = output.container_urls["raw"], kafka = output.eventhub_bootstrap_servers, connector = output.access_connector_id
      }) == {
      url   = "https://adb-1234567890123456.7.azuredatabricks.net"
      id    = "1234567890123456"
      raw   = "abfss://ctrdriskraw@stadrisk.dfs.core.windows.net/"
      kafka = "ethdrisk.servicebus.windows.net:9093"

      connector = azurerm_databricks_access_connector.lake.id
    }
    error_message = "An output is missing or another."
  }
}
