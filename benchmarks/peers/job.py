"""What every peer is given, and how it is measured.

Standard library only, since each peer has an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rule:
    """A rule on a row, true where it is kept: for Spark, and for DuckDB."""

    id: str
    spark: str
    duckdb: str


@dataclass(frozen=True)
class Job:
    """The file to read and a small one to warm up on, the columns with their SQL types, the rules,
    the contract, and a scratch folder.
    """

    file: Path
    warm_file: Path
    columns: dict[str, str]
    rules: tuple[Rule, ...]
    contract: str
    state_folder: Path
    folder: Path


@dataclass(frozen=True)
class Task:
    """One go at a job: a file, and an empty folder to write to."""

    job: Job
    file: Path
    folder: Path


@dataclass(frozen=True)
class Counts:
    """Rows that were kept or set aside, rows that break a rule, and broken rules over all rows.

    None where the peer does not say.
    """

    rows: int | None = None
    bad: int | None = None
    verdicts: int | None = None
    note: str = ""


def job_of(text: str) -> Job:
    """Return the job that is written as JSON."""
    said = json.loads(text)
    paths = {name: Path(said[name]) for name in ("file", "warm_file", "state_folder", "folder")}
    return Job(
        columns=said["columns"],
        rules=tuple(Rule(**rule) for rule in said["rules"]),
        contract=said["contract"],
        **paths,
    )


def processes() -> list[Path]:
    """Return the folders in /proc of this process and of those that it started (a JVM).

    None off Linux.
    """
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[status.parent] = Path("/proc", fields(status)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    mine = {Path("/proc", str(os.getpid()))} & set(parents)
    while found := {folder for folder, parent in parents.items() if parent in mine} - mine:
        mine |= found
    return sorted(mine)


def fields(stat: Path) -> list[str]:
    """Return the fields of a /proc/PID/stat from the third on (the state).

    The second is a name that may hold blanks (proc_pid_stat(5)).
    """
    return stat.read_text().rpartition(")")[2].split()


def peak_mb() -> float | None:
    """Return the peak resident memory of these processes, each at its own peak, in MB.

    None off Linux.
    """
    said = [
        dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        for folder in processes()
    ]
    return sum(int(lines.get("VmHWM", "0 kB").split()[0]) for lines in said) * 1024 / 1e6 or None


def cpu_seconds() -> float | None:
    """Return the processor time of these processes so far, in seconds; None off Linux."""
    return (
        sum(sum(map(int, fields(folder / "stat")[11:13])) for folder in processes())
        / os.sysconf("SC_CLK_TCK")
        or None
    )


def measure(
    ingest: Callable[[Any], None],
    counts: Callable[[Any], Counts],
    prepare: Callable[[Task], Any] = lambda task: task,
) -> None:
    """Do the job named on the command line and print what was measured as a line of JSON.

    Once on the small file, once timed, then count what is there.

    `prepare` makes of the task what `ingest` and `counts` are given, and is not timed.
    """
    job = job_of(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tasks = [
        Task(job, file, job.folder / name)
        for file, name in ((job.warm_file, "warm"), (job.file, "timed"))
    ]
    for task in tasks:
        task.folder.mkdir(parents=True)
        prepared = prepare(task)
        begun, cpu = time.perf_counter(), cpu_seconds()
        ingest(prepared)
        seconds, spent = time.perf_counter() - begun, cpu_seconds()
    peak = peak_mb()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": spent - cpu if spent and cpu else None,
                "peak_mb": peak,
                **vars(counts(prepared)),
            }
        ),
        flush=True,
    )
