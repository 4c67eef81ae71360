"""What gold has after a model was trained and scored, on a Spark and Delta of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.project.project_file import read_contracts, read_project
from datamaster_kit.targets.base import target_of
from datamaster_kit.targets.jvm.session import local_session
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

from account_engine import main, versions
from account_engine.features import KEY

PROJECT = Path(__file__).resolve().parents[2]
ACCOUNTS = """
dataContractSpecification: 1.1.0
id: urn:example:account
info: {title: Accounts, version: 1.0.0}
models:
  account:
    fields:
      account_id: {type: string, primaryKey: true}
      brand_name: {type: string}
      type: {type: string}
      currency: {type: string}
      balance: {type: decimal, precision: 18, scale: 2}
      opened_on: {type: date}
      updated_at: {type: timestamp}
workflow: {latest_by: updated_at}
"""
# every third prepaid account and every ninth other one is overdrawn
ROWS = """
    SELECT CAST(id AS STRING), concat('Brand ', id % 3), IF(id % 2 = 0, 'PREPAID', 'CURRENT'),
        'BRL', IF(id % IF(id % 2 = 0, 3, 9) = 0, -5, 10), DATE '2020-01-01',
        TIMESTAMP '2026-01-05 00:00:00' FROM range({first}, {last})
"""


class Lake:
    """A project of accounts in silver, and the contract of the scores."""

    def __init__(self, folder: Path) -> None:
        (folder / "contracts").mkdir()
        (folder / "contracts" / "account.yaml").write_text(ACCOUNTS, encoding="utf-8")
        shutil.copy(PROJECT / "contracts" / "account_engine.yaml", folder / "contracts")
        self.file = folder / "datamaster.yaml"
        self.file.write_text("domain: example\ncatalog: example\n", encoding="utf-8")
        project = read_project(self.file)
        self.target = target_of(project, "local")
        contracts = read_contracts(project)
        apply_plan(plan_project_tables(self.target, project, contracts), self.target)

    def arrive(self, first: int, last: int) -> None:
        """Put accounts into silver."""
        columns = "account_id, brand_name, type, currency, balance, opened_on, updated_at"
        self.target.spark.sql(
            f"INSERT INTO spark_catalog.silver.account ({columns}) "
            + ROWS.format(first=first, last=last)
        )

    def train(self) -> versions.Version:
        """Train, as the task does."""
        return main.train_version(main.options(["--project", str(self.file)]))

    def score(self, *more: str) -> int:
        """Score, as the task does, and return how many rows were written."""
        return main.score_rows(main.options(["--project", str(self.file), *more]))[1].rows_written

    def scores(self) -> list[tuple[str, float, str]]:
        """Return the rows of gold."""
        table = self.target.spark.table("spark_catalog.gold.account_engine_score")
        return [tuple(row) for row in table.orderBy(KEY).collect()]


@pytest.fixture(scope="module")
def spark() -> SparkSession:
    """The session; the project's folder has Delta's jars (`datamaster doctor --install`)."""
    return local_session(PROJECT / ".datamaster")


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lakehouse; what MLflow keeps is thrown away with it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    for schema in ("bronze", "silver", "gold"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    return Lake(tmp_path)


def test_rows_are_scored_by_the_newest_version_and_again_to_the_same_table(lake: Lake) -> None:
    lake.arrive(0, 400)
    first = lake.train()
    assert first.metrics["rows"] == 400 and 0.5 < first.metrics["auc"] <= 1
    assert lake.train().name == first.name
    assert lake.score() == 400
    made = lake.scores()
    assert {version for _, _, version in made} == {first.name}
    chances = {key: chance for key, chance, _ in made}
    assert 0 < chances["7"] < chances["8"] < 1, "prepaid accounts are overdrawn more often"
    assert lake.score() == 400 and lake.scores() == made

    lake.arrive(400, 900)
    second = lake.train()
    assert second.name != first.name and lake.score() == 900
    assert {version for _, _, version in lake.scores()} == {second.name}
    lake.score("--version", first.name)
    assert {key: chance for key, chance, _ in lake.scores()}["8"] == chances["8"]


def test_scores_that_break_a_rule_do_not_replace_the_table(lake: Lake) -> None:
    lake.arrive(0, 400)
    lake.train()
    lake.score()
    made = lake.scores()
    lake.target.spark.sql("DELETE FROM spark_catalog.silver.account")
    with pytest.raises(DatamasterError, match="account_engine_score"):
        lake.score()
    assert lake.scores() == made


def test_what_cannot_be_trained_or_loaded_is_told(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(DatamasterError, match="all the same"):
        lake.train()
    with pytest.raises(DatamasterError, match="no version"):
        lake.score()
    kept = versions.FolderVersions(tmp_path / "kept")
    version = kept.save({"a": 1}, {}, None)
    assert kept.load()[1] == {"a": 1} and kept.save({"a": 1}, {}, None) == version
    (tmp_path / "kept" / version.name / "model.joblib").write_bytes(versions.model_bytes({"a": 2}))
    with pytest.raises(DatamasterError, match="another hash"):
        kept.load()
    with pytest.raises(DatamasterError, match="no version"):
        kept.load("../kept")
