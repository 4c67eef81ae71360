"""The quick ways through a JSON record give the rows that the long way gives, whatever is in it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from whole_files import read_files

from datamaster_kit.contract.model import Array, Field, Map, Scalar, Struct
from datamaster_kit.contract.sql.sqltype import quote
from datamaster_kit.ingest.evolution import find_rescued_columns
from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers import json_files, large_files, local_files

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
    Field("day", Scalar("date")),
    Field("at", Scalar("timestamp")),
    Field("tags", Array(Field("element"))),
)
GOOD = {
    "code": ['"a"', '"007"', '"a:b"', '"x}y"', '"\\u003a"', '"caf\u00e9"', '"{"', "5"],
    "tiny": ["1", "-128"],
    "small": ["300"],
    "count": ["70000", "-0"],
    "id": ["5000000000"],
    "ratio": ["0.5", "12", "1e3"],
    "part": ["0.1", "16777217"],
    "is open": ["true", "false"],
    "amount": ["1.10", "17", "0.5"],
    "day": ['"2026-01-31"'],
    "at": ['"2026-01-31T10:20:30Z"', '"2026-01-31 10:20"'],
    "tags": ['["a","b:c"]', "[]"],
}
ANY = [
    "null",
    "1",
    "-0",
    "1.0",
    "1e2",
    "200",
    "-129",
    "40000",
    "3000000000",
    "99999999999999999999",
    "1e400",
    "-1e400",
    "0.1234567890123456789",
    "1.005",
    "NaN",
    "Infinity",
    "-Infinity",
    "007",
    "+1",
    '"12"',
    '"1.5"',
    '"NaN"',
    '"Infinity"',
    '"-INF"',
    '"true"',
    '"yes"',
    '""',
    '" 1 "',
    '"a:b:c"',
    '"a\\"b"',
    '"\\u007d"',
    "'single'",
    "true",
    "[1,2]",
    '["a:b"]',
    '{"a":1}',
    "{}",
    '"2026-02-30"',
    '"2026"',
    '"31/01/2026"',
    "12345678901234567.89",
    "1.000000000000000000000000001",
]
NAMES = [*(item.name for item in FIELDS), "Code", "ID ", "more", "c:d", "_file_path"]
AFTER = ["", "", "", "", " ", "}", " {}", ' {"id":1}', " x", ",", ":"]


def member(draw: random.Random, name: str, wildness: float) -> str:
    """Return a member of a record, with a value that may be any."""
    space = draw.choice(["", "", " "])
    is_any = draw.random() < wildness or name not in GOOD
    return f"{json.dumps(name)}{space}:{draw.choice(ANY if is_any else GOOD[name])}"


def record(draw: random.Random) -> str:
    """Return a record.

    Some as they should be, some with a few things wrong, some of nothing but those.
    """
    wildness = draw.choice([0, 0.05, 0.3, 1])
    names = [item.name for item in FIELDS if draw.random() > draw.choice([0, 0.3])]
    names = [draw.choice(NAMES) if draw.random() < wildness / 3 else name for name in names] + [
        draw.choice(NAMES)
    ] * (draw.random() < wildness / 2)
    members = [member(draw, name, wildness) for name in names]
    text = "{" + draw.choice([",", ", "]).join(members) + "}"
    return (
        draw.choice(["", "", "", " ", "\N{ZERO WIDTH NO-BREAK SPACE}", "["])
        * (draw.random() < wildness)
        + text
        + draw.choice(AFTER) * (draw.random() < max(wildness, 0.1))
    )


def rows(spark: Any, folder: Path) -> list[tuple[Any, ...]]:
    columns = [
        f"{'to_json' if isinstance(item.type, Array) else 'string'}({quote(item.column)}) AS "
        f"{quote(item.column)}"
        for item in FIELDS
    ]
    return sorted(
        map(
            tuple,
            json_files.read_json(spark, [str(folder / "a.json")], FileSource("json", "", FIELDS))
            .selectExpr("_number", *columns, "carlton_rescued")
            .collect(),
        )
    )


def test_the_quick_ways_give_what_the_long_way_gives(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(7)
    texts = [record(draw) for _ in range(6500)]
    (tmp_path / "a.json").write_text("\n".join(texts), encoding="utf-8")
    read = json_files.rows_of_texts
    monkeypatch.setattr(
        json_files,
        "rows_of_texts",
        lambda found, *rest: read(found, *rest).selectExpr(
            "monotonically_increasing_id() AS _number", "*"
        ),
    )
    types = {item.column: item.type for item in FIELDS}
    source = FileSource("json", "", FIELDS)
    told = json_files.split_records(
        json_files.read_json_records(spark, [str(tmp_path / "a.json")], source), source
    )
    ways = (
        told.selectExpr(
            "_typed",
            f"CASE WHEN _typed IS NULL THEN {json_files.rest_of_record_sql(types)} END AS _rest",
        )
        .selectExpr(
            "count_if(_typed IS NOT NULL)",
            "count_if(_rest._parsed IS NOT NULL)",
            "count_if(_rest._any IS NOT NULL)",
        )
        .first()
    )
    assert min(ways) > 100, "every way is taken by many records"
    quick = rows(spark, tmp_path)
    monkeypatch.setattr(json_files, "exact_parse_sql_type", json_files.plain_parse_sql_type)
    monkeypatch.setattr(json_files, "has_only_fields_sql", lambda types: "false")
    slow = rows(spark, tmp_path)
    assert len(quick) == len(slow) == len(texts)
    assert [
        (texts[mine[0]], mine, other)
        for mine, other in zip(quick, slow, strict=True)
        if mine != other
    ] == []


def test_what_was_rescued_of_many_fields_is_found(spark: Any, tmp_path: Path) -> None:
    fields = tuple(
        Field(
            f"field_{number}",
            (Scalar("long"), Scalar("decimal", 15, 2), Scalar("date"), Scalar("string"))[
                number % 4
            ],
        )
        for number in range(40)
    )
    good = {
        item.name: (1, 1.5, "2026-01-31", "x")[number % 4] for number, item in enumerate(fields)
    }
    (tmp_path / "a.json").write_text(
        "".join(
            json.dumps(record) + "\n"
            for record in (good, good | {"new": 7}, {item.name: "x" for item in fields})
        ),
        encoding="utf-8",
    )
    found = find_rescued_columns(
        json_files.read_json(spark, [str(tmp_path / "a.json")], FileSource("json", "", fields))
    )
    assert [(column.name, column.example) for column in found] == sorted(
        [("new", "7"), *((item.name, "x") for item in fields if item.type != Scalar("string"))]
    )


def read_texts(
    spark: Any, folder: Path, content: bytes, fields: tuple[Field, ...], **options: Any
) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Return the rows of a file of JSON.

    The values of each, and what was rescued of it, each as the text that it is written in.
    """
    (folder / "a.json").write_bytes(content)
    rows = read_files(
        spark, [str(folder / "a.json")], FileSource("json", str(folder), fields, options)
    )
    assert rows is not None
    values = [
        f"CAST({quote(item.column)} AS STRING) AS {quote(item.column)}"
        if item.type == Scalar("variant")
        else quote(item.column)
        for item in fields
    ]
    found = [
        row.asDict(recursive=True) for row in rows.selectExpr(*values, "carlton_rescued").collect()
    ]
    kept = [
        json.loads(
            row.pop("carlton_rescued") or "{}", parse_float=str, parse_int=str, parse_constant=str
        )
        for row in found
    ]
    return [
        (row, {name: text for name, text in told.items() if name != "_file_path"})
        for row, told in zip(found, kept, strict=True)
    ]


def by_spark_and_by_arrow(
    spark: Any,
    folder: Path,
    content: bytes,
    fields: tuple[Field, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Return the rows of a file, which are the same in both ways to read it."""
    found = read_texts(spark, folder, content, fields)
    with monkeypatch.context() as patch:
        patch.setattr(large_files, "LARGE_FILE_BYTES", 0)
        patch.setattr(large_files, "UNDIVIDED_BYTES", 0)
        patch.setattr(local_files, "is_for_arrow_json", lambda path, source: True)
        assert read_texts(spark, folder, content, fields) == found
    return found


BEHIND = [
    '{"id":"1"},{"id":"2"}',
    '{"id":"1"} , {"id":"2"}',
    '{"id":"1"},5',
    '{"id":"1","z":1},{"id":"2"}',
    '{"id":"1"},x',
    '{"id":"1"}]{"id":"2"}',
    '{"id":"1"}]',
    '{"id":"1"}}',
    '{"id":"1"},0]x',
    '{"id":"1"},0],{}',
    '{"id":"}"},{"id":"2"}',
    '{"id":{"a":1}},{"id":"2"}',
    '{"id":"a\\u0062"}{"id":"2"}',
    '{"id":"a\\ud800b"}',
    '{"id":"\\udc00"}',
    '{"id":"1","z":"\\ud800"}',
    '{"id":007}',
    "{1:2}",
]


def test_no_record_stands_unseen_behind_another_value(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, good = (
        (Field("id"),),
        ['{"id":"1"} ', '{"id":"}{"}', '{"id":"\\ud83d\\ude00"}', '{"id":"\\\\ud800"}'],
    )
    found = by_spark_and_by_arrow(
        spark, tmp_path, "\n".join([*BEHIND, *good]).encode(), fields, monkeypatch
    )
    assert [told.get("_corrupt_record") for _, told in found] == [*BEHIND, *[None] * len(good)]
    assert [row["id"] for row, _ in found[len(BEHIND) :]] == ["1", "}{", "\U0001f600", "\\ud800"]
    whole = [
        '[{"id":"1"}][{"id":"2"}]',
        '[{"id":"1"}]\n[{"id":"2"},{"id":"3"}]',
        '[{"id":"1"}] x',
        '[{"id":"1"}],[]',
        '{"id":"1"}\n{"id":"2"}',
        '[{"id":"1"}',
    ]
    assert [
        read_texts(spark, tmp_path, text.encode(), fields, multiLine=True) for text in whole
    ] == [[({"id": None}, {"_corrupt_record": text})] for text in whole]
    items = read_texts(
        spark,
        tmp_path,
        rb'[null, {"id":"a\ud800"}, {"id":"\ud83d\ude00"}, {"id":1.50}, 5]',
        fields,
        multiLine=True,
    )
    assert [(row["id"], told.get("_corrupt_record")) for row, told in items] == [
        (None, "null"),
        (None, '{"id":"a\\ud800"}'),
        ("\U0001f600", None),
        ("1.50", None),
        (None, "5"),
    ]


def test_a_number_of_json_is_the_text_that_it_is_written_in(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = (Field("id"), Field("n", Scalar("integer")), Field("d", Scalar("double")))
    texts = [
        "1.50",
        "1e2",
        "-0",
        "0",
        "1E-2",
        "0.1234567890123456789012",
        "1e400",
        "-1e400",
        "123456789012345678901234567890123456789012345678",
        "1.0",
        "100.0",
        '{"a":0.1234567890123456789012,"b":-0}',
        "[1e400,1.50]",
    ]
    lines = [
        line
        for text in texts
        for line in (
            f'{{"id":{text}}}',
            f'{{"id": {text} , "z":1}}',
            f'{{"x":{{"id":7.70}},"id":{text}}}',
            f'{{"id":"a","z":{{"y":{text}}}}}',
            f'{{"i\\u0064":{text}}}',
        )
    ]
    found = by_spark_and_by_arrow(spark, tmp_path, "\n".join(lines).encode(), fields, monkeypatch)
    bare = [
        json.dumps(json.loads(text, parse_float=str, parse_int=str), separators=(",", ":"))
        for text in texts
    ]
    own = [
        [row["id"] for row, _ in found[5 * at : 5 * at + 3]] + [found[5 * at + 4][0]["id"]]
        for at in range(len(texts))
    ]
    assert own == [[text] * 4 for text in texts]
    assert [
        json.dumps(found[5 * at + 3][1]["z"]["y"], separators=(",", ":"))
        for at in range(len(texts))
    ] == bare
    assert all(told["x"] == {"id": "7.70"} for _, told in found[2::5])
    whole = read_texts(
        spark, tmp_path, ("[" + ",".join(lines) + "]").encode(), fields, multiLine=True
    )
    assert whole == found
    misfits = by_spark_and_by_arrow(
        spark,
        tmp_path,
        b'{"n":1e0}\n{"n":1.50}\n{"d":1e400}\n{"d":1e-400}\n{"n":"1.50"}\n'
        b'{"id":"1.50"}\n{"id":"0","n":-0}\n',
        fields,
        monkeypatch,
    )
    assert [told for _, told in misfits] == [
        {"n": "1e0"},
        {"n": "1.50"},
        {"d": "1e400"},
        {"d": "1e-400"},
        {"n": "1.50"},
        {},
        {},
    ]


def test_what_is_within_a_value_of_json_is_what_is_written_or_is_rescued(
    spark: Any, tmp_path: Path
) -> None:
    place = Struct(
        (
            Field("x", Scalar("double")),
            Field("t"),
            Field("n", Scalar("integer")),
            Field("b", Scalar("binary")),
        )
    )
    fields = (
        Field("id"),
        Field("o", place),
        Field("a", Array(Field("element"))),
        Field("m", Map(Field("key"), Field("value"))),
        Field("v", Scalar("variant")),
        Field("b", Scalar("binary")),
    )
    nothing = {"x": None, "t": None, "n": None, "b": None}
    cases = [
        ('{"o":{"x":1e-400}}', {}, {"o": '{"x":1e-400}'}),
        ('{"o":{"x":1e400}}', {}, {"o": '{"x":1e400}'}),
        ('{"a":[1.50,1e2,"x",-0]}', {"a": ["1.50", "1e2", "x", "-0"]}, {}),
        ('{"o":{"t":1.50}}', {"o": {**nothing, "t": "1.50"}}, {}),
        ('{"o":{"t":{"y":1e2}}}', {"o": {**nothing, "t": '{"y":1e2}'}}, {}),
        ('{"o":{"n":1.0}}', {}, {"o": '{"n":1.0}'}),
        ('{"m":{"k":1.50}}', {"m": {"k": "1.50"}}, {}),
        ('{"v":{"y":1e400}}', {}, {"v": '{"y":1e400}'}),
        ('{"v":{"y":1e-400}}', {}, {"v": '{"y":1e-400}'}),
        ('{"v":{"y":"1e400"}}', {"v": '{"y":"1e400"}'}, {}),
        (
            '{"b":"AQID","o":{"b":"AQID"}}',
            {"b": b"\x01\x02\x03", "o": {**nothing, "b": b"\x01\x02\x03"}},
            {},
        ),
        ('{"b":"caf\u00e9","id":"1"}', {"id": "1"}, {"b": "caf\u00e9"}),
        ('{"b":"","z":1}', {"b": b""}, {"z": "1"}),
        ('{"o":{"t":"x","more":1e400}}', {"o": {**nothing, "t": "x"}}, {"o": '{"more":1e400}'}),
    ]
    found = read_texts(
        spark, tmp_path, "\n".join(record for record, _, _ in cases).encode(), fields
    )
    wanted = [
        ({item.name: values.get(item.name) for item in fields}, told) for _, values, told in cases
    ]
    assert [
        (case[0], mine, other)
        for case, mine, other in zip(cases, found, wanted, strict=True)
        if mine != other
    ] == []


def test_names_that_ingest_has_for_itself_are_as_others_are(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        '{"id":"1","_unreadable":"x"}',
        '{"id":"2","_corrupt_record":1.50}',
        '{"id":"3","_file_path":"x","_file_path_2":"y"}',
        '{"id":"4","_unreadable":{"a":1},"n":"x"}',
    ]
    found = by_spark_and_by_arrow(
        spark,
        tmp_path,
        "\n".join(records).encode(),
        (Field("id"), Field("n", Scalar("integer"))),
        monkeypatch,
    )
    assert [(row["id"], told) for row, told in found] == [
        ("1", {"_unreadable_2": "x"}),
        ("2", {"_corrupt_record_2": "1.50"}),
        ("3", {"_file_path_3": "x", "_file_path_2": "y"}),
        ("4", {"_unreadable_2": {"a": "1"}, "n": "x"}),
    ]
