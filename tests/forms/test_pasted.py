"""Pasted text: each dialect's statement gives its fields, everything wrong is told at once, and no
text breaks anything.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.model import Array, Field, Map, Model, Scalar, Struct
from datamaster_kit.contract.publish.export import spark_schema
from datamaster_kit.contract.sql.sqltype import quote, sql_literal, sql_type
from datamaster_kit.forms.text.pasted import fields_of_pasted_text

POSTGRES = '''
-- exported
create table if not exists public."Account" (
  id bigserial primary key,
  "Holder ""name""" character varying(80) not null unique,
  opened timestamp(3) without time zone default now(),
  seen timestamp with time zone check (seen > '2000-01-01' and seen < now()),
  tags text[] not null default '{a,b}',
  amount numeric(12,2) references other (id),
  raw jsonb, ratio double precision,
  constraint positive check (amount > 0)
);
comment on column public."Account".amount is 'In reais, it''s exact.';
'''
DATABRICKS = """CREATE OR REPLACE TABLE `c`.`s`.`t` (
  `order id` BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 1) COMMENT 'The order''s id, unique',
  line INT NOT NULL,
  address STRUCT<street: STRING COMMENT 'Street, number', geo: ARRAY<DOUBLE>>,
  prices MAP<STRING, DECIMAL(10, 2)> COMMENT "by currency",
  at TIMESTAMP_NTZ DEFAULT current_timestamp(), v VARIANT MASK crisk.bronze.hidden,
  CONSTRAINT pk PRIMARY KEY (line, `order id` TIMESERIES)
) USING delta PARTITIONED BY (line) COMMENT 'All (of) them, at last' TBLPROPERTIES ('a' = 'b');"""
TSQL = """SET ANSI_NULLS ON
GO
CREATE TABLE [dbo].[t](
	[id] [int] IDENTITY(1,1) NOT NULL,
	[code] [char](3) COLLATE Latin1_General_CI_AS NOT NULL,
	[kind] tinyint NULL CONSTRAINT [DF_t_kind] DEFAULT ((0)),
	[when] datetime2(7) NULL, [total] [decimal](18, 2) NULL, [flag] bit, [note] nvarchar(max),
 CONSTRAINT [PK_t] PRIMARY KEY NONCLUSTERED ([code] ASC, [id] DESC)
  WITH (PAD_INDEX = OFF) ON [PRIMARY]
) ON [PRIMARY]
GO"""


def shown(text: str) -> list[tuple[str, str, bool, int, str]]:
    """What each field is, in short."""
    return [
        (field.name, sql_type(field.type), field.required, field.primary_key, field.description)
        for field in fields_of_pasted_text(text)
    ]


def told(text: str) -> list[tuple[int, str]]:
    """What is said of a text that gives no fields."""
    with pytest.raises(BadInput) as raised:
        fields_of_pasted_text(text)
    return [(fault.line, fault.message) for fault in raised.value.faults]


def test_a_statement_of_postgres() -> None:
    assert shown(POSTGRES) == [
        ("id", "BIGINT", True, 1, ""),
        ('Holder "name"', "VARCHAR(80)", True, 0, ""),
        ("opened", "TIMESTAMP_NTZ", False, 0, ""),
        ("seen", "TIMESTAMP", False, 0, ""),
        ("tags", "ARRAY<STRING>", True, 0, ""),
        ("amount", "DECIMAL(12,2)", False, 0, "In reais, it's exact."),
        ("raw", "STRING", False, 0, ""),
        ("ratio", "DOUBLE", False, 0, ""),
    ]
    assert fields_of_pasted_text(POSTGRES)[1].unique


def test_a_statement_of_databricks() -> None:
    assert shown(DATABRICKS) == [
        ("order id", "BIGINT", True, 2, "The order's id, unique"),
        ("line", "INT", True, 1, ""),
        (
            "address",
            "STRUCT<street: STRING COMMENT 'Street, number', geo: ARRAY<DOUBLE>>",
            False,
            0,
            "",
        ),
        ("prices", "MAP<STRING, DECIMAL(10,2)>", False, 0, "by currency"),
        ("at", "TIMESTAMP_NTZ", False, 0, ""),
        ("v", "VARIANT", False, 0, ""),
    ]


def test_a_statement_of_sql_server() -> None:
    assert shown(TSQL) == [
        ("id", "INT", True, 2, ""),
        ("code", "CHAR(3)", True, 1, ""),
        ("kind", "SMALLINT", False, 0, ""),
        ("when", "TIMESTAMP_NTZ", False, 0, ""),
        ("total", "DECIMAL(18,2)", False, 0, ""),
        ("flag", "BOOLEAN", False, 0, ""),
        ("note", "STRING", False, 0, ""),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("account_id,brand_name,email", ["account_id", "brand_name", "email"]),
        ("\N{ZERO WIDTH NO-BREAK SPACE}a;b;c\n", ["a", "b", "c"]),
        ("account_id", ["account_id"]),
        ("order date,ship date", ["order date", "ship date"]),
        ("first name\tlast name\r\nana\tsouza\r\n", ["first name", "last name"]),
        ('"a,b",c', ["a,b", "c"]),
        ("order date DATE, ship date DATE", ["order date DATE", "ship date DATE"]),
        ("(id int, at date)", ["id", "at"]),
        ("id bigint, at timestamp not null", ["id", "at"]),
        ("order date,\nship date", ["order", "ship"]),
        ("id: bigint, name: string", ["id", "name"]),
    ],
)
def test_a_header_and_a_list_of_columns_are_told_apart(text: str, names: list[str]) -> None:
    assert [field.name for field in fields_of_pasted_text(text)] == names


def test_rows_give_types_and_promise_nothing() -> None:
    assert shown(
        "id,code,amount,day,ok\n1,007,1.5,2026-01-31,true\n2,008,10.25,2026-02-01,false\n"
    ) == [
        ("id", "BIGINT", False, 0, ""),
        ("code", "STRING", False, 0, ""),
        ("amount", "DECIMAL(12,2)", False, 0, ""),
        ("day", "DATE", False, 0, ""),
        ("ok", "BOOLEAN", False, 0, ""),
    ]


def test_everything_that_is_wrong_is_told_at_once_with_its_line() -> None:
    assert told(
        "CREATE TABLE t (\n  id BIGINT,\n  b moon,\n  c INTERVAL DAY,\n  ID STRING,\n  7 "
        "INT,\n  d,\n  PRIMARY KEY (nobody)\n)"
    ) == [
        (3, "b: 'moon' is no type of databricks"),
        (4, "c: 'INTERVAL DAY' is no type of databricks"),
        (6, "'7' is no column's name"),
        (7, "d: no type stands behind the name"),
        (0, "the primary key names 'nobody', which is no column"),
        (0, "'id' is there 2 times"),
    ]
    assert told("1,ana@example.com,2026-01-31\n2,b,c") == [
        (1, f"{value!r} in the first line is a value and no name")
        for value in ("1", "ana@example.com", "2026-01-31")
    ]
    assert told("CREATE TABLE t (a int, b int") == [
        (0, "the bracket that opens on line 1 is not closed")
    ]
    assert told("CREATE TABLE a (x int); CREATE TABLE b (y int)") == [(0, "2 tables are created")]
    assert told("CREATE TABLE t (a int COMMENT 'open") == [
        (0, "a quote or a comment is not closed, as databricks writes them")
    ]
    assert told('{"fields": []}') == [(0, "it is JSON, and no StructType of Spark")] and told(
        " \n"
    ) == [(0, "nothing was pasted")]


SCALARS = st.sampled_from(
    [
        Scalar("string"),
        Scalar("long"),
        Scalar("date"),
        Scalar("timestamp"),
        Scalar("decimal", 12, 3),
        Scalar("boolean"),
        Scalar("binary"),
        Scalar("double"),
        Scalar("varchar", length=9),
    ]
)
TYPES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        below.map(lambda type: Array(Field("element", type))),
        below.map(lambda type: Map(Field("key", Scalar("string")), Field("value", type))),
        below.map(lambda type: Struct((Field("inner", type), Field("or not", type)))),
    ),
    max_leaves=4,
)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
).filter(lambda name: name.strip() == name)
FIELDS = st.lists(
    st.builds(
        lambda name, type, required, description: Field(name, type, description, required=required),
        NAMES,
        TYPES,
        st.booleans(),
        st.sampled_from(["", "It's; (a) `b`, -- c", "x"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda field: field.name.lower(),
)


@settings(deadline=None)
@given(FIELDS)
def test_a_schema_of_spark_comes_back(fields: list[Field]) -> None:
    found = fields_of_pasted_text(json.dumps(spark_schema(Model("m", tuple(fields)))))
    assert [
        (field.name, sql_type(field.type), field.required, field.description) for field in found
    ] == [(field.name, sql_type(field.type), field.required, field.description) for field in fields]


@settings(deadline=None)
@given(FIELDS)
def test_a_statement_of_databricks_comes_back(fields: list[Field]) -> None:
    columns = ",\n".join(
        f"{quote(field.name)} {sql_type(field.type)}{' NOT NULL' if field.required else ''} "
        f"COMMENT {sql_literal(field.description)}"
        for field in fields
    )
    found = fields_of_pasted_text(f"CREATE TABLE a.b.c (\n{columns}\n) USING delta")
    assert [(field.name, field.required, field.description) for field in found] == [
        (field.name, field.required, field.description) for field in fields
    ]


PIECES = st.sampled_from(
    [
        "CREATE TABLE t (",
        "(",
        ")",
        ",",
        "id",
        "INT",
        "NOT NULL",
        "PRIMARY KEY",
        "COMMENT",
        "'x'",
        "'",
        "`",
        "[",
        "]",
        "<",
        ">",
        "struct<",
        "\n",
        ";",
        "--",
        "/*",
        "{",
        "}",
        '"type"',
        ":",
        "<script>alert(1)</script>",
        "\\",
        "é",
        "0",
    ]
)


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=14).map(" ".join))
def test_no_text_breaks_anything(text: str) -> None:
    try:
        assert all(field.name for field in fields_of_pasted_text(text))
    except BadInput as error:
        assert all(fault.message for fault in error.faults)


def test_a_text_that_nests_without_end_is_refused() -> None:
    for text in (
        "struct<a:" * 100_000,
        "[" * 100_000,
        '{"type": "struct", "fields": [' * 50_000,
        "CREATE TABLE t (a " + "array<" * 20_000,
        "a " + "(" * 50_000,
        "x" * 2_000_000,
    ):
        with pytest.raises(BadInput):
            fields_of_pasted_text(text) if not text.startswith("[") else fields_of_pasted_text(
                "{" + text
            )
