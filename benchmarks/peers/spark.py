"""What the peers on Spark share.

The toolkit's own session, and the reader that a user of theirs has to write.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from job import Job

from datamaster_kit.targets.jvm.session import local_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CORRUPT = "_corrupt_record"
IS_TYPED = f"{CORRUPT} IS NULL"


def session(job: Job) -> SparkSession:
    """Return the session, with the same settings for all."""
    return local_session(job.state_folder)


def schema(job: Job) -> str:
    """Return the contract's columns, and the one in which Spark keeps a line that does not fit
    their types.
    """
    return ", ".join(f"{name} {type}" for name, type in job.columns.items()) + f", {CORRUPT} STRING"


def typed(job: Job, file: Path, keeps_corrupt: bool = True) -> DataFrame:
    """Return a csv file's rows with the contract's types.

    Spark's fastest way, which takes columns by position and leaves NULL where a value does not fit.
    """
    said = schema(job) if keeps_corrupt else schema(job).rpartition(",")[0]
    return session(job).read.csv(
        str(file), schema=said, header=True, columnNameOfCorruptRecord=CORRUPT
    )
