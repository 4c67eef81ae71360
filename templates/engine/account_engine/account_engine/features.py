"""What the model is trained on, and what it foretells: make this file your own."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

SOURCE = "account"  # the silver table
KEY = "account_id"
LABEL = "balance < 0"  # what is foretold; a row for which it is unknown is not trained on
CATEGORIES = {"type": "type", "currency": "currency", "brand": "brand_name"}
NUMBERS = {"days_open": "datediff(updated_at, opened_on)"}
MOST_ROWS = 200_000  # that are trained on; which ones, the hash of the key says


def features(rows: DataFrame, *more: str) -> DataFrame:
    """Return the key and the features of rows of silver, and more expressions of SQL."""
    texts = [f"coalesce(CAST({sql} AS STRING), '') AS {name}" for name, sql in CATEGORIES.items()]
    numbers = [f"CAST({sql} AS DOUBLE) AS {name}" for name, sql in NUMBERS.items()]
    return rows.selectExpr(KEY, *texts, *numbers, *more)


def training_rows(rows: DataFrame) -> DataFrame:
    """Return the rows of silver to train on, always in the same order.

    The column `label` is 1 where what is foretold is so; one row of five `is_held_out`, to measure.
    """
    return (
        features(
            rows.where(f"({LABEL}) IS NOT NULL"),
            f"CAST({LABEL} AS INT) AS label",
            f"pmod(xxhash64({KEY}), 5) = 0 AS is_held_out",
        )
        .orderBy(expr(f"xxhash64({KEY})"), KEY)
        .limit(MOST_ROWS)
    )
