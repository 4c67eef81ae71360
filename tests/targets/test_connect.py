"""What runs on serverless compute.

The same tests, through Spark Connect (`test_package` refuses what it lacks).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A part of what `make connect` runs: most of what Spark Connect is asked is asked here.
TESTS = [
    f"tests/ingest/test_life.py::{name}"
    for name in (
        "test_rows_and_deletions_in_any_order_give_the_same_silver[order1]",
        "test_history_has_every_version_and_when_it_held_in_whatever_order_they_came[order0]",
        "test_quarantine_says_why_and_where_and_a_better_contract_releases_it",
    )
]


@pytest.mark.spark
@pytest.mark.slow
def test_the_tests_of_ingest_and_silver_pass_through_spark_connect() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", *TESTS],
        cwd=ROOT,
        env={**os.environ, "DATAMASTER_CONNECT": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
