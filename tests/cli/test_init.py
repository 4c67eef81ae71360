"""`datamaster init`: asked at a prompt, answered by flags, offered what the machine knows, and
never written over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from datamaster_kit.project.project_file import Project, read_project
from datamaster_kit.project.project_text import project_text
from datamaster_kit.setup.variables import Budget, Github, StateWriter, setup_of

if TYPE_CHECKING:
    from workspace.server import Workspace

PROGRAM = "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
GUID, OTHER = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
AZURE = {
    "subscription": GUID,
    "tenant": GUID,
    "location": "westeurope",
    "writer": OTHER,
    "writer-type": "ServicePrincipal",
    "budget": "750.5",
    "email": "cost@example.com",
    "repository": "example/lake",
}
ACCOUNT = json.dumps(
    {"id": GUID, "tenantId": GUID, "user": {"name": "ana@example.com", "type": "user"}}
)
AZ = f"""#!/bin/sh
case "$*" in
  *"account show"*) echo '{ACCOUNT}' ;;
  *signed-in-user*) echo {OTHER} ;;
  *) exit 1 ;;
esac
"""


def init(
    folder: Path, *arguments: str, answers: str = "", path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `datamaster init` in a folder, with these lines typed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        **({"PATH": path} if path else {}),
    }
    environment.pop("DATAMASTER_ENVIRONMENT", None)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "init", *arguments],
        cwd=folder,
        input=answers,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )


def flags(answers: dict[str, str]) -> list[str]:
    """Return answers as options."""
    return [part for name, value in answers.items() for part in (f"--{name}", value)]


def made(folder: Path) -> Project:
    """Return the project that was written."""
    return read_project(folder / "datamaster.yaml")


def test_one_flag_is_enough(tmp_path: Path) -> None:
    result = init(tmp_path, "--domain", "risk", "--no-input")
    assert (result.returncode, result.stderr) == (0, "")
    project = made(tmp_path)
    assert (project.names.catalog, project.setup, project.targets, project.tags) == (
        "crisk",
        {},
        {},
        {"project": tmp_path.name},
    )


def test_every_answer_by_flags_is_in_the_file(tmp_path: Path) -> None:
    result = init(
        tmp_path,
        "--no-input",
        *flags(
            {
                "domain": "risk",
                "catalog": "loans",
                "environment": "dev",
                "project-name": "data: master #1",
                "principal-user": "ana_example.com#EXT#@contoso.onmicrosoft.com",
                "host": "https://adb-1.2.azuredatabricks.net",
                **AZURE,
            }
        ),
    )
    assert result.returncode == 0, result.stderr
    project = made(tmp_path)
    assert (project.names.catalog, project.names.storage_account, project.tags["project"]) == (
        "cloansdev",
        "stadriskdev",
        "data: master #1",
    )
    assert project.unity.principal_user == "ana_example.com#EXT#@contoso.onmicrosoft.com"
    assert project.targets == {"production": {"host": "https://adb-1.2.azuredatabricks.net"}}
    setup = setup_of(project)
    assert (setup.location, setup.writers, setup.budget) == (
        "westeurope",
        {"owner": StateWriter(OTHER, "ServicePrincipal")},
        Budget(750.5, ["cost@example.com"]),
    )
    assert setup.github == Github("example/lake", ["production"], ["main"])


def test_a_person_is_asked_again_until_the_answer_can_be_used(tmp_path: Path) -> None:
    # domain twice, catalog, environment, project, user, subscription, host
    typed = [
        "Risk",
        "risk",
        "",
        "",
        "",
        "",
        "",
        "",
    ]
    result = init(tmp_path, answers="\n".join(typed) + "\n")
    assert result.returncode == 0, result.stderr
    assert (
        "'Risk' is not 2 to 18 lower-case letters" in result.stderr
        and "Azure region" not in result.stderr
    )
    assert made(tmp_path).names.domain == "risk"


def test_what_the_machine_knows_is_offered(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "az").write_text(AZ, encoding="utf-8")
    (tmp_path / "bin" / "az").chmod(0o755)
    folder = tmp_path / "lake"
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(
        ["git", "remote", "add", "origin", "git@github.com:example/lake.git"],
        cwd=folder,
        check=True,
    )
    result = init(
        folder,
        "--domain",
        "risk",
        answers="\n" * 20,
        path=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    )
    assert result.returncode == 0, result.stderr
    project = made(folder)
    assert project.setup == {
        "subscription": GUID,
        "tenant": GUID,
        "location": "brazilsouth",
        "writers": {"owner": {"object_id": OTHER, "type": "User"}},
        "budget": {"amount": 500, "emails": ["ana@example.com"]},
        "github": {
            "repository": "example/lake",
            "environments": ["production"],
            "branches": ["main"],
        },
    }
    (folder / "datamaster.yaml").unlink()
    assert (
        init(
            folder,
            "--domain",
            "risk",
            "--no-input",
            path=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        ).returncode
        == 0
    )
    assert made(folder).setup == {}, "an account that happens to be logged in is not taken unasked"


def test_an_older_file_answers_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "strife_env").mkdir()
    older = tmp_path / "strife_env" / "strife_config.yaml"
    older.write_text(
        "domain: risk\ncatalog: loans\nproject: datamaster\nuser_principal_name: "
        "ana@example.com\ndomain_azure: example.com\n",
        encoding="utf-8",
    )
    result = init(tmp_path, "--no-input")
    assert result.returncode == 0, result.stderr
    assert replace(made(tmp_path), root=tmp_path) == replace(read_project(older), root=tmp_path)
    (tmp_path / "datamaster.yaml").unlink()
    assert (
        init(tmp_path, "--catalog", "risk", "--no-input").returncode == 0
        and made(tmp_path).names.catalog == "crisk"
    )
    (tmp_path / "datamaster.yaml").unlink()
    older.write_text("domain: risk\ncatalog: loans\ndomain_azure: nowhere\n", encoding="utf-8")
    result = init(tmp_path, "--no-input")
    assert result.returncode == 2 and "strife_config.yaml:3: $.domain_azure" in result.stderr


def test_a_workspace_is_asked_for_its_account(tmp_path: Path, workspace: Workspace) -> None:
    account = workspace.state.settings.account_id
    assert (
        init(tmp_path, "--domain", "risk", "--host", workspace.host, "--no-input").returncode == 0
    )
    assert made(tmp_path).targets == {"production": {"host": workspace.host, "account_id": account}}
    (tmp_path / "datamaster.yaml").unlink()
    assert (
        init(
            tmp_path,
            "--domain",
            "risk",
            "--host",
            workspace.host,
            "--account-id",
            GUID,
            "--no-input",
        ).returncode
        == 0
    )
    assert made(tmp_path).targets["production"]["account_id"] == GUID


def test_every_bad_flag_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    result = init(
        tmp_path,
        "--no-input",
        *flags(
            {
                "domain": "Risk",
                "location": "westeurope",
                "writer": OTHER.upper(),
                "email": "cost",
                "host": "adb-1.2.azuredatabricks.net",
            }
        ),
    )
    assert result.returncode == 2
    assert [
        line.split("init-answer] ")[1].split(":")[0] for line in result.stderr.splitlines()
    ] == ["--domain", "--writer", "--email", "--host", "--location", "--writer", "--email"]
    result = init(tmp_path, "--no-input", "--domain", "risk", "--subscription", GUID)
    assert result.returncode == 2 and all(
        f"--{name}" in result.stderr for name in ("tenant", "writer", "email", "repository")
    )
    assert (
        init(
            tmp_path, "--no-input", "--domain", "riskandcontrols", "--environment", "staging"
        ).returncode
        == 2
    )
    assert not list(tmp_path.iterdir())


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "datamaster.yaml").write_text("domain: mine\n", encoding="utf-8")
    result = init(tmp_path, answers="\n" * 20)
    assert (
        result.returncode == 2
        and "datamaster.yaml exists" in result.stderr
        and "Domain" not in result.stderr
    )
    assert (tmp_path / "datamaster.yaml").read_text(encoding="utf-8") == "domain: mine\n"


def git(folder: Path, *arguments: str) -> str:
    """Return what git prints in a folder."""
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    ).stdout


def test_without_git_a_gitignore_is_written_and_one_that_is_there_is_left_alone(
    tmp_path: Path,
) -> None:
    result = init(tmp_path, "--domain", "risk", "--no-input")
    assert (tmp_path / ".gitignore").read_text(
        encoding="utf-8"
    ) == ".datamaster\nruns/\n" and ".gitignore is written" in result.stdout
    (tmp_path / ".gitignore").write_text("mine\n", encoding="utf-8")
    (tmp_path / "datamaster.yaml").unlink()
    result = init(tmp_path, "--domain", "risk", "--no-input")
    assert (tmp_path / ".gitignore").read_text(
        encoding="utf-8"
    ) == "mine\n" and "gitignore" not in result.stdout


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        (None, ".datamaster\nruns/\n"),
        ("*.pyc", "*.pyc\n.datamaster\nruns/\n"),
        ("/.datamaster/\n", "/.datamaster/\nruns/\n"),
        (".*\nrun*/\n", ".*\nrun*/\n"),
        ("# runs/\n!runs/\n.datamaster\n", "# runs/\n!runs/\n.datamaster\nruns/\n"),
    ],
)
def test_in_a_work_tree_what_git_does_not_ignore_is_added_once(
    tmp_path: Path, existing: str | None, expected: str
) -> None:
    git(tmp_path, "init", "-q")
    file = tmp_path / ".gitignore"
    if existing is not None:
        file.write_text(existing, encoding="utf-8")
    for _ in range(2):
        result = init(tmp_path, "--domain", "risk", "--no-input")
        assert result.returncode == 0 and file.read_text(encoding="utf-8") == expected
        (tmp_path / "datamaster.yaml").unlink()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "page.html").touch()
    assert (
        "runs" not in git(tmp_path, "status", "--short", "-uall")
        and "gitignore" not in result.stdout
    )


def test_a_folder_within_a_work_tree_takes_what_is_ignored_above(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(".datamaster\n", encoding="utf-8")
    folder = tmp_path / "risk"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "init", "--domain", "risk", "--no-input"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert (folder / ".gitignore").read_text(
        encoding="utf-8"
    ) == "runs/\n" and "runs/" in done.stdout


def test_input_that_ends_writes_nothing(tmp_path: Path) -> None:
    assert init(tmp_path, answers="risk\n").returncode == 1
    assert not list(tmp_path.iterdir())


def uncommented(text: str) -> str:
    """Return a project file with its example lines as keys, and its sentences gone."""
    lines = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        is_example = (
            line.startswith("# ")
            and (bare.startswith(" ") or bare.split("#")[0].rstrip().endswith((":", "}")))
            and not bare.rstrip().endswith(".")
        )
        lines += [bare] if is_example else [] if line.startswith("#") else [line]
    return "\n".join(
        line if not line.strip().startswith("# ") else line.replace("# ", "", 1) for line in lines
    )


@pytest.mark.parametrize("host", ["", "https://adb-1.2.azuredatabricks.net"])
def test_every_comment_is_an_example_that_works(tmp_path: Path, host: str) -> None:
    text = uncommented(
        project_text(
            {"domain": "risk", "catalog": "risk", "project_name": "datamaster", "host": host}
        )
    )
    (tmp_path / "datamaster.yaml").write_text(text, encoding="utf-8")
    project = read_project(tmp_path, "prod")
    assert setup_of(project).azure == {"soft_delete_days": 7}
    assert project.unity.service_principal == "00000000-0000-0000-0000-000000000000"
    assert (
        project.unity.compute,
        project.jobs.cron,
        project.tags["criticality"],
        project.targets["production"]["warehouse"],
    ) == ("serverless", "0 0 2 * * ?", "high", "shared")


def test_every_comment_of_the_sample_is_an_example_that_works(tmp_path: Path) -> None:
    sample = (Path(__file__).parents[2] / "datamaster.yaml").read_text(encoding="utf-8")
    (tmp_path / "datamaster.yaml").write_text(uncommented(sample), encoding="utf-8")
    project = read_project(tmp_path, "prod")
    assert (
        setup_of(project).budget.amount,
        setup_of(project).azure,
        list(project.targets),
        project.unity.groups["platform"],
    ) == (9000, {"soft_delete_days": 7}, ["production"], "ADMIN")
