"""Clients of a test workspace.

The SDK's own, with short timeouts and a clock that does not wait between retries, which the SDK
takes as a setting.
"""

from __future__ import annotations

from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.clock import Clock
from databricks.sdk.core import Config

from .furnish import token_of
from .server import Workspace


class QuickClock(Clock):
    """A clock that adds what would be waited, and does not wait.

    `waited` lists the pauses in seconds.
    """

    def __init__(self) -> None:
        self.moment, self.waited = 0.0, list[float]()

    def time(self) -> float:
        """Return the seconds since the clock was made."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.moment += seconds
        self.waited.append(seconds)


def config(
    workspace: Workspace, name: str = "", clock: Clock | None = None, account: bool = False
) -> Config:
    """Return a client's configuration for a principal, by its name.

    Without one, for the administrator.
    """
    token = token_of(workspace.state, name) if name else workspace.token
    return Config(
        host=workspace.host,
        token=token,
        auth_type="pat",
        clock=clock or QuickClock(),
        http_timeout_seconds=5,
        retry_timeout_seconds=60,
        account_id=workspace.state.settings.account_id if account else None,
    )


def workspace_client(
    workspace: Workspace, name: str = "", clock: Clock | None = None
) -> WorkspaceClient:
    """Return a client of the workspace."""
    return WorkspaceClient(config=config(workspace, name, clock))


def account_client(
    workspace: Workspace, name: str = "", clock: Clock | None = None
) -> AccountClient:
    """Return a client of the account."""
    return AccountClient(config=config(workspace, name, clock, account=True))
