"""Runs a notebook's cells in a Python of the task's own, and keeps what they show.

`python -m runtime.run_notebook FOLDER`, on the side of the service.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.util import run_sync


def leave_out_leaving(cell: Any) -> None:
    """Take the error by which a cell was left out of its outputs."""
    cell.outputs = [output for output in cell.outputs if output.get("ename") != "Leave"]


def run(folder: Path, place: str) -> dict[str, str]:
    """Run the notebook and return its result: what it gave back, or its error and trace."""
    book, kept = nbformat.read(folder / "notebook.ipynb", as_version=4), folder / "executed.ipynb"
    client = NotebookClient(
        book,
        kernel_name="task",
        timeout=None,
        startup_timeout=120,
        shutdown_kernel="immediate",  # a Python with a session takes five seconds to end by itself
        resources={"metadata": {"path": place}},
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with client.setup_kernel():
        for index, cell in enumerate(book.cells):
            try:
                client.execute_cell(cell, index)
            except DeadKernelError:
                return {
                    "error": "The Python process exited with an unknown exit code.",
                    "error_trace": "The Python process exited with an unknown exit code.",
                }
            except CellExecutionError as error:
                if (folder / "exit").exists():
                    leave_out_leaving(cell)
                    return {"result": (folder / "exit").read_text(encoding="utf-8")}
                if not (folder / "restart").exists():
                    return {
                        "error": f"{error.ename}: {error.evalue}",
                        "error_trace": error.traceback,
                    }
                leave_out_leaving(cell)
                (folder / "restart").unlink()
                run_sync(client.km.restart_kernel)(now=True)
                run_sync(client.kc.wait_for_ready)(timeout=120)
            finally:
                nbformat.write(book, kept)
    return {}


def main(folder: Path, place: str) -> None:
    """Run the notebook of a folder and write its result there."""
    result = run(folder, place)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    sys.exit(1 if "error" in result else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
