"""The report and its pictures.

Hostile text stays text, nothing is fetched, and every number is the one that was recorded.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from datamaster_kit.lakehouse.runs import RuleResult, Run
from datamaster_kit.observe.pictures import rows_picture, rules_picture, times_picture
from datamaster_kit.observe.report import TableFacts, report_page, write_notebook_pages

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;</svg>$x^2$"


class Tags(HTMLParser):
    """Collects the elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def run(model: str = "account", **values: object) -> Run:
    """Return a run of ingest."""
    counts = {
        "duration_seconds": 3.0,
        "rows_read": 2000,
        "rows_written": 2000,
        "rows_rescued": 40,
        "rows_quarantined": 5,
    }
    return Run(
        "r1",
        str(values.pop("step", "ingest")),
        "local",
        "urn:bank",
        "1.0.0",
        model,
        MOMENT,
        MOMENT,
        **{**counts, **values},
    )  # type: ignore[arg-type]


def whole_page(text: str) -> str:
    """Return a report in which every text is the given one."""
    broken = RuleResult(text, text, "quarantine", 5.0, False, description=text)
    results = [
        (text, broken),
        (text, RuleResult(text, text, "warn", not_executed=text, description=text)),
    ]
    tables = [TableFacts(f"crisk.silver.{text}", text, text, 1995, 91_000, 2, MOMENT)]
    runs, notebooks = [run(text, result="failed", error=text)], [("r1", text, "notebooks/a.html")]
    held = [
        run(text, step="hold", stream=text, batch=1, result="held", error=text, rules=(broken,)),
        run(
            text,
            step="hold",
            stream=text,
            batch=2,
            result="released",
            notes=(text,),
            rules=(broken,),
        ),
    ]
    return report_page(
        text, tables, {text: "contracts/a.html"}, results, runs, notebooks, holds=held
    )


def test_hostile_text_makes_no_element_and_no_handler() -> None:
    harmless, hostile = Tags(whole_page("word")).found, Tags(whole_page(HOSTILE)).found
    assert [tag for tag, _ in hostile if tag in ("script", "img")] == [
        tag for tag, _ in harmless if tag in ("script", "img")
    ]
    assert not [
        attributes for _, attributes in hostile if any(name.startswith("on") for name in attributes)
    ]


def test_nothing_is_fetched() -> None:
    for tag, attributes in Tags(whole_page("word")).found:
        assert tag not in ("link", "iframe", "object", "embed") and "src" not in attributes, (
            tag,
            attributes,
        )
        assert not (attributes.get("href") or "").startswith(("http", "//")), (tag, attributes)


def test_the_page_says_what_was_recorded() -> None:
    text = re.sub(r"<[^>]+>", " ", whole_page("word"))
    for expected in ("1,995", "91.0 kB", "2,000", "not executed: word", "failed"):
        assert expected in text, expected


def test_the_report_says_what_is_held_since_when_why_and_who_released_it() -> None:
    rule = RuleResult("amount.sql", "sql", "fail")
    first = run(
        "account",
        step="hold",
        stream="h1",
        batch=1,
        result="held",
        error="more than 3: 5",
        rules=(rule,),
    )
    released = run(
        "account",
        step="hold",
        stream="h1",
        batch=2,
        result="released",
        notes=("released by ana: counted by hand",),
        rules=(rule,),
    )
    still = run(
        "consents",
        step="hold",
        stream="h2",
        batch=1,
        result="held",
        error="no row",
        rules=(rule,),
        notes=("from batch 0",),
    )
    cells = re.findall(
        r"<td[^>]*>([^<]*)</td>",
        report_page("Lakehouse", [], {}, [], [], [], holds=[first, still, released])
        .partition("Held deliveries")[2]
        .partition("<h2>")[0],
    )
    assert cells == [
        "consents",
        "amount.sql",
        "2026-01-31 00:00",
        "no row",
        "held",
        "",
        "",
        "account",
        "amount.sql",
        "2026-01-31 00:00",
        "more than 3: 5",
        "released",
        "2026-01-31 00:00",
        "released by ana: counted by hand",
    ]
    assert "Held deliveries" not in report_page("Lakehouse", [], {}, [], [], [])


def test_a_report_without_any_run_is_a_page() -> None:
    assert "Lakehouse" in report_page("Lakehouse", [], {}, [], [], [])


def test_pictures_are_drawings_with_a_description_and_texts_as_they_are() -> None:
    broken = [(HOSTILE, RuleResult("rule", "type", "warn", 3.0, False))]
    for picture in (
        rows_picture([run(HOSTILE)]),
        times_picture([run(HOSTILE)]),
        rules_picture(broken),
    ):
        drawing = ElementTree.fromstring(picture)
        assert drawing.get("role") == "img" and HOSTILE in drawing.get("aria-label", "")
        assert not list(drawing.iter("{http://www.w3.org/2000/svg}script"))


def test_a_name_with_dollars_is_not_taken_for_a_formula() -> None:
    formula = r"pays $\undefined{$ or $5"
    broken = [(formula, RuleResult(formula, "type", "warn", 3.0, False))]
    for picture in (
        rows_picture([run(formula)]),
        times_picture([run(formula)]),
        rules_picture(broken),
    ):
        assert formula in "".join(ElementTree.fromstring(picture).itertext())


def test_the_same_runs_give_the_same_picture() -> None:
    assert rows_picture([run(), run("consents")]) == rows_picture([run(), run("consents")])


def test_drawing_leaves_no_figure_behind() -> None:
    rows_picture([run()])
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_an_executed_notebook_becomes_a_page_that_fetches_nothing(tmp_path: Path) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    outputs = [
        new_output("display_data", data={"text/html": '<table id="kept"></table>'}),
        new_output("stream", text=HOSTILE),
    ]
    cell = new_code_cell("1 / 0", outputs=outputs)
    folder = tmp_path / "20260131T000000-1"
    folder.mkdir()
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Step"), cell]), folder / "01_step.ipynb"
    )
    [(name, step, path)] = write_notebook_pages(tmp_path, tmp_path / "report")
    text = (tmp_path / "report" / path).read_text(encoding="utf-8")
    assert (name, step) == (folder.name, "step") and 'id="kept"' in text
    tags = Tags(text).found
    assert not [
        tag for tag, attributes in tags if tag in ("script", "img", "iframe") or "src" in attributes
    ]
    for _, attributes in tags:
        link = attributes.get("href") or "#"
        assert (
            link.startswith("#")
            or link.endswith("index.html")
            or (tmp_path / "report" / "notebooks" / link).exists()
        ), link
