"""Imported when a task's Python starts.

Spark's classes are fitted as soon as they are imported, and not before.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Fitting(MetaPathFinder):
    """Finds `pyspark.sql` once, and has it fitted when it has been run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of `pyspark.sql`, which fits the classes at its end; None for others."""
        if name != "pyspark.sql":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            run = spec.loader.exec_module

            def run_and_fit(module: ModuleType) -> None:
                run(module)
                from runtime.session import fit

                fit()

            spec.loader.exec_module = run_and_fit  # type: ignore[method-assign]
        return spec


if not any(
    word.startswith("pyspark.") for word in sys.orig_argv
):  # Spark's own workers run what Spark is given
    sys.meta_path.insert(0, Fitting())
