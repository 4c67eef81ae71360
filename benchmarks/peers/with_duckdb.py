"""DuckDB and delta-rs by hand: the physical neighbourhood.

One pass over the file; good rows go to one Delta table as they come, the others to a second at the
end.
"""

from collections.abc import Iterator

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from duck import kept, parted, reading, verdicts
from job import Counts, Task, measure


def ingest(task: Task) -> None:
    """Read, check and save."""
    quarantined: list[pa.RecordBatch] = []

    def good_rows(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for good, bad in parted(batches):
            quarantined.append(bad)
            yield good

    with reading(task.job, task.file) as batches:
        write_deltalake(
            str(task.folder / "good"),
            pa.RecordBatchReader.from_batches(kept(batches.schema), good_rows(batches)),
            mode="append",
        )
        write_deltalake(
            str(task.folder / "bad"),
            pa.Table.from_batches(quarantined, batches.schema),
            mode="append",
        )


def counts(task: Task) -> Counts:
    """Return what the tables hold."""
    good, bad = (DeltaTable(str(task.folder / name)) for name in ("good", "bad"))
    broken = bad.to_pyarrow_table(columns=["broken_rules"]).column("broken_rules")
    return Counts(good.count() + bad.count(), bad.count(), verdicts(broken))


measure(ingest, counts)
