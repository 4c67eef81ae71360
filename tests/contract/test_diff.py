"""What changed between two versions of a contract is said, all of it, and how much it matters to
those who read the data.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract import model as m
from datamaster_kit.contract.publish.diff import diff
from datamaster_kit.contract.read import read_contract

ROOT = Path(__file__).resolve().parents[2]
OTHER: dict[str, Any] = {
    "type": m.Scalar("date"),
    "description": "other",
    "title": "other",
    "required": True,
    "unique": True,
    "primary_key": 2,
    "partition": 1,
    "cluster": 1,
    "physical_name": "other",
    "physical_type": "OTHER",
    "pattern": "^other$",
    "format": "uuid",
    "enum": ("other",),
    "minimum": 1,
    "maximum": 9,
    "exclusive_minimum": 1,
    "exclusive_maximum": 9,
    "min_length": 1,
    "max_length": 9,
    "references": ("other.id",),
    "classification": "secret",
    "pii": True,
    "critical": True,
    "encrypted_name": "other",
    "transform_sources": ("other",),
    "transform_logic": "other",
    "transform_description": "other",
    "examples": ("other",),
    "tags": ("other",),
    "links": (m.Link("https://example.com"),),
    "quality": (m.Quality("text", description="other"),),
    "properties": {"other": 1},
}
FIELD = m.Field("amount", m.Scalar("integer"))


def contract(*items: m.Field, **more: Any) -> m.Contract:
    """A contract of one model."""
    return m.Contract("c", models=(m.Model("account", items),), **more)


def kinds(before: m.Field, after: m.Field) -> set[str]:
    """The kinds of difference between two versions of one field."""
    return {item.kind for item in diff(contract(before), contract(after))}


types = st.recursive(
    st.sampled_from(
        [
            m.STRING,
            m.Scalar("integer"),
            m.Scalar("long"),
            m.Scalar("date"),
            m.Scalar("decimal", 10, 2),
            m.Scalar("varchar", length=5),
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda kind: m.Array(m.Field("element", kind)), inner),
        st.builds(lambda kind: m.Map(m.Field("key"), m.Field("value", kind)), inner),
        st.builds(
            lambda some: m.Struct(
                tuple(m.Field(f"part{number}", kind) for number, kind in enumerate(some))
            ),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
items = st.builds(
    lambda kind, chosen: replace(m.Field("amount", kind), **{name: OTHER[name] for name in chosen}),
    types,
    st.sets(st.sampled_from(sorted(set(OTHER) - {"type"}))),
)


@settings(max_examples=80, deadline=None)
@given(items)
def test_a_contract_does_not_differ_from_itself(item: m.Field) -> None:
    assert diff(contract(item), contract(item)) == ()


@settings(max_examples=80, deadline=None)
@given(items, items)
def test_contracts_that_differ_are_told_apart(before: m.Field, after: m.Field) -> None:
    assert bool(diff(contract(before), contract(after))) == (before != after)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_attribute_of_a_field_is_compared(name: str) -> None:
    assert set(OTHER) == {item.name for item in fields(m.Field)} - {"name"}
    changed = replace(FIELD, **{name: OTHER[name]})
    assert (
        len(diff(contract(FIELD), contract(changed)))
        == 1
        == len(diff(contract(changed), contract(FIELD)))
    )


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_attribute_of_a_nested_field_is_compared(name: str) -> None:
    def nested(item: m.Field) -> m.Contract:
        return contract(m.Field("rows", m.Array(m.Field("element", m.Struct((item,))))))

    found = diff(nested(FIELD), nested(replace(FIELD, **{name: OTHER[name]})))
    assert len(found) == 1 and "amount" in found[0].path


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "version",
        "status",
        "tenant",
        "domain",
        "data_product",
        "description",
        "team",
        "servers",
        "service_levels",
        "roles",
        "support",
        "price",
        "workflow",
        "tags",
    ],
)
def test_what_stands_around_the_models_is_compared(name: str) -> None:
    other: dict[str, Any] = {
        "description": m.Description("other"),
        "team": m.Team("other"),
        "servers": (m.Server("s", "azure"),),
        "service_levels": (m.ServiceLevel("retention", "P1Y"),),
        "roles": (m.Role("r"),),
        "support": (m.SupportChannel("c"),),
        "price": m.Price(1.0),
        "workflow": m.Workflow(),
        "tags": ("t",),
    }
    before = m.Contract("c")
    assert len(diff(before, replace(before, **{name: other.get(name, "other")}))) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (m.Scalar("long"), m.Scalar("integer")),
        (m.Scalar("string"), m.Scalar("long")),
        (m.Scalar("decimal", 12, 2), m.Scalar("decimal", 10, 2)),
        (m.Scalar("decimal", 10, 2), m.Scalar("decimal", 10, 4)),
        (m.Scalar("timestamp"), m.Scalar("timestamp_ntz")),
        (m.STRING, m.Array(m.Field("element"))),
        (
            m.Array(m.Field("element", m.Scalar("long"))),
            m.Array(m.Field("element", m.Scalar("integer"))),
        ),
        (m.Struct((m.Field("a"), m.Field("b"))), m.Struct((m.Field("a"),))),
        (m.Scalar("varchar", length=20), m.Scalar("varchar", length=10)),
    ],
)
def test_a_type_that_does_not_hold_every_old_value_is_breaking(
    before: m.DataType, after: m.DataType
) -> None:
    assert kinds(m.Field("a", before), m.Field("a", after)) == {"breaking"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (m.Scalar("integer"), m.Scalar("long")),
        (m.Scalar("float"), m.Scalar("double")),
        (m.Scalar("decimal", 10, 2), m.Scalar("decimal", 12, 2)),
        (m.Struct((m.Field("a"),)), m.Struct((m.Field("a"), m.Field("b")))),
    ],
)
def test_a_type_that_only_widens_is_compatible(before: m.DataType, after: m.DataType) -> None:
    assert kinds(m.Field("a", before), m.Field("a", after)) == {"compatible"}


def test_a_field_or_model_that_goes_is_breaking_and_one_that_comes_is_compatible() -> None:
    one, two = contract(FIELD), contract(FIELD, m.Field("note"))
    assert [item.kind for item in diff(two, one)] == ["breaking"] and [
        item.kind for item in diff(one, two)
    ] == ["compatible"]
    assert [item.kind for item in diff(one, replace(one, models=()))] == ["breaking"] and [
        item.kind for item in diff(replace(one, models=()), one)
    ] == ["compatible"]


PROMISES = [
    "required",
    "unique",
    "pattern",
    "format",
    "enum",
    "minimum",
    "maximum",
    "exclusive_minimum",
    "exclusive_maximum",
    "min_length",
    "max_length",
    "references",
]


@pytest.mark.parametrize("name", PROMISES)
def test_a_new_rule_that_existing_data_may_fail_is_not_called_compatible(name: str) -> None:
    assert kinds(FIELD, replace(FIELD, **{name: OTHER[name]})) == {"stricter"} and kinds(
        replace(FIELD, **{name: OTHER[name]}), FIELD
    ) == {"breaking"}


def test_a_new_check_is_stricter_and_one_in_words_alone_is_compatible() -> None:
    words, check = OTHER["quality"], (m.Quality("library", metric="nullValues"),)
    assert kinds(FIELD, replace(FIELD, quality=words)) == {"compatible"} and kinds(
        FIELD, replace(FIELD, quality=(*words, *check))
    ) == {"stricter"}
    model = m.Model("account", (FIELD,))
    for changed in (
        replace(model, quality=check),
        replace(model, references=(m.Reference(("amount",), "other", ("id",)),)),
    ):
        assert [
            item.kind for item in diff(contract(FIELD), replace(contract(FIELD), models=(changed,)))
        ] == ["stricter"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "compatible"),
        ({"required": True}, "stricter"),
        ({"primary_key": 1}, "stricter"),
        ({"enum": ("a",)}, "compatible"),
    ],
)
def test_a_new_field_is_stricter_where_it_must_have_a_value(
    change: dict[str, Any], kind: str
) -> None:
    assert [
        item.kind
        for item in diff(contract(FIELD), contract(FIELD, replace(m.Field("note"), **change)))
    ] == [kind]


REPR = re.compile(r"\b[A-Z]\w+\(|\bNone\b|\bTrue\b|\bFalse\b|[{}\[\]]|\(\)|\bobject at\b|→")


@settings(max_examples=150, deadline=None)
@given(items, items)
def test_every_change_of_a_field_is_a_sentence_without_a_word_of_python(
    before: m.Field, after: m.Field
) -> None:
    for item in diff(contract(before), contract(after)):
        assert not REPR.search(item.sentence.replace("[]", "").replace("decimal(", "")), (
            item.sentence
        )
        assert "Quality(" not in json.dumps([item.before, item.after]) and item.sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"required": True}, "account.amount must now have a value"),
        ({"unique": True}, "account.amount must now be unique"),
        ({"pii": True}, "account.amount is now personal data"),
        ({"minimum": 1}, "the minimum of account.amount is new: 1"),
        ({"enum": ("a", "b")}, "the enum of account.amount is new: 'a', 'b'"),
        ({"quality": OTHER["quality"]}, "the quality of account.amount is new: 'other'"),
        ({"type": m.Scalar("long")}, "the type of account.amount changes from int to bigint"),
        (
            {"description": "x" * 100},
            "the description of account.amount is new: '" + "x" * 59 + "…'",
        ),
    ],
)
def test_a_change_reads_as_people_say_it(change: dict[str, Any], sentence: str) -> None:
    assert [
        item.sentence for item in diff(contract(FIELD), contract(replace(FIELD, **change)))
    ] == [sentence]


def test_a_part_of_the_contract_says_in_what_it_changes() -> None:
    before = m.Contract("c", workflow=m.Workflow(), team=m.Team("risk"))
    after = replace(
        before,
        workflow=replace(m.Workflow(), source=replace(m.Workflow().source, format="json")),
        team=m.Team("fraud"),
    )
    assert [item.sentence for item in diff(before, after)] == [
        "the workflow changes in source (format)",
        "the team changes in name",
    ]
    assert all(not REPR.search(item.sentence) for item in diff(m.Contract("c"), after))


@pytest.mark.parametrize(
    "change", [{"primary_key": 1}, {"physical_name": "other"}, {"classification": "secret"}]
)
def test_a_change_of_key_column_or_classification_is_breaking(change: dict[str, Any]) -> None:
    assert kinds(FIELD, replace(FIELD, **change)) == {"breaking"}


@pytest.mark.parametrize("name", ["description", "title", "tags", "examples", "links"])
def test_words_are_cosmetic(name: str) -> None:
    assert kinds(FIELD, replace(FIELD, **{name: OTHER[name]})) == {"cosmetic"}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("minimum", 1, 2),
        ("minimum", 1, 2.5),
        pytest.param("minimum", "2020-01-01", "2021-01-01"),
        pytest.param("minimum", date(2020, 1, 1), date(2021, 1, 1)),
        ("minimum", Decimal(1), Decimal(2)),
        ("min_length", 1, 2),
    ],
)
def test_a_range_that_widens_is_breaking_for_readers_and_one_that_narrows_is_stricter(
    name: str, low: Any, high: Any
) -> None:
    wide, narrow = replace(FIELD, **{name: low}), replace(FIELD, **{name: high})
    assert kinds(narrow, wide) == {"breaking"} and kinds(wide, narrow) <= {"stricter", "breaking"}


def test_a_promise_taken_back_is_breaking() -> None:
    before = contract(FIELD, service_levels=(m.ServiceLevel("retention", "P1Y"),))
    assert [item.kind for item in diff(before, replace(before, service_levels=()))] == ["breaking"]


def test_each_of_several_promises_of_one_property_is_compared() -> None:
    levels = (
        m.ServiceLevel("latency", "1h", element="a.x"),
        m.ServiceLevel("latency", "2h", element="a.y"),
    )
    before = contract(FIELD, service_levels=levels)
    assert diff(before, replace(before, service_levels=(replace(levels[0], value="9h"), levels[1])))


def test_every_difference_has_a_place_and_a_sentence_and_breaking_ones_come_first() -> None:
    flights = read_contract(ROOT / "contracts" / "flights.odcs.yaml")
    changed = replace(
        flights,
        version="2.0.0",
        models=(
            replace(flights.models[0], fields=flights.models[0].fields[:-1]),
            *flights.models[1:],
        ),
    )
    found = diff(flights, changed)
    assert found[0].kind == "breaking" and all(item.path and item.sentence for item in found)


def test_the_sample_contracts_equal_themselves() -> None:
    for path in sorted((ROOT / "contracts").glob("*.yaml")):
        assert diff(read_contract(path), read_contract(path)) == ()
