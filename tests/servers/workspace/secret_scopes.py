"""Secret scopes, secrets and who may read them (reference page *Secrets*, which has the limits)."""

from __future__ import annotations

import base64
import binascii
import re

from databricks.sdk.service import workspace

from .identities import administers_workspace, identities, principal_named
from .refusals import Refusal, absent, denied, exists, invalid
from .routes import Request, serves
from .state import Json, State, now

LEVELS = ("READ", "WRITE", "MANAGE")
SCOPES, SECRETS, BYTES = 1000, 1000, 128 * 1024


def scope(state: State, request: Request, level: str = "") -> Json:
    """Return a scope on which the caller has a level of permission.

    Names are not case sensitive.
    """
    found = state.scopes.get(request["scope"].lower())
    if not found:
        raise absent(f"Scope {request['scope']} does not exist!")
    who = identities(state, request.caller)
    held = [LEVELS.index(given) for principal, given in found["acls"].items() if principal in who]
    if (
        level
        and not administers_workspace(state, request.caller)
        and max(held, default=-1) < LEVELS.index(level)
    ):
        raise denied(
            f"User {request.caller} does not have permission {level} on scope {found['name']}"
        )
    return found


@serves(workspace.SecretsAPI.create_scope, "workspace/secrets/createscope")
def create_scope(state: State, request: Request) -> None:
    """Make a scope, which its creator manages, or all users."""
    name, kind = request["scope"], request.body.get("scope_backend_type", "DATABRICKS")
    if not re.fullmatch(r"[\w@.-]{1,128}", name, re.ASCII):
        raise invalid(
            "Scope name must consist of alphanumeric characters, dashes, underscores, @, and "
            "periods, and may not exceed 128 characters."
        )
    if name.lower() in state.scopes:
        raise exists(f"Scope {name} already exists!")
    if len(state.scopes) >= SCOPES:
        raise Refusal(
            400, "RESOURCE_LIMIT_EXCEEDED", f"A workspace has at most {SCOPES} secret scopes"
        )
    if request.body.get("initial_manage_principal") not in (None, "users"):
        raise invalid("initial_manage_principal must be users")
    if kind == "AZURE_KEYVAULT" and not request.body.get("backend_azure_keyvault"):
        raise invalid(
            "Scope with Azure KeyVault must have AzureKeyVaultSecretScopeMetadata defined!"
        )
    state.scopes[name.lower()] = {
        "name": name,
        "backend_type": kind,
        "keyvault_metadata": request.body.get("backend_azure_keyvault"),
        "secrets": {},
        "acls": {request.body.get("initial_manage_principal") or request.caller: "MANAGE"},
    }


@serves(workspace.SecretsAPI.list_scopes, "workspace/secrets/listscopes")
def list_scopes(state: State, request: Request) -> Json:
    """Return the scopes."""
    return {
        "scopes": [
            {key: item[key] for key in ("name", "backend_type", "keyvault_metadata") if item[key]}
            for item in state.scopes.values()
        ]
    }


@serves(workspace.SecretsAPI.delete_scope, "workspace/secrets/deletescope")
def delete_scope(state: State, request: Request) -> None:
    """Delete a scope with its secrets."""
    del state.scopes[scope(state, request, "MANAGE")["name"].lower()]


@serves(workspace.SecretsAPI.put_secret, "workspace/secrets/putsecret")
def put_secret(state: State, request: Request) -> None:
    """Write a secret, over one of that key."""
    found = scope(state, request, "WRITE")
    if found["backend_type"] != "DATABRICKS":
        raise Refusal(400, "BAD_REQUEST", "Cannot write secrets to an Azure KeyVault-backed scope")
    if not re.fullmatch(r"[\w.-]{1,128}", request["key"], re.ASCII):
        raise invalid(
            "Secret key must consist of alphanumeric characters, dashes, underscores, and "
            "periods, and cannot exceed 128 characters."
        )
    text, coded = request.body.get("string_value"), request.body.get("bytes_value")
    if (text is None) == (coded is None):
        raise invalid("Exactly one of string_value and bytes_value must be specified")
    try:
        content = (
            text.encode() if text is not None else base64.b64decode(coded or "", validate=True)
        )
    except binascii.Error as error:
        raise invalid(f"bytes_value is not base64: {error}") from error
    if len(content) > BYTES:
        raise invalid("The maximum allowed secret value size is 128 KB")
    if request["key"] not in found["secrets"] and len(found["secrets"]) >= SECRETS:
        raise Refusal(400, "RESOURCE_LIMIT_EXCEEDED", f"A scope has at most {SECRETS} secrets")
    found["secrets"][request["key"]] = {"content": content, "last_updated_timestamp": now()}


@serves(workspace.SecretsAPI.list_secrets, "workspace/secrets/listsecrets")
def list_secrets(state: State, request: Request) -> Json:
    """Return the keys, without what they hold."""
    return {
        "secrets": [
            {"key": key, "last_updated_timestamp": item["last_updated_timestamp"]}
            for key, item in sorted(scope(state, request, "READ")["secrets"].items())
        ]
    }


@serves(workspace.SecretsAPI.get_secret, "workspace/secrets/getsecret")
def get_secret(state: State, request: Request) -> Json:
    """Return a secret as base64."""
    found = scope(state, request, "READ")["secrets"].get(request["key"])
    if not found:
        raise absent(
            f"Secret does not exist with scope: {request['scope']} and key: {request['key']}"
        )
    return {"key": request["key"], "value": base64.b64encode(found["content"]).decode()}


@serves(workspace.SecretsAPI.delete_secret, "workspace/secrets/deletesecret")
def delete_secret(state: State, request: Request) -> None:
    """Delete a secret."""
    found = scope(state, request, "WRITE")["secrets"]
    if request["key"] not in found:
        raise absent(
            f"Secret does not exist with scope: {request['scope']} and key: {request['key']}"
        )
    del found[request["key"]]


@serves(workspace.SecretsAPI.put_acl, "workspace/secrets/putacl")
def put_acl(state: State, request: Request) -> None:
    """Give a principal of the workspace a permission in place of what it has."""
    found = scope(state, request, "MANAGE")
    item = principal_named(state, request["principal"], in_account=False)
    if not item:
        raise invalid(f"Principal {request['principal']} does not exist")
    found["acls"][item.name] = request["permission"]


def acl(found: Json, request: Request) -> str:
    """Return a principal's permission."""
    if request["principal"] not in found["acls"]:
        raise absent(f"No ACL exists for principal {request['principal']} on scope {found['name']}")
    return str(found["acls"][request["principal"]])


@serves(workspace.SecretsAPI.list_acls, "workspace/secrets/listacls")
def list_acls(state: State, request: Request) -> Json:
    """Return the permissions on a scope."""
    return {
        "items": [
            {"principal": principal, "permission": level}
            for principal, level in scope(state, request, "MANAGE")["acls"].items()
        ]
    }


@serves(workspace.SecretsAPI.get_acl, "workspace/secrets/getacl")
def get_acl(state: State, request: Request) -> Json:
    """Return one permission."""
    return {
        "principal": request["principal"],
        "permission": acl(scope(state, request, "MANAGE"), request),
    }


@serves(workspace.SecretsAPI.delete_acl, "workspace/secrets/deleteacl")
def delete_acl(state: State, request: Request) -> None:
    """Take a permission away."""
    found = scope(state, request, "MANAGE")
    acl(found, request)
    del found["acls"][request["principal"]]
