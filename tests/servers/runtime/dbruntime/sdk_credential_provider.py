"""The credentials of a task's process, where the SDK looks for them (databricks.sdk.runtime)."""

from __future__ import annotations

from collections.abc import Callable

from runtime import told


def init_runtime_native_auth() -> tuple[str, Callable[[], dict[str, str]]]:
    """Return the workspace, and what gives the headers of whoever runs the task."""
    return told()["host"], lambda: {"Authorization": f"Bearer {told()['token']}"}
