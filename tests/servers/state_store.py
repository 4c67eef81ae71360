"""A place for Terraform's states and their locks.

The part of Amazon S3's interface that Terraform's backend *s3* speaks, on the HTTP server of the
standard library.

A state is an object, its lock another one that is made only where there is none, and tells who
holds it: as with the lease and the metadata of a blob in Azure,
which Terraform's backend *azurerm* uses and which no local server offers without Azure's log-in
(Amazon S3, *GetObject*, *PutObject*, *DeleteObject*, *ListObjectsV2*).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LISTING = (
    b"<ListBucketResult><Name>states</Name><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>"
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)


class StateStore:
    """Objects by their names.

    `locked` are the states that were locked, in order, and `refusals` how many calls are refused
    yet, as Azure refuses a role that does not count yet.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.locked: list[str] = []
        self.refusals = 0
        self.guard = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))

    @property
    def address(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> StateStore:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """The states by the names of their parts."""
        return {
            name.removesuffix(".tfstate"): json.loads(body)
            for name, body in self.objects.items()
            if name.endswith(".tfstate")
        }

    @property
    def locks(self) -> dict[str, dict[str, Any]]:
        """The locks by the names of their parts."""
        return {
            name.removesuffix(".tfstate.tflock"): json.loads(body)
            for name, body in self.objects.items()
            if name.endswith(".tflock")
        }

    def lock(self, part: str, lock: Mapping[str, str]) -> None:
        """Have somebody hold a lock."""
        self.objects[f"{part}.tfstate.tflock"] = json.dumps(lock).encode()

    def unlock(self, part: str) -> None:
        """Give a lock back."""
        del self.objects[f"{part}.tfstate.tflock"]

    def resources(self, part: str) -> set[str]:
        """Return the types of what a state holds."""
        return {
            resource["type"]
            for resource in self.states.get(part, {}).get("resources", ())
            if resource["mode"] == "managed"
        }


def handler_of(store: StateStore) -> type[BaseHTTPRequestHandler]:
    """Return the handler that serves a store."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"0"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def refuse(self, status: int, word: str) -> None:
            self.answer(
                status, f"<Error><Code>{word}</Code><Message>{word}</Message></Error>".encode()
            )

        @property
        def name(self) -> str:
            return unquote(urlsplit(self.path).path).strip("/").partition("/")[2]

        def do_GET(self) -> None:
            if store.refusals:
                store.refusals -= 1
                return self.refuse(403, "AuthorizationPermissionMismatch")
            if not self.name:
                return self.answer(200, LISTING)
            return (
                self.answer(200, store.objects[self.name])
                if self.name in store.objects
                else self.refuse(404, "NoSuchKey")
            )

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert "aws-chunked" not in self.headers.get("Content-Encoding", "")
            with store.guard:
                if self.headers.get("If-None-Match") == "*" and self.name in store.objects:
                    return self.refuse(412, "PreconditionFailed")
                if self.name.endswith(".tflock"):
                    store.locked.append(self.name.removesuffix(".tfstate.tflock"))
                store.objects[self.name] = body
            self.answer(200)

        def do_DELETE(self) -> None:
            store.objects.pop(self.name, None)
            self.answer(204)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
