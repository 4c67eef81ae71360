"""What a workspace makes of files.

Spark's own readers stand in for Auto Loader, told the same options, and the same expressions make
rows of what they read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from avro_file import avro
from pyspark.sql.types import _parse_datatype_string
from runtime.auto_loader import read_cloud_files
from test_corpus import CASES, CORPUS, as_texts, canonical, case_of, texts, with_rescued
from whole_files import read_files

from datamaster_kit.contract.model import Field
from datamaster_kit.contract.sql.sqltype import parse_sql_type
from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers.auto_loader import auto_loader_options, cloud_rows, schema_of
from datamaster_kit.targets.readers.csv_files import escape_glob
from datamaster_kit.targets.stream import run_stream

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def told(source: FileSource) -> tuple[str, dict[str, str]]:
    """Return the format and the options that Auto Loader is told, without its own."""
    options = auto_loader_options(source, "")
    return options["cloudFiles.format"], {
        name: value for name, value in options.items() if not name.startswith("cloudFiles.")
    }


def streamed(spark: SparkSession, source: FileSource, checkpoint: Path) -> list[dict[str, Any]]:
    """Return the rows of a folder's stream, read by Spark as Auto Loader is told to read it."""
    format, options = told(source)
    read = (
        spark.readStream.format(format)
        .options(**options, recursiveFileLookup="true")
        .schema(schema_of(source))
        .load(escape_glob(source.folder))
    )
    rows, written = (
        cloud_rows(
            read.selectExpr("*", "CAST(NULL AS STRING) AS carlton_rescued", "_metadata"), source
        ),
        str(checkpoint.with_name("written")),
    )
    run_stream(
        rows,
        lambda batch, *_: (
            as_texts(batch, source)
            .selectExpr("to_json(struct(*), map('ignoreNullFields', 'false')) AS value")
            .write.mode("append")
            .text(written)
        ),
        str(checkpoint),
    )
    return [with_rescued(json.loads(row["value"])) for row in spark.read.text(written).collect()]


def files_of(source: FileSource) -> Sequence[Path]:
    """Return the files of a source that have a record or a header."""
    return [path for path in sorted(Path(source.folder).iterdir()) if path.stat().st_size]


@pytest.mark.parametrize("name", CASES)
def test_a_workspace_makes_the_same_rows_of_a_dirty_file(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    source = case_of(name)
    if source.format == "json":
        found = streamed(spark, source, tmp_path / "checkpoint")
    else:
        read = read_cloud_files(
            spark,
            [str(file) for file in files_of(source)],
            auto_loader_options(source, ""),
            _parse_datatype_string(schema_of(source)),
        )
        found = texts(cloud_rows(read, source), source)
    assert canonical(found) == canonical(
        json.loads((CORPUS / name / "expected.json").read_text(encoding="utf-8"))
    )


FIELDS = tuple(
    Field(name, parse_sql_type(type))
    for name, type in {
        "day": "DATE",
        "amount": "DECIMAL(5,2)",
        "count": "INT",
        "at": "TIMESTAMP",
        "ratio": "DOUBLE",
        "is open": "BOOLEAN",
        "place": "STRUCT<city: STRING, zip: INT>",
        "tags": "ARRAY<INT>",
        "counts": "MAP<STRING, INT>",
        "any": "VARIANT",
        "bytes": "BINARY",
    }.items()
)
LINES = (
    '2026,1.239,1e3,2026,1e400,yes,"{""city"":""Rio"",""zip"":""x""}","[1,2.5]","{""a"":1.5}",{,ab',
    '2026-02-28,1.230,7,2026-02-28T10:00:00Z,0.5,true,"{""city"":""Rio"",""zip"":1,'
    '""more"":2}","[1,2]","{""a"":1}","{""b"":[1]}",ab',
    "2026-2-30,12345,99999999999,x,,,[],{},[],1,",
)


def test_a_workspace_takes_no_value_of_a_csv_file_for_another(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "\n".join([",".join(item.name for item in FIELDS), *LINES, ""]), encoding="utf-8"
    )
    source = FileSource("csv", str(folder), FIELDS)
    found, here = (
        streamed(spark, source, tmp_path / "checkpoint"),
        read_files(spark, [str(folder / "a.csv")], source),
    )
    assert here is not None and canonical(found) == canonical(texts(here, source))
    (bad,) = [row["rescued"] for row in found if len(row["rescued"]) == 9]
    assert (bad["day"], bad["amount"], bad["count"], bad["ratio"], bad["tags"]) == (
        "2026",
        "1.239",
        "1e3",
        "1e400",
        "[1,2.5]",
    ) and "is open" not in bad
    assert [row["rescued"] for row in found if row["day"]] == [{"place": '{"more":2}'}]


def test_a_workspace_makes_the_same_records_of_captured_events(
    spark: SparkSession, tmp_path: Path
) -> None:
    values = ["long", "double", "string", "bytes"]
    schema = {
        "SequenceNumber": "long",
        "Offset": "string",
        "EnqueuedTimeUtc": "string",
        "SystemProperties": {"type": "map", "values": values},
        "Properties": {"type": "map", "values": [*values, "null"]},
        "Body": ["null", "bytes"],
    }
    bodies = [
        b'[{"day": "2026-01-31", "more": 1}, {"amount": 1.50}, 7]',
        b'{"count": 3}',
        b"no json",
        None,
    ]
    events = [
        {
            "SequenceNumber": number,
            "Offset": "1",
            "EnqueuedTimeUtc": "1/31/2026 10:05:00 PM",
            "SystemProperties": {},
            "Properties": {"a": (1, 0.5)},
            "Body": (0, None) if body is None else (1, body),
        }
        for number, body in enumerate(bodies)
    ]
    file = tmp_path / "in/ns/topic/4/2026/01/31/22/06/00.avro"
    file.parent.mkdir(parents=True)
    file.write_bytes(avro(schema, events))
    source = FileSource("avro", str(tmp_path / "in"), FIELDS, is_captured=True, keeps_envelope=True)
    here = read_files(spark, [str(file)], source)
    read = read_cloud_files(
        spark,
        [str(file)],
        auto_loader_options(source, ""),
        _parse_datatype_string(schema_of(source)),
    )
    there, whole = (
        cloud_rows(read, source),
        "to_json(struct(*), map('ignoreNullFields', 'false')) AS row",
    )
    assert here is not None and here.count() == 6
    assert [row["row"] for row in here.selectExpr(whole).collect()] == [
        row["row"] for row in there.selectExpr(whole).collect()
    ]
    assert {
        row["partition"] for row in there.select("_datamaster_file.event.partition").collect()
    } == {"4"}
