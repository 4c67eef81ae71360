"""A stand-in for the runtime in which a workspace runs a task.

`dbutils`, three-level names, what each kind of compute refuses, Auto Loader.

It is loaded into the task's own process before anything else, and knows nothing of the toolkit.
What it is told is in the file that WORKSPACE_RUNTIME names.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def told() -> dict[str, Any]:
    """Return what the task's process is told.

    Host, token, compute, catalogs, folders, parameters.
    """
    return dict(json.loads(Path(os.environ["WORKSPACE_RUNTIME"]).read_text(encoding="utf-8")))
