"""The two pictures of README, from a demo: the report of its lakehouse, and a contract in a form.

    datamaster demo runs/demo && python tools/pictures.py runs/demo

`make pictures` does both. They are written to docs/pictures, in the light theme, as small PNG.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import SLOW, chromium, serving  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 860  # of the window, in pixels
MOST_BYTES = 150_000  # of one picture


def light_page(browser: Browser, address: str) -> Page:
    """Open an address in the light theme, in a window of the pictures' size; return the page."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(address)
    return page


def small_png(picture: bytes) -> bytes:
    """Return a picture as PNG with a palette of at most 128 colours, which its few ones allow.

    Raises SystemExit where it is too large all the same.
    """
    reduced = Image.open(io.BytesIO(picture)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    written = io.BytesIO()
    reduced.save(written, "PNG", optimize=True)
    if written.tell() > MOST_BYTES:
        raise SystemExit(f"a picture has {written.tell():,} bytes, and {MOST_BYTES:,} is the most")
    return written.getvalue()


def report_picture(browser: Browser, demo: Path) -> bytes:
    """Return a picture of the beginning of the demo's report.

    Raises SystemExit where there is none.
    """
    report = demo / "runs" / "report" / "index.html"
    if not report.is_file():
        raise SystemExit(f"{report} is not there: datamaster demo {demo}")
    page = light_page(browser, report.resolve().as_uri())
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def form_picture(browser: Browser, demo: Path) -> bytes:
    """Return a picture of the form of the demo's accounts, at their fields."""
    with serving(demo.resolve() / "datamaster.yaml") as server:
        page = light_page(browser, server.address)
        page.get_by_role("button", name="Accounts", exact=True).click()
        page.get_by_role("tab", name="Models and fields").click()
        page.get_by_label("Name of field 1", exact=True).wait_for()
        page.locator("h1").first.click()  # a picture has no focus
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(500)
        return page.screenshot()


def main() -> int:
    """Write the pictures of a demo's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="the folder of `datamaster demo`")
    demo = parser.parse_args().demo
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name, take in (("report", report_picture), ("form", form_picture)):
            file = PICTURES / f"{name}.png"
            file.write_bytes(small_png(take(browser, demo)))
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
