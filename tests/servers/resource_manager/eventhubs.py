"""What the service checks of an event hub, and what it keeps of one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
CAPTURE = {
    "enabled": bool,
    "encoding": str,
    "intervalInSeconds": int,
    "sizeLimitInBytes": int,
    "skipEmptyArchives": bool,
    "destination": dict,
}
RETENTION = {
    "cleanupPolicy": str,
    "retentionTimeInHours": int,
    "tombstoneRetentionTimeInHours": int,
}
PROPERTIES = {
    "messageRetentionInDays": int,
    "partitionCount": int,
    "status": str,
    "userMetadata": str,
    "captureDescription": dict,
    "retentionDescription": dict,
}
READ_ONLY = {"partitionIds", "createdAt", "updatedAt"}
PLACEHOLDERS = (
    "Namespace",
    "EventHub",
    "PartitionId",
    "Year",
    "Month",
    "Day",
    "Hour",
    "Minute",
    "Second",
)
ACCOUNT = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/"
    r"([a-z0-9]{3,24})",
    re.IGNORECASE,
)
# partitions, hours, event hubs
LIMITS = {
    "Standard": (32, 7 * 24, 10),
    "Premium": (100, 90 * 24, 100),
}


@dataclass
class Refusal(Exception):
    """A status, with a code and a sentence."""

    status: int
    code: str
    message: str

    def body(self) -> Json:
        """Return the error as Azure Resource Manager words it."""
        return {"error": {"code": self.code, "message": self.message}}


@dataclass
class Namespace:
    """A namespace: `identity` says which managed identities it has, `containers` which containers
    of which accounts they may write to; `hubs` are by their lower-case names.
    """

    sku: str = "Standard"
    identity: str = "SystemAssigned"
    containers: set[tuple[str, str]] = field(default_factory=set)
    hubs: dict[str, Json] = field(default_factory=dict)


def bad(message: str) -> Refusal:
    """Return the refusal of a value."""
    return Refusal(400, "BadRequest", f"SubCode=40000. {message}")


def check_fields(said: Json, known: dict[str, type], place: str) -> None:
    """Refuse a field that there is not, or of another type."""
    for name, value in said.items():
        kind = known.get(name)
        if kind is None or not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise bad(f"Could not find or read member '{name}' on object of type '{place}'.")


def check_capture(namespace: Namespace, capture: Json) -> None:
    """Refuse a capture that cannot work (Event Hubs, *Overview of Event Hubs Capture* and *Capture
    with a managed identity*).
    """
    check_fields(capture, CAPTURE, "CaptureDescription")
    target = capture.get("destination", {})
    said = target.get("properties", {})
    account = ACCOUNT.fullmatch(said.get("storageAccountResourceId", ""))
    if not 60 <= capture.get("intervalInSeconds", 300) <= 900:
        raise bad("The capture interval should be between 60 and 900 seconds.")
    if not 10_485_760 <= capture.get("sizeLimitInBytes", 314_572_800) <= 524_288_000:
        raise bad("The capture size limit should be between 10485760 and 524288000 bytes.")
    if (
        capture.get("encoding") not in ("Avro", "AvroDeflate")
        or target.get("name") != "EventHubArchive.AzureBlockBlob"
        or not account
    ):
        raise bad("The encoding or the destination of the capture is not valid.")
    lacking = [
        name for name in PLACEHOLDERS if f"{{{name}}}" not in said.get("archiveNameFormat", "")
    ]
    if lacking:
        raise bad(f"The archive name format lacks {', '.join(lacking)}.")
    kind = target.get("identity", {}).get("type", "")
    if kind and kind not in namespace.identity:
        raise bad(f"The namespace has no identity of type {kind}.")
    if (account[1].lower(), said.get("blobContainer")) not in namespace.containers or not kind:
        raise Refusal(403, "Forbidden", "The destination container cannot be written to.")


def put(namespace: Namespace, name: str, path: str, body: Json, moment: str) -> Json:
    """Make an event hub or change it.

    What is not said of one that is there stays as it is, as the service documents no other way to
    keep it.
    """
    partitions, hours, quota = LIMITS[namespace.sku]
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?", name):
        raise bad(f"The name '{name}' is not valid.")
    check_fields(
        {
            key: value
            for key, value in body.items()
            if key not in ("id", "name", "type", "location")
        },
        {"properties": dict},
        "EventHub",
    )
    said = {key: value for key, value in body.get("properties", {}).items() if key not in READ_ONLY}
    check_fields(said, PROPERTIES, "EventHubProperties")
    there = namespace.hubs.get(name.lower())
    if there is None and len(namespace.hubs) >= quota:
        raise Refusal(
            409,
            "Conflict",
            "SubCode=40300. The maximum number of resources of type EventHub has been "
            f"reached or exceeded. Actual: {len(namespace.hubs)}, Max allowed: {quota}",
        )
    now = (
        there["properties"]
        if there
        else {
            "partitionCount": 4,
            "status": "Active",
            "retentionDescription": {"cleanupPolicy": "Delete", "retentionTimeInHours": 168},
            "createdAt": moment,
        }
    )
    wanted = {**now, **said}
    count = wanted["partitionCount"]
    if not 1 <= count <= partitions:
        raise bad(f"The partition count should be between 1 and {partitions}.")
    if (
        there
        and count != now["partitionCount"]
        and (namespace.sku != "Premium" or count < now["partitionCount"])
    ):
        raise bad("PartitionCount can't be changed for an event hub.")
    check_fields(wanted["retentionDescription"], RETENTION, "RetentionDescription")
    if "messageRetentionInDays" in said and "retentionDescription" not in said:
        wanted["retentionDescription"] = {
            "cleanupPolicy": "Delete",
            "retentionTimeInHours": 24 * said["messageRetentionInDays"],
        }
    if (
        there
        and wanted["retentionDescription"]["cleanupPolicy"]
        != now["retentionDescription"]["cleanupPolicy"]
    ):
        raise bad("The cleanup policy can't be changed.")
    if not 1 <= wanted["retentionDescription"]["retentionTimeInHours"] <= hours:
        raise bad(f"The retention should be between 1 and {hours} hours.")
    if len(wanted.get("userMetadata", "")) > 1024:
        raise bad("The user metadata has more than 1024 characters.")
    if wanted.get("captureDescription", {}).get("enabled"):
        check_capture(namespace, wanted["captureDescription"])
    wanted |= {
        "partitionIds": [str(number) for number in range(count)],
        "messageRetentionInDays": -(-wanted["retentionDescription"]["retentionTimeInHours"] // 24),
        "updatedAt": moment,
    }
    made = {
        "id": path,
        "name": there["name"] if there else name,
        "type": "Microsoft.EventHub/namespaces/eventhubs",
        "location": "brazilsouth",
        "properties": wanted,
    }
    namespace.hubs[name.lower()] = made
    return made
