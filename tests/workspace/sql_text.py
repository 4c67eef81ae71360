"""Reading SQL statements: tokens, and what the statements are made of - words, names, texts, types, lists. What is not expected is a syntax error."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class SqlError(Exception):
    """A statement that fails: an error condition and its SQLSTATE (Databricks, *Error conditions*)."""

    condition: str
    message: str
    sql_state: str = "42000"


@dataclass(frozen=True)
class SqlType:
    """A type: its text in lower case as Unity Catalog has it, its name there, and Spark's JSON of it."""

    text: str
    name: str
    json: Any
    precision: int = 0
    scale: int = 0


# The words of a type, with its text, name in Unity Catalog and name in Spark's JSON.
PLAIN = {"TINYINT": ("tinyint", "BYTE", "byte"), "BYTE": ("tinyint", "BYTE", "byte"), "SMALLINT": ("smallint", "SHORT", "short"), "SHORT": ("smallint", "SHORT", "short"), "INT": ("int", "INT", "integer"),
         "INTEGER": ("int", "INT", "integer"), "BIGINT": ("bigint", "LONG", "long"), "LONG": ("bigint", "LONG", "long"), "FLOAT": ("float", "FLOAT", "float"), "REAL": ("float", "FLOAT", "float"),
         "DOUBLE": ("double", "DOUBLE", "double"), "STRING": ("string", "STRING", "string"), "BOOLEAN": ("boolean", "BOOLEAN", "boolean"), "BINARY": ("binary", "BINARY", "binary"), "DATE": ("date", "DATE", "date"),
         "TIMESTAMP": ("timestamp", "TIMESTAMP", "timestamp"), "TIMESTAMP_LTZ": ("timestamp", "TIMESTAMP", "timestamp"), "TIMESTAMP_NTZ": ("timestamp_ntz", "TIMESTAMP_NTZ", "timestamp_ntz"),
         "VARIANT": ("variant", "VARIANT", "variant"), "VOID": ("void", "NULL", "void")}


def quoted(name: str) -> str:
    """Return the name of a member as the text of a type has it: in backquotes where it is no plain word."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"`{name}`"


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


class Reader:
    """A statement, read from left to right."""

    def __init__(self, sql: str) -> None:
        self.sql, self.at, self.tokens = sql, 0, tokens(sql)
        if self.tokens and self.tokens[-1].text == ";":
            self.tokens.pop()

    @property
    def is_done(self) -> bool:
        """Nothing is left."""
        return self.at >= len(self.tokens)

    def kind(self) -> str:
        """Return the next token's kind, or ''."""
        return "" if self.is_done else self.tokens[self.at].kind

    def peek(self, ahead: int = 0) -> str:
        """Return a coming word or sign in upper case; '' for a text, a quoted name or the end."""
        place = self.at + ahead
        return "" if place >= len(self.tokens) or self.tokens[place].kind in ("TEXT", "QUOTED") else self.tokens[place].text.upper()

    def error(self) -> SqlError:
        """Return the syntax error of this place."""
        near = "end of input" if self.is_done else f"'{self.tokens[self.at].text}'"
        return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near {near}.", "42601")

    def takes(self, *words: str) -> bool:
        """Read these words where they come next."""
        if all(self.peek(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Read these words; raises SqlError where others come."""
        if not self.takes(*words):
            raise self.error()

    def one_of(self, *words: str) -> str:
        """Read and return one of these words."""
        word = self.peek()
        if word not in words:
            raise self.error()
        self.at += 1
        return word

    def end(self) -> None:
        """Raise SqlError where something is left."""
        if not self.is_done:
            raise self.error()

    def text(self) -> str:
        """Read a text; texts side by side are one, as in Spark."""
        if self.kind() != "TEXT":
            raise self.error()
        found = ""
        while self.kind() == "TEXT":
            found += self.tokens[self.at].text
            self.at += 1
        return found

    def word(self) -> str:
        """Read an identifier, quoted or plain."""
        if self.is_done or self.kind() == "TEXT" or not (self.kind() == "QUOTED" or re.fullmatch(r"\w+", self.tokens[self.at].text)):
            raise self.error()
        self.at += 1
        return self.tokens[self.at - 1].text

    def name(self) -> tuple[str, ...]:
        """Read a name of one or more parts."""
        parts = [self.word()]
        while self.takes("."):
            parts.append(self.word())
        return tuple(parts)

    def number(self) -> int:
        """Read a whole number."""
        if self.kind() != "NUMBER":
            raise self.error()
        self.at += 1
        return int(self.tokens[self.at - 1].text)

    def listed(self, item: Callable[[], T]) -> list[T]:
        """Read a list in parentheses."""
        self.expect("(")
        found = [item()]
        while self.takes(","):
            found.append(item())
        self.expect(")")
        return found

    def pairs(self) -> dict[str, str]:
        """Read `('key' = 'value', ...)`; a key may be a name of parts, and a value is absent, a number, true or false too."""
        def pair() -> tuple[str, str]:
            key = self.text() if self.kind() == "TEXT" else ".".join(self.name())
            if not self.takes("="):
                return key, ""
            return key, self.text() if self.kind() == "TEXT" else self.word()
        return dict(self.listed(pair))

    def keys(self) -> list[str]:
        """Read `('key', ...)`."""
        return self.listed(lambda: self.text() if self.kind() == "TEXT" else ".".join(self.name()))

    def enclosed(self) -> str:
        """Read an expression in parentheses and return it as it is written."""
        self.expect("(")
        start, depth = self.at, 1
        while depth and not self.is_done:
            depth += {"(": 1, ")": -1}.get(self.peek(), 0)
            self.at += 1
        if depth or start == self.at - 1:
            raise self.error()
        return self.sql[self.tokens[start].start:self.tokens[self.at - 2].end]

    def rest(self) -> str:
        """Read the rest and return it as it is written."""
        if self.is_done:
            raise self.error()
        start, self.at = self.tokens[self.at].start, len(self.tokens)
        return self.sql[start:self.tokens[-1].end]

    def type(self) -> SqlType:
        """Read a type (Databricks, *SQL data type rules*)."""
        word = self.peek()
        self.at += 1
        if word in PLAIN:
            return SqlType(*PLAIN[word])
        if word in ("DECIMAL", "DEC", "NUMERIC"):
            sizes = self.listed(self.number) if self.peek() == "(" else [10]
            precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
            if precision > 38 or scale > precision:
                raise SqlError("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", f"Decimal precision {precision} exceeds max precision 38.", "22003")
            return SqlType(f"decimal({precision},{scale})", "DECIMAL", f"decimal({precision},{scale})", precision, scale)
        if word in ("VARCHAR", "CHAR", "CHARACTER"):
            length = self.listed(self.number)[0]
            kind = "varchar" if word == "VARCHAR" else "char"
            return SqlType(f"{kind}({length})", "STRING" if word == "VARCHAR" else "CHAR", f"{kind}({length})")
        if word == "ARRAY":
            self.expect("<")
            element = self.type()
            self.expect(">")
            return SqlType(f"array<{element.text}>", "ARRAY", {"type": "array", "elementType": element.json, "containsNull": True})
        if word == "MAP":
            self.expect("<")
            key = self.type()
            self.expect(",")
            value = self.type()
            self.expect(">")
            return SqlType(f"map<{key.text},{value.text}>", "MAP", {"type": "map", "keyType": key.json, "valueType": value.json, "valueContainsNull": True})
        if word == "STRUCT":
            return self.struct()
        self.at -= 1
        raise SqlError("UNSUPPORTED_DATATYPE", f"Unsupported data type {json.dumps(word)}.", "0A000")

    def struct(self) -> SqlType:
        """Read the members of a struct."""
        self.expect("<")
        texts, members = [], []
        while not self.takes(">"):
            if texts:
                self.expect(",")
            name = self.word()
            self.takes(":")
            kind = self.type()
            is_required = self.takes("NOT", "NULL")
            comment = self.text() if self.takes("COMMENT") else ""
            texts.append(f"{quoted(name)}:{kind.text}")
            members.append({"name": name, "type": kind.json, "nullable": not is_required, "metadata": {"comment": comment} if comment else {}})
        return SqlType(f"struct<{','.join(texts)}>", "STRUCT", {"type": "struct", "fields": members})
