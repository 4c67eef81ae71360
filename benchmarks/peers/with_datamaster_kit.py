"""datamaster_kit: its own ingest to bronze, of a file that has landed in a lakehouse that has just
been made.
"""

from dataclasses import dataclass

from ingest import Bench, contract_of, land
from job import Counts, Task, measure

from datamaster_kit.contract.model import Contract
from datamaster_kit.ingest.ingest import ingest_files as ingest_new_files
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.local import LocalTarget


@dataclass(frozen=True)
class Lakehouse:
    """The target with the contract's tables, and the file in its landing folder."""

    target: LocalTarget
    project: Project
    contract: Contract


def prepare(task: Task) -> Lakehouse:
    """Make the lakehouse; what `datamaster run unity` does."""
    contract = contract_of("csv")
    target, project = Bench(task.folder).lakehouse(contract)
    land(target, {"lineitem": [task.file]})
    return Lakehouse(target, project, contract)


def ingest(lakehouse: Lakehouse) -> None:
    """Ingest; what `datamaster run ingest` does."""
    ingest_new_files(lakehouse.target, lakehouse.project, lakehouse.contract)


def counts(lakehouse: Lakehouse) -> Counts:
    """Return the rows of bronze, and what its quarantine holds."""
    spark = lakehouse.target.spark
    bad, verdicts = (
        spark.table("spark_catalog.bronze.lineitem_quarantine")
        .selectExpr("count(*)", "sum(size(carlton_broken_rules))")
        .first()
    )
    return Counts(spark.table("spark_catalog.bronze.lineitem").count(), bad, verdicts)


measure(ingest, counts, prepare)
