variable "subscription_id" {
  description = "The Azure subscription, as a GUID."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case."
  }
}

variable "location" {
  description = "The Azure region, by its programmatic name: `brazilsouth`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]+$", var.location))
    error_message = "location is a region's programmatic name, lower-case letters and digits: brazilsouth, westeurope."
  }
}

variable "resource_group_name" {
  description = "The resource group of the state alone, so that destroying the lakehouse leaves it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", var.resource_group_name))
    error_message = "A resource group's name has 1 to 90 letters, digits, underscores, parentheses, hyphens and periods, and no period at its end."
  }
}

variable "storage_account_name" {
  description = "The storage account of the state; its name is unique in all of Azure."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "A storage account's name has 3 to 24 lower-case letters and digits."
  }
}

variable "container_name" {
  description = "The container of the state files."
  type        = string
  nullable    = false
  default     = "tfstate"

  validation {
    condition     = can(regex("^[a-z0-9](-?[a-z0-9])*$", var.container_name)) && length(var.container_name) >= 3 && length(var.container_name) <= 63
    error_message = "A container's name has 3 to 63 lower-case letters, digits and single hyphens, and begins and ends with a letter or digit."
  }
}

variable "writers" {
  description = "Who runs Terraform, by a name of your choice: object ids of users, groups or service principals. They read and write the state and nothing else here."
  type        = map(object({ object_id = string, type = string }))
  nullable    = false

  validation {
    condition     = length(var.writers) > 0 && alltrue([for writer in var.writers : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", writer.object_id))])
    error_message = "writers names one principal at least, each by its object id, a GUID in lower case."
  }

  validation {
    condition     = alltrue([for writer in var.writers : contains(["User", "Group", "ServicePrincipal"], writer.type)])
    error_message = "A writer's type is User, Group or ServicePrincipal."
  }
}

variable "kept_days" {
  description = "Days for which a deleted or overwritten state can be brought back."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = var.kept_days >= 7 && var.kept_days <= 365 && floor(var.kept_days) == var.kept_days
    error_message = "kept_days is a whole number from 7 to 365."
  }
}

variable "storage_replication" {
  description = "How the state is replicated: LRS in one data centre, ZRS in three of the region, GRS, GZRS, RAGRS and RAGZRS in a second region too, which may lie in another country. Terraform makes the account anew, and empty, where LRS, GRS or RAGRS becomes one with a Z or the other way round: convert it in Azure first."
  type        = string
  nullable    = false
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"], var.storage_replication)
    error_message = "storage_replication is LRS, ZRS, GRS, GZRS, RAGRS or RAGZRS."
  }
}

variable "tags" {
  description = "Tags of every resource: domain, project and env, and your own."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(["domain", "project", "env"], keys(var.tags))) == 0
    error_message = "tags has domain, project and env."
  }

  validation {
    condition     = length(var.tags) <= 50 && alltrue([for key, value in var.tags : length(key) <= 128 && length(value) <= 256 && !can(regex("[<>%&\\\\?/]", key))])
    error_message = "Azure allows 50 tags, with names of at most 128 characters without < > % & \\ ? / and values of at most 256."
  }
}
