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

# Names. The toolkit derives them from the domain and the environment; the limits are Azure's
# (Azure Resource Manager, "Naming rules and restrictions for Azure resources").

variable "resource_group_name" {
  description = "The resource group of everything here: `rsgdrisk`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", var.resource_group_name))
    error_message = "A resource group's name has 1 to 90 letters, digits, underscores, parentheses, hyphens and periods, and no period at its end."
  }
}

variable "storage_account_name" {
  description = "The storage account of the lake, `stadrisk`; its name is unique in all of Azure."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "A storage account's name has 3 to 24 lower-case letters and digits."
  }
}

variable "containers" {
  description = "The container of each purpose: raw, log, mtst (metastore) and catlog (catalog)."
  type        = map(string)
  nullable    = false

  validation {
    condition     = toset(keys(var.containers)) == toset(["raw", "log", "mtst", "catlog"])
    error_message = "containers names one container for each of raw, log, mtst and catlog."
  }

  validation {
    condition     = alltrue([for name in values(var.containers) : can(regex("^[a-z0-9](-?[a-z0-9])*$", name)) && length(name) >= 3 && length(name) <= 63])
    error_message = "A container's name has 3 to 63 lower-case letters, digits and single hyphens, and begins and ends with a letter or digit."
  }

  validation {
    condition     = length(distinct(values(var.containers))) == length(var.containers)
    error_message = "Each purpose has a container of its own."
  }
}

variable "eventhub_namespace_name" {
  description = "The Event Hubs namespace, `ethdrisk`; its name is unique in all of Azure."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$", var.eventhub_namespace_name))
    error_message = "A namespace's name has 6 to 50 letters, digits and hyphens, begins with a letter and ends with a letter or digit."
  }
}

variable "workspace_name" {
  description = "The Databricks workspace: `adbdrisk`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{3,64}$", var.workspace_name))
    error_message = "A workspace's name has 3 to 64 letters, digits, underscores and hyphens."
  }
}

variable "access_connector_name" {
  description = "The access connector, whose managed identity reaches the lake: `adbdrisk-mi`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{3,64}$", var.access_connector_name))
    error_message = "An access connector's name has 3 to 64 letters, digits, underscores and hyphens."
  }
}

variable "log_analytics_workspace_name" {
  description = "The Log Analytics workspace that keeps the audit logs."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$", var.log_analytics_workspace_name))
    error_message = "A Log Analytics workspace's name has 4 to 63 letters, digits and hyphens, and begins and ends with a letter or digit."
  }
}

# Who may do what.

variable "data_engineer_group_id" {
  description = "Object id of the group of data engineers, from infra/entra. They see the resources; data they reach through Unity Catalog alone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.data_engineer_group_id))
    error_message = "data_engineer_group_id is an object id, a GUID in lower case."
  }
}

variable "service_principal_object_id" {
  description = "Object id of the service principal that deploys to the workspace, from infra/entra (not its client id)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.service_principal_object_id))
    error_message = "service_principal_object_id is an object id, a GUID in lower case."
  }
}

# What is kept, and for how long.

variable "retention" {
  description = "Days after which files under a folder of a container are deleted, from the retention of the contracts."
  type        = list(object({ container = string, prefix = string, days = number }))
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for rule in var.retention : contains(values(var.containers), rule.container)])
    error_message = "Each rule of retention names one of the containers."
  }

  validation {
    condition     = alltrue([for rule in var.retention : can(regex("^[^/\\\\][^\\\\]*/$", rule.prefix)) && length(rule.prefix) <= 1024])
    error_message = "A prefix is a folder with a slash at its end, as in `account/`: without it, `account` would take `account_history` along."
  }

  validation {
    condition     = alltrue([for rule in var.retention : rule.days >= 1 && rule.days <= 99999 && floor(rule.days) == rule.days])
    error_message = "days is a whole number from 1 to 99999."
  }

  validation {
    condition     = length(distinct([for rule in var.retention : "${rule.container}/${rule.prefix}"])) == length(var.retention) && length(var.retention) <= 100
    error_message = "A folder has one rule, and a storage account at most 100."
  }
}

variable "soft_delete_days" {
  description = "Days for which a deleted file or container can be brought back. They come on top of the retention: count them in where personal data must be gone by a day."
  type        = number
  nullable    = false
  default     = 7

  validation {
    condition     = var.soft_delete_days >= 1 && var.soft_delete_days <= 365 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days is a whole number from 1 to 365."
  }
}

variable "log_retention_days" {
  description = "Days for which Log Analytics keeps the audit logs."
  type        = number
  nullable    = false
  default     = 90

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days is a whole number from 30 to 730."
  }
}

# Sizes and cost.

variable "storage_replication" {
  description = "How the lake is replicated: LRS in one data centre, ZRS in three of the region, GRS, GZRS, RAGRS and RAGZRS in a second region too. Terraform makes the account anew, and empty, where LRS, GRS or RAGRS becomes one with a Z or the other way round: convert it in Azure first."
  type        = string
  nullable    = false
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"], var.storage_replication)
    error_message = "storage_replication is LRS, ZRS, GRS, GZRS, RAGRS or RAGZRS."
  }
}

variable "eventhub_sku" {
  description = "Tier of the Event Hubs namespace: Standard or Premium. Basic has no Kafka endpoint."
  type        = string
  nullable    = false
  default     = "Standard"

  validation {
    condition     = contains(["Standard", "Premium"], var.eventhub_sku)
    error_message = "eventhub_sku is Standard or Premium; Basic has no Kafka endpoint."
  }
}

variable "eventhub_capacity" {
  description = "Throughput units (Standard: 1 to 40) or processing units (Premium: 1, 2, 4, 6, 8, 10, 12 or 16)."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition = (var.eventhub_sku == "Premium"
      ? contains([1, 2, 4, 6, 8, 10, 12, 16], var.eventhub_capacity)
    : var.eventhub_capacity >= 1 && var.eventhub_capacity <= 40 && floor(var.eventhub_capacity) == var.eventhub_capacity)
    error_message = "eventhub_capacity is 1 to 40 in Standard, and 1, 2, 4, 6, 8, 10, 12 or 16 in Premium."
  }
}

variable "budget" {
  description = "The monthly budget of the resource group, in the subscription's currency, who is told by e-mail, and at which percentages of it."
  type        = object({ amount = number, emails = list(string), percentages = optional(list(number), [50, 80, 100]) })
  nullable    = false

  validation {
    condition     = var.budget.amount >= 1
    error_message = "The budget's amount is 1 at least."
  }

  validation {
    condition     = length(var.budget.emails) > 0 && alltrue([for email in var.budget.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "The budget tells one e-mail address at least: a budget that tells nobody is none."
  }

  validation {
    condition     = length(var.budget.percentages) >= 1 && length(var.budget.percentages) <= 4 && alltrue([for percentage in var.budget.percentages : percentage >= 1 && percentage <= 1000 && floor(percentage) == percentage])
    error_message = "The budget has 1 to 4 percentages, whole numbers from 1 to 1000: Azure allows five alerts, and one is for the forecast."
  }
}

# The network.

variable "network_watcher_is_managed" {
  description = "Whether this project makes the region's Network Watcher and so destroys it. Say false where the subscription has one already: Azure allows one a region."
  type        = bool
  nullable    = false
  default     = true
}

variable "virtual_network" {
  description = "Your own network for the clusters, with its two delegated subnets and their network security group associations; null for one that Databricks manages."
  type = object({
    id                                 = string
    public_subnet_name                 = string
    private_subnet_name                = string
    public_security_group_association  = string
    private_security_group_association = string
  })
  default = null

  validation {
    condition     = var.virtual_network == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+$", var.virtual_network.id))
    error_message = "virtual_network.id is the resource id of a virtual network."
  }

  validation {
    condition     = var.virtual_network == null ? true : var.virtual_network.public_subnet_name != var.virtual_network.private_subnet_name
    error_message = "The public and the private subnet are two."
  }
}

variable "allowed_network" {
  description = "The public addresses (single, or ranges up to /30) and subnets that reach the lake and the topics; null for no firewall. Clusters reach the lake from their own subnets, so a firewall goes with virtual_network."
  type        = object({ ip_rules = optional(set(string), []), subnet_ids = optional(set(string), []) })
  default     = null

  validation {
    condition     = var.allowed_network == null ? true : length(var.allowed_network.subnet_ids) > 0
    error_message = "allowed_network names the clusters' subnets at least: without them no job reaches the lake."
  }

  validation {
    condition = var.allowed_network == null ? true : alltrue([
      for rule in var.allowed_network.ip_rules : can(cidrhost(strcontains(rule, "/") ? rule : "${rule}/32", 0)) && can(regex("^[0-9.]+(/([0-9]|[12][0-9]|30))?$", rule))
      && !can(regex("^(10|127|192\\.168|172\\.(1[6-9]|2[0-9]|3[01]))\\.", rule))
    ])
    error_message = "An ip rule is a public IPv4 address, or a range up to /30: the storage firewall takes no private address, no /31 and no /32."
  }

  validation {
    condition     = var.allowed_network == null ? true : alltrue([for id in var.allowed_network.subnet_ids : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", id))])
    error_message = "A subnet id is the resource id of a subnet."
  }
}

# Keys of your own.

variable "customer_managed_key" {
  description = "A key of yours in Key Vault that encrypts the lake, the notebooks, the workspace's root storage and the clusters' disks (and the topics, in Premium); null for keys that Microsoft manages."
  type = object({
    key_id                           = string # https://VAULT.vault.azure.net/keys/NAME/VERSION
    key_resource_id                  = string # /subscriptions/.../vaults/VAULT/keys/NAME: where the role is given
    databricks_application_object_id = string # the object id that the enterprise application AzureDatabricks has in your tenant
  })
  default = null

  validation {
    condition     = var.customer_managed_key == null ? true : can(regex("^https://[a-z0-9-]{3,24}\\.vault\\.[a-z.]+/keys/[A-Za-z0-9-]{1,127}/[0-9a-f]{32}$", var.customer_managed_key.key_id))
    error_message = "key_id is a key's identifier with its version: Databricks takes no identifier without one."
  }

  validation {
    condition     = var.customer_managed_key == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+/keys/[^/]+$", var.customer_managed_key.key_resource_id))
    error_message = "key_resource_id is the resource id of the key in its vault, without a version."
  }

  validation {
    condition     = var.customer_managed_key == null ? true : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.customer_managed_key.databricks_application_object_id))
    error_message = "databricks_application_object_id is an object id, a GUID in lower case."
  }
}
