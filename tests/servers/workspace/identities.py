"""Who is who: principals by name, the groups that they are in, and who administers what."""

from __future__ import annotations

from .refusals import Refusal
from .state import METASTORE, Principal, State


def principal_named(
    state: State,
    name: str,
    kinds: tuple[str, ...] = ("Users", "Groups", "ServicePrincipals"),
    in_account: bool = True,
) -> Principal | None:
    """Return the principal of a name.

    Unity Catalog knows those of the account only (Databricks, *Manage identities*), a workspace its
    own too.
    """
    return next(
        (
            item
            for item in state.principals.values()
            if item.kind in kinds
            and item.name.lower() == name.lower()
            and (item.is_in_account if in_account else item.is_in_workspace)
        ),
        None,
    )


def known_principal(state: State, name: str) -> str:
    """Return a principal's name as the account has it.

    Raises the Refusal that users meet with groups of the workspace and names of service principals.
    """
    found = principal_named(state, name)
    if not found:
        raise Refusal(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {name}")
    return found.name


def identities(state: State, name: str) -> set[str]:
    """Return a principal's name and those of the groups that it is in, directly or through
    others.
    """
    own = {item.resource["id"] for item in state.principals.values() if item.name == name}
    found = {name, "account users", "users"}
    while True:
        groups = [
            item
            for item in state.principals.values()
            if item.kind == "Groups"
            and {member["value"] for member in item.resource.get("members", [])} & own
        ]
        more = {item.resource["id"] for item in groups} - own
        found |= {item.name for item in groups}
        if not more:
            return found
        own |= more


def administers_workspace(state: State, name: str) -> bool:
    """The principal is in the workspace's group `admins`."""
    return "admins" in identities(state, name)


def administers_account(state: State, name: str) -> bool:
    """The principal has the role of an account administrator."""
    return any(
        {"value": "account_admin"} in item.resource.get("roles", [])
        for item in state.principals.values()
        if item.name in identities(state, name)
    )


def administers_metastore(state: State, name: str) -> bool:
    """The principal is, or is in the group that is, the owner of the metastore."""
    return any(item["owner"] in identities(state, name) for item in state.unity[METASTORE].values())
