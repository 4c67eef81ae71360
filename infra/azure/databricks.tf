resource "azurerm_databricks_workspace" "lakehouse" {
  #checkov:skip=CKV_AZURE_158: private link needs a network of yours and its DNS; clusters have no public address all the same
  #checkov:skip=CKV2_AZURE_48: the root storage has a key of yours where customer_managed_key brings one, in encryption.tf

  name                = var.workspace_name
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags

  sku                               = "premium" # Unity Catalog needs it
  infrastructure_encryption_enabled = true

  customer_managed_key_enabled                        = var.customer_managed_key != null
  managed_services_cmk_key_vault_key_id               = one(var.customer_managed_key[*].key_id)
  managed_disk_cmk_key_vault_key_id                   = one(var.customer_managed_key[*].key_id)
  managed_disk_cmk_rotation_to_latest_version_enabled = var.customer_managed_key == null ? null : true

  custom_parameters {
    no_public_ip                                         = true # clusters have no public address
    virtual_network_id                                   = one(var.virtual_network[*].id)
    public_subnet_name                                   = one(var.virtual_network[*].public_subnet_name)
    private_subnet_name                                  = one(var.virtual_network[*].private_subnet_name)
    public_subnet_network_security_group_association_id  = one(var.virtual_network[*].public_security_group_association)
    private_subnet_network_security_group_association_id = one(var.virtual_network[*].private_security_group_association)
  }

  depends_on = [azurerm_network_watcher.region, azurerm_role_assignment.encryption]
}

# Unity Catalog reaches the lake, and jobs the topics, as the managed identity of this connector: there is no key to keep.
resource "azurerm_databricks_access_connector" "lake" {
  name                = var.access_connector_name
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags

  identity {
    type = "SystemAssigned"
  }
}
