"""A draft says what the data shows, loses no digit and no leading zero, and can be linted as it
is.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamaster_kit.contract import model as m
from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint
from datamaster_kit.contract.publish.draft import (
    contract_text,
    draft,
    sample_models,
    text_type,
    type_reason,
)
from datamaster_kit.contract.read import examine_document

CSV = "account_id,cnpj,email,balance,opened_on,kind\n" + "".join(
    f"{number},{number:014},p{number}@example.com,{number}.50,2024-01-{number % 28 + 1:02},"
    f"{'AB'[number % 2]}\n"
    for number in range(1, 101)
)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with that content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def drafted(path: Path, format: str = "") -> m.Contract:
    """The contract of a draft, which has no errors."""
    contract, faults = examine_document(parse_document(draft(path, format), "draft.yaml"), Path())
    assert (
        contract is not None and [str(fault) for fault in faults if fault.severity == "error"] == []
    )
    return contract


def types(path: Path) -> dict[str, m.DataType]:
    """The types of a draft's fields."""
    return {item.name: item.type for item in drafted(path).models[0].fields}


def test_a_csv_file_becomes_a_typed_draft(tmp_path: Path) -> None:
    model = drafted(written(tmp_path, "account.csv", CSV)).models[0]
    found = {item.name: item.type for item in model.fields}
    assert model.name == "account" and [item.name for item in model.key] == ["account_id"]
    assert found["account_id"] == m.Scalar("long") and found["opened_on"] == m.Scalar("date")
    assert isinstance(found["balance"], m.Scalar) and (
        found["balance"].name,
        found["balance"].scale,
    ) == ("decimal", 2)


def test_a_value_that_was_seen_once_is_none_of_an_enum(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'AB'[number % 2] if number else 'a'}\n" for number in range(100))
    field = drafted(written(tmp_path, "a.csv", f"id,kind\n{rows}")).models[0].field("kind")
    assert field.enum == ("A", "B")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["1.50", "2", "12,50"], "1 of 3 values is no number, e.g. '12,50'"),
        (["007", "8", "9"], "1 of 3 values is written with a leading zero, e.g. '007'"),
        (["2024-01-01", "2024-02-01", "soon"], "1 of 3 values is no date, e.g. 'soon'"),
        (
            ["1", "12345678901234567890"],
            "1 of 2 values is no number of at most 18 digits, e.g. '12345678901234567890'",
        ),
        (["Ana", "Bea"], "no value is a number, a date or a truth value, e.g. 'Ana'"),
        (["1", "2"], ""),
        (["true"], ""),
        (["2024-01-01"], ""),
        ([], "every sampled value is missing"),
    ],
)
def test_a_type_has_its_reason_with_a_value(values: list[str], reason: str) -> None:
    assert type_reason(values, text_type(values)) == reason


@given(st.lists(st.text(alphabet="0123456789-.,:T true", max_size=12), min_size=1, max_size=6))
def test_every_text_has_a_reason_that_names_one_of_its_values(values: list[str]) -> None:
    kind = text_type(values)
    reason = type_reason(values, kind)
    assert (kind != m.STRING) or any(repr(value[:40]) in reason for value in values)


def test_several_files_and_a_folder_become_one_contract_of_a_model_each(tmp_path: Path) -> None:
    for name in ("account.csv", "card.csv"):
        written(tmp_path, name, CSV)
    written(tmp_path, "README.txt", "not data")
    written(tmp_path, ".hidden.csv", CSV)
    text = contract_text(sample_models([tmp_path]))
    assert text == contract_text(sample_models([tmp_path / "account.csv", tmp_path / "card.csv"]))
    contract, faults = examine_document(parse_document(text, "draft.yaml"), Path())
    assert (
        contract is not None
        and [model.name for model in contract.models] == ["account", "card"]
        and not [fault for fault in faults if fault.severity == "error"]
    )
    assert [sample.name for sample in sample_models([tmp_path / "card.csv"], model="cards")] == [
        "cards"
    ]
    with pytest.raises(BadInput, match="cannot all be"):
        sample_models([tmp_path], model="cards")


def test_files_that_one_source_cannot_read_are_refused(tmp_path: Path) -> None:
    first, second = (
        written(tmp_path, "a.csv", CSV),
        written(tmp_path, "b.csv", CSV.replace(",", ";")),
    )
    with pytest.raises(BadInput, match="delimiter"):
        contract_text(sample_models([first, second]))
    word = written(tmp_path, "c.csv", CSV.replace("7.50", "NA"))
    assert (
        'nullValue: "NA"'
        in contract_text(sample_models([first, word]))
        == contract_text(sample_models([first, word]))
    )


def test_the_todos_of_a_draft_are_notes_until_they_are_filled(tmp_path: Path) -> None:
    path = written(tmp_path, "a.odcs.yaml", draft(written(tmp_path, "a.csv", CSV)))
    notes = [fault for fault in lint([str(path)]) if fault.code == "draft-todo"]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(notes) == 10 and all(
        fault.severity == "note" and "# TODO" in lines[fault.line - 1] for fault in notes
    )
    assert notes[1].path == "$.description.purpose"
    path.write_text(
        "\n".join(lines)
        .replace('""  # TODO', '"It is."  # TODO')
        .replace("  # TODO: an identifier that stays", ""),
        encoding="utf-8",
    )
    assert [fault for fault in lint([str(path)]) if fault.code == "draft-todo"] == []


def test_leading_zeros_stay(tmp_path: Path) -> None:
    assert types(written(tmp_path, "account.csv", CSV))["cnpj"] == m.STRING


def test_personal_data_is_marked_and_no_example_of_it_is_written(tmp_path: Path) -> None:
    rows = "".join(f"{number},p{number % 2}@example.com\n" for number in range(100))
    text = draft(written(tmp_path, "person.csv", f"id,email\n{rows}"))
    assert "@example.com" not in text
    assert (
        drafted(written(tmp_path, "person.csv", f"id,email\n{rows}"))
        .models[0]
        .field("email")
        .classification
    )


def test_a_draft_says_what_is_left_to_do_and_lints_without_an_error(tmp_path: Path) -> None:
    text = draft(written(tmp_path, "account.csv", CSV))
    written(tmp_path, "account.odcs.yaml", text)
    assert (
        "TODO" in text
        and [
            str(fault)
            for fault in lint([str(tmp_path / "account.odcs.yaml")])
            if fault.severity == "error"
        ]
        == []
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    contract = drafted(written(tmp_path, "a.csv", CSV.replace(",", delimiter)))
    assert (
        len(contract.models[0].fields) == 6
        and contract.workflow is not None
        and contract.workflow.source.options["delimiter"] == delimiter
    )


def test_a_word_for_nothing_does_not_hide_the_type(tmp_path: Path) -> None:
    assert types(written(tmp_path, "a.csv", "id,delay\n1,5\n2,NA\n3,7\n"))["delay"] == m.Scalar(
        "long"
    )


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "select",
        "x'; DROP TABLE y --",
        "<script>",
        "é",
        "a: b",
        "- a",
        "# a",
        "{a}",
        "yes",
        "1",
        "`",
        '"',
        "\\",
    ],
)
def test_any_column_name_survives(tmp_path: Path, name: str) -> None:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([["id", name], ["1", "a"], ["2", "b"]])
    assert [
        item.name for item in drafted(written(tmp_path, "a.csv", text.getvalue())).models[0].fields
    ] == ["id", name]


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "null",
        "1e5",
        "a: b",
        "# no",
        "- x",
        "'",
        '"',
        "\\",
        "é\u2028",
        "<b>",
        "{x}",
        "007",
        "*a",
        "&a",
        "!x",
        "%",
    ],
)
def test_any_value_survives_as_an_example(tmp_path: Path, value: str) -> None:
    content = "\n".join(json.dumps({"id": number, "word": value}) for number in range(50))
    assert drafted(written(tmp_path, "a.json", content)).models[0].field("word").type == m.STRING


def test_repeated_and_empty_headers_still_make_a_draft_that_lints(tmp_path: Path) -> None:
    assert len(drafted(written(tmp_path, "a.csv", "id,,id,ID\n1,2,3,4\n")).models[0].fields) == 4


@pytest.mark.parametrize("list_of_objects", [True, False])
def test_json_becomes_nested_types(tmp_path: Path, list_of_objects: bool) -> None:
    rows = [
        {"id": 1, "at": "2024-01-01T10:00:00Z", "address": {"city": "x", "phones": [1, 2]}},
        {"id": 2, "at": None, "address": {"city": "y", "phones": []}},
    ]
    content = json.dumps(rows) if list_of_objects else "\n".join(map(json.dumps, rows))
    found = types(written(tmp_path, "a.json", content))
    assert found["id"] == m.Scalar("long") and found["at"] == m.Scalar("timestamp")
    assert isinstance(found["address"], m.Struct) and [
        item.name for item in found["address"].fields
    ] == ["city", "phones"]


def test_decimals_in_json_keep_their_digits(tmp_path: Path) -> None:
    found = types(written(tmp_path, "a.json", '{"amount": 12345678901234.56}\n{"amount": 1.50}\n'))[
        "amount"
    ]
    assert isinstance(found, m.Scalar) and (found.name, found.scale) == ("decimal", 2)


def parquet_file(path: Path) -> Path:
    """A Parquet file of several types."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns: dict[str, Any] = {
        "id": pyarrow.array([1, 2], pyarrow.int64()),
        "amount": pyarrow.array([Decimal("1.50"), None], pyarrow.decimal128(18, 2)),
        "tags": pyarrow.array([["a"], []]),
        "at": pyarrow.array([0, 1], pyarrow.timestamp("us", tz="UTC")),
        "local": pyarrow.array([0, 1], pyarrow.timestamp("us")),
        "day": pyarrow.array([0, 1], pyarrow.date32()),
    }
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    found = types(parquet_file(tmp_path / "payment.parquet"))
    assert found == {
        "id": m.Scalar("long"),
        "amount": m.Scalar("decimal", 18, 2),
        "tags": m.Array(m.Field("element")),
        "at": m.Scalar("timestamp"),
        "local": m.Scalar("timestamp_ntz"),
        "day": m.Scalar("date"),
    }


def delta_folder(folder: Path, **add: Any) -> Path:
    """A Delta table by hand: one commit with a schema, one file."""
    table = folder / "payment"
    (table / "_delta_log").mkdir(parents=True)
    parquet_file(table / "part-0.parquet")
    schema = {
        "type": "struct",
        "fields": [
            {"name": "id", "type": "long", "nullable": False, "metadata": {}},
            {
                "name": "amount",
                "type": "decimal(18,2)",
                "nullable": True,
                "metadata": {"comment": "How much."},
            },
            {
                "name": "tags",
                "type": {"type": "array", "elementType": "string", "containsNull": True},
                "nullable": True,
                "metadata": {},
            },
        ],
    }
    actions = [
        {"metaData": {"id": "x", "schemaString": json.dumps(schema), "partitionColumns": []}},
        {"add": {"path": "part-0.parquet", **add}},
    ]
    (table / "_delta_log" / f"{0:020}.json").write_text(
        "\n".join(map(json.dumps, actions)), encoding="utf-8"
    )
    return table


def test_a_delta_table_keeps_its_types(tmp_path: Path) -> None:
    assert types(delta_folder(tmp_path)) == {
        "id": m.Scalar("long"),
        "amount": m.Scalar("decimal", 18, 2),
        "tags": m.Array(m.Field("element")),
    }


def test_a_delta_log_does_not_lead_outside_its_folder(tmp_path: Path) -> None:
    secret = written(tmp_path, "secret.parquet", "nothing")
    assert list(types(delta_folder(tmp_path, path=f"../{secret.name}"))) == ["id", "amount", "tags"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", ""),
        ("a.json", ""),
        ("a.json", "{"),
        ("a.json", "[1, 2]"),
        pytest.param("a.json", "[" * 100_000),
        pytest.param("a.json", '{"a": ' * 20_000),
        ("a.parquet", "PAR1 no"),
        ("a.csv", b"id\n\xff\xfe\x00"),
        pytest.param("a.csv", "id\n" + '"' + "x" * 200_000 + '"\n'),
        ("a.xlsx", "x"),
        ("a.json", b"\xff\xfe{"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    with pytest.raises(BadInput) as refused:
        draft(written(tmp_path, name, content))
    assert all(fault.message and fault.hint for fault in refused.value.faults)


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("utf-16-le", "UTF-16LE"), ("utf-8-sig", None)],
)
@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "id,name\n1,é\n"), ("a.json", '{"id": 1, "name": "é"}\n')]
)
def test_the_encoding_that_a_file_shows_is_in_its_draft(
    tmp_path: Path, name: str, content: str, codec: str, encoding: str | None
) -> None:
    contract = drafted(written(tmp_path, name, content.encode(codec)))
    assert (
        contract.workflow is not None
        and contract.workflow.source.options.get("encoding") == encoding
    )
    assert [item.name for item in contract.models[0].fields] == ["id", "name"]


def test_an_encoding_that_a_file_does_not_show_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        draft(written(tmp_path, "a.csv", "id,name\n1,é\n".encode("latin-1")))
    assert (
        "byte 10 is not UTF-8" in refused.value.faults[0].message
        and "`encoding:`" in refused.value.faults[0].hint
    )


def test_a_path_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    for name in ("no.csv", "no.json", "no.parquet", "no"):
        with pytest.raises(BadInput):
            draft(tmp_path / name)


def test_a_large_file_is_only_sampled(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("id,name\n")
        file.writelines(f"{number},name{number}\n" for number in range(300_000))
    text = draft(path)
    assert "300000" not in text and "10000" in text.replace(",", "")
