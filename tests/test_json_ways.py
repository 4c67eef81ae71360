"""The quick ways through a JSON record give the rows that the long way gives, whatever is in it."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract.model import Array, Field, Scalar
from datamaster_kit.contract.sqltype import quote
from datamaster_kit.ingest.evolution import rescued_columns
from datamaster_kit.target import json_files
from datamaster_kit.target.target import FileSource

pytestmark = pytest.mark.spark
FIELDS = (Field("code"), Field("tiny", Scalar("byte")), Field("small", Scalar("short")), Field("count", Scalar("integer")), Field("id", Scalar("long")), Field("ratio", Scalar("double")),
          Field("part", Scalar("float")), Field("is open", Scalar("boolean")), Field("amount", Scalar("decimal", 15, 2)), Field("day", Scalar("date")), Field("at", Scalar("timestamp")),
          Field("tags", Array(Field("element"))))
GOOD = {"code": ['"a"', '"007"', '"a:b"', '"x}y"', '"\\u003a"', '"caf\u00e9"', '"{"', "5"], "tiny": ["1", "-128"], "small": ["300"], "count": ["70000", "-0"], "id": ["5000000000"], "ratio": ["0.5", "12", "1e3"],
        "part": ["0.1", "16777217"], "is open": ["true", "false"], "amount": ["1.10", "17", "0.5"], "day": ['"2026-01-31"'], "at": ['"2026-01-31T10:20:30Z"', '"2026-01-31 10:20"'], "tags": ['["a","b:c"]', "[]"]}
ANY = ["null", "1", "-0", "1.0", "1e2", "200", "-129", "40000", "3000000000", "99999999999999999999", "1e400", "-1e400", "0.1234567890123456789", "1.005", "NaN", "Infinity", "-Infinity", "007", "+1", '"12"', '"1.5"',
       '"NaN"', '"Infinity"', '"-INF"', '"true"', '"yes"', '""', '" 1 "', '"a:b:c"', '"a\\"b"', '"\\u007d"', "'single'", "true", "[1,2]", '["a:b"]', '{"a":1}', "{}", '"2026-02-30"', '"2026"', '"31/01/2026"',
       "12345678901234567.89", "1.000000000000000000000000001"]
NAMES = [*(item.name for item in FIELDS), "Code", "ID ", "more", "c:d", "_file_path"]
AFTER = ["", "", "", "", " ", "}", " {}", ' {"id":1}', " x", ",", ":"]


def record(draw: random.Random) -> str:
    """Return a record: some as they should be, some with a few things wrong, some of nothing but those."""
    wildness = draw.choice([0, 0.05, 0.3, 1])
    names = [item.name for item in FIELDS if draw.random() > draw.choice([0, 0.3])]
    names = [draw.choice(NAMES) if draw.random() < wildness / 3 else name for name in names] + [draw.choice(NAMES)] * (draw.random() < wildness / 2)
    members = [f"{json.dumps(name)}{draw.choice(['', '', ' '])}:{draw.choice(ANY) if draw.random() < wildness or name not in GOOD else draw.choice(GOOD[name])}" for name in names]
    text = "{" + draw.choice([",", ", "]).join(members) + "}"
    return draw.choice(["", "", "", " ", "\N{ZERO WIDTH NO-BREAK SPACE}", "["]) * (draw.random() < wildness) + text + draw.choice(AFTER) * (draw.random() < max(wildness, 0.1))


def rows(spark: Any, folder: Path) -> list[tuple[Any, ...]]:
    columns = [f"{'to_json' if isinstance(item.type, Array) else 'string'}({quote(item.column)}) AS {quote(item.column)}" for item in FIELDS]
    return sorted(map(tuple, json_files.read_json(spark, [str(folder / "a.json")], FileSource("json", "", FIELDS)).selectExpr("_number", *columns, "carlton_rescued").collect()))


def test_the_quick_ways_give_what_the_long_way_gives(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(7)
    texts = [record(draw) for _ in range(4000)]
    (tmp_path / "a.json").write_text("\n".join(texts), encoding="utf-8")
    read = json_files.rows_of_texts
    monkeypatch.setattr(json_files, "rows_of_texts", lambda found, *rest: read(found, *rest).selectExpr("monotonically_increasing_id() AS _number", "*"))
    types = {item.column: item.type for item in FIELDS}
    source = FileSource("json", "", FIELDS)
    told = json_files.told_apart(json_files.records(spark, [str(tmp_path / "a.json")], source), source)
    ways = told.selectExpr("_typed", f"CASE WHEN _typed IS NULL THEN {json_files.rest_of_record(types)} END AS _rest").selectExpr(
        "count_if(_typed IS NOT NULL)", "count_if(_rest._parsed IS NOT NULL)", "count_if(_rest._any IS NOT NULL)").first()
    assert min(ways) > 100, "every way is taken by many records"
    quick = rows(spark, tmp_path)
    monkeypatch.setattr(json_files, "typed_type", json_files.parsed_type)
    monkeypatch.setattr(json_files, "is_all_found", lambda types: "false")
    slow = rows(spark, tmp_path)
    assert len(quick) == len(slow) == len(texts)
    assert [(texts[mine[0]], mine, other) for mine, other in zip(quick, slow, strict=True) if mine != other] == []


def test_what_was_rescued_of_many_fields_is_found(spark: Any, tmp_path: Path) -> None:
    fields = tuple(Field(f"field_{number}", (Scalar("long"), Scalar("decimal", 15, 2), Scalar("date"), Scalar("string"))[number % 4]) for number in range(40))
    good = {item.name: (1, 1.5, "2026-01-31", "x")[number % 4] for number, item in enumerate(fields)}
    (tmp_path / "a.json").write_text("".join(json.dumps(record) + "\n" for record in (good, good | {"new": 7}, {item.name: "x" for item in fields})), encoding="utf-8")
    found = rescued_columns(json_files.read_json(spark, [str(tmp_path / "a.json")], FileSource("json", "", fields)))
    assert [(column.name, column.example) for column in found] == sorted([("new", "7"), *((item.name, "x") for item in fields if item.type != Scalar("string"))])
