"""What the peers on DuckDB share.

One pass over a csv file that gives every row its types and every rule its say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from job import Job

if TYPE_CHECKING:
    from pyarrow import RecordBatch, RecordBatchReader

ROWS = 100_000
SAID = ("rescued", "broken_rules")


def query(job: Job, file: Path) -> str:
    """Return the query of a file's rows.

    The contract's types, the text that does not fit them, and the names of the rules that a row
    breaks.
    """
    texts = ", ".join(f"'{name}': 'VARCHAR'" for name in job.columns)
    casts = ", ".join(
        f'try_cast("{name}" AS {type}) AS "{name}"' for name, type in job.columns.items()
    )
    unfit = {
        name: f'"{name}" IS NOT NULL AND try_cast("{name}" AS {type}) IS NULL'
        for name, type in job.columns.items()
        if type != "STRING"
    }
    rescued = ", ".join(
        f"""CASE WHEN {condition} THEN '{name}=' || "{name}" END"""
        for name, condition in unfit.items()
    )
    types = ", ".join(
        f"CASE WHEN {condition} THEN '{name}.type' END" for name, condition in unfit.items()
    )
    broken = ", ".join(
        f"CASE WHEN NOT coalesce({rule.duckdb}, false) THEN '{rule.id}' END" for rule in job.rules
    )
    return (
        f"SELECT * EXCLUDE (types), concat_ws(',', nullif(types, ''), {broken}) AS "
        "broken_rules FROM "
        f"(SELECT {casts}, concat_ws(',', {rescued}) AS rescued, concat_ws(',', {types}) AS "
        f"types FROM read_csv('{file}', header = true, columns = {{{texts}}}))"
    )


@contextmanager
def reading(job: Job, file: Path) -> Iterator[RecordBatchReader]:
    """Give the rows of the query, as they come.

    The connection is closed here, and not by whichever thread of the writer lets go of the rows
    last.
    """
    with duckdb.connect() as connection:
        yield connection.sql(query(job, file)).to_arrow_reader(ROWS)


def kept(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a good row."""
    return pa.schema([field for field in schema if field.name not in SAID])


def parted(batches: RecordBatchReader) -> Iterator[tuple[RecordBatch, RecordBatch]]:
    """Yield the good rows and the bad rows of each batch.

    The bad ones with what they break and what could not be read.
    """
    for batch in batches:
        is_good = pc.equal(batch.column("broken_rules"), "")
        yield (
            batch.filter(is_good).select(kept(batch.schema).names),
            batch.filter(pc.invert(is_good)),
        )


def verdicts(broken_rules: pa.ChunkedArray) -> int:
    """Return how many rules are broken over all rows."""
    return sum(len(said.split(",")) for said in broken_rules.to_pylist())
