"""Steps that are started outside of their workspace.

Submitted once, followed, cancelled, and what they leave is fetched.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import RunResultState
from databricks.sdk.service.workspace import ImportFormat
from hypothesis import given
from hypothesis import strategies as st
from test_deliver import APPLICATION, prepared, written_project
from workspace.clients import workspace_client
from workspace.executor import ExecutionSettings
from workspace.faults import Fault
from workspace.run_output import encoded_model
from workspace.server import Settings
from workspace.server import Workspace as Server

import datamaster_kit
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.deliver.job_runs import follow_run, read_run_faults, run_state
from datamaster_kit.deliver.one_time_runs import base_parameters, command_request, step_request
from datamaster_kit.deliver.release import build_toolkit_wheel
from datamaster_kit.deliver.step_start import start_step
from datamaster_kit.deliver.submission import (
    NOTEBOOK_MODEL_PATTERN,
    fetch_result,
    import_step,
    make_release,
    run_once,
    scrub_export,
    submit_run,
)
from datamaster_kit.lakehouse.step_notebooks import steps_folder
from datamaster_kit.project.project_file import Project, read_contracts
from datamaster_kit.project.sections import Jobs

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = steps_folder() / "03_ingest.ipynb"
RESULTS = "/Volumes/crisk/bronze/volume_checkpoint_locations/results"
NOT_NEEDED = ("pyspark", "delta", "pandas", "numpy", "pyarrow", "matplotlib")
REFUSING = f"""
import sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_NEEDED!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refusal())
"""


@pytest.fixture
def client(server: Server) -> WorkspaceClient:
    """The administrator's client of a workspace that jobs can be made in."""
    return prepared(server)


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Project:
    """The sample project, with the workspace as its target `production`."""
    return written_project(tmp_path, server.host)


def environment(server: Server) -> dict[str, str]:
    """Return the variables of a process that is signed in as the administrator."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABRICKS_", "ARM_", "IPYTHON", "JUPYTER"))
    }
    return {
        **kept,
        "DATABRICKS_TOKEN": server.token,
        "NO_COLOR": "1",
        "PYTHONPATH": str(Path(datamaster_kit.__file__).parents[1]),
    }


def line_of(program: str, *arguments: str) -> list[str]:
    """Return the command line of a program of the environment in which none but what its extra
    installs can be imported.
    """
    main = {
        "datamaster": "from datamaster_kit.cli.main import main",
        "papermill": "from papermill.__main__ import papermill as main",
    }[program]
    return [
        sys.executable,
        "-c",
        f"{REFUSING}{main}\nsys.argv[0] = {program!r}\nmain()",
        *arguments,
    ]


def run(
    server: Server, folder: Path, program: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a project's folder, to its end."""
    return subprocess.run(
        line_of(program, *arguments),
        cwd=folder,
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def submitted(
    client: WorkspaceClient, project: Project, run_id: str = "4711", step: str = "ingest"
) -> Any:
    """Submit a step of a project, and return its run."""
    contracts = read_contracts(project)
    release = make_release(client, project, "production", contracts)
    given = base_parameters(project, release, step, "", run_id)
    notebook = import_step(client, project, release, next(steps_folder().glob(f"*_{step}.ipynb")))
    return submit_run(client, step_request(project, release, step, notebook, given, contracts))


def results_of(server: Server) -> list[str]:
    """Return how every run ended."""
    return [item["state"].get("result_state", "") for item in server.state.runs.values()]


@pytest.mark.parametrize("compute", ["serverless", "job_cluster", "existing_cluster"])
def test_a_step_is_submitted_to_the_compute_that_the_project_names(
    project: Project, client: WorkspaceClient, compute: str
) -> None:
    said = replace(project, jobs=Jobs(compute=compute))
    if compute == "existing_cluster":
        client.clusters.create(
            "17.3.x-scala2.13",
            cluster_name=project.names.cluster,
            node_type_id="Standard_D4ds_v5",
            num_workers=1,
            single_user_name="admin@example.com",
        )
    made = submitted(client, said)
    (task,) = made.tasks
    wheels = [library.whl for library in task.libraries or ()]
    assert (bool(task.existing_cluster_id), bool(task.new_cluster), bool(wheels)) == (
        compute == "existing_cluster",
        compute == "job_cluster",
        compute != "serverless",
    )
    parameters = task.notebook_task.base_parameters
    installed = parameters.get("wheel") or wheels[0]
    assert (
        client.files.get_metadata(installed).content_length
        and client.files.get_metadata(parameters["project"]).content_length
    )
    assert (
        parameters["result_path"] == f"{RESULTS}/4711/ingest.json"
        and parameters["target"] == "production"
    )
    assert run_state(follow_run(client, made, lambda run: None)) == "SUCCESS"


def test_another_principal_that_the_run_is_of_may_read_the_notebook_and_nobody_else(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    made = submitted(client, project)
    path = made.tasks[0].notebook_task.notebook_path
    assert path.startswith("/Workspace/Users/admin@example.com/.datamaster/risk/")
    levels = (
        client.permissions.get(
            "notebooks", str(client.workspace.get_status(path).object_id)
        ).access_control_list
        or []
    )
    assert [item.service_principal_name for item in levels if item.service_principal_name] == [
        APPLICATION
    ]
    client.users_v2.create(user_name="eve@example.com")
    with pytest.raises(Exception, match="does not have CAN_READ"):
        workspace_client(server, "eve@example.com").workspace.export(path)


def test_the_same_identifier_asks_for_the_same_run_and_another_for_another(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    server.fail(Fault("lost", "POST", "*/submit"))
    first = submitted(client, project).run_id
    assert (
        submitted(client, project).run_id == first
        and submitted(client, project, "4712").run_id
        != first
        != submitted(client, project, step="silver").run_id
    )
    contract = project.root / "contracts" / "account.yaml"
    contract.write_text(
        contract.read_text(encoding="utf-8") + "\n# another release\n", encoding="utf-8"
    )
    assert submitted(client, project).run_id != first
    assert len(server.state.runs) == 4


def test_a_result_is_fetched_once_and_leaves_nothing_behind(
    project: Project, client: WorkspaceClient
) -> None:
    for step in ("ingest", "silver"):
        client.files.upload(f"{RESULTS}/4711/{step}.json", io.BytesIO(b'{"rows": 3}'))
    assert (
        fetch_result(client, f"{RESULTS}/4711/ingest.json") == {"rows": 3}
        and fetch_result(client, f"{RESULTS}/4711/ingest.json") is None
    )
    assert fetch_result(client, f"{RESULTS}/4711/silver.json") == {"rows": 3}
    with pytest.raises(Exception, match=r"not (exist|found)|No such|does not"):
        list(client.files.list_directory_contents(f"{RESULTS}/4711"))


def test_a_step_runs_in_the_workspace_and_leaves_its_notebook_and_result_here(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    client.files.upload(
        f"{RESULTS}/4711/ingest.json", io.BytesIO(b'{"run_id": "4711", "runs": []}')
    )
    ended = run(
        server,
        project.root,
        "datamaster",
        "run",
        "ingest",
        "-p",
        "target=production",
        "-p",
        "run_id=4711",
        "--json",
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["steps"][0]["result"] == {"run_id": "4711", "runs": []}
    kept = {
        path.name: path.read_text(encoding="utf-8")
        for path in (project.root / "runs" / "4711").iterdir()
    }
    assert (
        sorted(kept) == ["03_ingest.html", "03_ingest.ipynb", "03_ingest.json"]
        and "__DATABRICKS_NOTEBOOK_MODEL" in kept["03_ingest.html"]
    )
    page = next(iter(server.state.runs.values()))["run_page_url"]
    assert (
        page in ended.stderr
        and page in kept["03_ingest.ipynb"]
        and "ingest: SUCCESS" in ended.stderr
    )
    cells = [
        cell for cell in json.loads(kept["03_ingest.ipynb"])["cells"] if cell["cell_type"] == "code"
    ]
    assert [cell["outputs"] != [] for cell in cells if "start_step" in "".join(cell["source"])] == [
        True
    ] and not any(cell["outputs"] for cell in cells[-3:])
    again = run(
        server,
        project.root,
        "datamaster",
        "run",
        "ingest",
        "-p",
        "target=production",
        "-p",
        "run_id=4711",
        "--json",
    )
    assert again.returncode == 0 and json.loads(again.stdout)["steps"][0]["result"] == {
        "run_id": "4711",
        "runs": [],
    }, "a repeated job has the result that was fetched before"


def test_a_failing_step_tells_its_cells_error_keeps_its_notebook_and_shows_no_secret(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    server.state.scripted["silver"] = f"ValueError: a bad day, and {server.token}"
    client.files.upload(f"{RESULTS}/4711/silver.json", io.BytesIO(b'{"runs": ["failed"]}'))
    ended = run(
        server,
        project.root,
        "datamaster",
        "run",
        "silver",
        "explore",
        "-p",
        "target=production",
        "-p",
        "run_id=4711",
        "-p",
        "contract=contracts/account.yaml",
    )
    assert (
        ended.returncode == 1
        and "ValueError: a bad day" in ended.stderr
        and "error[run-failed]" in ended.stderr
        and "note[notebook-failed]" in ended.stderr
        and "Traceback" not in ended.stderr
    )
    assert results_of(server) == ["FAILED"]
    folder = project.root / "runs" / "4711"
    assert json.loads((folder / "05_silver.json").read_text(encoding="utf-8")) == {
        "runs": ["failed"]
    }
    said = ended.stderr + "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    assert (folder / "05_silver.html").exists() and server.token not in said


def test_what_cannot_be_submitted_is_refused_before_anything_is_started(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    for parameter, code in (
        ("contract=contracts/absent.yaml", "contract-not-of-project"),
        (f"contract={server.token}", "secret-parameter"),
        ("target=prodution", "no-such-target"),
    ):
        ended = run(
            server,
            project.root,
            "datamaster",
            "run",
            "ingest",
            "-p",
            "target=production",
            "-p",
            parameter,
        )
        assert (
            ended.returncode == 2
            and f"error[{code}]" in ended.stderr
            and server.token not in ended.stderr
        )
    assert not server.state.runs


def test_without_the_volume_of_releases_the_remedy_is_said(tmp_path: Path) -> None:
    with Server(Settings(has_serverless=True), metastore="primary") as server:
        client = prepared(server, has_volume=False)
        with pytest.raises(DatamasterError, match="datamaster unity apply"):
            submitted(client, written_project(tmp_path, server.host))
        assert not server.state.runs


def test_papermill_alone_runs_a_step_in_the_workspace_and_fails_where_it_fails(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    shutil.copytree(steps_folder(), project.root / "nbs" / "steps")
    given = (
        "nbs/steps/03_ingest.ipynb",
        "out.ipynb",
        "-p",
        "target",
        "production",
        "--no-progress-bar",
    )
    ended = subprocess.run(
        [sys.executable, "-m", "papermill", *given],
        cwd=project.root,
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert (
        results_of(server) == ["SUCCESS"]
        and len(list((project.root / "runs").glob("*/03_ingest.html"))) == 1
    )
    server.state.scripted["ingest"] = "ValueError: a bad day"
    ended = subprocess.run(
        [sys.executable, "-m", "papermill", *given],
        cwd=project.root,
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (
        ended.returncode == 1
        and "ValueError: a bad day" in ended.stderr
        and "ValueError: a bad day" in (project.root / "out.ipynb").read_text(encoding="utf-8")
    )


@pytest.mark.slow
def test_steps_that_need_only_rest_and_a_warehouse_run_where_they_are_started_without_spark(
    server: Server, client: WorkspaceClient, tmp_path: Path
) -> None:
    written_project(tmp_path, server.host)
    (tmp_path / "contracts").rename(tmp_path / "others")
    (tmp_path / "contracts").mkdir()
    shutil.copy(tmp_path / "others" / "consents.yaml", tmp_path / "contracts")
    file = tmp_path / "datamaster.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(
            "{host:", "{warehouse: Serverless Starter Warehouse, host:"
        ),
        encoding="utf-8",
    )
    ended = run(server, tmp_path, "datamaster", "run", "deliver", "-p", "target=production")
    assert ended.returncode == 0, ended.stderr
    assert [item.settings.name for item in client.jobs.list() if item.settings] == [
        "ingest-risk-consents"
    ] and not server.state.runs


def begun(server: Server, folder: Path, line: list[str]) -> subprocess.Popen[bytes]:
    """Start a process, and return it when its run in the workspace is being followed."""
    process = subprocess.Popen(
        line, cwd=folder, env=environment(server), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 60
    while (
        not any(path.endswith("/runs/get") for _, path, _ in list(server.log)[1:])
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert server.state.runs and process.poll() is None, process.communicate()[0].decode()
    time.sleep(1)
    return process


def wait_for_cancel(server: Server) -> None:
    """Wait until the workspace's run is cancelled; raises AssertionError where that takes long."""
    deadline = time.monotonic() + 20
    while results_of(server) != ["CANCELED"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert results_of(server) == ["CANCELED"]


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A workspace whose runs do not end, and a project's folder."""
    with Server(
        Settings(has_serverless=True, run_polls=(1, 10_000)), metastore="primary"
    ) as server:
        prepared(server)
        written_project(tmp_path, server.host)
        shutil.copytree(steps_folder(), tmp_path / "steps")
        yield server, tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_what_ends_the_command_cancels_the_run(
    endless: tuple[Server, Path], sent: signal.Signals, code: int
) -> None:
    server, folder = endless
    process = begun(
        server,
        folder,
        line_of("datamaster", "run", "ingest", "-p", "target=production", "-p", "run_id=4711"),
    )
    process.send_signal(sent)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == code, said
    wait_for_cancel(server)
    if code > 0:
        assert (
            "cancelled"
            in (folder / "runs" / "4711" / "03_ingest.ipynb").read_text(encoding="utf-8")
            and "Traceback" not in said
        )


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_what_ends_papermill_cancels_the_run(
    endless: tuple[Server, Path], sent: signal.Signals
) -> None:
    server, folder = endless
    process = begun(
        server,
        folder,
        [
            sys.executable,
            "-m",
            "papermill",
            "steps/03_ingest.ipynb",
            "out.ipynb",
            "-p",
            "target",
            "production",
        ],
    )
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode != 0
    wait_for_cancel(server)


def test_a_signal_during_the_request_cancels_the_run_that_it_began(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    release = make_release(client, project, "production", read_contracts(project))
    request = command_request(project, release, ["ingest", "run"], read_contracts(project), "4711")
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as raised:
        run_once(client, project, "production", request, tell)
    assert raised.value.code == 143 and signal.getsignal(signal.SIGTERM) is before
    (made,) = server.state.runs
    assert client.jobs.get_run(made).state.result_state == RunResultState.CANCELED and told[
        -1
    ].endswith("cancelled")


@given(
    st.text(max_size=40),
    st.text(
        alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")),
        min_size=8,
        max_size=30,
    ),
    st.text(max_size=40),
)
def test_no_secret_stays_in_a_fetched_notebook_and_nothing_else_is_changed(
    before: str, secret: str, after: str
) -> None:
    def page(text: str) -> str:
        return (
            "<script>var __DATABRICKS_NOTEBOOK_MODEL = "
            f"'{encoded_model({'commands': [{'command': text}]})}';</script>"
        )

    found = NOTEBOOK_MODEL_PATTERN.search(
        scrub_export(page(f"{before}{secret}{after}"), {"A_TOKEN": secret})
    )
    assert found
    text = json.loads(unquote(base64.b64decode(found[3]).decode()))["commands"][0]["command"]
    assert text == f"{before}{secret}{after}".replace(secret, "[value of A_TOKEN]")
    assert scrub_export(page(before), {"A_TOKEN": secret}) == page(before) or secret in before


# --- commands


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ("serverless", ["run", "--model", "account"]),
        ("job_cluster", ["replay"]),
        ("serverless", ["retention", "--apply"]),
    ],
)
def test_a_command_of_ingest_runs_in_the_workspace_and_prints_here_what_it_printed_there(
    server: Server, project: Project, client: WorkspaceClient, compute: str, words: list[str]
) -> None:
    file = project.root / "datamaster.yaml"
    file.write_text(
        f"{file.read_text(encoding='utf-8')}jobs: {{compute: {compute}}}\n", encoding="utf-8"
    )
    ended = run(
        server,
        project.root,
        "datamaster",
        "ingest",
        *words,
        "--contract",
        "contracts/account.yaml",
        "--target",
        "production",
    )
    assert ended.returncode == 0 and "ingest: SUCCESS" in ended.stderr, ended.stderr
    (made,) = client.jobs.list_runs(expand_tasks=True)
    task = made.tasks[0]
    assert task.python_wheel_task.parameters[: 2 + len(words)] == ["ingest", *words, "--contract"]
    assert task.python_wheel_task.parameters[-2].startswith("--project") and (
        bool(task.environment_key),
        bool(task.libraries),
    ) == (compute == "serverless", compute != "serverless")


def test_a_command_that_ends_with_2_there_ends_with_2_here_and_what_it_said_is_told(
    server: Server, project: Project, client: WorkspaceClient
) -> None:
    server.state.scripted["ingest"] = "SystemExit: 2"
    assert (
        run(
            server, project.root, "datamaster", "ingest", "retention", "--target", "production"
        ).returncode
        == 2
    )
    server.state.scripted["ingest"] = "ValueError: a bad day"
    ended = run(
        server, project.root, "datamaster", "ingest", "run", "--target", "production", "--json"
    )
    assert (
        ended.returncode == 1
        and "error[run-failed]" in ended.stderr
        and "a bad day" in ended.stderr
        and not ended.stdout
    )


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["report"], "datamaster run quality explore -p target=production"),
        (["ingest", "run", "--every", "1 minute"], "datamaster deliver apply --target production"),
        (["ingest", "replay", "--to-csv", "corrections"], "a folder of a volume"),
        (["ingest", "replay", "--from-csv", "corrections"], "a folder of a volume"),
    ],
)
def test_what_cannot_be_sent_to_the_workspace_says_in_one_line_what_to_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, words: list[str], remedy: str
) -> None:
    from typer.testing import CliRunner

    from datamaster_kit.cli.main import app

    monkeypatch.chdir(project.root)
    result = CliRunner().invoke(app, [*words, "--target", "production"])
    (fault,) = result.exception.faults  # type: ignore[union-attr]
    assert (
        isinstance(result.exception, BadInput)
        and fault.code == "only-in-workspace"
        and remedy in fault.hint
    )


# --- in a workspace


def widgets(**values: str) -> SimpleNamespace:
    """Return a stand-in for `dbutils` with the widgets that a job's parameters give a notebook."""
    return SimpleNamespace(
        widgets=SimpleNamespace(
            text=lambda name, default, label="": values.setdefault(name, default),
            get=values.__getitem__,
        )
    )


def test_in_a_workspace_the_target_is_that_workspace_and_nothing_is_submitted(
    server: Server, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATABRICKS_RUNTIME_VERSION": "client.4.9",
        "DATABRICKS_HOST": server.host,
        "DATABRICKS_TOKEN": server.token,
    }.items():
        monkeypatch.setenv(name, value)
    (project.root / "nbs" / "steps").mkdir(parents=True)
    monkeypatch.chdir(project.root / "nbs" / "steps")
    for values in (
        {"project": "datamaster.yaml", "target": "", "dbutils": widgets(run_id="77")},
        {"run_id": "77"},
    ):
        assert start_step("ingest", values)[1:] == ("production", "", "77", "")
    assert (
        start_step("ingest", {"target": "local", "dbutils": widgets(target="production")}).target
        == "production"
    )
    assert start_step("setup", {"target": "local"}).target == "local" and not server.state.runs
    file = project.root / "datamaster.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(
            server.host, "https://adb-9.9.azuredatabricks.net"
        ),
        encoding="utf-8",
    )
    with pytest.raises(BadInput, match=r"no target is the workspace .*name the target"):
        start_step("ingest", {})


def first_cells() -> dict[str, str]:
    """Return the first code cell of every step notebook."""
    books = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in steps_folder().glob("[0-9]*.ipynb")
    }
    return {
        name: next("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
        for name, book in books.items()
    }


def test_the_first_cell_installs_this_version_where_the_toolkit_is_missing_and_does_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (source,) = set(first_cells().values())
    assert re.findall(r"datamaster_kit\[databricks\]==([\d.]+)", source) == [
        datamaster_kit.__version__
    ]
    done: list[str] = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: done.append(f"%{name} {line}"))
    for wheel, is_there in (
        ("", True),
        ("", False),
        ("/Volumes/crisk/bronze/v/releases/1/datamaster_kit-0.1.0-py3-none-any.whl", False),
    ):
        monkeypatch.setattr(
            "importlib.metadata.distributions", lambda name, found=is_there: [name] if found else []
        )
        dbutils = SimpleNamespace(
            **vars(widgets(wheel=wheel)),
            library=SimpleNamespace(restartPython=lambda: done.append("restart")),
        )
        exec(source, {"dbutils": dbutils, "get_ipython": lambda: shell})
        exec(source, {"get_ipython": lambda: shell})
    assert done == [
        f"%pip install --quiet datamaster_kit[databricks]=={datamaster_kit.__version__}",
        "restart",
        "%pip install --quiet "
        "/Volumes/crisk/bronze/v/releases/1/datamaster_kit-0.1.0-py3-none-any.whl",
        "restart",
    ]


@pytest.mark.slow
def test_the_head_of_an_unedited_step_works_in_a_git_folder_on_serverless_compute(
    tmp_path: Path,
) -> None:
    head = [
        cell
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ][:3]
    last = {
        **head[-1],
        "id": "last",
        "source": "print(described.names.domain, target, contract, run_id, described.root.name)",
    }
    book = {"cells": [*head, last], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    execution = ExecutionSettings(tmp_path / "workspace", ROOT / ".datamaster")
    with Server(Settings(has_serverless=True), metastore="primary", execution=execution) as server:
        client, home = prepared(server), "/Users/admin@example.com/lake"
        name, content = build_toolkit_wheel()
        client.files.upload(f"{RESULTS}/{name}", io.BytesIO(content))
        client.workspace.mkdirs(f"{home}/nbs/steps")
        for path, text, kind in (
            (
                f"{home}/datamaster.yaml",
                f"domain: risk\ncatalog: risk\ntargets: {{dev: {{host: "
                f"'https://adb-1.1.azuredatabricks.net'}}, production: {{host: "
                f"'{server.host}'}}}}\n",
                ImportFormat.RAW,
            ),
            (f"{home}/nbs/steps/03_ingest", json.dumps(book), ImportFormat.JUPYTER),
        ):
            client.workspace.import_(
                path, content=base64.b64encode(text.encode()).decode(), format=kind
            )
        task = {
            "notebook_path": f"{home}/nbs/steps/03_ingest",
            "base_parameters": {
                "wheel": f"{RESULTS}/{name}",
                "contract": "contracts/a.yaml",
                "run_id": "77",
            },
        }
        made = submit_run(
            client, {"run_name": "ingest", "tasks": [{"task_key": "ingest", "notebook_task": task}]}
        )
        while not (made := client.jobs.get_run(made.run_id)).state.result_state:
            time.sleep(0.2)
        page = client.jobs.export_run(made.run_id).views[0].content
        assert run_state(made) == "SUCCESS", read_run_faults(client, made)
        model = json.loads(
            unquote(base64.b64decode(NOTEBOOK_MODEL_PATTERN.search(page)[3]).decode())
        )
        assert (
            model["commands"][-1]["results"]["data"][0]["data"]
            == "risk production contracts/a.yaml 77 lake\n"
        )
