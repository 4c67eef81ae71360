"""The forms as a web page.

Who may come in, what leaves the machine, and what a person sees and does.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from browser import COMMAND, ROOT, Server, chromium, opened, pictured, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.server, pytest.mark.slow]
SOME_KERNEL = "0b9d1c4e-1111-4222-8333-444455556666"
PATHS = {  # an address for each kind that voila answers
    r"/api/kernels/K": f"/api/kernels/{SOME_KERNEL}",
    r"/api/kernels/K/channels": f"/api/kernels/{SOME_KERNEL}/channels",
    r"/voila/templates/(.*)": "/voila/templates/lab/static/voila.js",
    r"/voila/static/(.*)": "/voila/static/page.js",
    r"/voila/api/themes/(.*)": "/voila/api/themes/@jupyterlab/theme-light-extension/index.css",
    r"/voila/api/shutdown/(.*)": f"/voila/api/shutdown/{SOME_KERNEL}",
    r"/voila/labextensions/(.*)": "/voila/labextensions/"
    "@voila-dashboards/widgets-manager8/package.json",
    r"/voila/files/(.*)": "/voila/files/home.ipynb",
    r"/(.*)": "/",
}
OTHERS = (
    "/home.ipynb",
    "/login",
    "/nothing",
    "/voila/files/index.html.j2",
    "/voila/files/../../datamaster.yaml",
    "/api/contents",
    "/api/terminals",
    "//",
)
SCRIPT = '<script>alert("contract")</script>'
IMAGE = '<img src=x onerror=alert("contract")>'


def project_of(folder: Path) -> Path:
    """Write a project with the sample contracts, a broken one, and one whose every text is markup.

    Return its file.
    """
    shutil.copytree(ROOT / "contracts", folder / "contracts")
    shutil.copy(ROOT / "datamaster.yaml", folder)
    (folder / "contracts" / "broken.yaml").write_text("id: [1\n")
    (folder / "contracts" / "broken2.yaml").write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: Half\nversion: 1.0.0\nstatus: "
        f"draft\n{json.dumps(IMAGE)}: 1\nschema: {json.dumps(SCRIPT)}\n"
    )
    evil = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": SCRIPT,
        "name": f"{IMAGE}{SCRIPT} & a name that does not end where one would like it to",
        "version": f"<b>1</b>{SCRIPT}",
        "status": f"<i>draft</i>{IMAGE}",
    }
    (folder / "contracts" / "evil.yaml").write_text(json.dumps(evil))
    return folder / "datamaster.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server on a project with contracts of every kind."""
    with serving(project_of(tmp_path_factory.mktemp("project"))) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without which these tests fail."""
    with chromium() as started:
        yield started


# ---------------------------------------------------------------- who may come in


def test_the_paths_are_all_that_voila_answers(tmp_path: Path) -> None:
    from datamaster_kit.forms.web.server import build_voila, web_folder
    from datamaster_kit.forms.web.token_auth import new_token_auth

    app = build_voila(web_folder(), tmp_path / "datamaster.yaml", new_token_auth(1), 60)
    app.init_settings()
    patterns = {
        re.sub(r"\(\?P<kernel_id>[^)]*\)", "K", handler[0]) for handler in app.init_handlers()
    }
    shutil.rmtree(app.connection_dir)
    assert patterns == set(PATHS)


@pytest.mark.parametrize("path", [*PATHS.values(), *OTHERS])
def test_nothing_answers_without_the_token(server: Server, path: str) -> None:
    separator = "&" if "?" in path else "?"
    cookie = server.cookie()
    name = cookie.split("=")[0]
    refused = [
        server.ask(path),
        server.ask(path, "POST"),
        server.ask(path, "DELETE"),
        server.ask(path, "HEAD"),
        server.ask(path, "OPTIONS"),
        server.ask(f"{path}{separator}token="),
        server.ask(f"{path}{separator}token=wrong"),
        server.ask(f"{path}{separator}token=wrong", Cookie=cookie),
        server.ask(path, Authorization="token wrong"),
        server.ask(path, Cookie=f"{name}=wrong"),
        server.ask(path, Cookie=f'{name}="{urlsplit(server.address).query[6:]}"'),
        server.ask(path, Cookie=cookie, Host="evil.example"),
        server.ask(path, Cookie=cookie, Host=f"evil.example:{server.host.split(':')[1]}"),
        server.ask(path, Cookie=cookie, Host="127.0.0.1"),
        server.ask(path, Cookie=cookie, Origin="http://evil.example"),
        server.ask(path, Cookie=cookie, Origin="null"),
        server.ask(path, Cookie=cookie, Origin="http://127.0.0.1:1"),
        server.ask(path, Cookie=cookie, Sec_Fetch_Site="cross-site"),
        server.ask(path, Cookie=cookie, Sec_Fetch_Site="same-site"),
    ]
    assert {answer.status for answer in refused} == {403}
    assert all(b"datamaster forms" in answer.body or not answer.body for answer in refused)  # type: ignore[attr-defined]


def test_a_websocket_is_refused_as_any_request_is(server: Server) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    cookie, own = server.cookie(), f"http://{server.host}"
    kernel = re.search(r'"kernelId": "([\w-]+)"', server.ask("/", Cookie=cookie).body.decode())  # type: ignore[attr-defined]
    assert kernel is not None
    path = f"/api/kernels/{kernel[1]}/channels"
    assert (
        server.ask(path, **upgrade).status
        == server.ask(path, Origin=own, **upgrade).status
        == server.ask(f"{path}?token=wrong", Cookie=cookie, Origin=own, **upgrade).status
        == 403
    )
    assert (
        server.ask(path, Cookie=cookie, Origin="http://evil.example", **upgrade).status
        == server.ask(path, Cookie=cookie, Origin=own, Host="evil.example", **upgrade).status
        == 403
    )
    assert server.ask(path, Cookie=cookie, Origin=own, **upgrade).status == 101
    xsrf = re.search(r"_xsrf=([^;]+)", cookie)
    # what a page may do needs its other cookie, too
    assert (
        server.ask(f"/api/kernels/{kernel[1]}", "DELETE", Cookie=cookie, Origin=own).status == 403
    )
    assert (
        xsrf is not None
        and server.ask(
            f"/voila/api/shutdown/{kernel[1]}",
            "POST",
            Cookie=cookie,
            Origin=own,
            X_XSRFToken=xsrf[1],
        ).status
        == 204
    )


def test_the_token_becomes_a_cookie_and_leaves_the_address(server: Server) -> None:
    query = urlsplit(server.address).query
    # a link somewhere that brings the token
    answer = server.ask(f"/?{query}", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    cookies = {
        value.split("=")[0]: value for name, value in answer.getheaders() if name == "Set-Cookie"
    }
    door = cookies[f"datamaster-forms-{server.host.split(':')[1]}"]
    assert (
        answer.status == 200
        and "HttpOnly" in door
        and "SameSite=Strict" in door
        and query[6:] not in door
        and "SameSite=Strict" in cookies["_xsrf"]
    )
    assert query[6:] not in answer.body.decode() and answer.getheader("Cache-Control") == "no-store"  # type: ignore[attr-defined]
    assert server.ask("/voila/static/page.js", Cookie=server.cookie()).status == 200


def test_no_file_and_no_source_is_served_to_whoever_came_in(server: Server) -> None:
    cookie = server.cookie()
    for path in (
        "/voila/files/home.ipynb",
        "/voila/files/index.html.j2",
        "/voila/files/picture.png",
        "/voila/files/..%2f..%2fdatamaster.yaml",
        "/voila/static/..%2f..%2fhome.ipynb",
        "/voila/static/../home.ipynb",
    ):
        assert server.ask(path, Cookie=cookie).status in (403, 404), path
    page = server.ask("/", Cookie=cookie)
    assert "datamaster_kit" not in page.body.decode() and "Home(" not in page.body.decode()  # type: ignore[attr-defined]
    assert (
        "frame-ancestors 'none'" in (page.getheader("Content-Security-Policy") or "")
        and "'unsafe-inline'"
        not in (page.getheader("Content-Security-Policy") or "").split("style-src")[0]
    )


def test_the_address_that_the_browser_is_started_with_is_good_once() -> None:
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

    from datamaster_kit.forms.web.server import build_guarded_app
    from datamaster_kit.forms.web.token_auth import TokenAuth

    class Connection:
        context = None

        def set_close_callback(self, callback: object) -> None:
            """Nothing closes."""

    application = build_guarded_app(TokenAuth(1, "the-token", "the-session"), {"a-ticket"}, {})

    def handler(query: str, host: str = "127.0.0.1:1") -> str:
        asked = HTTPServerRequest(
            start_line=RequestStartLine("GET", f"/?token={query}", "HTTP/1.1"),
            headers=HTTPHeaders({"Host": host}),
            connection=Connection(),
        )  # type: ignore[arg-type]
        return application.find_handler(asked).handler_class.__name__

    assert handler("a-ticket", "evil.example") == "Refused"
    assert [
        handler("a-ticket"),
        handler("a-ticket"),
        handler("the-token"),
        handler("the-token"),
    ] == ["Arrived", "Refused", "Arrived", "Arrived"]


# ---------------------------------------------------------------- beginning and end


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_server_ends_with_every_kernel(tmp_path: Path, how: signal.Signals) -> None:
    with serving(project_of(tmp_path)) as server:
        server.ask("/", Cookie=server.cookie())
        kernels = server.kernels
        assert len(kernels) == 1 and server.end(how) == 0
        assert not any(kernel.is_running() for kernel in kernels)
    assert "Traceback" not in "".join(server.said)


IMPATIENT = (
    "import functools, datamaster_kit.forms.web.server as server; server.serve_forms = "
    "functools.partial(server.serve_forms, idle_seconds=2); " + COMMAND
)


def test_a_kernel_without_a_page_ends_and_one_with_a_page_does_not(
    tmp_path: Path, browser: Browser
) -> None:
    with serving(project_of(tmp_path), code=IMPATIENT) as server:
        page, _ = opened(browser, server.address)
        kept = server.kernels
        server.ask("/", Cookie=server.cookie())  # a browser that was lost
        deadline = time.monotonic() + 60
        while len(server.kernels) > 1 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert server.kernels == kept
        page.close(run_before_unload=True)
        while server.kernels and time.monotonic() < deadline:
            time.sleep(0.5)
        assert server.kernels == []


def command(*arguments: str, code: str = COMMAND) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code, "forms", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_port_in_use_a_missing_project_and_a_missing_package_are_told(
    server: Server, tmp_path: Path
) -> None:
    taken = command(
        "--project", str(project_of(tmp_path)), "--port", server.host.split(":")[1], "--no-browser"
    )
    assert (
        taken.returncode == 2
        and taken.stdout == ""
        and "error[forms-port]" in taken.stderr
        and "--port 0" in taken.stderr
    )
    nowhere = command("--project", str(tmp_path / "nowhere.yaml"))
    assert (
        nowhere.returncode == 2
        and "error[no-project-file]" in nowhere.stderr
        and "datamaster init" in nowhere.stderr
    )
    without = command(
        "--project", str(tmp_path), code="import sys; sys.modules['voila'] = None; " + COMMAND
    )
    assert (
        without.returncode == 1
        and "error[forms-extra]" in without.stderr
        and "pip install 'datamaster_kit[forms]'" in without.stderr
    )


def test_a_folder_brings_no_configuration_and_no_code(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    for name in (
        "voila_config.py",
        "jupyter_config.py",
        "voila.py",
        "ipywidgets.py",
        "datamaster_kit.py",
    ):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'was_read')!r}, 'w').close()\n")
    (tmp_path / "voila.json").write_text(
        '{"VoilaConfiguration": {"file_allowlist": [".*"], "strip_sources": false}}'
    )
    with serving(project) as server:
        assert server.ask("/voila/files/page.js", Cookie=server.cookie()).status == 403
        assert "Home(" not in server.ask("/", Cookie=server.cookie()).body.decode()  # type: ignore[attr-defined]
    assert not (tmp_path / "was_read").exists()


# ---------------------------------------------------------------- what a person sees and does


def test_the_page_asks_nothing_beyond_this_machine(server: Server, browser: Browser) -> None:
    page, seen = opened(browser, server.address)
    page.get_by_role("button", name="Accounts").wait_for()
    page.wait_for_load_state("networkidle")
    assert seen.hosts == {server.host, "data"} - ({"data"} - seen.hosts)
    assert seen.complaints == [] and "token" not in page.url
    page.context.close()


@pytest.mark.parametrize("width", [1280, 800])
def test_the_home_page_fits(server: Server, browser: Browser, width: int) -> None:
    page, seen = opened(browser, server.address, width)
    page.get_by_role("button", name="Accounts").wait_for()
    assert (
        page.get_by_role("heading", name="Data contracts").is_visible()
        and page.get_by_text("6 contracts, 2 with errors.").is_visible()
    )
    assert (
        page.get_by_text("no run yet").count() == 6
        and page.get_by_text("1 warning, 1 note").is_visible()
    )
    pictured(page, f"home-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="New contract").click()
    page.get_by_role("button", name="Create the contract").click()
    page.get_by_text("Owner is empty").wait_for()
    pictured(page, f"new-contract-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.close()


def test_what_a_contract_says_is_never_markup(server: Server, browser: Browser) -> None:
    page, seen = opened(browser, server.address)
    page.get_by_role("button", name=IMAGE).wait_for()
    assert (
        page.get_by_text("<b>1</b>").is_visible()
        and page.get_by_text("<i>draft</i>").is_visible()
        and page.get_by_text(SCRIPT).count() >= 2
    )
    assert (
        page.locator(".dm-form :is(script, img, b, i)").count() == 0
        and seen.dialogs == []
        and seen.complaints == []
    )
    page.evaluate("""() => {
        const at = document.querySelector(".dm-form");
        const made = document.createElement("div");
        made.innerHTML = '<img src="data:," onerror="window.ran=1">'
            + '<a id="bait" href="javascript:window.ran=2">x</a>';
        at.append(made); }""")
    page.locator("#bait").click()
    page.wait_for_timeout(500)
    # were markup ever let in, it could still run nothing
    assert page.evaluate("window.ran") is None
    page.context.close()


def test_the_keyboard_is_enough(tmp_path: Path, browser: Browser) -> None:
    with serving(project_of(tmp_path)) as server:
        page, seen = opened(browser, server.address)
        page.get_by_role("button", name="Accounts").wait_for()

        def focused() -> str:
            return page.evaluate(
                "document.activeElement.textContent || "
                "document.activeElement.getAttribute('placeholder') || ''"
            )

        order = []
        for _ in range(5):
            page.keyboard.press("Tab")
            order.append(focused())
        assert order == [
            "New contract",
            "Project settings",
            "Read the files again",
            "name, file, status, errors",
            "Accounts",
        ]
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("flights")
        page.get_by_text("1 match the filter").wait_for()
        for _ in range(3):
            page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="New contract").wait_for()
        page.wait_for_function("document.activeElement.textContent === 'Back to contracts'")
        for answer in ("Loans", "Risk", "loan", "loan_id:string, amount:decimal(18,2)", "", ""):
            page.keyboard.press("Tab")
            page.keyboard.type(answer)
        page.keyboard.press("Tab")
        assert focused() == "Create the contract"
        page.keyboard.press("Enter")
        deadline = time.monotonic() + 60
        while not (tmp_path / "contracts" / "loan.yaml").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert (
            'name: "Loans"' in (tmp_path / "contracts" / "loan.yaml").read_text()
            and seen.complaints == []
        )
        page.context.close()


def test_a_contract_is_opened_edited_saved_and_left(tmp_path: Path, browser: Browser) -> None:
    with serving(project_of(tmp_path)) as server:
        file = tmp_path / "contracts" / "account.yaml"
        before = file.read_bytes()
        page, seen = opened(browser, server.address)
        page.get_by_role("button", name="Accounts").click()
        page.wait_for_function("document.activeElement.textContent === 'Back to contracts'")
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 800})
            pictured(page, f"contract-{width}")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("textbox", name="Title").first.fill("Accounts & cards")
        page.get_by_text("not saved").wait_for()
        page.get_by_role("button", name="Back to contracts").click()
        page.get_by_text("There are changes that are not saved.").wait_for()
        page.close(run_before_unload=True)  # the browser asks, too
        page.get_by_role("button", name="Go on editing").click()
        assert file.read_bytes() == before and seen.dialogs == ["beforeunload"]
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("saved", exact=True).wait_for()
        assert file.read_bytes() == before.replace(
            b"title: Accounts\n", b"title: Accounts & cards\n"
        ).replace(b"version: 1.2.0\n", b"version: 1.2.1\n")
        page.get_by_role("button", name="Back to contracts").click()
        page.get_by_role("button", name="Accounts & cards").wait_for()
        page.wait_for_function("document.activeElement.textContent === 'Accounts & cards'")
        page.get_by_role("button", name="Project settings").click()
        page.get_by_role("tab", name="Workspaces").wait_for()
        pictured(page, "project-800")
        assert seen.complaints == []
        page.context.close()


def test_two_people_have_a_kernel_each(server: Server, browser: Browser) -> None:
    before = {kernel.pid for kernel in server.kernels}
    one, _ = opened(browser, server.address)
    other, _ = opened(browser, server.address)
    assert len({kernel.pid for kernel in server.kernels} - before) == 2
    one.get_by_label("Filter").fill("flights")
    one.get_by_text("1 match the filter").wait_for()
    assert other.get_by_text("match the filter").count() == 0
    one.context.close()
    other.context.close()


def test_leaving_with_unsaved_changes_is_asked_and_a_lost_program_is_told(
    tmp_path: Path, browser: Browser
) -> None:
    with serving(project_of(tmp_path)) as server:
        page, seen = opened(browser, server.address)
        page.get_by_role(
            "button", name="New contract"
        ).click()  # a browser asks only where somebody has done something
        page.evaluate("document.querySelector('.dm-form').classList.add('dm-unsaved')")
        page.close(run_before_unload=True)
        page.wait_for_timeout(1000)
        assert seen.dialogs == ["beforeunload"] and len(server.kernels) == 1
        assert page.locator("#ended").is_hidden()
        server.end()
        page.locator("#ended").wait_for()
        page.context.close()


FAILING = (
    """
import pathlib, shutil, tempfile, datamaster_kit.forms.web.server as server
folder = pathlib.Path(tempfile.mkdtemp(), "web")
shutil.copytree(server.web_folder(), folder)
notebook = folder / "home.ipynb"
error = "raise ValueError('<b>no</b> <script>such</script> thing')"
notebook.write_text(notebook.read_text().replace("import os", error))
server.web_folder = lambda: folder
"""
    + COMMAND
)


def test_an_error_of_the_cell_can_be_read(tmp_path: Path, browser: Browser) -> None:
    with serving(project_of(tmp_path), code=FAILING) as server:
        page, seen = opened(browser, server.address)
        assert page.get_by_role("heading", name="The page cannot be shown").is_visible()
        assert (
            page.get_by_text("ValueError: <b>no</b> <script>such</script> thing").first.is_visible()
            and "\x1b" not in page.content()
        )
        pictured(page, "error-1280")
        page.context.close()
