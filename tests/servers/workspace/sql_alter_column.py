"""The columns of a table that ALTER TABLE adds, changes, renames and drops (Databricks, *ALTER
TABLE*, and Delta's conditions in *Error conditions*).
"""

from __future__ import annotations

import re

from .refusals import absent
from .securables import need
from .sql_columns import check_columns, column_at, column_of, read_mask, refresh, retyped, tags_key
from .sql_session import Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .sql_types import SqlType, read_type
from .sql_widening import check_type_change, member_at
from .state import Json
from .tags import set_tag

CHECK = "delta.constraints."


def set_tags(reader: Reader, session: Session, key: tuple[str, str]) -> None:
    """Set tags."""
    tags = reader.pairs()
    reader.end()
    for name, value in tags.items():
        set_tag(session.state, session.caller, key, name, value)


def unset_tags(reader: Reader, session: Session, key: tuple[str, str], kind: str, of: str) -> None:
    """Take tags off, which may not be there."""
    names = reader.key_list()
    reader.end()
    need(session.state, session.caller, kind, of, "APPLY_TAG", "MANAGE")
    for name in names:
        session.state.tags[key].pop(name, None)


def add_columns(reader: Reader, table: Json) -> None:
    """ADD COLUMN: at the end of a table, or of a struct in it."""
    reader.one_of("COLUMN", "COLUMNS")
    new = (
        reader.listed(lambda: new_column(reader)) if reader.peek() == "(" else [new_column(reader)]
    )
    for path, kind, comment in new:
        if len(path) == 1:
            table["columns"].append(column_of(path[0], kind, len(table["columns"]), True, comment))
        else:
            member_at(table, path, kind, comment)
    check_columns(table)


def new_column(reader: Reader) -> tuple[tuple[str, ...], SqlType, str]:
    """Read a column, or a member of a nested one, to add; Delta adds none that is NOT NULL."""
    path, kind = reader.name(), read_type(reader)
    if reader.takes("NOT", "NULL"):
        raise SqlError(
            "DELTA_ADD_COLUMN_NOT_NULL",
            f"NOT NULL is not supported in ALTER TABLE ADD COLUMNS: {'.'.join(path)}",
            "0AKDC",
        )
    return path, kind, reader.text() if reader.takes("COMMENT") else ""


def dependents(table: Json, column: str) -> list[str]:
    """Return the CHECK constraints that name a column."""
    return [
        key.removeprefix(CHECK)
        for key, text in table["properties"].items()
        if key.startswith(CHECK)
        and re.search(rf"(?<![\w`])`?{re.escape(column)}`?(?![\w`])", text, re.IGNORECASE)
    ]


def check_independent(table: Json, column: str, verb: str) -> None:
    """Refuse to change a column that a constraint is on, or by which the table is clustered or its
    rows are filtered.
    """
    if dependents(table, column):
        raise SqlError(
            "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE",
            f"Cannot {verb} column {column} because this column is referenced by the "
            f"following check constraint(s): {', '.join(dependents(table, column))}",
            "42K09",
        )


def need_mapping(table: Json, verb: str) -> None:
    """Refuse what Delta does only with column mapping."""
    if table["properties"].get("delta.columnMapping.mode") not in ("name", "id"):
        raise SqlError(
            f"DELTA_UNSUPPORTED_{verb.upper()}_COLUMN",
            f"{verb.upper()} COLUMN is not supported for your Delta table. Please enable "
            "column mapping: 'delta.columnMapping.mode' = 'name'.",
            "0AKDC",
        )


def drop_columns(reader: Reader, table: Json) -> None:
    """DROP COLUMN."""
    reader.one_of("COLUMN", "COLUMNS")
    may_lack = reader.takes("IF", "EXISTS")
    for name in reader.listed(reader.word) if reader.peek() == "(" else [reader.word()]:
        need_mapping(table, "drop")
        if may_lack and name.lower() not in [column["name"].lower() for column in table["columns"]]:
            continue
        column = column_at(table, name)
        check_independent(table, name, "drop")
        if f'"{column["name"]}"' in table["properties"].get("clusteringColumns", ""):
            raise SqlError(
                "DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN",
                f"Dropping clustering columns ({name}) is not supported.",
                "0AKDC",
            )
        table["columns"] = [item for item in table["columns"] if item is not column]
        for at, item in enumerate(table["columns"]):
            item["position"] = at


def rename_column(reader: Reader, session: Session, table: Json) -> None:
    """RENAME COLUMN a TO b: clustering, masks and tags go with it."""
    old = reader.word()
    reader.expect("TO")
    new = reader.word()
    need_mapping(table, "rename")
    column = column_at(table, old)
    check_independent(table, old, "rename")
    if any(item["name"].lower() == new.lower() for item in table["columns"] if item is not column):
        raise SqlError(
            "FIELD_ALREADY_EXISTS",
            f"Cannot rename column, because `{new}` already exists.",
            "42711",
        )
    if "clusteringColumns" in table["properties"]:
        table["properties"]["clusteringColumns"] = table["properties"]["clusteringColumns"].replace(
            f'"{column["name"]}"', f'"{new}"'
        )
    tags = session.state.tags.pop(tags_key(table, old), None)
    if tags:
        session.state.tags[tags_key(table, new)] = tags
    for constraint in table.get("table_constraints", []):
        detail = next(iter(constraint.values()))
        detail["child_columns"] = [
            new if item == column["name"] else item for item in detail["child_columns"]
        ]
    column["name"] = new
    refresh(column)


def alter_column(reader: Reader, session: Session, table: Json) -> None:
    """ALTER COLUMN: its type, comment, nullability, mask or tags."""
    reader.takes("COLUMN")
    column = column_at(table, reader.word())
    key = tags_key(table, column["name"])
    if reader.takes("SET", "TAGS"):
        set_tags(reader, session, key)
        return
    if reader.takes("UNSET", "TAGS"):
        unset_tags(reader, session, key, "table", table["full_name"])
        return
    need(session.state, session.caller, "table", table["full_name"], "MODIFY")
    if reader.takes("TYPE"):
        kind = read_type(reader)
        check_independent(table, column["name"], "alter")
        check_type_change(table, column, kind)
        retyped(column, kind.json)
    elif reader.takes("COMMENT"):
        column["comment"] = reader.text()
    elif reader.takes("SET", "NOT", "NULL"):
        if any(
            row.get(column["name"]) is None
            for row in session.state.rows.get(table["full_name"], [])
        ):
            raise SqlError(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                f"NOT NULL constraint violated for column: {column['name']}.",
                "23502",
            )
        column["nullable"] = False
    elif reader.takes("DROP", "NOT", "NULL"):
        if any(
            column["name"] in item["primary_key_constraint"]["child_columns"]
            for item in table.get("table_constraints", [])
            if "primary_key_constraint" in item
        ):
            raise SqlError(
                "UC_PRIMARY_KEY_ON_NULLABLE_COLUMN",
                f"Cannot make {column['name']} nullable: it is in the primary key.",
                "42888",
            )
        column["nullable"] = True
    elif reader.takes("SET", "MASK"):
        column["mask"] = read_mask(reader, session)
    elif reader.takes("DROP", "MASK"):
        if column.pop("mask", None) is None:
            raise absent(f"Column {column['name']} has no mask", "MASK")
    else:
        raise reader.error()
    refresh(column)
