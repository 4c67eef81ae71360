"""Raw files of every format, clean and dirty, become rows of the contract.

By name, without losing a digit or a row.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from whole_files import read_files

from datamaster_kit.contract.model import Array, Field, Scalar, Struct
from datamaster_kit.targets.base import FileSource

pytestmark = pytest.mark.spark
FIELDS = (
    Field("code"),
    Field("amount", Scalar("decimal", 18, 2)),
    Field("count", Scalar("integer")),
    Field("day", Scalar("date")),
    Field("is open", Scalar("boolean")),
)


def rows(spark, folder: Path, format: str, fields=FIELDS, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of a folder's files, the rescued text as a mapping without the file's
    path.
    """
    files = sorted(str(path) for path in folder.iterdir())
    found = read_files(spark, files, FileSource(format, str(folder), fields, options))
    result = []
    for row in found.collect() if found is not None else []:
        rescued = json.loads(row["carlton_rescued"]) if row["carlton_rescued"] else {}
        assert not rescued or rescued.pop("_file_path").startswith("file:")
        result.append({**{field.column: row[field.column] for field in fields}, "rescued": rescued})
    return result


def csv_rows(spark, tmp_path: Path, text: str | bytes, **options: Any) -> list[dict[str, Any]]:
    (tmp_path / "file.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return rows(spark, tmp_path, "csv", **options)


def row(
    code=None, amount=None, count=None, day=None, is_open=None, **rescued: Any
) -> dict[str, Any]:
    return {
        "code": code,
        "amount": Decimal(amount) if amount else None,
        "count": count,
        "day": day,
        "is open": is_open,
        "rescued": rescued,
    }


def test_columns_are_matched_by_name_in_any_order_and_case(spark, tmp_path: Path) -> None:
    found = csv_rows(spark, tmp_path, "Count, AMOUNT ,is open,code\n3,1.50,true,007\n")
    assert found == [row("007", "1.50", 3, None, True)]


def test_extra_columns_are_rescued_and_missing_ones_are_null(spark, tmp_path: Path) -> None:
    assert csv_rows(spark, tmp_path, "code,note\n1,hello\n2,\n") == [
        row("1", note="hello"),
        row("2"),
    ]


@pytest.mark.parametrize(
    "column, text",
    [
        ("count", "1.5"),
        ("count", "3000000000"),
        ("count", "one"),
        ("amount", "1.239"),
        ("amount", "1e99"),
        ("day", "2026-02-30"),
        ("day", "2026"),
        ("is open", "maybe"),
    ],
)
def test_what_does_not_fit_its_type_is_rescued_and_not_rounded(
    spark, tmp_path: Path, column: str, text: str
) -> None:
    assert csv_rows(spark, tmp_path, f"code,{column}\n1,{text}\n") == [
        row("1") | {"rescued": {column: text}}
    ]


def test_quoted_line_breaks_delimiters_and_quotes_stay_in_their_cell(spark, tmp_path: Path) -> None:
    assert csv_rows(spark, tmp_path, 'code,count\n"a ""b"",\nc",2\n') == [row('a "b",\nc', count=2)]


def test_a_byte_order_mark_is_not_part_of_a_name(spark, tmp_path: Path) -> None:
    assert csv_rows(spark, tmp_path, b"\xef\xbb\xbfcode,count\n1,2\n") == [row("1", count=2)]


def test_other_delimiters_and_encodings_are_read_as_the_contract_says(
    spark, tmp_path: Path
) -> None:
    assert csv_rows(
        spark,
        tmp_path,
        "code;count\ncafé;2\n".encode("latin-1"),
        delimiter=";",
        encoding="ISO-8859-1",
    ) == [row("café", count=2)]


def test_a_malformed_line_keeps_its_text_and_moves_no_value(spark, tmp_path: Path) -> None:
    found = csv_rows(spark, tmp_path, "code,count\n1,2,3\n4\n5,6\n")
    assert [item["rescued"].get("_corrupt_record") for item in found] == ["1,2,3", "4", None]
    assert [item["code"] for item in found] == [None, None, "5"]


def test_duplicate_headers_keep_both_values(spark, tmp_path: Path) -> None:
    assert csv_rows(spark, tmp_path, "code,code\na,b\n") == [row("a", code_2="b")]


def test_empty_and_header_only_files_give_no_row(spark, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text("code,count\n")
    assert rows(spark, tmp_path, "csv") == []


def test_csv_as_it_is_written_keeps_each_record_and_each_character(spark, tmp_path: Path) -> None:
    """Another quote, lone carriage returns and bytes 0 within quotes, lines of blanks, records of
    blank cells, line ends that are said: the cells of each record, None where there is nothing, or
    the text of a malformed one.
    """
    fields, latin = (
        (Field("id"), Field("t"), Field("n", Scalar("integer"))),
        b"   \nid,t,n\n \n1,\xe9,1\n",
    )
    cases: list[tuple[str | bytes, dict[str, Any], list[tuple[Any, ...]]]] = [
        (
            "id,t,n\n1,'5\"',1\n2,'x',2\n3,'it''s',3\n4,it's,4\n",
            {"quote": "'"},
            [("1", '5"', 1), ("2", "x", 2), ("3", "it's", 3), ("4", "it's", 4)],
        ),
        (
            "id,t,n\n1,'a''b\nc',1\n2,'5\"',2\n",
            {"quote": "'", "escape": ""},
            [("1", "a'b\nc", 1), ("2", '5"', 2)],
        ),
        ('id,t,n\n1,"a\rb",1\n2,x,2\n', {}, [("1", "a\rb", 1), ("2", "x", 2)]),
        ('id,n,t\n1,1,"a\rb"\n2,2,x\n', {}, [("1", "a\rb", 1), ("2", "x", 2)]),
        ('id,t,n\r1,a,1\r2,"b\rc",2\r', {}, [("1", "a", 1), ("2", "b\rc", 2)]),
        (
            'id,t,n\n1, "a\r\nb",1\n2,  "c\rd",2\r\n3,e , 3\n',
            {"ignoreLeadingWhiteSpace": True},
            [("1", "a\r\nb", 1), ("2", "c\rd", 2), ("3", "e ", 3)],
        ),
        (
            "id\tt\tn\n1\ta\t1\n\t\t\n\t \t\n   \n\n2\tb\t2\n",
            {"delimiter": "\t"},
            [("1", "a", 1), (None, None, None), (None, " ", None), ("2", "b", 2)],
        ),
        (
            "id\tt\tn\r\n1\ta\t1\r\n\t\t\r\n\r\n",
            {"delimiter": "\t"},
            [("1", "a", 1), (None, None, None)],
        ),
        (
            'id\tt\tn\n1\t"a\nb"\t1\n\t\t\n   \n',
            {"delimiter": "\t"},
            [("1", "a\nb", 1), (None, None, None)],
        ),
        ("   \nid,t,n\n \t\n1,a,1\n", {}, [("1", "a", 1)]),
        ('\n  \nid,t,n\n   \n1,"a\nb",1\n \n2,b,2\n  ', {}, [("1", "a\nb", 1), ("2", "b", 2)]),
        ('\ufeff  \nid,t,n\n1,"a\nb",1\n', {}, [("1", "a\nb", 1)]),
        (latin, {"encoding": "latin-1"}, [("1", "\u00e9", 1)]),
        ("id,t,n\r\n1,a,1\r\n2,b,2\r\n", {"lineSep": "\r\n"}, [("1", "a", 1), ("2", "b", 2)]),
        ("id,t,n\r1,a,1\r2,b,2\r", {"lineSep": "\r"}, [("1", "a", 1), ("2", "b", 2)]),
        (
            'id,t,n\n"1\0",\0,1\n2,"\0""q",2\n"3","z\0",3\n',
            {},
            [("1\0", "\0", 1), ("2", '\0"q', 2), ("3", "z\0", 3)],
        ),
        ('id,t,n\n1,"a\0\nb",1\n2,"\0""q""\0",2\n', {}, [("1", "a\0\nb", 1), ("2", '\0"q"\0', 2)]),
        (
            "id::t::n\n'1\0'::'\0''q\n'::1\n",
            {"quote": "'", "delimiter": "::"},
            [("1\0", "\0'q\n", 1)],
        ),
        (
            'id,t,n\n1,"a\0\\\\\0",1\n2,"\0\\"\n",2\n',
            {"escape": "\\"},
            [("1", "a\0\\\0", 1), ("2", '\0"\n', 2)],
        ),
    ]
    for text, options, expected in cases:
        found = csv_rows(spark, tmp_path, text, fields=fields, **options)
        assert [(each["id"], each["t"], each["n"]) for each in found] == expected and not any(
            each["rescued"] for each in found
        ), text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be", "cp037", "gb18030"])
def test_a_packed_file_that_is_cut_off_ends_with_its_last_whole_line(
    spark, tmp_path: Path, encoding: str
) -> None:
    fields, packed = (
        (Field("id"), Field("t")),
        gzip.compress("id,t\n1,a\n2,b\n9,zzzzzzzzzzzzzzzzz\n".encode(encoding)),
    )
    (tmp_path / "a.csv.gz").write_bytes(packed[:-12])
    found = rows(spark, tmp_path, "csv", fields, encoding=encoding)
    assert [each["id"] for each in found] == ["1", "2", None] and "cut off" in found[-1]["rescued"][
        "_unreadable"
    ]


def test_what_a_format_would_cut_off_or_shift_is_rescued(spark, tmp_path: Path) -> None:
    cases = [
        (
            "timestamp",
            "timestampFormat",
            "yyyy-MM-dd HH:mm:ss.SSSSSSSSS",
            ["2026-01-05 10:30:00.123456000", "2026-01-05 10:30:00.1234", "2026-01-05 10:30:00.5"],
            ["2026-01-05 10:30:00.123456789", "2026-01-05 10:30:00.1234567"],
        ),
        (
            "timestamp",
            "timestampFormat",
            "yyyyMMddHHmmss,SSSSSSSSS",
            ["20260105103000,123456000"],
            ["20260105103000,123456780"],
        ),
        (
            "timestamp",
            "timestampFormat",
            "yyyyMMdd'T'HHmmss'.'SSSSSSSXXX",
            ["20260105T103000.1234560Z"],
            ["20260105T103000.1234567Z"],
        ),
        (
            "timestamp_ntz",
            "timestampFormat",
            "yyyy-MM-dd'T'HH:mm:ss[XXX]",
            ["2026-01-05T10:30:00"],
            ["2026-01-05T10:30:00-03:00", "2026-01-05T10:30:00Z"],
        ),
        (
            "timestamp",
            "timestampFormat",
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            ["2026-01-05T10:30:00-03:00"],
            ["2026-01-05T10:30:00"],
        ),
        (
            "date",
            "dateFormat",
            "yyyy-MM-dd HH:mm",
            ["2026-01-05 00:00"],
            ["2026-01-05 10:30", "2026-01-05"],
        ),
        ("date", "dateFormat", "dd/MM/yyyy", ["05/01/2026"], ["31/02/2026", "01/01/0000"]),
        ("timestamp", "timestampFormat", "HH:mm", [], ["10:00"]),
        ("date", "dateFormat", "dd MMM 'in any y'", [], ["05 Jan in any y"]),
    ]
    for name, option, format, good, bad in cases:
        fields = (Field("id"), Field("d", Scalar(name)))
        found = csv_rows(
            spark,
            tmp_path,
            "id,d\n" + "".join(f'1,"{text}"\n' for text in [*good, *bad]),
            fields=fields,
            **{option: format},
        )
        assert [each["rescued"].get("d") for each in found] == [None] * len(good) + bad and [
            each["d"] is not None for each in found
        ] == [True] * len(good) + [False] * len(bad), format


def test_a_file_without_a_header_is_read_in_the_contracts_order(spark, tmp_path: Path) -> None:
    assert (
        csv_rows(spark, tmp_path, "007,1.50,3,2026-01-31,true\n", header=False)[0]["code"] == "007"
    )


def test_a_compressed_file_is_read(spark, tmp_path: Path) -> None:
    import gzip

    (tmp_path / "file.csv.gz").write_bytes(gzip.compress(b"count,code\n1,a\n"))
    assert rows(spark, tmp_path, "csv") == [row("a", count=1)]


def test_json_is_read_by_name_with_misfits_extras_and_bad_lines_kept(spark, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(
        '{"count": 3, "code": "007", "amount": 1.50}\n{"code": "1", "count": 1.5, "more": '
        '{"a": [1]}}\n[1]\nnot json\n\n'
    )
    found = rows(spark, tmp_path, "json")
    assert found == [
        row("007", "1.50", 3),
        row("1", count=None, more={"a": [1]}) | {"rescued": {"count": "1.5", "more": {"a": [1]}}},
        row(_corrupt_record="[1]"),
        row(_corrupt_record="not json"),
    ]


def test_a_json_list_gives_a_row_an_element(spark, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('[{"code": "1"},\n {"code": "2"}]')
    assert [item["code"] for item in rows(spark, tmp_path, "json", multiLine=True)] == ["1", "2"]


def test_nested_values_of_json_have_the_contracts_types(spark, tmp_path: Path) -> None:
    nested = (
        Field("id", Scalar("long")),
        Field(
            "lines",
            Array(
                Field("element", Struct((Field("sku"), Field("price", Scalar("decimal", 9, 2)))))
            ),
        ),
    )
    (tmp_path / "file.json").write_text('{"id": 1, "lines": [{"sku": "a", "price": 1.10}]}\n')
    found = rows(spark, tmp_path, "json", nested)
    assert found[0]["lines"][0]["price"] == Decimal("1.10") and not found[0]["rescued"]


@pytest.mark.parametrize("format", ["parquet", "avro"])
def test_columnar_files_with_other_types_and_schemas_are_read_by_name(
    spark, tmp_path: Path, format: str
) -> None:
    first = spark.sql(
        "SELECT 3L AS count, '007' AS code, CAST(1.5 AS DECIMAL(5,2)) AS amount, 'x' AS more"
    )
    second = spark.sql("SELECT DATE'2026-01-31' AS day, 'b' AS CODE, 3000000000L AS count")
    for name, frame in (("a", first), ("b", second)):
        frame.coalesce(1).write.format(format).save(str(tmp_path / "made" / name))
        part = next((tmp_path / "made" / name).glob(f"part-*.{format}"))
        (tmp_path / "in").mkdir(exist_ok=True)
        part.rename(tmp_path / "in" / f"{name}.{format}")
    import datetime

    found = rows(spark, tmp_path / "in", format)
    assert sorted(found, key=lambda item: item["code"]) == [
        row("007", "1.50", 3, more="x"),
        row("b", day=datetime.date(2026, 1, 31), count=None) | {"rescued": {"count": "3000000000"}},
    ]


def test_captured_events_are_records_of_json_and_a_file_that_was_cut_off_is_read_up_to_the_cut(
    spark, tmp_path: Path
) -> None:
    bodies = [
        '{"code": "007", "amount": 1.50}',
        '{"code": "1", "count": 1.5, "more": true}',
        "[1]",
        "not json",
        None,
    ]
    events = spark.createDataFrame(
        [(number, str(40 * number), body) for number, body in enumerate(bodies, 100)],
        "SequenceNumber BIGINT, Offset STRING, text STRING",
    )
    many = spark.range(20_000).selectExpr(
        "id AS SequenceNumber", "'' AS Offset", """concat('{"code": "', id, '"}') AS text"""
    )
    (tmp_path / "in").mkdir()
    for name, frame in (("a", events), ("b", many)):
        frame.selectExpr(
            "SequenceNumber",
            "Offset",
            "'1/31/2026 10:00:00 AM' AS EnqueuedTimeUtc",
            "CAST(text AS BINARY) AS Body",
        ).coalesce(1).write.format("avro").save(str(tmp_path / name))
        (part,) = (tmp_path / name).glob("part-*.avro")
        (tmp_path / "in" / f"{name}.avro").write_bytes(
            part.read_bytes()[:-5] if name == "b" else part.read_bytes()
        )
    found = (
        read_files(
            spark,
            sorted(map(str, (tmp_path / "in").iterdir())),
            FileSource("avro", "", FIELDS, is_captured=True),
        )
        .selectExpr("*", "_datamaster_file.name", "_datamaster_file.block_start")
        .collect()
    )
    whole = {
        item["block_start"]: (
            item["code"],
            item["amount"],
            json.loads(item["carlton_rescued"] or '{"_file_path": 0}'),
        )
        for item in found
        if item["name"] == "a.avro"
    }
    assert all(rescued.pop("_file_path") is not None for _, _, rescued in whole.values())
    assert whole == {
        100: ("007", Decimal("1.50"), {}),
        101: ("1", None, {"count": "1.5", "more": True}),
        102: (None, None, {"_corrupt_record": "1"}),
        103: (None, None, {"_corrupt_record": "not json"}),
        104: (None, None, {"_corrupt_record": ""}),
    }
    cut = [item for item in found if item["name"] == "b.avro"]
    (told,) = [json.loads(item["carlton_rescued"]) for item in cut if item["carlton_rescued"]]
    read = sorted(int(item["code"]) for item in cut if item["code"])
    assert (
        "cut off" in told["_unreadable"]
        and read == list(range(len(read)))
        and 1000 < len(read) < 20_000
    )


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_a_name_is_no_pattern_and_every_file_is_read_once(
    spark, tmp_path: Path, format: str
) -> None:
    import pyarrow
    from pyarrow import parquet

    from datamaster_kit.targets.readers.local_files import changed_file_notes, read_new_local_files

    landing, names = (
        tmp_path / "in [new]",
        ("a[1]", "a1", "b%20c", "b c", "d#1?x", "e{f,g}", "ef", "h*", "hh"),
    )
    landing.mkdir()
    for name in names:
        file = landing / f"{name}.{format}"
        if format == "parquet":
            parquet.write_table(pyarrow.table({"code": [name]}), file)
        else:
            file.write_text(
                f"code\n{name}\n".replace("e{f,g}", '"e{f,g}"')
                if format == "csv"
                else json.dumps({"code": name}) + "\n"
            )
    written = str(tmp_path / "written")
    read_new_local_files(
        spark,
        FileSource(format, str(landing), (Field("code"),), {}),
        str(tmp_path / "checkpoint"),
        lambda rows, *_: rows.select("code").write.mode("append").text(written),
    )
    assert sorted(row["value"] for row in spark.read.text(written).collect()) == sorted(names)
    assert changed_file_notes(tmp_path / "checkpoint") == ()
    (landing / f"b%20c.{format}").write_bytes(b"more")
    assert [
        said.split(" has changed")[0] for said in changed_file_notes(tmp_path / "checkpoint")
    ] == [f"b%20c.{format}"]
