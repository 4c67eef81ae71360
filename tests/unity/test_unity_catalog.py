"""The command line's journey in a workspace.

Plan, apply, nothing left, killed and gone on, destroyed; a process of its own over the real SDK.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from administrator import command, datamaster
from databricks.sdk.service.iam import WorkspacePermission
from workspace.clients import account_client, workspace_client
from workspace.furnish import add_principal, token_of
from workspace.server import Workspace

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Path:
    """The sample project with the test workspace as its target, and the data engineers in it."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    (tmp_path / "datamaster.yaml").write_text(
        "domain: risk\ncatalog: risk\nsetup:\n"
        "  {subscription: 00000000-0000-0000-0000-000000000001, tenant: "
        "00000000-0000-0000-0000-000000000002, location: westeurope,\n"
        "   writers: {ana: {object_id: 00000000-0000-0000-0000-000000000003, type: User}}, "
        "budget: {amount: 5, emails: [ana@example.com]}, github: {repository: a/b, "
        "environments: [prod]}}\n"
        f"targets:\n  production: {{host: '{workspace.host}', warehouse: Serverless Starter "
        f"Warehouse}}\n",
        encoding="utf-8",
    )
    account = account_client(workspace)
    for name in ("data_engineer", "flights_reader"):
        group = account.groups_v2.create(display_name=name)
        account.workspace_assignment.update(
            workspace.state.settings.workspace_id,
            int(group.id or 0),
            permissions=[WorkspacePermission.USER],
        )
    return tmp_path


def test_plan_apply_and_nothing_is_left(workspace: Workspace, project: Path) -> None:
    planned = datamaster(workspace, project, "unity", "plan", "--detailed-exitcode")
    assert planned.returncode == 3, planned.stderr
    assert "+ catalog crisk" in planned.stdout and "+ table crisk.silver.account" in planned.stdout
    applied = datamaster(workspace, project, "unity", "apply")
    assert applied.returncode == 0, applied.stderr
    assert "done: create catalog crisk" in applied.stderr
    workspace.forget_calls()
    again = datamaster(workspace, project, "unity", "plan", "--detailed-exitcode", "--json")
    assert again.returncode == 0, again.stdout
    assert {change["action"] for change in json.loads(again.stdout)["changes"]} == {"unchanged"}
    record = [
        json.loads(line)
        for line in (project / ".datamaster" / "applied" / "production.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    assert {line["state"] for line in record} == {"done"} and any(
        line["name"] == "crisk.gold" for line in record
    )


def test_killed_half_way_it_goes_on_from_there(workspace: Workspace, project: Path) -> None:
    line, environment = command(workspace, "unity", "apply")
    process = subprocess.Popen(
        line,
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for told in process.stderr:
        if "create schema" in told:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(30) == -signal.SIGKILL
    applied = datamaster(workspace, project, "unity", "apply")
    assert applied.returncode == 0, applied.stderr
    assert datamaster(workspace, project, "unity", "plan", "--detailed-exitcode").returncode == 0


def test_a_group_that_is_not_there_is_named_and_keeps_no_table_from_being_made(
    workspace: Workspace, project: Path
) -> None:
    account = account_client(workspace)
    [reader] = account.groups_v2.list(filter='displayName eq "flights_reader"')
    account.groups_v2.delete(reader.id or "")
    applied = datamaster(workspace, project, "unity", "apply")
    assert "the account has no 'flights_reader'" in applied.stdout, "the plan says so"
    assert (
        applied.returncode == 1
        and "no-such-principal: the account has no 'flights_reader'" in applied.stderr
    )
    assert "failed:" not in applied.stderr
    assert workspace_client(workspace).tables.get("crisk.silver.account").name == "account"
    account.groups_v2.create(display_name="flights_reader")
    assert datamaster(workspace, project, "unity", "apply").returncode == 0


def test_destroy_asks_for_the_catalogs_name_and_leaves_nothing_of_the_toolkits(
    workspace: Workspace, project: Path
) -> None:
    assert datamaster(workspace, project, "unity", "apply").returncode == 0
    refused = datamaster(workspace, project, "unity", "destroy", "--confirm", "yes")
    assert refused.returncode == 2 and "nothing was destroyed" in refused.stderr
    assert workspace_client(workspace).catalogs.get("crisk")
    destroyed = datamaster(workspace, project, "unity", "destroy", "--confirm", "crisk")
    assert destroyed.returncode == 0, destroyed.stderr
    assert not list(workspace_client(workspace).catalogs.list()) and not list(
        workspace_client(workspace).external_locations.list()
    )


def test_without_a_sign_in_the_message_says_how(workspace: Workspace, project: Path) -> None:
    line, environment = command(workspace, "unity", "plan")
    environment |= {"HOME": str(project), "PATH": ""}
    del environment["DATABRICKS_TOKEN"]
    told = subprocess.run(
        line, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 1 and "az login" in told.stderr


def test_who_may_not_is_told_so_in_a_line(workspace: Workspace, project: Path) -> None:
    assert datamaster(workspace, project, "unity", "apply").returncode == 0
    add_principal(
        workspace.state, "Users", userName="bob@example.com", displayName="Bob", active=True
    )
    line, environment = command(workspace, "unity", "plan")

    def told_to(token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line,
            cwd=project,
            env={**environment, "DATABRICKS_TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    of_bob = told_to(token_of(workspace.state, "bob@example.com"))
    assert "or apply as somebody who holds it" in of_bob.stdout and not of_bob.stderr, (
        "the plan names what he lacks"
    )
    of_nobody = told_to("wrong")
    assert (
        of_nobody.returncode == 1
        and of_nobody.stderr.startswith(
            "error[not-signed-in] the credentials that were found are refused: Invalid access token"
        )
        and "Config" not in of_nobody.stderr
    )


def test_the_step_notebooks_do_the_same_and_keep_what_they_did(
    workspace: Workspace, project: Path
) -> None:
    (line, *_), environment = command(workspace, "unity")
    arguments = [line, "run", "unity", "deliver", "-p", "target=production", "-p", "run_id=one"]
    ran = subprocess.run(
        arguments,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    results = {
        step: json.loads((project / "runs" / "one" / f"{step}.json").read_text(encoding="utf-8"))
        for step in ("02_unity", "04_deliver")
    }
    assert (
        results["02_unity"]["applied"] > 50
        and not results["02_unity"]["refused"]
        and "ingest-risk-account" in results["04_deliver"]["jobs"]
    )
    assert "crisk.silver.account" in (project / "runs" / "one" / "02_unity.ipynb").read_text(
        encoding="utf-8"
    )
    assert datamaster(workspace, project, "unity", "plan", "--detailed-exitcode").returncode == 0
    failed = subprocess.run(
        [*arguments[:-1], "run_id=two"],
        cwd=project,
        env={**environment, "DATABRICKS_TOKEN": "wrong"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert failed.returncode == 1 and "Invalid access token" in failed.stderr
    assert (
        "Invalid access token"
        in (project / "runs" / "two" / "02_unity.ipynb").read_text(encoding="utf-8")
        and not (project / "runs" / "two" / "04_deliver.ipynb").exists()
    )


def test_a_hundred_contracts_are_planned_in_seconds(workspace: Workspace, project: Path) -> None:
    text = (ROOT / "contracts" / "consents.yaml").read_text(encoding="utf-8")
    for number in range(100):
        (project / "contracts" / f"n{number}.yaml").write_text(
            text.replace("id: urn:datacontract:risk:consents", f"id: urn:{number}").replace(
                "consents", f"consents{number}"
            ),
            encoding="utf-8",
        )
    begun = time.monotonic()
    planned = datamaster(workspace, project, "unity", "plan")
    assert planned.returncode == 0, planned.stderr
    assert "+ table crisk.silver.consents99" in planned.stdout and time.monotonic() - begun < 60
