"""The part of Microsoft Graph that tells who is there, and in which roles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .eventhubs import Json, Refusal


@dataclass
class Directory:
    """A tenant's users by user principal name, the descriptions of its groups by name, and the
    roles of whoever is logged in; `is_closed` refuses to tell.
    """

    users: set[str] = field(default_factory=set)
    groups: list[tuple[str, str]] = field(default_factory=list)
    roles: list[str] = field(
        default_factory=lambda: ["Groups Administrator", "Application Developer"]
    )
    is_closed: bool = False


def told(
    directory: Directory, host: str, method: str, path: str, query: dict[str, list[str]]
) -> Json | None:
    """Return the answer to a call of Microsoft Graph (*Get a user*, *List groups*, *List a user's
    memberships (direct and transitive)*); None where there is no such route. A page has one item.
    """
    user = re.fullmatch(r"/v1\.0/users/([^/]+)", path)
    if method != "GET" or not (user or path in ("/v1.0/me/transitiveMemberOf", "/v1.0/groups")):
        return None
    if directory.is_closed:
        raise Refusal(
            403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
        )
    if path == "/v1.0/groups":
        wanted = re.fullmatch(r"displayName eq '((?:[^']|'')+)'", query.get("$filter", [""])[0])
        if not wanted:
            raise Refusal(
                400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause."
            )
        return {
            "value": [
                {"id": f"id-{number}", "displayName": name, "description": said or None}
                for number, (name, said) in enumerate(directory.groups)
                if name == wanted[1].replace("''", "'")
            ]
        }
    if not user:
        everything = [
            {"@odata.type": "#microsoft.graph.group", "displayName": "Global Administrator"},
            *(
                {"@odata.type": "#microsoft.graph.directoryRole", "displayName": role}
                for role in directory.roles
            ),
        ]
        at = int(query.get("$skiptoken", ["0"])[0])
        rest = (
            {"@odata.nextLink": f"{host}{path}?$skiptoken={at + 1}"}
            if at + 1 < len(everything)
            else {}
        )
        return {"value": everything[at : at + 1], **rest}
    if user[1] not in directory.users:
        raise Refusal(
            404,
            "Request_ResourceNotFound",
            f"Resource '{user[1]}' does not exist or one of its queried reference-property "
            "objects are not present.",
        )
    return {"id": f"id-{user[1]}"}
