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
