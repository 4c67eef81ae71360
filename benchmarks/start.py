"""How soon a local session is there, with the archive of Spark's classes and without it.

`python benchmarks/start.py [ROUNDS]`, after `make setup`.

Each start is a process of its own, in turn with and without; a table of medians in seconds is
printed as Markdown.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from datamaster_kit.targets.jvm.class_archive import project_archive

ROOT = Path(__file__).resolve().parents[1]
STARTED = """
import json, time
from pathlib import Path
begun = time.perf_counter()
from datamaster_kit.targets.jvm.session import local_session
session = local_session(Path({state!r}))
there = time.perf_counter()
session.range(10).selectExpr("sum(id)").collect()
asked = time.perf_counter()
session.range(10).write.format("delta").save({table!r})
written = time.perf_counter()
print(json.dumps([there - begun, asked - there, written - asked, written - begun]))
"""
PARTS = ("session", "first query", "first Delta table", "all three")


def started(state: Path) -> list[float]:
    """Start a session of a state folder in a process of its own, and return the seconds of its
    parts.
    """
    with tempfile.TemporaryDirectory() as folder:
        code = STARTED.format(state=str(state), table=f"{folder}/table")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, and print the table."""
    rounds, state = int(sys.argv[1]) if len(sys.argv) > 1 else 3, ROOT / ".datamaster"
    folder, _, archive = project_archive(state)
    if not archive:
        sys.exit("there is no archive: run `datamaster doctor --install` first")
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name)
        (plain / "jars").mkdir()
        for jar in folder.glob("*.jar"):
            (plain / "jars" / jar.name).write_bytes(jar.read_bytes())
        times = [(started(plain), started(state)) for _ in range(rounds)]
    print("| | without, s | with the archive, s | ratio |\n|---|---:|---:|---:|")
    for place, part in enumerate(PARTS):
        without, with_it = (median(pair[side][place] for pair in times) for side in (0, 1))
        print(f"| {part} | {without:.1f} | {with_it:.1f} | {with_it / without:.2f} |")


if __name__ == "__main__":
    main()
