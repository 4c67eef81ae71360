"""The client of a target's workspace and of its account: who calls comes from the environment, never from the project file."""
from __future__ import annotations

from pathlib import Path

import pytest
from workspace.server import Workspace

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.names import names
from datamaster_kit.project import Project
from datamaster_kit.target.workspace import account_client, workspace_client


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Project:
    """A project whose target is the test workspace."""
    return Project(tmp_path, names("risk", "risk"), targets={"production": {"host": workspace.host, "account_host": workspace.host, "account_id": workspace.state.settings.account_id}})


def test_the_environment_says_who_calls(project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token)
    assert workspace_client(project, "production").current_user.me().user_name
    assert list(account_client(project, "production").metastores.list())


def test_without_credentials_the_message_says_how_to_sign_in(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DatamasterError, match="cannot configure default credentials") as error:
        workspace_client(project, "production")
    assert "az login" in error.value.faults[0].hint
