"""What the tests share.

One Spark session a process, test workspaces, and the order in which they run.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as tried
from java_pool import Pool
from workspace.compute_environment import GENERATED_CODE, NO_CODE, QUICK_COMPILER, spark_home

if TYPE_CHECKING:
    from databricks.sdk import AccountClient, WorkspaceClient
    from pyspark.sql import SparkSession
    from workspace.server import Workspace

ROOT = Path(__file__).resolve().parents[1]
# `make test` gives whole files to two processes. The longest come first, so that neither process
# ends with one of them alone.
LONGEST = (
    "test_journey",
    "test_workflow_runs",
    "test_extras",
    "test_executed_runs",
    "test_connect",
    "test_life",
    "test_setup",
    "test_faults",
    "test_kafka",
    "test_lakehouse",
    "test_end_to_end",
    "test_infra",
    "test_new_project",
    "test_deliver",
)

# What comes of values is seen with code that Spark generates; all else is a few rows each time, for
# which generating and compiling takes longer than the work.
OF_VALUES = (
    "test_auto_loader",
    "test_control_totals",
    "test_corpus",
    "test_file_kinds",
    "test_formats",
    "test_json_ways",
    "test_large_files",
    "test_local_files",
    "test_rules",
    "test_value_kinds",
)
os.environ.setdefault(
    "PYSPARK_SUBMIT_ARGS",
    " ".join([*(f"--conf {name}={setting}" for name, setting in NO_CODE.items()), "pyspark-shell"]),
)
os.environ.setdefault("SPARK_SUBMIT_OPTS", " ".join(QUICK_COMPILER))
# Python compiles what it imports; pip would compile all that is installed
os.environ.setdefault("PIP_NO_COMPILE", "1")
# how long an example may take is no promise
tried.register_profile("on a busy machine", deadline=None)
tried.load_profile("on a busy machine")


@pytest.fixture(scope="session", autouse=True)
def java() -> Iterator[None]:
    """Have the processes that this one starts take Java from a pool."""
    with Pool(spark_home()) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(pool.folder))
        yield


@pytest.fixture
def own_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processes of a test start a Java each, as a user's do."""
    monkeypatch.delenv("SPARK_HOME", raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; a file's tests stay together and in their order.

    Through Spark Connect only those are run that use the session.
    """
    if os.environ.get("DATAMASTER_CONNECT"):
        items[:] = [item for item in items if "spark" in getattr(item, "fixturenames", ())]
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)
        )
    )


@pytest.fixture(scope="session")
def session() -> Iterator[SparkSession]:
    """The process's Spark session, with the jars that `make setup` fetched.

    With DATAMASTER_CONNECT=1, one through Spark Connect.
    """
    from datamaster_kit.targets.jvm.session import local_session

    state = ROOT / ".datamaster"
    if not os.environ.get("DATAMASTER_CONNECT"):
        with pytest.MonkeyPatch.context() as patch:
            # it stays to the end, and nobody else could have it
            patch.delenv("SPARK_HOME", raising=False)
            made = local_session(state)
        yield made
        return
    from pyspark.sql import SparkSession

    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = secrets.token_hex()
    os.environ["SPARK_HOME"] = str(spark_home())  # the server's Java is its own
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "servers" / "connect_server.py"), str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        os.environ["SPARK_REMOTE"] = f"sc://localhost:{server.stdout.readline().strip()}"
        session = SparkSession.builder.getOrCreate()
        yield session
        session.stop()  # before the server ends: the client would ask it for ten minutes more


@pytest.fixture(scope="module")
def spark(session: SparkSession, request: pytest.FixtureRequest) -> SparkSession:
    """The process's Spark session.

    It generates code, as a user's does, for the files whose subject is what comes of values.
    """
    for name, setting in (GENERATED_CODE if request.path.stem in OF_VALUES else NO_CODE).items():
        session.conf.set(name, setting)
    return session


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """A new test workspace with a metastore, on a free port; it ends with the test."""
    from workspace.server import Workspace

    with Workspace(metastore="primary") as made:
        yield made


@pytest.fixture
def server() -> Iterator[Workspace]:
    """A new test workspace with a metastore that has serverless compute; it ends with the test."""
    from workspace.server import Workspace
    from workspace.state import Settings

    with Workspace(Settings(has_serverless=True), metastore="primary") as made:
        yield made


@pytest.fixture
def client(workspace: Workspace) -> WorkspaceClient:
    """The administrator's client of the test workspace."""
    from workspace.clients import workspace_client

    return workspace_client(workspace)


@pytest.fixture
def account(workspace: Workspace) -> AccountClient:
    """The administrator's client of the test workspace's account."""
    from workspace.clients import account_client

    return account_client(workspace)
