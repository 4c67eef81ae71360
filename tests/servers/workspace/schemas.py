"""Schemas (reference page *Schemas*)."""

from __future__ import annotations

from databricks.sdk.service import catalog

from .routes import Request, page_of, serves
from .securables import add, change, check_empty, find, need, remove, visible
from .state import Json, State, new_uuid
from .storage import location_of, url_of


def create(state: State, caller: str, catalog_name: str, name: str, said: Json) -> Json:
    """Make a schema in a catalog that is there."""
    parent = find(state, "catalog", catalog_name)
    need(state, caller, "catalog", catalog_name, "USE_CATALOG")
    need(state, caller, "catalog", catalog_name, "CREATE_SCHEMA")
    root = url_of(said["storage_root"]) if said.get("storage_root") else None
    if root:
        location_of(state, caller, root, "CREATE_MANAGED_STORAGE")
    return add(
        state,
        "schema",
        f"{parent['name']}.{name}",
        caller,
        catalog_name=parent["name"],
        comment=said.get("comment"),
        properties=said.get("properties"),
        storage_root=root,
        catalog_type="MANAGED_CATALOG",
        schema_id=new_uuid(),
        enable_predictive_optimization="INHERIT",
        custom_max_retention_hours=said.get("custom_max_retention_hours"),
    )


@serves(catalog.SchemasAPI.create, "workspace/schemas/create")
def create_schema(state: State, request: Request) -> Json:
    """Make one."""
    return create(state, request.caller, request["catalog_name"], request["name"], request.body)


@serves(catalog.SchemasAPI.list, "workspace/schemas/list")
def list_schemas(state: State, request: Request) -> Json:
    """Return a page of a catalog's schemas."""
    name = find(state, "catalog", request["catalog_name"])["name"]
    return page_of(
        state,
        request,
        [
            item
            for _, item in visible(state, request.caller, "schema")
            if item["catalog_name"] == name
        ],
        "schemas",
    )


@serves(catalog.SchemasAPI.get, "workspace/schemas/get")
def get_schema(state: State, request: Request) -> Json:
    """Return one."""
    found = find(state, "schema", request["full_name"])
    need(state, request.caller, "schema", request["full_name"], "USE_SCHEMA", "BROWSE")
    return found


@serves(catalog.SchemasAPI.update, "workspace/schemas/update")
def update_schema(state: State, request: Request) -> Json:
    """Update one."""
    return change(state, "schema", request["full_name"], request.caller, request.body)


@serves(catalog.SchemasAPI.delete, "workspace/schemas/delete")
def delete_schema(state: State, request: Request) -> None:
    """Delete an empty one, or by force one that is not."""
    find(state, "schema", request["full_name"])
    if not request["force"]:
        check_empty(state, "schema", request["full_name"])
    remove(state, "schema", request["full_name"], request.caller)
