"""Write README.md from nbs/index.ipynb, leaving out the cells that are marked to be hidden."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]


def readme() -> str:
    """Return the README's text."""
    notebook = nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if not cell.source.lstrip().startswith("#| hide")
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(
                line for line in cell.source.splitlines() if not line.startswith("#|")
            )
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    return (
        "<!-- Made from nbs/index.ipynb by `make export`; edit that. -->\n\n" + text.strip() + "\n"
    )


if __name__ == "__main__":
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
