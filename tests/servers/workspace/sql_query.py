"""Queries: of INFORMATION_SCHEMA, and of rows that a test has put into the state, of tables or of
the catalog `system`. SQLite runs them, after sqlglot has translated them.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from .information_schema import RELATIONS
from .securables import find, need
from .sql_session import Rows, Session
from .sql_tokens import SqlError
from .state import Json

TYPES = {int: "bigint", float: "double", str: "string", type(None): "string"}


def query(sql: str, session: Session, parameters: Json) -> Rows:
    """Run one query; `parameters` are the values of its markers `:name`."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        (tree,) = sqlglot.parse(sql, read="databricks")
    except (SqlglotError, ValueError) as error:
        raise SqlError(
            "PARSE_SYNTAX_ERROR", f"Syntax error: {str(error).splitlines()[0]}", "42601"
        ) from error
    if not isinstance(tree, exp.Query):
        raise SqlError("PARSE_SYNTAX_ERROR", "Only queries are understood here.", "42601")
    for marker in list(tree.find_all(exp.Placeholder)):
        if marker.name not in parameters:
            raise SqlError(
                "UNBOUND_SQL_PARAMETER", f"Found the unbound parameter: {marker.name}.", "42P02"
            )
        marker.replace(exp.convert(parameters[marker.name]))
    for node, value in [(exp.CurrentUser, session.caller), (exp.CurrentCatalog, session.catalog)]:
        for found in list(tree.find_all(node)):
            found.replace(exp.Literal.string(value))
    connection = sqlite3.connect(":memory:")
    with_names = {item.alias_or_name.lower() for item in tree.find_all(exp.CTE)}
    try:
        for table in list(tree.find_all(exp.Table)):
            parts = tuple(part.name for part in table.parts)
            if len(parts) == 1 and parts[0].lower() in with_names:
                continue
            alias = table.alias_or_name
            table.replace(
                exp.alias_(
                    exp.to_table(loaded(connection, session, parts), dialect="sqlite"),
                    exp.to_identifier(alias, quoted=True),
                    table=True,
                )
            )
        cursor = connection.execute(tree.sql("sqlite"))
        names, rows = [item[0] for item in cursor.description], [list(row) for row in cursor]
    except sqlite3.Error as error:
        condition, sql_state = (
            ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703")
            if "no such column" in str(error) or "ambiguous column" in str(error)
            else ("UNRESOLVED_ROUTINE", "42883")
            if "no such function" in str(error)
            else ("UNSUPPORTED_BY_TEST_SERVER", "0A000")
        )
        raise SqlError(condition, f"{error}", sql_state) from error
    finally:
        connection.close()
    kinds = [
        TYPES[type(next((row[at] for row in rows if row[at] is not None), None))]
        for at in range(len(names))
    ]
    return Rows(tuple(zip(names, kinds, strict=True)), rows)


def loaded(connection: sqlite3.Connection, session: Session, parts: tuple[str, ...]) -> str:
    """Load a relation or a table's rows and return the name that it has there."""
    if len(parts) > 1 and parts[-2].lower() == "information_schema":
        catalog, relation = (
            (parts[0] if len(parts) == 3 else session.catalog).lower(),
            parts[-1].lower(),
        )
        if relation not in RELATIONS:
            raise SqlError(
                "TABLE_OR_VIEW_NOT_FOUND",
                f"The table or view {'.'.join(parts)} cannot be found.",
                "42P01",
            )
        if catalog != "system":
            find(session.state, "catalog", catalog)
        make, columns = RELATIONS[relation]
        of_catalog = next(name for name in columns if name.endswith(("catalog_name", "_catalog")))
        rows = [row for row in make(session) if catalog == "system" or row[of_catalog] == catalog]
        return fill(connection, f"{catalog}__information_schema__{relation}", columns, rows)
    given = session.state.rows.get(".".join(parts).lower())
    if parts[0].lower() == "system" and given:
        return fill(connection, ".".join(parts).lower().replace(".", "__"), tuple(given[0]), given)
    table = session.table(parts)
    need(session.state, session.caller, "table", table["full_name"], "SELECT")
    return fill(
        connection,
        table["full_name"].replace(".", "__"),
        tuple(item["name"] for item in table["columns"]),
        session.state.rows.get(table["full_name"], []),
    )


def fill(
    connection: sqlite3.Connection, name: str, columns: tuple[str, ...], rows: list[Json]
) -> str:
    """Make a table of rows, unless it is there, and return its quoted name."""

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [name]).fetchall():
        connection.execute(f"CREATE TABLE {quoted(name)} ({', '.join(map(quoted, columns))})")
        connection.executemany(
            f"INSERT INTO {quoted(name)} VALUES ({', '.join('?' * len(columns))})",
            [[plain(row.get(column)) for column in columns] for row in rows],
        )
    return quoted(name)


def plain(value: Any) -> Any:
    """Return a value as SQLite takes it."""
    return value if value is None or isinstance(value, int | float | str) else str(value)
