"""CREATE FUNCTION, and what is an expression."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from .securables import add, need, need_in_schema
from .sql_session import Session
from .sql_text import Reader
from .sql_tokens import SqlError
from .sql_types import read_type
from .state import Json, new_uuid


def create_function(reader: Reader, session: Session, replaces: bool) -> None:
    """CREATE FUNCTION in SQL (Databricks, *CREATE FUNCTION (SQL and Python)*).

    Its body must be an expression that can be parsed.
    """
    skips = reader.takes("IF", "NOT", "EXISTS")
    full_name = session.full_name(reader.name())
    schema = full_name.rsplit(".", 1)[0]
    need_in_schema(session.state, session.caller, schema, "CREATE_FUNCTION")

    def parameter() -> Json:
        name, kind = reader.word(), read_type(reader)
        comment = reader.text() if reader.takes("COMMENT") else None
        return {
            "name": name,
            "type_text": kind.text,
            "type_name": kind.name,
            "type_json": json.dumps(
                {"name": name, "type": kind.json, "nullable": True, "metadata": {}}
            ),
            **({"comment": comment} if comment else {}),
        }

    parameters = reader.listed(parameter, may_be_empty=True)
    reader.expect("RETURNS")
    returns = read_type(reader)
    said: Json = {}
    while not reader.takes("RETURN"):
        if reader.takes("COMMENT"):
            said["comment"] = reader.text()
        elif not any(
            reader.takes(*words)
            for words in (
                ("LANGUAGE", "SQL"),
                ("DETERMINISTIC",),
                ("NOT", "DETERMINISTIC"),
                ("CONTAINS", "SQL"),
                ("READS", "SQL", "DATA"),
            )
        ):
            raise reader.error()
    body = reader.rest()
    check_expression(
        body,
        [item["name"] for item in parameters]
        if not re.search(r"\bSELECT\b", body, re.IGNORECASE)
        else None,
    )
    if full_name in session.state.unity["function"]:
        if skips:
            return
        if replaces:
            need(session.state, session.caller, "function", full_name, "MANAGE")
            del session.state.unity["function"][full_name]
    add(
        session.state,
        "function",
        full_name,
        session.caller,
        catalog_name=full_name.split(".")[0],
        schema_name=full_name.split(".")[1],
        data_type=returns.name,
        full_data_type=returns.text.upper(),
        routine_body="SQL",
        routine_definition=body,
        function_id=new_uuid(),
        input_params={
            "parameters": [{**item, "position": at} for at, item in enumerate(parameters)]
        },
        is_deterministic=True,
        parameter_style="S",
        security_type="DEFINER",
        specific_name=full_name.split(".")[2],
        sql_data_access="CONTAINS_SQL",
        is_null_call=False,
        **said,
    )


def check_expression(text: str, columns: Collection[str] | None = None) -> None:
    """Refuse what is no expression of SQL, or names columns that there are not."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(
            f"SELECT {text}" if not re.match(r"\s*SELECT\b", text, re.IGNORECASE) else text,
            read="databricks",
        )
    except SqlglotError as error:
        raise SqlError(
            "PARSE_SYNTAX_ERROR", f"Syntax error in the expression {text}.", "42601"
        ) from error
    if columns is None:
        return
    bound = {
        name.name.lower() for function in tree.find_all(exp.Lambda) for name in function.expressions
    }
    for column in tree.find_all(exp.Column):
        if column.parts[0].name.lower() not in {name.lower() for name in columns} | bound:
            raise SqlError(
                "UNRESOLVED_COLUMN.WITH_SUGGESTION",
                f"A column with name `{column.parts[0].name}` cannot be resolved in {text}.",
                "42703",
            )
