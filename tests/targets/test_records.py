"""The tables of record, written and read by delta-rs and by Spark.

Each reads what the other wrote, and every query of the toolkit says the same on both.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run as run_process

import pytest
from deltalake import DeltaTable

from datamaster_kit.contract.control_totals import TotalComparison
from datamaster_kit.contract.model import Contract, Field, Model, Scalar
from datamaster_kit.ingest.files import entries_of_run, files_to_read_again, read_refusals
from datamaster_kit.ingest.holds import HOLD_STEP, has_unjudged_batch, read_holds
from datamaster_kit.ingest.ingest import read_batches
from datamaster_kit.ingest.quarantine import read_batch_ranges
from datamaster_kit.ingest.step import Step
from datamaster_kit.lakehouse.ledger import (
    STATE_READ,
    STATE_REFUSED,
    FileEntry,
    files_table,
    read_entries,
    record_files,
)
from datamaster_kit.lakehouse.names import TableName, names
from datamaster_kit.lakehouse.runs import (
    RuleResult,
    Run,
    read_notes,
    read_past,
    read_runs,
    read_runs_and_events,
    record_runs,
    runs_table,
    runs_table_name,
)
from datamaster_kit.observe.report import hold_events
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.base import TOTALS_OF
from datamaster_kit.targets.databricks import DatabricksTarget
from datamaster_kit.targets.local import LocalTarget

pytestmark = pytest.mark.spark
BEGAN = datetime(2026, 11, 26, 3, 10, 0, 123456, tzinfo=UTC)
ODD = 'it\'s \\ "odd" {model} é\n'


class SparkTarget(LocalTarget):
    """The same lakehouse, whose tables of record are read and written as a workspace's are."""

    detail, records, append_records = (
        DatabricksTarget.detail,
        DatabricksTarget.records,
        DatabricksTarget.append_records,
    )
    has_table = DatabricksTarget.has_table


@pytest.fixture
def targets(spark, tmp_path: Path):
    """Return one lakehouse as two targets, by delta-rs and by Spark, with the two tables, empty."""
    project = Project(tmp_path, names("twin", "twin"))
    stored, by_spark = LocalTarget(project, spark), SparkTarget(project, spark)
    stored.create_schema("bronze")
    for table in (runs_table("ctwin"), files_table("ctwin")):
        name = stored.sql_name(TableName("ctwin", "bronze", table.name))
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        spark.sql(f"DROP TABLE IF EXISTS {name}")
        spark.sql(
            f"CREATE TABLE {name} ({columns}) USING delta LOCATION "
            f"'{stored.folder(TableName('ctwin', 'bronze', table.name))}' TBLPROPERTIES "
            f"('datamaster.layer' = '{table.name}')"
        )
    yield stored, by_spark
    for table in ("runs", "files"):
        spark.sql(f"DROP TABLE IF EXISTS {stored.sql_name(TableName('ctwin', 'bronze', table))}")


def run(number: int, batch: int | None = None, **values) -> Run:
    later = BEGAN + timedelta(minutes=number)
    return replace(
        Run(
            f"r{number}",
            "ingest",
            "local",
            ODD,
            "1.0.0",
            "order",
            later,
            later + timedelta(seconds=9),
            batch=batch,
            stream="s" if batch is not None else "",
        ),
        **values,
    )


def entry(number: int, **values) -> FileEntry:
    later = BEGAN + timedelta(minutes=number)
    return replace(
        FileEntry(
            f"r{number}",
            ODD,
            "order",
            "s",
            number,
            f"file:/in/{ODD}{number}.csv",
            f"{number}.csv",
            10,
            later,
            3,
            2,
            0,
            1,
            STATE_READ,
            "",
            later,
        ),
        **values,
    )


def filled(target, other) -> Step:
    """Record what the queries look for, in turns by the one and the other, and return a step that
    asks.
    """
    rules = (
        RuleResult(ODD, "sql", "fail", 3.0, False),
        RuleResult("s", "sql", "warn", 0.0, True),
        RuleResult("t", "text", "warn", not_executed="a text"),
    )
    record_runs(
        target,
        "ctwin",
        [run(0, 0, rules=rules, rows_read=5, notes=(ODD, "two"), latency_seconds=1.5)],
    )
    record_runs(other, "ctwin", [run(0, 1, rules=rules, rows_read=7)])
    record_runs(target, "ctwin", [run(1, 2, rows_read=1)])
    record_runs(other, "ctwin", [run(1, resumed=("r0",), rows_read=8)])
    record_runs(target, "ctwin", [run(2, 3, rows_read=4), run(2, 3, model="line", rows_read=9)])
    record_runs(
        other,
        "ctwin",
        [
            run(
                3,
                1,
                step=HOLD_STEP,
                stream="h1",
                rules=rules,
                result="held",
                error=ODD,
                resumed=("r0", "r1"),
            )
        ],
    )
    record_runs(
        target,
        "ctwin",
        [
            run(
                4,
                2,
                step=HOLD_STEP,
                stream="h1",
                rules=rules,
                result="released",
                resumed=("r0", "r1"),
                notes=("released",),
            )
        ],
    )
    record_runs(
        other,
        "ctwin",
        [run(5, 1, step=HOLD_STEP, stream="h2", rules=rules, result="held", resumed=("r2",))],
    )
    record_files(
        target, "ctwin", [entry(0, result=STATE_REFUSED, reason="damaged"), entry(0, path="b.csv")]
    )
    record_files(other, "ctwin", [entry(1, path="b.csv", result=STATE_REFUSED, reason=ODD)])
    record_files(
        target,
        "ctwin",
        [
            entry(
                2,
                path="c.csv",
                reason=f"{TOTALS_OF}another",
                totals=(TotalComparison("rows", "3", "2"),),
            )
        ],
    )
    record_files(other, "ctwin", [entry(3, path="d.csv", result=STATE_REFUSED)])
    record_files(target, "ctwin", [entry(4, path="d.csv")])
    contract = Contract(
        ODD,
        version="1.0.0",
        models=(
            Model("order", (Field("id", Scalar("long")),)),
            Model("line", (Field("id", Scalar("long")),)),
        ),
    )
    return Step(
        target,
        target.project.names,
        contract,
        contract.models[0],
        (),
        "r2",
        "ingest",
        resumed=("r0",),
    )


def test_every_query_says_the_same_on_both_engines(targets) -> None:
    stored, by_spark = targets
    step = filled(stored, by_spark)
    twin = replace(step, target=by_spark)
    questions = {
        "past": lambda at: read_past(at.target, "ctwin", "ingest", ODD, ["order", "line", "none"]),
        "no past": lambda at: read_past(at.target, "ctwin", "silver", ODD, ["order"]),
        "notes": lambda at: read_notes(at.target, "ctwin", ["r0", "r1"], "ingest", "order"),
        "runs": lambda at: read_runs(at.target, "ctwin"),
        "one run": lambda at: read_runs(at.target, "ctwin", "r1", "ingest"),
        "batches": lambda at: {
            model: sorted(batches, key=lambda batch: batch["batch"])
            for model, batches in read_batches(
                [at, replace(at, model=at.contract.models[1])]
            ).items()
        },
        "ranges": lambda at: read_batch_ranges(at, ["r0", "r1", "r2"]),
        "no ranges": lambda at: read_batch_ranges(at, []),
        "open holds": lambda at: read_holds(at.target, "ctwin", ODD),
        "holds": lambda at: read_holds(at.target, "ctwin", is_open=False),
        "events": lambda at: hold_events(read_runs_and_events(at.target, "ctwin")),
        "unjudged": lambda at: (
            has_unjudged_batch(at),
            has_unjudged_batch(replace(at, model=at.contract.models[1])),
            has_unjudged_batch(replace(at, contract=replace(at.contract, id="none"))),
        ),
        "files": lambda at: read_entries(at.target, "ctwin"),
        "files of a run": lambda at: entries_of_run(at, run(2)),
        "refused files": lambda at: read_refusals([at]),
        "files read again": files_to_read_again,
        "tables": lambda at: [
            at.target.has_table(TableName("ctwin", "bronze", table))
            for table in ("runs", "files", "none")
        ],
        "detail": lambda at: replace(at.target.detail(runs_table_name("ctwin")), version=None),
    }
    answers = {name: (ask(step), ask(twin)) for name, ask in questions.items()}
    assert {name: ours for name, (ours, _) in answers.items()} == {
        name: theirs for name, (_, theirs) in answers.items()
    }
    found = {name: ours for name, (ours, _) in answers.items()}
    assert found["tables"] == [True, True, False]
    assert found["past"]["order"].interrupted == ("r2",) and found["past"][
        "order"
    ].last_batches == {"s": 3}
    assert found["past"]["line"].interrupted == ("r2",) and found["past"]["none"].last_batches == {}
    assert (
        found["notes"] == (ODD, "two")
        and [item.run_id for item in found["runs"]] == ["r1"]
        and found["runs"] == found["one run"]
    )
    assert [(part.first, part.last, part.rows) for part in found["ranges"]] == [
        (0, 3, 17)
    ] and found["no ranges"] == ()
    assert (
        [hold.id for hold in found["open holds"]] == ["h2"]
        and [hold.why for hold in found["holds"]] == [ODD, ""]
        and found["unjudged"] == (True, True, False)
    )
    assert found["refused files"]["order"] == {
        f"file:/in/{ODD}0.csv": (10, round(BEGAN.timestamp() * 1000)),
        "b.csv": (10, round((BEGAN + timedelta(minutes=1)).timestamp() * 1000)),
    }
    assert found["files read again"] == {
        f"file:/in/{ODD}0.csv": None,
        "b.csv": None,
        "c.csv": None,
        "d.csv": (10, round((BEGAN + timedelta(minutes=4)).timestamp() * 1000)),
    }
    assert read_entries(stored, "ctwin")[0].totals == () and found["files"][3].totals == (
        TotalComparison("rows", "3", "2"),
    )


def test_a_batch_is_recorded_once_whoever_records_it_first(targets) -> None:
    stored, by_spark = targets
    for first, second, batch in ((stored, by_spark, 0), (by_spark, stored, 1)):
        for target in (first, second, first):
            record_runs(target, "ctwin", [run(0, batch)])
            record_files(target, "ctwin", [entry(0, batch=batch)])
    rows = [
        (row["batch"])
        for row in stored.records(
            runs_table_name("ctwin"), "SELECT batch FROM records ORDER BY batch"
        )
    ]
    assert rows == [0, 1] and [item.batch for item in read_entries(by_spark, "ctwin")] == [0, 1]


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.lakehouse.runs import Run, record_runs
from datamaster_kit.targets.local import LocalTarget
target, moment = LocalTarget(Project(Path(sys.argv[1]), names("twin", "twin"))), datetime.now(UTC)
for batch in range(25):
    run = Run(
        "r", "silver", "local", "c", "1", "m", moment, moment, batch=batch, stream=sys.argv[2]
    )
    record_runs(target, "ctwin", [run])
"""


def test_many_writers_at_once_lose_nothing_and_repeat_nothing(targets, tmp_path: Path) -> None:
    stored, by_spark = targets

    def write(name: str) -> None:
        if name.startswith("process"):
            run_process([sys.executable, "-c", WRITER, str(tmp_path), name], check=True)
            return
        target = by_spark if name.startswith("spark") else stored
        for batch in range(3 if target is by_spark else 15):
            record_runs(target, "ctwin", [run(0, batch, stream=name)])

    with ThreadPoolExecutor(6) as pool:
        list(
            pool.map(write, ("thread 1", "thread 2", "thread 3", "spark", "process 1", "process 2"))
        )
    counts = {
        row["stream"]: (row["many"], row["different"])
        for row in stored.records(
            runs_table_name("ctwin"),
            "SELECT stream, count(1) AS many, count(DISTINCT batch) AS different FROM "
            "records GROUP BY stream",
        )
    }
    assert counts == {
        **{f"thread {number}": (15, 15) for number in (1, 2, 3)},
        "spark": (3, 3),
        "process 1": (25, 25),
        "process 2": (25, 25),
    }
    assert by_spark.records(runs_table_name("ctwin"), "SELECT count(1) AS many FROM records") == [
        {"many": 98}
    ]


def test_a_table_that_lacks_a_column_or_is_not_there_is_not_written_to(targets) -> None:
    stored, _ = targets
    with pytest.raises(ValueError, match="lacks extra"):
        stored.append_records(runs_table("ctwin"), [{"extra": 1}])
    with pytest.raises(ValueError, match="is not there"):
        stored.append_records(replace(runs_table("ctwin"), name="none"), [{"run_id": "r"}])
    assert (
        stored.detail(TableName("ctwin", "bronze", "none")) is None
        and stored.records(TableName("ctwin", "bronze", "none"), "SELECT 1") == []
    )


# A row of each kind: ends of ranges, what only some formats have, nothing at all.
KINDS = """
SELECT * FROM VALUES
  (CAST(1 AS TINYINT), CAST(-32768 AS SMALLINT), 2147483647, -9223372036854775808L,
   CAST('NaN' AS FLOAT), CAST('-Infinity' AS DOUBLE), 12345678901234567890.1234567890123456BD,
   TIMESTAMP'0001-01-01 00:00:00', DATE'9999-12-31', X'00FF', 'é\\n"', true,
   named_struct('a', 1, 'b', array('x', NULL)), map('k', named_struct('c', 0.10BD))),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (CAST(0 AS TINYINT), CAST(0 AS SMALLINT), 0, 0L, CAST(-0.0 AS FLOAT), 1e-320,
   -0.0000000000000001BD, TIMESTAMP'9999-12-31 23:59:59.999999', DATE'0001-01-01', X'', '', false,
   named_struct('a', CAST(NULL AS INT), 'b', array()), map())
AS rows (tiny, small, whole, long, short_float, double, exact, moment, day, bytes, text, truth,
         part, pairs)
"""


def kinds_tables(
    spark, tmp_path: Path, properties: str = ""
) -> tuple[LocalTarget, list[TableName]]:
    """Return a target with two tables for the rows of every kind, and a column that they lack."""
    target = LocalTarget(Project(tmp_path, names("twin", "twin")), spark)
    target.create_schema("bronze")
    kinds = ", ".join(f"{f.name} {f.dataType.simpleString()}" for f in spark.sql(KINDS).schema)
    tables = [TableName("ctwin", "bronze", name) for name in ("by_arrow", "by_spark")]
    for table in tables:
        spark.sql(f"DROP TABLE IF EXISTS {target.sql_name(table)}")
        spark.sql(
            f"CREATE TABLE {target.sql_name(table)} ({kinds}, later STRING) USING delta LOCATION "
            f"'{target.folder(table)}' {properties}"
        )
    return target, tables


def last_commit(target: LocalTarget, table: TableName, suffix: str = ".json") -> dict:
    """Return the actions of a table's last commit by kind, or its checksum."""
    log = target.folder(table) / "_delta_log"
    last = max(file.stem for file in log.glob("[0-9]*.json"))
    lines = (log / f"{last}{suffix}").read_text(encoding="utf-8").splitlines()
    return {kind: said for line in lines for kind, said in json.loads(line).items()}


def test_a_few_rows_are_the_same_table_whoever_appends_them(spark, tmp_path: Path) -> None:
    """Values of every kind, statistics, transaction and checksum; each version once, by whom ever
    it came first.
    """
    wanted = "TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'tiny,moment,text')"
    target, (ours, theirs) = kinds_tables(spark, tmp_path, wanted)
    # as a file has them, whose values may all be NULL
    spark.sql(KINDS).coalesce(1).write.parquet(str(tmp_path / "rows"))
    rows = spark.read.parquet(str(tmp_path / "rows"))
    for version, (first, second) in enumerate([(True, False), (False, True), (True, True)], 1):
        target.append_once(rows, ours, "stream/1", version, is_small=first)
        target.append_once(rows, ours, "stream/1", version, is_small=second)
        target.append_once(rows, ours, "stream/1", version - 1, is_small=True)
        target.append_once(rows, theirs, "stream/1", version)
    assert len(DeltaTable(target.folder(ours)).history()) == 4
    both = [spark.table(target.sql_name(table)) for table in (ours, theirs)]
    assert both[0].schema == both[1].schema
    texts = [table.selectExpr("to_json(struct(*)) AS text").collect() for table in both]
    assert sorted(texts[0]) == sorted(texts[1])
    assert both[0].count() == 9 and both[0].where("later IS NULL").count() == 9
    engines = [commit.get("engineInfo", "") for commit in DeltaTable(target.folder(ours)).history()]
    assert ["Spark" in engine for engine in engines] == [False, True, False, True]
    mine, his = (last_commit(target, table) for table in (ours, theirs))
    assert {key: mine["txn"][key] for key in ("appId", "version")} == {
        "appId": "stream/1",
        "version": 3,
    }
    of_mine, of_his = (json.loads(said["add"]["stats"]) for said in (mine, his))
    assert of_mine["nullCount"] == of_his["nullCount"]
    assert of_mine["numRecords"] == of_his["numRecords"] == 3
    assert of_mine["minValues"]["tiny"] == of_his["minValues"]["tiny"] == 0
    sums = [last_commit(target, table, ".crc") for table in (ours, theirs)]
    same = ("numFiles", "numMetadata", "numProtocol", "protocol", "domainMetadata")
    assert [sums[0][key] for key in same] == [sums[1][key] for key in same]
    files = {Path(uri).name for uri in DeltaTable(target.folder(ours)).file_uris()}
    assert {file["path"] for file in sums[0]["allFiles"]} == files
    assert [item["version"] for item in sums[0]["setTransactions"]] == [3]
    counts = [
        row["n"]
        for row in spark.sql(
            f"SELECT count(1) AS n FROM {target.sql_name(ours)} WHERE tiny = 0 AND text = ''"
        ).collect()
    ]
    assert counts == [3], "files are found by their statistics and by the checksum"


@pytest.mark.parametrize(
    "change",
    [
        "ADD CONSTRAINT positive CHECK (tiny >= 0 OR tiny IS NULL)",
        "SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
        "SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
    ],
)
def test_a_table_that_asks_something_of_its_writers_is_written_by_spark(
    spark, tmp_path: Path, change: str
) -> None:
    target, (table, _) = kinds_tables(spark, tmp_path)
    spark.sql(f"ALTER TABLE {target.sql_name(table)} {change}")
    target.append_once(spark.sql(KINDS), table, "stream", 0, is_small=True)
    assert "Spark" in last_commit(target, table)["commitInfo"]["engineInfo"]
    assert spark.table(target.sql_name(table)).count() == 3


def test_rows_of_another_type_are_left_to_spark(spark, tmp_path: Path) -> None:
    target, (table, _) = kinds_tables(spark, tmp_path)
    narrower = spark.sql("SELECT CAST(7 AS SMALLINT) AS whole, 'x' AS TEXT")
    target.append_once(narrower, table, "stream", 0, is_small=True)
    assert "Spark" in last_commit(target, table)["commitInfo"]["engineInfo"]
    target.append_once(spark.sql("SELECT 8 AS whole, 'y' AS TEXT"), table, "stream", 1, True)
    assert "Spark" not in last_commit(target, table)["commitInfo"].get("engineInfo", "")
    found = spark.table(target.sql_name(table)).orderBy("whole").select("whole", "text").collect()
    assert [tuple(row) for row in found] == [(7, "x"), (8, "y")]
