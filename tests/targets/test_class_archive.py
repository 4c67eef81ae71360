"""Sessions take Spark's classes from the archive that `datamaster doctor --install` made, and start
without one that does not fit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datamaster_kit.targets.doctor import archive_check
from datamaster_kit.targets.jvm.class_archive import project_archive

pytestmark = pytest.mark.usefixtures("own_java")
ROOT = Path(__file__).resolve().parents[2]
SESSION = """
from pathlib import Path
from datamaster_kit.targets.jvm.session import local_session
print(local_session(Path({state!r})).range(3).count())
"""
ARCHIVED = "source: shared objects file (top)"


def loaded(state: Path, log: Path) -> str:
    """Start a session of a state folder, have it count, and return the log of the classes that its
    Java loaded.
    """
    environment = {**os.environ, "JDK_JAVA_OPTIONS": f"-Xlog:class+load:file={log}"}
    done = subprocess.run(
        [sys.executable, "-c", SESSION.format(state=str(state))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "3", done.stdout + done.stderr[-2000:]
    return log.read_text(encoding="utf-8")


def state_of(folder: Path) -> Path:
    """Return a state folder with the jars of the project's own."""
    (folder / "jars").mkdir()
    for jar in (ROOT / ".datamaster" / "jars").glob("*.jar"):
        (folder / "jars" / jar.name).hardlink_to(jar)
    return folder


@pytest.mark.slow
def test_a_session_takes_most_classes_from_the_archive_also_in_a_project_that_shares_the_jars(
    tmp_path: Path,
) -> None:
    folder, key, archive = project_archive(ROOT / ".datamaster")
    assert archive and archive_check(ROOT / ".datamaster").state == "ok", "make setup makes it"
    (tmp_path / "jars").symlink_to(folder)
    lines = loaded(tmp_path, tmp_path / "classes.log").splitlines()
    if project_archive(tmp_path)[1] == key:  # the Java of a package is in a folder of each project
        assert (
            sum(ARCHIVED in line for line in lines) > 5_000
            and sum("source: file:" in line or "source: jar:" in line for line in lines) < 500
        )


@pytest.mark.slow
def test_a_session_starts_without_an_archive_and_with_one_that_is_cut_off_or_is_none(
    tmp_path: Path,
) -> None:
    state = state_of(tmp_path)
    assert archive_check(state).state == "warning" and ARCHIVED not in loaded(
        state, tmp_path / "without.log"
    )
    folder, key, _ = project_archive(state)
    _, _, archive = project_archive(ROOT / ".datamaster")
    assert archive
    whole = archive.read_bytes()
    (folder / f"classes-{key}-{len(whole)}.jsa").write_bytes(whole[: len(whole) // 2])
    assert project_archive(state)[2] is None and ARCHIVED not in loaded(state, tmp_path / "cut.log")
    none = folder / f"classes-{key}-10.jsa"
    none.write_bytes(b"no archive")
    assert project_archive(state)[2] == none and ARCHIVED not in loaded(
        state, tmp_path / "none.log"
    )
