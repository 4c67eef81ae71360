"""The workspace, asked from a task's process."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from runtime import told


class ServiceError(Exception):
    """The workspace refuses; the text is its message."""


def ask(method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
    """Return the workspace's answer; raises ServiceError where it refuses."""
    address = f"{told()['host']}{path}" + (f"?{urlencode(query)}" if query else "")
    request = Request(
        address,
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {told()['token']}", "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urlopen(request, timeout=60) as answer:
            return dict(json.loads(answer.read() or b"{}"))
    except HTTPError as error:
        raise ServiceError(json.loads(error.read() or b"{}").get("message", str(error))) from None
