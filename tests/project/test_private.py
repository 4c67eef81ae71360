"""What is local is its owner's alone: folders, ports and the jars that are run."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.forms.file.saving import Draft, keep_draft
from datamaster_kit.forms.trial.scratch import acquire_scratch_folder
from datamaster_kit.targets.jvm.jars import PINS, require_jars
from datamaster_kit.targets.jvm.session import prepare_spark_folders, session_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder of a project, made where everybody may read what is made."""
    before = os.umask(0o000)
    (tmp_path / "project" / "contracts").mkdir(parents=True)
    yield tmp_path / "project"
    os.umask(before)


def rights(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_the_state_folder_is_its_owners_alone_whoever_makes_it(project: Path) -> None:
    makers = (
        lambda: keep_draft(project / "contracts" / "a.yaml", project, Draft("a: 1\n", "")),
        lambda: acquire_scratch_folder(project, "trial", "x")[1].close(),
        lambda: prepare_spark_folders(project / ".datamaster"),
    )
    for make in makers:
        make()
        assert rights(project / ".datamaster") == 0o700
        subprocess.run(["rm", "-rf", str(project / ".datamaster")], check=True)
    assert rights(project / "contracts") == 0o777, "what is a person's own keeps its rights"


def test_a_state_folder_that_others_could_read_is_closed_when_it_is_used(project: Path) -> None:
    (project / ".datamaster").mkdir(mode=0o777)
    prepare_spark_folders(project / ".datamaster")
    assert rights(project / ".datamaster") == 0o700


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data + b"x", lambda data: b""],
)
def test_a_jar_that_was_tampered_with_is_refused_when_it_is_used(
    tmp_path: Path, damage: Any
) -> None:
    (tmp_path / "jars").mkdir()
    for pin in PINS:
        (tmp_path / "jars" / pin.file).write_bytes(
            (ROOT / ".datamaster" / "jars" / pin.file).read_bytes()
        )
    assert len(require_jars(tmp_path)) == len(PINS)
    victim = tmp_path / "jars" / PINS[1].file
    before = victim.stat()
    victim.write_bytes(damage(victim.read_bytes()))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DatamasterError) as raised:
        require_jars(tmp_path)
    [fault] = raised.value.faults
    assert (
        fault.code == "no-jars"
        and PINS[1].file in fault.message
        and "not the one that is pinned" in fault.message
        and "--install" in fault.hint
    )


def listening(process: int) -> list[tuple[str, int]]:
    """Return the addresses at which a process listens, as the kernel has them."""
    links = []
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            links.append(str(file.readlink()))
    sockets = {match[1] for link in links if (match := re.match(r"socket:\[(\d+)\]", link))}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            part = line.split()
            if part[3] == "0A" and part[9] in sockets:
                address, port = part[1].split(":")
                found.append((address, int(port, 16)))
    return found


def test_the_local_session_listens_to_this_machine_alone_and_asks_who_is_there(spark: Any) -> None:
    if os.environ.get("DATAMASTER_CONNECT"):
        pytest.skip("the session is another process's")
    spark.range(4).repartition(2).count()
    java = spark.sparkContext._gateway.proc.pid
    found = [*listening(java), *listening(os.getpid())]
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert len(found) >= 3 and {address for address, _ in found} <= loopback, found
    conf = dict(spark.sparkContext.getConf().getAll())
    assert (
        conf["spark.authenticate"] == "true"
        and conf["spark.ui.enabled"] == "false"
        and session_settings(Path("x"), (), 2)["spark.authenticate"] == "true"
    )
    for _, port in listening(java):
        assert not is_answered(port), f"port {port} answers whoever asks"


def is_answered(port: int) -> bool:
    """A stranger's request is answered otherwise than by a refusal.

    One of Spark's own protocol, and one of Py4J's.
    """
    body = b"stranger"
    request = struct.pack(">QBQI", 8 + 1 + 8 + 4 + len(body), 3, 1, len(body)) + body
    answers = []
    for said in (request, b"c\nt\ngetJavaSparkContext\ne\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.settimeout(5)
            try:
                connection.sendall(said)
                answers.append(connection.recv(4096))
            except (TimeoutError, ConnectionError):
                answers.append(b"")
    refused = [
        not answer
        or b"SaslMessage" in answer
        or b"SecurityException" in answer
        or b"SaslException" in answer
        or b"Authentication" in answer
        or answer.startswith(b"!x")
        for answer in answers
    ]
    return not all(refused)


def test_the_folder_of_the_session_is_its_owners_alone(spark: Any) -> None:
    assert rights(ROOT / ".datamaster") == 0o700
