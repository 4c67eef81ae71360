"""The workflows as GitHub runs them.

Their shell lines are run as they are, and what is there afterwards is looked at.

Stand-ins: the actions of others, the test workspace, Azure Resource Manager, and the log-in. The
toolkit is installed from the hashed requirements and the checkout, once.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure_log_in import DATABRICKS, MANAGEMENT, LogIn, Names, Served, azure_names, log_in, write_az
from github_expressions import evaluate, fill
from github_runner import ActionFailedError, Job, Repository, Runner
from resource_manager.server import ResourceManager
from state_store import StateStore
from test_unity_workspace import Directory
from workspace.clients import workspace_client
from workspace.executor import ExecutionSettings
from workspace.furnish import add_principal
from workspace.server import Workspace
from workspace.state import METASTORE, Settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import terraform  # noqa: E402

TENANT, SUBSCRIPTION = (
    "00000000-0000-0000-0000-000000000002",
    "00000000-0000-0000-0000-000000000001",
)
APPLICATION = "00000000-0000-4000-8000-00000000aaaa"
HOST = "adb-6051921418418893.13.azuredatabricks.net"
HOSTILE = "</pre>`````<script>alert(1)</script>\n::error::taken for a command\n##[error]and so"
VARIABLES = {
    "AZURE_CLIENT_ID": APPLICATION,
    "AZURE_TENANT_ID": TENANT,
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
}
PROJECT = {
    "domain": "risk",
    "catalog": "risk",
    "contracts": ["contracts/clicks.yaml", "contracts/visits.yaml"],
    "targets": {
        "production": {
            "host": f"https://{HOST}",
            "account_id": Settings.account_id,
            "warehouse": "Serverless Starter Warehouse",
            "landing": "/Volumes/crisk/bronze/volume_checkpoint_locations/landing",
        }
    },
    "unity": {"service_principal": APPLICATION},
    "setup": {
        "subscription": SUBSCRIPTION,
        "tenant": TENANT,
        "location": Settings.region,
        "writers": {"ana": {"object_id": "00000000-0000-0000-0000-000000000003", "type": "User"}},
        "budget": {"amount": 500, "emails": ["risk-data@example.com"]},
        "github": {
            "repository": "example/lakehouse",
            "environments": ["production"],
            "branches": ["main"],
        },
        "groups": {"data_engineer": ["ana@example.com"]},
    },
    "jobs": {"compute": "serverless"},
}
CLICKS = {
    "dataContractSpecification": "1.1.0",
    "id": "urn:datacontract:risk:clicks",
    "info": {"title": "Clicks", "version": "1.0.0", "description": HOSTILE},
    "models": {
        "click": {
            "description": HOSTILE,
            "fields": {"click_id": {"type": "string", "primaryKey": True, "required": True}},
        }
    },
    "workflow": {"source": {"type": "eventhub", "format": "json"}, "job_mock": True},
}
VISITS = {
    "dataContractSpecification": "1.1.0",
    "id": "urn:datacontract:risk:visits",
    "info": {
        "title": "Visits",
        "version": "1.0.0",
        "description": "Visits of branches, and how many there are.",
    },
    "models": {
        "visit": {
            "description": "A visit.",
            "fields": {
                "visit_id": {"type": "string", "primaryKey": True, "required": True},
                "branch": {"type": "string", "required": True},
            },
        },
        "branch_visits": {
            "description": "Visits by branch.",
            "fields": {
                "branch": {"type": "string", "required": True},
                "visits": {"type": "long", "minimum": 1},
            },
        },
    },
    "workflow": {
        "model": "visit",
        "source": {"type": "adls", "format": "csv", "header": True},
        "gold": {"branch_visits": "gold/branch_visits.sql"},
    },
}
BRANCH_VISITS = "SELECT branch, count(*) AS visits FROM visit GROUP BY branch"
LANDED = b"visit_id,branch\nv1,north\nv2,north\nv3,south\n,south\n"


def test_expressions_are_evaluated_as_github_does() -> None:
    contexts = {"inputs": {"run": True, "action": "Apply", "empty": ""}, "vars": {}}
    assert evaluate("inputs.action == 'apply' && inputs.run", contexts) is True
    assert evaluate("${{ inputs.run && 'ingest' || '' }}", contexts) == "ingest"
    assert evaluate("inputs.empty || 'steps'", contexts) == "steps"
    assert evaluate("!(inputs.empty != '') && always()", contexts, {"always": lambda: True}) is True
    assert fill({"a": ["x-${{ vars.NONE }}-${{ inputs.run }}"]}, contexts) == {"a": ["x--true"]}
    assert evaluate(
        "fromJSON(startsWith(inputs.action, '3.') "
        """&& format('["{0}"]', inputs.action) || '["3.11"]')""",
        contexts,
    ) == ["3.11"]
    for wrong in ("inputs.action ~ 1", "secrets.token", "(inputs.run"):
        with pytest.raises((ValueError, KeyError, IndexError)):
            evaluate(wrong, contexts)


class People(Directory):
    """Microsoft Graph, with one data engineer."""

    people = ("ana@example.com",)


@dataclass
class Github:
    """A repository on GitHub with all that its workflows reach.

    `files` are those of the checkout that are its own.
    """

    folder: Path
    runner: Runner
    workspace: Workspace
    azure: ResourceManager
    entra: LogIn
    names: Names
    files: dict[str, Any]

    @property
    def artifacts(self) -> dict[str, list[str]]:
        """The artifacts of the last run, with the files in each."""
        folder = self.folder / "artifacts" / str(self.runner.runs)
        return {
            item.name: sorted(
                path.relative_to(item).as_posix() for path in item.rglob("*") if path.is_file()
            )
            for item in sorted(folder.glob("*"))
        }

    def artifact(self, name: str, file: str) -> str:
        """The text of a file in an artifact of the last run."""
        return (self.folder / "artifacts" / str(self.runner.runs) / name / file).read_text(
            encoding="utf-8"
        )

    @property
    def held(self) -> dict[str, Any]:
        """What the workspace and the namespace hold, without what a plan may start or count."""
        state = self.workspace.state
        unity = {kind: sorted(items) for kind, items in state.unity.items()}
        hubs = {
            name: sorted(space.hubs)
            for name, space in self.azure.groups[SUBSCRIPTION, "rsgdrisk"].items()
        }
        jobs = {
            str(number): json.dumps(item, sort_keys=True) for number, item in state.jobs.items()
        }
        return {
            "unity": unity,
            "jobs": jobs,
            "files": sorted(state.volume_files),
            "runs": sorted(state.runs),
            "topics": hubs,
        }

    def rows(self, query: str) -> list[list[str]]:
        """What a query gives on the workspace's warehouse."""
        client = workspace_client(self.workspace, APPLICATION)
        answer = client.statement_execution.execute_statement(
            query, next(iter(client.warehouses.list())).id or ""
        )
        assert answer.status and answer.status.state and answer.status.state.value == "SUCCEEDED", (
            answer.status
        )
        return (answer.result and answer.result.data_array) or []

    def land(self, file: str, content: bytes) -> None:
        """Have a file arrive."""
        workspace_client(self.workspace, APPLICATION).files.upload(
            f"/Volumes/crisk/bronze/volume_checkpoint_locations/landing/{file}", io.BytesIO(content)
        )

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The settings of the workspace's jobs by name."""
        return {
            item["settings"]["name"]: item["settings"]
            for item in self.workspace.state.jobs.values()
        }


def tracked_files() -> list[str]:
    """Return the files of this tree."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return [
        name
        for name in subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if (ROOT / name).is_file()
    ]


def actions_of(folder: Path, files: Mapping[str, Any], runs: Any) -> dict[str, Any]:
    """Return the stand-ins for the actions of others."""
    tracked = tracked_files()

    def check_out(job: Job, given: Mapping[str, str]) -> None:
        assert given["persist-credentials"] == "false"
        for name in tracked:
            (job.workspace / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, job.workspace / name)
        for name, content in files.items():
            (job.workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (job.workspace / name).write_text(
                content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
            )

    def set_up_python(job: Job, given: Mapping[str, str]) -> None:
        if not (folder / "venv").exists():
            venv.create(folder / "venv", with_pip=True)
        job.paths.insert(0, str(folder / "venv" / "bin"))

    def set_up_terraform(job: Job, given: Mapping[str, str]) -> None:
        job.paths.insert(0, str(folder / "terraform"))

    def upload(job: Job, given: Mapping[str, str]) -> None:
        target = folder / "artifacts" / str(runs()) / given["name"]
        if target.exists():
            raise ActionFailedError(
                "Failed to CreateArtifact: (409) Conflict: an artifact with this name "
                f"already exists: {given['name']}"
            )
        for path in given["path"].split():
            if (job.workspace / path).is_dir():
                shutil.copytree(job.workspace / path, target)

    return {
        "actions/checkout": check_out,
        "actions/setup-python": set_up_python,
        "hashicorp/setup-terraform": set_up_terraform,
        "Azure/login": log_in,
        "actions/upload-artifact": upload,
    }


def furnish_workspace(workspace: Workspace) -> None:
    """Give the deploying principal what an account administrator gives it."""
    state = workspace.state
    added = add_principal(
        state,
        "ServicePrincipals",
        applicationId=APPLICATION,
        displayName="spndatamasteradmin",
        active=True,
        roles=[{"value": "account_admin"}],
    )
    admins = next(item for item in state.principals.values() if item.name == "admins")
    admins.resource["members"].append({"value": added})
    for item in state.unity[METASTORE].values():
        item |= {"owner": APPLICATION, "storage_root": "abfss://c@acc.dfs.core.windows.net"}


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Github]:
    """The repository, its workspace and Azure; nothing of the project is made yet."""
    folder = tmp_path_factory.mktemp("github")
    (folder / "bin").mkdir()
    write_az(folder / "bin")
    with ExitStack() as stack:
        told: dict[str, str] = {}  # what runs in the workspace knows the hosts by their names too
        place = folder / "workspace"
        execution = ExecutionSettings(place, ROOT / ".datamaster", variables=told)
        (folder / "workspace").mkdir()
        workspace = stack.enter_context(
            Workspace(Settings(has_serverless=True), metastore="primary", execution=execution)
        )
        azure = stack.enter_context(ResourceManager())
        furnish_workspace(workspace)
        azure.furnish(
            SUBSCRIPTION,
            "rsgdrisk",
            "ethdrisk",
            identity="SystemAssigned",
            containers={("stadrisk", "ctrdriskraw")},
        )

        def grant(token: str, resource: str, client_id: str) -> None:
            if resource == DATABRICKS:
                workspace.state.tokens[token] = client_id
            elif resource == MANAGEMENT:
                azure.token = token

        trusted = {
            APPLICATION: {
                "repo:example/lakehouse:ref:refs/heads/main",
                "repo:example/lakehouse:environment:production",
            }
        }
        entra = stack.enter_context(LogIn(TENANT, trusted, grant))
        graph = stack.enter_context(Served(People))
        leads = {
            HOST: workspace.host,
            "graph.microsoft.com": graph.address,
            "accounts.azuredatabricks.net": workspace.host,
            "management.azure.com": azure.host,
        }
        names = stack.enter_context(azure_names(folder, entra, leads))
        told |= names.environment
        files: dict[str, Any] = {
            "datamaster.yaml": PROJECT,
            "contracts/clicks.yaml": CLICKS,
            "contracts/visits.yaml": VISITS,
            "gold/branch_visits.sql": BRANCH_VISITS,
        }
        kept = {
            name: os.environ[name]
            for name in os.environ
            if name.startswith("PIP_") or name in ("LANG", "LC_ALL", "TMPDIR")
        }
        kept.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
        base = {
            **kept,
            **names.environment,
            "PATH": os.pathsep.join([str(folder / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        repository = Repository(
            variables=dict(VARIABLES), environments={"production": {}, "elsewhere": {}}
        )
        runner = Runner(
            ROOT / ".github" / "workflows", folder / "work", repository, {}, base, entra.told
        )
        runner.actions = actions_of(folder, files, lambda: runner.runs)
        yield Github(folder, runner, workspace, azure, entra, names, files)


def results(jobs: Mapping[str, Job]) -> dict[str, str]:
    """Return what became of each job."""
    return {name: job.result for name, job in jobs.items()}


def logs(jobs: Mapping[str, Job]) -> str:
    """Return the logs, for who reads why a test failed."""
    return "\n".join(job.log for job in jobs.values())


PLANNED = {"plan / run": "success", "apply": "skipped"}
APPLIED = {"plan / run": "success", "apply / run": "success"}


@pytest.fixture(scope="module")
def unity_plan(github: Github) -> dict[str, Job]:
    """The run of 02 that plans."""
    before = github.held
    jobs = github.runner.dispatch("02-unity.yml")
    assert results(jobs) == PLANNED, logs(jobs)
    assert github.held == before
    assert github.runner.approvals == []
    return jobs


@pytest.fixture(scope="module")
def unity_apply(github: Github, unity_plan: dict[str, Job]) -> dict[str, Job]:
    """The run of 02 that applies, after the one that plans."""
    jobs = github.runner.dispatch("02-unity.yml", action="apply")
    assert results(jobs) == APPLIED, logs(jobs)
    return jobs


@pytest.mark.slow
def test_02_plans_without_a_change_and_without_an_approval(
    github: Github, unity_plan: dict[str, Job]
) -> None:
    job = unity_plan["plan / run"]
    assert "### Plan: unity" in job.summary and "+ table crisk.silver.visit" in job.summary
    assert (
        job.environment == ""
        and ("repo:example/lakehouse:ref:refs/heads/main", DATABRICKS) in github.entra.granted
    )
    assert list(github.artifacts) == ["unity-plan-1"] and "crisk.silver.visit" in github.artifact(
        "unity-plan-1", "unity-plan.txt"
    )


@pytest.mark.slow
def test_02_applies_once_the_environment_allows_it(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    assert github.runner.approvals == ["production"]
    assert unity_apply["apply / run"].subject == "repo:example/lakehouse:environment:production"
    assert ("repo:example/lakehouse:environment:production", DATABRICKS) in github.entra.granted
    assert {"crisk.bronze.visit", "crisk.silver.visit", "crisk.gold.branch_visits"} <= set(
        github.held["unity"]["table"]
    )
    assert "### Apply: unity" in unity_apply["apply / run"].summary


@pytest.mark.slow
def test_a_log_in_that_is_not_trusted_fails_the_run_before_anything_is_asked(
    github: Github,
) -> None:
    github.runner.repository.branch = "elsewhere"
    github.workspace.forget_calls()
    jobs = github.runner.dispatch("02-unity.yml", action="apply")
    github.runner.repository.branch = "main"
    assert results(jobs) == {"plan / run": "failure", "apply": "skipped"}
    assert "AADSTS700213: No matching federated identity record" in jobs["plan / run"].log
    assert (
        github.workspace.log == []
        and jobs["plan / run"].steps["Plan, and apply where it is wanted"] == "skipped"
    )


@pytest.mark.slow
def test_03_delivers_the_ingest_of_a_contract_and_runs_it(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    github.land("visit/first.csv", LANDED)
    jobs = github.runner.dispatch(
        "03-ingest.yml", action="apply", run=True, contract="contracts/visits.yaml"
    )
    assert results(jobs) == APPLIED, logs(jobs)
    assert set(github.jobs()) == {"ingest-risk-visit"}
    assert (
        "+ job ingest-risk-visit" in jobs["plan / run"].summary
        and "click" not in jobs["plan / run"].summary
    )
    assert "ingest-risk-visit: SUCCESS" in github.artifact("deliver-apply-1", "run.txt")
    assert github.rows("SELECT count(*) FROM crisk.silver.visit") == [["3"]]
    assert github.rows("SELECT count(*) FROM crisk.bronze.visit") == [["4"]]


@pytest.mark.slow
def test_nothing_of_a_contract_is_markup_of_a_summary_or_a_command_of_a_log(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    jobs = github.runner.dispatch("03-ingest.yml")
    assert results(jobs) == PLANNED, logs(jobs)
    job = jobs["plan / run"]
    assert job.commands == [] and "alert(1)" in job.log
    head, _, block = job.summary.rstrip().partition("diff\n")
    fence = head.splitlines()[-1]
    inside = block.removesuffix(fence)
    assert "alert(1)" in inside and fence.strip("`") == "" and inside != block
    assert len(fence) > max(map(len, re.findall("`+", inside)))


@pytest.mark.slow
def test_03_delivers_mock_jobs_and_topics_and_a_second_apply_changes_nothing(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    jobs = github.runner.dispatch("03-ingest.yml", action="apply")
    assert results(jobs) == APPLIED, logs(jobs)
    held = github.held
    assert {"ingest-risk-visit", "ingest-risk-click", "mock-ingest-risk-click"} == {
        name for name in github.jobs() if not name.startswith("prep-")
    }
    assert held["topics"]["ethdrisk"] == ["topic-risk-click"]
    again = github.runner.dispatch("03-ingest.yml")
    assert results(again) == PLANNED and github.held == held
    assert "0 to create, 0 to update, 0 to delete" in again["plan / run"].summary


@pytest.mark.slow
def test_04_delivers_the_preparations_and_runs_them(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    before = {name: said for name, said in github.jobs().items() if not name.startswith("prep-")}
    jobs = github.runner.dispatch(
        "04-prep.yml", action="apply", run=True, contract="contracts/visits.yaml"
    )
    assert results(jobs) == APPLIED, logs(jobs)
    assert github.jobs() == {
        **before,
        "prep-risk-branch_visits": github.jobs()["prep-risk-branch_visits"],
    }
    assert "prep-risk-branch_visits: SUCCESS" in github.artifact("deliver-apply-1", "run.txt")


@pytest.mark.slow
def test_99_has_the_workspace_execute_the_notebooks_and_keeps_them(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    jobs = github.runner.dispatch("99-quality.yml")
    assert results(jobs) == {"steps / run": "success"}, logs(jobs)
    [name] = github.artifacts
    kept = github.artifacts[name]
    assert {Path(file).name for file in kept} >= {"06_quality.html", "07_explore.html"}, kept
    log = jobs["steps / run"].log
    # A broken rule of severity warn fails nothing; the tests before this one leave such rows.
    assert re.search(r"[1-9]\d* passed, \d+ broken", log), log
    assert "executed notebook: runs/" in log


@pytest.fixture
def world(github: Github) -> Iterator[Path]:
    """The world of Terraform's stand-in providers, in which a person has made the state's storage
    and what logs in.
    """
    made, programs = github.folder / "world", github.folder / "terraform"
    made.mkdir()
    programs.mkdir()
    told = terraform.environment(terraform.stand_ins())
    words = " ".join(shlex.quote(part) for part in terraform.terraform())
    for name, line in (
        ("terraform", f'exec {words} "$@"'),
        ("datamaster", f'exec python {shlex.quote(str(ROOT / "tests" / "setup_run.py"))} "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    project = github.folder / "by-a-person"
    shutil.copytree(ROOT / "contracts", project / "contracts")
    (project / "contracts" / "visits.yaml").write_text(json.dumps(VISITS), encoding="utf-8")
    (project / "contracts" / "clicks.yaml").write_text(json.dumps(CLICKS), encoding="utf-8")
    (project / "datamaster.yaml").write_text(json.dumps(PROJECT), encoding="utf-8")
    with StateStore() as store:
        own = {
            name: value for name, value in told.items() if name.startswith(("TF_", "CHECKPOINT"))
        } | {"STAND_IN_WORLD": str(made), "STATE_STORE": store.address}
        here = {
            **os.environ,
            **own,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
        command = [
            sys.executable,
            str(ROOT / "tests" / "setup_run.py"),
            "setup",
            "apply",
            "--part",
            "state",
            "--part",
            "entra",
        ]
        done = subprocess.run(
            command, cwd=project, env=here, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        before = github.runner.base
        github.runner.base = {**before, **own}
        yield made
        github.runner.base = before


def resources(world: Path) -> set[str]:
    """Return the types of what there is."""
    return {path.name for path in world.iterdir() if path.is_dir() and any(path.glob("*.json"))}


@pytest.mark.slow
def test_01_plans_applies_and_after_a_failure_goes_on_from_what_is_there(
    github: Github, world: Path
) -> None:
    before = resources(world)
    jobs = github.runner.dispatch("01-setup.yml")
    assert results(jobs) == PLANNED, logs(jobs)
    summary = jobs["plan / run"].summary
    assert (
        "### Plan: setup" in summary
        and "+ azurerm_storage_account azure/lake" in summary
        and resources(world) == before
    )
    kept = github.artifacts["setup-plan-1"]
    assert "setup-plan.txt" in kept and any(name.endswith(".log") for name in kept)
    (world / "faults.json").write_text(
        json.dumps({"fail": {"azurerm_databricks_workspace": "quota of the region is used up"}}),
        encoding="utf-8",
    )
    failed = github.runner.dispatch("01-setup.yml", action="apply")
    assert results(failed) == {"plan / run": "success", "apply / run": "failure"}
    assert "quota of the region is used up" in github.artifact(
        "setup-apply-1", "setup-apply.txt"
    ) and "azurerm_databricks_workspace" not in resources(world)
    (world / "faults.json").unlink()
    applied = github.runner.dispatch("01-setup.yml", action="apply")
    assert results(applied) == APPLIED, logs(applied)
    assert "### Apply: setup" in applied["apply / run"].summary and {
        "azurerm_databricks_workspace",
        "azurerm_storage_account",
    } <= resources(world)


@pytest.mark.slow
def test_a_run_that_fails_fails_the_workflow_and_what_it_told_is_kept(
    github: Github, unity_apply: dict[str, Job]
) -> None:
    github.files["contracts/visits.yaml"] = {
        **VISITS,
        "workflow": {**VISITS["workflow"], "maximum_bad_share": "10%"},
    }
    github.land("visit/bad.csv", b"visit_id,branch\n,nowhere\n")
    jobs = github.runner.dispatch(
        "03-ingest.yml", action="apply", run=True, contract="contracts/visits.yaml"
    )
    github.files["contracts/visits.yaml"] = VISITS
    assert results(jobs) == {"plan / run": "success", "apply / run": "failure"}
    assert (
        "SystemExit: 1: error[too-many-bad-rows]" in github.artifact("deliver-apply-1", "run.txt")
        and "task-ingest-risk-visit: FAILED" in jobs["apply / run"].log
    )
