"""Users, groups and service principals, of the workspace and of its account (RFC 7643 and 7644;
reference pages *Users*, *Groups*, *Service Principals*).

A user or service principal that the workspace makes is the account's too; a group that the
workspace makes is its own, and Unity Catalog does not know it
(Databricks, *Groups*: account groups and legacy workspace-local groups).
"""

from __future__ import annotations

import re

from databricks.sdk.service import iam

from .identities import administers_account, administers_workspace
from .routes import Reply, Request, serves
from .scim_values import check_members, holds, refused, remove_at, set_at
from .state import Json, Principal, State, new_uuid

PASSED_ON = "/api/2.0/account/scim/v2"
NAME = {"Users": "userName", "Groups": "displayName", "ServicePrincipals": "applicationId"}
SCHEMA = {"Users": "User", "Groups": "Group", "ServicePrincipals": "ServicePrincipal"}


def is_account(request: Request) -> bool:
    """The request is about the account, by its own routes or by those at which a workspace passes
    the question on.
    """
    return "account_id" in request.variables or request.path.startswith(PASSED_ON)


def kind_of(request: Request) -> str:
    """Return Users, Groups or ServicePrincipals."""
    return request.path.split("/scim/v2/")[1].split("/")[0]


def check_administrator(state: State, request: Request) -> None:
    """Refuse who does not administer the account or the workspace."""
    if not (administers_account if is_account(request) else administers_workspace)(
        state, request.caller
    ):
        raise refused(403, f"{request.caller} is not an administrator")


def found(state: State, request: Request) -> Principal:
    """Return the principal that a path names."""
    item = state.principals.get(request["id"])
    if (
        item is None
        or item.kind != kind_of(request)
        or not (item.is_in_account if is_account(request) else item.is_in_workspace)
    ):
        raise refused(404, f"{SCHEMA[kind_of(request)]} with id {request['id']} not found.")
    return item


def shown(state: State, item: Principal, in_account: bool = False) -> Json:
    """Return a principal as the service shows it.

    Members by name, and in the workspace the groups that it is in.
    """
    identity = item.resource["id"]
    groups = [
        {"value": group.resource["id"], "display": group.name, "type": "direct"}
        for group in state.principals.values()
        if group.kind == "Groups"
        and any(member["value"] == identity for member in group.resource.get("members", []))
    ]
    members = [
        {
            "value": member["value"],
            "display": state.principals[member["value"]].resource.get("displayName", ""),
            "$ref": f"{state.principals[member['value']].kind}/{member['value']}",
        }
        for member in item.resource.get("members", [])
    ]
    if in_account:
        return {
            key: value
            for key, value in {**item.resource, "members": members}.items()
            if key not in ("schemas", "entitlements") and (key != "members" or members)
        }
    return {
        **item.resource,
        **({"groups": groups} if groups else {}),
        **({"members": members} if members else {}),
    }


@serves(iam.UsersV2API.list, "workspace/users/list")
@serves(iam.GroupsV2API.list, "workspace/groups/list")
@serves(iam.ServicePrincipalsV2API.list, "workspace/serviceprincipals/list")
@serves(iam.AccountUsersV2API.list, "account/accountusers/list")
@serves(iam.AccountGroupsV2API.list, "account/accountgroups/list")
@serves(iam.AccountServicePrincipalsV2API.list, "account/accountserviceprincipals/list")
def list_principals(state: State, request: Request) -> Json:
    """Return a page, from `startIndex`, which counts from 1."""
    text = request["filter"]
    items = [
        shown(state, item, is_account(request))
        for item in state.principals.values()
        if item.kind == kind_of(request)
        and (item.is_in_account if is_account(request) else item.is_in_workspace)
    ]
    items = [item for item in items if not text or holds(item, text)]
    start = max(int(request["startIndex"] or 1), 1)
    asked = request["count"]
    page = items[
        start - 1 : start
        - 1
        + min(state.settings.page_size if asked is None else asked, state.settings.page_size)
    ]
    names = {
        name.strip().lower() for name in (request["attributes"] or "").split(",") if name.strip()
    }
    page = [
        {key: value for key, value in item.items() if not names or key.lower() in names | {"id"}}
        for item in page
    ]
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": len(items),
        "startIndex": start,
        "itemsPerPage": len(page),
        **({"Resources": page} if page else {}),
    }


for _kind, _list in (
    ("Users", iam.AccountUsersV2API.list),
    ("Groups", iam.AccountGroupsV2API.list),
    ("ServicePrincipals", iam.AccountServicePrincipalsV2API.list),
):
    serves(_list, f"account/account{_kind.lower()}/list", at=f"{PASSED_ON}/{_kind}")(
        list_principals
    )


@serves(iam.UsersV2API.get, "workspace/users/get")
@serves(iam.GroupsV2API.get, "workspace/groups/get")
@serves(iam.ServicePrincipalsV2API.get, "workspace/serviceprincipals/get")
@serves(iam.AccountUsersV2API.get, "account/accountusers/get")
@serves(iam.AccountGroupsV2API.get, "account/accountgroups/get")
@serves(iam.AccountServicePrincipalsV2API.get, "account/accountserviceprincipals/get")
def get_principal(state: State, request: Request) -> Json:
    """Return one."""
    return shown(state, found(state, request), is_account(request))


@serves(iam.UsersV2API.create, "workspace/users/create")
@serves(iam.GroupsV2API.create, "workspace/groups/create")
@serves(iam.ServicePrincipalsV2API.create, "workspace/serviceprincipals/create")
@serves(iam.AccountUsersV2API.create, "account/accountusers/create")
@serves(iam.AccountGroupsV2API.create, "account/accountgroups/create")
@serves(iam.AccountServicePrincipalsV2API.create, "account/accountserviceprincipals/create")
def create_principal(state: State, request: Request) -> Reply:
    """Make one; a user or service principal that the account has is added to the workspace."""
    check_administrator(state, request)
    kind, body = (
        kind_of(request),
        {key: value for key, value in request.body.items() if key not in ("id", "groups")},
    )
    if kind == "ServicePrincipals":
        body.setdefault("applicationId", new_uuid())
    if not body.get(NAME[kind]):
        raise refused(400, f"{NAME[kind]} is required", "invalidValue")
    if kind == "Users" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", body["userName"]):
        raise refused(400, f"{body['userName']} is not a valid e-mail address", "invalidValue")
    there = next(
        (
            item
            for item in state.principals.values()
            if item.kind == kind and item.name.lower() == body[NAME[kind]].lower()
        ),
        None,
    )
    if there and not is_account(request) and kind != "Groups" and not there.is_in_workspace:
        there.is_in_workspace = True
        return Reply(201, shown(state, there))
    if there:
        raise refused(
            409, f"{SCHEMA[kind]} with name {body[NAME[kind]]} already exists.", "uniqueness"
        )
    check_members(state, body.get("members", []))
    identity = str(state.next_id())
    made: Json = {
        "id": identity,
        "schemas": [f"urn:ietf:params:scim:schemas:core:2.0:{SCHEMA[kind]}"],
        **body,
    }
    if kind == "Groups":
        made["members"], made["meta"] = (
            [{"value": member["value"]} for member in body.get("members", [])],
            {"resourceType": "Group" if is_account(request) else "WorkspaceGroup"},
        )
    else:
        made["active"] = body.get("active", True)
        made.setdefault("displayName", body.get("userName", ""))
    state.principals[identity] = Principal(
        kind, made, is_account(request) or kind != "Groups", not is_account(request)
    )
    return Reply(201, shown(state, state.principals[identity], is_account(request)))


@serves(iam.UsersV2API.update, "workspace/users/update")
@serves(iam.GroupsV2API.update, "workspace/groups/update")
@serves(iam.ServicePrincipalsV2API.update, "workspace/serviceprincipals/update")
@serves(iam.AccountUsersV2API.update, "account/accountusers/update")
@serves(iam.AccountGroupsV2API.update, "account/accountgroups/update")
@serves(iam.AccountServicePrincipalsV2API.update, "account/accountserviceprincipals/update")
def update_principal(state: State, request: Request) -> None:
    """Replace a resource; what is not said is gone."""
    check_administrator(state, request)
    item = found(state, request)
    check_members(state, request.body.get("members", []))
    kept = {
        key: item.resource[key]
        for key in ("id", "schemas", "meta", NAME[item.kind])
        if key in item.resource
    }
    item.resource = {
        **kept,
        **{key: value for key, value in request.body.items() if key not in ("id", "groups")},
    }


@serves(iam.UsersV2API.patch, "workspace/users/patch")
@serves(iam.GroupsV2API.patch, "workspace/groups/patch")
@serves(iam.ServicePrincipalsV2API.patch, "workspace/serviceprincipals/patch")
@serves(iam.AccountUsersV2API.patch, "account/accountusers/patch")
@serves(iam.AccountGroupsV2API.patch, "account/accountgroups/patch")
@serves(iam.AccountServicePrincipalsV2API.patch, "account/accountserviceprincipals/patch")
def patch_principal(state: State, request: Request) -> Reply:
    """Add, replace or remove attributes (RFC 7644, section 3.5.2)."""
    check_administrator(state, request)
    item = found(state, request)
    for operation in request.body.get("Operations", []):
        path, value = operation.get("path", ""), operation.get("value")
        if operation.get("op") == "remove":
            remove_at(item.resource, path, value)
        elif value is None:
            raise refused(
                400, f"The operation on {path or 'the resource'} has no value", "invalidValue"
            )
        elif not path and not isinstance(value, dict):
            raise refused(
                400, "An operation without a path has an object as its value", "invalidPath"
            )
        else:
            for name, one in value.items() if not path else [(path, value)]:
                set_at(state, item.resource, name, one, operation.get("op") == "add")
    return Reply(204)


@serves(iam.UsersV2API.delete, "workspace/users/delete")
@serves(iam.GroupsV2API.delete, "workspace/groups/delete")
@serves(iam.ServicePrincipalsV2API.delete, "workspace/serviceprincipals/delete")
@serves(iam.AccountUsersV2API.delete, "account/accountusers/delete")
@serves(iam.AccountGroupsV2API.delete, "account/accountgroups/delete")
@serves(iam.AccountServicePrincipalsV2API.delete, "account/accountserviceprincipals/delete")
def delete_principal(state: State, request: Request) -> Reply:
    """Remove one from the account, or from the workspace only where the account has it too."""
    check_administrator(state, request)
    item = found(state, request)
    if item.is_in_account and not is_account(request):
        item.is_in_workspace = False
        return Reply(204)
    del state.principals[item.resource["id"]]
    for group in state.principals.values():
        if group.kind == "Groups":
            group.resource["members"] = [
                one
                for one in group.resource.get("members", [])
                if one["value"] != item.resource["id"]
            ]
    return Reply(204)


@serves(iam.CurrentUserAPI.me, "workspace/currentuser/me")
def me(state: State, request: Request) -> Json:
    """Return the caller; a service principal has its application id for a user name."""
    item = next(
        item
        for item in state.principals.values()
        if item.kind != "Groups" and item.name == request.caller
    )
    return {
        key: value
        for key, value in {**shown(state, item), "userName": item.name}.items()
        if key not in ("applicationId", "schemas")
    }


@serves(iam.CurrentUserAPI.me, "account/accountusers/get", at=f"{PASSED_ON}/Me")
def me_in_account(state: State, request: Request) -> Json:
    """Return the caller as the account knows them, with their roles."""
    item = next(
        item
        for item in state.principals.values()
        if item.kind != "Groups" and item.name == request.caller
    )
    known = shown(state, item, in_account=True)
    groups = [
        {"value": group.resource["id"], "display": group.name}
        for group in state.principals.values()
        if group.is_in_account
        and any(
            member["value"] == item.resource["id"] for member in group.resource.get("members", [])
        )
    ]
    return {
        **{key: value for key, value in known.items() if key not in ("applicationId", "schemas")},
        "userName": item.name,
        "groups": groups,
    }
