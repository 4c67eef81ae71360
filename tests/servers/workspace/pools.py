"""Pools of machines (reference page *Instance Pools*), and what a cluster on one may say (*Pool
configuration reference*).
"""

from __future__ import annotations

from databricks.sdk.service import compute

from .refusals import invalid
from .routes import Request, serves
from .state import Json, State

OF_POOL = ("node_type_id", "driver_node_type_id", "azure_attributes")


@serves(compute.InstancePoolsAPI.create, "workspace/instancepools/create")
def create_pool(state: State, request: Request) -> Json:
    """Make one; names are unique."""
    name = request["instance_pool_name"]
    if not 1 <= len(name) <= 100 or any(
        item["instance_pool_name"] == name for item in state.pools.values()
    ):
        raise invalid(f"Instance pool name must be unique and have 1 to 100 characters: {name}")
    number = state.next_id()
    identity = f"1123-{number:06d}-brick{number}-pool-{number:08x}"
    state.pools[identity] = {
        "min_idle_instances": 0,
        "idle_instance_autotermination_minutes": 60,
        **request.body,
        "instance_pool_id": identity,
        "state": "ACTIVE",
    }
    return {"instance_pool_id": identity}


@serves(compute.InstancePoolsAPI.list, "workspace/instancepools/list")
def list_pools(state: State, request: Request) -> Json:
    """Return all of them; the list has no pages."""
    return {"instance_pools": list(state.pools.values())} if state.pools else {}


def check_pool(state: State, spec: Json) -> None:
    """Refuse a pool that is not there, and what a pool says for its clusters."""
    for key in ("instance_pool_id", "driver_instance_pool_id"):
        if spec.get(key) and spec[key] not in state.pools:
            raise invalid(
                f"Cluster validation error: Can't find an instance pool with id: {spec[key]}."
            )
    if spec.get("driver_instance_pool_id") and not spec.get("instance_pool_id"):
        raise invalid(
            "Cluster validation error: driver_instance_pool_id requires instance_pool_id."
        )
    for key in OF_POOL if spec.get("instance_pool_id") else ():
        if spec.get(key):
            raise invalid(
                f"Cluster validation error: The field '{key}' cannot be supplied when an "
                "instance pool ID is provided."
            )
