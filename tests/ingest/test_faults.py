"""The process is killed (SIGKILL) at every labelled point and started again.

Nothing is lost, nothing is there twice, and the counts add up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from datamaster_kit.targets.failpoints import KILL_AT, POINTS

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:shop
info: {title: Shop, version: 1.0.0}
models:
  order:
    fields:
      id: {type: long, primaryKey: true}
      amount: {type: long, minimum: 0}
      operation: {type: string, enum: [U, D]}
      placed_at: {type: timestamp}
  total:
    fields: {orders: {type: long, required: true}}
servicelevels:
  retention: {period: 30 days, timestampField: order.placed_at}
workflow: {delete_when: {order: {operation: D}}, schema_evolution: add, gold: {total: total.sql}}
"""
WORKER = Path(__file__).parents[1] / "faulty_run.py"
STEPS_OF = {
    "replay": ["replay"],
    "retention": ["retention"],
    "gold": ["ingest", "silver", "gold"],
    "silver": ["ingest", "silver"],
    "runs": ["ingest"],
}
PER_FILE = 8


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process, and return its exit code and the end of what it said."""
    out, errors = process.communicate(timeout=600)
    return process.returncode, (out + errors)[-4000:]


def start(folder: Path, *steps: str, kill_at: str = "") -> subprocess.Popen[str]:
    """Start a process on a lakehouse, which dies at a point."""
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder), *steps],
        env={**os.environ, KILL_AT: kill_at},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def land(folder: Path, number: int, column: str, placed_at: str) -> None:
    """Bring a file of eight records.

    Five good, one of which deletes the first file's record, and three bad.
    """
    first = number * PER_FILE
    rows = [
        f"{first},1,U,{placed_at},x",
        f"{first + 1},2,U,{placed_at},",
        f"{first + 2},-1,U,{placed_at},",
        f"{first + 3},-1,U,{placed_at},",
        f"{first + 4},4,U,{placed_at},",
        f"{first + 5},5,,{placed_at},y",
        f"{first + 6},,D,{placed_at},",
        f",7,U,{placed_at},",
    ]
    landing = folder / ".datamaster" / "landing" / "order"
    landing.mkdir(parents=True, exist_ok=True)
    # Under a hidden name until it is whole, as who delivers to a stream does: a listing in the
    # middle of the writing finds a file that is changed afterwards.
    unfinished = landing / f".{number:03}.csv"
    unfinished.write_text(
        f"id,amount,operation,placed_at,{column}\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    unfinished.rename(landing / f"{number:03}.csv")


def project(folder: Path, contract: str = CONTRACT) -> Path:
    """Return a folder with a project in it."""
    (folder / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n", encoding="utf-8")
    (folder / "contracts").mkdir()
    (folder / "contracts" / "shop.yaml").write_text(contract, encoding="utf-8")
    (folder / "total.sql").write_text("SELECT count(*) AS orders FROM order", encoding="utf-8")
    (folder / ".datamaster").mkdir()
    (folder / ".datamaster" / "jars").symlink_to(
        Path(__file__).resolve().parents[2] / ".datamaster" / "jars"
    )
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project after a process has been killed at every point that a step passes, each
    after new files had come.
    """
    folder = project(tmp_path_factory.mktemp("killed"))
    assert ended(start(folder, "apply"))[0] == 0
    points = [
        point for point in POINTS if not point.startswith(("landing.", "retention.", "hold."))
    ]
    for number, point in enumerate(points):
        land(
            folder,
            number,
            f"extra_{number}" if point == "evolution.altered" else "extra",
            "2999-01-01T00:00:00Z",
        )
        steps = STEPS_OF.get(point.partition(".")[0], ["ingest"])
        code, said = ended(
            start(folder, *(["ingest", *steps] if steps == ["replay"] else steps), kill_at=point)
        )
        assert code == -signal.SIGKILL, f"{point}: {said}"
    code, said = ended(start(folder, "ingest", "replay", "silver", "gold"))
    assert code == 0, said
    return folder


def rows(spark, folder: Path, table: str) -> list[dict]:
    return [
        row.asDict(recursive=True)
        for row in spark.read.format("delta")
        .load(str(folder / ".datamaster" / "warehouse" / "cshop" / table))
        .collect()
    ]


def test_every_record_is_in_bronze_exactly_once_and_is_good_or_in_quarantine(
    spark, shop: Path
) -> None:
    files = sorted((shop / ".datamaster" / "landing" / "order").iterdir())
    written = [
        row
        for row in rows(spark, shop, "bronze/order")
        if not row["carlton_metadata"]["stream"].startswith("replay/")
    ]
    assert Counter(row["carlton_metadata"]["file_name"] for row in written) == {
        file.name: PER_FILE for file in files
    }
    assert Counter(row["id"] for row in written if row["id"] is not None) == Counter(
        number for number in range(len(files) * PER_FILE) if number % PER_FILE != 7
    )
    quarantined = rows(spark, shop, "bronze/order_quarantine")
    bad = sorted(
        (row["carlton_metadata"]["file_name"], row["carlton_record"]) for row in quarantined
    )
    assert bad == sorted((file.name, record) for file in files for record in (3, 4, 8)), (
        "and the records' numbers are those of the files"
    )
    assert len({row["carlton_quarantine_id"] for row in quarantined}) == len(quarantined)


def test_released_rows_are_in_bronze_exactly_once(spark, shop: Path) -> None:
    released = sorted(
        row["id"]
        for row in rows(spark, shop, "bronze/order_quarantine")
        if row["carlton_released_at"]
    )
    moved = sorted(
        row["id"]
        for row in rows(spark, shop, "bronze/order")
        if row["carlton_metadata"]["stream"].startswith("replay/")
    )
    assert released == moved and released and all(number % 2 == 0 for number in released)


def test_silver_holds_the_good_rows_and_not_the_deleted_ones(spark, shop: Path) -> None:
    good = {
        row["id"] for row in rows(spark, shop, "bronze/order") if not row["carlton_is_quarantined"]
    }
    deleted = {row["id"] for row in rows(spark, shop, "silver/order_deleted")}
    assert (
        Counter(row["id"] for row in rows(spark, shop, "silver/order")) == Counter(good - deleted)
        and deleted
    )
    (total,) = rows(spark, shop, "gold/total")
    assert total["orders"] == len(good - deleted)


def test_the_runs_add_up_to_the_tables(spark, shop: Path) -> None:
    runs = rows(spark, shop, "bronze/runs")
    for step in ("ingest", "silver"):
        batches = [run for run in runs if run["step"] == step and run["batch"] is not None]
        whole = [run for run in runs if run["step"] == step and run["batch"] is None]
        assert len({(run["stream"], run["batch"]) for run in batches}) == len(batches)
        for count in (
            "rows_read",
            "rows_written",
            "rows_quarantined",
            "rows_rescued",
            "rows_deleted",
        ):
            assert sum(run[count] for run in whole) == sum(run[count] for run in batches), (
                step,
                count,
            )
    ingested = [run for run in runs if run["step"] == "ingest" and run["batch"] is None]
    written = [
        row
        for row in rows(spark, shop, "bronze/order")
        if not row["carlton_metadata"]["stream"].startswith("replay/")
    ]
    assert sum(run["rows_written"] for run in ingested) == len(written)
    assert sum(run["rows_quarantined"] for run in ingested) == len(
        rows(spark, shop, "bronze/order_quarantine")
    )
    assert sum(run["rows_rescued"] for run in ingested) == sum(
        row["carlton_rescued"] is not None for row in written
    )
    silver = [run for run in runs if run["step"] == "silver" and run["batch"] is None]
    assert sum(run["rows_merged"] for run in silver) == len(rows(spark, shop, "silver/order"))
    assert sum(run["rows_deleted"] for run in silver) == len(
        rows(spark, shop, "silver/order_deleted")
    )
    replayed = [run for run in runs if run["step"] == "replay" and run["batch"] is None]
    assert sum(run["rows_written"] for run in replayed) == sum(
        row["carlton_metadata"]["stream"].startswith("replay/")
        for row in rows(spark, shop, "bronze/order")
    )
    (total,) = rows(spark, shop, "gold/total")
    built = max((run for run in runs if run["step"] == "gold"), key=lambda run: run["ended_at"])
    assert (built["rows_written"], built["result"]) == (1, "succeeded") and total["orders"] == len(
        rows(spark, shop, "silver/order")
    )


def test_retention_that_was_killed_at_every_point_removes_what_it_has_recorded(
    spark, shop: Path
) -> None:
    before = {
        table: len(rows(spark, shop, table))
        for table in ("bronze/order", "bronze/order_quarantine", "silver/order")
    }
    for number, point in enumerate(point for point in POINTS if point.startswith("retention.")):
        land(shop, 100 + number, "extra", "2001-01-01T00:00:00Z")
        code, said = ended(start(shop, "ingest", "silver", "retention", kill_at=point))
        assert code == -signal.SIGKILL, f"{point}: {said}"
    assert ended(start(shop, "retention"))[0] == 0
    after = {table: len(rows(spark, shop, table)) for table in before}
    assert after == before, "what came has gone again, and nothing else"
    runs = [
        run
        for run in rows(spark, shop, "bronze/runs")
        if run["step"] == "retention" and run["batch"] is None
    ]
    came = 4 * PER_FILE
    assert sum(run["rows_deleted"] for run in runs) == came + 4 * 3 + 4 * 4


def test_a_hold_that_was_killed_at_every_point_is_recorded_once_and_lets_nothing_through(
    spark, tmp_path: Path
) -> None:
    held = CONTRACT.replace(
        "  total:\n    fields",
        "    quality: [{type: library, metric: rowCount, mustBeGreaterThan: 100, severity: "
        "critical}]\n  total:\n    fields",
    )
    folder = project(tmp_path, held)
    assert ended(start(folder, "apply"))[0] == 0
    land(folder, 0, "extra", "2999-01-01T00:00:00Z")
    assert ended(start(folder, "ingest", kill_at="hold.recorded"))[0] == -signal.SIGKILL
    for steps, words in (
        (("silver",), "held since"),
        (("ingest",), "rowcount"),
        (("silver",), "held since"),
    ):
        code, said = ended(start(folder, *steps))
        assert code == 1 and words in said, said
    assert rows(spark, folder, "silver/order") == []
    assert ended(start(folder, "release", kill_at="hold.ended"))[0] == -signal.SIGKILL
    code, said = ended(start(folder, "release", "ingest", "silver"))
    assert code == 0, said
    events = sorted(
        (row for row in rows(spark, folder, "bronze/runs") if row["step"] == "hold"),
        key=lambda row: row["batch"],
    )
    # One hold, whose rows are numbered: the run that goes on with the interrupted one adds itself
    # to those that brought the delivery.
    assert [row["result"] for row in events] == ["held", "held", "released"] and len(
        {row["stream"] for row in events}
    ) == 1
    assert len({row["batch"] for row in events}) == 3 and set(events[0]["resumed"]) < set(
        events[1]["resumed"]
    )
    assert len(rows(spark, folder, "silver/order")) == 4


def test_a_signal_ends_the_stream_after_its_batch_and_a_second_one_at_once(
    spark, tmp_path: Path
) -> None:
    folder = project(tmp_path)
    assert ended(start(folder, "apply"))[0] == 0
    land(folder, 0, "extra", "2999-01-01T00:00:00Z")
    process = start(folder, "keep")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    for number in range(1, 4):
        wait_for(process, lambda many=number: len(rows(spark, folder, "silver/order")) == 4 * many)
        land(folder, number, "extra", "2999-01-01T00:00:00Z")
    process.terminate()
    code, said = ended(process)
    assert code == 0 and "after the running batch" in said, said
    assert ended(start(folder, "ingest", "silver"))[0] == 0
    assert Counter(
        row["carlton_metadata"]["file_name"] for row in rows(spark, folder, "bronze/order")
    ) == {f"{number:03}.csv": PER_FILE for number in range(4)}
    process = start(folder, "keep")
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(3)
    process.terminate()
    time.sleep(0.3)
    process.terminate()
    assert ended(process)[0] in (0, -signal.SIGTERM)


def wait_for(process: subprocess.Popen[str], is_true: Callable[[], bool]) -> None:
    """Wait until something is true of what a process does.

    Fail with what the process has said where it ends before, or after five minutes.
    """
    for _ in range(600):
        if is_true():
            return
        if process.poll() is not None:
            break
        time.sleep(0.5)
    process.kill()
    raise AssertionError(f"it has not become true: {ended(process)}")
