"""SQL on the test workspace, by the SDK's statement execution.

What the toolkit sends, what the service refuses, and what INFORMATION_SCHEMA shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service import catalog, sql
from hypothesis import given, settings
from hypothesis import strategies as st
from test_workspace import CONNECTOR, ROOT, stock
from workspace.clients import workspace_client
from workspace.faults import Fault
from workspace.furnish import ADMIN, furnish
from workspace.server import Workspace
from workspace.sql import run as run_statement
from workspace.sql_session import Rows, Session
from workspace.sql_tokens import SqlError
from workspace.state import Settings, State

from datamaster_kit.contract.read import read_contract
from datamaster_kit.contract.sql.table import Dialect, Table, TableColumn, create_statements, tables
from datamaster_kit.unity.evolution import table_alterations

pytestmark = pytest.mark.server

Run = Callable[..., list[list[Any]]]
CONTRACTS = sorted((Path(__file__).resolve().parents[2] / "contracts").glob("*.yaml"))


class Failed(Exception):
    """A statement that ended FAILED."""


def runner(client: WorkspaceClient) -> Run:
    """Return a function that runs a statement and returns its rows; raises Failed."""
    warehouse = next(iter(client.warehouses.list())).id or ""

    def run(statement: str, catalog: str = "crisk", **parameters: str) -> list[list[Any]]:
        markers = [
            sql.StatementParameterListItem(name=name, value=value)
            for name, value in parameters.items()
        ]
        answer = client.statement_execution.execute_statement(
            statement, warehouse, catalog=catalog or None, parameters=markers
        )
        assert answer.status
        if answer.status.state != sql.StatementState.SUCCEEDED:
            raise Failed(
                answer.status.error.message if answer.status.error else answer.status.state
            )
        return (answer.result.data_array or []) if answer.result else []

    return run


@pytest.fixture
def run(client: WorkspaceClient) -> Run:
    """Run statements in a catalog that has the schemas of the toolkit."""
    stock(client)
    for schema in ("silver", "gold"):
        client.schemas.create(schema, "crisk")
    return runner(client)


# --- what the toolkit sends


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_every_table_of_the_sample_contracts_is_made_as_the_contract_says(
    run: Run, client: WorkspaceClient, path: Path
) -> None:
    for table in tables(read_contract(path), "crisk"):
        for statement in create_statements(
            table, f"`crisk`.`{table.schema}`.`{table.name}`", Dialect()
        ):
            run(statement)
        there = client.tables.get(f"crisk.{table.schema}.{table.name}")
        assert [(item.name, item.nullable, item.comment or "") for item in there.columns or []] == [
            (item.name, item.nullable, item.comment) for item in table.columns
        ]
        assert [json.loads(item.type_json or "")["name"] for item in there.columns or []] == [
            item.name for item in table.columns
        ]
        assert (there.comment or "") == table.comment and table.properties.items() <= (
            there.properties or {}
        ).items()
        assert {
            key.removeprefix("delta.constraints."): value
            for key, value in (there.properties or {}).items()
            if key.startswith("delta.constraints.")
        } == table.checks
        assert json.loads((there.properties or {}).get("clusteringColumns", "[]")) == [
            [name] for name in table.cluster_by
        ]
        keys = [
            item.primary_key_constraint.child_columns
            for item in there.table_constraints or []
            if item.primary_key_constraint
        ]
        assert keys == ([list(table.primary_key)] if table.primary_key else [])
        assert {
            item.tag_key: item.tag_value
            for item in client.entity_tag_assignments.list("tables", there.full_name or "")
        } == table.tags


def test_what_differs_between_two_versions_of_a_table_is_mended(
    run: Run, client: WorkspaceClient
) -> None:
    name = "`crisk`.`silver`.`account`"
    old = Table(
        "crisk",
        "silver",
        "account",
        (
            TableColumn("id", "BIGINT", False),
            TableColumn("amount", "INT"),
            TableColumn("old name", "STRING"),
            TableColumn("gone", "DATE"),
            TableColumn("note", "VARCHAR(10)"),
            TableColumn("part", "STRUCT<a: INT, `b c`: ARRAY<STRUCT<x: INT>>>"),
        ),
        "before",
        ("id",),
        checks={"positive": "`amount` > 0"},
        cluster_by=("id",),
        properties={"delta.columnMapping.mode": "name", "datamaster.key": "id"},
    )
    new = Table(
        "crisk",
        "silver",
        "account",
        (
            TableColumn("id", "BIGINT", False),
            TableColumn("amount", "BIGINT", True, "in cents"),
            TableColumn("name", "STRING", aliases=("old name",)),
            TableColumn("note", "STRING"),
            TableColumn(
                "part", "STRUCT<a: INT, `b c`: ARRAY<STRUCT<x: INT, y: DECIMAL(10,2)>>, d: DATE>"
            ),
            TableColumn("added", "DOUBLE", True, "a number"),
        ),
        "after",
        ("id",),
        checks={"positive": "`amount` >= 0"},
        cluster_by=(),
        properties={
            "delta.columnMapping.mode": "name",
            "datamaster.key": "id",
            "datamaster.owner": "risk",
        },
    )
    for statement in create_statements(old, name, Dialect()):
        run(statement)
    mendings = table_alterations(name, new, old, drops=True)
    assert len(mendings) > 8 and not any(item.refusal for item in mendings)
    for mending in mendings:
        for statement in mending.statements:
            run(statement)
    there = client.tables.get("crisk.silver.account")
    assert {item.name: item.type_text for item in there.columns or []} == {
        "id": "bigint",
        "amount": "bigint",
        "name": "string",
        "note": "string",
        "part": "struct<a:int,`b c`:array<struct<x:int,y:decimal(10,2)>>,d:date>",
        "added": "double",
    }
    properties = there.properties or {}
    assert (
        there.comment == "after"
        and properties["delta.constraints.positive"] == "`amount` >= 0"
        and "clusteringColumns" not in properties
        and properties["datamaster.owner"] == "risk"
    )


def test_masks_and_row_filters_use_functions_that_are_there(
    run: Run, client: WorkspaceClient
) -> None:
    run("CREATE TABLE crisk.silver.account (id BIGINT, email STRING, country STRING)")
    with pytest.raises(Failed, match="ROUTINE_NOT_FOUND"):
        run("ALTER TABLE crisk.silver.account ALTER COLUMN email SET MASK crisk.silver.mask_email")
    run(
        "CREATE FUNCTION crisk.silver.mask_email(value STRING COMMENT 'the address', country "
        "STRING) RETURNS STRING COMMENT 'hides' RETURN CASE WHEN "
        "is_account_group_member('data_engineer') THEN value ELSE '***' END"
    )
    run(
        "CREATE OR REPLACE FUNCTION crisk.silver.by_country(country STRING) RETURNS BOOLEAN "
        "RETURN country = 'NL'"
    )
    run(
        "ALTER TABLE crisk.silver.account ALTER COLUMN email SET MASK "
        "crisk.silver.mask_email USING COLUMNS (country)"
    )
    run("ALTER TABLE crisk.silver.account SET ROW FILTER crisk.silver.by_country ON (country)")
    there = client.tables.get("crisk.silver.account")
    assert (
        there.row_filter
        and there.row_filter.function_name == "crisk.silver.by_country"
        and there.row_filter.input_column_names == ["country"]
    )
    (mask,) = [item.mask for item in there.columns or [] if item.mask]
    assert mask.function_name == "crisk.silver.mask_email" and mask.using_column_names == [
        "country"
    ]
    made = client.functions.get("crisk.silver.mask_email")
    assert (
        made.input_params
        and [item.name for item in made.input_params.parameters or []] == ["value", "country"]
        and (made.routine_definition or "").startswith("CASE WHEN")
    )
    assert {item.name for item in client.functions.list("crisk", "silver")} == {
        "mask_email",
        "by_country",
    }
    assert run(
        "SELECT column_name, mask_schema, mask_name, mask_col_usage FROM "
        "crisk.information_schema.column_masks"
    ) == [["email", "silver", "mask_email", "country"]]
    assert run(
        "SELECT filter_catalog, filter_name, filter_col_usage FROM "
        "crisk.information_schema.row_filters"
    ) == [["crisk", "by_country", "country"]]
    assert run("SELECT routine_name FROM crisk.information_schema.routines ORDER BY 1") == [
        ["by_country"],
        ["mask_email"],
    ]
    run("ALTER TABLE crisk.silver.account ALTER COLUMN email DROP MASK")
    run("ALTER TABLE crisk.silver.account DROP ROW FILTER")
    assert client.tables.get("crisk.silver.account").row_filter is None
    with pytest.raises(Failed, match="ROUTINE_ALREADY_EXISTS"):
        run("CREATE FUNCTION crisk.silver.by_country(country STRING) RETURNS BOOLEAN RETURN TRUE")
    run("DROP FUNCTION crisk.silver.by_country")


def test_grants_comments_owners_and_tags_by_sql_are_seen_by_the_routes(
    run: Run, client: WorkspaceClient, account: AccountClient
) -> None:
    account.groups_v2.create(display_name="data engineer")
    run("CREATE TABLE crisk.gold.kpi (id BIGINT)")
    run("GRANT USE CATALOG, CREATE SCHEMA ON CATALOG crisk TO `data engineer`")
    run("GRANT SELECT ON TABLE crisk.gold.kpi TO `data engineer`")
    run("GRANT READ FILES ON EXTERNAL LOCATION catlog TO `data engineer`")
    run("GRANT CREATE CATALOG ON METASTORE TO `data engineer`")
    assert [
        item.privileges
        for item in client.grants.get("catalog", "crisk").privilege_assignments or []
    ] == [[catalog.Privilege.CREATE_SCHEMA, catalog.Privilege.USE_CATALOG]]
    assert run("SHOW GRANTS ON TABLE crisk.gold.kpi") == [
        ["data engineer", "SELECT", "TABLE", "crisk.gold.kpi"]
    ]
    assert run(
        "SELECT grantee, privilege_type FROM crisk.information_schema.table_privileges WHERE "
        "inherited_from = 'NONE'"
    ) == [["data engineer", "SELECT"]]
    assert ["USE_CATALOG", "CATALOG"] in run(
        "SELECT privilege_type, inherited_from FROM crisk.information_schema.table_privileges"
    )
    run("REVOKE SELECT ON TABLE crisk.gold.kpi FROM `data engineer`")
    assert run("SHOW GRANTS `data engineer` ON TABLE crisk.gold.kpi") == []
    for statement, words in (
        ("GRANT SELECT ON TABLE crisk.gold.kpi TO `nobody`", "PRINCIPAL_DOES_NOT_EXIST"),
        ("GRANT FLY ON TABLE crisk.gold.kpi TO `data engineer`", "PARSE_SYNTAX_ERROR"),
        ("GRANT USE SCHEMA ON TABLE crisk.gold.kpi TO `data engineer`", "not applicable"),
        ("GRANT SELECT ON TABLE crisk.gold.none TO `data engineer`", "TABLE_OR_VIEW_NOT_FOUND"),
    ):
        with pytest.raises(Failed, match=words):
            run(statement)
    run("COMMENT ON SCHEMA crisk.gold IS 'what people see'")
    run("COMMENT ON COLUMN crisk.gold.kpi.id IS 'the key'")
    run("ALTER SCHEMA crisk.gold SET OWNER TO `data engineer`")
    run("ALTER SCHEMA crisk.gold SET TAGS ('layer' = 'gold', 'pii')")
    run("ALTER SCHEMA crisk.gold UNSET TAGS ('pii')")
    gold = client.schemas.get("crisk.gold")
    assert (gold.comment, gold.owner) == ("what people see", "data engineer")
    assert run(
        "SELECT schema_name, tag_name, tag_value FROM crisk.information_schema.schema_tags"
    ) == [["gold", "layer", "gold"]]
    assert (client.tables.get("crisk.gold.kpi").columns or [])[0].comment == "the key"


# --- what is refused


@pytest.mark.parametrize(
    "statement, condition",
    [
        ("CREATE TABLE crisk.absent.t (id INT)", "SCHEMA_NOT_FOUND"),
        ("CREATE TABLE absent.bronze.t (id INT)", "NO_SUCH_CATALOG_EXCEPTION"),
        ("CREATE TABLE crisk.bronze.there (id INT)", "TABLE_OR_VIEW_ALREADY_EXISTS"),
        ("CREATE TABLE crisk.bronze.t (id INT, ID STRING)", "COLUMN_ALREADY_EXISTS"),
        ("CREATE TABLE crisk.bronze.t (`a b` INT)", "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES"),
        ("CREATE TABLE crisk.bronze.t (id JSON)", "UNSUPPORTED_DATATYPE"),
        (
            "CREATE TABLE crisk.bronze.t (id DECIMAL(50,2))",
            "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
        ),
        (
            "CREATE TABLE crisk.bronze.t (id INT, CONSTRAINT pk PRIMARY KEY (id))",
            "UC_PRIMARY_KEY_ON_NULLABLE_COLUMN",
        ),
        ("CREATE TABLE crisk.bronze.t (id INT, CONSTRAINT c CHECK (id > 0))", "PARSE_SYNTAX_ERROR"),
        ("CREATE TABLE crisk.bronze.t (id INT) CLUSTER BY (absent)", "UNRESOLVED_COLUMN"),
        (
            "CREATE TABLE crisk.bronze.t (a INT, b INT, c INT, d INT, e INT) CLUSTER BY (a, "
            "b, c, d, e)",
            "DELTA_CLUSTER_BY_INVALID_NUM_COLUMNS",
        ),
        ("CREATE TABLE crisk.bronze.t (id INT) USING csv", "UNSUPPORTED_BY_TEST_SERVER"),
        ("CREATE TABLE crisk.bronze.t (id INT) SORTED BY (id)", "PARSE_SYNTAX_ERROR"),
        (
            "CREATE TABLE crisk.bronze.t (id INT, CONSTRAINT f FOREIGN KEY (id) REFERENCES "
            "crisk.bronze.there (id))",
            "UC_FOREIGN_KEY_INVALID",
        ),
        ("ALTER TABLE crisk.bronze.none ADD COLUMNS (x INT)", "TABLE_OR_VIEW_NOT_FOUND"),
        ("ALTER TABLE crisk.bronze.there ADD COLUMNS (ID STRING)", "COLUMN_ALREADY_EXISTS"),
        (
            "ALTER TABLE crisk.bronze.there ADD COLUMNS (x STRING NOT NULL)",
            "DELTA_ADD_COLUMN_NOT_NULL",
        ),
        ("ALTER TABLE crisk.bronze.there ADD COLUMNS (id.x STRING)", "INVALID_FIELD_NAME"),
        (
            "ALTER TABLE crisk.bronze.there ALTER COLUMN n TYPE BIGINT",
            "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP",
        ),
        (
            "ALTER TABLE crisk.bronze.there ALTER COLUMN id TYPE BIGINT",
            "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE",
        ),
        ("ALTER TABLE crisk.bronze.there RENAME COLUMN n TO m", "DELTA_UNSUPPORTED_RENAME_COLUMN"),
        ("ALTER TABLE crisk.bronze.there DROP COLUMN n", "DELTA_UNSUPPORTED_DROP_COLUMN"),
        (
            "ALTER TABLE crisk.bronze.there ADD CONSTRAINT positive CHECK (n > 0)",
            "DELTA_CONSTRAINT_ALREADY_EXISTS",
        ),
        (
            "ALTER TABLE crisk.bronze.there ADD CONSTRAINT other CHECK (absent > 0)",
            "UNRESOLVED_COLUMN",
        ),
        ("ALTER TABLE crisk.bronze.there SET TAGS ('a' = 'b') AND MORE", "PARSE_SYNTAX_ERROR"),
        (
            "ALTER TABLE crisk.bronze.there RENAME TO crisk.bronze.here AND MORE",
            "PARSE_SYNTAX_ERROR",
        ),
        ("CREATE FUNCTION crisk.bronze.f(a INT) RETURNS INT RETURN b", "UNRESOLVED_COLUMN"),
        (
            "CREATE OR REPLACE TABLE crisk.bronze.there (id INT) LOCATION 'https://elsewhere'",
            "Invalid URL",
        ),
        (
            "ALTER TABLE crisk.bronze.there DROP CONSTRAINT absent",
            "DELTA_CONSTRAINT_DOES_NOT_EXIST",
        ),
        (
            "ALTER TABLE crisk.bronze.there SET TBLPROPERTIES ('delta.constraints.x' = 'id > 1')",
            "DELTA_ADD_CONSTRAINTS",
        ),
        (
            "ALTER TABLE crisk.bronze.there UNSET TBLPROPERTIES ('absent')",
            "UNSET_NONEXISTENT_PROPERTIES",
        ),
        ("ALTER TABLE crisk.bronze.there SET TAGS ('a.b' = 'c')", "Invalid tag key"),
        ("ALTER TABLE crisk.bronze.there FLY", "PARSE_SYNTAX_ERROR"),
        ("ALTER TABLE crisk.bronze.there DROP ROW FILTER AND MORE", "PARSE_SYNTAX_ERROR"),
        ("CREATE SCHEMA crisk.bronze", "SCHEMA_ALREADY_EXISTS"),
        ("DROP SCHEMA crisk.bronze", "SCHEMA_NOT_EMPTY"),
        ("DROP TABLE crisk.bronze.none", "TABLE_OR_VIEW_NOT_FOUND"),
        ("CREATE VIEW crisk.bronze.v AS SELECT 1", "PARSE_SYNTAX_ERROR"),
        ("INSERT INTO crisk.bronze.there VALUES (1, 2)", "PARSE_SYNTAX_ERROR"),
        ("SELECT absent FROM crisk.information_schema.tables", "UNRESOLVED_COLUMN"),
        ("SELECT fly(1)", "UNRESOLVED_ROUTINE"),
        ("SELECT 1 FROM crisk.information_schema.nothing", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT :missing", "UNBOUND_SQL_PARAMETER"),
        ("SELECT (", "PARSE_SYNTAX_ERROR"),
        ("SELECT 'open", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_a_statement_that_the_service_refuses_fails_with_its_condition_and_changes_nothing(
    workspace: Workspace, run: Run, statement: str, condition: str
) -> None:
    run("CREATE TABLE crisk.bronze.there (id INT, n INT)")
    run("ALTER TABLE crisk.bronze.there ADD CONSTRAINT positive CHECK (id > 0)")
    before = json.dumps(
        [
            workspace.state.unity,
            {str(key): value for key, value in workspace.state.tags.items() if value},
        ],
        sort_keys=True,
    )
    with pytest.raises(Failed, match=condition):
        run(statement)
    assert (
        json.dumps(
            [
                workspace.state.unity,
                {str(key): value for key, value in workspace.state.tags.items() if value},
            ],
            sort_keys=True,
        )
        == before
    )


@pytest.mark.parametrize(
    "statements, question, answer",
    [
        (
            [
                "ALTER TABLE t SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
                "ALTER TABLE t ALTER COLUMN n TYPE BIGINT",
                "ALTER TABLE t ALTER COLUMN d TYPE DECIMAL(12,4)",
                "ALTER TABLE t ALTER COLUMN at TYPE TIMESTAMP_NTZ",
                "ALTER TABLE t ALTER COLUMN f TYPE DOUBLE",
            ],
            "SELECT full_data_type FROM information_schema.columns WHERE table_name = 't' "
            "AND ordinal_position BETWEEN 2 AND 5",
            [["bigint"], ["decimal(12,4)"], ["timestamp_ntz"], ["double"]],
        ),
        (
            [
                "ALTER TABLE t SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
                "ALTER TABLE t ALTER COLUMN n TYPE DECIMAL(12,2)",
            ],
            "SELECT full_data_type FROM information_schema.columns WHERE column_name = 'n'",
            [["decimal(12,2)"]],
        ),
        (
            ["ALTER TABLE t RENAME TO bronze.u"],
            "SELECT table_name FROM information_schema.tables",
            [["u"]],
        ),
        (
            [
                "ALTER TABLE t ALTER COLUMN id SET NOT NULL",
                "ALTER TABLE t ADD PRIMARY KEY (id)",
                "ALTER TABLE t DROP PRIMARY KEY",
            ],
            "SELECT count(*) FROM information_schema.table_constraints",
            [["0"]],
        ),
        (
            [
                "ALTER TABLE t ALTER COLUMN id SET NOT NULL",
                "ALTER TABLE t ALTER COLUMN id DROP NOT NULL",
            ],
            "SELECT is_nullable FROM information_schema.columns WHERE column_name = 'id'",
            [["YES"]],
        ),
        (
            [
                "ALTER TABLE t SET TAGS ('a' = 'b', 'c' = 'd')",
                "ALTER TABLE t UNSET TAGS ('a')",
                "ALTER TABLE t ALTER COLUMN id SET TAGS ('pii' = 'true', 'x')",
                "ALTER TABLE t ALTER COLUMN id UNSET TAGS ('x')",
            ],
            "SELECT t.tag_name, c.column_name, c.tag_name FROM information_schema.table_tags "
            "AS t CROSS JOIN information_schema.column_tags AS c",
            [["c", "id", "pii"]],
        ),
        (
            [
                "ALTER TABLE t SET TBLPROPERTIES ('a' = 'b', delta.appendOnly = true, n = 7)",
                "ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('absent', 'a')",
            ],
            "SHOW TBLPROPERTIES t",
            None,
        ),
        (
            [
                "ALTER TABLE t CLUSTER BY AUTO",
                "ALTER TABLE t ENABLE PREDICTIVE OPTIMIZATION",
                "ALTER SCHEMA bronze DISABLE PREDICTIVE OPTIMIZATION",
                "ALTER TABLE t OWNER TO `admin@example.com`",
            ],
            "SELECT table_owner FROM information_schema.tables",
            [["admin@example.com"]],
        ),
        (
            [
                "CREATE VOLUME bronze.v COMMENT 'files'",
                f"CREATE EXTERNAL VOLUME bronze.w LOCATION '{ROOT}/w'",
                "ALTER VOLUME bronze.v SET TAGS ('k' = 'v')",
                "DROP VOLUME bronze.w",
            ],
            "SELECT v.volume_name, v.volume_type, t.tag_value FROM "
            "information_schema.volumes AS v JOIN information_schema.volume_tags AS t ON "
            "v.volume_name = t.volume_name",
            [["v", "MANAGED", "v"]],
        ),
        (
            [
                "CREATE CATALOG IF NOT EXISTS other COMMENT 'more' MANAGED LOCATION "
                f"'{ROOT}/other'",
                f"CREATE SCHEMA other.s MANAGED LOCATION '{ROOT}/other/s' WITH DBPROPERTIES "
                "('a' = 'b')",
                "ALTER CATALOG other SET TAGS ('k' = 'v')",
                "COMMENT ON CATALOG other IS NULL",
            ],
            "SELECT schema_name FROM other.information_schema.schemata WHERE comment IS NULL",
            [["s"]],
        ),
        (
            [
                "CREATE FUNCTION bronze.f() RETURNS BOOLEAN LANGUAGE SQL DETERMINISTIC RETURN TRUE",
                "CREATE FUNCTION IF NOT EXISTS bronze.f() RETURNS INT RETURN 1",
                "CREATE TABLE u (id INT) WITH ROW FILTER bronze.f ON ()",
            ],
            "SELECT filter_col_usage FROM information_schema.row_filters",
            [[""]],
        ),
        (
            [
                "CREATE TABLE u (id INT, m MAP<STRING, STRUCT<a: INT>>)",
                "ALTER TABLE u ADD COLUMNS (m.value.b STRING)",
                "COMMENT ON TABLE u IS 'with a map' -- and a remark",
            ],
            "SELECT full_data_type FROM information_schema.columns WHERE column_name = 'm'",
            [["map<string,struct<a:int,b:string>>"]],
        ),
        (
            [
                "/* a remark */ ALTER TABLE t SET TBLPROPERTIES ('delta.columnMapping.mode' "
                "= 'name');",
                "ALTER TABLE t DROP COLUMNS (n, f)",
                "ALTER TABLE t DROP COLUMN IF EXISTS absent",
                "ALTER TABLE t RENAME COLUMN at TO `the date`",
            ],
            "SELECT column_name FROM information_schema.columns",
            [["id"], ["d"], ["the date"], ["s"]],
        ),
    ],
)
def test_statements_that_the_service_takes_have_their_effect(
    run: Run, statements: list[str], question: str, answer: list[list[Any]] | None
) -> None:
    run("CREATE TABLE crisk.bronze.t (id INT, n INT, d DECIMAL(10,2), at DATE, f FLOAT, s STRING)")
    for statement in statements:
        run(statement.replace("TABLE t ", "TABLE bronze.t ").replace("TABLE u ", "TABLE bronze.u "))
    rows = run(question.replace("TBLPROPERTIES t", "TBLPROPERTIES bronze.t"))
    if answer is None:
        assert [row for row in rows if not row[0].startswith(("delta.min", "delta.last"))] == [
            ["delta.appendOnly", "true"],
            ["n", "7"],
        ]
    else:
        assert rows == answer


WORDS = [
    "CREATE",
    "OR REPLACE",
    "TABLE",
    "FUNCTION",
    "ALTER",
    "COLUMN",
    "DROP",
    "ADD",
    "COLUMNS",
    "SET",
    "TAGS",
    "crisk.bronze.t",
    "`a b`",
    "id",
    "INT",
    "STRUCT<a: INT>",
    "ARRAY<",
    ">",
    "(",
    ")",
    ",",
    "=",
    "'text'",
    "''",
    "TBLPROPERTIES",
    "CONSTRAINT",
    "CHECK",
    "PRIMARY KEY",
    "NOT NULL",
    "COMMENT",
    "RENAME",
    "TO",
    "TYPE",
    "MASK",
    "ROW FILTER",
    "ON",
    "GRANT",
    "SELECT",
    "FROM",
    "crisk.information_schema.tables",
    "DESCRIBE",
    "DETAIL",
    "SHOW",
    "1",
    ";",
    "IF NOT EXISTS",
    "CLUSTER BY",
    "REVOKE",
    "IS",
    "NULL",
    "SCHEMA",
    "crisk.bronze",
    "VOLUME",
    "WHERE",
    "*",
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=40)))
def test_whatever_is_sent_has_an_effect_or_is_refused(text: str) -> None:
    state = State()
    furnish(state, "primary")
    session = Session(state, ADMIN, "crisk", "bronze")
    state.unity["external_location"]["catlog"] = {
        "name": "catlog",
        "url": ROOT,
        "credential_id": "x",
        "owner": ADMIN,
    }
    for statement in (
        f"CREATE CATALOG crisk MANAGED LOCATION '{ROOT}/crisk'",
        "CREATE SCHEMA crisk.bronze",
        "CREATE TABLE crisk.bronze.t (id INT)",
    ):
        run_statement(statement, session, {})
    with suppress(SqlError):
        assert isinstance(run_statement(text, session, {}), Rows)


def test_a_column_that_something_depends_on_is_not_dropped(run: Run) -> None:
    run(
        "CREATE TABLE crisk.bronze.t (id INT, n INT) CLUSTER BY (id) TBLPROPERTIES "
        "('delta.columnMapping.mode' = 'name')"
    )
    run("ALTER TABLE crisk.bronze.t ADD CONSTRAINT positive CHECK (`n` > 0)")
    for column, condition in (
        ("id", "DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN"),
        ("n", "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE"),
        ("absent", "UNRESOLVED_COLUMN"),
    ):
        with pytest.raises(Failed, match=condition):
            run(f"ALTER TABLE crisk.bronze.t DROP COLUMN {column}")
    with pytest.raises(Failed, match="FIELD_ALREADY_EXISTS"):
        run("ALTER TABLE crisk.bronze.t RENAME COLUMN id TO n")
    run("ALTER TABLE crisk.bronze.t RENAME COLUMN id TO `key`")
    assert json.loads(run("DESCRIBE DETAIL crisk.bronze.t")[0][8]) == ["key"]


def test_parameters_have_types(client: WorkspaceClient) -> None:
    warehouse = next(iter(client.warehouses.list())).id or ""
    items = [
        sql.StatementParameterListItem("a", type="INT", value="2"),
        sql.StatementParameterListItem("b", type="DOUBLE", value="1.5"),
        sql.StatementParameterListItem("c", value="x"),
        sql.StatementParameterListItem("d"),
    ]
    answer = client.statement_execution.execute_statement(
        "SELECT :a * :b, :c, :d IS NULL", warehouse, parameters=items
    )
    assert answer.result and answer.result.data_array == [["3.0", "x", "1"]]


def test_if_not_exists_if_exists_and_or_replace_do_what_they_say(
    run: Run, client: WorkspaceClient
) -> None:
    for _ in range(2):
        run("CREATE SCHEMA IF NOT EXISTS crisk.extra COMMENT 'more'")
        run(
            "CREATE TABLE IF NOT EXISTS crisk.extra.t (id BIGINT NOT NULL PRIMARY KEY) "
            "COMMENT 'it''s'"
        )
        run("CREATE VOLUME IF NOT EXISTS crisk.extra.v")
    identity = client.tables.get("crisk.extra.t").table_id
    run("CREATE OR REPLACE TABLE crisk.extra.t (id STRING)")
    there = client.tables.get("crisk.extra.t")
    assert there.table_id == identity and [item.type_text for item in there.columns or []] == [
        "string"
    ]
    for _ in range(2):
        run("DROP TABLE IF EXISTS crisk.extra.t")
    run("DROP SCHEMA crisk.extra CASCADE")
    with pytest.raises(NotFound):
        client.volumes.read("crisk.extra.v")


def test_keys_are_seen_in_the_information_schema_and_checks_are_not(run: Run) -> None:
    run(
        "CREATE TABLE crisk.silver.customer (id BIGINT NOT NULL, CONSTRAINT customer_pk "
        "PRIMARY KEY (id))"
    )
    run(
        "CREATE TABLE crisk.silver.account (id BIGINT NOT NULL, customer_id BIGINT, "
        "CONSTRAINT account_pk PRIMARY KEY (id) RELY, CONSTRAINT account_fk FOREIGN KEY "
        "(customer_id) REFERENCES crisk.silver.customer)"
    )
    run("ALTER TABLE crisk.silver.account ADD CONSTRAINT positive CHECK (id > 0)")
    assert run(
        "SELECT constraint_name, constraint_type FROM "
        "crisk.information_schema.table_constraints ORDER BY 1"
    ) == [
        ["account_fk", "FOREIGN KEY"],
        ["account_pk", "PRIMARY KEY"],
        ["customer_pk", "PRIMARY KEY"],
    ]
    assert run("""SELECT k.table_name, k.column_name, r.unique_constraint_name
                  FROM crisk.information_schema.key_column_usage AS k
                  JOIN crisk.information_schema.referential_constraints AS r
                  ON k.constraint_name = r.constraint_name
                  AND k.constraint_schema = r.constraint_schema""") == [
        ["account", "customer_id", "customer_pk"]
    ]
    assert run(
        "SELECT table_name, column_name FROM "
        "crisk.information_schema.constraint_column_usage WHERE constraint_name = "
        "'account_fk'"
    ) == [["customer", "id"]]
    assert run("SELECT count(*) FROM crisk.information_schema.check_constraints") == [["0"]]
    run("ALTER TABLE crisk.silver.account DROP CONSTRAINT account_fk")
    run("ALTER TABLE crisk.silver.account DROP PRIMARY KEY IF EXISTS")
    assert run("SELECT constraint_name FROM crisk.information_schema.table_constraints") == [
        ["customer_pk"]
    ]


# --- what is read


def test_columns_are_read_by_parameters_conditions_and_groups(run: Run) -> None:
    run("CREATE TABLE crisk.bronze.a (id BIGINT COMMENT 'key', name STRING)")
    run("CREATE TABLE crisk.bronze.b (id INT NOT NULL, amount DECIMAL(10,2))")
    rows = run(
        "SELECT table_name, column_name, full_data_type, is_nullable, comment FROM "
        "crisk.information_schema.columns WHERE table_schema = :schema ORDER BY table_name, "
        "ordinal_position",
        schema="bronze",
    )
    assert rows == [
        ["a", "id", "bigint", "YES", "key"],
        ["a", "name", "string", "YES", None],
        ["b", "id", "int", "NO", None],
        ["b", "amount", "decimal(10,2)", "YES", None],
    ]
    assert run(
        "WITH c AS (SELECT table_name AS t, count(*) AS n FROM information_schema.columns "
        "GROUP BY 1) SELECT t, n FROM c WHERE n > 1 ORDER BY t LIMIT 1"
    ) == [["a", "2"]]
    assert run(
        "SELECT column_name, ordinal_position, numeric_precision, numeric_scale FROM "
        "crisk.information_schema.columns WHERE table_name = 'b' ORDER BY 2"
    ) == [["id", "1", "32", "0"], ["amount", "2", "10", "2"]]
    assert run("SELECT DISTINCT table_catalog FROM system.information_schema.tables") == [["crisk"]]
    assert run("SELECT current_user(), current_catalog()") == [["admin@example.com", "crisk"]]


def test_members_of_a_struct_keep_what_is_said_of_them(run: Run, client: WorkspaceClient) -> None:
    def kept() -> Any:
        (column,) = client.tables.get("crisk.bronze.t").columns or []
        return column.type_text, json.loads(column.type_json or "")

    run("CREATE TABLE crisk.bronze.t (s STRUCT<a: INT NOT NULL COMMENT 'first', b: VARCHAR(5)>)")
    members = [
        {"name": "a", "type": "integer", "nullable": False, "metadata": {"comment": "first"}},
        {"name": "b", "type": "string", "nullable": True, "metadata": {}},
    ]
    assert kept() == (
        "struct<a:int,b:varchar(5)>",
        {
            "name": "s",
            "type": {"type": "struct", "fields": members},
            "nullable": True,
            "metadata": {"__CHAR_VARCHAR_TYPE_STRING": "struct<a:int,b:varchar(5)>"},
        },
    )
    run("ALTER TABLE crisk.bronze.t ADD COLUMNS (s.c DATE COMMENT 'third')")
    run("ALTER TABLE crisk.bronze.t ALTER COLUMN s COMMENT 'parts'")
    members.append(
        {"name": "c", "type": "date", "nullable": True, "metadata": {"comment": "third"}}
    )
    text = "struct<a:int,b:varchar(5),c:date>"
    assert kept() == (
        text,
        {
            "name": "s",
            "type": {"type": "struct", "fields": members},
            "nullable": True,
            "metadata": {"comment": "parts", "__CHAR_VARCHAR_TYPE_STRING": text},
        },
    )


def test_describe_and_show_say_what_a_table_is(run: Run) -> None:
    run(
        "CREATE TABLE crisk.bronze.t (id BIGINT COMMENT 'key', at DATE) COMMENT 'rows' "
        "CLUSTER BY (id) TBLPROPERTIES ('datamaster.layer' = 'bronze')"
    )
    assert run("DESCRIBE TABLE crisk.bronze.t")[:2] == [
        ["id", "bigint", "key"],
        ["at", "date", None],
    ]
    assert ["Comment", "rows", ""] in run("DESCRIBE TABLE EXTENDED crisk.bronze.t")
    (detail,) = run("DESCRIBE DETAIL crisk.bronze.t")
    assert json.loads(detail[8]) == ["id"] and json.loads(detail[11]) == {
        "datamaster.layer": "bronze"
    }
    assert ["datamaster.layer", "bronze"] in run("SHOW TBLPROPERTIES crisk.bronze.t")
    assert run("SHOW TABLES IN crisk.bronze") == [["bronze", "t", "false"]]
    assert ["silver"] in run("SHOW SCHEMAS IN crisk") and run("SHOW CATALOGS") == [["crisk"]]
    assert ["Catalog Name", "crisk"] in run("DESCRIBE SCHEMA EXTENDED crisk.bronze")


def test_rows_that_a_test_puts_into_the_state_are_queried(workspace: Workspace, run: Run) -> None:
    run("CREATE TABLE crisk.bronze.t (id BIGINT, name STRING)")
    workspace.state.rows["crisk.bronze.t"] = [{"id": 1, "name": "a"}, {"id": 2, "name": None}]
    assert run("SELECT count(1) > 0, count_if(`name` IS NULL) > 0 FROM crisk.bronze.t") == [
        ["1", "1"]
    ]
    with pytest.raises(Failed, match="DELTA_NOT_NULL_CONSTRAINT_VIOLATED"):
        run("ALTER TABLE crisk.bronze.t ALTER COLUMN name SET NOT NULL")
    run("ALTER TABLE crisk.bronze.t ALTER COLUMN id SET NOT NULL")
    workspace.state.rows["system.billing.usage"] = [
        {"sku_name": "JOBS", "usage_quantity": 1.5},
        {"sku_name": "JOBS", "usage_quantity": 2.0},
    ]
    assert run(
        "SELECT sku_name, sum(usage_quantity) FROM system.billing.usage GROUP BY sku_name"
    ) == [["JOBS", "3.5"]]


def test_the_information_schema_may_still_show_what_was(workspace: Workspace, run: Run) -> None:
    workspace.fail(Fault("stale", "POST", "*/sql/statements", reads=2))
    run("CREATE TABLE crisk.bronze.t (id BIGINT)")
    seen = [run("SELECT table_name FROM crisk.information_schema.tables") for _ in range(3)]
    assert seen == [[], [], [["t"]]]
    run("ALTER TABLE crisk.bronze.t ADD COLUMNS (x INT)")


def test_a_reader_sees_what_it_is_granted_and_nothing_else(
    workspace: Workspace, client: WorkspaceClient, run: Run
) -> None:
    client.users_v2.create(user_name="dev@example.com")
    run("CREATE TABLE crisk.gold.kpi (id BIGINT)")
    reader = runner(workspace_client(workspace, "dev@example.com"))
    assert reader("SELECT table_name FROM system.information_schema.tables") == []
    with pytest.raises(Failed, match="INSUFFICIENT_PERMISSIONS"):
        reader("SELECT * FROM crisk.gold.kpi")
    with pytest.raises(Failed, match="INSUFFICIENT_PERMISSIONS"):
        reader("CREATE TABLE crisk.gold.mine (id BIGINT)")
    run("GRANT SELECT ON TABLE crisk.gold.kpi TO `dev@example.com`")
    assert (
        reader("SELECT table_name FROM system.information_schema.tables") == [["kpi"]]
        and reader("SELECT * FROM crisk.gold.kpi") == []
    )


# --- statements and warehouses


def test_a_statement_is_pending_then_runs_then_has_its_result_in_chunks() -> None:
    with Workspace(
        Settings(statement_polls=1, statement_chunk=4), metastore="primary"
    ) as workspace:
        client = workspace_client(workspace)
        stock(client, tables=10)
        warehouse = next(iter(client.warehouses.list())).id or ""
        answer = client.statement_execution.execute_statement(
            "SELECT table_name FROM crisk.information_schema.tables ORDER BY 1",
            warehouse,
            wait_timeout="0s",
        )
        states = []
        while answer.status and answer.status.state in (
            sql.StatementState.PENDING,
            sql.StatementState.RUNNING,
        ):
            states.append(answer.status.state.value)
            answer = client.statement_execution.get_statement(answer.statement_id or "")
        assert (
            states == ["PENDING", "RUNNING"]
            and answer.manifest
            and answer.manifest.total_row_count == 10
            and answer.manifest.total_chunk_count == 3
        )
        assert answer.manifest.schema and [
            (item.name, item.type_text) for item in answer.manifest.schema.columns or []
        ] == [("table_name", "STRING")]
        part, rows = answer.result, []
        while part:
            rows += part.data_array or []
            part = (
                client.statement_execution.get_statement_result_chunk_n(
                    answer.statement_id or "", part.next_chunk_index
                )
                if part.next_chunk_index
                else None
            )
        assert [row[0] for row in rows] == sorted(f"t{number}" for number in range(10))
        slow = client.statement_execution.execute_statement(
            "SELECT 1", warehouse, wait_timeout="0s"
        )
        client.statement_execution.cancel_execution(slow.statement_id or "")
        ended = client.statement_execution.get_statement(slow.statement_id or "").status
        assert ended and ended.state == sql.StatementState.CANCELED


def test_statements_need_a_warehouse_and_a_time_that_the_service_takes(
    client: WorkspaceClient,
) -> None:
    warehouse = next(iter(client.warehouses.list())).id or ""
    with pytest.raises(NotFound):
        client.statement_execution.execute_statement("SELECT 1", "absent")
    with pytest.raises(InvalidParameterValue, match="between 5s and 50s"):
        client.statement_execution.execute_statement("SELECT 1", warehouse, wait_timeout="2s")
    with pytest.raises(NotFound):
        client.statement_execution.get_statement("absent")


def test_warehouses_are_made_started_stopped_and_deleted(client: WorkspaceClient) -> None:
    made = client.warehouses.create(name="toolkit", cluster_size="2X-Small", auto_stop_mins=10)
    identity = made.response.id
    assert (
        client.warehouses.get(identity).state == sql.State.STARTING
        and client.warehouses.get(identity).state == sql.State.RUNNING
    )
    with pytest.raises(ResourceAlreadyExists):
        client.warehouses.create(name="Toolkit", cluster_size="Small")
    with pytest.raises(InvalidParameterValue, match="cluster size"):
        client.warehouses.create(name="other", cluster_size="Tiny")
    client.warehouses.edit(identity, auto_stop_mins=20)
    client.warehouses.stop(identity)
    assert (
        client.warehouses.get(identity).auto_stop_mins == 20
        and client.warehouses.get(identity).state == sql.State.STOPPED
    )
    client.warehouses.start(identity)
    assert client.warehouses.get(identity).state == sql.State.STARTING
    client.warehouses.delete(identity)
    with pytest.raises(NotFound):
        client.warehouses.get(identity)


def test_a_table_in_an_external_location_has_a_place_of_its_own(
    run: Run, client: WorkspaceClient
) -> None:
    run(f"CREATE TABLE crisk.bronze.outside (id INT) LOCATION '{ROOT}/outside'")
    assert client.tables.get("crisk.bronze.outside").table_type == catalog.TableType.EXTERNAL
    with pytest.raises(Failed, match="LOCATION_OVERLAP"):
        run(f"CREATE TABLE crisk.bronze.inside (id INT) LOCATION '{ROOT}/outside/inside'")
    with pytest.raises(Failed, match="EXTERNAL_LOCATION_DOES_NOT_EXIST"):
        run(
            "CREATE TABLE crisk.bronze.inside (id INT) LOCATION "
            f"'{ROOT.replace('catlog', 'none')}/x'"
        )
    with pytest.raises(BadRequest):
        client.storage_credentials.create(
            "external_location_mi_credential",
            azure_managed_identity=catalog.AzureManagedIdentityRequest(CONNECTOR),
        )
