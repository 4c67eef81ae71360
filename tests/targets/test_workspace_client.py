"""The client of a target's workspace and of its account.

Who calls comes from the environment, never from the project file.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from workspace.server import Workspace

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.clients import answers
from datamaster_kit.targets.clients import workspace as client_of_target
from datamaster_kit.targets.clients.workspace import account_client, workspace_client


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Project:
    """A project whose target is the test workspace."""
    return Project(
        tmp_path,
        names("risk", "risk"),
        targets={
            "production": {
                "host": workspace.host,
                "account_host": workspace.host,
                "account_id": workspace.state.settings.account_id,
            }
        },
    )


def test_the_environment_says_who_calls(
    project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token)
    assert workspace_client(project, "production").current_user.me().user_name
    assert list(account_client(project, "production").metastores.list())


def test_without_credentials_the_message_says_how_to_sign_in(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DatamasterError, match="cannot configure default credentials") as error:
        workspace_client(project, "production")
    assert "az login" in error.value.faults[0].hint


class Odd(BaseHTTPRequestHandler):
    """Another server than Databricks, or Databricks on a bad day: `way` says which.

    After the first question it may be another.
    """

    protocol_version = "HTTP/1.1"
    ways: tuple[str, ...] = ()
    asked = 0
    gone = Event()

    def do_GET(self) -> None:
        way = self.ways[min(type(self).asked, len(self.ways) - 1)]
        type(self).asked += 1
        match way:
            case "hangs":
                self.gone.wait(20)
                self.close_connection = True
            case "hangs in the middle":
                self.answer(200, b"", {"Content-Length": "100", "Content-Type": "application/json"})
                self.gone.wait(20)
                self.close_connection = True
            case "trickles":
                self.answer(
                    200, b"", {"Content-Length": "1000", "Content-Type": "application/json"}
                )
                while not self.gone.wait(0.1):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                self.close_connection = True
            case "page":
                self.answer(
                    200,
                    b"<!DOCTYPE html><html><head><title>Log in to the guest network</title>",
                    {"Content-Type": "text/html; charset=utf-8"},
                )
            case "forbidden page":
                self.answer(
                    403,
                    b"<html><title>Blocked by policy</title></html>",
                    {"Content-Type": "text/html"},
                )
            case "gateway":
                self.answer(
                    504,
                    b"<html><title>Gateway Time-out</title></html>",
                    {"Content-Type": "text/html"},
                )
            case "leads away":
                self.answer(302, b"", {"Location": "https://login.example.com/?to=here"})
            case "leads to another port":
                self.answer(302, b"", {"Location": "http://127.0.0.1:9/"})
            case "a day" | "a day, unavailable":
                self.answer(
                    429 if way == "a day" else 503,
                    b'{"error_code": "RESOURCE_EXHAUSTED", "message": "later"}',
                    {"Retry-After": "86400", "Content-Type": "application/json"},
                )
            case "signed out":
                self.answer(
                    401,
                    b'{"error_code": "UNAUTHENTICATED", "message": "Credential was not sent"}',
                    {"Content-Type": "application/json"},
                )
            case "closes":
                self.close_connection = True

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Project]]:
    """Start an odd server, and return the project whose target it is.

    Half a second is as good as the ten that a person waits.
    """
    monkeypatch.setattr(answers, "SECONDS_TO_CONNECT", 0.5)
    monkeypatch.setattr(client_of_target, "SECONDS_TO_CONNECT", 0.5)
    monkeypatch.setattr(client_of_target, "SECONDS_TO_ANSWER", 0.5)
    monkeypatch.setenv("DATABRICKS_TOKEN", "a token")
    gone = Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

        def begin(*ways: str) -> Project:
            Odd.ways, Odd.asked, Odd.gone = ways, 0, gone
            return Project(
                tmp_path,
                names("risk", "risk"),
                targets={
                    "production": {
                        "host": f"http://127.0.0.1:{server.server_port}",
                        "account_host": f"http://127.0.0.1:{server.server_port}",
                        "account_id": "1-2",
                    }
                },
            )

        yield begin
        gone.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("way", "code", "says"),
    [
        (
            "hangs",
            "databricks-unreachable",
            "takes the connection and does not answer within 0.5 seconds",
        ),
        ("hangs in the middle", "databricks-unreachable", "ead timed out"),
        ("trickles", "databricks-unreachable", "does not answer within 0.5 seconds"),
        ("closes", "databricks-unreachable", "Remote end closed connection without response"),
        (
            "page",
            "not-databricks",
            "answers with a web page ('Log in to the guest network') and status 200",
        ),
        ("forbidden page", "not-databricks", "('Blocked by policy') and status 403"),
        ("gateway", "databricks-unreachable", "('Gateway Time-out') and status 504"),
        ("leads away", "not-databricks", "sends on to another host, login.example.com"),
        ("leads to another port", "not-databricks", "sends on to another host, 127.0.0.1:9"),
        ("a day", "databricks-busy", "asks to be left alone for 86,400 seconds"),
        ("a day, unavailable", "databricks-busy", "asks to be left alone for 86,400 seconds"),
    ],
)
@pytest.mark.parametrize("client", [workspace_client, account_client])
def test_who_does_not_answer_as_databricks_does_is_told_at_once_with_what_to_look_at(
    odd: Callable[..., Project],
    client: Callable[[Project, str], object],
    way: str,
    code: str,
    says: str,
) -> None:
    begun = time.monotonic()
    with pytest.raises(DatamasterError) as raised:
        client(odd(way), "production")
    (fault,) = raised.value.faults
    assert (
        fault.code == code
        and says in fault.message
        and "http://127.0.0.1:" in fault.message
        and fault.hint
    )
    assert time.monotonic() - begun < 3


def test_a_host_that_takes_no_connection_is_told(odd: Callable[..., Project]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    project = replace(odd("page"), targets={"production": {"host": f"http://127.0.0.1:{port}"}})
    with pytest.raises(DatamasterError, match=f"127.0.0.1:{port}: .*Connection refused"):
        workspace_client(project, "production")


def test_no_token_goes_to_a_host_that_has_not_answered_as_databricks_does(
    odd: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = list[str | None]()
    monkeypatch.setattr(
        Odd,
        "parse_request",
        lambda self: (
            BaseHTTPRequestHandler.parse_request(self)
            and not tokens.append(self.headers.get("Authorization"))
        ),
    )
    with pytest.raises(DatamasterError):
        workspace_client(odd("page"), "production")
    assert tokens == [None]


@pytest.mark.parametrize(
    ("way", "code"), [("a day", "databricks-busy"), ("page", "not-databricks")]
)
def test_what_goes_wrong_later_is_told_too(
    odd: Callable[..., Project], way: str, code: str
) -> None:
    client = workspace_client(odd("signed out", "signed out", way), "production")
    with pytest.raises(Exception) as raised:
        client.current_user.me()
    fault = (
        raised.value.faults[0]
        if isinstance(raised.value, DatamasterError)
        else client_of_target.sdk_fault(raised.value)
    )
    assert fault and fault.code == code and fault.hint


def test_a_server_that_hangs_later_is_told_before_it_is_asked_again(
    odd: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client_of_target, "SECONDS_OF_TRIES", 1)
    client = workspace_client(odd("signed out", "signed out", "hangs"), "production")
    monkeypatch.setattr(answers.time, "sleep", lambda seconds: None)
    with pytest.raises(TimeoutError) as raised:
        client.current_user.me()
    fault = client_of_target.sdk_fault(raised.value)
    assert fault and fault.code == "databricks-unreachable"
    told = [
        record.getMessage()
        for record in caplog.records
        if record.name == "datamaster_kit.databricks"
    ]
    assert (
        told
        and "does not answer as it should" in told[0]
        and "trying again in" in told[0]
        and "HTTPS_PROXY" in told[0]
    )
