"""What silver has after files arrived, on a Spark and Delta of this machine, in a folder that is
thrown away.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.functions import upper

from datamaster_kit.ingest.ingest import ingest_files
from datamaster_kit.project.project_file import read_contracts, read_project
from datamaster_kit.lakehouse.runs import read_runs
from datamaster_kit.targets.jvm.session import local_session
from datamaster_kit.targets.base import target_of
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

from definition_project import silver
from definition_project.main import main

PROJECT = Path(__file__).resolve().parents[2]
CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:example:sale
info: {title: Sales, version: 1.0.0}
models:
  sale:
    fields:
      id: {type: long, primaryKey: true}
      state: {type: string, required: true}
      amount: {type: decimal, precision: 7, scale: 2, minimum: 0}
      at: {type: timestamp, required: true}
workflow: {latest_by: at, delete_when: {state: gone}}
"""
MONDAY, TUESDAY = "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"


def project_file(folder: Path, contract: str) -> Path:
    """Write a project of one contract and return its file."""
    (folder / "contracts").mkdir()
    (folder / "contracts" / "sale.yaml").write_text(contract, encoding="utf-8")
    (folder / "datamaster.yaml").write_text("domain: example\ncatalog: example\n", encoding="utf-8")
    return folder / "datamaster.yaml"


class Lake:
    """A project of its own: files arrive, bronze takes them in, and the package fills silver."""

    def __init__(self, folder: Path) -> None:
        self.file = project_file(folder, CONTRACT)
        self.project = read_project(self.file)
        self.target = target_of(self.project, "local")
        [self.contract] = read_contracts(self.project)
        apply_plan(plan_project_tables(self.target, self.project, [self.contract]), self.target)

    def arrive(self, name: str, *rows: str) -> None:
        Path(self.target.landing_folder("sale"), f"{name}.csv").write_text(
            "\n".join(["id,state,amount,at", *rows, ""]), encoding="utf-8"
        )
        ingest_files(self.target, self.project, self.contract)

    def fill(self, *more: str) -> int:
        """Run the package, and return how many rows it changed."""
        main(
            [
                "--project",
                str(self.file),
                "--contract",
                "contracts/sale.yaml",
                "--model",
                "sale",
                *more,
            ]
        )
        done = [run for run in read_runs(self.target, "cexample") if run.step == "prep"][-1]
        return done.rows_merged + done.rows_deleted

    def sales(self) -> list[tuple[int, str, Decimal]]:
        return [
            tuple(row)
            for row in self.target.spark.table("spark_catalog.silver.sale")
            .select("id", "state", "amount")
            .orderBy("id")
            .collect()
        ]


@pytest.fixture(scope="module")
def spark() -> SparkSession:
    """The session; the project's folder has Delta's jars (`datamaster doctor --install`)."""
    return local_session(PROJECT / ".datamaster")


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    for schema in ("bronze", "silver", "gold"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    return Lake(tmp_path)


def test_the_newest_version_wins_in_whatever_order_they_arrive(lake: Lake) -> None:
    lake.arrive("a", f"1,paid,20,{TUESDAY}", f"2,new,5,{MONDAY}")
    assert lake.fill() == 2
    lake.arrive("b", f"1,new,10,{MONDAY}", f"2,paid,6,{TUESDAY}")
    assert lake.fill() == 1
    assert lake.sales() == [(1, "paid", Decimal("20.00")), (2, "paid", Decimal("6.00"))]
    assert lake.fill() == 0


def test_a_deleted_key_is_gone_and_an_older_row_does_not_bring_it_back(lake: Lake) -> None:
    lake.arrive("a", f"1,new,10,{MONDAY}", f"2,new,5,{MONDAY}")
    lake.fill()
    lake.arrive("b", f"1,gone,,{TUESDAY}")
    assert lake.fill() == 1
    lake.arrive("c", f"1,paid,10,{MONDAY}")
    assert lake.fill() == 0
    assert [row[0] for row in lake.sales()] == [2]


def test_broken_rows_stay_out_and_days_choose_the_others_by_when_they_arrived(lake: Lake) -> None:
    lake.arrive("a", f"1,new,10,{MONDAY}", f"2,new,-1,{MONDAY}", f"3,new,much,{MONDAY}")
    assert lake.fill("--until", "2020-12-31") == 0
    assert lake.fill("--since", "2020-12-31") == 1
    assert [row[0] for row in lake.sales()] == [1]


def test_a_new_rule_reaches_the_rows_that_are_there(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.arrive("a", f"1,new,10,{MONDAY}")
    lake.fill()
    monkeypatch.setattr(
        silver, "prepared", lambda model, rows: rows.withColumn("state", upper("state"))
    )
    assert lake.fill() == 1
    assert lake.sales() == [(1, "NEW", Decimal("10.00"))]
    assert lake.fill() == 0


RAW = """
dataContractSpecification: 1.1.0
id: urn:example:raw
info: {title: Raw sales, version: 1.0.0}
models:
  sale:
    fields:
      id: {type: string}
      state: {type: string}
      amount: {type: string}
      at: {type: string}
      extra: {type: string}
workflow: {source: {type: adls, format: csv}}
"""


def test_silver_of_what_another_contract_brings_to_bronze_is_as_this_one_describes_it(
    spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    for schema in ("bronze", "silver", "gold"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    contracts = tmp_path / "contracts"
    (contracts / "raw.yaml").write_text(RAW, encoding="utf-8")
    (contracts / "sale.yaml").write_text(
        CONTRACT.rstrip()[:-1]
        + ", tasks: [{task_key: prepare, python_wheel_task: {package_name: definition_project, "
        "entry_point: main}}]}\n",
        encoding="utf-8",
    )
    raw, lake.contract = read_contracts(lake.project)
    apply_plan(plan_project_tables(lake.target, lake.project, [raw, lake.contract]), lake.target)
    lake.contract = raw
    lake.arrive(
        "a",
        f"1,new,10,{MONDAY}",
        f"x,new,10,{MONDAY}",
        f"2,new,much,{MONDAY}",
        f"3,new,-1,{MONDAY}",
        f"4,,5,{MONDAY}",
    )
    assert lake.fill() == 1
    lake.arrive("b", f"1,paid,20,{TUESDAY}", f"5,new,1,{MONDAY}")
    assert lake.fill() == 2
    assert lake.sales() == [(1, "paid", Decimal("20.00")), (5, "new", Decimal("1.00"))]
    lake.arrive("c", f"5,gone,,{TUESDAY}")
    assert lake.fill() == 1
    assert [row[0] for row in lake.sales()] == [1]


@pytest.mark.parametrize(
    ("contract", "model", "told"),
    [
        (CONTRACT, "sail", "it brings sale"),
        (
            CONTRACT.replace(", primaryKey: true", "").replace(", delete_when: {state: gone}", ""),
            "sale",
            "no primary key",
        ),
        (
            CONTRACT.replace("workflow: {", "workflow: {history: [sale], "),
            "sale",
            "keeps every version",
        ),
    ],
)
def test_what_the_package_does_not_fill_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contract: str, model: str, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "--project",
                str(project_file(tmp_path, contract)),
                "--contract",
                "contracts/sale.yaml",
                "--model",
                model,
            ]
        )
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
