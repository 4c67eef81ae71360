"""The whole path as a user walks it.

Sample contracts and raw files to tables, executed notebooks and a report, in processes of their
own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECRET = "dapi-0123456789-not-to-be-seen"
pytestmark = [pytest.mark.spark, pytest.mark.slow]


def environment(home: Path) -> dict[str, str]:
    """Return an environment with an empty home, no Java on the path and a secret that must never be
    seen.
    """
    programs = home / "bin"
    programs.mkdir(parents=True)
    for tool in (
        "bash",
        "sh",
        "ps",
        "dirname",
        "basename",
        "env",
        "uname",
        "cat",
        "rm",
        "mkdir",
        "ls",
        "chmod",
        "readlink",
        "git",
        "expr",
        "nice",
        "tr",
        "sed",
        "grep",
        "awk",
    ):
        if found := shutil.which(tool):
            (programs / tool).symlink_to(found)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.endswith(("_CERT", "_CERTS", "_BUNDLE", "CERT_FILE", "CERT_DIR"))
        or name in ("SPARK_HOME", "SPARK_SUBMIT_OPTS")
    }
    return {
        **kept,
        "HOME": str(home),
        "PATH": str(programs),
        "LANG": "C.UTF-8",
        "DATABRICKS_TOKEN": SECRET,
    }


@pytest.fixture(scope="module")
def lakehouse(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, object], dict[str, str]]:
    """Return the folder of the demo, what its steps answered, and the environment it ran in."""
    project = tmp_path_factory.mktemp("project")
    (project / ".datamaster").mkdir()
    shutil.copytree(ROOT / ".datamaster" / "jars", project / ".datamaster" / "jars")
    variables = environment(tmp_path_factory.mktemp("home"))
    return (project, datamaster(project, variables, "demo", ".", "--json"), variables)


def datamaster(project: Path, variables: dict[str, str], *arguments: str) -> dict[str, object]:
    """Run the command line in a project and return the JSON that it prints."""
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout) if "--json" in arguments else {"output": result.stdout}


def counts(answer: dict[str, object], step: str) -> dict[str, dict[str, object]]:
    """Return what a step recorded, by model."""
    found = next(item for item in answer["steps"] if item["name"] == step)
    return {row["model"]: row for row in found["result"]["runs"]}


def test_every_record_of_every_file_is_in_bronze(lakehouse) -> None:
    project, answer, _ = lakehouse
    ingested = counts(answer, "ingest")
    assert set(ingested) == {
        "account",
        "consents",
        "flights",
        "airlines",
        "airports",
        "planes",
        "weather",
    }
    assert ingested["flights"]["rows_written"] == 336_776
    for model, row in ingested.items():
        assert row["rows_written"] == row["rows_read"] > 0, model
        assert row["rows_quarantined"] < row["rows_written"], model


def test_silver_holds_one_row_a_key(lakehouse) -> None:
    _, answer, _ = lakehouse
    ingested, silver = counts(answer, "ingest"), counts(answer, "silver")
    assert silver["airlines"]["rows_merged"] == 16
    for model, row in silver.items():
        assert (
            0
            < row["rows_merged"]
            <= ingested[model]["rows_written"] - ingested[model]["rows_quarantined"]
        ), model


def test_a_second_run_changes_nothing(lakehouse) -> None:
    project, _, variables = lakehouse
    assert (
        "0 to create, 0 to update, 0 to delete"
        in datamaster(project, variables, "unity", "plan", "--detailed-exitcode")["output"]
    )
    again = datamaster(project, variables, "run", "ingest", "silver", "--json", "--output", "again")
    assert all(
        row["rows_written"] == 0 and row["result"] == "nothing new"
        for row in counts(again, "ingest").values()
    )
    assert all(row["rows_merged"] == 0 for row in counts(again, "silver").values())


def test_the_report_needs_no_network_and_links_what_exists(lakehouse) -> None:
    project, _, variables = lakehouse
    page = Path(
        project, datamaster(project, variables, "report")["output"].strip().splitlines()[-1]
    )
    text = page.read_text(encoding="utf-8")
    assert "flights" in text and "account" in text
    assert not [
        part for part in ('src="http', '<link href="http', "@import", "url(http") if part in text
    ]
    import re

    for link in re.findall(r'href="([^"#]+)"', text):
        if not link.startswith(("http", "mailto:")):
            assert (page.parent / link).exists(), link


def test_no_secret_is_left_behind(lakehouse) -> None:
    project, _, _ = lakehouse
    for path in (project / "runs").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
