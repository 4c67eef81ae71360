# The lake: one account with a hierarchical namespace, opened by Microsoft Entra alone.

resource "azurerm_storage_account" "lake" {
  #checkov:skip=CKV_AZURE_33: there is no queue in the account, and no key that would open one
  #checkov:skip=CKV_AZURE_59: clusters and producers come from outside unless virtual_network and allowed_network say otherwise; anonymous access is off
  #checkov:skip=CKV_AZURE_206: storage_replication chooses; ZRS is the default because raw files have a source and tables have a history
  #checkov:skip=CKV2_AZURE_33: a private endpoint needs a network of yours and its DNS; allowed_network is the firewall without one

  name                = var.storage_account_name
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.storage_replication
  is_hns_enabled           = true

  # No account key, no shared access signature made from one, no anonymous reader, no local user.
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false

  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true

  blob_properties {
    delete_retention_policy {
      days = var.soft_delete_days
    }

    container_delete_retention_policy {
      days = var.soft_delete_days
    }
  }

  dynamic "identity" {
    for_each = azurerm_user_assigned_identity.encryption

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = azurerm_user_assigned_identity.encryption

    content {
      key_vault_key_id          = var.customer_managed_key.key_id
      user_assigned_identity_id = customer_managed_key.value.id
    }
  }

  dynamic "network_rules" {
    for_each = var.allowed_network[*]

    content {
      default_action             = "Deny"
      bypass                     = ["AzureServices"]
      ip_rules                   = network_rules.value.ip_rules
      virtual_network_subnet_ids = network_rules.value.subnet_ids

      # Unity Catalog comes as the access connector, by its resource and not by its address.
      private_link_access {
        endpoint_resource_id = azurerm_databricks_access_connector.lake.id
      }
    }
  }

  depends_on = [azurerm_role_assignment.encryption]
}

resource "azurerm_storage_container" "purpose" {
  #checkov:skip=CKV2_AZURE_21: reads are logged by the diagnostic setting of the account's blobs, in monitoring.tf

  for_each = var.containers

  name                  = each.value
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"
}

# What the contracts promise to forget. Azure looks once a day, so a file may stay a day longer; deleted files can then be
# brought back for soft_delete_days.
resource "azurerm_storage_management_policy" "retention" {
  count = length(var.retention) > 0 ? 1 : 0

  storage_account_id = azurerm_storage_account.lake.id

  dynamic "rule" {
    for_each = { for rule in var.retention : "${rule.container}/${rule.prefix}" => rule }

    content {
      # A rule's name has letters, digits and hyphens alone; the hash keeps `a_b` and `a-b` apart.
      name    = "retention-${trim(substr(replace(rule.key, "/[^A-Za-z0-9]+/", "-"), 0, 200), "-")}-${substr(sha1(rule.key), 0, 6)}"
      enabled = true

      filters {
        blob_types   = ["blockBlob", "appendBlob"]
        prefix_match = [rule.key]
      }

      actions {
        base_blob {
          delete_after_days_since_modification_greater_than = rule.value.days
        }
      }
    }
  }

  depends_on = [azurerm_storage_container.purpose]
}
