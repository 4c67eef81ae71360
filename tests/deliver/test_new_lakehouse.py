"""`datamaster new lakehouse`.

A repository to begin from, and what a newer version of the toolkit does to it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from datamaster_kit import __version__
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint
from datamaster_kit.deliver.lakehouse_files import file_text_hash, lakehouse_files, update_lakehouse
from datamaster_kit.deliver.new_project import templates_folder
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import read_contracts, read_project

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import actionlint  # noqa: E402

ALL = {
    ".github/requirements/databricks.txt",
    *(
        f".github/workflows/{name}.yml"
        for name in ("01-setup", "02-unity", "03-ingest", "04-prep", "99-quality", "toolkit")
    ),
    ".gitignore",
    ".lakehouse.json",
    "Makefile",
    "README.md",
    "contracts/ingest-permissions.yaml",
    "contracts/prep-permissions.yaml",
    "datamaster.yaml",
    "exploration.ipynb",
    "requirements.txt",
    *(
        f"definition_project/{name}"
        for name in (
            "README.md",
            "pyproject.toml",
            "definition_project/__init__.py",
            "definition_project/main.py",
            "definition_project/silver.py",
            "tests/test_silver.py",
        )
    ),
}
PROGRAM = "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"


def datamaster(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("DATAMASTER_ENVIRONMENT", None)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def lakehouse(tmp_path: Path) -> Path:
    """A new lakehouse."""
    done = datamaster("new", "lakehouse", str(tmp_path / "risk"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "risk"


def test_a_lakehouse_has_what_a_repository_begins_with_and_its_own_check_passes(
    lakehouse: Path,
) -> None:
    assert set(texts(lakehouse)) == ALL
    assert lint([str(lakehouse / "contracts")]) == ()
    project = read_project(lakehouse)
    assert (project.names.domain, [contract.layers for contract in read_contracts(project)]) == (
        "risk",
        [{"permissions": "bronze"}, {"permissions": "silver"}],
    )
    program = lakehouse / ".venv" / "bin" / "datamaster"  # as `make setup` installs it
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{PROGRAM}\n")
    program.chmod(0o755)
    (program.parent / "python").symlink_to(sys.executable)
    done = subprocess.run(
        ["make", "check"],
        cwd=lakehouse,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "2 contracts: 0 errors, 0 warnings, 0 notes" in done.stdout
        and "2 contracts of the project file are read" in done.stdout
    )


def test_the_workflows_install_the_toolkit_by_its_version_and_what_it_requires_by_hash(
    lakehouse: Path,
) -> None:
    assert f"datamaster_kit=={__version__}\n" in (lakehouse / "requirements.txt").read_text()
    for path in sorted((lakehouse / ".github" / "workflows").glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        assert all(
            action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
            for action in re.findall(r"uses: (\S+)", text)
        )
        installs = re.findall(r"pip install(.*)", text)
        assert ("toolkit" in path.stem) is bool(installs) and not any(
            line.endswith(" .") for line in installs
        )
        assert all(
            (lakehouse / ".github" / "workflows" / Path(job["uses"]).name).is_file()
            for job in yaml.safe_load(text)["jobs"].values()
            if "uses" in job
        )
    [by_hash, by_version] = re.findall(
        r"pip install(.*)", (lakehouse / ".github" / "workflows" / "toolkit.yml").read_text()
    )
    assert (
        "--require-hashes --only-binary :all: --requirement .github/requirements/databricks.txt"
        in by_hash
    )
    assert by_version.endswith("--no-deps --only-binary :all: --requirement requirements.txt")


@pytest.mark.slow
def test_actionlint_finds_nothing_in_its_workflows(lakehouse: Path) -> None:
    (lakehouse / ".git").mkdir()
    files = sorted((lakehouse / ".github" / "workflows").glob("*.yml"))
    done = subprocess.run(
        [*actionlint.command(), *map(str, files)],
        cwd=lakehouse,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
def test_its_jobs_are_planned_for_a_workspace(lakehouse: Path) -> None:
    from workspace.server import Workspace

    with Workspace(metastore="primary") as server:
        file = lakehouse / "datamaster.yaml"
        file.write_text(
            file.read_text(encoding="utf-8")
            + f"targets: {{production: {{host: '{server.host}'}}}}\n",
            encoding="utf-8",
        )
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DATABRICKS_HOST": server.host,
            "DATABRICKS_TOKEN": server.token,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "deliver", "plan", "--target", "production"],
            cwd=lakehouse,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\+ job (\S+)", done.stdout, re.MULTILINE) == [
        f"{purpose}-risk-permissions" for purpose in ("ingest", "mock-ingest", "prep")
    ]


def test_nothing_is_written_where_a_file_is_in_the_way_but_beside_what_any_repository_has(
    tmp_path: Path,
) -> None:
    (tmp_path / "Makefile").write_text("mine")
    (tmp_path / "README.md").write_text("mine")
    refused = datamaster("new", "lakehouse", str(tmp_path))
    assert (
        refused.returncode == 2
        and "Makefile is there" in refused.stderr
        and "README.md" not in refused.stderr
        and len(list(tmp_path.iterdir())) == 2
    )
    (tmp_path / "Makefile").unlink()
    (tmp_path / "datamaster.yaml").write_text("domain: sales\ncatalog: sales\n")
    assert datamaster("new", "lakehouse", str(tmp_path)).returncode == 0
    found = texts(tmp_path)
    assert (
        found["README.md"] == "mine"
        and "sales" in found["README.md.new"]
        and found["datamaster.yaml"] == "domain: sales\ncatalog: sales\n"
    )
    assert "urn:datacontract:sales:prep:permissions" in found["contracts/prep-permissions.yaml"]
    again = datamaster("new", "lakehouse", str(tmp_path))
    assert (
        again.returncode == 2 and "lakehouse-exists" in again.stderr and "--update" in again.stderr
    )


@pytest.mark.parametrize(
    ("folder", "arguments", "domain"),
    [("Risk-Lake 1", (), "risklake1"), ("x", ("--domain", "sales"), "sales"), ("2026", (), "lake")],
)
def test_the_domain_is_the_given_one_or_the_folders_name(
    tmp_path: Path, folder: str, arguments: tuple[str, ...], domain: str
) -> None:
    assert datamaster("new", "lakehouse", str(tmp_path / folder), *arguments).returncode == 0
    assert read_project(tmp_path / folder).names.domain == domain


def test_an_older_project_file_answers(tmp_path: Path) -> None:
    (tmp_path / "strife_env").mkdir()
    (tmp_path / "strife_env" / "strife_config.yaml").write_text(
        "domain: sales\ncatalog: shop\nproject: lake\nuser_principal_name: ana@example.com\n"
        "domain_azure: example.com\n"
    )
    done = datamaster("new", "lakehouse", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    project = read_project(tmp_path)
    assert (project.names.catalog, project.tags["project"]) == ("cshop", "lake")


def test_an_update_brings_what_nobody_changed_and_keeps_what_somebody_did(lakehouse: Path) -> None:
    before = texts(lakehouse)
    (lakehouse / "definition_project" / "definition_project" / "silver.py").write_text("mine\n")
    (lakehouse / "contracts" / "ingest-permissions.yaml").unlink()
    # as git has it on another machine
    (lakehouse / "Makefile").write_bytes(before["Makefile"].replace("\n", "\r\n").encode())
    assert datamaster("new", "lakehouse", "--update", ".", cwd=lakehouse).stdout.splitlines() == [
        "contracts/ingest-permissions.yaml: you removed it",
        "definition_project/definition_project/silver.py: yours",
    ]
    assert not (lakehouse / "definition_project" / "definition_project" / "silver.py.new").exists()
    later = {
        path: text + "# newer\n"
        for path, text in lakehouse_files(templates_folder(), names("risk", "risk")).items()
    }
    later["docs.md"] = later.pop("exploration.ipynb")
    told = {
        step.path: step.action
        for step in update_lakehouse(lakehouse, later)
        if step.action != "write"
    }
    assert told == {
        "contracts/ingest-permissions.yaml": "keep",
        "definition_project/definition_project/silver.py": "beside",
        "exploration.ipynb": "remove",
    }
    found = texts(lakehouse)
    assert found["definition_project/definition_project/silver.py"] == "mine\n" and found[
        "definition_project/definition_project/silver.py.new"
    ].endswith("# newer\n")
    assert (
        found["Makefile"] == later["Makefile"]
        and found["docs.md"] == later["docs.md"]
        and found["datamaster.yaml"] == before["datamaster.yaml"]
    )
    assert "exploration.ipynb" not in found and "contracts/ingest-permissions.yaml" not in found
    assert [step for step in update_lakehouse(lakehouse, later) if step.action != "keep"] == []


def test_an_older_version_is_brought_to_this_one_by_the_command(lakehouse: Path) -> None:
    now = texts(lakehouse)
    (lakehouse / "requirements.txt").write_text("datamaster_kit==0.0.1\n")
    record = json.loads(now[".lakehouse.json"])
    record["files"]["requirements.txt"] = file_text_hash("datamaster_kit==0.0.1\n")
    (lakehouse / ".lakehouse.json").write_text(json.dumps(record))
    assert (
        datamaster("new", "lakehouse", "--update", ".", cwd=lakehouse).stdout
        == "requirements.txt: brought up to date\n"
    )
    assert texts(lakehouse) == now


def test_an_update_writes_nothing_outside_of_the_lakehouse_and_nothing_without_a_record(
    lakehouse: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(lakehouse / "contracts")
    (lakehouse / "contracts").symlink_to(tmp_path / "elsewhere")
    refused = datamaster("new", "lakehouse", "--update", ".", cwd=lakehouse)
    assert (
        refused.returncode == 2
        and "no folder of the lakehouse" in refused.stderr
        and list((tmp_path / "elsewhere").iterdir()) == []
    )
    for text in ("{", "[]", '{"files": 1}'):
        (lakehouse / ".lakehouse.json").write_text(text)
        with pytest.raises(BadInput, match="its record cannot be read"):
            update_lakehouse(lakehouse, {})
    (lakehouse / ".lakehouse.json").unlink()
    assert "no-lakehouse" in datamaster("new", "lakehouse", "--update", ".", cwd=lakehouse).stderr
