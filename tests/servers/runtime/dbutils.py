"""A stand-in for `dbutils` (Databricks, *Databricks Utilities reference*).

Widgets, library, notebook, secrets, and files of volumes.
"""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from runtime import told
from runtime.service import ask


class Leave(Exception):
    """The cell is left: the notebook ends, or Python starts anew."""

    def _render_traceback_(self) -> list[str]:
        return []


class InputWidgetNotDefined(Exception):
    """No widget and no parameter has the name."""


class Widgets:
    """Parameters of the task, and widgets with values of their own."""

    def __init__(self) -> None:
        self.own: dict[str, str] = {}

    def get(self, name: str) -> str:
        """Return a value; a parameter of the task comes before a widget's own."""
        values = {**self.own, **told()["parameters"]}
        if name not in values:
            raise InputWidgetNotDefined(f"No input widget named {name} is defined")
        return str(values[name])

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the utility's own name
        """Return all values."""
        return {**self.own, **told()["parameters"]}

    def text(self, name: str, defaultValue: str, label: str = "") -> None:  # noqa: N803 - the utility's own name
        """Make a widget."""
        self.own[name] = defaultValue

    def dropdown(self, name: str, defaultValue: str, choices: list[str], label: str = "") -> None:  # noqa: N803 - the utility's own name
        """Make a widget of choices."""
        if defaultValue not in choices:
            raise ValueError(f"The default value {defaultValue} is not one of the choices")
        self.own[name] = defaultValue

    combobox = multiselect = dropdown

    def remove(self, name: str) -> None:
        """Remove a widget."""
        self.own.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 - the utility's own name
        """Remove all widgets."""
        self.own.clear()


class Library:
    """Python of the notebook."""

    def restartPython(self) -> NoReturn:  # noqa: N802 - the utility's own name
        """Start Python anew; the notebook goes on after the cell."""
        Path(told()["folder"], "restart").touch()
        raise Leave


class Held:
    """A value that is got by `get()`, as Java's are."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get(self) -> str:
        """Return it."""
        return self.value


class Context:
    """Where the notebook runs."""

    def notebookPath(self) -> Held:  # noqa: N802 - the utility's own name
        """The notebook's path."""
        return Held(told()["notebook_path"])

    def apiUrl(self) -> Held:  # noqa: N802 - the utility's own name
        """The workspace."""
        return Held(told()["host"])

    def apiToken(self) -> Held:  # noqa: N802 - the utility's own name
        """The token of whoever runs it."""
        return Held(told()["token"])


class Notebook:
    """The notebook that runs."""

    def exit(self, value: str) -> NoReturn:
        """End the notebook, with a value."""
        Path(told()["folder"], "exit").write_text(str(value), encoding="utf-8")
        raise Leave

    def getContext(self) -> Context:  # noqa: N802 - the utility's own name
        """Return where it runs."""
        return Context()

    @property
    def entry_point(self) -> Any:
        """The utility's entry in Java, from which the context is got."""
        return self

    def getDbutils(self) -> Any:  # noqa: N802 - the utility's own name
        """Return the utility."""
        return self

    def notebook(self) -> Notebook:
        """Return the notebook."""
        return self


class Secrets:
    """Secrets of the workspace, as its permissions let whoever runs the task read them."""

    def get(self, scope: str, key: str) -> str:
        """Return a secret."""
        return self.getBytes(scope, key).decode()

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - the utility's own name
        """Return a secret's bytes."""
        return base64.b64decode(ask("GET", "/api/2.0/secrets/get", scope=scope, key=key)["value"])


@dataclass(frozen=True)
class FileInfo:
    """A file or folder."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - the utility's own name


class Files:
    """Files of volumes."""

    def at(self, path: str) -> Path:
        """Return where a path is."""
        return Path(path.removeprefix("dbfs:").removeprefix("file:"))

    def ls(self, path: str) -> list[FileInfo]:
        """Return what is in a folder."""
        return [
            FileInfo(
                f"dbfs:{item}{'/' if item.is_dir() else ''}",
                item.name + ("/" if item.is_dir() else ""),
                0 if item.is_dir() else item.stat().st_size,
                int(item.stat().st_mtime * 1000),
            )
            for item in sorted(self.at(path).iterdir())
        ]

    def head(self, path: str, max_bytes: int = 65536) -> str:
        """Return a file's beginning."""
        return self.at(path).read_bytes()[:max_bytes].decode("utf-8", "replace")

    def put(self, path: str, contents: str, overwrite: bool = False) -> bool:
        """Write a file."""
        with self.at(path).open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(contents)
        return True

    def mkdirs(self, path: str) -> bool:
        """Make a folder."""
        self.at(path).mkdir(parents=True, exist_ok=True)
        return True

    def cp(self, source: str, to: str, recurse: bool = False) -> bool:
        """Copy a file, or a folder where that is said."""
        (shutil.copytree if recurse else shutil.copyfile)(self.at(source), self.at(to))
        return True

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Remove a file, or a folder where that is said."""
        place = self.at(path)
        shutil.rmtree(place) if recurse and place.is_dir() else place.unlink()
        return True


class DBUtils:
    """The utilities."""

    def __init__(self) -> None:
        self.widgets, self.library, self.notebook, self.secrets, self.fs = (
            Widgets(),
            Library(),
            Notebook(),
            Secrets(),
            Files(),
        )
