"""Runs of jobs (reference page *Jobs*, runs).

A run is pending, runs and ends over the polls that the settings ask for; `state.scripted` says
which tasks fail, and how.

Where the workspace executes what is submitted, a run takes the time that its tasks take, and what
they do is real.
"""

from __future__ import annotations

import copy

from databricks.sdk.service import jobs

from .files import may_use, path_of
from .identities import administers_workspace
from .job_checks import check_settings
from .jobs import managed, runs_as, with_defaults
from .permissions import need_level, owned, set_permissions
from .refusals import denied, invalid
from .routes import Request, page_of, serves
from .state import Json, State, now

FAILURE = "Workload failed, see run output for details"
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


def known_token(state: State, request: Request) -> int:
    """Return the run that a token started before, or 0."""
    token = request.body.get("idempotency_token") or ""
    if len(token) > 64:
        raise invalid("idempotency_token must have at most 64 characters")
    return state.run_tokens.get(token, 0)


@serves(jobs.JobsAPI.run_now, "workspace/jobs/runnow")
def run_now(state: State, request: Request) -> Json:
    """Start a run; a token that came before gives the run that it started."""
    known = known_token(state, request)
    if known:
        return {"run_id": known, "number_in_job": known}
    found = managed(state, request, "CAN_MANAGE_RUN", "Manage Run or Admin or Owner")
    settings = copy.deepcopy(found["settings"])
    if not settings.get("tasks"):
        raise invalid(f"Job {found['job_id']} has no tasks")
    given = request.body.get("job_parameters", {})
    parameters = [
        {
            "name": item["name"],
            "default": item["default"],
            "value": given.get(item["name"], item["default"]),
        }
        for item in settings.get("parameters", [])
    ]
    parameters += [
        {"name": name, "value": value}
        for name, value in given.items()
        if name not in {item["name"] for item in parameters}
    ]
    active = [
        item
        for item in state.runs.values()
        if item["job_id"] == found["job_id"] and item["state"]["life_cycle_state"] not in ENDED
    ]
    run = add_run(state, request, found["job_id"], settings, "JOB_RUN")
    if parameters:
        run["job_parameters"] = parameters
    shared = {
        key: request.body[key]
        for key in (
            "notebook_params",
            "python_params",
            "jar_params",
            "sql_params",
            "python_named_params",
        )
        if key in request.body
    }
    if shared:
        run["overriding_parameters"] = shared
    if len(active) >= settings["max_concurrent_runs"]:
        for item in (run, *run["tasks"]):
            set_state(
                item,
                "SKIPPED",
                "MAXIMUM_CONCURRENT_RUNS_REACHED",
                f"This run was skipped because there are already {len(active)} active runs.",
                "MAX_CONCURRENT_RUNS_EXCEEDED",
            )
    elif state.executor:
        state.executor.start(run)
    return {"run_id": run["run_id"], "number_in_job": run["run_id"]}


@serves(jobs.JobsAPI.submit, "workspace/jobs/submit")
def submit(state: State, request: Request) -> Json:
    """Start a run of tasks that no job has; a token that came before gives the run that it started.

    Its job is not listed, and its permissions are those of a job.
    """
    known = known_token(state, request)
    if known:
        return {"run_id": known}
    settings = {
        key: value
        for key, value in request.body.items()
        if key not in ("access_control_list", "idempotency_token", "run_name")
    }
    if not settings.get("tasks"):
        raise invalid("A run must have at least one task")
    check_settings(state, settings)
    run_as = settings.get("run_as") or {}
    if (
        run_as.get("user_name") or run_as.get("service_principal_name") or request.caller
    ) != request.caller and not administers_workspace(state, request.caller):
        raise denied(f"User {request.caller} may not run as another principal")
    hidden = state.next_id()
    owned(state, "jobs", str(hidden), request.caller)
    if request.body.get("access_control_list"):
        set_permissions(
            state, "jobs", str(hidden), request.body["access_control_list"], replaces=False
        )
    run = add_run(
        state,
        request,
        hidden,
        with_defaults({**settings, "name": request.body.get("run_name") or "Untitled"}),
        "SUBMIT_RUN",
    )
    if state.executor:
        state.executor.start(run)
    return {"run_id": run["run_id"]}


def add_run(state: State, request: Request, job: int, settings: Json, kind: str) -> Json:
    """Add a run of settings, which is pending, and return it."""
    identity, moment = state.next_id(), now()
    page = f"{state.host}/jobs/{job}/runs/{identity}?o={state.settings.workspace_id}"
    left_out = ("health", "email_notifications", "depends_on")
    tasks = [
        {
            **{key: value for key, value in task.items() if key not in left_out},
            "depends_on": task.get("depends_on", []),
            "run_id": state.next_id(),
            "start_time": moment,
            "attempt_number": 0,
            "run_page_url": page,
        }
        for task in settings["tasks"]
    ]
    run: Json = {
        "run_id": identity,
        "job_run_id": identity,
        "number_in_job": identity,
        "job_id": job,
        "run_name": settings["name"],
        "creator_user_name": request.caller,
        "start_time": moment,
        "run_type": kind,
        "trigger": "ONE_TIME",
        "job_clusters": settings.get("job_clusters", []),
        "tasks": tasks,
        "run_page_url": page,
    }
    for item in (run, *tasks):
        set_state(item, "PENDING")
    state.runs[identity] = run
    state.run_settings[identity] = {
        **settings,
        "run_as_user_name": runs_as(settings, request.caller),
    }
    if request.body.get("idempotency_token"):
        state.run_tokens[request.body["idempotency_token"]] = identity
    return run


def set_state(
    item: Json, life_cycle: str, result: str = "", message: str = "", code: str = ""
) -> None:
    """Set the state of a run or task, in the older form and in the newer one."""
    item["state"] = {
        "life_cycle_state": life_cycle,
        "state_message": message,
        "user_cancelled_or_timedout": result == "CANCELED",
        **({"result_state": result} if result else {}),
    }
    ended = life_cycle in ENDED
    details = {
        "code": code or "SUCCESS",
        "type": "SUCCESS" if result == "SUCCESS" else "CLIENT_ERROR",
        "message": message,
    }
    item["status"] = {
        "state": "TERMINATED" if ended else life_cycle,
        **({"termination_details": details} if ended else {}),
    }
    if ended:
        item["end_time"] = now()


def advance(state: State, run: Json) -> None:
    """Move a run on by one poll."""
    if run["state"]["life_cycle_state"] in ENDED or state.executor:
        return
    pending, running = state.settings.run_polls
    polls = state.polled(f"run {run['run_id']}")
    if polls < pending:
        return
    if polls < pending + running:
        for item in (run, *(task for task in run["tasks"] if not task["depends_on"])):
            set_state(item, "RUNNING")
        return
    finish(state, run)


def finish(state: State, run: Json) -> None:
    """End a run: the tasks that are scripted fail, and those that wait for them do not run."""
    failed: set[str] = set()
    left = list(run["tasks"])
    while left:
        task = next(
            item
            for item in left
            if not {one["task_key"] for one in item["depends_on"]}
            & {one["task_key"] for one in left}
        )
        left.remove(task)
        upstream = [one["task_key"] for one in task["depends_on"] if one["task_key"] in failed]
        missing = absent_notebook(state, run, task)
        if missing and not upstream:
            set_state(task, "INTERNAL_ERROR", "FAILED", missing, "RESOURCE_NOT_FOUND")
            failed.add(task["task_key"])
        elif script(state, run, task["task_key"]) and not upstream:
            set_state(task, "TERMINATED", "FAILED", FAILURE, "RUN_EXECUTION_ERROR")
            failed.add(task["task_key"])
        elif upstream and task.get("run_if", "ALL_SUCCESS") in ("ALL_SUCCESS", "NONE_FAILED"):
            set_state(
                task,
                "TERMINATED",
                "UPSTREAM_FAILED",
                f"Upstream task {upstream[0]} failed.",
                "RUN_EXECUTION_ERROR",
            )
            failed.add(task["task_key"])
        else:
            set_state(task, "TERMINATED", "SUCCESS")
    end_run(run)


def end_run(run: Json) -> None:
    """End a run whose tasks have ended; it fails by the first of them that failed."""
    first = next(
        (
            task
            for task in run["tasks"]
            if task["state"].get("result_state") in ("FAILED", "TIMEDOUT")
        ),
        None,
    )
    if first:
        message = first["state"]["state_message"]
        set_state(
            run,
            "INTERNAL_ERROR",
            first["state"]["result_state"],
            f"Task {first['task_key']} failed with message: {message.rstrip('.')}.",
            "RUN_EXECUTION_ERROR",
        )
    else:
        set_state(run, "TERMINATED", "SUCCESS")


def script(state: State, run: Json, task: str) -> str:
    """Return the error with which a task is to fail, by its key or by job and key."""
    return state.scripted.get(f"{run['run_name']}/{task}") or state.scripted.get(task) or ""


def absent_notebook(state: State, run: Json, task: Json) -> str:
    """Return why a submitted task's notebook cannot be read, else ''.

    Who runs it need not be who started it.
    """
    said = task.get("notebook_task", {})
    if (
        (run["run_type"] != "SUBMIT_RUN" and not state.executor)
        or not said
        or said.get("source") == "GIT"
    ):
        return ""
    path, runner = said["notebook_path"], state.run_settings[run["run_id"]]["run_as_user_name"]
    found = state.files.get(path_of(path), {})
    if found.get("object_type") == "NOTEBOOK" and may_use(state, runner, path_of(path), "CAN_RUN"):
        return ""
    return (
        f'Unable to access the notebook "{path}" in the workspace. It does not exist, or the '
        f"identity used to run this job, {runner}, lacks the required permissions."
    )


def run_of(state: State, identity: int) -> Json:
    """Return a run of a job."""
    if identity not in state.runs:
        raise invalid(f"Run {identity} does not exist.")
    return state.runs[identity]


def need_run(state: State, request: Request, run: Json, level: str) -> None:
    """Refuse a caller that has less than a level on the job of a run."""
    need_level(
        state,
        request.caller,
        "jobs",
        str(run["job_id"]),
        level,
        f"User {request.caller} does not have {level} permission on run {run['run_id']}",
    )


@serves(jobs.JobsAPI.get_run, "workspace/jobs/getrun")
def get_run(state: State, request: Request) -> Json:
    """Return a run, moved on by this poll; or a task's run, by its own id."""
    for run in state.runs.values():
        for task in run["tasks"]:
            if task["run_id"] == int(request["run_id"]):
                need_run(state, request, run, "CAN_VIEW")
                return {
                    "run_id": task["run_id"],
                    "job_id": run["job_id"],
                    "run_name": task["task_key"],
                    "state": task["state"],
                    "status": task["status"],
                    "tasks": [task],
                    "job_run_id": run["run_id"],
                }
    found = run_of(state, int(request["run_id"]))
    need_run(state, request, found, "CAN_VIEW")
    advance(state, found)
    return found


@serves(jobs.JobsAPI.list_runs, "workspace/jobs/listruns")
def list_runs(state: State, request: Request) -> Json:
    """Return a page of the runs, those that started last first.

    Tasks only where they are asked for.
    """
    if request["active_only"] and request["completed_only"]:
        raise invalid("active_only and completed_only cannot both be true")
    if request["limit"] is not None and not 0 <= request["limit"] <= 25:
        raise invalid("limit must be between 0 and 25")
    found = [
        {
            key: value
            for key, value in run.items()
            if request["expand_tasks"] or key not in ("tasks", "job_clusters", "job_parameters")
        }
        for run in sorted(state.runs.values(), key=lambda item: -item["run_id"])
        if request["job_id"] in (None, run["job_id"])
        and not (request["active_only"] and run["state"]["life_cycle_state"] in ENDED)
        and not (request["completed_only"] and run["state"]["life_cycle_state"] not in ENDED)
        and run["start_time"] >= (request["start_time_from"] or 0)
        and run["start_time"] <= (request["start_time_to"] or run["start_time"])
    ]
    page = page_of(state, request, found, "runs", "limit")
    return {**page, "has_more": "next_page_token" in page}


@serves(jobs.JobsAPI.cancel_run, "workspace/jobs/cancelrun")
def cancel_run(state: State, request: Request) -> None:
    """Cancel a run that has not ended."""
    found = run_of(state, int(request["run_id"]))
    need_run(state, request, found, "CAN_MANAGE_RUN")
    if found["state"]["life_cycle_state"] not in ENDED:
        for item in (
            found,
            *(task for task in found["tasks"] if task["state"]["life_cycle_state"] not in ENDED),
        ):
            set_state(item, "TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
        if state.executor:
            state.executor.cancel(found)
