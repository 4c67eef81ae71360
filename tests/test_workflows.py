"""The workflows of GitHub: what actionlint finds, and the rules of this project that it does not know."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamaster_kit.notebooks import steps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import actionlint  # noqa: E402

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NUMBERED = [path for path in FILES if path.name[0].isdigit()]
CALLERS = [path for path in NUMBERED if path.name != "01-setup.yml"]


def read(path: Path) -> dict[str, Any]:
    """Return a workflow; YAML 1.1 reads the key `on` as true."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in found.items()}


def jobs(path: Path) -> list[dict[str, Any]]:
    return list(read(path)["jobs"].values())


def scripts(path: Path) -> list[str]:
    return [step["run"] for job in jobs(path) for step in job.get("steps", ()) if "run" in step]


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run actionlint on the workflows of a folder, as a repository of its own."""
    return subprocess.run([*actionlint.command(), *map(str, sorted((folder / ".github" / "workflows").glob("*.yml")))], cwd=folder, capture_output=True, text=True, check=False)


def test_the_workflows_are_those_of_the_design() -> None:
    assert [path.stem for path in FILES] == ["01-setup", "02-unity", "03-ingest", "04-prep", "99-quality", "ci", "steps"]
    assert [read(path)["name"] for path in NUMBERED] == ["01 setup", "02 unity", "03 ingest", "04 prep", "99 quality"]


@pytest.mark.slow
def test_actionlint_finds_nothing() -> None:
    found = checked(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("file", "right", "wrong", "told"), [
    ("steps.yml", "STEPS: ${{ inputs.steps }}", "STEPS: ${{ inputs.stepz }}", 'property "stepz" is not defined'),
    ("steps.yml", 'datamaster run "${steps[@]}"', "datamaster run ${{ github.head_ref }}", "potentially untrusted"),
    ("steps.yml", "-ra steps", "-r $STEPS", "SC2086"),
    ("02-unity.yml", "steps: unity", "step: unity", 'input "step" is not defined'),
    ("01-setup.yml", "options: [plan, apply]", "options: [apply]", "default value"),
    ("ci.yml", "runs-on: ubuntu-24.04", "runs-on: ubuntu-20.04", "label"),
])
def test_actionlint_sees_faults(tmp_path: Path, file: str, right: str, wrong: str, told: str) -> None:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / ".git").mkdir()
    path = tmp_path / ".github" / "workflows" / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    found = checked(tmp_path)
    assert found.returncode == 1
    assert told in found.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_of_others_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, rest in used:
        assert action.startswith("./") or (re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) and re.fullmatch(r" # v\d+\.\d+\.\d+", rest)), action


def test_an_action_has_one_version() -> None:
    used = {action for path in FILES for action in re.findall(r"uses: (\w\S+)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({action.split("@")[0] for action in used})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_secret_is_used_and_permissions_are_few(path: Path) -> None:
    assert "secrets" not in path.read_text(encoding="utf-8")
    assert read(path)["permissions"] == ({"contents": "read"} if path.stem == "ci" else {})
    for job in jobs(path):
        logs_in = "Azure/login" in json.dumps(job) or str(job.get("uses", "")).endswith("steps.yml")
        assert job.get("permissions") == ({"contents": "read", "id-token": "write"} if logs_in else None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_people_type_reaches_no_script_but_through_its_environment(path: Path) -> None:
    assert [script for script in scripts(path) if "${{" in script] == []
    for job in jobs(path):
        for step in job.get("steps", ()):
            assert step.get("with", {}).get("persist-credentials", False) is False
            assert "checkout" not in str(step.get("uses")) or "persist-credentials" in step["with"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_job_ends_and_leaves_what_it_did(path: Path) -> None:
    for job in jobs(path):
        if "steps" in job:
            assert job["timeout-minutes"] <= 90
            last = job["steps"][-1]
            assert "upload-artifact" in last["uses"]
            assert last["if"] == "always()"
            assert last["with"]["path"].split()[0] == "runs"


@pytest.mark.parametrize("path", [*NUMBERED, ROOT / ".github" / "workflows" / "ci.yml"], ids=lambda path: path.stem)
def test_workflows_are_started_by_hand_and_do_not_overlap(path: Path) -> None:
    workflow = read(path)
    assert all(item["description"] for item in workflow["on"]["workflow_dispatch"]["inputs"].values())
    assert workflow["concurrency"]["group"]
    assert path.stem == "ci" or workflow["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.stem)
def test_numbered_workflows_run_steps_that_there_are(path: Path) -> None:
    known = {step.name: step for step in steps()}
    asked = jobs(path)[0]["with"]["steps"].split()
    parameters = set(re.findall(r'-p "(\w+)=', "\n".join(scripts(ROOT / ".github" / "workflows" / "steps.yml"))))
    assert parameters == {"target", "contract", "run_id"}
    for name in asked:
        assert parameters <= {parameter.name for parameter in known[name].parameters}
