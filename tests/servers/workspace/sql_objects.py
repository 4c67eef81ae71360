"""DROP, COMMENT ON, GRANT and REVOKE."""

from __future__ import annotations

from .grants import change_grants
from .securables import PRIVILEGES, check_empty, find, metastore, need, remove
from .sql_columns import column_at, refresh
from .sql_session import Rows, Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .state import METASTORE, now

KINDS = {
    "TABLE": "table",
    "SCHEMA": "schema",
    "DATABASE": "schema",
    "CATALOG": "catalog",
    "VOLUME": "volume",
    "FUNCTION": "function",
}
PARTS = {"catalog": 1, "schema": 2}


def drop(reader: Reader, session: Session) -> Rows:
    """DROP an object; a schema or catalog that is not empty with CASCADE only."""
    kind = KINDS[reader.one_of(*KINDS)]
    may_lack = reader.takes("IF", "EXISTS")
    name = session.full_name(reader.name(), PARTS.get(kind, 3))
    cascades = reader.takes("CASCADE")
    if not cascades:
        reader.takes("RESTRICT")
    reader.end()
    if may_lack and name not in session.state.unity[kind]:
        return Rows()
    find(session.state, kind, name)
    if not cascades:
        check_empty(session.state, kind, name)
    remove(session.state, kind, name, session.caller)
    return Rows()


def comment(reader: Reader, session: Session) -> Rows:
    """COMMENT ON an object, or on a column by its whole name."""
    reader.expect("ON")
    if reader.takes("COLUMN"):
        parts = reader.name()
        found = session.table(parts[:-1])
        need(session.state, session.caller, "table", found["full_name"], "MODIFY")
        column, text = column_at(found, parts[-1]), read_text(reader)
        column["comment"] = text
        refresh(column)
        return Rows()
    kind = KINDS[reader.one_of(*KINDS)]
    name = session.full_name(reader.name(), PARTS.get(kind, 3))
    found = find(session.state, kind, name)
    need(session.state, session.caller, kind, name, "MODIFY" if kind == "table" else "MANAGE")
    found.update(comment=read_text(reader), updated_at=now(), updated_by=session.caller)
    return Rows()


def read_text(reader: Reader) -> str:
    """Read IS and a text or NULL, and the end."""
    reader.expect("IS")
    text = "" if reader.takes("NULL") else reader.text()
    reader.end()
    return text


def privileges(reader: Reader) -> list[str]:
    """Read privileges: words, with commas between them."""
    found: list[str] = []
    words: list[str] = []
    while True:
        if reader.peek() in (",", "ON"):
            found.append("_".join(words))
            words = []
            if reader.takes("ON"):
                return found
            reader.expect(",")
        else:
            words.append(reader.word().upper())


def securable(reader: Reader, session: Session) -> tuple[str, str]:
    """Read the object of a grant; without a kind it is a table."""
    if reader.takes("METASTORE"):
        return METASTORE, str(metastore(session.state)["metastore_id"])
    if reader.takes("EXTERNAL", "LOCATION"):
        return "external_location", reader.word().lower()
    if reader.takes("STORAGE", "CREDENTIAL"):
        return "storage_credential", reader.word().lower()
    kind = KINDS[reader.one_of(*KINDS)] if reader.peek() in KINDS else "table"
    return kind, session.full_name(reader.name(), PARTS.get(kind, 3))


def grant(reader: Reader, session: Session, gives: bool = True) -> Rows:
    """GRANT and REVOKE (Databricks, *GRANT*)."""
    named = privileges(reader)
    kind, key = securable(reader, session)
    reader.expect("TO" if gives else "FROM")
    principal = reader.word()
    reader.end()
    find(session.state, kind, key)
    unknown = [
        name
        for name in named
        if name != "ALL_PRIVILEGES" and not any(name in known for known in PRIVILEGES.values())
    ]
    if unknown:
        raise SqlError(
            "PARSE_SYNTAX_ERROR", f"Syntax error: unknown privilege {', '.join(unknown)}.", "42601"
        )
    change_grants(
        session.state,
        session.caller,
        kind,
        key,
        [{"principal": principal, "add" if gives else "remove": named}],
    )
    return Rows()
