"""Files are brought into a landing folder: whole, once, and none where one of them is refused.

And what a person is asked before something changes.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from datamaster_kit.cli import output
from datamaster_kit.cli.ingest import _refused_names
from datamaster_kit.cli.main import app
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.read import read_contract
from datamaster_kit.lakehouse.ledger import FileEntry, record_files
from datamaster_kit.project.project_file import read_contracts, read_project
from datamaster_kit.targets.failpoints import KILL_AT
from datamaster_kit.targets.landing import file_models, land_files, plan_landings
from datamaster_kit.targets.local import LocalTarget

CONTRACT = """dataContractSpecification: 1.1.0
id: urn:shop
info: {title: Shop, version: 1.0.0}
models:
  order: {fields: {id: {type: long, primaryKey: true}, amount: {type: double}}}
  note: {fields: {id: {type: long}, text: {type: string}}}
workflow: {source: {type: adls, format: csv}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two models, one of which has a key, as the working folder."""
    (tmp_path / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n", encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "shop.yaml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=answer)


def faults(result: Result) -> list[str]:
    assert isinstance(result.exception, DatamasterError), result.output
    return [fault.code for fault in result.exception.faults]


def landed(project: Path, model: str) -> dict[str, str]:
    """Return the names and contents of what ingest sees in a model's landing folder."""
    folder = project / ".datamaster" / "landing" / model
    seen = (file for file in folder.glob("*") if not file.name.startswith((".", "_")))
    return {file.name: file.read_text(encoding="utf-8") for file in seen}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a.csv", "b.csv"]), st.sampled_from(["1", "2", "3"])),
        max_size=8,
    )
)
def test_every_content_of_a_name_is_there_once_and_whole(files: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as base:
        given, folder, shop = Path(base, "given"), Path(base, "landing"), Path(base, "shop.yaml")
        given.mkdir()
        folder.mkdir()
        shop.write_text(CONTRACT, encoding="utf-8")
        contract = read_contract(shop)
        taken = list[bool]()
        for name, content in files:
            (given / name).write_text(f"id\n{content}\n", encoding="utf-8")
            landings = plan_landings([given / name], [contract], "order")
            taken += [place.is_taken for _, place in land_files(landings, lambda model: folder)]
        assert [not is_taken for is_taken in taken] == [
            item not in files[:number] for number, item in enumerate(files)
        ]
        seen = sorted(
            (file.name[0], file.read_text(encoding="utf-8")) for file in folder.glob("[!.]*")
        )
        assert seen == sorted((name[0], f"id\n{content}\n") for name, content in set(files))


def test_several_at_once_put_a_file_there_once(project: Path) -> None:
    file = project / "order.csv"
    file.write_text("id\n" + "1\n" * 100_000, encoding="utf-8")
    landings = plan_landings([file], [read_contract(project / "contracts" / "shop.yaml")])
    folder = project / "landing"
    folder.mkdir()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: list(land_files(landings, lambda model: folder)), range(8)))
    assert sum(not place.is_taken for ((_, place),) in done) == 1
    assert [path.name for path in folder.glob("*.csv")] == ["order.csv"]


def test_a_process_that_is_killed_leaves_nothing_that_ingest_sees(project: Path) -> None:
    file = project / "order.csv"
    file.write_text("id,amount\n1,2\n", encoding="utf-8")
    code = "from datamaster_kit.cli.main import main; main()"
    killed = subprocess.run(
        [sys.executable, "-c", code, "ingest", "run", "--from", str(file)],
        env={**os.environ, KILL_AT: "landing.copied"},
        check=False,
    )
    folder = project / ".datamaster" / "landing" / "order"
    assert killed.returncode == -signal.SIGKILL and landed(project, "order") == {}
    assert list(folder.glob(".landing-*"))  # what was copied, under a name that nobody reads
    assert faults(ran("ingest", "run", "--from", str(file))) == ["no-table"]
    assert landed(project, "order") == {"order.csv": "id,amount\n1,2\n"}
    assert not list(folder.glob(".landing-*"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("order.xlsx", b"PK\x03\x04", "an Excel workbook"),
        ("order.csv", b"PAR1....", "it is parquet"),
        ("order.json", b"{}", "it is json"),
        ("order.zip", b"PK\x03\x04", "an archive"),
        ("order.csv", b"id;amount\n1;2\n", "none of its columns"),
        ("orders.csv", b"id,amount\n1,2\n", "begins with no model"),
    ],
)
def test_a_file_that_no_model_takes_is_refused_and_none_of_its_neighbours_is_copied(
    project: Path, name: str, content: bytes, told: str
) -> None:
    good, bad = project / "note-1.csv", project / name
    good.write_text("id,text\n1,a\n", encoding="utf-8")
    bad.write_bytes(content)
    done = ran("ingest", "run", "--from", str(good), str(bad))
    assert isinstance(done.exception, BadInput), done.output
    (fault,) = done.exception.faults
    assert told in fault.message and fault.hint and fault.file == str(bad)
    assert landed(project, "note") == landed(project, "order") == {}


def test_other_content_is_a_version_where_silver_has_a_key_and_refused_where_not(
    project: Path,
) -> None:
    order, note = project / "order.csv", project / "note.csv"
    for number in (1, 2):
        order.write_text(f"id\n{number}\n", encoding="utf-8")
        assert faults(ran("ingest", "run", "--from", str(order))) == ["no-table"]
    assert sorted(landed(project, "order").values()) == ["id\n1\n", "id\n2\n"]
    note.write_text("id\n1\n", encoding="utf-8")
    assert faults(ran("ingest", "run", "--from", str(note))) == ["no-table"]
    note.write_text("id\n2\n", encoding="utf-8")
    assert faults(ran("ingest", "run", "--from", str(note))) == ["landed-with-other-content"]
    assert landed(project, "note") == {"note.csv": "id\n1\n"}


def test_a_model_that_is_named_takes_every_file_and_a_glob_is_expanded(project: Path) -> None:
    for name in ("jan.csv", "feb.csv"):
        (project / name).write_text("id\n1\n", encoding="utf-8")
    assert faults(ran("ingest", "run", "--from", "*.csv", "--model", "note")) == ["no-table"]
    assert sorted(landed(project, "note")) == ["feb.csv", "jan.csv"]
    assert faults(ran("ingest", "run", "--from", "march*.csv")) == ["no-file-to-land"]
    assert faults(ran("ingest", "run", "jan.csv")) == ["files-without-from"]


def test_tables_are_made_with_the_landing_folders_of_models_that_come_in_files(
    project: Path,
) -> None:
    assert ran("unity", "apply").exit_code == 0
    assert landed(project, "order") == landed(project, "note") == {}
    made = {path.name for path in (project / ".datamaster" / "landing").iterdir()}
    names = file_models([read_contract(project / "contracts" / "shop.yaml")])
    assert made == {*names} == {"order", "note"}


@pytest.mark.parametrize(
    "words",
    [
        ("unity", "apply"),
        ("setup", "apply", "--target", "local"),
        ("ingest", "run"),
        ("ingest", "replay"),
        ("ingest", "retention", "--apply"),
    ],
    ids=" ".join,
)
def test_who_says_no_at_a_terminal_changes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(output, "is_interactive", lambda: True)
    monkeypatch.setattr("datamaster_kit.cli.ingest.is_interactive", lambda: True)
    done = ran(*words, answer="n\n")
    assert done.exit_code == 1 and "Nothing was changed." in done.stderr
    assert not list((project / ".datamaster").glob("warehouse/*/*"))
    assert not list((project / ".datamaster").glob("landing/*"))


def test_yes_and_a_missing_terminal_ask_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran("unity", "apply", "--only-tables").exit_code == 0
    (project / "contracts" / "more.yaml").write_text(
        CONTRACT.replace("urn:shop", "urn:more").replace("order:", "more:").replace("note:", "o:"),
        encoding="utf-8",
    )
    monkeypatch.setattr(output, "is_interactive", lambda: True)
    assert ran("unity", "apply", "--yes").exit_code == 0
    assert ran("unity", "apply").exit_code == 0  # nothing to do: nothing to ask


def test_a_question_is_put_where_both_ends_are_a_terminal(project: Path) -> None:
    parent, child = pty.openpty()
    code = "from datamaster_kit.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "unity", "apply"], stdin=child, stdout=child, stderr=child
    )
    os.close(child)
    os.write(parent, b"n\n")
    shown = b""
    while process.poll() is None or b"Nothing was changed." not in shown:
        try:
            shown += os.read(parent, 1 << 16)
        except OSError:  # the other end is closed
            break
    os.close(parent)
    assert process.wait(30) == 1 and b"Apply this to local? [y/N]" in shown
    assert not list((project / ".datamaster").glob("warehouse/*/*"))


def test_a_file_that_ingest_refused_is_replaced_and_read_again(project: Path) -> None:
    file = project / "note.csv"
    file.write_text("id\n1\n", encoding="utf-8")
    assert ran("unity", "apply").exit_code == 0
    read = read_project(project)
    target = LocalTarget(read)
    folder = Path(target.landing_folder("note"))
    (folder / "note.csv").write_text("id\n", encoding="utf-8")
    landings = plan_landings([file], read_contracts(read))
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    for number, (result, is_refused) in enumerate([("read", False), ("refused", True)]):
        place = str(folder / "note.csv")
        entry = FileEntry(
            *("run", "urn:shop", "note", "stream", number, place, "note.csv", 3, moment),
            *(0, 0, 0, 0, result, "", moment + timedelta(hours=number)),
        )
        record_files(target, "cshop", [entry])
        names = _refused_names(target, "cshop", "note")
        assert names == ({"note.csv"} if is_refused else frozenset())
    ((_, there),) = land_files(landings, lambda model: folder, lambda model: names)
    assert there.is_mended and landed(project, "note") == {"note.csv": "id\n1\n"}


def test_a_file_with_the_totals_of_another_comes_with_it_and_is_replaced(project: Path) -> None:
    control = "control: {in: file, name: '{stem}.ctl', count: 1}"
    text = CONTRACT.replace("format: csv", f"format: csv, {control}")
    (project / "contracts" / "shop.yaml").write_text(text, encoding="utf-8")
    data, totals = project / "note-1.csv", project / "note-1.ctl"
    data.write_text("id\n1\n", encoding="utf-8")
    for count in ("2", "1"):
        totals.write_text(f"{count}\n", encoding="utf-8")
        assert faults(ran("ingest", "run", "--from", "note-1.*")) == ["no-table"]
    assert landed(project, "note") == {"note-1.csv": "id\n1\n", "note-1.ctl": "1\n"}


def test_init_makes_the_folders_of_the_contracts_that_are_there(project: Path) -> None:
    (project / "datamaster.yaml").unlink()
    done = ran("init", "--domain", "shop", "--no-input")
    assert done.exit_code == 0, done.output
    made = {path.name for path in (project / ".datamaster" / "landing").iterdir()}
    assert made == {"order", "note"} and "contract import" in done.output
