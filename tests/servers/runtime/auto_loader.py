"""What Auto Loader reads, read by Spark's own readers told the same options.

Columns of csv by their names, what the schema does not know in the rescued column.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

OWN = "cloudFiles."


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def no_glob(path: str) -> str:
    """Return a path that Spark's readers take literally."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def header_of(file: str, options: Mapping[str, str]) -> list[str]:
    """Return the cells of a csv file's first record that is no comment, by the reader of Python's
    library.
    """
    path, sign = Path(file.removeprefix("file:")), options.get("quote", '"')
    escape = options.get("escape", '"')
    between = options.get("sep", options.get("delimiter", ",")).encode().decode("unicode_escape")
    sep = between if len(between) == 1 else "\x1f"
    form = {
        "delimiter": sep,
        "quotechar": sign,
        "doublequote": escape == sign,
        "escapechar": None if escape == sign else escape,
        "skipinitialspace": options.get("ignoreLeadingWhiteSpace", "false") == "true",
    }
    with (
        gzip.open(path, "rt", encoding=options.get("encoding", "utf-8"), newline="")
        if path.suffix == ".gz"
        else path.open(encoding=options.get("encoding", "utf-8"), newline="")
    ) as text:  # type: ignore[operator]
        comment = options.get("comment", "")
        rows = csv.reader(
            (
                line.replace(between, sep)
                for line in text
                if not (comment and line.startswith(comment))
            ),
            **form,
        )
        return [
            cell.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
            for cell in next((row for row in rows if row), [])
        ]


def places(header: Sequence[str], names: Sequence[str]) -> tuple[dict[int, str], dict[int, str]]:
    """Return which column of the schema each cell of a header is, exactly or else in any case, and
    the names of the cells that are left over.
    """
    found: dict[int, str] = {}
    for same in (str, lambda text: text.strip().lower()):
        for name in names:
            at = next(
                (
                    index
                    for index, cell in enumerate(header)
                    if index not in found and same(cell) == same(name)
                ),
                None,
            )
            if at is not None and name not in found.values():
                found[at] = name
    extras: dict[int, str] = {}
    taken = {*names, "_file_path"}
    for index, cell in enumerate(header):
        if index not in found:
            base = name = cell.strip() or f"_c{index}"
            number = 1
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            taken.add(name)
            extras[index] = name
    return found, extras


def read_csv(
    spark: SparkSession, file: str, options: Mapping[str, str], schema: StructType, rescued: str
) -> DataFrame:
    """Return a csv file's rows.

    Its columns by their names, those that are not the schema's as JSON in the rescued column with
    the file's path (Databricks, *What is the rescued data column?*).
    """
    corrupt = options.get("columnNameOfCorruptRecord", "_corrupt_record")
    fields = {
        field.name: field.dataType.simpleString()
        for field in schema.fields
        if field.name != corrupt
    }
    names = list(fields)
    header = header_of(file, options) if options.get("header", "false") == "true" else names
    found, extras = places(header, names)
    columns = [found.get(index, extras.get(index, "")) for index in range(len(header))]
    told = [f"{quoted(name)} {fields.get(name, 'STRING')}" for name in columns] + [
        f"{quoted(corrupt)} STRING"
    ]
    read = spark.read.format("csv").options(**options).schema(", ".join(told)).load(no_glob(file))
    cells = [
        quoted(name) if name in columns else f"CAST(NULL AS {kind}) AS {quoted(name)}"
        for name, kind in fields.items()
    ]
    texts = [
        f"CASE WHEN {quoted(corrupt)} IS NULL THEN {quoted(name)} END" for name in extras.values()
    ]
    something = " OR ".join(f"{text} IS NOT NULL" for text in texts) or "false"
    members = ", ".join(
        [
            *(
                f"{literal(name)}, {text}"
                for name, text in zip(extras.values(), texts, strict=True)
            ),
            "'_file_path', _metadata.file_path",
        ]
    )
    kept = [quoted(corrupt)] if corrupt in schema.names else []
    return read.selectExpr(
        *cells,
        *kept,
        f"CASE WHEN {something} THEN to_json(named_struct({members})) END AS {quoted(rescued)}",
        "_metadata",
    )


def read_cloud_files(
    spark: SparkSession, files: Sequence[str], options: Mapping[str, str], schema: StructType
) -> DataFrame:
    """Return the rows of files as Auto Loader gives them, with `_metadata`.

    What a file of parquet or avro has beyond the schema is left out.
    """
    format = options[f"{OWN}format"]
    own = {
        name: value
        for name, value in options.items()
        if not name.startswith(OWN) and name != "rescuedDataColumn"
    }
    rescued = options.get("rescuedDataColumn", "_rescued_data")
    if format == "csv":
        full = [file for file in files if Path(file.removeprefix("file:")).stat().st_size]
        if full:
            return reduce(
                lambda one, other: one.union(other),
                [read_csv(spark, file, own, schema, rescued) for file in full],
            )
        files = ()
    read = spark.read.format(format).options(**own).schema(schema)
    rows = read.load([no_glob(file) for file in files]) if files else no_rows(spark, schema)
    is_asked = "rescuedDataColumn" in options or format in ("csv", "json")
    return rows.selectExpr(
        "*", *([f"CAST(NULL AS STRING) AS {quoted(rescued)}"] if is_asked else []), "_metadata"
    )


def no_rows(spark: SparkSession, schema: StructType) -> DataFrame:
    """Return no rows of a schema, with `_metadata`."""
    columns = [
        f"CAST(NULL AS {field.dataType.simpleString()}) AS {quoted(field.name)}"
        for field in schema.fields
    ]
    return spark.sql(
        f"SELECT {', '.join([*columns, f'CAST(NULL AS {METADATA}) AS _metadata'])} WHERE false"
    )


METADATA = (
    "STRUCT<file_path: STRING, file_name: STRING, file_size: BIGINT, file_block_start: BIGINT, "
    "file_block_length: BIGINT, file_modification_time: TIMESTAMP>"
)
