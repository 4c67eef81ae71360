"""Events as they happen, from a real Kafka: nothing is lost, nothing is there twice.

One broker for all tests of this file; it is killed and started again while a stream reads from it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_broker import PASSWORD, Broker

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.model import Contract
from datamaster_kit.ingest.ingest import build_steps, ingest_files
from datamaster_kit.ingest.step import Step, checkpoint_folder
from datamaster_kit.lakehouse.ledger import read_entries
from datamaster_kit.mock.producer import parse_sending, send_mock
from datamaster_kit.mock.request import MockRequest
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.failpoints import KILL_AT
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

pytest.importorskip("confluent_kafka", reason="the extra `events` is not installed")
pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "tests" / "faulty_run.py"
CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:{name}
info: {{title: Shop, version: 1.0.0}}
models:
  {name}:
    fields:
      id: {{type: long, primaryKey: true}}
      amount: {{type: decimal, precision: 10, scale: 2, minimum: 0}}
      placed_at: {{type: timestamp}}
      tags: {{type: array, items: {{type: string}}}}
workflow:
  schema_evolution: add
  source: {{type: kafka, topic: "{{model}}s", {source}}}
"""


@pytest.fixture(scope="module", autouse=True)
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of all tests."""
    with Broker(tmp_path_factory.mktemp("broker")) as made:
        yield made


def shop(folder: Path, broker: Broker, **sources: str) -> tuple[LocalTarget, Project]:
    """Return a lakehouse whose contracts, by the name of their one model, have these sources."""
    text = f"domain: shop\ncatalog: shop\nkafka: {{servers: '{broker.servers}'}}\n"
    (folder / "datamaster.yaml").write_text(text, encoding="utf-8")
    (folder / "contracts").mkdir()
    for name, source in sources.items():
        contract = CONTRACT.format(name=name, source=source)
        (folder / "contracts" / f"{name}.yaml").write_text(contract, encoding="utf-8")
    (folder / ".datamaster").mkdir()
    (folder / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    project = read_project(folder)
    target = LocalTarget(project)
    apply_plan(plan_project_tables(target, project, read_contracts(project)), target)
    return target, project


def contract_of(project: Project, name: str) -> Contract:
    """Return the contract of a model."""
    return next(item for item in read_contracts(project) if item.id == f"urn:{name}")


def step_of(target: LocalTarget, project: Project, contract: Contract) -> Step:
    """Return the ingest of a contract's one model."""
    return build_steps(target, project, contract, contract.models, "ingest")[0]


def start(folder: Path, *steps: str, kill_at: str = "") -> subprocess.Popen[str]:
    """Start a process on a lakehouse, which dies at a point."""
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder), *steps],
        env={**os.environ, KILL_AT: kill_at},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process, and return its exit code and the end of what it said."""
    out, errors = process.communicate(timeout=300)
    return process.returncode, (out + errors)[-4000:]


def rows(spark, folder: Path, table: str) -> list[dict]:
    """Return the rows of a table."""
    place = folder / ".datamaster" / "warehouse" / "cshop" / table
    read = spark.read.format("delta").load(str(place)).collect()
    return [row.asDict(recursive=True) for row in read]


def order(number: int, **more: object) -> tuple[bytes, bytes]:
    """Return the message of an order."""
    said = {"id": number, "amount": 1, "placed_at": "2026-01-31T10:00:00Z", **more}
    return str(number).encode(), json.dumps(said).encode()


KILLED_AT = (
    "bronze.begun",
    "bronze.appended",
    "evolution.altered",
    "runs.whole",
)
PER_STEP = 6


def test_a_consumer_that_is_killed_anywhere_reads_every_event_exactly_once(
    spark, broker: Broker, tmp_path: Path
) -> None:
    broker.create("orders", 2)
    shop(tmp_path, broker, order="format: json, maxOffsetsPerTrigger: 4")
    for step, point in enumerate(KILLED_AT):
        first = step * PER_STEP
        more = {"colour": "red"} if point == "evolution.altered" else {}
        for number in range(first, first + PER_STEP):
            bad = {"amount": -1} if number % PER_STEP == 1 else {}
            broker.send("orders", [order(number, **more, **bad)], number % 2)
        code, said = ended(start(tmp_path, "ingest", kill_at=point))
        assert code == -signal.SIGKILL, f"{point}: {said}"
    code, said = ended(start(tmp_path, "ingest", "silver"))
    assert code == 0, said
    every = range(len(KILLED_AT) * PER_STEP)
    bad = {number for number in every if number % PER_STEP == 1}
    bronze = rows(spark, tmp_path, "bronze/order")
    assert Counter(row["id"] for row in bronze) == Counter(every)
    assert {row["id"] for row in bronze if row["colour"]} == set(range(2 * PER_STEP, 3 * PER_STEP))
    assert Counter(row["id"] for row in rows(spark, tmp_path, "bronze/order_quarantine")) == (
        Counter(bad)
    )
    assert {row["id"] for row in rows(spark, tmp_path, "silver/order")} == {*every} - bad
    places = [
        (row["carlton_metadata"]["file_name"], row["carlton_metadata"]["block_start"])
        for row in bronze
    ]
    assert sorted(places) == sorted(
        (f"orders/{part}", offset) for part in (0, 1) for offset in range(len(every) // 2)
    )
    entries = rows(spark, tmp_path, "bronze/files")
    assert sum(entry["records"] for entry in entries) == len(every)
    assert len({(entry["batch"], entry["path"]) for entry in entries}) == len(entries)
    runs = [run for run in rows(spark, tmp_path, "bronze/runs") if run["step"] == "ingest"]
    batches = [run for run in runs if run["batch"] is not None]
    whole = [run for run in runs if run["batch"] is None]
    assert sum(run["rows_read"] for run in whole) == len(every)
    assert all(0 <= run["latency_p50_seconds"] <= run["latency_p99_seconds"] for run in batches)
    assert all(run["rows_read"] <= 4 and run["bytes"] > 0 for run in batches)


def test_messages_that_are_none_are_kept_with_their_place(
    spark, broker: Broker, tmp_path: Path
) -> None:
    for topic in ("notes", "lines", "records"):
        broker.create(topic)
    sources = {"note": "format: json", "line": "format: csv, sep: ';'", "record": "format: avro"}
    target, project = shop(tmp_path, broker, **sources)
    both = json.dumps([json.loads(order(2)[1]), json.loads(order(3)[1])]).encode()
    poison = [b"oops", b"\xff\xfe", None]
    broker.send(
        "notes",
        [order(1), (None, both), *((None, body) for body in poison), (None, b"[]")],
        headers=[("from", b"web"), ("from", b"app"), ("raw", b"\xff")],
    )
    rest = b"2026-01-31T10:00:00Z;"
    text = b'1;1;%s"[]"\n2;"1";%s[]\r\n' % (rest, rest)
    broker.send("lines", [(None, text), (None, b"3;1"), (None, b"")])
    request = MockRequest(40)
    send_mock(contract_of(project, "record"), request, parse_sending(f"{broker.servers}/records"))
    longer = b"\x02\x00\x00\x00\x00"
    endless = b"\x02\x02\x80\xcc\xfd\x93\x0e"  # 1.9 GB are said to follow
    broker.send("records", [(None, body) for body in (longer, endless, b"\x02\x02", b"")])
    for name in sources:
        ingest_files(target, project, contract_of(project, name))

    notes = rows(spark, tmp_path, "bronze/note")
    assert sorted(row["id"] for row in notes if row["id"]) == [1, 2, 3] and len(notes) == 6
    bad = rows(spark, tmp_path, "bronze/note_quarantine")
    assert sorted(row["carlton_metadata"]["block_start"] for row in bad) == [2, 3, 4]
    assert corrupt(bad) == ["", "0xFFFE", "oops"]
    (first,) = (row for row in notes if row["id"] == 1)
    event = first["carlton_metadata"]["event"]
    assert (event["partition"], event["sequence_number"]) == ("0", 0)
    assert json.loads(event["properties"]) == {"from": '["web","app"]', "raw": "/w=="}
    assert json.loads(event["system_properties"])["key"] == "1"

    lines = rows(spark, tmp_path, "bronze/line")
    assert sorted(row["id"] for row in lines if not row["carlton_is_quarantined"]) == [1, 2]
    assert corrupt(rows(spark, tmp_path, "bronze/line_quarantine")) == ["", "3;1"]

    records = rows(spark, tmp_path, "bronze/record")
    good = [row for row in records if not row["carlton_is_quarantined"]]
    assert len({row["id"] for row in good}) == len(good) == 40
    assert any(row["tags"] for row in good) and any(row["amount"] for row in good)
    assert corrupt(rows(spark, tmp_path, "bronze/record_quarantine")) == [
        "0x",
        "0x0200000000",
        "0x0202",
        f"0x{endless.hex().upper()}",
    ]
    entries = read_entries(target, project.names.catalog)
    assert {entry.name: (entry.records, entry.quarantined) for entry in entries} == {
        "notes/0 offsets 0 to 5": (6, 3),
        "lines/0 offsets 0 to 2": (4, 2),
        "records/0 offsets 0 to 43": (44, 4),
    }


def corrupt(rows: list[dict]) -> list[str]:
    """Return what is kept of rows that are none."""
    return sorted(json.loads(row["carlton_rescued"])["_corrupt_record"] for row in rows)


def test_a_user_logs_in_over_tls_and_the_secret_is_in_no_message_and_in_no_file(
    spark, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create("logins")
    broker.send("logins", [order(1)])
    login = "{way: password, user: ana, scope: shop, key: ana, ca: ca}"
    source = f"format: json, servers: '127.0.0.1:{broker.tls_port}', security: {login}"
    target, project = shop(tmp_path, broker, login=source)
    contract = contract_of(project, "login")
    monkeypatch.setenv("DATAMASTER_SECRET_SHOP_CA", broker.certificate)
    with pytest.raises(DatamasterError, match="DATAMASTER_SECRET_SHOP_ANA"):
        ingest_files(target, project, contract)
    monkeypatch.setenv("DATAMASTER_SECRET_SHOP_ANA", "another-s3cret")
    with pytest.raises(DatamasterError, match="Authentication") as refusal:
        ingest_files(target, project, contract)
    monkeypatch.setenv("DATAMASTER_SECRET_SHOP_ANA", PASSWORD)
    (run,) = ingest_files(target, project, contract)
    assert run.rows_written == 1 and "s3cret" not in f"{refusal.value}{run}"
    written = [
        path
        for path in (tmp_path / ".datamaster").rglob("*")
        if path.is_file() and "jars" not in path.parts
    ]
    assert written and not [path for path in written if b"s3cret" in path.read_bytes()]


def test_events_that_had_expired_are_told_and_recorded_and_the_rest_is_read(
    spark, broker: Broker, tmp_path: Path
) -> None:
    broker.create("sales")
    target, project = shop(tmp_path, broker, sale="format: json")
    contract = contract_of(project, "sale")
    broker.send("sales", map(order, range(5)))
    ingest_files(target, project, contract)
    broker.send("sales", map(order, range(5, 15)))
    broker.truncate("sales", 12)
    (run,) = ingest_files(target, project, contract)
    assert run.result == "partly" and any(
        "offsets 5 to 11 had expired" in note for note in run.notes
    )
    assert sorted(row["id"] for row in rows(spark, tmp_path, "bronze/sale")) == [
        *range(5),
        *range(12, 15),
    ]
    (entry,) = read_entries(target, project.names.catalog, "result = 'expired'")
    assert entry.name == "sales/0 offsets 5 to 14" and "7 events are lost" in entry.reason
    broker.send("sales", [order(15)])
    (run,) = ingest_files(target, project, contract)
    assert (run.result, run.rows_read) == ("succeeded", 1)
    shutil.rmtree(checkpoint_folder(step_of(target, project, contract)))
    with pytest.raises(DatamasterError, match="is gone"):
        ingest_files(target, project, contract)
    broker.send("sales", [order(16)])
    ingest_files(target, project, contract, rebuilds_checkpoint=True)
    found = Counter(row["id"] for row in rows(spark, tmp_path, "bronze/sale"))
    assert found == Counter([*range(5), *range(12, 17)]), (
        "a rebuilt stream leaves out what is there"
    )
    broker.admin.delete_topics(["sales"])["sales"].result(30)
    time.sleep(1)
    broker.create("sales")
    broker.send("sales", map(order, range(2)))
    with pytest.raises(DatamasterError, match="has begun again"):
        ingest_files(target, project, contract)


def test_a_stream_goes_on_over_a_restart_of_the_broker_and_takes_a_partition_that_is_added(
    spark, broker: Broker, tmp_path: Path
) -> None:
    broker.create("visits")
    shop(tmp_path, broker, visit="format: json")
    broker.send("visits", map(order, range(3)))
    stream = start(tmp_path, "keep")
    assert stream.stdout is not None and stream.stdout.readline() == "begun\n"
    wait_for_rows(spark, tmp_path, 3)
    broker.kill()
    broker.start()
    broker.add_partition("visits", 2)
    broker.send("visits", map(order, range(3, 6)))
    broker.send("visits", map(order, range(6, 9)), partition=1)
    wait_for_rows(spark, tmp_path, 9)
    stream.send_signal(signal.SIGTERM)
    code, said = ended(stream)
    assert code == 0, said
    found = Counter(row["id"] for row in rows(spark, tmp_path, "bronze/visit"))
    assert found == Counter(range(9))


def wait_for_rows(spark, folder: Path, count: int) -> None:
    """Wait until bronze has so many rows."""
    end = time.monotonic() + 400
    while (there := len(rows(spark, folder, "bronze/visit"))) < count:
        assert time.monotonic() < end, there
        time.sleep(0.5)
