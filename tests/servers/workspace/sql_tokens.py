"""The tokens of a SQL statement, and what is said of one that fails."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass


@dataclass
class SqlError(Exception):
    """A statement that fails.

    An error condition and its SQLSTATE (Databricks, *Error conditions*).
    """

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


TOKEN = re.compile(
    r"""(?P<SPACE>\s+|--[^\n]*|/\*.*?\*/)"""
    r"""|(?P<TEXT>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")"""
    r"""|(?P<QUOTED>`(?:[^`]|``)*`)"""
    r"""|(?P<NUMBER>\d+(?:\.\d+)?(?!\w))"""
    r"""|(?P<WORD>\w+)"""
    r"""|(?P<SIGN>[^\s'"`])""",
    re.DOTALL,
)
ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "b": "\b",
    "Z": "\x1a",
    "%": "\\%",
    "_": "\\_",
}
ESCAPED = re.compile(
    r"""\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\([01][0-7]{2})|\\(.)|(''|"")""", re.DOTALL
)
PROPERTIES = {"user.home": "/root", "java.io.tmpdir": "/tmp"}


def substituted(sql: str) -> str:
    """Return a statement as Spark reads it.

    `${env:NAME}` and `${system:NAME}` are replaced wherever they stand, in texts and comments too
    (`spark.sql.variable.substitute`, which a warehouse does not turn off).
    """
    known = {"env": os.environ, "system": PROPERTIES}
    return re.sub(
        r"\$\{(\w+?):(\S+?)\}", lambda match: known.get(match[1], {}).get(match[2], match[0]), sql
    )


def text_of(literal: str) -> str:
    """Return the text of a literal (Spark, *String literal*)."""

    def character(match: re.Match[str]) -> str:
        if match[1] or match[2]:
            return chr(int(match[1] or match[2], 16))
        if match[5]:
            return literal[0] if match[5][0] == literal[0] else match[5]
        return chr(int(match[3], 8)) if match[3] else ESCAPES.get(match[4], match[4])

    return ESCAPED.sub(character, literal[1:-1])


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a statement (Databricks, *STRING type*, *Identifiers*).

    Raises SqlError where a text or name does not end.
    """
    found, at = [], 0
    while at < len(sql):
        match = TOKEN.match(sql, at)
        if not match:
            raise SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{sql[at]}'.", "42601")
        kind, text, at = match.lastgroup or "", match[0], match.end()
        if kind == "TEXT":
            text = text_of(text)
        elif kind == "QUOTED":
            text = text[1:-1].replace("``", "`")
        if kind != "SPACE":
            found.append(Token(kind, text, match.start(), match.end()))
    return found
