"""`datamaster` with Terraform's states in a store of the tests, which is made where the world of
the stand-in providers has its storage account.

The store's address is in STATE_STORE, the world's folder in STAND_IN_WORLD. The waits for a role
are short. All else is the command line as it is.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from datamaster_kit.cli.main import main
from datamaster_kit.project.project_file import Project
from datamaster_kit.setup import azure
from datamaster_kit.setup.parts import StateBackend, StateStorage
from datamaster_kit.setup.variables import Setup


def is_made(account: str) -> bool:
    """The world has the storage account."""
    return any(
        json.loads(path.read_text(encoding="utf-8"))["name"] == account
        for path in Path(os.environ["STAND_IN_WORLD"]).glob("azurerm_storage_account/*.json")
    )


def remote(project: Project, setup: Setup) -> StateStorage:
    """Return the store of the tests."""

    def backend(part: str) -> StateBackend:
        return StateBackend(
            "s3",
            {
                "bucket": "states",
                "key": f"{part}.tfstate",
                "region": "local",
                "endpoints": {"s3": os.environ["STATE_STORE"]},
                "use_lockfile": True,
                "access_key": "any",
                "secret_key": "any",
                "use_path_style": True,
                "skip_credentials_validation": True,
                "skip_metadata_api_check": True,
                "skip_region_validation": True,
                "skip_requesting_account_id": True,
                "skip_s3_checksum": True,
            },
        )

    return StateStorage(lambda: is_made(project.names.state_account), backend)


if __name__ == "__main__":
    azure.ROLE_PAUSES = (0.1,) * 20
    azure.hold_azure_backend = partial(azure.hold_azure_backend, remote=remote)
    sys.argv[0] = "datamaster"
    main()
