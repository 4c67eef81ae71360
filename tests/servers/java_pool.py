"""Java that processes of the tests use one after another.

Each has a Spark of its own in it, and what is loaded and compiled stays.

pyspark starts Java by `$SPARK_HOME/bin/spark-submit`. `Pool` makes a folder whose `spark-submit` is
this file: it asks the keepers of the pool for a Java that is free, or starts one,
and tells pyspark where it listens, as Spark's own does. Once its process has ended, however it did,
the keeper ends the Spark that it had; a Java that still works then is ended with it.
A process in a mount namespace of its own gets a Java in another such namespace, with the same
folders at /Volumes and /Workspace.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

LEASES = 60  # a Java is ended after so many, so that what they leave does not add up
CLASS_PATH = "spark.driver.extraClassPath"
IDLE_SECONDS = 120.0  # and when nobody has asked for it for so long
# the folders of a task in a workspace, and the variables that name what is mounted there
MOUNTED = {
    "/Volumes": "POOL_VOLUMES",
    "/Workspace": "POOL_WORKSPACE",
}
REMOUNT = (
    'for at in /Volumes /Workspace; do umount -l $at; done; mount --bind "$1" /Volumes && mount '
    '--bind "$2" /Workspace'
)
SECONDS_TO_START = 120.0
# pyspark's own variable: where the port and the secret are written
ANSWER = "_PYSPARK_DRIVER_CONN_INFO_PATH"


class Pool:
    """A folder with the Javas of one process of tests.

    They end with it, even where it is killed.
    """

    def __init__(self, spark_home: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="java"))
        (self.folder / "bin").mkdir()
        script = self.folder / "bin" / "spark-submit"
        words = [sys.executable, "-S", str(Path(__file__).resolve())]
        script.write_text(
            f'#!/bin/sh\nexec {shlex.join(words)} lease {shlex.quote(str(self.folder))} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
        (self.folder / "home").write_text(str(spark_home), encoding="utf-8")
        (self.folder / "namespace").write_text(mount_namespace(), encoding="utf-8")
        os.mkfifo(self.folder / "alive")
        self.alive = os.open(self.folder / "alive", os.O_RDWR)

    def __enter__(self) -> Pool:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the Javas."""
        os.close(self.alive)
        end = time.monotonic() + 10
        while list(self.folder.glob("*.socket")) and time.monotonic() < end:
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)


def told(arguments: Sequence[str]) -> dict[str, str]:
    """Return the settings that `spark-submit` is told, in a file or by themselves."""
    found: dict[str, str] = {}
    for option, text in pairwise(arguments):
        if option == "--properties-file":
            lines = Path(text).read_text(encoding="utf-8").splitlines()
            found |= dict(line.split(" ", 1) for line in lines if line)
        elif option == "--conf":
            name, _, value = text.partition("=")
            found[name] = value
    return found


def mount_namespace() -> str:
    """Return the mount namespace of this process."""
    return str(Path("/proc/self/ns/mnt").readlink())


def places(folder: Path) -> list[list[int]]:
    """Return what is mounted here for a workspace's task.

    Nothing where the tests themselves run.
    """
    if mount_namespace() == (folder / "namespace").read_text(encoding="utf-8"):
        return []
    return [[(there := Path(at).stat()).st_dev, there.st_ino] for at in MOUNTED]


def are_mounted(folder: Path, request: Mapping[str, Any]) -> bool:
    """Have the folders of a process here that asks, and say whether they are."""
    if request["places"] != places(folder) and request["places"] and places(folder):
        subprocess.run(["sh", "-c", REMOUNT, "sh", *request["folders"]], check=False)
    return request["places"] == places(folder)


def asked(file: Path, request: Mapping[str, Any]) -> tuple[socket.socket, dict[str, Any]] | None:
    """Return a keeper's answer and the connection that keeps it, None where its Java is another's
    or gone.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(30)
        connection.connect(str(file))
        with connection.makefile("rw", encoding="utf-8") as text:
            text.write(json.dumps(request) + "\n")
            text.flush()
            answer = json.loads(text.readline() or "{}")
        if answer:
            connection.settimeout(None)
            return connection, answer
    except OSError:
        pass
    connection.close()
    return None


def lease(folder: Path, arguments: list[str]) -> int:
    """Do as `spark-submit pyspark-shell` does, with a Java of the pool.

    It ends with the process that started it.
    """
    settings = told(arguments)
    request = {
        "places": places(folder),
        "folders": [os.environ.get(name, "") for name in MOUNTED.values()],
        "settings": settings,
    }
    found = next(
        filter(None, (asked(file, request) for file in sorted(folder.glob("*.socket")))), None
    )
    if found is None:
        name = f"{time.time_ns():x}"
        kept = {
            key: text
            for key, text in os.environ.items()
            if key not in (ANSWER, "WORKSPACE_RUNTIME", "PYTEST_CURRENT_TEST")
        }
        words = [
            sys.executable,
            str(Path(__file__).resolve()),
            "keep",
            str(folder),
            name,
            *arguments,
        ]
        with (folder / f"{name}.log").open("wb") as log:
            keeper = subprocess.Popen(
                words,
                env=kept,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + SECONDS_TO_START
        while found is None:
            if keeper.poll() is not None or time.monotonic() > end:
                sys.stderr.write(
                    (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
                )
                return 1
            if (folder / f"{name}.socket").exists():
                found = asked(folder / f"{name}.socket", request)
            time.sleep(0.02)
    connection, answer = found
    secret = answer["secret"].encode()
    there = Path(os.environ[ANSWER])
    part = there.with_name(there.name + ".part")
    part.write_bytes(struct.pack(f">ii{len(secret)}s", answer["port"], len(secret), secret))
    part.rename(there)
    while os.read(0, 4096):
        pass
    connection.close()
    return 0


class Java:
    """A Java that a keeper has started, and its side of py4j."""

    def __init__(self, folder: Path, name: str, arguments: Sequence[str]) -> None:
        scratch = folder / f"{name}.files"
        scratch.mkdir()
        own = f"-Djava.io.tmpdir={scratch} -Dderby.system.home={scratch}"
        settings = told(arguments)
        settings["spark.driver.extraJavaOptions"] = (
            f"{settings.get('spark.driver.extraJavaOptions', '')} {own}"
        )
        self.class_path = settings.get(CLASS_PATH)
        home = Path((folder / "home").read_text(encoding="utf-8"))
        variables = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_DIRS": str(scratch),
            ANSWER: str(folder / f"{name}.answer"),
            "SPARK_CONNECT_MODE": "0",
        }
        words = [
            str(home / "bin" / "spark-submit"),
            *(word for pair in settings.items() for word in ("--conf", "=".join(pair))),
            "pyspark-shell",
        ]
        self.process = subprocess.Popen(words, env=variables, cwd=folder, stdin=subprocess.PIPE)
        end = time.monotonic() + SECONDS_TO_START
        while not (folder / f"{name}.answer").exists():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"Java ended with {self.process.poll()}")
            time.sleep(0.02)
        port, secret = self.answered(folder / f"{name}.answer")

        from py4j.clientserver import ClientServer, JavaParameters, PythonParameters

        self.gateway = ClientServer(
            JavaParameters(port=port, auth_token=secret, auto_convert=True),
            PythonParameters(port=0, eager_load=False),
        )
        self.server: Any = None

    @staticmethod
    def answered(file: Path) -> tuple[int, str]:
        """Return the port and the secret that Java has told, once both are there."""
        while (
            len(said := file.read_bytes()) < 8 or len(said) < 8 + struct.unpack(">i", said[4:8])[0]
        ):
            time.sleep(0.02)
        return struct.unpack(">i", said[:4])[0], said[8:].decode()

    def lend(self, settings: Mapping[str, str]) -> tuple[int, str]:
        """Have Java know the settings of a process and none of the last one's.

        Return where a server of py4j for it alone listens, and its secret.

        Python's objects have the same names in each process: with one server for all, what Java
        collects of the last process is told to the next, which then forgets its own.
        """
        system = self.gateway.jvm.java.lang.System
        for name in list(system.getProperties().stringPropertyNames()):
            if name.startswith("spark."):
                system.clearProperty(name)
        for name, text in settings.items():
            system.setProperty(name, text)
        spark = self.gateway.jvm.org.apache.spark
        self.server = spark.api.python.Py4JServer(spark.SparkConf(False))
        self.server.start()
        return self.server.getListeningPort(), self.server.secret()

    def clean(self) -> bool:
        """End the Spark that is in it and the server of its process, and say whether nothing is
        left.
        """
        spark = self.gateway.jvm.org.apache.spark
        contexts = (
            self.gateway.jvm.java.lang.Class.forName("org.apache.spark.SparkContext$")
            .getField("MODULE$")
            .get(None)
        )
        found = contexts.getActive()
        is_idle = True
        if found.isDefined():
            context = found.get()
            is_idle = not len(context.statusTracker().getActiveJobIds())
            context.stop()
        spark.sql.classic.SparkSession.clearActiveSession()
        spark.sql.classic.SparkSession.clearDefaultSession()
        spark.sql.delta.DeltaLog.clearCache()
        self.server.shutdown()
        return is_idle

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def keep(folder: Path, name: str, arguments: list[str]) -> int:
    """Start a Java and lend it to one process at a time, until the tests have ended."""
    alive = os.open(folder / "alive", os.O_RDONLY)
    java, file = Java(folder, name, arguments), folder / f"{name}.socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / f"{name}.part"))
    listener.listen(16)
    (folder / f"{name}.part").rename(file)
    held: socket.socket | None = None
    leases = 0
    try:
        while True:
            ready, _, _ = select.select(
                [alive, listener, *([held] if held else [])], [], [], None if held else IDLE_SECONDS
            )
            if not ready or alive in ready or java.process.poll() is not None:
                return 0
            if held and held in ready and not held.recv(4096):
                held.close()
                held = None
                if not java.clean() or leases >= LEASES:
                    return 0
            if listener in ready:
                connection, _ = listener.accept()
                with connection.makefile("rw", encoding="utf-8") as text:
                    request = json.loads(text.readline() or "{}")
                    if (
                        held
                        or request["settings"].get(CLASS_PATH) != java.class_path
                        or not are_mounted(folder, request)
                    ):
                        connection.close()
                        continue
                    port, secret = java.lend(request["settings"])
                    leases += 1
                    text.write(json.dumps({"port": port, "secret": secret}) + "\n")
                    text.flush()
                held = connection
    finally:
        file.unlink()
        java.end()


if __name__ == "__main__":
    role, where, *more = sys.argv[1:]
    sys.exit(lease(Path(where), more) if role == "lease" else keep(Path(where), more[0], more[1:]))
