"""The Apache Kafka that tests start.

`python tools/kafka_broker_jars.py` fetches its jars, pinned in `kafka_broker_jars.txt`, into
.datamaster/tools. Users need none of them: what Spark needs to read a topic comes by
`datamaster doctor --install`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from datamaster_kit.targets.jvm import jars
from datamaster_kit.targets.jvm.java import find_java

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".datamaster" / "tools" / "kafka-broker-4.1.1"
_MODULE = """<ivy-module version="2.0"><info organisation="tests" module="broker"/>
<configurations><conf name="default"/></configurations><dependencies>{}</dependencies></ivy-module>
"""
_DEPENDENCY = (
    '<dependency org="{0.organisation}" name="{0.name}" rev="{0.version}" transitive="false" '
    'conf="default->master,default" force="true"/>'
)


def broker_pins() -> tuple[jars.Pin, ...]:
    """Return the jars of the broker."""
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return tuple(jars.Pin(*line.split()) for line in lines if line and not line.startswith("#"))


def missing_pins(folder: Path = FOLDER) -> tuple[jars.Pin, ...]:
    """Return the jars that a folder lacks, or has damaged."""
    return tuple(pin for pin in broker_pins() if not jars.is_intact(folder / pin.file, pin))


def install(folder: Path = FOLDER) -> None:
    """Fetch the jars that are missing, all at once; raises SystemExit where one cannot be had."""
    wanted = missing_pins(folder)
    if not wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    settings = os.environ.get("DATAMASTER_IVY_SETTINGS")
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        module = Path(draft, "ivy.xml")
        module.write_text(_MODULE.format("".join(map(_DEPENDENCY.format, wanted))), "utf-8")
        command = [
            str(find_java().home / "bin" / "java"),
            f"-Duser.home={folder}",
            *jars._trust_options(Path(draft)),
            "-jar",
            str(jars._ivy_jar()),
            *(["-settings", settings] if settings else []),
            "-cache",
            str(Path(draft, "cache")),
            "-ivy",
            str(module),
            "-confs",
            "default",
            "-retrieve",
            str(Path(draft, "[artifact]-[revision].[ext]")),
        ]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        for pin in wanted:
            if jars.is_intact(Path(draft, pin.file), pin):
                Path(draft, pin.file).replace(folder / pin.file)
    if lacking := missing_pins(folder):
        said = "\n".join((shown.stdout + shown.stderr).strip().splitlines()[-8:])
        raise SystemExit(f"{', '.join(pin.file for pin in lacking)} could not be had:\n{said}")


if __name__ == "__main__":
    install()
    sys.stdout.write(f"{FOLDER}\n")
