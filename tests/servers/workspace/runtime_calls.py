"""What the process of a task asks the workspace of Unity Catalog.

The service has its own ways for it, which are not its REST interface.
"""

from __future__ import annotations

import json

from .refusals import invalid
from .routes import Request, serves_path
from .sql import run
from .sql_session import Session
from .sql_tokens import SqlError
from .state import Json, State
from .table_store import create_text

PAGE = "https://learn.microsoft.com/azure/databricks/data-governance/unity-catalog/"


def session_of(state: State, request: Request) -> Session:
    """Return where the task's statements run."""
    return Session(
        state,
        request.caller,
        state.metastore_of.get(state.settings.workspace_id, {})
        .get("default_catalog_name", "")
        .lower(),
    )


@serves_path("POST", "/runtime/sql", PAGE)
def run_governed(state: State, request: Request) -> Json:
    """Run a statement of Unity Catalog for a task and return its columns and rows, and the table
    that it has dropped.
    """
    before = set(state.unity["table"])
    try:
        made = run(json.loads(request.content)["statement"], session_of(state, request), {})
    except SqlError as error:
        raise invalid(f"[{error.condition}] {error.message} SQLSTATE: {error.sql_state}") from error
    return {
        "columns": made.columns,
        "rows": made.rows,
        "dropped": next(iter(before - set(state.unity["table"])), ""),
    }


@serves_path("POST", "/runtime/table", PAGE)
def keep_table(state: State, request: Request) -> None:
    """Note a table that a task's write has made, where it is not known yet."""
    name = json.loads(request.content)["name"]
    if name not in state.unity["table"]:
        text = create_text(name, state.rows.at(name))  # type: ignore[attr-defined]
        run(text, session_of(state, request), {}, follows=False)
