"""The web page as a person has it: the real command on a project, and real Chromium."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "runs" / "screenshots"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
COMMAND = "from datamaster_kit.cli.main import main; main()"
SLOW = 90_000  # milliseconds: what a page may take where the machine has other work


@dataclass
class Server:
    """A running `datamaster forms`.

    Its address with the token, its process, and what it has written on standard error.
    """

    address: str
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host and port."""
        return urlsplit(self.address).netloc

    @property
    def kernels(self) -> list[psutil.Process]:
        """The processes of the kernels that run now."""
        return [child for child in psutil.Process(self.process.pid).children() if is_kernel(child)]

    def ask(self, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
        """Return the answer to a request, with its body read as `body`.

        `_` in a header's name stands for `-`.
        """
        connection = HTTPConnection(self.host, timeout=SLOW / 1000)
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        answer.body = answer.read() if answer.status != 101 else b""  # type: ignore[attr-defined]
        connection.close()
        return answer

    def cookie(self) -> str:
        """Come in by the token, and return the cookies as a browser would send them."""
        answer = self.ask(f"/?{urlsplit(self.address).query}")
        return "; ".join(
            value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie"
        )

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask the process to end, and return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


def is_kernel(process: psutil.Process) -> bool:
    """A process is a kernel that has not ended."""
    try:
        return "ipykernel_launcher" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@contextmanager
def serving(project: Path, *options: str, code: str = COMMAND) -> Iterator[Server]:
    """Run `datamaster forms` on a project file at a free port.

    It is ended, and whatever it leaves behind fails the test.
    """
    command = [
        sys.executable,
        "-P",
        "-c",
        code,
        "forms",
        "--project",
        str(project),
        "--port",
        "0",
        "--no-browser",
        *options,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project.parent
    )
    assert process.stdout is not None and process.stderr is not None
    server = Server(process.stdout.readline().strip(), process)
    reader = threading.Thread(target=lambda: server.said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        assert server.address.startswith("http://127.0.0.1:"), server.said
        yield server
    finally:
        started = (
            psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        )
        if process.poll() is None:
            server.end()
        _, left = psutil.wait_procs(started, timeout=20)
        for child in left:
            child.kill()
        reader.join(10)
        assert left == [], "kernels outlived the server"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium that `tools/chromium.py` finds; raises SystemExit where there is none."""
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT / "tools"))
    from chromium import chromium as found

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found(), args=list(FLAGS), headless=True
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seen:
    """What a page did.

    The hosts that it asked, the dialogs that it opened, and what its console and its scripts
    complained of.
    """

    hosts: set[str] = field(default_factory=set)
    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def opened(
    browser: Browser, address: str, width: int = 1280, height: int = 800
) -> tuple[Page, Seen]:
    """Open the address in a browser profile of its own, wait for the forms, and return the page and
    what it does from now on.
    """
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(SLOW)
    seen = Seen()

    def dialog(shown: Any) -> None:
        seen.dialogs.append(shown.message or shown.type)
        shown.dismiss()

    page.on(
        "request",
        lambda request: seen.hosts.add(urlsplit(request.url).netloc or request.url.split(":")[0]),
    )
    page.on("websocket", lambda socket: seen.hosts.add(urlsplit(socket.url).netloc))
    page.on("dialog", dialog)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: seen.complaints.append(message.text) if message.type == "error" else None,
    )
    page.goto(address)
    page.wait_for_selector(".dm-form, .failure")
    return page, seen


def pictured(page: Page, name: str) -> None:
    """Keep a picture of the whole page as runs/screenshots/NAME.png."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
