"""What a task's process finds.

A Python of its own with the task's wheels, the runtime's packages, Spark's settings, and /Volumes
and /Workspace as folders.

The runtime's packages are those of the environment that runs the tests, each as a link, without the
toolkit: so a task has the toolkit of its wheel or none. They stand in for what
Databricks Runtime has, and for the index from which `%pip` would take a wheel's requirements:
wheels are installed without theirs, and without a network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from datamaster_kit.targets.jvm.class_archive import archive_options, jars_archive
from datamaster_kit.targets.jvm.jars import session_jars
from datamaster_kit.targets.jvm.java import java_home
from datamaster_kit.targets.jvm.session import prepare_spark_folders, session_settings

from .state import Json

SERVERS = Path(__file__).parents[1]
TOOLKIT = "datamaster"
# A session of the tests, or of a process that a test starts, ends before Java's thorough compiler
# earns what it costs: a third less of the processor.
# Without that compiler Java would keep room for a fifth of the code, and drop and make again what
# it needs.
QUICK_COMPILER = (
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=240m",
    "-Djdk.lang.Process.launchMechanism=VFORK",
)
# Nor does generated code earn what it costs to compile, where it is for a few rows.
NO_CODE = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
# Spark's own defaults
GENERATED_CODE = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}
# A mount namespace of the task's own has the folders; where the caller is not root, sudo gives one,
# or a user namespace does.
MOUNTS = (
    "for at in /Volumes /Workspace; do [ -d $at ] || mkdir $at || exit 1; done; mount --bind "
    '"$1" /Volumes && mount --bind "$2" /Workspace && shift 2 && cd "$1" && shift && exec "$@"'
)


@cache
def namespace_commands() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what begins a command in a mount namespace of its own, and what makes it the caller's
    again in there.
    """
    if os.geteuid() == 0:
        return ("unshare", "-m"), ()
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ("sudo", "-n", "unshare", "-m"), (
            "setpriv",
            f"--reuid={os.geteuid()}",
            f"--regid={os.getegid()}",
            "--init-groups",
        )
    return ("unshare", "-rm"), ()


def command(
    volumes: Path, workspace: Path, folder: Path, variables: Mapping[str, str], *words: str
) -> list[str]:
    """Return a command that runs with folders for /Volumes and /Workspace, in a folder, with these
    variables and no others.
    """
    first, then = namespace_commands()
    return [
        *first,
        "sh",
        "-c",
        MOUNTS,
        "sh",
        str(volumes),
        str(workspace),
        str(folder),
        *then,
        "env",
        "-i",
        f"POOL_VOLUMES={volumes}",
        f"POOL_WORKSPACE={workspace}",
        *(f"{name}={value}" for name, value in variables.items()),
        *words,
    ]


def link_packages(folder: Path) -> None:
    """Link the packages that a runtime has, and not the toolkit."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for item in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if TOOLKIT not in item.name.lower() and item.suffix != ".pth":
            (folder / item.name).symlink_to(item)


def make_python(folder: Path, packages: Path) -> Path:
    """Make a task's Python and return its program.

    Pip is one of the runtime's packages and installs into it.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    place = Path(
        sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    )
    for name in ("runtime", "runtime/dbruntime"):
        (place / name.rpartition("/")[2]).symlink_to(SERVERS / name)
    (place / "_runtime.pth").write_text(f"{packages}\nimport runtime.hook\n", encoding="utf-8")
    return folder / "bin" / "python"


def spark_home() -> Path:
    """Return the folder of the Spark that is installed here, by which Java knows its archive of
    classes.
    """
    spec = find_spec("pyspark")
    assert spec and spec.origin
    return Path(spec.origin).parent


def variables_of(folder: Path, python: Path, state: Path, compute: str) -> dict[str, str]:
    """Return the variables of a task's process."""
    is_serverless = compute == "serverless"
    return {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder / "tmp"),
        "WORKSPACE_RUNTIME": str(folder / "told.json"),
        "DATABRICKS_RUNTIME_VERSION": "client.4.9" if is_serverless else "17.3",
        **({"IS_SERVERLESS": "TRUE"} if is_serverless else {}),
        "JAVA_HOME": str(java_home(state)),
        # The settings as a file of their own: a folder of settings in the class path would keep
        # Java from its archive of classes.
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {folder / 'conf' / 'spark.conf'} pyspark-shell",
        "SPARK_HOME": os.environ.get("SPARK_HOME", str(spark_home())),
        "SPARK_LOCAL_DIRS": str(folder / "spark" / "tmp"),
        "PYSPARK_PYTHON": str(python),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "tmp"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def furnish(folder: Path, python: Path, state: Path, told: Json) -> None:
    """Write what a task's process reads.

    What it is told, Spark's settings, and the kernel of its notebook.
    """
    for name in ("home", "tmp", "conf", "ipython/profile_default/startup", "jupyter/kernels/task"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    prepare_spark_folders(folder)
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
    files = tuple(file.resolve() for file in session_jars(state))
    _, _, archive = jars_archive(files, java_home(state))
    options = [*QUICK_COMPILER, *archive_options(archive)]
    known = {
        **session_settings(folder, files, 2, options),
        **NO_CODE,
        "spark.driver.memory": "1g",
        "spark.databricks.delta.allowArbitraryProperties.enabled": "true",
        "spark.databricks.workspaceUrl": told["host"].removeprefix("http://"),
    }
    (folder / "conf" / "spark.conf").write_text(
        "".join(f"{name} {value}\n" for name, value in known.items()), encoding="utf-8"
    )
    (folder / "ipython" / "profile_default" / "startup" / "00_runtime.py").write_text(
        "from runtime.notebook import furnish\nfurnish(get_ipython())\ndel furnish\n",
        encoding="utf-8",
    )
    kernel = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "task",
        "language": "python",
        "env": {"PYTHONPATH": ""},
    }
    (folder / "jupyter" / "kernels" / "task" / "kernel.json").write_text(
        json.dumps(kernel), encoding="utf-8"
    )


def install(
    python: Path, folder: Path, wheels: Iterable[str], volumes: Path, variables: Mapping[str, str]
) -> str:
    """Install wheels of volumes into a task's Python, and return why that fails, else ''."""
    for wheel in wheels:
        path = wheel.removeprefix("dbfs:")
        place = (
            volumes / path.removeprefix("/Volumes/") if path.startswith("/Volumes/") else Path(path)
        )
        made = subprocess.run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                str(place) if path.startswith("/") else path,
            ],
            env=dict(variables),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            return f"Library installation failed for {wheel}: {made.stderr.strip()}"
    return ""


def write_workspace(folder: Path, files: Mapping[str, Json]) -> None:
    """Write the files and notebooks of the workspace to a folder.

    A notebook of Jupyter's format has its suffix.
    """
    for path, item in files.items():
        place = folder / path.strip("/")
        if item["object_type"] == "DIRECTORY":
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        suffix = (
            ""
            if item["object_type"] == "FILE" or place.suffix
            else ".ipynb"
            if item["format"] == "JUPYTER"
            else ".py"
        )
        place.with_name(place.name + suffix).write_bytes(item["content"])


def processes_of(mark: Path) -> list[int]:
    """Return the processes that are told by a file, which they have from the task's first one."""
    found, variable = [], f"WORKSPACE_RUNTIME={mark}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def driver_words(python: Path, folder: Path, place: str) -> Sequence[str]:
    """Return the words that run a notebook: by the tests' Python, which starts the task's own."""
    return [
        "env",
        f"PYTHONPATH={SERVERS}",
        sys.executable,
        "-m",
        "runtime.run_notebook",
        str(folder),
        place,
    ]
