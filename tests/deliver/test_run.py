"""Step notebooks: what runs in this process, what is kept of it, and what must never be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.lakehouse import step_notebooks as notebooks
from datamaster_kit.lakehouse.step_notebooks import (
    StepResult,
    convert_parameters,
    read_step_notebook,
    run_step_notebook,
    run_step_notebooks,
    step_notebooks,
)

SECRET = "dapi-<0123456789>&'not to be seen'"
HEAD = 'number: int = 1  # what to double\nname: str = "x"\nresult_path: str = ""'


def written(folder: Path, *sources: str, file: str = "01_double.ipynb", head: str = HEAD) -> Path:
    """Write a notebook whose first cell holds parameters."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    parameters = new_code_cell(head, metadata={"tags": ["parameters"]})
    cells = [
        new_markdown_cell("# Double\n> Doubles a number."),
        parameters,
        *map(new_code_cell, sources),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / file)
    return folder / file


def run(folder: Path, *sources: str, **parameters: Any) -> StepResult:
    """Run a notebook of these cells."""
    return run_step_notebook(
        read_step_notebook(written(folder / "steps", *sources)), parameters, folder / "runs"
    )


def outputs(result: StepResult | Path) -> list[dict[str, Any]]:
    """Return every output of an executed notebook."""
    path = result if isinstance(result, Path) else result.notebook
    return [
        output
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
    ]


def data(result: StepResult, kind: str) -> list[str]:
    """Return the outputs of one media type."""
    return [
        "".join(output["data"][kind])
        for output in outputs(result)
        if kind in output.get("data", {})
    ]


def test_a_parameter_takes_effect_and_the_result_comes_back(tmp_path: Path) -> None:
    cell = (
        "from datamaster_kit.lakehouse.step_notebooks import record_result\n"
        "record_result({'double': 2 * number}, result_path)"
    )
    result = run(tmp_path, cell, number=21)
    assert result.result == {"double": 42}
    assert json.loads((tmp_path / "runs" / "01_double.json").read_text()) == {"double": 42}


def test_the_value_of_a_last_expression_is_kept_as_html(tmp_path: Path) -> None:
    result = run(tmp_path, "from IPython.display import HTML\nHTML('<table id=kept></table>')")
    assert data(result, "text/html") == ["<table id=kept></table>"]


def test_what_is_displayed_and_what_is_returned_stay_in_order(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        "from IPython.display import HTML, display\ndisplay(HTML('first'))\nHTML('second')",
    )
    assert data(result, "text/html") == ["first", "second"]


def test_a_matplotlib_picture_is_kept(tmp_path: Path) -> None:
    result = run(tmp_path, "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert data(result, "image/png")


def test_both_streams_are_kept(tmp_path: Path) -> None:
    result = run(tmp_path, "import sys\nprint('said')\nprint('warned', file=sys.stderr)")
    assert {output["name"]: "".join(output["text"]) for output in outputs(result)} == {
        "stdout": "said\n",
        "stderr": "warned\n",
    }


def test_a_failing_cell_is_named_and_leaves_the_executed_notebook(tmp_path: Path) -> None:
    with pytest.raises(DatamasterError) as caught:
        run(tmp_path, "print('before')", "1 / 0", "print('never')")
    fault, kept = caught.value.faults[0], tmp_path / "runs" / "01_double.ipynb"
    assert (
        fault.code == "notebook-failed"
        and "division by zero" in fault.message
        and fault.file == str(kept)
    )
    text = kept.read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text and "before" in text
    assert not [output for output in outputs(kept) if "never" in "".join(output.get("text", ""))]


FAULTS = """
from datamaster_kit.contract.fault import Fault, {kind}
raise {kind}(
    Fault(
        "no-table",
        "the table is not there",
        "$.models",
        3,
        "account.yaml",
        "datamaster unity apply",
    ),
    Fault("second", "and another"),
)
"""


@pytest.mark.parametrize(("kind", "exit_code"), [("BadInput", 2), ("DatamasterError", 1)])
def test_the_faults_of_a_cell_come_through_as_they_are_with_their_exit_code(
    tmp_path: Path, kind: str, exit_code: int
) -> None:
    with pytest.raises(DatamasterError) as caught:
        run(tmp_path, FAULTS.format(kind=kind))
    first, second, kept = caught.value.faults
    assert caught.value.exit_code == exit_code
    assert str(
        first
    ) == "account.yaml:3: $.models: the table is not there (datamaster unity apply)" and (
        first.code,
        second.code,
    ) == ("no-table", "second")
    assert (kept.code, kept.severity, kept.file) == (
        "notebook-failed",
        "note",
        str(tmp_path / "runs" / "01_double.ipynb"),
    )


def test_an_error_with_a_known_remedy_comes_with_it(tmp_path: Path) -> None:
    with pytest.raises(DatamasterError) as caught:
        run(tmp_path, "raise OSError(28, 'No space left on device')")
    assert caught.value.faults[0].code == "disk-full" and "make room" in caught.value.faults[0].hint


def test_an_interrupt_leaves_the_executed_notebook(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "print('before')", "raise KeyboardInterrupt")
    assert "before" in (tmp_path / "runs" / "01_double.ipynb").read_text(encoding="utf-8")


def test_a_result_of_an_earlier_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    run(
        tmp_path,
        "from datamaster_kit.lakehouse.step_notebooks import record_result\n"
        "record_result({'old': 1}, result_path)",
    )
    assert run(tmp_path, "pass").result is None


def test_nothing_leaks_from_one_notebook_to_the_next(tmp_path: Path) -> None:
    main, folder = sys.modules["__main__"], Path.cwd()
    run(tmp_path, "left_behind = 1\nimport os, tempfile\nos.chdir(tempfile.gettempdir())")
    assert Path.cwd() == folder and sys.modules["__main__"] is main
    with pytest.raises(DatamasterError, match="left_behind"):
        run(tmp_path, "left_behind")


def test_a_notebook_that_runs_steps_keeps_its_own_shell(tmp_path: Path) -> None:
    inner = written(tmp_path / "inner", "print('inside')")
    result = run(
        tmp_path,
        f"""
from pathlib import Path
from datamaster_kit.lakehouse.step_notebooks import run_step_notebook, read_step_notebook
before = get_ipython()
runs = Path({str(tmp_path / "inner_runs")!r})
run_step_notebook(read_step_notebook(Path({str(inner)!r})), {{}}, runs)
from IPython import get_ipython as now
assert now() is before
'still here'""",
    )
    assert data(result, "text/plain") == ["'still here'"]


def test_nothing_is_written_into_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    notebook = written(tmp_path / "steps", "print(1)")
    program = (
        "import sys\nfrom pathlib import Path\nfrom datamaster_kit.lakehouse.step_notebooks "
        "import run_step_notebook, read_step_notebook\n"
        "run_step_notebook(read_step_notebook(Path(sys.argv[1])), {}, Path(sys.argv[2]))"
    )
    hidden = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("IPYTHON", "JUPYTER"))
    }
    command = [sys.executable, "-c", program, str(notebook), str(tmp_path / "runs")]
    subprocess.run(command, env={**hidden, "HOME": str(home)}, check=True, capture_output=True)
    assert not (home / ".ipython").exists()


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nprint(os.environ['DATABRICKS_TOKEN'])",
        "import os, sys\nprint(os.environ['DATABRICKS_TOKEN'], file=sys.stderr)",
        "import os\nos.environ['DATABRICKS_TOKEN']",
        "import os\n{'token': [os.environ['DATABRICKS_TOKEN']]}",
        "import os, html\nfrom IPython.display import HTML\n"
        "HTML(html.escape(os.environ['DATABRICKS_TOKEN']))",
        "import os\nraise ValueError(os.environ['DATABRICKS_TOKEN'])",
        "import os\nfrom datamaster_kit.contract.fault import BadInput, Fault\nraise "
        "BadInput(Fault('code', os.environ['DATABRICKS_TOKEN']))",
        "import os\nfrom datamaster_kit.lakehouse.step_notebooks import record_result\n"
        "record_result({'token': os.environ['DATABRICKS_TOKEN']}, result_path)",
    ],
)
def test_a_secret_is_in_nothing_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    try:
        run(tmp_path, cell)
    except DatamasterError as error:
        assert SECRET not in str(error)
    kept = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "runs").rglob("*"))
    assert "0123456789" not in kept and "[value of DATABRICKS_TOKEN]" in kept


def test_a_secret_that_a_cell_fetches_is_hidden_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FETCHED_TOKEN", "placeholder")
    run(
        tmp_path,
        "import os\nos.environ['FETCHED_TOKEN'] = 'secret-' + str(10 ** 9)\n"
        "print(os.environ['FETCHED_TOKEN'])",
    )
    assert "secret-1000000000" not in (tmp_path / "runs" / "01_double.ipynb").read_text(
        encoding="utf-8"
    )


def test_progress_is_told_of_every_cell_with_its_heading(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []
    run_step_notebook(
        read_step_notebook(written(tmp_path, "1", "2")),
        {},
        tmp_path / "runs",
        lambda *news: told.append(news),
    )
    assert [news[1] for news in told] == list(range(1, told[-1][2] + 1))
    assert {news[0] for news in told} == {"double"} and told[-1][3] == "Double"


def test_every_bad_parameter_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    step = read_step_notebook(written(tmp_path))
    assert convert_parameters({"number": "2", "name": "y"}, [step], os.environ) == {
        "number": 2,
        "name": "y",
    }
    with pytest.raises(BadInput) as caught:
        convert_parameters(
            {"numbr": "2", "number": "two", "name": f"x{SECRET}"}, [step], os.environ
        )
    assert [fault.code for fault in caught.value.faults] == [
        "no-such-parameter",
        "parameter-value",
        "secret-parameter",
    ]
    assert "'number'" in caught.value.faults[0].hint and SECRET not in str(caught.value)


def test_an_unknown_step_names_the_nearest_and_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        run_step_notebooks(["unity", "ingset"], {}, tmp_path / "runs")
    assert [fault.code for fault in caught.value.faults] == [
        "no-such-step"
    ] and "'ingest'" in caught.value.faults[0].hint
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("run_id", ["../outside", "{folder}/absolute", "a/b", ".hidden", "a\nb"])
def test_a_run_identifier_cannot_lead_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    written(tmp_path / "steps", head=f'{HEAD}\nrun_id: str = ""')
    monkeypatch.setattr(notebooks, "steps_folder", lambda: tmp_path / "steps")
    with pytest.raises(BadInput):
        run_step_notebooks(
            ["double"], {"run_id": run_id.format(folder=tmp_path)}, tmp_path / "runs"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["steps"]


def test_the_steps_are_in_order_and_each_has_one_cell_of_annotated_parameters() -> None:
    expected = dict.fromkeys(("project", "target", "contract", "run_id", "result_path"), "str")
    assert [step.name for step in step_notebooks()] == [
        "setup",
        "unity",
        "ingest",
        "deliver",
        "silver",
        "quality",
        "explore",
    ]
    for step in step_notebooks():
        cells = json.loads(step.path.read_text(encoding="utf-8"))["cells"]
        assert sum("parameters" in cell["metadata"].get("tags", ()) for cell in cells) == 1, (
            step.name
        )
        assert {parameter.name: parameter.type for parameter in step.parameters} == expected, (
            step.name
        )
        assert all(parameter.help for parameter in step.parameters) and step.description, step.name
        assert not any(cell.get("outputs") for cell in cells), step.name


@pytest.mark.spark
@pytest.mark.slow
def test_a_step_runs_by_plain_papermill_in_a_kernel_of_its_own(tmp_path: Path) -> None:
    root, output = Path(__file__).resolve().parents[2], tmp_path / "out.ipynb"
    (tmp_path / "contracts").mkdir()
    (tmp_path / ".datamaster").mkdir()
    (tmp_path / ".datamaster" / "jars").symlink_to(root / ".datamaster" / "jars")
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    (tmp_path / "contracts" / "consents.yaml").write_bytes(
        (root / "contracts" / "consents.yaml").read_bytes()
    )
    step = next(step for step in step_notebooks() if step.name == "unity")
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(step.path),
        str(output),
        "-p",
        "target",
        "local",
        "--no-progress-bar",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(notebooks.__file__).parents[2])}
    subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, timeout=600, env=environment
    )
    shown = "".join(
        "".join(found.get("data", {}).get("text/html", "")) for found in outputs(output)
    )
    assert re.search(r"silver\S*consents", shown)


@pytest.mark.parametrize(
    ("parameters", "exit_code", "expected"),
    [
        (["contract=contracts/none.yaml"], 2, "error[contract-not-of-project]"),
        (["project=none.yaml"], 2, "error[no-project-file]"),
        ([], 1, "error[no-table] none of the contracts' tables is there (datamaster unity apply"),
    ],
)
def test_a_users_mistake_in_a_step_is_told_with_its_own_code_and_remedy(
    tmp_path: Path, parameters: list[str], exit_code: int, expected: str
) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    (tmp_path / "contracts" / "consents.yaml").write_bytes(
        (Path(__file__).resolve().parents[2] / "contracts" / "consents.yaml").read_bytes()
    )
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "run",
        "quality",
        *(word for text in parameters for word in ("-p", text)),
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (
        ended.returncode == exit_code
        and expected in ended.stderr
        and "Traceback" not in ended.stderr
    ), ended.stderr
