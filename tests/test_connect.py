"""What runs on serverless compute: nothing of Spark that Spark Connect lacks, and the same tests through it."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_IN_CONNECT = re.compile(r"\.(?:cache|persist|unpersist|rdd|toJavaRDD|newSession|sparkContext|_jvm|_jdf|_jsparkSession)\b|\bDeltaTable\b|\.conf\.set\(")
TESTS = ["tests/test_lakehouse.py", "tests/test_life.py", "-k", "lakehouse or any_order or whatever_order or quarantine_says or person_corrects"]


def test_no_module_uses_what_spark_connect_lacks() -> None:
    found = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path in sorted((ROOT / "datamaster_kit").rglob("*.py"))
             for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if NOT_IN_CONNECT.search(line)]
    assert found == []


@pytest.mark.spark
@pytest.mark.slow
def test_the_tests_of_ingest_and_silver_pass_through_spark_connect() -> None:
    ended = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", *TESTS], cwd=ROOT, env={**os.environ, "DATAMASTER_CONNECT": "1"}, capture_output=True, text=True,
                           timeout=1800, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:]
