"""Which types a column may change to without its rows being written anew (Databricks, *Type widening*), and members that are added to nested columns."""
from __future__ import annotations

import re

from .sql_columns import column_at, refresh
from .sql_text import Reader, SqlError, SqlType, quoted
from .state import Json

WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}


def widens(old: SqlType, new: SqlType) -> bool:
    """Delta takes the change over: byte, short, int to wider whole numbers, decimal or double; float to double; decimals to larger ones; date to timestamp_ntz."""
    if old.text in WHOLE and new.text in WHOLE:
        return WHOLE[old.text] < WHOLE[new.text]
    if new.text == "double":
        return old.text in ("tinyint", "smallint", "int", "float")
    if new.name == "DECIMAL" and old.text in WHOLE:
        return new.precision - new.scale >= WHOLE[old.text]
    if new.name == old.name == "DECIMAL":
        return new.scale >= old.scale and new.precision - new.scale >= old.precision - old.scale
    return (old.text, new.text) == ("date", "timestamp_ntz")


def length(kind: SqlType) -> float:
    """Return the longest text that a type takes."""
    found = re.fullmatch(r"(?:var)?char\((\d+)\)", kind.text)
    return float(found[1]) if found else float("inf")


def check_type_change(table: Json, column: Json, new: SqlType) -> None:
    """Refuse a change of type that Delta does not make, or only with type widening enabled."""
    old = Reader(column["type_text"]).type()
    is_text = old.text.startswith(("varchar", "char", "string")) and new.text.startswith(("varchar", "string"))
    if old.text == new.text or (is_text and length(new) >= length(old)):
        return
    if not widens(old, new) or table["properties"].get("delta.enableTypeWidening") != "true":
        raise SqlError("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", f"ALTER TABLE CHANGE COLUMN is not supported for changing column {column['name']} from {old.text.upper()} to {new.text.upper()}.", "0AKDC")


def member_at(table: Json, path: tuple[str, ...], kind: SqlType, comment: str) -> None:
    """Add a member to the struct that a path leads to: `column.member`, or `column.element.member` in a list."""
    column = column_at(table, path[0])
    column["type_text"] = with_member(column["type_text"], path[1:], kind, path)
    refresh(column)


def with_member(text: str, path: tuple[str, ...], kind: SqlType, whole: tuple[str, ...]) -> str:
    """Return the text of a type with one more member."""
    reader = Reader(text)
    if reader.takes("ARRAY", "<") and path[0].lower() == "element":
        return f"array<{with_member(text[len('array<'):-1], path[1:], kind, whole)}>"
    reader.at = 0
    if not reader.takes("STRUCT", "<"):
        raise SqlError("INVALID_FIELD_NAME", f"Field name {'.'.join(whole)} is invalid: {'.'.join(whole[:-1])} is not a struct.", "42000")
    members: list[tuple[str, str]] = []
    while not reader.takes(">"):
        reader.takes(",")
        name = reader.word()
        reader.expect(":")
        members.append((name, reader.type().text))
    names = [name.lower() for name, _ in members]
    if len(path) == 1:
        if path[0].lower() in names:
            raise SqlError("FIELD_ALREADY_EXISTS", f"Cannot add column, because `{'.'.join(whole)}` already exists.", "42711")
        members.append((path[0], kind.text))
    elif path[0].lower() not in names:
        raise SqlError("FIELD_NOT_FOUND", f"No such struct field `{path[0]}` in {', '.join(names)}.", "42704")
    else:
        at = names.index(path[0].lower())
        members[at] = (members[at][0], with_member(members[at][1], path[1:], kind, whole))
    return "struct<" + ",".join(f"{quoted(name)}:{text}" for name, text in members) + ">"
