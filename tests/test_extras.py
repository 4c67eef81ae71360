"""Each extra, installed from the wheel into an empty environment, does what it promises in a
process of its own; and what is missing is told with the extra that has it.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_deliver import prepared
from workspace.server import Workspace

from datamaster_kit.cli.main import extras_with

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import sbom  # noqa: E402

MINORS = ("3.11", "3.12", "3.13")
OWN = "{}.{}".format(*sys.version_info)


def found_pythons() -> dict[str, str]:
    """Return the Pythons of this machine by their version.

    The one that runs, those on PATH, and pyenv's.
    """
    pyenv = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    found = {OWN: sys.executable}
    for minor in MINORS:
        there = [str(path) for path in pyenv if path.parts[-3].startswith(f"{minor}.")]
        named = shutil.which(f"python{minor}")
        for python in (*there, *([named] if named else [])):
            if minor not in found and is_version(python, minor):
                found[minor] = python
    return found


def is_version(python: str, minor: str) -> bool:
    """Whether a program is a Python of a version that can make environments.

    A shim of pyenv's may be none.
    """
    code = "import ensurepip, venv, sys; print('{}.{}'.format(*sys.version_info))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return said.stdout.strip() == minor


PYTHONS = found_pythons()
CASES = [(OWN, extra) for extra in ("", "local", "forms", "databricks")]
CASES += [(minor, extra) for minor in PYTHONS if minor != OWN for extra in ("", "databricks")]


def test_an_import_that_fails_names_an_extra_that_has_it() -> None:
    declared = requires("datamaster_kit") or []
    base = {
        re.split(r"[^\w.-]", item)[0].replace("_", "-").lower()
        for item in declared
        if "extra ==" not in item
    }
    base |= {"pyyaml", "yaml", "pydantic", "markupsafe"}  # the last two come with others
    imported: dict[str, Path] = {}
    for module in (ROOT / "datamaster_kit").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += (
                [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            )
            imported |= {name.partition(".")[0]: module for name in names}
    others = {
        name
        for name in imported
        if name not in sys.stdlib_module_names and name != "datamaster_kit"
    }
    lost = {
        name: imported[name]
        for name in others
        if name.replace("_", "-").lower() not in base and not extras_with(name, declared)
    }
    assert len(others) > 15 and lost == {}


def test_the_pythons_of_this_machine_are_told() -> None:
    print(
        "\nPythons:",
        json.dumps(PYTHONS, indent=2),
        "\nnot here:",
        [minor for minor in MINORS if minor not in PYTHONS],
    )
    assert OWN in PYTHONS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel") / "dist"
    assert sbom.main(folder) == 0
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_has_a_list_of_what_it_is_made_of(wheel: Path) -> None:
    # valid, or it would not have been written
    document = json.loads(wheel.with_suffix(".cdx.json").read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    root = document["metadata"]["component"]
    assert root["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    ]
    versions = {item["name"]: item["version"] for item in document["components"]}
    everything = map(Requirement, sbom.metadata_of(wheel).get_all("Requires-Dist", []))
    wanted = [
        item
        for item in everything
        if item.marker is None
        or any(
            item.marker.evaluate({"extra": extra}) for extra in ("", "local", "forms", "databricks")
        )
    ]
    assert (
        len(wanted) > 20
        and [str(item) for item in wanted if versions[sbom.normal(item.name)] not in item.specifier]
        == []
    )
    needs = {item["ref"]: set(item.get("dependsOn", ())) for item in document["dependencies"]}
    assert (
        needs[root["bom-ref"]] == {sbom.normal(item.name) for item in wanted}
        and "py4j" in needs["pyspark"]
    )
    assert set(needs) == {*versions, root["bom-ref"]} and "hypothesis" not in versions


def installer(is_pip: bool, python: Path) -> list[str]:
    """Return the words that install: pip's, or those of uv, which is a second opinion of what fits.

    uv need not unpack the same wheels again.
    """
    if is_pip:
        return [str(python), "-m", "pip", "install"]
    return [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", str(python)]


class Installed:
    """An environment that has the toolkit with an extra, in a folder with the sample project."""

    def __init__(self, folder: Path, python: str, extra: str, wheel: Path) -> None:
        self.folder = folder / "project"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                (
                    "PYTHON",
                    "PYSPARK_",
                    "VIRTUAL_ENV",
                    "DATABRICKS_",
                    "DATAMASTER_",
                    "SPARK_",
                    "JAVA_",
                )
            )
        }
        self.environment["NO_COLOR"] = "1"
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        wanted = f"datamaster_kit{f'[{extra}]' if extra else ''} @ {wheel.as_uri()}"
        is_pip = not extra and python == sys.executable
        subprocess.run(
            [python, "-m", "venv", *([] if is_pip else ["--without-pip"]), str(folder / "venv")],
            check=True,
            env=self.environment,
        )
        done = subprocess.run(
            [
                *installer(is_pip, self.bin / "python"),
                "--quiet",
                "--constraint",
                str(ROOT / "tools" / "constraints.txt"),
                wanted,
            ],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 0, done.stderr
        shutil.copytree(ROOT / "contracts", self.folder / "contracts")
        shutil.copyfile(ROOT / "datamaster.yaml", self.folder / "datamaster.yaml")

    def ended(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        return subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run `datamaster` to its end, and return what it printed and told."""
        done = self.ended("datamaster", *arguments)
        assert done.returncode == code, (
            f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done.stdout, done.stderr

    def python(self, code: str) -> str:
        """Run a text of Python, and return what it printed."""
        done = self.ended("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lacks(self, extra: str, *arguments: str) -> None:
        """A verb says that it needs an extra that is not here."""
        _, told = self.run(*arguments, code=1)
        remedy = f"pip install 'datamaster_kit[{extra}]'"
        assert "error[" in told and remedy in told and "unexpected" not in told, told


def does_without_an_extra(here: Installed) -> None:
    """Contracts are read, checked, exported and compared, and local tables are created."""
    assert "contract" in here.run("--help")[0]
    assert "error" not in here.run("contract", "lint", "contracts")[1]
    assert (
        "CREATE TABLE"
        in here.run("contract", "export", "contracts/account.yaml", "--format", "sql")[0]
    )
    shutil.copyfile(here.folder / "contracts" / "account.yaml", here.folder / "older.yaml")
    here.run("contract", "diff", "older.yaml", "contracts/account.yaml")
    here.lacks("local", "run")
    assert "no-table" in here.run("ingest", "run", code=1)[1]
    here.run("unity", "apply")
    here.lacks("local", "ingest", "run")
    here.lacks("forms", "forms")
    file = here.folder / "datamaster.yaml"
    file.write_text(
        file.read_text(encoding="utf-8")
        + "targets: {production: {host: 'https://adb-1.1.azuredatabricks.net'}}\n",
        encoding="utf-8",
    )
    here.lacks("databricks", "deliver", "plan", "--target", "production")


def write_orders(file: Path) -> None:
    """Write the file of 2,000 orders that README speaks of.

    Three amounts have a comma, and a status is misspelt.
    """
    chance = random.Random(1)
    rows = [
        {
            "order_id": 1000 + number,
            "customer_email": f"c{chance.randint(1, 700)}@example.com",
            "ordered_at": f"2026-0{chance.randint(1, 9)}-{chance.randint(10, 28)} 10:30:00",
            "amount": f"{chance.uniform(1, 500):.2f}".replace(
                ".", "," if number in (100, 400, 900) else "."
            ),
            "status": "piad" if number == 1500 else chance.choice(("open", "paid", "sent")),
        }
        for number in range(2000)
    ]
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def five_minutes(page: str) -> tuple[list[str], list[str]]:
    """Return the commands of a page's first part, and the lines that it shows of their output."""
    text = (ROOT / page).read_text(encoding="utf-8").split("\n## ")[1]
    written, shown = re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL)
    commands = [line.partition("  #")[0].strip() for line in written.strip().splitlines()]
    return commands, [line for line in shown.splitlines() if not line.startswith("$ ")]


def as_shown(text: str) -> list[list[str]]:
    """Return the lines of an output without the times that differ from run to run."""
    return [re.sub(r"\d+\.\d(?= +succeeded)", "0.0", line).split() for line in text.splitlines()]


def does_local(here: Installed) -> None:
    """README's first part is followed word for word, in an empty folder and an empty home."""
    commands, shown = five_minutes("README.md")
    assert commands[0] == "pip install 'datamaster_kit[local]'"  # as `Installed` has done
    assert len(commands) <= 6 and five_minutes("README.pt-BR.md")[0] == commands
    folder, home = here.folder.parent / "shop", here.folder.parent / "home"
    home.mkdir()
    jars = folder / ".datamaster" / "jars"
    shutil.copytree(
        ROOT / ".datamaster" / "jars", jars, ignore=shutil.ignore_patterns("*.jsa")
    )  # which would be fetched
    code = "from datamaster_kit.targets.jvm.class_archive import project_archive as found; "
    key = here.python(
        f"{code}from pathlib import Path; print(found(Path({str(jars.parent)!r}))[1])"
    )
    (jars / f"classes-{key}-0.jsa").touch(0o600)  # made in a minute, by a test of its own
    write_orders(folder / "orders.csv")
    path = f"{here.bin}{os.pathsep}{here.environment['PATH']}"
    environment = {**here.environment, "HOME": str(home), "PATH": path, "COLUMNS": "80"}
    output = ""
    for command in commands[1:]:
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        output += done.stdout + done.stderr
        assert done.returncode == 0, f"{command}: {output[-3000:]}"
    missing = [line for line in as_shown("\n".join(shown)) if line not in as_shown(output)]
    assert missing == [], output
    assert (folder / "runs" / "report" / "index.html").is_file()
    again = subprocess.run(
        "datamaster ingest run --from orders.csv",
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0 and "not taken again" in again.stderr, again.stderr
    here.run("mock", "contracts/consents.yaml", "--rows", "50", "--out", "mocked")
    assert list((here.folder / "mocked" / "consents").glob("*.csv"))


def does_forms(here: Installed) -> None:
    """Forms are made, and served."""
    assert (
        here.python(
            "from datamaster_kit.forms.widgets.contract_form import ContractForm; "
            "print(ContractForm.__name__)"
        )
        == "ContractForm"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = here.folder / "forms.log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [str(here.bin / "datamaster"), "forms", "--no-browser", "--port", str(port)],
            cwd=here.folder,
            env=here.environment,
            stdout=told,
            stderr=told,
        )
    try:
        assert answered(server, f"http://127.0.0.1:{port}/", 120), log.read_text(encoding="utf-8")
    finally:
        server.terminate()
        server.wait(30)


def answered(server: subprocess.Popen[bytes], address: str, seconds: float) -> bool:
    """Whether a server answers within so many seconds, with whatever status, and does not end
    before.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.5)
    return False


def does_databricks(here: Installed) -> None:
    """What needs no Spark is done from here, and a step that needs it runs in the workspace.

    No Spark is here.
    """
    assert (
        here.python(
            "import importlib.util as u; print(u.find_spec('pyspark'), "
            "u.find_spec('databricks.connect'))"
        )
        == "None None"
    )
    with Workspace(metastore="primary") as workspace:
        file = here.folder / "datamaster.yaml"
        file.write_text(
            f"domain: risk\ncatalog: risk\ntargets: {{production: {{host: '{workspace.host}'}}}}\n",
            encoding="utf-8",
        )
        here.environment |= {"DATABRICKS_TOKEN": workspace.token}
        prepared(workspace)
        printed, _ = here.run("deliver", "plan", "--target", "production")
        assert "+ job ingest-risk-account" in printed
        here.run("run", "quality", "-p", "target=production", "-p", "run_id=first")
        [run] = workspace.state.runs.values()
        assert run["state"]["result_state"] == "SUCCESS" and run["run_name"] == "quality risk first"
        assert list(here.folder.glob("runs/first/06_quality.*"))


DOES: dict[str, Callable[[Installed], None]] = {
    "": does_without_an_extra,
    "local": does_local,
    "forms": does_forms,
    "databricks": does_databricks,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("minor", "extra"), CASES, ids=[f"{minor}-{extra or 'none'}" for minor, extra in CASES]
)
def test_an_extra_does_what_it_promises(
    minor: str, extra: str, wheel: Path, tmp_path: Path
) -> None:
    DOES[extra](Installed(tmp_path, PYTHONS[minor], extra, wheel))
