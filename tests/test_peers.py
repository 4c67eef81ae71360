"""The benchmark beside peers holds what they count against what it broke.

That truth is tested here.
"""

import csv
import runpy
import sys
from pathlib import Path

import pytest

from datamaster_kit.contract.sql.sqltype import sql_type
from datamaster_kit.contract.sql.table import delta_type

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
HEADER = (
    "l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,l_discount,l_tax,"
    "l_returnflag,l_linestatus,l_shipdate,l_commitdate,l_receiptdate,l_shipinstruct,l_shipmode,"
    "l_comment"
)
ROW = (
    '1,2,3,4,17.00,2.50,0.04,0.02,N,O,1996-03-13,1996-02-12,1996-03-22,NONE,MAIL,"a comment, '
    'quoted"'
)


@pytest.fixture(scope="module")
def peers():
    """The benchmark's names; it is a script, and finds its neighbour as one."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return runpy.run_path(str(BENCHMARKS / "peers.py"), run_name="peers")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_a_spoiled_file_holds_the_faults_that_it_says(peers, tmp_path):
    clean, out = tmp_path / "clean.csv", tmp_path / "spoiled.csv"
    clean.write_text("\n".join([HEADER, *[ROW] * 6000]) + "\n", encoding="utf-8")
    truth = peers["spoiled"](clean, out, peers["BREAKS"])
    with out.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    good = next(csv.DictReader([HEADER, ROW]))
    differing = [
        {name: cell for name, cell in row.items() if cell != good[name]}
        for row in rows
        if row != good
    ]
    assert (
        (truth.rows, truth.bad, truth.verdicts)
        == (len(rows), len(differing), sum(map(len, differing)))
        == (6000, 6, 7)
    )
    assert differing == [*peers["BREAKS"], peers["BREAKS"][0]]


def test_every_break_but_the_unreadable_date_breaks_a_value_rule(peers):
    contract = peers["contract_of"]("csv")
    broken = {name for way in peers["BREAKS"][:-1] for name in way}
    assert broken <= {rule.field for rule in peers["value_rules"](contract)}
    types = {item.column: sql_type(delta_type(item.type)) for item in contract.models[0].fields}
    assert [types[name] for name in peers["BREAKS"][-1]] == ["DATE"]


def test_the_page_tells_right_counts_from_wrong_ones(peers):
    truth = peers["Truth"](1000, 10, 12)
    found = {
        "seconds": 3.0,
        "cpu_seconds": None,
        "peak_mb": 100.0,
        "rows": 1000,
        "bad": 9,
        "verdicts": None,
        "note": "",
    }
    ours = [{"seconds": 2.0, "cpu_seconds": 1.0}]
    assert (
        peers["measured_line"](peers["PEERS"][0], [found], ours, truth)
        == "| plain Spark | 3.0 | 1.50 |  |  | 100 | right | wrong: 9 | – |"
    )
    assert (
        peers["measured_line"](peers["PEERS"][0], [{"note": "it failed"}], ours, truth)
        == "| plain Spark | stops | | | | | | | |"
    )


def test_a_process_that_fails_at_its_end_is_told_from_one_that_stops(peers):
    remarks = peers["remarks"]
    assert remarks([{"seconds": 1.0, "end": ""}, {"seconds": 1.0, "end": "aborted"}]).endswith(
        "In 1 of 2 runs its process failed at its end, after all had been written: `aborted`"
    )
    assert remarks([{"note": "no such module"}]) == " It said: `no such module`"
    assert remarks([{"seconds": 1.0}]) == ""
