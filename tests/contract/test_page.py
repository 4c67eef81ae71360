"""A contract's page shows every text of the contract as text.

Nothing in it can become a tag, an attribute, a script or a link.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract import model as m
from datamaster_kit.contract.publish.page import contract_page
from datamaster_kit.contract.read import read_contract

ROOT = Path(__file__).resolve().parents[2]
ATTACK = (
    "\"'></title></style><script>attack()</script><img src=x onerror=attack()><a "
    "href=javascript:attack()>"
)
CHOICES = {"type": "string", "specification": "odcs"}


class Seen(HTMLParser):
    """What a browser would take for markup."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def hostile(value: Any, text: str = ATTACK) -> Any:
    """The same value with every text in it replaced by an attack, however deep.

    Names of types and of references stay.
    """
    if isinstance(value, m.Scalar | m.Threshold):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        kept = (
            {"references", "to_fields", "fields", "model", "models", "latest_by"}
            if isinstance(value, m.Reference | m.Workflow | m.Field)
            else set()
        )
        kept |= {"specification", "physical_type"} | (
            {"type"} if isinstance(value, m.Quality) else set()
        )
        return replace(
            value,
            **{
                item.name: hostile(getattr(value, item.name), text)
                for item in fields(value)
                if item.name not in kept
            },
        )
    if isinstance(value, str):
        return text
    if isinstance(value, tuple | list):
        return type(value)(hostile(item, text) for item in value)
    if isinstance(value, dict):
        return {
            f"{text}{number}": hostile(item, text) for number, item in enumerate(value.values())
        }
    return value


def full_contract() -> m.Contract:
    """A contract with something in every place."""
    link = m.Link("https://example.com", "source", "more")
    check = m.Quality("text", "id", "name", "It agrees.", severity="warning", dimension="accuracy")
    nested = m.Struct(
        (
            m.Field("city", description="where"),
            m.Field("codes", m.Array(m.Field("element", description="code"))),
        )
    )
    item = m.Field(
        "email",
        description="mail",
        title="Mail",
        enum=("a", "b"),
        examples=("x",),
        classification="secret",
        tags=("t",),
        links=(link,),
        quality=(check,),
        pattern="^a",
        format="email",
        transform_logic="l",
        transform_description="d",
        transform_sources=("s",),
        properties={"k": "v"},
        encrypted_name="e",
    )
    key = m.Field("key", m.Scalar("decimal", 10, 2), primary_key=1, minimum=0, maximum=5)
    model = m.Model(
        "account",
        (
            key,
            item,
            m.Field("address", nested),
            m.Field("lookup", m.Map(m.Field("key"), m.Field("value", m.Scalar("long")))),
        ),
        "One row.",
        "Account",
        granularity="g",
        examples=(m.Example("a,b\n1,2", "csv", "rows"),),
        quality=(check,),
        tags=("t",),
        links=(link,),
        properties={"k": "v"},
    )
    return m.Contract(
        "urn:a",
        "Accounts",
        "1",
        "active",
        tenant="t",
        domain="d",
        data_product="p",
        created="2026-01-01",
        description=m.Description("why", "use", "limits", {"k": "v"}),
        team=m.Team(
            "Owners",
            "about",
            "contact",
            "a@example.com",
            "https://example.com",
            (m.Member("u", "n", "r", "d", "2026", "2027", "x"),),
            {"k": "v"},
        ),
        models=(model,),
        servers=(m.Server("s", "azure", "prod", "d", {"host": "h"}, (m.Role("r"),)),),
        service_levels=(m.ServiceLevel("retention", "P1Y", description="d", options={"k": "v"}),),
        roles=(m.Role("r", "read", "d", "a", "b"),),
        support=(
            m.SupportChannel(
                "c", "https://example.com", "d", "tool", "scope", "https://example.com"
            ),
        ),
        price=m.Price(1.0, "EUR", "query"),
        workflow=m.Workflow(
            ("account",),
            m.Source("adls", "csv", {"k": "v"}),
            m.EmailNotifications(("a",), ("b",), ("c",)),
            latest_by={"*": ("key",)},
            tasks=({"task_key": "t"},),
        ),
        tags=("t",),
        links=(link,),
        properties={"k": "v"},
    )


def attacked(text: str) -> m.Contract:
    """The full contract with an attack in every place that its page can show."""
    contract = full_contract()
    changed = hostile(contract, text)
    # Names that refer to one another stay one name, so that the contract is still whole.
    model = replace(
        changed.models[0],
        fields=tuple(
            replace(item, name=f"{text}{number}", physical_name="")
            for number, item in enumerate(changed.models[0].fields)
        ),
        physical_name="",
    )
    return replace(
        changed,
        models=(model,),
        workflow=replace(changed.workflow, models=(text,), latest_by={"*": (f"{text}0",)}),
    )


def test_no_text_of_a_contract_becomes_markup() -> None:
    harmless, harmed = (
        Seen(contract_page(attacked("harmless"))),
        Seen(contract_page(attacked(ATTACK))),
    )
    assert [
        name for name in harmed.tags if name in ("img", "iframe", "object", "form", "base")
    ] == []
    assert harmed.tags.count("script") == harmless.tags.count("script") <= 1
    assert not [name for name, _ in harmed.attributes if name.startswith("on")]
    assert not [
        value
        for name, value in harmed.attributes
        if name in ("href", "src", "xlink:href", "action")
        and not value.startswith(("#", "http://", "https://", "mailto:"))
    ]


def test_an_attack_is_shown_as_the_text_that_it_is() -> None:
    assert any(
        "<script>attack()</script>" in words
        for words in Seen(contract_page(attacked(ATTACK))).words
    )


def test_addresses_of_other_kinds_are_not_links() -> None:
    for address in (
        "javascript:attack()",
        "JaVaScRiPt:attack()",
        "data:text/html,attack",
        "vbscript:attack",
        " javascript:attack()",
        "java\nscript:attack()",
        "//example.com",
    ):
        contract = full_contract()
        linked = replace(
            contract,
            team=replace(contract.team, contact_url=address),
            links=(m.Link(address, "t", "d"),),
            support=(m.SupportChannel("c", address),),
        )
        targets = [
            value for name, value in Seen(contract_page(linked)).attributes if name == "href"
        ]
        assert all(
            value.startswith(("#", "http://", "https://", "mailto:")) for value in targets
        ), address


@pytest.mark.parametrize("name", ["account.yaml", "consents.yaml", "flights.odcs.yaml"])
def test_the_page_loads_nothing_and_its_policy_allows_nothing_else(name: str) -> None:
    text = contract_page(read_contract(ROOT / "contracts" / name))
    seen = Seen(text)
    assert not [
        value for key, value in seen.attributes if key in ("src", "srcset", "data", "poster")
    ]
    assert "link" not in seen.tags and "@import" not in text and "url(http" not in text
    assert any("default-src 'none'" in value for key, value in seen.attributes if key == "content")


@pytest.mark.parametrize("name", ["account.yaml", "consents.yaml", "flights.odcs.yaml"])
def test_the_page_names_every_model_field_and_unchecked_rule(name: str) -> None:
    from datamaster_kit.contract.quality.rules import rules

    contract = read_contract(ROOT / "contracts" / name)
    words = " ".join(Seen(contract_page(contract)).words)
    for model in contract.models:
        assert all(item.name in words for _, item in m.walk_fields(model.fields))
        assert all(rule.not_executed in words for rule in rules(contract, model))


def test_the_same_contract_gives_the_same_page() -> None:
    assert contract_page(full_contract()) == contract_page(full_contract())


def test_a_circle_of_references_is_drawn() -> None:
    one = m.Model(
        "one",
        (
            m.Field("id", primary_key=1),
            m.Field("two_id", references=("two.id",)),
            m.Field("self", references=("one.id",)),
        ),
    )
    two = m.Model("two", (m.Field("id", primary_key=1), m.Field("one_id", references=("one.id",))))
    assert "<svg" in contract_page(m.Contract("c", models=(one, two)))


def test_a_contract_of_one_model_of_several_still_has_a_page() -> None:
    flights = read_contract(ROOT / "contracts" / "flights.odcs.yaml")
    assert "flights" in contract_page(replace(flights, models=flights.models[:1]))


TABLE_TAGS = {"div", "p", "b", "br", "table", "thead", "tbody", "tr", "th", "td", "code"}


def shown_in_notebook(value: Any) -> Seen:
    """What a notebook's browser would take a value for, by IPython's own formatter."""
    from IPython.core.formatters import HTMLFormatter

    return Seen(HTMLFormatter()(value))


@pytest.mark.parametrize("name", ["account.yaml", "consents.yaml", "flights.odcs.yaml"])
def test_a_notebook_shows_a_contract_with_every_field(name: str) -> None:
    contract = read_contract(ROOT / "contracts" / name)
    seen = shown_in_notebook(contract)
    for model in contract.models:
        assert {path for path, _ in m.walk_fields(model.fields)} <= set(
            seen.words
        ) and model.name in seen.words
    assert set(seen.tags) <= TABLE_TAGS


def test_no_text_of_a_contract_plan_or_run_becomes_markup_in_a_notebook() -> None:
    from datetime import UTC, datetime

    from datamaster_kit.contract.fault import Fault
    from datamaster_kit.lakehouse.runs import RuleResult, Run
    from datamaster_kit.plan.plan import Change, Difference, Plan

    moment = datetime(2026, 1, 31, tzinfo=UTC)
    change = Change(
        "update",
        ATTACK,
        ATTACK,
        (Difference(ATTACK, ATTACK, [ATTACK]),),
        refusal=ATTACK,
        note=ATTACK,
    )
    rule = RuleResult(ATTACK, ATTACK, ATTACK, 1.0, False, description=ATTACK)
    run = Run(
        "r",
        ATTACK,
        ATTACK,
        ATTACK,
        ATTACK,
        ATTACK,
        moment,
        moment,
        result=ATTACK,
        error=ATTACK,
        notes=(ATTACK,),
        rules=(rule,),
    )
    for value in (
        hostile(full_contract()),
        Plan((change,), (Fault("attack", ATTACK, hint=ATTACK),)),
        run,
    ):
        seen = shown_in_notebook(value)
        assert (
            set(seen.tags) <= TABLE_TAGS
            and {value for _, value in seen.attributes} <= {"col", "scroll"}
            and any("attack()" in words for words in seen.words)
        )


def test_a_notebook_shows_what_a_plan_is_refused_for_and_which_rules_broke() -> None:
    from datetime import UTC, datetime

    from datamaster_kit.lakehouse.runs import RuleResult, Run
    from datamaster_kit.plan.plan import Change, Plan

    words = shown_in_notebook(
        Plan(
            (
                Change("delete", "table", "crisk.bronze.card", refusal="it has rows"),
                Change("unchanged", "schema", "crisk.gold"),
            )
        )
    ).words
    assert (
        {"-", "crisk.bronze.card", "refused:"} <= set(words)
        and "crisk.gold" not in words
        and "0 to create, 0 to update, 1 to delete, 1 unchanged." in words
    )
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    results = (
        RuleResult("a", "row", "warn", 2.0, False),
        RuleResult("b", "row", "warn", 0.0, True),
        RuleResult("c", "set", "fail", not_executed="no"),
    )
    words = shown_in_notebook(
        Run("r", "silver", "local", "c", "1", "card", moment, moment, rows_read=9, rules=results)
    ).words
    assert {"9", "a", "3 rules: 1 broken, 1 not executed."} <= set(words) and not {"b", "c"} & set(
        words
    )
