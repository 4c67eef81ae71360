"""What jobs run on.

Judged where it is written, said once for jobs, bundles and one-time runs, and taken by Databricks'
own classes and by the test workspace.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import ClusterPoliciesAPI, ClusterSpec, InstancePoolsAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from workspace.clusters import NODES, check_spec
from workspace.server import Workspace as Server
from workspace.state import State

from datamaster_kit.contract.compute import (
    COMPUTE_KINDS,
    RESERVED_TAGS,
    compute_problems,
    exclusive_key_problems,
    merge_compute,
    missing_key_problems,
)
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint_file
from datamaster_kit.contract.model import Contract, Workflow
from datamaster_kit.contract.read import read_contract
from datamaster_kit.contract.workflow import build_workflow_mapping, read_workflow
from datamaster_kit.deliver.bundle.jobs import project_bundle_files
from datamaster_kit.deliver.delivery import (
    Delivery,
    apply_delivery,
    observe_delivery,
    plan_delivery,
)
from datamaster_kit.deliver.one_time_runs import command_request
from datamaster_kit.deliver.settings import Release, compute_for, new_cluster
from datamaster_kit.deliver.submission import make_release
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.project.sections import CLUSTER_KEYS, Jobs
from datamaster_kit.project.shape import shape_findings

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT, names("risk", "risk"))
POOL, POLICY = "0101-120000-brick1-pool-ABCD1234", "C9600F6F72000008"
BAD = """{kind: job_cluster, node_types: Standard_F8,
    workers: {min: 8, max: 2},
    photon: yes please,
    runtime: 16.4.x-scala2.12,
    pool: small,
    node_type: Standard_F8,
    policy: ,
    tags: {env: prod},
    spark_conf: {spark.sql.ansi.enabled: false,
      spark.sql.shuffle.partitions: "{{secrets/a/b}}"}}"""
PLACES = (
    "node_types",
    "workers",
    "photon",
    "runtime",
    "node_type",
    "policy",
    "tags.env",
    "spark_conf['spark.sql.ansi.enabled']",
    "spark_conf['spark.sql.shuffle.partitions']",
)


def test_every_fault_of_a_contracts_compute_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    dcs, odcs = tmp_path / "a.yaml", tmp_path / "b.yaml"
    dcs.write_text(
        f"dataContractSpecification: 1.1.0\nid: urn:a\ninfo: {{title: A, version: 1.0.0}}\n"
        f"models: {{a: {{fields: {{id: {{type: long}}}}}}}}\nworkflow:\n  compute: {BAD}\n",
        encoding="utf-8",
    )
    odcs.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: urn:a\nversion: 1.0.0\nstatus: active\n"
        "schema: [{name: a, logicalType: object, properties: [{name: id, logicalType: "
        "integer}]}]\n"
        f"customProperties:\n- property: workflow\n  value:\n    compute: {BAD}\n",
        encoding="utf-8",
    )
    for file, root, first in (
        (dcs, "$.workflow.compute", 6),
        (odcs, "$.customProperties[0].value.compute", 10),
    ):
        faults = [fault for fault in lint_file(file) if fault.code == "compute-broken"]
        assert {fault.path for fault in faults} == {f"{root}.{place}" for place in PLACES} and all(
            fault.hint and fault.file for fault in faults
        )
        assert {fault.line - first for fault in faults} == {0, 1, 2, 3, 5, 6, 7, 8, 9}
        with pytest.raises(BadInput, match="of release 17 or later"):
            read_contract(file)


@pytest.mark.parametrize(
    ("said", "path", "words"),
    [
        ("servreless", "$.workflow.compute", "did you mean 'serverless'"),
        ("[serverless]", "$.workflow.compute", "no mapping of keys"),
        ("7", "$.workflow.compute", "no mapping of keys"),
        ("{kind: serverless, workers: 2}", "$.workflow.compute.workers", "the kind is serverless"),
        (
            "{kind: existing_cluster, photon: true}",
            "$.workflow.compute.photon",
            "the kind is existing_cluster",
        ),
        ("{tags: [a]}", "$.workflow.compute.tags", "not a mapping of names"),
        ("{workers: 0, spot: true}", "$.workflow.compute.spot", "a single node has no workers"),
        ("{photon: true, kind: [job_cluster]}", "$.workflow.compute.kind", "is not one of"),
        (
            "{driver_pool: a, node_type: Standard_F8}",
            "$.workflow.compute.driver_pool",
            "goes with one for the workers",
        ),
        ("{1: a}", "$.workflow.compute['1']", "unknown key"),
    ],
)
def test_what_a_contract_cannot_say_is_told_alone(
    tmp_path: Path, said: str, path: str, words: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        f"dataContractSpecification: 1.1.0\nid: urn:a\ninfo: {{title: A, version: 1.0.0}}\n"
        f"models: {{a: {{fields: {{id: {{type: long}}}}}}}}\nworkflow: {{compute: {said}}}\n",
        encoding="utf-8",
    )
    (fault,) = [fault for fault in lint_file(file) if fault.severity == "error"]
    assert (
        fault.code == "compute-broken"
        and words in str(fault)
        and (fault.line, fault.path) == (5, path)
    )


@pytest.mark.parametrize(
    "said",
    [
        *COMPUTE_KINDS,
        {"workers": 4},
        {"kind": "job_cluster", "workers": {"min": 1, "max": 2}, "pool": "a"},
        {},
    ],
)
def test_what_a_contract_says_is_written_as_it_was_read(said: Any) -> None:
    workflow = read_workflow({"compute": said})
    assert (
        read_workflow(build_workflow_mapping(workflow)) == workflow
        and build_workflow_mapping(workflow).get("compute", {}) == said
        and not workflow.properties
    )


# Any compute that lint takes.
WORDS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
SIZES = st.sampled_from(sorted(name for name in NODES if name.startswith("Standard_")))
LAYERS = st.fixed_dictionaries(
    {},
    optional={
        "node_type": SIZES,
        "driver_node_type": SIZES,
        "workers": st.integers(0, 9)
        | st.tuples(st.integers(1, 4), st.integers(4, 9)).map(
            lambda pair: {"min": pair[0], "max": pair[1]}
        ),
        "photon": st.booleans(),
        "runtime": st.just("17.3.x-scala2.13"),
        "policy": st.just(POLICY),
        "pool": st.just(POOL),
        "driver_pool": st.just(POOL),
        "spot": st.booleans(),
        "spark_conf": st.dictionaries(
            st.sampled_from(["spark.sql.shuffle.partitions", "spark.speculation"]),
            st.integers(0, 9) | st.booleans() | WORDS,
        ),
        "tags": st.dictionaries(
            WORDS.filter(lambda name: name not in RESERVED_TAGS), WORDS | st.integers(), max_size=3
        ),
    },
)


def is_sound(said: dict[str, Any]) -> bool:
    """Nothing is wrong with a layer as a contract's, nor, as the forms are one, as the
    project's.
    """
    problems, found = (
        list(compute_problems(said)),
        [*shape_findings(said, CLUSTER_KEYS, ("jobs", "cluster"))],
    )
    assert len(problems) == len(found) + len(list(exclusive_key_problems(said)))
    return not problems


@settings(max_examples=300, deadline=None)
@given(LAYERS.filter(is_sound), LAYERS.filter(is_sound))
def test_what_is_taken_is_what_databricks_classes_hold_and_what_the_service_takes(
    project: dict[str, Any], own: dict[str, Any]
) -> None:
    from databricks.bundles.jobs import JobCluster

    said = merge_compute(project, own)
    problems = [*exclusive_key_problems(said), *missing_key_problems(said)]
    described, contract = (
        replace(PROJECT, jobs=Jobs(cluster=project)),
        Contract("urn:a", workflow=Workflow(compute=own)),
    )
    if problems:
        with pytest.raises(BadInput) as raised:
            compute_for(described, contract)
        assert len(raised.value.faults) == len(problems)
        return
    made = new_cluster(compute_for(described, contract), Release("production", "/Volumes/v"))
    assert ClusterSpec.from_dict(made).as_dict() == made
    bundled = {"job_cluster_key": "a", "new_cluster": made}
    assert JobCluster.from_dict(bundled).as_dict() == bundled
    state = State(pools={POOL: {}}, policies={POLICY: {"definition": "{}"}})
    check_spec(state, made)
    assert bool(made.get("is_single_node")) == (said.get("workers", 0) == 0)


def prepared(server: Server) -> WorkspaceClient:
    """Give a workspace what jobs need, two pools and a policy, and return the administrator's
    client.
    """
    from test_deliver import prepared as with_volume

    client = with_volume(server)
    for name in ("small nodes", "large nodes"):
        client.instance_pools.create(name, "Standard_D4ds_v5")
    rules = {
        "custom_tags.team": {"type": "fixed", "value": "risk"},
        "autoscale.max_workers": {"type": "range", "maxValue": 10, "isOptional": True},
    }
    client.cluster_policies.create(name="Job Compute", definition=json.dumps(rules))
    return client


@pytest.fixture
def client(server: Server) -> WorkspaceClient:
    """The administrator's client of a prepared workspace."""
    return prepared(server)


HEAVY = {
    "workers": {"min": 1, "max": 8},
    "driver_node_type": "Standard_D8ds_v5",
    "photon": True,
    "spot": True,
    "policy": "Job Compute",
    "spark_conf": {"spark.sql.shuffle.partitions": 64},
    "tags": {"team": "risk"},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The sample project, on a cluster that scales."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    said = {
        "domain": "risk",
        "catalog": "risk",
        "targets": {"production": {"host": "https://adb-1.1.azuredatabricks.net"}},
        "unity": {"service_principal": "00000000-0000-4000-8000-00000000aaaa"},
        "jobs": {"cluster": HEAVY},
    }
    (tmp_path / "datamaster.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return read_project(tmp_path)


def with_compute(project: Project, **compute: Any) -> tuple[Contract, ...]:
    """Return the project's contracts, of which one says its own compute by its first model's
    name.
    """
    return tuple(
        replace(
            contract,
            workflow=replace(
                contract.workflow or Workflow(), compute=compute[contract.models[0].name]
            ),
        )
        if contract.models[0].name in compute
        else contract
        for contract in read_contracts(project)
    )


def applied(project: Project, client: WorkspaceClient, contracts: tuple[Contract, ...]) -> Delivery:
    """Apply, and see that a second apply would change nothing."""
    delivery = observe_delivery(project, "production", contracts, client)
    apply_delivery(delivery, plan_delivery(delivery))
    again = observe_delivery(project, "production", contracts, client)
    assert plan_delivery(again).is_empty
    return again


def cluster_of_job(client: WorkspaceClient, name: str) -> dict[str, Any]:
    """Return the job cluster of the one job of a name, as the service keeps it."""
    (found,) = client.jobs.list(name=name, expand_tasks=True)
    assert found.settings and found.settings.job_clusters
    return found.settings.job_clusters[0].new_cluster.as_dict()


def test_a_cluster_is_that_of_the_project_and_a_second_apply_changes_nothing(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    applied(project, client, read_contracts(project))
    made = cluster_of_job(client, "ingest-risk-account")
    (policy,) = client.cluster_policies.list()
    assert (
        made["autoscale"] == {"min_workers": 1, "max_workers": 8}
        and made["runtime_engine"] == "PHOTON"
        and made["policy_id"] == policy.policy_id
        and "num_workers" not in made
    )
    assert made["azure_attributes"] == {
        "first_on_demand": 1,
        "availability": "SPOT_WITH_FALLBACK_AZURE",
    } and made["spark_conf"] == {"spark.sql.shuffle.partitions": "64"}
    assert made["custom_tags"] == {**project.resource_tags, "team": "risk"} and (
        made["node_type_id"],
        made["driver_node_type_id"],
    ) == ("Standard_D4ds_v5", "Standard_D8ds_v5")
    server.forget_calls()
    observe_delivery(project, "production", read_contracts(project), client)
    assert server.count(ClusterPoliciesAPI.list) == 1 and server.count(InstancePoolsAPI.list) == 0


def test_what_is_not_said_any_more_is_gone_and_the_job_is_the_same(
    project: Project, client: WorkspaceClient
) -> None:
    contracts = read_contracts(project)
    applied(project, client, contracts)
    before = {item.settings.name: item.job_id for item in client.jobs.list() if item.settings}
    applied(replace(project, jobs=Jobs()), client, contracts)
    assert {
        item.settings.name: item.job_id for item in client.jobs.list() if item.settings
    } == before
    usual = {
        "spark_version",
        "node_type_id",
        "is_single_node",
        "kind",
        "data_security_mode",
        "custom_tags",
    }
    assert set(cluster_of_job(client, "ingest-risk-account")) == usual


def test_a_contract_says_its_own_and_the_others_have_the_projects(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    first, second, *_ = [
        contract.models[0].name for contract in read_contracts(project) if contract.ingested_models
    ]
    contracts = with_compute(
        project,
        **{
            first: {"pool": "small nodes", "driver_pool": "large nodes"},
            second: {"kind": "serverless"},
        },
    )
    delivery = applied(project, client, contracts)
    pools = {
        item.instance_pool_name: item.instance_pool_id for item in client.instance_pools.list()
    }
    made = cluster_of_job(client, f"ingest-risk-{first}")
    assert (made["instance_pool_id"], made["driver_instance_pool_id"]) == (
        pools["small nodes"],
        pools["large nodes"],
    ) and not {"node_type_id", "driver_node_type_id", "azure_attributes"} & set(made)
    by_name = {job.name: job.settings for job in delivery.jobs}
    assert (
        by_name[f"ingest-risk-{second}"]["environments"]
        and by_name[f"ingest-risk-{second}"]["job_clusters"] is None
    )
    others = [job for name, job in by_name.items() if not name.endswith((first, second))]
    assert others and all(
        job["job_clusters"][0]["new_cluster"]["runtime_engine"] == "PHOTON" for job in others
    )
    server.forget_calls()
    observe_delivery(project, "production", contracts, client)
    assert (server.count(ClusterPoliciesAPI.list), server.count(InstancePoolsAPI.list)) == (1, 1)


def test_one_contract_on_the_projects_cluster_needs_it_and_runs_as_its_user(
    project: Project, client: WorkspaceClient
) -> None:
    first = next(
        contract.models[0].name for contract in read_contracts(project) if contract.ingested_models
    )
    contracts = with_compute(project, **{first: {"kind": "existing_cluster"}})
    with pytest.raises(BadInput, match="no cluster"):
        observe_delivery(project, "production", contracts, client)
    client.clusters.create(
        "17.3.x-scala2.13",
        cluster_name=project.names.cluster,
        node_type_id="Standard_D4ds_v5",
        num_workers=1,
        single_user_name="admin@example.com",
    )
    by_name = {job.name: job.settings for job in applied(project, client, contracts).jobs}
    runs_as = {name: job["run_as"] for name, job in by_name.items()}
    assert runs_as.pop(f"ingest-risk-{first}") == {"user_name": "admin@example.com"} and {
        "user_name": "admin@example.com"
    } not in [runs_as[name] for name in runs_as if not name.endswith(first)]


def test_what_the_workspace_has_not_is_told_with_all_else_before_anything_is_done(
    project: Project, client: WorkspaceClient
) -> None:
    first, second, *_ = [
        contract.models[0].name for contract in read_contracts(project) if contract.ingested_models
    ]
    contracts = with_compute(
        project,
        **{
            first: {"pool": "small node"},
            second: {"pool": "small nodes", "spot": True, "workers": 1},
        },
    )
    lacking = replace(
        project, jobs=replace(project.jobs, cluster={**HEAVY, "policy": "Job Compte"})
    )
    with pytest.raises(BadInput) as raised:
        observe_delivery(lacking, "production", contracts, client)
    told = {(fault.code, fault.path) for fault in raised.value.faults}
    assert {
        ("no-such-pool", "workflow.compute.pool"),
        ("no-such-policy", "jobs.cluster.policy"),
        ("job-setting", "workflow.compute.spot"),
    } <= told
    hints = {fault.code: fault.hint for fault in raised.value.faults}
    assert (
        "small nodes" in hints["no-such-pool"]
        and "Job Compute" in hints["no-such-policy"]
        and all(fault.file for fault in raised.value.faults)
    )
    assert not list(client.jobs.list())
    with pytest.raises(BadInput, match="no policy 'Job Compte'"):
        make_release(client, lacking, "production", read_contracts(lacking))


def test_an_id_is_taken_as_it_is_and_nothing_is_asked(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    (policy,) = client.cluster_policies.list()
    pool = next(
        item.instance_pool_id
        for item in client.instance_pools.list()
        if item.instance_pool_name == "small nodes"
    )
    said = replace(
        project,
        jobs=Jobs(
            cluster={
                "pool": pool,
                "policy": policy.policy_id,
                "workers": 2,
                "tags": {"team": "risk"},
            }
        ),
    )
    server.forget_calls()
    applied(said, client, read_contracts(said))
    assert (server.count(ClusterPoliciesAPI.list), server.count(InstancePoolsAPI.list)) == (0, 0)
    made = cluster_of_job(client, "ingest-risk-account")
    assert (made["instance_pool_id"], made["policy_id"], made["num_workers"]) == (
        pool,
        policy.policy_id,
        2,
    )


def test_a_bundle_says_the_same_and_looks_names_up(
    project: Project, client: WorkspaceClient
) -> None:
    from databricks.bundles.jobs import Job

    first = next(
        contract.models[0].name for contract in read_contracts(project) if contract.ingested_models
    )
    contracts = with_compute(project, **{first: {"pool": "small nodes", "policy": POLICY}})
    files = project_bundle_files(project, contracts)
    variables = yaml.safe_load(files["databricks.yml"])["variables"]
    assert {name: said["lookup"] for name, said in variables.items() if "lookup" in said} == {
        "pool_small_nodes": {"instance_pool": "small nodes"},
        "policy_Job_Compute": {"cluster_policy": "Job Compute"},
    }
    ids = {
        "${var.pool_small_nodes}": next(
            item.instance_pool_id
            for item in client.instance_pools.list()
            if item.instance_pool_name == "small nodes"
        ),
        "${var.policy_Job_Compute}": next(
            item.policy_id for item in client.cluster_policies.list()
        ),
    }
    found = yaml.safe_load(files["resources/jobs.yml"])["resources"]["jobs"]
    delivered = {
        job.name: job.settings
        for job in observe_delivery(project, "production", contracts, client).jobs
    }
    assert delivered.keys() == {said["name"] for said in found.values()}
    for said in found.values():
        Job.from_dict(said)
        clusters = json.loads(
            json.dumps(said["job_clusters"]),
            object_hook=lambda item: {
                key: ids.get(value, value) if isinstance(value, str) else value
                for key, value in item.items()
            },
        )
        assert clusters == delivered[said["name"]]["job_clusters"]


def test_a_one_time_run_has_the_projects_cluster(project: Project, client: WorkspaceClient) -> None:
    contracts = with_compute(project, account={"kind": "serverless"})
    release = make_release(client, project, "production", contracts)
    asked = command_request(project, release, ["ingest", "run"], contracts, "4711")
    (task,) = asked["tasks"]
    (policy,) = client.cluster_policies.list()
    assert (
        task["new_cluster"] == new_cluster(compute_for(project), release)
        and task["new_cluster"]["policy_id"] == policy.policy_id
    )
    run = client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=asked)
    assert run["run_id"]


def test_a_workflow_as_the_documentation_has_it_is_taken_without_a_word(tmp_path: Path) -> None:
    shown = (
        (ROOT / "docs" / "deliver.md")
        .read_text(encoding="utf-8")
        .split("```yaml\n")[1]
        .split("```")[0]
    )
    (tmp_path / "a.yaml").write_text(
        f"dataContractSpecification: 1.1.0\nid: urn:a\ninfo: {{title: A, version: 1.0.0}}\n"
        f"models: {{a: {{fields: {{id: {{type: long}}}}}}}}\n{shown}",
        encoding="utf-8",
    )
    assert (
        not lint_file(tmp_path / "a.yaml")
        and "compute: serverless" in shown
        and "timeout:" in shown
    )


def test_the_documentation_names_every_key() -> None:
    told = (ROOT / "docs" / "project.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in told for key in CLUSTER_KEYS.of), "docs/project.md, compute"
