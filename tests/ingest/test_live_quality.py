"""Every rule asked of the tables as they are now.

What ingest never saw is seen, what cannot be asked is told, and nothing is changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_life import Lake

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.ingest.evaluation import (
    LiveResult,
    evaluate_contracts,
    live_faults,
    result_rows,
)
from datamaster_kit.ingest.holds import release_holds
from datamaster_kit.ingest.ingest import build_silver, ingest_files
from datamaster_kit.targets.databricks import DatabricksTarget
from datamaster_kit.targets.local import LocalTarget

pytestmark = pytest.mark.spark
FIELDS = """
id: {type: long, primaryKey: true}
amount:
  type: decimal
  precision: 5
  scale: 2
  minimum: 0
  quality:
  - type: sql
    id: most
    query: SELECT coalesce(max(amount), 0) FROM order
    mustBeLessThan: 90
code: {type: string, unique: true}
state:
  type: string
  enum: [a, b]
  quality:
  - {type: library, metric: nullValues, mustBe: 0, severity: critical}
  - {type: text, description: It agrees with the ledger.}
"""
HEAD = "id,amount,code,state\n"


@pytest.fixture
def lake(spark: Any, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


def results(lake: Lake, target: Any = None) -> dict[tuple[str, str], LiveResult]:
    found = evaluate_contracts(target or lake.target, lake.project, [lake.now])
    return {(item.layer, item.rule): item for item in found}


def verdicts(
    found: dict[tuple[str, str], LiveResult], layer: str
) -> dict[str, tuple[float | None, int | None, bool | None]]:
    return {
        rule: (item.value, item.rows, item.passed)
        for (of, rule), item in found.items()
        if of == layer
    }


def test_what_came_past_the_ingest_is_seen_beside_what_it_recorded(lake: Lake) -> None:
    lake.contract(FIELDS)
    lake.apply()
    lake.land("a.csv", f"{HEAD}1,1.00,x,a\n2,2.00,y,b\n3,-1,z,a\n4,many,w,a\n")
    lake.run()
    lake.spark.sql(
        "INSERT INTO spark_catalog.silver.order (id, amount, code, state) VALUES (9, 95, "
        "'x', 'a'), (10, 96, 'v', NULL)"
    )
    found = results(lake)
    bronze, silver = verdicts(found, "bronze"), verdicts(found, "silver")
    assert (
        bronze["amount.range"] == (1, 4, False)
        and bronze["amount.type"] == (1, 4, False)
        and bronze["amount.most"] == (2, None, True)
    )
    assert (
        silver["amount.range"] == (0, 4, True)
        and silver["amount.most"] == (96, None, False)
        and silver["code.unique"] == (1, None, False)
        and silver["state.nullvalues"] == (1, 4, False)
    )
    assert (
        found["silver", "amount.most"].recorded.passed is True
        and found["silver", "amount.most"].recorded.value == 2
    )
    assert (
        found["bronze", "amount.range"].next.startswith("kept out of silver")
        and "the code that fills the table" in found["silver", "state.nullvalues"].next
    )
    reasons = {key: item.not_executed for key, item in found.items() if item.passed is None}
    assert reasons.pop(("bronze", "state.text")) == "it is text for people"
    assert {layer for layer, _ in reasons} == {"bronze", "silver"} and all(
        "delivery" in why if layer == "bronze" else "what was read" in why
        for (layer, _), why in reasons.items()
    )
    assert (
        sorted(fault.message.partition(": ")[0] for fault in live_faults(found.values()))
        == ["cshop.silver.order"] * 3
    )
    told = [row for row in result_rows(found.values()) if row[3] == "amount.most"]
    assert told[0][2:6] == ("silver", "amount.most", "fail", "96") and told[0][6] == "passed: 2"
    assert verdicts(results(lake), "silver") == silver and len(lake.rows("silver/order")) == 4


def test_each_table_is_asked_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.contract(FIELDS)
    lake.apply()
    asked: list[str] = []
    monkeypatch.setattr(
        LocalTarget,
        "sql",
        lambda self, statement: (
            asked.append(statement) or [row.asDict() for row in self.spark.sql(statement).collect()]
        ),
    )
    found = results(lake)
    assert (
        len(asked) == 2
        and verdicts(found, "silver")["amount.range"] == (0, 0, True)
        and not live_faults(found.values())
    )


def test_a_table_of_somebody_elses_is_asked_what_it_can_be_and_one_that_is_not_there_is_told(
    lake: Lake,
) -> None:
    lake.contract(FIELDS)
    lake.spark.sql(
        "CREATE SCHEMA spark_catalog.silver LOCATION '"
        + str(lake.target.warehouse / "silver")
        + "'"
    )
    lake.spark.sql(
        "CREATE TABLE spark_catalog.silver.order USING delta AS SELECT 'a' AS id, 'much' AS "
        "amount, 'c' AS state UNION ALL SELECT '2', '91', 'b'"
    )
    found = results(lake)
    silver = verdicts(found, "silver")
    assert (
        found["bronze", "*"].not_executed == "the table is not there"
        and silver["state.enum"] == (1, 2, False)
        and silver["id.unique"] == (0, None, True)
    )
    assert found["silver", "code.unique"].not_executed == "the table has no column code"
    assert {
        rule
        for (layer, rule), item in found.items()
        if layer == "silver" and item.not_executed.startswith("its query failed")
    } == {"amount.range", "amount.most"}
    assert "'much'" in found["silver", "amount.range"].not_executed


def test_what_was_held_and_then_released_or_mended_no_longer_fails(lake: Lake) -> None:
    lake.contract(FIELDS)
    lake.apply()
    lake.land("a.csv", f"{HEAD}1,1.00,x,a\n2,2.00,y,\n")
    with pytest.raises(DatamasterError):
        ingest_files(lake.target, lake.project, lake.now)
    held = results(lake)["bronze", "state.nullvalues"]
    assert (held.value, held.rows, held.passed) == (
        1,
        2,
        False,
    ) and "ingest release order" in held.next
    assert release_holds(lake.target, lake.project, lake.now, "order", "it is so")
    build_silver(lake.target, lake.project, lake.now)
    after = results(lake)["bronze", "state.nullvalues"]
    assert (after.value, after.passed) == (1, True) and "released" in after.next
    lake.spark.sql("INSERT INTO spark_catalog.bronze.order (id, state) VALUES (7, NULL)")
    again = results(lake)["bronze", "state.nullvalues"]
    assert (again.value, again.rows, again.passed) == (2, 3, False)


class Outside(DatabricksTarget):
    """A workspace that is asked from outside: every value of a warehouse's answer is a text."""

    is_outside = True


def test_a_warehouse_gives_the_same_answers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.contract(FIELDS)
    lake.apply()
    lake.land("a.csv", f"{HEAD}1,1.00,x,a\n3,-1,z,a\n")
    lake.run()
    here = results(lake)
    project = replace(lake.project, targets={"production": {"warehouse": "w"}})
    outside = Outside(project, "production")
    monkeypatch.setattr(
        DatabricksTarget, "sql_name", lambda self, table: lake.target.sql_name(table)
    )

    def answer(statement: str) -> list[dict[str, str | None]]:
        if "information_schema" in statement:
            name = (
                statement.partition("lower(table_schema) = '")[2].partition("'")[0]
                + "."
                + statement.partition("lower(table_name) = '")[2].partition("'")[0]
            )
            rows = [
                {"column_name": column}
                for column in lake.spark.table(f"spark_catalog.{name}").columns
            ]
        else:
            rows = [row.asDict() for row in lake.spark.sql(statement).collect()]
        return [
            {name: None if value is None else str(value) for name, value in row.items()}
            for row in rows
        ]

    monkeypatch.setitem(outside.__dict__, "runner", answer)
    there = results(lake, outside)
    assert (
        there == here
        and there["bronze", "amount.range"].recorded
        == here["bronze", "amount.range"].recorded
        is not None
    )


def test_gold_is_asked_and_what_keeps_a_row_out_elsewhere_fails_there(lake: Lake) -> None:
    (lake.folder / "total.sql").write_text(
        "SELECT sum(amount) AS amount FROM order", encoding="utf-8"
    )
    lake.contract(
        "id: {type: long, primaryKey: true}\namount: {type: decimal, precision: 5, scale: 2}",
        "gold: {total: total.sql}",
        "  total:\n    fields:\n      amount: {type: decimal, precision: 9, scale: 2, "
        "maximum: 10}\n",
    )
    lake.apply()
    lake.spark.sql("INSERT INTO spark_catalog.gold.total VALUES (11)")
    found = {
        (item.model, item.rule): item
        for item in evaluate_contracts(lake.target, lake.project, [lake.now])
    }
    broken = found["total", "amount.range"]
    assert (broken.layer, broken.severity, broken.value, broken.rows, broken.passed) == (
        "gold",
        "fail",
        1,
        1,
        False,
    ) and len(live_faults(found.values())) == 1


def test_the_command_says_so_in_a_table_or_as_json_and_ends_with_1(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    lake.contract(FIELDS)
    lake.apply()
    lake.land("a.csv", f"{HEAD}1,1.00,x,a\n")
    lake.run()
    text = (
        "dataContractSpecification: 1.1.0\nid: urn:shop\ninfo: {title: Shop, version: "
        "1.0.0}\nmodels:\n  order:\n    fields:\n"
        + "".join(f"      {line}\n" for line in FIELDS.strip().splitlines())
    )
    (lake.folder / "contracts").mkdir()
    (lake.folder / "contracts/shop.yaml").write_text(text, encoding="utf-8")
    (lake.folder / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n", encoding="utf-8")
    monkeypatch.setattr("datamaster_kit.targets.base.target_of", lambda project, name: lake.target)
    monkeypatch.setenv("COLUMNS", "300")
    run = partial(CliRunner().invoke, app)
    said = ["quality", "--project", str(lake.folder / "datamaster.yaml")]
    good = run(said)
    assert (
        good.exit_code == 0
        and "not executed, because it is text for people" in good.output
        and "passed: 1" in good.output
    ), good.output
    lake.spark.sql("UPDATE spark_catalog.silver.order SET amount = 91")
    bad = run([*said, "--json"])
    assert (
        isinstance(bad.exception, DatamasterError)
        and bad.exception.exit_code == 1
        and "cshop.silver.order: amount.most" in str(bad.exception)
    )
    told = json.loads(bad.stdout)
    (broken,) = [item for item in told["rules"] if item["passed"] is False]
    assert told["verdicts"]["broken"] == 1 and (
        broken["layer"],
        broken["value"],
        broken["recorded"]["passed"],
    ) == ("silver", 91.0, True)
