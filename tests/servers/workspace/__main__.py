"""The test workspace by hand.

`python tests/servers/workspace` prints its routes, with the page of the REST reference that each
follows; `python tests/servers/workspace serve` serves it until Ctrl-C.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "servers"))

from workspace import families  # noqa: E402, F401 - its modules register the routes
from workspace.routes import ROUTES  # noqa: E402

LANDING = "/Volumes/crisk/bronze/volume_checkpoint_locations/landing"
SERVED = """\
A workspace with Unity Catalog and serverless compute, for tests: {host}
It runs what is submitted on this machine, and forgets everything when it ends. Ctrl-C ends it.

The project file, datamaster.yaml, whole:
  domain: risk
  catalog: risk   # its name in Unity Catalog is crisk
  jobs: {{compute: serverless}}
  targets:
    production:
      host: {host}
      warehouse: Serverless Starter Warehouse
      landing: {landing}
  setup:
    subscription: 00000000-0000-0000-0000-000000000001
    tenant: 00000000-0000-0000-0000-000000000002
    location: westeurope
    writers: {{ana: {{object_id: 00000000-0000-0000-0000-000000000003, type: User}}}}
    budget: {{amount: 5, emails: [ana@example.com]}}
    github: {{repository: a/b, environments: [prod]}}

In the shell that runs datamaster (raw files of a model arrive in $LANDING/MODEL):
  export DATABRICKS_TOKEN={token}
  export LANDING={files}
"""


def print_routes() -> None:
    """Print a line for each route."""
    for route in sorted(ROUTES, key=lambda item: (item.call.path, item.call.method)):
        sys.stdout.write(f"{route.call.method:<7}{route.call.path:<95}{route.page}\n")


def serve(folder: Path) -> None:
    """Serve a new workspace that keeps what its runs need in a folder, until a signal ends it."""
    from databricks.sdk.service.iam import WorkspacePermission

    from workspace.clients import account_client
    from workspace.executor import ExecutionSettings
    from workspace.server import Workspace
    from workspace.state import Settings

    has_ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: has_ended.set())
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier one left
    execution = ExecutionSettings(folder, ROOT / ".datamaster")
    settings = Settings(has_serverless=True)
    with Workspace(settings, metastore="primary", execution=execution) as workspace:
        account = account_client(workspace)
        group = account.groups_v2.create(display_name="data_engineer")
        users = [WorkspacePermission.USER]
        workspace_id, group_id = settings.workspace_id, int(group.id or 0)
        account.workspace_assignment.update(workspace_id, group_id, permissions=users)
        files = folder / LANDING.removeprefix("/").replace("Volumes", "volumes", 1)
        told = SERVED.format(
            host=workspace.host, token=workspace.token, landing=LANDING, files=files
        )
        sys.stdout.write(told)
        sys.stdout.flush()
        has_ended.wait()
    shutil.rmtree(folder, ignore_errors=True)


if sys.argv[1:] == ["serve"]:
    serve(ROOT / ".datamaster" / "workspace")
else:
    print_routes()
