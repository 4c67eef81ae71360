"""dlt: its own listing of new files, Arrow batches (the fast way of its documentation), its
filesystem destination with Delta tables.

Its open part judges rows only by Python models, one at a time; the rules are therefore DuckDB's, in
the resource, and each batch goes to the table of good or of bad rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.destinations import filesystem as to_files
from dlt.sources.filesystem import filesystem
from duck import parted, reading, verdicts
from job import Counts, Job, Task, measure


def pipeline(task: Task) -> dlt.Pipeline:
    """Return a pipeline of its own for the task."""
    return dlt.pipeline(
        f"bench_{task.folder.name}",
        pipelines_dir=str(task.folder / "state"),
        destination=to_files(str(task.folder)),
        dataset_name="tables",
    )


def resource(job: Job, file: Path) -> Any:
    """Return the resource of what is new among a folder's files.

    Rows with their types, in two tables.
    """
    files = filesystem(
        bucket_url=file.parent.as_uri(),
        file_glob=file.name,
        incremental=dlt.sources.incremental("modification_date"),
    )

    @dlt.transformer(
        data_from=files, table_format="delta", write_disposition="append", name="lineitem"
    )
    def rows(items: list[Any]) -> Iterator[Any]:
        for item in items:
            with reading(job, Path(item.local_file_path)) as batches:
                for good, bad in parted(batches):
                    yield dlt.mark.with_table_name(good, "lineitem")
                    if bad.num_rows:
                        yield dlt.mark.with_table_name(bad, "lineitem_quarantine")

    return rows


def ingest(task: Task) -> None:
    """Read, check and save."""
    pipeline(task).run(resource(task.job, task.file))


def counts(task: Task) -> Counts:
    """Return what the tables hold."""
    from dlt.common.libs.deltalake import get_delta_tables

    tables = get_delta_tables(pipeline(task))
    bad = tables["lineitem_quarantine"]
    return Counts(
        tables["lineitem"].count() + bad.count(),
        bad.count(),
        verdicts(bad.to_pyarrow_table(columns=["broken_rules"]).column("broken_rules")),
    )


measure(ingest, counts)
