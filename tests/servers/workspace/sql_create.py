"""CREATE: tables, functions, schemas, catalogs, volumes (Databricks, *SQL language reference*, *DDL
statements*).
"""

from __future__ import annotations

import json

from . import catalogs, schemas, volumes
from .refusals import invalid
from .securables import add, find, need, need_in_schema
from .sql_columns import add_primary_key, check_columns, column_at, read_column, read_constraint
from .sql_functions import create_function
from .sql_session import Rows, Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .state import Json, new_uuid, now
from .storage import location_of, overlaps, url_of

DELTA = {
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
    "delta.lastUpdateVersion": "0",
}


def create(reader: Reader, session: Session) -> Rows:
    """CREATE anything."""
    replaces = reader.takes("OR", "REPLACE")
    if reader.takes("TABLE"):
        create_table(reader, session, replaces)
    elif reader.takes("FUNCTION"):
        create_function(reader, session, replaces)
    elif replaces:
        raise reader.error()
    elif reader.peek() in ("SCHEMA", "DATABASE", "CATALOG", "VOLUME", "EXTERNAL"):
        create_container(reader, session)
    else:
        raise reader.error()
    return Rows()


def create_container(reader: Reader, session: Session) -> None:
    """CREATE SCHEMA, CATALOG or VOLUME."""
    kind = reader.one_of("SCHEMA", "DATABASE", "CATALOG", "VOLUME", "EXTERNAL")
    if kind == "EXTERNAL":
        reader.expect("VOLUME")
    skips, parts = reader.takes("IF", "NOT", "EXISTS"), reader.name()
    said: Json = {"volume_type": "EXTERNAL" if kind == "EXTERNAL" else "MANAGED"}
    while not reader.is_done:
        if reader.takes("COMMENT"):
            said["comment"] = reader.text()
        elif kind in ("SCHEMA", "DATABASE", "CATALOG") and reader.takes("MANAGED", "LOCATION"):
            said["storage_root"] = reader.text()
        elif kind == "EXTERNAL" and reader.takes("LOCATION"):
            said["storage_location"] = reader.text()
        elif kind in ("SCHEMA", "DATABASE") and reader.takes("WITH", "DBPROPERTIES"):
            said["properties"] = reader.pairs()
        else:
            raise reader.error()
    store = {"CATALOG": "catalog", "SCHEMA": "schema", "DATABASE": "schema"}.get(kind, "volume")
    full_name = session.full_name(parts, {"catalog": 1, "schema": 2}.get(store, 3))
    if skips and full_name in session.state.unity[store]:
        return
    if store == "catalog":
        catalogs.create(session.state, session.caller, full_name, said)
    elif store == "schema":
        schemas.create(
            session.state, session.caller, full_name.split(".")[0], full_name.split(".")[1], said
        )
    else:
        schema, name = full_name.rsplit(".", 1)
        volumes.create(session.state, session.caller, schema, name, said)


def create_table(reader: Reader, session: Session, replaces: bool) -> None:
    """CREATE TABLE with columns, keys, comment, clustering and properties.

    CHECK constraints come by ALTER TABLE only.
    """
    skips = reader.takes("IF", "NOT", "EXISTS")
    full_name = session.full_name(reader.name())
    schema, name = full_name.rsplit(".", 1)
    need_in_schema(session.state, session.caller, schema, "CREATE_TABLE")
    table: Json = {"name": name, "full_name": full_name, "columns": [], "properties": {}}
    later = reader.at
    read_elements(reader, session, table, keys=False)
    after = reader.at
    options = read_options(reader, session, table)
    end, reader.at = reader.at, later
    table["properties"].update(options.pop("properties"))
    check_columns(table)
    read_elements(reader, session, table, keys=True)
    if reader.at != after:
        raise reader.error()
    reader.at = end
    set_clustering(table, options.pop("cluster_by"))
    old = session.state.unity["table"].get(full_name)
    if old and skips:
        return
    place, identity = options.pop("location"), new_uuid()
    if place:
        place = url_of(place)
        location_of(session.state, session.caller, place, "CREATE_EXTERNAL_TABLE")
        for other, item in session.state.unity["table"].items():
            if item is not old and overlaps(place, item["storage_location"]):
                raise invalid(
                    f"LOCATION_OVERLAP: Input path url '{place}' overlaps with other "
                    "external tables or volumes within 'CreateTable' call. Conflicting "
                    f"tables/volumes: {other}."
                )
    root = find(session.state, "catalog", schema.split(".")[0])["storage_root"]
    made = {
        "catalog_name": schema.split(".")[0],
        "schema_name": schema.split(".")[1],
        "table_type": "EXTERNAL" if place else "MANAGED",
        "data_source_format": "DELTA",
        "table_id": identity,
        "storage_location": place or f"{root}/__unitystorage/tables/{identity}",
        **options,
    }
    if old and replaces:
        need(session.state, session.caller, "table", full_name, "MANAGE")
        del session.state.unity["table"][full_name]
        made["table_id"] = old["table_id"]
    table["properties"] = {**DELTA, "delta.lastCommitTimestamp": str(now()), **table["properties"]}
    add(
        session.state,
        "table",
        full_name,
        session.caller,
        **{key: value for key, value in table.items() if key not in ("name", "full_name")},
        **made,
    )


def read_elements(reader: Reader, session: Session, table: Json, keys: bool) -> None:
    """Read the columns of a table, or on the second time its keys, which may name properties of
    columns that come later.
    """

    def element() -> None:
        name = reader.word() if reader.takes("CONSTRAINT") else ""
        if name or (reader.peek() in ("PRIMARY", "FOREIGN") and reader.peek(1) == "KEY"):
            if keys:
                read_constraint(reader, session, table, name)
            else:
                skip_element(reader)
            return
        column, is_key = read_column(reader, session, len(table["columns"]))
        if not keys:
            table["columns"].append(column)
        elif is_key:
            add_primary_key(table, f"{table['name']}_pk", [column["name"]])

    if reader.peek() != "(":
        raise SqlError("UNSUPPORTED_BY_TEST_SERVER", "A table has columns", "0A000")
    reader.listed(element)


def skip_element(reader: Reader) -> None:
    """Pass over an element of a list."""
    depth = 0
    while not reader.is_done and not (depth == 0 and reader.peek() in (",", ")")):
        depth += {"(": 1, ")": -1}.get(reader.peek(), 0)
        reader.at += 1


def read_options(reader: Reader, session: Session, table: Json) -> Json:
    """Read what comes after the columns."""
    found: Json = {"properties": {}, "cluster_by": None, "location": ""}
    while not reader.is_done:
        if reader.takes("USING"):
            if reader.word().upper() != "DELTA":
                raise SqlError("UNSUPPORTED_BY_TEST_SERVER", "Tables are Delta tables", "0A000")
        elif reader.takes("COMMENT"):
            found["comment"] = reader.text()
        elif reader.takes("CLUSTER", "BY"):
            found["cluster_by"] = read_clustering(reader)
        elif reader.takes("LOCATION"):
            found["location"] = reader.text()
        elif reader.takes("TBLPROPERTIES"):
            found["properties"] = reader.pairs()
        elif reader.takes("WITH", "ROW", "FILTER"):
            found["row_filter"] = read_row_filter(reader, session, table)
        else:
            raise reader.error()
    return found


def read_clustering(reader: Reader) -> list[str]:
    """Read the columns after CLUSTER BY; none for NONE, and AUTO as it is."""
    if reader.takes("NONE"):
        return []
    return ["AUTO"] if reader.takes("AUTO") else reader.listed(lambda: ".".join(reader.name()))


def set_clustering(table: Json, columns: list[str] | None) -> None:
    """Note a table's clustering among its properties, where the service shows it.

    Four columns at most (Databricks, *Use liquid clustering*).
    """
    if columns is None:
        return
    table["properties"].pop("clusteringColumns", None)
    table["properties"].pop("clusterByAuto", None)
    if columns == ["AUTO"]:
        table["properties"]["clusterByAuto"] = "true"
    elif len(columns) > 4:
        raise SqlError(
            "DELTA_CLUSTER_BY_INVALID_NUM_COLUMNS",
            "CLUSTER BY for Liquid clustering supports up to 4 clustering columns, but the "
            f"table has {len(columns)} clustering columns.",
            "54000",
        )
    elif columns:
        table["properties"]["clusteringColumns"] = json.dumps(
            [
                [column_at(table, name.split(".")[0])["name"], *name.split(".")[1:]]
                for name in columns
            ],
            separators=(",", ":"),
        )


def read_row_filter(reader: Reader, session: Session, table: Json) -> Json:
    """Read a row filter: a function that is there, and columns of the table."""
    function = session.full_name(reader.name())
    find(session.state, "function", function)
    reader.expect("ON")
    return {
        "function_name": function,
        "input_column_names": [
            column_at(table, name)["name"] for name in reader.listed(reader.word, may_be_empty=True)
        ],
    }
