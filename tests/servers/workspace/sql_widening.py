"""Which types a column may change to without its rows being written anew (Databricks, *Type
widening*), and members that are added to nested columns.
"""

from __future__ import annotations

import re
from typing import Any

from .sql_columns import column_at, kind_of, retyped
from .sql_tokens import SqlError
from .sql_types import SqlType, type_of
from .state import Json

WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}


def widens(old: SqlType, new: SqlType) -> bool:
    """Delta takes the change over: byte, short, int to wider whole numbers, decimal or double.

    Float to double; decimals to larger ones; date to timestamp_ntz.
    """
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
    old = type_of(column["type_text"])
    is_text = old.text.startswith(("varchar", "char", "string")) and new.text.startswith(
        ("varchar", "string")
    )
    if old.text == new.text or (is_text and length(new) >= length(old)):
        return
    if not widens(old, new) or table["properties"].get("delta.enableTypeWidening") != "true":
        raise SqlError(
            "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP",
            "ALTER TABLE CHANGE COLUMN is not supported for changing column "
            f"{column['name']} from {old.text.upper()} to {new.text.upper()}.",
            "0AKDC",
        )


def member_at(table: Json, path: tuple[str, ...], kind: SqlType, comment: str) -> None:
    """Add a member to the struct that a path leads to.

    `column.member`, or `column.element.member` in a list.
    """
    column = column_at(table, path[0])
    retyped(column, with_member(kind_of(column), path[1:], kind, comment, path))


def with_member(
    there: Any, path: tuple[str, ...], kind: SqlType, comment: str, whole: tuple[str, ...]
) -> Any:
    """Return a type in JSON with one more member."""
    inner = (
        {
            ("array", "element"): "elementType",
            ("map", "value"): "valueType",
            ("map", "key"): "keyType",
        }.get((there["type"], path[0].lower()))
        if isinstance(there, dict)
        else None
    )
    if inner and len(path) > 1:
        return {**there, inner: with_member(there[inner], path[1:], kind, comment, whole)}
    if not isinstance(there, dict) or there["type"] != "struct":
        raise SqlError(
            "INVALID_FIELD_NAME",
            f"Field name {'.'.join(whole)} is invalid: {'.'.join(whole[:-1])} is not a struct.",
            "42000",
        )
    names = [item["name"].lower() for item in there["fields"]]
    if len(path) == 1:
        if path[0].lower() in names:
            raise SqlError(
                "FIELD_ALREADY_EXISTS",
                f"Cannot add column, because `{'.'.join(whole)}` already exists.",
                "42711",
            )
        return {
            **there,
            "fields": [
                *there["fields"],
                {
                    "name": path[0],
                    "type": kind.json,
                    "nullable": True,
                    "metadata": {"comment": comment} if comment else {},
                },
            ],
        }
    if path[0].lower() not in names:
        raise SqlError(
            "FIELD_NOT_FOUND", f"No such struct field `{path[0]}` in {', '.join(names)}.", "42704"
        )
    return {
        **there,
        "fields": [
            {**item, "type": with_member(item["type"], path[1:], kind, comment, whole)}
            if item["name"].lower() == path[0].lower()
            else item
            for item in there["fields"]
        ],
    }
