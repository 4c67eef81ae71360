"""A subscription: what it may use, where, and what is in it.

Each route with the page of the REST reference that it follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .eventhubs import Json, Refusal

OWNER: Json = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}
CONTRIBUTOR: Json = {
    "actions": ["*"],
    "notActions": [
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ],
}
ROLE_ADMINISTRATOR: Json = {
    "actions": [
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/delete",
        "*/read",
        "Microsoft.Support/*",
    ],
    "notActions": [],
}
READER: Json = {"actions": ["*/read"], "notActions": []}
TYPES = {
    "Microsoft.Consumption": ("budgets",),
    "Microsoft.Databricks": ("workspaces", "accessConnectors"),
    "Microsoft.EventHub": ("namespaces",),
    "Microsoft.Insights": ("diagnosticSettings",),
    "Microsoft.ManagedIdentity": ("userAssignedIdentities",),
    "Microsoft.Network": ("networkWatchers",),
    "Microsoft.OperationalInsights": ("workspaces",),
    "Microsoft.Storage": ("storageAccounts",),
    "Microsoft.Compute": ("virtualMachines",),
}


@dataclass
class Subscription:
    """A subscription of a tenant; by default everything is registered, allowed and free.

    `taken` are names that others have in Azure, `resources` what is here, by lower-case path.
    """

    tenant: str
    name: str = "Lakehouse"
    state: str = "Enabled"
    offer: str = "PayAsYouGo_2014-09-01"
    permissions: list[Json] = field(default_factory=lambda: [OWNER])
    regions: dict[str, str] = field(
        default_factory=lambda: {
            "brazilsouth": "Brazil South",
            "westeurope": "West Europe",
            "southcentralus": "South Central US",
        }
    )
    # and the pair
    geographies: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {
            "brazilsouth": ("Brazil", "southcentralus"),
            "southcentralus": ("United States", "northcentralus"),
        }
    )
    unregistered: set[str] = field(default_factory=set)
    not_offered: set[tuple[str, str]] = field(default_factory=set)  # resource type, region
    replications: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "brazilsouth": ("LRS", "ZRS", "GRS"),
            "westeurope": ("LRS", "ZRS", "GRS", "GZRS"),
        }
    )
    sizes: list[Json] = field(
        default_factory=lambda: [size("Standard_D4ds_v5", "standardDDSv5Family", 4)]
    )
    quotas: dict[str, tuple[int, int]] = field(
        default_factory=lambda: {
            "cores": (0, 20),
            "standardDDSv5Family": (0, 20),
            "StorageAccounts": (3, 250),
        }
    )
    taken: set[str] = field(default_factory=set)
    resources: dict[str, Json] = field(default_factory=dict)

    def put(self, path: str, **body: Any) -> None:
        """Put a resource at a path below the subscription."""
        self.resources[path.lower()] = {"name": path.rsplit("/", 1)[1], **body}


def size(name: str, family: str, cores: int, restriction: str = "") -> Json:
    """Return a size of machines, as it is listed."""
    restrictions = [{"type": "Location", "reasonCode": restriction}] if restriction else []
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": family,
        "capabilities": [{"name": "vCPUs", "value": str(cores)}],
        "restrictions": restrictions,
    }


Handler = Callable[[Subscription, "re.Match[str]", dict[str, list[str]], Json], Json]
ROUTES: list[tuple[str, re.Pattern[str], str, Handler]] = []


def route(method: str, path: str, version: str, page: str) -> Callable[[Handler], Handler]:
    """Register what answers a method and a path below the subscription, in a version of the API."""

    def registered(handler: Handler) -> Handler:
        ROUTES.append((method, re.compile(path, re.IGNORECASE), version, handler))
        return handler

    assert page
    return registered


def answered(
    found: Subscription | None,
    identity: str,
    method: str,
    rest: str,
    query: dict[str, list[str]],
    content: bytes,
) -> Json | None:
    """Return the body that answers a request below a subscription.

    None where there is no such route.
    """
    for known, pattern, version, handler in ROUTES:
        matched = pattern.fullmatch(rest)
        if known != method or not matched:
            continue
        if query.get("api-version") != [version]:
            raise Refusal(
                400,
                "InvalidApiVersionParameter",
                f"The api-version {query.get('api-version')} is invalid for {rest}.",
            )
        if found is None:
            raise Refusal(
                404, "SubscriptionNotFound", f"The subscription '{identity}' could not be found."
            )
        provider = re.match(r"/providers/([^/]+)/(?!permissions)", rest)
        action = (
            "Microsoft.EventHub/checkNameAvailability/action"
            if method == "POST" and "EventHub" in rest
            else "*/read"
        )
        if not any(held in ("*", action) for each in found.permissions for held in each["actions"]):
            raise Refusal(
                403,
                "AuthorizationFailed",
                f"The client does not have authorization to perform action '{action}' over "
                f"scope '/subscriptions/{identity}'.",
            )
        if provider and provider[1] in found.unregistered:
            raise Refusal(
                409,
                "MissingSubscriptionRegistration",
                f"The subscription is not registered to use namespace '{provider[1]}'.",
            )
        body = handler(found, matched, query, json.loads(content) if content else {})
        return (
            {"id": f"/subscriptions/{identity}", "subscriptionId": identity, **body}
            if not rest
            else body
        )
    return None


@route("GET", "", "2022-12-01", "https://learn.microsoft.com/rest/api/resources/subscriptions/get")
def subscription(found: Subscription, *_: object) -> Json:
    """Return the subscription."""
    return {
        "displayName": found.name,
        "state": found.state,
        "tenantId": found.tenant,
        "subscriptionPolicies": {"quotaId": found.offer, "spendingLimit": "Off"},
    }


@route(
    "GET",
    "/providers/Microsoft.Authorization/permissions",
    "2022-04-01",
    "https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource-group",
)
def permissions(found: Subscription, *_: object) -> Json:
    """Return what the caller may do."""
    return {"value": found.permissions}


@route(
    "GET",
    "/locations",
    "2022-12-01",
    "https://learn.microsoft.com/rest/api/resources/subscriptions/list-locations",
)
def locations(found: Subscription, *_: object) -> Json:
    """Return the regions, and a geography that is none."""
    about = {
        name: {"geography": geography, "pairedRegion": [{"name": pair}] if pair else []}
        for name, (geography, pair) in found.geographies.items()
    }
    return {
        "value": [
            {
                "name": name,
                "displayName": shown,
                "metadata": {"regionType": "Physical", **about.get(name, {})},
            }
            for name, shown in found.regions.items()
        ]
        + [{"name": "brazil", "displayName": "Brazil", "metadata": {"regionType": "Logical"}}]
    }


@route(
    "GET",
    "/providers",
    "2021-04-01",
    "https://learn.microsoft.com/rest/api/resources/providers/list",
)
def providers(found: Subscription, *_: object) -> Json:
    """Return the resource providers, with the regions of their types by display names."""
    return {
        "value": [
            {
                "namespace": name,
                "registrationState": "NotRegistered"
                if name in found.unregistered
                else "Registered",
                "resourceTypes": [
                    {
                        "resourceType": kind,
                        "locations": [
                            shown
                            for region, shown in found.regions.items()
                            if (f"{name}/{kind}", region) not in found.not_offered
                        ],
                    }
                    for kind in kinds
                ],
            }
            for name, kinds in TYPES.items()
        ]
    }


@route(
    "GET",
    "/providers/Microsoft.Storage/skus",
    "2023-05-01",
    "https://learn.microsoft.com/rest/api/storagerp/skus/list",
)
def storage_skus(found: Subscription, *_: object) -> Json:
    """Return how storage accounts can be replicated, a line a region."""
    return {
        "value": [
            {
                "resourceType": "storageAccounts",
                "kind": kind,
                "name": f"Standard_{name}",
                "locations": [region],
                "restrictions": [],
            }
            for region, names in found.replications.items()
            for kind, kinds in (("StorageV2", names), ("BlobStorage", ("LRS", "ZRS")))
            for name in kinds
        ]
    }


def listed_quotas(found: Subscription, names: tuple[str, ...]) -> Json:
    """Return some quotas."""
    return {
        "value": [
            {
                "unit": "Count",
                "currentValue": used,
                "limit": limit,
                "name": {"value": name, "localizedValue": name},
            }
            for name, (used, limit) in found.quotas.items()
            if name in names
        ]
    }


@route(
    "GET",
    "/providers/Microsoft.Storage/locations/(?P<region>[a-z0-9]+)/usages",
    "2023-05-01",
    "https://learn.microsoft.com/rest/api/storagerp/usages/list-by-location",
)
def storage_usages(found: Subscription, *_: object) -> Json:
    """Return the quota of storage accounts."""
    return listed_quotas(found, ("StorageAccounts",))


@route(
    "GET",
    "/providers/Microsoft.Compute/locations/(?P<region>[a-z0-9]+)/usages",
    "2024-07-01",
    "https://learn.microsoft.com/rest/api/compute/usage/list",
)
def compute_usages(found: Subscription, *_: object) -> Json:
    """Return the quotas of machines."""
    return listed_quotas(found, tuple(name for name in found.quotas if name != "StorageAccounts"))


@route(
    "GET",
    "/providers/Microsoft.Compute/skus",
    "2021-07-01",
    "https://learn.microsoft.com/rest/api/compute/resource-skus/list",
)
def compute_skus(
    found: Subscription, matched: object, query: dict[str, list[str]], *_: object
) -> Json:
    """Return the sizes of machines in a region."""
    if not re.fullmatch(r"location eq '[a-z0-9]+'", query.get("$filter", [""])[0]):
        raise Refusal(400, "InvalidFilterInQueryString", "Only location is supported.")
    return {"value": [{"resourceType": "disks", "name": "Premium_LRS"}, *found.sizes]}


@route(
    "POST",
    "/providers/Microsoft.Storage/checkNameAvailability",
    "2023-05-01",
    "https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability",
)
def storage_name(found: Subscription, matched: object, query: object, body: Json) -> Json:
    """Return whether a storage account's name is free."""
    if body.get("type") != "Microsoft.Storage/storageAccounts":
        raise Refusal(400, "InvalidValues", "The type is not Microsoft.Storage/storageAccounts.")
    if not re.fullmatch(r"[a-z0-9]{3,24}", body["name"]):
        return {
            "nameAvailable": False,
            "reason": "AccountNameInvalid",
            "message": f"{body['name']} is not a valid storage account name.",
        }
    return availability(
        found, body["name"], f"The storage account named {body['name']} is already taken."
    )


@route(
    "POST",
    "/providers/Microsoft.EventHub/checkNameAvailability",
    "2024-01-01",
    "https://learn.microsoft.com/rest/api/eventhub/controlplane-stable/"
    "check-name-availability-namespaces",
)
def namespace_name(found: Subscription, matched: object, query: object, body: Json) -> Json:
    """Return whether a namespace's name is free."""
    return availability(found, body["name"], "The specified service namespace is not available.")


def availability(found: Subscription, name: str, message: str) -> Json:
    """Return whether nobody has a name."""
    if name in found.taken or any(path.endswith(f"/{name.lower()}") for path in found.resources):
        return {"nameAvailable": False, "reason": "AlreadyExists", "message": message}
    return {"nameAvailable": True, "reason": "None", "message": ""}


@route(
    "GET",
    "/providers/(?P<kind>Microsoft.Storage/storageAccounts)",
    "2023-05-01",
    "https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list",
)
@route(
    "GET",
    "/providers/(?P<kind>Microsoft.Network/networkWatchers)",
    "2024-05-01",
    "https://learn.microsoft.com/rest/api/network-watcher/network-watchers/list-all",
)
@route(
    "GET",
    "/providers/(?P<kind>Microsoft.Databricks/workspaces)",
    "2023-02-01",
    "https://learn.microsoft.com/rest/api/databricks/workspaces/list-by-subscription",
)
def resources(found: Subscription, matched: re.Match[str], *_: object) -> Json:
    """Return the resources of a type."""
    return {
        "value": [
            {"id": f"/subscriptions/s{path}", **body}
            for path, body in found.resources.items()
            if f"/providers/{matched['kind']}/".lower() in path
        ]
    }


@route(
    "GET",
    "(?P<path>/resourceGroups/[^/]+)",
    "2021-04-01",
    "https://learn.microsoft.com/rest/api/resources/resource-groups/get",
)
@route(
    "GET",
    "(?P<path>/resourceGroups/[^/]+/providers/Microsoft.Storage/storageAccounts/[^/]+)",
    "2023-05-01",
    "https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties",
)
@route(
    "GET",
    "(?P<path>/resourceGroups/[^/]+/providers/Microsoft.EventHub/namespaces/[^/]+)",
    "2024-01-01",
    "https://learn.microsoft.com/rest/api/eventhub/controlplane-stable/namespaces/get",
)
@route(
    "GET",
    "(?P<path>/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+(?:/"
    "subnets/[^/]+)?)",
    "2024-05-01",
    "https://learn.microsoft.com/rest/api/virtualnetwork/virtual-networks/get",
)
def resource(found: Subscription, matched: re.Match[str], *_: object) -> Json:
    """Return a resource group, or a resource of one."""
    there = found.resources.get(matched["path"].lower())
    if there is None:
        raise Refusal(404, "ResourceNotFound", f"The Resource {matched['path']} was not found.")
    return there
