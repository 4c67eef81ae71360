"""The server: one request at a time on the state, so that every request happens wholly before or
after another.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from workspace.connections import Answer, answer_of, handler_of
from workspace.faults import Chaos, Fault, Faults

from .directory import Directory, told
from .eventhubs import Json, Namespace, Refusal, put
from .subscription import Subscription, answered

VERSION = "2024-01-01"
ROUTE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/"
    r"Microsoft\.EventHub/namespaces/(?P<namespace>[^/]+)/eventhubs(?:/(?P<hub>[^/]+))?",
    re.IGNORECASE,
)
POLL = re.compile(
    r"/subscriptions/[^/]+/providers/Microsoft\.EventHub/operations/(?P<operation>\d+)"
)


class ResourceManager:
    """Azure Resource Manager, with the part of Microsoft Graph that is asked, on a free port.

    A context manager that stops the server at its end.

    `page_size` is how many items a page of a list has. `busy` answers the next so many writes with
    409 while another operation is at work; with `polls`, a write goes on after its
    answer 202, and is done when it has been asked after so often.
    """

    def __init__(self, page_size: int = 100) -> None:
        self.page_size, self.busy, self.polls, self.fails = page_size, 0, 0, False
        self.token = "a token of this test"
        self.groups: dict[tuple[str, str], dict[str, Namespace]] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.directory = Directory()
        self.operations: list[tuple[int, str]] = []
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, str, int]] = []
        self.bodies: list[Json] = []
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self.answer))
        self.server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    def __enter__(self) -> ResourceManager:
        """Return the server, which runs."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the server."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def furnish(self, subscription: str, group: str, namespace: str, **said: Any) -> Namespace:
        """Make a resource group with a namespace, as `infra/azure` does."""
        return self.groups.setdefault((subscription, group.lower()), {}).setdefault(
            namespace.lower(), Namespace(**said)
        )

    def fail(self, *faults: Fault, chaos: Chaos | None = None) -> None:
        """Plan faults in place of those planned before; with none, there are none."""
        with self.lock:
            self.faults.plan(faults, chaos)

    def forget_calls(self) -> None:
        """Start to count the calls anew."""
        with self.lock:
            self.calls.clear()
            self.log.clear()

    def answer(self, method: str, target: str, headers: dict[str, str], content: bytes) -> Answer:
        """Return the answer to a request, after its effect."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        with self.lock:
            self.calls[method] += 1
            fault = self.faults.strike(method, path)
            try:
                made = struck(fault) or self.effect(
                    method, path, parse_qs(parts.query), headers, content
                )
            except Refusal as refusal:
                made = answer_of(refusal.body(), refusal.status)
            self.log.append((method, path, made.status))
            return replace(made, is_lost=bool(fault and fault.kind == "lost"))

    def effect(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        content: bytes,
    ) -> Answer:
        """Return the answer to a call that takes place."""
        if headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing or is not valid.",
            )
        polled = POLL.fullmatch(path)
        if polled:
            return self.poll(int(polled["operation"]))
        of = re.match(r"/subscriptions/([^/]+)", path)
        body = (
            answered(self.subscriptions.get(of[1]), of[1], method, path[of.end() :], query, content)
            if of
            else told(self.directory, self.host, method, path, query)
        )
        if body is not None:
            return answer_of(body)
        if query.get("api-version", [""])[0] != VERSION:
            raise Refusal(
                400,
                "MissingApiVersionParameter"
                if "api-version" not in query
                else "InvalidApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        found = ROUTE.fullmatch(path)
        if not found:
            raise Refusal(
                404, "InvalidResourceType", f"The resource type of {path} could not be found."
            )
        namespace = self.namespace(found)
        if method == "GET":
            return self.read(namespace, found, path, query)
        if self.busy:
            self.busy -= 1
            raise Refusal(409, "Conflict", "Namespace update failed with conflict in backend.")
        return self.write(namespace, found, method, path, content)

    def namespace(self, found: re.Match[str]) -> Namespace:
        """Return the namespace that a path names."""
        group = self.groups.get((found["subscription"], found["group"].lower()))
        if group is None:
            raise Refusal(
                404,
                "ResourceGroupNotFound",
                f"Resource group '{found['group']}' could not be found.",
            )
        if found["namespace"].lower() not in group:
            raise Refusal(
                404,
                "ParentResourceNotFound",
                "Can not perform requested operation on nested resource. Parent resource "
                f"'{found['namespace']}' not found.",
            )
        return group[found["namespace"].lower()]

    def read(
        self, namespace: Namespace, found: re.Match[str], path: str, query: dict[str, list[str]]
    ) -> Answer:
        """Return one event hub, or a page of all."""
        if found["hub"]:
            if found["hub"].lower() not in namespace.hubs:
                raise Refusal(
                    404, "NotFound", f"The requested resource {found['hub']} does not exist."
                )
            return answer_of(namespace.hubs[found["hub"].lower()])
        skip = int(query.get("$skip", ["0"])[0])
        everything = [namespace.hubs[name] for name in sorted(namespace.hubs)]
        page: Json = {"value": everything[skip : skip + self.page_size]}
        if len(everything) > skip + self.page_size:
            page["nextLink"] = (
                f"{self.host}{path}?api-version={VERSION}&$skip={skip + self.page_size}"
            )
        return answer_of(page)

    def write(
        self, namespace: Namespace, found: re.Match[str], method: str, path: str, content: bytes
    ) -> Answer:
        """Make, change or delete an event hub."""
        name = found["hub"] or ""
        if method == "DELETE":
            made, status = None, 200 if namespace.hubs.pop(name.lower(), None) else 204
        elif method == "PUT" and name:
            body = json.loads(content)
            self.bodies.append(copy.deepcopy(body))
            made, status = put(namespace, name, path, body, datetime.now(UTC).isoformat()), 200
        else:
            raise Refusal(405, "HttpMethodNotAllowed", f"{method} is not allowed here.")
        if self.polls:
            self.operations.append((self.polls, "Failed" if self.fails else "Succeeded"))
            address = (
                f"{self.host}/subscriptions/{found['subscription']}/providers/Microsoft.EventHub/"
                f"operations/{len(self.operations) - 1}"
            )
            return answer_of(made, 202, (("Azure-AsyncOperation", address), ("Retry-After", "3")))
        return Answer(204, b"") if status == 204 else answer_of(made, status)

    def poll(self, operation: int) -> Answer:
        """Return how an operation is going (Azure Resource Manager, *Track asynchronous
        operations*).
        """
        left, end = self.operations[operation]
        self.operations[operation] = (left - 1, end)
        body: Json = {"status": end if left <= 1 else "InProgress"}
        return answer_of(
            body
            | (
                {"error": {"code": "InternalServerError", "message": "The operation failed."}}
                if body["status"] == "Failed"
                else {}
            ),
            200,
            (("Retry-After", "3"),),
        )


def struck(fault: Fault | None) -> Answer | None:
    """Return the answer to a call that a fault keeps from its effect."""
    if fault and fault.kind == "throttled":
        return answer_of(
            {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}},
            429,
            (("Retry-After", str(fault.retry_after)),),
        )
    if fault and fault.kind == "unavailable":
        return answer_of(
            {"error": {"code": "ServiceUnavailable", "message": "The service is unavailable."}}, 503
        )
    return Answer(0, is_reset=True) if fault and fault.kind == "reset" else None
