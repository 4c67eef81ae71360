"""What a form shows of a file before it is ingested.

The same columns, and the same verdict on every cell, as ingest has.
"""

from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from whole_files import read_files

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.model import (
    Array,
    Contract,
    DataType,
    Example,
    Field,
    Map,
    Model,
    Scalar,
    Source,
    Struct,
    Workflow,
)
from datamaster_kit.contract.sql.sqltype import parse_sql_type
from datamaster_kit.forms.trial.preview import Preview, newest_landing_files, preview
from datamaster_kit.forms.trial.results import preview_html
from datamaster_kit.forms.trial.verdicts import rescue_reason
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.base import FileSource

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TYPES: dict[str, DataType] = {
    "byte": Scalar("byte"),
    "short": Scalar("short"),
    "integer": Scalar("integer"),
    "long": Scalar("long"),
    "exact": Scalar("decimal", 10, 2),
    "whole": Scalar("decimal", 5, 0),
    "fine": Scalar("decimal", 38, 18),
    "wide": Scalar("decimal", 38, 2),
    "small": Scalar("decimal", 4, 4),
    "float": Scalar("float"),
    "double": Scalar("double"),
    "truth": Scalar("boolean"),
    "day": Scalar("date"),
    "moment": Scalar("timestamp"),
    "local": Scalar("timestamp_ntz"),
    "text": Scalar("string"),
    "short_text": Scalar("varchar", length=2),
    "clock": Scalar("time"),
    "bytes": Scalar("binary"),
    "anything": Scalar("variant"),
    "numbers": Array(Field("element", Scalar("integer"))),
    "address": Struct((Field("street"), Field("number", Scalar("integer")))),
    "prices": Map(Field("key"), Field("value", Scalar("decimal", 6, 2))),
}


def apart(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


CELLS = [
    *apart(
        "0 7 007 -7 +7 --7 127 128 -128 -129 32767 32768 2147483647 2147483648 -2147483648 "
        "9223372036854775807 9223372036854775808 1. .5 1.0 1.5 1.50 1.500 1.005 10.005 1e3 "
        "1E3 1e-2 15e-1 1e99 1e400 1e-400"
    ),
    *apart(
        "1,234.50 1_000 0x1F 0x1p3 1.5d 2f 1L NaN nan Infinity -inf inf +inf infinite "
        "99999999.99 100000000 99999.5 12345 123456 99999.4 0.9999 1.0000 0.00005 "
        "1.0000000000000000005 12345678901234567890 ٣ . - + 1e +1e5"
    ),
    "0.1234567890123456789",
    "1" * 20 + "." + "1" * 19,
    "1" * 39,
    "9" * 400,
    "1." + "0" * 60,
    "1." + "0" * 60 + "1",
    "3.4028236e38",
    "3.4028234e38",
    "1e38",
    "1e39",
    *apart("true TRUE t T yes y 1 false F no n N on off maybe truee"),
    *apart(
        "2026-01-31 2026-1-5 2026-1-1T 2026-02-29 2024-02-29 2026-02-30 2026-13-01 "
        "2026-00-10 2026-01-00 20260131 2026/01/31 31/01/2026 31-01-2026 2026-01 2026 "
        "+2026-1-1 -2026-1-1 12026-1-1 0000-01-01 99999-1-1"
    ),
    *apart(
        "1900-02-29 2000-02-29 2100-02-29 1582-10-10 26-01-31 2026-01-31T 2026-1-1T1 "
        "2026-01-031 999999-1-1 290000-1-1 2026-012"
    ),
    "2026-1-1 x",
    "2026-01-31 ",
    " 2026-01-31",
    "2026-01-31 x",
    "2026-01-31 12",
    "2026-01-31 12:30",
    "2026-01-31 12:30:00",
    "2026-01-31 24:00:00",
    "2026-01-31 23:60:00",
    "2026-01-31 23:59:60",
    "2026-02-30 10:00:00",
    *apart(
        "2026-01-31T12:30:00Z 2026-01-31T12:30:00z 2026-01-31T12:30:00.123456789 "
        "2026-01-31T12:30:00. 2026-01-31T12:30:00.5Z 2026-01-31T12:30Z "
        "2026-01-31T12:30:00+01 2026-01-31T12:30:00+1 2026-01-31T12:30:00+01:30"
    ),
    *apart(
        "2026-01-31T12:30:00+0130 2026-01-31T12:30:00+1:30 2026-01-31T12:30:00+18:00 "
        "2026-01-31T12:30:00+18:01 2026-01-31T12:30:00+19 2026-01-31T12:30:00-03:00 "
        "2026-01-31T12:30:00UTC+1 2026-01-31T12:30:00GMT"
    ),
    *apart(
        "2026-01-31T12:30:00America/Sao_Paulo 2026-01-31T12:30:00America/Nowhere "
        "2026-01-31T12:30:00EST 2026-01-31t12:30:00 2026-1-1T1:2:3 12:30:00 T12:30:00 "
        "12:30:00Z 25:30:00 2026-01-31T12:30:00+01:5 2026-01-31T12:30:00+01:00:30"
    ),
    "2026-01-31 12:30:00 America/Sao_Paulo",
    "2026-01-31 12:30:00 UTC",
    "2026-01-31 12:30:00 +01:00",
    "2026-01-31T12:30:00  Z",
    "2026-01-31T12:30:00,5",
    *apart("NULL null NA N/A None - ~ nil"),
    " ",
    "   ",
    "\t7\t",
    " 7 ",
    " 1.5 ",
    " true ",
    "  2026-01-31  ",
    " x ",
    "\N{NO-BREAK SPACE}7",
    "7\N{NO-BREAK SPACE}",
    "á",
    "<script>",
    "{}",
    "[]",
    "[1,2]",
    "[1,null]",
    '[1,"x"]',
    "[1.0]",
    '["7"]',
    "[1",
    "[[1]]",
    '{"street":"a"}',
    '{"street":"a","number":7}',
    '{"street":"a","number":"7"}',
    '{"street":"a","number":"x"}',
    '{"street":"a","zip":1}',
    '{"number":null}',
    '{"a":1.25}',
    '{"a":"1.255"}',
    '{"a":"x","b":1}',
    '{"a":12345.67}',
    '"text"',
    "tru",
    "nulll",
    "{'a':1}",
    '{"a":1}}',
    '{"a":1,"a":2}',
]
NESTED = ("anything", "numbers", "address", "prices")
# Spark reads some of what is no JSON: quotes of the other kind, a member that is there twice, a
# value with something behind it.
SPARK_ALONE = {
    ("{'a':1}", "prices"),
    ("{'a':1}", "anything"),
    ('{"a":1}}', "anything"),
    ('{"a":1}}', "prices"),
    ('{"a":1,"a":2}', "prices"),
}


def random_cells(count: int) -> list[str]:
    """Cells of the signs that numbers and moments are made of; the same every time."""
    chance = random.Random(20260131)
    shapes = [
        "####-##-##",
        "####-#-##",
        "####-##-## ##:##:##",
        "####-##-##T##:##:##.###",
        "##:##:##",
        "##.##",
        "#.###",
        "-###.#",
        "#####",
        "##e#",
        ".##",
        "##########",
        "####-##-##T##:##:##+##:##",
        "+#",
        "###################",
    ]
    return [
        "".join(
            str(chance.randrange(10))
            if sign == "#"
            else chance.choice("0123456789.-+: T/eE")
            if chance.random() < 0.03
            else sign
            for sign in chance.choice(shapes)
        )
        for _ in range(count)
    ]


@pytest.mark.spark
def test_every_cell_is_judged_as_ingest_judges_it(spark: SparkSession, tmp_path: Path) -> None:
    cells = [*dict.fromkeys([*CELLS, *random_cells(1500)])]
    with (tmp_path / "cells.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(["number_of_row", *TYPES])
        writer.writerows([index, *([cell] * len(TYPES))] for index, cell in enumerate(cells))
    source = FileSource(
        "csv",
        str(tmp_path),
        (
            Field("number_of_row", Scalar("integer")),
            *(Field(name, type) for name, type in TYPES.items()),
        ),
    )
    rows = read_files(spark, [f"file://{tmp_path}/cells.csv"], source)
    assert rows is not None
    found = {
        row["number_of_row"]: json.loads(row["carlton_rescued"] or "{}")
        for row in rows.select("number_of_row", "carlton_rescued").collect()
    }
    judged = [
        (index, cell, name, type)
        for index, cell in enumerate(cells)
        for name, type in TYPES.items()
        if name not in NESTED or (index < len(CELLS) and (cell, name) not in SPARK_ALONE)
    ]
    wrong = [
        (name, cell, rescue_reason(cell, type), found[index].get(name))
        for index, cell, name, type in judged
        if bool(rescue_reason(cell, type)) != (name in found[index])
    ]
    assert sorted(found) == list(range(len(cells)))
    assert not wrong, wrong


NESTED_TYPES = {
    name: parse_sql_type(text)
    for name, text in {
        "place": "STRUCT<text: STRING, count: SMALLINT, day: DATE, moment: TIMESTAMP, "
        "open: BOOLEAN, ratio: DOUBLE, exact: DECIMAL(38,2), bytes: BINARY, any: VARIANT>",
        "grid": "ARRAY<ARRAY<BIGINT>>",
        "prices": "MAP<INT, DECIMAL(6,2)>",
        "lines": "ARRAY<STRUCT<text: STRING, exact: DECIMAL(9,2), tags: MAP<STRING, FLOAT>>>",
        "deep": "STRUCT<place: STRUCT<days: ARRAY<DATE>, count: INT>>",
    }.items()
}
LEAVES = [
    '"x"',
    '""',
    '"7"',
    '" 7 "',
    '"1.50"',
    '"true"',
    '"2026-01-31"',
    '"2026-02-30"',
    '"2026-01-31T10:00:00Z"',
    '"aGk="',
    '"[1]"',
    '"{}"',
    '"Infinity"',
    '"1e2"',
    "7",
    "-7",
    "0",
    "1.0",
    "1.50",
    "1.239",
    "1e2",
    "25e-1",
    "1e400",
    "40000",
    "3000000000",
    "9223372036854775808",
    "1" * 30,
    "1" * 40,
    "0." + "1" * 30,
    "1.2300000000000000001",
    "12345678901234567890.12",
    "0.30000000000000004",
    "1" * 45 + ".5",
    "true",
    "false",
    "[]",
    "{}",
    "[1]",
    '{"a":1}',
]


def random_json(chance: random.Random, type: DataType) -> str:
    """JSON that is nearly of a type.

    A leaf of it is anything, and now and then a part is of another kind, or a member is one that
    the type lacks.
    """
    if chance.random() < 0.08:
        return "null"
    if isinstance(type, Scalar) or chance.random() < 0.04:
        kinds = {
            "smallint": "7",
            "short": "7",
            "integer": "7",
            "long": "7",
            "date": '"2026-01-31"',
            "timestamp": '"2026-01-31T10:00:00Z"',
            "boolean": "true",
            "decimal": "1.50",
            "float": "1.5",
            "double": "1.5",
            "binary": '"aGk="',
        }
        return (
            chance.choice(LEAVES)
            if chance.random() < 0.25
            else kinds.get(type.name if isinstance(type, Scalar) else "", '"x"')
        )
    if isinstance(type, Array):
        items = [random_json(chance, type.element.type) for _ in range(chance.randrange(3))]
        return f"[{','.join(items)}]"
    if isinstance(type, Map):
        keys = chance.sample(["1", "2", "-3", "02"], chance.randrange(3)) + (
            ["k"] if chance.random() < 0.05 else []
        )
        pairs = [f"{json.dumps(key)}:{random_json(chance, type.value.type)}" for key in keys]
        return f"{{{','.join(pairs)}}}"
    members = [item for item in type.fields if chance.random() < 0.8] + (
        [Field("other")] if chance.random() < 0.05 else []
    )
    pairs = [f"{json.dumps(item.name)}:{random_json(chance, item.type)}" for item in members]
    return f"{{{','.join(pairs)}}}"


def leaves(value: object) -> int:
    """The number of values inside a JSON value that are something."""
    parts = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return sum(map(leaves, parts)) if parts is not None else int(value is not None)


@pytest.mark.spark
@pytest.mark.parametrize("format", ["csv", "json"])
def test_no_part_of_a_nested_value_is_lost(
    spark: SparkSession, tmp_path: Path, format: str
) -> None:
    chance = random.Random(20260131)
    cells = [
        {name: random_json(chance, type) for name, type in NESTED_TYPES.items()} for _ in range(400)
    ]
    with (tmp_path / f"cells.{format}").open("w", encoding="utf-8", newline="") as text:
        if format == "csv":
            csv.writer(text).writerows(
                [
                    ["row", *NESTED_TYPES],
                    *([index, *row.values()] for index, row in enumerate(cells)),
                ]
            )
        else:
            text.writelines(
                f'{{"row":{index},'
                f"{','.join(f'{json.dumps(name)}:{part}' for name, part in row.items())}}}\n"
                for index, row in enumerate(cells)
            )
    source = FileSource(
        format,
        str(tmp_path),
        (
            Field("row", Scalar("integer")),
            *(Field(name, type) for name, type in NESTED_TYPES.items()),
        ),
    )
    rows = read_files(spark, [f"file://{tmp_path}/cells.{format}"], source)
    assert rows is not None
    found = rows.selectExpr(
        "row", "carlton_rescued", *(f"to_json({name}) AS {name}" for name in NESTED_TYPES)
    ).collect()
    assert len(found) == len(cells) and all(row["row"] is not None for row in found), (
        "no record is kept as a whole for a part of it"
    )
    wrong = []
    for row in found:
        kept = json.loads(row["carlton_rescued"] or "{}")
        for name, type in NESTED_TYPES.items():
            cell = cells[row["row"]][name]
            have, told = leaves(json.loads(row[name] or "null")), name in kept
            whole_is_kept = told and row[name] is None
            lost = not whole_is_kept and have + (
                leaves(json.loads(kept[name])) if told else 0
            ) < leaves(json.loads(cell))
            if lost or (format == "csv" and told != bool(rescue_reason(cell, type))):
                wrong.append((name, cell, row[name], kept.get(name), rescue_reason(cell, type)))
    assert not wrong, wrong[:5]
    assert (
        sum(row[name] is not None for row in found for name in NESTED_TYPES)
        > 500
        < sum(name in (row["carlton_rescued"] or "") for row in found for name in NESTED_TYPES)
    )


MODEL = Model(
    "account",
    (
        Field("account_id", required=True),
        Field("balance", Scalar("decimal", 10, 2)),
        Field("opened_on", Scalar("date")),
        Field("Seen At", Scalar("timestamp")),
        Field("email"),
    ),
)
FILES = {
    "csv": (
        {"delimiter": ";", "nullValue": "NA"},
        "channel; BALANCE;opened_on;account_id;seen at;channel\n"
        "app;1,234.50;2026-02-30;007;2026-01-31T10:00:00Z;x\nbranch;10.50;NA;008;yesterday;\n"
        "\nonly;two\n"
        '"a;b";;2026-01-31;"0""09";;NA\nweb;10.005;31/01/2026;;2026-01-31 24:00:00;y\n',
    ),
    "json": (
        {},
        '{"account_id": 7, "balance": 10.50, "opened_on": "2026-02-30", "channel": "app"}\n'
        '{"ACCOUNT_ID": "8", "balance": "ten", "Seen At": "2026-01-31T10:00:00Z", "extra": '
        '{"a": 1}}\n'
        '[1]\n\n{"account_id": null, "balance": 1234567890.1, "email": "<b>a</b>"}\nnot '
        'json\n{"balance": 1e2, "opened_on": 20260131}\n',
    ),
}


@pytest.mark.spark
@pytest.mark.parametrize("format", ["csv", "json"])
def test_what_a_preview_calls_rescued_is_what_ingest_rescues(
    spark: SparkSession, tmp_path: Path, format: str
) -> None:
    options, text = FILES[format]
    file = tmp_path / f"raw.{format}"
    file.write_text(text, encoding="utf-8")
    found = preview(
        Contract("urn:a", workflow=Workflow(source=Source(format=format, options=options))),
        MODEL,
        file,
    )
    rows = read_files(
        spark, [f"file://{file}"], FileSource(format, str(tmp_path), MODEL.fields, options)
    )
    assert rows is not None
    # every column, as ingest takes them: Spark checks a record by the columns that are asked for
    rescued = [
        {*json.loads(row["carlton_rescued"] or "{}")} - {"_file_path"} for row in rows.collect()
    ]
    whole = [keys for keys in rescued if keys == {"_corrupt_record"}]
    assert len(whole) == len(found.broken) and len(rescued) == len(found.broken) + len(found.rows)
    told = [
        {
            field or column.strip()
            for column, field, cell in zip(found.columns, found.fields, row, strict=True)
            if cell.misfit or (not field and cell.text is not None)
        }
        for row in found.rows
    ]
    assert told == [
        {name.removesuffix("_2") for name in keys}
        for keys in rescued
        if keys != {"_corrupt_record"}
    ]


def seen(
    options: dict[str, object],
    text: str,
    folder: Path,
    name: str = "a.csv",
    format: str = "csv",
    rows: int = 20,
) -> Preview:
    """The preview of a file with a text."""
    (folder / name).write_text(text, encoding="utf-8")
    return preview(
        Contract("urn:a", workflow=Workflow(source=Source(format=format, options=options))),
        MODEL,
        folder / name,
        rows,
    )


def test_a_preview_reads_no_more_than_it_shows(tmp_path: Path) -> None:
    found = seen({}, "account_id\n" + "1\n" * 500_000, tmp_path, rows=3)
    assert len(found.rows) == 3 and found.missing == ("balance", "opened_on", "Seen At", "email")
    without = seen({"header": False}, "1,2,2026-01-31,,x\n", tmp_path)
    assert (
        without.fields == without.columns
        and without.missing == ()
        and [cell.text for cell in without.rows[0]] == ["1", "2", "2026-01-31", None, "x"]
    )
    dated = seen(
        {"dateFormat": "dd/MM/yyyy", "timestampFormat": "d MMM yyyy"},
        "opened_on,seen at\n31/01/2026,31 Jan 2026\n2026-01-31,?\n",
        tmp_path,
    )
    assert [(number, column) for number, column, _, _ in dated.misfits] == [
        (2, "opened_on")
    ] and dated.notes == (
        "Seen At is not judged here: its pattern d MMM yyyy is read by ingest alone",
    )


def test_a_record_of_control_totals_is_no_row_and_no_header(tmp_path: Path) -> None:
    for place, text in (
        ("trailer", "account_id\n1\n2\nT,2\n"),
        ("header", "T,2\naccount_id\n1\n2\n"),
    ):
        found = seen({"control": {"in": place, "begins_with": "T", "count": 2}}, text, tmp_path)
        assert found.columns == ("account_id",) and [row[0].text for row in found.rows] == [
            "1",
            "2",
        ]


@pytest.mark.parametrize(
    ("name", "format", "content", "said"),
    [
        ("gone.csv", "csv", None, "it is not there"),
        ("cut.csv.gz", "csv", b"\x1f\x8b\x08\x00", "cut off or damaged"),
        ("a.parquet", "parquet", b"PAR1", "files of parquet are not looked into"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, name: str, format: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said):
        preview(
            Contract("urn:a", workflow=Workflow(source=Source(format=format))),
            MODEL,
            tmp_path / name,
        )


def test_the_newest_file_is_shown_and_nothing_outside_of_the_landing_folder(tmp_path: Path) -> None:
    landing = tmp_path / ".datamaster" / "landing" / "account"
    (landing / "day").mkdir(parents=True)
    for name, modified in (
        ("old.csv", 1),
        ("day/new.csv", 3),
        ("_draft.csv", 9),
        (".hidden.csv", 9),
    ):
        (landing / name).write_text(
            "account_id,note\n<script>alert(1)</script>,x\n", encoding="utf-8"
        )
        os.utime(landing / name, (modified, modified))
    project = Project(tmp_path, names("risk", "risk"))
    assert [path.name for path in newest_landing_files(project, MODEL)] == ["new.csv", "old.csv"]
    html = preview_html(
        preview(Contract("urn:a", models=(MODEL,)), MODEL, newest_landing_files(project, MODEL)[0])
    )
    assert "note (rescued)" in html and "alert(1)" in html and "<script" not in html
    for name in ("../account", "..", "/etc", "a/b"):
        with pytest.raises(BadInput):
            newest_landing_files(project, Model(name))


def test_examples_are_shown_whatever_their_form(tmp_path: Path) -> None:
    examples = (
        Example("account_id,balance\n1,x\n"),
        Example('[{"account_id": "2", "email": null}]', "json"),
        Example([{"account_id": 3, "opened_on": "2026-01-31"}], "row"),
    )
    found = preview(Contract("urn:a"), Model("account", MODEL.fields, examples=examples))
    assert found.columns == ("account_id", "balance", "email", "opened_on") and [
        [cell.text for cell in row] for row in found.rows
    ] == [["1", "x", None, None], ["2", None, None, None], ["3", None, None, "2026-01-31"]]
    assert "rescued: no decimal number" in preview_html(found)
    for bad in ((Example("[1, 2"),), ()):
        with pytest.raises(BadInput):
            preview(Contract("urn:a"), Model("account", MODEL.fields, examples=bad))
