"""Exports and tables.

Nothing of a type is lost between the contract, the words of others, and a table.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.model import (
    SCALARS,
    Array,
    Contract,
    DataType,
    Field,
    Map,
    Model,
    Quality,
    Reference,
    Scalar,
    ServiceLevel,
    Struct,
    Team,
)
from datamaster_kit.contract.publish.export import (
    ddl,
    fields_of_spark_schema,
    json_schema,
    spark_schema,
)
from datamaster_kit.contract.sql.sqltype import parse_sql_type, quote, sql_type
from datamaster_kit.contract.sql.table import (
    Dialect,
    Table,
    TableColumn,
    bronze_table,
    create_statements,
    silver_table,
    tags_of,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
SCALAR_TYPES = st.one_of(
    st.sampled_from(
        [Scalar(name) for name in SCALARS if name not in ("decimal", "varchar", "char")]
    ),
    st.integers(1, 38).flatmap(
        lambda precision: st.builds(
            Scalar, st.just("decimal"), st.just(precision), st.integers(0, precision)
        )
    ),
    st.builds(
        lambda name, length: Scalar(name, length=length),
        st.sampled_from(["varchar", "char"]),
        st.integers(1, 1000),
    ),
)


def part(name: str, types: st.SearchStrategy[DataType]) -> st.SearchStrategy[Field]:
    return st.builds(
        lambda type, required: Field(name, type, required=required), types, st.booleans()
    )


def members(types: st.SearchStrategy[DataType]) -> st.SearchStrategy[tuple[Field, ...]]:
    one = st.builds(
        lambda name, type, text, required: Field(name, type, text, required=required),
        NAMES,
        types,
        st.text(max_size=20),
        st.booleans(),
    )
    return st.lists(one, min_size=1, max_size=4, unique_by=lambda item: item.name.lower()).map(
        tuple
    )


TYPES: st.SearchStrategy[DataType] = st.recursive(
    SCALAR_TYPES,
    lambda inner: st.one_of(
        part("element", inner).map(Array),
        st.builds(
            lambda key, value: Map(Field("key", key), value), SCALAR_TYPES, part("value", inner)
        ),
        members(inner).map(Struct),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(members(TYPES))
def test_fields_go_to_spark_and_come_back_the_same(fields: tuple[Field, ...]) -> None:
    written = json.loads(json.dumps(spark_schema(Model("m", fields))))
    assert fields_of_spark_schema(written) == fields


@settings(max_examples=100, deadline=None)
@given(members(TYPES))
def test_the_json_schema_is_one(fields: tuple[Field, ...]) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(
        json_schema(Contract("an id: with {all} sorts"), Model("m", fields))
    )


def test_the_json_schema_says_what_rows_are_right() -> None:
    from jsonschema import Draft202012Validator

    inner = Struct(
        (
            Field("name", required=True),
            Field("tags", Array(Field("element", enum=("x",))), max_length=1),
        )
    )
    model = Model(
        "m",
        (
            Field("id", Scalar("long"), primary_key=1, minimum=1),
            Field("code", pattern="^[A-Z]+$", physical_name="CODE"),
            Field("day", Scalar("date"), minimum="2020-01-01"),
            Field("who", inner),
            Field("short", Scalar("varchar", length=2)),
        ),
    )
    validator = Draft202012Validator(json_schema(Contract("c"), model))
    good: dict[str, Any] = {
        "id": 1,
        "CODE": "A",
        "day": "2020-01-01",
        "who": {"name": "n", "tags": ["x", None]},
        "more": 1,
    }
    good["who"]["tags"] = ["x"]
    assert validator.is_valid(good) and validator.is_valid({"id": 1, "CODE": None, "who": None})
    wrong = [
        {},
        {"id": 0},
        {"id": 1, "CODE": "a"},
        {"id": 1, "who": {}},
        {"id": 1, "who": {"name": "n", "tags": ["x", "x"]}},
        {"id": 1, "short": "abc"},
    ]
    assert not any(validator.is_valid(row) for row in wrong)


# ---- Tables

account = Model(
    "account",
    (
        Field("id", Scalar("long"), "The 'number'.", primary_key=1),
        Field("a b", enum=("x", "it's")),
        Field("a_b", enum=("y",)),
        Field("city_id", references=("city.id",)),
        Field("lost", references=("gone.id",)),
        Field("email", pii=True, classification="restricted", tags=("gdpr:art-6",)),
    ),
    "One row an account.",
)
city = Model("city", (Field("id", primary_key=1),))
bank = Contract(
    "urn:b",
    version="1.0",
    models=(account, city),
    team=Team("risk"),
    service_levels=(ServiceLevel("retention", 30, "d"),),
    tags=("gold",),
)


def test_bronze_refuses_no_row_and_silver_refuses_broken_ones() -> None:
    bronze, silver = bronze_table(bank, account, "c"), silver_table(bank, account, "c")
    assert (
        all(column.nullable for column in bronze.columns)
        and not bronze.checks
        and not bronze.primary_key
    )
    assert [column.name for column in silver.columns if not column.nullable] == ["id"]
    assert len(silver.checks) == 2 and len({*silver.checks.values()}) == 2
    assert silver.cluster_by == ("id",) and bronze.cluster_by == ()


def test_a_foreign_key_leads_to_a_whole_primary_key_that_is_there() -> None:
    twice = replace(
        account,
        references=(
            Reference(("city_id",), "city", ("id",)),
            Reference(("nowhere",), "city", ("id",)),
        ),
    )
    keys = silver_table(replace(bank, models=(twice, city)), twice, "c").foreign_keys
    assert {key.table for key in keys} == {"city"} and len({key.name for key in keys}) == len(
        keys
    ) == 2


def test_properties_say_where_a_table_comes_from_and_map_names_that_need_it() -> None:
    properties = silver_table(bank, account, "c").properties
    assert properties["datamaster.owner"] == "risk" and properties["datamaster.retention"] == "30 d"
    assert (
        properties["delta.columnMapping.mode"] == "name"
        and "delta.columnMapping.mode" not in silver_table(bank, city, "c").properties
    )


def test_tags_follow_from_classification_and_words() -> None:
    table = silver_table(bank, account, "c")
    assert table.column_tags == {
        "email": {"classification": "restricted", "pii": "true", "gdpr": "art-6"}
    } and table.tags == {"gold": ""}
    assert tags_of(["a.b/c", ":x", " "]) == {"a_b_c": "", "tag": "x"}


def test_clustering_is_what_the_contract_says_at_most_four_columns() -> None:
    wide = Model(
        "w",
        (
            *(Field(f"f{index}", cluster=index) for index in range(7)),
            Field("blob", Scalar("binary"), cluster=1),
        ),
    )
    assert silver_table(bank, wide, "c").cluster_by == ("f1", "f2", "f3", "f4")
    assert bronze_table(
        bank, replace(wide, properties={"clusterBy": ["f6", "blob", "gone"]}), "c"
    ).cluster_by == ("f6",)
    assert bronze_table(
        bank, Model("p", (Field("day", Scalar("date"), partition=1),)), "c"
    ).cluster_by == ("day",)


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES, st.text(max_size=30))
def test_the_script_is_sql_whatever_the_names_are(table: str, column: str, text: str) -> None:
    import sqlglot

    model = Model(
        table,
        (Field(column, description=text, primary_key=1, enum=(text,)),),
        text,
        quality=(Quality("text", description=text),),
    )
    statements = [
        statement
        for statement in sqlglot.parse(
            ddl(Contract(text or "c", models=(model,)), "c"), read="databricks"
        )
        if statement
    ]
    assert {statement.key for statement in statements} <= {
        "create",
        "alter",
        "command",
    } and not any("DROP" in str(s.this) for s in statements if s.key == "command")
    assert len(statements) == 3 + 2 + 1


# ---- What Delta makes of it

NASTY = Struct(
    (
        Field("zip code", required=True, description="it's `five` digits"),
        Field(
            "q`'\"x",
            Map(Field("key"), Field("value", Array(Field("element", Scalar("decimal", 38, 18))))),
        ),
        Field(
            "deep",
            Struct(
                (Field("at", Scalar("timestamp_ntz")), Field("no", Scalar("short"), required=True))
            ),
        ),
    )
)
nasty = Model(
    "nasty",
    (
        Field("id", Scalar("long"), primary_key=1),
        Field("a.b;c", NASTY, "A \\ 'nasty' one.", required=True),
        Field(
            "list",
            Array(
                Field(
                    "element",
                    Struct((Field("x", required=True), Field("v", Scalar("varchar", length=3)))),
                )
            ),
        ),
        Field("short", Scalar("varchar", length=7), max_length=5),
        Field("fixed", Scalar("char", length=2)),
        Field("any", Scalar("variant")),
        Field("clock", Scalar("time")),
        Field("many", Map(Field("key"), Field("value", Struct((Field("x", required=True),))))),
    ),
    "It's `one`.",
)


def columns_there(spark: SparkSession, name: str) -> list[TableColumn]:
    schema = json.loads(spark.table(name).schema.json())
    lengths = [item["metadata"].get("__CHAR_VARCHAR_TYPE_STRING") for item in schema["fields"]]
    found = zip(fields_of_spark_schema(schema), lengths, strict=True)
    return [
        TableColumn(
            item.name,
            sql_type(parse_sql_type(length) if length else item.type),
            not item.required,
            item.description,
        )
        for item, length in found
    ]


def made(spark: SparkSession, table: Table, folder: Path) -> str:
    spark.sql(
        f"CREATE SCHEMA IF NOT EXISTS spark_catalog.export_{table.schema} LOCATION "
        f"'{folder / table.schema}'"
    )
    name = f"spark_catalog.export_{table.schema}.{quote(table.name)}"
    for statement in create_statements(table, name, Dialect(primary_keys=False, tags=False)):
        spark.sql(statement)
    return name


@pytest.mark.spark
@pytest.mark.parametrize("make", [bronze_table, silver_table])
def test_a_nasty_nested_model_becomes_a_table_and_comes_back_the_same(
    spark: SparkSession, make: Any, tmp_path: Path
) -> None:
    table = make(Contract("c", models=(nasty,)), nasty, "c")
    name = made(spark, table, tmp_path)
    assert columns_there(spark, name) == list(table.columns)
    spark.sql(f"DROP TABLE {name}")


@pytest.mark.spark
def test_silver_takes_good_rows_and_refuses_what_its_checks_and_keys_forbid(
    spark: SparkSession, tmp_path: Path
) -> None:
    model = Model(
        "checked",
        (
            Field("id", Scalar("long"), primary_key=1),
            Field("a b", enum=("x", "it's")),
            Field("n", Scalar("decimal", 10, 2), minimum="0.10", max_length=4),
        ),
    )
    name = made(spark, silver_table(Contract("c", models=(model,)), model, "c"), tmp_path)
    spark.sql(
        f"INSERT INTO {name} (id, `a b`, n) VALUES (1, 'it''s', 0.10), (2, NULL, NULL)".replace(
            "''", "\\'"
        )
    )
    for values in ("(NULL, 'x', 1)", "(1, 'y', 1)", "(1, 'x', 0.09)"):
        with pytest.raises(Exception, match=r"(?i)constraint|not null|violat|an error occurred"):
            spark.sql(f"INSERT INTO {name} (id, `a b`, n) VALUES {values}")
    assert spark.table(name).count() == 2
    spark.sql(f"DROP TABLE {name}")


@pytest.mark.spark
def test_a_key_beyond_the_first_32_columns_can_cluster(spark: SparkSession, tmp_path: Path) -> None:
    model = Model(
        "wide",
        (*(Field(f"f{index}") for index in range(40)), Field("id", Scalar("long"), primary_key=1)),
    )
    name = made(spark, silver_table(Contract("c", models=(model,)), model, "c"), tmp_path)
    spark.sql(f"INSERT INTO {name} (id) VALUES (1)")
    assert spark.table(name).count() == 1
    spark.sql(f"DROP TABLE {name}")
