"""Running one statement.

What is not understood is a syntax error, so that no test passes on what the server has let through.
"""

from __future__ import annotations

import copy

from .refusals import Refusal
from .sql_alter import alter
from .sql_columns import refused_as_sql
from .sql_create import create
from .sql_describe import describe, show
from .sql_objects import comment, drop, grant
from .sql_query import query
from .sql_session import Rows, Session
from .sql_text import Reader
from .sql_tokens import substituted
from .state import Json

READS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "GRANT", "REVOKE")


def run(sql: str, session: Session, parameters: Json, follows: bool = True) -> Rows:
    """Run a statement and return its rows; raises SqlError, and then nothing has changed.

    Where tables have storage, it follows.
    """
    sql = substituted(sql)
    if not follows or not session.state.executor or sql.split(None, 1)[0].upper() in READS:
        return run_one(sql, session, parameters)
    before = copy.deepcopy(session.state.unity["table"])
    made = run_one(sql, session, parameters)
    session.state.executor.tables.follow(before, session.state.unity["table"])
    return made


def run_one(sql: str, session: Session, parameters: Json) -> Rows:
    """Run a statement on what Unity Catalog knows."""
    reader = Reader(sql)
    try:
        match reader.peek():
            case "CREATE":
                reader.expect("CREATE")
                return create(reader, session)
            case "ALTER":
                reader.expect("ALTER")
                return alter(reader, session)
            case "DROP":
                reader.expect("DROP")
                return drop(reader, session)
            case "COMMENT":
                reader.expect("COMMENT")
                return comment(reader, session)
            case "GRANT" | "REVOKE" as word:
                reader.expect(word)
                return grant(reader, session, gives=word == "GRANT")
            case "DESCRIBE" | "DESC" as word:
                reader.expect(word)
                return describe(reader, session)
            case "SHOW":
                reader.expect("SHOW")
                return show(reader, session)
            case "SELECT" | "WITH" | "(":
                return query(sql, session, parameters)
    except Refusal as refusal:
        raise refused_as_sql(refusal) from refusal
    raise reader.error()
