"""Statement execution (reference page *Statement Execution*).

A statement is run when it comes, and its answer is seen after the polls that the settings ask for.
"""

from __future__ import annotations

import re
from typing import Any

from databricks.sdk.service import sql

from .refusals import absent, invalid
from .routes import Request, serves
from .sql import run
from .sql_session import Rows, Session
from .sql_tokens import SqlError
from .sql_types import type_of
from .state import Json, State, new_uuid
from .warehouses import warehouse

READS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC")


@serves(
    sql.StatementExecutionAPI.execute_statement, "workspace/statementexecution/executestatement"
)
def execute(state: State, request: Request) -> Json:
    """Run a statement on a warehouse, which starts if it is stopped.

    An error of the statement is its state and not one of the call.
    """
    warehouse(state, request["warehouse_id"])["state"] = "RUNNING"
    wait = request.body.get("wait_timeout", "10s")
    if not re.fullmatch(r"\d+s", wait) or not (int(wait[:-1]) == 0 or 5 <= int(wait[:-1]) <= 50):
        raise invalid(f"wait_timeout must be 0s or between 5s and 50s, and is {wait}")
    if (
        request.body.get("disposition", "INLINE") != "INLINE"
        or request.body.get("format", "JSON_ARRAY") != "JSON_ARRAY"
    ):
        raise invalid("The test server gives results INLINE as JSON_ARRAY")
    reads = (
        request["statement"].split(None, 1)[0].upper() in READS
        if request["statement"].strip()
        else False
    )
    session = Session(
        request.sees() if reads else state,
        request.caller,
        (
            request["catalog"]
            or state.metastore_of.get(state.settings.workspace_id, {}).get("default_catalog_name")
            or ""
        ).lower(),
        (request["schema"] or "default").lower(),
    )
    identity = new_uuid()
    try:
        made = done(
            run(
                request["statement"],
                session,
                {item["name"]: typed(item) for item in request.body.get("parameters", [])},
            ),
            state.settings.statement_chunk,
        )
    except SqlError as error:
        made = {
            "status": {
                "state": "FAILED",
                "sql_state": error.sql_state,
                "error": {
                    "error_code": "BAD_REQUEST",
                    "message": f"[{error.condition}] {error.message} SQLSTATE: {error.sql_state}",
                },
            }
        }
    polls = state.settings.statement_polls + (1 if wait == "0s" else 0)
    state.statements[identity] = {
        "statement_id": identity,
        "left": polls,
        "rows": made.pop("rows", []),
        "answer": {"statement_id": identity, **made},
    }
    return seen(state.statements[identity])


def typed(item: Json) -> Any:
    """Return a parameter's value by its type."""
    value, kind = item.get("value"), item.get("type", "STRING").upper()
    if value is None or kind == "STRING":
        return value
    if kind in ("INT", "BIGINT", "SMALLINT", "TINYINT", "LONG"):
        return int(value)
    return (
        float(value)
        if kind in ("DOUBLE", "FLOAT")
        else value == "true"
        if kind == "BOOLEAN"
        else value
    )


def done(result: Rows, size: int) -> Json:
    """Return the answer to a statement that succeeded, with the first of its chunks.

    Every value is text.
    """
    rows = [
        [
            None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for value in row
        ]
        for row in result.rows
    ]
    if not result.columns:
        return {
            "status": {"state": "SUCCEEDED"},
            "manifest": {
                "format": "JSON_ARRAY",
                "schema": {"column_count": 0},
                "total_row_count": 0,
                "truncated": False,
            },
            "result": {},
        }
    chunks = [
        {"chunk_index": at, "row_offset": at * size, "row_count": min(size, len(rows) - at * size)}
        for at in range(max(1, -(-len(rows) // size)))
    ]
    columns = []
    for at, (name, text) in enumerate(result.columns):
        kind = type_of(text)
        columns.append(
            {"name": name, "position": at, "type_text": text.upper(), "type_name": kind.name}
        )
    return {
        "status": {"state": "SUCCEEDED"},
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": {"column_count": len(columns), "columns": columns},
            "chunks": chunks,
            "total_chunk_count": len(chunks),
            "total_row_count": len(rows),
            "truncated": False,
        },
        "result": chunk(rows, 0, size),
        "rows": rows,
    }


def chunk(rows: list[list[str | None]], index: int, size: int) -> Json:
    """Return one chunk of a result."""
    part = rows[index * size : (index + 1) * size]
    more = {"next_chunk_index": index + 1} if (index + 1) * size < len(rows) else {}
    return {
        "chunk_index": index,
        "row_offset": index * size,
        "row_count": len(part),
        **({"data_array": part} if part else {}),
        **more,
    }


def seen(statement: Json) -> Json:
    """Return what a statement shows at this poll."""
    if statement["left"] > 0:
        statement["left"] -= 1
        return {
            "statement_id": statement["statement_id"],
            "status": {"state": "PENDING" if statement["left"] else "RUNNING"},
        }
    return dict(statement["answer"])


def statement(state: State, request: Request) -> Json:
    """Return a statement by its id."""
    if request["statement_id"] not in state.statements:
        raise absent(f"The statement {request['statement_id']} was not found.")
    return state.statements[request["statement_id"]]


@serves(sql.StatementExecutionAPI.get_statement, "workspace/statementexecution/getstatement")
def get_statement(state: State, request: Request) -> Json:
    """Return a statement's state, and its result once it is there."""
    return seen(statement(state, request))


@serves(
    sql.StatementExecutionAPI.get_statement_result_chunk_n,
    "workspace/statementexecution/getstatementresultchunkn",
)
def get_chunk(state: State, request: Request) -> Json:
    """Return a later chunk of a result."""
    return chunk(
        statement(state, request)["rows"],
        int(request["chunk_index"]),
        state.settings.statement_chunk,
    )


@serves(sql.StatementExecutionAPI.cancel_execution, "workspace/statementexecution/cancelexecution")
def cancel(state: State, request: Request) -> None:
    """Cancel a statement whose result has not been seen; what it did stays."""
    found = statement(state, request)
    if found["left"] > 0:
        found.update(
            left=0, answer={"statement_id": found["statement_id"], "status": {"state": "CANCELED"}}
        )
