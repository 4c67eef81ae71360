"""Spark's own session, fitted to be a workspace's.

Names of three levels, statements of Unity Catalog, Auto Loader, and what the compute refuses.
"""

from __future__ import annotations

import json
from fcntl import LOCK_EX, flock
from functools import wraps
from pathlib import Path
from typing import Any

from runtime import told
from runtime.auto_loader import literal
from runtime.names import is_governed, local_schema, local_text
from runtime.refusals import refuse
from runtime.service import ServiceError, ask

KNOWN: set[tuple[str, ...]] = set()


def bring(session: Any, table: tuple[str, str, str]) -> None:
    """Bring a table's storage up to what Unity Catalog says of it, and make the table known to the
    session.
    """
    catalog, schema, name = table
    store, label = Path(told()["tables"]), ".".join(table)
    folder, said = store / catalog / schema / name, store / "statements" / f"{label}.jsonl"
    if table[:2] not in KNOWN:
        (store / catalog / schema).mkdir(parents=True, exist_ok=True)
        original(
            session,
            f"CREATE SCHEMA IF NOT EXISTS {local_schema(catalog, schema)} LOCATION "
            f"'{store / catalog / schema}'",
        )
        KNOWN.add(table[:2])
    if said.exists():
        with said.with_suffix(".lock").open("a+", encoding="utf-8") as lock:
            flock(lock, LOCK_EX)
            done = said.with_suffix(".done")
            first = int(done.read_text(encoding="utf-8")) if done.exists() else 0
            statements = [
                json.loads(line) for line in said.read_text(encoding="utf-8").splitlines()
            ]
            if first < len(statements):
                register(session, table, folder)
            for number, statement in enumerate(statements[first:], first + 1):
                for text in statement:
                    original(session, text)
                done.write_text(str(number), encoding="utf-8")
    register(session, table, folder)


def register(session: Any, table: tuple[str, str, str], folder: Path) -> None:
    """Make a table that has storage known to the session."""
    if table not in KNOWN and (folder / "_delta_log").is_dir():
        original(
            session,
            f"CREATE TABLE IF NOT EXISTS {local_schema(*table[:2])}.`{table[2]}` USING delta "
            f"LOCATION '{folder}'",
        )
        KNOWN.add(table)


def original(session: Any, text: str, *args: Any, **said: Any) -> Any:
    """Run a statement as Spark does."""
    from pyspark.sql import SparkSession

    return SparkSession.sql.__wrapped__(session, text, *args, **said)  # type: ignore[attr-defined]


def local(session: Any, text: str) -> str:
    """Return SQL or a name as Spark here knows it, after the tables in it are there."""
    made, tables = local_text(text, told()["catalogs"])
    for table in tables:
        bring(session, table)
    return made


def asked(session: Any, text: str) -> Any:
    """Return what Unity Catalog answers to a statement, as a DataFrame.

    Raises an AnalysisException where it refuses.
    """
    from pyspark.errors import AnalysisException

    try:
        answer = ask("POST", "/runtime/sql", {"statement": text})
    except ServiceError as error:
        raise AnalysisException(str(error)) from None
    for table in local_text(text, told()["catalogs"])[1]:
        KNOWN.discard(table) if answer.get("dropped") == ".".join(table) else bring(session, table)
    return original(session, rows_text(answer["columns"] or [("result", "string")], answer["rows"]))


def rows_text(columns: list[tuple[str, str]], rows: list[list[Any]]) -> str:
    """Return the query that gives rows."""
    names = ", ".join(f"`{name}`" for name, _ in columns)
    casts = ", ".join(f"CAST(`{name}` AS {kind}) AS `{name}`" for name, kind in columns)
    values = ", ".join(
        "(" + ", ".join("NULL" if value is None else literal(str(value)) for value in row) + ")"
        for row in rows or [[None] * len(columns)]
    )
    return f"SELECT {casts} FROM VALUES {values} AS t({names}){'' if rows else ' WHERE false'}"


def fit() -> None:
    """Fit Spark's classes."""
    from pyspark.sql import DataFrameReader, DataFrameWriter, SparkSession
    from pyspark.sql.catalog import Catalog
    from pyspark.sql.dataframe import DataFrame
    from pyspark.sql.streaming import DataStreamReader, DataStreamWriter

    from runtime.cloud_files import fit_reader

    sql = SparkSession.sql

    @wraps(sql)
    def fitted_sql(self: Any, sqlQuery: str, *args: Any, **said: Any) -> Any:  # noqa: N803 - Spark's own name
        return (
            asked(self, sqlQuery)
            if is_governed(sqlQuery)
            else sql(self, local(self, sqlQuery), *args, **said)
        )

    SparkSession.sql = fitted_sql  # type: ignore[method-assign]
    for owner, names in (
        (SparkSession, ("table",)),
        (DataFrameReader, ("table",)),
        (DataStreamReader, ("table",)),
        (DataFrameWriter, ("saveAsTable", "insertInto")),
        (DataFrameWriter, ("saveAsTable",)),
        (DataStreamWriter, ("toTable",)),
        (DataFrame, ("writeTo",)),
        (Catalog, ("tableExists", "databaseExists", "listColumns", "getTable", "refreshTable")),
    ):
        for name in names:
            if not hasattr(getattr(owner, name), "__wrapped__"):
                setattr(owner, name, named(getattr(owner, name)))
    fit_reader(DataStreamReader)
    refuse(told()["compute"])


def named(method: Any) -> Any:
    """Return a method whose first argument is a name, for names of three levels."""

    @wraps(method)
    def fitted(self: Any, name: str, *args: Any, **said: Any) -> Any:
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
        made = method(self, local(session, name), *args, **said)
        if method.__name__ in ("saveAsTable", "toTable"):
            keep_new(session, name)
        return made

    return fitted


def keep_new(session: Any, name: str) -> None:
    """Tell Unity Catalog of a table that a write has made."""
    for table in local_text(name, told()["catalogs"])[1]:
        if not (Path(told()["tables"]) / table[0] / table[1] / table[2] / "_delta_log").is_dir():
            raise ValueError(f"{'.'.join(table)} was not written where its tables are")
        if table not in KNOWN:
            ask("POST", "/runtime/table", {"name": ".".join(table)})
            KNOWN.add(table)
