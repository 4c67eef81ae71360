"""The workflows of GitHub.

What actionlint finds, and the rules of this project that it does not know.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from datamaster_kit.deliver.job_runs import JOB_PURPOSES
from datamaster_kit.lakehouse.step_notebooks import step_notebooks

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import actionlint  # noqa: E402
import lock  # noqa: E402

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NUMBERED = [path for path in FILES if path.name[0].isdigit()]
TOOLKIT = ROOT / ".github" / "workflows" / "toolkit.yml"


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
    return subprocess.run(
        [
            *actionlint.command(),
            *map(str, sorted((folder / ".github" / "workflows").glob("*.yml"))),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_workflows_are_those_of_the_design() -> None:
    assert [path.stem for path in FILES] == [
        "01-setup",
        "02-unity",
        "03-ingest",
        "04-prep",
        "99-quality",
        "ci",
        "toolkit",
    ]
    assert [read(path)["name"] for path in NUMBERED] == [
        "01 setup",
        "02 unity",
        "03 ingest",
        "04 prep",
        "99 quality",
    ]


@pytest.mark.slow
def test_actionlint_finds_nothing() -> None:
    found = checked(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        (
            "toolkit.yml",
            "STEPS: ${{ inputs.steps }}",
            "STEPS: ${{ inputs.stepz }}",
            'property "stepz" is not defined',
        ),
        (
            "toolkit.yml",
            'datamaster run "${steps[@]}"',
            "datamaster run ${{ github.head_ref }}",
            "potentially untrusted",
        ),
        ("toolkit.yml", "-ra steps", "-r $STEPS", "SC2086"),
        ("02-unity.yml", "verb: unity", "verbs: unity", 'input "verbs" is not defined'),
        ("01-setup.yml", "options: [plan, apply]", "options: [apply]", "default value"),
        ("ci.yml", "runs-on: ubuntu-24.04", "runs-on: ubuntu-20.04", "label"),
    ],
)
def test_actionlint_sees_faults(
    tmp_path: Path, file: str, right: str, wrong: str, told: str
) -> None:
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
        assert action.startswith("./") or (
            re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
            and re.fullmatch(r" # v\d+\.\d+\.\d+", rest)
        ), action


def test_an_action_has_one_version() -> None:
    used = {
        action
        for path in FILES
        for action in re.findall(r"uses: (\w\S+)", path.read_text(encoding="utf-8"))
    }
    assert len(used) == len({action.split("@")[0] for action in used})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_secret_is_used_and_permissions_are_few(path: Path) -> None:
    assert "secrets" not in path.read_text(encoding="utf-8")
    assert read(path)["permissions"] == ({"contents": "read"} if path.stem == "ci" else {})
    for job in jobs(path):
        logs_in = "Azure/login" in json.dumps(job) or str(job.get("uses", "")).endswith(
            "toolkit.yml"
        )
        assert job.get("permissions") == (
            {"contents": "read", "id-token": "write"} if logs_in else None
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_who_may_have_a_token_signed_installs_nothing_without_a_hash(path: Path) -> None:
    for job in jobs(path):
        installs = re.findall(
            r"pip install(.*)", "\n".join(step.get("run", "") for step in job.get("steps", ()))
        )
        if "id-token" in job.get("permissions", {}) and "steps" in job:
            assert [
                (
                    "--require-hashes" in line and "--only-binary :all:" in line,
                    "--no-index" in line and "--no-deps" in line and "--no-build-isolation" in line,
                )
                for line in installs
            ] == [(True, False), (False, True)]


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
            assert max(map(int, re.findall(r"\d+", str(job["timeout-minutes"])))) <= 90
            last = job["steps"][-1]
            assert "upload-artifact" in last["uses"]
            assert last["if"] == "always()"
            assert last["with"]["path"].split()[0] in ("runs", "dist")


@pytest.mark.parametrize(
    "path", [*NUMBERED, ROOT / ".github" / "workflows" / "ci.yml"], ids=lambda path: path.stem
)
def test_workflows_are_started_by_hand_and_do_not_overlap(path: Path) -> None:
    workflow = read(path)
    assert all(
        item["description"] for item in workflow["on"]["workflow_dispatch"]["inputs"].values()
    )
    assert workflow["concurrency"]["group"]
    assert path.stem == "ci" or workflow["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_an_apply_is_planned_first_and_waits_for_the_environment(path: Path) -> None:
    named = read(path)["jobs"]
    if path.stem == "99-quality":
        assert (
            list(named) == ["steps"]
            and named["steps"]["with"]["environment"] == "${{ inputs.environment }}"
        )
        return
    plan, apply = named["plan"], named["apply"]
    assert (
        list(named) == ["plan", "apply"]
        and apply["needs"] == "plan"
        and apply["if"] == "inputs.action == 'apply'"
    )
    more = {name: value for name, value in apply["with"].items() if name not in plan["with"]}
    assert {name: apply["with"][name] for name in plan["with"]} == plan["with"] and not {
        "environment",
        "action",
        "run",
    } & set(plan["with"])
    assert (more["action"], more["environment"]) == ("apply", "${{ inputs.environment }}") and set(
        more
    ) <= {"action", "environment", "run"}
    assert (
        read(path)["on"]["workflow_dispatch"]["inputs"]["action"]["default"]
        == read(TOOLKIT)["on"]["workflow_call"]["inputs"]["action"]["default"]
        == "plan"
    )
    assert all(
        "default" in item for item in read(path)["on"]["workflow_dispatch"]["inputs"].values()
    )


def test_the_numbered_workflows_ask_for_what_there_is() -> None:
    known = {step.name: step for step in step_notebooks()}
    asked = read(ROOT / ".github" / "workflows" / "99-quality.yml")["jobs"]["steps"]["with"][
        "steps"
    ].split()
    parameters = set(re.findall(r'-p "(\w+)=', "\n".join(scripts(TOOLKIT))))
    assert parameters == {"target", "contract", "run_id"}
    for name in asked:
        assert parameters <= {parameter.name for parameter in known[name].parameters}
    purposes = {
        word
        for path in NUMBERED
        for job in jobs(path)
        for word in job["with"].get("purposes", "").split()
    }
    assert purposes == set(JOB_PURPOSES)


def locked() -> dict[str, list[tuple[SpecifierSet, Marker | None, int]]]:
    """Return the hashed requirements by name.

    The version, where it is meant for, and how many hashes it has.
    """
    found: dict[str, list[tuple[SpecifierSet, Marker | None, int]]] = {}
    for text in lock.LOCKED.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if not text.startswith("#"):
            said, *hashes = text.split(" --hash=sha256:")
            item = Requirement(said)
            assert hashes and all(re.fullmatch(r"[0-9a-f]{64}", one.strip()) for one in hashes), (
                text
            )
            assert [spec.operator for spec in item.specifier] == ["=="], text
            found.setdefault(canonicalize_name(item.name), []).append(
                (item.specifier, item.marker, len(hashes))
            )
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_hashed_requirements_have_what_the_extra_asks_for(python: str) -> None:
    here = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    pinned = {
        name: [spec for spec, marker, _ in items if marker is None or marker.evaluate(here)]
        for name, items in locked().items()
    }
    assert all(len(specs) <= 1 for specs in pinned.values())
    for text in lock.requirements():
        wanted = Requirement(text)
        [version] = [next(iter(spec)).version for spec in pinned[canonicalize_name(wanted.name)]]
        assert version in wanted.specifier, text
    [backend] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "build-system"
    ]["requires"]
    assert next(iter(pinned["setuptools"][0])).version in Requirement(backend).specifier


def test_the_hashed_requirements_are_the_versions_that_the_tests_run_with_and_name_no_index() -> (
    None
):
    tested = dict(
        line.split("==")
        for line in (ROOT / "tools" / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    versions = {canonicalize_name(name): version for name, version in tested.items()}
    differ = {
        name: items
        for name, items in locked().items()
        if name in versions and not all(versions[name] in spec for spec, _, _ in items)
    }
    assert differ == {}
    assert not re.search(r"https?:|index", lock.LOCKED.read_text(encoding="utf-8"))
