"""What the tests share: one Spark session a process, test workspaces, and the order in which they run."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as tried

if TYPE_CHECKING:
    from databricks.sdk import AccountClient, WorkspaceClient
    from pyspark.sql import SparkSession
    from workspace.server import Workspace

ROOT = Path(__file__).resolve().parents[1]
# `make test` gives whole files to two processes. The longest come first, so that neither process ends with one of them alone.
LONGEST = ("test_connect", "test_life", "test_setup", "test_faults", "test_lakehouse", "test_end_to_end", "test_infra", "test_new_project", "test_deliver")

tried.register_profile("on a busy machine", deadline=None)  # how long an example may take is no promise
tried.load_profile("on a busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; a file's tests stay together and in their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    """The process's Spark session, with the jars that `make setup` fetched; with DATAMASTER_CONNECT=1, one through Spark Connect."""
    from datamaster_kit.target.session import local_session

    return connect_session(ROOT / ".datamaster") if os.environ.get("DATAMASTER_CONNECT") else local_session(ROOT / ".datamaster")


def connect_session(state_folder: Path) -> SparkSession:
    """Return a session on a Spark Connect server of this machine, with the settings of the local target."""
    from pyspark.sql import SparkSession

    from datamaster_kit.target.jars import jars
    from datamaster_kit.target.java import java_home
    from datamaster_kit.target.session import prepare, settings

    prepare(state_folder)
    os.environ.update(JAVA_HOME=str(java_home(state_folder)), PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_DIRS=str(state_folder / "spark" / "tmp"))
    builder = SparkSession.builder.remote("local[2]")
    for key, setting in settings(state_folder, jars(state_folder), 2).items():
        if key != "spark.master":
            builder = builder.config(key, setting)
    return builder.getOrCreate()


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """A new test workspace with a metastore, on a free port; it ends with the test."""
    from workspace.server import Workspace

    with Workspace(metastore="primary") as made:
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
