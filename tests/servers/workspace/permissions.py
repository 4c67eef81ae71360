"""Permissions on objects of the workspace (reference page *Permissions*)."""

from __future__ import annotations

from databricks.sdk.service import iam

from .identities import administers_workspace, identities, principal_named
from .refusals import absent, denied, invalid
from .routes import Request, serves
from .state import Json, State

# The type as it is shown, where the objects are, and the levels that there are, from the least.
KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "clusters": ("cluster", "clusters", ("CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE")),
    "jobs": ("job", "jobs", ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER")),
    "warehouses": (
        "warehouses",
        "warehouses",
        ("CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"),
    ),
    "sql/warehouses": (
        "warehouses",
        "warehouses",
        ("CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"),
    ),
    "directories": ("directory", "files", ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")),
    "notebooks": ("notebook", "files", ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")),
    "files": ("file", "files", ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")),
}
NAMES = {
    "user_name": ("Users", "UserName"),
    "group_name": ("Groups", "GroupName"),
    "service_principal_name": ("ServicePrincipals", "ServicePrincipalName"),
}


def there(state: State, kind: str, identity: str) -> bool:
    """The object is there."""
    if KINDS[kind][1] == "files":
        return any(str(item["object_id"]) == identity for item in state.files.values())
    if KINDS[kind][1] == "jobs":
        return identity.isdigit() and int(identity) in state.jobs
    return identity in (state.clusters if KINDS[kind][1] == "clusters" else state.warehouses)


def target(state: State, request: Request) -> tuple[str, str]:
    """Return the kind and id of the object that a path names."""
    kind, identity = request["request_object_type"], request["request_object_id"]
    if kind not in KINDS:
        raise invalid(f"request_object_type is not recognized: {kind}")
    if not there(state, kind, identity):
        raise absent(f"{KINDS[kind][0].capitalize()} {identity} does not exist.")
    return kind.removeprefix("sql/"), identity


def shown(state: State, kind: str, identity: str) -> Json:
    """Return who has what; administrators manage everything, by inheritance."""
    entries = []
    for item in state.permissions.get((kind, identity), []):
        entries.append(
            {
                **{key: value for key, value in item.items() if key != "permission_level"},
                "all_permissions": [
                    {"permission_level": item["permission_level"], "inherited": False}
                ],
            }
        )
    inherited = {
        "permission_level": "CAN_MANAGE",
        "inherited": True,
        "inherited_from_object": [f"/{kind}/"],
    }
    entries.append({"group_name": "admins", "all_permissions": [inherited]})
    prefix = "/sql/" if kind == "warehouses" else "/"
    return {
        "object_id": f"{prefix}{kind}/{identity}",
        "object_type": KINDS[kind][0],
        "access_control_list": entries,
    }


def checked(state: State, kind: str, entries: list[Json]) -> list[Json]:
    """Return entries that name a principal of the workspace and a level of this type."""
    for item in entries:
        named = [key for key in NAMES if item.get(key)]
        if len(named) != 1:
            raise invalid(
                "Exactly one of user_name, group_name, service_principal_name must be given"
            )
        known, word = NAMES[named[0]]
        if not principal_named(state, item[named[0]], (known,), in_account=False):
            raise absent(f"Principal: {word}({item[named[0]]}) does not exist")
        if item.get("permission_level") not in KINDS[kind][2]:
            raise invalid(
                f"{item.get('permission_level')} is not one of {', '.join(KINDS[kind][2])}"
            )
        if item["permission_level"] == "IS_OWNER" and known == "Groups":
            raise invalid("Groups cannot be owners.")
    return entries


def who(item: Json) -> str:
    """Return whom an entry names."""
    return next(str(item[key]) for key in NAMES if item.get(key))


def set_permissions(
    state: State, kind: str, identity: str, entries: list[Json], replaces: bool
) -> None:
    """Replace the entries, or add to them; a job has exactly one owner."""
    entries = checked(state, kind, entries)
    new_owner = any(item["permission_level"] == "IS_OWNER" for item in entries)
    named = {who(item) for item in entries}
    kept = (
        []
        if replaces
        else [
            item
            for item in state.permissions.get((kind, identity), [])
            if who(item) not in named and not (new_owner and item["permission_level"] == "IS_OWNER")
        ]
    )
    if (
        kind == "jobs"
        and sum(item["permission_level"] == "IS_OWNER" for item in (*kept, *entries)) != 1
    ):
        raise invalid("The job must have exactly one owner.")
    state.permissions[kind, identity] = kept + entries


def need_level(
    state: State, caller: str, kind: str, identity: str, level: str, message: str
) -> None:
    """Refuse a caller that has less than a level on an object."""
    levels, known = KINDS[kind][2], identities(state, caller)
    held = [
        levels.index(item["permission_level"])
        for item in state.permissions.get((kind, identity), [])
        if who(item) in known
    ]
    if not administers_workspace(state, caller) and max(held, default=-1) < levels.index(level):
        raise denied(message)


def owned(state: State, kind: str, identity: str, caller: str) -> None:
    """Make the creator the owner, or where there are no owners the manager."""
    named = principal_named(state, caller)
    key = "service_principal_name" if named and named.kind == "ServicePrincipals" else "user_name"
    state.permissions[kind, identity] = [
        {
            key: caller,
            "permission_level": "IS_OWNER" if "IS_OWNER" in KINDS[kind][2] else "CAN_MANAGE",
        }
    ]


@serves(iam.PermissionsAPI.get, "workspace/permissions/get")
def get_permissions(state: State, request: Request) -> Json:
    """Return who has what on an object."""
    return shown(state, *target(state, request))


@serves(iam.PermissionsAPI.set, "workspace/permissions/set")
@serves(iam.PermissionsAPI.update, "workspace/permissions/update")
def change_permissions(state: State, request: Request) -> Json:
    """Replace who has what (PUT), or add to it (PATCH)."""
    kind, identity = target(state, request)
    need_level(
        state,
        request.caller,
        kind,
        identity,
        "CAN_MANAGE",
        f"{request.caller} does not have Manage permissions on {KINDS[kind][0]} with ID: "
        f"{identity}. Please contact the owner or an administrator for access.",
    )
    set_permissions(
        state, kind, identity, request.body.get("access_control_list", []), request.method == "PUT"
    )
    return shown(state, kind, identity)


@serves(iam.PermissionsAPI.get_permission_levels, "workspace/permissions/getpermissionlevels")
def get_levels(state: State, request: Request) -> Json:
    """Return the levels that an object has."""
    kind, _ = target(state, request)
    return {
        "permission_levels": [
            {"permission_level": level, "description": level.replace("_", " ").capitalize()}
            for level in KINDS[kind][2]
        ]
    }
