"""Thousands of contracts, each a valid one with something broken.

None makes a reader fail, and none that its schema forbids passes in silence.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft201909Validator

from datamaster_kit.contract.document import Document, read_document
from datamaster_kit.contract.lint import lint_document
from datamaster_kit.contract.odcs.standard_schema import (
    ODCS_VERSIONS,
    data_with_logical_types,
    odcs_json_schema,
)
from datamaster_kit.contract.odcs.writer import build_odcs
from datamaster_kit.contract.read import translate_document

EXAMPLES = sorted((Path(__file__).parents[1] / "corpus_contracts" / "examples").glob("*.yaml"))
MUTANTS = 5_000
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**70, 1.5, "", "x", "null", "2024-13-45", "DECIMAL(99,99)",
    "NUMBER(5,-2)", "ARRAY<", "[1", "schema/a/properties/b", "https://x.y/z.yaml#/a", "v3.0.0",
    "P1Y", "6 m", "${table}", "a.b.c", "\u0000", "é" * 300, [], {}, [None], [[1]], {"a": {"b": 1}},
    [5], {"x": None},
)  # fmt: skip
VALIDATORS = {version: Draft201909Validator(odcs_json_schema(version)) for version in ODCS_VERSIONS}


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything below the top."""
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [found for key, value in items for found in ((*path, key), *places(value, (*path, key)))]


def mutated(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a copy with one thing, or two, changed, removed, moved, doubled or renamed."""
    found = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 1, 2))):
        every = places(found)
        if not every:
            return found
        *above, key = chance.choice(every)
        parent: Any = found
        for step in above:
            parent = parent[step]
        match chance.randrange(6):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[chance.choice((f"{key}x", "quality", "properties", "id", ""))] = parent.pop(
                    key
                )
            case 2 if isinstance(parent, list):
                parent.insert(chance.randint(0, len(parent)), copy.deepcopy(parent[key]))
            case 3:
                place = chance.choice(every)
                other: Any = data
                try:
                    for step in place:
                        other = other[step]
                    parent[key] = copy.deepcopy(other)
                except (KeyError, IndexError, TypeError):
                    parent[key] = [parent[key]]
            case _:
                parent[key] = copy.deepcopy(chance.choice(SCALARS))
    return found


def is_forbidden(data: dict[str, Any]) -> bool:
    """The schema of the mutant's own version, the newest where it names none that is known, forbids
    it.
    """
    version = data.get("apiVersion")
    known = version if version in ODCS_VERSIONS else ODCS_VERSIONS[-1]
    return not VALIDATORS[known].is_valid(data_with_logical_types({**data, "apiVersion": known}))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_mutant_fails_a_reader_and_none_that_is_forbidden_is_silent(path: Path) -> None:
    whole, chance = read_document(path).data, random.Random(path.name)
    silent = []
    for number in range(MUTANTS // len(EXAMPLES)):
        data = mutated(whole, chance)
        document = Document(f"mutant-{number}.yaml", data, {})
        faults = lint_document(document, path.parent)
        if (
            "apiVersion" in data
            and "dataContractSpecification" not in data
            and is_forbidden(data)
            and not faults
        ):
            silent.append(number)
        if number % 5:
            continue
        contract, read = translate_document(document, path.parent)
        if contract is not None and not any(fault.severity == "error" for fault in read):
            written = build_odcs(contract)
            assert list(VALIDATORS["v3.2.0"].iter_errors(data_with_logical_types(written))) == [], (
                number
            )
    assert silent == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_every_version_has_no_error(path: Path) -> None:
    assert [
        str(fault)
        for fault in lint_document(read_document(path), path.parent)
        if fault.severity == "error"
    ] == []


def test_there_is_an_example_of_every_version() -> None:
    versions = {str(read_document(path).data.get("apiVersion", "dcs")) for path in EXAMPLES}
    assert {*ODCS_VERSIONS, "dcs"} <= versions
