"""What the tests share: one Spark session a process."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    """The process's Spark session, with the jars that `make setup` fetched."""
    from datamaster_kit.target.session import local_session

    return local_session(ROOT / ".datamaster")
