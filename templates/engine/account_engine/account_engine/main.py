"""The entry points `train` and `score`, and what their tasks pass to them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame

from datamaster_kit.contract.fault import DatamasterError, code
from datamaster_kit.ingest.ingest import replace_gold
from datamaster_kit.lakehouse.runs import Run
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.base import Target, target_of

from account_engine.features import KEY, SOURCE, features, training_rows
from account_engine.training import FEATURES, fit, scorer
from account_engine.versions import Version, versions_of

NO_SOURCE = code(
    "account-engine-no-source",
    "The silver table that the model reads is not there.",
    "say another in features.py, or make it: datamaster unity apply, datamaster ingest run",
)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="account_engine", description="Train, or score.")
    parser.add_argument("--contract", default="contracts/account_engine.yaml", help="of the scores")
    parser.add_argument("--model", default="account_engine_score", help="the contract's model")
    parser.add_argument(
        "--target", default="local", help="local, or a workspace of the project file"
    )
    parser.add_argument("--project", default="datamaster.yaml", help="the project file")
    parser.add_argument("--version", default="", help="of the model to score with; the newest")
    return parser.parse_args(arguments)


def silver_rows(target: Target, project: Project) -> DataFrame:
    """Return the rows that the model reads; raises DatamasterError where there is no table."""
    table = project.names.table("silver", SOURCE)
    if target.detail(table) is None:
        raise DatamasterError(NO_SOURCE.fault(str(table)))
    return target.spark.table(target.sql_name(table))


def train_version(chosen: argparse.Namespace) -> Version:
    """Train the model on what silver has, and keep it as the newest version."""
    project = read_project(chosen.project)
    target = target_of(project, chosen.target)
    rows = training_rows(silver_rows(target, project)).toPandas()
    model, metrics = fit(rows)
    return versions_of(target, project).save(model, metrics, rows[FEATURES].head(100))


def score_rows(chosen: argparse.Namespace) -> tuple[Version, Run]:
    """Replace the gold table by the scores that a version gives to what silver has."""
    project = read_project(chosen.project)
    target = target_of(project, chosen.target)
    [contract] = read_contracts(project, chosen.contract)
    version, model = versions_of(target, project).load(chosen.version)
    rows = features(silver_rows(target, project))
    shape = f"{KEY} {dict(rows.dtypes)[KEY]}, probability double, model_version string"
    scored = rows.mapInPandas(scorer(model, version.name), shape)
    run = replace_gold(target, project, contract, contract.model(chosen.model), scored)
    return version, run


def ended(work: Callable[[argparse.Namespace], str], arguments: Sequence[str] | None) -> None:
    """Do some work and say what it did; end the process with 1 or 2 where it failed."""
    try:
        print(work(options(arguments)))
    except DatamasterError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def train(arguments: Sequence[str] | None = None) -> None:
    """Train the model that the command line names."""

    def work(chosen: argparse.Namespace) -> str:
        version = train_version(chosen)
        said = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items())
        return f"version {version.name}: {said}"

    ended(work, arguments)


def score(arguments: Sequence[str] | None = None) -> None:
    """Score by the model that the command line names."""

    def work(chosen: argparse.Namespace) -> str:
        version, run = score_rows(chosen)
        return f"{run.model}: {run.rows_written} rows scored by version {version.name}"

    ended(work, arguments)


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked[:1] not in (["train"], ["score"]):
        sys.exit("say train or score")
    (train if asked[0] == "train" else score)(asked[1:])
