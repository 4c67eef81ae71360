"""What each reader does with every option of files, by the role that the one list gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.model import Field, Scalar
from datamaster_kit.contract.source_options import (
    ARROW_CSV_OPTIONS,
    READER_OPTIONS,
    SourceOption,
    option_names,
    option_problems,
    reader_options,
    value_options,
)
from datamaster_kit.forms.trial.verdicts import rescue_reason
from datamaster_kit.ingest.step import FileSource
from datamaster_kit.targets.readers.auto_loader import auto_loader_options
from datamaster_kit.targets.readers.casts import exact_cast_sql
from datamaster_kit.targets.readers.csv_files import csv_records, profile_csv, spark_csv_options

# a value of each option that is not its default
VALUES = {
    "header": "false",
    "delimiter": ";",
    "sep": ";",
    "quote": "'",
    "escape": "\\",
    "encoding": "windows-1252",
    "nullValue": "NA",
    "emptyValue": "-",
    "comment": "#",
    "lineSep": "\n",
    "multiLine": "true",
    "ignoreLeadingWhiteSpace": "true",
    "ignoreTrailingWhiteSpace": "true",
    "dateFormat": "dd/MM/yyyy",
    "timestampFormat": "dd/MM/yyyy HH:mm",
    "control": {"in": "file", "name": "{stem}.ctl", "count": "records"},
    "keep_envelope": "true",
    "endpoint": "kafka",
}
# a type that an option changes, with a text that is a value of it by the option alone
WRITTEN = {
    "dateFormat": (Scalar("date"), "31/12/2026"),
    "timestampFormat": (Scalar("timestamp"), "31/12/2026 23:59"),
}
EVERY = [
    pytest.param(format, option, id=f"{format}-{option.name}")
    for format, options in READER_OPTIONS.items()
    for option in options
]


def source_of(format: str, options: dict[str, Any]) -> FileSource:
    """Return a source with the options that its readers take."""
    return FileSource(format, "", (Field("id"),), reader_options(format, options))


def test_every_option_has_a_value_here() -> None:
    assert {option.name for options in READER_OPTIONS.values() for option in options} == set(VALUES)


@pytest.mark.parametrize("format, option", EVERY)
def test_lint_takes_every_option_of_the_list(format: str, option: SourceOption) -> None:
    problems = option_problems(format, {option.name: VALUES[option.name]})
    assert not [message for message, _, _ in problems if "not known" in message]
    for form, bad in (("boolean", "perhaps"), ("character", "##")):
        is_refused = bool(option_problems(format, {option.name: bad}))
        assert is_refused or option.form != form


@pytest.mark.parametrize("format, option", EVERY)
def test_a_reader_gets_all_but_the_options_of_the_toolkit(
    format: str, option: SourceOption
) -> None:
    taken = reader_options(format, {option.name: VALUES[option.name]})
    assert bool(taken) == (option.role != "toolkit")


@pytest.mark.parametrize("option", READER_OPTIONS["csv"], ids=lambda option: option.name)
def test_spark_is_told_of_csv_what_is_its_own(option: SourceOption) -> None:
    options = reader_options("csv", {option.name: VALUES[option.name]})
    told = spark_csv_options(options, 1, has_long_records=False)
    plain = spark_csv_options({}, 1, has_long_records=False)
    is_told = told != plain and any(told.get(name) == options[name] for name in options)
    if option.name != "header":  # which is told as the toolkit understands it
        assert is_told == (option.role == "reader")
    assert told["header"] is (option.name != "header")


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_auto_loader_is_told_no_option_of_values_and_none_of_the_toolkit(
    format: str, name: str
) -> None:
    if name not in option_names(format):
        return
    told = auto_loader_options(source_of(format, {name: VALUES[name]}), "/schemas")
    plain = auto_loader_options(source_of(format, {}), "/schemas")
    known = {"sep": "delimiter"}.get(name, name)
    assert known in told or name in option_names(format, "values", "toolkit") | {"lineSep"}
    if name in option_names(format, "values", "toolkit"):
        assert told == plain


def test_every_option_of_values_is_read_by_the_casts_and_judged_by_the_form() -> None:
    names = {name for format in READER_OPTIONS for name in option_names(format, "values")}
    assert names == set(WRITTEN)
    for name, (type, text) in WRITTEN.items():
        options = {name: VALUES[name]}
        assert value_options({**options, "quote": "'"}) == options
        assert exact_cast_sql("text", type, options) != exact_cast_sql("text", type)
        assert rescue_reason(text, type) and not rescue_reason(text, type, options)


# of each option that the toolkit's own reader of csv follows: a file, and its records by the option
READ = {
    "delimiter": (b"a;b\n", [["a", "b"]]),
    "sep": (b"a;b\n", [["a", "b"]]),
    "quote": (b"'a,b',c\n", [["a,b", "c"]]),
    "escape": (b'"a\\"b",c\n', [['a"b', "c"]]),
    "encoding": (b"\x80,c\n", [["\N{EURO SIGN}", "c"]]),
    "comment": (b"# a,b\nc,d\n", [["c", "d"]]),
    "ignoreLeadingWhiteSpace": (b"a, b\n", [["a", "b"]]),
}
# those that say what becomes of a cell, once it is read
OF_CELLS = {"nullValue", "emptyValue", "ignoreTrailingWhiteSpace"}


def test_the_readers_own_options_mean_the_same_to_the_toolkits_own_reader(tmp_path: Path) -> None:
    assert option_names("csv", "reader") == READ.keys() | OF_CELLS
    file = tmp_path / "m.csv"
    for name, (content, records) in READ.items():
        file.write_bytes(content)
        options = reader_options("csv", {name: VALUES[name]})
        assert list(csv_records(file, options)) == records, name
        assert list(csv_records(file, {})) != records, name


def test_the_layout_of_csv_is_found_or_said(tmp_path: Path) -> None:
    assert option_names("csv", "layout") == {"header", "multiLine", "lineSep"}
    file = tmp_path / "m.csv"
    file.write_text("id\n1\n")
    plain = profile_csv(str(file), source_of("csv", {}))
    assert plain.header == ("id",) and not plain.quotes.go_over_lines
    assert profile_csv(str(file), source_of("csv", {"multiLine": "true"})).quotes.go_over_lines
    assert profile_csv(str(file), source_of("csv", {"lineSep": "\n"})) == plain


def test_arrow_is_given_options_that_it_takes_as_spark_does() -> None:
    assert option_names("csv", "reader", "layout") > ARROW_CSV_OPTIONS


def test_an_option_of_another_format_is_left_out() -> None:
    for format in ("parquet", "avro"):
        assert not reader_options(format, {**VALUES, "control": None})
    with pytest.raises(BadInput):
        auto_loader_options(FileSource("csv", "", (Field("id"),), {"heder": "x"}), "/schemas")
