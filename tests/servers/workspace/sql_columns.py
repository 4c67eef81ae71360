"""Columns and constraints of tables, as the statements give them and as Unity Catalog keeps
them.
"""

from __future__ import annotations

import json
from typing import Any

from .refusals import Refusal
from .securables import find
from .sql_session import Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .sql_types import SqlType, read_type, text_of, type_of, with_lengths, without_lengths
from .state import Json


def column_of(
    name: str, kind: SqlType, position: int, is_nullable: bool = True, comment: str = ""
) -> Json:
    """Return a column as the service shows it."""
    made: Json = {"name": name, "position": position, "nullable": is_nullable}
    if comment:
        made["comment"] = comment
    return retyped(made, kind.json)


def retyped(column: Json, kind: Any) -> Json:
    """Give a column a type, in JSON; lengths of texts are in the metadata, as Spark has them."""
    text = text_of(kind)
    known = type_of(text)
    metadata = {
        **({"comment": column["comment"]} if column.get("comment") else {}),
        **({"__CHAR_VARCHAR_TYPE_STRING": text} if "char(" in text else {}),
    }
    column.update(
        type_text=text, type_name=known.name, type_precision=known.precision, type_scale=known.scale
    )
    column["type_json"] = json.dumps(
        {
            "name": column["name"],
            "type": without_lengths(kind),
            "nullable": column["nullable"],
            "metadata": metadata,
        }
    )
    return column


def kind_of(column: Json) -> Any:
    """Return a column's type in JSON, with the nullability of members and the lengths of texts."""
    return with_lengths(json.loads(column["type_json"])["type"], type_of(column["type_text"]).json)


def refresh(column: Json) -> Json:
    """Bring a column's JSON up to date with its name, comment and nullability."""
    return retyped(column, kind_of(column))


def read_column(reader: Reader, session: Session, position: int) -> tuple[Json, bool]:
    """Read a column of CREATE TABLE, and whether it is the primary key."""
    name, kind = reader.word(), read_type(reader)
    is_nullable, comment, mask, is_key = True, "", None, False
    while not reader.is_done and reader.peek() not in (",", ")"):
        if reader.takes("NOT", "NULL"):
            is_nullable = False
        elif reader.takes("COMMENT"):
            comment = reader.text()
        elif reader.takes("MASK"):
            mask = read_mask(reader, session)
        elif reader.takes("PRIMARY", "KEY"):
            is_key = True
        else:
            raise reader.error()
    made = column_of(name, kind, position, is_nullable, comment)
    return ({**made, "mask": mask} if mask else made), is_key


def read_mask(reader: Reader, session: Session) -> Json:
    """Read a mask: a function that is there, and the columns that it takes beside its own."""
    function = session.full_name(reader.name())
    find(session.state, "function", function)
    others = reader.listed(reader.word) if reader.takes("USING", "COLUMNS") else []
    return {"function_name": function, "using_column_names": others}


def column_at(table: Json, name: str) -> Json:
    """Return a table's column; names are not case sensitive."""
    for column in table["columns"]:
        if column["name"].lower() == name.lower():
            return column
    known = ", ".join(f"`{column['name']}`" for column in table["columns"])
    raise SqlError(
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        f"A column with name `{name}` cannot be resolved. Did you mean one of the following? "
        f"[{known}].",
        "42703",
    )


def check_columns(table: Json) -> None:
    """Refuse two columns of one name, and names that Delta takes only with column mapping."""
    names = [column["name"].lower() for column in table["columns"]]
    for name in names:
        if names.count(name) > 1:
            raise SqlError(
                "COLUMN_ALREADY_EXISTS",
                f"The column `{name}` already exists. Choose another name or rename the "
                "existing column.",
                "42711",
            )
        if any(letter in " ,;{}()\n\t=" for letter in name) and table["properties"].get(
            "delta.columnMapping.mode"
        ) not in ("name", "id"):
            raise SqlError(
                "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES",
                f"Found invalid character(s) among ' ,;{{}}()\\n\\t=' in the column names of "
                f"your schema. Invalid column names: {name}.",
                "42K05",
            )


def read_constraint(reader: Reader, session: Session, table: Json, name: str) -> None:
    """Read a key, which is informational, and add it to a table (Databricks, *CONSTRAINT
    clause*).
    """
    kind = reader.one_of("PRIMARY", "FOREIGN")
    reader.expect("KEY")
    columns = [column_at(table, item)["name"] for item in reader.listed(reader.word)]
    constraints = table.setdefault("table_constraints", [])
    if kind == "PRIMARY":
        add_primary_key(table, name or f"{table['name']}_pk", columns)
    else:
        reader.expect("REFERENCES")
        parent = session.table(reader.name())
        key = next(
            (
                item["primary_key_constraint"]["child_columns"]
                for item in parent.get("table_constraints", [])
                if "primary_key_constraint" in item
            ),
            None,
        )
        to = (
            [column_at(parent, item)["name"] for item in reader.listed(reader.word)]
            if reader.peek() == "("
            else key
        )
        if key is None or to != key:
            raise SqlError(
                "UC_FOREIGN_KEY_INVALID",
                "The foreign key refers to columns that are not the primary key of "
                f"{parent['full_name']}.",
                "42830",
            )
        new = {
            "name": name or f"{table['name']}_{parent['name']}_fk",
            "child_columns": columns,
            "parent_table": parent["full_name"],
            "parent_columns": to,
        }
        check_free(table, new["name"])
        constraints.append({"foreign_key_constraint": new})
    while not reader.is_done and reader.peek() not in (",", ")"):
        if not any(
            reader.takes(*words)
            for words in (
                ("NOT", "ENFORCED"),
                ("RELY",),
                ("NORELY",),
                ("DEFERRABLE",),
                ("INITIALLY", "DEFERRED"),
                ("NOT", "DEFERRABLE"),
            )
        ):
            raise reader.error()


def add_primary_key(table: Json, name: str, columns: list[str]) -> None:
    """Add a primary key, of columns that are NOT NULL, to a table that has none."""
    for column in columns:
        if column_at(table, column)["nullable"]:
            raise SqlError(
                "UC_PRIMARY_KEY_ON_NULLABLE_COLUMN",
                f"Cannot create the primary key `{name}` because its child column(s) "
                f"`{column}` is nullable. Please change the column nullability and retry.",
                "42888",
            )
    if any("primary_key_constraint" in item for item in table.setdefault("table_constraints", [])):
        raise SqlError(
            "UC_CONSTRAINT_ALREADY_EXISTS",
            f"The table {table['full_name']} has a primary key already.",
            "42710",
        )
    check_free(table, name)
    table["table_constraints"].append(
        {"primary_key_constraint": {"name": name, "child_columns": columns}}
    )


def constraint_name(constraint: Json) -> str:
    """Return a key's name."""
    return str(next(iter(constraint.values()))["name"])


def check_free(table: Json, name: str) -> None:
    """Refuse a name that another constraint of the table has."""
    if (
        any(
            constraint_name(item).lower() == name.lower()
            for item in table.get("table_constraints", [])
        )
        or f"delta.constraints.{name.lower()}" in table["properties"]
    ):
        raise SqlError(
            "DELTA_CONSTRAINT_ALREADY_EXISTS",
            f"Constraint '{name}' already exists. Please delete the old constraint first.",
            "42710",
        )


def tags_key(table: Json, column: str = "") -> tuple[str, str]:
    """Return the key under which a table's or column's tags are kept."""
    return (
        ("columns", f"{table['full_name']}.{column.lower()}")
        if column
        else ("tables", table["full_name"])
    )


def refused_as_sql(refusal: Refusal) -> SqlError:
    """Return a refusal of Unity Catalog as SQL words it."""
    known = {
        "CATALOG_DOES_NOT_EXIST": ("NO_SUCH_CATALOG_EXCEPTION", "42704"),
        "SCHEMA_DOES_NOT_EXIST": ("SCHEMA_NOT_FOUND", "42704"),
        "TABLE_DOES_NOT_EXIST": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        "FUNCTION_DOES_NOT_EXIST": ("ROUTINE_NOT_FOUND", "42883"),
        "SCHEMA_ALREADY_EXISTS": ("SCHEMA_ALREADY_EXISTS", "42P06"),
        "TABLE_ALREADY_EXISTS": ("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
        "FUNCTION_ALREADY_EXISTS": ("ROUTINE_ALREADY_EXISTS", "42723"),
        "SCHEMA_NOT_EMPTY": ("SCHEMA_NOT_EMPTY", "2BP01"),
        "PERMISSION_DENIED": ("INSUFFICIENT_PERMISSIONS", "42501"),
        "PRINCIPAL_DOES_NOT_EXIST": ("PRINCIPAL_DOES_NOT_EXIST", "42704"),
    }
    condition, sql_state = known.get(refusal.code, (refusal.code, "42000"))
    return SqlError(condition, refusal.message, sql_state)
