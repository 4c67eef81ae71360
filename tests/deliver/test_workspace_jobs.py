"""Jobs, runs, clusters, permissions, secrets and people of the test workspace, through the real
SDK.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
    ResourceConflict,
    ResourceDoesNotExist,
)
from databricks.sdk.service import compute, iam, jobs
from databricks.sdk.service import workspace as secrets
from workspace.clients import account_client, workspace_client
from workspace.faults import Fault
from workspace.furnish import token_of
from workspace.quartz import is_quartz
from workspace.server import Workspace
from workspace.state import Settings

pytestmark = pytest.mark.server

NODE, SPARK = "Standard_DS3_v2", "16.4.x-scala2.12"


def spec(**said: Any) -> compute.ClusterSpec:
    return compute.ClusterSpec(
        **{"spark_version": SPARK, "node_type_id": NODE, "num_workers": 1, **said}
    )


def task(key: str, *after: str, **said: Any) -> jobs.Task:
    place = (
        {}
        if {"job_cluster_key", "new_cluster", "environment_key", "existing_cluster_id", "sql_task"}
        & set(said)
        else {"job_cluster_key": "main"}
    )
    kind = (
        {}
        if {"sql_task", "condition_task"} & set(said)
        else {"notebook_task": jobs.NotebookTask("/Shared/ingest")}
    )
    return jobs.Task(
        key,
        depends_on=[jobs.TaskDependency(name) for name in after] or None,
        **{**kind, **place, **said},
    )


def make(client: WorkspaceClient, *tasks: jobs.Task, **said: Any) -> int:
    made = client.jobs.create(
        **{
            "name": "ingest-risk-account",
            "tasks": list(tasks) or [task("ingest")],
            "job_clusters": [jobs.JobCluster("main", spec())],
            **said,
        }
    )
    assert made.job_id
    return made.job_id


# --- jobs


def test_a_job_is_kept_with_the_values_that_the_service_fills_in(client: WorkspaceClient) -> None:
    identity = make(
        client,
        task("b", "a"),
        task("a"),
        schedule=jobs.CronSchedule("49 1 0/2 * * ?", "Europe/Amsterdam"),
        tags={"domain": "risk"},
    )
    found = client.jobs.get(identity)
    assert (
        found.creator_user_name == found.run_as_user_name == "admin@example.com" and found.settings
    )
    assert (
        found.settings.format,
        found.settings.max_concurrent_runs,
        found.settings.timeout_seconds,
    ) == (jobs.Format.MULTI_TASK, 1, 0)
    assert (
        found.settings.schedule
        and found.settings.schedule.pause_status == jobs.PauseStatus.UNPAUSED
    )
    (second, first) = found.settings.tasks or []
    assert (
        second.run_if == jobs.RunIf.ALL_SUCCESS
        and first.notebook_task
        and first.notebook_task.source == jobs.Source.WORKSPACE
    )


def test_a_job_is_changed_in_place_by_update_and_whole_by_reset(client: WorkspaceClient) -> None:
    robot = client.service_principals_v2.create(display_name="robot").application_id
    identity = make(
        client,
        task("a"),
        task("b", "a"),
        run_as=jobs.JobRunAs(service_principal_name=robot),
        description="old",
    )
    client.jobs.update(
        identity,
        new_settings=jobs.JobSettings(name="renamed", tasks=[task("c", "a")]),
        fields_to_remove=["description", "tasks/b"],
    )
    found = client.jobs.get(identity).settings
    assert (
        found
        and found.name == "renamed"
        and found.description is None
        and [item.task_key for item in found.tasks or []] == ["a", "c"]
    )
    client.jobs.reset(
        identity,
        jobs.JobSettings(
            name="whole", tasks=[task("z")], job_clusters=[jobs.JobCluster("main", spec())]
        ),
    )
    again = client.jobs.get(identity)
    assert (
        again.job_id == identity
        and again.run_as_user_name == robot
        and again.settings
        and again.settings.tags is None
        and [item.task_key for item in again.settings.tasks or []] == ["z"]
    )
    client.jobs.delete(identity)
    with pytest.raises(ResourceDoesNotExist, match=f"Job {identity} does not exist"):
        client.jobs.get(identity)
    with pytest.raises(InvalidParameterValue, match="does not exist"):
        client.jobs.delete(identity)


def test_jobs_are_listed_by_name_in_pages_and_tasks_come_a_hundred_at_a_time() -> None:
    with Workspace(Settings(page_size=3), metastore="primary") as workspace:
        client = workspace_client(workspace)
        for number in range(7):
            make(client, name=f"job-{number % 2}")
        assert len(list(client.jobs.list())) == 7 and workspace.count(jobs.JobsAPI.list) == 3
        assert [item.settings.name for item in client.jobs.list(name="JOB-1") if item.settings] == [
            "job-1"
        ] * 3
        assert [
            item.settings.tasks for item in client.jobs.list(name="job-1") if item.settings
        ] == [[]] * 3
        large = make(client, *(task(f"t{number}") for number in range(250)), name="large")
        workspace.forget_calls()
        found = client.jobs.get(large).settings
        assert (
            found
            and [item.task_key for item in found.tasks or []]
            == [f"t{number}" for number in range(250)]
            and len(found.job_clusters or []) == 1
        )
        assert workspace.count(jobs.JobsAPI.get) == 3
        (listed,) = client.jobs.list(name="large", expand_tasks=True)
        assert listed.settings and len(listed.settings.tasks or []) == 250
        with pytest.raises(InvalidParameterValue, match="limit"):
            list(client.jobs.list(limit=101))


@pytest.mark.parametrize(
    "said, words",
    [
        (
            {"tasks": [jobs.Task("a", notebook_task=jobs.NotebookTask("/a"))]},
            "One of job_cluster_key, new_cluster, or existing_cluster_id must be specified.",
        ),
        (
            {"tasks": [task("a", job_cluster_key="other")]},
            "Job cluster 'other' is not defined in field 'job_clusters'",
        ),
        ({"tasks": [task("a", environment_key="default")]}, "environment key 'default'"),
        (
            {
                "tasks": [task("a", environment_key="known")],
                "environments": [
                    jobs.JobEnvironment("known", compute.Environment(environment_version="2"))
                ],
            },
            "A task environment can not be provided for notebook task a. Please use the %pip "
            "magic command to install notebook-scoped Python libraries and Python wheel "
            "packages",
        ),
        ({"tasks": [task("a", existing_cluster_id="absent")]}, "Cluster absent does not exist"),
        (
            {
                "tasks": [
                    task(
                        "a", new_cluster=compute.ClusterSpec(spark_version=SPARK, node_type_id=NODE)
                    )
                ]
            },
            r"Missing required field: settings\.cluster_spec\.new_cluster\.size",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(spark_version="1.0"))]},
            "Invalid spark version 1.0",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(node_type_id="m5.large"))]},
            "Node type m5.large is not supported",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(driver_node_type_id="m5.large"))]},
            "Node type m5.large is not supported",
        ),
        (
            {
                "tasks": [
                    task(
                        "a",
                        new_cluster=spec(
                            autoscale=compute.AutoScale(min_workers=2, max_workers=1),
                            num_workers=None,
                        ),
                    )
                ]
            },
            "min_workers is larger",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(autoscale=compute.AutoScale(2, 1)))]},
            "Only one of num_workers and autoscale",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(num_workers=None, is_single_node=True))]},
            "kind CLASSIC_PREVIEW",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(instance_pool_id="absent", node_type_id=None))]},
            "Can't find an instance pool",
        ),
        (
            {"tasks": [task("a", new_cluster=spec(policy_id="absent"))]},
            "Cluster policy absent does not exist",
        ),
        (
            {
                "tasks": [
                    task(
                        "a",
                        new_cluster=spec(custom_tags={f"t{number}": "" for number in range(46)}),
                    )
                ]
            },
            "at most 45 custom tags",
        ),
        (
            {"tasks": [task("a", sql_task=jobs.SqlTask("absent"))]},
            "SQL warehouse absent does not exist",
        ),
        ({"tasks": [task("a"), task("a")]}, "Duplicate task_key: a"),
        ({"tasks": [task("a b")]}, "task key 'a b'"),
        ({"tasks": [task("a", "z")]}, "task 'a' depends on non-existing task 'z'"),
        ({"tasks": [task("a", "b"), task("b", "a")]}, "the tasks a, b depend on one another"),
        (
            {"tasks": [jobs.Task("a", job_cluster_key="main")]},
            "exactly one task type, and has none",
        ),
        (
            {"job_clusters": [jobs.JobCluster("main", spec()), jobs.JobCluster("main", spec())]},
            "Duplicate job_cluster_key: main",
        ),
        (
            {"schedule": jobs.CronSchedule("0 0 * * *", "UTC")},
            "Invalid quartz_cron_expression: 0 0",
        ),
        ({"schedule": jobs.CronSchedule("0 0 0 * * ?", "Mars/Olympus")}, "Invalid timezone_id"),
        (
            {"schedule": jobs.CronSchedule("0 0 0 * * ?", "UTC"), "continuous": jobs.Continuous()},
            "Only one of schedule, continuous and trigger",
        ),
        (
            {
                "parameters": [
                    jobs.JobParameterDefinition("p", "1"),
                    jobs.JobParameterDefinition("p", "2"),
                ]
            },
            "Duplicate job parameter: p",
        ),
        ({"max_concurrent_runs": 2000}, "max_concurrent_runs"),
    ],
)
def test_settings_with_which_no_run_could_start_are_refused(
    client: WorkspaceClient, said: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidParameterValue, match=words):
        make(client, **said)
    identity = make(client)
    with pytest.raises(InvalidParameterValue, match=words):
        client.jobs.reset(
            identity,
            jobs.JobSettings(
                **{
                    "name": "x",
                    "tasks": [task("ingest")],
                    "job_clusters": [jobs.JobCluster("main", spec())],
                    **said,
                }
            ),
        )
    assert len(list(client.jobs.list())) == 1


def test_a_notebook_without_compute_is_serverless_where_that_is_enabled() -> None:
    with Workspace(Settings(has_serverless=True)) as workspace:
        client = workspace_client(workspace)
        environment = jobs.JobEnvironment(
            "default", compute.Environment(client="2", dependencies=["datamaster_kit"])
        )
        make(
            client,
            jobs.Task("a", notebook_task=jobs.NotebookTask("/a")),
            jobs.Task(
                "b",
                environment_key="default",
                python_wheel_task=jobs.PythonWheelTask("datamaster_kit", "main"),
            ),
            environments=[environment],
            job_clusters=[],
        )
        with pytest.raises(InvalidParameterValue, match="must be specified"):
            make(
                client,
                jobs.Task("b", python_wheel_task=jobs.PythonWheelTask("datamaster_kit", "main")),
            )


def test_a_job_that_runs_as_nobody_is_refused(client: WorkspaceClient) -> None:
    with pytest.raises(ResourceDoesNotExist, match=r"Principal nobody@example\.com"):
        make(client, run_as=jobs.JobRunAs(user_name="nobody@example.com"))


@pytest.mark.parametrize(
    "text, is_right",
    [
        ("49 1 0/2 * * ?", True),
        ("0 0 12 ? * MON-FRI", True),
        ("0 0 8 L * ?", True),
        ("0 0 8 ? * 6L", True),
        ("0 0 8 ? * 2#1 2030", True),
        ("0 0 8 15W JAN,JUN ? 2026-2030", True),
        ("0 0 8 L-3 * ?", True),
        ("0 0 * * *", False),
        ("0 0 0 * * *", False),
        ("0 0 0 ? * ?", False),
        ("60 0 0 * * ?", False),
        ("0 0 24 * * ?", False),
        ("0 0 0 32 * ?", False),
        ("0 0 0 * 13 ?", False),
        ("0 0 0 ? * FUN", False),
        ("0 0/0 0 * * ?", False),
        ("", False),
        ("? 0 0 * * ?", False),
        ("0 0 0 * * ? 1900", False),
    ],
)
def test_quartz_expressions(text: str, is_right: bool) -> None:
    assert is_quartz(text) is is_right


# --- runs


def test_a_run_is_pending_runs_and_ends_over_the_polls(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    identity = make(
        client, task("a"), task("b", "a"), parameters=[jobs.JobParameterDefinition("day", "today")]
    )
    run = client.jobs.run_now(identity, job_parameters={"day": "2026-11-23"}).response.run_id
    states = [client.jobs.get_run(run).state.life_cycle_state.value for _ in range(4)]  # type: ignore[union-attr]
    assert states == ["PENDING", "RUNNING", "TERMINATED", "TERMINATED"]
    ended = client.jobs.get_run(run)
    assert (
        ended.state
        and ended.state.result_state == jobs.RunResultState.SUCCESS
        and [item.value for item in ended.job_parameters or []] == ["2026-11-23"]
    )
    assert {
        item.task_key: item.state.result_state.value
        for item in ended.tasks or []
        if item.state and item.state.result_state
    } == {"a": "SUCCESS", "b": "SUCCESS"}
    assert (
        ended.status
        and ended.status.termination_details
        and ended.status.termination_details.code == jobs.TerminationCodeCode.SUCCESS
    )
    assert [
        item.run_id for item in client.jobs.list_runs(job_id=identity, completed_only=True)
    ] == [run] and list(client.jobs.list_runs(active_only=True)) == []


def test_the_sdk_waits_for_a_run_to_its_end(workspace: Workspace, client: WorkspaceClient) -> None:
    with Workspace(Settings(run_polls=(0, 0))) as quick:
        runner = workspace_client(quick)
        assert (
            runner.jobs.run_now_and_wait(make(runner)).state.result_state
            == jobs.RunResultState.SUCCESS
        )  # type: ignore[union-attr]
    identity = make(client)
    assert client.jobs.run_now(identity).response.run_id in workspace.state.runs


def test_a_task_that_is_scripted_fails_with_its_error_and_what_waits_for_it_does_not_run(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    workspace.state.scripted["ingest-risk-account/b"] = "DatamasterError: a step failed"
    identity = make(
        client,
        task("a"),
        task("b", "a"),
        task("c", "b"),
        task("d", "b", run_if=jobs.RunIf.ALL_DONE),
    )
    run = client.jobs.run_now(identity).response.run_id
    for _ in range(3):
        ended = client.jobs.get_run(run)
    assert ended.state and (ended.state.life_cycle_state, ended.state.result_state) == (
        jobs.RunLifeCycleState.INTERNAL_ERROR,
        jobs.RunResultState.FAILED,
    )
    assert (
        ended.state.state_message
        == "Task b failed with message: Workload failed, see run output for details."
    )
    results = {
        item.task_key: item.state.result_state.value
        for item in ended.tasks or []
        if item.state and item.state.result_state
    }
    assert results == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED", "d": "SUCCESS"}
    with pytest.raises(InvalidParameterValue, match="runs with multiple tasks"):
        client.jobs.get_run_output(run)
    outputs = {
        item.task_key: client.jobs.get_run_output(item.run_id or 0) for item in ended.tasks or []
    }
    assert (
        outputs["b"].error == "DatamasterError: a step failed"
        and outputs["a"].error is None
        and outputs["b"].error_trace
    )
    del workspace.state.scripted["ingest-risk-account/b"]
    again = client.jobs.run_now(identity).response.run_id
    for _ in range(3):
        ended = client.jobs.get_run(again)
    assert ended.state and ended.state.result_state == jobs.RunResultState.SUCCESS


def test_an_idempotency_token_starts_one_run_even_when_the_reply_is_lost(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    identity = make(client, max_concurrent_runs=5)
    workspace.fail(Fault("lost", "POST", "*/run-now", times=2))
    run = client.jobs.run_now(identity, idempotency_token="deploy-7").response.run_id
    assert client.jobs.run_now(identity, idempotency_token="deploy-7").response.run_id == run
    assert [item.run_id for item in client.jobs.list_runs(job_id=identity)] == [
        run
    ] and workspace.count(jobs.JobsAPI.run_now) == 4
    workspace.fail(Fault("lost", "POST", "*/run-now"))
    client.jobs.run_now(identity)
    assert len(list(client.jobs.list_runs(job_id=identity))) == 3


def test_a_run_beyond_the_limit_is_skipped_and_a_run_can_be_cancelled(
    client: WorkspaceClient,
) -> None:
    identity = make(client)
    first = client.jobs.run_now(identity).response.run_id
    second = client.jobs.get_run(client.jobs.run_now(identity).response.run_id)
    assert (
        second.state
        and second.state.life_cycle_state == jobs.RunLifeCycleState.SKIPPED
        and second.state.result_state == jobs.RunResultState.MAXIMUM_CONCURRENT_RUNS_REACHED
    )
    client.jobs.cancel_run(first)
    ended = client.jobs.get_run(first).state
    assert ended and ended.result_state == jobs.RunResultState.CANCELED
    with pytest.raises(ResourceDoesNotExist):
        client.jobs.get_run(1)
    with pytest.raises(InvalidParameterValue):
        client.jobs.run_now(1)


# --- one-time runs

BOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# Ingest"},
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["print('été')"],
            "outputs": [],
            "execution_count": None,
        },
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def put_notebook(client: WorkspaceClient, path: str) -> str:
    client.workspace.mkdirs(path.rsplit("/", 1)[0])
    client.workspace.import_(
        path,
        content=base64.b64encode(json.dumps(BOOK).encode()).decode(),
        format=secrets.ImportFormat.JUPYTER,
        overwrite=True,
    )
    return path


def book_task(key: str, path: str, **said: Any) -> jobs.SubmitTask:
    return jobs.SubmitTask(
        key, notebook_task=jobs.NotebookTask(path), **{"new_cluster": spec(), **said}
    )


def model_of(exported: jobs.ExportRunOutput) -> dict[str, Any]:
    (view,) = exported.views or []
    assert view.type == jobs.ViewType.NOTEBOOK
    return page_model(view.content or "")


def page_model(page: str) -> dict[str, Any]:
    found = re.search(r"__DATABRICKS_NOTEBOOK_MODEL = '([^']+)'", page)
    assert found
    return dict(json.loads(unquote(base64.b64decode(found[1]).decode())))


def ended(client: WorkspaceClient, run: int) -> jobs.Run:
    for _ in range(3):
        found = client.jobs.get_run(run)
    return found


def test_a_one_time_run_runs_without_a_job_and_its_notebook_is_exported(
    client: WorkspaceClient,
) -> None:
    path = put_notebook(client, "/Users/admin@example.com/.datamaster/03_ingest")
    run = client.jobs.submit(
        run_name="ingest", tasks=[book_task("ingest", path)], idempotency_token="deploy-7"
    ).response.run_id
    assert (
        client.jobs.submit(
            run_name="ingest", tasks=[book_task("ingest", path)], idempotency_token="deploy-7"
        ).response.run_id
        == run
    )
    with pytest.raises(InvalidParameterValue, match="has not ended"):
        client.jobs.export_run(run)
    found = ended(client, run)
    assert (
        found.state
        and found.state.result_state == jobs.RunResultState.SUCCESS
        and found.run_type == jobs.RunType.SUBMIT_RUN
        and str(run) in (found.run_page_url or "")
    )
    assert list(client.jobs.list()) == [] and [item.run_id for item in client.jobs.list_runs()] == [
        run
    ]
    assert [item["command"] for item in model_of(client.jobs.export_run(run))["commands"]] == [
        "%md\n# Ingest",
        "print('été')",
    ]
    assert client.jobs.get_run_output(run).notebook_output is not None


def test_a_one_time_run_without_its_notebook_fails_when_it_runs(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    run = client.jobs.submit(
        tasks=[
            book_task("a", "/Shared/absent"),
            book_task("b", "/Shared/absent", depends_on=[jobs.TaskDependency("a")]),
        ]
    ).response.run_id
    found = ended(client, run)
    assert (
        found.state
        and found.state.result_state == jobs.RunResultState.FAILED
        and 'Unable to access the notebook "/Shared/absent"' in (found.state.state_message or "")
    )
    assert [item.state.result_state for item in found.tasks or [] if item.state] == [
        jobs.RunResultState.FAILED,
        jobs.RunResultState.UPSTREAM_FAILED,
    ]
    workspace.state.scripted["ingest"] = "ValueError: <a bad day>"
    run = client.jobs.submit(
        tasks=[book_task("ingest", put_notebook(client, "/Shared/book"))]
    ).response.run_id
    assert ended(client, run).state.result_state == jobs.RunResultState.FAILED  # type: ignore[union-attr]
    assert client.jobs.get_run_output(run).error == "ValueError: <a bad day>"
    assert (
        model_of(client.jobs.export_run(run))["commands"][-1]["errorSummary"]
        == "ValueError: <a bad day>"
    )


def test_a_one_time_run_is_checked_as_a_job_is(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    environment = jobs.JobEnvironment("default", compute.Environment(environment_version="2"))
    for said, words in (
        ({"tasks": []}, "at least one task"),
        (
            {"tasks": [jobs.SubmitTask("a", notebook_task=jobs.NotebookTask("/a"))]},
            "must be specified",
        ),
        (
            {"tasks": [book_task("a", "/a", depends_on=[jobs.TaskDependency("z")])]},
            "non-existing task 'z'",
        ),
        (
            {
                "tasks": [book_task("a", "/a", new_cluster=None, environment_key="default")],
                "environments": [environment],
            },
            "A task environment can not be provided for notebook task a",
        ),
        ({"tasks": [book_task("a", "/a")], "idempotency_token": "x" * 65}, "64 characters"),
    ):
        with pytest.raises(InvalidParameterValue, match=words):
            client.jobs.submit(**said)  # type: ignore[arg-type]
    assert workspace.state.runs == {}
    workspace.fail(Fault("lost", "POST", "*/submit"))
    first = client.jobs.submit(tasks=[book_task("a", "/a")], idempotency_token="t").response.run_id
    assert list(workspace.state.runs) == [first]


def test_who_may_see_and_cancel_a_one_time_run_is_said_with_it(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    for name in ("dev", "ops"):
        client.users_v2.create(user_name=f"{name}@example.com")
    dev, ops = (
        workspace_client(workspace, "dev@example.com"),
        workspace_client(workspace, "ops@example.com"),
    )
    path = put_notebook(dev, "/Users/dev@example.com/book")
    may_view = jobs.JobAccessControlRequest(
        user_name="ops@example.com", permission_level=jobs.JobPermissionLevel.CAN_VIEW
    )
    run = dev.jobs.submit(
        tasks=[book_task("a", path)], access_control_list=[may_view]
    ).response.run_id
    assert ops.jobs.get_run(run).run_id == run
    for refused in (
        lambda: ops.jobs.cancel_run(run),
        lambda: ops.workspace.export(path),
        lambda: put_notebook(ops, path),
        lambda: list(ops.workspace.list("/Users/dev@example.com")),
        lambda: ops.workspace.delete(path),
        lambda: ops.jobs.submit(
            tasks=[book_task("a", path)], run_as=jobs.JobRunAs(user_name="dev@example.com")
        ),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    other = ops.jobs.submit(tasks=[book_task("a", path)]).response.run_id
    assert ended(ops, other).state.result_state == jobs.RunResultState.FAILED  # type: ignore[union-attr]
    with pytest.raises(PermissionDenied):
        dev.jobs.get_run_output(other)
    dev.jobs.cancel_run(run)
    assert dev.jobs.get_run(run).state.result_state == jobs.RunResultState.CANCELED  # type: ignore[union-attr]


# --- clusters


def test_clusters_start_are_edited_terminated_and_deleted(client: WorkspaceClient) -> None:
    made = client.clusters.create(
        SPARK,
        cluster_name="cluster-single-dtm-drisk",
        node_type_id=NODE,
        num_workers=0,
        data_security_mode=compute.DataSecurityMode.SINGLE_USER,
        spark_conf={"a": "b"},
    )
    identity = made.response.cluster_id
    with pytest.raises(InvalidState, match="unexpected state Pending"):
        client.clusters.edit(identity, SPARK, node_type_id=NODE, num_workers=1)
    assert [client.clusters.get(identity).state for _ in range(2)] == [
        compute.State.PENDING,
        compute.State.RUNNING,
    ]
    found = client.clusters.get(identity)
    assert (
        found.single_user_name == "admin@example.com"
        and found.driver_node_type_id == NODE
        and found.azure_attributes
        and found.default_tags
        and found.spec
        and found.spec.spark_conf == {"a": "b"}
    )
    client.clusters.edit(
        identity, SPARK, cluster_name="cluster-single-dtm-drisk", node_type_id=NODE, num_workers=2
    )
    assert (
        client.clusters.get(identity).state == compute.State.RESTARTING
        and client.clusters.get(identity).num_workers == 2
    )
    client.clusters.delete(identity)
    assert client.clusters.get(identity).state == compute.State.TERMINATED
    client.clusters.start(identity)
    client.clusters.permanent_delete(identity)
    with pytest.raises(ResourceDoesNotExist):
        client.clusters.get(identity)
    with pytest.raises(InvalidParameterValue, match="Missing required field: size"):
        client.clusters.create(SPARK, node_type_id=NODE)
    assert client.clusters.select_spark_version(long_term_support=True, latest=True) in {
        item.key for item in client.clusters.spark_versions().versions or []
    }
    assert NODE in {
        item.node_type_id for item in client.clusters.list_node_types().node_types or []
    }


def test_a_pool_has_its_machines_and_a_policy_its_rules(client: WorkspaceClient) -> None:
    pool = client.instance_pools.create("small nodes", NODE).instance_pool_id
    assert [
        (item.instance_pool_name, item.instance_pool_id) for item in client.instance_pools.list()
    ] == [("small nodes", pool)]
    with pytest.raises(InvalidParameterValue, match="unique"):
        client.instance_pools.create("small nodes", NODE)
    for said in (
        {"node_type_id": NODE},
        {"driver_node_type_id": NODE},
        {
            "azure_attributes": compute.AzureAttributes(
                availability=compute.AzureAvailability.SPOT_AZURE
            )
        },
    ):
        with pytest.raises(InvalidParameterValue, match=f"'{next(iter(said))}' cannot be supplied"):
            client.clusters.create(SPARK, instance_pool_id=pool, num_workers=1, **said)
    with pytest.raises(InvalidParameterValue, match="requires instance_pool_id"):
        client.clusters.create(
            SPARK, driver_instance_pool_id=pool, node_type_id=NODE, num_workers=1
        )
    rules = {
        "node_type_id": {"type": "allowlist", "values": [NODE]},
        "autoscale.max_workers": {"type": "range", "maxValue": 4, "isOptional": True},
        "custom_tags.cost_center": {"type": "regex", "pattern": "[0-9]+"},
        "data_security_mode": {"type": "fixed", "value": "SINGLE_USER"},
        "spark_conf.a": {"type": "forbidden"},
        "policy_id": {"type": "unlimited"},
    }
    policy = client.cluster_policies.create(
        name="Job Compute", definition=json.dumps(rules)
    ).policy_id
    assert [(item.name, item.policy_id) for item in client.cluster_policies.list()] == [
        ("Job Compute", policy)
    ]
    with pytest.raises(InvalidParameterValue, match="unknown policy type"):
        client.cluster_policies.create(name="other", definition='{"a": {"type": "none"}}')
    fits: dict[str, Any] = {
        "spark_version": SPARK,
        "policy_id": policy,
        "node_type_id": NODE,
        "autoscale": compute.AutoScale(min_workers=1, max_workers=4),
        "custom_tags": {"cost_center": "7"},
    }
    assert client.clusters.create(**fits).cluster_id
    for bad, words in (
        ({"node_type_id": "Standard_F8"}, "must be one of"),
        ({"autoscale": compute.AutoScale(min_workers=1, max_workers=5)}, "must be from"),
        ({"custom_tags": {}}, "must be present"),
        ({"custom_tags": {"cost_center": "x"}}, "must match"),
        ({"data_security_mode": compute.DataSecurityMode.USER_ISOLATION}, "must be SINGLE_USER"),
        ({"spark_conf": {"a": "b"}}, "must not be present"),
    ):
        with pytest.raises(InvalidParameterValue, match=words):
            client.clusters.create(**{**fits, **bad})


def test_a_lost_reply_makes_two_clusters_of_one_name_and_lists_come_in_pages() -> None:
    with Workspace(Settings(page_size=2)) as workspace:
        client = workspace_client(workspace)
        workspace.fail(Fault("lost", "POST", "*/clusters/create"))
        for _ in range(4):
            client.clusters.create(SPARK, cluster_name="one", node_type_id=NODE, num_workers=1)
        assert [item.cluster_name for item in client.clusters.list()] == [
            "one"
        ] * 5 and workspace.count(compute.ClustersAPI.list) == 3


# --- permissions


def test_permissions_are_added_replaced_and_checked(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    client.groups_v2.create(display_name="data_engineer")
    client.users_v2.create(user_name="dev@example.com")
    identity = str(make(client))
    request = iam.AccessControlRequest
    client.permissions.update(
        "jobs",
        identity,
        access_control_list=[
            request(group_name="data_engineer", permission_level=iam.PermissionLevel.CAN_VIEW)
        ],
    )
    entries = client.permissions.get("jobs", identity).access_control_list or []
    assert {
        (item.group_name or item.user_name): [
            level.permission_level.value
            for level in item.all_permissions or []
            if level.permission_level
        ]
        for item in entries
    } == {
        "admin@example.com": ["IS_OWNER"],
        "data_engineer": ["CAN_VIEW"],
        "admins": ["CAN_MANAGE"],
    }
    with pytest.raises(InvalidParameterValue, match="exactly one owner"):
        client.permissions.set(
            "jobs",
            identity,
            access_control_list=[
                request(group_name="data_engineer", permission_level=iam.PermissionLevel.CAN_MANAGE)
            ],
        )
    for item, error, words in (
        (
            request(group_name="nobody", permission_level=iam.PermissionLevel.CAN_VIEW),
            NotFound,
            r"Principal: GroupName\(nobody\) does not exist",
        ),
        (
            request(group_name="data_engineer", permission_level=iam.PermissionLevel.IS_OWNER),
            InvalidParameterValue,
            "Groups cannot be owners",
        ),
        (
            request(group_name="data_engineer", permission_level=iam.PermissionLevel.CAN_ATTACH_TO),
            InvalidParameterValue,
            "is not one of CAN_VIEW",
        ),
    ):
        with pytest.raises(error, match=words):
            client.permissions.update("jobs", identity, access_control_list=[item])
    plain = workspace_client(workspace, "dev@example.com")
    for refused in (
        lambda: plain.jobs.get(int(identity)),
        lambda: plain.jobs.delete(int(identity)),
        lambda: plain.jobs.run_now(int(identity)),
        lambda: plain.permissions.update(
            "jobs",
            identity,
            access_control_list=[
                request(
                    user_name="dev@example.com", permission_level=iam.PermissionLevel.CAN_MANAGE
                )
            ],
        ),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    client.permissions.set(
        "jobs",
        identity,
        access_control_list=[
            request(user_name="dev@example.com", permission_level=iam.PermissionLevel.IS_OWNER)
        ],
    )
    assert plain.jobs.get(int(identity)).job_id == int(identity)
    levels = client.permissions.get_permission_levels("jobs", identity).permission_levels or []
    assert len(levels) == 4
    with pytest.raises(NotFound):
        client.permissions.get("clusters", "absent")
    with pytest.raises(InvalidParameterValue, match="not recognized"):
        client.permissions.get("cupboards", "1")
    client.workspace.mkdirs("/Shared/datamaster")
    folder = str(client.workspace.get_status("/Shared/datamaster").object_id)
    assert (
        client.permissions.set(
            "directories",
            folder,
            access_control_list=[
                request(group_name="users", permission_level=iam.PermissionLevel.CAN_READ)
            ],
        ).object_type
        == "directory"
    )
    warehouse = next(iter(client.warehouses.list())).id or ""
    assert (
        client.permissions.get("sql/warehouses", warehouse).object_id
        == f"/sql/warehouses/{warehouse}"
    )
    client.permissions.update(
        "warehouses",
        warehouse,
        access_control_list=[
            request(group_name="data_engineer", permission_level=iam.PermissionLevel.CAN_USE)
        ],
    )


# --- secrets


def test_secrets_are_written_listed_read_and_deleted(client: WorkspaceClient) -> None:
    client.secrets.create_scope("strife-secret-scope")
    client.secrets.put_secret("strife-secret-scope", "token", string_value="s3cret")
    client.secrets.put_secret(
        "Strife-Secret-Scope", "bytes", bytes_value=base64.b64encode(b"\x00\xff").decode()
    )
    assert [item.key for item in client.secrets.list_secrets("strife-secret-scope")] == [
        "bytes",
        "token",
    ]
    assert (
        base64.b64decode(client.secrets.get_secret("strife-secret-scope", "token").value or "")
        == b"s3cret"
    )
    assert [(item.name, item.backend_type) for item in client.secrets.list_scopes()] == [
        ("strife-secret-scope", secrets.ScopeBackendType.DATABRICKS)
    ]
    with pytest.raises(ResourceAlreadyExists):
        client.secrets.create_scope("STRIFE-secret-scope")
    client.secrets.delete_secret("strife-secret-scope", "bytes")
    for refused in (
        lambda: client.secrets.get_secret("strife-secret-scope", "bytes"),
        lambda: client.secrets.delete_secret("strife-secret-scope", "bytes"),
        lambda: client.secrets.put_secret("none", "k", string_value="v"),
        lambda: list(client.secrets.list_secrets("none")),
        lambda: client.secrets.delete_scope("none"),
    ):
        with pytest.raises(ResourceDoesNotExist):
            refused()
    client.secrets.delete_scope("strife-secret-scope")
    assert list(client.secrets.list_scopes()) == []


def test_secrets_stay_within_their_limits(workspace: Workspace, client: WorkspaceClient) -> None:
    client.secrets.create_scope("s")
    for refused in (
        lambda: client.secrets.create_scope("a b"),
        lambda: client.secrets.create_scope("x" * 129),
        lambda: client.secrets.create_scope("t", initial_manage_principal="admins"),
        lambda: client.secrets.create_scope(
            "t", scope_backend_type=secrets.ScopeBackendType.AZURE_KEYVAULT
        ),
        lambda: client.secrets.put_secret("s", "k" * 129, string_value="v"),
        lambda: client.secrets.put_secret("s", "k", string_value="v" * (128 * 1024 + 1)),
        lambda: client.secrets.put_secret("s", "k"),
        lambda: client.secrets.put_secret("s", "k", bytes_value="%%%"),
        lambda: client.secrets.put_secret("s", "k", string_value="a", bytes_value="YQ=="),
    ):
        with pytest.raises(InvalidParameterValue):
            refused()
    client.secrets.create_scope(
        "vault",
        scope_backend_type=secrets.ScopeBackendType.AZURE_KEYVAULT,
        backend_azure_keyvault=secrets.AzureKeyVaultSecretScopeMetadata("/vault", "https://vault"),
    )
    with pytest.raises(BadRequest, match="KeyVault-backed"):
        client.secrets.put_secret("vault", "k", string_value="v")
    workspace.state.scopes["s"]["secrets"] = {
        f"k{number}": {"content": b"", "last_updated_timestamp": 0} for number in range(1000)
    }
    with pytest.raises(BadRequest, match="1000 secrets") as raised:
        client.secrets.put_secret("s", "onemore", string_value="v")
    assert raised.value.error_code == "RESOURCE_LIMIT_EXCEEDED"
    workspace.state.scopes.update(
        {f"s{number}": dict(workspace.state.scopes["vault"]) for number in range(998)}
    )
    with pytest.raises(BadRequest, match="1000 secret scopes"):
        client.secrets.create_scope("onemore")


def test_who_reads_a_secret_is_said_by_the_acls(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    client.users_v2.create(user_name="dev@example.com")
    client.groups_v2.create(
        display_name="data_engineer",
        members=[
            iam.ComplexValue(
                value=next(iter(client.users_v2.list(filter='userName eq "dev@example.com"'))).id
            )
        ],
    )
    client.secrets.create_scope("s")
    client.secrets.put_secret("s", "k", string_value="v")
    plain = workspace_client(workspace, "dev@example.com")
    with pytest.raises(PermissionDenied):
        plain.secrets.get_secret("s", "k")
    client.secrets.put_acl("s", "data_engineer", secrets.AclPermission.READ)
    assert plain.secrets.get_secret("s", "k").key == "k"
    with pytest.raises(PermissionDenied):
        plain.secrets.put_secret("s", "k", string_value="w")
    assert client.secrets.get_acl("s", "data_engineer").permission == secrets.AclPermission.READ
    assert {(item.principal, item.permission.value) for item in client.secrets.list_acls("s")} == {
        ("admin@example.com", "MANAGE"),
        ("data_engineer", "READ"),
    }
    client.secrets.delete_acl("s", "data_engineer")
    with pytest.raises(ResourceDoesNotExist):
        client.secrets.get_acl("s", "data_engineer")
    with pytest.raises(InvalidParameterValue, match="nobody"):
        client.secrets.put_acl("s", "nobody", secrets.AclPermission.READ)


# --- people


def test_users_groups_and_service_principals_are_made_found_changed_and_deleted(
    client: WorkspaceClient,
) -> None:
    user = client.users_v2.create(user_name="dev@example.com", display_name="Dev")
    robot = client.service_principals_v2.create(display_name="spndatamasteradmin")
    group = client.groups_v2.create(
        display_name="data_engineer", members=[iam.ComplexValue(value=user.id)]
    )
    assert group.meta and group.meta.resource_type == "WorkspaceGroup" and robot.application_id
    add = iam.Patch(op=iam.PatchOp.ADD, value={"members": [{"value": robot.id}]})
    client.groups_v2.patch(
        group.id or "",
        operations=[add, add],
        schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP],
    )
    assert {item.display for item in client.groups_v2.get(group.id or "").members or []} == {
        "Dev",
        "spndatamasteradmin",
    }
    client.groups_v2.patch(
        group.id or "",
        operations=[iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{user.id}"]')],
    )
    assert [item.display for item in client.groups_v2.get(group.id or "").members or []] == [
        "spndatamasteradmin"
    ]
    assert [
        item.display for item in client.service_principals_v2.get(robot.id or "").groups or []
    ] == ["data_engineer"]
    # The SDK leaves out a value that is false, so that a user is deactivated by a value that is an
    # object.
    with pytest.raises(BadRequest, match="has no value"):
        client.users_v2.patch(
            user.id or "",
            operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="active", value=False)],
        )
    client.users_v2.patch(
        user.id or "",
        operations=[
            iam.Patch(op=iam.PatchOp.REPLACE, value={"active": False}),
            iam.Patch(
                op=iam.PatchOp.ADD, path="entitlements", value=[{"value": "allow-cluster-create"}]
            ),
        ],
    )
    changed = client.users_v2.get(user.id or "")
    assert changed.active is False and [item.value for item in changed.entitlements or []] == [
        "allow-cluster-create"
    ]
    client.users_v2.update(
        user.id or "", user_name="dev@example.com", display_name="Developer", active=True
    )
    assert (
        client.users_v2.get(user.id or "").display_name == "Developer"
        and client.users_v2.get(user.id or "").entitlements == []
    )
    client.users_v2.delete(user.id or "")
    with pytest.raises(NotFound) as raised:
        client.users_v2.get(user.id or "")
    assert raised.value.error_code == "SCIM_404"


def test_scim_refuses_in_its_own_form(workspace: Workspace, client: WorkspaceClient) -> None:
    client.groups_v2.create(display_name="data_engineer")
    with pytest.raises(
        ResourceConflict, match="uniqueness Group with name DATA_engineer already exists"
    ) as raised:
        client.groups_v2.create(display_name="DATA_engineer")
    assert raised.value.error_code == "SCIM_409"
    for refused in (
        lambda: client.users_v2.create(user_name="no address"),
        lambda: client.users_v2.create(display_name="no name"),
        lambda: list(client.users_v2.list(filter="userName resembles x")),
        lambda: client.groups_v2.patch(
            "1002", operations=[iam.Patch(op=iam.PatchOp.ADD, value="x")]
        ),
    ):
        with pytest.raises(BadRequest) as wrong:
            refused()
        assert wrong.value.error_code == "SCIM_400"
    with pytest.raises(NotFound):
        client.groups_v2.create(display_name="g", members=[iam.ComplexValue(value="999999")])
    client.users_v2.create(user_name="dev@example.com")
    with pytest.raises(PermissionDenied):
        workspace_client(workspace, "dev@example.com").users_v2.create(
            user_name="other@example.com"
        )


def test_people_are_listed_in_pages_and_by_filters() -> None:
    with Workspace(Settings(page_size=4)) as workspace:
        client = workspace_client(workspace)
        for number in range(9):
            client.users_v2.create(
                user_name=f"u{number}@example.com", display_name=f"User {number}"
            )
        workspace.forget_calls()
        assert len(list(client.users_v2.list())) == 10 and workspace.count(iam.UsersV2API.list) == 4
        assert [
            item.user_name for item in client.users_v2.list(filter='userName eq "U3@example.com"')
        ] == ["u3@example.com"]
        assert [
            item.user_name
            for item in client.users_v2.list(
                filter='displayName co "ser 1" or displayName eq "User 2"'
            )
        ] == ["u1@example.com", "u2@example.com"]
        assert {item.display_name for item in client.users_v2.list(attributes="id,userName")} == {
            None
        }
        assert {item.display_name for item in client.groups_v2.list()} == {"admins", "users"}


def test_the_account_has_its_own_people_and_assigns_them_to_workspaces(
    workspace: Workspace, client: WorkspaceClient, account: AccountClient
) -> None:
    group = account.groups_v2.create(display_name="data_engineer")
    user = account.users_v2.create(user_name="dev@example.com", display_name="Dev")
    robot = account.service_principals_v2.create(display_name="robot")
    account.groups_v2.patch(
        group.id or "",
        operations=[iam.Patch(op=iam.PatchOp.ADD, path="members", value=[{"value": user.id}])],
    )
    assert [item.value for item in account.groups_v2.get(group.id or "").members or []] == [user.id]
    here = workspace.state.settings.workspace_id
    assert "data_engineer" not in {item.display_name for item in client.groups_v2.list()}
    assigned = account.workspace_assignment.update(
        here, int(group.id or 0), permissions=[iam.WorkspacePermission.USER]
    )
    assert assigned.principal and assigned.principal.group_name == "data_engineer"
    shown = next(item for item in client.groups_v2.list() if item.display_name == "data_engineer")
    assert shown.meta and shown.meta.resource_type == "Group" and shown.id == group.id
    account.workspace_assignment.update(
        here, int(robot.id or 0), permissions=[iam.WorkspacePermission.ADMIN]
    )
    assert (
        robot.application_id
        and workspace_client(workspace, robot.application_id)
        .users_v2.create(user_name="by.robot@example.com")
        .id
    )
    assert {
        item.principal.principal_id
        for item in account.workspace_assignment.list(here)
        if item.principal
    } == {int(group.id or 0), int(robot.id or 0)}
    account.workspace_assignment.delete(here, int(group.id or 0))
    assert "data_engineer" not in {item.display_name for item in client.groups_v2.list()}
    for refused in (
        lambda: account.workspace_assignment.delete(here, int(group.id or 0)),
        lambda: account.workspace_assignment.update(here, 1, permissions=[]),
        lambda: list(account.workspace_assignment.list(1)),
    ):
        with pytest.raises(NotFound):
            refused()
    assert {item.user_name for item in account.users_v2.list()} == {
        "admin@example.com",
        "dev@example.com",
        "by.robot@example.com",
    }
    account.users_v2.delete(user.id or "")
    assert account.groups_v2.get(group.id or "").members == []
    with pytest.raises(PermissionDenied):
        account_client(workspace, "by.robot@example.com").groups_v2.create(display_name="x")


def test_a_user_of_the_account_is_added_to_the_workspace_and_taken_out_of_it(
    workspace: Workspace, client: WorkspaceClient, account: AccountClient
) -> None:
    user = account.users_v2.create(user_name="dev@example.com")
    assert client.users_v2.create(user_name="dev@example.com").id == user.id
    with pytest.raises(ResourceConflict):
        client.users_v2.create(user_name="dev@example.com")
    client.users_v2.delete(user.id or "")
    assert account.users_v2.get(user.id or "").user_name == "dev@example.com"
    with pytest.raises(DatabricksError):
        client.users_v2.get(user.id or "")


def test_the_caller_is_told_who_it_is(workspace: Workspace, client: WorkspaceClient) -> None:
    robot = client.service_principals_v2.create(display_name="robot").application_id or ""
    assert client.current_user.me().user_name == "admin@example.com"
    assert workspace_client(workspace, robot).current_user.me().user_name == robot and token_of(
        workspace.state, robot
    )
