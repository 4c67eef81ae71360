"""What a contract says twice, or says the opposite of, is told with its line.

Nothing is decided silently by what is read first.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.read import examine_document

DCS = """dataContractSpecification: 1.1.0
id: urn:c
info: {title: C, version: 1.0.0}
models:
  m:
    MODEL
    fields:
      a: {type: string, FIELD}
      b: {type: string}
servicelevels:
  LEVEL
workflow:
  WORKFLOW
"""
ODCS = """apiVersion: v3.2.0
kind: DataContract
id: c
version: 1.0.0
status: active
servers: [SERVERS]
schema:
  - name: m
    properties:
      - {name: a, logicalType: string, FIELD}
      - {name: b, logicalType: array, items: {logicalType: object, properties: \
          [{name: c, logicalType: string, FIELD}]}}
"""
DEFAULTS = {
    "MODEL": "description: m",
    "FIELD": "description: a",
    "LEVEL": "frequency: {type: batch}",
    "WORKFLOW": "model: m",
    "SERVERS": "",
}


def read(template: str, **parts: str) -> tuple[Contract, list[Fault]]:
    """Return a contract and its faults."""
    for name, text in {**DEFAULTS, **parts}.items():
        template = template.replace(name, text)
    contract, faults = examine_document(parse_document(template, "c.yaml"), Path())
    assert contract is not None
    return contract, list(faults)


def told(faults: list[Fault]) -> list[tuple[str, str, int, str]]:
    """Return the code, the severity, the line and the end of the path of each fault."""
    return [
        (fault.code, fault.severity, fault.line, fault.path.rpartition(".")[2])
        for fault in faults
        if fault.code != "rule-not-executed"
    ]


@pytest.mark.parametrize(
    ("field", "is_key", "end"),
    [
        ("primaryKey: false, primary: true", False, "primary"),
        ("primaryKey: true, primary: false", True, "primary"),
        ("primaryKey: true, primary: true", True, ""),
        ("primary: true", True, ""),
        ("primary: false", False, ""),
    ],
)
def test_a_flag_under_two_names_is_told_where_they_differ(
    field: str, is_key: bool, end: str
) -> None:
    contract, faults = read(DCS, FIELD=field)
    assert (contract.models[0].fields[0].primary_key == 1) is is_key
    assert told(faults) == ([("value-without-effect", "warning", 8, end)] if end else [])


@pytest.mark.parametrize(
    ("parts", "code", "line", "end"),
    [
        (
            {"MODEL": "primaryKey: [a]", "FIELD": "primaryKey: false"},
            "value-without-effect",
            8,
            "primaryKey",
        ),
        ({"MODEL": "primaryKey: [a, b, a]"}, "value-refused", 6, "primaryKey"),
        ({"FIELD": "required: true, nullable: true"}, "value-without-effect", 8, "nullable"),
        ({"FIELD": "minLength: 1, min_length: 2"}, "value-without-effect", 8, "min_length"),
        (
            {"FIELD": "config: {partitioned: false, partitionKeyPosition: 1}"},
            "value-without-effect",
            8,
            "partitionKeyPosition",
        ),
        (
            {
                "FIELD": "quality: [{type: library, metric: nullValues, rule: duplicateCount, "
                "mustBe: 0}]"
            },
            "value-without-effect",
            8,
            "rule",
        ),
        (
            {"FIELD": "quality: [{type: custom, engine: x, implementation: p, specification: q}]"},
            "value-without-effect",
            8,
            "specification",
        ),
        (
            {
                "FIELD": "quality: [{metric: invalidValues, validValues: [x], arguments: "
                "{validValues: [y]}, mustBe: 0}]"
            },
            "value-without-effect",
            8,
            "validValues",
        ),
        (
            {"LEVEL": "retention: {period: 30 days, unlimited: true}"},
            "service-level-odd",
            11,
            "retention",
        ),
        ({"WORKFLOW": "{models: [m], model: other}"}, "value-without-effect", 13, "model"),
        (
            {
                "WORKFLOW": "{model: m, job_mock: true, source: {type: adls, format: csv, "
                "job_mock: false}}"
            },
            "value-without-effect",
            13,
            "job_mock",
        ),
    ],
)
def test_the_other_contradictions_of_dcs_are_told_once(
    parts: dict[str, str], code: str, line: int, end: str
) -> None:
    _, faults = read(DCS, **parts)
    assert [(found, at, path) for found, _, at, path in told(faults)] == [(code, line, end)], faults


@pytest.mark.parametrize(
    ("field", "code", "end"),
    [
        ("primaryKey: false, primaryKeyPosition: 1", "value-without-effect", "primaryKeyPosition"),
        ("primaryKeyPosition: 1", "value-without-effect", "primaryKeyPosition"),
        (
            "partitioned: false, partitionKeyPosition: 2",
            "value-without-effect",
            "partitionKeyPosition",
        ),
        (
            "logicalTypeOptions: {minLength: 1}, customProperties: [{property: minLength, "
            "value: 2}]",
            "value-without-effect",
            "value",
        ),
        (
            "enum: [{value: x}], customProperties: [{property: enum, value: [y]}]",
            "value-without-effect",
            "value",
        ),
        ("customProperties: [{property: pii, value: 'yes'}]", "value-refused", "value"),
        ("customProperties: [{property: maxLength, value: long}]", "value-refused", "value"),
    ],
)
def test_those_of_odcs_are_told_at_any_depth(field: str, code: str, end: str) -> None:
    _, faults = read(ODCS, FIELD=field)
    assert [(found, line, path) for found, _, line, path in told(faults)] == [
        (code, 10, end),
        (code, 11, end),
    ], faults


@pytest.mark.parametrize(
    "field",
    [
        "primaryKey: true, primaryKeyPosition: 1",
        "primaryKey: false, primaryKeyPosition: -1",
        "logicalTypeOptions: {minLength: 2}, customProperties: [{property: minLength, value: 2}]",
        "enum: [{value: x}], customProperties: [{property: enum, value: [x]}]",
        "customProperties: [{property: pii, value: 'true'}]",
    ],
)
def test_what_says_the_same_twice_is_no_contradiction(field: str) -> None:
    assert "value-without-effect" not in [fault.code for fault in read(ODCS, FIELD=field)[1]]


def test_two_servers_of_one_name_are_told() -> None:
    server = "{server: NAME, type: databricks, host: h, catalog: c, schema: s}"
    _, faults = read(
        ODCS,
        SERVERS=", ".join(
            server.replace("NAME", name) for name in ("prod", "test", "prod", "Test")
        ),
    )
    assert [(fault.code, fault.severity, fault.line, fault.path) for fault in faults] == [
        ("server-named-twice", "warning", 6, "$.servers[2]"),
        ("server-named-twice", "warning", 6, "$.servers[3]"),
    ]


@pytest.mark.parametrize("name", ["name: filled", "id: filled"])
def test_two_checks_of_one_name_are_told_and_those_of_two_fields_are_not(name: str) -> None:
    check = f"{{{name}, metric: nullValues, mustBe: 0}}"
    _, faults = read(DCS, FIELD=f"quality: [{check}, {check}]")
    assert told(faults) == [("rule-named-twice", "warning", 8, "a")]
    _, faults = read(
        DCS.replace("b: {type: string}", f"b: {{type: string, quality: [{check}]}}"),
        FIELD=f"quality: [{check}]",
    )
    assert told(faults) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [("      b:", "      A:"), ("models:\n", "models:\n  M: {fields: {x: {type: string}}}\n")],
)
def test_two_models_or_fields_that_differ_in_case_alone_are_told(before: str, after: str) -> None:
    _, faults = read(DCS.replace(before, after))
    assert [fault.code for fault in faults if fault.severity == "error"] == ["name-taken"]
