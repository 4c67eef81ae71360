"""Runs of jobs (reference page *Jobs*, runs). A run is pending, runs and ends over the polls that the settings ask for; `state.scripted` says which tasks fail, and how."""
from __future__ import annotations

import copy

from databricks.sdk.service import jobs

from .jobs import managed
from .refusals import invalid
from .routes import Request, page_of, serves
from .state import Json, State, now

FAILURE = "Workload failed, see run output for details"
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


@serves(jobs.JobsAPI.run_now, "workspace/jobs/runnow")
def run_now(state: State, request: Request) -> Json:
    """Start a run; a token that came before gives the run that it started."""
    token = request.body.get("idempotency_token") or ""
    if len(token) > 64:
        raise invalid("idempotency_token must have at most 64 characters")
    if token in state.run_tokens:
        return {"run_id": state.run_tokens[token], "number_in_job": state.run_tokens[token]}
    found = managed(state, request, "CAN_MANAGE_RUN", "Manage Run or Admin or Owner")
    settings = copy.deepcopy(found["settings"])
    if not settings.get("tasks"):
        raise invalid(f"Job {found['job_id']} has no tasks")
    given = request.body.get("job_parameters", {})
    parameters = [{"name": item["name"], "default": item["default"], "value": given.get(item["name"], item["default"])} for item in settings.get("parameters", [])]
    parameters += [{"name": name, "value": value} for name, value in given.items() if name not in {item["name"] for item in parameters}]
    identity, moment = state.next_id(), now()
    active = [item for item in state.runs.values() if item["job_id"] == found["job_id"] and item["state"]["life_cycle_state"] not in ENDED]
    run: Json = {"run_id": identity, "job_run_id": identity, "number_in_job": identity, "job_id": found["job_id"], "run_name": settings["name"], "creator_user_name": request.caller, "start_time": moment, "run_type": "JOB_RUN",
                 "trigger": "ONE_TIME", "job_clusters": settings.get("job_clusters", []), "tasks": [{**{key: value for key, value in task.items() if key not in ("health", "email_notifications", "depends_on")}, "depends_on": task.get("depends_on", []),
                 "run_id": state.next_id(), "start_time": moment, "attempt_number": 0} for task in settings["tasks"]], "run_page_url": f"/jobs/{found['job_id']}/runs/{identity}"}
    if parameters:
        run["job_parameters"] = parameters
    shared = {key: request.body[key] for key in ("notebook_params", "python_params", "jar_params", "sql_params", "python_named_params") if key in request.body}
    if shared:
        run["overriding_parameters"] = shared
    state.runs[identity] = run
    if len(active) >= settings["max_concurrent_runs"]:
        set_state(run, "SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", f"This run was skipped because there are already {len(active)} active runs.", "MAX_CONCURRENT_RUNS_EXCEEDED")
    else:
        set_state(run, "PENDING")
    for task in run["tasks"]:
        task.update(state=dict(run["state"]), status=dict(run["status"]))
    if token:
        state.run_tokens[token] = identity
    return {"run_id": identity, "number_in_job": identity}


def set_state(item: Json, life_cycle: str, result: str = "", message: str = "", code: str = "") -> None:
    """Set the state of a run or task, in the older form and in the newer one."""
    item["state"] = {"life_cycle_state": life_cycle, "state_message": message, "user_cancelled_or_timedout": result == "CANCELED", **({"result_state": result} if result else {})}
    ended = life_cycle in ENDED
    details = {"code": code or "SUCCESS", "type": "SUCCESS" if result == "SUCCESS" else "CLIENT_ERROR", "message": message}
    item["status"] = {"state": "TERMINATED" if ended else life_cycle, **({"termination_details": details} if ended else {})}
    if ended:
        item["end_time"] = now()


def advance(state: State, run: Json) -> None:
    """Move a run on by one poll."""
    if run["state"]["life_cycle_state"] in ENDED:
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
        task = next(item for item in left if not {one["task_key"] for one in item["depends_on"]} & {one["task_key"] for one in left})
        left.remove(task)
        upstream = [one["task_key"] for one in task["depends_on"] if one["task_key"] in failed]
        if script(state, run, task["task_key"]) and not upstream:
            set_state(task, "TERMINATED", "FAILED", FAILURE, "RUN_EXECUTION_ERROR")
            failed.add(task["task_key"])
        elif upstream and task.get("run_if", "ALL_SUCCESS") in ("ALL_SUCCESS", "NONE_FAILED"):
            set_state(task, "TERMINATED", "UPSTREAM_FAILED", f"Upstream task {upstream[0]} failed.", "RUN_EXECUTION_ERROR")
            failed.add(task["task_key"])
        else:
            set_state(task, "TERMINATED", "SUCCESS")
    first = next((task["task_key"] for task in run["tasks"] if task["state"]["result_state"] == "FAILED"), "")
    if first:
        set_state(run, "INTERNAL_ERROR", "FAILED", f"Task {first} failed with message: {FAILURE}.", "RUN_EXECUTION_ERROR")
    else:
        set_state(run, "TERMINATED", "SUCCESS")


def script(state: State, run: Json, task: str) -> str:
    """Return the error with which a task is to fail, by its key or by job and key."""
    return state.scripted.get(f"{run['run_name']}/{task}") or state.scripted.get(task) or ""


def run_of(state: State, identity: int) -> Json:
    """Return a run of a job."""
    if identity not in state.runs:
        raise invalid(f"Run {identity} does not exist.")
    return state.runs[identity]


@serves(jobs.JobsAPI.get_run, "workspace/jobs/getrun")
def get_run(state: State, request: Request) -> Json:
    """Return a run, moved on by this poll; or a task's run, by its own id."""
    for run in state.runs.values():
        for task in run["tasks"]:
            if task["run_id"] == int(request["run_id"]):
                return {"run_id": task["run_id"], "job_id": run["job_id"], "run_name": task["task_key"], "state": task["state"], "status": task["status"], "tasks": [task], "job_run_id": run["run_id"]}
    found = run_of(state, int(request["run_id"]))
    advance(state, found)
    return found


@serves(jobs.JobsAPI.list_runs, "workspace/jobs/listruns")
def list_runs(state: State, request: Request) -> Json:
    """Return a page of the runs, those that started last first; tasks only where they are asked for."""
    if request["active_only"] and request["completed_only"]:
        raise invalid("active_only and completed_only cannot both be true")
    if request["limit"] is not None and not 0 <= request["limit"] <= 25:
        raise invalid("limit must be between 0 and 25")
    found = [{key: value for key, value in run.items() if request["expand_tasks"] or key not in ("tasks", "job_clusters", "job_parameters")}
             for run in sorted(state.runs.values(), key=lambda item: -item["run_id"]) if request["job_id"] in (None, run["job_id"])
             and not (request["active_only"] and run["state"]["life_cycle_state"] in ENDED) and not (request["completed_only"] and run["state"]["life_cycle_state"] not in ENDED)
             and run["start_time"] >= (request["start_time_from"] or 0) and run["start_time"] <= (request["start_time_to"] or run["start_time"])]
    page = page_of(state, request, found, "runs", "limit")
    return {**page, "has_more": "next_page_token" in page}


@serves(jobs.JobsAPI.get_run_output, "workspace/jobs/getrunoutput")
def get_run_output(state: State, request: Request) -> Json:
    """Return the output of a task's run, or of a run that has one task."""
    identity = int(request["run_id"])
    run = next((item for item in state.runs.values() if identity == item["run_id"] or identity in [task["run_id"] for task in item["tasks"]]), None)
    if not run:
        raise invalid(f"Run {identity} does not exist.")
    if identity == run["run_id"] and len(run["tasks"]) > 1:
        raise invalid("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.")
    task = run["tasks"][0] if identity == run["run_id"] else next(item for item in run["tasks"] if item["run_id"] == identity)
    error = script(state, run, task["task_key"]) if task["state"].get("result_state") == "FAILED" else ""
    output: Json = {"notebook_output": {}} if "notebook_task" in task else {}
    return {"metadata": {"run_id": task["run_id"], "job_id": run["job_id"], "state": task["state"], "tasks": [task]}, **output, **({"error": error, "error_trace": f"Traceback (most recent call last):\n{error}"} if error else {})}


@serves(jobs.JobsAPI.cancel_run, "workspace/jobs/cancelrun")
def cancel_run(state: State, request: Request) -> None:
    """Cancel a run that has not ended."""
    found = run_of(state, int(request["run_id"]))
    if found["state"]["life_cycle_state"] not in ENDED:
        for item in (found, *(task for task in found["tasks"] if task["state"]["life_cycle_state"] not in ENDED)):
            set_state(item, "TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
