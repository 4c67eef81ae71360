"""A large file gives, through Arrow, the rows that Spark's own readers give, in their order and
whatever is in it.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from test_corpus import CORPUS, canonical, case_of, rows_of
from test_json_ways import FIELDS as JSON_FIELDS
from test_json_ways import record
from whole_files import read_files

from datamaster_kit.contract.model import Array, Field, Scalar
from datamaster_kit.contract.sql.sqltype import quote
from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers import large_files
from datamaster_kit.targets.readers.csv_files import local_path, profile_csv, read_csv
from datamaster_kit.targets.readers.json_files import read_json

pytestmark = pytest.mark.spark
FIELDS = (
    Field("code"),
    Field("tiny", Scalar("byte")),
    Field("small", Scalar("short")),
    Field("count", Scalar("integer")),
    Field("id", Scalar("long")),
    Field("ratio", Scalar("double")),
    Field("part", Scalar("float")),
    Field("is open", Scalar("boolean")),
    Field("amount", Scalar("decimal", 15, 2)),
    Field("fine", Scalar("decimal", 38, 18)),
    Field("day", Scalar("date")),
    Field("at", Scalar("timestamp")),
    Field("raw", Scalar("binary")),
    Field("tags", Array(Field("element"))),
)
GOOD = {
    "code": ["a", "007", '"x,y"', '"say ""so"""', '""', "café"],
    "tiny": ["1", "-128"],
    "small": ["300"],
    "count": ["70000", '"5"'],
    "id": ["5000000000"],
    "ratio": ["0.5", "1e3", "NaN"],
    "part": ["0.1", "16777217"],
    "is open": ["true", "false"],
    "amount": ["1.10", "17", ".5"],
    "fine": ["0.000000000000000001"],
    "day": ["2026-01-31"],
    "at": ["2026-01-31T10:20:30Z"],
    "raw": ["\x01z"],
    "tags": ['"[""a""]"'],
}
ANY = [
    "",
    '""',
    " ",
    "0",
    "-0",
    "+1",
    "1.0",
    "1e2",
    "1E-1",
    "200",
    "-129",
    "40000",
    "3000000000",
    "99999999999999999999",
    "9223372036854775808",
    "0x10",
    "0X1f",
    "1e400",
    "-1e400",
    "1e-400",
    "0.1234567890123456789",
    "1.005",
    "1.500",
    "12345678901234567.89",
    "9999999999999.99",
    "99999999999999.99",
    "123456789012345",
    "1.",
    ".",
    "-",
    "e",
    "nan",
    "NaN",
    "Infinity",
    "-inf",
    "1d",
    "1f",
    "1L",
    "1_0",
    "\u0661",
    " 12 ",
    "\t7",
    "1 2",
    "TRUE",
    "t",
    "yes",
    "1",
    "null",
    "NULL",
    "2026-02-30",
    "2026-1-3",
    "2026",
    " 2026-01-31",
    "2026-01-31 ",
    "2026-01-31T00:00",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "31/01/2026",
    "\\",
    'a\\"b',
    "x\x00y",
    '"a\tb"',
    "\ufeffz",
    "[1]",
    '"{""a"":1}"',
    "\U0001f600",
    "\x85",
    "\u2028",
    "\x0b",
    "\x1c",
]
THROUGH_ARROW = (
    "blank_lines",
    "byte_order_mark",
    "csv_nested_parts",
    "duplicate_header",
    "empty_file",
    "extra_column",
    "header_only",
    "malformed_line",
    "no_header",
    "no_last_line_break",
    "other_case_and_blanks",
    "reordered_columns",
    "values_that_do_not_fit",
    "windows_lines",
    "zeros_and_digits",
)
LINES = ["", " ", "\t", "only one", ",".join("abcdefghijklmnopqrstu"), '"', "\x00"]


def csv_line(draw: random.Random) -> str:
    """Return a line: most as they should be, some with wild cells, a few malformed or blank."""
    wildness = draw.choice([0, 0, 0.05, 0.5])
    if draw.random() < 0.03:
        return draw.choice(LINES[:5])
    return ",".join(
        draw.choice(ANY) if draw.random() < wildness else draw.choice(GOOD[item.name])
        for item in FIELDS
    )


def text_function(item: Field) -> str:
    """Return the SQL function that makes a text of a field's values."""
    if isinstance(item.type, Array):
        return "to_json"
    return "hex" if item.type == Scalar("binary") else "string"


def columns(fields: tuple[Field, ...]) -> list[str]:
    return [
        f"{text_function(item)}({quote(item.column)}) AS {quote(item.column)}" for item in fields
    ]


def as_numbers(row: Any) -> dict[str, Any]:
    """Return a row whose rescued numbers are numbers, however they are written.

    Of a plain record with another type in its place Spark has `1e2` as `100.0`.
    """
    rescued = {
        name: try_float(value) for name, value in json.loads(row["carlton_rescued"] or "{}").items()
    }
    return {**row.asDict(), "carlton_rescued": rescued}


def try_float(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def compared(by_arrow: Any, by_spark: Any, fields: tuple[Field, ...]) -> int:
    """Compare the rows of a file that was read in two ways, with their addresses, and return their
    number.
    """
    asked = [
        *columns(fields),
        "carlton_rescued",
        "_datamaster_file.path",
        "_datamaster_file.name",
        "_datamaster_file.size",
        "_datamaster_file.modification_time",
    ]
    mine, other = by_arrow.selectExpr(*asked).collect(), by_spark.selectExpr(*asked).collect()
    different = [(row, wanted) for row, wanted in zip(mine, other, strict=True) if row != wanted]
    differences = [
        {name: (row[name], wanted[name]) for name in row.__fields__ if row[name] != wanted[name]}
        for row, wanted in different
        if as_numbers(row) != as_numbers(wanted)
    ]
    assert not differences, "\n".join(map(repr, differences[:5]))
    return len(mine)


@pytest.mark.parametrize(
    ("name", "line_end", "with_quotes"),
    [("unix", "\n", True), ("windows", "\r\n", True), ("old mac, partly [1]", "\r", False)],
)
def test_a_csv_file_has_the_rows_and_addresses_that_spark_finds(
    spark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    line_end: str,
    with_quotes: bool,
) -> None:
    monkeypatch.setattr(large_files, "LARGE_FILE_BYTES", 0)
    monkeypatch.setattr(large_files, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(large_files, "PART_BYTES", 400_000)
    draw, names = random.Random(7), [item.name for item in FIELDS]
    lines = [csv_line(draw) for _ in range(6000)]
    lines = [line if with_quotes and '\\"' not in line else line.replace('"', "") for line in lines]
    text = "".join(
        line + (line_end if draw.random() < 0.5 else "\n") for line in ["", ",".join(names), *lines]
    )
    (tmp_path / f"{name} é%20.csv").write_bytes(
        text.encode() + b"\xff,1\xc3," + b"," * (len(FIELDS) - 3) + b"\n\xffmalformed\xe2\x82"
    )
    known = (
        FIELDS
        if with_quotes
        else tuple(item for item in FIELDS if item.name not in ("count", "day"))
    )
    source = FileSource("csv", str(tmp_path), known)
    look = profile_csv(f"file:{tmp_path}/{name} é%20.csv", source)
    assert large_files.is_for_arrow_csv(look, source)
    by_arrow = large_files.read_large_csv(spark, look, source)
    monkeypatch.setattr(large_files, "LARGE_FILE_BYTES", 1 << 30)
    assert compared(by_arrow, read_files(spark, [look.file], source), known) > 5000


def test_a_csv_file_without_a_header_and_with_another_delimiter_is_read_alike(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_files, "LARGE_FILE_BYTES", 0)
    fields = (Field("code"), Field("count", Scalar("integer")), Field("note"))
    source = FileSource("csv", "", fields, {"header": False, "delimiter": ";"})
    (tmp_path / "a.csv").write_text('007;1;"a;b"\n\n"";x;6" tall\nshort\n;;\n', encoding="utf-8")
    assert not large_files.is_for_arrow_csv(
        profile_csv(f"file:{tmp_path}/a.csv", source), source
    ), "a quote stands within a cell"
    (tmp_path / "a.csv").write_text('007;1;"a;b"\n\n"";x;"6"" tall"\nshort\n;;\n', encoding="utf-8")
    look = profile_csv(f"file:{tmp_path}/a.csv", source)
    assert large_files.is_for_arrow_csv(look, source)
    assert (
        compared(
            large_files.read_large_csv(spark, look, source),
            read_csv(spark, [look.file], look.header, False, source),
            fields,
        )
        == 4
    )
    (tmp_path / "a.csv").write_text(
        "code\tnote\tcount\n007\ta\t1\n\t\t\n\n \t\t1\n", encoding="utf-8"
    )
    source = FileSource("csv", "", (Field("code"), Field("note")), {"delimiter": "\t"})
    look = profile_csv(f"file:{tmp_path}/a.csv", source)
    assert (
        compared(
            large_files.read_large_csv(spark, look, source),
            read_csv(spark, [look.file], look.header, False, source),
            source.fields,
        )
        == 2
    ), "no field is anything but text"
    source = FileSource("csv", "", fields, {"delimiter": "\t"})
    look = profile_csv(f"file:{tmp_path}/a.csv", source)
    assert (
        compared(
            large_files.read_large_csv(spark, look, source),
            read_csv(spark, [look.file], look.header, False, source),
            fields,
        )
        == 2
    ), "a line of delimiters that are blanks is a blank line"


def test_a_file_of_json_has_the_rows_that_spark_finds(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_files, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(large_files, "PART_BYTES", 400_000)
    fields = tuple(item for item in JSON_FIELDS if not isinstance(item.type, Array))
    draw = random.Random(11)
    wild = [record(draw).replace(',"tags":', ',"more":') for _ in range(3000)]
    plain = [
        f'{{"id":{number},"code":"c{number}","amount":{number}.{number % 100:02},"ratio":0.5,'
        f'"day":"2026-01-31","is open":true}}'
        for number in range(3000)
    ]
    lines = [
        *plain[:1000],
        *(line for pair in zip(wild, plain[1000:], strict=False) for line in pair),
        *plain[1000:],
        *wild[2000:],
    ]
    (tmp_path / "a.json").write_bytes(
        "".join(
            line + draw.choice(["\n", "\n", "\n", "\r\n", "\n\n", "\n \n"]) for line in lines
        ).encode()
        + b'{"code":"\xff"}\n{"id":1}'
    )
    source = FileSource("json", "", fields)
    file = f"file:{tmp_path}/a.json"
    assert (
        compared(
            large_files.read_large_json(spark, file, source),
            read_files(spark, [file], source),
            fields,
        )
        > 7000
    )


@pytest.mark.skipif(
    "DATAMASTER_CONNECT" in os.environ, reason="the code that Spark generates is on the server"
)
def test_the_code_that_every_row_goes_through_stays_small(spark: Any, tmp_path: Path) -> None:
    fields = tuple(
        Field(f"{item.name} {number}", item.type)
        for number in range(3)
        for item in FIELDS
        if item.name not in ("at", "raw", "tags")
    )
    (tmp_path / "a.csv").write_text(
        ",".join(item.name for item in fields) + "\n" + ",".join("1" for _ in fields) + "\n",
        encoding="utf-8",
    )
    (tmp_path / "a.json").write_text(json.dumps({fields[0].name: "a"}) + "\n", encoding="utf-8")
    look = profile_csv(f"file:{tmp_path}/a.csv", FileSource("csv", "", fields))
    both = (
        large_files.read_large_csv(spark, look, FileSource("csv", "", fields)),
        large_files.read_large_json(
            spark, f"file:{tmp_path}/a.json", FileSource("json", "", fields)
        ),
    )
    made = getattr(getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$"), "MODULE$")
    for rows in both:
        stages = made.codegenStringSeq(rows._jdf.queryExecution().executedPlan())
        sizes = [stages.apply(index)._3().maxMethodCodeSize() for index in range(stages.size())]
        assert 0 < max(sizes) < 13_000, (
            f"{sizes} bytes: Java's quick compiler gives up on a method of 17,000, and "
            "leaves it slow"
        )


UNKNOWN = [
    "1",
    "1.50",
    "-0",
    "1e2",
    '"a"',
    '"x,\\"new\\":1}"',
    '"caf\u00e9"',
    '"{,"',
    "null",
    "true",
    '"2026-01-31"',
]
RIGHT = {"id": "1", "code": '"x"'}
NAMES = [*RIGHT, "new", "more", "n\\u0065w", " new"]
PARTS = [
    "1",
    "-0",
    "1.50",
    "1e5",
    '"x"',
    '""',
    '"a,\\"new\\":1"',
    '"\\\\"',
    '"\\}"',
    '"{"',
    '"}"',
    '","',
    '":"',
    "null",
    "true",
    "nul",
    "[1]",
    '{"new":1}',
    "{}",
    '[{"new":1}]',
    "01",
    ".5",
    '"x',
    'x"',
    "-",
    '"new":1',
    '{"new":1,"more":2}',
]


def odd_line(draw: random.Random) -> str:
    """Return a line that is an object in JSON, or nearly."""
    between, after = (
        draw.choice([*[","] * 8, ", ", " ,", ",,", " "]),
        draw.choice([*[":"] * 8, " : ", "::", " "]),
    )
    names = draw.sample(NAMES, draw.randrange(5)) + [draw.choice(NAMES)] * (draw.random() < 0.2)
    members = [
        f'"{name}"{after}'
        f"{draw.choice(PARTS) if name not in RIGHT or draw.random() < 0.1 else RIGHT[name]}"
        for name in names
    ]
    text = (
        draw.choice([*["{"] * 8, "{ ", "{,", "["])
        + between.join(members)
        + draw.choice([*["}"] * 8, "} ", ",}", "", "}}"])
    )
    at = draw.randrange(len(text) + 1)
    return (
        text[:at]
        + draw.choice([*[""] * 8, '"', ",", "{", "}", ":", "\\", " ", '"new":1,', ',"new":1'])
        + text[at:]
    )


def pairs_of(text: str) -> list[tuple[str, Any]]:
    """Return the members of an object in JSON; raises ValueError where the text is none."""
    found = json.loads(text, object_pairs_hook=list)
    if not text.lstrip().startswith("{"):
        raise ValueError(text)
    return found


def test_what_is_cut_out_of_a_line_of_json_is_what_a_parser_finds_there() -> None:
    draw, kinds, cut = (
        random.Random(3),
        large_files.kinds_of_json({"id": Scalar("long"), "code": Scalar("string")}),
        0,
    )
    for line in (odd_line(draw) for _ in range(20_000)):
        (part,) = large_files.tables_of_json(
            f"{line}\n".encode(), kinds, [b"new", b"more", b" new"]
        )
        if isinstance(part, bytes):
            continue
        (row,) = part.to_pylist()
        extra, members = pairs_of(row.pop(large_files.EXTRA_COLUMN, None) or "{}"), pairs_of(line)
        assert len(dict(members)) == len(members), line
        assert {name: value for name, value in members if name in kinds} == {
            name: value for name, value in row.items() if value is not None or name in dict(members)
        }, line
        assert [(name, value) for name, value in members if name not in kinds] == extra, line
        cut += bool(extra)
    assert cut > 500


ODD = ["new", "ID", "n\\u0065w", "id", "other"]
WILD = [
    "[1]",
    '{"new":2}',
    "007",
    "NaN",
    '"a\tb"',
    '"x',
    '"x,"new":1"',
    '1,"new":2',
    "1e400",
    "12345678901234567890123456789012345678901.5",
]


def test_members_that_a_contract_does_not_know_are_kept_as_they_are_written(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_files, "PART_BYTES", 400_000)
    draw, fields = (
        random.Random(5),
        (Field("id", Scalar("long")), Field("code"), Field("amount", Scalar("decimal", 15, 2))),
    )
    lines = []
    for number in range(36_000):
        members = [
            f'"id":{number}',
            '"code":"' + "c" * 60 + '"',
            '"amount":1.50',
            f'"new" : {draw.choice(UNKNOWN)}',
            f'"more":{number}',
        ]
        if number > 30_000 and draw.random() < 0.05:
            members[draw.randrange(5)] = f'"{draw.choice(ODD)}":{draw.choice(WILD)}'
        lines.append("{" + draw.choice([",", " , "]).join(draw.sample(members, 5)) + "}\n")
    (tmp_path / "a.json").write_text("".join(lines), encoding="utf-8")
    file, source = f"file:{tmp_path}/a.json", FileSource("json", "", fields)
    large = large_files.read_large_json(spark, file, source)
    assert compared(large, read_json(spark, [file], source), fields) == len(lines)
    written = large.where(
        """carlton_rescued LIKE '%"new" : 1.50%' AND carlton_rescued LIKE '%"more":%'"""
    ).count()
    assert written > 1000, "only the quick way keeps the blanks of a member"


@pytest.mark.parametrize("name", THROUGH_ARROW)
def test_dirty_files_of_the_corpus_give_the_same_rows_however_large_they_are(
    spark: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(large_files, "LARGE_FILE_BYTES", 0)
    source = case_of(name)
    files = [f"file:{path}" for path in (CORPUS / name / "files").iterdir()]
    assert any(
        large_files.is_for_arrow_csv(profile_csv(file, source), source)
        if source.format == "csv"
        else large_files.is_for_arrow_json(local_path(file), source)
        for file in files
    )
    expected = (CORPUS / name / "expected.json").read_text(encoding="utf-8")
    assert canonical(rows_of(spark, CORPUS / name / "files", source)) == canonical(
        json.loads(expected)
    )
