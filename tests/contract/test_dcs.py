"""Reading DCS: every defect has a fault with its code and line, what has no place is kept, and no
value stops the reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamaster_kit.contract import workflow
from datamaster_kit.contract.dcs import fields as dcs_field
from datamaster_kit.contract.dcs import parts as dcs_parts
from datamaster_kit.contract.dcs import reader as dcs
from datamaster_kit.contract.dcs.reader import read_dcs
from datamaster_kit.contract.document import Document, parse_document
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.model import (
    Array,
    Contract,
    Example,
    Field,
    Link,
    Model,
    Quality,
    Role,
    Scalar,
)
from datamaster_kit.contract.publish.convert import trace_conversion
from datamaster_kit.contract.quality.rules import rules

# what follows begins on line 4
HEAD = "dataContractSpecification: 1.1.0\nid: a\ninfo: {title: A, version: 1.10}\n"
MODEL = "models:\n  m:\n    fields:\n      a: {type: string}\n"


def read(text: str) -> tuple[Contract, tuple[Fault, ...]]:
    return read_dcs(parse_document(HEAD + text, "a.yaml"))


def field(text: str) -> Field:
    """Return the field `a` that a flow mapping describes."""
    contract, _ = read(f"models:\n  m:\n    fields:\n      a: {text}\n")
    return contract.models[0].fields[0]


def check(text: str) -> Quality:
    """Return the only check of a model, wherever it went."""
    contract, _ = read(f"models: {{m: {{fields: {{a: {{type: string}}}}, quality: [{text}]}}}}")
    (quality,) = (*contract.models[0].quality, *contract.models[0].fields[0].quality)
    return quality


def found(text: str) -> list[tuple[str, int, str]]:
    """Return the code, the line and the last key of each fault."""
    return [(fault.code, fault.line, fault.path.removeprefix("$.")) for fault in read(text)[1]]


REFUSED, ASIDE, UNKNOWN = "value-refused", "value-without-effect", "key-unknown"
OF_FIELDS = {
    "{minimum: [1]}": (REFUSED, "minimum"),
    "{maximum: {a: 1}}": (REFUSED, "maximum"),
    "{exclusiveMinimum: true}": (REFUSED, "exclusiveMinimum"),
    "{type: [string]}": (REFUSED, "type"),
    "{type: sting}": ("type-unknown", "type"),
    "{type: decimal, precision: x}": (REFUSED, "precision"),
    "{type: decimal, scale: true}": (REFUSED, "scale"),
    "{precision: 3}": (ASIDE, "precision"),
    "{type: 'decimal(10,2)', precision: 3}": (ASIDE, "precision"),
    "{items: {type: long}}": (ASIDE, "items"),
    "{type: array<string>, items: {type: long}}": (ASIDE, "items"),
    "{type: long, fields: {b: {type: long}}}": (ASIDE, "fields"),
    "{type: array, items: 5}": (REFUSED, "items"),
    "{type: array, items: {typ: long}}": (UNKNOWN, "items.typ"),
    "{type: map, keys: x}": (REFUSED, "keys"),
    "{minLength: true}": (REFUSED, "minLength"),
    "{maxLength: -1}": (REFUSED, "maxLength"),
    "{maxLength: 3, max_length: 4}": (ASIDE, "max_length"),
    "{required: yes}": (REFUSED, "required"),
    "{required: true, nullable: true}": (ASIDE, "nullable"),
    "{nullable: 5}": (REFUSED, "nullable"),
    "{unique: 1}": (REFUSED, "unique"),
    "{primaryKey: yes please}": (REFUSED, "primaryKey"),
    "{primaryKey: true, primary: x}": (REFUSED, "primary"),
    "{pii: maybe}": (REFUSED, "pii"),
    "{enum: x}": (REFUSED, "enum"),
    "{enum: [x, {value: y}]}": (REFUSED, "enum[1]"),
    "{tags: x}": (REFUSED, "tags"),
    "{examples: x}": (REFUSED, "examples"),
    "{references: 5}": (REFUSED, "references"),
    "{links: x}": (REFUSED, "links"),
    "{links: {a: [1]}}": (REFUSED, "links.a"),
    "{config: x}": (REFUSED, "config"),
    "{config: {physicalName: [1]}}": (REFUSED, "config.physicalName"),
    "{config: {criticalDataElement: x}}": (REFUSED, "config.criticalDataElement"),
    "{lineage: x}": (REFUSED, "lineage"),
    "{lineage: {inputFields: x}}": (REFUSED, "lineage.inputFields"),
    "{lineage: {inputFields: [x]}}": (REFUSED, "lineage.inputFields[0]"),
    "{lineage: {inputFeilds: []}}": (UNKNOWN, "lineage.inputFeilds"),
    "{lineage: {inputFields: [{nam: x}]}}": (UNKNOWN, "lineage.inputFields[0].nam"),
    "{lineage: {inputFields: [{name: x, transformations: [{typ: y}]}]}}": (
        UNKNOWN,
        "lineage.inputFields[0].transformations[0].typ",
    ),
    "{type: }": (ASIDE, "type"),
    "{requird: true}": (UNKNOWN, "requird"),
    "{quality: {type: sql}}": (REFUSED, "quality"),
    "{quality: [5]}": (REFUSED, "quality[0]"),
    "{quality: [{type: SodaCL, specification: '- missing_count(b) = 0'}]}": (ASIDE, "quality"),
    "{description: {en: x}}": (REFUSED, "description"),
    "{$ref: '#/definitions/d'}": ("ref-unknown", "['$ref']"),
    "{$ref: [x]}": (UNKNOWN, "['$ref']"),
}


@pytest.mark.parametrize("written, expected", OF_FIELDS.items(), ids=OF_FIELDS)
def test_a_defect_of_a_field_is_one_fault_with_its_line(
    written: str, expected: tuple[str, str]
) -> None:
    code, key = expected
    assert found(f"models:\n  m:\n    fields:\n      a: {written}\n") == [
        (code, 7, f"models.m.fields.a{key if key.startswith('[') else '.' + key}")
    ]


def test_a_field_that_is_no_mapping_is_refused_and_one_without_keys_is_a_text() -> None:
    assert found("models: {m: {fields: {a: 5, b: }}}") == [(REFUSED, 4, "models.m.fields.a")]


CHECKS = {
    "{type: sql, query: SELECT 1, mustBe: [1]}": (REFUSED, "mustBe"),
    "{type: sql, query: SELECT 1, mustBeBetween: 5}": (REFUSED, "mustBeBetween"),
    "{type: sql, query: SELECT 1, mustBeBetween: [1]}": (REFUSED, "mustBeBetween"),
    "{type: sql, query: SELECT 1, mustNotBeBetween: [1, [2]]}": (REFUSED, "mustNotBeBetween"),
    "{type: sql, query: [x], mustBe: 0}": (REFUSED, "query"),
    "{arguments: x}": (REFUSED, "arguments"),
    "{arguments: {minLength: [1]}}": (REFUSED, "arguments.minLength"),
    "{arguments: {pattern: [x]}}": (REFUSED, "arguments.pattern"),
    "{metric: rowCount, mustBee: 0}": (UNKNOWN, "mustBee"),
    "{type: SodaCL, specification: 5}": (REFUSED, ""),
    "{type: SodaCL}": (REFUSED, ""),
    "{type: SodaCL, specification: ''}": (ASIDE, ""),
    "{type: SodaCL, specification: '- row_count > 0', mustBe: 5}": (ASIDE, "mustBe"),
    "{type: SodaCL, specification: 'checks for n: [row_count > 0]'}": (ASIDE, ""),
}


@pytest.mark.parametrize("written, expected", CHECKS.items(), ids=CHECKS)
def test_a_defect_of_a_check_is_one_fault_with_its_line(
    written: str, expected: tuple[str, str]
) -> None:
    code, key = expected
    assert found(
        f"models:\n  m:\n    fields: {{a: {{type: string}}}}\n    quality:\n      - {written}\n"
    ) == [(code, 8, "models.m.quality[0]" + (key and "." + key))]


ELSEWHERE = {
    "models: []": (REFUSED, "models"),
    "models: {m: 5}": (REFUSED, "models.m"),
    "models: {m: {fields: 5}}": (REFUSED, "models.m.fields"),
    "models: {m: {primaryKey: 5}}": (REFUSED, "models.m.primaryKey"),
    "models: {m: {fields: {a: {}}, primaryKey: [a, zz]}}": (REFUSED, "models.m.primaryKey"),
    "models: {m: {namespace: n}}": (UNKNOWN, "models.m.namespace"),
    "models: {m: {fields: {a: {primaryKey: true}, b: {}}, primaryKey: [b]}}": (
        ASIDE,
        "models.m.fields.a.primaryKey",
    ),
    "models: {m: {config: 5}}": (REFUSED, "models.m.config"),
    "terms: 5": (REFUSED, "terms"),
    "terms: {policies: 5}": (REFUSED, "terms.policies"),
    "terms: {policies: [5]}": (REFUSED, "terms.policies[0]"),
    "terms: {usge: x}": (UNKNOWN, "terms.usge"),
    "servers: 5": (REFUSED, "servers"),
    "servers: {a: 5}": (REFUSED, "servers.a"),
    "servers: {a: {type: [1]}}": (REFUSED, "servers.a.type"),
    "servers: {a: {roles: x}}": (REFUSED, "servers.a.roles"),
    "servers: {a: {roles: [5]}}": (REFUSED, "servers.a.roles[0]"),
    "servicelevels: {latency: 5}": (REFUSED, "servicelevels.latency"),
    "servicelevels: [x]": (REFUSED, "servicelevels"),
    "servicelevels: {latency: {threshold: [1]}}": (REFUSED, "servicelevels.latency.threshold"),
    "tags: x": (REFUSED, "tags"),
    "links: x": (REFUSED, "links"),
    "links: {a: [1]}": (REFUSED, "links.a"),
    "modles: {}": (UNKNOWN, "modles"),
    "definitions: 5": (REFUSED, "definitions"),
    "examples: 5": (REFUSED, "examples"),
    "examples: [5]": (REFUSED, "examples[0]"),
    "examples: [{data: x}]": (ASIDE, "examples[0]"),
    "examples: [{model: z, data: 5}]": ("model-undescribed", "examples"),
    "quality: 5": (REFUSED, "quality"),
    "quality: {type: SodaCL, specification: '- row_count > 0'}": (ASIDE, "quality"),
    "workflow: 5": (REFUSED, "workflow"),
    "workflow: {source: adls}": (REFUSED, "workflow.source"),
    "workflow: {tasks: 5}": (REFUSED, "workflow.tasks"),
    "workflow: {tasks: [x]}": (REFUSED, "workflow.tasks[0]"),
    "workflow: {email_notifications: x}": (REFUSED, "workflow.email_notifications"),
    "workflow: {email_notifications: {on_fail: x}}": (
        ASIDE,
        "workflow.email_notifications.on_fail",
    ),
    "workflow: {gold: x}": (REFUSED, "workflow.gold"),
    **{
        f"workflow: {{{key}: x}}": (UNKNOWN, f"workflow.{key}")
        for key in (
            "latest_bye",
            "delete_wen",
            "schema_evoluton",
            "maximum_bad_shar",
            "modles",
            "jobmock",
        )
    },
    "ingest_workflow: {latest_bye: x}": (UNKNOWN, "ingest_workflow.latest_bye"),
    "workflow: {job_mock: nope}": (REFUSED, "workflow.job_mock"),
    "workflow: {source: {job_mock: 5}}": (REFUSED, "workflow.source.job_mock"),
    "workflow: {latest_by: {m: }}": (ASIDE, "workflow.latest_by.m"),
    "workflow: {latest_by: {m: []}}": (ASIDE, "workflow.latest_by.m"),
    "workflow: {latest_by: }": (ASIDE, "workflow.latest_by"),
    "workflow: {delete_when: {m: {a: }}}": (ASIDE, "workflow.delete_when.m.a"),
    "servicelevels: {retention: {perid: P1Y}}": (UNKNOWN, "servicelevels.retention.perid"),
    "servicelevels: {retenton: {period: P1Y}}": (UNKNOWN, "servicelevels.retenton"),
    "servicelevels: {freshness: {threshhold: 1d}}": (UNKNOWN, "servicelevels.freshness.threshhold"),
    "servicelevels: {backup: {recoverytime: 1d}}": (UNKNOWN, "servicelevels.backup.recoverytime"),
    "servers: {a: {type: azure, locaton: x}}": (UNKNOWN, "servers.a.locaton"),
    "terms: {policies: [{type: x, urll: y}]}": (UNKNOWN, "terms.policies[0].urll"),
}


@pytest.mark.parametrize("written, expected", ELSEWHERE.items(), ids=ELSEWHERE)
def test_a_defect_elsewhere_is_one_fault_with_its_line(
    written: str, expected: tuple[str, str]
) -> None:
    assert found(written) == [(expected[0], 4, expected[1])]


def test_defects_of_the_info_have_their_lines() -> None:
    _, faults = read_dcs(
        parse_document(
            "dataContractSpecification: 2.0\nid: [a]\ninfo:\n  title: {}\n  contact: {name: "
            "[x], mail: y}\n  contact2: 1\n",
            "a.yaml",
        )
    )
    assert {(fault.code, fault.line) for fault in faults} == {
        ("dcs-version", 1),
        (REFUSED, 2),
        (REFUSED, 4),
        (REFUSED, 5),
        (UNKNOWN, 5),
        (UNKNOWN, 6),
    }


def test_a_key_of_the_info_without_a_value_is_told_and_what_people_write_is_not() -> None:
    _, faults = read_dcs(
        parse_document(
            "dataContractSpecification: 1.1.0\nid: a\ninfo:\n  title:\n  version: null\n", "a.yaml"
        )
    )
    assert [(fault.code, fault.severity, fault.line) for fault in faults] == [
        (ASIDE, "warning", 4),
        (ASIDE, "warning", 5),
    ]
    for text in (
        "workflow: {x-own: 1, job_mock: 'True', latest_by: {m: [a, b]}, models: [], history: "
        ", tasks: []}",
        "servicelevels: {own: {threshhold: 1}, frequency: {cron: 0 0 * * *}}",
        "servers: {a: {type: own, location: x, topic: y}}",
        "examples: []",
        "workflow: {source: {type: eventhub, format: json, own: 1}}",
    ):
        assert found(text) == [], text


def test_two_workflows_are_told_and_the_older_name_is_kept() -> None:
    contract, faults = read("workflow: {}\ningest_workflow: {model: x}\n")
    assert [(fault.code, fault.line) for fault in faults] == [
        (ASIDE, 5)
    ] and contract.properties == {"ingest_workflow": {"model": "x"}}


def test_a_check_on_a_model_that_is_not_there_is_kept_and_not_executed() -> None:
    contract, faults = read(
        MODEL + "quality: {type: SodaCL, specification: 'checks for other: [row_count > 0]'}"
    )
    (quality,) = contract.models[0].quality
    assert (quality.type, quality.metric, quality.properties) == (
        "custom",
        "rowCount",
        {"dataset": "other"},
    ) and quality.must
    assert all(
        rule.not_executed
        for rule in rules(contract, contract.models[0])
        if rule.kind not in ("record", "type")
    )
    assert [(fault.code, fault.line) for fault in faults] == [(ASIDE, 8)]


def test_a_check_that_names_no_model_is_executed_only_where_there_is_one() -> None:
    one, none = read(MODEL + "quality: {type: SodaCL, specification: '- row_count > 0'}")
    assert one.models[0].quality[0].type == "library" and not none
    two, faults = read(
        MODEL + "  n: {fields: {b: {}}}\nquality: {type: SodaCL, specification: '- row_count > 0'}"
    )
    assert two.models[0].quality[0].type == "custom" and [fault.line for fault in faults] == [9]


def test_a_check_of_another_tool_is_kept_with_the_model_that_it_names() -> None:
    contract, faults = read(
        MODEL + "quality: {type: great-expectations, specification: {m: '[1]', other: '[2]'}}"
    )
    assert [
        (quality.type, quality.engine, quality.implementation, quality.properties)
        for quality in contract.models[0].quality
    ] == [
        ("custom", "great-expectations", "[1]", {}),
        ("custom", "great-expectations", "[2]", {"dataset": "other"}),
    ]
    assert len(faults) == 1


def test_a_check_in_sodacl_goes_to_the_field_that_it_names_in_a_model_too() -> None:
    written = (
        "models: {m: {fields: {a: {}}, quality: [{type: SodaCL, name: n, severity: warning, "
        "tags: [t], x-owner: me, specification: '- missing_count(A) = 0'}]}}"
    )
    contract, faults = read(written)
    (quality,) = contract.models[0].fields[0].quality
    assert (quality.metric, quality.name, quality.severity, quality.tags, quality.properties) == (
        "nullValues",
        "n",
        "warning",
        ("t",),
        {"x-owner": "me"},
    ) and not faults


def test_a_check_on_another_field_is_kept_and_not_executed() -> None:
    (quality,) = field(
        "{quality: [{type: SodaCL, specification: '- missing_count(b) = 0'}]}"
    ).quality
    assert (quality.type, quality.metric, quality.properties) == (
        "custom",
        "nullValues",
        {"field": "b"},
    ) and quality.must


KEPT_OF_CHECKS = {
    "{type: great-expectations, engine: gx, implementation: {a: 1}}": Quality(
        "custom", engine="gx", implementation={"a": 1}, properties={"type": "great-expectations"}
    ),
    "{type: custom, engine: dbt, implementation: 5, specification: x}": Quality(
        "custom", engine="dbt", implementation=5, properties={"specification": "x"}
    ),
    "{type: custom, engine: dbt, implementation: null, specification: x}": Quality(
        "custom", engine="dbt", implementation="x"
    ),
    "{metric: rowCount, rule: other, tolerance: 5, x-a: 1}": Quality(
        metric="rowCount", properties={"x-a": 1, "rule": "other", "tolerance": 5}
    ),
    "{rule: invalidValues, validValues: 5}": Quality(
        metric="invalidValues", arguments={"validValues": [5]}
    ),
    "{metric: duplicateValues, arguments: {properties: a, missingValues: x, minimum: 1}}": Quality(
        metric="duplicateValues",
        arguments={"properties": ["a"], "missingValues": ["x"], "minimum": 1},
    ),
    "{type: SQL, query: SELECT 1}": Quality("sql", query="SELECT 1"),
    "{type: custom, engine: soda, implementation: {type: x}}": Quality(
        "custom", name="type", engine="soda", implementation={"type": {"value": "x"}}
    ),
    "it holds": Quality("text", description="it holds"),
}


@pytest.mark.parametrize("written, expected", KEPT_OF_CHECKS.items(), ids=KEPT_OF_CHECKS)
def test_all_that_a_check_says_is_kept(written: str, expected: Quality) -> None:
    assert check(written) == expected


KEPT_OF_FIELDS = {
    "{precision: 3, domain: d, x-a: 1, owner: me}": {
        "precision": 3,
        "domain": "d",
        "x-a": 1,
        "owner": "me",
    },
    "{config: {a: 1, owner: you}, owner: me}": {"a": 1, "config.owner": "you", "owner": "me"},
    "{config: {partitioned: false, partitionKeyPosition: 2}}": {
        "partitioned": False,
        "partitionKeyPosition": 2,
    },
    "{lineage: {inputFields: [{namespace: n, name: t, field: f, transformations: 5}]}}": {
        "lineage": {
            "inputFields": [{"namespace": "n", "name": "t", "field": "f", "transformations": 5}]
        }
    },
    "{lineage: {inputFields: null, more: 1}}": {"lineage": {"inputFields": None, "more": 1}},
    "{lineage: {inputFields: [{name: t, field: f}]}}": {},
}


@pytest.mark.parametrize("written, properties", KEPT_OF_FIELDS.items(), ids=KEPT_OF_FIELDS)
def test_what_has_no_place_in_a_field_is_a_property(
    written: str, properties: dict[str, Any]
) -> None:
    assert field(written).properties == properties


def test_the_parts_of_a_field_that_have_a_place_are_there() -> None:
    made = field(
        "{type: array, items: {type: 'decimal(10,2)'}, nullable: false, examples: [1], "
        "example: 2, config: {partitioned: true, partitionKeyPosition: 2, physicalName: A, "
        "criticalDataElement: true}}"
    )
    assert (
        made.type == Array(Field("element", Scalar("decimal", 10, 2)))
        and made.required
        and made.examples == (1, 2)
    )
    assert (made.partition, made.physical_name, made.critical, made.properties) == (
        2,
        "A",
        True,
        {},
    )


def test_what_a_field_takes_from_a_definition_is_not_told_as_unknown() -> None:
    contract, faults = read(
        "models:\n  m:\n    fields:\n      a: {$ref: '#/definitions/d', description: own}\n"
        "definitions: {d: {name: d, domain: x, type: long, title: T, owner: me}, unused: "
        "{type: int}}"
    )
    assert [(fault.code, fault.line, fault.path) for fault in faults] == [
        (UNKNOWN, 7, "$.models.m.fields.a.owner")
    ]
    assert contract.properties == {"definitions": {"unused": {"type": "int"}}} and contract.models[
        0
    ].fields[0].type == Scalar("long")
    assert contract.models[0].fields[0].properties == {"name": "d", "domain": "x", "owner": "me"}


def test_the_keys_of_a_model_without_a_place_are_properties() -> None:
    contract, _ = read(
        "models: {m: {additionalFields: true, references: x, primaryKey: a, config: "
        "{physicalName: M, z: 1}, fields: {a: {}}}}"
    )
    (model,) = contract.models
    assert (
        model.properties == {"additionalFields": True, "references": "x", "z": 1}
        and model.physical_name == "M"
        and model.fields[0].primary_key == 1
    )


def test_an_example_in_json_shows_the_columns_and_one_without_a_model_is_kept() -> None:
    contract, _ = read(
        'examples: [{data: x}, {model: q, type: json, data: \'[{"a": 1, "b": 2}]\', extra: '
        "1}, {model: r, data: {c: 1}}]"
    )
    assert [(model.name, [item.name for item in model.fields]) for model in contract.models] == [
        ("q", ["a", "b"]),
        ("r", ["c"]),
    ]
    assert [item.get("extra") for item in contract.properties["examples"]] == [None, 1]


@pytest.mark.parametrize(
    "example",
    [
        Example("[" * 100_000, "json"),
        Example("{", "json"),
        Example("5", "json"),
        Example(5),
        Example([]),
        Example([5]),
        Example("x" * 200_000),
        Example('"'),
        Example(None),
    ],
)
def test_an_example_that_cannot_be_read_stops_nothing(example: Example) -> None:
    assert dcs.example_fields((example, Example("a,b\n1,2"))) in (
        (Field("a"), Field("b")),
        (Field(str(example.data).strip('"')),),
    )


def test_quality_without_a_model_is_kept_whole() -> None:
    contract, _ = read("quality: {type: SodaCL, specification: '- row_count > 0'}")
    assert contract.properties == {
        "quality": {"type": "SodaCL", "specification": "- row_count > 0"}
    }


def test_what_stands_around_the_models_is_kept() -> None:
    contract, faults = read(
        "terms: {usage: u, billing: b, policies: [{name: p, type: t, url: x}]}\nservers: {a: "
        "{type: s3, roles: [{name: r, access: w}, q], location: l}}\n"
        "servicelevels: {latency: {threshold: 1h, timestampField: m.c, sourceTimestampField: "
        "m.a, processedTimestampField: m.b}, own: {value: 3, foo: [1]}}\n"
    )
    assert contract.description.properties == {
        "billing": "b",
        "policies": [{"name": "p", "type": "t", "url": "x"}],
    } and contract.links == (Link("x", "t"),)
    (server,) = contract.servers
    assert server.roles == (
        Role("r", properties={"access": "w"}),
        Role("q"),
    ) and server.options == {"location": "l"}
    latency, own = contract.service_levels
    assert (
        latency.element == "m.c"
        and latency.options == {"sourceTimestampField": "m.a", "processedTimestampField": "m.b"}
        and (own.value, own.options) == (3, {"foo": [1]})
    )
    assert contract.version == "1.10" and not faults


def test_references_that_nest_without_end_are_a_fault() -> None:
    parts = {
        f"d{number}": {"type": "object", "fields": {"a": {"$ref": f"#/definitions/d{number + 1}"}}}
        for number in range(900)
    }
    _, faults = read_dcs(
        Document(
            "a.yaml",
            {
                "dataContractSpecification": "1.1.0",
                "models": {"m": {"fields": {"a": {"$ref": "#/definitions/d0"}}}},
                "definitions": parts,
            },
        )
    )
    assert [fault.code for fault in faults] == ["dcs-too-deep"]


# Any value under any key that the reader knows.
KEYS = sorted(
    {
        *dcs.TOP_KEYS,
        *dcs.INFO_KEYS,
        *dcs.MODEL_KEYS,
        *dcs.EXAMPLE_KEYS,
        *dcs_field.FIELD_KEYS,
        *dcs_field.QUALITY_KEYS,
        *dcs_parts.SERVICE_LEVEL_VALUE_KEYS,
        *dcs_parts.SERVICE_LEVEL_VALUE_KEYS.values(),
        *workflow.WORKFLOW_VALUE_KINDS,
        *workflow.NOTIFICATION_EVENTS,
        "policies",
        "usage",
        "limitations",
        "roles",
        "cron",
        "timestampField",
        "contact",
        "name",
        "url",
        "inputFields",
        "transformations",
        "physicalName",
        "partitioned",
        "partitionKeyPosition",
        "model",
        "latest_by",
        "history",
        "maximum_bad_share",
        "job_mock",
        "$ref",
        "m",
        "a",
    }
)
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "m",
        "m.a",
        "x",
        "string",
        "array",
        "map",
        "object",
        "struct",
        "decimal",
        "decimal(10,2)",
        "array<string>",
        "sql",
        "library",
        "text",
        "SodaCL",
        "soda",
        "json",
        "csv",
        "rowCount",
        "invalidValues",
        "1 day",
        "5%",
        "#/definitions/a",
        "#/models/m",
        "#",
        "other.yaml#/a",
        "- row_count > 0",
        "checks for m: [missing_count(a) = 0]",
        '[{"a": 1}]',
        "a,b",
    ]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats() | TEXTS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from(sorted(dcs_field.FIELD_KEYS | {"$ref"})), ANY, max_size=6)
ENTRIES = st.dictionaries(st.sampled_from(sorted(dcs_field.QUALITY_KEYS)), ANY, max_size=5)
MODELS = st.fixed_dictionaries(
    {
        "fields": st.dictionaries(st.sampled_from(["a", "b"]), FIELDS | ANY, max_size=2),
        "quality": st.lists(ENTRIES | ANY, max_size=2),
    },
    optional=dict.fromkeys(sorted(dcs.MODEL_KEYS - {"fields", "quality"}), ANY),
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "dataContractSpecification": st.just("1.1.0") | ANY,
        "models": st.dictionaries(st.sampled_from(["m", "n"]), MODELS, max_size=2) | ANY,
    },
    optional=dict.fromkeys(sorted(dcs.TOP_KEYS - {"dataContractSpecification", "models"}), ANY),
)


def read_back(data: dict[str, Any]) -> tuple[Contract, tuple[Fault, ...]]:
    """Return what is read of data that went through YAML, as a file's does."""
    return read_dcs(parse_document(yaml.safe_dump(data, allow_unicode=False), "a.yaml"))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(DOCUMENTS)
def test_any_values_under_known_keys_give_a_contract_and_faults(data: dict[str, Any]) -> None:
    contract, faults = read_back(data)
    assert isinstance(contract, Contract) and all(
        isinstance(model, Model) for model in contract.models
    )
    assert all(fault.code and fault.line >= 1 and fault.file == "a.yaml" for fault in faults)


def places(key: str, value: Any) -> list[dict[str, Any]]:
    """Return documents that hold a key at every level."""
    return [
        {key: value},
        {"info": {key: value}},
        {"models": {"m": {key: value}}},
        {"models": {"m": {"fields": {"a": {key: value}}}}},
        {"models": {"m": {"fields": {"a": {"type": "array", "items": {key: value}}}}}},
        {"models": {"m": {"quality": [{key: value}, {"type": "SodaCL", key: value}]}}},
        {"models": {"m": {"fields": {"a": {"lineage": {key: value}, "config": {key: value}}}}}},
        {"workflow": {key: value}},
        {"servers": {"s": {key: value}}},
        {"terms": {key: value}},
        {"servicelevels": {"latency": {key: value}}},
        {"examples": [{key: value}]},
        {"quality": {"type": "SodaCL", key: value}},
        {"definitions": {"d": {key: value}}},
    ]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_may_hold_any_kind_of_value_at_every_level(key: str) -> None:
    for value in (
        None,
        True,
        5,
        1.5,
        "x",
        [],
        ["x"],
        [5, None, [1], {"a": 1}],
        {},
        {"a": 5},
        {"a": {"b": [1]}},
    ):
        for place in places(key, value):
            read_back(
                {
                    "dataContractSpecification": "1.1.0",
                    "id": "a",
                    "info": {"title": "A", "version": "1"},
                }
                | place
            )


def test_a_conversion_reads_a_field_as_often_however_many_there_are() -> None:
    def fields_read(count: int) -> int:
        lines = [
            f"      f{number}: {{type: integer, description: Field {number}., required: true}}"
            for number in range(count)
        ]
        text = "\n".join(
            [
                "dataContractSpecification: 1.1.0",
                "id: c",
                "info: {title: C, version: 1.0.0}",
                "models:",
                "  m:",
                "    fields:",
                *lines,
            ]
        )
        seen: list[int] = []

        def read(document: Document, root: Path | None) -> tuple[Contract, tuple[Fault, ...]]:
            seen.append(len(document.data.get("models", {}).get("m", {}).get("fields", {})))
            return read_dcs(document, root)

        conversion = trace_conversion(parse_document(text, "c.yaml"), read)
        assert len(conversion.lost) == 1 and len(conversion.carried) == 3 + 3 * count
        return sum(seen)

    assert fields_read(80) < 2.2 * fields_read(40)
