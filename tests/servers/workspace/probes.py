"""What the SDK asks a host for before it calls: who it is, and where tokens come from."""

from __future__ import annotations

from .refusals import Refusal
from .routes import Request, serves_path
from .state import Json, State


@serves_path(
    "GET",
    "/.well-known/databricks-config",
    "https://databricks-sdk-py.readthedocs.io (databricks.sdk.oauth.get_host_metadata)",
)
def host(state: State, request: Request) -> Json:
    """Return what the host is: a workspace of an account, on Azure."""
    address = f"http://{request.headers.get('host', '')}"
    return {
        "oidc_endpoint": f"{address}/oidc",
        "account_id": state.settings.account_id,
        "workspace_id": str(state.settings.workspace_id),
        "cloud": "Azure",
    }


@serves_path(
    "GET",
    "/oidc/.well-known/oauth-authorization-server",
    "https://learn.microsoft.com/azure/databricks/dev-tools/auth/oauth-m2m",
)
def tokens(state: State, request: Request) -> Json:
    """Refuse: the clients have tokens."""
    raise Refusal(
        404,
        "ENDPOINT_NOT_FOUND",
        "The test server gives no OAuth tokens; use a token of the workspace",
    )
