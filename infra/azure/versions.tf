terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "5.2.0"
    }
  }

  # Where the state is comes with `terraform init -backend-config`, from the output `backend` of infra/state.
  backend "azurerm" {}
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  # The provider registers none by itself. Microsoft.Compute is for the clusters' machines.
  resource_providers_to_register = [
    "Microsoft.Compute",
    "Microsoft.Consumption",
    "Microsoft.Databricks",
    "Microsoft.EventHub",
    "Microsoft.Insights",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
  ]

  features {
    resource_group {
      # What somebody else put into the resource group is not destroyed with it.
      prevent_deletion_if_contains_resources = true
    }

    databricks_workspace {
      # The workspace's own catalog keeps files in the managed resource group; without this, destroy stops there.
      force_delete = true
    }

    log_analytics_workspace {
      # A workspace that is only soft-deleted would come back, with its logs, at the next apply.
      permanently_delete_on_destroy = true
    }
  }
}
