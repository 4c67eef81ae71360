# The namespace of the topics; each topic comes with the contract that names it.

locals {
  events_use_a_key = var.customer_managed_key != null && var.eventhub_sku == "Premium"
}

resource "azurerm_eventhub_namespace" "events" {
  name                = var.eventhub_namespace_name
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags

  sku                          = var.eventhub_sku
  capacity                     = var.eventhub_capacity
  local_authentication_enabled = false # Microsoft Entra alone: no connection string opens it
  minimum_tls_version          = "1.2"

  # With its own identity the namespace writes captured events to the lake; with another it reaches a key of yours.
  identity {
    type         = local.events_use_a_key ? "SystemAssigned, UserAssigned" : "SystemAssigned"
    identity_ids = local.events_use_a_key ? azurerm_user_assigned_identity.encryption[*].id : null
  }

  network_rulesets = var.allowed_network == null ? [] : [{
    default_action                 = "Deny"
    public_network_access_enabled  = true
    trusted_service_access_enabled = true
    ip_rule                        = [for rule in var.allowed_network.ip_rules : { action = "Allow", ip_mask = rule }]
    virtual_network_rule           = [for id in var.allowed_network.subnet_ids : { subnet_id = id, ignore_missing_virtual_network_service_endpoint = false }]
  }]
}
