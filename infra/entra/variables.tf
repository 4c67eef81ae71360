variable "tenant_id" {
  description = "The Microsoft Entra tenant, as a GUID."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.tenant_id))
    error_message = "tenant_id is a GUID in lower case."
  }
}

variable "groups" {
  description = "The members of each group by their user principal names, by the group's name: `data_engineer`. The users are there already."
  type        = map(set(string))
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.groups) : length(trimspace(name)) > 0 && length(name) <= 256])
    error_message = "A group's name has 1 to 256 characters."
  }

  validation {
    condition     = alltrue([for name in flatten(values(var.groups)) : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", name))])
    error_message = "A member is named by the user principal name: ana@example.com."
  }
}

variable "existing_groups" {
  description = "Groups that another environment or project of the tenant makes, by name: they are looked up, and who is in them is said there."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.existing_groups : length(trimspace(name)) > 0 && length(name) <= 256 && !contains(keys(var.groups), name)])
    error_message = "A group's name has 1 to 256 characters, and a group that exists is not one of those that are made."
  }

  validation {
    condition     = length(var.groups) + length(var.existing_groups) > 0
    error_message = "There is one group at least, made or existing."
  }
}

variable "mark" {
  description = "The words by which a group is known to be the project's: `Managed by datamaster_kit for risk.`"
  type        = string
  nullable    = false

  validation {
    condition     = length(trimspace(var.mark)) > 0 && length(var.mark) <= 1024
    error_message = "mark has 1 to 1024 characters: a group's description."
  }
}

variable "service_principal_name" {
  description = "The service principal that deploys: `spndatamasteradmin`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9 ._-]{0,119}$", var.service_principal_name))
    error_message = "A service principal's name has 1 to 120 letters, digits, spaces, periods, underscores and hyphens, and begins with a letter or digit."
  }
}

variable "github" {
  description = "The repository whose workflows log in as the service principal, without a secret, and from which environments and branches of it they may."
  type        = object({ repository = string, environments = optional(set(string), []), branches = optional(set(string), []) })
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", var.github.repository))
    error_message = "github.repository is OWNER/NAME."
  }

  validation {
    condition     = length(var.github.environments) + length(var.github.branches) >= 1 && length(var.github.environments) + length(var.github.branches) <= 20
    error_message = "github names 1 to 20 environments and branches: Microsoft Entra allows 20 federated credentials an application."
  }

  validation {
    condition     = alltrue([for name in setunion(var.github.environments, var.github.branches) : can(regex("^[A-Za-z0-9._/-]{1,100}$", name))])
    error_message = "An environment or branch has letters, digits, periods, underscores, hyphens and slashes; a pattern such as * names none."
  }
}
