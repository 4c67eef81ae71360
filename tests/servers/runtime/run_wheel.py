"""Runs the entry point of a wheel in this process.

`python -m runtime.run_wheel PACKAGE ENTRY_POINT [PARAMETER ...]`.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from runtime import told


def entry(package: str, name: str) -> Any:
    """Return the entry point that the wheel's metadata names, else the package's attribute
    (Databricks, *Python wheel task for jobs*).
    """
    try:
        for point in distribution(package).entry_points:
            if point.name == name:
                return point.load()
    except PackageNotFoundError:
        pass
    return getattr(importlib.import_module(package), name)


def main(package: str, name: str, parameters: list[str]) -> None:
    """Run it; an error is written to the task's folder, and ends the process with 1."""
    sys.argv = [name, *parameters]
    try:
        code = entry(package, name)()
        problem = f"SystemExit: {code}" if isinstance(code, int) and code else ""
        trace = problem
    except SystemExit as error:
        problem = "" if error.code in (None, 0) else f"SystemExit: {error.code}"
        trace = problem
    except BaseException as error:  # whatever ends the program is the task's error
        problem, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
        sys.stderr.write(trace)
    sys.stdout.flush()
    Path(told()["folder"], "result.json").write_text(
        json.dumps({"error": problem, "error_trace": trace} if problem else {}), encoding="utf-8"
    )
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
