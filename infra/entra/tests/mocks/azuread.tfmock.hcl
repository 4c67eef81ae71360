# What Microsoft Graph would answer: identifiers of the right form, so that the real provider accepts them too.

mock_data "azuread_client_config" {
  defaults = {
    object_id = "00000000-0000-0000-0000-0000000000ff"
  }
}

mock_data "azuread_user" {
  defaults = {
    object_id = "00000000-0000-0000-0000-00000000000a"
  }
}

mock_data "azuread_group" {
  defaults = {
    object_id = "00000000-0000-0000-0000-0000000000a1"
  }
}

mock_resource "azuread_group" {
  defaults = {
    object_id = "00000000-0000-0000-0000-0000000000a0"
  }
}

mock_resource "azuread_application_registration" {
  defaults = {
    id        = "/applications/00000000-0000-0000-0000-0000000000b0"
    client_id = "00000000-0000-0000-0000-0000000000b1"
  }
}

mock_resource "azuread_service_principal" {
  defaults = {
    object_id = "00000000-0000-0000-0000-0000000000b2"
  }
}
