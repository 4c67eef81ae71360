"""ALTER TABLE and its like (Databricks, *ALTER TABLE*)."""

from __future__ import annotations

import copy

from .identities import known_principal
from .refusals import Refusal
from .securables import find, need, rename
from .sql_alter_column import (
    CHECK,
    add_columns,
    alter_column,
    drop_columns,
    rename_column,
    set_tags,
    unset_tags,
)
from .sql_columns import check_free, constraint_name, read_constraint, tags_key
from .sql_create import read_clustering, read_row_filter, set_clustering
from .sql_functions import check_expression
from .sql_session import Rows, Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .state import Json, now

TAGGED = {"catalog": "catalogs", "schema": "schemas", "volume": "volumes"}


def alter(reader: Reader, session: Session) -> Rows:
    """ALTER a table, or the tags and owner of a catalog, schema or volume."""
    kind = {
        "TABLE": "table",
        "CATALOG": "catalog",
        "SCHEMA": "schema",
        "DATABASE": "schema",
        "VOLUME": "volume",
    }[reader.one_of("TABLE", "CATALOG", "SCHEMA", "DATABASE", "VOLUME")]
    name = session.full_name(reader.name(), {"catalog": 1, "schema": 2}.get(kind, 3))
    found = find(session.state, kind, name)
    before = copy.deepcopy(found)
    try:
        alter_one(reader, session, kind, name, found)
        reader.end()
    except (SqlError, Refusal):
        found.clear()
        found.update(before)
        raise
    found.update(updated_at=now(), updated_by=session.caller)
    return Rows()


def alter_one(reader: Reader, session: Session, kind: str, name: str, found: Json) -> None:
    """Change an object as the statement says."""
    if kind == "table":
        alter_table(reader, session, found)
    elif reader.takes("SET", "TAGS"):
        set_tags(reader, session, (TAGGED[kind], name))
    elif reader.takes("UNSET", "TAGS"):
        unset_tags(reader, session, (TAGGED[kind], name), kind, name)
    elif reader.takes("SET", "OWNER", "TO") or reader.takes("OWNER", "TO"):
        set_owner(reader, session, kind, found)
    elif kind != "volume":
        optimize(reader, session, kind, found)
    else:
        raise reader.error()


def optimize(reader: Reader, session: Session, kind: str, found: Json) -> None:
    """ENABLE, DISABLE or INHERIT PREDICTIVE OPTIMIZATION (Databricks, *Predictive
    optimization*).
    """
    need(session.state, session.caller, kind, found["full_name"], "MANAGE")
    found["enable_predictive_optimization"] = reader.one_of("ENABLE", "DISABLE", "INHERIT")
    reader.expect("PREDICTIVE", "OPTIMIZATION")


def set_owner(reader: Reader, session: Session, kind: str, found: Json) -> None:
    """Give an object another owner."""
    need(session.state, session.caller, kind, found["full_name"], "MANAGE")
    found["owner"] = known_principal(session.state, reader.word())


def alter_table(reader: Reader, session: Session, table: Json) -> None:
    """ALTER TABLE; tags need a privilege of their own, and everything else MODIFY."""
    name = table["full_name"]
    if reader.takes("SET", "TAGS"):
        set_tags(reader, session, tags_key(table))
        return
    if reader.takes("UNSET", "TAGS"):
        unset_tags(reader, session, tags_key(table), "table", name)
        return
    if reader.takes("ALTER"):
        alter_column(reader, session, table)
        return
    need(session.state, session.caller, "table", name, "MODIFY")
    if reader.takes("ADD"):
        add(reader, session, table)
    elif reader.takes("DROP"):
        drop(reader, table)
    elif reader.takes("RENAME", "COLUMN"):
        rename_column(reader, session, table)
    elif reader.takes("RENAME", "TO"):
        new = session.full_name(reader.name())
        reader.end()
        if new.rsplit(".", 1)[0] != name.rsplit(".", 1)[0]:
            raise SqlError("UNSUPPORTED_BY_TEST_SERVER", "A table stays in its schema", "0A000")
        rename(session.state, "table", name, new.rsplit(".", 1)[1])
    elif reader.takes("SET", "TBLPROPERTIES"):
        table["properties"].update(checked(reader.pairs()))
    elif reader.takes("UNSET", "TBLPROPERTIES"):
        may_lack = reader.takes("IF", "EXISTS")
        for key in reader.key_list():
            if key not in table["properties"] and not may_lack:
                raise SqlError(
                    "UNSET_NONEXISTENT_PROPERTIES",
                    f"Attempted to unset non-existent properties [`{key}`] in table {name}.",
                    "42K0J",
                )
            table["properties"].pop(key, None)
    elif reader.takes("SET", "ROW", "FILTER"):
        table["row_filter"] = read_row_filter(reader, session, table)
    elif reader.takes("CLUSTER", "BY"):
        set_clustering(table, read_clustering(reader))
    elif reader.takes("SET", "OWNER", "TO") or reader.takes("OWNER", "TO"):
        set_owner(reader, session, "table", table)
    else:
        optimize(reader, session, "table", table)


def checked(properties: dict[str, str]) -> dict[str, str]:
    """Refuse to set constraints as properties, which Delta does."""
    for key in properties:
        if key.startswith(CHECK):
            raise SqlError(
                "DELTA_ADD_CONSTRAINTS",
                "Please use ALTER TABLE ADD CONSTRAINT to add CHECK constraints.",
                "0A000",
            )
    return properties


def add(reader: Reader, session: Session, table: Json) -> None:
    """ADD COLUMN or CONSTRAINT."""
    if reader.takes("CONSTRAINT"):
        name = reader.word()
        if reader.takes("CHECK"):
            check_free(table, name)
            expression = reader.enclosed()
            check_expression(expression, [column["name"] for column in table["columns"]])
            table["properties"][CHECK + name.lower()] = expression
            return
        read_constraint(reader, session, table, name)
        return
    if reader.peek() in ("PRIMARY", "FOREIGN"):
        read_constraint(reader, session, table, "")
        return
    add_columns(reader, table)


def drop(reader: Reader, table: Json) -> None:
    """DROP COLUMN, CONSTRAINT, key or row filter."""
    if reader.takes("ROW", "FILTER"):
        table.pop("row_filter", None)
        return
    if reader.takes("PRIMARY", "KEY"):
        may_lack = reader.takes("IF", "EXISTS")
        drop_constraint(
            table,
            next(
                (
                    constraint_name(item)
                    for item in table.get("table_constraints", [])
                    if "primary_key_constraint" in item
                ),
                "",
            ),
            may_lack,
        )
        reader.takes("CASCADE") or reader.takes("RESTRICT")
        return
    if reader.takes("CONSTRAINT"):
        may_lack = reader.takes("IF", "EXISTS")
        drop_constraint(table, reader.word(), may_lack)
        reader.takes("CASCADE") or reader.takes("RESTRICT")
        return
    drop_columns(reader, table)


def drop_constraint(table: Json, name: str, may_lack: bool) -> None:
    """Drop a key or CHECK constraint."""
    left = [
        item
        for item in table.get("table_constraints", [])
        if constraint_name(item).lower() != name.lower()
    ]
    if len(left) < len(table.get("table_constraints", [])):
        table["table_constraints"] = left
    elif table["properties"].pop(CHECK + name.lower(), None) is None and not may_lack:
        raise SqlError(
            "DELTA_CONSTRAINT_DOES_NOT_EXIST",
            f"Cannot drop nonexistent constraint {name} from table {table['full_name']}.",
            "42704",
        )
