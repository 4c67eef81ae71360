"""databricks-labs-dqx: checks on each row, valid rows and quarantined rows saved to two Delta
tables by its end-to-end call.

The workspace client is a stand-in, as its documentation has it for a machine without a workspace.
Checks are SQL expressions, the lightest kind that it has;
the checked rows are not cached between its two writes, which took less time here than its default,
which caches them.
"""

from unittest.mock import MagicMock

from databricks.labs.dqx.check_funcs import sql_expression
from databricks.labs.dqx.config import InputConfig, OutputConfig
from databricks.labs.dqx.engine import DQEngine
from databricks.labs.dqx.rule import DQRowRule
from databricks.sdk import WorkspaceClient
from job import Counts, Task, measure
from spark import CORRUPT, IS_TYPED, schema, session


def ingest(task: Task) -> None:
    """Read, check and save."""
    engine = DQEngine(MagicMock(spec=WorkspaceClient), session(task.job))
    named = [*((rule.id, rule.spark) for rule in task.job.rules), ("types", IS_TYPED)]
    checks = [
        DQRowRule(
            name=name,
            criticality="error",
            check_func=sql_expression,
            check_func_kwargs={"expression": predicate},
        )
        for name, predicate in named
    ]
    source = InputConfig(
        str(task.file),
        "csv",
        schema=schema(task.job),
        options={"header": "true", "columnNameOfCorruptRecord": CORRUPT},
    )
    engine.apply_checks_and_save_in_table(
        source,
        OutputConfig(str(task.folder / "good")),
        checks,
        OutputConfig(str(task.folder / "bad")),
        use_cached_result=False,
    )


def counts(task: Task) -> Counts:
    """Return what the tables hold."""
    good, bad = (
        session(task.job).read.format("delta").load(str(task.folder / name))
        for name in ("good", "bad")
    )
    broken = bad.selectExpr("sum(size(_errors))").first()[0]
    return Counts(good.count() + bad.count(), bad.count(), broken)


measure(ingest, counts)
