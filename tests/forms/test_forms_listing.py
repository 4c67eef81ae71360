"""What the home page says of a project's contracts.

Quickly, and the same as Spark says of its runs.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.forms.web.home import Home
from datamaster_kit.forms.web.listing import (
    DeliveryQuality,
    LastRun,
    quality_words,
    read_contract_listing,
    run_words,
)
from datamaster_kit.forms.web.stored_runs import read_stored_runs
from datamaster_kit.lakehouse.runs import (
    RuleResult,
    Run,
    read_runs,
    record_runs,
    runs_table,
    runs_table_name,
)
from datamaster_kit.project.project_file import read_project
from datamaster_kit.targets.local import LocalTarget

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one contract."""
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n")
    (tmp_path / "contracts").mkdir()
    shutil.copy(ROOT / "contracts" / "account.yaml", tmp_path / "contracts")
    return tmp_path


@pytest.mark.spark
@pytest.mark.slow
def test_runs_are_read_without_spark_as_spark_reads_them(folder: Path, spark: SparkSession) -> None:
    project = read_project(folder)
    target = LocalTarget(project, spark)
    name = target.sql_name(runs_table_name("crisk"))
    spark.sql(f"DROP TABLE IF EXISTS {name}")
    table = folder / ".datamaster" / "warehouse" / "crisk" / "bronze" / "runs"
    target.create_schema("bronze")
    columns = ", ".join(f"{column.name} {column.type}" for column in runs_table("crisk").columns)
    spark.sql(f"CREATE TABLE {name} ({columns}) USING delta LOCATION '{table}'")
    began = datetime(2026, 11, 26, 3, 10, 0, 123456, tzinfo=UTC)
    one = Run(
        "r0",
        "ingest",
        "local",
        "urn:datacontract:risk:account",
        "1.2.0",
        "account",
        began,
        began + timedelta(seconds=9),
        rows_read=1000,
        rows_quarantined=8,
        notes=("a 'note'",),
        rules=(
            RuleResult("r", "sql", "warn", 3.0, False),
            RuleResult("s", "sql", "warn", 0.0, True),
            RuleResult("t", "text", "warn", not_executed="a text"),
        ),
    )
    try:
        for number in range(12):
            later = began + timedelta(minutes=number)
            record_runs(
                target,
                "crisk",
                [
                    replace(one, run_id=f"r{number}", started_at=later, ended_at=later),
                    replace(
                        one,
                        run_id=f"r{number}",
                        started_at=later,
                        ended_at=later,
                        batch=number,
                        stream="s",
                    ),
                ],
            )
        DeltaTable(table).create_checkpoint()
        assert (
            read_stored_runs(project) == read_runs(target, "crisk")
            and len(read_stored_runs(project)) == 12
        )
        spark.sql(f"OPTIMIZE {name}")
        for commit in sorted((table / "_delta_log").glob("0*.json"))[:8]:
            commit.unlink()  # what the table does itself after a month
        assert (
            read_stored_runs(project) == read_runs(target, "crisk")
            and len(read_stored_runs(project)) == 12
        )
    finally:
        spark.sql(f"DROP TABLE IF EXISTS {name}")
    found = read_contract_listing(project).contracts[0]
    assert found.last_run == LastRun(
        began + timedelta(minutes=11), "ingest", "succeeded"
    ) and found.quality == DeliveryQuality(1000, 8, 1)
    assert (
        run_words(found) == "2026-11-26 03:21 UTC, ingest succeeded"
        and quality_words(found) == "99.2 % of 1,000 rows good, 8 quarantined; 1 rule broken"
    )


def test_runs_that_cannot_be_read_are_told_and_the_contracts_are_listed(folder: Path) -> None:
    log = folder / ".datamaster" / "warehouse" / "crisk" / "bronze" / "runs" / "_delta_log"
    log.mkdir(parents=True)
    for broken in (
        '{"add": {"path": "../../../../../contracts/account.yaml"}}',
        '{"add": {"path": "none.parquet"}}',
        "{",
        '{"add": {"path": "a", "deletionVector": {"storageType": "u"}}}',
        '{"add": 7}',
    ):
        (log / "00000000000000000000.json").write_text(broken)
        with pytest.raises(DatamasterError):
            read_stored_runs(read_project(folder))
        found = read_contract_listing(read_project(folder))
        assert (
            len(found.contracts) == 1
            and found.runs_fault is not None
            and found.runs_fault.code == "runs-unreadable"
        )
        assert (
            "runs-unreadable" not in Home(folder).title.value
            and "datamaster doctor" in Home(folder).count.value
        )


def test_a_hundred_contracts_are_listed_in_two_seconds(folder: Path) -> None:
    for number in range(99):
        shutil.copy(
            folder / "contracts" / "account.yaml", folder / "contracts" / f"copy{number:02d}.yaml"
        )
    read_contract_listing(read_project(folder))  # what is imported is imported once
    begun = time.process_time()
    home = Home(folder, lambda path: None)
    assert time.process_time() - begun < 2
    assert (
        len(home.found.contracts) == 100
        and home.more.description == "Show all 100"
        and len(home.list.children) == 2 + 2 * 30
    )
    home.more.click()
    assert len(home.list.children) == 2 + 2 * 100 and home.more.layout.display == "none"


def test_a_broken_project_file_is_told_and_can_still_be_opened(folder: Path) -> None:
    (folder / "datamaster.yaml").write_text("domain: Risk!\ncatalog: risk\n<b>: 1\n")
    opened: list[Path] = []
    home = Home(folder, open_project=opened.append)
    assert "&lt;b&gt;" in home.message.value and home.new.disabled and not home.list.children
    next(
        part for part in home.page.children[1].children if part.description == "Project settings"
    ).click()
    assert opened == [folder / "datamaster.yaml"]


def test_a_form_that_fails_is_told_and_the_list_stays(folder: Path) -> None:
    def failing(path: Path) -> None:
        raise ZeroDivisionError("<b>")

    home = Home(folder, failing)
    home.list.children[2].click()
    assert "ZeroDivisionError: &lt;b&gt;" in home.message.value and home.place.children == (
        home.page,
    )
    home.filter.value = "nothing like it"
    assert "0 match the filter" in home.count.value and home.list.children == ()


def test_what_changed_on_disk_is_seen_when_the_list_is_read_again(folder: Path) -> None:
    home = Home(folder, lambda path: None)
    first = home.list.children[2]
    text = (folder / "contracts" / "account.yaml").read_text()
    (folder / "contracts" / "account.yaml").write_text(
        text.replace("title: Accounts", "title: Cards")
    )
    (folder / "contracts" / "other.yaml").write_text(text)
    home.read()
    assert [part.description for part in home.list.children[2::2]] == [
        "Cards",
        "Accounts",
    ] and first.comm is None
