"""Run what a page of the documentation shows, and put what it answers into the page.

    python tools/sessions.py docs/tutorial.md ...     # writes the answers into the pages themselves

A block of `console` is a session: each line that begins with `$ ` is run, and what it answers
stands below. A block with `title="NAME"` is a file that is there from then on. The blocks of a page
run in one folder, from the first to the last; Delta's jars are those of the checkout.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 900  # that one command may take
NOISE = (  # what Java and Matplotlib say of themselves when they start
    "WARNING: Using incubator modules",
    "Setting default log level to",
    "To adjust logging level use",
    "Matplotlib is building the font cache",
)


def has_session(text: str) -> bool:
    """A page has a session."""
    return "\n```console\n" in text


def run_page(text: str) -> str:
    """Return a page with the answers that its sessions give now.

    Raises SystemExit where a command fails that the page does not show to fail.
    """
    with TemporaryDirectory() as made:
        folder = Path(made, "lakehouse")
        (folder / ".datamaster").mkdir(parents=True)
        (folder / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")

        def answer(block: re.Match[str]) -> str:
            language, file, body = block.groups()
            if file:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(body, encoding="utf-8")
            if language != "console":
                return block[0]
            commands = re.findall(r"^\$ (.+)$", body, re.MULTILINE)
            return f"```console\n{''.join(run_command(one, folder) for one in commands)}```"

        return BLOCK.sub(answer, text)


def run_command(command: str, folder: Path) -> str:
    """Return a command and what it answers, as a terminal of 100 columns shows them.

    Raises SystemExit where it cannot be done: what is told by 1 is an answer.
    """
    environment = os.environ | {
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "HOME": str(folder.parent),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    answer = done.stdout.replace(f"{folder}{os.sep}", "").rstrip()
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {done.returncode}:\n{answer}")
    lines = [line.rstrip() for line in answer.splitlines() if not line.startswith(NOISE)]
    return "\n".join([f"$ {command}", *lines]) + "\n"


def main() -> int:
    """Bring the pages that are named up to date."""
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(run_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
