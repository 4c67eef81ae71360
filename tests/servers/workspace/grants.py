"""Grants: what is granted on an object, and what holds there by inheritance (reference page
*Grants*).
"""

from __future__ import annotations

from databricks.sdk.service import catalog

from .identities import known_principal
from .refusals import invalid
from .routes import Request, page_of, serves
from .securables import PRIVILEGES, find, metastore, need, parents
from .state import METASTORE, Json, State


def securable(state: State, request: Request) -> tuple[str, str]:
    """Return the kind and key of what a path names."""
    kind = request["securable_type"].lower()
    if kind not in PRIVILEGES:
        raise invalid(f"SECURABLE_TYPE {request['securable_type']} is not supported")
    find(state, kind, request["full_name"])
    return kind, request["full_name"] if kind == METASTORE else request["full_name"].lower()


def change_grants(state: State, caller: str, kind: str, key: str, changes: list[Json]) -> None:
    """Add and remove privileges; all is checked before anything changes."""
    need(state, caller, kind, key, "MANAGE")
    checked = []
    for item in changes:
        added, removed = item.get("add", []), item.get("remove", [])
        for privilege in (*added, *removed):
            if privilege not in PRIVILEGES[kind]:
                raise invalid(
                    f"Privilege {privilege} is not applicable to this entity "
                    f"[{kind.upper()}: {key}]. If this seems wrong, please check the "
                    "privilege model version of the metastore "
                    f"[{metastore(state)['privilege_model_version']}]."
                )
        if set(added) & set(removed):
            raise invalid("Duplicate privileges to add and delete.")
        checked.append(
            (known_principal(state, item.get("principal") or ""), set(added), set(removed))
        )
    for principal, added, removed in checked:
        held = state.grants[kind, key].setdefault(principal, set())
        held -= removed
        held |= added
        if not held:
            del state.grants[kind, key][principal]


def assignments(state: State, kind: str, key: str) -> list[Json]:
    """Return what is granted on an object itself."""
    return [
        {"principal": principal, "privileges": sorted(held)}
        for principal, held in sorted(state.grants.get((kind, key), {}).items())
    ]


@serves(catalog.GrantsAPI.get, "workspace/grants/get")
def get_grants(state: State, request: Request) -> Json:
    """Return what is granted on an object, to all or to one principal.

    In pages where `max_results` is given.
    """
    items = [
        item
        for item in assignments(state, *securable(state, request))
        if not request["principal"] or item["principal"] == request["principal"]
    ]
    return (
        {"privilege_assignments": items}
        if request["max_results"] is None
        else page_of(state, request, items, "privilege_assignments")
    )


@serves(catalog.GrantsAPI.list, "workspace/grants/list")
def list_grants(state: State, request: Request) -> Json:
    """Return a page of what is granted on an object."""
    items = [
        item
        for item in assignments(state, *securable(state, request))
        if not request["principal"] or item["principal"] == request["principal"]
    ]
    return page_of(state, request, items, "privilege_assignments", "page_size")


@serves(catalog.GrantsAPI.update, "workspace/grants/update")
def update_grants(state: State, request: Request) -> Json:
    """Grant and revoke."""
    kind, key = securable(state, request)
    change_grants(state, request.caller, kind, key, request.body.get("changes", []))
    return (
        {}
        if request.body.get("omit_permissions_in_response")
        else {"privilege_assignments": assignments(state, kind, key)}
    )


def effective(state: State, request: Request) -> list[Json]:
    """Return what holds on an object.

    Its own grants and those of the schema and the catalog that it is in.
    """
    kind, key = securable(state, request)
    found: dict[str, list[Json]] = {}
    for item, name in [(kind, key), *parents(kind, key)]:
        for assignment in assignments(state, item, name):
            inherited = (
                {"inherited_from_type": item.upper(), "inherited_from_name": name}
                if (item, name) != (kind, key)
                else {}
            )
            found.setdefault(assignment["principal"], []).extend(
                {"privilege": privilege, **inherited} for privilege in assignment["privileges"]
            )
    return [
        {"principal": principal, "privileges": held}
        for principal, held in sorted(found.items())
        if not request["principal"] or principal == request["principal"]
    ]


@serves(catalog.GrantsAPI.get_effective, "workspace/grants/geteffective")
def get_effective_grants(state: State, request: Request) -> Json:
    """Return what holds on an object; in pages where `max_results` is given."""
    items = effective(state, request)
    return (
        {"privilege_assignments": items}
        if request["max_results"] is None
        else page_of(state, request, items, "privilege_assignments")
    )


@serves(catalog.GrantsAPI.list_effective, "workspace/grants/listeffective")
def list_effective_grants(state: State, request: Request) -> Json:
    """Return a page of what holds on an object."""
    return page_of(
        state, request, effective(state, request), "effective_privilege_assignments", "page_size"
    )
