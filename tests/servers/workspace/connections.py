"""Connections: requests are read from them and answers written to them, or not, where an answer is
to be lost.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from .routes import Content, Reply


@dataclass(frozen=True)
class Answer:
    """What goes back.

    `is_lost` says that it does not arrive, and `is_reset` that the connection breaks.
    """

    status: int = 200
    content: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    is_lost: bool = False
    is_reset: bool = False


def answer_of(body: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an answer in JSON, or as it is."""
    if isinstance(body, Content):
        return Answer(status, body.content, tuple(body.headers.items()))
    if isinstance(body, Reply):
        return (
            Answer(body.status, b"", ())
            if body.status == 204
            else answer_of(body.body, body.status)
        )
    return Answer(
        status,
        json.dumps({} if body is None else body).encode(),
        (("Content-Type", "application/json"), *headers),
    )


def handler_of(
    reply: Callable[[str, str, dict[str, str], bytes], Answer],
) -> type[BaseHTTPRequestHandler]:
    """Return the class that reads requests from connections and writes what `reply` says to a
    method, a path, headers and a body.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def answer(self) -> None:
            """Answer one request."""
            told = int(self.headers.get("Content-Length") or 0)
            content = (
                self.rfile.read(told)
                if self.headers.get("Transfer-Encoding") != "chunked"
                else self.chunks()
            )
            if (
                len(content) < told
            ):  # the client died half way through its request, which so was none
                self.close_connection = True
                return
            made = reply(
                self.command,
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                content,
            )
            if made.is_reset:
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            if made.is_reset or made.is_lost:
                self.close_connection = True
                return
            self.send_response(made.status)
            for name, value in made.headers:
                self.send_header(name, value)
            if "Content-Length" not in dict(made.headers):
                self.send_header("Content-Length", str(len(made.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(made.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

        def chunks(self) -> bytes:
            """Return a body that comes in chunks."""
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def finish(self) -> None:
            """Close the connection; the client may have done so before."""
            with suppress(OSError):
                super().finish()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the workspace has a log."""

    return Handler
