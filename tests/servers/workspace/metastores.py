"""Metastores and the workspaces that they are assigned to, by the account's routes and the
workspace's.
"""

from __future__ import annotations

from databricks.sdk.service import catalog, provisioning

from .identities import administers_account, administers_metastore, known_principal
from .refusals import Refusal, absent, denied, exists
from .routes import Request, page_of, serves
from .securables import metastore
from .state import METASTORE, Json, State, new_uuid, now


def check_account_administrator(state: State, request: Request) -> None:
    """Refuse who does not administer the account."""
    if not administers_account(state, request.caller):
        raise denied("Only account admin can perform this action.")


def metastore_by_id(state: State, identity: str) -> Json:
    """Return a metastore by its id."""
    found = state.unity[METASTORE].get(identity)
    if not found:
        raise absent(f"Metastore '{identity}' does not exist.", "METASTORE")
    return found


def create(state: State, request: Request, said: Json) -> Json:
    """Make a metastore.

    An account has one a region (Databricks, *Create a Unity Catalog metastore*).
    """
    check_account_administrator(state, request)
    region = said.get("region") or state.settings.region
    if any(item["name"] == said["name"] for item in state.unity[METASTORE].values()):
        raise exists(f"Metastore '{said['name']}' already exists", "METASTORE")
    if any(item["region"] == region for item in state.unity[METASTORE].values()):
        raise Refusal(
            400,
            "QUOTA_EXCEEDED",
            f"This account with id {state.settings.account_id} has reached the limit for "
            f"metastores in region {region}.",
        )
    identity, moment = new_uuid(), now()
    made = {
        "metastore_id": identity,
        "cloud": "azure",
        "owner": request.caller,
        "created_at": moment,
        "created_by": request.caller,
        "updated_at": moment,
        "updated_by": request.caller,
        "privilege_model_version": "1.0",
        "global_metastore_id": f"azure:{region}:{identity}",
        "delta_sharing_scope": "INTERNAL",
        **said,
        "region": region,
    }
    state.unity[METASTORE][identity] = made
    return made


def update(state: State, request: Request, identity: str, said: Json) -> Json:
    """Update a metastore, by an account administrator or its owner."""
    found = metastore_by_id(state, identity)
    if not administers_account(state, request.caller) and not administers_metastore(
        state, request.caller
    ):
        raise denied("User is not an owner of Metastore.")
    if said.get("owner"):
        said = {**said, "owner": known_principal(state, said["owner"])}
    if said.get("storage_root_credential_id"):
        credential = next(
            (
                item
                for item in state.unity["storage_credential"].values()
                if item["id"] == said["storage_root_credential_id"]
            ),
            None,
        )
        if not credential:
            raise absent(
                f"Storage credential '{said['storage_root_credential_id']}' does not exist.",
                "STORAGE_CREDENTIAL",
            )
        said = {**said, "storage_root_credential_name": credential["name"]}
    found.update(
        {key: value for key, value in said.items() if key not in ("new_name", "id")},
        updated_at=now(),
        updated_by=request.caller,
    )
    if said.get("new_name"):
        found["name"] = said["new_name"]
    return found


def delete(state: State, request: Request, identity: str) -> None:
    """Delete a metastore that is assigned to no workspace and holds nothing, or one of which that
    does not matter.
    """
    check_account_administrator(state, request)
    metastore_by_id(state, identity)
    if not request["force"] and (
        any(item["metastore_id"] == identity for item in state.metastore_of.values())
        or state.unity["catalog"]
    ):
        raise Refusal(400, "METASTORE_NOT_EMPTY", f"Metastore '{identity}' is not empty.")
    del state.unity[METASTORE][identity]
    for workspace in [
        key for key, item in state.metastore_of.items() if item["metastore_id"] == identity
    ]:
        del state.metastore_of[workspace]


@serves(catalog.AccountMetastoresAPI.create, "account/accountmetastores/create")
def create_for_account(state: State, request: Request) -> Json:
    """Make one in the account."""
    return {"metastore_info": create(state, request, request.body.get("metastore_info", {}))}


@serves(catalog.AccountMetastoresAPI.list, "account/accountmetastores/list")
def list_for_account(state: State, request: Request) -> Json:
    """Return the account's."""
    check_account_administrator(state, request)
    return {"metastores": list(state.unity[METASTORE].values())}


@serves(catalog.AccountMetastoresAPI.get, "account/accountmetastores/get")
def get_for_account(state: State, request: Request) -> Json:
    """Return one of the account's."""
    return {"metastore_info": metastore_by_id(state, request["metastore_id"])}


@serves(catalog.AccountMetastoresAPI.update, "account/accountmetastores/update")
def update_for_account(state: State, request: Request) -> Json:
    """Update one of the account's."""
    return {
        "metastore_info": update(
            state, request, request["metastore_id"], request.body.get("metastore_info", {})
        )
    }


@serves(catalog.AccountMetastoresAPI.delete, "account/accountmetastores/delete")
def delete_for_account(state: State, request: Request) -> None:
    """Delete one of the account's."""
    delete(state, request, request["metastore_id"])


@serves(catalog.MetastoresAPI.create, "workspace/metastores/create")
def create_for_workspace(state: State, request: Request) -> Json:
    """Make one, without assigning it."""
    return create(state, request, request.body)


@serves(catalog.MetastoresAPI.list, "workspace/metastores/list")
def list_for_workspace(state: State, request: Request) -> Json:
    """Return a page of the account's, for its administrators."""
    check_account_administrator(state, request)
    return page_of(state, request, list(state.unity[METASTORE].values()), "metastores")


@serves(catalog.MetastoresAPI.get, "workspace/metastores/get")
def get_for_workspace(state: State, request: Request) -> Json:
    """Return one."""
    return metastore_by_id(state, request["id"])


@serves(catalog.MetastoresAPI.update, "workspace/metastores/update")
def update_for_workspace(state: State, request: Request) -> Json:
    """Update one."""
    return update(state, request, request["id"], request.body)


@serves(catalog.MetastoresAPI.delete, "workspace/metastores/delete")
def delete_for_workspace(state: State, request: Request) -> None:
    """Delete one."""
    delete(state, request, request["id"])


@serves(catalog.MetastoresAPI.current, "workspace/metastores/current")
def current(state: State, request: Request) -> Json:
    """Return the workspace's assignment."""
    metastore(state)
    return state.metastore_of[state.settings.workspace_id]


@serves(catalog.MetastoresAPI.summary, "workspace/metastores/summary")
def summary(state: State, request: Request) -> Json:
    """Return the workspace's metastore."""
    return metastore(state)


def assign(
    state: State, request: Request, workspace: int, identity: str, default_catalog: str
) -> None:
    """Assign a metastore to a workspace of its region."""
    check_account_administrator(state, request)
    if workspace not in state.workspaces:
        raise absent(f"Workspace {workspace} does not exist.")
    if metastore_by_id(state, identity)["region"] != state.workspaces[workspace]["location"]:
        raise Refusal(
            400, "INVALID_STATE", "The metastore and the workspace are in different regions."
        )
    state.metastore_of[workspace] = {
        "workspace_id": workspace,
        "metastore_id": identity,
        "default_catalog_name": default_catalog,
    }


@serves(catalog.MetastoresAPI.assign, "workspace/metastores/assign")
def assign_by_workspace(state: State, request: Request) -> None:
    """Assign a metastore."""
    assign(
        state,
        request,
        int(request["workspace_id"]),
        request["metastore_id"],
        request["default_catalog_name"] or "",
    )


@serves(catalog.MetastoresAPI.update_assignment, "workspace/metastores/updateassignment")
def update_assignment(state: State, request: Request) -> None:
    """Change the metastore or the default catalog."""
    there = state.metastore_of.get(int(request["workspace_id"]), {})
    assign(
        state,
        request,
        int(request["workspace_id"]),
        request.body.get("metastore_id") or there.get("metastore_id", ""),
        request.body.get("default_catalog_name") or there.get("default_catalog_name", ""),
    )


@serves(catalog.MetastoresAPI.unassign, "workspace/metastores/unassign")
@serves(catalog.AccountMetastoreAssignmentsAPI.delete, "account/accountmetastoreassignments/delete")
def unassign(state: State, request: Request) -> None:
    """Take the assignment back."""
    check_account_administrator(state, request)
    state.metastore_of.pop(int(request["workspace_id"]), None)


@serves(catalog.AccountMetastoreAssignmentsAPI.create, "account/accountmetastoreassignments/create")
@serves(catalog.AccountMetastoreAssignmentsAPI.update, "account/accountmetastoreassignments/update")
def assign_by_account(state: State, request: Request) -> None:
    """Assign a metastore to a workspace of the account."""
    assign(
        state,
        request,
        int(request["workspace_id"]),
        request.variables["metastore_id"],
        request.body.get("metastore_assignment", {}).get("default_catalog_name", ""),
    )


@serves(catalog.AccountMetastoreAssignmentsAPI.get, "account/accountmetastoreassignments/get")
def assignment(state: State, request: Request) -> Json:
    """Return a workspace's assignment."""
    found = state.metastore_of.get(int(request["workspace_id"]))
    if not found:
        raise absent(f"No metastore assigned for workspace {request['workspace_id']}.", "METASTORE")
    return {"metastore_assignment": found}


@serves(catalog.AccountMetastoreAssignmentsAPI.list, "account/accountmetastoreassignments/list")
def assigned_workspaces(state: State, request: Request) -> Json:
    """Return the ids of the workspaces that a metastore is assigned to."""
    return {
        "workspace_ids": [
            workspace
            for workspace, item in state.metastore_of.items()
            if item["metastore_id"] == request["metastore_id"]
        ]
    }


@serves(provisioning.WorkspacesAPI.list, "account/workspaces/list")
def list_workspaces(state: State, request: Request) -> list[Json]:
    """Return the account's workspaces."""
    check_account_administrator(state, request)
    return list(state.workspaces.values())


@serves(provisioning.WorkspacesAPI.get, "account/workspaces/get")
def get_workspace(state: State, request: Request) -> Json:
    """Return one of the account's workspaces."""
    found = state.workspaces.get(int(request["workspace_id"]))
    if not found:
        raise absent(f"Workspace {request['workspace_id']} does not exist.")
    return found
