"""The tokens of a SQL statement, and what is said of one that fails."""
from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass
class SqlError(Exception):
    """A statement that fails: an error condition and its SQLSTATE (Databricks, *Error conditions*)."""

    condition: str
    message: str
    sql_state: str = "42000"


@dataclass(frozen=True)
class Token:
    """A word, number, text, quoted name or sign, and where it is: up to `end`."""

    kind: str
    text: str
    start: int
    end: int


TOKEN = re.compile(r"""(?P<SPACE>\s+|--[^\n]*|/\*.*?\*/)|(?P<TEXT>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<QUOTED>`(?:[^`]|``)*`)|(?P<NUMBER>\d+(?:\.\d+)?(?!\w))|(?P<WORD>\w+)|(?P<SIGN>[^\s'"`])""", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b"}


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a statement (Databricks, *STRING type*, *Identifiers*); raises SqlError where a text or name does not end."""
    found, at = [], 0
    while at < len(sql):
        match = TOKEN.match(sql, at)
        if not match:
            raise SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{sql[at]}'.", "42601")
        kind, text, at = match.lastgroup or "", match[0], match.end()
        if kind == "TEXT":
            text = re.sub(r"\\(.)", lambda part: ESCAPES.get(part[1], part[1]), text[1:-1], flags=re.DOTALL)
        elif kind == "QUOTED":
            text = text[1:-1].replace("``", "`")
        if kind != "SPACE":
            found.append(Token(kind, text, match.start(), match.end()))
    return found
