"""A rule of severity fail holds the delivery.

Silver takes nothing of its model, however often the job is run again, until it is mended or a
person releases it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_life import KEYED, Lake

from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.ingest.checkpoint import read_checkpoint
from datamaster_kit.ingest.holds import read_holds, release_holds
from datamaster_kit.ingest.ingest import build_gold, build_silver, ingest_files, replay
from datamaster_kit.lakehouse.runs import read_runs

pytestmark = pytest.mark.spark
MANY = (
    "    quality:\n      - {type: library, metric: rowCount, mustBeGreaterThan: 2, severity: error}"
)
STRICT = KEYED.replace(
    "minimum: 0}", "quality: [{type: sql, query: 'amount >= 0', severity: critical}]}"
)


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


def told(lake: Lake, step=ingest_files) -> list[str]:
    """Do a step, and return the codes of what it failed by."""
    try:
        step(lake.target, lake.project, lake.now)
    except DatamasterError as error:
        return [fault.code for fault in error.faults]
    return []


def states(lake: Lake) -> list[tuple[str, str]]:
    """Return every hold that there is or was, by its rule, with its state."""
    return [
        (hold.rule, hold.state)
        for hold in read_holds(lake.target, lake.project.names.catalog, is_open=False)
    ]


def test_a_broken_rule_over_many_rows_holds_the_delivery_in_every_run_until_it_is_mended(
    lake: Lake,
) -> None:
    lake.contract(KEYED, more=MANY)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,2.00\n")
    assert told(lake) == ["rule-failed"]
    for _ in range(2):
        assert (told(lake), told(lake, build_silver)) == (["delivery-held"], ["delivery-held"]), (
            "with nothing new, too"
        )
    assert lake.rows("silver/order") == [] and states(lake) == [("rowcount", "held")]
    (run, *_) = [run for run in read_runs(lake.target, "cshop") if run.step == "silver"]
    assert (
        run.result == "failed"
        and "held since" in run.error
        and "urn:shop 1.0.0" in run.error
        and "ingest release order --reason" in run.error
    )
    lake.land("b.csv", "id,amount\n3,1.00\n")
    lake.run()
    assert sorted(row["id"] for row in lake.rows("silver/order")) == [1, 2, 3] and states(lake) == [
        ("rowcount", "mended")
    ]


def test_a_later_delivery_does_not_take_a_held_one_along(lake: Lake) -> None:
    lake.contract(STRICT)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,-1.00\n")
    assert told(lake) == ["rule-failed"]
    lake.land("b.csv", "id,amount\n9,1.00\n")
    assert (told(lake), told(lake, build_silver), lake.rows("silver/order")) == (
        ["delivery-held"],
        ["delivery-held"],
        [],
    )
    lake.land("c.csv", "id,amount\n2,7.00\n")
    lake.run()
    assert sorted((row["id"], int(row["amount"])) for row in lake.rows("silver/order")) == [
        (1, 1),
        (2, 7),
        (9, 1),
    ], "the bad row has come again under its key, and right"


def test_a_late_row_of_an_older_version_ends_no_hold_and_one_of_the_same_or_a_newer_does(
    lake: Lake,
) -> None:
    lake.contract(STRICT, "latest_by: {order: [at]}")
    lake.apply()
    lake.land("a.csv", "id,amount,at\n1,-1.00,2026-01-05\n2,-1.00,2026-01-05\n3,-1.00,\n")
    assert told(lake) == ["rule-failed"]
    lake.land("b.csv", "id,amount,at\n1,1.00,2026-01-04\n2,2.00,2026-01-05\n3,3.00,2026-01-01\n")
    assert (told(lake), told(lake, build_silver), states(lake)) == (
        ["delivery-held"],
        ["delivery-held"],
        [("amount.sql", "held")],
    )
    lake.land("c.csv", "id,amount,at\n1,7.00,2026-01-06\n")
    lake.run()
    assert sorted((row["id"], int(row["amount"])) for row in lake.rows("silver/order")) == [
        (1, 7),
        (2, 2),
        (3, 3),
    ] and states(lake) == [("amount.sql", "mended")]


def test_every_delivery_that_breaks_a_rule_is_held_for_itself(lake: Lake) -> None:
    lake.contract(STRICT)
    lake.apply()
    for number in range(2):
        lake.land(f"{number}.csv", f"id,amount\n{number},-1.00\n")
        assert told(lake)[0] == "rule-failed"
    lake.land("c.csv", "id,amount\n0,1.00\n")
    assert told(lake) == ["delivery-held"] and sorted(state for _, state in states(lake)) == [
        "held",
        "mended",
    ]


def test_a_replay_of_mended_rows_and_a_better_contract_end_a_hold(lake: Lake) -> None:
    lake.contract(STRICT)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,-1.00\n")
    assert told(lake) == ["rule-failed"]
    lake.contract(STRICT.replace("amount >= 0", "amount >= -5"), version="1.1.0")
    replay(lake.target, lake.project, lake.now)
    lake.run()
    assert len(lake.rows("silver/order")) == 1 and states(lake)[0][1] == "mended"
    lake.land("b.csv", "id,amount\n2,-9.00\n3,1.00\n")
    assert told(lake) == ["rule-failed"]
    lake.contract(KEYED.replace(", minimum: 0", ""), version="1.2.0")
    lake.run()
    assert sorted(row["id"] for row in lake.rows("silver/order")) == [1, 3], (
        "the contract has the rule no more, and the row waits in quarantine"
    )


def test_more_bad_rows_than_the_share_hold_their_delivery_and_not_only_while_it_is_the_last(
    lake: Lake,
) -> None:
    lake.contract(KEYED, "maximum_bad_share: 10%")
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,-2.00\n")
    assert told(lake) == ["too-many-bad-rows"]
    lake.land("b.csv", "id,amount\n3,1.00\n")
    assert (told(lake), told(lake, build_silver)) == (
        ["delivery-held"],
        ["delivery-held"],
    ) and lake.rows("silver/order") == []


def test_a_person_releases_a_hold_and_that_is_evidence(lake: Lake) -> None:
    lake.contract(STRICT, more=MANY)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n2,-1.00\n")
    assert told(lake) == ["rule-failed", "rule-failed"]
    with pytest.raises(BadInput):
        release_holds(lake.target, lake.project, lake.now, "order", " ")
    released = release_holds(lake.target, lake.project, lake.now, "order", "counted by hand")
    assert (
        len(released) == 2
        and release_holds(lake.target, lake.project, lake.now, "order", "again") == ()
    ), "it is idempotent"
    lake.run()
    assert [row["id"] for row in lake.rows("silver/order")] == [1]
    events = [
        row
        for row in lake.rows("bronze/runs")
        if row["step"] == "hold" and row["result"] == "released"
    ]
    who = lake.spark.sql("SELECT current_user()").collect()[0][0]
    assert len(events) == 2 and all(
        event["notes"] == [f"released by {who}: counted by hand"]
        and event["resumed"]
        and event["rules"][0]["rule"]
        for event in events
    )
    lake.land("b.csv", "id,amount\n4,-1.00\n")
    assert "rule-failed" in told(lake), "what was released is that delivery, and not the rule"


def test_other_models_go_on_and_gold_waits_for_what_is_held(lake: Lake) -> None:
    more = (
        f"{MANY}\n  pay:\n    fields:\n      id: {{type: long, primaryKey: true}}\n  total:\n    "
        f"fields: {{n: {{type: long}}}}\n  paid:\n    fields: {{n: {{type: long}}}}"
    )
    lake.contract(KEYED, "gold: {total: total.sql, paid: paid.sql}", more)
    (lake.folder / "total.sql").write_text("SELECT count(*) AS n FROM order", encoding="utf-8")
    (lake.folder / "paid.sql").write_text("SELECT count(*) AS n FROM pay", encoding="utf-8")
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    Path(lake.target.landing_folder("pay"), "a.csv").write_text("id\n5\n", encoding="utf-8")
    assert (told(lake), told(lake, build_silver), told(lake, build_gold)) == (
        ["rule-failed"],
        ["delivery-held"],
        ["delivery-held"],
    )
    assert (
        lake.rows("silver/pay", "id") == [(5,)]
        and lake.rows("gold/paid", "n") == [(1,)]
        and lake.rows("gold/total") == []
    )


def test_silver_waits_for_a_delivery_that_no_rule_has_judged(lake: Lake) -> None:
    lake.contract(STRICT)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    assert told(lake) == []
    checkpoint = lake.checkpoint("bronze")
    last = max(read_checkpoint(checkpoint).commits)
    for name in (str(last), f".{last}.crc"):
        (checkpoint / "commits" / name).unlink()
    assert told(lake, build_silver) == ["delivery-not-judged"] and lake.rows("silver/order") == []
    lake.run()
    assert len(lake.rows("silver/order")) == 1


@pytest.mark.parametrize(
    ("before", "after"), [("id", "id+at"), ("id+at", "id"), ("id", "at"), ("id", ""), ("", "id")]
)
def test_a_key_that_the_table_has_not_is_refused_before_anything_is_merged(
    lake: Lake, before: str, after: str
) -> None:
    def keyed(names: str) -> str:
        return "\n".join(
            f"{name}: {{type: "
            f"string{', primaryKey: true, required: true' if name in names.split('+') else ''}"
            f"}}"
            for name in ("id", "at")
        )

    lake.contract(keyed(before))
    lake.apply()
    lake.land("a.csv", "id,at\n1,Rio\n")
    lake.run()
    lake.contract(keyed(after), version="2.0.0")
    lake.land("b.csv", "id,at\n1,Recife\n")
    for _ in range(2):
        assert (told(lake), told(lake, build_silver)) == (["key-differs"], ["key-differs"])
    assert lake.rows("silver/order", "id", "at") == [("1", "Rio")]
    lake.contract(keyed(before), version="2.0.1")
    lake.run()
    assert ("1", "Recife") in lake.rows("silver/order", "id", "at"), (
        "the delivery was held, and not lost"
    )


def test_a_hold_is_found_again_by_a_process_that_knows_only_the_tables(lake: Lake) -> None:
    lake.contract(KEYED, more=MANY)
    lake.apply()
    lake.land("a.csv", "id,amount\n1,1.00\n")
    assert told(lake) == ["rule-failed"]
    shutil.rmtree(lake.checkpoint("silver"), ignore_errors=True)
    assert told(lake, build_silver) == ["delivery-held"]
