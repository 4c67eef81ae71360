"""The floor: plain Spark reads the file with the contract's types and appends it to a Delta table.

No rule is looked at.
"""

from job import Counts, Task, measure
from spark import session, typed


def ingest(task: Task) -> None:
    """Read and append."""
    typed(task.job, task.file, keeps_corrupt=False).write.format("delta").mode("append").save(
        str(task.folder / "table")
    )


def counts(task: Task) -> Counts:
    """Return the number of rows."""
    return Counts(session(task.job).read.format("delta").load(str(task.folder / "table")).count())


measure(ingest, counts)
