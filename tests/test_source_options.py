"""What a contract says of its files is checked before a file is read."""
from __future__ import annotations

from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.read import examined
from datamaster_kit.contract.source_options import CLOUD_OPTIONS, READER_OPTIONS, option_problems, reader_options
from datamaster_kit.target.auto_loader import option_faults

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
    _, faults = examined(parse_document(CONTRACT.replace("FORMAT", format).replace("OPTION", option), "c.yaml"), Path())
    return [fault for fault in faults if fault.code.startswith("source-option")]


@pytest.mark.parametrize("option, hint", [
    ("delimeter: ';'", "delimiter"), ("encoding: klingon", "UTF-8"), ("header: maybe", "true or false"), ("encoding: utf-7x", "utf"), ("quote: '\"\"'", ""), ("comment: '//'", ""), ("delimiter: ''", "';'"),
    ("multiline: true", "multiLine"), ("nulValue: x", "nullValue"), ("Header: true", "header"), ("encoding: hex", ""), ("lineSep: abc", ""), ("lineSep: '|'", "leave it out"), ("multiLine: 1", "true or false"), ("comment: ','\n    delimiter: ','", ""),
])
def test_an_unknown_or_impossible_option_is_a_fault_with_its_line_and_the_nearest_known(option: str, hint: str) -> None:
    (fault,) = faults_of(option)
    assert fault.code == "source-option" and fault.severity == "error" and fault.line >= 10 and hint.lower() in fault.hint.lower()


def test_an_option_of_another_format_is_a_warning_and_is_not_given_to_a_reader() -> None:
    (fault,) = faults_of("header: true", "json")
    assert fault.code == "source-option-unused" and fault.severity == "warning"
    assert reader_options("json", {"header": True, "multiLine": True}) == {"multiLine": True}


@pytest.mark.parametrize("option", ["header: 'false'", "delimiter: '\\t'", "sep: '|'", "encoding: latin-1", "encoding: Windows-1252", "encoding: utf8", "quote: ''", "delimiter: '||'", "lineSep: '\\r\\n'", "maxFilesPerTrigger: 10",
                                    "dateFormat: dd/MM/yyyy", "dateFormat: yyyyMMdd", "dateFormat: yyyyDDD", "timestampFormat: \"yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX\"", "timestampFormat: dd/MM/yyyy hh:mm a", "dateFormat: d 'de' MMMM 'de' yyyy",
                                    "maxBytesPerTrigger: 10g", "backfillInterval: 1 day", "nullValue: 'null'", "quote: ''\n    delimiter: '\"'"])
def test_an_option_as_people_write_it_is_no_fault(option: str) -> None:
    assert not faults_of(option)


def test_lint_and_auto_loader_know_the_same_options() -> None:
    for format, known in READER_OPTIONS.items():
        assert not [problem for name in known | CLOUD_OPTIONS for problem in option_problems(format, {name: "true"}) if "not known for" in problem[0]]
    wrong = {"heder": 1, "header": "perhaps", "cleanSource": "MOVE"}
    assert [fault.message for fault in option_faults("csv", wrong)] == [message for message, _, _ in option_problems("csv", wrong)]
