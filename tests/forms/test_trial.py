"""A contract tried out from a form.

What comes of the rows is what mock data says, nothing of the project is touched, and a cancelled
trial leaves no process.
"""

from __future__ import annotations

import csv
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.model import Example, Field, Model, Source
from datamaster_kit.contract.source_options import reader_options
from datamaster_kit.forms.trial.child import ChildProcess, WorkProgress
from datamaster_kit.forms.trial.plans import PlanWithNotes, start_planning
from datamaster_kit.forms.trial.trial import TrialRequest, start_trial, write_trial_mock
from datamaster_kit.forms.trial.trial_work import Trial, _write_examples
from datamaster_kit.forms.trial.try_panel import TryPanel
from datamaster_kit.project.project_file import read_contracts, read_project
from datamaster_kit.targets.readers.csv_files import csv_records_of_lines, encoding_of

if TYPE_CHECKING:
    from workspace.server import Workspace

JARS = Path(__file__).resolve().parents[2] / ".datamaster" / "jars"
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:datacontract:account
name: account
version: 1.0.0
status: active
schema:
  - name: account
    properties:
      - name: account_id
        logicalType: string
        primaryKey: true
        required: true
        logicalTypeOptions: {pattern: "^[a-z0-9]{8}$"}
      - name: kind
        logicalType: string
        required: true
        quality:
          - {metric: invalidValues, arguments: {validValues: [CURRENT, SAVINGS]}, mustBe: 0}
      - {name: balance, logicalType: number, physicalType: "DECIMAL(10,2)"}
      - {name: opened_on, logicalType: date}
    quality:
      - {type: text, description: "It agrees with the ledger."}
slaProperties:
  - {property: frequency, value: 1, unit: d, schedule: 0 0 6 ? * MON-FRI, scheduler: cron}
customProperties:
  - property: workflow
    value: {source: {type: adls, format: csv, delimiter: ";"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project file; its only contract is older than the one in the form."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    (tmp_path / "contracts" / "account.yaml").write_text(
        CONTRACT.replace("1.0.0", "0.9.0"), encoding="utf-8"
    )
    (tmp_path / ".datamaster").mkdir()
    (tmp_path / ".datamaster" / "jars").symlink_to(JARS)
    return tmp_path / "datamaster.yaml"


def ended(running: Any) -> tuple[list[WorkProgress], Any]:
    """What a thing that runs told on its way, and its result."""
    *progress, result = running.events()
    return progress, result


def group_of(child: ChildProcess) -> list[int]:
    """The processes of a child's group that run."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if (
                os.getpgid(process.pid) == child.process.pid
                and process.info["status"] != psutil.STATUS_ZOMBIE
            ):
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def is_gone(child: ChildProcess) -> bool:
    """No process of a child's group runs any more.

    What was killed a moment ago may still be ending.
    """
    until = time.monotonic() + 20
    while group_of(child) and time.monotonic() < until:
        time.sleep(0.05)
    return not group_of(child)


@pytest.mark.spark
@pytest.mark.slow
def test_a_trial_says_of_every_row_what_mock_data_says(project: Path) -> None:
    path = project.parent / "contracts" / "account.yaml"
    running = start_trial(
        CONTRACT, path, project, TrialRequest("mock", rows=200, seed=7, bad_ratio=0.2, shown=200)
    )
    progress, found = ended(running)
    assert (
        isinstance(found, Trial)
        and not found.faults
        and [event.step for event in progress]
        == ["read", "rows", "spark", "unity", "ingest", "silver", "look"]
    )
    assert [event.share for event in progress] == sorted(event.share for event in progress)
    (account,) = found.models
    truth = list(
        csv.DictReader(
            Path(found.folder, "mock", "account.truth.csv").read_text(encoding="utf-8").splitlines()
        )
    )
    assert (account.read, account.good, account.quarantined, account.broken) == (
        200,
        160,
        40,
        40,
    ) and len(truth) == 40
    told = {rule.rule: rule for rule in account.rules}
    for rule in {row["rule_id"] for row in truth}:
        assert (
            told[rule].value == sum(row["rule_id"] == rule for row in truth)
            and told[rule].passed is False
        ), rule
    assert account.rescued == sum(row["rule_id"].endswith(".type") for row in truth)
    assert [rule.not_executed for rule in account.rules if rule.kind == "text"] == [
        "it is text for people"
    ]
    tables = {table.layer: table for table in account.tables}
    assert {layer: (table.total, len(table.rows)) for layer, table in tables.items()} == {
        "bronze": (200, 200),
        "silver": (160, 160),
        "quarantine": (40, 40),
    }
    record = tables["quarantine"].columns.index("carlton_record")
    assert sorted(int(row[record] or 0) for row in tables["quarantine"].rows) == sorted(
        int(row["record"]) for row in truth
    )
    assert is_gone(running.child) and sorted(
        item.name for item in (project.parent / ".datamaster").iterdir()
    ) == ["forms", "jars"]
    assert path.read_text(encoding="utf-8") == CONTRACT.replace("1.0.0", "0.9.0")


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.usefixtures("own_java")
def test_a_trial_that_is_cancelled_half_way_leaves_no_process(project: Path) -> None:
    running = start_trial(
        CONTRACT, project.parent / "contracts" / "new.yaml", project, TrialRequest("mock", rows=100)
    )
    with pytest.raises(BadInput) as refused:
        start_trial(
            CONTRACT,
            project.parent / "contracts" / "new.yaml",
            project,
            TrialRequest("mock", rows=100),
        )
    assert [fault.code for fault in refused.value.faults] == ["trial-running"]
    processes: list[int] = []
    with pytest.raises(DatamasterError) as raised:
        for event in running.events():
            if isinstance(event, WorkProgress) and event.step == "unity":
                processes = group_of(running.child)
                threading.Thread(target=running.cancel).start()
    assert [fault.code for fault in raised.value.faults] == ["trial-cancelled"]
    assert len(processes) >= 2 and is_gone(running.child)


def test_a_process_that_dies_or_whose_form_is_gone_is_told_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "working.py").write_text(
        "import os, subprocess, sys, time\nfrom datamaster_kit.forms.trial.child import "
        "WorkProgress, serve_request\n\n\ndef work(request, report):\n    "
        "subprocess.Popen(['sleep', '600'])\n"
        "    report(WorkProgress('wait', 0.5, 'waiting'))\n    if request['dies']:\n        "
        "print('the disk is full', file=sys.stderr)\n        os._exit(3)\n    "
        "time.sleep(600)\n\n\ndef main():\n    serve_request(work)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    dying = ChildProcess("working", {"dies": True}, tmp_path)
    with pytest.raises(DatamasterError, match="the process died: the disk is full"):
        list(dying.events())
    assert is_gone(dying)
    left = ChildProcess("working", {"dies": False}, tmp_path)
    taken = left.events()
    assert isinstance(next(taken), WorkProgress) and len(group_of(left)) == 2
    taken.close()
    assert is_gone(left)

    orphan = ChildProcess("working", {"dies": False}, tmp_path)
    events = orphan.events()
    assert (
        isinstance(next(events), WorkProgress)
        and len(group_of(orphan)) == 2
        and orphan.process.stdin is not None
    )
    orphan.process.stdin.close()
    assert is_gone(orphan)
    events.close()


def test_mock_data_is_that_of_the_text_and_a_broken_text_writes_nothing(tmp_path: Path) -> None:
    (made,) = write_trial_mock(CONTRACT, 60, 3, 0.1, tmp_path / "mock")
    assert (made.rows, made.broken) == (60, 6) and made.files[0].read_text(
        encoding="utf-8"
    ).startswith("account_id;kind;balance;opened_on\n")
    with pytest.raises(BadInput):
        write_trial_mock(
            CONTRACT.replace("logicalType: date", "logicalType: moon"),
            60,
            3,
            0.1,
            tmp_path / "other",
        )
    assert not (tmp_path / "other").exists()


def test_jobs_are_planned_for_the_text_in_the_form(project: Path) -> None:
    text = CONTRACT.replace("0 0 6 ? * MON-FRI", "0 0 7 * * ?")
    _, found = ended(
        start_planning(text, project.parent / "contracts" / "account.yaml", project, "jobs")
    )
    assert isinstance(found, PlanWithNotes) and [
        (change.action, change.name) for change in found.plan.changes
    ] == [("create", "ingest-risk-account")]
    assert (
        found.plan.changes[0].differences[0].after == "0 0 7 * * ? (America/Sao_Paulo)"
        and "local" in found.notes[0]
    )
    with pytest.raises(BadInput) as raised:
        start_planning(text, project.parent.parent / "outside.yaml", project, "jobs")
    assert raised.value.faults[0].code == "form-outside"


@pytest.mark.server
def test_jobs_of_a_workspace_are_planned_with_the_text_in_the_form(
    project: Path, workspace: Workspace, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datamaster_kit.deliver.delivery import observe_delivery, plan_delivery

    project.write_text(
        f"domain: risk\ncatalog: risk\ntargets:\n  production: {{host: '{workspace.host}'}}\n",
        encoding="utf-8",
    )
    for name, value in (("DATABRICKS_TOKEN", workspace.token), ("DATABRICKS_AUTH_TYPE", "pat")):
        monkeypatch.setenv(name, value)
    path = project.parent / "contracts" / "account.yaml"
    _, found = ended(start_planning(CONTRACT, path, project, "jobs", "production"))
    path.write_text(CONTRACT, encoding="utf-8")
    saved = read_project(project)
    assert found.plan == plan_delivery(
        observe_delivery(saved, "production", read_contracts(saved), client)
    )
    assert [change.name for change in found.plan.pending if change.kind == "job"] == [
        "ingest-risk-account"
    ]


def test_the_panel_makes_mock_data_plans_and_refuses_a_second_press(project: Path) -> None:
    panel = TryPanel(
        lambda: CONTRACT.replace("It agrees", "<script>alert(1)</script> It agrees"),
        project.parent / "contracts" / "account.yaml",
        project,
    )
    assert (
        all(
            button.description and button.tooltip and not button.icon
            for button in panel.buttons.values()
        )
        and panel.cancel_button.disabled
    )
    panel.rows.value, panel.bad_share.value = 60, 0.1
    panel.buttons["Make mock data"].click()
    assert panel.thread is not None and panel.buttons["Plan jobs"].disabled
    panel.buttons["Plan jobs"].click()
    assert "still running" in panel.status.value or "something runs already" in panel.status.value
    panel.thread.join()
    assert (
        "account-00001.csv" in panel.result.value
        and "the first rows" in panel.result.value
        and not panel.buttons["Plan jobs"].disabled
    )
    panel.buttons["Run on the examples"].click()
    panel.thread.join()
    assert "has examples" in panel.status.value
    panel.buttons["Plan jobs"].click()
    panel.thread.join()
    assert (
        "ingest-risk-account" in panel.result.value
        and "1 to create" in panel.result.value
        and "<script" not in panel.result.value + panel.status.value
    )


def test_the_panel_cancels_and_tells_the_faults_of_the_text(project: Path) -> None:
    text = [CONTRACT]
    panel = TryPanel(lambda: text[0], project.parent / "contracts" / "account.yaml", project)
    panel.buttons["Run on mock data"].click()
    assert (
        panel.thread is not None and not panel.cancel_button.disabled and panel.running is not None
    )
    child = panel.running.child
    panel.cancel_button.click()
    panel.thread.join()
    assert "cancelled" in panel.status.value and is_gone(child) and panel.cancel_button.disabled
    text[0] = CONTRACT.replace("logicalType: date", "logicalType: <b>moon</b>")
    panel.buttons["Run on mock data"].click()
    assert "&lt;b&gt;moon&lt;/b&gt;" in panel.status.value and not panel.is_running


@pytest.mark.parametrize(
    "options",
    [{"sep": ";"}, {"delimiter": "\\t"}, {"encoding": "ansi"}, {"charset": "IBM00858"}],
)
def test_examples_are_written_as_ingest_reads_them(options: dict[str, Any], tmp_path: Path) -> None:
    model = Model("m", (Field("a"), Field("b")), examples=(Example([{"a": "1", "b": "ação; x"}]),))
    source = Source("adls", "csv", options={"header": True, **options})
    assert _write_examples(source, model, tmp_path) == 1
    read = reader_options("csv", source.options)
    text = (tmp_path / "examples.csv").read_bytes().decode(encoding_of(read))
    assert list(csv_records_of_lines(text.splitlines(True), read)) == [["a", "b"], ["1", "ação; x"]]
