mock_provider "azuread" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  tenant_id              = "00000000-0000-0000-0000-000000000002"
  groups                 = { data_engineer = ["ana@example.com", "bo@example.com"], data_reader = ["ana@example.com"] }
  mark                   = "Managed by datamaster_kit for risk."
  service_principal_name = "spndatamasteradmin"
  github                 = { repository = "example/lakehouse", environments = ["prod"], branches = ["main", "release/1"] }
}

override_data {
  target = data.azuread_user.member["bo@example.com"]
  values = { object_id = "00000000-0000-0000-0000-00000000000b" }
}

run "groups_have_the_members_that_are_named" {
  command = plan

  assert {
    condition     = azuread_group.team["data_engineer"].display_name == "data_engineer" && azuread_group.team["data_engineer"].members == toset(["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"])
    error_message = "data_engineer has not its two members."
  }

  assert {
    condition     = azuread_group.team["data_reader"].members == toset(["00000000-0000-0000-0000-00000000000a"])
    error_message = "data_reader has not its one member."
  }

  assert {
    condition     = alltrue([for group in values(azuread_group.team) : group.security_enabled && group.prevent_duplicate_names && coalesce(group.assignable_to_role, false) == false])
    error_message = "A group is none for security, may be a second of its name, or may get a role of the directory."
  }

  assert {
    condition     = alltrue([for group in values(azuread_group.team) : group.description == "Managed by datamaster_kit for risk."])
    error_message = "A group does not say whose it is."
  }
}

run "a_group_of_another_environment_is_looked_up_and_not_made" {
  command = plan

  variables {
    groups          = {}
    existing_groups = ["data_engineer"]
  }

  assert {
    condition     = length(azuread_group.team) == 0 && length(data.azuread_user.member) == 0 && data.azuread_group.existing["data_engineer"].display_name == "data_engineer"
    error_message = "A group that exists is made again, or its members are looked up."
  }

  assert {
    condition     = output.group_ids == { data_engineer = "00000000-0000-0000-0000-0000000000a1" }
    error_message = "The object id of a group that exists is missing."
  }
}

run "workflows_log_in_without_a_secret" {
  command = plan

  assert {
    condition = { for name, credential in azuread_application_federated_identity_credential.github : name => credential.subject } == {
      github-environment-prod   = "repo:example/lakehouse:environment:prod"
      github-branch-main        = "repo:example/lakehouse:ref:refs/heads/main"
      "github-branch-release/1" = "repo:example/lakehouse:ref:refs/heads/release/1"
    }
    error_message = "The subjects are not the environments and branches that are named."
  }

  assert {
    condition = alltrue([for credential in values(azuread_application_federated_identity_credential.github) :
      credential.issuer == "https://token.actions.githubusercontent.com" && credential.audiences == tolist(["api://AzureADTokenExchange"])
    && can(regex("^[A-Za-z0-9_-]{1,120}$", credential.display_name))])
    error_message = "A credential believes another issuer or audience, or has a name that Microsoft Entra refuses."
  }

  assert {
    condition     = azuread_application_registration.deployer.display_name == "spndatamasteradmin" && azuread_application_registration.deployer.sign_in_audience == "AzureADMyOrg"
    error_message = "The application is not the one of this tenant."
  }
}

run "outputs_are_what_the_next_steps_read" {
  command = plan

  assert {
    condition     = output.group_ids == { data_engineer = "00000000-0000-0000-0000-0000000000a0", data_reader = "00000000-0000-0000-0000-0000000000a0" }
    error_message = "The groups' object ids are missing."
  }

  assert {
    condition     = output.service_principal_client_id == "00000000-0000-0000-0000-0000000000b1" && output.service_principal_object_id == "00000000-0000-0000-0000-0000000000b2"
    error_message = "The service principal's ids are missing."
  }
}

run "bad_values_are_refused_together" {
  command = plan

  variables {
    tenant_id              = "example.com"
    groups                 = { data_engineer = ["ana"] }
    mark                   = ""
    service_principal_name = ""
    github                 = { repository = "lakehouse", branches = ["main"] }
  }

  expect_failures = [var.tenant_id, var.groups, var.mark, var.service_principal_name, var.github]
}

run "somebody_may_deploy" {
  command = plan

  variables {
    github = { repository = "example/lakehouse" }
  }

  expect_failures = [var.github]
}

run "no_pattern_stands_for_a_branch" {
  command = plan

  variables {
    github = { repository = "example/lakehouse", branches = ["*"] }
  }

  expect_failures = [var.github]
}

run "a_group_that_exists_is_not_made" {
  command = plan

  variables {
    existing_groups = ["data_engineer"]
  }

  expect_failures = [var.existing_groups]
}

run "a_group_has_a_name" {
  command = plan

  variables {
    groups = { " " = [] }
  }

  expect_failures = [var.groups]
}

run "there_is_a_group" {
  command = plan

  variables {
    groups = {}
  }

  expect_failures = [var.existing_groups]
}
