"""Events of a topic measured: how many a second come to bronze, and how long each is on its way.

A Kafka of one node is on this machine, and shares it. The floor is what plain Spark needs to append
the same events, parsed by `from_json` to the contract's types, to a Delta table.
`python benchmarks/events.py --events 200000 --rate 1000` prints the tables.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "servers"))

from kafka_broker import Broker  # noqa: E402

from datamaster_kit.contract.sql.sqltype import sql_type  # noqa: E402
from datamaster_kit.contract.sql.table import delta_type  # noqa: E402
from datamaster_kit.ingest.ingest import ingest_files, keep_ingesting  # noqa: E402
from datamaster_kit.lakehouse.runs import runs_table_name  # noqa: E402
from datamaster_kit.mock.producer import parse_sending, send_mock  # noqa: E402
from datamaster_kit.mock.request import MockRequest  # noqa: E402
from datamaster_kit.project.project_file import read_contracts, read_project  # noqa: E402
from datamaster_kit.targets.local import LocalTarget  # noqa: E402
from datamaster_kit.targets.stream import STOP_REQUESTED  # noqa: E402
from datamaster_kit.unity.tables import apply_plan, plan_project_tables  # noqa: E402

CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:payment
info: {title: Payments, version: 1.0.0}
models:
  payment:
    fields:
      id: {type: long, primaryKey: true}
      account: {type: string, required: true, pattern: '^[0-9]{8}$'}
      amount: {type: decimal, precision: 18, scale: 2, minimum: 0, maximum: 10000}
      currency: {type: string, enum: [BRL, EUR, USD]}
      paid_at: {type: timestamp, required: true}
      note: {type: string, maxLength: 40}
workflow: {source: {type: kafka, format: json, topic: TOPIC}}
"""


def lakehouse(folder: Path, servers: str, topic: str) -> tuple[LocalTarget, tuple]:
    """Return a lakehouse with the contract's tables, and the contracts; the last one is gone."""
    (folder / "contracts").mkdir(parents=True)
    text = CONTRACT.replace("TOPIC", topic)
    (folder / "contracts" / "payment.yaml").write_text(text, encoding="utf-8")
    text = f"domain: pay\ncatalog: pay\nkafka: {{servers: '{servers}'}}\n"
    (folder / "datamaster.yaml").write_text(text, encoding="utf-8")
    (folder / ".datamaster").mkdir()
    (folder / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    target = LocalTarget(read_project(folder))
    for schema in ("bronze", "silver", "gold"):
        target.spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    contracts = read_contracts(target.project)
    apply_plan(plan_project_tables(target, target.project, contracts), target)
    return target, contracts


def floor_seconds(target: LocalTarget, contract, servers: str, topic: str, folder: Path) -> float:
    """Return how long plain Spark needs to append the topic's events to a Delta table."""
    (model,) = contract.models
    schema = ", ".join(f"{item.column} {sql_type(delta_type(item.type))}" for item in model.fields)
    begun = time.monotonic()
    read = (
        target.spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", servers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
        .selectExpr(f"from_json(CAST(value AS STRING), '{schema}') AS row")
        .select("row.*")
    )
    query = (
        read.writeStream.format("delta")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(folder / "table"))
    )
    query.awaitTermination()
    return time.monotonic() - begun


def measured_turn(servers: str, topic: str, events: int) -> tuple[float, float]:
    """Return the seconds of the floor and of the ingest of the same events, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        target, (contract,) = lakehouse(Path(name, "pay"), servers, topic)
        floor = floor_seconds(target, contract, servers, topic, Path(name))
        begun = time.monotonic()
        (run,) = ingest_files(target, target.project, contract)
        seconds = time.monotonic() - begun
        assert run.rows_written == events, run
    return floor, seconds


def measure_rate(broker: Broker, events: int, turns: int) -> None:
    """Print how many events a second come to bronze, and how long that takes beside the floor.

    By partitions of the topic; a turn to warm up is not counted.
    """
    sys.stdout.write(
        "| partitions | events a second: plain Spark | bronze | times the floor, by turn |\n"
        "|---:|---:|---:|---:|\n"
    )
    for partitions in (1, 2, 4):
        topic = f"payments-{partitions}"
        broker.create(topic, partitions)
        with tempfile.TemporaryDirectory() as name:
            _, contracts = lakehouse(Path(name, "pay"), broker.servers, topic)
            address = parse_sending(f"{broker.servers}/{topic}")
            send_mock(contracts[0], MockRequest(events), address)
        if partitions == 1:
            measured_turn(broker.servers, topic, events)
        found = [measured_turn(broker.servers, topic, events) for _ in range(turns)]
        floors, ours = zip(*found, strict=True)
        ratios = ", ".join(f"{seconds / floor:.2f}" for floor, seconds in found)
        sys.stdout.write(
            f"| {partitions} | {events / statistics.median(floors):,.0f} | "
            f"{events / statistics.median(ours):,.0f} | {ratios} |\n"
        )
        sys.stdout.flush()


def measure_latency(broker: Broker, rate: float) -> None:
    """Print how long events are on their way while they come at a rate, for half a minute."""
    broker.create("live", 2)
    with tempfile.TemporaryDirectory() as name:
        target, contracts = lakehouse(Path(name, "pay"), broker.servers, "live")
        stream = threading.Thread(
            target=keep_ingesting, args=(target, target.project, contracts, "1 second")
        )
        stream.start()
        time.sleep(15)  # until it waits for events
        request = MockRequest(int(30 * rate), seed=2)
        address = parse_sending(f"{broker.servers}/live", rate=rate)
        send_mock(contracts[0], request, address)
        time.sleep(10)
        STOP_REQUESTED.set()
        stream.join()
        STOP_REQUESTED.clear()
        batches = target.records(
            runs_table_name(target.project.names.catalog),
            "SELECT * FROM records WHERE batch IS NOT NULL AND step = 'ingest' ORDER BY ended_at",
        )
    sys.stdout.write(
        "\n| micro-batch | events | p50 | p99 | behind |\n|---:|---:|---:|---:|---:|\n"
    )
    for item in batches:
        if item["rows_read"]:
            sys.stdout.write(
                f"| {item['batch']} | {item['rows_read']} | {item['latency_p50_seconds']:.1f} s | "
                f"{item['latency_p99_seconds']:.1f} s | {item['events_behind']} |\n"
            )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Broker(Path(name)) as broker:
        measure_rate(broker, given.events, given.turns)
        measure_latency(broker, given.rate)


if __name__ == "__main__":
    main()
