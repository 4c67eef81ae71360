# The resource group holds everything, so that one destroy leaves nothing.

resource "azurerm_resource_group" "lakehouse" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags
}

# Azure makes a Network Watcher of its own, in a resource group NetworkWatcherRG that no destroy removes, as soon as a
# region gets its first virtual network: the one of the workspace. One that is there before keeps it from doing so.
resource "azurerm_network_watcher" "region" {
  count = var.network_watcher_is_managed ? 1 : 0

  name                = "NetworkWatcher_${var.location}"
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags
}
