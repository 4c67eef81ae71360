"""The examples of rules in docs/contract.md are run: what the page says of a row is what happens.

Reading is judged as ingest judges it, and the rules are those that ingest asks, by Spark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from test_rules import loosened

from datamaster_kit.contract.model import Contract, Model
from datamaster_kit.contract.publish.export import spark_schema
from datamaster_kit.contract.quality.rule import Rule, is_rule_met, render_query
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.read import read_contract
from datamaster_kit.forms.trial.verdicts import rescue_reason

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contract.md"
HEAD = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "examples",
    "name": "Examples",
    "version": "1.0.0",
    "status": "active",
}
OUTCOMES = {"quarantine": "quarantine", "warn": "silver, told", "fail": "held"}
Deliveries = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Example:
    """An example of the page: its title, what it writes, and deliveries with what is said."""

    title: str
    written: Any
    said: tuple[tuple[Deliveries, str], ...]


def deliveries(text: str) -> Deliveries:
    """Return the rows of each model that a cell of the page writes: a row, a list, or models."""
    value = json.loads(text)
    if isinstance(value, list):
        return {"account": value}
    is_models = all(isinstance(part, list) for part in value.values()) and "account" in value
    return value if is_models else {"account": [value]}


def examples() -> Iterator[Example]:
    """Yield the examples of the page."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split("\n## Rules, one of each kind\n")[1].split("\n## ")[0]
    for part in section.split("\n### ")[1:]:
        (block,) = re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)
        rows = re.findall(r"^\| `([\[{].*[\]}])` \| (.+) \|$", part, re.MULTILINE)
        said = tuple((deliveries(row), outcome) for row, outcome in rows)
        yield Example(part.partition("\n")[0], yaml.safe_load(block), said)


EXAMPLES = {example.title: example for example in examples()}


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Contract]:
    """The contract of each example, read from a file."""
    folder = tmp_path_factory.mktemp("examples")
    found = {}
    for title, example in EXAMPLES.items():
        models = [{"name": "account", "properties": example.written}]
        data = example.written if isinstance(example.written, dict) else {"schema": models}
        file = folder / f"{len(found)}.odcs.yaml"
        file.write_text(yaml.safe_dump(HEAD | data, sort_keys=False), encoding="utf-8")
        found[title] = read_contract(file)
    return found


def bronze_row(model: Model, written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as bronze has it: what is none of its type is beside it and not in it."""
    types = {item.name: item.type for item in model.fields}
    rescued = {
        name: value
        for name, value in written.items()
        if isinstance(value, str) and rescue_reason(value, types[name])
    }
    kept = {name: value for name, value in written.items() if name not in rescued}
    return kept | ({"carlton_rescued": json.dumps(rescued)} if rescued else {})


def bronze(spark: SparkSession, model: Model, written: list[dict[str, Any]]) -> DataFrame:
    """Return rows as the bronze table of a model has them."""
    from pyspark.sql.functions import from_json
    from pyspark.sql.types import StringType, StructField, StructType

    loose = replace(model, fields=tuple(loosened(item) for item in model.fields))
    fields = StructType.fromJson(spark_schema(loose)).fields
    schema = StructType([*fields, StructField("carlton_rescued", StringType())])
    rows = [(json.dumps(bronze_row(model, row)),) for row in written]
    return (
        spark.createDataFrame(rows, "text string")
        .select(from_json("text", schema).alias("row"))
        .select("row.*")
    )


def broken_rules(spark: SparkSession, contract: Contract, given: Deliveries) -> list[Rule]:
    """Return the rules that a delivery breaks."""
    model = contract.model("account")
    views = {name: f"example_{name}" for name in given}
    for name, rows in given.items():
        bronze(spark, contract.model(name), rows).createOrReplaceTempView(views[name])
    found = [rule for rule in rules(contract, model) if not rule.not_executed]
    counted = [  # of all rows at once
        f"count_if(NOT coalesce(({rule.predicate}), false))"
        if rule.is_row_rule
        else f"first(({render_query(rule, views)}))"
        for rule in found
    ]
    columns = ", ".join(f"{number} AS _{at}" for at, number in enumerate(counted))
    numbers = spark.sql(f"SELECT {columns} FROM {views['account']}").collect()[0]
    total = len(given["account"])
    return [
        rule
        for rule, number in zip(found, numbers, strict=True)
        if not is_rule_met(rule, None if number is None else float(number), total)
    ]


def test_every_kind_of_rule_has_an_example_of_each_outcome() -> None:
    assert len(EXAMPLES) == 19
    for example in EXAMPLES.values():
        outcomes = {outcome.partition(":")[0] for _, outcome in example.said}
        assert example.said and (len(outcomes) > 1 or "not executed" in example.title)


@pytest.mark.spark
@pytest.mark.parametrize("title", EXAMPLES)
def test_a_row_fares_as_the_page_says(
    spark: SparkSession, contracts: Mapping[str, Contract], title: str
) -> None:
    contract = contracts[title]
    for given, said in EXAMPLES[title].said:
        broken = broken_rules(spark, contract, given)
        told = [f"{OUTCOMES[rule.severity]}: `{rule.id}`" for rule in broken] or ["silver"]
        unasked = [
            f"; `{rule.id}` is not executed, because {rule.not_executed}"
            for rule in rules(contract, contract.model("account"))
            if rule.not_executed
        ]
        assert "; ".join(told) + "".join(unasked) == said, given
