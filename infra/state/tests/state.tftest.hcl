mock_provider "azurerm" {
  source          = "./tests/mocks"
  override_during = plan
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

run "state_is_closed_kept_and_locked" {
  command = plan

  assert {
    condition     = azurerm_storage_account.state.name == "stadrisktf" && azurerm_resource_group.state.name == "rsgdrisktf" && azurerm_storage_container.state.name == "tfstate"
    error_message = "The names are not the ones given."
  }

  assert {
    condition     = azurerm_resource_group.state.tags == tomap(var.tags) && azurerm_storage_account.state.tags == tomap(var.tags)
    error_message = "A resource has not the tags."
  }

  assert {
    condition = (azurerm_storage_account.state.shared_access_key_enabled == false
      && azurerm_storage_account.state.allow_nested_items_to_be_public == false
      && azurerm_storage_account.state.cross_tenant_replication_enabled == false
      && azurerm_storage_account.state.min_tls_version == "TLS1_2"
      && azurerm_storage_account.state.https_traffic_only_enabled == true
    && azurerm_storage_container.state.container_access_type == "private")
    error_message = "The state can be reached by a key, by anybody, or without TLS 1.2."
  }

  assert {
    condition = (azurerm_storage_account.state.blob_properties[0].versioning_enabled
      && azurerm_storage_account.state.blob_properties[0].delete_retention_policy[0].days == 30
    && azurerm_storage_account.state.blob_properties[0].container_delete_retention_policy[0].days == 30)
    error_message = "An overwritten or deleted state cannot be brought back."
  }

  assert {
    condition     = azurerm_storage_account.state.account_replication_type == "ZRS"
    error_message = "A copy of the state leaves the region, though nobody said so."
  }

  assert {
    condition     = azurerm_management_lock.state.lock_level == "CanNotDelete" && azurerm_management_lock.state.scope == azurerm_storage_account.state.id
    error_message = "The account is not locked."
  }
}

run "writers_reach_the_container_alone" {
  command = plan

  assert {
    condition = alltrue([for role in values(azurerm_role_assignment.writer) :
    role.scope == azurerm_storage_container.state.id && role.role_definition_name == "Storage Blob Data Contributor"])
    error_message = "A writer has more than the state's container."
  }

  assert {
    condition     = { for name, role in azurerm_role_assignment.writer : name => role.principal_type } == { ana = "User", deployer = "ServicePrincipal" }
    error_message = "The writers are not the ones given."
  }
}

run "backend_names_what_init_needs_and_no_key" {
  command = plan

  assert {
    condition = output.backend == {
      resource_group_name = "rsgdrisktf", storage_account_name = "stadrisktf", container_name = "tfstate", use_azuread_auth = true, subscription_id = var.subscription_id
    }
    error_message = "The backend's settings are not complete."
  }
}

run "bad_values_are_refused_together" {
  command = plan

  variables {
    subscription_id      = "Risk"
    location             = "Brazil South"
    resource_group_name  = "rsgdrisk."
    storage_account_name = "stad-risk"
    container_name       = "tf--state"
    kept_days            = 3
    storage_replication  = "NONE"
    tags                 = { domain = "risk" }
    writers              = {}
  }

  expect_failures = [
    var.subscription_id, var.location, var.resource_group_name, var.storage_account_name, var.container_name, var.kept_days, var.storage_replication, var.tags, var.writers,
  ]
}

run "writer_has_a_known_type" {
  command = plan

  variables {
    writers = { ana = { object_id = "00000000-0000-0000-0000-00000000000a", type = "Person" } }
  }

  expect_failures = [var.writers]
}

run "storage_account_has_at_most_24_characters" {
  command = plan

  variables {
    storage_account_name = "stadaveryverylongdomaintf"
  }

  expect_failures = [var.storage_account_name]
}
