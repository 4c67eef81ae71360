"""ALTER TABLE and its like (Databricks, *ALTER TABLE*; Delta's conditions in *Error conditions*)."""
from __future__ import annotations

import copy
import re
from typing import Any

from .identities import known_principal
from .refusals import Refusal, absent
from .securables import find, need, rename
from .sql_columns import check_columns, check_free, column_at, column_of, constraint_name, read_constraint, read_mask, refresh, tags_key
from .sql_create import check_expression, read_clustering, read_row_filter, set_clustering
from .sql_session import Rows, Session
from .sql_text import Reader, SqlError
from .sql_widening import check_type_change, member_at
from .state import Json, now
from .tags import set_tag

CHECK = "delta.constraints."
TAGGED = {"catalog": "catalogs", "schema": "schemas", "volume": "volumes"}


def alter(reader: Reader, session: Session) -> Rows:
    """ALTER a table, or the tags and owner of a catalog, schema or volume."""
    kind = {"TABLE": "table", "CATALOG": "catalog", "SCHEMA": "schema", "DATABASE": "schema", "VOLUME": "volume"}[reader.one_of("TABLE", "CATALOG", "SCHEMA", "DATABASE", "VOLUME")]
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
        set_tags(session, (TAGGED[kind], name), reader.pairs())
    elif reader.takes("UNSET", "TAGS"):
        unset_tags(session, (TAGGED[kind], name), kind, name, reader.keys())
    elif reader.takes("SET", "OWNER", "TO") or reader.takes("OWNER", "TO"):
        set_owner(reader, session, kind, found)
    else:
        raise reader.error()


def set_owner(reader: Reader, session: Session, kind: str, found: Json) -> None:
    """Give an object another owner."""
    need(session.state, session.caller, kind, found["full_name"], "MANAGE")
    found["owner"] = known_principal(session.state, reader.word())


def set_tags(session: Session, key: tuple[str, str], tags: dict[str, str]) -> None:
    """Set tags."""
    for name, value in tags.items():
        set_tag(session.state, session.caller, key, name, value)


def unset_tags(session: Session, key: tuple[str, str], kind: str, of: str, names: list[str]) -> None:
    """Take tags off, which may not be there."""
    need(session.state, session.caller, kind, of, "APPLY_TAG", "MANAGE")
    for name in names:
        session.state.tags[key].pop(name, None)


def alter_table(reader: Reader, session: Session, table: Json) -> None:
    """ALTER TABLE; tags need a privilege of their own, and everything else MODIFY."""
    name = table["full_name"]
    if reader.takes("SET", "TAGS"):
        set_tags(session, tags_key(table), reader.pairs())
        return
    if reader.takes("UNSET", "TAGS"):
        unset_tags(session, tags_key(table), "table", name, reader.keys())
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
        if new.rsplit(".", 1)[0] != name.rsplit(".", 1)[0]:
            raise SqlError("UNSUPPORTED_BY_TEST_SERVER", "A table stays in its schema", "0A000")
        rename(session.state, "table", name, new.rsplit(".", 1)[1])
    elif reader.takes("SET", "TBLPROPERTIES"):
        table["properties"].update(checked(reader.pairs()))
    elif reader.takes("UNSET", "TBLPROPERTIES"):
        may_lack = reader.takes("IF", "EXISTS")
        for key in reader.keys():
            if key not in table["properties"] and not may_lack:
                raise SqlError("UNSET_NONEXISTENT_PROPERTIES", f"Attempted to unset non-existent properties [`{key}`] in table {name}.", "42K0J")
            table["properties"].pop(key, None)
    elif reader.takes("SET", "ROW", "FILTER"):
        table["row_filter"] = read_row_filter(reader, session, table)
    elif reader.takes("CLUSTER", "BY"):
        set_clustering(table, read_clustering(reader))
    elif reader.takes("SET", "OWNER", "TO") or reader.takes("OWNER", "TO"):
        set_owner(reader, session, "table", table)
    else:
        raise reader.error()


def checked(properties: dict[str, str]) -> dict[str, str]:
    """Refuse to set constraints as properties, which Delta does."""
    for key in properties:
        if key.startswith(CHECK):
            raise SqlError("DELTA_ADD_CONSTRAINTS", "Please use ALTER TABLE ADD CONSTRAINT to add CHECK constraints.", "0A000")
    return properties


def add(reader: Reader, session: Session, table: Json) -> None:
    """ADD COLUMN or CONSTRAINT."""
    if reader.takes("CONSTRAINT"):
        name = reader.word()
        if reader.takes("CHECK"):
            check_free(table, name)
            expression = reader.enclosed()
            check_expression(expression)
            table["properties"][CHECK + name.lower()] = expression
            return
        read_constraint(reader, session, table, name)
        return
    if reader.peek() in ("PRIMARY", "FOREIGN"):
        read_constraint(reader, session, table, "")
        return
    reader.one_of("COLUMN", "COLUMNS")
    new = reader.listed(lambda: new_column(reader)) if reader.peek() == "(" else [new_column(reader)]
    for path, kind, comment in new:
        if len(path) == 1:
            table["columns"].append(column_of(path[0], kind, len(table["columns"]), True, comment))
        else:
            member_at(table, path, kind, comment)
    check_columns(table)


def new_column(reader: Reader) -> tuple[tuple[str, ...], Any, str]:
    """Read a column, or a member of a nested one, to add; Delta adds none that is NOT NULL."""
    path, kind = reader.name(), reader.type()
    if reader.takes("NOT", "NULL"):
        raise SqlError("DELTA_ADD_COLUMN_NOT_NULL", f"NOT NULL is not supported in ALTER TABLE ADD COLUMNS: {'.'.join(path)}", "0AKDC")
    return path, kind, reader.text() if reader.takes("COMMENT") else ""


def dependents(table: Json, column: str) -> list[str]:
    """Return the CHECK constraints that name a column."""
    return [key.removeprefix(CHECK) for key, text in table["properties"].items() if key.startswith(CHECK) and re.search(rf"(?<![\w`])`?{re.escape(column)}`?(?![\w`])", text, re.IGNORECASE)]


def check_independent(table: Json, column: str, verb: str) -> None:
    """Refuse to change a column that a constraint is on, or by which the table is clustered or its rows are filtered."""
    if dependents(table, column):
        raise SqlError("DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE", f"Cannot {verb} column {column} because this column is referenced by the following check constraint(s): {', '.join(dependents(table, column))}", "42K09")


def need_mapping(table: Json, verb: str) -> None:
    """Refuse what Delta does only with column mapping."""
    if table["properties"].get("delta.columnMapping.mode") not in ("name", "id"):
        raise SqlError(f"DELTA_UNSUPPORTED_{verb.upper()}_COLUMN", f"{verb.upper()} COLUMN is not supported for your Delta table. Please enable column mapping: 'delta.columnMapping.mode' = 'name'.", "0AKDC")


def drop(reader: Reader, table: Json) -> None:
    """DROP COLUMN, CONSTRAINT, key or row filter."""
    if reader.takes("ROW", "FILTER"):
        table.pop("row_filter", None)
        return
    if reader.takes("PRIMARY", "KEY"):
        may_lack = reader.takes("IF", "EXISTS")
        drop_constraint(table, next((constraint_name(item) for item in table.get("table_constraints", []) if "primary_key_constraint" in item), ""), may_lack)
        reader.takes("CASCADE") or reader.takes("RESTRICT")
        return
    if reader.takes("CONSTRAINT"):
        may_lack = reader.takes("IF", "EXISTS")
        drop_constraint(table, reader.word(), may_lack)
        reader.takes("CASCADE") or reader.takes("RESTRICT")
        return
    reader.one_of("COLUMN", "COLUMNS")
    may_lack = reader.takes("IF", "EXISTS")
    for name in reader.listed(reader.word) if reader.peek() == "(" else [reader.word()]:
        need_mapping(table, "drop")
        if may_lack and name.lower() not in [column["name"].lower() for column in table["columns"]]:
            continue
        column = column_at(table, name)
        check_independent(table, name, "drop")
        if f'"{column["name"]}"' in table["properties"].get("clusteringColumns", ""):
            raise SqlError("DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN", f"Dropping clustering columns ({name}) is not supported.", "0AKDC")
        table["columns"] = [item for item in table["columns"] if item is not column]
        for at, item in enumerate(table["columns"]):
            item["position"] = at


def drop_constraint(table: Json, name: str, may_lack: bool) -> None:
    """Drop a key or CHECK constraint."""
    left = [item for item in table.get("table_constraints", []) if constraint_name(item).lower() != name.lower()]
    if len(left) < len(table.get("table_constraints", [])):
        table["table_constraints"] = left
    elif table["properties"].pop(CHECK + name.lower(), None) is None and not may_lack:
        raise SqlError("DELTA_CONSTRAINT_DOES_NOT_EXIST", f"Cannot drop nonexistent constraint {name} from table {table['full_name']}.", "42704")


def rename_column(reader: Reader, session: Session, table: Json) -> None:
    """RENAME COLUMN a TO b: clustering, masks and tags go with it."""
    old = reader.word()
    reader.expect("TO")
    new = reader.word()
    need_mapping(table, "rename")
    column = column_at(table, old)
    check_independent(table, old, "rename")
    if any(item["name"].lower() == new.lower() for item in table["columns"] if item is not column):
        raise SqlError("FIELD_ALREADY_EXISTS", f"Cannot rename column, because `{new}` already exists.", "42711")
    if "clusteringColumns" in table["properties"]:
        table["properties"]["clusteringColumns"] = table["properties"]["clusteringColumns"].replace(f'"{column["name"]}"', f'"{new}"')
    tags = session.state.tags.pop(tags_key(table, old), None)
    if tags:
        session.state.tags[tags_key(table, new)] = tags
    for constraint in table.get("table_constraints", []):
        detail = next(iter(constraint.values()))
        detail["child_columns"] = [new if item == column["name"] else item for item in detail["child_columns"]]
    column["name"] = new
    refresh(column)


def alter_column(reader: Reader, session: Session, table: Json) -> None:
    """ALTER COLUMN: its type, comment, nullability, mask or tags."""
    reader.takes("COLUMN")
    column = column_at(table, reader.word())
    key = tags_key(table, column["name"])
    if reader.takes("SET", "TAGS"):
        set_tags(session, key, reader.pairs())
        return
    if reader.takes("UNSET", "TAGS"):
        unset_tags(session, key, "table", table["full_name"], reader.keys())
        return
    need(session.state, session.caller, "table", table["full_name"], "MODIFY")
    if reader.takes("TYPE"):
        kind = reader.type()
        check_independent(table, column["name"], "alter")
        check_type_change(table, column, kind)
        column.update(type_text=kind.text, type_name=kind.name, type_precision=kind.precision, type_scale=kind.scale)
    elif reader.takes("COMMENT"):
        column["comment"] = reader.text()
    elif reader.takes("SET", "NOT", "NULL"):
        if any(row.get(column["name"]) is None for row in session.state.rows.get(table["full_name"], [])):
            raise SqlError("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", f"NOT NULL constraint violated for column: {column['name']}.", "23502")
        column["nullable"] = False
    elif reader.takes("DROP", "NOT", "NULL"):
        if any(column["name"] in item["primary_key_constraint"]["child_columns"] for item in table.get("table_constraints", []) if "primary_key_constraint" in item):
            raise SqlError("UC_PRIMARY_KEY_ON_NULLABLE_COLUMN", f"Cannot make {column['name']} nullable: it is in the primary key.", "42888")
        column["nullable"] = True
    elif reader.takes("SET", "MASK"):
        column["mask"] = read_mask(reader, session)
    elif reader.takes("DROP", "MASK"):
        if column.pop("mask", None) is None:
            raise absent(f"Column {column['name']} has no mask", "MASK")
    else:
        raise reader.error()
    refresh(column)


