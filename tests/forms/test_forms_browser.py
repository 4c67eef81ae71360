"""A person at work.

`datamaster forms` in real Chromium, from the list of contracts to the saved file, byte for byte.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import SLOW, Server, chromium, opened, pictured, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.server, pytest.mark.slow]

CARD = """\
# Cards of plastic, as a person wrote it.
dataContractSpecification: 1.1.0
id: urn:datacontract:risk:card
info:
  title: Cards   # what people call them
  version: 1.2.0
  owner: Risk Data
models:
  card:
    description: One row a card.
    fields:
      # as printed on it
      number:
        type: string
        primaryKey: true
        required: true
      limit:
        type: decimal
        precision: 18
        scale: 2

servicelevels:
  retention: {period: 1 day}   # raw files too
"""
SAVED = """\
# Cards of plastic, as a person wrote it.
dataContractSpecification: 1.1.0
id: urn:datacontract:risk:card
info:
  title: Cards   # what people call them
  version: 2.0.0
  owner: Risk Platform
models:
  card:
    description: One row a card.
    fields:
      # as printed on it
      number:
        type: string
        primaryKey: true
        required: true
      limit:
        type: decimal
        description: In the card's currency.
        precision: 18
        scale: 2
        quality:
          - type: library
            name: limit_is_known
            metric: nullValues
            mustBeLessThan: 2
            unit: percent
            severity: warning

servicelevels:
  retention: {period: 30 days}   # raw files too
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the sample contracts and one of cards."""
    folder = tmp_path_factory.mktemp("forms")
    shutil.copytree(ROOT / "contracts", folder / "contracts")
    shutil.copy(ROOT / "datamaster.yaml", folder)
    (folder / "contracts" / "card.yaml").write_text(CARD, encoding="utf-8")
    return folder / "datamaster.yaml"


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with serving(project) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def test_a_person_edits_adds_a_rule_mends_an_error_and_saves(
    server: Server, browser: Browser, project: Path
) -> None:
    from playwright.sync_api import expect

    page, seen = opened(browser, server.address)
    page.get_by_role("button", name="Cards", exact=True).click()
    owner = page.get_by_label("Owner", exact=True)
    expect(owner).to_have_value("Risk Data", timeout=SLOW)
    owner.fill("Risk Platform")
    page.get_by_role("tab", name="Models and fields").click()
    page.get_by_label("Description of field 2", exact=True).fill("In the card's currency.")
    expect(page.get_by_text("not saved")).to_be_visible(timeout=SLOW)

    page.get_by_role("tab", name="Rules").click()
    page.get_by_role("button", name="Add rule").click()
    page.get_by_label("Name of the rule").fill("limit_is_known")
    page.get_by_role("button", name="Add rule").first.click()
    expect(page.get_by_text("the check needs a field")).to_be_visible(timeout=SLOW)
    pictured(page, "rule-refused")
    page.get_by_label("Field", exact=True).select_option("limit")
    page.get_by_label("There may be").select_option("fewer than")
    page.get_by_label("Number", exact=True).fill("2")
    page.get_by_label("Counted in").select_option("percent of the rows")
    page.get_by_label("A broken rule is").select_option("warn: counted and told")
    expect(page.get_by_text("Fewer than 2 % values of limit are missing")).to_be_visible(
        timeout=SLOW
    )
    page.get_by_role("button", name="Add rule").first.click()
    expect(page.get_by_role("heading", name="limit_is_known")).to_be_visible(timeout=SLOW)

    page.get_by_role("tab", name="Service levels").click()
    retention = page.get_by_label("Retention")
    retention.fill("30 dayz")
    retention.press("Tab")
    expect(page.get_by_text("'30 dayz' is not a period").first).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("1 error")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("'30 dayz' is not a period")).to_have_count(2, timeout=SLOW)
    pictured(page, "error-1280")
    assert (project.parent / "contracts" / "card.yaml").read_text(encoding="utf-8") == CARD
    retention.fill("30 days")
    retention.press("Tab")
    expect(page.get_by_text("no errors")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("'30 dayz' is not a period")).to_have_count(0, timeout=SLOW)
    page.get_by_text("Changes to the file").click()
    expect(page.get_by_text("+  owner: Risk Platform")).to_be_visible(timeout=SLOW)
    pictured(page, "changes-1280")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The version is raised from 1.2.0 to 2.0.0.")).to_be_visible(
        timeout=SLOW
    )
    assert (project.parent / "contracts" / "card.yaml").read_text(encoding="utf-8") == SAVED
    page.get_by_role("button", name="Back to contracts").click()
    expect(page.get_by_role("button", name="Cards", exact=True)).to_be_visible(timeout=SLOW)
    assert not seen.dialogs and not seen.complaints


def test_undo_and_the_guard_of_unsaved_changes(
    server: Server, browser: Browser, project: Path
) -> None:
    from playwright.sync_api import expect

    before = (project.parent / "contracts" / "account.yaml").read_bytes()
    page, _ = opened(browser, server.address)
    page.get_by_role("button", name="Accounts", exact=True).click()
    title = page.get_by_label("Title", exact=True)
    expect(title).to_have_value("Accounts", timeout=SLOW)
    title.fill("All accounts")
    expect(page.get_by_text("cosmetic change: version 1.2.0 → 1.2.1")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Back to contracts").click()
    expect(page.get_by_text("There are changes that are not saved.")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Go on editing").click()
    page.get_by_role("button", name="Undo").click()
    expect(title).to_have_value("Accounts", timeout=SLOW)
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled(timeout=SLOW)
    page.get_by_role("button", name="Back to contracts").click()
    expect(page.get_by_role("heading", name="Data contracts")).to_be_visible(timeout=SLOW)
    assert (project.parent / "contracts" / "account.yaml").read_bytes() == before


@pytest.mark.parametrize("width", [1280, 800])
def test_every_tab_fits_the_page(server: Server, browser: Browser, width: int) -> None:
    from playwright.sync_api import expect

    page, seen = opened(browser, server.address, width)
    page.get_by_role("button", name="Accounts", exact=True).click()
    for tab in (
        "About",
        "Models and fields",
        "Rules",
        "Service levels",
        "Source",
        "Notifications",
        "Tasks",
        "Try it",
    ):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute(
            "aria-selected", "true", timeout=SLOW
        )
        page.wait_for_timeout(500)
        pictured(page, f"{tab.split()[0].lower()}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        unnamed = page.evaluate("""
            [...document.querySelectorAll('.dm-form :is(input,select,textarea,button)')]
            .filter(e => e.offsetParent !== null)
            .filter(e => !(e.labels && e.labels.length && e.labels[0].textContent.trim()))
            .filter(e => !e.getAttribute('aria-label') && !e.title && !e.textContent.trim())
            .length""")
        assert unnamed == 0, f"{unnamed} controls of {tab} have no name"
        if tab == "Models and fields":
            assert cut_off_types(page) == [] and hidden_heads(page) == 0
    assert not seen.complaints


def cut_off_types(page: Page) -> list[str]:
    """Return the types of the grid's fields that their cells do not show whole."""
    cells = page.locator('.dm-grid input[aria-label^="Type of"], .dm-grid label + input[list]')
    return cells.evaluate_all(
        "cells => cells.filter(e => e.offsetParent && e.scrollWidth > e.clientWidth)"
        ".map(e => e.value)"
    )


def hidden_heads(page: Page) -> int:
    """Return how many heads of the grid have words and are not seen."""
    heads = page.locator(".dm-grid > .dm-head")
    return heads.evaluate_all(
        "heads => heads.filter(e => e.textContent.trim() && !e.offsetParent).length"
    )


def test_a_form_has_the_theme_of_its_host_or_of_the_person(
    server: Server, browser: Browser
) -> None:
    page, _ = opened(browser, server.address)
    light, dark = "rgb(255, 255, 255)", "rgb(21, 25, 30)"
    for system, host, paper in (
        ("light", None, light),
        ("dark", None, dark),
        ("light", "false", dark),  # JupyterLab's dark theme
        ("dark", "true", light),  # its light one
    ):
        page.emulate_media(color_scheme=system)
        if host:
            page.evaluate(
                "theme => {document.body.dataset.jpThemeLight = theme;"
                "delete document.body.dataset.voila}",
                host,
            )
        shown = page.locator(".dm-form").first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert shown == paper, (system, host)


def test_a_contract_is_filled_in_by_the_keyboard_alone(server: Server, browser: Browser) -> None:
    from playwright.sync_api import expect

    page, _ = opened(browser, server.address)
    page.get_by_role("button", name="Accounts", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title", exact=True)).to_be_visible(timeout=SLOW)
    page.get_by_role("tab", name="About").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name of field 1", exact=True)).to_be_visible(timeout=SLOW)
    page.get_by_label("Name of field 1", exact=True).focus()
    for label in (
        "Type of field 1",
        "Field 1 is required",
        "Field 1 is part of the key",
        "Classification of field 1",
    ):
        page.keyboard.press("Tab")
        expect(page.get_by_label(label, exact=True)).to_be_focused(timeout=SLOW)


def test_text_of_a_contract_is_never_html(server: Server, browser: Browser, project: Path) -> None:
    from playwright.sync_api import expect
    from test_forms import hostile

    (project.parent / "contracts" / "hostile.yaml").write_text(
        hostile((ROOT / "contracts" / "account.yaml").read_text(encoding="utf-8")), encoding="utf-8"
    )
    page, seen = opened(browser, server.address)
    page.get_by_role("button", name="<script>").first.click()
    for tab in (
        "About",
        "Models and fields",
        "Rules",
        "Service levels",
        "Source",
        "Notifications",
        "Tasks",
    ):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(500)
    for below in ("What is wrong", "Changes to the file", "The file (YAML)"):
        page.get_by_text(below, exact=True).click()
        page.wait_for_timeout(500)
    expect(page.get_by_role("heading", name="<img src=x onerror=alert(1)>")).to_be_visible(
        timeout=SLOW
    )
    pictured(page, "hostile")
    assert (
        not seen.dialogs
        and page.locator(".dm-form img, .dm-form script, .dm-form svg").count() == 0
    )
    (project.parent / "contracts" / "hostile.yaml").unlink()
