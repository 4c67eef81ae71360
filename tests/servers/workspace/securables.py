"""Securable objects of Unity Catalog.

Found by kind and full name, made, renamed and deleted with what belongs to them, and who may do
what with them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from .identities import administers_metastore, identities, known_principal
from .refusals import Refusal, absent, denied, exists, invalid
from .state import KINDS, METASTORE, Json, State, now

T = TypeVar("T")
IN_SCHEMA = (
    "CREATE_FUNCTION",
    "CREATE_MATERIALIZED_VIEW",
    "CREATE_MODEL",
    "CREATE_TABLE",
    "CREATE_VOLUME",
    "EXECUTE",
    "EXTERNAL_USE_SCHEMA",
    "MODIFY",
    "READ_VOLUME",
    "REFRESH",
    "SELECT",
    "USE_SCHEMA",
    "WRITE_VOLUME",
)
# Databricks, *Unity Catalog privileges reference*: what privileges apply to each securable object.
PRIVILEGES: dict[str, frozenset[str]] = {
    METASTORE: frozenset(
        {
            "CREATE_CATALOG",
            "CREATE_CLEAN_ROOM",
            "CREATE_CONNECTION",
            "CREATE_EXTERNAL_LOCATION",
            "CREATE_PROVIDER",
            "CREATE_RECIPIENT",
            "CREATE_SERVICE_CREDENTIAL",
            "CREATE_SHARE",
            "CREATE_STORAGE_CREDENTIAL",
            "MANAGE_ALLOWLIST",
            "SET_SHARE_PERMISSION",
            "USE_MARKETPLACE_ASSETS",
            "USE_PROVIDER",
            "USE_RECIPIENT",
            "USE_SHARE",
        }
    ),
    "catalog": frozenset(
        {
            "ALL_PRIVILEGES",
            "APPLY_TAG",
            "BROWSE",
            "CREATE_SCHEMA",
            "MANAGE",
            "USE_CATALOG",
            *IN_SCHEMA,
        }
    ),
    "schema": frozenset({"ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", *IN_SCHEMA}),
    "table": frozenset({"ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", "MODIFY", "SELECT"}),
    "volume": frozenset({"ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", "READ_VOLUME", "WRITE_VOLUME"}),
    "function": frozenset({"ALL_PRIVILEGES", "EXECUTE", "MANAGE"}),
    "external_location": frozenset(
        {
            "ALL_PRIVILEGES",
            "BROWSE",
            "CREATE_EXTERNAL_TABLE",
            "CREATE_EXTERNAL_VOLUME",
            "CREATE_FOREIGN_SECURABLE",
            "CREATE_MANAGED_STORAGE",
            "EXTERNAL_USE_LOCATION",
            "MANAGE",
            "READ_FILES",
            "WRITE_FILES",
        }
    ),
    "storage_credential": frozenset(
        {
            "ALL_PRIVILEGES",
            "CREATE_EXTERNAL_LOCATION",
            "CREATE_EXTERNAL_TABLE",
            "MANAGE",
            "READ_FILES",
            "WRITE_FILES",
        }
    ),
}


def metastore(state: State) -> Json:
    """Return the workspace's metastore; raises a Refusal where Unity Catalog is not enabled."""
    assigned = state.metastore_of.get(state.settings.workspace_id)
    if not assigned:
        raise absent("No metastore assigned for the current workspace.", "METASTORE")
    return state.unity[METASTORE][assigned["metastore_id"]]


def words(kind: str) -> str:
    """Return a kind as the service's sentences have it: External Location."""
    return " ".join(part.capitalize() for part in kind.split("_"))


def find(state: State, kind: str, name: str) -> Json:
    """Return an object by its full name, which is not case sensitive; the metastore by its id."""
    metastore(state)
    found = state.unity[kind].get(name if kind == METASTORE else name.lower())
    if found is None:
        raise absent(f"{words(kind)} '{name}' does not exist.", kind.upper())
    return found


def parents(kind: str, name: str) -> list[tuple[str, str]]:
    """Return the catalog and the schema that an object is in, nearest first."""
    parts = name.lower().split(".")
    if kind in ("table", "volume", "function"):
        return [("schema", ".".join(parts[:2])), ("catalog", parts[0])]
    return [("catalog", parts[0])] if kind == "schema" else []


def children(state: State, kind: str, name: str) -> dict[str, list[str]]:
    """Return the full names of what is in a catalog or schema, by kind.

    What every catalog has of itself is left out.
    """
    inside = {
        "catalog": ("schema", "table", "volume", "function"),
        "schema": ("table", "volume", "function"),
    }.get(kind, ())
    return {
        item: [
            key
            for key in state.unity[item]
            if key.startswith(name + ".") and ".information_schema" not in key
        ]
        for item in inside
    }


def add(state: State, kind: str, name: str, caller: str, **said: Any) -> Json:
    """Add an object, with what the service notes of each, and return it.

    Names are kept in lower case.
    """
    store = metastore(state)
    full_name = name.lower()
    check_name(full_name.split(".")[-1])
    if full_name in state.unity[kind]:
        raise exists(f"{words(kind)} '{full_name}' already exists", kind.upper())
    moment = now()
    made = {
        "name": full_name.split(".")[-1],
        "full_name": full_name,
        "owner": caller,
        "metastore_id": store["metastore_id"],
        "created_at": moment,
        "created_by": caller,
        "updated_at": moment,
        "updated_by": caller,
        **{key: value for key, value in said.items() if value is not None},
    }
    if kind == "external_location":
        del made["full_name"]
    state.unity[kind][full_name] = made
    return made


def check_name(name: str) -> None:
    """Refuse a name that Unity Catalog refuses (Databricks, *Names*).

    At most 255 characters, none of them a period, space, slash or control character.
    """
    if (
        not name
        or len(name) > 255
        or any(letter in " ./" or ord(letter) < 32 or ord(letter) == 127 for letter in name)
    ):
        raise invalid(f"Invalid input: '{name}' is not a valid name.")


def change(
    state: State,
    kind: str,
    name: str,
    caller: str,
    said: Json,
    kept: tuple[str, ...] = ("force", "skip_validation"),
) -> Json:
    """Update an object by what is said of it, and return it.

    A new owner must be known, and a new name free.
    """
    found = find(state, kind, name)
    need(state, caller, kind, name, "MANAGE")
    if said.get("owner"):
        said = {**said, "owner": known_principal(state, said["owner"])}
    new_name = said.get("new_name")
    found.update(
        {
            key: value
            for key, value in said.items()
            if key not in ("new_name", "name", *kept) and value is not None
        },
        updated_at=now(),
        updated_by=caller,
    )
    return (
        rename(state, kind, name.lower(), new_name.lower())
        if new_name and new_name.lower() != found["name"]
        else found
    )


def rename(state: State, kind: str, old: str, new: str) -> Json:
    """Give an object another last name, and those in it another first part."""
    check_name(new)
    whole = ".".join([*old.split(".")[:-1], new])
    if whole in state.unity[kind]:
        raise exists(f"{words(kind)} '{whole}' already exists", kind.upper())
    for item in (kind, *(part for part in KINDS if kind in ("catalog", "schema") and part != kind)):
        objects = state.unity[item]
        for key in [
            key
            for key in objects
            if (key == old and item == kind)
            or (key.startswith(old + ".") and kind in ("catalog", "schema"))
        ]:
            place, one = whole + key[len(old) :], objects.pop(key)
            parts = place.split(".")
            one.update(
                name=parts[-1],
                **({"full_name": place} if "full_name" in one else {}),
                **({"catalog_name": parts[0]} if "catalog_name" in one else {}),
                **({"schema_name": parts[1]} if "schema_name" in one else {}),
            )
            objects[place] = one
            move(state.grants, key, place)
            move(state.tags, key, place)
    return state.unity[kind][whole]


def move(notes: dict[tuple[str, str], T], old: str, new: str) -> None:
    """Give what is noted of an object, and of what is in it, the object's new name."""
    for note in [note for note in notes if note[1] == old or note[1].startswith(old + ".")]:
        notes[note[0], new + note[1][len(old) :]] = notes.pop(note)


def remove(state: State, kind: str, name: str, caller: str) -> None:
    """Delete an object with its grants, tags, rows and all that is in it."""
    find(state, kind, name)
    need(state, caller, kind, name, "MANAGE")
    name = name.lower()
    inside = (
        {
            item: [key for key in objects if key.startswith(name + ".")]
            for item, objects in state.unity.items()
        }
        if kind in ("catalog", "schema")
        else {}
    )
    for item, key in [
        (kind, name),
        *((item, key) for item, keys in inside.items() for key in keys),
    ]:
        del state.unity[item][key]
        state.grants.pop((item, key), None)
        state.rows.pop(key, None)
    for tagged in [
        tagged for tagged in state.tags if tagged[1] == name or tagged[1].startswith(name + ".")
    ]:
        del state.tags[tagged]
    for path in [
        path
        for path in state.volume_files
        if path.startswith("/Volumes/" + name.replace(".", "/") + "/")
    ]:
        del state.volume_files[path]


def check_empty(state: State, kind: str, name: str) -> None:
    """Refuse a catalog or schema that has something in it.

    A catalog's `default` schema is something.
    """
    inside = {item: len(keys) for item, keys in children(state, kind, name.lower()).items()}
    if any(inside.values()):
        counts = ", ".join(f"{number} {item}s(s)" for item, number in inside.items())
        raise Refusal(
            400,
            f"{kind.upper()}_NOT_EMPTY",
            f"{words(kind)} '{name}' is not empty. The {kind} has {counts}",
        )


def holds(state: State, who: set[str], kind: str, name: str, *privileges: str) -> bool:
    """One of these owns the object or one that it is in, or is granted one of the privileges there.

    The metastore's are not inherited (*Privilege inheritance*).
    """
    for item, key in [(kind, name if kind == METASTORE else name.lower()), *parents(kind, name)]:
        found = state.unity[item].get(key, {})
        granted = set().union(
            *(
                given
                for principal, given in state.grants.get((item, key), {}).items()
                if principal in who
            )
        )
        if (
            found.get("owner") in who
            or granted & {*privileges, "MANAGE"}
            or (
                "ALL_PRIVILEGES" in granted
                and set(privileges) - {"MANAGE", "EXTERNAL_USE_SCHEMA", "EXTERNAL_USE_LOCATION"}
            )
        ):
            return True
    return False


def has(state: State, caller: str, kind: str, name: str, *privileges: str) -> bool:
    """The caller, or a group that it is in, holds one of the privileges, or administers the
    metastore.
    """
    return administers_metastore(state, caller) or holds(
        state, identities(state, caller), kind, name, *privileges
    )


def need(state: State, caller: str, kind: str, name: str, *privileges: str) -> None:
    """Refuse a caller that has none of the privileges on the object."""
    if not has(state, caller, kind, name, *privileges):
        raise denied(
            "User does not have "
            f"{' or '.join(item.replace('_', ' ') for item in privileges)} on {words(kind)} "
            f"'{name}'."
        )


def need_in_schema(state: State, caller: str, schema: str, privilege: str) -> None:
    """Refuse a caller that may not make something in a schema.

    It needs to use the catalog and the schema too.
    """
    find(state, "catalog", schema.split(".")[0])
    find(state, "schema", schema)
    need(state, caller, "catalog", schema.split(".")[0], "USE_CATALOG")
    need(state, caller, "schema", schema, "USE_SCHEMA")
    need(state, caller, "schema", schema, privilege)


def visible(state: State, caller: str, kind: str) -> list[tuple[str, Json]]:
    """Return the objects of a kind on which the caller has any privilege, by name."""
    who, is_administrator = identities(state, caller), administers_metastore(state, caller)
    return [
        (name, item)
        for name, item in sorted(state.unity[kind].items())
        if is_administrator or holds(state, who, kind, name, *PRIVILEGES[kind])
    ]
