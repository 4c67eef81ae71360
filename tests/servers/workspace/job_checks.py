"""What the Jobs service refuses in the settings of a job (reference page *Jobs*, create)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from zoneinfo import available_timezones

from .clusters import check_spec
from .identities import principal_named
from .quartz import is_quartz
from .refusals import absent, invalid
from .state import Json, State

ON_CLUSTERS = (
    "notebook_task",
    "spark_python_task",
    "python_wheel_task",
    "spark_jar_task",
    "spark_submit_task",
    "dbt_task",
)
ELSEWHERE = (
    "sql_task",
    "pipeline_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
    "dashboard_task",
    "power_bi_task",
    "alert_task",
    "clean_rooms_notebook_task",
    "dbt_cloud_task",
    "dbt_platform_task",
    "gen_ai_compute_task",
    "ai_runtime_task",
    "python_operator_task",
)

NOTEBOOK_ENVIRONMENT = (
    "Please use the %pip magic command to install notebook-scoped Python libraries and Python "
    "wheel packages"
)


def check_settings(state: State, settings: Json) -> None:
    """Refuse settings with which no run could start."""
    clusters = unique(
        [item["job_cluster_key"] for item in settings.get("job_clusters", [])], "job_cluster_key"
    )
    environments = unique(
        [item["environment_key"] for item in settings.get("environments", [])], "environment_key"
    )
    unique([item["name"] for item in settings.get("parameters", [])], "job parameter")
    for item in settings.get("job_clusters", []):
        check_spec(state, item.get("new_cluster", {}), "job_clusters.new_cluster.")
    tasks = settings.get("tasks", [])
    keys = unique([item["task_key"] for item in tasks], "task_key")
    if len(tasks) > 1000:
        raise invalid("A job has at most 1000 tasks")
    for task in tasks:
        check_task(state, task, clusters, environments)
        for upstream in task.get("depends_on", []):
            if upstream["task_key"] not in keys:
                raise invalid(
                    f"Invalid dependency graph, task '{task['task_key']}' depends on "
                    f"non-existing task '{upstream['task_key']}'."
                )
    check_order(tasks)
    check_triggers(settings)
    check_continuous(settings)
    check_run_as(state, settings.get("run_as"))
    if not 0 <= int(settings.get("max_concurrent_runs", 1)) <= 1000:
        raise invalid("max_concurrent_runs must be between 0 and 1000")


def unique(names: list[str], what: str) -> set[str]:
    """Return names of which no two are the same."""
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate {what}: {name}")
    return set(names)


def check_task(
    state: State, task: Json, clusters: Iterable[str], environments: Iterable[str]
) -> None:
    """Refuse a task that does not say what it does, once, or where."""
    key = task["task_key"]
    if not re.fullmatch(r"[\w-]{1,100}", key, re.ASCII):
        raise invalid(
            f"The task key '{key}' has other characters than letters, digits, - and _, or "
            "more than 100"
        )
    kinds = [name for name in (*ON_CLUSTERS, *ELSEWHERE) if name in task]
    if len(kinds) != 1:
        raise invalid(
            f"Task {key} must specify exactly one task type, and has {', '.join(kinds) or 'none'}"
        )
    places = [
        name
        for name in ("new_cluster", "existing_cluster_id", "job_cluster_key", "environment_key")
        if task.get(name)
    ]
    if "job_cluster_key" in places and task["job_cluster_key"] not in clusters:
        raise invalid(
            f"Job cluster '{task['job_cluster_key']}' is not defined in field 'job_clusters'."
        )
    if "environment_key" in places and task["environment_key"] not in environments:
        raise invalid(
            f"The environment key '{task['environment_key']}' of task {key} is not defined "
            "in field 'environments'."
        )
    if "environment_key" in places and "notebook_task" in task:
        raise invalid(
            f"A task environment can not be provided for notebook task {key}. "
            f"{NOTEBOOK_ENVIRONMENT}"
        )
    if "existing_cluster_id" in places and task["existing_cluster_id"] not in state.clusters:
        raise invalid(f"Cluster {task['existing_cluster_id']} does not exist")
    if "new_cluster" in places:
        check_spec(state, task["new_cluster"], "settings.cluster_spec.new_cluster.")
    if len([name for name in places if name != "environment_key"]) > 1:
        raise invalid(
            "Only one of job_cluster_key, new_cluster, or existing_cluster_id must be "
            f"specified for task {key}."
        )
    if (
        kinds[0] in ON_CLUSTERS
        and not places
        and not (kinds[0] == "notebook_task" and state.settings.has_serverless)
    ):
        raise invalid(
            "One of job_cluster_key, new_cluster, or existing_cluster_id must be specified."
        )
    if kinds[0] == "sql_task" and task["sql_task"].get("warehouse_id") not in state.warehouses:
        raise invalid(f"SQL warehouse {task['sql_task'].get('warehouse_id')} does not exist")
    if kinds[0] == "run_job_task" and int(task["run_job_task"]["job_id"]) not in state.jobs:
        raise invalid(f"Job {task['run_job_task']['job_id']} does not exist.")
    if kinds[0] == "for_each_task":
        check_task(state, task["for_each_task"]["task"], clusters, environments)


def check_order(tasks: list[Json]) -> None:
    """Refuse tasks that wait for one another."""
    waiting = {
        task["task_key"]: {item["task_key"] for item in task.get("depends_on", [])}
        for task in tasks
    }
    while waiting:
        free = [key for key, upstream in waiting.items() if not upstream & set(waiting)]
        if not free:
            raise invalid(
                f"Invalid dependency graph: the tasks {', '.join(sorted(waiting))} depend on "
                "one another."
            )
        for key in free:
            del waiting[key]


def check_triggers(settings: Json) -> None:
    """Refuse a schedule that is none, and more than one way to start."""
    if sum(settings.get(name) is not None for name in ("schedule", "continuous", "trigger")) > 1:
        raise invalid("Only one of schedule, continuous and trigger can be specified.")
    schedule = settings.get("schedule")
    if schedule and not is_quartz(schedule["quartz_cron_expression"]):
        raise invalid(
            f"Invalid quartz_cron_expression: {schedule['quartz_cron_expression']}. "
            "Databricks uses Quartz cron syntax, which is different from the standard cron "
            "syntax. "
            "See "
            "http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/"
            "crontrigger.html for more details."
        )
    if schedule and schedule["timezone_id"] not in available_timezones():
        raise invalid(f"Invalid timezone_id: {schedule['timezone_id']}")


def check_continuous(settings: Json) -> None:
    """Refuse order and retries in a job that runs all the time (Databricks, *Run jobs
    continuously*).
    """
    for task in settings.get("tasks", []) if settings.get("continuous") else ():
        if task.get("depends_on"):
            raise invalid(
                f"Task dependencies are not supported in continuous jobs: {task['task_key']}"
            )
        if task.get("max_retries") or task.get("retry_on_timeout"):
            raise invalid(
                f"Retry policies are not supported in continuous jobs: {task['task_key']}"
            )


def check_run_as(state: State, run_as: Json | None) -> None:
    """Refuse to run as nobody."""
    for key, kind in (
        ("user_name", "Users"),
        ("service_principal_name", "ServicePrincipals"),
        ("group_name", "Groups"),
    ):
        if (
            run_as
            and run_as.get(key)
            and not principal_named(state, run_as[key], (kind,), in_account=False)
        ):
            raise absent(f"Principal {run_as[key]} does not exist")
