"""What datacontract-cli says of the contracts of the tests, kept beside them.

`python tools/datacontract_cli.py` installs it, pinned, in an environment of its own and records its
verdicts.

It has some fifty distributions, so that no test installs it: tests read what is recorded here.
Record again where a contract of the corpus changes, or for another version.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from terraform import ROOT, wheel

REQUIREMENT = "datacontract-cli==1.2.8"
COMMAND = "python tools/datacontract_cli.py"
VERDICTS = ROOT / "tests" / "datacontract_verdicts.json"
# references are addresses elsewhere
OPTIONS = (
    "--all-errors",
    "--no-inline-references",
    "--output-format",
    "json",
)


def contract_files() -> list[Path]:
    """Return the contracts of the tests' corpus and of the sample project."""
    found = [
        *(ROOT / "contracts").glob("*.yaml"),
        *(ROOT / "tests" / "corpus_contracts").rglob("*.yaml"),
    ]
    return sorted(path for path in found if path.name != "datamaster.yaml")


def file_digest(path: Path) -> str:
    """Return twelve hexadecimal digits that differ where the content does."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def ask_verdict(program: Path, path: Path) -> dict[str, Any]:
    """Run `datacontract lint` on a file.

    Returns the digest of the file, the result and the first line of each reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        command = [str(program), "lint", *OPTIONS, "--output", str(output), str(path)]
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
        result = json.loads(output.read_text(encoding="utf-8"))
    reasons = [
        str(check["reason"]).replace(str(path), path.name)
        for check in result["checks"]
        if check["result"] == "failed"
    ]
    return {
        "file": file_digest(path),
        "result": result["result"],
        "reasons": [reason.partition("\n")[0] for reason in reasons],
    }


def record_verdicts(files: Iterable[Path]) -> None:
    """Write the verdict on each file, by its path from the checkout."""
    program = wheel(REQUIREMENT).with_name("datacontract")
    verdicts = {path.relative_to(ROOT).as_posix(): ask_verdict(program, path) for path in files}
    content = {"requirement": REQUIREMENT, "recorded by": COMMAND, "verdicts": verdicts}
    VERDICTS.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record_verdicts(contract_files())
    sys.stdout.write(f"{VERDICTS.relative_to(ROOT)}\n")
