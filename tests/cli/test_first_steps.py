"""What goes wrong at first is told at once.

A target that is not there, a workspace that cannot be reached, tables that have not been made.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from datamaster_kit.cli.main import app
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.deliver import step_start
from datamaster_kit.lakehouse.names import names
from datamaster_kit.lakehouse.runs import read_runs, runs_table_name
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.clients.workspace import require_reachable
from datamaster_kit.targets.local import LocalTarget

CONTRACT = """dataContractSpecification: 1.1.0
id: urn:shop
info: {title: Shop, version: 1.0.0}
models: {order: {fields: {id: {type: long, primaryKey: true}}}}
workflow: {source: {type: adls, format: csv}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, the working folder of the test, whose workspace has a port on which nobody
    listens.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    text = (
        f"domain: shop\ncatalog: shop\ntargets: {{production: {{host: "
        f"'http://127.0.0.1:{port}'}}}}\n"
    )
    (tmp_path / "datamaster.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "shop.yaml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", "a-token")
    return tmp_path


def test_a_target_that_the_project_does_not_name_is_refused_before_a_notebook_runs(
    project: Path,
) -> None:
    said = CliRunner().invoke(app, ["run", "ingest", "-p", "target=prodction"])
    assert isinstance(said.exception, DatamasterError), said.output
    (fault,) = said.exception.faults
    assert fault.code == "no-such-target" and "'prodction'" in fault.message
    assert not (project / "runs").exists()


def test_sql_names_the_catalog_of_the_project_that_is_there(project: Path) -> None:
    asked = ["contract", "export", "contracts/shop.yaml", "--format", "sql"]
    assert "`cshop`.`bronze`" in CliRunner().invoke(app, asked).stdout
    assert "`mine`.`bronze`" in CliRunner().invoke(app, [*asked, "--catalog", "mine"]).stdout
    (project / "datamaster.yaml").unlink()
    assert "`main`.`bronze`" in CliRunner().invoke(app, asked).stdout


def test_the_folder_of_a_draft_is_made(project: Path) -> None:
    (project / "order.csv").write_text("id\n1\n", encoding="utf-8")
    said = CliRunner().invoke(app, ["contract", "import", "order.csv", "-o", "new/order.yaml"])
    assert said.exit_code == 0 and (project / "new" / "order.yaml").is_file()


@pytest.mark.parametrize(
    "command",
    [
        ["unity", "plan", "--target", "production"],
        ["deliver", "plan", "--target", "production"],
        ["ingest", "run", "--target", "production"],
    ],
)
def test_a_workspace_that_takes_no_connection_is_told_with_its_address(
    project: Path, command: list[str]
) -> None:
    begun = time.monotonic()
    said = CliRunner().invoke(app, command)
    assert isinstance(said.exception, DatamasterError), said.output
    (fault,) = said.exception.faults
    assert fault.code == "databricks-unreachable" and "http://127.0.0.1:" in fault.message
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("speaks_tls", [True, False])
def test_a_host_without_a_certificate_that_is_trusted_is_told(
    tmp_path: Path, speaks_tls: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost"]
    subprocess.run(
        [*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context.load_cert_chain(certificate, key)
    with socket.create_server(("localhost", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                if speaks_tls:
                    context.wrap_socket(connection, server_side=True)
                else:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        Thread(target=serve, daemon=True).start()
        with pytest.raises(DatamasterError) as raised:
            require_reachable(f"https://localhost:{server.getsockname()[1]}")
    (fault,) = raised.value.faults
    assert fault.code == "databricks-unreachable" and "REQUESTS_CA_BUNDLE" in fault.hint
    assert ("self-signed certificate" if speaks_tls else "WRONG_VERSION_NUMBER") in fault.message


def test_a_step_for_spark_without_spark_says_which_target_to_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_start, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="needs pyspark") as raised:
        step_start.start_step("ingest", {"target": "", "project": ""})
    assert "-p target=" in raised.value.faults[0].hint


@pytest.mark.spark
def test_runs_that_were_never_recorded_are_told_with_what_makes_their_table(
    spark: Any, tmp_path: Path
) -> None:
    target = LocalTarget(Project(tmp_path, names("none", "none")), spark)
    # another test's, whose session this is
    spark.sql(f"DROP TABLE IF EXISTS {target.sql_name(runs_table_name('cnone'))}")
    with pytest.raises(DatamasterError, match="runs is not there"):
        read_runs(target, "cnone")
