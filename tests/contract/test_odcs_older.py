"""A contract as a file of an older ODCS.

Valid by that version's schema and by a linter that others wrote, its rules and types as they were,
and what it cannot say is told.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from datamaster_kit.cli.main import app
from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.model import Contract, Scalar
from datamaster_kit.contract.odcs.older_versions import render_odcs_version
from datamaster_kit.contract.odcs.standard_schema import ODCS_VERSIONS, is_valid_odcs
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.read import read_contract, read_unchecked_contract, translate_document

ROOT = Path(__file__).resolve().parents[2]
ODCSLINT = Path(sys.executable).with_name("odcslint")
FILES = [
    path
    for folder in ("contracts", "tests/corpus_contracts/examples")
    for path in sorted((ROOT / folder).glob("*.yaml"))
]
OLDER = ODCS_VERSIONS[:-1]
RICH = ROOT / "tests" / "corpus_contracts" / "examples" / "odcs_3_2_0.yaml"

ORDERS = """apiVersion: v3.2.0
kind: DataContract
id: urn:orders
version: 1.0.0
status: active
team: {name: Sales, members: [{username: ada}]}
schema:
- name: order
  logicalType: object
  quality: [{type: library, metric: rowCount, mustBeGreaterThan: 0}]
  properties:
  - name: id
    logicalType: integer
    physicalType: BIGINT
    primaryKey: true
    primaryKeyPosition: 1
    quality: [{type: library, metric: duplicateValues, mustBe: 0}]
  - name: amount
    logicalType: number
    physicalType: DECIMAL(18,2)
    logicalTypeOptions: {exclusiveMinimum: 0, maximum: 100}
  - name: unit
    logicalType: string
    quality:
    - {type: library, metric: invalidValues, arguments: {validValues: [kg, t]}, mustBe: 0}
  - {name: day, logicalType: date, required: true}
"""


def odcslint(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the linter of ODCS that is on PyPI (odcslint, by others), as a process."""
    return subprocess.run(
        [ODCSLINT, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def reread(text: str) -> Contract:
    contract, faults = translate_document(parse_document(text, "older.odcs.yaml"), Path())
    assert contract is not None and not [fault for fault in faults if fault.severity == "error"], (
        faults
    )
    return contract


@pytest.mark.parametrize("version", ODCS_VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_version_that_is_written_is_valid_and_has_the_same_rows_and_rules(
    tmp_path: Path, file: Path, version: str
) -> None:
    contract = read_unchecked_contract(file)
    text, lost = render_odcs_version(contract, version)
    assert is_valid_odcs("", yaml.safe_load(text), version)
    path = tmp_path / "older.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    verdict = odcslint("check", str(path))
    assert verdict.returncode == 0, verdict.stdout
    again = reread(text)
    assert [
        (model.name, [(item.name, item.column, item.required) for item in model.fields])
        for model in again.models
    ] == [
        (model.name, [(item.name, item.column, item.required) for item in model.fields])
        for model in contract.models
    ] or any("physicalName" in address for address in lost)
    for model, same in zip(contract.models, again.models, strict=True):
        assert [item.type for item in same.fields if isinstance(item.type, Scalar)] == [
            item.type for item in model.fields if isinstance(item.type, Scalar)
        ]
        assert {
            (rule.kind, rule.field, rule.severity, rule.predicate, rule.query)
            for rule in rules(again, same)
        } == {
            (rule.kind, rule.field, rule.severity, rule.predicate, rule.query)
            for rule in rules(contract, model)
        } or lost
    assert (
        replace(again, specification="", specification_version="")
        == replace(contract, specification="", specification_version="", status=again.status)
    ) == (not lost)


@pytest.mark.parametrize("version", OLDER)
def test_a_linter_of_others_brings_an_older_file_up_to_date_as_we_read_it(
    tmp_path: Path, version: str
) -> None:
    """The same file, read by us as it is, and after `odcslint upgrade` made it one of the newest
    version.
    """
    path = tmp_path / "older.odcs.yaml"
    path.write_text(ORDERS, encoding="utf-8")
    text, _ = render_odcs_version(read_contract(path), version)
    path.write_text(text, encoding="utf-8")
    done = odcslint("upgrade", "--to", "v3.2.0", "--allow-partial", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    upgraded, ours = reread(path.read_text(encoding="utf-8")), reread(text)
    assert "v3.2.0" in path.read_text(encoding="utf-8")
    assert [rules(upgraded, model) for model in upgraded.models] == [
        rules(ours, model) for model in ours.models
    ]
    assert [[(item.name, item.type) for item in model.fields] for model in upgraded.models] == [
        [(item.name, item.type) for item in model.fields] for model in ours.models
    ]


def test_what_an_older_version_cannot_say_is_told_on_standard_error(tmp_path: Path) -> None:
    output = tmp_path / "older.odcs.yaml"
    said = CliRunner().invoke(
        app, ["contract", "export", str(RICH), "--odcs-version", "3.0.2", "-o", str(output)]
    )
    assert said.exit_code == 0, said.output
    assert (
        "not read back from ODCS 3.0.2 as the contract says it: team.name" in said.stderr
        and not said.stdout
    )
    assert yaml.safe_load(output.read_text(encoding="utf-8"))["apiVersion"] == "v3.0.2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--odcs-version", "2.2.2"], "no version of ODCS"),
        (["-f", "sql", "--odcs-version", "3.0.2"], "says nothing of sql"),
    ],
)
def test_a_version_that_cannot_be_written_is_refused(arguments: list[str], words: str) -> None:
    said = CliRunner().invoke(app, ["contract", "export", str(RICH), *arguments])
    assert said.exception is not None and words in str(said.exception)


@pytest.mark.parametrize(
    "file",
    [
        path
        for path in sorted((ROOT / "tests" / "corpus_contracts").rglob("*.yaml"))
        if "apiVersion" in path.read_text(encoding="utf-8")
    ],
    ids=lambda path: path.stem,
)
def test_what_a_linter_of_others_refuses_is_an_error_here_too(file: Path) -> None:
    """odcslint knows the standard's schemas.

    Of what it refuses, precision and scale among the options are read, with a warning.
    """
    from datamaster_kit.contract.lint import lint

    verdict = odcslint("check", str(file))
    ours = [fault for fault in lint([str(file)]) if fault.severity == "error"]
    refuses = verdict.returncode != 0 and not all(
        "precision" in line or "scale" in line
        for line in verdict.stdout.splitlines()
        if " error " in line
    )
    assert not refuses or ours, verdict.stdout
