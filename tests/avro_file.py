"""Files of avro, written byte by byte.

A value of a union is a pair of the place of its type and itself, so that no library chooses.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from datamaster_kit.mock.files.files import avro_bytes, avro_number

MARK = b"0123456789abcdef"


def encoded(value: Any, schema: Any, named: dict[str, Any]) -> bytes:
    """Return a value as its schema says.

    `named` are the named types that came before, by their last names.
    """
    if isinstance(schema, list):
        place, inner = value
        return avro_number(place) + encoded(inner, schema[place], named)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    match kind:
        case "null":
            return b""
        case "int" | "long":
            return avro_number(value)
        case "float" | "double":
            return struct.pack("<f" if kind == "float" else "<d", value)
        case "string" | "bytes":
            return avro_bytes(value.encode() if kind == "string" else value)
        case "array" | "map":
            parts = value if kind == "array" else value.items()
            items = [
                encoded(part, schema["items"], named)
                if kind == "array"
                else encoded(part[0], "string", named) + encoded(part[1], schema["values"], named)
                for part in parts
            ]
            return (avro_number(len(items)) + b"".join(items) if items else b"") + b"\x00"
        case "record":
            return b"".join(
                encoded(value[item["name"]], item["type"], named) for item in schema["fields"]
            )
    return encoded(
        value, kind if isinstance(kind, dict | list) else named[kind.rpartition(".")[2]], named
    )


def avro(fields: dict[str, Any], records: list[dict[str, Any]], namespace: str = "") -> bytes:
    """Return a file of records with fields of these types."""
    schema = {
        "type": "record",
        "name": "row",
        "namespace": namespace,
        "fields": [{"name": name, "type": type} for name, type in fields.items()],
    }
    named: dict[str, Any] = {}
    block = b"".join(encoded(record, schema, named) for record in records)
    said = json.dumps(schema).encode()
    return (
        b"Obj\x01"
        + avro_number(1)
        + avro_bytes(b"avro.schema")
        + avro_bytes(said)
        + b"\x00"
        + MARK
        + avro_number(len(records))
        + avro_number(len(block))
        + block
        + MARK
    )
