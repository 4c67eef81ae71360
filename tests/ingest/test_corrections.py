"""Rows that a person corrects in a csv file: what was changed is changed, and nothing else.

Each kind of value comes back as it was.
"""

from __future__ import annotations

import csv
import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from test_file_kinds import Lake
from test_life import Lake as Shop

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.ingest.ingest import build_steps, replay
from datamaster_kit.ingest.replay import escape_cell, export_quarantine, unescape_cell

KINDS = {
    "b": {"type": "binary"},
    "a": {"type": "array", "items": {"type": "string"}},
    "o": {
        "type": "object",
        "fields": {"x": {"type": "integer"}, "y": {"type": "string"}, "at": {"type": "timestamp"}},
    },
    "m": {"type": "map", "keys": {"type": "string"}, "values": {"type": "string"}},
    "k": {"type": "map", "keys": {"type": "timestamp"}, "values": {"type": "integer"}},
    "ts": {"type": "timestamp"},
    "f": {"type": "double"},
    "text": {"type": "string"},
}
MOMENT, NESTED = (
    datetime.datetime(2026, 1, 1, 0, 0, 0, 123456, datetime.UTC),
    datetime.datetime(2026, 1, 1, 0, 0, 0, 123000, datetime.UTC),
)


def exported(lake: Any, file: Path) -> list[dict[str, str]]:
    """Export the quarantine, and return the rows of the file."""
    contract = lake.contract if isinstance(lake, Lake) else lake.now
    [step] = build_steps(
        lake.target, lake.project, contract, contract.models[:1], "replay", "export"
    )
    export_quarantine(step, file)
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def given_back(file: Path, rows: list[dict[str, str]], **options: Any) -> None:
    """Write rows into the file."""
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0].keys(), **options)
        writer.writeheader()
        writer.writerows(rows)


def everything(count: int) -> pyarrow.Table:
    """Return rows with a value of every kind, which have a number that is none."""
    return pyarrow.table(
        {
            "id": [str(number) for number in range(count)],
            "n": ["bad"] * count,
            "b": ([b"\xff\x00\xfe", b"", None, b"x" * 100] * count)[:count],
            "a": ([["1.50", "2"], [], ["p", "q, r"], ["", None, '"']] * count)[:count],
            "o": (
                [
                    {"x": 1, "y": "z", "at": NESTED},
                    None,
                    {"x": None, "y": "", "at": None},
                    {"x": 2, "y": "1.50", "at": None},
                ]
                * count
            )[:count],
            "m": pyarrow.array(
                ([[("k", "1.50")], [], None, [("", "q"), ("=", None)]] * count)[:count],
                pyarrow.map_(pyarrow.string(), pyarrow.string()),
            ),
            "k": pyarrow.array(
                ([[(NESTED, 1)], None, [], None] * count)[:count],
                pyarrow.map_(pyarrow.timestamp("us", "UTC"), pyarrow.int32()),
            ),
            "ts": pyarrow.array([MOMENT] * count, pyarrow.timestamp("us", "UTC")),
            "f": ([0.1, float("inf"), 1e300, float("-inf")] * count)[:count],
            "t": ([" lead", "", "a\r\nb", "=cmd|'/C calc'!A0"] * count)[:count],
            "text": (["+1", "-", "@x", "'"] * count)[:count],
            "zz": ["extra"] * count,
            "yy": [[1.5]] * count,
        }
    )


@pytest.mark.spark
def test_what_a_person_does_not_touch_stays_as_it_was_whatever_its_kind_and_the_replay_ends(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, {"format": "parquet"}, ("kind",), KINDS)
    parquet.write_table(everything(8), lake.land("a.parquet", b""))
    lake.run()
    before = {row["id"]: row for row in lake.table("bronze/kind")}
    file = tmp_path / "corrections" / "kind.csv"
    rows = exported(lake, file)
    (first, second, third, fourth) = sorted(rows, key=lambda row: row["id"])[:4]
    assert (first["b"], first["a"], first["m"], first["n"]) == (
        "/wD+",
        '["1.50","2"]',
        '{"k":"1.50"}',
        "bad",
    )
    assert (
        first["o"] == '{"x":1,"y":"z","at":"2026-01-01T00:00:00.123000Z"}'
        and first["k"] == '{"2026-01-01 00:00:00.123":1}'
    )
    assert (second["t"], second["b"], third["b"], second["o"]) == ("'", "'", "", ""), (
        "the empty text, and no bytes, are not NULL"
    )
    assert (
        fourth["t"],
        first["text"],
        second["text"],
        third["text"],
        fourth["text"],
        fourth["f"],
    ) == ("'=cmd|'/C calc'!A0", "'+1", "'-", "'@x", "''", "'-Infinity")
    for row in rows:
        row["n"] = row["id"]
    changed = {
        "4": {
            "b": "AAE=",
            "a": '["9.0",null]',
            "o": '{"x":5,"y":"1.0","new":[1.5]}',
            "m": '{"a":""}',
            "k": '{"2026-01-01 00:00:00.123":2}',
            "t": "'",
            "text": "''=",
            "f": "2.5",
        },
        "5": {"t": "", "a": "", "text": "=x"},
        "6": {"a": "[1"},
        "7": {"b": "*"},
    }
    for row in rows:
        row |= changed.get(row["id"], {})
    given_back(file, rows)
    (run,) = replay(lake.target, lake.project, lake.contract, corrections=file.parent)
    assert (run.rows_read, run.rows_written) == (8, 6), "what does not fit stays in quarantine"
    released = {
        row["id"]: row
        for row in lake.table("bronze/kind")
        if row["carlton_metadata"]["stream"].startswith("replay/")
    }
    assert set(released) == set("012345")
    for number in "0123":
        assert {name: released[number][name] for name in (*KINDS, "t")} == {
            name: before[number][name] for name in (*KINDS, "t")
        } and released[number]["n"] == int(number)
        assert (
            '"n"' in before[number]["carlton_rescued"]
            and '"n"' not in released[number]["carlton_rescued"]
        )
        assert all(
            part in released[number]["carlton_rescued"]
            for part in ('"zz":"extra"', '"yy":', '"_file_path":"file:')
        ), "what the contract does not know is kept"
    assert (
        released["4"]["b"],
        released["4"]["a"],
        released["4"]["m"],
        released["4"]["k"],
        released["4"]["t"],
        released["4"]["text"],
        released["4"]["f"],
    ) == (
        b"\x00\x01",
        ["9.0", None],
        {"a": ""},
        {datetime.datetime(2026, 1, 1, 0, 0, 0, 123000): 2},
        "",
        "'=",
        2.5,
    )
    assert (
        released["4"]["o"].asDict() == {"x": 5, "y": "1.0", "at": None}
        and "new" in released["4"]["carlton_rescued"]
    ), "a member that the struct does not know is rescued"
    assert (released["5"]["t"], released["5"]["a"], released["5"]["text"], released["5"]["ts"]) == (
        None,
        None,
        "=x",
        before["5"]["ts"],
    )
    waiting = {
        row["id"]: row
        for row in lake.table("bronze/kind_quarantine")
        if row["carlton_released_by"] is None
    }
    assert {
        number: (row["a"], row["b"], row["carlton_rescued"]) for number, row in waiting.items()
    } == {
        number: (before[number]["a"], before[number]["b"], before[number]["carlton_rescued"])
        for number in "67"
    }


def test_a_cell_is_read_back_as_the_text_that_it_was_made_of_and_no_spreadsheet_runs_it() -> None:
    texts = [
        "",
        "'",
        "''",
        "'=",
        "=",
        "=1+1",
        "+1",
        "-2",
        "@a",
        "\t",
        "\r",
        "'t Hart",
        "''t",
        "x",
        " =",
        "\uff1d1",
        "1.5",
        "'\n",
        None,
    ]
    for is_text in (True, False):
        cells = [escape_cell(text, is_text) for text in texts]
        assert [unescape_cell(cell) for cell in cells] == texts and len(set(cells)) == len(cells)
        assert [
            cell for cell in cells if cell[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
        ] == ([] if is_text else ["+1", "-2"])
    assert escape_cell("'t Hart") == "'t Hart" and unescape_cell("'t Hart") == "'t Hart"


@pytest.mark.spark
def test_a_file_that_is_not_as_it_was_exported_is_told_and_an_unknown_member_of_a_struct_stays(
    spark: Any, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path, {"format": "json"}, ("kind",), {"o": KINDS["o"]})
    lake.land(
        "a.json",
        b'{"id":"1","n":"bad","o":{"x":1,"q":"kept"}}\n'
        b'{"id":"2","n":"7.5","o":{"x":2,"q":"kept"}}\n'
        b'{"id":"3","o":{"x":\n',
    )
    lake.run()
    file = tmp_path / "corrections" / "kind.csv"
    rows = exported(lake, file)
    assert len(rows) == 3
    file.write_text("carlton_quarantine_id;id\n", encoding="utf-8")
    with pytest.raises(DatamasterError, match="lacks the column"):
        replay(lake.target, lake.project, lake.contract, corrections=file.parent)
    file.write_bytes(b"carlton_quarantine_id,id,caf\xe9\n")
    with pytest.raises(DatamasterError, match="UTF-8"):
        replay(lake.target, lake.project, lake.contract, corrections=file.parent)
    given_back(file, [*rows, rows[0]])
    with pytest.raises(DatamasterError, match="second time"):
        replay(lake.target, lake.project, lake.contract, corrections=file.parent)
    for row in rows:
        row |= {"n": "5"} if row["id"] == "1" else {"id": "3"} if not row["id"] else {}
    given_back(file, rows)
    (run,) = replay(lake.target, lake.project, lake.contract, corrections=file.parent)
    released = {
        row["id"]: row
        for row in lake.table("bronze/kind")
        if row["carlton_metadata"]["stream"].startswith("replay/")
    }
    assert (
        set(released) == {"1", "3"}
        and "kept" in released["1"]["carlton_rescued"]
        and released["1"]["n"] == 5
        and run.rows_quarantined == 1
    )
    assert released["3"]["carlton_rescued"] is None, (
        "a record that could not be read is one when its cells are filled"
    )


@pytest.mark.spark
def test_a_column_whose_type_the_table_has_not_yet_is_told_and_one_that_ingest_added_is_released(
    spark: Any, tmp_path: Path
) -> None:
    lake = Shop(spark, tmp_path)
    lake.contract(
        "id: {type: long, primaryKey: true}\nn: {type: string, maxLength: 2}",
        "schema_evolution: add",
    )
    lake.apply()
    lake.land("a.csv", "id,n,colour\n1,abc,red\n2,a,blue\n")
    lake.run()
    lake.contract(
        "id: {type: long, primaryKey: true}\nn: {type: long}",
        "schema_evolution: add",
        version="1.1.0",
    )
    for work in (
        lambda: replay(lake.target, lake.project, lake.now),
        lambda: exported(lake, tmp_path / "x" / "order.csv"),
    ):
        with pytest.raises(DatamasterError) as told:
            work()
        assert (
            [fault.code for fault in told.value.faults] == ["table-differs"]
            and "n as STRING, and the contract as BIGINT" in str(told.value)
            and "unity plan" in str(told.value)
        )
    lake.contract(
        "id: {type: long, primaryKey: true}\nn: {type: string, maxLength: 3}",
        "schema_evolution: add",
        version="1.2.0",
    )
    replay(lake.target, lake.project, lake.now)
    assert ("abc", "red") in lake.rows("bronze/order", "n", "colour") and len(
        [row for row in lake.rows("bronze/order", "colour") if row == ("red",)]
    ) == 2


@pytest.mark.spark
def test_what_was_rescued_is_read_again_as_it_was_written_and_as_the_files_write_days(
    spark: Any, tmp_path: Path
) -> None:
    """A number that no field had a place for, and days in the files' own format, under the next
    version of the contract.
    """
    lake, many = Shop(spark, tmp_path), "12345678901234567890.1234567890123"
    fields = (
        "id: {type: string, primaryKey: true}\nn: {type: integer}\nd: {type: date}\nlines: "
        "{type: string}"
    )
    lake.contract(fields, "source: {type: adls, format: json, dateFormat: yyyy-dd-MM}")
    lake.apply()
    lake.land(
        "a.json",
        f'{{"id":"1","n":"bad","rate":{many},"more":1.50,"lines":"a\\r\\nb"}}\n'
        f'{{"id":"2","d":"2026-02-13","lines":"a\\rb","rate":1.10}}\n'
        f'{{"id":"3","d":"13/02/2026","rate":1e-400}}\n',
    )
    lake.run()
    (run,) = replay(lake.target, lake.project, lake.now)
    assert (run.rows_read, run.rows_written) == (3, 0), (
        "2026-02-13 has no thirteenth month, and is no day of another format"
    )
    lake.contract(
        f"{fields}\nrate: {{type: decimal, precision: 38, scale: 13}}",
        "source: {type: adls, format: json, dateFormat: dd/MM/yyyy}",
        version="1.1.0",
    )
    lake.apply()
    file = tmp_path / "corrections" / "order.csv"
    rows = exported(lake, file)
    assert {row["id"]: row["rate"] for row in rows} == {"1": many, "2": "1.10", "3": "1e-400"}
    given = {
        "1": {"n": "7", "lines": "a\nb"},
        "2": {"d": "13/02/2026", "lines": "a\nc"},
        "3": {"rate": "0"},
    }
    given_back(file, [row | given[row["id"]] for row in rows])
    (run,) = replay(lake.target, lake.project, lake.now, corrections=file.parent)
    released = {
        row["id"]: row
        for row in lake.rows("bronze/order")
        if row["carlton_metadata"]["stream"].startswith("replay/")
    }
    assert run.rows_written == 3 and {number: row["rate"] for number, row in released.items()} == {
        "1": Decimal(many),
        "2": Decimal("1.1000000000000"),
        "3": Decimal(0),
    }
    assert '"more":1.50' in released["1"]["carlton_rescued"] and {
        released[number]["d"] for number in "23"
    } == {datetime.date(2026, 2, 13)}
    assert (released["1"]["lines"], released["2"]["lines"]) == ("a\r\nb", "a\nc"), (
        "a spreadsheet writes the ends of lines within a cell as it likes"
    )
