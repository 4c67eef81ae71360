"""SQL warehouses (reference page *SQL Warehouses*)."""

from __future__ import annotations

from databricks.sdk.service import sql

from .refusals import absent, exists, invalid
from .routes import Request, page_of, serves
from .state import Json, State, new_uuid

SIZES = (
    "2X-Small",
    "X-Small",
    "Small",
    "Medium",
    "Large",
    "X-Large",
    "2X-Large",
    "3X-Large",
    "4X-Large",
    "5X-Large",
)


def warehouse(state: State, identity: str) -> Json:
    """Return a warehouse, which may have come up since it was last asked for."""
    found = state.warehouses.get(identity)
    if not found:
        raise absent(f"SQL warehouse {identity} does not exist")
    if (
        found["state"] == "STARTING"
        and state.polled(f"warehouse {identity}") >= state.settings.warehouse_polls
    ):
        found["state"] = "RUNNING"
    return found


@serves(sql.WarehousesAPI.create, "workspace/warehouses/create")
def create_warehouse(state: State, request: Request) -> Json:
    """Make one, and start it; names are unique, though case counts not."""
    name = request.body.get("name") or ""
    if not name:
        raise invalid("Endpoint name must be set")
    if any(item["name"].lower() == name.lower() for item in state.warehouses.values()):
        raise exists(f"SQL warehouse with name `{name}` already exists")
    if request.body.get("cluster_size") not in SIZES:
        raise invalid(
            f"{request.body.get('cluster_size')} is not a supported cluster size: "
            f"{', '.join(SIZES)}"
        )
    identity = new_uuid().replace("-", "")[:16]
    state.warehouses[identity] = {
        "auto_stop_mins": 120,
        "min_num_clusters": 1,
        "max_num_clusters": 1,
        "enable_photon": True,
        "warehouse_type": "CLASSIC",
        **request.body,
        "id": identity,
        "state": "STARTING",
        "creator_name": request.caller,
    }
    return {"id": identity}


@serves(sql.WarehousesAPI.list, "workspace/warehouses/list")
def list_warehouses(state: State, request: Request) -> Json:
    """Return a page of them."""
    return page_of(state, request, list(state.warehouses.values()), "warehouses", "page_size")


@serves(sql.WarehousesAPI.get, "workspace/warehouses/get")
def get_warehouse(state: State, request: Request) -> Json:
    """Return one."""
    return warehouse(state, request["id"])


@serves(sql.WarehousesAPI.edit, "workspace/warehouses/edit")
def edit_warehouse(state: State, request: Request) -> None:
    """Change one."""
    warehouse(state, request["id"]).update(
        {key: value for key, value in request.body.items() if key != "id"}
    )


@serves(sql.WarehousesAPI.start, "workspace/warehouses/start")
def start_warehouse(state: State, request: Request) -> None:
    """Start one that is stopped."""
    found = warehouse(state, request["id"])
    if found["state"] in ("STOPPED", "STOPPING"):
        found["state"] = "STARTING"
        state.polls.pop(f"warehouse {request['id']}", None)


@serves(sql.WarehousesAPI.stop, "workspace/warehouses/stop")
def stop_warehouse(state: State, request: Request) -> None:
    """Stop one."""
    warehouse(state, request["id"])["state"] = "STOPPED"


@serves(sql.WarehousesAPI.delete, "workspace/warehouses/delete")
def delete_warehouse(state: State, request: Request) -> None:
    """Delete one."""
    warehouse(state, request["id"])
    del state.warehouses[request["id"]]
