"""A value without quotes that readers of YAML 1.1 and 1.2 take for different things is told, and is
an error where it is the bound of a rule.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.odcs.parts import parse_whole_number
from datamaster_kit.contract.period import parse_period
from datamaster_kit.contract.publish.draft import draft
from datamaster_kit.contract.publish.page import schedule_words
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.readings import differing_readings, read_yaml_1_1, read_yaml_1_2
from datamaster_kit.contract.sql.sqltype import parse_sql_type

DCS = """dataContractSpecification: 1.1.0
id: urn:c
info: {title: C, version: 1.0.0}
models:
  m:
    fields:
      n: {type: integer, FIELD}
      t: {type: string, TEXT}
servicelevels:
  retention: {period: 30 days, LEVEL}
"""
ODCS = """apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: m
    properties:
      - {name: n, logicalType: integer, FIELD}
      - {name: t, logicalType: string, TEXT}
slaProperties:
  - {property: retention, unit: d, LEVEL}
"""


TEXTS = (
    "017 0o17 0x1F 1_000 12:30 190:20:30.15 yes No on OFF 08 -0800 0b11 +1_0 1_ 685_230.15 .inf "
    "-.INF .NaN 1e3 1.5e3 00 0b_ 0o8 a 1.2 2024-01-31 08:30"
)


def faults_of(
    template: str,
    field: str = "description: a",
    text: str = "description: a",
    level: str = "description: a",
) -> list[Fault]:
    """Return the faults of a contract."""
    content = template.replace("FIELD", field).replace("TEXT", text).replace("LEVEL", level)
    return list(examine_document(parse_document(content, "c.yaml"), Path())[1])


def at(faults: list[Fault], end: str) -> list[tuple[str, str, int]]:
    """Return the code, the severity and the line of the faults whose path ends so."""
    return [
        (fault.code, fault.severity, fault.line) for fault in faults if fault.path.endswith(end)
    ]


@pytest.mark.parametrize(
    ("template", "field", "end"),
    [
        (DCS, "minimum: 017", "n.minimum"),
        (DCS, "maximum: 1_000", "n.maximum"),
        (DCS, "exclusiveMinimum: 12:30", "n.exclusiveMinimum"),
        (DCS, "enum: [8, 010]", "n.enum[1]"),
        (
            DCS,
            "quality: [{type: sql, query: SELECT count(*) FROM m, mustBe: 017}]",
            "n.quality[0].mustBe",
        ),
        (
            DCS,
            "quality: [{type: sql, query: SELECT count(*) FROM m, mustBeBetween: [1, 0o17]}]",
            "n.quality[0].mustBeBetween[1]",
        ),
        (ODCS, "quality: [{metric: nullValues, mustBe: 00}]", "quality[0].mustBe"),
        (
            ODCS,
            "quality: [{metric: invalidValues, arguments: {validValues: [010]}, mustBe: 0}]",
            "validValues[0]",
        ),
        (ODCS, "customProperties: [{property: minimum, value: 017}]", "customProperties[0].value"),
    ],
)
def test_the_bound_of_a_rule_is_an_error_with_line_path_and_what_to_write(
    template: str, field: str, end: str
) -> None:
    faults = faults_of(template, field)
    assert at(faults, end) == [
        ("value-read-differently", "error", template[: template.index("FIELD")].count("\n") + 1)
    ]
    told = next(fault for fault in faults if fault.code == "value-read-differently")
    assert told.file == "c.yaml" and "YAML" in told.message and told.hint.startswith("write ")


@pytest.mark.parametrize(("template", "level"), [(ODCS, "value: 030"), (DCS, "period: 030")])
def test_a_period_by_which_rows_are_deleted_is_an_error(template: str, level: str) -> None:
    template = template.replace("period: 30 days, ", "")
    assert ("value-read-differently", "error") in [
        (fault.code, fault.severity) for fault in faults_of(template, level=level)
    ]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("enum: [a, no]", "t.enum[1]"),
        ("enum: [017]", "t.enum[0]"),
        ("description: 12:30", "t.description"),
        ("examples: [1_000]", "t.examples[0]"),
        ("tags: [on]", "t.tags[0]"),
        ("pattern: 08", "t.pattern"),
    ],
)
def test_a_text_that_is_none_to_others_is_a_warning(text: str, end: str) -> None:
    faults = faults_of(DCS, text=text)
    assert at(faults, end) == [("value-read-differently", "warning", 8)]
    assert (
        "quotes" in next(fault for fault in faults if fault.code == "value-read-differently").hint
    )
    name, _, value = text.partition(": ")
    word = value.strip("[]").rpartition(", ")[2]
    assert "value-read-differently" not in [
        fault.code for fault in faults_of(DCS, text=f"{name}: {value.replace(word, repr(word))}")
    ]


def test_a_name_that_is_none_to_others_is_a_warning() -> None:
    faults = faults_of(DCS.replace("      t:", "      no:"))
    assert (
        at(faults, "fields.no") == [("value-read-differently", "warning", 8)]
        and "the key no is false"
        in next(fault for fault in faults if fault.path.endswith("no")).message
    )
    assert not at(faults_of(DCS.replace("      t:", "      2024:")), "2024']")


@pytest.mark.parametrize(
    ("template", "field", "code", "hint"),
    [
        (DCS, "required: yes", "value-refused", "write true"),
        (DCS, "maxLength: 017", "value-refused", "write 15 or 17"),
        (ODCS, "required: off", "odcs-schema", "write false"),
        (ODCS, "logicalTypeOptions: {minimum: 017}", "odcs-schema", "write 15 or 17"),
    ],
)
def test_a_value_that_is_refused_anyway_is_told_once_with_the_reason(
    template: str, field: str, code: str, hint: str
) -> None:
    found = [fault for fault in faults_of(template, field) if "YAML" in str(fault)]
    assert [fault.code for fault in found] == [code] and hint in found[0].hint


def test_an_unknown_option_keeps_its_own_hint() -> None:
    faults = faults_of(DCS + "workflow:\n  source: {type: adls, format: csv, heeder: yes}\n")
    assert [fault.hint for fault in faults if fault.code == "source-option"] == [
        "did you mean 'header'?"
    ] and at(faults, "heeder")[1][0] == "value-read-differently"


def test_values_on_which_readers_agree_are_not_told() -> None:
    told = faults_of(
        DCS,
        "minimum: 17, maximum: 1000",
        "enum: ['no', '017', 2024-01-31, y, 08:30, 1.2.0, P30D, a_1]",
    )
    assert not [fault for fault in told if fault.code == "value-read-differently"]


@pytest.mark.parametrize("text", TEXTS.split())
def test_the_numbers_of_each_version_are_those_that_its_reader_makes(text: str) -> None:
    from ruamel.yaml import YAML

    peer = YAML(typ="safe", pure=True)
    # which ruamel reads by 1.1
    expected = (
        peer.load(text)
        if "_" not in text and not text.startswith("0b") and "2024" not in text
        else None
    )
    if expected is not None:
        assert repr(read_yaml_1_2(text)) == repr(expected)
    older, newer = (
        value if isinstance(value, str) else repr(value)
        for value in (read_yaml_1_1(text), read_yaml_1_2(text))
    )
    assert bool(differing_readings(text)) == (
        {older, newer} != {text} and "2024" not in text and text != "1.2"
    )


@pytest.mark.parametrize("digits", ["٣", "²", "1_0", "３"])
def test_a_digit_is_one_of_0_to_9(tmp_path: Path, digits: str) -> None:
    """Python takes underscores and the digits of other alphabets for numbers.

    Spark, and whoever reads the file, need not.
    """
    for read in (parse_whole_number, parse_period, parse_sql_type):
        with pytest.raises(ValueError, match=r".+"):
            read(
                {
                    parse_whole_number: digits,
                    parse_period: f"{digits} days",
                    parse_sql_type: f"decimal({digits},0)",
                }[read]
            )
    (tmp_path / "a.csv").write_text(f"n,d\n{digits},{digits}024-01-01\n", encoding="utf-8")
    assert draft(tmp_path / "a.csv").count('physicalType: "STRING"') == 2
    assert schedule_words(f"0 {digits} 6 * * ?") == f"schedule 0 {digits} 6 * * ?"
    faults = faults_of(DCS, field=f"$ref: '#/servicelevels/x/{digits}'") + faults_of(
        ODCS, field=f"$ref: '#/schema/{digits}'"
    )
    assert all(fault.code != "reader-failed" for fault in faults)
