output "backend" {
  description = "What `terraform init -backend-config` of the other folders needs, but for the key: the name of the state file."
  value = {
    resource_group_name  = azurerm_resource_group.state.name
    storage_account_name = azurerm_storage_account.state.name
    container_name       = azurerm_storage_container.state.name
    use_azuread_auth     = true
    subscription_id      = var.subscription_id
  }
}
