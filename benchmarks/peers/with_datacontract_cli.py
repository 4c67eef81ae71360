"""datacontract-cli: `datacontract test` of the file against the contract, in its DuckDB.

It counts per check, and writes and parts nothing.
"""

from datacontract.data_contract import DataContract
from datacontract.model.run import Run
from job import Counts, Task, measure

RUNS: dict[str, Run] = {}


def ingest(task: Task) -> None:
    """Test the file."""
    server = (
        f"servers:\n- {{server: bench, type: local, path: '{task.file}', format: csv, delimiter: "
        f"','}}\n"
    )
    RUNS[task.folder.name] = DataContract(
        data_contract_str=task.job.contract + server, server="bench"
    ).test()


def counts(task: Task) -> Counts:
    """Return what it counted: the rows, and those that break each check.

    What stopped it where no check was executed.
    """
    checks = RUNS[task.folder.name].checks
    without = [check for check in checks if check.result is None]
    if without:
        reason = next(check.reason for check in checks if check.type == "general")
        return Counts(note=f"{reason}; {len(without)} of {len(checks)} checks have no result")
    said = [
        check.diagnostics
        for check in checks
        if check.diagnostics and "row_count" in check.diagnostics
    ]
    return Counts(
        max(each["row_count"] for each in said), None, sum(int(each["value"]) for each in said)
    )


measure(ingest, counts)
