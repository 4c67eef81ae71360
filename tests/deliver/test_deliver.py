"""The jobs of contracts against a workspace.

Made, kept, renamed, run and taken away, whatever the network and other people do.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from administrator import command, datamaster
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.iam import WorkspacePermission
from databricks.sdk.service.jobs import JobSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resource_manager.server import ResourceManager
from workspace.clients import account_client, workspace_client
from workspace.faults import ALL_KINDS, Chaos, Fault
from workspace.server import Settings
from workspace.server import Workspace as Server

from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.model import (
    Contract,
    EmailNotifications,
    ServiceLevel,
    Source,
    Workflow,
)
from datamaster_kit.deliver.delivery import (
    Delivery,
    DeliveryScope,
    apply_delivery,
    delivery_to_destroy,
    observe_delivery,
    plan_delivery,
)
from datamaster_kit.deliver.job_runs import (
    find_job_id,
    find_job_ids,
    follow_run,
    read_job_states,
    read_run_faults,
    run_state,
    start_job,
)
from datamaster_kit.deliver.jobs import KEY_TAG
from datamaster_kit.deliver.new_project import (
    files_of_new_project,
    templates_folder,
    write_new_project,
)
from datamaster_kit.plan.plan import Plan
from datamaster_kit.plan.resources import ChangeOutcome
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.project.sections import Jobs
from datamaster_kit.targets.clients.management import NO_LOGIN, Management

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "00000000-0000-4000-8000-00000000aaaa"
ACCOUNT = "ingest-risk-account"


def prepared(server: Server, has_volume: bool = True) -> WorkspaceClient:
    """Give a workspace what `datamaster unity apply` gives it, as far as jobs need it, and return
    the administrator's client.
    """
    account, client = account_client(server), workspace_client(server)
    group = account.groups_v2.create(display_name="data_engineer")
    principal = account.service_principals_v2.create(
        application_id=APPLICATION, display_name="spndatamasteradmin"
    )
    for made in (group, principal):
        account.workspace_assignment.update(
            server.state.settings.workspace_id,
            int(made.id or 0),
            permissions=[WorkspacePermission.USER],
        )
    if has_volume:
        server.state.unity["metastore"][next(iter(server.state.unity["metastore"]))][
            "storage_root"
        ] = "abfss://c@acc.dfs.core.windows.net"
        client.catalogs.create("crisk")
        client.schemas.create("bronze", "crisk")
        client.volumes.create("crisk", "bronze", "volume_checkpoint_locations", VolumeType.MANAGED)
    return client


def written_project(folder: Path, host: str) -> Project:
    """Write the sample project with a workspace into a folder, and return it."""
    shutil.copytree(ROOT / "contracts", folder / "contracts", dirs_exist_ok=True)
    (folder / "datamaster.yaml").write_text(
        f"domain: risk\ncatalog: risk\ntargets:\n  production: {{host: '{host}'}}\nunity: "
        f"{{service_principal: {APPLICATION}}}\n",
        encoding="utf-8",
    )
    return read_project(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample project."""
    return written_project(
        tmp_path_factory.mktemp("project"), "https://adb-1.1.azuredatabricks.net"
    )


@pytest.fixture
def server() -> Iterator[Server]:
    """A workspace of small pages."""
    with Server(Settings(page_size=3), metastore="primary") as made:
        yield made


@pytest.fixture
def client(server: Server) -> WorkspaceClient:
    """The administrator's client of a prepared workspace."""
    return prepared(server)


def observed(
    project: Project, client: WorkspaceClient, contracts: tuple[Contract, ...] | None = None
) -> Delivery:
    """Return what should be and what is."""
    return observe_delivery(project, "production", contracts or read_contracts(project), client)


def applied(
    project: Project,
    client: WorkspaceClient,
    contracts: tuple[Contract, ...] | None = None,
    allow_delete: bool = False,
) -> Plan:
    """Observe, plan and apply once; return the plan."""
    delivery = observed(project, client, contracts)
    plan = plan_delivery(delivery, allow_delete)
    apply_delivery(delivery, plan)
    return plan


def job_named(client: WorkspaceClient, name: str) -> Any:
    """Return the one job of a name, whole."""
    [found] = client.jobs.list(name=name)
    return client.jobs.get(found.job_id or 0)


def end_state(server: Server) -> dict[str, Any]:
    """Return the jobs, the permissions on them and the files of a workspace, without ids and
    moments.
    """
    state = server.state
    return {
        "jobs": sorted(
            json.dumps(item["settings"], sort_keys=True) for item in state.jobs.values()
        ),
        "permissions": sorted(
            (
                state.jobs[int(of)]["settings"]["name"],
                sorted(json.dumps(entry, sort_keys=True) for entry in entries),
            )
            for (kind, of), entries in state.permissions.items()
            if kind == "jobs" and int(of) in state.jobs
        ),
        "files": sorted(
            (path, item.get("content", b"")) for path, item in state.volume_files.items()
        ),
    }


def calm_state(project: Project) -> dict[str, Any]:
    """Return the end state of an apply that nothing disturbs."""
    with Server(metastore="primary") as server:
        applied(project, prepared(server))
        return end_state(server)


def test_from_nothing_to_every_job_and_a_second_apply_changes_nothing(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    plan = applied(project, client)
    assert {change.action for change in plan.changes} == {"create"} and plan.changes[
        0
    ].kind == "release"
    server.forget_calls()
    delivery = observed(project, client)
    assert plan_delivery(delivery).is_empty and {method for method, _, _ in server.log} <= {
        "GET",
        "HEAD",
    }
    job = job_named(client, ACCOUNT)
    assert (
        job.settings.schedule.pause_status.value == "PAUSED"
        and job.settings.schedule.timezone_id == "America/Sao_Paulo"
    )
    assert (
        job.settings.max_concurrent_runs,
        job.settings.queue.enabled,
        job.settings.run_as.service_principal_name,
    ) == (1, True, APPLICATION)
    task = job.settings.tasks[0]
    wheel = task.libraries[0].whl
    assert task.python_wheel_task.package_name == "datamaster_kit" and wheel.startswith(
        delivery.release.folder
    )
    assert (
        task.python_wheel_task.parameters[-1]
        == f"{delivery.release.folders['contracts/account.yaml']}/datamaster.yaml"
    )
    content = client.files.download(wheel).contents
    assert content is not None and content.read(2) == b"PK"
    levels = {
        (entry.group_name, held.permission_level.value)
        for entry in client.permissions.get("jobs", str(job.job_id)).access_control_list
        for held in entry.all_permissions
    }
    assert ("data_engineer", "CAN_MANAGE_RUN") in levels


FAULTS = [
    Fault("throttled", "POST", "*", times=3, retry_after=1),
    Fault("unavailable", "*", "*", times=2),
    Fault("reset", "POST", "*/jobs/create"),
    Fault("lost", "POST", "*/jobs/create"),
    Fault("lost", "POST", "*/jobs/create", times=3),
    Fault("lost", "PUT", "*/fs/files/*", times=2),
    Fault("reset", "PUT", "*/fs/*", times=2),
    Fault("lost", "PUT", "*/fs/directories/*"),
    Fault("unavailable", "PUT", "*/fs/*", times=3),
    Fault("lost", "PUT", "*/release"),
    Fault("stale", "POST", "*/jobs/create", times=3, reads=4),
    Fault("stale", "PUT", "*/fs/*", times=4, reads=3),
]


@pytest.mark.parametrize(
    "fault",
    FAULTS,
    ids=lambda fault: f"{fault.kind}-{fault.method}-{fault.path.strip('*/')}-{fault.times}",
)
def test_each_fault_is_survived_with_the_same_end_state(
    project: Project, server: Server, client: WorkspaceClient, fault: Fault
) -> None:
    server.fail(fault)
    applied_at_last(project, client)
    assert server.faults.struck
    assert end_state(server) == calm_state(project)


CHANGES = [
    Fault("throttled", "POST", "*/jobs/update", times=3, retry_after=1),
    Fault("unavailable", "POST", "*/jobs/update", times=2),
    Fault("reset", "POST", "*/jobs/update"),
    Fault("lost", "POST", "*/jobs/update", times=2),
    Fault("stale", "POST", "*/jobs/update", reads=3),
    Fault("lost", "PATCH", "*/permissions/jobs/*"),
    Fault("lost", "POST", "*/jobs/delete"),
]


@pytest.mark.parametrize(
    "fault", CHANGES, ids=lambda fault: f"{fault.kind}-{fault.path.strip('*/')}"
)
def test_a_change_survives_each_fault_with_its_id(
    project: Project, server: Server, client: WorkspaceClient, fault: Fault
) -> None:
    applied(
        project,
        client,
        changed(
            project,
            tasks=({"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}},),
        ),
    )
    job = job_named(client, ACCOUNT)
    client.jobs.create(**job.settings.as_shallow_dict())
    plain = changed(project, tasks=())
    server.fail(fault)
    applied_at_last(project, client, plain)
    assert server.faults.struck and job_named(client, ACCOUNT).job_id == job.job_id
    assert [task.task_key for task in job_named(client, ACCOUNT).settings.tasks] == [
        f"task-{ACCOUNT}"
    ]


def applied_at_last(
    project: Project,
    client: WorkspaceClient,
    contracts: tuple[Contract, ...] | None = None,
    tries: int = 6,
) -> None:
    """Apply, with deletions of what is surplus, until the plan is empty."""
    for _ in range(tries):
        try:
            if applied(project, client, contracts, allow_delete=True).is_empty:
                return
        except (DatamasterError, OSError):
            continue
    raise AssertionError("the plan does not become empty")


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), rate=st.sampled_from([0.05, 0.15, 0.3]))
def test_any_mixture_of_faults_ends_in_the_same_state(
    project: Project, seed: int, rate: float
) -> None:
    with Server(metastore="primary") as server:
        client = prepared(server)
        server.fail(chaos=Chaos(seed, rate, ALL_KINDS))
        for _ in range(3):
            try:
                applied(project, client)
            except (DatamasterError, OSError):
                continue
        server.fail()
        applied_at_last(project, client)
        assert end_state(server) == calm_state(project)


@pytest.mark.parametrize("after", [1, 2, 4])
def test_killed_half_way_and_applied_again_the_end_state_is_the_same(
    project: Project, server: Server, client: WorkspaceClient, after: int
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    done = 0

    def report(outcome: ChangeOutcome) -> None:
        nonlocal done
        done += 1
        if done == after:
            raise Killed

    delivery = observed(project, client)
    with pytest.raises(Killed):
        apply_delivery(delivery, plan_delivery(delivery), report)
    applied_at_last(project, client)
    assert end_state(server) == calm_state(project)


def changed(project: Project, **workflow: Any) -> tuple[Contract, ...]:
    """Return the contracts, the workflow of the one about accounts changed."""
    return tuple(
        replace(item, workflow=replace(item.workflow or Workflow(), **workflow))
        if item.ingested_models[0].name == "account"
        else item
        for item in read_contracts(project)
    )


def test_a_change_keeps_the_id_and_the_runs_and_a_task_that_is_gone_is_removed(
    project: Project, client: WorkspaceClient
) -> None:
    scored = changed(
        project, tasks=({"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}},)
    )
    applied(project, client, scored)
    job = job_named(client, ACCOUNT)
    assert [task.task_key for task in job.settings.tasks] == [f"task-{ACCOUNT}", "score"]
    run = client.jobs.run_now(job.job_id).run_id
    plan = applied(project, client, changed(project, tasks=()))
    assert [(change.action, change.name) for change in plan.pending] == [("update", ACCOUNT)]
    same = job_named(client, ACCOUNT)
    assert same.job_id == job.job_id and [task.task_key for task in same.settings.tasks] == [
        f"task-{ACCOUNT}"
    ]
    assert [item.run_id for item in client.jobs.list_runs(job_id=job.job_id)] == [run]


def test_one_contracts_change_updates_its_own_jobs_only(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    project = written_project(tmp_path, server.host)
    (tmp_path / "contracts" / "parts").mkdir()
    parts, borrower = (
        tmp_path / "contracts" / "parts" / "id.yaml",
        tmp_path / "contracts" / "borrower.yaml",
    )
    parts.write_text("id: {type: long}\n", encoding="utf-8")
    borrower.write_text(
        "dataContractSpecification: 1.1.0\nid: urn:borrower\ninfo: {title: B, version: "
        "1.0.0}\nmodels: {loan: {fields: {id: {$ref: 'parts/id.yaml#/id'}}}}\n",
        encoding="utf-8",
    )
    applied(project, client)

    def changed_by(file: Path, text: str) -> list[tuple[str, str]]:
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
        return sorted(
            (change.action, change.name if change.kind == "job" else change.kind)
            for change in applied(read_project(tmp_path), client).pending
        )

    assert changed_by(tmp_path / "contracts" / "account.yaml", "\n# a remark\n") == [
        ("create", "release"),
        ("update", ACCOUNT),
    ]
    assert changed_by(parts, "# a remark\n") == [
        ("create", "release"),
        ("update", "ingest-risk-loan"),
    ], "what a contract borrows is its own"
    everyones = changed_by(tmp_path / "datamaster.yaml", "# a remark\n")
    assert {name for action, name in everyones if action == "update"} == {
        item.settings.name for item in client.jobs.list() if item.settings
    }, "the project file is every job's"
    assert plan_delivery(observed(read_project(tmp_path), client)).is_empty
    run = job_named(client, "ingest-risk-loan").settings.tasks[0].python_wheel_task.parameters
    folder = Path(run[-1]).parent
    assert {
        item.path.removeprefix(f"{folder}/")
        for item in client.files.list_directory_contents(f"{folder}/contracts")
    } == {"contracts/borrower.yaml", "contracts/parts"}


def test_a_renamed_model_keeps_its_job(project: Project, client: WorkspaceClient) -> None:
    applied(project, client)
    job = job_named(client, ACCOUNT)
    contracts = tuple(
        replace(
            item,
            workflow=replace(item.workflow or Workflow(), latest_by={}, models=()),
            models=tuple(
                replace(
                    model, name="accounts", properties={**model.properties, "aliases": ["account"]}
                )
                if model.name == "account"
                else model
                for model in item.models
            ),
        )
        for item in read_contracts(project)
    )
    plan = applied(project, client, contracts)
    assert [
        (change.action, change.name) for change in plan.pending if change.name.endswith("accounts")
    ] == [("update", "ingest-risk-accounts")]
    assert job_named(client, "ingest-risk-accounts").job_id == job.job_id and not list(
        client.jobs.list(name=ACCOUNT)
    )
    assert plan_delivery(observed(project, client, contracts)).is_empty


def test_what_a_person_unpaused_stays_so_and_is_shown(
    project: Project, client: WorkspaceClient
) -> None:
    applied(project, client)
    job = job_named(client, ACCOUNT)
    schedule = job.settings.schedule.as_dict()
    client.jobs.update(
        job.job_id,
        new_settings=JobSettings.from_dict(
            {"schedule": {**schedule, "pause_status": "UNPAUSED"}, "max_concurrent_runs": 5}
        ),
    )
    [drift] = plan_delivery(observed(project, client)).pending
    assert (drift.action, drift.note) == ("update", "unpaused by hand, and left so") and [
        item.path for item in drift.differences
    ] == ["max_concurrent_runs"]
    applied(project, client)
    again = job_named(client, ACCOUNT)
    assert (again.settings.schedule.pause_status.value, again.settings.max_concurrent_runs) == (
        "UNPAUSED",
        1,
    )
    plan = plan_delivery(observed(project, client))
    assert plan.is_empty and [change.note for change in plan.visible_changes] == [
        "unpaused by hand, and left so"
    ]


def test_a_task_that_somebody_added_is_drift_and_goes(
    project: Project, client: WorkspaceClient
) -> None:
    applied(project, client)
    job = job_named(client, ACCOUNT)
    more = {
        "tasks": [
            {
                "task_key": "mine",
                "notebook_task": {"notebook_path": "/Shared/mine"},
                "job_cluster_key": "datamaster",
            }
        ]
    }
    client.jobs.update(job.job_id, new_settings=JobSettings.from_dict(more))
    [drift] = plan_delivery(observed(project, client)).pending
    assert [item.path for item in drift.differences] == ["task_keys"]
    applied(project, client)
    assert [task.task_key for task in job_named(client, ACCOUNT).settings.tasks] == [
        f"task-{ACCOUNT}"
    ]


def test_a_twin_is_shown_and_deleted_only_where_that_is_allowed(
    project: Project, client: WorkspaceClient
) -> None:
    applied(project, client)
    job = job_named(client, ACCOUNT)
    twin = client.jobs.create(**job.settings.as_shallow_dict()).job_id
    [surplus] = plan_delivery(observed(project, client)).pending
    assert (surplus.action, surplus.name, surplus.note) == (
        "delete",
        f"{ACCOUNT} ({twin})",
        "a second job of the same model",
    ) and surplus.refusal
    applied(project, client)
    assert len(list(client.jobs.list(name=ACCOUNT))) == 2
    applied(project, client, allow_delete=True)
    assert job_named(client, ACCOUNT).job_id == job.job_id


def test_somebody_elses_job_of_the_name_is_left_alone(
    project: Project, client: WorkspaceClient
) -> None:
    theirs = {
        "name": ACCOUNT,
        "tasks": [
            {
                "task_key": "theirs",
                "spark_python_task": {"python_file": "dbfs:/a.py"},
                "new_cluster": {
                    "spark_version": "17.3.x-scala2.13",
                    "node_type_id": "Standard_D4ds_v5",
                    "num_workers": 1,
                },
            }
        ],
    }
    made = client.jobs.create(**JobSettings.from_dict(theirs).as_shallow_dict()).job_id or 0
    plan = plan_delivery(observed(project, client))
    with pytest.raises(DatamasterError) as raised:
        applied(project, client)
    [refused] = plan.refusals
    assert [fault.code for fault in raised.value.faults] == ["change-refused"] and len(
        list(client.jobs.list())
    ) > 1
    assert (
        refused.name == ACCOUNT
        and "not made by this toolkit" in refused.refusal
        and f"job {made} of" in refused.note
    )
    kept = client.jobs.get(made).settings
    assert (
        kept is not None
        and kept.tasks is not None
        and [task.task_key for task in kept.tasks] == ["theirs"]
    )


def test_the_job_of_a_contract_that_is_gone_is_deleted_only_where_that_is_allowed(
    project: Project, client: WorkspaceClient, tmp_path: Path
) -> None:
    applied(project, client)
    smaller = written_project(tmp_path, "https://adb-1.1.azuredatabricks.net")
    (tmp_path / "contracts" / "account.yaml").unlink()
    pending = {
        (change.action, change.name.split(" ")[0]): change
        for change in plan_delivery(observed(smaller, client)).pending
    }
    assert (
        pending["delete", ACCOUNT].refusal
        and pending["delete", ACCOUNT].note == "no contract asks for it any more"
    )
    applied(smaller, client, allow_delete=True)
    assert (
        not list(client.jobs.list(name=ACCOUNT))
        and plan_delivery(observed(smaller, client)).is_empty
    )


def test_destroy_leaves_nothing_of_the_toolkits_and_everything_of_others(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    theirs = {
        "name": "theirs",
        "tasks": [
            {
                "task_key": "a",
                "spark_python_task": {"python_file": "dbfs:/a.py"},
                "new_cluster": {
                    "spark_version": "17.3.x-scala2.13",
                    "node_type_id": "Standard_D4ds_v5",
                    "num_workers": 1,
                },
            }
        ],
    }
    client.jobs.create(**JobSettings.from_dict(theirs).as_shallow_dict())
    applied(project, client)
    server.fail(
        Fault("lost", "POST", "*/jobs/delete", times=2), Fault("lost", "DELETE", "*/fs/*", times=2)
    )
    delivery = delivery_to_destroy(observed(project, client))
    apply_delivery(delivery, plan_delivery(delivery, allow_delete=True))
    assert [item.settings.name for item in client.jobs.list() if item.settings] == ["theirs"]
    assert plan_delivery(delivery_to_destroy(observed(project, client)), allow_delete=True).is_empty


def test_without_the_volume_the_message_says_what_to_do(project: Project, server: Server) -> None:
    client = prepared(server, has_volume=False)
    with pytest.raises(DatamasterError, match="datamaster unity apply"):
        applied(project, client)
    assert not list(client.jobs.list())


def test_bad_tasks_of_every_contract_are_named_before_anything_is_done(
    project: Project, client: WorkspaceClient
) -> None:
    bad = changed(
        project,
        tasks=(
            {"notebook_task": {"notebook_path": "/a"}},
            {"task_key": "b", "notebook_task": {"notebook_path": "/b", "colour": "red"}},
        ),
    )
    with pytest.raises(BadInput, match="no task_key"):
        observed(project, client, bad)
    worse = changed(
        project,
        tasks=(
            {"task_key": "b", "notebook_task": {"notebook_path": "/b", "colour": "red"}},
            {"task_key": "c", "run_if": "SOMETIMES", "notebook_task": {"notebook_path": "/c"}},
        ),
    )
    with pytest.raises(BadInput) as raised:
        observed(project, client, worse)
    assert sum(
        "Jobs API does not take" in str(fault) for fault in raised.value.faults
    ) == 2 and not list(client.jobs.list())


@pytest.mark.parametrize("compute", ["job_cluster", "existing_cluster"])
def test_where_jobs_run_is_said_by_the_project(
    project: Project, client: WorkspaceClient, compute: Any
) -> None:
    said = replace(project, jobs=Jobs(compute=compute))
    if compute == "existing_cluster":
        with pytest.raises(BadInput, match="no cluster"):
            observed(said, client)
        client.clusters.create(
            "17.3.x-scala2.13",
            cluster_name=project.names.cluster,
            node_type_id="Standard_D4ds_v5",
            num_workers=1,
        )
    applied(said, client)
    assert plan_delivery(observed(said, client)).is_empty
    task = job_named(client, ACCOUNT).settings.tasks[0]
    assert bool(task.existing_cluster_id) == (compute == "existing_cluster") and bool(
        task.job_cluster_key
    ) == (compute == "job_cluster")


def test_a_runtime_that_is_too_old_is_refused_in_the_plan_with_what_to_take(
    project: Project, client: WorkspaceClient
) -> None:
    said = replace(project, jobs=Jobs(compute="existing_cluster"))
    client.clusters.create(
        "16.4.x-scala2.12",
        cluster_name=project.names.cluster,
        node_type_id="Standard_D4ds_v5",
        num_workers=1,
    )
    with pytest.raises(BadInput) as raised:
        observed(said, client)
    (fault,) = raised.value.faults
    assert (
        (fault.code, fault.path) == ("old-runtime", "jobs.compute")
        and "is on 16.4.x-scala2.12" in fault.message
        and "datamaster unity apply" in fault.hint
    )
    own = {
        "task_key": "score",
        "notebook_task": {"notebook_path": "/Shared/score"},
        "new_cluster": {
            "spark_version": "15.4.x-scala2.12",
            "node_type_id": "Standard_D4ds_v5",
            "num_workers": 1,
        },
    }
    with pytest.raises(BadInput) as raised:
        observed(project, client, changed(project, tasks=(own,)))
    assert {(fault.code, fault.path) for fault in raised.value.faults} == {
        ("old-runtime", "workflow.tasks[0].new_cluster.spark_version")
    }
    assert "17.3.x-scala2.13" in raised.value.faults[0].hint and not list(client.jobs.list())


def test_serverless_jobs_have_an_environment(project: Project) -> None:
    with Server(Settings(has_serverless=True), metastore="primary") as server:
        client = prepared(server)
        said = replace(project, jobs=Jobs(compute="serverless"))
        applied(said, client)
        assert plan_delivery(observed(said, client)).is_empty
        job = job_named(client, ACCOUNT)
        assert (
            job.settings.environments[0].spec.dependencies[0].endswith(".whl")
            and not job.settings.job_clusters
        )
        book = {"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}}
        applied(said, client, changed(project, tasks=(book,)))
        own, score = job_named(client, ACCOUNT).settings.tasks
        assert own.environment_key and not score.environment_key and score.depends_on
        applied(project, client)
        assert (
            job_named(client, ACCOUNT).job_id == job.job_id
            and plan_delivery(observed(project, client)).is_empty
        )
        assert job_named(client, ACCOUNT).settings.environments in (None, [])


def test_jobs_on_the_projects_cluster_run_as_its_only_user(
    project: Project, client: WorkspaceClient
) -> None:
    said = replace(project, jobs=Jobs(compute="existing_cluster"))
    client.clusters.create(
        "17.3.x-scala2.13",
        cluster_name=project.names.cluster,
        node_type_id="Standard_D4ds_v5",
        num_workers=1,
        single_user_name="admin@example.com",
    )
    applied(said, client)
    assert plan_delivery(observed(said, client)).is_empty
    run_as = job_named(client, ACCOUNT).settings.run_as
    assert (run_as.user_name, run_as.service_principal_name) == ("admin@example.com", None)
    with pytest.raises(BadInput, match=r"is admin@example\.com's and not ana@example\.com's"):
        observed(replace(said, unity=replace(said.unity, principal_user="ana@example.com")), client)
    other = client.clusters.create(
        "17.3.x-scala2.13",
        cluster_name=project.names.cluster,
        node_type_id="Standard_D4ds_v5",
        num_workers=1,
        single_user_name="eve@example.com",
    ).cluster_id
    with pytest.raises(
        BadInput, match=f"2 clusters {project.names.cluster}: .*{other} of eve@example.com"
    ):
        observed(said, client)


def test_jobs_run_as_no_application_that_merely_bears_the_name(
    project: Project, client: WorkspaceClient
) -> None:
    stranger = "00000000-0000-4000-8000-00000000bbbb"
    client.service_principals_v2.create(application_id=stranger, display_name="spndatamasteradmin")
    unnamed = replace(project, unity=replace(project.unity, service_principal=""))
    assert any("unity.service_principal" in note for note in observed(unnamed, client).notes)
    applied(unnamed, client)
    assert job_named(client, ACCOUNT).settings.run_as is None
    applied(project, client)
    assert (
        job_named(client, ACCOUNT).settings.run_as.service_principal_name == APPLICATION
        and observed(project, client).notes == ()
    )


def test_one_job_a_contract_where_the_project_wants_it_and_back_again(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    applied(project, client)
    flights = {
        name: job_named(client, f"ingest-risk-{name}").job_id
        for name in ("airlines", "airports", "planes", "weather", "flights")
    }
    run = client.jobs.run_now(min(flights.values())).run_id
    said = replace(project, jobs=Jobs(ingest_per="contract"))
    plan = plan_delivery(observed(said, client))
    kept = [change for change in plan.pending if change.action == "update"]
    assert {change.name for change in kept} == {
        "ingest-risk-accounts",
        "ingest-risk-consents",
        "ingest-risk-departures-from-new-york-city",
    }
    assert (
        len(
            [
                change
                for change in plan.refusals
                if change.note == "no contract asks for it any more"
            ]
        )
        == 4
    )
    applied(said, client, allow_delete=True)
    assert plan_delivery(observed(said, client)).is_empty
    whole = job_named(client, "ingest-risk-departures-from-new-york-city")
    assert whole.job_id == min(flights.values()) and [
        item.run_id for item in client.jobs.list_runs(job_id=whole.job_id)
    ] == [run]
    assert {task.task_key for task in whole.settings.tasks} == {
        f"task-ingest-risk-{name}" for name in flights
    }
    assert find_job_id(client, said, read_contracts(said), "weather", "ingest") == whole.job_id
    applied(project, client, allow_delete=True)
    assert (
        job_named(client, "ingest-risk-airlines").job_id == whole.job_id
        and plan_delivery(observed(project, client)).is_empty
    )
    assert end_state(server) == calm_state(project)


def test_parameters_of_the_contract_are_the_jobs_and_are_exactly_those(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    two = changed(project, properties={"parameters": {"day": "today", "days": 3}})
    applied(project, client, two)
    job = job_named(client, ACCOUNT)
    assert [(item.name, item.default) for item in job.settings.parameters] == [
        ("day", "today"),
        ("days", "3"),
    ]
    start_job(client, job.job_id, {"day": "2026-01-31"})
    assert next(iter(server.state.runs.values()))["job_parameters"][0]["value"] == "2026-01-31"
    one = changed(project, properties={"parameters": {"day": "today"}})
    applied(project, client, one)
    assert [item.name for item in job_named(client, ACCOUNT).settings.parameters] == [
        "day"
    ] and plan_delivery(observed(project, client, one)).is_empty
    applied(project, client)
    same = job_named(client, ACCOUNT)
    assert (
        not same.settings.parameters
        and same.job_id == job.job_id
        and plan_delivery(observed(project, client)).is_empty
    )
    with pytest.raises(BadInput, match="parameter 'a b'"):
        observed(project, client, changed(project, properties={"parameters": {"a b": 1}}))


def streaming(project: Project, **workflow: Any) -> tuple[Contract, ...]:
    """Return the contracts, the one about accounts a stream with this workflow."""
    return tuple(
        replace(item, service_levels=(ServiceLevel("frequency", "streaming"),))
        if item.ingested_models[0].name == "account"
        else item
        for item in changed(project, **workflow)
    )


def test_streams_start_by_themselves_and_watch_their_backlog(
    project: Project, client: WorkspaceClient
) -> None:
    told = EmailNotifications(
        on_start=("a@example.com",), on_success=("b@example.com",), on_failure=("c@example.com",)
    )
    files = streaming(
        project,
        email_notifications=told,
        tasks=({"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}},),
    )
    applied(project, client, files)
    job = job_named(client, ACCOUNT)
    assert (
        job.settings.trigger.file_arrival.url.endswith("/account/")
        and job.settings.trigger.pause_status.value == "PAUSED"
        and not job.settings.schedule
    )
    assert [(rule.metric.value, rule.value) for rule in job.settings.health.rules] == [
        ("STREAMING_BACKLOG_SECONDS", 600)
    ]
    mail = job.settings.email_notifications
    assert (
        mail.on_start,
        mail.on_success,
        mail.on_failure,
        mail.on_streaming_backlog_exceeded,
    ) == (["a@example.com"], ["b@example.com"], ["c@example.com"], ["c@example.com"])
    assert plan_delivery(observed(project, client, files)).is_empty


def test_a_stream_of_events_runs_all_the_time_without_order_or_retries(
    project: Project, client: WorkspaceClient
) -> None:
    said = replace(project, setup={"subscription": "00000000-0000-0000-0000-000000000001"})
    with ResourceManager() as azure:
        azure.furnish(
            said.setup["subscription"],
            "rsgdrisk",
            "ethdrisk",
            containers={("stadrisk", "ctrdriskraw")},
        )

        def seen(contracts: tuple[Contract, ...]) -> Delivery:
            return observe_delivery(
                said,
                "production",
                contracts,
                client,
                lambda: Management(lambda: azure.token, azure.host, lambda seconds: None),
            )

        events = streaming(project, source=Source("eventhub", "avro"), tasks=())
        delivery = seen(events)
        apply_delivery(delivery, plan_delivery(delivery))
        job = job_named(client, ACCOUNT)
        assert (
            job.settings.continuous.pause_status.value == "PAUSED"
            and not job.settings.tasks[0].max_retries
            and job.settings.timeout_seconds == 0
        )
        assert plan_delivery(seen(events)).is_empty
        with pytest.raises(BadInput, match="score of"):
            seen(
                streaming(
                    project,
                    source=Source("eventhub", "avro"),
                    tasks=(
                        {"task_key": "score", "notebook_task": {"notebook_path": "/Shared/score"}},
                    ),
                )
            )


def test_a_run_is_followed_and_its_failing_task_told(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    contracts = read_contracts(project)
    applied(project, client)
    number = find_job_id(client, project, contracts, "account", "ingest")
    seen: list[str] = []
    run = follow_run(client, start_job(client, number), lambda item: seen.append(run_state(item)))
    assert run_state(run) == "SUCCESS" and read_run_faults(client, run) == () and "RUNNING" in seen
    server.state.scripted[f"task-{ACCOUNT}"] = "AnalysisException: there is no such column"
    [fault] = read_run_faults(
        client, follow_run(client, start_job(client, number), lambda item: None)
    )
    assert "there is no such column" in fault.message and "/runs/" in fault.hint
    with pytest.raises(DatamasterError, match="deliver apply"):
        find_job_id(client, project, contracts, "account", "prep")


def test_a_lost_reply_starts_one_run(
    project: Project, server: Server, client: WorkspaceClient
) -> None:
    applied(project, client)
    server.fail(Fault("lost", "POST", "*/jobs/run-now"))
    start_job(client, find_job_id(client, project, read_contracts(project), "account", "ingest"))
    assert server.faults.struck and len(server.state.runs) == 1


def test_the_state_of_every_job_is_shown(project: Project, client: WorkspaceClient) -> None:
    applied(project, client)
    client.jobs.create(name="theirs", tags={KEY_TAG: "x"})
    follow_run(
        client,
        start_job(
            client, find_job_id(client, project, read_contracts(project), "account", "ingest")
        ),
        lambda item: None,
    )
    states = {item.job: item for item in read_job_states(client, project)}
    assert (
        "theirs" not in states
        and states[ACCOUNT].state == "SUCCESS"
        and states[ACCOUNT].paused == "PAUSED"
    )
    assert {item.state for name, item in states.items() if name != ACCOUNT} == {""}


def test_the_command_line_from_plan_to_destroy(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    planned = datamaster(server, tmp_path, "deliver", "plan", "--detailed-exitcode")
    assert planned.returncode == 3 and f"+ job {ACCOUNT}" in planned.stdout, planned.stderr
    line, environment = command(server, "deliver", "apply")
    process = subprocess.Popen(
        line,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for told in process.stderr:
        if "create job" in told:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    process.wait(30)
    again = datamaster(server, tmp_path, "deliver", "apply")
    assert again.returncode == 0, again.stderr
    left = datamaster(server, tmp_path, "deliver", "plan", "--detailed-exitcode")
    assert left.returncode == 0, left.stdout + left.stderr
    run = datamaster(server, tmp_path, "deliver", "run", "account", "--wait")
    assert (
        run.returncode == 0 and "/runs/" in run.stdout and f"task-{ACCOUNT}: SUCCESS" in run.stderr
    ), run.stderr
    server.state.scripted[f"task-{ACCOUNT}"] = "ValueError: a bad day"
    failed = datamaster(server, tmp_path, "deliver", "run", "account", "--wait")
    assert failed.returncode == 1 and "ValueError: a bad day" in failed.stderr
    assert datamaster(server, tmp_path, "deliver", "run", "nothing").returncode == 2
    assert (
        "none of ingest, prep, mock-ingest"
        in datamaster(server, tmp_path, "deliver", "run", "account", "--purpose", "prepare").stderr
    )
    shown = datamaster(server, tmp_path, "deliver", "status").stdout
    assert any(
        ACCOUNT in line and "FAILED" in line and "/runs/" in line for line in shown.splitlines()
    ), shown
    status = datamaster(server, tmp_path, "deliver", "status", "--json")
    assert (
        next(item for item in json.loads(status.stdout)["jobs"] if item["job"] == ACCOUNT)["state"]
        == "FAILED"
    )
    assert datamaster(server, tmp_path, "deliver", "destroy", "--confirm", "no").returncode == 2
    destroyed = datamaster(server, tmp_path, "deliver", "destroy", "--confirm", "crisk")
    assert destroyed.returncode == 0, destroyed.stderr
    assert [
        (item.job_id, item.settings and item.settings.as_dict()) for item in client.jobs.list()
    ] == []


def test_a_projects_own_package_is_built_released_and_run_by_preparations(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    project = written_project(tmp_path, server.host)
    write_new_project(tmp_path, files_of_new_project(templates_folder()))
    applied(project, client)
    assert plan_delivery(observed(project, client)).is_empty
    task = job_named(client, "prep-risk-account").settings.tasks[1]
    assert (task.python_wheel_task.package_name, task.python_wheel_task.entry_point) == (
        "definition_project",
        "main",
    )
    wheel = next(item.whl for item in task.libraries if "definition_project" in item.whl)
    assert client.files.get_metadata(wheel).content_length
    job = job_named(client, "prep-risk-account")
    main = tmp_path / "definition_project" / "definition_project" / "main.py"
    main.write_text(main.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert {change.kind for change in applied(project, client).pending} == {"release", "job"}
    assert job_named(client, "prep-risk-account").job_id == job.job_id


def test_a_hundred_contracts_are_planned_in_seconds(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    text = (ROOT / "contracts" / "consents.yaml").read_text(encoding="utf-8")
    for number in range(100):
        (tmp_path / "contracts" / f"n{number}.yaml").write_text(
            text.replace("id: urn:datacontract:risk:consents", f"id: urn:{number}").replace(
                "consents", f"consents{number}"
            ),
            encoding="utf-8",
        )
    begun = time.monotonic()
    planned = datamaster(server, tmp_path, "deliver", "plan")
    assert planned.returncode == 0, planned.stderr
    assert "+ job ingest-risk-consents99" in planned.stdout and time.monotonic() - begun < 60


def test_a_contract_of_events_has_its_topic_in_the_same_plan(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    subscription = "00000000-0000-0000-0000-000000000001"
    project = replace(read_project(tmp_path), setup={"subscription": subscription})
    with ResourceManager() as azure:
        azure.furnish(
            subscription, "rsgdrisk", "ethdrisk", containers={("stadrisk", "ctrdriskraw")}
        )

        def management() -> Management:
            return Management(lambda: azure.token, azure.host, lambda seconds: None)

        def applied_with(*contracts: Contract, allow_delete: bool = False) -> list[tuple[str, str]]:
            delivery = observe_delivery(
                project, "production", contracts, client, management, old_topics=allow_delete
            )
            plan = plan_delivery(delivery, allow_delete)
            apply_delivery(delivery, plan)
            return [
                (change.action, change.name) for change in plan.changes if change.kind == "topic"
            ]

        events = changed(project, source=Source("eventhub", "avro"))
        azure.fail(Fault("lost", "PUT", times=1))
        assert applied_with(*events) == [("create", "topic-risk-account")]
        assert applied_with(*events) == [("unchanged", "topic-risk-account")]
        job = job_named(client, ACCOUNT)
        assert (
            applied_with(*read_contracts(project)) == []
            and job_named(client, ACCOUNT).job_id == job.job_id
        )
        assert applied_with(*read_contracts(project), allow_delete=True) == [
            ("delete", "topic-risk-account")
        ]
        applied_with(*events)
        delivery = delivery_to_destroy(
            observe_delivery(project, "production", events, client, management, old_topics=True)
        )
        apply_delivery(delivery, plan_delivery(delivery, allow_delete=True))
        assert not azure.groups[subscription, "rsgdrisk"]["ethdrisk"].hubs and not list(
            client.jobs.list()
        )


def test_topics_that_cannot_be_read_stop_no_job(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    """Nobody is logged in to Azure, and Azure refuses."""
    written_project(tmp_path, server.host)
    project = replace(
        read_project(tmp_path), setup={"subscription": "00000000-0000-0000-0000-000000000001"}
    )
    events = changed(project, source=Source("eventhub", "avro"))

    def nobody() -> Management:
        raise DatamasterError(NO_LOGIN.fault("Please run 'az login'"))

    def seen(management: Any) -> Delivery:
        return observe_delivery(project, "production", events, client, management)

    delivery = seen(nobody)
    with pytest.raises(
        DatamasterError,
        match="topic-risk-account of urn:datacontract:risk:account: Please run 'az login'",
    ) as raised:
        apply_delivery(delivery, plan_delivery(delivery))
    assert raised.value.exit_code == 1 and [
        (fault.code, fault.hint) for fault in raised.value.faults
    ] == [("topic-unread", NO_LOGIN.remedy)]
    assert plan_delivery(seen(nobody)).is_empty and len(list(client.jobs.list())) == 7
    with pytest.raises(DatamasterError, match="az login"):
        delivery_to_destroy(seen(nobody))
    with ResourceManager() as azure:
        refused = seen(
            lambda: Management(lambda: "not the token", azure.host, lambda seconds: None)
        )
        assert [fault.code for fault in refused.faults] == [
            "topic-unread"
        ] and "azure-refused" not in str(refused.faults[0])
        azure.furnish(
            project.setup["subscription"],
            "rsgdrisk",
            "ethdrisk",
            containers={("stadrisk", "ctrdriskraw")},
        )
        at_last = seen(lambda: Management(lambda: azure.token, azure.host, lambda seconds: None))
        assert [(change.action, change.kind) for change in plan_delivery(at_last).pending] == [
            ("create", "topic")
        ]
        apply_delivery(at_last, plan_delivery(at_last))


SETUP = """setup:
  subscription: 00000000-0000-0000-0000-000000000001
  tenant: 00000000-0000-0000-0000-000000000002
  location: brazilsouth
  writers: {ana: {object_id: 00000000-0000-0000-0000-000000000003, type: User}}
  budget: {amount: 500, emails: [risk-data@example.com]}
  github: {repository: example/lakehouse, environments: [production], branches: [main]}
"""


def test_the_command_line_ends_with_1_where_topics_cannot_be_read(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    file = tmp_path / "datamaster.yaml"
    file.write_text(file.read_text(encoding="utf-8") + SETUP, encoding="utf-8")
    (tmp_path / "contracts" / "clicks.yaml").write_text(
        "dataContractSpecification: 1.1.0\nid: urn:clicks\ninfo: {title: Clicks, version: "
        "1.0.0}\nmodels: {click: {fields: {id: {type: long}}}}\n"
        "workflow: {model: click, source: {type: eventhub, format: avro}}\n",
        encoding="utf-8",
    )
    for verb in ("plan", "apply"):
        line, environment = command(server, "deliver", verb)
        # where there is no az
        alone = {
            **environment,
            "PATH": str(tmp_path),
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
        }
        done = subprocess.run(
            line, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 1 and f"+ job {ACCOUNT}" in done.stdout, done.stderr
        assert (
            "error[topic-unread]" in done.stderr
            and "topic-risk-click of urn:clicks" in done.stderr
            and "az login" in done.stderr
        )
    assert {ACCOUNT, "ingest-risk-click"} <= {
        item.settings.name for item in client.jobs.list() if item.settings
    }


def mocked(project: Project) -> tuple[Contract, ...]:
    """Return the sample contracts, of which that of the accounts has mock data."""
    account, *others = read_contracts(project)
    return (
        replace(account, workflow=replace(account.workflow or Workflow(), job_mock=True)),
        *others,
    )


@pytest.fixture
def landed(tmp_path: Path, server: Server) -> Project:
    """The sample project, whose raw files arrive in a volume."""
    project = written_project(tmp_path, server.host)
    file = tmp_path / "datamaster.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(
            "}", ", landing: /Volumes/crisk/bronze/volume_checkpoint_locations/landing}", 1
        ),
        encoding="utf-8",
    )
    return read_project(project.root)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (
            DeliveryScope("contracts/account.yaml"),
            {"ingest-risk-account", "mock-ingest-risk-account"},
        ),
        (DeliveryScope("contracts/account.yaml", ("ingest",)), {"ingest-risk-account"}),
        (DeliveryScope(purposes=("mock-ingest",)), {"mock-ingest-risk-account"}),
        (DeliveryScope("contracts/consents.yaml", ("mock-ingest",)), set[str]()),
    ],
    ids=["a contract", "a contract's ingest", "a purpose", "nothing"],
)
def test_what_is_not_of_a_part_is_left_alone_and_nothing_is_deleted(
    landed: Project, server: Server, client: WorkspaceClient, part: DeliveryScope, names: set[str]
) -> None:
    contracts = mocked(landed)
    applied(landed, client, contracts)
    client.jobs.create(
        name="ingest-risk-gone", tags={**landed.resource_tags, KEY_TAG: "ingest-0123456789ab"}
    )
    before = {
        item["settings"]["name"]: json.dumps(item["settings"], sort_keys=True)
        for item in server.state.jobs.values()
    }
    changed = tuple(replace(item, version="9.9.9") for item in contracts)
    delivery = observe_delivery(landed, "production", changed, client, part=part)
    plan = plan_delivery(delivery)
    assert {
        change.name for change in plan.pending if change.kind == "job"
    } == names and "delete" not in {change.action for change in plan.changes}
    apply_delivery(delivery, plan)
    after = {
        item["settings"]["name"]: json.dumps(item["settings"], sort_keys=True)
        for item in server.state.jobs.values()
    }
    assert {name for name in after if after[name] != before[name]} == names and set(after) == set(
        before
    )
    assert bool(delivery.notes) is not bool(names)
    assert plan_delivery(
        observe_delivery(landed, "production", changed, client, part=part)
    ).is_empty


def test_a_part_of_no_contract_is_bad_input(landed: Project, client: WorkspaceClient) -> None:
    with pytest.raises(
        BadInput, match=r"contracts/gone\.yaml is not one of the project's contracts"
    ):
        observe_delivery(
            landed,
            "production",
            read_contracts(landed),
            client,
            part=DeliveryScope("contracts/gone.yaml"),
        )


def test_the_jobs_of_whole_contracts_are_found_and_a_missing_one_is_told(
    landed: Project, client: WorkspaceClient
) -> None:
    contracts = mocked(landed)
    with pytest.raises(DatamasterError, match="ingest-risk-account"):
        find_job_ids(client, landed, contracts, "ingest")
    applied(landed, client, contracts)
    wanted = [
        find_job_id(client, landed, contracts, model, "ingest")
        for model in ("account", "consents", "flights")
    ]
    assert set(wanted) <= set(find_job_ids(client, landed, contracts, "ingest"))
    assert find_job_ids(client, landed, contracts, "mock-ingest") == (
        find_job_id(client, landed, contracts, "account", "mock-ingest"),
    )
    assert find_job_ids(client, landed, contracts[:1], "ingest") == (wanted[0],)
    with pytest.raises(DatamasterError, match="no job of the contracts for prep"):
        find_job_ids(client, landed, contracts[:1], "prep")


def test_the_command_line_delivers_and_runs_a_part(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    account = ("--contract", "contracts/account.yaml")
    summary = tmp_path / "summary.md"
    planned = datamaster(
        server,
        tmp_path,
        "deliver",
        "plan",
        *account,
        "--purpose",
        "ingest",
        "--summary",
        str(summary),
    )
    assert planned.returncode == 0, planned.stderr
    text = summary.read_text(encoding="utf-8")
    assert (
        text.startswith(
            "### Plan: deliver\n\n3 to create, 0 to update, 0 to delete, 0 unchanged.\n"
        )
        and f"\n+ job {ACCOUNT}\n" in text
    )
    assert (
        datamaster(
            server, tmp_path, "deliver", "apply", *account, "--summary", str(summary)
        ).returncode
        == 0
    )
    assert "### Apply: deliver" in summary.read_text(encoding="utf-8")
    assert [item.settings.name for item in client.jobs.list() if item.settings] == [ACCOUNT]
    run = datamaster(server, tmp_path, "deliver", "run", *account, "--wait")
    assert run.returncode == 0 and f"{ACCOUNT}: SUCCESS" in run.stdout, run.stderr
    server.state.scripted[f"task-{ACCOUNT}"] = "ValueError: a bad day"
    failed = datamaster(server, tmp_path, "deliver", "run", *account, "--wait", "--json")
    assert (
        failed.returncode == 1
        and "a bad day" in failed.stderr
        and [item["state"] for item in json.loads(failed.stdout)["runs"]] == ["FAILED"]
    )
    whole = datamaster(server, tmp_path, "deliver", "run", "--wait")
    assert (
        whole.returncode == 1
        and "the workspace has no job ingest-risk-consents" in whole.stderr
        and len(server.state.runs) == 2
    )
    refused = datamaster(
        server, tmp_path, "deliver", "plan", "--purpose", "prepare", "--allow-delete"
    )
    assert (
        refused.returncode == 2
        and "none of ingest, prep, mock-ingest" in refused.stderr
        and "part-deletes" in refused.stderr
    )
