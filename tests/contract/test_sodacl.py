"""SodaCL: each form becomes the check that says the same, and what is not understood is kept and
not executed.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.dcs.sodacl import parse_sodacl
from datamaster_kit.contract.model import Contract, Field, Model, Quality, Scalar, Threshold
from datamaster_kit.contract.quality.rules import rules

TABLE = "${table}"
ABOVE, BELOW, AT_LEAST, AT_MOST = (
    "mustBeGreaterThan",
    "mustBeLessThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessOrEqualTo",
)


def only(text: Any) -> Quality:
    """Return the one check of a text."""
    ((_, quality),) = parse_sodacl(text)
    return quality


def operators(quality: Quality) -> list[tuple[str, Any]]:
    return [(must.operator, must.value) for must in quality.must]


THRESHOLDS = {
    "= 0": [("mustBe", 0)],
    "!= 0": [("mustNotBe", 0)],
    "<> 0": [("mustNotBe", 0)],
    "> 5": [(ABOVE, 5)],
    ">= 5": [(AT_LEAST, 5)],
    "< 5": [(BELOW, 5)],
    "<= 5.5": [(AT_MOST, 5.5)],
    ">-1": [(ABOVE, -1)],
    "between 1 and 9": [("mustBeWithin", [1, 9])],
    "between [1 and 9]": [("mustBeWithin", [1, 9])],
    "between (1 and 9]": [(ABOVE, 1), (AT_MOST, 9)],
    "between [1 and 9)": [(AT_LEAST, 1), (BELOW, 9)],
    "between (1 and 9)": [(ABOVE, 1), (BELOW, 9)],
    "between (1 and 9": [(ABOVE, 1), (AT_MOST, 9)],
    "not between 1 and 9": [("mustNotBeWithin", [1, 9])],
    "BETWEEN 1 AND 9": [("mustBeWithin", [1, 9])],
}


@pytest.mark.parametrize("written, must", THRESHOLDS.items(), ids=THRESHOLDS)
def test_a_threshold_becomes_the_operators_that_say_the_same(
    written: str, must: list[tuple[str, Any]]
) -> None:
    check = only(f"- row_count {written}")
    assert (check.type, check.metric, operators(check)) == ("library", "rowCount", must)


METRICS = {
    "row_count > 0": ("rowCount", "", {}, {}),
    "missing_count(a) = 0": ("nullValues", "", {}, {"field": "a"}),
    "missing_percent(a) < 5%": ("nullValues", "percent", {}, {"field": "a"}),
    "missing_percent(a) < 5": ("nullValues", "percent", {}, {"field": "a"}),
    "missing_count(a) = 0:\n    missing values: [n/a, '']": (
        "missingValues",
        "",
        {"missingValues": ["n/a", ""]},
        {"field": "a"},
    ),
    "duplicate_count(a) = 0": ("duplicateValues", "", {"properties": ["a"]}, {"field": "a"}),
    "duplicate_count(a, b) = 0": ("duplicateValues", "", {"properties": ["a", "b"]}, {}),
    "duplicate_percent(a) < 1 %": (
        "duplicateValues",
        "percent",
        {"properties": ["a"]},
        {"field": "a"},
    ),
    "freshness(ts) < 1d": ("freshness", "", {}, {"field": "ts"}),
    "freshness(ts) < 1d6h": ("freshness", "", {}, {"field": "ts"}),
    "invalid_count(a) = 0:\n    valid values: abc": (
        "invalidValues",
        "",
        {"validValues": ["abc"]},
        {"field": "a"},
    ),
    "invalid_count(a) = 0:\n    valid values: [x, y]": (
        "invalidValues",
        "",
        {"validValues": ["x", "y"]},
        {"field": "a"},
    ),
    "invalid_percent(a) < 1:\n    valid regex: ^x": (
        "invalidValues",
        "percent",
        {"pattern": "^x"},
        {"field": "a"},
    ),
    "invalid_count(a) = 0:\n    valid min: 1\n    valid max: 9": (
        "invalidValues",
        "",
        {"minimum": 1, "maximum": 9},
        {"field": "a"},
    ),
    "invalid_count(a) = 0:\n    valid length: 3": (
        "invalidValues",
        "",
        {"minLength": 3, "maxLength": 3},
        {"field": "a"},
    ),
    "invalid_count(a) = 0:\n    valid min length: 1\n    valid max length: 3": (
        "invalidValues",
        "",
        {"minLength": 1, "maxLength": 3},
        {"field": "a"},
    ),
    "invalid_count(a) = 0:\n    valid format: positive integer": (
        "invalidValues",
        "",
        {"pattern": r"^\+?[0-9]+$"},
        {"field": "a"},
    ),
    'missing_count("a b") = 0': ("nullValues", "", {}, {"field": "a b"}),
    "Missing_Count( a )  =  0": ("nullValues", "", {}, {"field": "a"}),
}


@pytest.mark.parametrize("written, expected", METRICS.items(), ids=METRICS)
def test_a_counting_metric_becomes_the_librarys(
    written: str, expected: tuple[str, str, dict[str, Any], dict[str, Any]]
) -> None:
    check = only(f"- {written}")
    assert check.type == "library" and check.must and not check.severity
    assert (check.metric, check.unit, check.arguments, check.properties) == expected


QUERIES = {
    "min(a) > 1": f"SELECT min(`a`) FROM {TABLE}",
    "avg(a) between 1 and 2": f"SELECT avg(`a`) FROM {TABLE}",
    "stddev(a) < 3": f"SELECT stddev(`a`) FROM {TABLE}",
    "max_length(a) <= 9": f"SELECT max(length(`a`)) FROM {TABLE}",
    "sum(a`b) > 0": f"SELECT sum(`a``b`) FROM {TABLE}",
    "m > 5:\n    m expression: sum(a)": f"SELECT sum(a) FROM {TABLE}",
    "m = 0:\n    m query: select count(*) from t;": "select count(*) from t",
    "failed rows:\n    fail condition: a < 0": f"SELECT COUNT(*) FROM {TABLE} WHERE a < 0",
    "failed rows:\n    fail query: select 1;": "SELECT COUNT(*) FROM (select 1)",
    "values in (a) must exist in t (c)": f"SELECT COUNT(*) FROM {TABLE} a LEFT ANTI JOIN `t` b ON "
    "a.`a` = b.`c` WHERE a.`a` IS NOT NULL",
    "values in (a) must not exist in t(c)": f"SELECT COUNT(*) FROM {TABLE} a LEFT SEMI JOIN `t` b "
    "ON a.`a` = b.`c` WHERE a.`a` IS NOT NULL",
    "values in (a, b) must exist in t (c, d)": f"SELECT COUNT(*) FROM {TABLE} a LEFT ANTI JOIN "
    "`t` b ON a.`a` = b.`c` AND a.`b` = b.`d` WHERE a.`a` IS NOT NULL AND a.`b` IS NOT NULL",
}


@pytest.mark.parametrize("written, query", QUERIES.items(), ids=QUERIES)
def test_an_aggregate_failed_rows_and_a_reference_become_queries(written: str, query: str) -> None:
    check = only(f"- {written}")
    assert (check.type, check.query) == ("sql", query) and check.must


@pytest.mark.parametrize(
    "written", [line for line in QUERIES if line.startswith(("failed", "values"))]
)
def test_what_finds_wrong_rows_wants_none(written: str) -> None:
    assert only(f"- {written}").must == (Threshold("mustBe", 0),)


ALERTS = {
    "row_count:\n    warn: when < 10": [("warning", [(AT_LEAST, 10)])],
    "row_count:\n    fail: '> 10'": [("error", [(AT_MOST, 10)])],
    "row_count:\n    warn: when > 5\n    fail: when between 2 and 3": [
        ("warning", [(AT_MOST, 5)]),
        ("error", [("mustNotBeWithin", [2, 3])]),
    ],
    "row_count:\n    fail: when = 0": [("error", [("mustNotBe", 0)])],
    "row_count:\n    fail: when not between 2 and 3": [("error", [("mustBeWithin", [2, 3])])],
    "min(a):\n    warn: when < 0": [("warning", [(AT_LEAST, 0)])],
    "m:\n    m expression: sum(a)\n    fail: when != 7": [("error", [("mustBe", 7)])],
    "freshness(ts):\n    warn: when > 1d": [("warning", [(AT_MOST, "1d")])],
}


@pytest.mark.parametrize("written, expected", ALERTS.items(), ids=ALERTS)
def test_an_alert_wants_the_opposite_with_its_severity(
    written: str, expected: list[tuple[str, Any]]
) -> None:
    assert [
        (quality.severity, operators(quality)) for _, quality in parse_sodacl(f"- {written}")
    ] == expected


KEPT = [
    "row_count > 1e3",
    "row_count > 5%",
    "row_count > 0: text",
    "row_count > 0:\n    warn: when > 5",
    "row_count:\n    fail: when between (2 and 3]",
    "row_count(a) > 0",
    "missing_count = 0",
    "missing_count(a, b) = 0",
    "missing_count(a) < 5%",
    "missing_count(a) = 0:\n    filter: x = 1",
    "missing_count(a) = 0:\n    missing regex: N/A",
    "invalid_count(a) = 0",
    "invalid_count(a) = 0:\n    valid format: phone number",
    "invalid_count(a) = 0:\n    valid values: {x: y}",
    "invalid_count(a) = 0:\n    valid length: [1]",
    "invalid_count(a) = 0:\n    valid length: x",
    "invalid_count(a) = 0:\n    valid regex: [x]",
    "invalid_count(a) = 0:\n    valid min:",
    "duplicate_count = 0",
    "min(a) > '2020'",
    f"min({'a' * 300}) > 1",
    'min("a\nb") > 1',
    "min(a, b) > 1",
    "freshness(ts) < 5",
    "freshness(ts, now) < 1d",
    "row_count < 1d",
    "values in (a, b) must exist in t (c)",
    "values in () must exist in t ()",
    "values in (a) must exist in t (c):\n    filter: x",
    "failed rows",
    "failed rows:\n    warn: when > 1",
    "failed rows:\n    fail condition: a\n    fail query: b",
    "m > 5",
    "m > 5%:\n    m expression: a",
    "m > 5:\n    m expression: a\n    m query: b",
    "m(a) > 5:\n    m expression: a",
    "schema:\n    fail:\n      when required column missing: [a, b]",
    "schema:\n    fail: 5",
    "anomaly detection for row_count",
    "change for row_count < 5",
    "[1, 2]",
    "5",
    "true",
]


@pytest.mark.parametrize("written", KEPT)
def test_what_is_not_understood_is_kept_as_it_is_written_and_not_executed(written: str) -> None:
    check = only(f"checks for m:\n  - {written}".replace("\n    ", "\n      "))
    assert (
        (check.type, check.engine, check.must) == ("custom", "soda", ())
        and check.name
        and check.implementation
    )
    (rule,) = (
        rule
        for rule in rules(
            Contract("c", models=(Model("m", (Field("a"),), quality=(check,)),)),
            Model("m", (Field("a"),), quality=(check,)),
        )
        if rule.kind not in ("record", "type")
    )
    assert rule.not_executed


def test_a_check_of_the_schema_says_in_words_what_it_wants() -> None:
    check = only(
        "- schema:\n    fail:\n      when required column missing: [a, b]\n      when wrong "
        "column type:\n        c: integer"
    )
    assert (
        check.description
        == "It is wrong when there is a required column missing: a, b; wrong column type: c is "
        "integer"
    )


def test_a_name_and_the_notes_of_a_check_are_kept() -> None:
    check = only(
        "- row_count > 0:\n    name: not empty\n    attributes: {owner: risk}\n    samples "
        "limit: 0\n    identity: x1"
    )
    assert check.name == "not empty" and check.properties == {
        "attributes": {"owner": "risk"},
        "samples limit": 0,
        "identity": "x1",
    }


HEADINGS = {
    "checks for a:\n  - row_count > 0": [("a", "library")],
    'checks for "a":\n  - row_count > 0': [("a", "library")],
    "- row_count > 0": [("", "library")],
    "checks:\n  - row_count > 0": [("", "library")],
    "checks for a:\n  - row_count > 0\nchecks for b:\n  - row_count > 0": [
        ("a", "library"),
        ("b", "library"),
    ],
    "checks for a:\n  row_count > 0:\n    name: x": [("a", "library")],
    "checks for a: row_count > 0": [("a", "library")],
    "checks for a [daily]:\n  - row_count > 0": [("a", "custom")],
    "filter a [daily]:\n  where: x": [("a", "custom")],
    "discover datasets:\n  datasets: [a]": [("", "custom")],
    "for each dataset D:\n  datasets: [a]\n  checks: [row_count > 0]": [("", "custom")],
    "checks for a:": [],
    "checks for a: []": [],
}


@pytest.mark.parametrize("text, expected", HEADINGS.items(), ids=HEADINGS)
def test_a_heading_says_the_dataset(text: str, expected: list[tuple[str, str]]) -> None:
    assert {(dataset, quality.type) for dataset, quality in parse_sodacl(text)} == set(expected)


@pytest.mark.parametrize("text", ["", "  \n", None, [], {}, "- null"])
def test_nothing_written_is_no_check(text: Any) -> None:
    assert parse_sodacl(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        5,
        True,
        1.5,
        "1: x",
        "- [unclosed",
        "a: b: c",
        "checks for a:\n  - row_count > 0\n - x",
        "\x00",
        "- \ud800",
        "- !!python/name:os.system x",
        "- a: 1\n  a: 2",
        "- " + "[" * 500 + "]" * 500,
        {1: 2},
        {"checks for a": {1: {2: 3}}},
        [[["x"]]],
    ],
)
def test_what_is_no_sodacl_is_one_check_that_is_not_executed(text: Any) -> None:
    check = only(text)
    assert (check.type, check.engine) == ("custom", "soda") and check.implementation


WORDS = st.sampled_from(
    [
        "row_count",
        "missing_count",
        "min",
        "m",
        "failed rows",
        "values in",
        "(a)",
        "(a, b)",
        "must exist in t",
        ">",
        "< 5",
        "= 0",
        "%",
        "between",
        "(1 and 2]",
        "1d",
        "warn",
        "fail",
        "valid values",
        "fail condition",
        "m expression",
        "schema",
        "when",
        "checks for m",
        "filter",
        "name",
        "attributes",
        "'",
        '"',
        "[daily]",
        ":",
        "`",
    ]
)
LINES = st.lists(WORDS, max_size=6).map(" ".join) | st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | LINES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINES, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_any_value_is_read_and_every_check_of_it_makes_a_rule(value: Any) -> None:
    checks = tuple(quality for _, quality in parse_sodacl(value))
    assert all(
        check.implementation is not None if check.type == "custom" else check.must
        for check in checks
    )
    model = Model("m", (Field("a", Scalar("long")), Field("b")), quality=checks)
    assert len(rules(Contract("c", models=(model,)), model)) >= len(checks)
