"""The command line against a test workspace, in a process of its own, as its administrator runs
it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from workspace.server import Workspace


def command(server: Workspace, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return a command line for the target `production` and its environment, in which the
    administrator is signed in.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABRICKS_", "ARM_"))
    }
    line = [str(Path(sys.executable).with_name("datamaster")), *arguments, "--target", "production"]
    return line, {**kept, "DATABRICKS_TOKEN": server.token, "NO_COLOR": "1"}


def datamaster(
    server: Workspace, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a project's folder."""
    line, environment = command(server, *arguments)
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
