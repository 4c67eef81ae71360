terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "5.2.0"
    }
  }
}

provider "azurerm" {
  subscription_id                = var.subscription_id
  storage_use_azuread            = true
  resource_providers_to_register = ["Microsoft.Storage"]

  features {}
}
