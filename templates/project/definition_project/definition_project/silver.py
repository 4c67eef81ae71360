"""Bronze to silver: of each key, the newest row that breaks no rule."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

from pyspark.sql import DataFrame

from datamaster_kit.contract.model import Contract, Model
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.sql.sqltype import quote, sql_literal, sql_type
from datamaster_kit.contract.sql.table import DELETED_SUFFIX
from datamaster_kit.ingest.rows import IS_GOOD_ROW, is_deletion_sql
from datamaster_kit.ingest.versions import (
    content_hash,
    key_columns,
    is_same_key_sql,
    version_struct,
)
from datamaster_kit.lakehouse.names import Names
from datamaster_kit.targets.readers.casts import bronze_type
from datamaster_kit.targets.readers.columnar_files import fit_value
from datamaster_kit.targets.base import Target


def prepared(model: str, rows: DataFrame) -> DataFrame:
    """Return a model's rows of bronze as silver should have them.

    Trim, derive or join here, and keep the columns and their types.

    Example: rows.withColumn("brand_name", trim("brand_name")) if model == "account" else rows
    """
    return rows


def described(rows: DataFrame, source: Model, contract: Contract, model: Model) -> DataFrame:
    """Return rows of another contract's bronze as this contract describes them.

    A row with a value that is none of its type, or that breaks a rule, is left out.
    """
    there = {item.column.lower(): item for item in source.fields}
    columns, fitting = [name for name in rows.columns if name.startswith("carlton_")], ["true"]
    for item in model.fields:
        found, kind = there.get(item.column.lower()), bronze_type(item.type)
        fits, value = (
            fit_value(quote(found.column), bronze_type(found.type), kind)
            if found
            else ("true", f"CAST(NULL AS {sql_type(kind)})")
        )
        columns.append(f"{value} AS {quote(item.column)}")
        fitting.append(fits)
    kept = [
        rule.predicate
        for rule in rules(contract, model)
        if rule.is_row_rule
        and rule.severity != "warn"
        and not rule.not_executed
        and rule.kind not in ("record", "type")
    ]
    return (
        rows.where(" AND ".join(fitting))
        .selectExpr(*columns)
        .where(" AND ".join(["true", *(f"coalesce(({predicate}), false)" for predicate in kept)]))
    )


def arrived(rows: DataFrame, since: date | None, until: date | None) -> DataFrame:
    """Return the rows of bronze that arrived from one day to another, both included (UTC).

    None: without that end.
    """
    if since:
        rows = rows.where(f"carlton_current_date >= TIMESTAMP '{since} 00:00:00Z'")
    return (
        rows.where(f"carlton_current_date < TIMESTAMP '{until + timedelta(days=1)} 00:00:00Z'")
        if until
        else rows
    )


def newest(rows: DataFrame, contract: Contract, model: Model) -> DataFrame:
    """Return one row a key, its newest version; `_is_deletion` says that it deletes the key."""
    rank = (
        f"row_number() OVER (PARTITION BY {key_columns(model)} ORDER BY "
        f"{version_struct(contract, model)} DESC) AS _rank"
    )
    return (
        rows.selectExpr("*", rank, f"{is_deletion_sql(contract, model) or 'false'} AS _is_deletion")
        .where("_rank = 1")
        .drop("_rank")
    )


def not_deleted_since(source: str, deleted: str, contract: Contract, model: Model) -> str:
    """Return the subquery of the rows that are not older than their key's deletion, which bronze
    may have forgotten by now.
    """
    is_older = (
        f"{version_struct(contract, model, 'd', 'carlton_content')} > "
        f"{version_struct(contract, model, 'r')}"
    )
    return (
        f"(SELECT r.* FROM {source} r LEFT ANTI JOIN {deleted} d ON "
        f"{is_same_key_sql(model, 'r', 'd')} AND NOT r._is_deletion AND {is_older})"
    )


def merge_statement(source: str, silver: str, contract: Contract, model: Model, run_id: str) -> str:
    """Return the MERGE of rows into silver.

    A newer version wins; the same row is written again where `prepared` now makes another of it.
    """
    columns = [*(quote(item.column) for item in model.fields), "carlton_metadata"]
    written = (
        "named_struct('stream', 'definition_project', 'batch_id', CAST(NULL AS BIGINT), "
        f"'run_id', {sql_literal(run_id)})"
    )
    is_due = (
        "CASE WHEN s.carlton_metadata <=> t.carlton_metadata THEN "
        f"{content_hash(model, 's')} <> {content_hash(model, 't')} "
        f"ELSE {version_struct(contract, model, 's')} > {version_struct(contract, model, 't')} END"
    )
    names = ", ".join(columns)
    values = ", ".join(f"s.{column}" for column in columns)
    assignments = ", ".join(f"t.{column} = s.{column}" for column in columns)
    return f"""
        MERGE INTO {silver} t USING {source} s ON {is_same_key_sql(model, "t", "s")}
        WHEN MATCHED AND {is_due} AND s._is_deletion THEN DELETE
        WHEN MATCHED AND {is_due} THEN
            UPDATE SET {assignments}, t.carlton_changed_by = {written}
        WHEN NOT MATCHED AND NOT s._is_deletion THEN
            INSERT ({names}, carlton_changed_by) VALUES ({values}, {written})
    """


def fill(
    target: Target,
    names: Names,
    contract: Contract,
    model: Model,
    source: Model,
    run_id: str,
    since: date | None = None,
    until: date | None = None,
) -> dict[str, int]:
    """Bring rows of a model's bronze table, where it is as `source` describes it, to silver.

    Return how many were read, merged and deleted. A second time changes nothing.
    """
    bronze = target.sql_name(names.table("bronze", source.table))
    silver, deleted = (
        target.sql_name(names.table("silver", model.table + suffix))
        for suffix in ("", DELETED_SUFFIX)
    )
    rows = arrived(target.spark.table(bronze), since, until).where(IS_GOOD_ROW)
    ready = prepared(model.name, rows)
    view = f"definition_project_{uuid.uuid4().hex}"
    newest(
        described(ready, source, contract, model) if source != model else ready, contract, model
    ).createOrReplaceTempView(view)
    changes = (
        not_deleted_since(view, deleted, contract, model)
        if is_deletion_sql(contract, model)
        else view
    )
    [done] = target.spark.sql(merge_statement(changes, silver, contract, model, run_id)).collect()
    target.spark.catalog.dropTempView(view)
    return {
        "rows_read": rows.count(),
        "rows_merged": done["num_updated_rows"] + done["num_inserted_rows"],
        "rows_deleted": done["num_deleted_rows"],
    }
