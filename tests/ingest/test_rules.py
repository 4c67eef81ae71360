"""Rules: what a contract promises, as text, and as Spark decides it row by row."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from datamaster_kit.contract.model import (
    Array,
    Contract,
    Field,
    Map,
    Model,
    Quality,
    Reference,
    Scalar,
    ServiceLevel,
    Struct,
    Threshold,
)
from datamaster_kit.contract.publish.export import spark_schema
from datamaster_kit.contract.quality.rule import Rule, is_rule_met, render_query
from datamaster_kit.contract.quality.rules import rules

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ZERO = (Threshold("mustBe", 0),)


def made(model: Model, *others: Model) -> dict[str, Rule]:
    return {rule.id: rule for rule in rules(Contract("c", models=(model, *others)), model)}


def declared(*qualities: Quality, field: Field | None = None) -> list[Rule]:
    item = field or Field("status")
    model = Model("account", (replace(item, quality=qualities), Field("balance", Scalar("long"))))
    return [
        rule
        for rule in made(model).values()
        if rule.kind not in ("record", "type", "required", "unique")
    ]


@pytest.mark.parametrize(
    ("operator", "limit", "kept", "broken"),
    [
        ("mustBe", 2, 2, 3),
        ("mustNotBe", 2, 3, 2),
        ("mustBeGreaterThan", 2, 3, 2),
        ("mustBeGreaterOrEqualTo", 2, 2, 1),
        ("mustBeGreaterThanOrEqualTo", 2, 2, 1),
        ("mustBeLessThan", 2, 1, 2),
        ("mustBeLessOrEqualTo", 2, 2, 3),
        ("mustBeLessThanOrEqualTo", 2, 2, 3),
        ("mustBeBetween", [1, 3], 2, 3),
        ("mustNotBeBetween", [1, 3], 3, 2),
        ("mustBeWithin", [1, 2], 2, 3),
        ("mustNotBeWithin", [1, 2], 3, 1),
    ],
)
def test_every_operator_of_both_spellings_is_decided(
    operator: str, limit: Any, kept: float, broken: float
) -> None:
    rule = Rule("r", "m", "", "sql", "", must=(Threshold(operator, limit),))
    assert is_rule_met(rule, kept, 0) and not is_rule_met(rule, broken, 0)


def test_a_percentage_is_of_the_rows_looked_at() -> None:
    rule = Rule("r", "m", "", "enum", "", must=(Threshold("mustBeLessThan", 5),), unit="percent")
    assert is_rule_met(rule, 4, 100) and not is_rule_met(rule, 5, 100) and is_rule_met(rule, 0, 0)


def test_severity_follows_the_kind_of_rule_where_the_author_says_nothing() -> None:
    model = Model(
        "m",
        (Field("id", primary_key=1), Field("code", unique=True, enum=("a",))),
        quality=(Quality(metric="rowCount", must=(Threshold("mustBeGreaterThan", 0),)),),
    )
    found = made(model)
    assert {
        name: found[name].severity
        for name in ("id.required", "id.unique", "code.unique", "code.enum", "rowcount")
    } == {
        "id.required": "quarantine",
        "id.unique": "warn",
        "code.unique": "fail",
        "code.enum": "quarantine",
        "rowcount": "fail",
    }


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("error", "quarantine"),
        ("Critical", "fail"),
        ("blocker", "fail"),
        ("fail", "fail"),
        ("warning", "warn"),
        ("info", "warn"),
        ("warn", "warn"),
        ("quarantine", "quarantine"),
    ],
)
def test_a_severity_said_is_followed(said: str, meant: str) -> None:
    assert declared(Quality(metric="nullValues", must=ZERO, severity=said))[0].severity == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("error", "fail"),
        ("", "fail"),
        ("quarantine", "fail"),
        ("critical", "fail"),
        ("warning", "warn"),
    ],
)
def test_a_rule_over_many_rows_has_no_row_to_quarantine_and_fails_instead(
    said: str, meant: str
) -> None:
    (rule,) = declared(
        Quality(
            "sql",
            query="SELECT COUNT(*) FROM account",
            must=(Threshold("mustBeGreaterThan", 25),),
            severity=said,
        )
    )
    assert rule.query and rule.severity == meant


def test_a_check_that_tolerates_broken_rows_keeps_none_of_them_out_of_silver() -> None:
    tolerant, strict = declared(
        Quality(metric="nullValues", must=(Threshold("mustBeLessThan", 5),), unit="percent"),
        Quality(metric="nullValues", must=ZERO),
    )
    assert (tolerant.severity, strict.severity) == ("warn", "quarantine") and tolerant.is_row_rule


def test_a_metric_that_wants_many_rows_is_a_query() -> None:
    (rule,) = declared(Quality(metric="nullValues", must=(Threshold("mustBeGreaterThan", 5),)))
    assert rule.query and not rule.predicate


@pytest.mark.parametrize(
    "quality",
    [
        Quality("text", description="The ledger agrees."),
        Quality("custom", engine="greatExpectations", implementation={}),
        Quality("custom", engine="soda"),
        Quality(metric="unheardOf", must=ZERO),
        Quality(metric="invalidValues", must=ZERO),
        Quality(metric="rowCount"),
        Quality(metric="freshness"),
        Quality(metric="nullValues", must=(Threshold("mustBeBetween", [1]),)),
        Quality(metric="nullValues", must=(Threshold("mustBeOdd", 1),)),
        Quality(metric="nullValues", must=(Threshold("mustBe", "few"),)),
        Quality(metric="nullValues", properties={"tolerance": "some"}),
        Quality("sql", query="DROP TABLE account", must=ZERO),
        Quality("sql", query="SELECT SUM(balance) FROM account"),
        Quality("sql", query="", must=ZERO),
        Quality("sql", query="SELECT COUNT(*) FROM other.account WHERE 1 = 1", must=ZERO),
        Quality("sql", query="SELECT COUNT(*) FROM secrets", must=ZERO),
        Quality("sql", query="blance > 0", must=ZERO),
        Quality("sql", query="SELECT COUNT(*) FROM account WHERE blance > 0", must=ZERO),
        Quality(metric="duplicateValues", arguments={"properties": ["nowhere"]}, must=ZERO),
    ],
)
def test_what_cannot_be_executed_stays_and_says_why(quality: Quality) -> None:
    (rule,) = declared(quality)
    assert rule.not_executed and not rule.predicate and not rule.query


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM account; DROP TABLE account",
        "SELECT java_method('a', 'b') FROM account",
        "SELECT COUNT(*) FROM read_files('/etc')",
        "INSERT INTO account SELECT 1",
        "SELECT COUNT(*) FROM parquet.`/etc/passwd`",
        "SELECT main.evil.run(balance) FROM account",
        "SELECT secret('a', 'b') FROM account",
        "SELECT http_request(status) FROM account",
        "WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT COUNT(*) FROM a",
        "SELECT COUNT(*) FROM secrets WHERE 1 IN (WITH secrets AS (SELECT 1 x) SELECT x FROM "
        "secrets)",
        "SELECT COUNT(*) FROM IDENTIFIER('a.b')",
        "true) OR (SELECT 1",
        "1 = 1) --",
        "SELECT ai_query('m', status) FROM account",
        "SELECT " + "(" * 3000,
        "MERGE INTO a USING b ON 1=1",
    ],
)
def test_sql_that_does_more_than_read_the_contracts_models_is_refused(sql: str) -> None:
    (rule,) = declared(Quality("sql", query=sql, must=ZERO))
    assert rule.not_executed and not rule.query and not rule.predicate


@pytest.mark.parametrize(
    ("query", "predicate"),
    [
        ("SELECT COUNT(*) FROM {model} WHERE balance < 0", "NOT coalesce(balance < 0, false)"),
        (
            "select count(1) as n from ${table} a where a.balance < 0 -- wrong",
            "NOT coalesce(balance < 0, false)",
        ),
        (
            "SELECT COUNT(*) FROM ${object} WHERE {field} IS NULL",
            "NOT coalesce(`status` IS NULL, false)",
        ),
        ("balance >= 0", "coalesce(balance >= 0, true)"),
    ],
)
def test_a_count_that_must_be_zero_is_a_row_rule(query: str, predicate: str) -> None:
    assert declared(Quality("sql", query=query, must=ZERO))[0].predicate == predicate


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM account WHERE balance < (SELECT AVG(balance) FROM account)",
        "SELECT COUNT(DISTINCT status) FROM account WHERE balance < 0",
        "SELECT COUNT(*) FROM account WHERE balance < 0 LIMIT 1",
        "SELECT COUNT(*) FROM account",
    ],
)
def test_a_query_over_many_rows_stays_a_query(query: str) -> None:
    (rule,) = declared(Quality("sql", query=query, must=ZERO))
    assert rule.query and not rule.predicate and rule.severity == "fail"


def test_a_rendered_query_has_the_targets_names_and_the_authors_braces() -> None:
    (rule,) = declared(
        Quality(
            "sql",
            query="SELECT MAX(balance) FROM account WHERE status <> '{slot_0_} {account}'",
            must=ZERO,
        )
    )
    assert (
        render_query(rule, {"account": "`t`"})
        == "SELECT MAX(balance) FROM `t` AS `account` WHERE status <> '{slot_0_} {account}'"
    )


def test_identifiers_are_unique_and_stable() -> None:
    model = Model(
        "m",
        (
            Field(
                "a",
                enum=("x",),
                quality=(
                    Quality("text", name="enum"),
                    Quality("text", name="enum_2"),
                    Quality("text", name="enum"),
                ),
            ),
        ),
    )
    names = [rule.id for rule in rules(Contract("c", models=(model,)), model)]
    assert len(names) == len(set(names)) and names == [
        rule.id for rule in rules(Contract("c", models=(model,)), model)
    ]


def test_a_reference_that_leads_nowhere_is_not_executed() -> None:
    model = Model(
        "m",
        (Field("a", references=("gone.id",)),),
        references=(Reference(("a", "b"), "m", ("a",)),),
    )
    assert all(rule.not_executed for rule in made(model).values() if rule.kind == "reference")


def test_a_freshness_promise_is_a_rule() -> None:
    model = Model("m", (Field("at", Scalar("timestamp")),))
    found = {
        rule.id: rule
        for rule in rules(
            Contract(
                "c",
                models=(model,),
                service_levels=(ServiceLevel("freshness", "PT1H30M", element="m.at"),),
            ),
            model,
        )
    }
    assert found["at.freshness"].must[0].value == 5400


# ---- What Spark makes of it

NASTY = 'it\'s `a` "b" c'
HOSTILE = "'); DROP TABLE t; --"


def broken(
    spark: SparkSession, model: Model, rows: list[dict[str, Any]], *others: Model
) -> list[set[str]]:
    """Return, for each row, the row rules that it breaks; no row rule may fail to be analysed."""
    from pyspark.sql.types import StringType, StructField, StructType

    loose = replace(model, fields=tuple(loosened(item) for item in model.fields))
    schema = StructType(
        [
            *StructType.fromJson(spark_schema(loose)).fields,
            StructField("carlton_rescued", StringType()),
        ]
    )
    found = [rule for rule in made(model, *others).values() if rule.is_row_rule]
    data = spark.createDataFrame(
        [tuple(row.get(name) for name in schema.names) for row in rows], schema
    )
    answers = data.selectExpr(
        *(
            f"NOT coalesce(({rule.predicate}), false) AS _{index}"
            for index, rule in enumerate(found)
        )
    ).collect()
    return [
        {rule.id for rule, is_broken in zip(found, answer, strict=True) if is_broken}
        for answer in answers
    ]


def loosened(item: Field) -> Field:
    """Return a field as bronze has it.

    Absent values are possible everywhere, lengths are not enforced.
    """
    from datamaster_kit.contract.sql.table import delta_type, type_without_length_limits

    return replace(item, type=delta_type(type_without_length_limits(item.type)), required=False)


@pytest.mark.spark
def test_constraints_keep_good_rows_break_bad_ones_and_pass_absent_values(
    spark: SparkSession,
) -> None:
    import datetime
    from decimal import Decimal

    model = Model(
        "m",
        (
            Field("id", Scalar("long"), primary_key=1),
            Field("code", pattern=r"^[A-Z]{2}[\d[]$", max_length=3),
            Field("kind", enum=("a", "it's", HOSTILE)),
            Field("amount", Scalar("decimal", 38, 18), minimum=0, exclusive_maximum="10.5"),
            Field("ratio", Scalar("double"), exclusive_minimum=0, maximum=1),
            Field("born", Scalar("date"), minimum="1900-01-01"),
            Field("is_on", Scalar("boolean"), enum=(True,)),
            Field("level", Scalar("integer"), enum=(1, "2"), pattern="^[0-9]$"),
            Field("tags", Array(Field("element", enum=("x", "y"))), min_length=1),
            Field(NASTY, required=True, enum=("ok",)),
            Field("at", Scalar("time"), minimum="08:00"),
        ),
    )
    good = {
        "id": 1,
        "code": "AB[",
        "kind": HOSTILE,
        "amount": Decimal("10.4"),
        "ratio": 1.0,
        "born": datetime.date(2000, 1, 1),
        "is_on": True,
        "level": 2,
        "tags": ["x"],
        NASTY: "ok",
        "at": "09:00",
    }
    bad = {
        "id": 1,
        "code": "AB1\n",
        "kind": "b",
        "amount": Decimal("10.5"),
        "ratio": 0.0,
        "born": datetime.date(1899, 1, 1),
        "is_on": False,
        "level": 33,
        "tags": [],
        NASTY: "no",
        "at": "07:00",
    }
    first, second, third = broken(spark, model, [good, bad, {}])
    assert first == set()
    assert second == {
        "code.pattern",
        "code.length",
        "kind.enum",
        "amount.range",
        "ratio.range",
        "born.range",
        "is_on.enum",
        "level.enum",
        "level.pattern",
        "tags.length",
        f"{NASTY}.enum",
        "at.range",
    }
    assert third == {"id.required", f"{NASTY}.required"}


@pytest.mark.spark
def test_a_value_that_did_not_fit_its_type_breaks_the_type_rule_of_its_column_only(
    spark: SparkSession,
) -> None:
    model = Model(
        "m",
        (
            Field("a", Scalar("long")),
            Field(NASTY, Scalar("long")),
            Field(
                "s", Struct((Field("known", Scalar("long")), Field("deep", Struct((Field("x"),)))))
            ),
        ),
    )
    rescued = [
        {"_file_path": "f", "a": "x"},
        {NASTY: "x"},
        {"s": {"unknown": 1}},
        {"s": {"known": "x"}},
        {"s": "text"},
        {"s": {"deep": {"y": 1}}},
        {"s": {"deep": {"x": 1}}},
        {"unknown": 1},
        {"A b": None},
        {"a": None},
    ]
    found = broken(spark, model, [{"carlton_rescued": json.dumps(item)} for item in rescued])
    assert found == [
        {"a.type"},
        {f"{NASTY}.type"},
        set(),
        {"s.type"},
        {"s.type"},
        set(),
        {"s.type"},
        set(),
        set(),
        {"a.type"},
    ]


@pytest.mark.spark
def test_constraints_inside_structs_lists_and_maps_hold_where_the_parent_is_absent(
    spark: SparkSession,
) -> None:
    person = Struct(
        (
            Field("name", required=True),
            Field(NASTY, pattern="^x"),
            Field(
                "phones",
                Array(Field("element", Struct((Field("no", required=True, pattern="^[0-9]+$"),)))),
            ),
        )
    )
    model = Model(
        "m",
        (
            Field("p", person),
            Field("labels", Map(Field("key", pattern="^k"), Field("value", enum=("v",)))),
            Field(
                "grid", Array(Field("element", Array(Field("element", Scalar("long"), minimum=0))))
            ),
        ),
    )
    rows = [
        {"p": ("n", "x", [("1",), ("2",)]), "labels": {"k": "v"}, "grid": [[0], None]},
        {},
        {"p": (None, None, None)},
        {"p": ("n", "y", [("1",), (None,), ("a",)]), "labels": {"z": "w"}, "grid": [[1, -1]]},
    ]
    found = broken(spark, model, rows)
    assert found[:3] == [set(), set(), {"p.name.required"}]
    assert found[3] == {
        f"p.{NASTY}.pattern",
        "p.phones.element.no.required",
        "p.phones.element.no.pattern",
        "labels.key.pattern",
        "labels.value.enum",
        "grid.element.element.range",
    }


@pytest.mark.spark
@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("email", ["a@b.co", "a.b+c@d-e.org"], ["a@b", "a b@c.de", "@b.co", "a@b.co\n"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
        ("uri", ["urn:a:b", "https://a.b/c?d"], ["a b", "/x"]),
        ("url", ["https://a.b"], ["urn:a"]),
        ("ipv4", ["1.2.3.4", "255.255.255.255"], ["1.2.3", "1.2.3.4.", "256.1.1.1", "01.2.3.4"]),
        ("ipv6", ["::1", "2001:db8::1", "1:2:3:4:5:6:7:8"], ["1", ":::", "1::2::3", "12345::"]),
        ("hostname", ["a.b-c.d"], ["-a", "a..b"]),
        ("date", ["2026-02-28"], ["2026-02-30", "26-1-1"]),
        ("time", ["23:59:59"], ["24:00"]),
        ("date-time", ["2026-02-28T10:00:00Z"], ["2026-02-30T10:00:00Z", "2026-02-28"]),
    ],
)
def test_formats_are_told_apart(
    spark: SparkSession, format: str, good: list[str], bad: list[str]
) -> None:
    found = broken(
        spark, Model("m", (Field("a", format=format),)), [{"a": value} for value in (*good, *bad)]
    )
    assert found == [set()] * len(good) + [{"a.format"}] * len(bad)


@pytest.mark.spark
def test_declared_metrics_and_conditions_decide_each_row(spark: SparkSession) -> None:
    checks = (
        Quality(id="null", metric="nullValues", must=ZERO),
        Quality(
            id="missing",
            metric="missingValues",
            arguments={"missingValues": ["n/a", "it's"]},
            must=ZERO,
        ),
        Quality(id="empty", metric="missingValues", must=ZERO),
        Quality(
            id="invalid",
            metric="invalidValues",
            arguments={"validValues": ["a", "n/a"], "maxLength": 3},
            must=ZERO,
        ),
        Quality(
            "sql", id="count", query="SELECT COUNT(*) FROM {model} WHERE {field} = 'b'", must=ZERO
        ),
        Quality("sql", id="kept", query="{field} <> 'b'", must=ZERO),
    )
    found = broken(
        spark,
        Model("m", (Field("a b", quality=checks),)),
        [{"a b": value} for value in ("a", "b", "n/a", "", None)],
    )
    short = [{name.removeprefix("a b.") for name in row} for row in found]
    # an absent value keeps a condition
    assert short == [
        set(),
        {"invalid", "count", "kept"},
        {"missing"},
        {"empty", "invalid"},
        {"null", "missing", "empty"},
    ]


@pytest.mark.spark
def test_set_rules_give_the_right_numbers(spark: SparkSession) -> None:
    airline = Model("airline", (Field("it's `id`", primary_key=1), Field("zone", primary_key=2)))
    flight = Model(
        "flight",
        (
            Field("no", Scalar("long"), primary_key=1),
            Field("code", unique=True),
            Field("place", Struct((Field("zone", references=("airline.zone",)),))),
            Field("zone"),
            Field(
                "at",
                Scalar("timestamp"),
                quality=(
                    Quality(metric="freshness", must=(Threshold("mustBeLessThan", "1 day"),)),
                ),
            ),
        ),
        references=(Reference(("code", "zone"), "airline", ("it's `id`", "zone")),),
        quality=(
            Quality(id="rows", metric="rowCount", must=(Threshold("mustBe", 4),)),
            Quality(
                id="double",
                metric="duplicateValues",
                arguments={"properties": ["code", "zone"]},
                must=ZERO,
            ),
            Quality(
                "sql",
                id="joined",
                query="WITH f AS (SELECT * FROM flight) SELECT COUNT(*) FROM f JOIN airline a ON "
                "a.zone = f.zone WHERE f.code <> '{x}'",
                must=ZERO,
            ),
        ),
    )
    spark.createDataFrame([("A", "z"), ("B", "z")], ["it's `id`", "zone"]).createOrReplaceTempView(
        "rules_airline"
    )
    spark.sql("""SELECT * FROM VALUES
                 (1L, 'A', named_struct('zone', 'z'), 'z', current_timestamp()),
                 (1L, 'A', named_struct('zone', 'q'), 'z', NULL),
                 (2L, 'C', NULL, 'z', NULL), (NULL, NULL, NULL, 'z', NULL)
                 AS t(no, code, place, zone, at)""").createOrReplaceTempView("rules_flight")
    tables = {"flight": "rules_flight", "airline": "rules_airline"}
    found = {name: rule for name, rule in made(flight, airline).items() if rule.query}
    numbers = {
        name: spark.sql(render_query(rule, tables)).collect()[0][0] for name, rule in found.items()
    }
    freshness = next(name for name, rule in found.items() if rule.kind == "freshness")
    assert 0 <= numbers.pop(freshness) < 600
    assert numbers == {
        "no.unique": 1,
        "code.unique": 1,
        "place.zone.reference.airline.zone": 1,
        "code+zone.reference.airline.it's `id`+zone": 1,
        "rows": 4,
        "double": 1,
        "joined": 6,
    }


def test_marks_and_thresholds_are_values_of_the_fields_type_and_no_others() -> None:
    """`true` marks a boolean, 0 is 0.00, -1 stands for nothing in a number too, and a threshold or
    a share has an end.
    """
    from datamaster_kit.contract.model import Field, Quality, Scalar, Threshold
    from datamaster_kit.contract.quality.declared_rules import not_missing_predicate
    from datamaster_kit.contract.quality.rule import threshold_limit
    from datamaster_kit.contract.workflow import read_share, read_workflow
    from datamaster_kit.ingest.rows import is_one_of_sql

    assert read_workflow({"delete_when": {"gone": [True, None, 1]}}).delete_when == {
        "*": {"gone": ("true", "1")}
    }
    assert (
        is_one_of_sql(Field("gone", Scalar("boolean")), ("true", "FALSE"))
        == "`gone` IN (TRUE, FALSE)"
    )
    assert (
        is_one_of_sql(Field("left", Scalar("decimal", 5, 2)), ("0", "1.5"))
        == "`left` IN (0, 1.5BD)"
    )
    assert (
        is_one_of_sql(Field("left", Scalar("long")), ("none",))
        == "CAST(`left` AS STRING) IN ('none')"
    )
    assert not_missing_predicate(
        Quality(arguments={"missingValues": [-1, ""]}), Field("n", Scalar("decimal", 9, 2)), "`n`"
    ).endswith("AND `n` NOT IN (-1)")
    assert "NOT IN ('', 'false')" in not_missing_predicate(
        Quality(arguments={"missingValues": ["", False]}), Field("n"), "`n`"
    )
    assert " NULL)" not in not_missing_predicate(Quality(), Field("d", Scalar("date")), "`d`")
    assert [
        read_share(share) for share in ("0_1", "1_0%", "٠", "nan", "-1", "1e-2", " 5 %", ".5")
    ] == [None, None, None, None, None, 0.01, 0.05, 0.5]
    for value in ("inf", "-inf", "nan", "1_0", float("nan"), True):
        with pytest.raises(ValueError, match="not a number"):
            threshold_limit(Threshold("mustBeLessThan", value))
