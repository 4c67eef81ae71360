"""Where a statement runs: the state, who runs it, and what its names mean; and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .securables import find
from .sql_tokens import SqlError
from .state import Json, State


@dataclass(frozen=True)
class Session:
    """Who runs a statement, in which catalog and schema."""

    state: State
    caller: str
    catalog: str = ""
    schema: str = "default"

    def full_name(self, parts: tuple[str, ...], length: int = 3) -> str:
        """Return a name of as many parts, the session's in front.

        Raises SqlError for too many, or where the session has none.
        """
        whole = (
            (*(self.catalog, self.schema)[: length - len(parts)], *parts)
            if len(parts) < length
            else parts
        )
        if len(parts) > length or not all(whole):
            raise SqlError(
                "REQUIRES_SINGLE_PART_NAMESPACE" if len(parts) > length else "NO_ACTIVE_CATALOG",
                f"The name {'.'.join(parts)} has not {length} parts",
                "42K05",
            )
        return ".".join(whole).lower()

    def table(self, parts: tuple[str, ...]) -> Json:
        """Return a table by its name."""
        return find(self.state, "table", self.full_name(parts))


@dataclass(frozen=True)
class Rows:
    """What a statement gives: columns as (name, type) and rows."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: list[list[Any]] = field(default_factory=list)
