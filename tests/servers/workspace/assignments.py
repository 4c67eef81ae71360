"""Which of the account's principals are in a workspace (reference page *Workspace Assignment*)."""

from __future__ import annotations

from databricks.sdk.service import iam

from .metastores import check_account_administrator
from .refusals import absent, invalid
from .routes import Request, serves
from .state import Json, Principal, State


def workspace_of(state: State, request: Request) -> int:
    """Return the workspace that a path names."""
    identity = int(request["workspace_id"])
    check_account_administrator(state, request)
    if identity not in state.workspaces:
        raise absent(f"Workspace {identity} does not exist.")
    return identity


def principal_of(state: State, request: Request) -> Principal:
    """Return the account's principal that a path names."""
    found = state.principals.get(str(request["principal_id"]))
    if not found or not found.is_in_account:
        raise absent(f"Principal {request['principal_id']} does not exist in the account.")
    return found


def shown(item: Principal, permissions: list[str]) -> Json:
    """Return an assignment as the service shows it."""
    key = {
        "Users": "user_name",
        "Groups": "group_name",
        "ServicePrincipals": "service_principal_name",
    }[item.kind]
    return {
        "permissions": permissions,
        "principal": {
            "principal_id": int(item.resource["id"]),
            "display_name": item.resource.get("displayName", ""),
            key: item.name,
        },
    }


@serves(iam.WorkspaceAssignmentAPI.update, "account/workspaceassignment/update")
def assign(state: State, request: Request) -> Json:
    """Give a principal USER or ADMIN in a workspace; an empty list takes both."""
    workspace, item, permissions = (
        workspace_of(state, request),
        principal_of(state, request),
        request.body.get("permissions", []),
    )
    if "UNKNOWN" in permissions:
        raise invalid("Permission UNKNOWN cannot be assigned")
    admins = next(group for group in state.principals.values() if group.name == "admins")
    members = [one for one in admins.resource["members"] if one["value"] != item.resource["id"]]
    admins.resource["members"] = members + (
        [{"value": item.resource["id"]}] if "ADMIN" in permissions else []
    )
    item.is_in_workspace = bool(permissions)
    if permissions:
        state.assignments[workspace, item.resource["id"]] = permissions
    else:
        state.assignments.pop((workspace, item.resource["id"]), None)
    return shown(item, permissions)


@serves(iam.WorkspaceAssignmentAPI.list, "account/workspaceassignment/list")
def list_assignments(state: State, request: Request) -> Json:
    """Return a workspace's assignments."""
    identity = workspace_of(state, request)
    return {
        "permission_assignments": [
            shown(state.principals[key], permissions)
            for (workspace, key), permissions in state.assignments.items()
            if workspace == identity and key in state.principals
        ]
    }


@serves(iam.WorkspaceAssignmentAPI.get, "account/workspaceassignment/get")
def list_permissions(state: State, request: Request) -> Json:
    """Return the permissions that there are."""
    workspace_of(state, request)
    return {
        "permissions": [
            {"permission_level": "USER", "description": "Can use the workspace"},
            {"permission_level": "ADMIN", "description": "Can administer the workspace"},
        ]
    }


@serves(iam.WorkspaceAssignmentAPI.delete, "account/workspaceassignment/delete")
def unassign(state: State, request: Request) -> None:
    """Take a principal out of a workspace."""
    workspace, item = workspace_of(state, request), principal_of(state, request)
    if state.assignments.pop((workspace, item.resource["id"]), None) is None:
        raise absent(f"Principal {item.resource['id']} is not assigned to workspace {workspace}.")
    item.is_in_workspace = False
