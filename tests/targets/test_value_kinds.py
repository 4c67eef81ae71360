"""A value is what was written, or it is rescued.

Every type against an oracle that is written from the words of docs/values.md, in each format and
way to read.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from avro_file import avro
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from whole_files import read_files

from datamaster_kit.contract.model import (
    Array,
    Contract,
    DataType,
    Field,
    Map,
    Model,
    Quality,
    Scalar,
    Struct,
    Threshold,
)
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.sql.sqltype import quote
from datamaster_kit.ingest.rows import is_rule_satisfied_sql
from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers import large_files
from datamaster_kit.targets.readers.accepted_forms import ACCEPTED_FORMS, FORM_BY_TYPE, values_page
from datamaster_kit.targets.readers.csv_files import header_reason

TYPES = {
    "byte": Scalar("byte"),
    "integer": Scalar("integer"),
    "long": Scalar("long"),
    "decimal": Scalar("decimal", 9, 2),
    "double": Scalar("double"),
    "float": Scalar("float"),
    "boolean": Scalar("boolean"),
    "date": Scalar("date"),
    "timestamp": Scalar("timestamp"),
    "timestamp_ntz": Scalar("timestamp_ntz"),
}
RANGES = {"byte": 2**7, "short": 2**15, "integer": 2**31, "long": 2**63}
DIGITS = frozenset("0123456789")


def numeral(text: str) -> Decimal | None:
    """Return the number that a text is, digit by digit, or None."""
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") and text else ("", text)
    mantissa, mark, exponent = rest.replace("E", "e").partition("e")
    whole, point, part = mantissa.partition(".")
    raised = exponent[1:] if exponent[:1] in ("+", "-") and exponent else exponent
    if (
        not (whole or part)
        or not DIGITS.issuperset(whole + part + raised)
        or (mark and not raised)
        or len(raised.lstrip("0")) > 4
    ):
        return None
    return Decimal(f"{sign}{whole or '0'}.{part or '0'}E{exponent or '0'}")


def whole_number(text: str, name: str) -> int | None:
    bare = text.strip("".join(map(chr, range(33))) + "\x7f")
    digits = bare[1:] if bare[:1] in ("+", "-") and bare else bare
    if not digits or not DIGITS.issuperset(digits):
        return None
    value = int(bare)
    return value if -RANGES[name] <= value < RANGES[name] else None


def exact_decimal(text: str) -> Decimal | None:
    value = numeral(text.strip(" \t\r\n"))
    if value is None or abs(value) >= 10**7 or (value * 100) % 1:
        return None
    return value.quantize(Decimal("0.01"))


def floating(text: str, is_single: bool) -> float | None:
    bare = text.strip(" \t\r\n")
    special = {
        "nan": math.nan,
        **{
            sign + word: -math.inf if sign == "-" else math.inf
            for sign in ("", "+", "-")
            for word in ("inf", "infinity")
        },
    }
    if bare.lower() in special:
        return special[bare.lower()]
    value = numeral(bare)
    if value is None:
        return None
    import numpy as np

    with np.errstate(all="ignore"):
        near = float(np.float32(bare)) if is_single else float(bare)
    return None if math.isinf(near) or (near == 0 and value != 0) else near


def day(text: str) -> dt.date | None:
    parts = text.split("-")
    if (
        len(parts) != 3
        or not DIGITS.issuperset("".join(parts))
        or len(parts[0]) != 4
        or not all(1 <= len(part) <= 2 for part in parts[1:])
    ):
        return None
    try:
        return dt.date(*map(int, parts))
    except ValueError:
        return None


def moment(text: str, has_offset: bool) -> dt.datetime | None:
    bare = text.strip(" \t\r\n")
    if day(bare):
        return dt.datetime.combine(day(bare), dt.time())  # type: ignore[arg-type]
    split = next((index for index, character in enumerate(bare) if character in " T"), -1)
    date, rest = (day(bare[:split]), bare[split + 1 :]) if split > 0 else (None, "")
    offset = dt.timedelta()
    if has_offset:
        cut = next(
            (index for index, character in enumerate(rest) if character in "ZU+-"), len(rest)
        )
        rest, zone = rest[:cut].removesuffix(" ") if cut < len(rest) else rest, rest[cut:]
        if zone and rest.count(":") != 2:
            return None
        if zone and zone not in ("Z", "UTC"):
            digits = zone[1:3] + zone[4:] if zone[3:4] == ":" and len(zone) == 6 else zone[1:]
            if (
                zone[0] not in "+-"
                or len(digits) not in (2, 4)
                or not DIGITS.issuperset(digits)
                or int(digits[2:] or 0) > 59
                or int(digits[:2]) * 60 + int(digits[2:] or 0) > 18 * 60
            ):
                return None
            offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0)) * (
                1 if zone[0] == "+" else -1
            )
    clock, point, fraction = rest.partition(".")
    parts = clock.split(":")
    if (
        date is None
        or len(parts) not in (2, 3)
        or not DIGITS.issuperset("".join(parts) + fraction)
        or not 1 <= len(parts[0]) <= 2
        or any(len(part) != 2 for part in parts[1:])
    ):
        return None
    if point and (
        len(parts) != 3 or not fraction or set(fraction[6:]) - {"0"} or len(fraction) > 18
    ):
        return None
    try:
        return (
            dt.datetime.combine(
                date,
                dt.time(
                    *map(int, parts), microsecond=int(fraction[:6].ljust(6, "0")) if point else 0
                ),
            )
            - offset
        )
    except ValueError:
        return None


def oracle(name: str, text: str) -> Any:
    """Return the value that a text is as a type, by the words of the docs, or None where it is
    rescued.
    """
    if name in RANGES:
        return whole_number(text, name)
    if name == "decimal":
        return exact_decimal(text)
    if name in ("float", "double"):
        return floating(text, name == "float")
    if name == "boolean":
        return {
            **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
            **dict.fromkeys(("false", "f", "no", "n", "0"), False),
        }.get(text.strip("".join(map(chr, range(33))) + "\x7f").lower())
    return day(text.strip(" \t\r\n")) if name == "date" else moment(text, name == "timestamp")


SEEDS = {name: [*FORM_BY_TYPE[name].accepted, *FORM_BY_TYPE[name].refused] for name in TYPES}
SEEDS["byte"] += ["127", "128", "-128", "-129", "+127"]
SEEDS["integer"] += ["2147483647", "2147483648", "-2147483648"]
SEEDS["long"] += ["9223372036854775807", "9223372036854775808", "-9223372036854775809"]
SEEDS["decimal"] += [
    "9999999.99",
    "10000000.00",
    "9999999.999",
    "1e6",
    "1e7",
    "1e-2",
    "1e-3",
    "120e-3",
    "0e99",
    "-.0",
    "1E0000000",
    "12e-00001",
    "1e00000007",
]
SEEDS["double"] += [
    "1.7976931348623157e308",
    "1.8e308",
    "4.9e-324",
    "1e-324",
    "0.1",
    "9007199254740993",
    "0e-999",
    "1e0000000",
    "1e00000400",
]
SEEDS["float"] += ["3.4028235e38", "3.5e38", "1e-45", "1e-46", "16777217"]
SEEDS["timestamp"] += [
    "2026-01-05T10:00:00+18:00",
    "2026-01-05T10:00:00+18:01",
    "2026-01-05T10:00:00-1800",
    "2026-01-05 10:00:00 Z",
    "2026-01-05 10:00:00.5Z ",
    "2026-01-05 1:00",
    "2026-01-05 10:5",
]
ALPHABET = "0123456789+-.,:eEdDfFxXpPT Z\tU_/naNIiyt\u0661\uff11\u00a0\ufffd'%$()"


def variation(draw: random.Random, name: str) -> str:
    """Return a text that is nearly, or exactly, one of a type's examples."""
    text = draw.choice(SEEDS[name])
    for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 3))):
        at = draw.randint(0, len(text))
        text = draw.choice(
            (
                text[:at] + draw.choice(ALPHABET) + text[at:],
                text[:at] + text[at + 1 :],
                text[:at] + draw.choice(ALPHABET) + text[at + 1 :],
                text[:at],
            )
        )
    return text


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (
        one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))
    )


FIELDS = (Field("id", Scalar("integer")), *(Field(name, type) for name, type in TYPES.items()))


def found_values(
    spark: Any, file: Path, format: str, **options: Any
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a file's rows, by their number: the values of each, and what was rescued."""
    columns = [
        f"CAST({quote(name)} AS STRING) AS {quote(name)}"
        if name in ("date", "timestamp", "timestamp_ntz")
        else quote(name)
        for name in TYPES
    ]
    rows = read_files(spark, [str(file)], FileSource(format, str(file.parent), FIELDS, options))
    found = []
    for row in rows.selectExpr("id", *columns, "carlton_rescued").orderBy("id").collect():
        values = row.asDict()
        for name in ("date", "timestamp", "timestamp_ntz"):
            if values[name]:
                values[name] = (
                    dt.date.fromisoformat(values[name])
                    if name == "date"
                    else dt.datetime.fromisoformat(values[name])
                )
        found.append((values, json.loads(row["carlton_rescued"]) if row["carlton_rescued"] else {}))
    return found


@pytest.mark.spark
@settings(max_examples=2, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(seed=st.integers(0, 2**32))
def test_texts_near_the_borders_are_what_they_say_or_are_rescued_in_every_way_to_read(
    spark: Any, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw, folder = random.Random(seed), tmp_path_factory.mktemp("values")
    records = [
        {
            name: (SEEDS[name][number] if number < len(SEEDS[name]) else variation(draw, name))
            or "?"
            for name in TYPES
        }
        for number in range(400)
    ]
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(["id", *TYPES])
        writer.writerows([number, *record.values()] for number, record in enumerate(records))
    (folder / "a.json").write_text(
        "".join(
            json.dumps({"id": number, **record}, ensure_ascii=number % 2 == 0) + "\n"
            for number, record in enumerate(records)
        ),
        encoding="utf-8",
    )
    pq.write_table(
        pa.Table.from_pylist([{"id": number, **record} for number, record in enumerate(records)]),
        folder / "a.parquet",
    )
    ways = {
        format: found_values(spark, folder / f"a.{format}", format)
        for format in ("csv", "json", "parquet")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_files, "LARGE_FILE_BYTES", 0)
        ways["csv by Arrow"] = found_values(spark, folder / "a.csv", "csv")
    wrong = [
        (way, name, record[name], values[name], kept.get(name), oracle(name, record[name]))
        for way, found in ways.items()
        for record, (values, kept) in zip(records, found, strict=True)
        for name in TYPES
        if not same(values[name], oracle(name, record[name]))
        or (values[name] is None) != (kept.get(name) == record[name])
    ]
    if (
        spark.version < "4.1"
    ):  # a zero with a large exponent is none there, so that it is rescued, as the docs say
        wrong = [
            each
            for each in wrong
            if not (
                each[3] is None and each[4] == each[2] and re.match(r"\s*[+-]?[0.]+[eE]", each[2])
            )
        ]
    assert wrong == []


@pytest.mark.spark
def test_numbers_of_json_are_what_their_texts_are(spark: Any, tmp_path: Path) -> None:
    numbers = [
        "0",
        "-0",
        "1",
        "1.0",
        "1.50",
        "1.505",
        "1e2",
        "1E-2",
        "-7",
        "127",
        "128",
        "2147483648",
        "9223372036854775808",
        "9999999.99",
        "10000000.00",
        "1e400",
        "1e-400",
        "4.9e-324",
        "0.1",
        "1e-46",
        "12345678901234567890.12",
        "0.1234567890123456789",
        "1.230000000000000000000000000000000000000000",
    ]
    names = [*RANGES.keys() & TYPES.keys(), "decimal", "double", "float"]
    lines = [
        "{" + ",".join([f'"id":{number}', *(f'"{name}":{text}' for name in names)]) + "}\n"
        for number, text in enumerate(numbers)
    ]
    lines += [
        f'{{"id":{len(numbers) + 100 * at + number},"{name}":{text}}}\n'
        for at, name in enumerate(names)
        for number, text in enumerate(numbers)
    ]
    (tmp_path / "a.json").write_text("".join(lines), encoding="utf-8")
    for large in (large_files.LARGE_FILE_BYTES, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large_files, "LARGE_FILE_BYTES", large)
            found = {
                values["id"]: (values, kept)
                for values, kept in found_values(spark, tmp_path / "a.json", "json")
            }
        wrong = [
            (large, name, text, values[name])
            for at, name in enumerate(names)
            for number, text in enumerate(numbers)
            for values, kept in (found[number], found[len(numbers) + 100 * at + number])
            if not same(values[name], oracle(name, text))
            or (values[name] is None) != (name in kept)
        ]
        assert wrong == []


def test_the_oracle_and_the_table_say_the_same_of_the_tables_examples() -> None:
    for name in TYPES:
        assert [text for text in FORM_BY_TYPE[name].accepted if oracle(name, text) is None] == []
        assert [text for text in FORM_BY_TYPE[name].refused if oracle(name, text) is not None] == []
    assert all(
        re.fullmatch(form.pattern, text) for form in ACCEPTED_FORMS for text in form.accepted
    )


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(sorted(TYPES)))
def test_what_the_oracle_takes_has_the_form_of_its_type(seed: int, name: str) -> None:
    text = variation(random.Random(seed), name)
    assert oracle(name, text) is None or re.fullmatch(FORM_BY_TYPE[name].pattern, text), text


def test_the_page_of_the_docs_is_the_table() -> None:
    assert (Path(__file__).parents[2] / "docs" / "values.md").read_text(
        encoding="utf-8"
    ) == values_page()


@pytest.mark.spark
def test_a_union_of_avro_gives_its_value_as_the_field_asks(spark: Any) -> None:
    fields = (Field("id"), Field("t"), Field("n", Scalar("integer")), Field("o"))
    rows = (
        read_files(
            spark,
            [str(Path(__file__).parents[1] / "avro" / "union.avro")],
            FileSource("avro", "", fields),
        )
        .orderBy("id")
        .collect()
    )
    assert [(row["id"], row["t"], row["n"], row["o"]) for row in rows][:2] == [
        ("1", "x", 5, "y"),
        ("2", "7", 12, None),
    ]
    assert rows[2]["n"] is None and json.loads(rows[2]["carlton_rescued"])["n"] == "zz"


@pytest.mark.spark
def test_columns_of_parquet_that_are_of_another_type_stay_what_they_are_or_are_rescued(
    spark: Any, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moments = pa.array(
        [dt.datetime(2026, 1, 5, 10), dt.datetime(2026, 1, 6)], pa.timestamp("us", "UTC")
    )
    columns = {  # what is there, the contract's type, the values as texts, which are rescued
        "exact": (pa.array([1.5, 0.1]), Scalar("float"), ["1.5", None]),
        "wider": (
            pa.array([1.1, math.nan], pa.float32()),
            Scalar("double"),
            ["1.100000023841858", "NaN"],
        ),
        "finer": (pa.array([0.1234567890123, 1e300]), Scalar("float"), [None, None]),
        "wide": (pa.array([2**53, 2**53 + 1]), Scalar("double"), ["9.007199254740992E15", None]),
        "widest": (pa.array([2**62, 2**63 - 1]), Scalar("double"), ["4.6116860184273879E18", None]),
        "digits": (
            pa.array([Decimal("1.10"), Decimal("12345678901234567890.12")]),
            Scalar("double"),
            ["1.1", None],
        ),
        "scale": (
            pa.array([Decimal("1.50"), Decimal("1.55")]),
            Scalar("decimal", 5, 1),
            ["1.5", None],
        ),
        "large": (pa.array([5, 300], pa.int64()), Scalar("byte"), ["5", None]),
        "days": (pa.array([19000, 20240105]), Scalar("date"), [None, None]),
        "unsigned": (pa.array([1, 2**32 - 1], pa.uint32()), Scalar("integer"), ["1", None]),
        "instant": (moments, Scalar("timestamp_ntz"), [None, None]),
        "day": (moments, Scalar("date"), [None, None]),
        "bytes": (pa.array([b"caf\xc3\xa9", b"caf\xe9"]), Scalar("string"), ["caf\u00e9", None]),
        "number": (pa.array(["1,5", "1.5"]), Scalar("double"), [None, "1.5"]),
        "truth": (pa.array([1, 2]), Scalar("boolean"), ["true", None]),
    }
    pq.write_table(
        pa.table({name: array for name, (array, _, _) in columns.items()}), tmp_path / "a.parquet"
    )
    source = FileSource(
        "parquet", str(tmp_path), tuple(Field(name, type) for name, (_, type, _) in columns.items())
    )
    rows = (
        read_files(spark, [str(tmp_path / "a.parquet")], source)
        .selectExpr(
            *(f"CAST({quote(name)} AS STRING) AS {quote(name)}" for name in columns),
            "carlton_rescued",
        )
        .collect()
    )
    kept = [json.loads(row["carlton_rescued"]) for row in rows]
    assert {name: [row[name] for row in rows] for name in columns} == {
        name: expected for name, (_, _, expected) in columns.items()
    }
    assert [{name for name in columns if name in one} for one in kept] == [
        {name for name, (_, _, expected) in columns.items() if expected[number] is None}
        for number in range(2)
    ]
    assert kept[0]["instant"] == "2026-01-05 10:00:00Z" and kept[1]["bytes"] == "Y2Fm6Q=="


INTEGER, LONG, DOUBLE, STRING = (
    Scalar("integer"),
    Scalar("long"),
    Scalar("double"),
    Scalar("string"),
)


def listed(type: DataType) -> Array:
    return Array(Field("e", type))


def texts(type: DataType) -> Map:
    return Map(Field("k"), Field("v", type))


def members(**types: DataType) -> Struct:
    return Struct(tuple(Field(name, type) for name, type in types.items()))


def found_in(
    spark: Any, file: Path, format: str, types: dict[str, DataType]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a file's rows as they lie in it.

    The values of each as Python has them, moments as texts, and what was rescued.
    """
    rows = read_files(
        spark,
        [str(file)],
        FileSource(
            format, str(file.parent), tuple(Field(name, type) for name, type in types.items())
        ),
    )
    columns = [
        f"CAST({quote(name)} AS STRING) AS {quote(name)}"
        if type in (Scalar("date"), Scalar("timestamp"), Scalar("timestamp_ntz"))
        else quote(name)
        for name, type in types.items()
    ]
    found = [
        row.asDict(recursive=True) for row in rows.selectExpr(*columns, "carlton_rescued").collect()
    ]
    return [
        (
            {name: row[name] for name in types},
            {
                name: text
                for name, text in json.loads(row["carlton_rescued"] or "{}").items()
                if name != "_file_path"
            },
        )
        for row in found
    ]


@pytest.mark.spark
def test_moments_of_parquet_in_nanoseconds_are_what_they_say_at_any_depth(
    spark: Any, tmp_path: Path
) -> None:
    """As pandas writes them.

    A moment before 1970, and one whose digits behind the sixth are not zeros.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    nanos = [1767225600123456000, -1000, 1767225600123456789, None]
    plain, zoned = (
        pa.array(nanos, pa.timestamp("ns")),
        pa.array(nanos, pa.timestamp("ns", "America/Sao_Paulo")),
    )
    columns = {
        "id": pa.array(range(4), pa.int32()),
        "local": plain,
        "instant": zoned,
        "crossed": zoned,
        "text": plain,
        "number": pa.array(nanos, pa.int64()),
        "parts": pa.array(
            [[{"at": one}] for one in nanos], pa.list_(pa.struct([("at", pa.timestamp("ns"))]))
        ),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    parts = Array(Field("element", Struct((Field("at", Scalar("timestamp_ntz")),))))
    types = {
        "id": Scalar("integer"),
        "local": Scalar("timestamp_ntz"),
        "instant": Scalar("timestamp"),
        "crossed": Scalar("timestamp_ntz"),
        "text": Scalar("string"),
        "number": Scalar("long"),
        "parts": parts,
    }
    source = FileSource(
        "parquet", str(tmp_path), tuple(Field(name, type) for name, type in types.items())
    )
    rows = (
        read_files(spark, [str(tmp_path / "a.parquet")], source)
        .orderBy("id")
        .selectExpr(
            *(
                f"CAST({name} AS STRING)"
                for name in ("local", "instant", "crossed", "text", "number", "parts[0].at")
            ),
            "carlton_rescued",
        )
        .collect()
    )
    there = ["2026-01-01 00:00:00.123456", "1969-12-31 23:59:59.999999", None, None]
    texts = [
        "2026-01-01 00:00:00.123456000",
        "1969-12-31 23:59:59.999999000",
        "2026-01-01 00:00:00.123456789",
        None,
    ]
    assert [tuple(row)[:-1] for row in rows] == [
        (moment, moment, None, text, str(number) if number else None, moment)
        for moment, text, number in zip(there, texts, nanos, strict=True)
    ]
    kept = [json.loads(row["carlton_rescued"] or "{}") for row in rows]
    assert [one.get("crossed") for one in kept] == [
        f"{text}Z" if text else None for text in texts
    ] and kept[3] == {}
    assert (kept[2]["local"], kept[2]["instant"], json.loads(kept[2]["parts"])) == (
        texts[2],
        f"{texts[2]}Z",
        [{"at": texts[2]}],
    )


@pytest.mark.spark
def test_parts_of_nested_columns_of_parquet_follow_the_rules_of_columns(
    spark: Any, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment, day = dt.datetime(2026, 1, 1, 0, 0, 0, 123456, dt.UTC), dt.date(2026, 1, 1)
    zoned, bare = pa.timestamp("us", "UTC"), pa.timestamp("us")
    naive = moment.replace(tzinfo=None)
    columns: dict[
        str, tuple[pa.Array, DataType, Any, Any]
    ] = {  # what is there, the contract's type, the value, what is rescued
        "smaller": (
            pa.array([{"ts": moment, "n": 1}], pa.struct([("ts", zoned), ("n", pa.int64())])),
            members(ts=Scalar("timestamp"), n=INTEGER),
            {"ts": naive, "n": 1},
            None,
        ),
        "turned": (
            pa.array([{"n": 1, "ts": moment}], pa.struct([("n", pa.int32()), ("ts", zoned)])),
            members(ts=Scalar("timestamp"), n=INTEGER),
            {"ts": naive, "n": 1},
            None,
        ),
        "zone": (pa.array([[naive]], pa.list_(bare)), listed(Scalar("timestamp")), [naive], None),
        "no_zone": (
            pa.array([[moment]], pa.list_(zoned)),
            listed(Scalar("timestamp_ntz")),
            None,
            '["2026-01-01 00:00:00.123456Z"]',
        ),
        "finer": (pa.array([[0.1]]), listed(Scalar("float")), None, "[0.1]"),
        "large": (pa.array([[2**53 + 1]]), listed(DOUBLE), None, "[9007199254740993]"),
        "wider": (
            pa.array([[1.5, None]], pa.list_(pa.float32())),
            listed(DOUBLE),
            [1.5, None],
            None,
        ),
        "point": (pa.array([[1.0]]), listed(LONG), None, "[1.0]"),
        "bytes": (pa.array([[b"abc"]]), listed(STRING), ["abc"], None),
        "no_text": (pa.array([[b"abc", b"\xff"]]), listed(STRING), None, '["YWJj","/w=="]'),
        "deep": (
            pa.array(
                [[{"a": [1, 2], "b": {"x": moment}}]],
                pa.list_(
                    pa.struct([("a", pa.list_(pa.int64())), ("b", pa.struct([("x", zoned)]))])
                ),
            ),
            listed(members(a=listed(INTEGER), b=texts(Scalar("timestamp")), c=STRING)),
            [{"a": [1, 2], "b": {"x": naive}, "c": None}],
            None,
        ),
        "unknown": (
            pa.array([{"a": "1", "z": moment}], pa.struct([("a", pa.string()), ("z", zoned)])),
            members(a=INTEGER),
            {"a": 1},
            '{"z":"2026-01-01 00:00:00.123456Z"}',
        ),
        "unknown_within": (
            pa.array([[{"a": 1, "z": 1}]]),
            listed(members(a=INTEGER)),
            None,
            '[{"a":1,"z":1}]',
        ),
        "days": (
            pa.array([[(day, 1)]], pa.map_(pa.date32(), pa.int64())),
            Map(Field("k", Scalar("date")), Field("v", INTEGER)),
            {day: 1},
            None,
        ),
        "days_text": (
            pa.array([[(day, 1)]], pa.map_(pa.date32(), pa.int64())),
            STRING,
            '{"2026-01-01":1}',
            None,
        ),
        "one_key": (
            pa.array([[("1", "a"), ("01", "b")]], pa.map_(pa.string(), pa.string())),
            Map(Field("k", INTEGER), Field("v")),
            None,
            '{"1":"a","01":"b"}',
        ),
        "to_map": (pa.array([{"a": 1, "b": None}]), texts(INTEGER), {"a": 1}, None),
        "from_map": (
            pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
            members(a=INTEGER, b=STRING),
            {"a": 1, "b": None},
            None,
        ),
        "more_keys": (
            pa.array([[("a", 1), ("z", 2)]], pa.map_(pa.string(), pa.int64())),
            members(a=INTEGER),
            {"a": 1},
            '{"z":2}',
        ),
        "no_list": (pa.array([1]), listed(INTEGER), None, "1"),
        "said": (pa.array(["[1,2]"]), listed(INTEGER), [1, 2], None),
        "nothing": (pa.array([None], pa.list_(pa.int64())), listed(INTEGER), None, None),
        "odd": (
            pa.array([{"": 1, "${x}": 2, "a\nb": 3}]),
            STRING,
            '{"":1,"${x}":2,"a\\nb":3}',
            None,
        ),
    }
    extra = {
        "": pa.array([moment], zoned),
        "${x}": pa.array([[{"": naive}]], pa.list_(pa.struct([("", bare)]))),
        "a\nb": pa.array([1]),
    }
    pq.write_table(
        pa.table({**{name: there for name, (there, *_) in columns.items()}, **extra}),
        tmp_path / "a.parquet",
    )
    ((values, kept),) = found_in(
        spark,
        tmp_path / "a.parquet",
        "parquet",
        {name: type for name, (_, type, *_) in columns.items()},
    )
    assert values == {name: value for name, (_, _, value, _) in columns.items()}
    rest = {
        f"_c{len(columns)}": "2026-01-01 00:00:00.123456Z",
        "${x}": '[{"":"2026-01-01 00:00:00.123456"}]',
        "a\nb": "1",
    }
    assert kept == {name: text for name, (*_, text) in columns.items() if text is not None} | rest


@pytest.mark.spark
def test_what_no_reader_of_a_table_could_give_is_rescued_from_columns_of_its_own_type_at_any_depth(
    spark: Any, tmp_path: Path
) -> None:
    """Days and moments outside the years of the table of values.

    Bytes that are no text, of which base 64 may look like a number; a key that stands twice, of
    another type.
    """
    import pyarrow as pa
    from pyarrow import parquet

    texts = pa.Array.from_buffers(
        pa.string(),
        3,
        [
            None,
            pa.py_buffer(b"".join(place.to_bytes(4, "little") for place in (0, 2, 4, 7))),
            pa.py_buffer(b"ok\xff\xfe\xd7m\xf8"),
        ],
    )
    days = pa.array([2932896, 2932897, -719163], pa.int32()).cast(pa.date32())
    moments = pa.array([0, 253402300800000000, 2**63 - 1], pa.timestamp("us", "UTC"))
    twice = pa.array(
        [[("a", 1)], [("a", 1), ("a", 2)], [("a", 2), ("a", 1)]], pa.map_(pa.string(), pa.int64())
    )
    columns = {
        "n": texts,
        "b": pa.array([b"7", b"\xff", b"\xd7m\xf8"]),
        "d": days,
        "ts": moments,
        "a": pa.ListArray.from_arrays([0, 1, 2, 3], days),
        "o": pa.StructArray.from_arrays([pa.array(["x"] * 3), days], ["x", "y"]),
        "m": twice,
        "extra": texts,
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    fields = (
        Field("n", Scalar("integer")),
        Field("b", Scalar("integer")),
        Field("d", Scalar("date")),
        Field("ts", Scalar("timestamp")),
        Field("a", Array(Field("element", Scalar("date")))),
        Field("o", Struct((Field("x"), Field("y", Scalar("date"))))),
        Field("m", Map(Field("key"), Field("value", Scalar("integer")))),
    )
    rows = read_files(spark, [f"file:{tmp_path}/a.parquet"], FileSource("parquet", "", fields))
    first, *others = rows.selectExpr(
        "n",
        "b",
        "CAST(d AS STRING) AS d",
        "CAST(ts AS STRING) AS ts",
        "to_json(a) AS a",
        "to_json(o) AS o",
        "to_json(m) AS m",
        "carlton_rescued",
    ).collect()
    assert first.asDict() | {"carlton_rescued": ""} == {
        "n": None,
        "b": 7,
        "d": "9999-12-31",
        "ts": "1970-01-01 00:00:00",
        "a": '["9999-12-31"]',
        "o": '{"x":"x","y":"9999-12-31"}',
        "m": '{"a":1}',
        "carlton_rescued": "",
    }
    told = [
        {
            name: text
            for name, text in json.loads(row["carlton_rescued"]).items()
            if name != "_file_path"
        }
        for row in others
    ]
    assert all(row[item.column] is None for row in others for item in fields)
    assert told[0] == {
        "n": "//4=",
        "b": "/w==",
        "d": "+10000-01-01",
        "ts": "+10000-01-01 00:00:00Z",
        "a": '["+10000-01-01"]',
        "o": '{"x":"x","y":"+10000-01-01"}',
        "m": '{"a":1,"a":2}',
        "extra": "//4=",
    }
    assert (told[1]["n"], told[1]["b"], told[1]["d"], told[1]["m"]) == (
        "1234",
        "1234",
        "0000-12-31",
        '{"a":2,"a":1}',
    )


def test_unions_of_avro_at_any_depth_times_and_nanoseconds_are_what_they_say(
    spark: Any, tmp_path: Path
) -> None:
    day, moment = (
        {"type": "int", "logicalType": "date"},
        {"type": "long", "logicalType": "timestamp-micros"},
    )
    clock, nanos = (
        {"type": "int", "logicalType": "time-millis"},
        {"type": "long", "logicalType": "timestamp-nanos"},
    )
    record = {
        "type": "record",
        "name": "part",
        "fields": [{"name": "x", "type": ["int", "string"]}],
    }
    looks_like = {
        "type": "record",
        "name": "pair",
        "fields": [
            {"name": "member0", "type": "int"},
            {"name": "member1", "type": ["null", "string"]},
        ],
    }
    some = ["null", "int", "string"]
    columns: dict[
        str, tuple[Any, Any, DataType, Any, Any]
    ] = {  # the type there, the value there, the contract's type, the value, what is rescued
        "widened": (["null", {"type": "int"}, {"type": "long"}], (1, 7), INTEGER, 7, None),
        "day": ([day, "long"], (0, 20454), Scalar("date"), "2026-01-01", None),
        "day_or_number": ([day, "long"], (1, 20454), Scalar("date"), None, "20454"),
        "no_number": (["long", day], (1, 20454), LONG, None, "2026-01-01"),
        "moment_or_number": (
            ["int", moment],
            (1, 1),
            Scalar("timestamp"),
            "1970-01-01 00:00:00.000001",
            None,
        ),
        "list": (
            {"type": "array", "items": some},
            [(1, 1), (2, "x"), (0, None)],
            listed(STRING),
            ["1", "x", None],
            None,
        ),
        "numbers": (
            {"type": "array", "items": some},
            [(1, 1), (2, "x"), (0, None)],
            listed(INTEGER),
            None,
            '[1,"x",null]',
        ),
        "as_text": ({"type": "array", "items": some}, [(1, 1), (2, "x")], STRING, '[1,"x"]', None),
        "map": (
            {"type": "map", "values": ["int", "string"]},
            {"k": (0, 1), "j": (1, "2")},
            texts(INTEGER),
            {"k": 1, "j": 2},
            None,
        ),
        "record": (record, {"x": (1, "s")}, members(x=STRING), {"x": "s"}, None),
        "again": (
            {"type": "array", "items": "part"},
            [{"x": (0, 5)}],
            listed(members(x=STRING)),
            [{"x": "5"}],
            None,
        ),
        "far": (
            ["string", "of.kinds.part"],
            (1, {"x": (0, 5)}),
            members(x=INTEGER),
            {"x": 5},
            None,
        ),
        "no_union": (
            looks_like,
            {"member0": 1, "member1": (0, None)},
            STRING,
            '{"member0":1}',
            None,
        ),
        "bytes": (["bytes", "string"], (0, b"\xff"), STRING, None, "/w=="),
        "long": (["double", "long"], (1, 2**53 + 1), DOUBLE, None, "9007199254740993"),
        "double": (["double", "long"], (0, 0.1), DOUBLE, 0.1, None),
        "none": ("null", None, STRING, None, None),
        "clock": (clock, 36000005, STRING, "10:00:00.005", None),
        "clock_number": (clock, 36000005, INTEGER, 36000005, None),
        "clocks": ({"type": "array", "items": clock}, [1], listed(STRING), ["00:00:00.001"], None),
        "micros": (
            {"type": "long", "logicalType": "time-micros"},
            86399999999,
            Scalar("time"),
            "23:59:59.999999",
            None,
        ),
        "no_clock": (clock, 86400000, STRING, None, "86400000"),
        "nanos": (
            nanos,
            1767225600123456000,
            Scalar("timestamp"),
            "2026-01-01 00:00:00.123456",
            None,
        ),
        "finer": (nanos, -1, Scalar("timestamp"), None, "1969-12-31 23:59:59.999999999Z"),
        "float": ("float", 1.5, DOUBLE, 1.5, None),
        "date": (day, 20454, STRING, "2026-01-01", None),
    }
    (tmp_path / "a.avro").write_bytes(
        avro(
            {name: said for name, (said, *_) in columns.items()},
            [{name: there for name, (_, there, *_) in columns.items()}],
            "of.kinds",
        )
    )
    ((values, kept),) = found_in(
        spark,
        tmp_path / "a.avro",
        "avro",
        {name: type for name, (_, _, type, *_) in columns.items()},
    )
    assert values == {name: value for name, (*_, value, _) in columns.items()}
    assert kept == {name: text for name, (*_, text) in columns.items() if text is not None}


ALIASED = (
    Field("id"),
    Field("amount", Scalar("integer"), properties={"aliases": ["value", "sum"]}),
    Field("city", properties={"aliases": ["town"]}),
)


@pytest.mark.spark
@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_a_column_under_a_former_name_fills_the_field_and_of_both_the_present_name_wins(
    spark: Any, tmp_path: Path, format: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = {
        "old": {"id": "1", "Value": "7", "town": "Rio"},
        "both": {"id": "2", "sum": "8", "amount": "9", "city": "Recife"},
        "bad": {"id": "3", "sum": "x", "town": "Natal"},
    }
    paths = []
    for name, record in files.items():
        path = tmp_path / f"{name}.{format}"
        if format == "parquet":
            pq.write_table(pa.Table.from_pylist([record]), path)
        else:
            path.write_text(
                json.dumps(record) + "\n"
                if format == "json"
                else ",".join(record) + "\n" + ",".join(record.values()) + "\n",
                encoding="utf-8",
            )
        paths.append(str(path))
    assert header_reason(("town", "sum"), FileSource("csv", "", ALIASED)) == "" and header_reason(
        ("town", "sum"), FileSource("csv", "", FIELDS)
    )
    for large in (large_files.LARGE_FILE_BYTES, 0) if format != "parquet" else (0,):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large_files, "LARGE_FILE_BYTES", large)
            rows = (
                read_files(spark, paths, FileSource(format, str(tmp_path), ALIASED))
                .orderBy("id")
                .collect()
            )
        kept = [
            {
                name: text
                for name, text in json.loads(row["carlton_rescued"] or "{}").items()
                if name != "_file_path"
            }
            for row in rows
        ]
        assert [(row["id"], row["amount"], row["city"]) for row in rows] == [
            ("1", 7, "Rio"),
            ("2", 9, "Recife"),
            ("3", None, "Natal"),
        ]
        assert kept == [{}, {"sum": "8"}, {"amount": "x"}]


@pytest.mark.spark
def test_an_absent_value_breaks_no_rule_but_required(spark: Any) -> None:
    quality = tuple(
        Quality("library", metric="invalidValues", must=(Threshold("mustBe", 0),), arguments=said)
        for said in ({"validValues": ["a"]}, {"pattern": "a"}, {"minLength": 1})
    )
    sql = (
        Quality("sql", name="condition", query="v = 'a'"),
        Quality(
            "sql",
            name="counted",
            query="SELECT COUNT(*) FROM m WHERE v <> 'a'",
            must=(Threshold("mustBe", 0),),
        ),
        Quality(
            "sql",
            name="not_kept",
            query="SELECT COUNT(*) FROM m WHERE NOT (v = 'a')",
            must=(Threshold("mustBe", 0),),
        ),
    )
    missing = (Quality("library", metric="nullValues", must=(Threshold("mustBe", 0),)),)
    v = Field(
        "v",
        pattern="a",
        format="email",
        enum=("a",),
        min_length=1,
        max_length=2,
        quality=(*quality, *missing),
    )
    model = Model(
        "m",
        (
            v,
            Field("n", Scalar("integer"), minimum=1, maximum=2, exclusive_minimum=0, enum=(1,)),
            Field("r", required=True),
        ),
        quality=sql,
    )
    found = [rule for rule in rules(Contract("c", models=(model,)), model) if rule.is_row_rule]
    row = spark.sql(
        "SELECT CAST(NULL AS STRING) AS v, CAST(NULL AS INT) AS n, CAST(NULL AS STRING) AS "
        "r, CAST(NULL AS STRING) AS carlton_rescued"
    )
    kept = (
        row.selectExpr(*(f"{is_rule_satisfied_sql(rule)} AS `{rule.id}`" for rule in found))
        .first()
        .asDict()
    )
    assert len(found) >= 14 and {name for name, is_true in kept.items() if not is_true} == {
        "r.required",
        "v.nullvalues",
    }
