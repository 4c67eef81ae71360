terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "3.9.0"
    }
  }

  # Where the state is comes with `terraform init -backend-config`, from the output `backend` of infra/state.
  backend "azurerm" {}
}

provider "azuread" {
  tenant_id = var.tenant_id
}
