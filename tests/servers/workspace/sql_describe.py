"""DESCRIBE and SHOW."""

from __future__ import annotations

import json

from .grants import assignments
from .securables import find, need, visible
from .sql_objects import securable
from .sql_session import Rows, Session
from .sql_text import Reader
from .state import Json

HIDDEN = ("clusteringColumns", "clusterByAuto")


def describe(reader: Reader, session: Session) -> Rows:
    """DESCRIBE DETAIL, SCHEMA and TABLE."""
    if reader.takes("DETAIL"):
        found = readable(reader, session)
        reader.end()
        return detail(found)
    if reader.takes("SCHEMA") or reader.takes("DATABASE"):
        is_extended = reader.takes("EXTENDED")
        schema = find(session.state, "schema", session.full_name(reader.name(), 2))
        reader.end()
        rows = [
            ["Catalog Name", schema["catalog_name"]],
            ["Namespace Name", schema["name"]],
            ["Comment", schema.get("comment", "")],
            ["Location", schema.get("storage_root", "")],
            ["Owner", schema["owner"]],
        ]
        return Rows(
            (("database_description_item", "string"), ("database_description_value", "string")),
            rows
            + ([["Properties", json.dumps(schema.get("properties", {}))]] if is_extended else []),
        )
    reader.takes("TABLE")
    is_extended = reader.takes("EXTENDED")
    found = readable(reader, session)
    reader.end()
    return Rows(
        (("col_name", "string"), ("data_type", "string"), ("comment", "string")),
        columns(found) + (information(found) if is_extended else []),
    )


def readable(reader: Reader, session: Session) -> Json:
    """Read the name of a table and return what the caller may see of it."""
    found = session.table(reader.name())
    need(session.state, session.caller, "table", found["full_name"], "SELECT", "MODIFY", "BROWSE")
    return found


def clustering(table: Json) -> list[str]:
    """Return the columns that a table is clustered by."""
    return [
        ".".join(path) for path in json.loads(table["properties"].get("clusteringColumns", "[]"))
    ]


def columns(table: Json) -> list[list[str | None]]:
    """Return a line a column, and the clustering."""
    lines: list[list[str | None]] = [
        [item["name"], item["type_text"], item.get("comment")] for item in table["columns"]
    ]
    if clustering(table):
        lines += [
            ["# Clustering Information", "", ""],
            ["# col_name", "data_type", "comment"],
            *(
                [item["name"], item["type_text"], item.get("comment")]
                for item in table["columns"]
                if item["name"] in clustering(table)
            ),
        ]
    return lines


def information(table: Json) -> list[list[str | None]]:
    """Return the lines of DESCRIBE TABLE EXTENDED."""
    shown = ", ".join(
        f"{key}={value}" for key, value in sorted(table["properties"].items()) if key not in HIDDEN
    )
    return [
        ["", "", ""],
        ["# Detailed Table Information", "", ""],
        ["Catalog", table["catalog_name"], ""],
        ["Database", table["schema_name"], ""],
        ["Table", table["name"], ""],
        ["Owner", table["owner"], ""],
        ["Type", table["table_type"], ""],
        ["Comment", table.get("comment", ""), ""],
        ["Location", table["storage_location"], ""],
        ["Provider", "delta", ""],
        ["Table Properties", f"[{shown}]", ""],
    ]


def detail(table: Json) -> Rows:
    """Return the row of DESCRIBE DETAIL (Delta, *Table detail*)."""
    properties = {
        key: value
        for key, value in table["properties"].items()
        if key
        not in (
            *HIDDEN,
            "delta.lastUpdateVersion",
            "delta.lastCommitTimestamp",
            "delta.minReaderVersion",
            "delta.minWriterVersion",
        )
    }
    row = {
        "format": "delta",
        "id": table["table_id"],
        "name": table["full_name"],
        "description": table.get("comment"),
        "location": table["storage_location"],
        "createdAt": str(table["created_at"]),
        "lastModified": str(table["updated_at"]),
        "partitionColumns": "[]",
        "clusteringColumns": json.dumps(clustering(table)),
        "numFiles": "0",
        "sizeInBytes": "0",
        "properties": json.dumps(properties),
        "minReaderVersion": table["properties"]["delta.minReaderVersion"],
        "minWriterVersion": table["properties"]["delta.minWriterVersion"],
        "tableFeatures": "[]",
    }
    kinds = {
        "createdAt": "timestamp",
        "lastModified": "timestamp",
        "partitionColumns": "array<string>",
        "clusteringColumns": "array<string>",
        "numFiles": "bigint",
        "sizeInBytes": "bigint",
        "properties": "map<string,string>",
        "minReaderVersion": "int",
        "minWriterVersion": "int",
        "tableFeatures": "array<string>",
    }
    return Rows(tuple((name, kinds.get(name, "string")) for name in row), [list(row.values())])


def show(reader: Reader, session: Session) -> Rows:
    """SHOW TBLPROPERTIES, GRANTS, CATALOGS, SCHEMAS and TABLES."""
    if reader.takes("TBLPROPERTIES"):
        found = readable(reader, session)
        reader.end()
        return Rows(
            (("key", "string"), ("value", "string")),
            [
                [key, value]
                for key, value in sorted(found["properties"].items())
                if key not in HIDDEN
            ],
        )
    if reader.takes("GRANTS") or reader.takes("GRANT"):
        principal = "" if reader.peek() == "ON" else reader.word()
        reader.expect("ON")
        kind, key = securable(reader, session)
        reader.end()
        find(session.state, kind, key)
        rows = [
            [item["principal"], privilege.replace("_", " "), kind.upper(), key]
            for item in assignments(session.state, kind, key)
            if not principal or item["principal"] == principal
            for privilege in item["privileges"]
        ]
        return Rows(
            (
                ("Principal", "string"),
                ("ActionType", "string"),
                ("ObjectType", "string"),
                ("ObjectKey", "string"),
            ),
            rows,
        )
    if reader.takes("CATALOGS"):
        reader.end()
        return Rows(
            (("catalog", "string"),),
            [[name] for name, _ in visible(session.state, session.caller, "catalog")],
        )
    what = reader.one_of("SCHEMAS", "DATABASES", "TABLES")
    within = reader.name() if reader.takes("IN") or reader.takes("FROM") else ()
    reader.end()
    if what == "TABLES":
        schema = find(session.state, "schema", session.full_name(within, 2))
        rows = [
            [item["schema_name"], item["name"], "false"]
            for _, item in visible(session.state, session.caller, "table")
            if item["catalog_name"] == schema["catalog_name"]
            and item["schema_name"] == schema["name"]
        ]
        return Rows(
            (("database", "string"), ("tableName", "string"), ("isTemporary", "boolean")), rows
        )
    catalog = find(
        session.state, "catalog", session.full_name(within, 1) if within else session.catalog
    )
    return Rows(
        (("databaseName", "string"),),
        [
            [item["name"]]
            for _, item in visible(session.state, session.caller, "schema")
            if item["catalog_name"] == catalog["name"]
        ],
    )
