"""The routes that the server has.

Each follows a method of the SDK for its form and a page of the REST reference for what it does.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .refusals import invalid
from .sdk_calls import Call, Field, call_of
from .state import Json, State

REFERENCE = "https://docs.databricks.com/api/azure/"


@dataclass(frozen=True)
class Request:
    """A request that has passed the checks of its form.

    `variables` are the parts of its path, and `sees` gives what a read of this moment sees: the
    state, or an earlier one.
    """

    method: str
    path: str
    variables: Mapping[str, str]
    query: Json
    body: Json
    content: bytes
    headers: Mapping[str, str]
    caller: str
    sees: Callable[[], State]

    def __getitem__(self, name: str) -> Any:
        """Return what the request says under a name, wherever it says it."""
        return self.variables.get(name, self.query.get(name, self.body.get(name)))


@dataclass(frozen=True)
class Content:
    """An answer that is not JSON."""

    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer with a status other than 200."""

    status: int
    body: Json | None = None


Handler = Callable[[State, Request], Any]


@dataclass(frozen=True)
class Route:
    """A route: `page` is where the reference describes it.

    `has_content` says that its body is bytes.
    """

    call: Call
    page: str
    handler: Handler
    has_content: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """The paths that it takes."""
        made = ""
        for part in re.split(r"/?(\{[^}]*\})", self.call.path):
            name = part.strip("{.}")
            many = (
                "/?.*"
                if "..." in part
                else "(?:sql/)?[^/]+"
                if name == "request_object_type"
                else "[^/]+"
            )
            made += f"/(?P<{name}>{many})" if part.startswith("{") else re.escape(part)
        return re.compile(made + "$")


ROUTES: list[Route] = []


def serves(
    function: Callable[..., Any],
    page: str,
    has_content: bool = False,
    also: tuple[str, ...] = (),
    at: str = "",
) -> Callable[[Handler], Handler]:
    """Make a function the handler of the route that a method of the SDK calls.

    `page` is the path in the REST reference, `also` names what the route's query may say beside
    what that method says, and `at` is another path that takes and gives the same.
    """

    def add(handler: Handler) -> Handler:
        call = call_of(function)
        call = replace(call, path=at) if at else call
        ROUTES.append(
            Route(
                replace(call, query={**call.query, **{name: Field(str) for name in also}}),
                REFERENCE + page,
                handler,
                has_content,
            )
        )
        return handler

    return add


def page_of(
    state: State, request: Request, items: Sequence[Any], key: str, size: str = "max_results"
) -> Json:
    """Return one page of a list under a key, and the token of the next (Databricks REST reference,
    *Pagination*).
    """
    asked = request.query.get(size) or 0
    if asked < 0:
        raise invalid(f"{size} must not be negative")
    step = min(asked or state.settings.page_size, state.settings.page_size)
    start = offset_of(request.query.get("page_token") or "", request.path)
    token = (
        base64.urlsafe_b64encode(f"{start + step} {request.path}".encode()).decode()
        if start + step < len(items)
        else ""
    )
    return {key: list(items[start : start + step]), **({"next_page_token": token} if token else {})}


def offset_of(token: str, path: str) -> int:
    """Return where a page starts.

    Raises a Refusal for a token that another list gave, or nobody.
    """
    if not token:
        return 0
    try:
        number, of = base64.urlsafe_b64decode(token.encode()).decode().split(" ", 1)
    except ValueError as error:
        raise invalid(f"Invalid page token: {token}") from error
    if of != path:
        raise invalid(f"The page token belongs to another list: {token}")
    return int(number)


def serves_path(method: str, path: str, page: str) -> Callable[[Handler], Handler]:
    """Make a function the handler of a path that the SDK asks for outside its generated methods.

    `page` is where that is described.
    """

    def add(handler: Handler) -> Handler:
        ROUTES.append(
            Route(Call(method, path, {}, {}, None, None), page, handler, has_content=True)
        )
        return handler

    return add
