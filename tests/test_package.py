"""The package as a whole: its metadata, its size at start, its imports and its notebooks."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.deliver.lakehouse_files import WORKFLOW_FILES

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "pyspark",
    "delta",
    "deltalake",
    "pyarrow",
    "numpy",
    "databricks",
    "azure",
    "pandas",
    "matplotlib",
    "mimesis",
    "papermill",
    "nbformat",
    "pydantic",
    "sqlglot",
    "jsonschema",
    "jsonschema_rs",
    "open_data_contract_standard",
    "IPython",
    "ipywidgets",
    "tornado",
)
LOADS = """
import atexit, sys
from datamaster_kit.cli.main import main
atexit.register(
    lambda: print(sorted(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)
)
main()
"""


def settings() -> dict[str, str]:
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])


def test_name_and_python_version_agree_in_settings_and_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == settings()["lib_name"]
    assert project["requires-python"] == f">={settings()['min_python']}"


def test_help_imports_nothing_heavy() -> None:
    code = (
        f"import sys; import datamaster_kit.cli.main; print([name for name in {HEAVY!r} if name "
        "in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


OF_CONTRACTS = ["jsonschema_rs", "open_data_contract_standard", "pydantic"]


@pytest.mark.parametrize(
    ("verb", "loads"),
    [
        ("--help", []),
        ("doctor", ["pydantic"]),
        ("setup plan", OF_CONTRACTS),
        ("contract lint contracts/flights.odcs.yaml", [*OF_CONTRACTS, "sqlglot"]),
        ("contract show contracts/flights.odcs.yaml", [*OF_CONTRACTS, "sqlglot"]),
        ("contract diff contracts/flights.odcs.yaml contracts/flights.odcs.yaml", OF_CONTRACTS),
        ("contract export contracts/flights.odcs.yaml -f sql", [*OF_CONTRACTS, "sqlglot"]),
        ("unity plan", [*OF_CONTRACTS, "sqlglot"]),
    ],
)
def test_a_verb_loads_what_it_needs_and_nothing_heavy_else(
    verb: str, loads: list[str], tmp_path: Path
) -> None:
    for name in ("datamaster.yaml", "contracts"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", LOADS.format(heavy=HEAVY), *verb.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (
        ast.literal_eval(done.stderr.strip().splitlines()[-1]) == loads
        and "Traceback" not in done.stderr
    ), done.stderr


def test_a_contract_is_read_without_the_slow_validator() -> None:
    code = (
        "import sys; from datamaster_kit.contract.read import read_contract; "
        "read_contract('contracts/flights.odcs.yaml'); print('jsonschema' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        == "False"
    )


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["contract"],
        ["contract", "lint"],
        ["contract", "export"],
        ["contract", "diff"],
        ["contract", "import"],
        ["contract", "convert"],
        ["contract", "new"],
        ["contract", "show"],
        ["doctor"],
        ["setup"],
        ["setup", "plan"],
        ["setup", "apply"],
        ["setup", "destroy"],
        ["setup", "output"],
        ["setup", "doctor"],
        ["run"],
        ["unity"],
        ["unity", "plan"],
        ["unity", "apply"],
        ["ingest"],
        ["ingest", "run"],
        ["ingest", "replay"],
        ["ingest", "retention"],
        ["mock"],
        ["new"],
        ["new", "project"],
        ["report"],
    ],
)
def test_every_verb_has_help(verb: list[str]) -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    shown = CliRunner().invoke(app, [*verb, "--help"])
    assert shown.exit_code == 0
    if verb and verb not in (["contract"], ["new"], ["setup"], ["unity"]):
        assert "Example: datamaster" in " ".join(shown.stdout.split())


def every_command() -> list[list[str]]:
    """Return the words of every group and command of the command line."""
    import typer

    from datamaster_kit.cli.main import app

    def below(command: Any, words: list[str]) -> Iterator[list[str]]:
        yield words
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, [*words, name])

    return list(below(typer.main.get_command(app), []))


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_h_and_the_verb_help_show_what_help_shows_and_every_type_is_a_word(
    words: list[str],
) -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    shown, short, verb = (
        CliRunner().invoke(app, each, prog_name="datamaster")
        for each in ([*words, "--help"], [*words, "-h"], ["help", *words])
    )
    assert (
        shown.exit_code == short.exit_code == verb.exit_code == 0
        and shown.stdout == short.stdout == verb.stdout
    )
    assert (
        re.findall(r"<(?:str|int|float|bool|path|file|directory|list)\b|\bINTEGER\b", shown.stdout)
        == []
        and "--help" in shown.stdout
        and "-h" in shown.stdout
    )


def test_help_of_a_verb_that_is_not_there_ends_with_2_and_names_the_nearest() -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    shown = CliRunner().invoke(app, ["help", "contracts"], prog_name="datamaster")
    assert shown.exit_code == 2 and "'contract'" in shown.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("datamaster con", {"contract"}),
        ("datamaster contract ", {"lint", "import", "diff"}),
        ("datamaster contract export --f", {"--format"}),
    ],
)
def test_the_shell_completes_verbs_and_options(typed: str, offered: set[str]) -> None:
    words = typed.split(" ")
    asked = {
        "_DATAMASTER_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert offered <= set(done.stdout.split())


def test_every_generated_module_names_a_notebook_that_exists() -> None:
    for module in (ROOT / "datamaster_kit").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        if module.name == "__init__.py":
            continue
        named = re.search(r"^# AUTOGENERATED! DO NOT EDIT! File to edit: (\S+\.ipynb)", text, re.M)
        assert named and (module.parent / named[1]).resolve().exists(), module


def test_notebooks_are_committed_without_execution_counts() -> None:
    for path in (ROOT / "nbs").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert all(
            cell.get("execution_count") is None for cell in cells if cell["cell_type"] == "code"
        ), path


def test_spark_is_used_only_through_what_spark_connect_offers() -> None:
    refused = {
        "rdd",
        "toJavaRDD",
        "_jvm",
        "_jdf",
        "_jsc",
        "_jsparkSession",
        "sparkContext",
        "newSession",
        "cache",
        "persist",
        "unpersist",
    }
    for module in (ROOT / "datamaster_kit").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in refused, f"{module}:{node.lineno}: {node.attr}"
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] != "delta", (
                    f"{module}:{node.lineno}: delta.tables"
                )
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "set"
            ):
                assert "conf" not in ast.unparse(node.func.value), (
                    f"{module}:{node.lineno}: spark.conf.set"
                )


def test_the_files_speak_of_the_project_alone() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    machine = str(Path("/", "work"))
    for name in filter(None, files):
        if (
            name.endswith((".py", ".ipynb", ".md", ".yaml", ".yml", ".toml", ".ini"))
            and name != "tests/test_package.py"
        ):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert machine + "/" not in text, name


@pytest.mark.slow
def test_the_wheel_carries_every_package_the_step_notebooks_and_the_web_page(
    tmp_path: Path,
) -> None:
    import zipfile

    source = tmp_path / "source"
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines():
        if (ROOT / name).is_file():  # a copy, so that no build folder is left here
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--verbose",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(tmp_path),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"\w+Warning: .*", built.stdout + built.stderr) == []
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for module in (ROOT / "datamaster_kit").rglob("*.py"):
        assert str(module.relative_to(ROOT)) in names
    assert {
        f"datamaster_kit/steps/{path.name}" for path in (ROOT / "nbs" / "steps").glob("*.ipynb")
    } <= set(names)
    assert {
        f"datamaster_kit/web/{path.relative_to(ROOT / 'nbs' / 'web')}"
        for pattern in ("*.ipynb", "*.j2", "static/*")
        for path in (ROOT / "nbs" / "web").glob(pattern)
    } <= set(names)
    templates = subprocess.run(
        ["git", "ls-files", "templates"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {f"datamaster_kit/{name}" for name in templates} == {
        name for name in names if name.startswith("datamaster_kit/templates/")
    }
    samples = {
        f"datamaster_kit/samples/{path.name}" for path in (ROOT / "contracts").glob("*.yaml")
    }
    assert samples and samples <= set(names)
    assert {f"datamaster_kit/workflows/{name}" for name in WORKFLOW_FILES} | {
        "datamaster_kit/requirements/databricks.txt"
    } == {
        name
        for name in names
        if name.startswith(("datamaster_kit/workflows/", "datamaster_kit/requirements/"))
    }
    assert {
        f"datamaster_kit/{path.relative_to(ROOT)}" for path in (ROOT / "infra").glob("*/*.tf")
    } == {
        name
        for name in names
        if name.startswith("datamaster_kit/infra/") and not name.endswith("hcl")
    }


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md", "docs/setup.md"])
def test_a_page_names_the_warehouse_before_what_asks_it(page: str) -> None:
    """`unity` asks a SQL warehouse of a workspace.

    Nobody who follows the page gets there without one.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    made, asked = (
        text.index("datamaster setup apply"),
        re.search(r"datamaster unity (plan|apply) --target (?!local)", text),
    )
    assert asked and "warehouse: " in text[made : asked.start()]


def test_every_test_that_the_promises_name_is_there() -> None:
    named = [
        found
        for page in (ROOT / "docs").glob("*.md")
        for found in re.findall(r"`(test_\w+\.py)::(test_\w+)`", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 40
    texts = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    }
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in texts[file]]
    assert missing == []
