"""An edit changes what it was asked to change and not one character more.

A new contract is one that lints.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract import model as m
from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.edit.edit import REMOVE, apply_yaml_edits
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.publish.new import ContractAnswers, new_contract
from datamaster_kit.contract.read import examine_document

ROOT = Path(__file__).resolve().parents[2]
TEXT = """\
# The accounts.
dataContractSpecification: 1.1.0   # the version
id: 'urn:a'
info:
    title: "Accounts"        # quoted
    version: 1.10
    on: no

models:
    account:
        fields:
            account_id: {type: long, required: true}   # flow
            status:
                type: string
                enum: [open, closed]
                description: >
                    Whether it is open,
                    or not.
    # the end of the models
tags:
- a
- 'b'   # second
"""


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    found = [
        line
        for line in difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
        if line[0] in "+-"
    ]
    return [line[2:] for line in found if line[0] == "-"], [
        line[2:] for line in found if line[0] == "+"
    ]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "contracts").glob("*.yaml")), ids=lambda path: path.name
)
def test_no_edit_changes_no_character_of_a_sample_contract(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert apply_yaml_edits(text, {}) == text


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.rstrip("\n"),
        pytest.param("---\n" + TEXT),
        TEXT + "\n\n",
        pytest.param("\n\n" + TEXT),
        "a: 1\n",
        "a:\n- 1\n- 2\n",
        "a:\n  - b: 1\n    c: 2\n",
        "a:   1\n",
        "a: |\n  one\n\n  two\nb: 1\n",
        pytest.param("a: 0x1F\nb: 1_000\nc: ~\nd:\ne: 2024-01-01\n"),
        "long: " + "word " * 60 + "end\n",
        "a: 'it''s'\n",
        "a: {b: 1, c: [1, 2]}\n",
        "\ta: 1\n".replace("\t", ""),
        "a: 1 \nb: 2\n",
        "é: ü\n",
        "- a: 1\n".replace("- ", ""),
    ],
)
def test_no_edit_changes_no_character(text: str) -> None:
    assert apply_yaml_edits(text, {}) == text


@pytest.mark.parametrize(
    ("path", "value", "gone", "come"),
    [
        (("info", "version"), "2.0.0", "    version: 1.10\n", "    version: 2.0.0\n"),
        (("info", "title"), "Cards", '    title: "Accounts"        # quoted\n', None),
        (
            ("models", "account", "fields", "status", "type"),
            "varchar(5)",
            "                type: string\n",
            "                type: varchar(5)\n",
        ),
        (("tags", 1), "c", "- 'b'   # second\n", None),
        (
            ("models", "account", "fields", "account_id", "required"),
            False,
            "            account_id: {type: long, required: true}   # flow\n",
            None,
        ),
    ],
)
def test_one_edit_is_one_line(
    path: tuple[Any, ...], value: Any, gone: str, come: str | None
) -> None:
    after = apply_yaml_edits(TEXT, {path: value})
    went, came = changed_lines(TEXT, after)
    assert went == [gone] and len(came) == 1 and (come is None or came == [come])
    assert ("#" in gone) == ("#" in came[0])


def test_windows_line_ends_stay() -> None:
    after = apply_yaml_edits(TEXT.replace("\n", "\r\n"), {("info", "version"): "2.0.0"})
    assert after.count("\r\n") == after.count("\n") == TEXT.count("\n")


def test_a_value_is_removed_with_its_line_and_a_list_grows_at_its_end() -> None:
    assert changed_lines(TEXT, apply_yaml_edits(TEXT, {("info", "version"): REMOVE})) == (
        ["    version: 1.10\n"],
        [],
    )
    assert changed_lines(TEXT, apply_yaml_edits(TEXT, {("tags", 2): "c"})) == ([], ["- c\n"])
    assert changed_lines(TEXT, apply_yaml_edits(TEXT, {("info", "owner"): "Risk"})) == (
        [],
        ["    owner: Risk\n"],
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a  b", "a b"),
        pytest.param("a b", "a  b"),
        ("a b ", "a b"),
        ("a", "a "),
    ],
)
def test_an_edit_of_blanks_inside_a_value_is_made(before: str, after: str) -> None:
    assert parse_document(apply_yaml_edits(f"a: '{before}'\nb: 1\n", {("a",): after}), "").data == {
        "a": after,
        "b": 1,
    }


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(
            st.characters(
                blacklist_categories=("Cs", "Cc"),
                blacklist_characters="\u2028\u2029\ufeff\ufffe\uffff\x85",
            ),
            max_size=40,
        ),
        st.integers(-(10**9), 10**9),
        st.booleans(),
    )
)
def test_any_value_that_is_set_is_read_back(value: Any) -> None:
    assert (
        parse_document(apply_yaml_edits(TEXT, {("info", "title"): value}), "").data["info"]["title"]
        == value
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            "no",
            "on",
            "yes",
            "1.10",
            "0x1F",
            "1e5",
            "2024-01-01",
            "null",
            "~",
            "12:30",
            "007",
            "",
            " ",
            "- a",
            "a: b",
            "# a",
            "@a",
            "true",
            "two\nlines",
            "*a",
            "&a",
            "!a",
        ]
    )
)
def test_texts_that_look_like_something_else_stay_texts(value: str) -> None:
    assert (
        parse_document(
            apply_yaml_edits(TEXT, {("info", "title"): value, ("tags", 2): value}), ""
        ).data["tags"][2]
        == value
    )


@pytest.mark.parametrize("path", [("tags", 9), ("info", "title", "x"), ("tags", "x")])
def test_a_path_that_leads_nowhere_is_a_fault(path: tuple[Any, ...]) -> None:
    with pytest.raises(BadInput) as refused:
        apply_yaml_edits(TEXT, {path: 1})
    assert refused.value.faults[0].path.startswith("$")


@pytest.mark.parametrize(
    "text",
    [
        "a: [1\n",
        "a: 1\na: 2\n",
        "a: !!python/object/apply:os.system ['ls']\n",
        "a: &a [*a]\n",
        "- 1\n",
    ],
)
def test_a_file_that_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        apply_yaml_edits(text, {})


def made(**more: str) -> m.Contract:
    """The contract of some answers, which has no errors."""
    answers = {
        "identifier": "urn:risk:card",
        "title": "Cards",
        "owner": "Risk",
        "model": "card",
        "fields": "card_id:long,limit:decimal(18,2)",
        **more,
    }
    contract, faults = examine_document(
        parse_document(new_contract(ContractAnswers(**answers)), "card.yaml"), Path()
    )
    assert (
        contract is not None and [str(fault) for fault in faults if fault.severity == "error"] == []
    )
    return contract


def test_a_few_answers_make_a_contract() -> None:
    contract = made(schedule="0 30 5 * * ?")
    assert [(item.name, item.type, item.primary_key) for item in contract.models[0].fields] == [
        ("card_id", m.Scalar("long"), 1),
        ("limit", m.Scalar("decimal", 18, 2), 0),
    ]
    assert contract.workflow is not None and contract.workflow.source.format == "csv"
    level = contract.service_level("frequency")
    assert level is not None and level.schedule == "0 30 5 * * ?"


@pytest.mark.parametrize(
    "kind",
    [
        "array<string>",
        pytest.param("map<string, decimal(10,2)>"),
        "struct<city: string, zip: int>",
        pytest.param("struct<a: int, b: decimal(10,2)>"),
        pytest.param("struct<a: map<string, array<int>>, b: int>"),
    ],
)
def test_nested_fields_are_understood(kind: str) -> None:
    from datamaster_kit.contract.sql.sqltype import parse_sql_type, sql_type

    contract = made(fields=f"id:long,part:{kind},last:date")
    assert [item.name for item in contract.models[0].fields] == ["id", "part", "last"]
    assert sql_type(contract.models[0].field("part").type) == sql_type(parse_sql_type(kind))


@pytest.mark.parametrize(
    "text",
    [
        "a: b",
        "# x",
        '"',
        "'",
        "\\",
        "yes",
        "1.10",
        "- a",
        "<script>",
        "a\nid: other",
        "{x}",
        "é",
        "*a",
        "!x",
        "x\u2028y",
    ],
)
def test_any_title_and_owner_survive(text: str) -> None:
    contract = made(title=text, owner=text)
    assert contract.name == text and contract.team.name == text and contract.id == "urn:risk:card"


def test_every_answer_that_cannot_be_used_is_named() -> None:
    with pytest.raises(BadInput) as refused:
        new_contract(
            ContractAnswers("", "", "Risk", "card", "a b:long,c:nonsense", "xlsx", "often")
        )
    assert len(refused.value.faults) >= 5
