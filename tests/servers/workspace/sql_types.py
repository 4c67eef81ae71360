"""Types, as statements write them and as Unity Catalog and Spark do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .sql_text import Reader
from .sql_tokens import SqlError
from .state import Json


@dataclass(frozen=True)
class SqlType:
    """A type: its text in lower case as Unity Catalog has it, its name there, and Spark's JSON of
    it.
    """

    text: str
    name: str
    json: Any
    precision: int = 0
    scale: int = 0


# The words of a type, with its text, name in Unity Catalog and name in Spark's JSON.
PLAIN = {
    "TINYINT": ("tinyint", "BYTE", "byte"),
    "BYTE": ("tinyint", "BYTE", "byte"),
    "SMALLINT": ("smallint", "SHORT", "short"),
    "SHORT": ("smallint", "SHORT", "short"),
    "INT": ("int", "INT", "integer"),
    "INTEGER": ("int", "INT", "integer"),
    "BIGINT": ("bigint", "LONG", "long"),
    "LONG": ("bigint", "LONG", "long"),
    "FLOAT": ("float", "FLOAT", "float"),
    "REAL": ("float", "FLOAT", "float"),
    "DOUBLE": ("double", "DOUBLE", "double"),
    "STRING": ("string", "STRING", "string"),
    "BOOLEAN": ("boolean", "BOOLEAN", "boolean"),
    "BINARY": ("binary", "BINARY", "binary"),
    "DATE": ("date", "DATE", "date"),
    "TIMESTAMP": ("timestamp", "TIMESTAMP", "timestamp"),
    "TIMESTAMP_LTZ": ("timestamp", "TIMESTAMP", "timestamp"),
    "TIMESTAMP_NTZ": ("timestamp_ntz", "TIMESTAMP_NTZ", "timestamp_ntz"),
    "VARIANT": ("variant", "VARIANT", "variant"),
    "VOID": ("void", "NULL", "void"),
}


def quoted(name: str) -> str:
    """Return the name of a member as the text of a type has it.

    In backquotes where it is no plain word.
    """
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else "`" + name.replace("`", "``") + "`"


def read_type(reader: Reader) -> SqlType:
    """Read a type (Databricks, *SQL data type rules*)."""
    word = reader.peek()
    reader.at += 1
    if word in PLAIN:
        return SqlType(*PLAIN[word])
    if word in ("DECIMAL", "DEC", "NUMERIC"):
        sizes = reader.listed(reader.number) if reader.peek() == "(" else [10]
        precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
        if precision > 38 or scale > precision:
            raise SqlError(
                "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
                f"Decimal precision {precision} exceeds max precision 38.",
                "22003",
            )
        return SqlType(
            f"decimal({precision},{scale})",
            "DECIMAL",
            f"decimal({precision},{scale})",
            precision,
            scale,
        )
    if word in ("VARCHAR", "CHAR", "CHARACTER"):
        length = reader.listed(reader.number)[0]
        kind = "varchar" if word == "VARCHAR" else "char"
        return SqlType(
            f"{kind}({length})", "STRING" if word == "VARCHAR" else "CHAR", f"{kind}({length})"
        )
    if word == "ARRAY":
        reader.expect("<")
        element = read_type(reader)
        reader.expect(">")
        return SqlType(
            f"array<{element.text}>",
            "ARRAY",
            {"type": "array", "elementType": element.json, "containsNull": True},
        )
    if word == "MAP":
        reader.expect("<")
        key = read_type(reader)
        reader.expect(",")
        value = read_type(reader)
        reader.expect(">")
        return SqlType(
            f"map<{key.text},{value.text}>",
            "MAP",
            {
                "type": "map",
                "keyType": key.json,
                "valueType": value.json,
                "valueContainsNull": True,
            },
        )
    if word == "STRUCT":
        return read_struct(reader)
    reader.at -= 1
    raise SqlError("UNSUPPORTED_DATATYPE", f"Unsupported data type {json.dumps(word)}.", "0A000")


def read_struct(reader: Reader) -> SqlType:
    """Read the members of a struct."""
    reader.expect("<")
    texts: list[str] = []
    members: list[Json] = []
    while not reader.takes(">"):
        if texts:
            reader.expect(",")
        name = reader.word()
        reader.takes(":")
        kind = read_type(reader)
        is_required = reader.takes("NOT", "NULL")
        comment = reader.text() if reader.takes("COMMENT") else ""
        texts.append(f"{quoted(name)}:{kind.text}")
        members.append(
            {
                "name": name,
                "type": kind.json,
                "nullable": not is_required,
                "metadata": {"comment": comment} if comment else {},
            }
        )
    return SqlType(f"struct<{','.join(texts)}>", "STRUCT", {"type": "struct", "fields": members})


def type_of(text: str) -> SqlType:
    """Return the type of a text."""
    return read_type(Reader(text))


def text_of(kind: Any) -> str:
    """Return the text of a type in JSON, as Unity Catalog writes it.

    Without nullability and comments of members.
    """
    if isinstance(kind, str):
        return next((text for text, _, name in PLAIN.values() if name == kind), kind)
    if kind["type"] == "array":
        return f"array<{text_of(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{text_of(kind['keyType'])},{text_of(kind['valueType'])}>"
    members = [f"{quoted(item['name'])}:{text_of(item['type'])}" for item in kind["fields"]]
    return f"struct<{','.join(members)}>"


def without_lengths(kind: Any) -> Any:
    """Return a type in JSON as Spark's schemas have it, where every text is a string."""
    if isinstance(kind, str):
        return "string" if kind.startswith(("varchar", "char")) else kind
    if kind["type"] == "struct":
        return {
            **kind,
            "fields": [{**item, "type": without_lengths(item["type"])} for item in kind["fields"]],
        }
    return {
        key: without_lengths(value) if key in ("elementType", "keyType", "valueType") else value
        for key, value in kind.items()
    }


def with_lengths(kind: Any, text: Any) -> Any:
    """Return a type in JSON with the lengths of texts that another form of it has."""
    if isinstance(kind, str):
        return text
    if kind["type"] == "struct":
        return {
            **kind,
            "fields": [
                {**item, "type": with_lengths(item["type"], other["type"])}
                for item, other in zip(kind["fields"], text["fields"], strict=True)
            ],
        }
    return {
        key: with_lengths(value, text[key])
        if key in ("elementType", "keyType", "valueType")
        else value
        for key, value in kind.items()
    }
