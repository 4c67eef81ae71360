"""Catalogs, and the workspaces that they are bound to (reference pages *Catalogs*, *Workspace
Bindings*).
"""

from __future__ import annotations

from databricks.sdk.service import catalog

from .refusals import Refusal, invalid
from .routes import Request, page_of, serves
from .securables import add, change, check_empty, find, metastore, need, remove, visible
from .state import Json, State, new_uuid
from .storage import location_of, need_on_metastore, url_of


def create(state: State, caller: str, name: str, said: Json) -> Json:
    """Make a catalog with the schemas that every one has.

    Default and information_schema (Databricks, *Create catalogs*).
    """
    need_on_metastore(state, caller, "CREATE_CATALOG")
    root = said.get("storage_root") or metastore(state).get("storage_root")
    if not root:
        raise Refusal(
            400,
            "INVALID_STATE",
            "Metastore storage root URL does not exist. Please provide a storage location "
            "for the catalog (for example 'CREATE CATALOG myCatalog MANAGED LOCATION "
            "'<location-path>').",
        )
    if said.get("storage_root"):
        root = url_of(root)
        location_of(state, caller, root, "CREATE_MANAGED_STORAGE")
    made = add(
        state,
        "catalog",
        name,
        caller,
        comment=said.get("comment"),
        properties=said.get("properties"),
        options=said.get("options"),
        catalog_type="MANAGED_CATALOG",
        isolation_mode="OPEN",
        storage_root=root,
        storage_location=f"{root}/__unitystorage/catalogs/{new_uuid()}",
        securable_type="CATALOG",
        enable_predictive_optimization="INHERIT",
        custom_max_retention_hours=said.get("custom_max_retention_hours"),
    )
    for schema, owner, comment in (
        ("default", caller, "Default schema (auto-created)"),
        ("information_schema", "System user", "Information schema (auto-created)"),
    ):
        inside = add(
            state,
            "schema",
            f"{made['name']}.{schema}",
            caller,
            catalog_name=made["name"],
            comment=comment,
            catalog_type="MANAGED_CATALOG",
            schema_id=new_uuid(),
        )
        inside["owner"] = owner
    return made


@serves(catalog.CatalogsAPI.create, "workspace/catalogs/create")
def create_catalog(state: State, request: Request) -> Json:
    """Make one."""
    return create(state, request.caller, request["name"], request.body)


@serves(catalog.CatalogsAPI.list, "workspace/catalogs/list")
def list_catalogs(state: State, request: Request) -> Json:
    """Return a page of the catalogs."""
    metastore(state)
    return page_of(
        state, request, [item for _, item in visible(state, request.caller, "catalog")], "catalogs"
    )


@serves(catalog.CatalogsAPI.get, "workspace/catalogs/get")
def get_catalog(state: State, request: Request) -> Json:
    """Return one."""
    found = find(state, "catalog", request["name"])
    need(state, request.caller, "catalog", request["name"], "USE_CATALOG", "BROWSE")
    return found


@serves(catalog.CatalogsAPI.update, "workspace/catalogs/update")
def update_catalog(state: State, request: Request) -> Json:
    """Update one."""
    return change(state, "catalog", request["name"], request.caller, request.body)


@serves(catalog.CatalogsAPI.delete, "workspace/catalogs/delete")
def delete_catalog(state: State, request: Request) -> None:
    """Delete an empty one, or by force one that is not."""
    find(state, "catalog", request["name"])
    if not request["force"]:
        check_empty(state, "catalog", request["name"])
    remove(state, "catalog", request["name"], request.caller)


BOUND = {
    "catalog": "catalog",
    "catalogs": "catalog",
    "external_location": "external_location",
    "storage_credential": "storage_credential",
    "credential": "storage_credential",
}


def bound(state: State, request: Request) -> tuple[str, str]:
    """Return the kind and name of what is bound to workspaces."""
    kind = BOUND.get(request["securable_type"].lower())
    if not kind:
        raise invalid(f"{request['securable_type']} is not bound to workspaces")
    return kind, find(state, kind, request["securable_name"])["name"]


@serves(catalog.WorkspaceBindingsAPI.get_bindings, "workspace/workspacebindings/getbindings")
def get_bindings(state: State, request: Request) -> Json:
    """Return a page of the bindings."""
    return page_of(state, request, state.bindings[bound(state, request)], "bindings")


@serves(catalog.WorkspaceBindingsAPI.update_bindings, "workspace/workspacebindings/updatebindings")
def update_bindings(state: State, request: Request) -> Json:
    """Add and remove bindings to workspaces of the account."""
    key = bound(state, request)
    need(state, request.caller, *key, "MANAGE")
    there = {item["workspace_id"]: item for item in state.bindings[key]}
    for item in request.body.get("remove", []):
        there.pop(int(item["workspace_id"]), None)
    for item in request.body.get("add", []):
        if int(item["workspace_id"]) not in state.workspaces:
            raise invalid(f"Workspace {item['workspace_id']} is not in the account")
        there[int(item["workspace_id"])] = {
            "workspace_id": int(item["workspace_id"]),
            "binding_type": item.get("binding_type", "BINDING_TYPE_READ_WRITE"),
        }
    state.bindings[key] = list(there.values())
    return {"bindings": state.bindings[key]}
