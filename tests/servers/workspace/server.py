"""The server: a thread a connection, one request at a time on the state, so that every request
happens wholly before or after another.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from . import families  # noqa: F401 - its modules register the routes
from .connections import Answer, answer_of, handler_of
from .executor import ExecutionSettings, Executor
from .faults import WRITES, Chaos, Fault, Faults
from .furnish import furnish
from .refusals import Refusal, denied
from .routes import ROUTES, Reply, Request, Route
from .sdk_calls import call_of, fields_of, problems_of_object, read_query
from .state import Settings, State


class Workspace:
    """A workspace with its account, served on a free port of this machine.

    A context manager that stops the server at its end.

    With `metastore`, one of that name is there and assigned; without, Unity Catalog is not enabled
    yet, as in a new account. With `execution`, what is submitted is run.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        metastore: str = "",
        execution: ExecutionSettings | None = None,
    ) -> None:
        self.state = State(settings or Settings())
        self.token = furnish(self.state, metastore)
        self.faults = Faults()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.log: list[tuple[str, str, int]] = []
        self.lock = threading.RLock()
        self.old: list[tuple[State, int]] = []
        self.executor = Executor(execution, self.state, self.lock) if execution else None
        self.by_method: dict[str, list[tuple[re.Pattern[str], Route]]] = {}
        for route in sorted(ROUTES, key=lambda item: item.call.path.count("{")):
            self.by_method.setdefault(route.call.method, []).append((route.pattern, route))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self.answer))
        self.server.daemon_threads = True
        self.host = self.state.host = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    def __enter__(self) -> Workspace:
        """Return the workspace, which runs."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the server."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        if self.executor:
            self.executor.close()

    def fail(self, *faults: Fault, chaos: Chaos | None = None) -> None:
        """Plan faults in place of those planned before; with none, there are none."""
        with self.lock:
            self.faults.plan(faults, chaos)
            self.old.clear()

    def forget_calls(self) -> None:
        """Start to count the calls anew."""
        with self.lock:
            self.calls.clear()
            self.log.clear()

    def sees(self) -> State:
        """Return the state that a read sees.

        The live one, or while reads are stale an earlier one.
        """
        if not self.old:
            return self.state
        state, left = self.old.pop(0)
        if left > 1:
            self.old.insert(0, (state, left - 1))
        return state

    def route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route of a path and its variables; raises a Refusal where there is none."""
        for pattern, route in self.by_method.get(method, ()):
            found = pattern.match(path)
            if found:
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        raise Refusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")

    def answer(self, method: str, target: str, headers: dict[str, str], content: bytes) -> Answer:
        """Return the answer to a request, after its effect."""
        parts = urlsplit(target)
        if self.executor and parts.path.endswith("/jobs/runs/get"):
            self.executor.wait(int(parse_qs(parts.query).get("run_id", ["0"])[0]))
        with self.lock:
            try:
                route, variables = self.route(method, parts.path)
                self.calls[method, route.call.path] += 1
                fault = self.faults.strike(method, parts.path)
                made = self.struck(fault) or self.effect(
                    route,
                    variables,
                    fault,
                    method,
                    parts.path,
                    parse_qs(parts.query, keep_blank_values=True),
                    headers,
                    content,
                )
            except Refusal as refusal:
                made = answer_of(refusal.body(), refusal.status)
            except Exception as error:
                # A connection that breaks would be tried again by the SDK, and the server's own
                # fault go unseen.
                place = traceback.extract_tb(error.__traceback__)[-1]
                made = answer_of(
                    {
                        "error_code": "INTERNAL_ERROR",
                        "message": "the test server fails at "
                        f"{Path(place.filename).name}:{place.lineno}: {error!r}",
                    },
                    500,
                )
            self.log.append((method, parts.path, made.status))
            return replace(
                made,
                headers=(
                    *made.headers,
                    ("X-Databricks-Org-Id", str(self.state.settings.workspace_id)),
                ),
            )

    def struck(self, fault: Fault | None) -> Answer | None:
        """Return the answer to a call that a fault keeps from its effect."""
        if fault and fault.kind == "throttled":
            return answer_of(
                {"error_code": "RESOURCE_EXHAUSTED", "message": "Too many requests"},
                429,
                (("Retry-After", str(fault.retry_after)),),
            )
        if fault and fault.kind == "unavailable":
            return answer_of(
                {
                    "error_code": "TEMPORARILY_UNAVAILABLE",
                    "message": "The service is temporarily unavailable",
                },
                503,
                (("Retry-After", str(fault.retry_after)),),
            )
        return Answer(0, is_reset=True) if fault and fault.kind == "reset" else None

    def effect(
        self,
        route: Route,
        variables: dict[str, str],
        fault: Fault | None,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        content: bytes,
    ) -> Answer:
        """Return the answer to a call that takes place."""
        request = self.request(route, variables, method, path, query, headers, content)
        before = copy.deepcopy(self.state) if fault and fault.kind == "stale" else None
        state = self.state if method in WRITES else self.sees()
        body = route.handler(state, request)
        if before is not None and fault:
            self.old.append((before, fault.reads))
        made = answer_of(body)
        check_reply(route, body)
        return replace(made, is_lost=bool(fault and fault.kind == "lost"))

    def request(
        self,
        route: Route,
        variables: dict[str, str],
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        content: bytes,
    ) -> Request:
        """Return a request that the route takes.

        Raises a Refusal naming every fault of its form.
        """
        caller = "" if path.startswith("/.well-known") else self.caller(headers)
        if (
            variables.get("account_id", self.state.settings.account_id)
            != self.state.settings.account_id
        ):
            raise Refusal(
                404, "RESOURCE_DOES_NOT_EXIST", f"Account {variables['account_id']} does not exist"
            )
        values, found = read_query(query, route.call.query)
        body: Any = {}
        if not route.has_content and (content or method in ("POST", "PUT", "PATCH")):
            try:
                body = json.loads(content or b"{}")
            except ValueError as error:
                raise Refusal(400, "MALFORMED_REQUEST", f"Invalid JSON: {error}") from error
            known = (
                route.call.body if isinstance(route.call.body, dict) else fields_of(route.call.body)
            )  # type: ignore[arg-type]
            # What the path says need not be said again.
            found += [
                text
                for text in problems_of_object(body, known)
                if text.removeprefix("Missing required field: ") not in variables
            ]
        if found:
            is_scim = "/scim/v2/" in path
            raise Refusal(
                400,
                "invalidValue" if is_scim else "INVALID_PARAMETER_VALUE",
                "; ".join(found),
                is_scim,
            )
        return Request(method, path, variables, values, body, content, headers, caller, self.sees)

    def caller(self, headers: dict[str, str]) -> str:
        """Return the principal whose token the request has."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.state.tokens:
            raise (
                Refusal(
                    401,
                    "UNAUTHENTICATED",
                    "Credential was not sent or was of an unsupported type for this API.",
                )
                if not token
                else denied("Invalid access token.")
            )
        return self.state.tokens[token]

    def count(self, function: Callable[..., Any]) -> int:
        """Return how often a method of the SDK was called over the wire, retries and pages
        counted.
        """
        call = call_of(function)
        return self.calls[call.method, call.path]

    def total(self, paths: Iterable[str] = ("/api/",)) -> int:
        """Return how many calls were made to paths that begin so."""
        return sum(
            number for (_, path), number in self.calls.items() if path.startswith(tuple(paths))
        )


def check_reply(route: Route, body: Any) -> None:
    """Refuse to answer what the SDK would not read: the server itself would be wrong."""
    call, found = route.call, []
    body = body.body if isinstance(body, Reply) else body
    if call.items and isinstance(body, dict):
        key, cls = call.items
        if hasattr(cls, "as_dict"):
            found = [
                text
                for item in body.get(key, [])
                for text in problems_of_object(item, fields_of(cls), key)
            ]
        found += [
            f"unknown field {name}"
            for name in body
            if name
            not in (
                key,
                "next_page_token",
                "prev_page_token",
                "schemas",
                "totalResults",
                "startIndex",
                "itemsPerPage",
                "has_more",
            )
        ]
    elif call.reply and isinstance(body, dict):
        found = problems_of_object(body, fields_of(call.reply))
    if found:
        raise Refusal(
            500,
            "INTERNAL_ERROR",
            f"the test server answers {call.method} {call.path} with what the SDK does not "
            f"read: {'; '.join(found)}",
        )
