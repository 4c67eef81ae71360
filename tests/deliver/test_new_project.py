"""`datamaster new project`.

Written once, tested, built to the same wheel every time, and run as a job runs it.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.model import Contract, Workflow
from datamaster_kit.deliver.jobs import build_jobs
from datamaster_kit.deliver.packages import build_project_wheels
from datamaster_kit.deliver.release import project_files, release_folder
from datamaster_kit.deliver.settings import Release
from datamaster_kit.project.project_file import read_contracts, read_project

ROOT = Path(__file__).resolve().parents[2]
WHEEL = "definition_project-0.1.0-py3-none-any.whl"
ENTRY = """
import sys
from importlib.metadata import distribution
entry_points = distribution("definition_project").entry_points
[main] = [found.load() for found in entry_points if found.name == "main"]
main()
"""


def run(folder: Path, *command: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with a path before what is installed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(path), str(ROOT)])),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("DATAMASTER_ENVIRONMENT", None)
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=900,
    )


def new_project(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `datamaster new project` in a folder."""
    return run(
        folder,
        "-c",
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()",
        "new",
        "project",
        *arguments,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of the sample contract of accounts, with its own code."""
    shutil.copy(ROOT / "datamaster.yaml", tmp_path)
    (tmp_path / "contracts").mkdir()
    shutil.copy(ROOT / "contracts" / "account.yaml", tmp_path / "contracts")
    (tmp_path / ".datamaster").mkdir()
    (tmp_path / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    result = new_project(tmp_path)
    assert result.returncode == 0, result.stderr
    return tmp_path


def test_nothing_is_written_over_and_every_file_in_the_way_is_told(folder: Path) -> None:
    (folder / "exploration.ipynb").write_text("mine")
    (folder / "definition_project" / "README.md").unlink()
    again = new_project(folder.parent, folder.name)
    assert again.returncode == 2
    assert (
        "exploration.ipynb is there" in again.stderr
        and "silver.py is there" in again.stderr
        and "README.md" not in again.stderr
    )
    assert (folder / "exploration.ipynb").read_text() == "mine" and not (
        folder / "definition_project" / "README.md"
    ).exists()


def test_without_a_project_file_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "definition_project").write_text("a file")
    result = new_project(tmp_path)
    assert (
        result.returncode == 2
        and "definition_project is there" in result.stderr
        and "datamaster.yaml" in result.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["definition_project"]


def test_the_same_sources_are_the_same_release_wherever_and_whenever_they_are_built(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Path(
        shutil.copytree(folder, tmp_path_factory.mktemp("other") / "elsewhere", symlinks=True)
    )
    for path in (other / "definition_project").rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    first, second = read_project(folder), read_project(other)
    wheels = build_project_wheels(first, read_contracts(first))
    assert list(wheels) == [WHEEL] and wheels == build_project_wheels(
        second, read_contracts(second)
    )
    assert release_folder(
        first, {**project_files(first, read_contracts(first)), **wheels}
    ) == release_folder(second, {**project_files(second, read_contracts(second)), **wheels})
    assert not [
        path.name
        for path in (folder / "definition_project").iterdir()
        if path.name in ("build", "dist") or path.suffix == ".egg-info"
    ]


def test_a_task_that_names_the_package_has_its_options_and_the_release_its_wheel(
    folder: Path,
) -> None:
    project = read_project(folder)
    [contract] = read_contracts(project)
    task = {
        "task_key": "prepare",
        "python_wheel_task": {"package_name": "definition_project", "entry_point": "main"},
    }
    contract = Contract(
        contract.id, models=contract.models, workflow=Workflow(models=("account",), tasks=(task,))
    )
    release = Release(
        "production",
        "/Volumes/r",
        (
            "/Volumes/r/datamaster_kit-0.1.0-py3-none-any.whl",
            *(f"/Volumes/r/{name}" for name in build_project_wheels(project, [contract])),
        ),
    )
    ingest, prepare = build_jobs(project, [("contracts/account.yaml", contract)], release)
    asked = [
        "--contract",
        "contracts/account.yaml",
        "--model",
        "account",
        "--target",
        "production",
        "--project",
        "/Volumes/r/datamaster.yaml",
    ]
    assert [job.name for job in (ingest, prepare)] == ["ingest-risk-account", "prep-risk-account"]
    for given in (ingest.settings["tasks"][1], prepare.settings["tasks"][1]):
        assert given["python_wheel_task"] == {
            "package_name": "definition_project",
            "entry_point": "main",
            "parameters": asked,
        }
        assert {"whl": f"/Volumes/r/{WHEEL}"} in given["libraries"]


POETRY = """
[tool.poetry]
name = "definition-project"
version = "0.3.0"
description = "Fills silver."
authors = ["Ana <ana@example.com>"]
packages = [{include = "definition_project"}]

[tool.poetry.dependencies]
python = ">=3.10"

[tool.poetry.scripts]
main = "definition_project.main:main"
"""
NEWER = """
[project]
name = "definition-project"
version = "0.3.0"
requires-python = ">=3.10"
scripts = {main = "definition_project.main:main"}
"""


@pytest.mark.parametrize("said", [POETRY, NEWER], ids=["tool.poetry", "project"])
@pytest.mark.parametrize("back_end", ["poetry.core.masonry.api", "poetry.masonry.api"])
def test_a_package_of_poetry_is_built_offline_to_the_same_wheel_every_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, back_end: str
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    package = folder / "definition_project"
    (package / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "{back_end}"\n{said}'
    )
    # its name is what poetry's section says, and not the folder's
    package.rename(folder / "package")
    project = read_project(folder)
    wheels = build_project_wheels(project, read_contracts(project))
    assert wheels == build_project_wheels(project, read_contracts(project)) and list(wheels) == [
        "definition_project-0.3.0-py3-none-any.whl"
    ]
    with zipfile.ZipFile(io.BytesIO(wheels["definition_project-0.3.0-py3-none-any.whl"])) as built:
        assert "definition_project/silver.py" in built.namelist()
        assert "main=definition_project.main:main" in built.read(
            "definition_project-0.3.0.dist-info/entry_points.txt"
        ).decode().replace(" ", "")


def test_a_back_end_that_is_not_installed_is_told_with_what_to_install(folder: Path) -> None:
    (folder / "definition_project" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["nobody>=3"]\nbuild-backend = "poetry.nobody.api"\n'
        '[project]\nname = "definition_project"\n'
    )
    project = read_project(folder)
    with pytest.raises(
        DatamasterError, match=r"definition_project is built by poetry\.nobody\.api"
    ) as told:
        build_project_wheels(project, read_contracts(project))
    assert [fault.hint for fault in told.value.faults] == ["pip install 'nobody>=3'"]


def test_a_back_end_that_the_extra_brings_is_had_by_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "definition_project" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["poetry-core>=1"]\nbuild-backend = '
        f'"poetry.core.masonry.api"\n{POETRY}'
    )
    monkeypatch.setattr("datamaster_kit.deliver.packages.is_installed", lambda module: False)
    project = read_project(folder)
    with pytest.raises(DatamasterError) as told:
        build_project_wheels(project, read_contracts(project))
    assert [fault.hint for fault in told.value.faults] == [
        "pip install 'datamaster_kit[databricks]'"
    ]


@pytest.mark.spark
@pytest.mark.slow
def test_its_own_tests_pass(folder: Path) -> None:
    result = run(folder, "-m", "pytest", "-p", "no:cacheprovider", "definition_project")
    assert result.returncode == 0, result.stdout[-4000:]
    assert "passed" in result.stdout and "skipped" not in result.stdout


@pytest.mark.spark
@pytest.mark.slow
def test_the_installed_wheel_makes_the_toolkits_silver_table_and_the_notebook_explores_it(
    folder: Path, spark, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from datamaster_kit.ingest.ingest import build_silver, ingest_files
    from datamaster_kit.lakehouse.runs import read_runs
    from datamaster_kit.targets.local import LocalTarget
    from datamaster_kit.unity.tables import apply_plan, plan_project_tables

    for schema in ("bronze", "silver", "gold"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    project = read_project(folder)
    [contract] = read_contracts(project)
    target = LocalTarget(project, spark)
    apply_plan(plan_project_tables(target, project, [contract]), target)
    subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools" / "sample_data.py"),
            str(folder / ".datamaster" / "landing"),
        ],
        check=True,
    )
    ingest_files(target, project, contract)
    build_silver(target, project, contract)
    columns = [*(item.column for item in contract.models[0].fields), "carlton_metadata"]

    def silver() -> list[tuple[object, ...]]:
        spark.sql("REFRESH TABLE spark_catalog.silver.account")
        return [
            tuple(row)
            for row in spark.table("spark_catalog.silver.account")
            .select(*columns)
            .orderBy("account_id")
            .collect()
        ]

    made = silver()
    assert len(made) > 1900
    installed = tmp_path_factory.mktemp("installed")
    (installed / WHEEL).write_bytes(build_project_wheels(project, [contract])[WHEEL])
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--target",
            str(installed),
            str(installed / WHEEL),
        ],
        check=True,
    )
    arguments = [
        "--contract",
        "contracts/account.yaml",
        "--model",
        "account",
        "--target",
        "local",
        "--project",
        str(folder / "datamaster.yaml"),
    ]

    first = run(folder, "-c", ENTRY, *arguments, path=installed)
    assert first.returncode == 0 and ", 0 inserted or updated, 0 deleted" in first.stdout, (
        first.stderr
    )
    assert silver() == made
    spark.sql("DELETE FROM spark_catalog.silver.account WHERE number % 3 <> 0")
    spark.sql(
        "UPDATE spark_catalog.silver.account SET balance = 0, updated_at = TIMESTAMP '2000-01-01'"
    )
    second = run(folder, "-c", ENTRY, *arguments, path=installed)
    assert second.returncode == 0 and f"{len(made)} inserted or updated" in second.stdout, (
        second.stderr
    )
    assert silver() == made
    assert [item.rows_merged for item in read_runs(target, "crisk", step="prep")] == [0, len(made)]

    (folder / "runs").mkdir()
    explored = run(
        folder,
        "-m",
        "papermill",
        "exploration.ipynb",
        "runs/exploration.ipynb",
        "-p",
        "model",
        "account",
        "--no-progress-bar",
    )
    assert explored.returncode == 0, explored.stderr[-3000:]
    shown = (folder / "runs" / "exploration.ipynb").read_text(encoding="utf-8")
    assert "account-2.csv" in shown and "@example" not in shown
