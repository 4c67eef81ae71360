"""What the workspace and its account hold.

Objects are kept as the JSON that the service answers with.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
METASTORE = "metastore"
KINDS = (
    "storage_credential",
    "external_location",
    "catalog",
    "schema",
    "table",
    "volume",
    "function",
)


@dataclass(frozen=True)
class Settings:
    """How the workspace behaves.

    Elements a page, and how many polls a run, a cluster, a warehouse and a statement stay pending
    and then running.
    """

    account_id: str = "00000000-0000-4000-8000-00000000acc0"
    workspace_id: int = 6051921418418893
    workspace_name: str = "adbdrisk"
    region: str = "westeurope"
    page_size: int = 20
    run_polls: tuple[int, int] = (1, 1)
    cluster_polls: int = 1
    warehouse_polls: int = 1
    statement_polls: int = 0
    statement_chunk: int = 1000
    has_serverless: bool = False


@dataclass
class Principal:
    """A user, group or service principal: its SCIM resource, and where it is known."""

    kind: str
    resource: Json
    is_in_account: bool = True
    is_in_workspace: bool = True

    @property
    def name(self) -> str:
        """The name by which it is granted to: user name, group name, application id."""
        return str(
            self.resource[
                {
                    "Users": "userName",
                    "Groups": "displayName",
                    "ServicePrincipals": "applicationId",
                }[self.kind]
            ]
        )


@dataclass
class State:
    """Everything that a request reads or changes.

    `unity` has the securable objects by kind and full name; `rows` the rows of tables, for queries;
    `executor` runs what is submitted, where it is to be run.
    """

    settings: Settings = field(default_factory=Settings)
    host: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    assignments: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    workspaces: dict[int, Json] = field(default_factory=dict)
    metastore_of: dict[int, Json] = field(default_factory=dict)
    unity: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {kind: {} for kind in (METASTORE, *KINDS)}
    )
    grants: dict[tuple[str, str], dict[str, set[str]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    tags: dict[tuple[str, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    bindings: dict[tuple[str, str], list[Json]] = field(default_factory=lambda: defaultdict(list))
    rows: MutableMapping[str, list[Json]] = field(default_factory=dict)
    warehouses: dict[str, Json] = field(default_factory=dict)
    statements: dict[str, Json] = field(default_factory=dict)
    scopes: dict[str, Json] = field(default_factory=dict)
    clusters: dict[str, Json] = field(default_factory=dict)
    pools: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    jobs: dict[int, Json] = field(default_factory=dict)
    runs: dict[int, Json] = field(default_factory=dict)
    run_settings: dict[int, Json] = field(default_factory=dict)
    run_outputs: dict[int, Json] = field(default_factory=dict)
    run_tokens: dict[str, int] = field(default_factory=dict)
    scripted: dict[str, str] = field(default_factory=dict)
    permissions: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    volume_files: MutableMapping[str, Json] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    last_id: int = 1000
    executor: Any = None

    def next_id(self) -> int:
        """Return a number that no object has yet."""
        self.last_id += 1
        return self.last_id

    def polled(self, key: str) -> int:
        """Return how often an object has been asked for before this time."""
        self.polls[key] = self.polls.get(key, 0) + 1
        return self.polls[key] - 1


def now() -> int:
    """Return the time as the service writes it: milliseconds since 1970."""
    return int(time.time() * 1000)


def new_uuid() -> str:
    """Return a new identifier."""
    return str(uuid.uuid4())
