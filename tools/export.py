"""Export the notebooks to the package, as `nbdev_export` does, at the width of the other code.

Without nbdev's index of modules, which only links of nbdev's own documentation need.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

from nbdev import maker
from nbdev.config import add_init, get_config
from nbdev.doclinks import nbglob
from nbdev.export import nb_export

WIDTH = 100
NAMES_INDENT = len("__all__ = [")

summary_of_cells = maker._retr_mdoc


def narrow_wrapper(width: int, **layout: Any) -> textwrap.TextWrapper:
    """Return nbdev's wrapper of `__all__` for lines of this project's width."""
    return textwrap.TextWrapper(width=min(width, WIDTH - NAMES_INDENT), **layout)


def module_docstring(cells: Any) -> str:
    """Return a chapter's summary as the docstring of its module, within the width.

    Of one that is too long for a line, the first sentence has the first line to itself.
    """
    line = summary_of_cells(cells).strip()
    if len(line) <= WIDTH:
        return f"{line}\n\n" if line else ""
    first, _, rest = line.removesuffix('"""').partition(". ")
    paragraph = f".\n\n{textwrap.fill(rest, WIDTH)}" if rest else ""
    return f'{first}{paragraph}\n"""\n\n'


def relative_imports(source: str, tree: Any, package: str) -> list[str] | None:
    """Return a cell's lines with the package's own imports made relative, as nbdev makes them.

    nbdev itself leaves an import of several lines as it is.
    """
    lines = source.splitlines(keepends=True)
    imports = [node for node in tree or () if isinstance(node, ast.ImportFrom) and not node.level]
    for node in imports:
        place, name = node.lineno - 1, maker.relative_import(node.module, package, node.level)
        lines[place] = lines[place].replace(f"from {node.module} ", f"from {name} ", 1)
    return lines if imports else None


def main() -> None:
    """Export every notebook."""
    maker.TextWrapper, maker._retr_mdoc = narrow_wrapper, module_docstring
    maker.update_import = relative_imports
    for notebook in nbglob(as_path=True).sorted("name"):
        nb_export(notebook)
    add_init(get_config().lib_path)
    Path(get_config().lib_path, "_modidx.py").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
