"""Events of a topic measured: how many a second come to bronze, and how long each is on its way.

A Kafka of one node is on this machine, and shares it. The floor is what plain Spark needs to append
the same events, parsed by `from_json` to the contract's types, to a Delta table.
`python benchmarks/events.py --events 200000 --rate 500` prints the tables.
"""

from __future__ import annotations

import argparse
import shutil
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
from datamaster_kit.ingest.ingest import build_steps, ingest_files, keep_ingesting  # noqa: E402
from datamaster_kit.ingest.step import checkpoint_folder  # noqa: E402
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
workflow: {source: {type: kafka, format: json, topic: payments}}
"""


def lakehouse(folder: Path, servers: str) -> tuple[LocalTarget, tuple]:
    """Return a lakehouse with the contract's tables, and the contracts."""
    (folder / "contracts").mkdir(parents=True)
    (folder / "contracts" / "payment.yaml").write_text(CONTRACT, encoding="utf-8")
    text = f"domain: pay\ncatalog: pay\nkafka: {{servers: '{servers}'}}\n"
    (folder / "datamaster.yaml").write_text(text, encoding="utf-8")
    (folder / ".datamaster").mkdir()
    (folder / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    target = LocalTarget(read_project(folder))
    contracts = read_contracts(target.project)
    apply_plan(plan_project_tables(target, target.project, contracts), target)
    return target, contracts


def floor_seconds(target: LocalTarget, contract, servers: str, folder: Path) -> float:
    """Return how long plain Spark needs to append the topic's events to a Delta table."""
    (model,) = contract.models
    schema = ", ".join(f"{item.column} {sql_type(delta_type(item.type))}" for item in model.fields)
    begun = time.monotonic()
    read = (
        target.spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", servers)
        .option("subscribe", "payments")
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


def measure_rate(target: LocalTarget, contracts: tuple, servers: str, events: int) -> None:
    """Print how many events a second come to bronze, beside the floor, thrice in turn."""
    (contract,) = contracts
    step = build_steps(target, target.project, contract, contract.models, "ingest")[0]
    sys.stdout.write("| | events a second | of the floor |\n|---|---:|---:|\n")
    for turn in range(3):
        with tempfile.TemporaryDirectory() as folder:
            floor = floor_seconds(target, contract, servers, Path(folder))
        shutil.rmtree(checkpoint_folder(step), ignore_errors=True)
        target.spark.sql(f"TRUNCATE TABLE {step.sql('bronze')}")
        target.spark.sql(
            f"ALTER TABLE {step.sql('bronze')} UNSET TBLPROPERTIES IF EXISTS (datamaster.stream)"
        )
        begun = time.monotonic()
        (run,) = ingest_files(target, target.project, contract)
        seconds = time.monotonic() - begun
        assert run.rows_written == events, run
        sys.stdout.write(f"| turn {turn + 1} | {events / seconds:,.0f} | {floor / seconds:.2f} |\n")


def measure_latency(target: LocalTarget, contracts: tuple, servers: str, rate: float) -> None:
    """Print how long events are on their way while they come at a rate, for half a minute."""
    stream = threading.Thread(
        target=keep_ingesting, args=(target, target.project, contracts, "1 second")
    )
    stream.start()
    time.sleep(15)  # until it waits for events
    request = MockRequest(int(30 * rate), seed=2)
    send_mock(contracts[0], request, parse_sending(f"{servers}/payments", rate=rate))
    time.sleep(10)
    STOP_REQUESTED.set()
    stream.join()
    STOP_REQUESTED.clear()
    batches = target.records(
        runs_table_name(target.project.names.catalog),
        "SELECT * FROM records WHERE batch > 0 AND step = 'ingest' ORDER BY ended_at",
    )
    sys.stdout.write(
        "\n| micro-batch | events | p50 | p99 | behind |\n|---:|---:|---:|---:|---:|\n"
    )
    for item in batches:
        sys.stdout.write(
            f"| {item['batch']} | {item['rows_read']} | {item['latency_p50_seconds']:.1f} s | "
            f"{item['latency_p99_seconds']:.1f} s | {item['events_behind']} |\n"
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "broker")
        place.mkdir()
        with Broker(place) as broker:
            broker.create("payments", 2)
            target, contracts = lakehouse(Path(folder, "pay"), broker.servers)
            address = parse_sending(f"{broker.servers}/payments")
            (sent,) = send_mock(contracts[0], MockRequest(given.events), address)
            sys.stdout.write(
                f"{sent.sent} events sent, {sent.sent / sent.seconds:,.0f} a second\n\n"
            )
            measure_rate(target, contracts, broker.servers, given.events)
            measure_latency(target, contracts, broker.servers, given.rate)


if __name__ == "__main__":
    main()
