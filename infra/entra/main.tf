# People and groups, and the one identity that deploys. No user is made here: a user made by Terraform has a password in the
# state. Invite people in Microsoft Entra and name them in `groups`.

data "azuread_client_config" "current" {}

data "azuread_user" "member" {
  for_each = setunion([], values(var.groups)...)

  user_principal_name = each.value
}

resource "azuread_group" "team" {
  for_each = var.groups

  display_name            = each.key
  description             = var.mark
  security_enabled        = true
  prevent_duplicate_names = true # a second group of that name would get the grants of the first
  owners                  = [data.azuread_client_config.current.object_id]
  members                 = [for name in each.value : data.azuread_user.member[name].object_id]
}

# Two environments that share a tenant share its groups: one makes them, the others look them up.
data "azuread_group" "existing" {
  for_each = var.existing_groups

  display_name     = each.value
  security_enabled = true
}

# No password and no certificate: GitHub signs who a workflow is, and Microsoft Entra believes it for these subjects alone.
resource "azuread_application_registration" "deployer" {
  display_name     = var.service_principal_name
  sign_in_audience = "AzureADMyOrg"
}

resource "azuread_service_principal" "deployer" {
  client_id                    = azuread_application_registration.deployer.client_id
  app_role_assignment_required = true # nobody signs in through it
  owners                       = [data.azuread_client_config.current.object_id]
}

locals {
  subjects = merge(
    { for name in var.github.environments : "github-environment-${name}" => "environment:${name}" },
    { for name in var.github.branches : "github-branch-${name}" => "ref:refs/heads/${name}" },
  )
}

resource "azuread_application_federated_identity_credential" "github" {
  #checkov:skip=CKV_AZURE_249: the subject is one repository's environment or branch by its full name; variables.tf refuses a pattern

  for_each = local.subjects

  application_id = azuread_application_registration.deployer.id
  display_name   = replace(each.key, "/[^A-Za-z0-9_-]/", "-")
  issuer         = "https://token.actions.githubusercontent.com"
  audiences      = ["api://AzureADTokenExchange"]
  subject        = "repo:${var.github.repository}:${each.value}"
}
