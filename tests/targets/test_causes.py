"""An error names its cause: the innermost message, the file or table, and a remedy.

What is nobody's code has a registered code of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_life import KEYED, Lake

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.ingest.ingest import build_silver, ingest_files
from datamaster_kit.targets.cause import cause_fault, cause_of

pytestmark = pytest.mark.spark
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


def faults_of(lake: Lake, step) -> list[tuple[str, str]]:
    with pytest.raises(DatamasterError) as raised:
        step(lake.target, lake.project, lake.now)
    return [(fault.code, str(fault)) for fault in raised.value.faults]


def test_a_table_that_still_has_an_older_rule_is_told_with_the_rule_and_what_mends_it(
    lake: Lake,
) -> None:
    lake.contract(KEYED.replace("minimum: 0", "minimum: 10"))
    lake.apply()
    lake.contract(KEYED, version="1.1.0")
    lake.land("a.csv", "id,amount\n1,5.00\n")
    ingest_files(lake.target, lake.project, lake.now)
    [(code, said)] = faults_of(lake, build_silver)
    assert (
        code == "table-rule"
        and "silver of order" in said
        and "amount_range" in said
        and "unity apply" in said
        and "calling o" not in said
    )
    assert lake.rows("bronze/runs")[-1] is not None and [
        row["error"]
        for row in lake.rows("bronze/runs")
        if row["result"] == "failed" and "amount_range" in row["error"]
    ]
    lake.apply()
    build_silver(lake.target, lake.project, lake.now)
    assert len(lake.rows("silver/order")) == 1


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root may write everywhere"
)
def test_a_checkpoint_without_permission_is_told() -> None:
    assert (
        cause_fault(PermissionError(13, "Permission denied", "/lake/checkpoint")).code
        == "no-permission"
    )  # type: ignore[union-attr]


def test_a_query_that_fails_gives_its_own_words(spark) -> None:
    with pytest.raises(Exception) as raised:
        spark.sql("SELECT raise_error('no such rate') FROM range(3)").collect()
    assert "no such rate" in cause_of(raised.value) and "calling o" not in cause_of(raised.value)


STEPS = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path({tests!r})))
from datamaster_kit.cli.main import main
sys.argv = ["datamaster", *sys.argv[1:]]
{before}
main()
"""


def project(folder: Path) -> Path:
    (folder / "contracts").mkdir()
    (folder / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n", encoding="utf-8")
    (folder / "contracts" / "shop.yaml").write_text(
        "dataContractSpecification: 1.1.0\nid: urn:shop\ninfo: {title: Shop, version: "
        "1.0.0}\nmodels:\n  order:\n    fields:\n      id: {type: long}\n",
        encoding="utf-8",
    )
    (folder / ".datamaster" / "landing" / "order").mkdir(parents=True)
    (folder / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    return folder


def run(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            STEPS.format(tests=str(ROOT / "tests" / "ingest"), before=before),
            *arguments,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


KILLS_JAVA = """
import os, signal
from datamaster_kit.targets.readers import local_files
def kill(*_):
    from pyspark.sql import SparkSession
    os.kill(SparkSession.active().sparkContext._gateway.proc.pid, signal.SIGKILL)
    raise_in = SparkSession.active().sql("SELECT 1").collect()
local_files.read_batch = kill
"""
LIMITS_FILES = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from datamaster_kit.targets.readers import local_files
read = local_files.read_batch
def limited(*given):
    from pyspark.sql import SparkSession
    pid = SparkSession.active().sparkContext._gateway.proc.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, 100))
    return read(*given)
local_files.read_batch = limited
"""


@pytest.mark.slow
@pytest.mark.usefixtures("own_java")
@pytest.mark.parametrize(
    ("before", "code"), [(KILLS_JAVA, "java-gone"), (LIMITS_FILES, "disk-full")]
)
def test_java_that_has_gone_and_a_disk_that_is_full_are_told_with_their_remedy(
    tmp_path: Path, before: str, code: str
) -> None:
    folder = project(tmp_path)
    made = run(folder, "unity", "apply")
    assert made.returncode == 0, made.stderr[-2000:]
    (folder / ".datamaster" / "landing" / "order" / "a.csv").write_text("id\n1\n", encoding="utf-8")
    failed = run(folder, "ingest", "run", before=before)
    assert (
        failed.returncode not in (0, -signal.SIGKILL)
        and f"[{code}]" in failed.stderr
        and "calling o" not in failed.stderr
    ), failed.stderr[-3000:]
    assert run(folder, "ingest", "run").returncode == 0, "and it goes on where it stopped"
