"""The entry point `main`, and what the preparation job passes to it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

from datamaster_kit.contract.fault import BadInput, DatamasterError, code
from datamaster_kit.contract.model import Contract, Model
from datamaster_kit.contract.together import partner_contracts
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.lakehouse.runs import Run, new_run_id, record_runs
from datamaster_kit.targets.base import target_of

from definition_project.silver import fill

NOT_FILLED = code(
    "definition-project-model",
    "The package does not fill the silver table of such a model.",
    "bring it to silver by `datamaster ingest run`, or extend definition_project/silver.py",
)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="definition_project", description="Fill the silver table of a model."
    )
    parser.add_argument(
        "--contract", required=True, help="the contract's file, from the project's folder"
    )
    parser.add_argument("--model", required=True, help="one of its models")
    parser.add_argument(
        "--target", default="local", help="local, or a workspace of the project file"
    )
    parser.add_argument("--project", default="datamaster.yaml", help="the project file")
    parser.add_argument(
        "--since",
        type=date.fromisoformat,
        help="only rows that arrived on this day or later, as in 2026-01-31 (UTC)",
    )
    parser.add_argument(
        "--until", type=date.fromisoformat, help="only rows that arrived on this day or earlier"
    )
    return parser.parse_args(arguments)


def model_of(contract: Contract, name: str) -> Model:
    """Return the model of that name.

    Raises BadInput where the contract describes no silver table of it, it has no key, or keeps
    history.
    """
    model = next((item for item in contract.silver_models if item.name == name), None)
    if model is None:
        raise BadInput(
            NOT_FILLED.fault(
                f"{contract.id} brings no model {name!r} to silver",
                hint=f"it brings {', '.join(item.name for item in contract.silver_models)}",
            )
        )
    if not model.key:
        raise BadInput(
            NOT_FILLED.fault(f"{name} has no primary key, by which a row could be found again")
        )
    if contract.keeps_history(model):
        raise BadInput(NOT_FILLED.fault(f"{name} keeps every version of a row"))
    return model


def source_of(project: Project, contract: Contract, model: Model) -> Model:
    """Return the model as bronze has it: that of the contract that brings it there.

    Raises BadInput where there is none.
    """
    if model in contract.ingested_models:
        return model
    found = [
        item
        for other in partner_contracts(contract, read_contracts(project))
        for item in other.ingested_models
        if item.name.lower() == model.name.lower()
    ]
    if not found:
        raise BadInput(
            NOT_FILLED.fault(
                f"no contract brings {model.name} to bronze",
                hint="fill it in definition_project/silver.py from the tables that it is made of",
            )
        )
    return found[0]


def run(chosen: argparse.Namespace) -> Run:
    """Fill the silver table, and record the run beside the toolkit's own."""
    project = read_project(chosen.project)
    [contract] = read_contracts(project, chosen.contract)
    model, target = model_of(contract, chosen.model), target_of(project, chosen.target)
    run_id, begun = new_run_id(), datetime.now(UTC)
    counts = fill(
        target,
        project.names,
        contract,
        model,
        source_of(project, contract, model),
        run_id,
        chosen.since,
        chosen.until,
    )
    ended = datetime.now(UTC)
    done = Run(
        run_id,
        "prep",
        target.name,
        contract.id,
        contract.version,
        model.name,
        begun,
        ended,
        duration_seconds=(ended - begun).total_seconds(),
        **counts,
    )
    record_runs(target, project.names.catalog, [done])
    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill the silver table that the command line names.

    End the process with 1 where it failed, 2 where nothing could be done.
    """
    try:
        done = run(options(arguments))
    except DatamasterError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(
        f"{done.model}: {done.rows_read} rows read, {done.rows_merged} inserted or updated, "
        f"{done.rows_deleted} deleted"
    )


if __name__ == "__main__":
    main()
