"""Storage credentials and external locations (reference pages *Storage Credentials*, *External
Locations*).
"""

from __future__ import annotations

import re

from databricks.sdk.service import catalog

from .refusals import Refusal, invalid
from .routes import Request, page_of, serves
from .securables import add, change, find, has, metastore, need, remove, visible
from .state import METASTORE, Json, State, new_uuid

CONNECTOR = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Databricks/"
    r"accessConnectors/[^/]+",
    re.IGNORECASE,
)
ADLS = re.compile(r"abfss://[a-z0-9-]{3,63}@[a-z0-9]{3,24}\.dfs\.core\.windows\.net(/.*)?")


def need_on_metastore(state: State, caller: str, privilege: str) -> None:
    """Refuse a caller without a privilege on the metastore."""
    need(state, caller, METASTORE, metastore(state)["metastore_id"], privilege)


def identity_of(said: Json) -> Json:
    """Return the identity of a credential, which is exactly one.

    An access connector has its resource id (Databricks, *Azure managed identities*).
    """
    kinds = [
        key
        for key in said
        if key
        in (
            "azure_managed_identity",
            "azure_service_principal",
            "aws_iam_role",
            "databricks_gcp_service_account",
            "cloudflare_api_token",
        )
    ]
    if len(kinds) != 1:
        raise invalid(
            "CreateStorageCredential takes exactly one of azure_managed_identity, "
            "azure_service_principal, aws_iam_role, databricks_gcp_service_account, "
            "cloudflare_api_token"
        )
    if kinds == ["azure_managed_identity"] and not CONNECTOR.fullmatch(
        said["azure_managed_identity"]["access_connector_id"]
    ):
        raise invalid(
            "Access connector resource ID is malformed: "
            f"{said['azure_managed_identity']['access_connector_id']}"
        )
    if kinds == ["azure_managed_identity"]:
        return {
            "azure_managed_identity": {
                **said["azure_managed_identity"],
                "credential_id": new_uuid(),
            }
        }
    return {
        key: {name: value for name, value in said[key].items() if "secret" not in name}
        for key in kinds
    }


@serves(catalog.StorageCredentialsAPI.create, "workspace/storagecredentials/create")
def create_credential(state: State, request: Request) -> Json:
    """Make a credential."""
    need_on_metastore(state, request.caller, "CREATE_STORAGE_CREDENTIAL")
    return add(
        state,
        "storage_credential",
        request["name"],
        request.caller,
        id=new_uuid(),
        **identity_of(request.body),
        comment=request["comment"],
        read_only=request["read_only"] or False,
        isolation_mode="ISOLATION_MODE_OPEN",
        used_for_managed_storage=False,
    )


@serves(catalog.StorageCredentialsAPI.list, "workspace/storagecredentials/list")
def list_credentials(state: State, request: Request) -> Json:
    """Return a page of the credentials."""
    metastore(state)
    return page_of(
        state,
        request,
        [item for _, item in visible(state, request.caller, "storage_credential")],
        "storage_credentials",
    )


@serves(catalog.StorageCredentialsAPI.get, "workspace/storagecredentials/get")
def get_credential(state: State, request: Request) -> Json:
    """Return one."""
    return find(state, "storage_credential", request["name"])


@serves(catalog.StorageCredentialsAPI.update, "workspace/storagecredentials/update")
def update_credential(state: State, request: Request) -> Json:
    """Update one, under its id; locations go on to use it."""
    identity = (
        identity_of(request.body)
        if any(
            key.startswith(("azure", "aws", "databricks_gcp", "cloudflare")) for key in request.body
        )
        else {}
    )
    made = change(
        state, "storage_credential", request["name"], request.caller, {**request.body, **identity}
    )
    for location in state.unity["external_location"].values():
        if location["credential_id"] == made["id"]:
            location["credential_name"] = made["name"]
    return made


@serves(catalog.StorageCredentialsAPI.delete, "workspace/storagecredentials/delete")
def delete_credential(state: State, request: Request) -> None:
    """Delete one that no location uses, or by force."""
    found = find(state, "storage_credential", request["name"])
    users = [
        item["name"]
        for item in state.unity["external_location"].values()
        if item["credential_id"] == found["id"]
    ]
    if users and not request["force"]:
        raise Refusal(
            400,
            "INVALID_STATE",
            f"Storage credential '{found['name']}' cannot be deleted: it has dependent "
            f"external locations {', '.join(users)}.",
        )
    remove(state, "storage_credential", request["name"], request.caller)


def url_of(text: str) -> str:
    """Return a place in Azure storage as it is kept; raises a Refusal where it is none."""
    if not ADLS.fullmatch(text):
        raise invalid(
            f"Invalid URL: {text}. It has the form "
            "abfss://container@account.dfs.core.windows.net/folder"
        )
    return text.rstrip("/")


def overlaps(one: str, other: str) -> bool:
    """One place is the other or is inside it."""
    return (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/")


def check_overlap(state: State, call: str, url: str, but: str = "") -> None:
    """Refuse a place that overlaps another external location."""
    for name, item in state.unity["external_location"].items():
        if name != but and overlaps(url, item["url"]):
            raise invalid(
                f"LOCATION_OVERLAP: Input path url '{url}' overlaps with other external "
                f"locations within '{call}' call. Conflicting location: {name}."
            )


def location_of(state: State, caller: str, url: str, privilege: str) -> Json:
    """Return the external location that a place is in.

    Raises a Refusal where there is none or the caller may not use it so.
    """
    for name, item in state.unity["external_location"].items():
        if (url + "/").startswith(item["url"] + "/"):
            need(state, caller, "external_location", name, privilege)
            return item
    raise Refusal(
        404,
        "EXTERNAL_LOCATION_DOES_NOT_EXIST",
        f"No parent external location was found for path '{url}'. Please create an external "
        "location on one of the parent paths and then retry.",
    )


@serves(catalog.ExternalLocationsAPI.create, "workspace/externallocations/create")
def create_location(state: State, request: Request) -> Json:
    """Make a location with a credential that is there, at a place that no other has."""
    credential = find(state, "storage_credential", request["credential_name"])
    if not has(
        state,
        request.caller,
        METASTORE,
        metastore(state)["metastore_id"],
        "CREATE_EXTERNAL_LOCATION",
    ):
        need_on_metastore(state, request.caller, "CREATE_EXTERNAL_LOCATION")
    need(
        state, request.caller, "storage_credential", credential["name"], "CREATE_EXTERNAL_LOCATION"
    )
    url = url_of(request["url"])
    check_overlap(state, "CreateExternalLocation", url, but=request["name"].lower())
    return add(
        state,
        "external_location",
        request["name"],
        request.caller,
        url=url,
        credential_name=credential["name"],
        credential_id=credential["id"],
        comment=request["comment"],
        read_only=request["read_only"] or False,
        fallback=request["fallback"] or False,
        enable_file_events=request["enable_file_events"],
        file_event_queue=request["file_event_queue"],
        isolation_mode="ISOLATION_MODE_OPEN",
    )


@serves(catalog.ExternalLocationsAPI.list, "workspace/externallocations/list")
def list_locations(state: State, request: Request) -> Json:
    """Return a page of the locations."""
    metastore(state)
    return page_of(
        state,
        request,
        [item for _, item in visible(state, request.caller, "external_location")],
        "external_locations",
    )


@serves(catalog.ExternalLocationsAPI.get, "workspace/externallocations/get")
def get_location(state: State, request: Request) -> Json:
    """Return one."""
    return find(state, "external_location", request["name"])


def users_of(state: State, url: str) -> list[str]:
    """Return the names of what is stored below a place."""
    places = [
        (name, item.get("storage_root") or item.get("storage_location") or "")
        for kind in ("catalog", "schema", "table", "volume")
        for name, item in state.unity[kind].items()
    ]
    return [name for name, place in places if place.startswith(url + "/") or place == url]


@serves(catalog.ExternalLocationsAPI.update, "workspace/externallocations/update")
def update_location(state: State, request: Request) -> Json:
    """Update one; its place changes by force where something is stored there."""
    found, said = find(state, "external_location", request.variables["name"]), dict(request.body)
    if said.get("url"):
        said["url"] = url_of(said["url"])
        check_overlap(
            state, "UpdateExternalLocation", said["url"], but=request.variables["name"].lower()
        )
        if said["url"] != found["url"] and users_of(state, found["url"]) and not said.get("force"):
            raise Refusal(
                400,
                "INVALID_STATE",
                f"External location '{found['name']}' has dependents: "
                f"{', '.join(users_of(state, found['url']))}.",
            )
    if said.get("credential_name"):
        said["credential_id"] = find(state, "storage_credential", said["credential_name"])["id"]
    return change(state, "external_location", request.variables["name"], request.caller, said)


@serves(catalog.ExternalLocationsAPI.delete, "workspace/externallocations/delete")
def delete_location(state: State, request: Request) -> None:
    """Delete one where nothing is stored, or by force."""
    found = find(state, "external_location", request["name"])
    if users_of(state, found["url"]) and not request["force"]:
        raise Refusal(
            400,
            "INVALID_STATE",
            f"External location '{found['name']}' has dependents: "
            f"{', '.join(users_of(state, found['url']))}.",
        )
    remove(state, "external_location", request["name"], request.caller)
