"""What is written as a page, opened in Chromium.

No text runs, whatever field it is in, and the page's policy allows nothing inline but its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import FLAGS
from test_page import hostile
from test_report import BROKEN, KEPT, facts_of, records, run, whole_page

from datamaster_kit.contract import model as m
from datamaster_kit.contract.publish.markup import join_markup, render_html
from datamaster_kit.contract.publish.page import contract_page, render_html_page
from datamaster_kit.contract.read import read_contract
from datamaster_kit.lakehouse.runs import RuleResult
from datamaster_kit.observe.explore import ColumnProfile, TableProfile, profile_picture
from datamaster_kit.observe.pictures import rows_picture
from datamaster_kit.observe.report import write_notebook_pages
from datamaster_kit.observe.report_page import report_page
from datamaster_kit.observe.tables import html_table, rule_table
from datamaster_kit.plan.plan import Change, Difference, Plan, plan_table

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
ATTACKS = [
    "<script>window.hit=1</script>\"'><img src=x onerror=window.hit=1>",
    "</title></style></script><svg onload=window.hit=1>",
    "' onmouseover=window.hit=1 x='",
    "--><script>window.hit=1</script><!--",
    "]]><script>window.hit=1</script>",
    "javascript:window.hit=1",
    "{{ 7*7 }}{% raw %}<script>window.hit=1</script>",
    "<style>body{display:none}</style>",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield browser
        browser.close()


def told_notebook(folder: Path, attack: str) -> None:
    """Leave an executed notebook whose outputs are those of the step notebooks, of hostile names
    and values, and one that is raw HTML of its own.
    """
    table = TableProfile(10, (ColumnProfile(attack, "string", 3, 2, attack, attack),))
    shown = join_markup(
        [
            render_html(
                "<h4>{{ name }}</h4>{{ table }}",
                name=attack,
                table=html_table((attack,), [(attack,)]),
            ),
            profile_picture(attack, table),
            plan_table(
                Plan(
                    (
                        Change(
                            "update",
                            attack,
                            attack,
                            (Difference(attack, attack, attack),),
                            note=attack,
                        ),
                    )
                )
            ),
            rule_table(
                [(attack, RuleResult(attack, "sql", "warn", 1.0, False, description=attack))]
            ),
        ]
    )
    outputs = [
        {"output_type": "display_data", "data": {"text/html": str(text)}, "metadata": {}}
        for text in (shown, attack)
    ]
    outputs += [
        {"output_type": "stream", "name": "stdout", "text": attack},
        {"output_type": "error", "ename": attack, "evalue": attack, "traceback": [attack]},
    ]
    cells = [
        {
            "cell_type": "code",
            "id": "a",
            "execution_count": None,
            "metadata": {},
            "source": repr(attack),
            "outputs": outputs,
        },
        {"cell_type": "markdown", "id": "b", "metadata": {}, "source": attack},
    ]
    (folder / "20260101T000000").mkdir(parents=True)
    (folder / "20260101T000000" / "07_explore.ipynb").write_text(
        json.dumps(
            {
                "cells": cells,
                "metadata": {"kernelspec": {"name": "python3", "display_name": "python3"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_contract_a_run_or_a_file_runs_on_any_page_that_is_written(
    chromium: Any, tmp_path: Path, attack: str
) -> None:
    contract = hostile(read_contract(ROOT / "contracts" / "account.yaml"), attack)
    told_notebook(tmp_path, attack)
    pages = {
        "contract.html": contract_page(contract),
        "report.html": whole_page(attack),
        "two.html": contract_page(
            m.Contract(
                attack,
                models=(
                    m.Model(attack, (m.Field(attack, references=(f"{attack}2.x",)),)),
                    m.Model(f"{attack}2", (m.Field("x"),)),
                ),
            )
        ),
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    notebooks = [path for _, _, path in write_notebook_pages(tmp_path, tmp_path / "report")]
    for file in (
        *(tmp_path / name for name in pages),
        *(tmp_path / "report" / path for path in notebooks),
    ):
        asked: list[str] = []
        page = chromium.new_page()
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(file.as_uri())
        for element in page.locator("[onmouseover], h1, td").all()[:3]:
            element.hover()
        # Whatever comes in later, by whatever way, is not run either.
        page.evaluate("""() => {
            const made = document.createElement("div");
            made.innerHTML = '<img src="data:," onerror="window.hit=2">'
                + '<p id="bait" style="color:red">x</p>';
            document.body.append(made);
            const script = document.createElement("script");
            script.textContent = "window.hit=3";
            document.body.append(script); }""")
        page.wait_for_timeout(50)
        assert page.evaluate("window.hit") is None, file.name
        assert (
            page.evaluate("getComputedStyle(document.getElementById('bait')).color")
            != "rgb(255, 0, 0)"
        )
        assert [
            url for url in asked if not url.startswith(("file://" + str(tmp_path), "data:"))
        ] == []
        policy = page.locator("meta[http-equiv=Content-Security-Policy]").first.get_attribute(
            "content"
        )
        assert (
            "unsafe" not in policy
            and "default-src 'none'" in policy
            and page.evaluate("getComputedStyle(document.body).margin") == "0px"
        ), "the page's own style is applied"
        if file.name in pages:
            assert (
                attack.split("\n")[0] in page.locator("body").inner_text() + page.title()
                and page.locator("body [style], body img:not([src='data:,'])").count() == 1
            )
        page.close()


def test_a_page_has_its_pictures_styles_and_search_under_its_policy(
    chromium: Any, tmp_path: Path
) -> None:
    (tmp_path / "c.html").write_text(
        contract_page(read_contract(ROOT / "contracts" / "account.yaml")), encoding="utf-8"
    )
    (tmp_path / "r.html").write_text(
        report_page(records(facts_of(BROKEN, BROKEN), facts_of(KEPT, KEPT, model="consents"))),
        encoding="utf-8",
    )
    picture = rows_picture([run("account"), run("consents")])
    (tmp_path / "p.html").write_text(render_html_page("Rows", picture), encoding="utf-8")
    complaints: list[str] = []
    page = chromium.new_page()
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.goto((tmp_path / "c.html").as_uri())
    rows = page.locator("tr.field:visible").count()
    page.get_by_label("Find a field").fill("no field has such a text")
    assert rows > 1 and page.locator("tr.field:visible").count() == 0
    page.goto((tmp_path / "r.html").as_uri())
    assert page.locator("details.model:visible").count() == 2
    page.get_by_label("Find a model").fill("consents")
    assert page.locator("details.model:visible h3").all_inner_texts() == ["consents"]
    page.get_by_label("Find a model").fill("")
    page.get_by_label("Show").select_option("look")
    assert page.locator("details.model:visible h3").all_inner_texts() == ["account"]
    page.goto((tmp_path / "r.html").as_uri() + "#urn:bank/consents/id.required")
    assert page.locator("[id='urn:bank/consents/id.required']").is_visible(), "it is unfolded"
    page.goto((tmp_path / "p.html").as_uri())
    picture = page.locator("svg.chart").first
    assert (
        picture.bounding_box()["width"] > 300
        and picture.locator("text").first.evaluate("element => getComputedStyle(element).fontSize")
        != "16px"
        and complaints == []
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_readable_wide_and_narrow_light_and_dark_and_on_paper(
    chromium: Any, tmp_path: Path, scheme: str
) -> None:
    file = tmp_path / "r.html"
    long = facts_of(
        KEPT, BROKEN, BROKEN, model="a_long_name_of_a_model_of_consents_that_were_given"
    )
    file.write_text(report_page(records(long, facts_of(KEPT, KEPT))), encoding="utf-8")
    for width in (1280, 800):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        clipped = page.evaluate(
            "[...document.querySelectorAll('.scroll, figure')].filter(part => "
            "part.checkVisibility() && part.scrollWidth > part.clientWidth + 1).length"
        )
        assert clipped == 0, width
        ink, paper = page.evaluate(
            "[getComputedStyle(document.querySelector('.trend')).color, "
            "getComputedStyle(document.body).backgroundColor]"
        )
        assert ink != paper and (paper == "rgb(255, 255, 255)") == (scheme == "light")
        page.emulate_media(media="print")
        assert not page.locator("#tools").is_visible()
        assert page.locator("table.issues").is_visible()
        page.close()
