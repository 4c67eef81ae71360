"""The wheel, and beside it what it is made of: `python tools/sbom.py` writes both into dist/.

The list of materials is CycloneDX, in JSON: the wheel with its hash, and every package that it
requires, with or without an extra (that of developers left out), in the version
that the tests run with, with who requires whom. It is written and validated by cyclonedx-bom's
library, from a virtual environment of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from terraform import ROOT, run, wheel

TOOL = "cyclonedx-bom==7.5.0"
DIST = ROOT / "dist"
NAME = "datamaster_kit"

# Runs in the tool's environment: packages come in as JSON, and the document goes out once it is
# valid.
WRITER = """\
import json, sys
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.factory.license import LicenseFactory
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

def component(item, kind):
    hashes, licenses = [], []
    if "sha256" in item:
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=item["sha256"])]
    if item.get("license"):
        licenses = [LicenseFactory().make_from_string(item["license"])]
    extras = [
        Property(name="datamaster_kit:extra", value=extra) for extra in item.get("extras", [])
    ]
    return Component(
        type=kind,
        name=item["name"],
        version=item["version"],
        hashes=hashes,
        licenses=licenses,
        properties=extras,
        bom_ref=item["name"],
        purl=PackageURL("pypi", name=item["name"], version=item["version"]),
    )

said = json.load(sys.stdin)
bom = Bom()
bom.metadata.component = component(said["root"], ComponentType.LIBRARY)
made = {item["name"]: component(item, ComponentType.LIBRARY) for item in said["packages"]}
for one in made.values():
    bom.components.add(one)
bom.register_dependency(bom.metadata.component, [made[name] for name in said["root"]["requires"]])
for item in said["packages"]:
    bom.register_dependency(made[item["name"]], [made[name] for name in item["requires"]])
text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if fault:
    sys.exit(str(fault))
print(text)
"""


def normal(name: str) -> str:
    """Return a name as packages are compared by it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(
    texts: Iterable[str], extras: Iterable[str]
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield what requirements ask for on this machine.

    A name, the extras of it, and the extra of one's own that asks for it, empty for none.
    """
    from packaging.requirements import Requirement

    for item in map(Requirement, texts):
        for extra in ("", *extras):
            if item.marker is None or item.marker.evaluate({"extra": extra}):
                yield normal(item.name), tuple(sorted(item.extras)), extra
                break


def metadata_of(archive: Path) -> Message:
    """Return the metadata of a wheel."""
    with zipfile.ZipFile(archive) as opened:
        [name] = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(opened.read(name))


def materials(archive: Path, extras: tuple[str, ...]) -> dict[str, Any]:
    """Return a wheel and the packages that it requires, directly and through others, as they are
    installed here; raises SystemExit where one is not.
    """
    said = metadata_of(archive)
    direct = list(required(said.get_all("Requires-Dist", []), extras))
    here = {normal(item.metadata["Name"]): item for item in distributions()}
    left, packages = [(name, more) for name, more, _ in direct], dict[str, dict[str, Any]]()
    seen = set(left)
    while left:
        name, more = left.pop()
        if name not in here:
            raise SystemExit(f"{name} is required and not installed here: make setup")
        found = here[name]
        needs = list(required(found.requires or (), more))
        item = packages.setdefault(
            name,
            {
                "name": name,
                "version": found.version,
                "license": found.metadata.get("License-Expression", ""),
                "requires": [],
                "extras": [],
            },
        )
        item["requires"] = sorted({*item["requires"], *(need for need, _, _ in needs)})
        new = {(need, own) for need, own, _ in needs} - seen
        seen |= new
        left += new
    for name, _, extra in direct:
        packages[name]["extras"] = sorted({*packages[name]["extras"], *([extra] if extra else [])})
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    root = {
        "name": normal(NAME),
        "version": said["Version"],
        "license": "Apache-2.0",
        "requires": sorted({name for name, _, _ in direct}),
        "sha256": digest,
    }
    return {"root": root, "packages": [packages[name] for name in sorted(packages)]}


def build(folder: Path) -> Path:
    """Build the wheel from a copy of the tree's files, and return it."""
    names = run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT
    ).splitlines()
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            if (ROOT / name).is_file():
                (Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, Path(place) / name)
        run(
            [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--quiet",
                "--no-index",
                "--no-deps",
                "--no-build-isolation",
                "--wheel-dir",
                str(folder),
                place,
            ]
        )
    return next(folder.glob(f"{NAME}-*.whl"))


def main(folder: Path = DIST) -> int:
    """Write the wheel and its materials."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = build(folder)
    said = materials(archive, ("local", "forms", "databricks"))
    done = subprocess.run(
        [str(wheel(TOOL)), "-c", WRITER],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the materials of the wheel are not valid: {done.stderr}")
    archive.with_suffix(".cdx.json").write_text(done.stdout, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
