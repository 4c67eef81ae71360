"""What the kinds of compute refuse (Databricks, *Compute access mode limitations* and *Serverless
compute limitations*).

Serverless and standard compute are reached by Spark Connect, which has no JVM, no RDD and no
context. Here it is Spark's own session that says so, to whatever is not part of Spark.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any, NoReturn

# Databricks, *Configure Spark properties for serverless notebooks and jobs*.
SERVERLESS_CONF = {
    "spark.databricks.execution.timeout",
    "spark.sql.legacy.timeParserPolicy",
    "spark.sql.session.timeZone",
    "spark.sql.shuffle.partitions",
    "spark.sql.ansi.enabled",
}


def is_inside() -> bool:
    """Spark itself is the caller of the caller."""
    return str(sys._getframe(2).f_globals.get("__name__", "")).split(".")[0] in (
        "pyspark",
        "py4j",
        "delta",
    )


def not_in_connect(name: str) -> NoReturn:
    """Raise what Spark Connect raises for what depends on a JVM."""
    from pyspark.errors import PySparkAttributeError

    raise PySparkAttributeError(
        f"[JVM_ATTRIBUTE_NOT_SUPPORTED] Attribute `{name}` is not supported in Spark Connect "
        "as it depends on the JVM. If you need to use this attribute, do not use Spark "
        "Connect when creating your session."
    )


def analysis(message: str) -> NoReturn:
    """Raise an AnalysisException."""
    from pyspark.errors import AnalysisException

    raise AnalysisException(message)


class Hidden:
    """An attribute that only Spark itself sees."""

    def __init__(self, name: str, there: Any) -> None:
        self.name, self.there = name, there

    def __get__(self, item: Any, owner: Any = None) -> Any:
        """Return it to Spark; raise for others."""
        if not is_inside():
            not_in_connect(self.name)
        if item is not None and self.name in vars(item):
            return vars(item)[self.name]
        return self.there.__get__(item, owner) if hasattr(self.there, "__get__") else self.there

    def __set__(self, item: Any, value: Any) -> None:
        """Keep what Spark sets."""
        vars(item)[self.name] = value


def refused(owner: Any, name: str, reason: Any) -> None:
    """Have a method raise what `reason(*arguments)` raises, where it raises, unless Spark itself
    calls it.
    """
    method = getattr(owner, name)

    @wraps(method)
    def guarded(self: Any, *args: Any, **said: Any) -> Any:
        if not is_inside():
            reason(*args, **said)
        return method(self, *args, **said)

    setattr(owner, name, guarded)


def refuse(compute: str) -> None:
    """Have Spark refuse what a kind of compute refuses: classic and single user nothing."""
    if compute not in ("serverless", "standard"):
        return
    from pyspark.sql import SparkSession
    from pyspark.sql.catalog import Catalog
    from pyspark.sql.classic.dataframe import DataFrame
    from pyspark.sql.conf import RuntimeConfig
    from pyspark.sql.streaming import DataStreamWriter

    for owner, names in (
        (SparkSession, ("sparkContext", "_sc", "_jvm", "_jsparkSession")),
        (DataFrame, ("rdd", "_jdf", "_sc")),
    ):
        for name in names:
            setattr(owner, name, Hidden(name, vars(owner).get(name)))
    without = DataFrame.__getattr__
    DataFrame.__getattr__ = lambda self, name: (
        not_in_connect(name) if name in ("rdd", "_jdf", "_sc") else without(self, name)
    )  # type: ignore[method-assign]
    if compute == "standard":
        return
    refused(
        RuntimeConfig,
        "set",
        lambda key, *_: (
            key in SERVERLESS_CONF
            or analysis(
                f"[CONFIG_NOT_AVAILABLE] Configuration {key} is not available. SQLSTATE: 42K0I"
            )
        ),
    )
    for owner, names in (
        (DataFrame, ("cache", "persist", "unpersist")),
        (Catalog, ("cacheTable", "uncacheTable", "clearCache")),
    ):
        for name in names:
            refused(
                owner,
                name,
                lambda *_, **__: analysis(
                    "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on "
                    "serverless compute. SQLSTATE: 0A000"
                ),
            )
    refused(
        DataStreamWriter,
        "trigger",
        lambda *_, **said: (
            said.get("availableNow")
            or said.get("once")
            or analysis(
                "[INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED] Trigger type ProcessingTime is "
                "not supported for this cluster type. Use a different trigger type e.g. "
                "AvailableNow, Once. SQLSTATE: 0A000"
            )
        ),
    )
