"""spark-expectations: its decorator on a function that reads the file.

Good rows to the target table, others with what they break to `<target>_error`, and statistics.

It goes over what the function returns several times (counts, the error table, the target table), so
the function returns a cached frame: less processor time than
without, and than `write_to_temp_table`.
"""

from job import Counts, Task, measure
from pyspark.sql import DataFrame
from spark import IS_TYPED, session, typed
from spark_expectations.config.user_config import Constants
from spark_expectations.core.expectations import SparkExpectations, WrappedDataFrameWriter

QUIET = {
    Constants.se_notifications_enable_email: False,
    Constants.se_notifications_enable_slack: False,
    Constants.se_notifications_on_start: False,
    Constants.se_notifications_on_completion: False,
    Constants.se_notifications_on_fail: False,
}
RULES = (
    "product_id STRING, table_name STRING, rule_type STRING, rule STRING, column_name "
    "STRING, expectation STRING, action_if_failed STRING, tag STRING, description STRING, "
    "enable_for_source_dq_validation BOOLEAN, enable_for_target_dq_validation BOOLEAN, "
    "is_active BOOLEAN, enable_error_drop_alert BOOLEAN, error_drop_threshold INT, "
    "query_dq_delimiter STRING, enable_querydq_custom_output BOOLEAN, priority STRING"
)


def ingest(task: Task) -> None:
    """Read, check and save."""
    spark, schema = session(task.job), task.folder.name
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema} LOCATION '{task.folder}'")
    table, writer = f"{schema}.lineitem", WrappedDataFrameWriter().mode("append").format("delta")
    named = [
        *((rule.id.replace(".", "_"), rule.spark.replace("`", "")) for rule in task.job.rules),
        ("types", IS_TYPED),
    ]
    rows = [
        (
            "bench",
            table,
            "row_dq",
            name,
            name,
            predicate,
            "drop",
            "validity",
            name,
            True,
            True,
            True,
            False,
            0,
            "",
            False,
            "medium",
        )
        for name, predicate in named
    ]
    expectations = SparkExpectations(
        "bench",
        spark.createDataFrame(rows, RULES),
        f"{schema}.statistics",
        writer,
        writer,
        stats_streaming_options={Constants.se_enable_streaming: False},
    )
    cached: list[DataFrame] = []

    @expectations.with_expectations(table, write_to_table=True, user_conf=QUIET)
    def read() -> DataFrame:
        cached.append(typed(task.job, task.file).cache())
        return cached[-1]

    read()
    for frame in cached:
        frame.unpersist()


def counts(task: Task) -> Counts:
    """Return what the tables hold."""
    good, bad = (
        session(task.job).table(f"{task.folder.name}.{name}")
        for name in ("lineitem", "lineitem_error")
    )
    broken = bad.selectExpr("sum(size(meta_row_dq_results))").first()[0]
    return Counts(good.count() + bad.count(), bad.count(), broken)


measure(ingest, counts)
