"""What a new workspace has.

An administrator of the account and of the workspace, the groups that every workspace has, and a
warehouse.
"""

from __future__ import annotations

from typing import Any

from .state import METASTORE, Principal, State, new_uuid, now

ADMIN = "admin@example.com"


def furnish(state: State, metastore: str = "") -> str:
    """Fill a new state, with a metastore of that name if one is named, and return the
    administrator's token.
    """
    settings = state.settings
    admin = add_principal(
        state,
        "Users",
        userName=ADMIN,
        displayName="Administrator",
        active=True,
        roles=[{"value": "account_admin"}],
    )
    for name, members in (("admins", [{"value": admin}]), ("users", [])):
        add_principal(
            state,
            "Groups",
            is_in_account=False,
            displayName=name,
            members=members,
            meta={"resourceType": "WorkspaceGroup"},
        )
    add_principal(
        state,
        "Groups",
        displayName="account users",
        members=[],
        meta={"resourceType": "Group"},
        is_in_workspace=False,
    )
    state.workspaces[settings.workspace_id] = {
        "workspace_id": settings.workspace_id,
        "workspace_name": settings.workspace_name,
        "workspace_status": "RUNNING",
        "location": settings.region,
        "account_id": settings.account_id,
        "pricing_tier": "PREMIUM",
    }
    warehouse = new_uuid()[:16].replace("-", "0")
    state.warehouses[warehouse] = {
        "id": warehouse,
        "name": "Serverless Starter Warehouse",
        "cluster_size": "2X-Small",
        "state": "STOPPED",
        "auto_stop_mins": 10,
        "creator_name": ADMIN,
        "enable_serverless_compute": True,
        "warehouse_type": "PRO",
        "min_num_clusters": 1,
        "max_num_clusters": 1,
        "enable_photon": True,
    }
    if metastore:
        identity = new_uuid()
        state.unity[METASTORE][identity] = {
            "metastore_id": identity,
            "name": metastore,
            "region": settings.region,
            "cloud": "azure",
            "owner": ADMIN,
            "created_at": now(),
            "created_by": ADMIN,
            "updated_at": now(),
            "updated_by": ADMIN,
            "privilege_model_version": "1.0",
            "global_metastore_id": f"azure:{settings.region}:{identity}",
            "delta_sharing_scope": "INTERNAL",
        }
        state.metastore_of[settings.workspace_id] = {
            "workspace_id": settings.workspace_id,
            "metastore_id": identity,
            "default_catalog_name": "",
        }
    return token_of(state, ADMIN)


def add_principal(
    state: State,
    kind: str,
    is_in_account: bool = True,
    is_in_workspace: bool = True,
    **resource: Any,
) -> str:
    """Add a user, group or service principal and return its id."""
    identity = str(state.next_id())
    state.principals[identity] = Principal(
        kind, {"id": identity, **resource}, is_in_account, is_in_workspace
    )
    return identity


def token_of(state: State, name: str) -> str:
    """Return a token with which a principal calls.

    The name is a user's name or an application id.
    """
    token = f"dapi-of-{name}"
    state.tokens[token] = name
    return token
