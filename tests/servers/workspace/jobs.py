"""Jobs (reference page *Jobs*, version 2.2).

Names need not be unique, so that a repeated request makes a second job.
"""

from __future__ import annotations

import copy

from databricks.sdk.service import jobs

from .job_checks import check_settings
from .permissions import need_level, owned, set_permissions
from .refusals import invalid
from .routes import Request, offset_of, page_of, serves
from .state import Json, State, now

TASKS_A_PAGE = 100
LISTS = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "environments": "environment_key",
    "parameters": "name",
}


def with_defaults(settings: Json) -> Json:
    """Return settings as the service keeps them.

    With the values that it fills in, and dependencies in the order of their names.
    """
    made = {
        "name": "Untitled",
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        "max_concurrent_runs": 1,
        "format": "MULTI_TASK",
        **copy.deepcopy(settings),
    }
    if made.get("schedule"):
        made["schedule"].setdefault("pause_status", "UNPAUSED")
    for task in made.get("tasks", []):
        task.setdefault("run_if", "ALL_SUCCESS")
        task.setdefault("timeout_seconds", 0)
        task.setdefault("email_notifications", {})
        if task.get("depends_on"):
            task["depends_on"].sort(key=lambda item: item["task_key"])
        if "notebook_task" in task:
            task["notebook_task"].setdefault("source", "WORKSPACE")
        if "new_cluster" in task:
            task["new_cluster"].pop("apply_policy_default_values", None)
    return made


def job(state: State, identity: int) -> Json:
    """Return a job.

    The service answers 400 for one that is not there, and for reads the SDK makes that a
    ResourceDoesNotExist.
    """
    if identity not in state.jobs:
        raise invalid(f"Job {identity} does not exist.")
    return state.jobs[identity]


def managed(
    state: State, request: Request, level: str = "CAN_MANAGE", words: str = "Admin or Owner"
) -> Json:
    """Return a job on which the caller has a level of permission."""
    identity = int(request["job_id"])
    found = job(state, identity)
    need_level(
        state,
        request.caller,
        "jobs",
        str(identity),
        level,
        f"User {request.caller} does not have {words} permissions on job {identity}",
    )
    return found


@serves(jobs.JobsAPI.create, "workspace/jobs/create")
def create_job(state: State, request: Request) -> Json:
    """Make a job."""
    settings = {key: value for key, value in request.body.items() if key != "access_control_list"}
    check_settings(state, settings)
    identity = state.next_id()
    owned(state, "jobs", str(identity), request.caller)
    if request.body.get("access_control_list"):
        set_permissions(
            state, "jobs", str(identity), request.body["access_control_list"], replaces=False
        )
    state.jobs[identity] = {
        "job_id": identity,
        "creator_user_name": request.caller,
        "run_as_user_name": runs_as(settings, request.caller),
        "created_time": now(),
        "settings": with_defaults(settings),
    }
    return {"job_id": identity}


def runs_as(settings: Json, caller: str) -> str:
    """Return the name as which a job runs."""
    said = settings.get("run_as") or {}
    return (
        said.get("user_name")
        or said.get("service_principal_name")
        or said.get("group_name")
        or caller
    )


@serves(jobs.JobsAPI.get, "workspace/jobs/get")
def get_job(state: State, request: Request) -> Json:
    """Return a job with a page of its tasks, 100 at most."""
    found = copy.deepcopy(
        managed(state, request, "CAN_VIEW", "View or Admin or Manage Run or Owner")
    )
    start = offset_of(request["page_token"] or "", f"{request.path}?{request['job_id']}")
    tasks = found["settings"].get("tasks", [])
    if len(tasks) > TASKS_A_PAGE:
        found["settings"]["tasks"] = tasks[start : start + TASKS_A_PAGE]
        if start:
            for name in ("job_clusters", "environments", "parameters"):
                found["settings"].pop(name, None)
        if start + TASKS_A_PAGE < len(tasks):
            found.update(
                has_more=True,
                next_page_token=token_of(
                    start + TASKS_A_PAGE, f"{request.path}?{request['job_id']}"
                ),
            )
    return found


def token_of(start: int, of: str) -> str:
    """Return the token of a page that starts there."""
    import base64

    return base64.urlsafe_b64encode(f"{start} {of}".encode()).decode()


@serves(jobs.JobsAPI.list, "workspace/jobs/list")
def list_jobs(state: State, request: Request) -> Json:
    """Return a page of the jobs, those that were made last first, by their name if one is given.

    Tasks only where they are asked for.
    """
    if request["limit"] is not None and not 0 < request["limit"] <= 100:
        raise invalid("limit must be greater than 0 and less or equal to 100")
    name = request["name"]
    found = [
        {key: value for key, value in copy.deepcopy(item).items() if key != "run_as_user_name"}
        for item in sorted(state.jobs.values(), key=lambda item: -item["job_id"])
        if name is None or item["settings"]["name"].lower() == name.lower()
    ]
    for item in found:
        if not request["expand_tasks"]:
            for key in ("tasks", "job_clusters", "environments", "parameters"):
                item["settings"].pop(key, None)
        elif len(item["settings"].get("tasks", [])) > TASKS_A_PAGE:
            item["settings"]["tasks"], item["has_more"] = (
                item["settings"]["tasks"][:TASKS_A_PAGE],
                True,
            )
    page = page_of(state, request, found, "jobs", "limit")
    return {**page, "has_more": "next_page_token" in page}


@serves(jobs.JobsAPI.update, "workspace/jobs/update")
def update_job(state: State, request: Request) -> None:
    """Change what is said of a job.

    Tasks, clusters, environments and parameters by their keys, everything else whole.
    """
    found = managed(state, request)
    settings, new = copy.deepcopy(found["settings"]), request.body.get("new_settings", {})
    for key, value in new.items():
        if key in LISTS:
            there = {item[LISTS[key]]: item for item in settings.get(key, [])}
            settings[key] = list({**there, **{item[LISTS[key]]: item for item in value}}.values())
        else:
            settings[key] = value
    for path in request.body.get("fields_to_remove", []):
        key, _, element = path.partition("/")
        if element and key not in ("tasks", "job_clusters"):
            raise invalid(f"Removing nested fields is not supported: {path}")
        if element:
            settings[key] = [item for item in settings.get(key, []) if item[LISTS[key]] != element]
        else:
            settings.pop(key, None)
    check_settings(state, settings)
    found.update(
        settings=with_defaults(settings),
        run_as_user_name=runs_as(settings, found["run_as_user_name"]),
    )


@serves(jobs.JobsAPI.reset, "workspace/jobs/reset")
def reset_job(state: State, request: Request) -> None:
    """Replace the settings of a job, which keeps its id and runs, and as whom it runs where that is
    not said.
    """
    found, settings = managed(state, request), dict(request["new_settings"])
    check_settings(state, settings)
    if "run_as" in found["settings"]:
        settings.setdefault("run_as", found["settings"]["run_as"])
    found.update(
        settings=with_defaults(settings),
        run_as_user_name=runs_as(settings, found["run_as_user_name"]),
    )


@serves(jobs.JobsAPI.delete, "workspace/jobs/delete")
def delete_job(state: State, request: Request) -> None:
    """Delete a job; its runs stay."""
    managed(state, request)
    del state.jobs[int(request["job_id"])]
    state.permissions.pop(("jobs", str(request["job_id"])), None)
