"""Which Java is taken, and that its program is not run more often than there is something to
learn.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.targets.doctor import java_check
from datamaster_kit.targets.jvm.java import find_java, java_home, java_version


def written_java(home: Path, version: str) -> Path:
    """Write a program that says a version, notes each call of it, and return its notes."""
    program, notes = home / "bin" / "java", home / "calls"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f"#!/bin/sh\necho asked >> '{notes}'\necho 'openjdk version \"{version}\"' >&2\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return notes


def test_java_is_asked_for_its_version_once_in_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = written_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert (
        java_check().detail == "17, from JAVA_HOME"
        and find_java().version == 17
        and java_home(tmp_path / "state") == tmp_path
    )
    assert notes.read_text(encoding="utf-8").splitlines() == ["asked"]


def test_a_java_that_was_replaced_or_was_not_there_is_asked_again(tmp_path: Path) -> None:
    assert java_version(tmp_path) == 0
    notes = written_java(tmp_path, "11.0.2")
    assert java_version(tmp_path) == 11
    written_java(tmp_path, "21")
    os.utime(tmp_path / "bin" / "java", ns=(1, 1))
    assert java_version(tmp_path) == 21 and len(notes.read_text(encoding="utf-8").splitlines()) == 2


def test_javas_that_do_not_serve_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_java(tmp_path, "1.8.0_292")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(
        "datamaster_kit.targets.jvm.java.java_candidates",
        lambda: [(tmp_path, "JAVA_HOME"), (tmp_path / "none", "PATH")],
    )
    with pytest.raises(DatamasterError, match="JAVA_HOME has 8, PATH has none"):
        find_java()
