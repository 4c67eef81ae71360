"""Reading SQL statements from left to right: words, names, texts, lists.

What is not expected is a syntax error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from .sql_tokens import SqlError, tokens

T = TypeVar("T")


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
        return (
            ""
            if place >= len(self.tokens) or self.tokens[place].kind in ("TEXT", "QUOTED")
            else self.tokens[place].text.upper()
        )

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
        if (
            self.is_done
            or self.kind() == "TEXT"
            or not (self.kind() == "QUOTED" or re.fullmatch(r"\w+", self.tokens[self.at].text))
        ):
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

    def listed(self, item: Callable[[], T], may_be_empty: bool = False) -> list[T]:
        """Read a list in parentheses."""
        self.expect("(")
        if may_be_empty and self.takes(")"):
            return []
        found = [item()]
        while self.takes(","):
            found.append(item())
        self.expect(")")
        return found

    def pairs(self) -> dict[str, str]:
        """Read `('key' = 'value', ...)`.

        A key may be a name of parts, and a value is absent, a number, true or false too.
        """

        def pair() -> tuple[str, str]:
            key = self.text() if self.kind() == "TEXT" else ".".join(self.name())
            if not self.takes("="):
                return key, ""
            return key, self.text() if self.kind() == "TEXT" else self.word()

        return dict(self.listed(pair))

    def key_list(self) -> list[str]:
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
        return self.sql[self.tokens[start].start : self.tokens[self.at - 2].end]

    def rest(self) -> str:
        """Read the rest and return it as it is written."""
        if self.is_done:
            raise self.error()
        start, self.at = self.tokens[self.at].start, len(self.tokens)
        return self.sql[start : self.tokens[-1].end]
