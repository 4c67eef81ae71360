"""Contracts that were read wrong, one of each kind.

What each means, or which fault says that it means nothing.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datamaster_kit.cli.main import app
from datamaster_kit.contract.document import parse_document, read_document
from datamaster_kit.contract.fault import BadInput, Fault
from datamaster_kit.contract.lint import lint, lint_file
from datamaster_kit.contract.odcs.older_versions import render_odcs_version
from datamaster_kit.contract.odcs.standard_schema import data_with_logical_types, odcs_json_schema
from datamaster_kit.contract.odcs.writer import build_odcs, odcs_yaml
from datamaster_kit.contract.publish.convert import convert
from datamaster_kit.contract.publish.draft import draft
from datamaster_kit.contract.quality.metrics import METRICS, find_metric, metric_table
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.read import read_contract, read_unchecked_contract, translate_document
from datamaster_kit.contract.sql.server_types import DIALECTS, parse_server_type
from datamaster_kit.contract.sql.sqltype import parse_sql_type, sql_type

CORPUS = Path(__file__).parents[1] / "corpus_contracts"
FILES = sorted(
    path for path in CORPUS.rglob("*.yaml") if path.name not in ("datamaster.yaml", "order.yaml")
)


def case(number: str) -> Path:
    return next(CORPUS.glob(f"{number}_*"))


def of_severity(path: Path, severity: str) -> list[Fault]:
    return [fault for fault in lint_file(path) if fault.severity == severity]


def types_by_field(number: str) -> dict[str, str]:
    contract = read_unchecked_contract(case(number))
    return {item.name: sql_type(item.type) for item in contract.models[0].fields}


def keeps_own_schema(data: dict, version: str = "v3.2.0") -> list[str]:
    from jsonschema_rs import Draft201909Validator

    return [
        error.message
        for error in Draft201909Validator(odcs_json_schema(version)).iter_errors(
            data_with_logical_types(data)
        )
    ]


@pytest.mark.parametrize("number", ["01", "02", "03", "23", "25"])
def test_what_the_schema_forbids_is_an_error_and_no_traceback(number: str) -> None:
    errors = of_severity(case(number), "error")
    assert (
        errors
        and {fault.code for fault in errors} <= {"odcs-schema", "odcs-unknown-key"}
        and all(fault.line for fault in errors)
    )


def test_one_broken_file_hides_no_fault_of_another(tmp_path: Path) -> None:
    for number in ("01", "02", "03", "23"):
        shutil.copy(case(number), tmp_path)
    assert len({fault.file for fault in lint([str(tmp_path)])}) == 4


def test_a_top_level_quality_makes_lint_fail_and_lenient_only_warns() -> None:
    run = CliRunner()
    assert run.invoke(app, ["contract", "lint", str(case("25"))]).exit_code == 2
    assert run.invoke(app, ["contract", "lint", "--lenient", str(case("25"))]).exit_code == 0
    assert isinstance(run.invoke(app, ["contract", "show", str(case("23"))]).exception, BadInput)
    assert run.invoke(app, ["contract", "show", "--lenient", str(case("23"))]).exit_code == 0


def test_precision_and_scale_come_from_custom_properties_and_options() -> None:
    custom = types_by_field("10")
    assert (custom["a"], custom["b"], custom["c"], custom["d"]) == (
        "DECIMAL(18,4)",
        "DECIMAL(18,4)",
        "DECIMAL(38,18)",
        "DECIMAL(12,2)",
    )
    told = [fault for fault in of_severity(case("10"), "warning") if fault.code == "type-read-as"]
    assert len(told) == 2 and custom["e"] == custom["f"] == "DECIMAL(38,18)"
    assert types_by_field("11") == {"a": "DECIMAL(18,4)", "b": "DECIMAL(18,4)"}


def test_types_are_those_of_the_named_server() -> None:
    assert types_by_field("18") == {
        "a": "BIGINT",
        "b": "BIGINT",
        "c": "DECIMAL(38,18)",
        "d": "INT",
        "e": "SMALLINT",
        "f": "DOUBLE",
    }


@pytest.mark.parametrize(
    ("server", "text", "expected"),
    [
        ("postgresql", "bigint", "BIGINT"),
        ("postgresql", "timestamp with time zone", "TIMESTAMP"),
        ("postgresql", "timestamp", "TIMESTAMP_NTZ"),
        ("postgresql", "text[]", "ARRAY<STRING>"),
        ("oracle", "NUMBER(10,2)", "DECIMAL(10,2)"),
        ("oracle", "NUMBER", "DECIMAL(38,18)"),
        ("oracle", "INTEGER", "DECIMAL(38,0)"),
        ("oracle", "DATE", "TIMESTAMP_NTZ"),
        ("oracle", "NUMBER(5,-2)", "DECIMAL(7,0)"),
        ("sqlserver", "tinyint", "SMALLINT"),
        ("sqlserver", "money", "DECIMAL(19,4)"),
        ("sqlserver", "float", "DOUBLE"),
        ("sqlserver", "datetime2(7)", "TIMESTAMP_NTZ"),
        ("mysql", "int unsigned", "BIGINT"),
        ("mysql", "bigint unsigned", "DECIMAL(20,0)"),
        ("mysql", "int(11)", "INT"),
        ("mysql", "timestamp", "TIMESTAMP"),
        ("snowflake", "NUMBER(38,0)", "DECIMAL(38,0)"),
        ("snowflake", "INTEGER", "DECIMAL(38,0)"),
        ("snowflake", "FLOAT", "DOUBLE"),
        ("bigquery", "INT64", "BIGINT"),
        ("bigquery", "NUMERIC", "DECIMAL(38,9)"),
        ("bigquery", "BIGNUMERIC", "DECIMAL(38,18)"),
        ("redshift", "super", "VARIANT"),
        ("mysql", "int8", "BIGINT"),
        ("mysql", "INT8(20) unsigned", "DECIMAL(20,0)"),
        ("mysql", "int3", "INT"),
        ("mysql", "double unsigned", "DOUBLE"),
        ("sqlserver", "int8", "BIGINT"),
        ("snowflake", "VECTOR(INT, 3)", "ARRAY<INT>"),
        ("snowflake", "VECTOR(FLOAT, 3)", "ARRAY<FLOAT>"),
        ("databricks", "array<int8>", "ARRAY<BIGINT>"),
    ],
)
def test_a_word_means_what_its_server_means_by_it(server: str, text: str, expected: str) -> None:
    assert sql_type(parse_server_type(text, DIALECTS[server])[0]) == expected


def test_a_word_without_a_server_is_never_read_as_the_smaller_type_in_silence() -> None:
    for text in ("int8", "numeric", "NUMBER"):
        assert parse_server_type(text)[1] and sql_type(parse_server_type(text)[0]) in (
            "BIGINT",
            "DECIMAL(38,18)",
        )
    for text in (
        "array<%s>",
        "map<string, %s>",
        "struct<a: %s NOT NULL>",
        "array<struct<`a b`: map<string, %s>>>",
    ):
        for word, wide in (
            ("int8", "BIGINT"),
            ("numeric", "DECIMAL(38,18)"),
            ("decimal(9)", "DECIMAL(9,0)"),
        ):
            found, remark = parse_server_type(text % word)
            assert wide in sql_type(found) and bool(remark) == ("(" not in word), (text, word)


@pytest.mark.parametrize("server", DIALECTS)
def test_seconds_with_more_digits_than_spark_has_are_told(server: str) -> None:
    for text in ("timestamp(6)", "timestamp(9)", "time(7)"):
        try:
            found, remark = parse_server_type(text, DIALECTS[server])
        except ValueError:
            continue
        is_moment = sql_type(found).startswith("TIME") and server not in ("databricks", "hive")
        assert ("digits of a second" in remark) == (is_moment and "6" not in text), (server, text)


@pytest.mark.parametrize(
    ("server", "is_told"),
    [
        ("vertica", True),
        ("db2", True),
        ("kafka", False),
        ("postgresql", False),
        ("databricks", False),
    ],
)
def test_a_database_whose_words_are_not_known_is_told(
    tmp_path: Path, server: str, is_told: bool
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        "servers:\n- {server: s, type: "
        + server
        + ", host: h, port: 1, database: d, schema: s, catalog: c}\n"
        "schema:\n- name: t\n  properties:\n  - {name: a, logicalType: number, physicalType: "
        "FLOAT}\n"
    )
    found = [
        (fault.line, fault.severity)
        for fault in lint_file(file, lenient=True)
        if "is not known" in fault.message
    ]
    assert found == [(7, "warning")] * is_told


@pytest.mark.parametrize(
    ("server", "physical", "expected"),
    [
        ("snowflake", "VECTOR(FLOAT, 3)", "ARRAY<FLOAT>"),
        ("snowflake", "VECTOR(INT, 3)", "ARRAY<INT>"),
        ("postgresql", "float8[]", "ARRAY<DOUBLE>"),
        ("bigquery", "ARRAY<FLOAT64>", "ARRAY<DOUBLE>"),
        ("postgresql", "vector(3)", "ARRAY<FLOAT>"),
        ("databricks", "ARRAY<DOUBLE>", "ARRAY<DOUBLE>"),
        ("databricks", "whatever", "ARRAY<FLOAT>"),
        ("", "", "ARRAY<FLOAT>"),
    ],
)
def test_a_vector_has_the_numbers_of_its_server_and_is_written_as_it_was(
    tmp_path: Path, server: str, physical: str, expected: str
) -> None:
    servers = (
        f"servers: [{{server: s, type: {server}, host: h, port: 1, database: d, schema: s, "
        f"catalog: c, account: a, project: p, dataset: d}}]\n"
        if server
        else ""
    )
    said = f", physicalType: '{physical}'" if physical else ""
    text = (
        "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        + servers
        + "schema:\n- name: t\n  properties:\n  - {name: a, logicalType: vector, "
        "logicalTypeOptions: {dimensions: 3}" + said + "}\n"
    )
    contract, _ = translate_document(parse_document(text, "c.yaml"), tmp_path, lenient=True)
    assert contract is not None and sql_type(contract.models[0].fields[0].type) == expected
    (written,) = build_odcs(contract)["schema"][0]["properties"]
    assert written["logicalType"] == "vector" and (
        not physical or physical == "whatever" or written["physicalType"] == physical
    )
    again, _ = translate_document(
        parse_document(odcs_yaml(contract), "c.yaml"), tmp_path, lenient=True
    )
    assert again is not None and again.models == contract.models
    older, _ = translate_document(
        parse_document(render_odcs_version(contract, "v3.1.0")[0], "c.yaml"), tmp_path, lenient=True
    )
    assert older is not None and sql_type(older.models[0].fields[0].type) == expected


def test_an_array_whose_physical_type_is_bytes_stays_one_when_it_is_written() -> None:
    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n"
        "- name: t\n  properties:\n  - {name: a, logicalType: array, physicalType: bytes}\n"
    )
    contract, _ = translate_document(parse_document(text, "c.yaml"), Path())
    assert contract is not None and keeps_own_schema(build_odcs(contract)) == []
    again, _ = translate_document(parse_document(odcs_yaml(contract), "c.yaml"), Path())
    assert (
        again is not None
        and again.models == contract.models
        and sql_type(contract.models[0].fields[0].type) == "BINARY"
    )


def test_a_reference_by_ids_is_one_by_names() -> None:
    contract = read_contract(case("12"))
    assert contract.model("accounts").field("user_id").references == ("users.id",)
    assert [
        rule.not_executed
        for rule in rules(contract, contract.model("accounts"))
        if rule.kind == "reference"
    ] == [""]


def test_a_reference_into_another_contract_is_read_and_its_rule_not_executed() -> None:
    contract = read_contract(case("13"))
    (rule,) = (rule for rule in rules(contract, contract.models[0]) if rule.kind == "reference")
    assert rule.not_executed == "it leads into another contract"
    assert build_odcs(contract)["schema"][0]["properties"][0]["relationships"][0]["to"].startswith(
        "https://example.com/"
    )


def test_a_reference_to_a_model_that_is_elsewhere_is_a_warning() -> None:
    assert [fault.code for fault in of_severity(case("14"), "warning")] == [
        "reference-elsewhere"
    ] and not of_severity(case("14"), "error")


def test_a_physical_name_that_is_a_path_is_no_name_of_a_table() -> None:
    contract = read_contract(case("15"))
    assert (contract.models[0].table, contract.models[0].physical_name) == (
        "Orders",
        "orders.avro.v1",
    )
    assert [fault.code for fault in lint_file(case("15"))] == ["physical-name-path"]


def test_a_retention_in_m_is_refused_and_one_in_months_is_months() -> None:
    (fault,) = of_severity(case("16"), "error")
    assert fault.code == "service-level-broken" and "mo" in fault.hint
    text = case("16").read_text().replace("unit: m}", "unit: mo}")
    contract, _ = translate_document(parse_document(text, "x.yaml"), CORPUS)
    level = contract.service_level("retention")
    from datamaster_kit.contract.period import retention_period

    assert retention_period(level.value, level.unit, level.options).months == 6


@pytest.mark.parametrize(
    ("cron", "is_wrong"),
    [
        ("99 99 * * *", True),
        ("0 24 * * *", True),
        ("0 6 32 * *", True),
        ("0 6 * 13 *", True),
        ("0 6 * * 8", True),
        ("*/0 * * * *", True),
        ("a b c d e", True),
        ("0 6 * *", True),
        ("0 0 24 * * ?", True),
        ("0 6 * * 0-7", False),
        ("*/15 8-18 * JAN-MAR MON-FRI", False),
        ("0 0 6 * * ?", False),
        ("0 0 6 * * *", False),
        ("0 15 10 ? * 6L 2027", False),
    ],
)
def test_a_schedule_that_cannot_be_is_an_error(tmp_path: Path, cron: str, is_wrong: bool) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"dataContractSpecification: 1.1.0\nid: c\ninfo: {{title: C, version: 1.0.0}}\n"
        f"models: {{m: {{fields: {{id: {{type: string}}}}}}}}\nservicelevels:\n  frequency: "
        f"{{type: batch, cron: '{cron}'}}\n"
    )
    assert [fault.code for fault in lint_file(file) if fault.severity == "error"] == [
        "service-level-broken"
    ] * is_wrong


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("retention, value: 3, unit: y, element: nope.at", "age of its file"),
        ("retention, value: 3, unit: y, element: aat", "age of its file|not there"),
        ("retention, value: 3, unit: y, element: t.addr.at", "age of its file"),
        ("freshness, value: 1, unit: d, element: at", "names no field"),
        ("freshness, value: 1, unit: d, element: nope.at", "names no field"),
        ("retention, value: 3, unit: y, element: t.at", ""),
        ("retention, value: 3, unit: y, element: at", ""),
        ("freshness, value: 1, unit: d, element: t.at", ""),
        ("latency, value: 1, unit: d, element: nope.x", ""),
    ],
)
def test_an_element_that_names_no_field_of_dates_is_told(
    tmp_path: Path, level: str, said: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        "schema:\n- name: t\n  properties:\n  - {name: at, logicalType: timestamp}\n"
        "slaProperties:\n- {property: " + level + "}\n"
    )
    found = [fault.message for fault in lint_file(file) if fault.code == "service-level-odd"]
    assert bool(found) == bool(said) and all(re.search(said, message) for message in found)


def test_a_custom_property_that_stands_twice_is_told(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        "schema:\n- name: t\n  properties:\n  - {name: a, logicalType: number, "
        "customProperties: [{property: precision, value: 5}, {property: precision, value: "
        "9}]}\n"
        "customProperties:\n- {property: workflow, value: {}}\n- {property: workflow, value: "
        "{model: t}}\n- {property: own, value: 1}\n- {property: own, value: 2}\n- {property: "
        "other, value: {workflow: 1}}\n"
    )
    assert [(fault.code, fault.severity, fault.line) for fault in lint_file(file)] == [
        ("odcs-property-repeated", "warning", 9),
        ("odcs-workflow", "error", 12),
        ("odcs-property-repeated", "warning", 14),
    ]


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ("defaultTimezone: America/Sao_Paulo", True),
        ("defaultTimezone: Foo/Bar", True),
        ("defaultTimezone: UTC", False),
        ("defaultTimezone: Etc/UTC", False),
        ("timezone: false, defaultTimezone: America/Sao_Paulo", False),
        ("timezone: true", False),
    ],
)
def test_a_time_zone_that_is_not_applied_is_told(
    tmp_path: Path, options: str, is_told: bool
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        "schema:\n- name: t\n  properties:\n  - {name: a, logicalType: timestamp, "
        "logicalTypeOptions: {" + options + "}}\n"
    )
    assert [fault.code for fault in lint_file(file)] == ["moment-zone-unused"] * is_told


def test_an_argument_that_is_one_text_is_one_value() -> None:
    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"
        "schema:\n- name: t\n  quality: [{metric: duplicateValues, mustBe: 0, arguments: "
        "{properties: ab}}]\n  properties:\n"
        "  - {name: a, logicalType: string, quality: [{metric: invalidValues, mustBe: 0, "
        "arguments: {validValues: ab}}]}\n  - {name: b, logicalType: string}\n  - {name: ab, "
        "logicalType: string}\n"
    )
    contract, _ = translate_document(parse_document(text, "c.yaml"), Path())
    assert contract
    found = {rule.kind: rule for rule in rules(contract, contract.models[0])}
    assert (
        "('ab')" in found["invalid_values"].predicate.replace("IN ", "IN")
        and "`ab`" in found["duplicate_values"].query
        and "`b`" not in found["duplicate_values"].query
    )


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("float(24)", "FLOAT"),
        ("float(53)", "DOUBLE"),
        ("FLOAT(25)", "DOUBLE"),
        ("float(7,4)", "FLOAT"),
        ("float", "FLOAT"),
    ],
)
def test_a_float_of_more_than_24_digits_is_a_double(text: str, type: str) -> None:
    assert sql_type(parse_sql_type(text)) == type


@pytest.mark.parametrize("name", ["a${env:HOME}b", "", "\\n", "a" * 256])
def test_a_page_is_made_of_a_contract_with_a_name_that_no_table_can_have(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"dataContractSpecification: 1.1.0\nid: c\ninfo: {{title: C, version: 1.0.0}}\n"
        f'models: {{m: {{fields: {{"{name}": {{type: string}}, id: {{type: string}}}}}}}}\n'
    )
    assert CliRunner().invoke(app, ["contract", "export", "-f", "html", str(file)]).exit_code == 0


def test_an_unlimited_that_is_neither_true_nor_false_is_an_error(tmp_path: Path) -> None:
    head = (
        "dataContractSpecification: 1.1.0\nid: a\ninfo: {title: A, version: 1.0.0}\nmodels: {m: "
        "{fields: {a: {type: string}}}}\nservicelevels:\n  retention: {unlimited: %s}\n"
    )
    for said, expected in (
        ("nope", [("service-level-broken", 6)]),
        ("'yes'", [("service-level-broken", 6)]),
        ("1", [("service-level-broken", 6)]),
        ("true", []),
        ("'True'", []),
        ("false", []),
    ):
        (tmp_path / "a.yaml").write_text(head % said)
        assert [
            (fault.code, fault.line)
            for fault in lint_file(tmp_path / "a.yaml")
            if fault.severity == "error"
        ] == expected, said


def test_milliseconds_are_a_unit() -> None:
    assert lint_file(case("17")) == ()


def test_maps_of_before_3_2_have_keys_and_values() -> None:
    assert types_by_field("19") == {
        "b": "MAP<STRING, STRUCT<v: STRING, n: INT>>",
        "c": "MAP<STRING, STRING>",
    }


def test_a_databricks_type_of_dcs_decides() -> None:
    assert types_by_field("20") == {"c": "VARCHAR(20)", "d": "TIMESTAMP_NTZ", "f": "BIGINT"}


def test_a_vector_stays_one_when_it_is_written() -> None:
    (written,) = build_odcs(read_contract(case("21")))["schema"][0]["properties"]
    assert written["logicalType"] == "vector" and written["logicalTypeOptions"] == {"dimensions": 3}


def test_limits_that_no_value_keeps_are_faults() -> None:
    found = [
        fault for fault in of_severity(case("26"), "error") if fault.code == "constraint-impossible"
    ]
    assert len(found) == 4
    words = {"2024-13-45", "01/02/2024", "exclusive maximum 4", "[100, 10]"}
    messages = [fault.message for fault in found]
    assert {word for word in words if any(word in message for message in messages)} == words


HEAD = (
    "apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n- "
    "name: t\n  properties:\n  - {name: a, %s}\n"
)


@pytest.mark.parametrize(
    ("said", "is_possible"),
    [
        ("physicalType: varchar(5), logicalTypeOptions: {minLength: 6}", False),
        ("physicalType: varchar(5), logicalTypeOptions: {minLength: 5}", True),
        ("physicalType: char(2), enum: [{value: BRL}]", False),
        ("physicalType: char(3), enum: [{value: BRL}]", True),
        ("physicalType: tinyint, logicalTypeOptions: {minimum: 128}", False),
        ("physicalType: tinyint, logicalTypeOptions: {minimum: 127}", True),
        ("physicalType: tinyint, logicalTypeOptions: {maximum: -129}", False),
        ("physicalType: smallint, logicalTypeOptions: {maximum: -129}", True),
        ("physicalType: 'decimal(3,2)', logicalTypeOptions: {minimum: 10}", False),
        ("physicalType: 'decimal(3,2)', logicalTypeOptions: {minimum: 9.99}", True),
        ("physicalType: tinyint, enum: [{value: 1000}]", False),
        ("physicalType: int, enum: [{value: 1.5}]", False),
        ("physicalType: 'decimal(3,2)', enum: [{value: 1.505}]", False),
        ("physicalType: 'decimal(3,2)', enum: [{value: 1.50}, {value: '-9.99'}]", True),
        ("physicalType: double, enum: [{value: 1.505}]", True),
        ("physicalType: bigint, enum: [{value: 1.0e+3}]", True),
        (
            "physicalType: string, quality: [{type: library, metric: nullValues, unit: percent, "
            "mustBeGreaterThan: 100}]",
            False,
        ),
        (
            "physicalType: string, quality: [{type: library, metric: nullValues, unit: percent, "
            "mustBeLessThan: 0}]",
            False,
        ),
        (
            "physicalType: string, quality: [{type: library, metric: nullValues, unit: percent, "
            "mustBeBetween: [99.5, 99.9]}]",
            True,
        ),
        (
            "physicalType: string, quality: [{type: library, metric: nullValues, unit: percent, "
            "mustBeBetween: [101, 200]}]",
            False,
        ),
        (
            "physicalType: string, quality: [{type: library, metric: nullValues, unit: percent, "
            "mustBeLessThan: 0.01}]",
            True,
        ),
    ],
)
def test_what_no_value_of_the_type_and_no_share_keeps_is_a_fault(
    tmp_path: Path, said: str, is_possible: bool
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(HEAD % said)
    errors = [fault.code for fault in lint_file(file) if fault.severity == "error"]
    assert errors == ([] if is_possible else ["constraint-impossible"])


@pytest.mark.parametrize(
    ("said", "expected", "is_told"),
    [
        (
            "logicalType: number, customProperties: [{property: scale, value: 2}]",
            "DECIMAL(38,2)",
            False,
        ),
        (
            "logicalType: number, physicalType: decimal, customProperties: [{property: scale, "
            "value: '2'}]",
            "DECIMAL(38,2)",
            False,
        ),
        (
            "logicalType: number, physicalType: numeric(5), customProperties: [{property: "
            "precision, value: 18}]",
            "DECIMAL(5,0)",
            True,
        ),
        (
            "logicalType: number, physicalType: 'numeric(5,2)', customProperties: [{property: "
            "precision, value: '5'}, {property: scale, value: 2}]",
            "DECIMAL(5,2)",
            False,
        ),
        (
            "logicalType: number, physicalType: float, customProperties: [{property: precision, "
            "value: 18}]",
            "FLOAT",
            True,
        ),
        (
            "logicalType: integer, physicalType: smallint, logicalTypeOptions: {format: i64}",
            "SMALLINT",
            True,
        ),
        (
            "logicalType: integer, physicalType: bigint, logicalTypeOptions: {format: i64}",
            "BIGINT",
            False,
        ),
        ("logicalType: timestamp, physicalType: date", "DATE", True),
        ("logicalType: date, physicalType: date", "DATE", False),
    ],
)
def test_a_physical_type_that_is_smaller_than_what_stands_beside_it_is_told(
    tmp_path: Path, said: str, expected: str, is_told: bool
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(HEAD % said)
    contract = read_contract(file)
    assert sql_type(contract.models[0].fields[0].type) == expected
    told = {fault.code for fault in lint_file(file) if fault.severity == "warning"}
    assert bool(told & {"value-without-effect", "type-read-as"}) == is_told, told
    again, _ = translate_document(parse_document(odcs_yaml(contract), "c.yaml"), tmp_path)
    assert again is not None and again.models == contract.models


def test_a_reference_inside_the_project_is_read_by_every_verb() -> None:
    file = case("28") / "contracts" / "orders" / "c.yaml"
    assert not of_severity(file, "error") and read_contract(file).models[0].fields[0].pii
    assert CliRunner().invoke(app, ["contract", "lint", str(file.parent)]).exit_code == 0


def test_a_merge_key_with_a_scalar_is_an_error_and_one_in_quotes_a_plain_key() -> None:
    assert [
        fault.line for fault in of_severity(case("29"), "error") if fault.code == "yaml-merge"
    ] == [8, 10]
    assert parse_document('a: {"<<": {b: 1}}', "x").data == {"a": {"<<": {"b": 1}}}
    assert parse_document("x: &x {b: 1}\na: {<<: *x}", "x").data["a"] == {"b": 1}


def test_a_range_excludes_its_ends() -> None:
    from datamaster_kit.contract.quality.rule import is_rule_met

    contract = read_contract(case("30"))
    (rule,) = (rule for rule in rules(contract, contract.models[0]) if rule.kind == "row_count")
    assert [is_rule_met(rule, count, count) for count in (0, 1, 99, 100)] == [
        False,
        True,
        True,
        False,
    ]


def test_an_enum_may_be_a_text_in_json() -> None:
    assert read_contract(case("31")).models[0].field("c").enum == ("x", "z")


def test_a_draft_of_columns_that_differ_in_case_lints(tmp_path: Path) -> None:
    file = tmp_path / "drafted.yaml"
    file.write_text(draft(case("32")), encoding="utf-8")
    assert not of_severity(file, "error")
    examples = [value for item in read_contract(file).models[0].fields for value in item.examples]
    assert examples and not any('"' in str(value) for value in examples)


def test_a_value_that_is_not_what_its_tag_says_is_an_error_and_a_whole_fault_has_a_path() -> None:
    for said, value in (
        ("!!int 5", 5),
        ("!!int '5'", 5),
        ("!!float 1.5", 1.5),
        ("!!float 2", 2),
        ("!!bool true", True),
        ("!!null null", None),
        ("!!str 5", "5"),
        ("! 5", "5"),
    ):
        assert parse_document(f"a: {said}\n", "a.yaml").data == {"a": value}, said
    for said in (
        "!!int abc",
        "!!int 1.5",
        "!!int true",
        "!!float x",
        "!!bool yes",
        "!!bool 1",
        "!!null x",
    ):
        with pytest.raises(BadInput) as raised:
            parse_document(f"b: 1\na: {said}\n", "a.yaml")
        assert [(fault.code, fault.line, fault.path) for fault in raised.value.faults] == [
            ("yaml-tag-value", 2, "$.a")
        ], said
    assert [
        fault.path for fault in translate_document(parse_document("a: 1\n", "a.yaml"), Path())[1]
    ] == ["$"]


def test_a_number_beyond_a_double_is_an_error() -> None:
    assert [fault.code for fault in of_severity(case("34"), "error")] == ["yaml-number"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_read_is_written_validly_and_read_again_the_same(path: Path) -> None:
    try:
        contract = read_unchecked_contract(path, lenient=True)
    except BadInput:
        return  # it is none
    written = build_odcs(contract)
    assert keeps_own_schema(written) == []
    again, faults = translate_document(parse_document(odcs_yaml(contract), "x.yaml"), CORPUS)
    assert again is not None and again.models == contract.models
    assert [fault for fault in faults if fault.severity == "error"] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_conversion_says_of_nothing_that_it_wrote_that_it_is_lost(path: Path) -> None:
    try:
        conversion = convert(read_document(path), CORPUS)
    except BadInput:
        return
    for item in conversion.lost:
        is_overruled = item.source.endswith(".type")  # by config.databricksType, which is written
        assert is_overruled or item.value not in conversion.text or len(item.value) < 8, item


def test_what_would_be_read_as_something_else_is_told_with_its_line(tmp_path: Path) -> None:
    """Numbers and words of YAML in lists of texts, limits of too many digits, types that nobody
    knows, marks that no value is, options that are not checked.
    """
    path = tmp_path / "c.yaml"
    path.write_text(
        """apiVersion: v3.1.0
kind: DataContract
id: urn:c
version: 1.0.0
status: active
slaProperties:
- {property: retention, value: 0, unit: d}
- {property: Retention, value: 3, unit: y, element: account.idd}
- {property: retenton, value: 3, unit: y}
customProperties:
- property: workflow
  value:
    delete_when: {code: [1.20, TRUE], is_gone: [true, closed], opened: [2024-02-30]}
    maximum_bad_share: 0_1
    source: {nullValue: null}
schema:
- name: account
  properties:
  - {name: id, logicalType: integer, primaryKey: true}
  - {name: code, logicalType: string, quality: [{metric: invalidValues, arguments: \
     {validValues: [1.10, 1e3, TRUE, 7, 01, true]}, mustBe: 0}]}
  - {name: is_gone, logicalType: boolean}
  - {name: opened, logicalType: date}
  - {name: sum, logicalType: number, physicalType: "DECIMAL(38,2)", logicalTypeOptions: \
     {minimum: 12345678901234567890.12, maximum: 12345678901234567890123, multipleOf: 5}}
  - {name: odd, physicalType: BIGINT UNSIGNED}
  - {name: twice, physicalType: DECIMAL(10 2)}
  - {name: short, physicalType: VARCHAR(-1)}
  - {name: none, physicalType: "DECIMAL(0,0)"}
  - {name: part, logicalType: string, quality: \
     [{metric: nullValues, mustBeLessThan: 5, unit: procent, severity: quarantin}, \
     {metric: nullValues, mustBe: 0, unit: rows, severity: P1}]}
  - {name: tags, logicalType: array, items: {logicalType: string}, logicalTypeOptions: \
     {minItems: 2, uniqueItems: true}}
""",
        encoding="utf-8",
    )
    found = [(fault.line, fault.code) for fault in lint_file(path)]
    assert found == [
        (7, "service-level-broken"),
        (8, "service-level-odd"),
        (8, "service-level-odd"),
        (9, "service-level-odd"),
        (13, "value-written-otherwise"),
        (13, "value-written-otherwise"),
        (13, "workflow-broken"),
        (13, "workflow-broken"),
        (14, "workflow-broken"),
        (15, "source-option"),
        *[(20, "value-written-otherwise")] * 3,
        (20, "value-read-differently"),
        (23, "value-written-otherwise"),
        (24, "type-read-as"),
        (25, "type-read-as"),
        (26, "type-refused"),
        (27, "type-refused"),
        (28, "check-word-odd"),
        (28, "check-word-odd"),
    ], found
    text = path.read_text(encoding="utf-8")
    for wrong, right in (
        ("value: 0,", "value: 9,"),
        ("closed", "false"),
        ("2024-02-30", "2024-02-29"),
        ("0_1", "1%"),
        ("nullValue: null", "nullValue: 'null'"),
        ("(-1)", "(1)"),
        ("0,0", "1,0"),
    ):
        text = text.replace(wrong, right)
    path.write_text(text, encoding="utf-8")
    assert [fault.line for fault in lint_file(path) if fault.code == "rule-not-executed"] == [
        23,
        29,
        29,
    ]
    assert of_severity(path, "error") == []
    assert [sql_type(item.type) for item in read_contract(path).models[0].fields][-6:] == [
        "STRING",
        "STRING",
        "VARCHAR(1)",
        "DECIMAL(1,0)",
        "STRING",
        "ARRAY<STRING>",
    ]
    path.write_text(
        "dataContractSpecification: 1.1.0\nid: a\ninfo: {title: A, version: 1.0.0}\nmodels: "
        "{m: {fields: {s: {type: struct}}}}\n",
        encoding="utf-8",
    )
    assert [fault.hint for fault in lint_file(path) if fault.code == "type-unknown"] == [
        "describe its fields"
    ]


def test_the_docs_have_every_metric_and_each_of_its_names_is_that_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
    assert metric_table() in page
    names = [(name, metric) for metric in METRICS for name in (metric.name, *metric.other_names)]
    assert [find_metric(name) for name, _ in names] == [metric for _, metric in names]
    assert len({name.lower() for name, _ in names}) == len(names)
