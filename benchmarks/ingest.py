"""Ingest measured against its floor, and as it grows; ratios of one run, interleaved, medians.

The floor is what plain Spark needs to read the same files with the contract's types and append them
to a Delta table: no names matched, no rule, nothing rescued, no metadata. Both work in one session,
in
turn. `python benchmarks/ingest.py --scale 1.35 --repeat 3` prints the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.sql.sqltype import sql_type
from datamaster_kit.contract.sql.table import delta_type
from datamaster_kit.ingest.ingest import ingest_files
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.jvm.session import local_session
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

ROOT = Path(__file__).resolve().parents[1]
LINEITEM = """
      l_orderkey: {type: long, required: true, minimum: 1}
      l_partkey: {type: long, minimum: 1}
      l_suppkey: {type: long}
      l_linenumber: {type: integer, minimum: 1, maximum: 7}
      l_quantity: {type: decimal, precision: 15, scale: 2, minimum: 1, maximum: 50}
      l_extendedprice: {type: decimal, precision: 15, scale: 2, minimum: 0}
      l_discount: {type: decimal, precision: 15, scale: 2, minimum: 0, maximum: 1}
      l_tax: {type: decimal, precision: 15, scale: 2, minimum: 0, maximum: 1}
      l_returnflag: {type: string, enum: [A, N, R]}
      l_linestatus: {type: string, enum: [O, F]}
      l_shipdate: {type: date, minimum: '1992-01-01'}
      l_commitdate: {type: date}
      l_receiptdate: {type: date}
      l_shipinstruct: {type: string}
      l_shipmode: {type: string}
      l_comment: {type: string, maxLength: 44}
"""
NUMBERS = {
    "l_orderkey",
    "l_partkey",
    "l_suppkey",
    "l_linenumber",
    "l_quantity",
    "l_extendedprice",
    "l_discount",
    "l_tax",
}


def contract_of(format: str, models: int = 1) -> Contract:
    """Return the contract of lineitem, once or under several names."""
    text = (
        "dataContractSpecification: 1.1.0\nid: urn:tpch\ninfo: {title: TPC-H, version: 1.0.0}\n"
        "models:\n"
    )
    text += (
        "".join(f"  {name_of(number)}:\n    fields:{LINEITEM}" for number in range(models))
        + f"workflow: {{source: {{type: adls, format: {format}}}}}\n"
    )
    contract, faults = examine_document(parse_document(text, "tpch.yaml"), ROOT)
    assert contract is not None, faults
    return contract


def name_of(number: int) -> str:
    return f"lineitem_{number}" if number else "lineitem"


def raw_file(folder: Path, scale: float, format: str) -> Path:
    """Return TPC-H's lineitem as csv (about 760 MB a unit of scale) or as JSON, made where it is
    not there.
    """
    csv_file = folder / f"lineitem-{scale:g}.csv"
    if not csv_file.exists():
        made = folder / f"tpch-{scale:g}"
        subprocess.run(
            [
                str(Path(sys.executable).with_name("tpchgen-cli")),
                "csv",
                "-s",
                str(scale),
                "--tables",
                "lineitem",
                "--output-dir",
                str(made),
            ],
            check=True,
            capture_output=True,
        )
        (made / "lineitem.csv").rename(csv_file)
    if format == "csv":
        return csv_file
    json_file = csv_file.with_suffix(".json")
    if not json_file.exists():
        write_json(csv_file, json_file)
    return json_file


def write_json(csv_file: Path, json_file: Path) -> None:
    """Write a csv file's rows as JSON, a record a line, numbers as they are written."""
    import csv

    with (
        csv_file.open(newline="", encoding="utf-8") as text,
        json_file.open("w", encoding="utf-8") as out,
    ):
        reader = csv.reader(text)
        header = next(reader)
        opening = [f'{"," if index else "{"}"{name}":' for index, name in enumerate(header)]
        numeric = [name in NUMBERS for name in header]
        out.writelines(
            "".join(
                start + (cell if number else json.dumps(cell))
                for start, number, cell in zip(opening, numeric, row, strict=True)
            )
            + "}\n"
            for row in reader
        )


def one_row(folder: Path, like: Path) -> Path:
    """Return a file with the first row of another."""
    file = folder / f"one-row{like.suffix}"
    with like.open(encoding="utf-8") as lines:
        file.write_text(
            next(lines) + (next(lines) if like.suffix == ".csv" else ""), encoding="utf-8"
        )
    return file


def land(target: LocalTarget, files: dict[str, list[Path]]) -> None:
    """Put files into the landing folders of models."""
    for model, paths in files.items():
        for path in paths:
            os.link(path, Path(target.landing_folder(model), path.name))


@dataclass(frozen=True)
class Cost:
    """What a piece of work took.

    Seconds by the clock, and of the processor, and the most megabytes that Java held meanwhile (0:
    not known here).
    """

    seconds: float
    processor: float
    peak: float = 0


def ended() -> AbstractContextManager[None]:
    """Let the block end early where a process has ended since it was listed."""
    return suppress(FileNotFoundError, ProcessLookupError)


def said(there: list[Path], name: str) -> list[str]:
    """Return what Linux says of processes in the file of a name, without those that have ended."""
    texts = []
    for process in there:
        with ended():
            texts.append((process / name).read_text(encoding="ascii"))
    return texts


def processes(root: int) -> list[Path]:
    """Return the folders in which Linux tells of a process and of those that it began.

    None on another system.
    """
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with ended():
            parents[path] = int(
                (path / "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[1]
            )
    found = {Path(f"/proc/{root}")} & set(parents)
    while (
        more := {path for path, parent in parents.items() if Path(f"/proc/{parent}") in found}
        - found
    ):
        found |= more
    return sorted(found)


class Bench:
    """A lakehouse in a scratch folder, and the floor beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.spark = folder, local_session(ROOT / ".datamaster")
        self.java = self.spark.sparkContext._gateway.proc.pid

    def timed(self, work: Callable[[], object]) -> Cost:
        """Return what a piece of work took."""
        for process in processes(self.java):
            with ended():
                (process / "clear_refs").write_text("5", encoding="ascii")
        begun, before = time.perf_counter(), self.processor_seconds()
        work()
        return Cost(
            time.perf_counter() - begun, self.processor_seconds() - before, self.peak_megabytes()
        )

    def processor_seconds(self) -> float:
        """Return the processor's seconds that Java, its workers and this process have used, which a
        busy machine changes little; whole seconds of Java's alone where only `ps` tells.
        """
        if there := processes(self.java):
            fields = [text.rsplit(")", 1)[1].split() for text in said(there, "stat")]
            return (
                sum(int(tick) for each in fields for tick in each[11:15]) / os.sysconf("SC_CLK_TCK")
                + time.process_time()
            )
        used = subprocess.run(
            ["ps", "-o", "cputimes=", "-p", str(self.java)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return float(used) + time.process_time()

    def peak_megabytes(self) -> float:
        """Return the most memory that Java and its workers held since the last piece of work began,
        0 where Linux does not tell.
        """
        return sum(
            int(line.split()[1]) / 1024
            for text in said(processes(self.java), "status")
            for line in text.splitlines()
            if line.startswith("VmHWM")
        )

    def lakehouse(self, contract: Contract) -> tuple[LocalTarget, Project]:
        """Return a lakehouse with the contract's tables, still empty."""
        for schema in ("bronze", "silver", "gold"):
            self.spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
        place = Path(tempfile.mkdtemp(dir=self.folder))
        project = Project(place, names("bench", "bench"))
        target = LocalTarget(project, self.spark)
        apply_plan(plan_project_tables(target, project, [contract]), target)
        return target, project

    def ours(self, contract: Contract, files: dict[str, list[Path]]) -> tuple[Cost, Cost]:
        """Return the cost of an ingest of new files into tables that have a row each, and of one
        with nothing new.
        """
        target, project = self.lakehouse(contract)
        land(target, {model: [one_row(self.folder, paths[0])] for model, paths in files.items()})
        ingest_files(target, project, contract)
        land(target, files)
        first, again = (
            self.timed(lambda: ingest_files(target, project, contract)) for _ in range(2)
        )
        shutil.rmtree(project.root)
        return first, again

    def floor(self, contract: Contract, files: list[Path], format: str) -> Cost:
        """Return the cost of plain Spark: a typed read, appended to a Delta table."""
        schema = ", ".join(
            f"{item.column} {sql_type(delta_type(item.type))}" for item in contract.models[0].fields
        )
        place = Path(tempfile.mkdtemp(dir=self.folder))
        cost = self.timed(
            lambda: (
                self.spark.read.schema(schema)
                .option("header", True)
                .format(format)
                .load([str(path) for path in files])
                .write.format("delta")
                .mode("append")
                .save(str(place / "table"))
            )
        )
        shutil.rmtree(place)
        return cost


def against_the_floor(bench: Bench, scale: float, format: str, repeat: int) -> list[str]:
    """Return the table rows of ingest against its floor.

    One round to warm up, then the medians of several.
    """
    contract, file = contract_of(format), raw_file(bench.folder, scale, format)
    rounds = [
        (bench.floor(contract, [file], format), *bench.ours(contract, {"lineitem": [file]}))
        for _ in range(repeat + 1)
    ][1:]
    floor, ours, again = (
        statistics.median(cost.seconds for cost in column) for column in zip(*rounds, strict=True)
    )
    ratio = statistics.median(mine.seconds / theirs.seconds for theirs, mine, _ in rounds)
    work = statistics.median(mine.processor / theirs.processor for theirs, mine, _ in rounds)
    size, count = (
        file.stat().st_size / 1e6,
        sum(rule.is_row_rule for rule in rules(contract, contract.models[0])),
    )
    return [
        f"| {format}, {size:.0f} MB, {count} row rules | {floor:.1f} | {ours:.1f} | "
        f"**{ratio:.2f}** | {work:.2f} | {again:.1f} |"
    ]


def growth(bench: Bench, scale: float) -> list[str]:
    """Return the table rows of ingest as files, small files and models grow in number."""
    lines = []
    for factor in (1, 2, 4):
        file = raw_file(bench.folder, scale * factor, "csv")
        cost, _ = bench.ours(contract_of("csv"), {"lineitem": [file]})
        lines.append(
            f"| {file.stat().st_size / 1e6:.0f} MB in one file | {cost.seconds:.1f} | "
            f"{cost.processor:.1f} | {cost.peak:,.0f} |"
        )
    small = bench.folder / "small"
    small.mkdir(exist_ok=True)
    head = raw_file(bench.folder, scale, "csv").open(encoding="utf-8").readlines(400_000)
    for number in range(1000):
        (small / f"{number}.csv").write_text(
            head[0] + "".join(head[1 + number * 10 % 1000 :][:100]), encoding="utf-8"
        )
    for many in (1, 10, 100, 1000):
        cost, _ = bench.ours(
            contract_of("csv"), {"lineitem": [small / f"{number}.csv" for number in range(many)]}
        )
        lines.append(
            f"| {many} files of 100 rows | {cost.seconds:.1f} | {cost.processor:.1f} | "
            f"{cost.peak:,.0f} |"
        )
    for many in (1, 10, 100):
        cost, again = bench.ours(
            contract_of("csv", many), {name_of(number): [small / "0.csv"] for number in range(many)}
        )
        lines.append(
            f"| {many} models of 100 rows; nothing new: {again.seconds:.1f} s | "
            f"{cost.seconds:.1f} | {cost.processor:.1f} | {cost.peak:,.0f} |"
        )
    return lines


def lint_seconds(folder: Path) -> float:
    """Return the seconds of linting 100 contracts."""
    contracts = folder / "contracts"
    contracts.mkdir(exist_ok=True)
    source = (ROOT / "contracts" / "account.yaml").read_text(encoding="utf-8")
    for number in range(100):
        (contracts / f"{number}.yaml").write_text(
            source.replace("id: urn:datacontract:risk:account", f"id: urn:{number}"),
            encoding="utf-8",
        )
    begun = time.perf_counter()
    subprocess.run(
        [str(Path(sys.executable).with_name("datamaster")), "contract", "lint", str(contracts)],
        check=False,
        capture_output=True,
    )
    return time.perf_counter() - begun


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.35, help="TPC-H's scale factor; 1.35 is a gigabyte of csv"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["floor", "growth"], default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT / ".datamaster") as folder:
        bench = Bench(Path(folder))
        if given.only != "growth":
            print(
                "| files | floor, s | ingest, s | ratio | ratio of processor time | nothing "
                "new, s |\n|---|---:|---:|---:|---:|---:|"
            )
            for format in ("csv", "json"):
                print(
                    "\n".join(against_the_floor(bench, given.scale, format, given.repeat)),
                    flush=True,
                )
        if given.only != "floor":
            print(
                "\n| what grows | ingest, s | processor, s | peak of Java, MB |\n"
                "|---|---:|---:|---:|"
            )
            print("\n".join(growth(bench, given.scale)), flush=True)
            print(
                f"\nLinting 100 contracts: {lint_seconds(Path(folder)):.1f} s, with the "
                "start of Python."
            )
        print(
            f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}."
        )


if __name__ == "__main__":
    main()
