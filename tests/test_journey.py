"""The whole way in a workspace, from an empty folder.

Unity Catalog, jobs, raw files, bronze, silver and quality, each by a command in a process of its
own and on the workspace's compute.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.iam import WorkspacePermission
from test_workspace_jobs import page_model as model_of
from workspace.clients import account_client, workspace_client
from workspace.executor import ExecutionSettings
from workspace.server import Workspace
from workspace.state import Settings

pytestmark = [pytest.mark.server, pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[1]
LANDING = "/Volumes/crisk/bronze/raw/landing"
MODELS = ("account", "consents")


def new_project(folder: Path, workspace: Workspace) -> None:
    """Write the sample project, without the large contract, with the workspace as its target.

    The workspace has the group of its engineers.
    """
    (folder / "contracts").mkdir(parents=True)
    for model in MODELS:
        shutil.copy(ROOT / "contracts" / f"{model}.yaml", folder / "contracts")
    (folder / "datamaster.yaml").write_text(
        "domain: risk\ncatalog: risk\njobs: {compute: serverless}\nsetup:\n"
        "  {subscription: 00000000-0000-0000-0000-000000000001, tenant: "
        "00000000-0000-0000-0000-000000000002, location: westeurope,\n"
        "   writers: {ana: {object_id: 00000000-0000-0000-0000-000000000003, type: User}}, "
        "budget: {amount: 5, emails: [ana@example.com]}, github: {repository: a/b, "
        "environments: [prod]}}\n"
        f"targets:\n  production: {{host: '{workspace.host}', warehouse: Serverless Starter "
        f"Warehouse, landing: {LANDING}}}\n",
        encoding="utf-8",
    )
    account = account_client(workspace)
    group = account.groups_v2.create(display_name="data_engineer")
    account.workspace_assignment.update(
        workspace.state.settings.workspace_id,
        int(group.id or 0),
        permissions=[WorkspacePermission.USER],
    )


def begun(workspace: Workspace, project: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `datamaster` in the project's folder, signed in as the administrator."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABRICKS_", "ARM_", "DATAMASTER_"))
    }
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("datamaster")), *arguments],
        cwd=project,
        env={**kept, "DATABRICKS_TOKEN": workspace.token, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def datamaster(workspace: Workspace, project: Path, *arguments: str, code: int = 0) -> str:
    """Run `datamaster` to its end and return what it says."""
    process = begun(workspace, project, *arguments)
    out, told = process.communicate(timeout=1500)
    assert process.returncode == code, f"{process.returncode}\n{out[-2000:]}\n{told[-6000:]}"
    return out + told


def ran(workspace: Workspace, project: Path, run_id: str, *steps: str) -> dict[str, Any]:
    """Run steps of the target and return what each has recorded."""
    datamaster(
        workspace, project, "run", *steps, "-p", "target=production", "-p", f"run_id={run_id}"
    )
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in (project / "runs" / run_id).glob("*.json")
    }


def held(workspace: Workspace) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of the tables of data, in an order of their own."""
    names = [
        f"crisk.{layer}.{model}{more}"
        for model in MODELS
        for layer, more in (("bronze", ""), ("bronze", "_quarantine"), ("silver", ""))
    ]
    return {
        name: sorted(tuple(map(str, row.values())) for row in workspace.state.rows[name])
        for name in names
    }


def test_from_an_empty_folder_to_quality_in_a_workspace(tmp_path: Path) -> None:
    execution = ExecutionSettings(tmp_path / "workspace", ROOT / ".datamaster")
    with Workspace(
        Settings(has_serverless=True), metastore="primary", execution=execution
    ) as workspace:
        project, client = tmp_path / "project", workspace_client(workspace)
        new_project(project, workspace)
        made = ran(workspace, project, "one", "unity", "deliver")
        assert not made["02_unity"]["refused"] and {
            "ingest-risk-account",
            "ingest-risk-consents",
        } <= set(made["04_deliver"]["jobs"])
        client.volumes.create("crisk", "bronze", "raw", VolumeType.MANAGED)
        subprocess.run(
            [sys.executable, str(ROOT / "tools" / "sample_data.py"), str(tmp_path / "raw")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        files = {model: sorted((tmp_path / "raw" / model).glob("*.csv")) for model in MODELS}
        for model in MODELS:
            for file in files[model]:
                with file.open("rb") as content:
                    client.files.upload(f"{LANDING}/{model}/{file.name}", content)

        # A run that is cancelled while it writes loses nothing, and the next one repeats nothing.
        process = begun(
            workspace, project, "run", "ingest", "-p", "target=production", "-p", "run_id=cancelled"
        )
        checkpoints = (
            execution.folder / "volumes" / "crisk" / "bronze" / "volume_checkpoint_locations"
        )
        while not any(checkpoints.glob("*/offsets/0")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        [run] = [item.run_id for item in client.jobs.list_runs(active_only=True)]
        client.jobs.cancel_run(run or 0)
        told = process.communicate(timeout=300)[1]
        assert process.returncode == 1 and "CANCELED" in told, told

        made = ran(workspace, project, "two", "ingest", "silver", "quality")
        found = {item["model"]: item for item in made["03_ingest"]["runs"]}
        assert {item["result"] for item in found.values()} == {"succeeded"}
        rows = held(workspace)
        for model, delimiter in zip(MODELS, (",", ";"), strict=True):
            key = f"{model.removesuffix('s')}_id"
            records = [
                row
                for file in files[model]
                for row in csv.DictReader(
                    file.open(encoding="utf-8", newline=""), delimiter=delimiter
                )
            ]
            bronze, quarantine = (
                workspace.state.rows[f"crisk.bronze.{model}"],
                workspace.state.rows[f"crisk.bronze.{model}_quarantine"],
            )
            assert sorted(row[key] or "" for row in bronze) == sorted(row[key] for row in records)
            assert (
                len(bronze) == found[model]["rows_written"]
                and 0 < len(quarantine) == found[model]["rows_quarantined"] < 20
            )
            silver = [row[key] for row in workspace.state.rows[f"crisk.silver.{model}"]]
            assert (
                len(silver) == len(set(silver))
                and set(silver) <= {row[key] for row in records}
                and len({row[key] for row in records}) - len(set(silver)) <= len(quarantine)
            )
        assert (
            made["06_quality"]["verdicts"]["passed"] > 5
            and (project / "runs" / "two" / "03_ingest.html").exists()
        )

        # A second journey, by the job that was delivered, changes nothing.
        assert "0 to create, 0 to update, 0 to delete" in datamaster(
            workspace, project, "unity", "plan", "--target", "production", "--detailed-exitcode"
        )
        assert "SUCCESS" in datamaster(
            workspace, project, "deliver", "run", "account", "--wait", "--target", "production"
        )
        assert held(workspace) == rows

        # The project's cluster, shared by its users (standard), and a job's own (dedicated) run the
        # steps as well.
        (cluster,) = workspace.state.clusters.values()
        cluster["data_security_mode"] = "DATA_SECURITY_MODE_STANDARD"
        header, first, *_ = files["account"][0].read_bytes().splitlines(keepends=True)
        client.files.upload(f"{LANDING}/account/late.csv", io.BytesIO(header + first))
        file = project / "datamaster.yaml"
        said = file.read_text(encoding="utf-8")
        file.write_text(said.replace("serverless}", "existing_cluster}"), encoding="utf-8")
        found = {
            item["model"]: item["rows_written"]
            for item in ran(workspace, project, "shared", "ingest")["03_ingest"]["runs"]
        }
        assert found == {"account": 1, "consents": 0}
        file.write_text(said.replace("serverless}", "job_cluster}"), encoding="utf-8")
        made = ran(workspace, project, "own", "explore")
        assert made["07_explore"]["rows"]["account"] == len(rows["crisk.silver.account"])
        assert workspace.executor and not workspace.executor.processes


def test_a_step_that_fails_in_the_workspace_fails_the_command_with_its_message(
    tmp_path: Path,
) -> None:
    execution = ExecutionSettings(tmp_path / "workspace", ROOT / ".datamaster")
    settings = Settings(has_serverless=True)
    with Workspace(settings, metastore="primary", execution=execution) as workspace:
        project, client = tmp_path / "project", workspace_client(workspace)
        new_project(project, workspace)
        store = next(iter(workspace.state.unity["metastore"].values()))
        store["storage_root"] = "abfss://c@stadrisk.dfs.core.windows.net"
        client.catalogs.create("crisk")
        client.schemas.create("bronze", "crisk")
        volume = "volume_checkpoint_locations"
        client.volumes.create("crisk", "bronze", volume, VolumeType.MANAGED)
        said = ("-p", "target=production", "-p", "contract=contracts/consents.yaml")
        told = datamaster(workspace, project, "run", "silver", *said, "-p", "run_id=one", code=1)
        assert "the table crisk.bronze.runs is not there" in told and "silver: FAILED" in told
        page = (project / "runs" / "one" / "05_silver.html").read_text(encoding="utf-8")
        commands = model_of(page)["commands"]
        failed = [item["errorSummary"] for item in commands if item["state"] == "error"]
        assert len(failed) == 1 and failed[0].startswith("DatamasterError: ")
