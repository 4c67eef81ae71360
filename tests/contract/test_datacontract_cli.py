"""What `contract lint` says of a contract against what datacontract-cli says, recorded once.

Each disagreement is known, with its reason.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import datacontract_cli as tools  # noqa: E402

from datamaster_kit.contract.lint import lint  # noqa: E402

RECORDED = json.loads(tools.VERDICTS.read_text(encoding="utf-8"))
OF_THEIRS = {  # which it refuses, and this toolkit takes
    "11_decimal_precision_in_options.yaml": "ODCS has no precision and scale among the "
    "options; files have them all the same, and they are read, with a warning",
    "dcs_1_1_0.yaml": "its YAML library takes ? in a flow mapping for a key; in a cron expression "
    "it is a text, as YAML 1.2 says",
}
OF_OURS = {  # which this toolkit refuses, and it takes
    "16_retention_unit_m.yaml": "6 m is minutes or months, and data is deleted by it; it does not "
    "read service levels",
    "26_limits_no_value_can_keep.yaml": "it holds a file against the schema alone, and no limit "
    "against another",
    "order.yaml": "a part that another contract refers to, and no contract: it takes what has "
    "neither key for DCS",
}


def test_every_contract_of_the_corpus_has_a_verdict_on_what_it_is_now() -> None:
    assert (RECORDED["requirement"], RECORDED["recorded by"]) == (tools.REQUIREMENT, tools.COMMAND)
    now = {
        path.relative_to(ROOT).as_posix(): tools.file_digest(path)
        for path in tools.contract_files()
    }
    assert {name: verdict["file"] for name, verdict in RECORDED["verdicts"].items()} == now, (
        f"record the verdicts again: {tools.COMMAND}"
    )


@pytest.mark.parametrize("name", RECORDED["verdicts"], ids=lambda name: Path(name).stem)
def test_lint_agrees_but_where_a_reason_is_known(name: str) -> None:
    verdict, file = RECORDED["verdicts"][name], Path(name).name
    errors = [fault.code for fault in lint([str(ROOT / name)]) if fault.severity == "error"]
    disagreement = (
        ("theirs" if not errors else "")
        if verdict["result"] == "failed"
        else "ours"
        if errors
        else ""
    )
    known = "theirs" if file in OF_THEIRS else "ours" if file in OF_OURS else ""
    assert disagreement == known, (errors, verdict["reasons"])


def test_what_it_refuses_by_the_schema_is_refused_by_the_schema_here() -> None:
    """The same kind of fault, and not by chance another one."""
    reasons = {
        Path(name).name: verdict["reasons"]
        for name, verdict in RECORDED["verdicts"].items()
        if verdict["result"] == "failed" and Path(name).name not in OF_THEIRS
    }
    kinds = {
        file: [
            fault.code
            for fault in lint([str(ROOT / "tests" / "corpus_contracts" / file)])
            if fault.severity == "error"
        ]
        for file in reasons
    }
    assert {
        file for file, found in reasons.items() if found[0].startswith("Cannot parse YAML")
    } == {file for file, codes in kinds.items() if "yaml-merge" in codes}
    assert all(
        {"odcs-schema", "odcs-unknown-key", "yaml-merge", "yaml-number"} & {*codes}
        for codes in kinds.values()
    ), kinds
