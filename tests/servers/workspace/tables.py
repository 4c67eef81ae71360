"""Tables and functions, which SQL makes (reference pages *Tables*, *Functions*)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from databricks.sdk.service import catalog

from .routes import Request, page_of, serves
from .securables import change, find, need, remove, visible
from .state import Json, State


def in_schema(state: State, request: Request, kind: str) -> list[Json]:
    """Return what of a kind a schema has."""
    schema = find(state, "schema", f"{request['catalog_name']}.{request['schema_name']}")[
        "full_name"
    ]
    return [
        item for name, item in visible(state, request.caller, kind) if name.startswith(schema + ".")
    ]


@serves(catalog.TablesAPI.list, "workspace/tables/list")
def list_tables(state: State, request: Request) -> Json:
    """Return a page of a schema's tables, without columns and properties where they are not asked
    for; constraints are in `get` only.
    """
    left_out = {
        "table_constraints",
        *(key for key in ("columns", "properties") if request[f"omit_{key}"]),
    }
    return page_of(
        state,
        request,
        [
            {key: value for key, value in item.items() if key not in left_out}
            for item in in_schema(state, request, "table")
        ],
        "tables",
    )


@serves(catalog.TablesAPI.list_summaries, "workspace/tables/listsummaries")
def list_summaries(state: State, request: Request) -> Json:
    """Return a page of the names of a catalog's tables, by patterns in which % stands for
    anything.
    """
    name = find(state, "catalog", request["catalog_name"])["name"]
    patterns = [
        (request[key] or "%").replace("%", "*").lower()
        for key in ("schema_name_pattern", "table_name_pattern")
    ]
    items = [
        {"full_name": item["full_name"], "table_type": item["table_type"]}
        for _, item in visible(state, request.caller, "table")
        if item["catalog_name"] == name
        and fnmatchcase(item["schema_name"], patterns[0])
        and fnmatchcase(item["name"], patterns[1])
    ]
    return page_of(state, request, items, "tables")


@serves(catalog.TablesAPI.get, "workspace/tables/get")
def get_table(state: State, request: Request) -> Json:
    """Return one."""
    found = find(state, "table", request["full_name"])
    need(state, request.caller, "table", request["full_name"], "SELECT", "MODIFY", "BROWSE")
    return found


@serves(catalog.TablesAPI.exists, "workspace/tables/exists")
def table_exists(state: State, request: Request) -> Json:
    """Return whether one is there; its catalog and schema must be."""
    parts = request["full_name"].split(".")
    find(state, "catalog", parts[0])
    find(state, "schema", ".".join(parts[:2]))
    return {"table_exists": request["full_name"].lower() in state.unity["table"]}


@serves(catalog.TablesAPI.update, "workspace/tables/update")
def update_table(state: State, request: Request) -> Json:
    """Change the owner."""
    return change(state, "table", request["full_name"], request.caller, request.body)


@serves(catalog.TablesAPI.delete, "workspace/tables/delete")
def delete_table(state: State, request: Request) -> None:
    """Delete one."""
    remove(state, "table", request["full_name"], request.caller)


@serves(catalog.FunctionsAPI.list, "workspace/functions/list")
def list_functions(state: State, request: Request) -> Json:
    """Return a page of a schema's functions."""
    return page_of(state, request, in_schema(state, request, "function"), "functions")


@serves(catalog.FunctionsAPI.get, "workspace/functions/get")
def get_function(state: State, request: Request) -> Json:
    """Return one."""
    found = find(state, "function", request["name"])
    need(state, request.caller, "function", request["name"], "EXECUTE", "BROWSE")
    return found


@serves(catalog.FunctionsAPI.delete, "workspace/functions/delete")
def delete_function(state: State, request: Request) -> None:
    """Delete one."""
    remove(state, "function", request["name"], request.caller)
