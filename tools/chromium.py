"""The browser of the browser tests.

`python tools/chromium.py` installs Chromium where none is on PATH, and says which one the tests
take.

As root on Debian and its like it is the distribution's package; elsewhere playwright's own build,
in its folder under the person's home.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def playwright_build() -> Path:
    """Return where playwright keeps its own Chromium; it may not be there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def chromium() -> str:
    """Return the Chromium that the tests take: the one on PATH, else playwright's own.

    Raises SystemExit with what to do where there is none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), "")
    if found:
        return found
    built = playwright_build()
    if built.is_file():
        return str(built)
    raise SystemExit(
        "no Chromium is on PATH, and playwright has none: run `make tools`, or install the "
        "package chromium of your system"
    )


def attempts() -> list[list[list[str]]]:
    """Return the ways to install Chromium here, each a list of commands, the preferred one
    first.
    """
    packages = [
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "chromium"],
    ]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [packages] * (is_root and shutil.which("apt-get") is not None) + [
        [[sys.executable, "-m", "playwright", "install", "chromium"]]
    ]


def install() -> None:
    """Install Chromium where it is missing.

    Raises SystemExit with what each attempt said and what to do.
    """
    said = []
    for commands in attempts():
        for command in commands:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )
            if done.returncode:
                said.append(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-500:]}")
                break
        else:
            return
    raise SystemExit(
        "\n".join(
            [
                *said,
                "Chromium could not be installed: install the package chromium of your "
                "system, so that `chromium` is on PATH",
            ]
        )
    )


if __name__ == "__main__":
    if not any(map(shutil.which, NAMES)) and not playwright_build().is_file():
        install()
    print(
        subprocess.run(
            [chromium(), "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
