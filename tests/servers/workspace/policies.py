"""Cluster policies (reference page *Cluster Policies*), and what they refuse of a cluster (*Compute
policy reference*).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from databricks.sdk.service import compute

from .refusals import invalid
from .routes import Request, serves
from .state import Json, State

TYPES = ("fixed", "forbidden", "allowlist", "blocklist", "regex", "range", "unlimited")


@serves(compute.ClusterPoliciesAPI.create, "workspace/clusterpolicies/create")
def create_policy(state: State, request: Request) -> Json:
    """Make one; names are unique, and a definition has rules of known types."""
    name, definition = request["name"] or "", request["definition"] or "{}"
    if not 1 <= len(name) <= 100 or any(item["name"] == name for item in state.policies.values()):
        raise invalid(f"Cluster policy name must be unique and have 1 to 100 characters: {name}")
    for path, rule in json.loads(definition).items():
        if rule.get("type") not in TYPES:
            raise invalid(f"Validation failed for {path}: unknown policy type {rule.get('type')}")
    identity = f"{state.next_id():016X}"
    state.policies[identity] = {
        **request.body,
        "policy_id": identity,
        "creator_user_name": request.caller,
        "is_default": False,
    }
    return {"policy_id": identity}


@serves(compute.ClusterPoliciesAPI.list, "workspace/clusterpolicies/list")
def list_policies(state: State, request: Request) -> Json:
    """Return all of them; the list has no pages."""
    return {"policies": list(state.policies.values())} if state.policies else {}


def values_of(spec: Json, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a cluster by the paths that policies use."""
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from values_of(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def check_policy(state: State, spec: Json) -> None:
    """Refuse a policy that is not there, and a cluster that is not as it wants.

    What it fixes need not be said.
    """
    identity = spec.get("policy_id")
    if not identity:
        return
    if identity not in state.policies:
        raise invalid(f"Cluster policy {identity} does not exist")
    said = dict(values_of(spec))
    for path, rule in json.loads(state.policies[identity].get("definition") or "{}").items():
        value = said.get(path)
        if value is None:
            if rule["type"] in ("allowlist", "blocklist", "regex", "range") and not rule.get(
                "isOptional"
            ):
                raise invalid(f"Validation failed for {path}, the value must be present")
        elif problem := broken(rule, value):
            raise invalid(f'Validation failed for {path}, {problem} (is "{value}")')


def broken(rule: Json, value: Any) -> str:
    """Return what a rule wants that a value is not; empty where it is."""
    low, high = rule.get("minValue", float("-inf")), rule.get("maxValue", float("inf"))
    wants = {
        "fixed": (value == rule.get("value"), f"the value must be {rule.get('value')}"),
        "forbidden": (False, "the value must not be present"),
        "allowlist": (
            value in rule.get("values", ()),
            f"the value must be one of {rule.get('values')}",
        ),
        "blocklist": (
            value not in rule.get("values", ()),
            f"the value must not be one of {rule.get('values')}",
        ),
        "regex": (
            re.fullmatch(rule.get("pattern", ""), str(value)) is not None,
            f"the value must match {rule.get('pattern')}",
        ),
        "range": (
            isinstance(value, int | float) and low <= value <= high,
            f"the value must be from {low} to {high}",
        ),
        "unlimited": (True, ""),
    }
    is_met, words = wants[rule["type"]]
    return "" if is_met else words
