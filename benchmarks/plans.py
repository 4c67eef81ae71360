"""How long plans take as contracts grow in number: `python benchmarks/plans.py [CONTRACTS…]`.

The test workspace answers (its time counts too): a catalog's tables and the jobs of contracts of
two models each are applied, and planned again when nothing has changed. Seconds and calls of the
REST interface are printed as Markdown.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / room) for room in ("", "servers", "deliver")]

from test_deliver import prepared  # noqa: E402
from workspace.server import Workspace  # noqa: E402
from workspace.state import Settings  # noqa: E402

from datamaster_kit.deliver.delivery import apply_delivery, observe_delivery, plan_delivery  # noqa: E402
from datamaster_kit.plan.plan import Plan  # noqa: E402
from datamaster_kit.project.project_file import read_contracts, read_project  # noqa: E402
from datamaster_kit.targets.databricks import DatabricksTarget  # noqa: E402
from datamaster_kit.unity.tables import apply_plan, plan_project_tables  # noqa: E402

PROJECT = """
domain: risk
catalog: risk
targets:
  production:
    host: '{host}'
    warehouse: Serverless Starter Warehouse
    landing: /Volumes/crisk/bronze/volume_checkpoint_locations/landing
"""
CONTRACT = """
dataContractSpecification: 1.1.0
id: urn:datacontract:risk:feed{number}
info: {{title: Feed {number}, version: 1.0.0}}
workflow: {{source: {{type: adls, format: csv}}, job_prep: true, job_mock: true}}
models:
  feed{number}:
    fields: {{id: {{type: long, primaryKey: true, required: true}}, amount: {{type: decimal}}}}
  detail{number}:
    fields: {{id: {{type: long, primaryKey: true, required: true}}, text: {{type: string}}}}
"""


def measured(contracts: int) -> list[str]:
    """Return the table rows of so many contracts."""
    lines = []
    with (
        tempfile.TemporaryDirectory() as name,
        Workspace(Settings(), metastore="primary") as server,
    ):
        folder = Path(name)
        (folder / "contracts").mkdir()
        (folder / "datamaster.yaml").write_text(PROJECT.format(host=server.host), encoding="utf-8")
        for number in range(contracts):
            file = folder / "contracts" / f"feed{number}.yaml"
            file.write_text(CONTRACT.format(number=number), encoding="utf-8")
        client, project = prepared(server), read_project(folder)
        for schema in ("silver", "gold"):
            client.schemas.create(schema, "crisk")
        read = read_contracts(project)
        target = DatabricksTarget(project, "production", client=client)

        def timed(what: str, work: Callable[[], Plan]) -> None:
            server.forget_calls()
            begun = time.perf_counter()
            plan = work()
            seconds = time.perf_counter() - begun
            lines.append(
                f"| {what} ({len(plan.changes):,}) | {len(server.log):,} | {seconds:.1f} |"
            )

        def tables() -> Plan:
            return plan_project_tables(target, project, read)

        def jobs() -> Plan:
            return plan_delivery(observe_delivery(project, "production", read, client))

        def apply_jobs() -> Plan:
            delivery = observe_delivery(project, "production", read, client)
            apply_delivery(delivery, plan_delivery(delivery))
            return plan_delivery(delivery)

        timed("tables, first plan", tables)
        timed("tables, applied", lambda: apply_plan(tables(), target) or tables())
        timed("tables, plan without a change", tables)
        timed("jobs, applied", apply_jobs)
        timed("jobs, plan without a change", jobs)
    return [line.replace("| ", f"| {contracts} contracts: ", 1) for line in lines]


if __name__ == "__main__":
    print("| what (objects) | calls | seconds |\n|---|---:|---:|")
    for many in map(int, sys.argv[1:] or ["30", "300"]):
        print("\n".join(measured(many)))
