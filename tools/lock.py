"""The hashed requirements of the workflows.

`python tools/lock.py` writes `.github/requirements/databricks.txt` anew, for every supported
Python.

They are what settings.ini asks for, in the versions of tools/constraints.txt, which the tests run
with, so `make lock` makes that first. uv resolves them, from a virtual environment of its own.
"""

from __future__ import annotations

import os
import sys
from configparser import ConfigParser
from pathlib import Path

from terraform import ROOT, run, wheel

UV = "uv==0.9.11"
# which the workflows install; it has the build back end too, so that nothing is fetched without a
# hash
EXTRA = "databricks"
LOCKED = ROOT / ".github" / "requirements" / f"{EXTRA}.txt"
HEADER = (
    "# What the workflows install, with the hashes of its files; `make lock` brings it up to "
    f"date. Extra: {EXTRA}.\n"
)


def settings() -> dict[str, str]:
    """Return what settings.ini says."""
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])


def requirements() -> list[str]:
    """Return what the package and the extra require."""
    said = settings()
    return [*said["requirements"].split(), *said[f"{EXTRA}_requirements"].split()]


def main() -> int:
    """Write the file."""
    uv = wheel(UV).with_name("uv.exe" if os.name == "nt" else "uv")
    command = [
        str(uv),
        "pip",
        "compile",
        "-",
        "--universal",
        "--python-version",
        settings()["min_python"],
        "--constraints",
        str(ROOT / "tools" / "constraints.txt"),
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
        "--no-config",
        "--native-tls",
        "--no-emit-find-links",
        "--no-emit-index-url",
    ]
    resolved = run(command, input="\n".join(requirements()), cwd=ROOT)
    LOCKED.parent.mkdir(exist_ok=True)
    Path(LOCKED).write_text(HEADER + resolved, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
