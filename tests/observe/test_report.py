"""The report and its pictures.

Hostile text stays text, nothing is fetched, and every number is the one that was recorded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from datamaster_kit.contract.model import Threshold
from datamaster_kit.contract.quality.rule import Rule
from datamaster_kit.lakehouse.ledger import FileEntry
from datamaster_kit.lakehouse.runs import RuleResult, Run
from datamaster_kit.observe.freshness import Freshness
from datamaster_kit.observe.hidden import HIDDEN_VALUE
from datamaster_kit.observe.pictures import rows_picture, rules_picture, times_picture
from datamaster_kit.observe.report import write_notebook_pages
from datamaster_kit.observe.report_page import ReportRecords, report_page
from datamaster_kit.observe.samples import QuarantinedRow, QuarantineSample
from datamaster_kit.observe.status import ModelFacts, TableFacts, build_statuses

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
        str(values.pop("run_id", "r1")),
        str(values.pop("step", "ingest")),
        "local",
        "urn:bank",
        "1.0.0",
        model,
        MOMENT,
        MOMENT,
        **{**counts, **values},
    )  # type: ignore[arg-type]


def records(*models: ModelFacts, **values: Any) -> ReportRecords:
    """Return what a report is made of, with the runs and holds of its models."""
    return ReportRecords(
        **{
            "title": "Lakehouse",
            "made_at": MOMENT + timedelta(days=2),
            "models": models,
            "runs": tuple(run for facts in models for run in facts.runs),
            "holds": tuple(run for facts in models for run in facts.holds),
            **values,
        }
    )


def whole_page(text: str) -> str:
    """Return a report in which every text is the given one."""
    broken = RuleResult(text, text, "quarantine", 5.0, False, description=text)
    silent = RuleResult(text, text, "warn", not_executed=text, description=text)
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
        run(text, step="hold", stream="2", batch=1, result="held", error=text, rules=(broken,)),
    ]
    row = QuarantinedRow(text, text, 7, MOMENT, ((text, text),), ((text, text), (text, None)))
    entry = FileEntry(
        text, text, text, text, 0, text, text, 9, MOMENT, 9, 9, 0, 0, "refused", text, MOMENT
    )
    facts = ModelFacts(
        text,
        text,
        text,
        text,
        "contracts/a.html",
        (TableFacts(f"crisk.silver.{text}", "silver", 1995, 91_000, 2, MOMENT),),
        (broken, silent, RuleResult(text, text, "warn", 0.0, True, description=text)),
        (
            run(text, rules=(broken,)),
            run(text, result="failed", error=text, rules=(broken,)),
            run(text, step=text, result="failed", error="no rule of it"),
        ),
        tuple(held),
        (entry,),
        (Freshness(Rule(text, text, text, "freshness", text), MOMENT),),
        QuarantineSample(9, {text: 9, "another": 2}, (row,)),
    )
    return report_page(
        records(
            facts,
            title=text,
            contract_pages={text: "contracts/a.html"},
            notebooks=(("r1", text, "notebooks/a.html"),),
        )
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
    made = report_page(records(holds=(first, still, released)))
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", made.partition('id="held"')[2].partition("<h2")[0])
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
    assert "Held deliveries" not in report_page(records())


def test_a_report_without_any_run_is_a_page() -> None:
    assert "Nothing has been brought in yet." in report_page(records())


KEPT = RuleResult("id.required", "required", "quarantine", 0.0, True, description="id is there")
BROKEN = replace(KEPT, value=3.0, passed=False)


def facts_of(*results: RuleResult, **values: Any) -> ModelFacts:
    """Return a model of which one rule said this, a day each, the last on the day of MOMENT."""
    days = [MOMENT - timedelta(days=len(results) - 1 - day) for day in range(len(results))]
    runs = [
        replace(run(rows_quarantined=int(result.value or 0), rules=(result,)), started_at=day)
        for day, result in zip(days, results, strict=True)
    ]
    known = {"model": "account", "runs": tuple(runs), "results": results[-1:]}
    return ModelFacts(
        **{
            "contract_id": "urn:bank",
            "contract": "Accounts",
            "owner": "Risk Data",
            **known,
            **values,
        }
    )


def test_the_page_begins_with_what_is_broken_since_when_and_whose_it_is() -> None:
    hold = run(step="hold", stream="h", batch=1, result="held", error="12 rows", rules=(KEPT,))
    held = replace(facts_of(KEPT), model="held", contract="Cards", owner="Ana", holds=(hold,))
    made = report_page(records(facts_of(KEPT, BROKEN, BROKEN), facts_of(KEPT), held))
    status = re.sub(r"<[^>]+>", " ", made.partition('id="status"')[2].partition('id="models"')[0])
    assert "1 delivery is held, 1 rule is broken; 2 of 3 models need a look." in status
    assert status.index("id.required: 12 rows") < status.index("id is there: 3"), "gravest first"
    for expected in ("2026-01-30 00:00", "3 days ago", "Risk Data", "Cards", "Ana"):
        assert expected in status, expected


@pytest.mark.parametrize(
    ("facts", "states"),
    [
        (facts_of(KEPT, BROKEN, KEPT), []),
        (facts_of(replace(BROKEN, severity="warn")), ["warning"]),
        (facts_of(KEPT, sample=QuarantineSample(2, {"id.required": 2})), ["waiting"]),
        (facts_of(BROKEN, sample=QuarantineSample(2, {"id.required": 2})), ["broken"]),
        (facts_of(KEPT, runs=(run(result="failed", error="no disk"),)), ["failed"]),
        (facts_of(KEPT, runs=(run(result="failed"), run())), []),
    ],
)
def test_an_issue_is_what_the_newest_records_say(facts: ModelFacts, states: list[str]) -> None:
    (status,) = build_statuses([facts], MOMENT)
    assert [issue.state for issue in status.issues] == states
    assert status.state == (states[0] if states else "in order")


def test_a_file_that_was_read_once_it_was_mended_is_no_issue() -> None:
    refused = FileEntry(
        "r", "c", "m", "s", 0, "/a", "a.csv", 9, MOMENT, 1, 0, 0, 1, "refused", "cut off", MOMENT
    )
    for entries, states in (
        ((refused,), ["refused"]),
        ((refused, replace(refused, result="read", reason="")), []),
        ((replace(refused, result="lost"),), ["lost"]),
    ):
        (status,) = build_statuses([facts_of(KEPT, entries=entries)], MOMENT)
        assert [issue.state for issue in status.issues] == states


def test_a_failure_that_a_hold_explains_is_told_once() -> None:
    hold = run(step="hold", stream="h", batch=1, result="held", error="12 rows", rules=(KEPT,))
    failed = run(step="silver", result="failed", error="account is held by id.required")
    (status,) = build_statuses([facts_of(BROKEN, runs=(failed,), holds=(hold,))], MOMENT)
    assert [issue.state for issue in status.issues] == ["held"]


def test_freshness_is_told_in_days_and_hours_beside_its_limit() -> None:
    rule = Rule(
        "at.freshness",
        "account",
        "at",
        "freshness",
        "it is new",
        must=(Threshold("mustBeLessOrEqualTo", 90_000.0),),
    )
    facts = facts_of(KEPT, freshness=(Freshness(rule, MOMENT - timedelta(hours=3)),))
    made = report_page(records(facts))
    assert "2 days 3 hours old, at most 1 day 1 hour: late by 1 day 2 hours" in made


def test_trends_quarantine_and_kept_rules_are_on_the_page() -> None:
    row = QuarantinedRow(
        "id.required", "monday.csv", 7, MOMENT, (("tax", HIDDEN_VALUE),), (("id", "4x"),)
    )
    sample = QuarantineSample(3, {"id.required": 3}, (row,))
    text = report_page(records(facts_of(KEPT, KEPT, BROKEN, sample=sample)))
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len([svg for svg in svgs if "rows of the last 3 deliveries" in svg]) == 2
    assert any("oldest first: 0, 0, 3" in svg for svg in svgs)
    for svg in svgs:
        ElementTree.fromstring(svg)
    assert "<code>4x</code>" in text and HIDDEN_VALUE in text and "monday.csv, record 7" in text
    kept = report_page(records(facts_of(KEPT, KEPT)))
    assert "0 in each of 2 runs" in kept and "<summary>Rules that are kept (1)</summary>" in kept


def test_links_follow_from_names_and_stay_when_others_come() -> None:
    one = report_page(records(facts_of(BROKEN)))
    two = report_page(records(facts_of(KEPT, model="another"), facts_of(BROKEN)))
    for text in (one, two):
        ids = [attributes["id"] for _, attributes in Tags(text).found if attributes.get("id")]
        assert "urn:bank/account/id.required" in ids and len(ids) == len(set(ids))
        links = [attributes.get("href") or "" for _, attributes in Tags(text).found]
        assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_a_hundred_models_are_a_page_that_is_small_and_folded() -> None:
    rules = tuple(replace(KEPT, rule=f"field_{number}.required") for number in range(20))
    runs = tuple(run(rules=rules, run_id=f"r{number}") for number in range(20))
    models = [
        facts_of(KEPT, model=f"model_{number}", results=rules, runs=runs) for number in range(99)
    ]
    text = report_page(records(facts_of(BROKEN), *models))
    folds = [attributes for tag, attributes in Tags(text).found if tag == "details"]
    unfolded = [fold["id"] for fold in folds if "open" in fold]
    assert unfolded == ["urn:bank/account"] and len(text) < 2_000_000
    assert text.count("data-of=") == 100, "a table of contents with each model's state"


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
