"""Build the documentation into _site/ without a network: the notebooks as chapters in reading
order, and the page of errors.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "_proc"
NOTEBOOKS = ROOT / "nbs"
READING_ORDER = (
    "contract",
    "project",
    "plan",
    "targets",
    "lakehouse",
    "setup",
    "unity",
    "ingest",
    "deliver",
    "mock",
    "observe",
    "forms",
    "web",
    "steps",
    "cli",
)


def error_page() -> str:
    """Return the page that lists every fault code with its meaning and remedy, from the register
    that the library fills.
    """
    from datamaster_kit.contract.fault import CODES

    for module in sorted((ROOT / "datamaster_kit").rglob("*.py")):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        if module.stem != "__init__":
            importlib.import_module(name)
    rows = [
        f"| `{code.name}` | {code.severity} | {code.meaning} | {code.remedy} |".replace("\n", " ")
        for _, code in sorted(CODES.items())
    ]
    head = [
        "# Errors",
        "",
        "Every fault has a stable code. Exit codes: 0 done, 1 the work failed, 2 the input "
        "is bad and nothing was done.",
        "",
        "| code | severity | what it means | what to do |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def chapter_title(notebook: Path) -> str:
    """Return the first heading of a notebook."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if match := re.match(r"# (.+)", cell.source):
            return match[1]
    return notebook.stem


def parts() -> list[str]:
    """Return every folder that has a notebook, in reading order; one that the order does not name
    comes last.
    """
    folders = {
        path.parent.relative_to(NOTEBOOKS).as_posix()
        for path in NOTEBOOKS.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    tops = {folder: folder.split("/")[0] for folder in folders}
    return sorted(
        folders,
        key=lambda folder: (
            READING_ORDER.index(tops[folder])
            if tops[folder] in READING_ORDER
            else len(READING_ORDER),
            folder,
        ),
    )


def copy_chapters() -> list[dict[str, object]]:
    """Copy the notebooks, without nbdev's directives, and return the navigation."""
    navigation: list[dict[str, object]] = [{"Home": "index.ipynb"}]
    shutil.rmtree(SOURCE, ignore_errors=True)
    for part in parts():
        entries: list[dict[str, str]] = []
        for path in sorted((NOTEBOOKS / part).glob("*.ipynb")):
            target = SOURCE / path.relative_to(NOTEBOOKS)
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(without_directives(path), target)
            if path.stem != "index":
                entries.append({chapter_title(path): str(target.relative_to(SOURCE))})
        if entries:
            navigation.append({part.replace("/", ": ").capitalize(): entries})
    return navigation


def without_directives(path: Path) -> nbformat.NotebookNode:
    """Return a notebook without its `#|` lines, and without the cells that hold nothing else or are
    hidden.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("#| hide")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(
                line for line in cell.source.splitlines() if not line.startswith("#|")
            ).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def main() -> int:
    """Write the pages and run mkdocs."""
    navigation = copy_chapters()
    (SOURCE / "errors.md").write_text(error_page(), encoding="utf-8")
    for name, title in (("CONTRIBUTING.md", "Contributing"), ("CHANGELOG.md", "Changelog")):
        shutil.copy(ROOT / name, SOURCE / name)
        navigation.append({title: name})
    for path in sorted((ROOT / "docs").glob("*.md")):
        shutil.copy(path, SOURCE / path.name)
        navigation.append({path.stem.capitalize(): path.name})
    navigation.append({"Errors": "errors.md"})
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8")) | {
        "nav": navigation,
        "docs_dir": str(SOURCE),
        "site_dir": str(ROOT / "_site"),
    }
    generated = ROOT / "_proc.yml"
    generated.write_text(
        yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    try:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "mkdocs",
                "build",
                "--quiet",
                "--strict",
                "--config-file",
                str(generated),
            ],
            check=False,
        ).returncode
    finally:
        generated.unlink()


if __name__ == "__main__":
    sys.exit(main())
