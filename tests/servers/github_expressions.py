"""The expressions of GitHub's workflows, as far as ours use them.

GitHub, *Evaluate expressions in workflows and actions*: literals, operators, the loose comparison,
and a few functions.
What is not known here is an error, so that nothing of a workflow passes unnoticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|[!().,]))"
)
WHOLE = re.compile(r"\$\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


def as_text(value: Any) -> str:
    """Return a value as GitHub writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def is_equal(left: Any, right: Any) -> bool:
    """Compare as GitHub does: texts whatever their case, other types as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return bool(left == right)
    return as_number(left) == as_number(right)


def as_number(value: Any) -> float | None:
    """Return a value as a number; None where it is none, which equals nothing else."""
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "startswith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "format": lambda form, *values: re.sub(
        r"\{(\d+)\}", lambda at: as_text(values[int(at[1])]), form
    ),
    "fromjson": json.loads,
}


class Expression:
    """A parser that evaluates as it goes.

    Both sides of `&&` and `||` are evaluated, since none has an effect.
    """

    def __init__(
        self, text: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
    ) -> None:
        self.contexts, self.functions = contexts, {**FUNCTIONS, **functions}
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"{text!r} is not an expression that is known here")
            self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()

    def value(self) -> Any:
        """Return the value of the whole expression."""
        result = self.either()
        if self.tokens:
            raise ValueError(f"{self.tokens} is left of the expression")
        return result

    def takes(self, *signs: str) -> str:
        """Return the next sign, if it is one of these, and go on; else an empty text."""
        if self.tokens and self.tokens[0][0] == "sign" and self.tokens[0][1] in signs:
            return self.tokens.pop(0)[1]
        return ""

    def either(self) -> Any:
        """`a || b`: the first that is true, else the last."""
        left = self.both()
        while self.takes("||"):
            right = self.both()
            left = left or right
        return left

    def both(self) -> Any:
        """`a && b`: the first that is false, else the last."""
        left = self.compared()
        while self.takes("&&"):
            right = self.compared()
            left = left and right
        return left

    def compared(self) -> Any:
        """`a == b` and `a != b`."""
        left = self.single()
        sign = self.takes("==", "!=")
        if not sign:
            return left
        return is_equal(left, self.single()) == (sign == "==")

    def single(self) -> Any:
        """A literal, a property of a context, a call, a negation, or something in brackets."""
        if self.takes("!"):
            return not self.single()
        if self.takes("("):
            inner = self.either()
            self.closed()
            return inner
        kind, word = self.tokens.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return float(word)
        if kind != "name":
            raise ValueError(f"{word!r} is not expected here")
        if self.takes("("):
            return self.called(word)
        return self.properties_of(CONSTANTS[word] if word in CONSTANTS else self.contexts[word])

    def called(self, name: str) -> Any:
        """The result of a function."""
        arguments: list[Any] = []
        while not self.takes(")"):
            arguments.append(self.either())
            self.takes(",")
        return self.functions[name.lower()](*arguments)

    def properties_of(self, value: Any) -> Any:
        """The value, or the property of a property of it; one that is not there is null."""
        while self.takes("."):
            _, name = self.tokens.pop(0)
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def closed(self) -> None:
        """Take a closing bracket."""
        if not self.takes(")"):
            raise ValueError("a bracket is not closed")


NO_FUNCTIONS: Mapping[str, Callable[..., Any]] = {}


def evaluate(
    text: str,
    contexts: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]] = NO_FUNCTIONS,
) -> Any:
    """Return the value of an expression, with or without `${{ }}` around it."""
    whole = WHOLE.fullmatch(text.strip())
    return Expression(whole[1] if whole else text, contexts, functions).value()


def fill(value: Any, contexts: Mapping[str, Any]) -> Any:
    """Return a value of a workflow with its expressions evaluated.

    One that is the whole text keeps its type.
    """
    if isinstance(value, Mapping):
        return {key: fill(item, contexts) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [fill(item, contexts) for item in value]
    if not isinstance(value, str) or "${{" not in value:
        return value
    if WHOLE.fullmatch(value.strip()):
        return evaluate(value, contexts)
    return WHOLE.sub(lambda found: as_text(evaluate(found[1], contexts)), value)
