"""Failures on purpose.

Which calls are throttled, unavailable, cut off before or after their effect, or followed by reads
of the old state.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["throttled", "unavailable", "reset", "lost", "stale"]
ALL_KINDS: tuple[Kind, ...] = ("throttled", "unavailable", "reset", "lost", "stale")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Fault:
    """What happens to some calls.

    throttled: 429 with Retry-After; unavailable: 503; reset: the connection is reset before the
    effect; lost: the effect takes place and the
    connection closes without an answer; stale: the effect takes place, and the next `reads` GET
    calls still see the state from before it.
    `method` and `path` are patterns with `*`; the first `after` matching calls pass, and the next
    `times` do not.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    times: int = 1
    after: int = 0
    retry_after: int = 0
    reads: int = 1

    def matches(self, method: str, path: str) -> bool:
        """The fault is about this call."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
            and (self.kind != "stale" or method in WRITES)
        )


@dataclass(frozen=True)
class Chaos:
    """Faults by chance: `rate` is between 0 and 1.

    A call's fate depends on the seed, its method, its path and how often it came, not on the order
    of threads.
    """

    seed: int
    rate: float
    kinds: tuple[Kind, ...] = ("throttled", "unavailable", "reset", "lost")
    path: str = "/api/*"
    retry_after: int = 0

    def fault(self, method: str, path: str, nth: int) -> Fault | None:
        """Return the fault of the nth such call, or None."""
        chance = random.Random(f"{self.seed} {method} {path} {nth}")
        if not fnmatchcase(path, self.path) or chance.random() >= self.rate:
            return None
        kind = chance.choice([kind for kind in self.kinds if kind != "stale" or method in WRITES])
        return Fault(kind, method, path, retry_after=self.retry_after, reads=chance.randint(1, 4))


@dataclass
class Faults:
    """The plan of a workspace's faults, and what has come of it.

    `struck` lists (kind, method, path).
    """

    planned: list[Fault] = field(default_factory=list)
    chaos: Chaos | None = None
    seen: Counter[object] = field(default_factory=Counter)
    struck: list[tuple[Kind, str, str]] = field(default_factory=list)

    def plan(self, faults: Iterable[Fault], chaos: Chaos | None = None) -> None:
        """Replace the plan; what was seen is forgotten."""
        self.planned, self.chaos = list(faults), chaos
        self.seen.clear()
        self.struck.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """Return what happens to this call, if anything does."""
        found = None
        for at, fault in enumerate(self.planned):
            if fault.matches(method, path):
                self.seen[at] += 1
                if found is None and fault.after < self.seen[at] <= fault.after + fault.times:
                    found = fault
        if found is None and self.chaos:
            self.seen[method, path] += 1
            found = self.chaos.fault(method, path, self.seen[method, path])
        if found:
            self.struck.append((found.kind, method, path))
        return found
