"""What SCIM says of values.

Filters, and the operations of PATCH (RFC 7644, sections 3.4.2.2 and 3.5.2).
"""

from __future__ import annotations

import re
from typing import Any

from .refusals import Refusal
from .state import Json, State


def refused(status: int, message: str, kind: str = "") -> Refusal:
    """Return a refusal in SCIM's form."""
    return Refusal(status, kind, message, is_scim=True)


def value_at(resource: Json, attribute: str) -> Any:
    """Return an attribute's value.

    Names of attributes are not case sensitive (RFC 7643, section 2.1).
    """
    return next(
        (value for key, value in resource.items() if key.lower() == attribute.lower()), None
    )


def holds(resource: Json, text: str) -> bool:
    """A resource passes a filter of comparisons joined by `and` or `or` (RFC 7644, section
    3.4.2.2).
    """
    for part in re.split(r"\s+or\s+", text, flags=re.IGNORECASE):
        terms = [
            re.fullmatch(r"([\w.$]+)\s+(eq|ne|co|sw)\s+\"?([^\"]*)\"?", term.strip(), re.IGNORECASE)
            for term in re.split(r"\s+and\s+", part, flags=re.IGNORECASE)
        ]
        if any(term is None for term in terms):
            raise refused(400, f"Invalid filter: {text}", "invalidFilter")
        if all(
            compares(str(value_at(resource, term[1]) or ""), term[2].lower(), term[3])
            for term in terms
            if term
        ):
            return True
    return False


def compares(value: str, operator: str, wanted: str) -> bool:
    """A comparison holds; names are not case sensitive."""
    value, wanted = value.lower(), wanted.lower()
    return {
        "eq": value == wanted,
        "ne": value != wanted,
        "co": wanted in value,
        "sw": value.startswith(wanted),
    }[operator]


def check_members(state: State, members: list[Json]) -> None:
    """Refuse members that are not there."""
    for member in members:
        if member.get("value") not in state.principals:
            raise refused(
                404, f"Principal with id {member.get('value')} not found.", "invalidValue"
            )


def set_at(state: State, resource: Json, name: str, value: Any, adds: bool) -> None:
    """Set an attribute, or add to a list what it lacks."""
    if not re.fullmatch(r"\w+", name):
        raise refused(400, f"Invalid path: {name}", "invalidPath")
    if name == "members":
        check_members(state, value if isinstance(value, list) else [value])
    if name in ("members", "roles", "entitlements", "emails"):
        items = [{"value": one["value"]} for one in (value if isinstance(value, list) else [value])]
        there = resource.get(name, []) if adds else []
        resource[name] = there + [one for one in items if one not in there]
    else:
        resource[name] = value


def remove_at(resource: Json, path: str, value: Any) -> None:
    """Remove an attribute, or the element of a list that `name[value eq "x"]` or the operation's
    value names.
    """
    selected = re.fullmatch(r"(\w+)\[value eq \"?([^\"\]]*)\"?\]", path)
    if not selected and not re.fullmatch(r"\w+", path):
        raise refused(400, f"Invalid path: {path!r}", "noTarget")
    name = selected[1] if selected else path
    gone = {selected[2]} if selected else {one["value"] for one in value or []}
    if gone:
        resource[name] = [one for one in resource.get(name, []) if one["value"] not in gone]
    else:
        resource.pop(name, None)
