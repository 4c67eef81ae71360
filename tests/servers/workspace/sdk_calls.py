"""What a method of the SDK sends and reads back, taken from its generated source.

The route, the fields by their names on the wire, and their types.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Field:
    """A field on the wire."""

    hint: Any
    is_required: bool = False


@dataclass(frozen=True)
class Call:
    """A call of the SDK.

    `reply` is the class of the answer, and `items` the key and class of a list's elements.
    """

    method: str
    path: str
    body: Mapping[str, Field] | type
    query: Mapping[str, Field]
    reply: type | None
    items: tuple[str, type] | None


def tree_of(function: Callable[..., Any]) -> ast.AST:
    """Return a function's syntax tree."""
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def named_in(node: ast.AST, known: typing.Collection[str]) -> str:
    """Return the first of the known names, bare or of `self`, that an expression uses, else ''."""
    used = [
        item.attr if isinstance(item, ast.Attribute) else item.id
        for item in ast.walk(node)
        if isinstance(item, ast.Name)
        or (isinstance(item, ast.Attribute) and getattr(item.value, "id", "") == "self")
    ]
    return next((name for name in used if name in known), "")


def assigned(
    tree: ast.AST, target: str, hints: Mapping[str, Any], required: typing.Collection[str]
) -> dict[str, Field]:
    """Return the fields that a function writes.

    `target["wire name"] = expression of a parameter`.
    """
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            place = node.targets[0]
            if (
                isinstance(place.value, ast.Name)
                and place.value.id == target
                and isinstance(place.slice, ast.Constant)
            ):
                name = named_in(node.value, hints)
                if name:
                    found[str(place.slice.value)] = Field(hints[name], name in required)
    return found


@cache
def fields_of(cls: type) -> dict[str, Field]:
    """Return the fields of one of the SDK's dataclasses by their names on the wire."""
    hints = typing.get_type_hints(cls)
    required = {
        item.name
        for item in fields(cls)
        if item.default is MISSING and item.default_factory is MISSING
    }
    return assigned(tree_of(vars(cls)["as_dict"]), "body", hints, required)


def path_of(node: ast.expr) -> str:
    """Return the template of a path: `{name}` stands for a segment, `{name...}` for several."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = []
    for part in typing.cast(ast.JoinedStr, node).values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        expression = typing.cast(ast.FormattedValue, part).value
        if isinstance(expression, ast.Call):
            parts.append("/{" + typing.cast(ast.Name, expression.args[0]).id + "...}")
        elif isinstance(expression, ast.Attribute) and expression.attr == "value":
            parts.append("{" + typing.cast(ast.Name, expression.value).id + "}")
        else:
            parts.append(
                "{"
                + (
                    expression.attr
                    if isinstance(expression, ast.Attribute)
                    else typing.cast(ast.Name, expression).id
                )
                + "}"
            )
    return "".join(parts)


@cache
def call_of(function: Callable[..., Any]) -> Call:
    """Return what a method of the SDK sends and reads."""
    tree, hints = tree_of(function), typing.get_type_hints(function)
    space = function.__globals__
    parameters = {name: hint for name, hint in hints.items() if name != "return"}
    required = {
        name
        for name, item in inspect.signature(function).parameters.items()
        if item.default is inspect.Parameter.empty
    }
    body: Mapping[str, Field] | type = assigned(tree, "body", parameters, required)
    sent: ast.Call | None = None
    reply, items = None, None
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "body"
            and isinstance(node.value, ast.Call)
        ):
            body = parameters[named_in(node.value, parameters)]
        elif (
            isinstance(node, ast.For)
            and isinstance(node.iter, ast.Subscript)
            and isinstance(node.iter.slice, ast.Constant)
        ):
            items = (str(node.iter.slice.value), typing.get_args(hints["return"])[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "do":
                sent = node
            elif (
                node.func.attr == "from_dict"
                and isinstance(node.func.value, ast.Name)
                and getattr(node.args[0], "id", "v") != "v"
            ):
                reply = space[node.func.value.id]
    if sent is None:
        raise TypeError(f"{function.__qualname__} sends nothing")
    return Call(
        ast.literal_eval(sent.args[0]),
        path_of(sent.args[1]),
        body,
        assigned(tree, "query", parameters, required),
        reply,
        items,
    )


def problems(value: Any, hint: Any, where: str) -> list[str]:
    """Return what is wrong with a JSON value for a type of the SDK.

    Numbers may be text, as 64-bit integers are in JSON (Protocol Buffers, *ProtoJSON format*).
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or value is None:
        return []
    if origin is typing.Union:
        return problems(value, next(part for part in parts if part is not type(None)), where)
    if origin is list:
        return (
            [f"{where} is not a list"]
            if not isinstance(value, list)
            else [
                text
                for at, item in enumerate(value)
                for text in problems(item, parts[0], f"{where}[{at}]")
            ]
        )
    if origin is dict or hint is dict:
        if not isinstance(value, dict):
            return [f"{where} is not an object"]
        return (
            [
                text
                for key, item in value.items()
                for text in problems(item, parts[1], f"{where}.{key}")
            ]
            if parts
            else []
        )
    if is_dataclass(hint):
        return problems_of_object(value, fields_of(typing.cast(type, hint)), where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (
            []
            if value in [item.value for item in hint]
            else [f"{where}: {value!r} is not one of {', '.join(str(item.value) for item in hint)}"]
        )
    if hint is bool:
        return [] if isinstance(value, bool) else [f"{where} is not true or false"]
    if hint is int:
        return (
            []
            if (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, str) and re.fullmatch(r"-?\d+", value))
            else [f"{where} is not a whole number"]
        )
    if hint is float:
        return (
            []
            if isinstance(value, int | float) and not isinstance(value, bool)
            else [f"{where} is not a number"]
        )
    return [] if isinstance(value, str) else [f"{where} is not text"]


def problems_of_object(value: Any, known: Mapping[str, Field], where: str = "") -> list[str]:
    """Return what is wrong with a JSON object for these fields.

    Unknown ones, missing ones, and what they hold.
    """
    if not isinstance(value, dict):
        return [f"{where or 'the body'} is not an object"]
    prefix = f"{where}." if where else ""
    found = [f"unknown field {prefix}{name}" for name in value if name not in known]
    found += [
        f"Missing required field: {prefix}{name}"
        for name, item in known.items()
        if item.is_required and value.get(name) is None
    ]
    return found + [
        text
        for name, item in value.items()
        if name in known
        for text in problems(item, known[name].hint, prefix + name)
    ]


def read_query(
    text: Mapping[str, list[str]], known: Mapping[str, Field]
) -> tuple[dict[str, Any], list[str]]:
    """Return a query's values by type, and what is wrong with them."""
    read: dict[str, Any] = {}
    for name, values in text.items():
        hint = known[name].hint if name in known else Any
        inner = (
            next((part for part in typing.get_args(hint) if part is not type(None)), hint)
            if typing.get_origin(hint) is typing.Union
            else hint
        )
        if typing.get_origin(inner) is list:
            read[name] = values
        elif inner is bool and values[-1] in ("true", "false"):
            read[name] = values[-1] == "true"
        else:
            read[name] = (
                int(values[-1])
                if inner is int and re.fullmatch(r"-?\d+", values[-1])
                else values[-1]
            )
    nested = {name.split(".")[0] for name in read if "." in name}
    return read, problems_of_object(
        {name: value for name, value in read.items() if "." not in name},
        {name: item for name, item in known.items() if name not in nested},
    )
