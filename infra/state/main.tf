# The storage account that keeps Terraform's state: made once, by a person, before the rest.
# The blob's lease is the lock, so two runs never write one state at a time.

resource "azurerm_resource_group" "state" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags
}

resource "azurerm_storage_account" "state" {
  #checkov:skip=CKV_AZURE_33: there is no queue in the account, and no key that would open one
  #checkov:skip=CKV_AZURE_206: storage_replication chooses; a copy in a second region may lie in another country, or there is no second region
  #checkov:skip=CKV_AZURE_59: Terraform runs on laptops and hosted runners, which have no address of their own; Microsoft Entra alone opens the account
  #checkov:skip=CKV2_AZURE_33: the same
  #checkov:skip=CKV2_AZURE_1: the state holds no key that opens anything; an encryption key that is lost would lock out the state itself

  name                = var.storage_account_name
  resource_group_name = azurerm_resource_group.state.name
  location            = azurerm_resource_group.state.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.storage_replication

  # Microsoft Entra alone opens it: no account key, no shared access signature made from one, no anonymous reader.
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false

  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.kept_days
    }

    container_delete_retention_policy {
      days = var.kept_days
    }
  }
}

resource "azurerm_storage_container" "state" {
  #checkov:skip=CKV2_AZURE_21: who wrote the state is in its versions; a log of reads needs a Log Analytics workspace before there is one

  name                  = var.container_name
  storage_account_id    = azurerm_storage_account.state.id
  container_access_type = "private"
}

resource "azurerm_role_assignment" "writer" {
  for_each = var.writers

  scope                = azurerm_storage_container.state.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value.object_id
  principal_type       = each.value.type
}

# Nobody deletes the account by accident; `terraform destroy` here lifts the lock first.
resource "azurerm_management_lock" "state" {
  name       = "terraform-state"
  scope      = azurerm_storage_account.state.id
  lock_level = "CanNotDelete"
  notes      = "Keeps the state of Terraform; destroy the lakehouse first."

  depends_on = [azurerm_storage_container.state, azurerm_role_assignment.writer]
}
