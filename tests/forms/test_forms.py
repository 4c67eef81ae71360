"""The forms without a browser.

Any sequence of actions leaves a contract that reads, a text that undo brings back, and nothing that
HTML would run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.model import Field
from datamaster_kit.contract.odcs.writer import odcs_yaml
from datamaster_kit.contract.publish.diff import diff
from datamaster_kit.contract.read import read_contract
from datamaster_kit.forms.file import versions
from datamaster_kit.forms.file.content import content_of
from datamaster_kit.forms.file.editing import redo_edit, start_editing, undo_edit, with_new_text
from datamaster_kit.forms.file.open_file import OpenFile
from datamaster_kit.forms.file.saving import draft_of, merge_texts
from datamaster_kit.forms.text import (
    checks,
    field_types,
    field_values,
    fields,
    levels,
    models,
    places,
    source,
)
from datamaster_kit.forms.text.questions import (
    ABOUT_QUESTIONS,
    FIELD_QUESTIONS,
    MODEL_QUESTIONS,
    answer_address,
    read_answer,
    with_answer,
)
from datamaster_kit.forms.widgets.checks_panel import DETAIL_LABELS
from datamaster_kit.forms.widgets.contract_form import ContractForm
from datamaster_kit.forms.widgets.source_panel import source_panel

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "contracts").glob("*.yaml"))
}
ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{7*7}}",
    "javascript:alert(1)",
    "</pre><b>bold</b>",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the sample contracts."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    shutil.copy(ROOT / "datamaster.yaml", tmp_path)
    return tmp_path


def widgets(root: Any) -> Iterator[Any]:
    """Yield a widget and all in it."""
    yield root
    for child in getattr(root, "children", ()):
        yield from widgets(child)


def named(form: ContractForm, label: str) -> Any:
    """Return the widget that is seen under a label."""
    return next(
        widget
        for widget in widgets(form.widget)
        if getattr(widget, "description", "") == label and widget.layout.display != "none"
    )


# -- any action, any order
# ------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "account_id",
        "new_name",
        "type",
        "Größe",
        "a b",
        "no",
        "007",
        "1.10",
        "x: y",
        "# z",
        "*a",
        "- b",
        "'",
        '"',
        "{",
        "%",
        "@home",
        "2024-01-01",
        "",
    ]
)


@st.composite
def actions(draw: st.DrawFn) -> tuple[str, Any]:
    """An action of a form on one of its texts."""
    name = draw(
        st.sampled_from(
            [
                "about",
                "model",
                "field",
                "type",
                "key",
                "required",
                "enum",
                "examples",
                "rename",
                "move",
                "copy",
                "remove",
                "add",
                "reference",
                "check",
                "uncheck",
                "period",
                "cron",
                "newest",
                "task",
                "model_add",
                "model_copy",
                "model_rename",
                "model_move",
            ]
        )
    )
    return name, (draw(WORDS), draw(st.integers(0, 30)), draw(st.integers(0, 30)))


def acted(text: str, name: str, said: tuple[str, int, int]) -> str:
    """Return the text after an action; raises DatamasterError where the form would refuse it."""
    word, one, two = said
    content = content_of(text)
    known = places.content_model_names(content)
    if not known or name == "about":
        return with_answer(text, content, ABOUT_QUESTIONS[one % len(ABOUT_QUESTIONS)], word)
    model = known[one % len(known)]
    own = places.model_address(content, model)
    names = places.field_names(content, model)
    at = places.field_address(content, own, names[two % len(names)]) if names else own
    of_model = {
        "model": lambda: with_answer(
            text, content, MODEL_QUESTIONS[two % len(MODEL_QUESTIONS)], word, own
        ),
        "add": lambda: fields.with_fields(text, content, model, (Field(word or "x"),)),
        "model_add": lambda: models.with_model(text, content, word),
        "model_copy": lambda: models.with_model_copy(text, content, model)[0],
        "model_rename": lambda: models.with_renamed_model(text, content, model, word),
        "model_move": lambda: models.with_moved_model(text, content, model, two - 15),
        "period": lambda: levels.with_period(
            text, content, ("retention", "freshness", "availability")[two % 3], f"{one} d"
        ),
        "cron": lambda: levels.with_cron(text, content, "0 30 5 * * ?" if two % 2 else ""),
        "newest": lambda: source.with_newest_by(text, content, model, word),
        "task": lambda: (
            source.with_task(text, content, word, "notebook_task", "/x")
            if two % 2 or not source.tasks_of(content)
            else source.without_task(text, content, 0)
        ),
        "check": lambda: checks.with_added_check(
            text,
            content,
            model,
            checks.FormCheck("rows", operator="mustBeGreaterThan", limit=str(two), name=word),
        ),
        "uncheck": lambda: (
            checks.without_check(text, content, checks.model_checks(content, model)[0])
            if checks.model_checks(content, model)
            else text
        ),
    }
    if name in of_model or not names:
        return of_model.get(name, lambda: text)()
    field = names[two % len(names)]
    return {
        "field": lambda: with_answer(
            text, content, FIELD_QUESTIONS[one % len(FIELD_QUESTIONS)], word, at
        ),
        "type": lambda: field_types.with_type(
            text, content, at, ("long", "decimal(12,3)", "array<string>", "date")[one % 4]
        ),
        "key": lambda: field_values.with_key(text, content, model, field, one % 2 == 0),
        "required": lambda: field_values.with_required(text, content, at, one % 2 == 0),
        "enum": lambda: field_values.with_allowed_values(
            text, content, at, f'"{word}", b'.replace('""', "")
        ),
        "examples": lambda: field_values.with_examples(text, content, at, "0012"),
        "rename": lambda: fields.with_renamed_field(text, content, model, field, word),
        "move": lambda: fields.with_moved_field(text, content, model, field, one - 15),
        "copy": lambda: fields.with_field_copy(text, content, model, field)[0],
        "remove": lambda: (
            fields.without_field(text, content, model, field) if len(names) > 1 else text
        ),
        "reference": lambda: field_values.with_reference(text, content, at, word),
    }[name]()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(CONTRACTS)), st.lists(actions(), min_size=1, max_size=6))
def test_any_actions_leave_a_file_that_reads_and_undo_brings_it_back(
    name: str, steps: list[tuple[str, Any]]
) -> None:
    editing = start_editing(CONTRACTS[name])
    for step, said in steps:
        try:
            editing = with_new_text(editing, acted(editing.text, step, said))
        except DatamasterError:
            continue  # refused with a message: the text stays
        assert content_of(editing.text).is_readable, editing.text
    newest = editing
    while editing.past:
        editing = undo_edit(editing)
    assert editing.text == CONTRACTS[name] and not editing.is_unsaved
    while editing.future:
        editing = redo_edit(editing)
    assert editing.text == newest.text


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(CONTRACTS)),
    st.sampled_from(ABOUT_QUESTIONS),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40),
)
def test_an_answer_reads_back_and_touches_its_own_lines_only(
    name: str, question: Any, given_text: str
) -> None:
    before = CONTRACTS[name]
    content = content_of(before)
    after = with_answer(before, content, question, given_text)
    if not answer_address(content, question):
        assert after == before
        return
    read = read_answer(content_of(after), question)
    if question.kind != "list":
        assert read == given_text.strip() or (not given_text.strip() and read == "")
    kept = set(before.splitlines()) - set(after.splitlines())
    assert len(kept) <= 6, kept


# -- both specifications
# ------------------------------------------------------------------------------


def test_the_same_answers_give_the_same_contract_in_both_specifications(project: Path) -> None:
    contract = read_contract(project / "contracts" / "account.yaml")
    (project / "contracts" / "account.odcs.yaml").write_text(odcs_yaml(contract), encoding="utf-8")
    made = []
    for name in ("account.yaml", "account.odcs.yaml"):
        form = ContractForm(project / "contracts" / name)
        form.file.change(
            lambda text, content: fields.with_fields(
                text,
                content,
                "account",
                (Field("branch_name", field_types.type_of("varchar(40)"), "Of the branch."),),
            )
        )
        form.file.change(
            lambda text, content: field_values.with_key(text, content, "account", "number", True)
        )
        form.file.change(
            lambda text, content: fields.with_renamed_field(
                text, content, "account", "compe_code", "clearing_code"
            )
        )
        form.file.change(
            lambda text, content: levels.with_period(text, content, "retention", "30 d")
        )
        form.file.change(lambda text, content: levels.with_cron(text, content, "0 30 5 * * ?"))
        form.file.change(
            lambda text, content: checks.with_added_check(
                text,
                content,
                "account",
                checks.FormCheck("invalid", "type", detail="CURRENT, SAVINGS", name="kinds"),
            )
        )
        assert not form.file.content.errors, form.file.content.errors
        model = form.file.content.contract.models[0]
        level = form.file.content.contract.service_level("frequency")
        made.append(
            (
                [
                    (
                        field.name,
                        field.type,
                        field.primary_key,
                        field.required,
                        [check.arguments for check in field.quality],
                    )
                    for field in model.fields
                ],
                level.schedule,
            )
        )
    assert made[0] == made[1]


# -- saving
# ------------------------------------------------------------------------------


def test_an_edit_is_one_line_of_difference_and_the_version_is_raised(project: Path) -> None:
    path = project / "contracts" / "account.yaml"
    before = path.read_text(encoding="utf-8")
    form = ContractForm(path)
    named(form, "Owner").value = "Risk Platform"
    form.save.click()
    assert path.read_text(encoding="utf-8") == before.replace(
        "owner: Risk Data\n", "owner: Risk Platform\n"
    ).replace("version: 1.2.0", "version: 1.2.1")
    assert "1.2.0 to 1.2.1" in form.message.value and draft_of(path, project) is None


def test_a_breaking_change_is_flagged_and_raises_the_first_number(project: Path) -> None:
    form = ContractForm(project / "contracts" / "account.yaml")
    form.tab.selected_index = 1
    named(form, "More")
    form.file.change(
        lambda text, content: fields.without_field(text, content, "account", "branch_code")
    )
    assert "breaking change: version 1.2.0 → 2.0.0" in form.state.value
    form.below.selected_index = 1
    assert "branch_code is gone" in form.differences.value
    form.save.click()
    assert read_contract(project / "contracts" / "account.yaml").version == "2.0.0"


def test_a_form_writes_only_inside_the_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "account.yaml"
    shutil.copy(project / "contracts" / "account.yaml", outside)
    (project / "contracts" / "link.yaml").symlink_to(outside)
    for path in (outside, project / "contracts" / "link.yaml"):
        with pytest.raises(DatamasterError, match="not inside"):
            ContractForm(path, project / "datamaster.yaml")
    assert (
        not list(outside.parent.glob("*.draft"))
        and outside.read_bytes() == (project / "contracts" / "account.yaml").read_bytes()
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), max_size=8), st.data())
def test_changes_at_different_places_are_joined_and_at_the_same_place_told(
    lines: list[str], data: st.DataObject
) -> None:
    base = "".join(f"{number} {line}\n" for number, line in enumerate(lines))

    def edited(mark: str, at: set[int]) -> str:
        return "".join(
            f"{number} {line}{mark if number in at else ''}\n" for number, line in enumerate(lines)
        )

    ours, theirs = (data.draw(st.sets(st.integers(0, 7), max_size=3)) for _ in range(2))
    both = merge_texts(base, edited("!", ours), edited("?", theirs))
    touched = [{number for number in place if number < len(lines)} for place in (ours, theirs)]
    if not touched[0] & touched[1] and not any(
        abs(one - other) == 1 for one in touched[0] for other in touched[1]
    ):
        assert not both.conflicts
        wanted = [
            f"{n} {lines[n]}{'!' if n in touched[0] else '?'}"
            for n in range(len(lines))
            if n in touched[0] | touched[1]
        ]
        assert [line for line in both.text.splitlines() if line[-1] in "!?"] == wanted
    if touched[0] & touched[1]:
        assert both.conflicts


# -- untrusted text
# ------------------------------------------------------------------------------


def hostile(contract: str) -> str:
    """Return a contract in which every text that may be any text is an attack."""
    data = parse_document(contract, "").data
    text = contract
    for number, question in enumerate(ABOUT_QUESTIONS):
        if question.name not in ("version", "id", "status"):
            text = with_answer(text, content_of(text), question, ATTACKS[number % len(ATTACKS)])
    model = places.content_model_names(content_of(text))[0]
    for number, name in enumerate(places.field_names(content_of(text), model)):
        address = (*places.model_address(content_of(text), model), "fields", name)
        for question in FIELD_QUESTIONS:
            if question.kind in ("text", "list"):
                text = with_answer(
                    text, content_of(text), question, ATTACKS[number % len(ATTACKS)], address
                )
        text = with_answer(
            text, content_of(text), fields_description(), ATTACKS[number % len(ATTACKS)], address
        )
    assert data
    text = checks.with_added_check(
        text,
        content_of(text),
        model,
        checks.FormCheck("sentence", detail=ATTACKS[0], name=ATTACKS[1]),
    )
    text = source.with_task(text, content_of(text), ATTACKS[1], "notebook_task", ATTACKS[0])
    return levels.with_period(text, content_of(text), "retention", ATTACKS[0])


def fields_description() -> Any:
    """Return the question for a field's description."""
    from datamaster_kit.forms.text.questions import DESCRIPTION_QUESTION

    return DESCRIPTION_QUESTION


def test_no_text_of_a_contract_becomes_html(project: Path) -> None:
    from ipywidgets import HTML, Button, HTMLMath, Label

    path = project / "contracts" / "account.yaml"
    path.write_text(hostile(path.read_text(encoding="utf-8")), encoding="utf-8")
    form = ContractForm(path)
    for at in range(len(form.tabs)):
        form.tab.selected_index = at
        for press in [
            widget
            for widget in widgets(form.widget)
            if isinstance(widget, Button)
            and widget.description in ("More", "Edit", "Show the first rows")
        ][:4]:
            press.click()
        for below in range(3):
            form.below.selected_index = below
        for widget in widgets(form.widget):
            assert not getattr(widget, "description_allow_html", False)
            if isinstance(widget, HTML | HTMLMath):
                found = re.sub(r"<style>.*?</style>", "", widget.value, flags=re.S)
                assert not re.search(r"<(script|img|svg|b>|iframe|object)", found, re.I), found
                assert not re.search(r"<[^>]+\son\w+\s*=", found, re.I), found
            assert not isinstance(widget, Label), "a Label typesets mathematics"


# -- large contracts
# ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contract of 100 models with 50 fields each."""
    lines = [
        "dataContractSpecification: 1.1.0",
        "id: urn:large",
        "info:",
        "  title: Large",
        "  version: 1.0.0",
        "  owner: Team",
        "models:",
    ]
    for model in range(100):
        lines += [
            f"  model_{model}:",
            "    type: table",
            f"    description: Model {model}.",
            "    fields:",
        ]
        lines += [
            line
            for field in range(50)
            for line in (
                f"      field_{field}:",
                "        type: string",
                f"        description: The field {field}.",
                "        maxLength: 80",
                *(["        primaryKey: true"] if field == 0 else []),
            )
        ]
    path = tmp_path_factory.mktemp("large") / "large.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_large_contract_makes_what_is_shown_and_no_more(large: Path) -> None:
    began = time.process_time()
    form = ContractForm(large)
    form.tab.selected_index = 1
    seconds, count = time.process_time() - began, sum(1 for _ in widgets(form.widget))
    print(f"opened in {seconds:.2f} s of processor time, {count} widgets")
    assert count < 400
    assert not form.file.wait_for_examination().errors
    named(form, "Description of field 2").value = "Another meaning."
    assert (
        "Another meaning." in form.file.editing.text
        and len(form.file.wait_for_examination().contract.models) == 100
    )
    named(form, "Later fields").click()
    assert named(form, "Name of field 1").value == "field_15"


# -- what a sceptical reader tried
# ------------------------------------------------------------------------------


def opened_form(folder: Path, text: str, name: str = "tried.yaml") -> ContractForm:
    """Return the form of a text in a project's folder."""
    (folder / name).write_bytes(text.encode())
    return ContractForm(folder / name, folder / "datamaster.yaml")


def changed_lines(form: ContractForm) -> set[str]:
    """Return the lines of a form that its file does not have."""
    return set(form.file.editing.text.splitlines()) - set(form.file.editing.saved.splitlines())


HEAD = (
    "dataContractSpecification: 1.1.0\nid: urn:tried\ninfo:\n  title: Tried\n  version: 1.0.0\n  "
    "owner: Risk  # who answers\n"
)
TWO = (
    HEAD
    + """models:
  holder:
    type: table
    fields:
      id: {type: string, required: true}
      card_id: {type: string, references: card.id}
      tags: {type: array, items: {type: string}}
    quality:
    - {id: r1, type: library, metric: duplicateValues, arguments: {properties: [id, card_id]}, \
mustBe: 0, unit: rows, dimension: uniqueness}
  card:
    type: table
    fields:
      id: {type: string, required: true, primaryKey: true}
      at: {type: timestamp}
servicelevels:
  freshness: {threshold: 25h, timestampField: card.at}
workflow:
  model: card
  latest_by: {card: at}
"""
)


def test_a_value_that_is_typed_anew_keeps_its_line_and_its_comment(project: Path) -> None:
    form = opened_form(project, TWO)
    for typed in ("", "F", "Fraud"):
        named(form, "Owner").value = typed
    assert (
        form.file.editing.text == TWO.replace("owner: Risk  #", "owner: Fraud  #")
        and len(form.file.editing.past) == 1
    )
    named(form, "Owner").value = "Risk"
    assert form.file.editing.text == TWO and not form.file.editing.past


def test_changes_of_two_controls_are_two_steps(project: Path) -> None:
    form = opened_form(project, TWO)
    form.tab.selected_index = 1
    named(form, "More").click()
    named(form, "Allowed values").value = "a, b"
    named(form, "Refers to").value = "card.id"
    form.undo.click()
    assert "enum: [a, b]" in form.file.editing.text and named(form, "Refers to").value == ""


def test_a_new_name_is_followed_by_service_levels_and_rules(project: Path) -> None:
    form = opened_form(project, TWO)
    form.file.change(
        lambda text, content: fields.with_renamed_field(text, content, "card", "at", "changed_at")
    )
    form.file.change(
        lambda text, content: fields.with_renamed_field(text, content, "holder", "card_id", "card")
    )
    form.file.change(
        lambda text, content: models.with_renamed_model(text, content, "card", "plastic")
    )
    said = form.file.editing.text
    assert (
        "timestampField: plastic.changed_at" in said
        and "properties: [id, card]" in said
        and "model: plastic\n  latest_by: {plastic: changed_at}" in said
    )
    assert not form.file.content.errors


def test_what_a_rule_says_beside_the_choices_stays(project: Path) -> None:
    form = opened_form(project, TWO)
    form.tab.selected_index = 2
    named(form, "Edit").click()
    named(form, "Number").value = "3"
    named(form, "Save rule").click()
    assert form.file.editing.text == TWO.replace("mustBe: 0", "mustBe: 3")
    named(form, "Edit").click()
    named(form, "Field").value = "id"
    named(form, "Save rule").click()
    assert "id: r1" in form.file.editing.text and "dimension: uniqueness" in form.file.editing.text


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("array<long>", "tags: {type: array, items: {type: long}}"),
        ("string", "tags: {type: string}"),
    ],
)
def test_the_items_of_a_list_follow_its_type(project: Path, given: str, wanted: str) -> None:
    form = opened_form(project, TWO)
    form.tab.selected_index = 1
    named(form, "Type of field 3").value = given
    assert changed_lines(form) == {f"      {wanted}"} and not form.file.content.faults


def test_emptying_what_a_field_says_leaves_the_field(project: Path) -> None:
    form = opened_form(
        project, HEAD + "models:\n  card:\n    fields:\n      id: {description: only}\n"
    )
    form.tab.selected_index = 1
    named(form, "Description of field 1").value = ""
    assert places.field_names(form.file.content, "card") == ("id",)
    form.file.change(lambda text, content: fields.without_field(text, content, "card", "id"))
    assert places.content_model_names(form.file.content) == ("card",)


ODCS = """apiVersion: v3.2.0
kind: DataContract
id: urn:tried
name: Tried
version: 1.0.0
status: draft
team: [{username: ana@example.com}]
schema:
- name: card
  properties:
  - {name: id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: "1"}
  - name: kind
    logicalType: string
    customProperties: [{property: enum, value: [A, B]}]
    relationships:
    - {type: foreignKey, to: card.id, description: kept}
    - {type: foreignKey, to: kind.id}
"""


def test_a_part_in_another_form_is_refused_and_not_replaced(project: Path) -> None:
    form = opened_form(project, ODCS)
    named(form, "Owner").value = "Risk"
    assert form.file.editing.text == ODCS and any(
        "$.team is a list" in str(getattr(widget, "value", "")) for widget in widgets(form.widget)
    )
    form.tab.selected_index = 1
    named(form, "Field 2 is part of the key").value = True
    assert field_values.model_key(form.file.content, "card") == ("id", "kind")


def test_the_other_relationships_and_the_place_of_allowed_values_stay(project: Path) -> None:
    form = opened_form(project, ODCS)
    at = ("schema", 0, "properties", 1)
    form.file.change(
        lambda text, content: field_values.with_reference(text, content, at, "card.number")
    )
    form.file.change(
        lambda text, content: field_values.with_allowed_values(text, content, at, "A, B, C")
    )
    assert form.file.editing.text == ODCS.replace("to: card.id,", "to: card.number,").replace(
        "[A, B]", "[A, B, C]"
    )
    form.file.change(lambda text, content: field_values.with_allowed_values(text, content, at, ""))
    assert field_values.allowed_values(form.file.content, at) == ""


def test_a_badge_says_saved_only_of_what_is_on_the_disk(project: Path) -> None:
    form = opened_form(project, TWO)
    assert ">saved<" in form.state.value and form.again.layout.display == "none"
    form.file.path.write_text(TWO + "# theirs\n", encoding="utf-8")
    form.refresh()
    assert "changed on disk since" in form.state.value and ">saved<" not in form.state.value
    form.again.click()
    assert ">saved<" in form.state.value and form.file.editing.text.endswith("# theirs\n")
    form.file.path.unlink()
    form.refresh()
    assert "gone from the disk" in form.state.value and ">saved<" not in form.state.value


def test_whatever_goes_wrong_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = opened_form(project, TWO)
    monkeypatch.setattr(form.file, "change", lambda *_: {}["gone"])
    named(form, "Owner").value = "Fraud"
    assert any("KeyError" in str(getattr(widget, "value", "")) for widget in widgets(form.widget))
    form = opened_form(
        project, HEAD + 'models:\n  card: {fields: {id: {type: string}, "a\\nb": {type: string}}}\n'
    )
    form.tab.selected_index = 2
    assert any(
        "once the errors are mended" in str(getattr(widget, "value", ""))
        for widget in widgets(form.widget)
    )


def test_a_contract_without_a_model_says_what_to_do(project: Path) -> None:
    form = opened_form(project, HEAD)
    form.tab.selected_index = 1
    named(form, "Add field").click()
    assert form.file.editing.text == HEAD and any(
        "Add model" in str(getattr(widget, "value", "")) for widget in widgets(form.widget)
    )
    named(form, "New model").value = "card"
    named(form, "Add model").click()
    named(form, "Description").value = "One row a card."
    assert (
        form.file.editing.text.index("info:") < form.file.editing.text.index("models:")
        and "description: One row a card." in form.file.editing.text
    )
    with pytest.raises(DatamasterError, match="there is no file"):
        ContractForm(project / "contracts" / "acount.yaml", project / "datamaster.yaml")


def test_a_line_that_an_editor_would_break_is_not_broken_by_a_merge() -> None:
    base = "title: a\u2028b\x0cc\nowner: x\n\nversion: 1\n"
    both = merge_texts(
        base, base.replace("owner: x", "owner: y"), base.replace("version: 1", "version: 2")
    )
    assert both.text == base.replace("owner: x", "owner: y").replace("version: 1", "version: 2")


def test_taking_theirs_leaves_their_file(project: Path) -> None:
    form = opened_form(project, TWO)
    named(form, "Owner").value = "Mine"
    theirs = TWO.replace("owner: Risk", "owner: Theirs")
    form.file.path.write_text(theirs, encoding="utf-8")
    form.save.click()
    next(
        widget
        for widget in form.choices.children
        if getattr(widget, "description", "").startswith("Take theirs")
    ).click()
    assert form.file.path.read_text(encoding="utf-8") == theirs and not form.is_unsaved


def test_a_draft_that_waits_is_not_lost_by_another_edit_nor_read_from_elsewhere(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    opened_form(project, TWO).file.change(
        lambda text, content: levels.with_period(text, content, "freshness", "26h")
    )
    form = ContractForm(project / "tried.yaml", project / "datamaster.yaml")
    assert "was kept" in form.draft.value and "threshold: 26h" in form.draft.value
    named(form, "Owner").value = "Other"
    assert "waits for your answer" in form.draft.value
    form.save.click()
    named(form, "Go on with it").click()
    assert not form.draft.value
    assert named(form, "Owner").value == "Other" and "threshold: 26h" in form.file.editing.text
    shutil.rmtree(project / ".datamaster")
    (project / ".datamaster").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    form = ContractForm(project / "tried.yaml", project / "datamaster.yaml")
    assert "not inside" in form.message.value
    named(form, "Owner").value = "Fraud"
    assert "kept as a draft" not in form.state.value and not list(
        (project / ".datamaster").iterdir()
    )


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_a_new_rule_of_every_kind_is_no_fault_and_undo_takes_its_message(
    project: Path, name: str
) -> None:
    form = ContractForm(project / "contracts" / name)
    if not places.content_model_names(form.file.content):
        return
    form.tab.selected_index = 2
    field = places.field_names(form.file.content, form.file.content.contract.models[0].name)[0]
    details = {
        "missing": "",
        "invalid": "1, 2",
        "pattern": "x",
        "duplicates": "",
        "rows": "",
        "sql": f"{field} IS NOT NULL",
        "sentence": "It holds.",
    }
    for kind, detail in details.items():
        named(form, "Add rule").click()
        named(form, "What is counted").value = kind
        if kind != "rows":
            named(form, "Field").value = field
        if detail:
            named(form, DETAIL_LABELS[kind]).value = detail
        named(form, "Add rule").click()
        assert form.is_unsaved and not form.file.content.errors, (kind, form.file.content.errors)
        form.undo.click()
        assert not form.is_unsaved and not any(
            "Added" in str(getattr(widget, "value", "")) for widget in widgets(form.widget)
        )


def test_an_empty_list_that_was_filled_and_emptied_again_stays(project: Path) -> None:
    form = ContractForm(project / "contracts" / "account.yaml")
    form.tab.selected_index = 5
    for typed in ("ana@example.com", ""):
        named(form, "When a run starts").value = typed
    assert not form.is_unsaved


def test_undo_stays_at_the_model_that_was_named_anew_and_shows_what_a_field_is_now(
    project: Path,
) -> None:
    form = opened_form(project, TWO)
    form.tab.selected_index = 1
    named(form, "Model").value = "card"
    next(
        widget for widget in widgets(form.widget) if getattr(widget, "description", "") == "Name"
    ).value = "plastic"
    form.undo.click()
    assert named(form, "Model").value == "card" and not form.is_unsaved
    named(form, "More").click()
    assert not any(
        getattr(widget, "description", "") == "Its members" and widget.layout.display != "none"
        for widget in widgets(form.widget)
    )
    form.file.change(
        lambda text, content: text.replace(
            "id: {type: string, required: true, primaryKey: true}",
            "id: {type: struct, fields: {a: {type: string}}}",
        )
    )
    assert named(form, "Its members")


@pytest.mark.parametrize("text", ["", "# to be written\n", "---"])
def test_an_empty_file_says_so_and_becomes_a_new_contract_in_place(
    project: Path, text: str
) -> None:
    form = opened_form(project, text)
    assert (
        "The file is empty" in form.unreadable.value
        and "datamaster contract new" in form.unreadable.value
        and form.tab.layout.display == "none"
        and form.begin.layout.display is None
    )
    form.begin.click()
    assert (
        form.unreadable.value == ""
        and form.begin.layout.display == form.again.layout.display == "none"
        and form.tab.layout.display is None
    )
    assert form.file.editing.text.startswith(text) and {
        fault.code for fault in form.file.content.faults
    } == {"no-model"}
    named(form, "Title").value = "Tried"
    form.tab.selected_index = 1
    named(form, "New model").value = "card"
    named(form, "Add model").click()
    form.save.click()
    assert read_contract(form.file.path).name == "Tried" and [
        model.name for model in read_contract(form.file.path).models
    ] == ["card"]
    while form.file.editing.past:
        form.undo.click()
    assert form.file.editing.text == text and "The file is empty" in form.unreadable.value


def test_a_file_that_is_no_yaml_shows_the_line_and_column_and_is_opened_again_once_it_is_mended(
    project: Path,
) -> None:
    form = opened_form(project, "info:\n  title: Tried: once\n  <b>: [1\n")
    assert (
        "column 15: mapping values are not allowed" in form.unreadable.value
        and "&gt;    2   title: Tried: once" in form.unreadable.value
    )
    assert (
        "<b>" not in form.unreadable.value
        and "Open the file again" in form.unreadable.value
        and form.begin.layout.display == "none"
    )
    form.file.path.write_text(TWO, encoding="utf-8")
    form.again.click()
    assert (
        form.unreadable.value == ""
        and form.tab.layout.display is None
        and named(form, "Title").value == "Tried"
    )
    form = opened_form(project, "a contract in words\n", "words.yaml")
    assert "one value" in form.unreadable.value and "key: value" in form.unreadable.value
    (project / "latin.yaml").write_bytes("id: x\nname: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(BadInput) as raised:
        ContractForm(project / "latin.yaml", project / "datamaster.yaml")
    assert (raised.value.faults[0].code, raised.value.faults[0].line) == ("yaml-not-utf8", 2)


def test_what_is_unsaved_is_compared_with_the_file_once_a_change(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, compared = opened_form(project, TWO), list[str]()
    form.below.selected_index = 1
    monkeypatch.setattr(
        versions, "diff", lambda before, after: compared.append(after.name) or diff(before, after)
    )
    named(form, "Title").value = "Named anew"
    assert (
        compared == ["Named anew"]
        and "cosmetic change" in form.state.value
        and "Named anew" in form.differences.value
    )


# -- in a workspace's Git folder
# ------------------------------------------------------------------------------

WATCHED = """
import os, sys
from pathlib import Path

written, watching = set(), []
CHANGES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "os.utime",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def watch(event, values):
    if not watching:
        return
    if event == "open" and isinstance(values[0], str) and values[2] & WRITING:
        written.add(values[0])
    if event in CHANGES:
        written.update(value for value in values[:2] if isinstance(value, str))

sys.addaudithook(watch)
from datamaster_kit.forms.widgets.contract_form import ContractForm
from datamaster_kit.forms.widgets.project_form import ProjectForm


watching.append(True)
form = ContractForm("contracts/consents.yaml")
for tab in range(len(form.tabs)):
    form.tab.selected_index = tab
for below in range(3):
    form.below.selected_index = below
form.tab.selected_index = 0
def widgets(root):
    yield root
    for child in getattr(root, "children", ()):
        yield from widgets(child)
title = next(
    widget for widget in widgets(form.widget) if getattr(widget, "description", "") == "Title"
)
title.value = "Named in a notebook"
form.save.click()
ProjectForm("datamaster.yaml")
watching.clear()
assert {widget._model_module for widget in widgets(form.widget)} <= {
    "@jupyter-widgets/base",
    "@jupyter-widgets/controls",
    "@jupyter-widgets/output",
}
print(*sorted({str(Path(path).resolve()) for path in written if path != os.devnull}), sep="\\n")
"""


def test_a_form_in_a_folder_whose_parents_nobody_may_write_to_saves_and_writes_only_in_its_project(
    tmp_path: Path,
) -> None:
    home = tmp_path / "Workspace" / "Users"
    project = home / "ana" / "lake"
    shutil.copytree(ROOT / "contracts", project / "contracts")
    shutil.copy(ROOT / "datamaster.yaml", project)
    for folder in (home, home / "ana"):
        folder.chmod(0o555)
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path / "nowhere"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    for folder in (home / "ana", home):
        folder.chmod(0o755)
    assert ended.returncode == 0, ended.stderr
    paths = [Path(line) for line in ended.stdout.splitlines()]
    assert project / "contracts" / "consents.yaml" in paths and all(
        path.is_relative_to(project) for path in paths
    ), paths
    assert "Named in a notebook" in (project / "contracts" / "consents.yaml").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    "begun",
    [
        "",
        "  compute: serverless\n",
        "  compute: {kind: job_cluster, policy: Small}\n",
        "  compute: {workers: 3}  # ours\n",
    ],
)
@pytest.mark.parametrize("specification", ["dcs", "odcs"])
def test_what_a_contracts_jobs_run_on_is_asked_and_reads_back_as_it_was_given(
    tmp_path: Path, begun: str, specification: str
) -> None:
    text = (
        f"dataContractSpecification: 1.1.0\nid: urn:c\ninfo: {{title: C, version: 1.0.0}}\n"
        f"models:\n  m:\n    fields:\n      id: {{type: string}}\nworkflow:\n  source: {{type: "
        f"adls, format: csv}}\n{begun}"
    )
    if specification == "odcs":
        lines = (
            text.partition("workflow:\n")[2].replace("  ", "      ", 1).replace("\n  ", "\n      ")
        )
        text = (
            "apiVersion: v3.1.0\nkind: DataContract\nid: urn:c\nname: C\nversion: 1.0.0\n"
            "status: active\nschema:\n  - name: m\n    properties:\n      - {name: id, "
            "logicalType: string}\n"
            f"customProperties:\n  - property: workflow\n    value:\n{lines}"
        )
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    file = OpenFile(tmp_path / "c.yaml", tmp_path)
    panel = source_panel(file, None)
    file.listeners.append(panel.refresh)
    inputs = {
        box.children[0].description: box.children[0]
        for box in panel.box.children
        if len(getattr(box, "children", ())) == 2 and hasattr(box.children[0], "description")
    }

    def said() -> dict[str, Any]:
        contract = file.content.contract
        assert contract is not None and contract.workflow is not None
        return dict(contract.workflow.compute)

    before = said()
    inputs["Its jobs run on"].value = "job_cluster"
    inputs["Node type"].value = "Standard_D8ds_v5"
    inputs["Workers"].value = "{min: 1, max: 8}"
    inputs["Photon"].value = True
    assert said() == {
        **before,
        "kind": "job_cluster",
        "node_type": "Standard_D8ds_v5",
        "workers": {"min": 1, "max": 8},
        "photon": True,
    }
    for name, empty in (("Node type", ""), ("Workers", ""), ("Photon", False), ("Policy", "")):
        inputs[name].value = empty
    assert said() == {"kind": "job_cluster"}
    inputs["Its jobs run on"].value = ""
    assert said() == {}
