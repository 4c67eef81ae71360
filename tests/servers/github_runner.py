"""Runs a workflow of GitHub on this machine.

Its jobs in the order of their needs, and the shell lines of their steps as they are.

Only actions (`uses:`) have stand-ins, which the tests give. What a workflow says and is not known
here is an error.
GitHub, *Workflow syntax for GitHub Actions*, *Workflow commands*, *Contexts reference*.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from github_expressions import as_text, evaluate, fill

SHELLS = {"": ("bash", "-e"), "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
STATUS = re.compile(r"\b(always|success|failure|cancelled)\(\)")
COMMAND = re.compile(r"^\s*::([\w-]+)[^:]*::(.*)$|##\[([\w-]+)")
OF_WORKFLOW = {"name", "on", "permissions", "concurrency", "jobs", "env"}
OF_JOB = {
    "name",
    "needs",
    "if",
    "permissions",
    "uses",
    "with",
    "runs-on",
    "timeout-minutes",
    "environment",
    "env",
    "steps",
}
OF_STEP = {"name", "id", "if", "uses", "with", "env", "shell", "run", "working-directory"}
TYPES: dict[str, type] = {"string": str, "choice": str, "environment": str, "boolean": bool}


@dataclass
class Repository:
    """What GitHub knows.

    Whose it is, its variables, those of its environments by name, and the branch.
    """

    name: str = "example/lakehouse"
    branch: str = "main"
    variables: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Job:
    """A job at work, or done: `result` is success, failure or skipped.

    `commands` are those that its log gave the runner.
    """

    name: str
    folder: Path
    repository: Repository
    environment: str = ""
    env: dict[str, str] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    result: str = "success"
    steps: dict[str, str] = field(default_factory=dict)
    log: str = ""
    commands: list[tuple[str, str]] = field(default_factory=list)
    stopped_by: str = ""

    @property
    def workspace(self) -> Path:
        """The folder of the checkout."""
        return self.folder / "workspace"

    @property
    def subject(self) -> str:
        """Who the job is to whom it logs in (GitHub, *OpenID Connect reference*, `sub`)."""
        of = (
            f"environment:{self.environment}"
            if self.environment
            else f"ref:refs/heads/{self.repository.branch}"
        )
        return f"repo:{self.repository.name}:{of}"

    @property
    def summary(self) -> str:
        """The summary of the job, in Markdown."""
        file = self.folder / "summary"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def tell(self, text: str) -> None:
        """Add to the log, and take the commands in it as a runner does."""
        self.log += text
        for line in text.splitlines():
            if self.stopped_by:
                self.stopped_by = (
                    "" if line.strip() == f"::{self.stopped_by}::" else self.stopped_by
                )
                continue
            found = COMMAND.search(line)
            if found and found[1] == "stop-commands":
                self.stopped_by = found[2]
            elif found:
                self.commands.append((found[1] or found[3], found[2] or ""))


Action = Callable[[Job, Mapping[str, str]], None]


class ActionFailedError(Exception):
    """An action did not succeed."""


@dataclass
class Runner:
    """Runs workflows of a folder.

    `actions` are the stand-ins by name, `base` is the environment that every step has, and `signer`
    tells a job
    that may have a token signed where that is done. `approvals` has the environments that were
    waited for.
    """

    workflows: Path
    folder: Path
    repository: Repository
    actions: Mapping[str, Action]
    base: Mapping[str, str]
    signer: Callable[[Job], Mapping[str, str]]
    approvals: list[str] = field(default_factory=list)
    runs: int = 0

    def dispatch(self, file: str, **inputs: Any) -> dict[str, Job]:
        """Run a workflow as a person starts it by hand, and return its jobs by name."""
        self.runs += 1
        workflow = self.read(file)
        given = checked_inputs(workflow["on"]["workflow_dispatch"]["inputs"], inputs)
        for name, described in workflow["on"]["workflow_dispatch"]["inputs"].items():
            assert described["type"] != "choice" or given[name] in described["options"], (
                name,
                given[name],
            )
        return dict(self.jobs_of(workflow, given, workflow["name"], ""))

    def read(self, file: str) -> dict[str, Any]:
        """Return a workflow; YAML 1.1 reads the key `on` as true."""
        found = yaml.safe_load((self.workflows / file).read_text(encoding="utf-8"))
        workflow = {("on" if key is True else key): value for key, value in found.items()}
        check_known(workflow, OF_WORKFLOW, file)
        return workflow

    def jobs_of(
        self,
        workflow: Mapping[str, Any],
        inputs: Mapping[str, Any],
        title: str,
        prefix: str,
        may_sign: bool = True,
    ) -> Iterator[tuple[str, Job]]:
        """Yield the jobs of a workflow as they are done, those of a called one under the name of
        the job that calls it.
        """
        results: dict[str, str] = {}
        left = dict(workflow["jobs"])
        while left:
            name = next(key for key, job in left.items() if not set(needs_of(job)) & set(left))
            described = left.pop(name)
            check_known(described, OF_JOB, name)
            needed = {need: {"result": results[need]} for need in needs_of(described)}
            contexts = {
                "inputs": inputs,
                "github": self.github(title),
                "needs": needed,
                "vars": self.repository.variables,
            }
            if not is_wanted(
                described.get("if", ""), contexts, [item["result"] for item in needed.values()]
            ):
                results[name] = "skipped"
                yield (
                    prefix + name,
                    Job(prefix + name, self.folder / "none", self.repository, result="skipped"),
                )
            elif "uses" in described:
                called = self.read(Path(described["uses"]).name)
                given = checked_inputs(
                    called["on"]["workflow_call"]["inputs"],
                    fill(described.get("with", {}), contexts),
                )
                done = list(
                    self.jobs_of(called, given, title, f"{prefix}{name} / ", can_sign(described))
                )
                results[name] = (
                    "failure" if any(job.result == "failure" for _, job in done) else "success"
                )
                yield from done
            else:
                job = self.run_job(
                    prefix + name, described, contexts, may_sign and can_sign(described)
                )
                results[name] = job.result
                yield prefix + name, job

    def github(self, title: str) -> dict[str, Any]:
        """Return the context `github`."""
        return {
            "workflow": title,
            "run_id": str(self.runs),
            "run_attempt": "1",
            "ref": f"refs/heads/{self.repository.branch}",
            "repository": self.repository.name,
            "event_name": "workflow_dispatch",
        }

    def run_job(
        self, name: str, described: Mapping[str, Any], contexts: Mapping[str, Any], is_signed: bool
    ) -> Job:
        """Run the steps of a job; after one that failed, only those run that are for every case."""
        folder = self.folder / f"{self.runs}-{name.replace(' / ', '-')}"
        environment = as_text(fill(described.get("environment", ""), contexts))
        variables = {**self.repository.variables}
        if environment:
            self.approvals.append(environment)
            variables |= self.repository.environments[environment]
        contexts = {**contexts, "vars": variables}
        job = Job(name, folder, self.repository, environment)
        for made in (job.workspace, folder / "home", folder / "temp"):
            made.mkdir(parents=True)
        job.env = {
            key: as_text(value) for key, value in fill(described.get("env", {}), contexts).items()
        }
        job.env |= self.signer(job) if is_signed else {}
        seconds = 60 * float(fill(described["timeout-minutes"], contexts))
        for index, step in enumerate(described["steps"]):
            check_known(step, OF_STEP, name)
            label = str(step.get("name") or step.get("uses"))
            if not is_wanted(step.get("if", ""), {**contexts, "env": job.env}, [job.result]):
                job.steps[label] = "skipped"
                continue
            job.tell(f"\n[step] {label}\n")
            job.steps[label] = self.run_step(job, index, step, contexts, seconds)
            job.stopped_by = ""
            job.result = "failure" if job.steps[label] == "failure" else job.result
        return job

    def run_step(
        self,
        job: Job,
        index: int,
        step: Mapping[str, Any],
        contexts: Mapping[str, Any],
        seconds: float,
    ) -> str:
        """Run a step by its stand-in or its shell, and return success or failure."""
        if "uses" in step:
            try:
                self.actions[step["uses"].partition("@")[0]](
                    job,
                    {
                        key: as_text(value)
                        for key, value in fill(step.get("with", {}), contexts).items()
                    },
                )
            except ActionFailedError as error:
                job.tell(f"::error::{error}\n")
                return "failure"
            return "success"
        assert "${{" not in step["run"], (
            "what people type reaches no script but through its environment"
        )
        script = job.folder / "temp" / f"{index}.sh"
        script.write_text(step["run"], encoding="utf-8")
        own = {
            key: as_text(value)
            for key, value in fill(step.get("env", {}), {**contexts, "env": job.env}).items()
        }
        place = job.workspace / step.get("working-directory", ".")
        done = subprocess.run(
            [*SHELLS[step.get("shell", "")], str(script)],
            cwd=place,
            env=self.environment_of(job) | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
        job.tell(done.stdout)
        return "failure" if done.returncode else "success"

    def environment_of(self, job: Job) -> dict[str, str]:
        """Return the environment of a job's next step, with what the steps before it wrote for
        it.
        """
        for name, into in (("env", job.env), ("path", None)):
            file = job.folder / name
            for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
                if into is None:
                    job.paths.insert(0, line)
                else:
                    key, _, value = line.partition("=")
                    into[key] = value
            file.write_text("", encoding="utf-8")
        own = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(job.workspace),
            "HOME": str(job.folder / "home"),
            "RUNNER_TEMP": str(job.folder / "temp"),
            "GITHUB_REPOSITORY": job.repository.name,
            "GITHUB_RUN_ID": str(self.runs),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_ENV": str(job.folder / "env"),
            "GITHUB_PATH": str(job.folder / "path"),
            "GITHUB_OUTPUT": str(job.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(job.folder / "summary"),
        }
        path = os.pathsep.join([*job.paths, self.base["PATH"]])
        return {**self.base, **own, **job.env, "PATH": path}


def check_known(described: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise where a workflow says what this runner does not know."""
    assert set(described) <= known, (
        f"{where}: {set(described) - known} is not known to the runner of the tests"
    )


def can_sign(described: Mapping[str, Any]) -> bool:
    """Whether a job may have a token signed.

    A called workflow may no more than the job that calls it.
    """
    return bool((described.get("permissions") or {}).get("id-token") == "write")


def needs_of(described: Mapping[str, Any]) -> list[str]:
    """Return the jobs that a job needs."""
    needs = described.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def is_wanted(condition: str, contexts: Mapping[str, Any], before: list[str]) -> bool:
    """Whether a job or step runs; without a function of the status, only after success."""
    has_failed, has_skipped = "failure" in before, "skipped" in before
    functions = {
        "always": lambda: True,
        "success": lambda: not (has_failed or has_skipped),
        "failure": lambda: has_failed,
        "cancelled": lambda: False,
    }
    condition = str(condition)
    if not STATUS.search(condition) and not functions["success"]():
        return False
    return bool(evaluate(condition, contexts, functions)) if condition else True


def checked_inputs(described: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a workflow with its defaults.

    Raises where one is unknown, missing or of another type.
    """
    assert set(given) <= set(described), f"{set(given) - set(described)} is no input"
    missing = [
        name for name, item in described.items() if item.get("required") and name not in given
    ]
    assert not missing, f"{missing} is required"
    values = {name: given.get(name, item.get("default", "")) for name, item in described.items()}
    wrong = [
        name
        for name, value in values.items()
        if not isinstance(value, TYPES[described[name]["type"]])
    ]
    assert not wrong, f"{wrong} has another type: {values}"
    return values
