"""The command line, as a process: exit codes, streams and files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.cli.output import print_table
from datamaster_kit.cli.start import STOPPED_MESSAGE

ROOT = Path(__file__).resolve().parents[2]
GOOD = """dataContractSpecification: 1.1.0
id: urn:shop:order
info: {title: Orders, version: 1.0.0, owner: Shop}
models:
  order:
    description: One row an order.
    fields:
      order_id: {type: long, primaryKey: true, required: true}
      amount: {type: decimal, precision: 18, scale: 2, minimum: 0}
      note: {type: string}
"""


def datamaster(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
    )


@pytest.fixture
def order(tmp_path: Path) -> Path:
    path = tmp_path / "order.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_lint_of_a_good_contract_exits_with_0(order: Path) -> None:
    result = datamaster("contract", "lint", str(order))
    assert (result.returncode, result.stdout) == (
        0,
        "1 contracts: 0 errors, 0 warnings, 0 notes\n",
    ), result.stderr


def test_lint_names_every_fault_of_every_file_and_exits_with_2(order: Path) -> None:
    (order.parent / "other.yaml").write_text(
        GOOD.replace("minimum: 0", "minimum: 9, maximum: 1").replace("type: string", "type: sting"),
        encoding="utf-8",
    )
    (order.parent / "third.yaml").write_text("id: [unclosed", encoding="utf-8")
    result = datamaster("contract", "lint", str(order.parent))
    assert result.returncode == 2
    assert (
        "other.yaml:10:" in result.stderr
        and "third.yaml:" in result.stderr
        and "minimum 9" in result.stderr
    )
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("model", ["order: {}", "order: {type: table, fields: {}}"])
def test_a_model_without_fields_is_a_warning_at_its_line(order: Path, model: str) -> None:
    order.write_text(f"{GOOD.partition('models:')[0]}models:\n  {model}\n", encoding="utf-8")
    result = datamaster("contract", "lint", str(order))
    assert (
        result.returncode == 0
        and f"{order}:5: " in result.stderr
        and "model-without-fields" in result.stderr
        and "describe its fields" in result.stderr
    )


def test_lint_as_json_is_only_json_on_standard_output(order: Path) -> None:
    result = datamaster("contract", "lint", str(order), "--json")
    assert json.loads(result.stdout) == {"files": 1, "errors": 0, "faults": []}


def test_a_path_that_leads_nowhere_exits_with_2(tmp_path: Path) -> None:
    result = datamaster("contract", "lint", str(tmp_path / "none.yaml"))
    assert result.returncode == 2 and "no-such-file" in result.stderr


@pytest.mark.parametrize(
    "form, expected",
    [
        ("odcs", "apiVersion: v3."),
        ("sql", "CREATE TABLE"),
        ("spark", '"type": "struct"'),
        ("json-schema", "https://json-schema.org/draft/2020-12/schema"),
        ("avro", '"logicalType"'),
        ("html", "<!doctype html>"),
    ],
)
def test_export_writes_each_form(order: Path, form: str, expected: str) -> None:
    result = datamaster("contract", "export", str(order), "--format", form)
    assert result.returncode == 0, result.stderr
    assert expected.lower() in result.stdout.lower()


def test_export_never_overwrites(order: Path) -> None:
    output = order.parent / "page.html"
    assert (
        datamaster("contract", "export", str(order), "-f", "html", "-o", str(output)).returncode
        == 0
    )
    before = output.read_bytes()
    again = datamaster("contract", "export", str(order), "-f", "html", "-o", str(output))
    assert again.returncode == 2 and "file-exists" in again.stderr and output.read_bytes() == before


def test_export_of_an_unknown_model_names_the_nearest(order: Path) -> None:
    result = datamaster("contract", "export", str(order), "--model", "ordr")
    assert result.returncode == 2 and "order" in result.stderr


def test_a_breaking_change_fails_where_asked_to(order: Path) -> None:
    after = order.parent / "after.yaml"
    after.write_text(GOOD.replace("      note: {type: string}\n", ""), encoding="utf-8")
    assert datamaster("contract", "diff", str(order), str(after)).returncode == 0
    failed = datamaster(
        "contract", "diff", str(order), str(after), "--fail-on", "breaking", "--json"
    )
    assert failed.returncode == 1
    assert [change["kind"] for change in json.loads(failed.stdout)["changes"]] == ["breaking"]
    assert (
        datamaster("contract", "diff", str(order), str(order), "--fail-on", "cosmetic").returncode
        == 0
    )


def test_what_is_converted_is_the_same_contract(order: Path) -> None:
    converted = order.parent / "order.odcs.yaml"
    result = datamaster("contract", "convert", str(order), "-o", str(converted))
    assert result.returncode == 0, result.stderr
    assert "values carried" in result.stderr
    shown = json.loads(datamaster("contract", "diff", str(order), str(converted), "--json").stdout)
    assert shown["changes"] == []


def test_a_drafted_contract_lints_clean(tmp_path: Path) -> None:
    data = tmp_path / "card.csv"
    data.write_text(
        "card_id,limit,opened\n007,10.50,2026-01-31\n008,20.00,2026-02-28\n", encoding="utf-8"
    )
    draft = tmp_path / "card.odcs.yaml"
    assert datamaster("contract", "import", str(data), "-o", str(draft)).returncode == 0
    assert datamaster("contract", "lint", str(draft)).returncode == 0
    assert "#" in draft.read_text(encoding="utf-8")


def test_an_import_tells_what_it_made_of_each_column_beside_the_draft(tmp_path: Path) -> None:
    rows = "".join(
        f"{number % 98},{'12,50' if number == 3 else number}|{'AB'[number % 2]}|p{number}"
        "@example.com\n".replace(",", "|", 1)
        for number in range(100)
    )
    data = tmp_path / "payment.csv"
    data.write_text(f"id|amount|kind|email\n{rows}", encoding="utf-8")
    result = datamaster("contract", "import", str(data))
    assert (
        result.returncode == 0
        and result.stdout.startswith("# A draft")
        and "# TODO" in result.stdout
    )
    assert result.stderr.splitlines() == [
        "payment, from 100 rows of payment.csv:",
        "  id: bigint",
        "  amount: text, because 1 of 100 values is no number, e.g. '12,50'",
        "  kind: text, one of A (50), B (50)",
        "  email: text, because no value is a number, a date or a truth value, sounds personal",
        "  key: amount (0.0% duplicates), email (0.0% duplicates), id (2.0% duplicates)",
        "Next: write it with -o FILE, fill in what is marked TODO, which `datamaster contract "
        "lint FILE` lists, then `datamaster ingest run --from FILE`.",
    ]
    draft = tmp_path / "payment.odcs.yaml"
    result = datamaster("contract", "import", str(data), "--model", "paid", "-o", str(draft))
    assert (
        result.stdout == ""
        and result.stderr.startswith("paid, ")
        and f"lint {draft}`" in result.stderr
    )


def test_a_new_contract_lints_clean(tmp_path: Path) -> None:
    made = tmp_path / "card.odcs.yaml"
    result = datamaster(
        "contract",
        "new",
        "--id",
        "urn:risk:card",
        "--title",
        "Cards",
        "--owner",
        "Risk",
        "--model",
        "card",
        "--fields",
        "card_id:long,limit:decimal(18,2)",
        "--format",
        "csv",
        "--schedule",
        "",
        "-o",
        str(made),
    )
    assert result.returncode == 0, result.stderr
    lint = datamaster("contract", "lint", str(made))
    assert lint.returncode == 0, lint.stderr


def test_unity_plan_of_a_project_with_two_bad_contracts_names_both(tmp_path: Path) -> None:
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    for name in ("a", "b"):
        (tmp_path / "contracts" / f"{name}.yaml").write_text("id: x\n", encoding="utf-8")
    result = datamaster("unity", "plan", cwd=tmp_path)
    assert result.returncode == 2 and "a.yaml" in result.stderr and "b.yaml" in result.stderr
    assert not (tmp_path / ".datamaster").exists()


PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from "
    "datamaster_kit.cli.start import main; sys.argv[0] = 'datamaster'; print('up', flush=True); "
    "main()"
)


def interrupted(seconds: float, *arguments: str) -> tuple[int | None, str]:
    """Start the command line, press Ctrl-C after some seconds, and return its exit code and what it
    told.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "up\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    return process.returncode, told


@pytest.mark.parametrize("tenths", range(10))
def test_ctrl_c_at_any_moment_ends_with_one_line_and_130(tmp_path: Path, tenths: int) -> None:
    for number in range(1000):  # more than a second can judge
        (tmp_path / f"{number}.yaml").write_text(GOOD, encoding="utf-8")
    code, told = interrupted(tenths / 10, "contract", "lint", str(tmp_path))
    assert (code, told) == (130, f"{STOPPED_MESSAGE}\n")


def test_ctrl_c_at_a_prompt_ends_with_130_and_input_that_ends_with_1() -> None:
    code, told = interrupted(3, "contract", "new")
    assert code == 130 and told.splitlines()[-1] == STOPPED_MESSAGE and "Abort" not in told
    assert datamaster("contract", "new").returncode == 1


def test_an_interrupt_after_the_command_is_told_as_one_within_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import datamaster_kit.cli.main as cli

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(cli, "_install_log_formatter", press)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130 and capsys.readouterr().err == f"{STOPPED_MESSAGE}\n"


def test_runs_are_a_table_of_what_was_counted_and_a_line_for_each_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from datetime import UTC, datetime

    from datamaster_kit.cli.ingest import print_runs
    from datamaster_kit.lakehouse.runs import Run

    moment, note = (
        datetime(2026, 1, 1, tzinfo=UTC),
        "a_file_with_a_long_name.csv has changed since it was read, and what changed was not "
        "read: put it under another name",
    )
    print_runs(
        [
            Run(
                "r",
                "ingest",
                "local",
                "urn:shop",
                "1.0.0",
                "order",
                moment,
                moment,
                rows_read=1_000_000,
                rows_written=1_000_000,
                notes=(note,),
            )
        ],
        as_json=False,
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == f"ingest order: {note}"
    assert any(
        line.split() == ["step", "model", "read", "written", "seconds", "result"] for line in lines
    )


COUNTS = ("read", "written", "rescued", "quarantined", "merged", "seconds")
ROWS = [
    (
        "ingest",
        "transaction_history",
        "1,234,567",
        "1,234,561",
        "12",
        "6",
        "1,234,555",
        "1209.4",
        "partly",
    ),
    ("silver", "account", "7", "7", "", "", "7", "0.3", "succeeded"),
]


@pytest.mark.parametrize("width", [40, 80, 88, 100, 120, 200])
def test_no_number_and_no_heading_of_one_is_broken_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table("Runs", ("step", "model", *COUNTS, "result"), ROWS, COUNTS)
    shown = capsys.readouterr().out
    words = set(shown.split())
    assert {*COUNTS, *(cell for row in ROWS for cell in row[2:-1] if cell), "succeeded"} <= words
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())


def test_a_word_is_not_broken_where_the_table_has_room_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    jars = "delta-spark_4.1_2.13-4.4.0.jar, spark-avro_2.13-4.1.1.jar"
    rows = [("jars", "missing", jars, "datamaster doctor --install")]
    print_table("This machine", ("what", "state", "detail", "what to do"), rows)
    shown = capsys.readouterr().out
    assert {*jars.split(), "--install"} <= {*shown.split()}
    assert all(len(line) <= 80 for line in shown.splitlines())


CELLS = st.text(st.sampled_from("abc 1/é漢"), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 120), st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=3))
def test_a_table_loses_no_character_however_wide_the_terminal(
    width: int, rows: list[tuple[str, str, str]]
) -> None:
    with (
        pytest.MonkeyPatch.context() as environment,
        redirect_stdout(StringIO()) as shown,
    ):
        environment.setenv("COLUMNS", str(width))
        print_table("T", ("x", "y", "z"), rows)
    expected = Counter("".join(cell for row in rows for cell in row))
    seen = Counter(shown.getvalue())
    assert all(seen[character] == expected[character] for character in "abc1/é漢")


def test_the_help_of_a_verb_fills_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["ingest", "run", "--help"], prog_name="datamaster").stdout
    assert "\n twice. SIGTERM ends it after the running batch, a second one at once." in shown


def test_the_steps_table_is_a_table_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/home/ana/risk-lakehouse/runs/20261130T031000Z-1a2b3c/03_ingest.ipynb"
    print_table(
        "Steps",
        ("step", "result", "seconds", "executed notebook"),
        [("quality", "103 passed, 1 broken, 3 not executed", "1209.4", path)],
        ("seconds",),
    )
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"step +result +seconds +executed notebook", lines[2]) and "1209.4" in lines[4]
    assert path in "".join(line.split()[-1] for line in lines[4:] if line.strip())
