"""From raw files to bronze and silver on a real Spark with Delta.

What is promised about rows, rules, versions and repetition.
"""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.read import examine_document
from datamaster_kit.ingest.ingest import build_silver, ingest_files
from datamaster_kit.lakehouse.names import names
from datamaster_kit.lakehouse.runs import read_runs
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

pytestmark = pytest.mark.spark
CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:shop
info: {title: Shop, version: 1.0.0}
models:
  customer:
    fields:
      id: {type: long, primaryKey: true}
      name: {type: string, required: true}
  "order":
    description: One row an order.
    fields:
      id: {type: long, primaryKey: true, description: The order's number.}
      customer_id: {type: long, references: customer.id}
      amount: {type: decimal, precision: 10, scale: 2, minimum: 0}
      status: {type: string, enum: [new, paid]}
      updated_at: {type: timestamp}
    quality:
      - type: sql
        name: paid_is_not_free
        query: SELECT COUNT(*) FROM order WHERE status = 'paid' AND amount = 0
        mustBe: 0
        severity: warning
      - {type: library, metric: rowCount, mustBeLessThan: 100}
workflow: {latest_by: {order: updated_at}}
"""


@pytest.fixture
def shop(spark, tmp_path: Path) -> tuple[Project, LocalTarget, Contract]:
    """Return a project with its tables, in a warehouse of its own."""
    for schema in ("bronze", "silver", "gold"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    project = Project(tmp_path, names("shop", "shop"))
    target = LocalTarget(project, spark)
    contract, faults = examine_document(parse_document(CONTRACT, "shop.yaml"), tmp_path)
    assert contract is not None and not faults, faults
    apply_plan(plan_project_tables(target, project, [contract]), target)
    return project, target, contract


def land(target: LocalTarget, model: str, name: str, text: str) -> None:
    Path(target.landing_folder(model), name).write_text(text, encoding="utf-8")


def table(shop, schema: str, name: str):
    project, target, _ = shop
    return target.spark.table(target.sql_name(project.names.table(schema, name)))


ORDERS = (
    "id,customer_id,amount,status,updated_at\n1,1,10.50,new,2026-01-01T10:00:00Z\n"
    "2,9,-1,paid,2026-01-01T10:00:00Z\n3,1,1.239,new,2026-01-01T10:00:00Z\n"
    "4,1,0,paid,2026-01-01T10:00:00Z\n"
)


def test_a_plan_made_after_applying_one_is_empty(shop) -> None:
    project, target, contract = shop
    assert plan_project_tables(target, project, [contract]).is_empty


def test_every_row_is_in_bronze_with_its_rules_its_file_and_what_was_rescued(shop) -> None:
    _, target, contract = shop
    land(target, "customer", "a.csv", "id,name\n1,Ada\n")
    land(target, "order", "a.csv", ORDERS)
    runs = {run.model: run for run in ingest_files(target, shop[0], contract, "run-1")}
    rows = {row["id"]: row for row in table(shop, "bronze", "order").collect()}
    assert {number: row["carlton_broken_rules"] for number, row in rows.items()} == {
        1: [],
        2: ["amount.range"],
        3: ["amount.type"],
        4: ["paid_is_not_free"],
    }
    assert json.loads(rows[3]["carlton_rescued"])["amount"] == "1.239" and rows[3]["amount"] is None
    assert (
        rows[1]["carlton_metadata"]["file_name"] == "a.csv"
        and rows[1]["carlton_metadata"]["run_id"] == "run-1"
    )
    run = runs["order"]
    assert (run.rows_read, run.rows_written, run.rows_rescued, run.rows_quarantined, run.files) == (
        4,
        4,
        1,
        2,
        1,
    )
    assert run.bytes == len(ORDERS.encode()) and run.latency_seconds is not None
    said = {result.rule: (result.value, result.passed) for result in run.rules}
    assert (
        said["amount.range"] == (1.0, False)
        and said["amount.type"] == (1.0, False)
        and said["status.enum"] == (0.0, True)
    )
    assert said["customer_id.reference.customer.id"] == (0.0, True), (
        "the row that refers to nobody is quarantined, so that it is not among the good ones"
    )
    assert said["rowcount"] == (2.0, True)


def test_nothing_new_changes_nothing_and_is_recorded(shop) -> None:
    project, target, contract = shop
    land(target, "order", "a.csv", ORDERS)
    ingest_files(target, project, contract)
    build_silver(target, project, contract)
    again = (
        *ingest_files(target, project, contract, "again"),
        *build_silver(target, project, contract, "again"),
    )
    assert {run.result for run in again} == {"nothing new"}
    assert (
        table(shop, "bronze", "order").count() == 4 and table(shop, "silver", "order").count() == 2
    )
    assert len(read_runs(target, project.names.catalog, "again")) == 4


class WithoutSpark(LocalTarget):
    """The same lakehouse, which has no Spark."""

    @property
    def spark(self):
        raise AssertionError("Spark was asked")


def test_where_nothing_is_new_neither_a_plan_nor_a_step_asks_spark(shop) -> None:
    project, target, contract = shop
    idle = WithoutSpark(project)
    assert plan_project_tables(idle, project, [contract]).is_empty
    land(target, "order", "a.csv", ORDERS)
    ingest_files(target, project, contract)
    build_silver(target, project, contract)
    assert {
        run.result
        for run in (
            *ingest_files(idle, project, contract, "idle"),
            *build_silver(idle, project, contract, "idle"),
        )
    } == {"nothing new"}
    assert len(read_runs(idle, project.names.catalog, "idle")) == 4
    land(target, "order", "b.csv", ORDERS.replace("\n1,", "\n11,"))
    with pytest.raises(DatamasterError, match="Spark was asked"):
        ingest_files(idle, project, contract)
    assert sum(run.rows_written for run in ingest_files(target, project, contract)) == 4
    target.spark.sql(
        f"ALTER TABLE {target.sql_name(project.names.table('bronze', 'order'))} SET "
        "TBLPROPERTIES ('note' = 'a commit without a row')"
    )
    assert sum(run.rows_merged for run in build_silver(target, project, contract)) > 0
    assert {run.result for run in build_silver(target, project, contract)} == {"nothing new"}


def test_silver_holds_the_newest_version_whatever_the_order_of_arrival(shop) -> None:
    project, target, contract = shop
    land(
        target,
        "order",
        "b.csv",
        "updated_at,status,amount,id\n2026-03-01T00:00:00Z,paid,7.00,1\n"
        "2026-02-01T00:00:00Z,new,5.00,1\n2026-03-01T00:00:00Z,unknown,1,2\n",
    )
    ingest_files(target, project, contract)
    build_silver(target, project, contract)
    land(
        target,
        "order",
        "late.csv",
        "id,amount,status,updated_at\n1,1.00,new,2026-01-01T00:00:00Z\n"
        "3,3.00,new,2026-01-01T00:00:00Z\n",
    )
    ingest_files(target, project, contract)
    (run,) = [run for run in build_silver(target, project, contract) if run.model == "order"]
    rows = {row["id"]: row["amount"] for row in table(shop, "silver", "order").collect()}
    assert rows == {1: Decimal("7.00"), 3: Decimal("3.00")} and run.rows_merged == 1


def test_a_broken_rule_of_severity_fail_fails_the_run_after_recording_it(shop) -> None:
    project, target, contract = shop
    land(
        target,
        "order",
        "many.csv",
        "id,status\n" + "".join(f"{number},new\n" for number in range(200)),
    )
    with pytest.raises(DatamasterError, match="rowcount"):
        ingest_files(target, project, contract, "too-many")
    recorded = {run.model: run for run in read_runs(target, project.names.catalog, "too-many")}
    assert recorded["order"].result == "failed" and "rowcount" in recorded["order"].error
    assert recorded["customer"].result == "nothing new"


def test_a_batch_that_is_run_again_is_not_written_twice(shop) -> None:
    """The commit of the checkpoint is taken back, as if the process had been killed between the
    table's commit and the stream's.
    """
    project, target, contract = shop
    land(target, "order", "a.csv", ORDERS)
    ingest_files(target, project, contract, "killed")
    checkpoint = Path(target.volume_folder("bronze", project.names.checkpoint_volume), "order")
    for commit in (checkpoint / "commits").iterdir():
        commit.unlink()
    (run,) = [
        run for run in ingest_files(target, project, contract, "restarted") if run.model == "order"
    ]
    assert table(shop, "bronze", "order").count() == 4
    assert run.result == "nothing new", "the batch has been recorded, and is not counted again"
    assert table(shop, "bronze", "order_quarantine").count() == 2


def test_a_missing_table_is_told_with_its_remedy_and_nothing_is_read(shop) -> None:
    project, target, contract = shop
    land(target, "order", "a.csv", ORDERS)
    target.spark.sql("DROP TABLE spark_catalog.bronze.`order`")
    shutil.rmtree(target.folder(project.names.table("bronze", "order")))
    with pytest.raises(DatamasterError) as raised:
        ingest_files(target, project, contract)
    assert {fault.code for fault in raised.value.faults} == {"no-table"}
    assert "datamaster unity apply" in raised.value.faults[0].hint


def test_a_comment_changed_by_hand_is_drift_and_is_mended(shop) -> None:
    project, target, contract = shop
    target.spark.sql("COMMENT ON TABLE spark_catalog.silver.`order` IS 'mine'")
    target.spark.sql("ALTER TABLE spark_catalog.bronze.`order` ADD COLUMNS (extra INT)")
    plan = plan_project_tables(target, project, [contract])
    assert [(change.name, change.refusal.partition(";")[0]) for change in plan.pending] == [
        ("cshop.bronze.order", "the column extra is not in the contract"),
        ("cshop.silver.order", ""),
    ]
    apply_plan(plan, target)
    left = plan_project_tables(target, project, [contract])
    assert [change.name for change in left.pending] == ["cshop.bronze.order"] and left.pending[
        0
    ].refusal


def test_tables_are_found_again_by_a_new_session(shop) -> None:
    from datamaster_kit.targets.local import delta_folders, register_tables

    project, target, _ = shop
    before = set(delta_folders(target.warehouse))
    assert {("bronze", "order"), ("silver", "order"), ("bronze", "runs")} <= before
    register_tables(target.spark, target.warehouse)
    assert target.spark.catalog.tableExists(target.sql_name(project.names.table("silver", "order")))
