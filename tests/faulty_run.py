"""A process that works on a lakehouse and may be killed: `python faulty_run.py FOLDER STEP...`.

Tests start it, and DATAMASTER_KILL_AT names the point at which it dies.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from datamaster_kit.contract.model import Contract
from datamaster_kit.ingest.holds import release_holds
from datamaster_kit.ingest.ingest import (
    build_gold,
    build_silver,
    build_steps,
    enforce_retention,
    ingest_files,
    keep_ingesting,
    replay,
)
from datamaster_kit.ingest.replay import export_quarantine
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.unity.tables import apply_plan, plan_project_tables


def mended(target: LocalTarget, project: Project, contract: Contract) -> Path:
    """Export the quarantine, correct the rows with an even number as a person would, and return the
    folder.
    """
    step = build_steps(target, project, contract, contract.models[:1], "replay", "export")[0]
    file = project.root / "corrections" / f"{step.model.name}.csv"
    export_quarantine(step, file)
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    right = [{**row, "amount": "1"} for row in rows if row["id"] and int(row["id"]) % 2 == 0]
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(
            text,
            rows[0].keys()
            if rows
            else ["carlton_quarantine_id", *(item.column for item in step.model.fields)],
        )
        writer.writeheader()
        writer.writerows(right)
    return file.parent


def main(folder: Path, *steps: str) -> None:
    """Do the steps."""
    project = read_project(folder)
    target = LocalTarget(project)
    (contract,) = read_contracts(project)
    for step in steps:
        match step:
            case "apply":
                apply_plan(plan_project_tables(target, project, [contract]), target)
            case "ingest":
                ingest_files(target, project, contract)
            case "silver":
                build_silver(target, project, contract)
            case "gold":
                build_gold(target, project, contract)
            case "replay":
                replay(target, project, contract, corrections=mended(target, project, contract))
            case "release":
                release_holds(target, project, contract, "order", "it was looked at")
            case "keep":
                print("begun", flush=True)
                keep_ingesting(target, project, [contract], "1 second")
            case "retention":
                enforce_retention(target, project, contract, applies=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
