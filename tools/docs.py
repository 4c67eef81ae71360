"""Build the documentation into _site/ without a network.

The tutorial, a page a task, and the reference come first, then the chapters of the library in
reading order. What a page or a chapter shows of an output is what its commands or cells answer now.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from reference import error_page, tables_page, verbs_page  # noqa: E402
from sessions import has_session, run_page  # noqa: E402

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

NOT_EXECUTED = ("steps", "web")  # they take parameters, or are a page
NOT_RUN = ("#| spark", "#| server", "#| eval: false")


def chapter_title(notebook: nbformat.NotebookNode, otherwise: str) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        if match := re.match(r"# (.+)", cell.source):
            return match[1]
    return otherwise


def parts() -> list[str]:
    """Return every folder that has a notebook, in reading order.

    One that the order does not name comes last.
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
    """Copy the notebooks with what their cells answer, and return the navigation of chapters."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    paths = [path for part in parts() for path in sorted((NOTEBOOKS / part).glob("*.ipynb"))]
    entries: dict[str, list[dict[str, str]]] = {}
    for path in paths:
        notebook, page = read_executed(path), path.relative_to(NOTEBOOKS)
        if page.name == "index.ipynb":
            for cell in notebook.cells:
                cell.source = site_links(cell.source)
        target = SOURCE / page
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(without_directives(notebook), target)
        if path.stem != "index":
            entries.setdefault(part_title(page.parent.as_posix()), []).append(
                {chapter_title(notebook, path.stem): page.as_posix()}
            )
    return [{title: chapters} for title, chapters in entries.items()]


def site_links(text: str) -> str:
    """Return the text of README with its links as the site has them: its pages are at the top."""
    text = text.replace("](docs)", "](promises.html)").replace(
        "](docs/how-to)", "](how-to/rules.html)"
    )
    text = text.replace("](docs/pictures/", "](pictures/")
    return re.sub(r"\]\((?:docs/)?([\w/.-]+)\.md(#[\w-]+)?\)", r"](\1.html\2)", text)


def part_title(part: str) -> str:
    """Return the title of a folder of chapters."""
    return "The package" if part == "." else part.replace("/", ": ").capitalize()


def read_executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells, run in its folder as the tests run them.

    What needs Spark, a server or parameters stays without outputs.
    """
    from execnb.nbio import nb2dict, read_nb
    from execnb.shell import CaptureShell

    if path.parent.name in NOT_EXECUTED or path.stem == "index":
        return nbformat.read(path, as_version=4)
    notebook = read_nb(path)
    shell = CaptureShell(path)
    with contextlib.chdir(path.parent):
        shell.run_all(notebook, exc_stop=True, preproc=is_left_out)
    return nbformat.reads(json.dumps(nb2dict(notebook)), as_version=4)


def is_left_out(cell: Any) -> bool:
    """Return whether a cell is not run: text, or what a directive keeps for other machines."""
    lines = cell.source.splitlines()
    return cell.cell_type != "code" or any(line.startswith(NOT_RUN) for line in lines)


def without_directives(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook without its `#|` lines, and without the cells that hold nothing else or
    are hidden.
    """
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("#| hide")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(
                line for line in cell.source.splitlines() if not line.startswith("#|")
            ).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def page_title(page: Path) -> str:
    """Return the first heading of a page in Markdown."""
    heading = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return heading[1] if heading else page.stem.capitalize()


# what is no task: it says what holds, and is looked up
REFERENCE = (
    "contract.md",
    "workflow-keys.md",
    "contract-sql.md",
    "values.md",
    "files.md",
    "project.md",
    "setup-infra.md",
    "unity.md",
    "promises.md",
    "speed.md",
    "speed-peers.md",
)
MADE_PAGES = {"verbs.md": verbs_page, "errors.md": error_page, "tables.md": tables_page}


def copy_page(page: Path, target: Path) -> None:
    """Copy a page for people, with what its sessions answer now."""
    text = page.read_text(encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(run_page(text) if has_session(text) else text, encoding="utf-8")


def page_entries(pages: Iterable[Path]) -> list[dict[str, str]]:
    """Return pages as entries of the navigation, by their titles."""
    folder = ROOT / "docs"
    return [{page_title(page): page.relative_to(folder).as_posix()} for page in pages]


def copy_pages() -> list[dict[str, object]]:
    """Copy the pages for people, make those of the reference, and return their navigation."""
    folder = ROOT / "docs"
    for page in sorted(folder.rglob("*.md")):
        copy_page(page, SOURCE / page.relative_to(folder))
    shutil.copytree(folder / "pictures", SOURCE / "pictures", dirs_exist_ok=True)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "README.pt-BR.md"):
        shutil.copy(ROOT / name, SOURCE / name)
    for name, make in MADE_PAGES.items():
        (SOURCE / name).write_text(make(), encoding="utf-8")
    tasks = sorted((folder / "how-to").glob("*.md"), key=page_title)
    reference = [folder / name for name in REFERENCE if (folder / name).is_file()]
    taken = {*reference, folder / "tutorial.md"}
    guides = [page for page in sorted(folder.glob("*.md")) if page not in taken]
    made = [{page_title(SOURCE / name): name} for name in MADE_PAGES]
    return [
        {"Tutorial": "tutorial.md"},
        {"How to": [*page_entries(tasks), *page_entries(guides)]},
        {"Reference": [*page_entries(reference), *made]},
    ]


def main() -> int:
    """Write the pages and run mkdocs."""
    chapters = copy_chapters()
    navigation = [
        {"Home": "index.ipynb"},
        *copy_pages(),
        {"Changelog": "CHANGELOG.md"},
        {"Contributing": "CONTRIBUTING.md"},
        {"The library, chapter by chapter": chapters},
    ]
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
