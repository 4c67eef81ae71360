"""Control totals: a file has the records, and sums, that it says, or is refused whole, by name and
with both figures; locally and as a workspace reads.
"""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql.types import _parse_datatype_string
from runtime.auto_loader import read_cloud_files
from test_file_kinds import HEADER, Lake, line

from datamaster_kit.contract.control_totals import ControlTotals
from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.model import Field, Scalar
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.workflow import build_workflow_mapping, read_workflow
from datamaster_kit.ingest.ingest import build_silver
from datamaster_kit.ingest.step import file_source
from datamaster_kit.mock.request import MockRequest, write_mock
from datamaster_kit.observe.report import write_report
from datamaster_kit.targets.readers.auto_loader import (
    auto_loader_options,
    cloud_rows,
    reconcile_totals,
    schema_of,
)
from datamaster_kit.targets.readers.control_totals import check_totals, exact_sum_sql

TRAILER = {
    "control": {"in": "trailer", "begins_with": "T", "count": 2, "sums": {"amount": 3, "n": 4}}
}
BESIDE = {
    "control": {"in": "file", "name": "{stem}.ctl", "count": "records", "sums": {"amount": "total"}}
}


@pytest.mark.parametrize(
    ("control", "words"),
    [
        ("trailer", "where the totals are"),
        ({"in": "tail"}, "'tail'"),
        ({"in": "trailer", "count": 2}, "begins with"),
        ({"in": "trailer", "begins_with": "T"}, "neither where the count"),
        ({"in": "trailer", "begins_with": "T", "count": "two"}, "numbers of cells"),
        ({"in": "trailer", "begins_with": "T", "count": 1}, "numbers of cells"),
        ({"in": "file", "name": "../{stem}.ctl", "count": "n"}, "'../{stem}.ctl'"),
        ({"in": "file", "name": "{stem}.csv", "count": "n"}, "not told from the data"),
        ({"in": "file", "name": "a.ctl", "count": "n"}, "'a.ctl'"),
        ({"in": "file", "name": "{stem}.ctl", "count": ["n"]}, "names of members"),
        ({"in": "trailer", "begins_with": "T", "count": 2, "severity": "fail"}, "severity"),
        ({"in": "trailer", "begins_with": "T", "count": 2, "sums": {"amuont": 3}}, "'amuont'"),
        ({"in": "trailer", "begins_with": "T", "count": 2, "sums": {"name": 3}}, "no number"),
        ({"in": "trailer", "begins_with": "T", "count": 2, "sum": {"amount": 3}}, "'sum'"),
    ],
)
def test_control_totals_that_cannot_be_found_are_a_fault_with_its_line(
    control: Any, words: str
) -> None:
    said = {
        "dataContractSpecification": "1.1.0",
        "id": "urn:kinds",
        "info": {"title": "Kinds", "version": "1.0.0"},
        "models": {"kind": {"fields": {"amount": {"type": "double"}, "name": {"type": "string"}}}},
        "workflow": {"source": {"type": "adls", "format": "csv", "control": control}},
    }
    _, faults = examine_document(
        parse_document(yaml.safe_dump(said, sort_keys=False), "kinds.yaml"), Path()
    )
    (fault,) = [fault for fault in faults if fault.severity == "error"]
    assert fault.code == "source-option" and words in fault.message and fault.line and fault.hint


def test_control_totals_of_a_model_that_is_not_there_are_told_beside_it() -> None:
    workflow = {"models": ["nope"], "source": {"type": "adls", "format": "csv", **TRAILER}}
    said = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "a",
        "version": "1",
        "status": "active",
        "schema": [{"name": "kind", "logicalType": "object"}],
        "customProperties": [{"property": "workflow", "value": workflow}],
    }
    _, faults = examine_document(
        parse_document(yaml.safe_dump(said, sort_keys=False), "kinds.odcs.yaml"), Path()
    )
    assert {fault.code for fault in faults if fault.severity == "error"} == {
        "workflow-broken",
        "source-option",
    }


def test_control_totals_are_written_as_they_were_read() -> None:
    workflow = {"source": {"type": "adls", "format": "csv", **TRAILER}}
    assert build_workflow_mapping(read_workflow(workflow)) == workflow


@pytest.mark.parametrize(
    "text",
    [
        '{"records": 2, "records": 1, "total": 1.5}',
        "records=2\nrecords=1\ntotal=1.5\n",
        "records,records,total\n2,1,1.5\n",
    ],
)
def test_totals_that_are_said_twice_and_differ_are_none(text: str) -> None:
    control = ControlTotals("file", name="{stem}.ctl", count="records", sums={"amount": "total"})
    assert (
        check_totals(control, text, {"records": "1", "amount": "1.50"}, {}, "a.ctl")[1]
        == "it has not what a.ctl says: 1 records, and 2 and 1 is said"
    )
    assert (
        check_totals(
            control, text.replace("2", "1"), {"records": "1", "amount": "1.50"}, {}, "a.ctl"
        )[1]
        == ""
    )


@pytest.mark.spark
def test_a_sum_with_a_value_that_has_no_place_in_it_is_none(spark: Any) -> None:
    values = {
        "1.5D, 2D, NULL": "3.5000000000",
        "double(NULL)": "0.0000000000",
        "1.5D, double('NaN')": None,
        "double('-inf')": None,
        "1.5D, 1e30D": None,
    }
    sums = [
        spark.sql(
            f"SELECT {exact_sum_sql(Field('dd', Scalar('double')))} FROM (SELECT "
            f"explode(array({numbers})) AS dd)"
        ).collect()[0][0]
        for numbers in values
    ]
    assert sums == list(values.values())


@pytest.mark.spark
def test_a_file_that_has_not_what_its_trailer_says_is_refused_whole_with_both_figures(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, TRAILER)
    lake.land("right.csv", HEADER + line(1) + line(2) + b"T,2,3.00,3\n\n")
    lake.land("packed.csv.gz", gzip.compress(HEADER + line(3) + b'"T",01,1.5,3'))
    lake.land("lacking.csv", HEADER + line(4) + b"T,2,3.00,9\n")
    lake.land("changed.csv", HEADER + line(5) + b"T,1,1.51,5\n")
    lake.land("cut.csv", HEADER + line(6))
    lake.land("no.csv", HEADER + line(7) + b"T,one,1.50,7\n")
    lake.land("none.csv", HEADER + b"T,0,0,0\n")
    lake.land("only.csv", b"T,3,0,0\n")
    lake.land("bad.csv", HEADER + b"8,1.50,eight,2026-01-31,x\n" + b"T,1,1.50,0\n")
    (run,) = lake.run()
    assert run.result == "partly" and lake.good() == [("1",), ("2",), ("3",)]
    entries = lake.ledger()
    assert {name for name, entry in entries.items() if entry.result == "refused"} == {
        "lacking.csv",
        "changed.csv",
        "cut.csv",
        "no.csv",
        "only.csv",
    }
    assert (
        entries["lacking.csv"].reason
        == "it has not what its trailer says: 1 records, and 2 is said; 1.50 of amount, and "
        "3.00 is said; 4 of n, and 9 is said"
    )
    assert (
        entries["changed.csv"].reason
        == "it has not what its trailer says: 1.50 of amount, and 1.51 is said"
    )
    assert entries["cut.csv"].reason == "it has no trailer, a record that begins with 'T'"
    assert entries["right.csv"].records == 2 and [
        (total.name, total.expected, total.found) for total in entries["right.csv"].totals
    ] == [("records", "2", "2"), ("amount", "3.00", "3.00"), ("n", "3", "3")]
    assert (
        entries["bad.csv"].records,
        entries["bad.csv"].quarantined,
        entries["none.csv"].records,
    ) == (1, 1, 0)
    assert sum("_unreadable" in row for row in lake.quarantined()) == 5
    lake.land("lacking.csv", HEADER + line(4) + line(5) + b"T,2,3.00,9\n")  # sent again, whole
    lake.run()
    assert lake.good() == [("1",), ("2",), ("3",), ("4",), ("5",)]
    build_silver(lake.target, lake.project, lake.contract)
    assert len(lake.table("silver/kind")) == 5
    page = write_report(lake.target, lake.project, [lake.contract], tmp_path / "runs").read_text(
        encoding="utf-8"
    )
    assert "as they say" in page and "1.50 of amount, and 1.51 is said" in page


@pytest.mark.spark
def test_a_record_of_totals_before_the_header_and_a_severity_of_warn(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(
        spark,
        tmp_path,
        {
            "delimiter": ";",
            "encoding": "utf-16",
            "control": {"in": "header", "begins_with": "H", "count": 3, "severity": "warn"},
        },
    )
    text = (HEADER + line(1) + line(2)).decode().replace(",", ";")
    lake.land("right.csv", f"H;2026;2\r\n{text}".encode("utf-16"))
    lake.land("wrong.csv", f"H;2026;7\n{text}".replace("\n1;", "\n3;").encode("utf-16"))
    (run,) = lake.run()
    assert lake.good() == [("1",), ("2",), ("2",), ("3",)] and run.result == "succeeded"
    assert any(
        "wrong.csv: it has not what its header says: 2 records, and 7 is said" in note
        for note in run.notes
    )


@pytest.mark.spark
def test_totals_beside_a_file_are_waited_for_and_are_no_data(spark: Any, tmp_path: Path) -> None:
    lake = Lake(spark, tmp_path, BESIDE)
    lake.land("a.csv", HEADER + line(1) + line(2))
    lake.land("a.ctl", b"records=2\ntotal = 3.00\n")
    lake.land("b.csv", HEADER + line(3))
    lake.land("day=1/c.csv", HEADER + line(4))
    lake.land("day=1/c.ctl", b'{"records": 1, "total": 1.50}')
    lake.land("d.csv", HEADER + line(5))
    lake.land("d.ctl", b"what is this\n")
    lake.land("lone.ctl", b"records=2\ntotal=3\n")
    (run,) = lake.run()
    entries = lake.ledger()
    assert lake.good() == [("1",), ("2",), ("4",)] and run.result == "partly"
    assert (
        entries["b.csv"].reason == "the file with its totals, b.ctl, is not there"
        and "neither an object of JSON" in entries["d.csv"].reason
    )
    assert (
        entries["a.ctl"].reason == "control totals of a"
        and entries["lone.ctl"].records == 0
        and not any("ctl" in name for name, entry in entries.items() if entry.result != "read")
    )
    lake.land("b.ctl", b"records,total\n1,1.50\n")
    lake.land("d.ctl", b"records: 1\ntotal: 1.5\n")
    (run,) = lake.run()
    assert (
        lake.good() == [("1",), ("2",), ("3",), ("4",), ("5",)]
        and run.result == "succeeded"
        and not any("changed since" in note for note in run.notes)
    )
    (run,) = lake.run()
    assert run.result == "nothing new"


@pytest.mark.spark
@pytest.mark.parametrize(
    "source",
    [
        TRAILER,
        BESIDE,
        {
            "delimiter": "|",
            "control": {"in": "header", "begins_with": "H", "count": 2, "sums": {"amount": 4}},
        },
    ],
    ids=["trailer", "file", "header"],
)
def test_mock_files_have_what_they_say(spark: Any, tmp_path: Path, source: dict[str, Any]) -> None:
    lake = Lake(spark, tmp_path, source)
    write_mock(lake.contract, MockRequest(500, 3, bad_ratio=0.1), tmp_path / "mock")
    for path in (tmp_path / "mock" / "kind").iterdir():
        lake.land(path.name, path.read_bytes())
    (run,) = lake.run()
    assert run.result == "succeeded" and run.rows_read == 500 and run.rows_quarantined, run
    assert all(total.is_equal for entry in lake.ledger().values() for total in entry.totals)


@pytest.mark.spark
def test_whatever_is_done_to_a_file_it_is_taken_whole_or_refused(
    spark: Any, tmp_path: Path
) -> None:
    """Random damage to the records of files with totals: what is taken is what was sent."""
    lake, dice, sent = Lake(spark, tmp_path, TRAILER), random.Random(7), dict[str, list[int]]()
    for number in range(40):
        numbers = [number * 100 + index for index in range(dice.randint(1, 6))]
        lines, kind = (
            [line(item) for item in numbers],
            dice.choice(["whole", "lost", "doubled", "amount", "cut"]),
        )
        trailer = f"T,{len(numbers)},{1.5 * len(numbers):.2f},{sum(numbers)}\n".encode()
        if kind == "lost":
            lines.pop(dice.randrange(len(lines)))
        elif kind == "doubled":
            lines.append(dice.choice(lines))
        elif kind == "amount":
            lines[0] = (
                lines[0].replace(b"1.50", b"1,50", 1)
                if dice.random() < 0.5
                else lines[0].replace(b"1.50", b"15.0", 1)
            )
        content = HEADER + b"".join(lines) + trailer
        name = f"{number:02}-{kind}.csv"
        sent[name] = numbers if kind == "whole" else []
        lake.land(
            name,
            content[: -dice.randint(len(trailer), len(trailer) + 9)] if kind == "cut" else content,
        )
    lake.run()
    taken = {name: entry for name, entry in lake.ledger().items() if entry.result == "read"}
    assert set(taken) == {name for name, numbers in sent.items() if numbers}
    assert lake.good("n") == sorted((item,) for numbers in sent.values() for item in numbers)


@pytest.mark.spark
@pytest.mark.parametrize("place", ["trailer", "file"])
def test_a_workspace_refuses_what_has_not_what_it_says(
    spark: Any, tmp_path: Path, place: str
) -> None:
    """Spark's readers stand in for Auto Loader.

    What is read again for the totals is read as there.
    """
    lake = Lake(spark, tmp_path, TRAILER if place == "trailer" else BESIDE)
    from datamaster_kit.ingest.ingest import build_steps

    source = file_source(
        build_steps(
            lake.target, lake.project, lake.contract, lake.contract.models[:1], "ingest", "r"
        )[0]
    )
    ends = {"right": b"T,2,3.00,3\n", "lacking": b"T,3,3.00,3\n", "cut": b"", "none": b"T,0,0,0\n"}
    for name, trailer in ends.items():
        records = b"" if name == "none" else line(1) + line(2)
        lake.land(f"{name} [1].csv", HEADER + records + (trailer if place == "trailer" else b""))
        if place == "file" and trailer:
            count, total = trailer.split(b",")[1:3]
            lake.land(f"{name} [1].ctl", b"records=" + count + b"\ntotal=" + total + b"\n")
    files = sorted(map(str, Path(source.folder).iterdir()))
    read = read_cloud_files(
        spark, files, auto_loader_options(source, ""), _parse_datatype_string(schema_of(source))
    )
    rows, batch = reconcile_totals(cloud_rows(read, source), source)
    found = sorted(
        (
            row["_datamaster_file"]["name"],
            row["id"],
            json.loads(row["carlton_rescued"] or "{}").get("_unreadable", ""),
        )
        for row in rows.collect()
    )
    (_, _, cut), (_, _, lacking), *right = found
    assert (
        "cut%20" in found[0][0]
        and ("no trailer" in cut or "is not there" in cut)
        and "2 records, and 3 is said" in lacking
    )
    assert [(name, id, why) for name, id, why in right] == [
        ("right%20%5B1%5D.csv", "1", ""),
        ("right%20%5B1%5D.csv", "2", ""),
    ]
    told = {
        file.name.partition(" ")[0]: file for file in batch.listed if file.name.endswith(".csv")
    }
    assert (
        told["right"].totals
        and all(total.is_equal for total in told["right"].totals)
        and told["cut"].is_refused
        and told["lacking"].is_refused
    )
