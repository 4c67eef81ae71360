"""What a contract says of its files is checked before a file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.model import Scalar
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.source_options import (
    CLOUD_OPTIONS,
    READER_OPTIONS,
    option_names,
    option_problems,
    reader_options,
)
from datamaster_kit.forms.trial.verdicts import rescue_reason
from datamaster_kit.targets.readers.auto_loader import option_faults

CONTRACT = """dataContractSpecification: 1.1.0
id: urn:c
info: {title: C, version: 1.0.0}
models:
  m: {type: table, fields: {id: {type: string}}}
workflow:
  source:
    type: adls
    format: FORMAT
    OPTION
"""


def faults_of(option: str, format: str = "csv") -> list[Fault]:
    """Return the faults of a contract whose source has an option."""
    _, faults = examine_document(
        parse_document(CONTRACT.replace("FORMAT", format).replace("OPTION", option), "c.yaml"),
        Path(),
    )
    return [fault for fault in faults if fault.code.startswith("source-option")]


@pytest.mark.parametrize(
    "option, hint",
    [
        ("delimeter: ';'", "delimiter"),
        ("encoding: klingon", "UTF-8"),
        ("header: maybe", "true or false"),
        ("encoding: utf-7x", "utf"),
        ("quote: '\"\"'", ""),
        ("comment: '//'", ""),
        ("delimiter: ''", "';'"),
        ("multiline: true", "multiLine"),
        ("nulValue: x", "nullValue"),
        ("Header: true", "header"),
        ("encoding: hex", ""),
        ("lineSep: abc", ""),
        ("lineSep: '|'", "leave it out"),
        ("multiLine: 1", "true or false"),
        ("comment: ','\n    delimiter: ','", ""),
    ],
)
def test_an_unknown_or_impossible_option_is_a_fault_with_its_line_and_the_nearest_known(
    option: str, hint: str
) -> None:
    (fault,) = faults_of(option)
    assert (
        fault.code == "source-option"
        and fault.severity == "error"
        and fault.line >= 10
        and hint.lower() in fault.hint.lower()
    )


def test_an_option_of_another_format_is_a_warning_and_is_not_given_to_a_reader() -> None:
    (fault,) = faults_of("header: true", "json")
    assert fault.code == "source-option-unused" and fault.severity == "warning"
    assert reader_options("json", {"header": True, "multiLine": True}) == {"multiLine": True}


@pytest.mark.parametrize(
    "option",
    [
        "header: 'false'",
        "delimiter: '\\t'",
        "sep: '|'",
        "encoding: latin-1",
        "encoding: Windows-1252",
        "encoding: utf8",
        "quote: ''",
        "delimiter: '||'",
        "lineSep: '\\r\\n'",
        "maxFilesPerTrigger: 10",
        "dateFormat: dd/MM/yyyy",
        "dateFormat: yyyyMMdd",
        "dateFormat: yyyyDDD",
        "timestampFormat: \"yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX\"",
        "timestampFormat: dd/MM/yyyy hh:mm a",
        "dateFormat: d 'de' MMMM 'de' yyyy",
        "maxBytesPerTrigger: 10g",
        "backfillInterval: 1 day",
        "nullValue: 'null'",
        "quote: ''\n    delimiter: '\"'",
    ],
)
def test_an_option_as_people_write_it_is_no_fault(option: str) -> None:
    assert not faults_of(option)


def test_an_option_of_events_that_says_nothing_is_told() -> None:
    def codes(option: str) -> list[tuple[str, str]]:
        _, faults = examine_document(
            parse_document(
                CONTRACT.replace("type: adls", "type: eventhub")
                .replace("FORMAT", "avro")
                .replace("OPTION", option),
                "c.yaml",
            ),
            Path(),
        )
        return [(fault.code, fault.severity) for fault in faults if fault.line == 10]

    assert (
        codes("consumer_group: x")
        == codes("schemaEvolutionModes: none")
        == codes("control: {place: trailer, begins_with: T, records: 2}")
        == [("source-option", "error")]
    )
    assert (
        codes("delimiter: ';'") == codes("encoding: utf-8") == [("source-option-unused", "warning")]
    )
    assert (
        codes("dateFormat: dd/MM/yyyy")
        == codes("maxFilesPerTrigger: 10")
        == codes("keep_envelope: true")
        == []
    )
    assert codes("keep_envelope: maybe") == [("source-option", "error")]
    assert reader_options("events", {"dateFormat": "dd/MM/yyyy", "header": True}) == {
        "dateFormat": "dd/MM/yyyy"
    }


def test_a_field_whose_column_captured_events_have_is_told_where_they_are_kept() -> None:
    text = (
        CONTRACT.replace("type: adls", "type: eventhub")
        .replace("FORMAT", "avro")
        .replace("fields: {id", "fields: {offset")
    )
    for said, codes in (("true", [("source-option", "error", 10)]), ("false", [])):
        _, faults = examine_document(
            parse_document(text.replace("OPTION", f"keep_envelope: {said}"), "c.yaml"), Path()
        )
        assert [
            (fault.code, fault.severity, fault.line)
            for fault in faults
            if fault.severity == "error"
        ] == codes


@pytest.mark.parametrize(
    "option, severity",
    [
        ("dateFormat: yyyy-MM", "error"),
        ("dateFormat: dd/MM", "error"),
        ("timestampFormat: 'HH:mm'", "error"),
        ("dateFormat: dd/MM/yy", "warning"),
        ("timestampFormat: dd-MM-yy HH:mm", "warning"),
        ("dateFormat: dd 'yy' MM yyyy", ""),
    ],
)
def test_a_pattern_that_guesses_a_day_or_a_century_is_told(option: str, severity: str) -> None:
    _, faults = examine_document(
        parse_document(CONTRACT.replace("FORMAT", "csv").replace("OPTION", option), "c.yaml"),
        Path(),
    )
    assert [fault.severity for fault in faults] == ([severity] if severity else [])
    misfit_of = rescue_reason("31/12/24 10:00", Scalar("timestamp"), {"timestampFormat": "HH:mm"})
    assert (
        "read by no pattern" in misfit_of
        and "read by no pattern"
        in rescue_reason("10:00", Scalar("timestamp"), {"timestampFormat": "HH:mm"})
        and not rescue_reason("31/12/2024", Scalar("date"), {"dateFormat": "dd/MM/yyyy"})
    )


@pytest.mark.parametrize(
    "format, is_told",
    [
        ("yyyy-MM", True),
        ("dd/MM/yy", True),
        ("HH:mm", True),
        ("dd/MM/yyyy", False),
        ("date", False),
        ("date-time", False),
        ("ISO 8601", False),
        ("yyyy-MM-dd'T'HH:mm:ss", False),
        ("", False),
    ],
)
def test_the_format_of_a_field_of_dates_that_says_no_day_is_told(
    format: str, is_told: bool
) -> None:
    text = (
        CONTRACT.replace("FORMAT", "csv")
        .replace("OPTION", "header: true")
        .replace("{id: {type: string}}", f'{{id: {{type: timestamp, format: "{format}"}}}}')
    )
    _, faults = examine_document(parse_document(text, "c.yaml"), Path())
    assert [fault.code for fault in faults] == ["date-century-guessed"] * is_told


def test_lint_and_auto_loader_know_the_same_options() -> None:
    for format in READER_OPTIONS:
        assert not [
            problem
            for name in option_names(format) | CLOUD_OPTIONS
            for problem in option_problems(format, {name: "true"})
            if "not known for" in problem[0]
        ]
    wrong = {"heder": 1, "header": "perhaps", "cleanSource": "MOVE"}
    assert [fault.message for fault in option_faults("csv", wrong)] == [
        message for message, _, _ in option_problems("csv", wrong)
    ]
