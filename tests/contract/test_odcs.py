"""ODCS files of every version, as their authors write them.

What is read, what is noted, what is refused and where.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from time import process_time

import pytest

from datamaster_kit.contract.document import parse_document, read_document
from datamaster_kit.contract.fault import BadInput, Fault
from datamaster_kit.contract.model import (
    Array,
    Contract,
    Field,
    Map,
    Reference,
    Scalar,
    Struct,
    Threshold,
)
from datamaster_kit.contract.odcs.reader import read_odcs
from datamaster_kit.contract.odcs.writer import build_odcs, odcs_yaml
from datamaster_kit.contract.publish.convert import trace_conversion

SAMPLE = Path(__file__).parents[2] / "contracts" / "flights.odcs.yaml"
HEAD = "kind: DataContract\nid: orders\nversion: 1.0.0\nstatus: active\n"


def read(
    text: str,
    version: str = "v3.1.0",
    root: Path | None = None,
    file: str = "orders.yaml",
    lenient: bool = False,
) -> tuple[Contract, tuple[Fault, ...]]:
    """Read a contract's body below a valid head of five lines."""
    return read_odcs(
        parse_document(f"apiVersion: {version}\n{HEAD}{dedent(text)}", file), root, lenient
    )


CUSTOM = {
    "PRECISION": ("precision", "18"),
    "SCALE": ("scale", "4"),
    "PII": ("pii", "True"),
    "KEY": ("mapKeyType", "string"),
    "VALUE": ("mapValueType", "bigint"),
}


def properties(
    body: str, version: str = "v3.1.0", lenient: bool = False
) -> tuple[dict[str, Field], tuple[Fault, ...]]:
    """Read the properties of one table; the body's lines are flow mappings."""
    for name, custom in CUSTOM.items():
        body = body.replace(name, f"{{property: {custom[0]}, value: '{custom[1]}'}}")
    lines = "\n".join(f"  - {line.strip()}" for line in dedent(body).strip().splitlines())
    contract, faults = read(
        f"schema:\n- name: orders\n  properties:\n{lines}\n", version, lenient=lenient
    )
    return {field.name: field for field in contract.models[0].fields}, faults


def errors(faults: tuple[Fault, ...]) -> list[Fault]:
    return [fault for fault in faults if fault.severity == "error"]


@pytest.mark.parametrize(
    "version", ["v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0", "3.1.0", "v3.9.0"]
)
def test_every_version_of_the_third_series_is_read(version: str) -> None:
    contract, faults = read("schema:\n- {name: orders}\n", version)
    assert not errors(faults)
    assert (
        contract.specification_version in version
        or version == "3.1.0"
        or contract.specification_version == "3.2.0"
    )


@pytest.mark.parametrize("version", ["v2.2.2", "4", "''", "latest"])
def test_other_versions_are_refused_with_their_line(version: str) -> None:
    _, faults = read("", version)
    assert [(fault.code, fault.line, fault.path) for fault in faults] == [
        ("odcs-version", 1, "$.apiVersion")
    ]


def test_a_team_may_be_a_list_as_in_3_0_or_an_object_as_in_3_1() -> None:
    old, notes = read("team:\n- {username: ada, dateIn: 2024-01-15}\n", "v3.0.2")
    new, none = read(
        "team:\n  members: [{username: ada, dateIn: '2024-01-15'}]\n  customProperties: "
        "[{property: contactEmail, value: a@example.com}]\n"
    )
    assert old.team.members == new.team.members and new.team.contact_email == "a@example.com"
    assert notes[0].severity == "note" and none == ()


@pytest.mark.parametrize(
    ("spelling", "operator"),
    [
        ("mustBeGreaterThanOrEqualTo", "mustBeGreaterOrEqualTo"),
        ("mustBeGreaterOrEqualTo", "mustBeGreaterOrEqualTo"),
        ("mustBeLessThanOrEqualTo", "mustBeLessOrEqualTo"),
        ("mustBeLessOrEqualTo", "mustBeLessOrEqualTo"),
    ],
)
def test_both_spellings_of_an_operator_are_read(spelling: str, operator: str) -> None:
    body = f"schema:\n- name: orders\n  quality: [{{metric: rowCount, {spelling}: 5}}]\n"
    contract, faults = read(body, lenient=True)
    assert contract.models[0].quality[0].must == (Threshold(operator, 5),)
    assert bool(faults) == (spelling != operator) and not errors(faults)
    assert bool(errors(read(body)[1])) == (spelling != operator)


def test_the_forms_of_3_0_are_read_as_todays() -> None:
    fields, faults = properties(
        """
        {name: state, logicalType: string, quality: \
            [{rule: validValues, validValues: [open, paid]}]}
        {name: price, logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMinimum: true}}
        {name: size, logicalType: integer, logicalTypeOptions: {format: i64}, quality: \
            [{rule: duplicateCount, mustBeLessThan: 3}]}
        """,
        "v3.0.2",
    )
    assert fields["state"].enum == ("open", "paid") and fields["state"].quality == ()
    assert (fields["price"].minimum, fields["price"].exclusive_minimum) == (None, 0)
    assert (
        fields["size"].type == Scalar("long")
        and fields["size"].quality[0].metric == "duplicateValues"
    )
    assert {fault.severity for fault in faults} == {"note"}


def test_the_physical_type_decides_where_it_can_be_read() -> None:
    fields, faults = properties(
        """
        {name: a, logicalType: number, physicalType: 'DECIMAL(10,2)'}
        {name: b, logicalType: integer, physicalType: BIGINT}
        {name: c, logicalType: string, physicalType: VARCHAR(10)}
        {name: d, logicalType: object, physicalType: 'STRUCT<city: STRING, phones: ARRAY<BIGINT>>'}
        {name: e, logicalType: timestamp, physicalType: TIMESTAMP_NTZ}
        {name: f, logicalType: boolean, physicalType: BIT VARYING}
        """
    )
    assert not faults
    assert fields["a"].type == Scalar("decimal", 10, 2) and fields["b"].type == Scalar("long")
    assert fields["c"].type == Scalar("varchar", length=10) and fields["e"].type == Scalar(
        "timestamp_ntz"
    )
    assert isinstance(fields["d"].type, Struct) and [
        part.name for part in fields["d"].type.fields
    ] == ["city", "phones"]
    assert (fields["f"].type, fields["f"].physical_type) == (Scalar("boolean"), "BIT VARYING")


def test_without_a_physical_type_the_logical_type_and_its_options_decide() -> None:
    fields, faults = properties(
        """
        {name: a, logicalType: integer}
        {name: b, logicalType: integer, logicalTypeOptions: {format: i64}}
        {name: c, logicalType: number}
        {name: d, logicalType: number, customProperties: [PRECISION, SCALE, PII]}
        {name: e, logicalType: timestamp, logicalTypeOptions: {timezone: false}}
        {name: f, logicalType: array, items: \
            {logicalType: object, properties: [{name: city, logicalType: string}]}}
        {name: g, logicalType: map, map: \
            {key: {logicalType: string}, value: {logicalType: integer}}}
        {name: h, logicalType: object, physicalType: map, customProperties: [KEY, VALUE]}
        {name: i}
        """,
        "v3.2.0",
    )
    assert not errors(faults)
    assert [fields[name].type for name in "abcdei"] == [
        Scalar("integer"),
        Scalar("long"),
        Scalar("double"),
        Scalar("decimal", 18, 4),
        Scalar("timestamp_ntz"),
        Scalar("string"),
    ]
    assert fields["f"].type == Array(Field("element", Struct((Field("city"),))))
    assert fields["g"].type == Map(Field("key"), Field("value", Scalar("integer")))
    assert fields["h"].type == Map(Field("key"), Field("value", Scalar("long")))
    assert fields["d"].pii is True and fields["d"].properties == {}


def test_permitted_values_are_read_from_an_enum_and_from_a_plain_check_only() -> None:
    fields, _ = properties(
        """
        {name: a, enum: [{value: x, label: Ex}, {value: y}]}
        {name: b, quality: [{metric: invalidValues, arguments: {validValues: [x, y]}, mustBe: 0}]}
        {name: c, quality: [{metric: invalidValues, arguments: {validValues: [x, y]}, \
            mustBeLessThan: 5, unit: percent, severity: warning}]}
        """,
        "v3.2.0",
    )
    assert fields["a"].enum == fields["b"].enum == ("x", "y")
    assert fields["c"].enum == () and fields["c"].quality[0].severity == "warning"


def test_keys_and_references_are_read_single_and_composite() -> None:
    contract, faults = read("""
        schema:
        - name: lines
          relationships:
          - type: foreignKey
            from: [lines.order, lines.shop]
            to: [schema/orders/properties/id, schema/orders/properties/shop]
          properties:
          - {name: order, primaryKey: true, primaryKeyPosition: 2, logicalType: string}
          - name: shop
            primaryKey: true
            primaryKeyPosition: 1
            logicalType: string
            relationships: [{type: foreignKey, to: shops.id}]
          - {name: day, partitioned: true, logicalType: date}
        """)
    (lines,) = contract.models
    assert not faults and [field.name for field in lines.key] == ["shop", "order"]
    assert lines.references == (Reference(("order", "shop"), "orders", ("id", "shop")),)
    assert lines.field("shop").references == ("shops.id",) and lines.field("day").partition == 1


def test_servers_and_promises_keep_what_they_have() -> None:
    contract, faults = read(
        """
        servers:
        - server: events
          type: custom
          host: h
          customProperties:
          - {property: customType, value: eventhub}
          - {property: topic, value: t}
        - {server: lake, type: databricks, catalog: crisk, schema: silver, topic: extra}
        slaDefaultElement: orders.placed_at
        slaProperties:
        - {property: latency, value: 4, valueExt: 6, unit: d, scheduler: cron, schedule: 0 30 * * *}
        """,
        lenient=True,
    )
    events, lake = contract.servers
    assert (events.type, events.options) == ("eventhub", {"host": "h", "topic": "t"})
    assert lake.options["topic"] == "extra"
    latency = contract.service_level("latency")
    assert latency and (latency.element, latency.schedule, latency.options) == (
        "orders.placed_at",
        "0 30 * * *",
        {"odcs.valueExt": 6},
    )
    assert not errors(faults) and any(fault.path == "$.servers[1].topic" for fault in faults)


def test_a_misspelled_key_is_an_error_with_the_nearest_key_and_its_line() -> None:
    body = "schema:\n- name: orders\n  properties:\n  - name: id\n    requierd: true\n"
    for lenient, severity in ((False, "error"), (True, "warning")):
        (fault,) = read(body, lenient=lenient)[1]
        assert (fault.code, fault.severity, fault.line, fault.path) == (
            "odcs-unknown-key",
            severity,
            10,
            "$.schema[0].properties[0].requierd",
        )
        assert "required" in fault.hint


def test_what_the_workflow_of_a_custom_property_would_pass_over_is_told_with_its_line() -> None:
    body = (
        "customProperties:\n- {property: own, value: {latest_bye: 1}}\n- property: workflow\n"
        "  value:\n    latest_bye: x\n    source: csv\n    job_mock: perhaps\n    latest_by: "
        "{orders: }\n"
        "    email_notifications: {on_fail: x}\n    tasks: [load]\n    x-own: 1\n"
    )
    _, faults = read(body)
    assert [
        (
            fault.code,
            fault.severity,
            fault.line,
            fault.path.removeprefix("$.customProperties[1].value."),
        )
        for fault in sorted(faults, key=lambda fault: fault.line)
    ] == [
        ("key-unknown", "warning", 10, "latest_bye"),
        ("value-refused", "error", 11, "source"),
        ("value-refused", "error", 12, "job_mock"),
        ("value-without-effect", "warning", 13, "latest_by.orders"),
        ("value-without-effect", "warning", 14, "email_notifications.on_fail"),
        ("value-refused", "error", 15, "tasks[0]"),
    ]
    (fault,) = read(
        "customProperties:\n- {property: own, value: 1}\n- {property: workflow, value: 5}\n"
    )[1]
    assert (fault.code, fault.line) == ("odcs-workflow", 8)


def test_a_key_that_a_lenient_version_lets_stand_is_a_warning() -> None:
    (fault,) = read(
        "slaProperties:\n- {property: latency, value: 4, unit: d, colour: red}\n", "v3.0.2"
    )[1]
    assert (fault.code, fault.severity, fault.line) == ("odcs-unknown-key", "warning", 7)


def test_every_breach_of_the_schema_is_told_at_once_each_with_its_line() -> None:
    _, faults = read("""
        schema:
        - name: orders
          properties:
          - {name: a, logicalType: integr}
          - {logicalType: string}
          - {name: c, required: sure}
          quality:
          - {type: library, metric: rowCounts, mustBe: 1}
          - {type: sql, mustBe: 1}
          - {metric: rowCount, mustBeGreaterThan: 1, mustBeLessThan: 9}
          - {type: text, description: fine, mustBe: 3}
        servers:
        - {server: s, type: databrick}
        """)
    found = errors(faults)
    assert [fault.line for fault in found] == [10, 11, 12, 14, 15, 16, 17, 19]
    assert (
        "did you mean 'integer'" in found[0].hint
        and "did you mean 'rowCount'" in found[3].hint
        and "did you mean 'databricks'" in found[7].hint
    )
    assert "one operator is needed" in found[5].message and len(faults) == 8


@pytest.mark.parametrize(
    "body",
    [
        "schema: 5",
        "schema: [5]",
        "schema:\n- name: [a]",
        "team: 5",
        "servers:\n- 3",
        "customProperties: {a: b}",
        "slaProperties: x",
        "description: text",
        "price: {priceAmount: dear}",
        "schema:\n- name: a\n  properties: {x: 1}",
        "schema:\n- name: a\n  quality: no",
        "schema:\n- name: a\n  properties: [{name: b, logicalTypeOptions: 3, items: 4, map: "
        "5, enum: 6}]",
    ],
)
def test_a_value_of_the_wrong_shape_is_a_fault_and_never_a_traceback(body: str) -> None:
    contract, faults = read(f"{body}\n")
    assert errors(faults) and contract.id == "orders"


def test_deep_nesting_takes_no_longer_than_its_size() -> None:
    inner = "{name: leaf, logicalType: integr}"
    for level in range(80):
        inner = f"{{name: l{level}, logicalType: array, items: {inner}}}"
    read("schema: []\n")  # so that no import is measured
    begin = process_time()
    _, faults = read(f"schema:\n- name: a\n  properties:\n  - {inner}\n")
    assert [fault.path.count("items") for fault in errors(faults)] == [80]
    assert process_time() - begin < 1


def test_empty_keys_and_a_bare_number_as_version_are_read_only_leniently() -> None:
    document = parse_document(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.10\nstatus:\ntags:\nteam:\n",
        "x.yaml",
    )
    contract, faults = read_odcs(document, lenient=True)
    assert contract.version == "1.10" and {fault.severity for fault in faults} == {"warning"}
    assert [fault.line for fault in errors(read_odcs(document)[1])] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("version", "severity"), [("v3.0.2", "error"), ("v3.1.0", "error"), ("v3.2.0", "")]
)
def test_a_status_is_required_until_3_1(version: str, severity: str) -> None:
    document = parse_document(
        f"apiVersion: {version}\nkind: DataContract\nid: x\nversion: 1.0.0\n", "x.yaml"
    )
    assert [fault.severity for fault in read_odcs(document)[1]] == [severity] * bool(severity)


def test_a_form_of_a_later_version_is_read_with_a_warning_and_one_of_no_version_is_refused() -> (
    None
):
    contract, faults = read("team: {name: shop}\n", "v3.0.2")
    assert contract.team.name == "shop" and [(fault.code, fault.severity) for fault in faults] == [
        ("odcs-later-form", "warning")
    ]
    assert errors(read("team: {nam: shop}\n", "v3.0.2")[1])


@pytest.mark.parametrize(
    "reference",
    [
        "../outside.yaml",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.com/a.yaml",
        "folder",
        "missing.yaml",
        "link.yaml",
    ],
)
def test_a_reference_out_of_the_projects_folder_is_refused(tmp_path: Path, reference: str) -> None:
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text("secret: 1\n")
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (root / "orders.yaml").write_text("")
    contract, faults = read(
        f"schema:\n- {{name: a, $ref: '{reference}'}}\n", root=root, file=str(root / "orders.yaml")
    )
    assert [(fault.code, fault.line) for fault in errors(faults)] == [("ref-refused", 7)]
    assert "secret" not in repr(contract)


def test_a_reference_inside_the_projects_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text(
        "address:\n  name: address\n  logicalType: object\n  properties: [{name: city, "
        "logicalType: string}]\n"
    )
    (tmp_path / "orders.yaml").write_text("")
    contract, faults = read(
        "schema:\n- name: a\n  properties:\n  - {$ref: 'parts.yaml#/address', required: true}\n",
        root=tmp_path,
        file=str(tmp_path / "orders.yaml"),
    )
    assert not faults and contract.models[0].field("address") == Field(
        "address", Struct((Field("city"),)), required=True
    )


def test_references_that_multiply_or_run_in_circles_end(tmp_path: Path) -> None:
    refs = [
        f"    l{level}: {{a: {{$ref: '#/customProperties/0/value/l{level + 1}'}}, b: {{$ref: "
        f"'#/customProperties/0/value/l{level + 1}'}}}}"
        for level in range(40)
    ]
    _, faults = read(
        "\n".join(["customProperties:", "- property: x", "  value:", *refs, "    l40: 1\n"]),
        root=tmp_path,
    )
    assert [fault.code for fault in errors(faults)] == ["ref-too-many"]
    _, faults = read(
        "customProperties:\n- property: x\n  value:\n    a: {b: {$ref: "
        "'#/customProperties/0/value/a'}}\n",
        root=tmp_path,
    )
    assert {fault.code for fault in errors(faults)} == {"ref-circle"}


def test_the_sample_contract_is_valid_and_has_its_keys_and_references() -> None:
    contract, faults = read_odcs(read_document(SAMPLE), SAMPLE.parent)
    assert faults == ()
    assert [model.name for model in contract.ingested_models] == [
        "airlines",
        "airports",
        "planes",
        "weather",
        "flights",
    ]
    assert [field.name for field in contract.model("flights").key] == [
        "year",
        "month",
        "day",
        "carrier",
        "flight",
        "origin",
    ]
    assert contract.model("weather").field("pressure").type == Scalar("decimal", 6, 1)
    assert contract.model("flights").field("origin").enum == ("EWR", "JFK", "LGA")


def test_conversion_says_of_every_value_where_it_went() -> None:
    document = parse_document(
        f"apiVersion: v3.0.2\n{HEAD}team: [{{username: ada, tags: [x]}}]\nprice: "
        f"{{priceAmount: 1, priceColour: blue}}\n"
        "schema:\n- name: orders\n  properties: [{name: id, logicalType: integer, "
        "physicalType: BIGINT}]\n",
        "o.yaml",
    )
    conversion = trace_conversion(document, read_odcs)
    assert {item.source for item in conversion.lost} == {"$.price.priceColour", "$.team[0].tags"}
    assert {item.source: item.targets for item in conversion.carried}["$.team[0].username"] == (
        "team.members.ada.username",
    )
    assert conversion.as_json()["lost"][0]["line"] == 6 and conversion.lost[1].line == 7
    assert build_odcs(read_odcs(parse_document(conversion.text, "new.yaml"))[0])["team"] == {
        "members": [{"username": "ada"}]
    }


def test_a_contract_with_errors_is_not_converted() -> None:
    with pytest.raises(BadInput) as raised:
        trace_conversion(
            parse_document(
                "apiVersion: v3.1.0\nkind: Contract\nid: x\nversion: '1'\nstatus: active\n",
                "x.yaml",
            ),
            read_odcs,
        )
    assert raised.value.faults[0].path == "$.kind"


@pytest.mark.parametrize("name", ["odcs.", "odcs.x", "odcs.name"])
def test_a_custom_property_that_is_called_as_the_toolkit_calls_its_own_stays_one(name: str) -> None:
    contract = Contract("urn:a", version="1", status="active", properties={name: None})
    again, faults = read_odcs(parse_document(odcs_yaml(contract), "a.odcs.yaml"), None)
    assert again is not None and again.properties == {name: None} and not faults
