"""The life of a table on a real Spark with Delta.

Deletions, history, late rows, evolution, quarantine and repair, gold, retention, lost checkpoints.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import shutil
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from avro_file import avro

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.read import examine_document
from datamaster_kit.ingest.ingest import (
    build_gold,
    build_silver,
    build_steps,
    enforce_retention,
    ingest_files,
    replay,
)
from datamaster_kit.ingest.replay import export_quarantine
from datamaster_kit.lakehouse.names import names
from datamaster_kit.lakehouse.runs import read_runs
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.targets.readers import large_files
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

pytestmark = pytest.mark.spark


class Lake:
    """A lakehouse in a folder of its own, as a person works with it.

    A contract, files, and the steps.
    """

    def __init__(self, spark, folder: Path) -> None:
        for schema in ("bronze", "silver", "gold"):
            spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
        self.spark, self.folder, self.project = (
            spark,
            folder,
            Project(folder, names("shop", "shop")),
        )
        self.target = LocalTarget(self.project, spark)

    def contract(
        self, fields: str, workflow: str = "", more: str = "", version: str = "1.0.0"
    ) -> Contract:
        text = (
            f"dataContractSpecification: 1.1.0\nid: urn:shop\ninfo: {{title: Shop, version: "
            f"{version}}}\nmodels:\n  order:\n    fields:\n"
        )
        text += "".join(f"      {line}\n" for line in fields.strip().splitlines())
        contract, faults = examine_document(
            parse_document(f"{text}{more}\nworkflow: {{{workflow}}}\n", "shop.yaml"), self.folder
        )
        assert contract is not None and not [
            fault for fault in faults if fault.severity == "error"
        ], faults
        self.now = contract
        return contract

    def apply(self, drops: bool = False) -> list[str]:
        """Apply the plan, and return what is still pending after it."""
        apply_plan(plan_project_tables(self.target, self.project, [self.now], drops), self.target)
        return [
            change.refusal
            for change in plan_project_tables(self.target, self.project, [self.now], drops).pending
        ]

    def land(self, name: str, text: str, time: int = 0) -> None:
        path = Path(self.target.landing_folder("order"), name)
        path.write_text(text, encoding="utf-8")
        if time:
            os.utime(path, (time, time))

    def run(self):
        return (
            *ingest_files(self.target, self.project, self.now),
            *build_silver(self.target, self.project, self.now),
        )

    def rows(self, table: str, *columns: str):
        schema, name = table.split("/")
        frame = self.spark.table(self.target.sql_name(self.project.names.table(schema, name)))
        return (
            sorted((tuple(row) for row in frame.select(*columns).collect()), key=str)
            if columns
            else frame.collect()
        )

    def checkpoint(self, layer: str) -> Path:
        volume = (
            self.project.names.silver_checkpoint_volume
            if layer == "silver"
            else self.project.names.checkpoint_volume
        )
        return Path(self.target.volume_folder(layer, volume), "order")


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


KEYED = (
    "id: {type: long, primaryKey: true}\namount: {type: decimal, precision: 5, scale: 2, "
    "minimum: 0}\noperation: {type: string}\nat: {type: timestamp}"
)
VERSIONED = "latest_by: {order: at}, delete_when: {order: {operation: D}}"
DAYS = [
    "1,1,U,2026-01-01T00:00:00Z",
    "1,2,U,2026-01-02T00:00:00Z",
    "1,,D,2026-01-03T00:00:00Z",
    "1,4,U,2026-01-04T00:00:00Z",
    "2,1,U,2026-01-01T00:00:00Z",
    "2,,D,2026-01-02T00:00:00Z",
]


def deliver(lake: Lake, order: tuple[int, ...], batches: int) -> None:
    """Bring the days' rows in an order, in so many files and runs."""
    for number in range(batches):
        lines = [DAYS[index] for index in order[number::batches]]
        lake.land(
            f"{number}.csv",
            "id,amount,operation,at\n" + "\n".join(lines) + "\n",
            1_767_000_000 + number,
        )
        lake.run()


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)])
def test_rows_and_deletions_in_any_order_give_the_same_silver(
    lake: Lake, order: tuple[int, ...]
) -> None:
    lake.contract(KEYED, VERSIONED)
    assert lake.apply() == []
    deliver(lake, order, 3)
    assert lake.rows("silver/order", "id", "amount") == [(1, Decimal("4.00"))]
    assert Counter(row["id"] for row in lake.rows("silver/order_deleted")) == {1: 1, 2: 1}


@pytest.mark.parametrize("order", [(5, 3, 1, 4, 2, 0)])
def test_history_has_every_version_and_when_it_held_in_whatever_order_they_came(
    lake: Lake, order: tuple[int, ...]
) -> None:
    lake.contract(KEYED, f"{VERSIONED}, history: [order]")
    assert lake.apply() == []
    deliver(lake, order, 3)
    found = [
        (
            row["id"],
            int(row["amount"]),
            row["carlton_valid_from"].day,
            row["carlton_valid_to"].day if row["carlton_valid_to"] else None,
            row["carlton_is_current"],
        )
        for row in lake.rows("silver/order")
    ]
    assert sorted(found, key=str) == sorted(
        [(1, 1, 1, 2, False), (1, 2, 2, 3, False), (1, 4, 4, None, True), (2, 1, 1, 2, False)],
        key=str,
    )


def lives(seed: int, keys: int) -> dict[int, list[tuple[int, str]]]:
    """Return the random lives of keys.

    What happened to each on some days of January 2026, an amount or a deletion (D), a day at most
    once.
    """
    random = Random(seed)
    return {
        key: [
            (day, random.choice(["D", "1.00", "2.00", "3.00"]))
            for day in sorted(random.sample(range(1, 9), random.randint(1, 5)))
        ]
        for key in range(keys)
    }


@pytest.mark.parametrize("keeps_history", [False, True])
def test_random_lives_of_many_keys_delivered_in_any_order_give_the_same_silver(
    lake: Lake, keeps_history: bool
) -> None:
    """Every key is a case of its own.

    Its rows are spread at random over files, in random order, some of them twice.
    """
    lake.contract(KEYED, f"{VERSIONED}, history: [order]" if keeps_history else VERSIONED)
    lake.apply()
    random, lived = Random(7), lives(seed=8, keys=500)
    rows = [
        f"{key},{'' if what == 'D' else what},{'D' if what == 'D' else 'U'},2026-01-{day:02}"
        "T00:00:00Z"
        for key, days in lived.items()
        for day, what in days
    ]
    rows += random.sample(rows, len(rows) // 4)
    random.shuffle(rows)
    for number in range(3):
        lake.land(
            f"{number}.csv",
            "id,amount,operation,at\n" + "\n".join(rows[number::3]) + "\n",
            1_767_000_000 - number,
        )
        lake.run()
    if keeps_history:
        followed = {
            key: list(zip(days, [*(day for day, _ in days[1:]), None], strict=True))
            for key, days in lived.items()
        }
        expected = {
            (key, Decimal(what), day, until, until is None)
            for key, days in followed.items()
            for (day, what), until in days
            if what != "D"
        }
        found = [
            (
                row["id"],
                row["amount"],
                row["carlton_valid_from"].day,
                row["carlton_valid_to"].day if row["carlton_valid_to"] else None,
                row["carlton_is_current"],
            )
            for row in lake.rows("silver/order")
        ]
    else:
        expected = {
            (key, Decimal(days[-1][1])) for key, days in lived.items() if days[-1][1] != "D"
        }
        found = lake.rows("silver/order", "id", "amount")
    assert len(expected) > 0 and Counter(found) == Counter(expected)


def test_the_same_version_delivered_again_is_one_version(lake: Lake) -> None:
    lake.contract(KEYED, f"{VERSIONED}, history: [order]")
    lake.apply()
    for name in ("a", "b"):
        lake.land(f"{name}.csv", "id,amount,operation,at\n" + DAYS[0] + "\n")
        lake.run()
    assert len(lake.rows("silver/order")) == 1


def test_the_next_version_of_a_contract_is_planned_applied_and_reads_old_rows(lake: Lake) -> None:
    lake.contract(
        "id: {type: integer, primaryKey: true}\nstate: {type: string, enum: [new, paid]}\n"
        "amount: {type: decimal, precision: 5, scale: 2}"
    )
    lake.apply()
    lake.land("a.csv", "id,state,amount\n1,new,1.00\n2,paid,2.00\n")
    lake.run()
    lake.land("b.csv", "id,state,amount\n3,paid,3.00\n")
    ingest_files(lake.target, lake.project, lake.now)
    lake.contract(
        "id: {type: long, primaryKey: true}\nstatus: {type: string, enum: [new, paid, sent], "
        "config: {aliases: [state]}, description: Where it is.}\n"
        "amount: {type: decimal, precision: 7, scale: 2}\nnote: {type: string}",
        version="2.0.0",
    )
    plan = plan_project_tables(lake.target, lake.project, [lake.now])
    assert plan.pending and not plan.refusals
    written = sum(
        "RENAME COLUMN" in statement for change in plan.pending for statement in change.statements
    )
    assert written == 3, "in bronze, its quarantine and silver"
    assert lake.apply() == []
    lake.land("c.csv", "id,status,amount,note\n3000000000,sent,12345.00,big\n")
    lake.run()
    assert lake.rows("silver/order", "id", "status", "note") == [
        (1, "new", None),
        (2, "paid", None),
        (3, "paid", None),
        (3000000000, "sent", "big"),
    ]
    assert lake.rows("bronze/order", "id", "status") == [
        (1, "new"),
        (2, "paid"),
        (3, "paid"),
        (3000000000, "sent"),
    ]


def test_what_a_plan_does_not_do_says_how_it_can_be_done(lake: Lake) -> None:
    lake.contract("id: {type: long, primaryKey: true}\nline: {type: long}\nold: {type: string}")
    lake.apply()
    lake.land("a.csv", "id,line,old\n1,1,x\n")
    lake.run()
    lake.contract("id: {type: integer, primaryKey: true}\nline: {type: long, primaryKey: true}")
    refused = " ".join(
        change.refusal
        for change in plan_project_tables(lake.target, lake.project, [lake.now]).refusals
    )
    assert "key changes from (id) to (id, line)" in refused and "--rebuild-checkpoint" in refused
    assert (
        "the type of id differs" in refused
        and "another physicalName" in refused
        and "--drop-columns" in refused
    )
    lake.contract("id: {type: long, primaryKey: true}\nline: {type: long}")
    assert all("old" in refusal for refusal in lake.apply())
    assert lake.apply(drops=True) == [] and "old" not in lake.rows("silver/order")[0].asDict()


@pytest.mark.parametrize(
    "evolution, expected",
    [("add", ("x", None)), ("widen", (None, Decimal("1234567.891"))), ("rescue", (None, None))],
)
def test_schema_evolution_does_what_the_contract_says_and_notes_it(
    lake: Lake, evolution: str, expected: tuple
) -> None:
    lake.contract(KEYED, f"schema_evolution: {evolution}")
    lake.apply()
    lake.land("a.csv", "id,amount,colour\n1,1234567.891,x\n2,1.00,\n")
    (ingested, _) = lake.run()
    row = next(row.asDict() for row in lake.rows("bronze/order") if row["id"] == 1)
    assert (row.get("colour"), row["amount"]) == expected
    assert ingested.notes[0].startswith(
        {
            "add": "added the column colour",
            "widen": "widened the column amount",
            "rescue": "rows of a.csv are in quarantine",
        }[evolution]
    )
    assert lake.apply() == [], "the plan accepts it"
    lake.land("b.csv", "id,amount,colour\n3,1234567.892,y\n")
    lake.run()
    assert len(lake.rows("bronze/order")) == 3
    assert (3 in {row["id"] for row in lake.rows("silver/order")}) == (evolution == "widen")


def test_schema_evolution_fail_stops_before_anything_is_written(lake: Lake) -> None:
    lake.contract(KEYED, "schema_evolution: fail")
    lake.apply()
    lake.land("a.csv", "id,amount,colour\n1,1.00,x\n")
    with pytest.raises(DatamasterError, match="colour"):
        lake.run()
    assert lake.rows("bronze/order") == []
    lake.contract(KEYED + "\ncolour: {type: string}", "schema_evolution: fail")
    lake.apply()
    lake.run()
    assert lake.rows("silver/order", "id", "colour") == [(1, "x")]


def test_added_columns_have_what_was_written_whatever_its_kind_and_however_their_names_are_spelled(
    lake: Lake,
) -> None:
    """Numbers beyond a double, nested values and nulls.

    Names that differ in case, in one batch, in one record and in a later file.
    """
    many, source = "12345678901234567890.1234567890123", "source: {type: adls, format: json}"
    lake.contract(
        "id: {type: long, primaryKey: true}\nn: {type: integer}", f"{source}, schema_evolution: add"
    )
    lake.apply()
    lake.land(
        "a.json",
        f'{{"id":1,"rate":1.10}}\n{{"id":2,"rate":{many},"deep":{{"a":1.50,"b":[1e2]}}}}\n'
        f'{{"id":3,"n":"bad","a b":{many},"rate":true}}\n',
    )
    lake.land(
        "b.json", '{"id":4,"RATE":1e2}\n{"id":5,"Rate":2.50,"RATE":7}\n{"id":6,"deep":null}\n'
    )
    lake.run()
    lake.land("c.json", '{"id":7,"rate":0.50,"DEEP":[1.0]}\n')
    lake.run()
    rows = {row["id"]: row for row in lake.rows("bronze/order")}
    assert {number: row["RATE"] for number, row in rows.items()} == {
        1: "1.10",
        2: many,
        3: "true",
        4: "1e2",
        5: "7",
        6: None,
        7: "0.50",
    }
    assert (rows[2]["deep"], rows[7]["deep"]) == ('{"a":1.50,"b":[1e2]}', "[1.0]")
    assert (
        f'"a b":{many}' in rows[3]["carlton_rescued"]
        and '"Rate":2.50' in rows[5]["carlton_rescued"]
    ), "what is left is as it was"
    assert sorted(number for number, row in rows.items() if row["carlton_rescued"] is None) == [
        1,
        2,
        4,
        7,
    ]
    lake.contract(
        "id: {type: long, primaryKey: true}\nn: {type: integer}\nrate: {type: string}",
        f"{source}, schema_evolution: add",
        version="1.1.0",
    )
    lake.apply()
    lake.land("d.json", '{"id":8,"rate":1.50}\n')
    lake.run()
    assert (8, "1.50") in lake.rows("silver/order", "id", "rate"), (
        "the contract may spell it in its own way"
    )


def test_quarantine_says_why_and_where_and_a_better_contract_releases_it(lake: Lake) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,1000.00\n,3.00\n4,-4\n")
    (ingested, _) = lake.run()
    assert ingested.notes == (
        "rows of a.csv are in quarantine",
        "values of a.csv do not fit, or are not in the contract",
    ), "the report names what was dirty"
    rows = {row["carlton_record"]: row for row in lake.rows("bronze/order_quarantine")}
    assert {record: row["carlton_broken_rules"] for record, row in rows.items()} == {
        2: ["amount.type"],
        3: ["id.required"],
        4: ["amount.range"],
    }
    assert (
        rows[2]["carlton_metadata"]["contract_version"] == "1.0.0"
        and rows[2]["carlton_metadata"]["file_name"] == "a.csv"
    )
    lake.contract(KEYED.replace("precision: 5", "precision: 7"), version="1.1.0")
    lake.apply()
    (run,) = replay(lake.target, lake.project, lake.now)
    assert (run.rows_read, run.rows_written, run.rows_quarantined) == (3, 1, 2)
    (again,) = replay(lake.target, lake.project, lake.now)
    assert (again.rows_read, again.rows_written) == (2, 0)
    build_silver(lake.target, lake.project, lake.now)
    assert lake.rows("silver/order", "id", "amount") == [
        (1, Decimal("1.00")),
        (2, Decimal("1000.00")),
    ]


def test_quarantine_names_the_record_of_a_large_file(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_files, "LARGE_FILE_BYTES", 0)
    monkeypatch.setattr(large_files, "CHUNK_BYTES", 1000)
    lake.contract(KEYED)
    lake.apply()
    bad = {1: "1,x,", 700: "700,1000.00,", 701: "701,1", 2000: ",3.00,", 2999: "2999,-4,"}
    lines = [bad.get(number, f"{number},1.50,2026-01-01T00:00:00Z") for number in range(1, 3001)]
    lake.land("a.csv", "id,amount,at\n" + "\n".join(lines) + "\n")
    (ingested, silver) = lake.run()
    assert (ingested.rows_read, ingested.rows_quarantined, ingested.files, silver.rows_merged) == (
        3000,
        5,
        1,
        2995,
    )
    assert ingested.bytes == sum(map(len, lines)) + len(lines) + len("id,amount,at\n")
    found = lake.rows("bronze/order_quarantine", "carlton_record", "carlton_broken_rules")
    assert {record for record, _ in found} == set(bad)


def test_replays_under_one_identifier_each_move_their_rows(lake: Lake) -> None:
    lake.contract(KEYED)
    lake.apply()
    for number in (1, 2):
        lake.contract(KEYED)
        lake.land(f"{number}.csv", f"id,amount\n{number},1000.00\n")
        ingest_files(lake.target, lake.project, lake.now)
        lake.contract(KEYED.replace("precision: 5", "precision: 7"), version="1.1.0")
        lake.apply()
        (run,) = replay(lake.target, lake.project, lake.now, "repaired")
        assert run.rows_written == 1
    assert lake.rows("bronze/order", "id") == [(1,), (1,), (2,), (2,)]
    assert lake.rows("bronze/order_quarantine", "carlton_released_by") == [
        ("repaired",),
        ("repaired-2",),
    ]


def test_a_person_corrects_quarantined_rows_in_a_csv_file(lake: Lake, tmp_path: Path) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount,at\n1,1000.00,2026-01-01T00:00:00Z\n2,-2,\nx,1.00,\n4;4.00;\n")
    lake.run()
    file = tmp_path / "corrections" / "order.csv"
    assert (
        export_quarantine(
            build_steps(
                lake.target, lake.project, lake.now, lake.now.models[:1], "replay", "export"
            )[0],
            file,
        )
        == 4
    )
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [(row["id"], row["amount"], row["carlton_record"]) for row in rows] == [
        ("1", "1000.00", "1"),
        ("2", "-2.00", "2"),
        ("x", "1.00", "3"),
        ("", "", "4"),
    ]
    assert "4;4.00;" in rows[3]["carlton_rescued"], "a malformed line is shown as it was written"
    rows[0]["amount"], rows[2]["id"], rows[3]["id"], rows[3]["amount"] = "100.00", "3", "4", "4.00"
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    (run,) = replay(lake.target, lake.project, lake.now, corrections=file.parent)
    assert (run.rows_read, run.rows_written) == (4, 3)
    build_silver(lake.target, lake.project, lake.now)
    assert lake.rows("silver/order", "id", "amount") == [
        (1, Decimal("100.00")),
        (3, Decimal("1.00")),
        (4, Decimal("4.00")),
    ]
    with pytest.raises(DatamasterError, match="no open row of quarantine"):
        replay(lake.target, lake.project, lake.now, corrections=file.parent)


def test_too_many_bad_rows_fail_the_run_and_keep_silver_waiting_until_they_are_repaired(
    lake: Lake,
) -> None:
    lake.contract(KEYED, "maximum_bad_share: 10%")
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,1000.00\n")
    with pytest.raises(DatamasterError, match=r"50\.00%"):
        ingest_files(lake.target, lake.project, lake.now)
    with pytest.raises(DatamasterError, match=r"50\.00%"):
        build_silver(lake.target, lake.project, lake.now)
    assert lake.rows("silver/order") == [] and len(lake.rows("bronze/order")) == 2
    lake.contract(KEYED.replace("precision: 5", "precision: 7"), "maximum_bad_share: 10%")
    lake.apply()
    replay(lake.target, lake.project, lake.now)
    build_silver(lake.target, lake.project, lake.now)
    assert sorted(row["id"] for row in lake.rows("silver/order")) == [1, 2]


def test_gold_is_built_from_silver_and_stays_as_it_was_where_a_rule_is_broken(lake: Lake) -> None:
    gold = (
        "  total:\n    fields:\n      orders: {type: long, required: true, maximum: 2}\n      "
        "revenue: {type: decimal, precision: 10, scale: 2}"
    )
    lake.contract(KEYED, "gold: {total: total.sql}", gold)
    (lake.folder / "total.sql").write_text(
        "-- all orders\nSELECT count(*) AS orders, sum(amount) AS revenue FROM order",
        encoding="utf-8",
    )
    assert lake.apply() == []
    lake.land("a.csv", "id,amount\n1,1.00\n2,2.00\n")
    lake.run()
    (run,) = build_gold(lake.target, lake.project, lake.now)
    assert (run.rows_written, lake.rows("gold/total", "orders", "revenue")) == (
        1,
        [(2, Decimal("3.00"))],
    )
    lake.land("b.csv", "id,amount\n3,1.00\n")
    lake.run()
    with pytest.raises(DatamasterError, match=r"orders\.range"):
        build_gold(lake.target, lake.project, lake.now)
    assert lake.rows("gold/total", "orders") == [(2,)]


def test_a_notebook_builds_a_gold_model(lake: Lake) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [
        new_code_cell('view: str = ""', metadata={"tags": ["parameters"]}),
        new_code_cell(
            "from pyspark.sql import SparkSession\nspark = "
            "SparkSession.builder.getOrCreate()\nspark.sql('SELECT count(*) AS orders FROM "
            "spark_catalog.silver.`order`').createOrReplaceTempView(view)"
        ),
    ]
    nbformat.write(
        new_notebook(
            cells=cells,
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
        ),
        lake.folder / "total.ipynb",
    )
    lake.contract(
        KEYED, "gold: {total: total.ipynb}", "  total:\n    fields:\n      orders: {type: long}"
    )
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,2.00\n")
    lake.run()
    build_gold(lake.target, lake.project, lake.now, output=lake.folder / "runs")
    assert lake.rows("gold/total", "orders") == [(2,)] and list(
        (lake.folder / "runs").glob("*gold-total.ipynb")
    )


def test_retention_shows_first_then_removes_everywhere_and_is_evidence(lake: Lake) -> None:
    lake.contract(
        KEYED, "", "servicelevels: {retention: {period: 30 days, timestampField: order.at}}"
    )
    lake.apply()
    lake.land(
        "a.csv",
        "id,amount,at\n1,1.00,2001-01-01T00:00:00Z\n2,-1,2001-01-01T00:00:00Z\n"
        "3,3.00,2999-01-01T00:00:00Z\n",
    )
    lake.run()
    (shown,) = enforce_retention(lake.target, lake.project, lake.now)
    assert (shown.result, shown.rows_deleted) == ("planned", 4) and len(
        lake.rows("bronze/order")
    ) == 3
    folders = [
        lake.target.warehouse / name
        for name in ("bronze/order", "bronze/order_quarantine", "silver/order")
    ]
    for folder in folders:
        for name, days in (
            ("of-last-week", 8),
            ("of-yesterday", 1),
        ):  # Delta keeps for 7 days what a table does not have any more
            (folder / f"{name}.parquet").write_bytes(b"")
            os.utime(folder / f"{name}.parquet", (time.time() - days * 86_400,) * 2)
    (run,) = enforce_retention(lake.target, lake.project, lake.now, applies=True)
    assert [sorted(path.name for path in folder.glob("of-*")) for folder in folders] == [
        ["of-yesterday.parquet"]
    ] * 3, "VACUUM removes what no table has and is older"
    assert run.rows_deleted == 4 and {note.split(" rows")[0] for note in run.notes} == {
        "bronze: 2",
        "quarantine: 1",
        "silver: 1",
    }
    assert (
        sorted(row["id"] for row in lake.rows("bronze/order")) == [3]
        and lake.rows("bronze/order_quarantine") == []
    )
    assert lake.run()[1].result == "nothing new", "what was removed is no news to silver"


def test_a_model_without_fields_is_told_before_a_file_is_read(lake: Lake) -> None:
    lake.contract("")
    assert lake.apply() == []
    lake.land("a.csv", "id,amount\n1,1.00\n")
    with pytest.raises(DatamasterError) as raised:
        lake.run()
    [fault] = raised.value.faults
    assert (fault.code, fault.severity, fault.hint) == (
        "model-without-fields",
        "error",
        "describe its fields",
    ) and lake.rows("bronze/order") == []
    lake.contract("id: {type: long}\namount: {type: double}")
    lake.apply()
    lake.run()
    assert lake.rows("silver/order", "id", "amount") == [(1, 1.0)]


def damaged(lake: Lake, how: str) -> None:
    """Do to a lakehouse what people and disks do."""
    checkpoint = lake.checkpoint("bronze")
    match how:
        case "deleted":
            shutil.rmtree(checkpoint)
        case "unreadable":
            (checkpoint / "metadata").write_text("{", encoding="utf-8")
        case "list lost":
            shutil.rmtree(checkpoint / "sources")
        case "put back":
            for kind in ("offsets", "commits"):
                max((checkpoint / kind).glob("[0-9]*"), key=lambda path: int(path.name)).unlink()
        case "table dropped":
            lake.spark.sql("DROP TABLE spark_catalog.bronze.`order`")
            shutil.rmtree(lake.target.warehouse / "bronze" / "order", ignore_errors=True)
            lake.apply()


@pytest.mark.parametrize(
    "how, code",
    [
        ("deleted", "checkpoint-lost"),
        ("unreadable", "checkpoint-damaged"),
        ("list lost", "checkpoint-damaged"),
        ("put back", "checkpoint-damaged"),
        ("table dropped", "table-recreated"),
    ],
)
def test_a_lost_or_damaged_checkpoint_is_told_and_rebuilt_without_loading_twice(
    lake: Lake, how: str, code: str
) -> None:
    lake.contract(KEYED)
    lake.apply()
    for name in ("a", "b"):
        lake.land(f"{name}.csv", f"id,amount\n{ord(name)},1.00\n")
        lake.run()
    damaged(lake, how)
    lake.land("c.csv", "id,amount\n99,1.00\n")
    with pytest.raises(DatamasterError) as raised:
        ingest_files(lake.target, lake.project, lake.now)
    assert {fault.code for fault in raised.value.faults} == {
        code
    } and "--rebuild-checkpoint" in raised.value.faults[0].hint
    ingest_files(lake.target, lake.project, lake.now, rebuilds_checkpoint=True)
    assert Counter(row["id"] for row in lake.rows("bronze/order")) == Counter([97, 98, 99])
    if how == "table dropped":
        with pytest.raises(DatamasterError, match="another bronze table"):
            build_silver(lake.target, lake.project, lake.now)
    build_silver(lake.target, lake.project, lake.now, rebuilds_checkpoint=True)
    assert sorted(row["id"] for row in lake.rows("silver/order")) == [97, 98, 99]
    lake.land("d.csv", "id,amount\n100,1.00\n")
    lake.run()
    assert Counter(row["id"] for row in lake.rows("bronze/order")) == Counter([97, 98, 99, 100])


def test_a_column_that_was_dropped_behind_its_back_is_told_before_a_row_is_read(lake: Lake) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.spark.sql(
        "ALTER TABLE spark_catalog.bronze.`order` SET TBLPROPERTIES "
        "('delta.columnMapping.mode' = 'name')"
    )
    lake.spark.sql("ALTER TABLE spark_catalog.bronze.`order` DROP COLUMN amount")
    lake.land("a.csv", "id,amount\n1,1.00\n")
    with pytest.raises(DatamasterError) as raised:
        lake.run()
    assert [fault.code for fault in raised.value.faults] == [
        "table-differs"
    ] and "amount" in raised.value.faults[0].message


def test_a_model_without_a_key_is_appended_once_even_when_its_stream_is_rebuilt(lake: Lake) -> None:
    lake.contract("amount: {type: long}")
    lake.apply()
    for number in range(2):
        lake.land(f"{number}.csv", "amount\n7\n7\n")
        lake.run()
    shutil.rmtree(lake.checkpoint("silver"))
    build_silver(lake.target, lake.project, lake.now, rebuilds_checkpoint=True)
    assert len(lake.rows("silver/order")) == 4


@pytest.mark.parametrize("text", ["id,amount\n1,1.00\n2,2.00\n", "id,amount\n9,9.00\n"])
def test_a_file_that_was_completed_or_overwritten_after_it_was_read_is_named_in_the_run(
    lake: Lake, text: str
) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n", 1_767_000_000)
    assert lake.run()[0].notes == ()
    lake.land("a.csv", text, 1_767_000_100)
    (ingested, _) = lake.run()
    assert ingested.notes == (
        "a.csv has changed since it was read, and what changed was not read: put it under "
        "another name",
    )
    assert sorted(row["id"] for row in lake.rows("bronze/order")) == [1]


def test_captured_events_reach_silver_and_a_bad_one_is_quarantined_with_its_file_and_number(
    lake: Lake,
) -> None:
    lake.contract(KEYED, "source: {type: eventhub, format: avro}")
    lake.apply()
    bodies = ["""{"id": 1, "amount": 1.00}""", """{"id": 2, "amount": -1}""", "no json"]
    events = lake.spark.createDataFrame(
        list(enumerate(bodies, 70)), "SequenceNumber BIGINT, text STRING"
    )
    events.selectExpr("SequenceNumber", "CAST(text AS BINARY) AS Body").coalesce(1).write.format(
        "avro"
    ).save(str(lake.folder / "made"))
    (part,) = (lake.folder / "made").glob("part-*.avro")
    captured = Path(
        lake.target.landing_folder("order"), "ethdshop/topic-shop-order/0/2026/01/31/10/05/00.avro"
    )
    captured.parent.mkdir(parents=True)
    part.rename(captured)
    (ingested, _) = lake.run()
    assert (ingested.rows_read, ingested.rows_quarantined) == (3, 2) and lake.rows(
        "silver/order", "id"
    ) == [(1,)]
    bad = {
        row["carlton_metadata"]["block_start"]: (
            row["carlton_metadata"]["file_path"].rpartition("/0/")[2],
            row["carlton_record"],
            row["carlton_broken_rules"],
        )
        for row in lake.rows("bronze/order_quarantine")
    }
    assert bad == {
        71: ("2026/01/31/10/05/00.avro", 2, ["amount.range"]),
        72: ("2026/01/31/10/05/00.avro", 3, ["record", "id.required"]),
    }


OF_UNION = ["long", "double", "string", "bytes"]
CAPTURED = {
    "SequenceNumber": "long",
    "Offset": "string",
    "EnqueuedTimeUtc": "string",
    "SystemProperties": {"type": "map", "values": OF_UNION},
    "Properties": {"type": "map", "values": [*OF_UNION, "null"]},
    "Body": ["null", "bytes"],
}
PERMISSIONS = (
    "user_id: {type: integer, primaryKey: true}\nkind_id: {type: string, primaryKey: true}\n"
    "data_kind: {type: string}\nstate: {type: string, required: true}\nplatform: {type: string}"
)


def capture(
    lake: Lake,
    path: str,
    *events: tuple[int, str, bytes | None],
    properties: dict | None = None,
    taken: int = 0,
) -> None:
    """Have Event Hubs capture events, each its number, when the topic took it and its body, to a
    file of a partition's folder.
    """
    system = {"x-opt-enqueued-time": (0, taken)} if taken else {}
    records = [
        {
            "SequenceNumber": number,
            "Offset": str(100 * number),
            "EnqueuedTimeUtc": time,
            "SystemProperties": system,
            "Properties": properties or {},
            "Body": (0, None) if body is None else (1, body),
        }
        for number, time, body in events
    ]
    file = Path(lake.target.landing_folder("order"), "ethdshop/topic-shop-order", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(avro(CAPTURED, records))


def test_an_event_that_is_a_list_is_as_many_records_with_its_envelope_and_the_rest_is_quarantined(
    lake: Lake,
) -> None:
    lake.contract(PERMISSIONS, "source: {type: eventhub, format: avro}")
    lake.apply()
    body = (
        '[{"user_id": 20004, "kind_id": "001", "data_kind": "Dados de Publicidade", "state": '
        '"Ativo", "platform": "Web"}, {"user_id": 20002, "kind_id": "003", "data_kind": "Dados '
        'de Crédito", "state": "Revogado", "platform": null}]'
    )
    broken = [
        b'[{"user_id": 1,',
        b"",
        None,
        b'[{"user_id": 3, "kind_id": "1", "state": "Ativo", "more": 1.50}, '
        b'7, [{"user_id": 8}], null]',
        b"\xff[]",
        b" [ ] ",
    ]
    properties = {
        "kind": (2, "a"),
        "n": (0, 7),
        "x": (1, 0.5),
        "raw": (3, b"hi"),
        "none": (4, None),
    }
    capture(
        lake,
        "3/2026/01/31/10/05/00.avro",
        (70, "1/31/2026 10:04:07 PM", body.encode()),
        *((71 + place, "1/31/2026 10:04:08 PM", one) for place, one in enumerate(broken)),
        properties=properties,
    )
    (ingested, merged) = lake.run()
    assert (ingested.rows_read, ingested.rows_quarantined, merged.rows_merged) == (
        2 + 3 + 4 + 1,
        3 + 3 + 1,
        3,
    )
    good = lake.rows("silver/order", "user_id", "kind_id", "data_kind", "state", "platform")
    assert good == [
        (20002, "003", "Dados de Crédito", "Revogado", None),
        (20004, "001", "Dados de Publicidade", "Ativo", "Web"),
        (3, "1", None, "Ativo", None),
    ]
    events = lake.spark.sql(
        "SELECT carlton_metadata.event.*, carlton_rescued FROM spark_catalog.bronze.order "
        "WHERE user_id = 20004"
    ).collect()
    assert [
        (
            row["enqueued_at"].isoformat(),
            row["sequence_number"],
            row["offset"],
            row["partition"],
            row["system_properties"],
        )
        for row in events
    ] == [("2026-01-31T22:04:07", 70, "7000", "3", None)]
    assert json.loads(events[0]["properties"]) == {
        "kind": "a",
        "n": 7,
        "x": 0.5,
        "raw": "aGk=",
        "none": None,
    }
    waiting = {
        row["carlton_record"]: (
            row["carlton_metadata"]["block_start"],
            json.loads(row["carlton_rescued"])["_corrupt_record"],
        )
        for row in lake.rows("bronze/order_quarantine")
    }
    assert waiting == {
        3: (71, '[{"user_id": 1,'),
        4: (72, ""),
        5: (73, ""),
        7: (74, "7"),
        8: (74, '[{"user_id":8}]'),
        9: (74, "null"),
        10: (75, "0xFF5B5D"),
    }
    assert [run.rows_read for run in lake.run()] == [0, 0]


@pytest.mark.parametrize("history", ["", ", history: [order]"])
def test_the_event_that_its_topic_took_last_is_the_newest_whichever_file_came_last(
    lake: Lake, history: str
) -> None:
    lake.contract(PERMISSIONS, f"source: {{type: eventhub, format: avro}}{history}")
    lake.apply()
    said = '{{"user_id": 1, "kind_id": "1", "state": "{}"}}'.format
    capture(
        lake,
        "0/2026/01/31/10/06/00.avro",
        (5, "1/31/2026 12:06:00 PM", said("b").encode()),
        (6, "1/31/2026 12:06:00 PM", said("c").encode()),
    )
    lake.run()
    capture(
        lake, "1/2026/01/31/10/05/00.avro", (9, "1/31/2026 11:59:59 AM", f"[{said('a')}]".encode())
    )
    lake.run()
    versions = [
        row["state"]
        for row in sorted(
            lake.rows("silver/order"),
            key=lambda row: row["carlton_metadata"]["event"]["sequence_number"],
        )
    ]
    assert versions == (["b", "c", "a"] if history else ["c"])
    capture(
        lake,
        "1/2026/01/31/10/07/00.avro",
        (10, "1/1/2020 1:00:00 AM", said("d").encode()),
        taken=1_769_861_160_001,
    )
    lake.run()
    current = [
        (row["state"], row["carlton_metadata"]["event"]["enqueued_at"].isoformat())
        for row in lake.rows("silver/order")
        if not history or row["carlton_is_current"]
    ]
    assert current == [("d", "2026-01-31T12:06:00.001000")]


def test_tables_from_before_the_envelope_are_told_and_get_it_by_an_apply(lake: Lake) -> None:
    lake.contract(PERMISSIONS)
    lake.apply()
    lake.land("a.csv", "user_id,kind_id,state\n1,1,old\n2,1,old\n")
    lake.run()
    (Path(lake.target.landing_folder("order")) / "a.csv").unlink()
    lake.contract(PERMISSIONS, "source: {type: eventhub, format: avro}")
    capture(
        lake,
        "0/2026/01/31/10/05/00.avro",
        (1, "1/31/2026 10:04:07 AM", b'{"user_id": 1, "kind_id": "1", "state": "new"}'),
    )
    with pytest.raises(DatamasterError, match=r"lacks carlton_metadata\.event"):
        ingest_files(lake.target, lake.project, lake.now)
    assert lake.apply() == []
    lake.run()
    assert lake.rows(
        "silver/order", "user_id", "state", "carlton_metadata.event.sequence_number"
    ) == [(1, "new", 1), (2, "old", None)]


def test_code_that_reads_the_columns_of_captured_events_finds_them_in_bronze(lake: Lake) -> None:
    lake.contract(PERMISSIONS, "source: {type: eventhub, format: avro}")
    lake.apply()
    capture(
        lake,
        "0/2026/01/31/10/05/00.avro",
        (1, "1/31/2026 10:04:07 AM", b'{"user_id": 1, "kind_id": "1", "state": "a"}'),
    )
    lake.run()
    lake.contract(PERMISSIONS, "source: {type: eventhub, format: avro, keep_envelope: true}")
    assert lake.apply() == []
    bodies = (
        b'{"user_id": 2, "kind_id": "1",  "state": "a"}',
        b'[{"user_id": 3, "kind_id": "1", "state": "a"}, {"user_id": 4.50, "state": "a"}]',
        b"no json",
    )
    capture(
        lake,
        "0/2026/01/31/10/06/00.avro",
        *((2 + place, "1/31/2026 10:05:07 PM", body) for place, body in enumerate(bodies)),
    )
    capture(lake, "0/2026/01/31/10/07/00.avro")
    Path(lake.target.landing_folder("order"), "cut.avro").write_bytes(b"Obj")
    with contextlib.suppress(DatamasterError):
        ingest_files(lake.target, lake.project, lake.now)  # the file that is cut off is refused
    build_silver(lake.target, lake.project, lake.now)
    read = lake.spark.sql(
        "SELECT user_id, CAST(Body AS STRING) AS body, from_json(CAST(Body AS STRING), "
        "'ARRAY<STRUCT<user_id: DOUBLE>>').user_id AS parsed, "
        "to_timestamp(EnqueuedTimeUtc, 'M/d/yyyy h:mm:ss a') AS at, SequenceNumber, Offset "
        "FROM spark_catalog.bronze.order WHERE SequenceNumber IS NOT NULL"
    ).collect()
    assert sorted(
        (row["body"], row["parsed"], row["SequenceNumber"], row["Offset"]) for row in read
    ) == [
        ("no json", None, 4, "400"),
        ('{"kind_id":"1","state":"a","user_id":3}', [3.0], 3, "300"),
        ('{"state":"a","user_id":4.50}', [4.5], 3, "300"),
        ('{"user_id": 2, "kind_id": "1",  "state": "a"}', [2.0], 2, "200"),
    ]
    assert {row["at"].isoformat() for row in read} == {"2026-01-31T22:05:07"} and len(
        lake.rows("bronze/order")
    ) == 6
    assert lake.rows("silver/order", "user_id") == [(1,), (2,), (3,)]


def test_a_second_run_on_a_model_is_refused_while_the_first_is_at_work(lake: Lake) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    with (
        lake.target.lock_checkpoint(str(lake.checkpoint("bronze"))),
        pytest.raises(DatamasterError) as raised,
    ):
        ingest_files(lake.target, lake.project, lake.now)
    assert [fault.code for fault in raised.value.faults] == ["model-in-use"] and lake.rows(
        "bronze/order"
    ) == []
    lake.run()
    assert len(lake.rows("silver/order")) == 1


def test_a_model_in_use_keeps_no_other_model_from_being_done(lake: Lake) -> None:
    lake.contract(
        "id: {type: long}",
        more="".join(
            f"  {name}:\n    fields:\n      id: {{type: long}}\n" for name in ("invoice", "payment")
        ),
    )
    lake.apply()
    for name in ("order", "invoice", "payment"):
        Path(lake.target.landing_folder(name), "a.csv").write_text(
            "id\n1\n2\n" if name == "payment" else "id\n1\n", encoding="utf-8"
        )
    with (
        lake.target.lock_checkpoint(str(lake.checkpoint("bronze").with_name("invoice"))),
        pytest.raises(DatamasterError) as raised,
    ):
        ingest_files(lake.target, lake.project, lake.now)
    assert [fault.code for fault in raised.value.faults] == ["model-in-use"]
    recorded = read_runs(lake.target, "cshop")
    assert sorted((run.model, run.rows_written, run.result) for run in recorded) == [
        ("invoice", 0, "failed"),
        ("order", 1, "succeeded"),
        ("payment", 2, "succeeded"),
    ]
    runs = ingest_files(lake.target, lake.project, lake.now)
    assert [(run.model, run.rows_written, run.result) for run in runs] == [
        ("order", 0, "nothing new"),
        ("invoice", 1, "succeeded"),
        ("payment", 0, "nothing new"),
    ]


def test_runs_that_go_by_one_identifier_add_up_to_the_tables(lake: Lake) -> None:
    lake.contract(
        KEYED, "gold: {total: total.sql}", "  total:\n    fields:\n      orders: {type: long}"
    )
    (lake.folder / "total.sql").write_text("SELECT count(*) AS orders FROM order", encoding="utf-8")
    lake.apply()
    for number, rows in enumerate(("1,1.00\n", "2,1.00\n3,1.00\n", "")):
        if rows:
            lake.land(f"{number}.csv", f"id,amount\n{rows}")
        for step in (ingest_files, build_silver, build_gold):
            step(lake.target, lake.project, lake.now, "job-7")
    assert [
        [run.rows_written for run in read_runs(lake.target, "cshop", "job-7", step)]
        for step in ("ingest", "silver", "gold")
    ] == [[1, 2, 0], [1, 2, 0], [1, 1, 1]]
    assert len(lake.rows("bronze/order")) == 3 and lake.rows("gold/total", "orders") == [(3,)]


def test_a_run_goes_on_with_the_batches_of_one_that_ended_before_it_was_recorded(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    with monkeypatch.context() as at_the_end:
        at_the_end.setattr("datamaster_kit.ingest.ingest.record_runs", lambda *_: sys.exit("ended"))
        with pytest.raises(SystemExit):
            ingest_files(lake.target, lake.project, lake.now, "first")
    lake.land("b.csv", "id,amount\n2,-1.00\n3,1.00\n")
    (run,) = ingest_files(lake.target, lake.project, lake.now, "second")
    assert (run.rows_read, run.rows_quarantined, run.files, run.resumed, run.result) == (
        3,
        1,
        2,
        ("first",),
        "succeeded",
    )
    assert {rule.rule: rule.value for rule in run.rules}["amount.range"] == 1
    (run,) = ingest_files(lake.target, lake.project, lake.now, "third")
    assert (run.rows_read, run.resumed, run.result) == (0, (), "nothing new")


def test_a_run_that_was_asked_to_stop_says_so_and_the_next_goes_on(lake: Lake) -> None:
    from datamaster_kit.targets.stream import STOP_REQUESTED

    lake.contract(KEYED)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    STOP_REQUESTED.set()
    with pytest.raises(DatamasterError, match="asked to stop"):
        ingest_files(lake.target, lake.project, lake.now)
    STOP_REQUESTED.clear()
    lake.run()
    assert len(lake.rows("silver/order")) == 1


@pytest.mark.parametrize("key", ["", ", primaryKey: true"])
def test_a_cut_off_file_that_is_mended_is_in_silver_once_with_a_key_and_without(
    lake: Lake, key: str
) -> None:
    lake.contract(f"id: {{type: string{key}}}\nt: {{type: string}}")
    lake.apply()
    whole = gzip.compress(
        b"id,t\n" + b"".join(b"%d,%d\n" % (number, number * 7919) for number in range(300))
    )
    for content, rows in ((whole[:-60], None), (whole, 300)):
        Path(lake.target.landing_folder("order"), "a.csv.gz").write_bytes(content)
        lake.land(f"{len(content)}.csv", f"id,t\nother {len(content)},x\n")
        (run, _) = lake.run()
        found = [id for (id,) in lake.rows("silver/order", "id") if not id.startswith("other")]
        assert (
            len(found) == len(set(found))
            and (rows is None or len(found) == rows)
            and (
                rows
                or (
                    run.result == "partly"
                    and any(note.startswith("a.csv.gz: ") for note in run.notes)
                )
            )
        )
        assert rows or bool(found) == bool(key), (
            "without a key nothing of it is taken until it is whole"
        )
    assert (
        key
        or sum(bool(id) and not id.startswith("other") for (id,) in lake.rows("bronze/order", "id"))
        == 300
    )
