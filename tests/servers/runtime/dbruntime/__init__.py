"""The package of the runtime in which the SDK looks for who runs the task, and for the names that
its notebooks have (databricks.sdk.runtime).
"""

from __future__ import annotations

from typing import Any


class UserNamespaceInitializer:
    """What has the names of a notebook.

    Here `dbutils` alone, so that no Spark is started for a task that asks for none.
    """

    @classmethod
    def getOrCreate(cls) -> UserNamespaceInitializer:  # noqa: N802 - the runtime's own name
        """Return it."""
        return cls()

    def get_namespace_globals(self) -> dict[str, Any]:
        """Return the names with their values."""
        from runtime.dbutils import DBUtils

        return {"dbutils": DBUtils()}
