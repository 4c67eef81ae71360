"""Clusters (reference page *Clusters*).

Names need not be unique, so that a repeated request makes a second cluster.
"""

from __future__ import annotations

from databricks.sdk.service import compute

from .permissions import owned
from .policies import check_policy
from .pools import check_pool
from .refusals import Refusal, invalid
from .routes import Request, page_of, serves
from .state import Json, State, now

VERSIONS = {
    "15.4.x-scala2.12": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
    "16.4.x-scala2.12": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)",
    "17.3.x-scala2.13": "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)",
}
MOST_TAGS = 45
NODES = {
    "Standard_D4ds_v5": (16384, 4.0),
    "Standard_D8ds_v5": (32768, 8.0),
    "Standard_DS3_v2": (14336, 4.0),
    "Standard_F4s": (8192, 4.0),
    "Standard_F8": (16384, 8.0),
}


def check_spec(state: State, spec: Json, where: str = "") -> None:
    """Refuse a cluster without a size or with two, of a version, node type, pool or policy that
    there is not, or against what those say.
    """
    if (
        spec.get("num_workers") is None
        and not spec.get("autoscale")
        and not spec.get("is_single_node")
    ):
        raise invalid(f"Cluster validation error: Missing required field: {where}size")
    if spec.get("autoscale") and spec.get("num_workers") is not None:
        raise invalid(
            "Cluster validation error: Only one of num_workers and autoscale can be specified"
        )
    if spec.get("is_single_node") and (
        spec.get("kind") != "CLASSIC_PREVIEW" or spec.get("num_workers") or spec.get("autoscale")
    ):
        raise invalid(
            "Cluster validation error: is_single_node can only be used with kind "
            "CLASSIC_PREVIEW, and without workers"
        )
    if spec.get("spark_version") not in VERSIONS:
        raise invalid(
            f"Cluster validation error: Invalid spark version {spec.get('spark_version')}."
        )
    if not spec.get("node_type_id") and not spec.get("instance_pool_id"):
        raise invalid(f"Cluster validation error: Missing required field: {where}node_type_id")
    for key in ("node_type_id", "driver_node_type_id"):
        if spec.get(key) and spec[key] not in NODES:
            raise invalid(f"Cluster validation error: Node type {spec[key]} is not supported.")
    scale = spec.get("autoscale")
    if scale and scale.get("min_workers", 0) > scale.get("max_workers", 0):
        raise invalid(
            "Cluster validation error: autoscale.min_workers is larger than autoscale.max_workers"
        )
    if len(spec.get("custom_tags", {})) > MOST_TAGS:
        raise invalid(f"Cluster validation error: at most {MOST_TAGS} custom tags are allowed")
    check_pool(state, spec)
    check_policy(state, spec)


def with_defaults(spec: Json, identity: str, caller: str) -> Json:
    """Return a cluster as the service keeps it, with what it adds."""
    single = (
        {"single_user_name": caller}
        if spec.get("data_security_mode") in ("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED")
        else {}
    )
    azure = {
        "first_on_demand": 1,
        "availability": "ON_DEMAND_AZURE",
        "spot_bid_max_price": -1.0,
        **spec.get("azure_attributes", {}),
    }
    return {
        "driver_node_type_id": spec.get("node_type_id"),
        "enable_elastic_disk": True,
        "autotermination_minutes": 0,
        "cluster_name": "",
        **single,
        **{key: value for key, value in spec.items() if key != "apply_policy_default_values"},
        "azure_attributes": azure,
        "cluster_id": identity,
        "creator_user_name": caller,
        "cluster_source": "API",
        "spec": {key: value for key, value in spec.items() if key != "cluster_id"},
        "default_tags": {
            "Vendor": "Databricks",
            "Creator": caller,
            "ClusterName": spec.get("cluster_name", ""),
            "ClusterId": identity,
        },
    }


def cluster(state: State, identity: str) -> Json:
    """Return a cluster.

    The service answers 400 for one that is not there, and the SDK makes that a
    ResourceDoesNotExist.
    """
    if identity not in state.clusters:
        raise invalid(f"Cluster {identity} does not exist")
    return state.clusters[identity]


def need_state(found: Json, *states: str) -> None:
    """Refuse what a cluster does only in some states."""
    if found["state"] not in states:
        raise Refusal(
            400,
            "INVALID_STATE",
            f"Cluster {found['cluster_id']} is in unexpected state {found['state'].capitalize()}.",
        )


def starts(state: State, found: Json) -> None:
    """Let a cluster start; it runs after as many polls as the settings say."""
    found.update(state="PENDING", state_message="Starting Spark", start_time=now())
    state.polls.pop(f"cluster {found['cluster_id']}", None)


@serves(compute.ClustersAPI.create, "workspace/clusters/create")
def create_cluster(state: State, request: Request) -> Json:
    """Make one, and start it."""
    check_spec(state, request.body)
    number = state.next_id()
    identity = f"1123-{number:06d}-{number:08x}"
    state.clusters[identity] = with_defaults(request.body, identity, request.caller)
    starts(state, state.clusters[identity])
    owned(state, "clusters", identity, request.caller)
    return {"cluster_id": identity}


@serves(compute.ClustersAPI.get, "workspace/clusters/get")
def get_cluster(state: State, request: Request) -> Json:
    """Return one, which may have come up since it was last asked for."""
    found = cluster(state, request["cluster_id"])
    if (
        found["state"] in ("PENDING", "RESTARTING")
        and state.polled(f"cluster {request['cluster_id']}") >= state.settings.cluster_polls
    ):
        found.update(state="RUNNING", state_message="")
    return found


@serves(compute.ClustersAPI.list, "workspace/clusters/list")
def list_clusters(state: State, request: Request) -> Json:
    """Return a page of the clusters, those that were made last first."""
    return page_of(state, request, list(reversed(state.clusters.values())), "clusters", "page_size")


@serves(compute.ClustersAPI.edit, "workspace/clusters/edit")
def edit_cluster(state: State, request: Request) -> None:
    """Replace the specification of one that runs, which restarts it, or that is terminated."""
    found = cluster(state, request["cluster_id"])
    need_state(found, "RUNNING", "TERMINATED")
    check_spec(state, request.body)
    was, creator = found["state"], found["creator_user_name"]
    made = {
        **with_defaults(request.body, request["cluster_id"], creator),
        "state": "TERMINATED",
        "state_message": "",
    }
    state.clusters[request["cluster_id"]] = made
    if was == "RUNNING":
        starts(state, made)
        made["state"] = "RESTARTING"


@serves(compute.ClustersAPI.start, "workspace/clusters/start")
def start_cluster(state: State, request: Request) -> None:
    """Start one that is terminated."""
    found = cluster(state, request["cluster_id"])
    need_state(found, "TERMINATED")
    starts(state, found)


@serves(compute.ClustersAPI.delete, "workspace/clusters/delete")
def terminate_cluster(state: State, request: Request) -> None:
    """Terminate one; it stays in the list."""
    cluster(state, request["cluster_id"]).update(
        state="TERMINATED",
        terminated_time=now(),
        termination_reason={
            "code": "USER_REQUEST",
            "type": "SUCCESS",
            "parameters": {"username": request.caller},
        },
    )


@serves(compute.ClustersAPI.permanent_delete, "workspace/clusters/permanentdelete")
def delete_cluster(state: State, request: Request) -> None:
    """Delete one for good."""
    cluster(state, request["cluster_id"])
    del state.clusters[request["cluster_id"]]


@serves(compute.ClustersAPI.spark_versions, "workspace/clusters/sparkversions")
def spark_versions(state: State, request: Request) -> Json:
    """Return the versions of the runtime that there are here."""
    return {"versions": [{"key": key, "name": name} for key, name in VERSIONS.items()]}


@serves(compute.ClustersAPI.list_node_types, "workspace/clusters/listnodetypes")
def node_types(state: State, request: Request) -> Json:
    """Return the types of nodes that there are here."""
    return {
        "node_types": [
            {
                "node_type_id": key,
                "memory_mb": memory,
                "num_cores": cores,
                "description": key,
                "instance_type_id": key,
                "category": "General Purpose",
            }
            for key, (memory, cores) in NODES.items()
        ]
    }
