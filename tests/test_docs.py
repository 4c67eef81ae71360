"""The documentation has a page of every chapter, whatever folder it is in."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, which writes into a folder of the test's."""
    found = importlib.util.spec_from_file_location("docs", ROOT / "tools" / "docs.py")
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    monkeypatch.setattr(module, "SOURCE", tmp_path / "_proc")
    return module


def test_pages_are_in_the_order_of_need_and_each_is_in_the_navigation(
    docs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "run_page", str)  # sessions take minutes, and `make docs` has them
    docs.SOURCE.mkdir()
    navigation = docs.copy_pages()
    assert [title for part in navigation for title in part] == ["Tutorial", "How to", "Reference"]
    written = {page.relative_to(docs.SOURCE).as_posix() for page in docs.SOURCE.rglob("*.md")}
    named = set(re.findall(r'"([^"]+[.]md)"', json.dumps(navigation)))
    assert written - named == {"CONTRIBUTING.md", "CHANGELOG.md", "README.pt-BR.md"}
    assert named <= written
    verbs = (docs.SOURCE / "verbs.md").read_text(encoding="utf-8")
    assert "## `datamaster ingest run`" in verbs and "`--from`" in verbs
    tables = (docs.SOURCE / "tables.md").read_text(encoding="utf-8")
    assert "## `crisk.bronze.account_quarantine`" in tables and "`carlton_rescued`" in tables


def test_every_link_of_the_readme_leads_to_a_page_of_the_site(docs: ModuleType) -> None:
    text = docs.site_links((ROOT / "README.md").read_text(encoding="utf-8"))
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    pages = {
        page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
    }
    others = {"CONTRIBUTING.html", "CHANGELOG.html", "README.pt-BR.html"}
    pictures = {f"pictures/{page.name}" for page in (ROOT / "docs" / "pictures").iterdir()}
    assert links - pages - others - pictures == set()


def test_every_key_of_a_workflow_and_every_option_of_files_is_in_its_page() -> None:
    from datamaster_kit.contract.source_options import READER_OPTIONS
    from datamaster_kit.contract.workflow import _WORKFLOW_KEYS

    page = (ROOT / "docs" / "workflow-keys.md").read_text(encoding="utf-8")
    keys, options = page.split("## Options of files")
    assert [key for key in sorted(_WORKFLOW_KEYS) if f"`{key}`" not in keys] == []
    for format, known in READER_OPTIONS.items():
        heads = [
            cell.strip() for cell in re.findall(r"^\| option (.+) \|$", options, re.M)[0].split("|")
        ]
        column = heads.index(format)
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", options, re.MULTILINE)
        listed = {name for name, marks in rows if marks.split(" | ")[column - 1] == "yes"}
        assert listed == {option.name for option in known}, format


def test_a_page_with_a_session_is_shown_with_what_its_commands_answer(docs: ModuleType) -> None:
    page = (
        '```csv title="raw/a.csv"\nid\n7\n```\n\n```console\n$ cat raw/a.csv\nold\n$ false\n```\n'
    )
    assert docs.run_page(page) == page.replace("old", "id\n7")
    with pytest.raises(SystemExit, match="ended with 3"):
        docs.run_page("```console\n$ exit 3\n```\n")


def pages(navigation: list[dict[str, object]]) -> list[str]:
    """Return the files that a navigation leads to."""
    return re.findall(r'"([^"]+[.]ipynb)"', json.dumps(navigation))


def test_every_notebook_is_a_chapter_of_the_documentation(
    docs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "read_executed", functools.partial(nbformat.read, as_version=4))
    found = pages(docs.copy_chapters())
    assert sorted(found) == sorted(
        path.relative_to(ROOT / "nbs").as_posix()
        for path in (ROOT / "nbs").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts and path.stem != "index"
    )
    assert all((docs.SOURCE / page).is_file() for page in found)


def test_a_chapter_is_shown_with_what_its_cells_answer(docs: ModuleType) -> None:
    notebook = docs.read_executed(ROOT / "nbs" / "contract" / "06_period.ipynb")
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert shown and not any(item.output_type == "error" for cell in shown for item in cell.outputs)
    assert "Period(" in json.dumps([cell.outputs for cell in shown])


def test_a_folder_that_the_reading_order_does_not_name_comes_last(
    docs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("alpha/beta", "cli", "contract"):
        (tmp_path / "nbs" / folder).mkdir(parents=True)
        shutil.copy(ROOT / "nbs" / "index.ipynb", tmp_path / "nbs" / folder / "01_chapter.ipynb")
    shutil.copy(ROOT / "nbs" / "index.ipynb", tmp_path / "nbs")
    monkeypatch.setattr(docs, "NOTEBOOKS", tmp_path / "nbs")
    monkeypatch.setattr(docs, "read_executed", functools.partial(nbformat.read, as_version=4))
    assert pages(docs.copy_chapters()) == [
        "contract/01_chapter.ipynb",
        "cli/01_chapter.ipynb",
        "alpha/beta/01_chapter.ipynb",
    ]
