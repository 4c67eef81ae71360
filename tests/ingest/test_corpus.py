"""A corpus of dirty files, each with the rows that it gives beside it.

None stops the run, loses a row or moves a value to another column.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from whole_files import read_files

from datamaster_kit.contract.model import Field, Scalar
from datamaster_kit.contract.sql.sqltype import parse_sql_type, quote
from datamaster_kit.targets.base import FileSource

pytestmark = pytest.mark.spark
CORPUS = Path(__file__).parents[1] / "corpus"
CASES = sorted(folder.name for folder in CORPUS.iterdir())


def case_of(name: str) -> FileSource:
    """Return the source of a case of the corpus."""
    case = yaml.safe_load((CORPUS / name / "case.yaml").read_text(encoding="utf-8"))
    fields = tuple(Field(column, parse_sql_type(type)) for column, type in case["fields"].items())
    return FileSource(case["format"], str(CORPUS / name / "files"), fields, case["options"])


def rows_of(spark, folder: Path, source: FileSource) -> list[dict[str, Any]]:
    """Return the rows of a folder's files: every value as text, and what was rescued as a mapping
    without the file's path.
    """
    found = read_files(spark, sorted(str(path) for path in folder.iterdir()), source)
    if found is None:
        return []
    return texts(found, source)


def text_column(item: Field) -> str:
    """Return the SQL of a column that has a field's values as text."""
    column = quote(item.column)
    text = f"CAST({column} AS STRING)" if isinstance(item.type, Scalar) else f"to_json({column})"
    return f"{text} AS {column}"


def as_texts(rows: Any, source: FileSource) -> Any:
    """Return rows with every value as text, and `rescued`."""
    columns = [text_column(item) for item in source.fields]
    return rows.selectExpr(*columns, "carlton_rescued AS rescued")


def texts(rows: Any, source: FileSource) -> list[dict[str, Any]]:
    """Return rows with every value as text, and what was rescued as a mapping without the file's
    path.
    """
    return [with_rescued(row.asDict()) for row in as_texts(rows, source).collect()]


def with_rescued(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with what was rescued as a mapping without the file's path."""
    rescued = json.loads(row["rescued"]) if row["rescued"] else {}
    assert not rescued or rescued.pop("_file_path")
    return {**row, "rescued": rescued}


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


@pytest.mark.parametrize("name", CASES)
def test_a_dirty_file_gives_the_rows_that_are_written_beside_it(spark, name: str) -> None:
    found = rows_of(spark, CORPUS / name / "files", case_of(name))
    assert canonical(found) == canonical(
        json.loads((CORPUS / name / "expected.json").read_text(encoding="utf-8"))
    )


TWO = (Field("code"), Field("count", Scalar("integer")))


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_gzip_file_that_was_cut_off_is_read_up_to_the_cut_and_told_by_a_row_of_its_own(
    spark, tmp_path: Path, format: str
) -> None:
    lines = [
        b"%06d,%d\n" % (number, number)
        if format == "csv"
        else b'{"code": "%06d", "count": %d}\n' % (number, number)
        for number in range(20_000)
    ]
    packed = gzip.compress((b"code,count\n" if format == "csv" else b"") + b"".join(lines))[:-1000]
    whole = zlib.decompressobj(31).decompress(packed).count(b"\n") - (format == "csv")
    (tmp_path / f"a.{format}.gz").write_bytes(packed)
    (tmp_path / f"b.{format}").write_text(
        "code,count\nwhole,1\n" if format == "csv" else '{"code": "whole", "count": 1}\n'
    )
    rows = rows_of(spark, tmp_path, FileSource(format, "", TWO))
    (told,) = [row for row in rows if row["rescued"]]
    assert "cut off" in told["rescued"]["_unreadable"] and told["code"] is None
    read = sorted(
        (row["code"], row["count"]) for row in rows if not row["rescued"] and row["code"] != "whole"
    )
    assert (
        read == [(f"{number:06}", str(number)) for number in range(len(read))]
        and len(rows) == len(read) + 2
    )
    assert 10_000 < whole - 10 <= len(read) <= whole, (
        "of what can be unpacked, at most the end of a buffer is missing"
    )


def test_a_file_that_has_gone_since_it_was_listed_is_told(spark, tmp_path: Path) -> None:
    found = read_files(spark, [str(tmp_path / "gone.csv")], FileSource("csv", "", TWO))
    assert "not there any more" in found.collect()[0]["carlton_rescued"]


def test_a_line_of_50_megabytes_is_one_value(spark, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,count\n" + "x" * 50_000_000 + ",1\ny,2\n")
    found = (
        read_files(spark, [str(tmp_path / "a.csv")], FileSource("csv", "", TWO))
        .selectExpr("length(code) AS n", "count", "carlton_rescued")
        .collect()
    )
    assert sorted(tuple(row) for row in found) == [(1, 2, None), (50_000_000, 1, None)]


def test_a_record_that_is_not_plain_may_have_a_long_text_with_many_escapes(
    spark, tmp_path: Path
) -> None:
    long = "line\\n" * 50_000
    (tmp_path / "a.json").write_text(
        f'{{"code":"{long}","count":1,"extra":{{"note":"{long}"}}}}\n{{"code":"y","count":2}}\n'
    )
    found = (
        read_files(spark, [str(tmp_path / "a.json")], FileSource("json", "", TWO))
        .selectExpr("length(code) AS n", "count", "length(carlton_rescued) > 250000 AS kept")
        .collect()
    )
    assert sorted(tuple(row) for row in found) == [(1, 2, None), (250_000, 1, True)]


def test_two_thousand_columns_stay_in_their_places(spark, tmp_path: Path) -> None:
    names = [f"column_{number}" for number in range(2000)]
    (tmp_path / "a.csv").write_text(
        ",".join(reversed(names))
        + "\n"
        + ",".join(str(number) for number in reversed(range(2000)))
        + "\n"
    )
    fields = tuple(Field(name, Scalar("integer")) for name in names[:40])
    (row,) = read_files(spark, [str(tmp_path / "a.csv")], FileSource("csv", "", fields)).collect()
    assert [row[name] for name in names[:40]] == list(range(40))
    rescued = json.loads(row["carlton_rescued"])
    assert len(rescued) == 1961 and rescued["column_1999"] == "1999"


HEADER = b"code,count,note\n"
THREE = (*TWO, Field("note"))


def named(folder: Path, files: dict[str, bytes]) -> Path:
    """Return a new folder with these files."""
    made = folder / str(len(list(folder.iterdir())))
    made.mkdir()
    for name, content in files.items():
        (made / name).write_bytes(content)
    return made


def test_a_csv_file_without_quotes_has_what_is_between_its_delimiters(
    spark, tmp_path: Path
) -> None:
    """No line end, quote or byte 0 becomes part of a cell, or is lost from one.

    Lines that are blank but for delimiters are records; it is so with `multiLine` too.
    """
    tabs = {
        "a.csv": b'code\tcount\tnote\r\nx\t1\ty\r\n\t\t\r\n"z\t2\t"w\r\n',
        "b.csv": b"code\tcount\tnote\n\x00x\t3\t\x00\n\t\t\n",
    }
    found = rows_of(
        spark,
        named(tmp_path, tabs),
        FileSource("csv", "", THREE, {"delimiter": "\t", "quote": "", "comment": "#"}),
    )
    empty = {"code": None, "count": None, "note": None, "rescued": {}}
    records = [
        {"code": code, "count": count, "note": note, "rescued": {}}
        for code, count, note in (("x", "1", "y"), ('"z', "2", '"w'), ("\0x", "3", "\0"))
    ]
    assert canonical(found) == canonical([*records, empty, empty])
    lines = {
        "a.csv": b'code,count,note\r\nx,1,"y\r\n"z,2,\r\n',
        "b.csv": HEADER + b'\xe9,1,y\n"z,2,w\n',
    }
    found = rows_of(
        spark,
        named(tmp_path, lines),
        FileSource("csv", "", THREE, {"quote": "", "multiLine": "true"}),
    )
    assert sorted(
        (row["code"] or "", row["note"] or "", *row["rescued"].values()) for row in found
    ) == [("", "", "\\xe9,1,y"), ('"z', ""), ('"z', "w"), ("x", '"y')]


def test_wrong_bytes_in_a_comment_are_no_record_and_what_looks_like_an_envelope_stays_what_it_is(
    spark, tmp_path: Path
) -> None:
    mark = "\U0010fffd".encode()
    comments = {
        "a.csv": b'#h\xe9 "\n' + HEADER + b'x,1,y\n# caf\xe9 "q\n',
        "b.csv": b'\xef\xbb\xbf#h\xe9,"q\n' + HEADER + b'x,1,"y\nz"\n# caf\xe9,"q\n',
    }
    found = rows_of(
        spark, named(tmp_path, comments), FileSource("csv", "", THREE, {"comment": "#"})
    )
    assert sorted((row["code"], row["note"], *row["rescued"]) for row in found) == [
        ("x", "y"),
        ("x", "y\nz"),
    ]
    marks = {
        "a.csv": HEADER
        + mark
        + b'abc,1,y\n"'
        + mark
        + b'YWJj",2,z\nok'
        + mark
        + b",3,w\n\xe9,4,\n",
        "b.csv": HEADER + b'"' + mark + b'YW\nJj",5,z\n\n\xe9,4,\n',
        "c.csv": HEADER + mark + b"abc,6,y\n",
    }
    found = rows_of(spark, named(tmp_path, marks), FileSource("csv", "", THREE))
    kept = sorted(row["rescued"]["_corrupt_record"] for row in found if row["rescued"])
    assert kept == sorted(
        [
            "\\xe9,4,",
            "\\xe9,4,",
            f"{mark.decode()}abc,1,y",
            f'"{mark.decode()}YWJj",2,z',
            f'"{mark.decode()}YW\nJj",5,z',
        ]
    )
    assert sorted(row["code"] for row in found if not row["rescued"]) == [
        f"ok{mark.decode()}",
        f"{mark.decode()}abc",
    ]


def test_half_of_a_surrogate_pair_in_a_list_is_kept_as_it_is_written(spark, tmp_path: Path) -> None:
    folder = named(
        tmp_path,
        {
            "a.json": rb'[{"code":"\ud83d"},{"code":"\uD83D12"},'
            rb'{"code":"\ud83d\ude00"},{"code":"x\udead"}]'
        },
    )
    found = rows_of(spark, folder, FileSource("json", "", TWO, {"multiLine": "true"}))
    assert sorted(row["rescued"].get("_corrupt_record", row["code"]) for row in found) == sorted(
        [r'{"code":"\ud83d"}', r'{"code":"\uD83D12"}', "\U0001f600", r'{"code":"x\udead"}']
    )
