"""Runs what is submitted.

Each task of a run in a process of its own, in the order in which they wait for one another. Tasks
are not tried again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .compute_environment import (
    command,
    driver_words,
    furnish,
    install,
    link_packages,
    make_python,
    processes_of,
    variables_of,
    write_workspace,
)
from .files import path_of
from .furnish import token_of
from .run_output import source_book
from .runs import ENDED, FAILURE, absent_notebook, end_run, set_state
from .state import Json, State
from .table_store import TableStore
from .volume_store import VolumeStore

MODES = {
    "SINGLE_USER": "single_user",
    "DATA_SECURITY_MODE_DEDICATED": "single_user",
    "USER_ISOLATION": "standard",
    "DATA_SECURITY_MODE_STANDARD": "standard",
}


@dataclass(frozen=True)
class ExecutionSettings:
    """Where runs keep what they need, the folder with Spark's jars, for how many seconds an answer
    waits for a run to end, how long a cancelled task has to end by itself, and what variables its
    process has beside its own.
    """

    folder: Path
    state: Path
    poll_seconds: float = 2.0
    grace_seconds: float = 3.0
    variables: Mapping[str, str] = field(default_factory=dict)


class Executor:
    """The runs of a workspace that are executed."""

    def __init__(self, settings: ExecutionSettings, state: State, lock: threading.RLock) -> None:
        self.settings, self.state, self.lock = settings, state, lock
        self.changed = threading.Condition()
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.threads: list[threading.Thread] = []
        state.volume_files = self.volumes = VolumeStore(
            settings.folder / "volumes", state.volume_files
        )
        state.rows = self.tables = TableStore(settings.folder / "tables", state.rows)
        state.executor = self

    def __deepcopy__(self, memo: Any) -> Executor:
        """Return itself: a copy of the state has the same runs."""
        return self

    def start(self, run: Json) -> None:
        """Start a run in a thread of its own."""
        thread = threading.Thread(target=self.follow, args=(run,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def wait(self, identity: int) -> None:
        """Wait a little for a run to change.

        A client's clock need not wait between its questions.
        """

        def state() -> Any:
            return self.state.runs.get(identity, {}).get("state", {}).get("life_cycle_state")

        with self.changed:
            before = state()
            self.changed.wait_for(
                lambda: state() != before or before in (None, *ENDED), self.settings.poll_seconds
            )

    def cancel(self, run: Json) -> None:
        """End the processes of a run that is cancelled."""
        for task in run["tasks"]:
            process = self.processes.get(task["run_id"])
            if process:
                threading.Thread(
                    target=self.end, args=(task["run_id"], process), daemon=True
                ).start()

    def end(self, identity: int, process: subprocess.Popen[bytes]) -> None:
        """Ask a task's process to end, and kill what is left of it after a while."""
        mark = self.folder_of(identity) / "told.json"
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.settings.grace_seconds)
        while left := processes_of(mark):
            for number in left:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.05)

    def close(self) -> None:
        """End every process, and the threads that follow them."""
        for run in self.state.runs.values():
            if run["state"]["life_cycle_state"] not in ENDED:
                set_state(run, "TERMINATED", "CANCELED", "The workspace is gone.", "USER_CANCELED")
        ending = [
            threading.Thread(target=self.end, args=item) for item in list(self.processes.items())
        ]
        for thread in ending:
            thread.start()
        for thread in (*ending, *self.threads):
            thread.join(60)

    def folder_of(self, identity: int) -> Path:
        """Return the folder of a task's run."""
        return self.settings.folder / "runs" / str(identity)

    def follow(self, run: Json) -> None:
        """Run the tasks of a run, each after those that it waits for."""
        failed: set[str] = set()
        left = list(run["tasks"])
        self.tell(run, "RUNNING")
        while left:
            task = next(
                item
                for item in left
                if not {one["task_key"] for one in item["depends_on"]}
                & {one["task_key"] for one in left}
            )
            left.remove(task)
            upstream = [one["task_key"] for one in task["depends_on"] if one["task_key"] in failed]
            if run["state"]["life_cycle_state"] in ENDED:
                break
            if upstream and task.get("run_if", "ALL_SUCCESS") in ("ALL_SUCCESS", "NONE_FAILED"):
                self.tell(
                    task,
                    "TERMINATED",
                    "UPSTREAM_FAILED",
                    f"Upstream task {upstream[0]} failed.",
                    "RUN_EXECUTION_ERROR",
                )
            else:
                self.run_task(run, task)
            if task["state"].get("result_state") != "SUCCESS":
                failed.add(task["task_key"])
        with self.lock:
            if run["state"]["life_cycle_state"] not in ENDED:
                end_run(run)
        with self.changed:
            self.changed.notify_all()

    def tell(self, item: Json, *said: str) -> None:
        """Set the state of a run or task that has not ended."""
        with self.lock:
            if item["state"]["life_cycle_state"] not in ENDED:
                set_state(item, *said)
        with self.changed:
            self.changed.notify_all()

    def run_task(self, run: Json, task: Json) -> None:
        """Run a task to its end."""
        self.tell(task, "RUNNING")
        try:
            missing = absent_notebook(self.state, run, task)
            if missing:
                self.tell(task, "INTERNAL_ERROR", "FAILED", missing, "RESOURCE_NOT_FOUND")
                return
            output, outcome = self.executed(run, task)
        except Exception as error:  # a fault of the server's is the task's, or nobody would see it
            output, outcome = {"error": f"the test server fails: {error!r}"}, "FAILED"
        with self.lock:
            self.state.run_outputs[task["run_id"]] = output
        if outcome == "TIMEDOUT":
            self.tell(
                task,
                "TERMINATED",
                "TIMEDOUT",
                "The task took longer than its timeout.",
                "RUN_EXECUTION_ERROR",
            )
        elif output.get("error"):
            self.tell(task, "TERMINATED", "FAILED", FAILURE, outcome or "RUN_EXECUTION_ERROR")
        else:
            self.tell(task, "TERMINATED", "SUCCESS")

    def executed(self, run: Json, task: Json) -> tuple[Json, str]:
        """Run a task's process and return its output, and TIMEDOUT or why it did not start where
        that is so.
        """
        kind = next((name for name in ("notebook_task", "python_wheel_task") if name in task), "")
        if not kind:
            return {"error": "The test workspace runs notebooks and wheels, and no other tasks"}, ""
        folder, settings = self.folder_of(task["run_id"]), self.state.run_settings[run["run_id"]]
        folder.mkdir(parents=True)
        link_packages(self.settings.folder / "packages")
        python, compute = (
            make_python(folder / "python", self.settings.folder / "packages"),
            self.compute_of(settings, task),
        )
        own = variables_of(folder, python, self.settings.state, compute)
        variables = {**own, **self.settings.variables}
        with self.lock:
            for volume in self.state.unity["volume"]:
                (self.volumes.folder / volume.replace(".", "/")).mkdir(parents=True, exist_ok=True)
            write_workspace(folder / "workspace", self.state.files)
            told = {
                "host": self.state.host,
                "token": token_of(self.state, settings["run_as_user_name"]),
                "compute": compute,
                "catalogs": sorted({*self.state.unity["catalog"], "system"}),
                "tables": str(self.tables.folder),
                "folder": str(folder),
                "notebook_path": task.get("notebook_task", {}).get("notebook_path", ""),
                "parameters": self.parameters_of(run, task),
            }
            words, place = self.words_of(run, task, folder, python)
        furnish(folder, python, self.settings.state, told)
        (folder / "workspace").mkdir(exist_ok=True)
        refused = install(
            python, folder, self.wheels_of(settings, task), self.volumes.folder, variables
        )
        if refused:
            return {"error": refused}, "LIBRARY_INSTALLATION_ERROR"
        seconds = min(
            (
                item
                for item in (task.get("timeout_seconds"), settings.get("timeout_seconds"))
                if item
            ),
            default=None,
        )
        with (folder / "log").open("wb") as log:
            if run["state"]["life_cycle_state"] in ENDED:
                return {}, ""
            process = subprocess.Popen(
                command(self.volumes.folder, folder / "workspace", Path(place), variables, *words),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.processes[task["run_id"]] = process
            try:
                if (
                    run["state"]["life_cycle_state"] in ENDED
                ):  # cancelled between the question and the start
                    self.end(task["run_id"], process)
                process.wait(seconds)
                outcome = ""
            except subprocess.TimeoutExpired:
                self.end(task["run_id"], process)
                outcome = "TIMEDOUT"
            finally:
                del self.processes[task["run_id"]]
                process.wait()
                self.end(task["run_id"], process)
        return self.output_of(folder, kind, process.returncode), outcome

    def output_of(self, folder: Path, kind: str, code: int) -> Json:
        """Return what a task's process left."""
        made: Json = (
            json.loads((folder / "result.json").read_text(encoding="utf-8"))
            if (folder / "result.json").exists()
            else {}
        )
        log = (folder / "log").read_text(encoding="utf-8", errors="replace")
        if kind == "python_wheel_task":
            made["logs"] = log
        elif (folder / "executed.ipynb").exists():
            made["notebook"] = json.loads((folder / "executed.ipynb").read_text(encoding="utf-8"))
        if code and not made.get("error"):
            made["error"] = f"The process of the task ended with {code}: {log.strip()[-2000:]}"
        return made

    def compute_of(self, settings: Json, task: Json) -> str:
        """Return the kind of compute of a task: serverless, standard, single_user or classic."""
        spec = task.get("new_cluster")
        if task.get("job_cluster_key"):
            spec = next(
                item["new_cluster"]
                for item in settings["job_clusters"]
                if item["job_cluster_key"] == task["job_cluster_key"]
            )
        if task.get("existing_cluster_id"):
            spec = self.state.clusters[task["existing_cluster_id"]]
        return (
            "serverless"
            if spec is None
            else MODES.get(str(spec.get("data_security_mode")), "classic")
        )

    def wheels_of(self, settings: Json, task: Json) -> list[str]:
        """Return what is installed before a task.

        Its libraries, or its environment's dependencies.
        """
        environment = next(
            (
                item
                for item in settings.get("environments", [])
                if item["environment_key"] == task.get("environment_key")
            ),
            {},
        )
        return [item["whl"] for item in task.get("libraries", []) if "whl" in item] + list(
            environment.get("spec", {}).get("dependencies", [])
        )

    def parameters_of(self, run: Json, task: Json) -> Mapping[str, str]:
        """Return a notebook's parameters.

        Its own, those of the job, and those with which the run was started.
        """
        own = task.get("notebook_task", {}).get("base_parameters", {})
        job = {item["name"]: item["value"] for item in run.get("job_parameters", [])}
        return {
            name: self.resolved(run, task, value)
            for name, value in {
                **own,
                **job,
                **run.get("overriding_parameters", {}).get("notebook_params", {}),
            }.items()
        }

    def resolved(self, run: Json, task: Json, text: str) -> str:
        """Return a parameter with the values that it refers to (Databricks, *Access task-related
        data using dynamic value references*).
        """
        known = {
            "job.id": run["job_id"],
            "job.run_id": run["run_id"],
            "job.name": run["run_name"],
            "task.name": task["task_key"],
            "task.run_id": task["run_id"],
            **{
                f"job.parameters.{item['name']}": item["value"]
                for item in run.get("job_parameters", [])
            },
        }
        return re.sub(
            r"\{\{\s*([\w.-]+)\s*\}\}", lambda found: str(known.get(found[1], found[0])), text
        )

    def words_of(self, run: Json, task: Json, folder: Path, python: Path) -> tuple[list[str], str]:
        """Return the words that run a task, after its notebook is written, and the folder in which
        it runs.
        """
        if "python_wheel_task" in task:
            said = task["python_wheel_task"]
            given = [
                *said.get("parameters", []),
                *(f"--{name}={value}" for name, value in said.get("named_parameters", {}).items()),
            ]
            given = run.get("overriding_parameters", {}).get("python_params", given)
            return [
                str(python),
                "-m",
                "runtime.run_wheel",
                said["package_name"],
                said["entry_point"],
                *(self.resolved(run, task, text) for text in given),
            ], str(folder / "home")
        path = path_of(task["notebook_task"]["notebook_path"])
        book = source_book(self.state.files[path])
        for cell in book["cells"]:
            cell.update(outputs=[], execution_count=None) if cell["cell_type"] == "code" else None
            cell.setdefault("metadata", {})
        (folder / "notebook.ipynb").write_text(
            json.dumps({"metadata": {}, "nbformat": 4, "nbformat_minor": 5, **book}),
            encoding="utf-8",
        )
        place = "/Workspace" + path.rsplit("/", 1)[0]
        return list(driver_words(python, folder, place)), place
