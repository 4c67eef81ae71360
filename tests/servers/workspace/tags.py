"""Tags on catalogs, schemas, tables, columns and volumes (reference page *Entity Tag
Assignments*).
"""

from __future__ import annotations

from databricks.sdk.service import catalog

from .refusals import Refusal, absent, invalid
from .routes import Request, page_of, serves
from .securables import find, need
from .state import Json, State

KIND = {
    "catalogs": "catalog",
    "schemas": "schema",
    "tables": "table",
    "volumes": "volume",
    "columns": "table",
}


def entity(state: State, kind: str, name: str) -> tuple[str, str]:
    """Return the key of what is tagged; raises a Refusal where it is not there."""
    if kind not in KIND:
        raise invalid(f"Entity type {kind} is not one of {', '.join(KIND)}")
    table, _, column = name.lower().rpartition(".") if kind == "columns" else (name.lower(), "", "")
    found = find(state, KIND[kind], table)
    if column and column not in [item["name"].lower() for item in found["columns"]]:
        raise absent(f"Column '{name}' does not exist.", "COLUMN")
    return kind, name.lower()


def set_tag(state: State, caller: str, key: tuple[str, str], name: str, value: str) -> None:
    """Set a tag within the limits (Databricks, *Apply tags*).

    50 an object, names of 255 characters without .,-=/:, values of 1000.
    """
    kind, of = key
    table = of.rpartition(".")[0] if kind == "columns" else of
    need(state, caller, KIND[kind], table, "APPLY_TAG", "MANAGE")
    if (
        not name
        or len(name) > 255
        or any(letter in ".,-=/:" or ord(letter) < 32 for letter in name)
        or name != name.strip()
    ):
        raise invalid(f"Invalid tag key '{name}'")
    if len(value) > 1000:
        raise invalid(f"The value of tag '{name}' is longer than 1000 characters")
    if name not in state.tags[key] and len(state.tags[key]) >= 50:
        raise Refusal(400, "RESOURCE_LIMIT_EXCEEDED", f"The limit of 50 tags on {of} is reached")
    state.tags[key][name] = value


def shown(key: tuple[str, str], name: str, value: str) -> Json:
    """Return a tag as the service shows it."""
    return {"entity_type": key[0], "entity_name": key[1], "tag_key": name, "tag_value": value}


@serves(catalog.EntityTagAssignmentsAPI.create, "workspace/entitytagassignments/create")
def create_tag(state: State, request: Request) -> Json:
    """Set a tag that is not set."""
    key = entity(state, request["entity_type"], request["entity_name"])
    if request["tag_key"] in state.tags[key]:
        raise Refusal(
            409, "ALREADY_EXISTS", f"Tag '{request['tag_key']}' is already assigned to {key[1]}"
        )
    set_tag(state, request.caller, key, request["tag_key"], request["tag_value"] or "")
    return shown(key, request["tag_key"], request["tag_value"] or "")


@serves(catalog.EntityTagAssignmentsAPI.list, "workspace/entitytagassignments/list")
def list_tags(state: State, request: Request) -> Json:
    """Return a page of an object's tags."""
    key = entity(state, request["entity_type"], request["entity_name"])
    return page_of(
        state,
        request,
        [shown(key, name, value) for name, value in sorted(state.tags[key].items())],
        "tag_assignments",
    )


def there(state: State, request: Request) -> tuple[str, str]:
    """Return the key of the object that has the tag of a path."""
    key = entity(state, request["entity_type"], request["entity_name"])
    if request["tag_key"] not in state.tags[key]:
        raise absent(f"Tag '{request['tag_key']}' is not assigned to {key[1]}")
    return key


@serves(catalog.EntityTagAssignmentsAPI.get, "workspace/entitytagassignments/get")
def get_tag(state: State, request: Request) -> Json:
    """Return one."""
    key = there(state, request)
    return shown(key, request["tag_key"], state.tags[key][request["tag_key"]])


@serves(catalog.EntityTagAssignmentsAPI.update, "workspace/entitytagassignments/update")
def update_tag(state: State, request: Request) -> Json:
    """Change the value."""
    key = there(state, request)
    if request["update_mask"] not in ("tag_value", "*"):
        raise invalid("update_mask must be tag_value")
    set_tag(state, request.caller, key, request["tag_key"], request["tag_value"] or "")
    return shown(key, request["tag_key"], request["tag_value"] or "")


@serves(catalog.EntityTagAssignmentsAPI.delete, "workspace/entitytagassignments/delete")
def delete_tag(state: State, request: Request) -> None:
    """Take a tag off."""
    key = there(state, request)
    need(
        state,
        request.caller,
        KIND[key[0]],
        key[1].rpartition(".")[0] if key[0] == "columns" else key[1],
        "APPLY_TAG",
        "MANAGE",
    )
    del state.tags[key][request["tag_key"]]
