"""Notebooks, files and directories of the workspace (reference page *Workspace*)."""

from __future__ import annotations

import base64
import binascii
import json
from email.parser import BytesParser
from email.policy import HTTP

from databricks.sdk.service import workspace

from .identities import administers_workspace, identities, principal_named
from .refusals import Refusal, absent, denied, exists, invalid
from .routes import Content, Request, serves
from .state import Json, State, now

LIMIT = 10 * 1024 * 1024
LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
HEADERS = (
    "# Databricks notebook source",
    "-- Databricks notebook source",
    "// Databricks notebook source",
)
LEVELS = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")
ROOTS = ("/", "/Users", "/Shared", "/Repos", "/Workspace")


def path_of(text: str) -> str:
    """Return a path as it is kept: /Workspace/Users/x is /Users/x."""
    if not text.startswith("/"):
        raise invalid(f"Path ({text}) must start with '/'.")
    return "/" + "/".join(part for part in text.removeprefix("/Workspace").split("/") if part)


def is_home(state: State, path: str) -> bool:
    """The path is the home of a user or service principal of the workspace (Databricks, *Workspace
    browser*).
    """
    folder, _, name = path.rpartition("/")
    return (
        folder == "/Users"
        and principal_named(state, name, ("Users", "ServicePrincipals"), in_account=False)
        is not None
    )


def node(state: State, text: str) -> Json:
    """Return what is at a path; roots and homes are there without being made."""
    found = state.files.get(path_of(text))
    if not found and (path_of(text) in ROOTS or is_home(state, path_of(text))):
        return add(state, path_of(text), "DIRECTORY")
    if not found:
        raise absent(f"Path ({text}) doesn't exist.")
    return found


def may_use(state: State, caller: str, path: str, level: str) -> bool:
    """The caller administers the workspace, or the path is in its own home or in no home, or the
    level is held on what is there or on a folder that it is in.
    """
    parts = path.split("/")
    if (
        administers_workspace(state, caller)
        or len(parts) < 3
        or parts[1] != "Users"
        or parts[2].lower() == caller.lower()
    ):
        return True
    known, levels = identities(state, caller), LEVELS[LEVELS.index(level) :]
    for at in range(2, len(parts)):
        identity = str(state.files.get("/".join(parts[: at + 1]), {}).get("object_id"))
        for kind in ("directories", "notebooks", "files"):
            entries = state.permissions.get((kind, identity), [])
            if any(
                entry["permission_level"] in levels
                and known
                & {entry.get(key) for key in ("user_name", "group_name", "service_principal_name")}
                for entry in entries
            ):
                return True
    return False


def need_path(state: State, caller: str, text: str, level: str) -> None:
    """Refuse a caller that has less than a level on a path."""
    if not may_use(state, caller, path_of(text), level):
        raise denied(f"{caller} does not have {level} permission on {path_of(text)}")


def add(state: State, path: str, kind: str, **said: object) -> Json:
    """Put something at a path; what was there keeps its id."""
    there = state.files.get(path, {})
    moment = now()
    state.files[path] = {
        "path": path,
        "object_type": kind,
        "object_id": there.get("object_id") or state.next_id(),
        "created_at": there.get("created_at", moment),
        "modified_at": moment,
        **said,
    }
    return state.files[path]


def shown(item: Json) -> Json:
    """Return what the service shows of it."""
    return {
        **{key: value for key, value in item.items() if key not in ("content", "format")},
        "resource_id": str(item["object_id"]),
    }


def form_of(request: Request) -> Json:
    """Return the fields of an import.

    JSON with the content as base64, or a form with it as a file.
    """
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.content
        )
        said: Json = {}
        for part in message.iter_parts():  # type: ignore[attr-defined]
            name, content = (
                str(part.get_param("name", header="content-disposition")),
                bytes(part.get_payload(decode=True) or b""),
            )
            said[name] = content if name == "content" else content.decode()
        return {**said, "overwrite": said.get("overwrite") == "true"}
    try:
        said = json.loads(request.content)
        return {**said, "content": base64.b64decode(said.get("content") or "", validate=True)}
    except (ValueError, binascii.Error) as error:
        raise invalid(f"The content is not base64 in JSON: {error}") from error


@serves(workspace.WorkspaceAPI.import_, "workspace/workspace/import", has_content=True)
def import_(state: State, request: Request) -> None:
    """Import a notebook or a file.

    Its folder is there, and nothing else is at its path unless it is to be overwritten.
    """
    said = form_of(request)
    unknown = set(said) - {"path", "content", "format", "language", "overwrite"}
    if unknown or not said.get("path"):
        raise invalid(
            "; ".join(
                [
                    *(f"unknown field {name}" for name in sorted(unknown)),
                    *(["Missing required field: path"] if not said.get("path") else []),
                ]
            )
        )
    need_path(state, request.caller, said["path"], "CAN_EDIT")
    path, content, form = path_of(said["path"]), said["content"], said.get("format", "SOURCE")
    if form not in ("SOURCE", "AUTO", "JUPYTER", "RAW"):
        raise invalid(f"The test server does not import {form}")
    if len(content) > LIMIT:
        raise Refusal(
            400,
            "MAX_NOTEBOOK_SIZE_EXCEEDED",
            f"File size imported is ({len(content)} bytes), exceeded max size ({LIMIT} bytes)",
        )
    kind, language = what_it_is(path, content, form, said.get("language"))
    if kind == "NOTEBOOK" and form == "AUTO":
        path = path.rsplit(".", 1)[0]
    parent = path.rsplit("/", 1)[0] or "/"
    if (
        parent not in ROOTS
        and not is_home(state, parent)
        and state.files.get(parent, {}).get("object_type") != "DIRECTORY"
    ):
        raise absent(f"The parent folder ({parent}) does not exist.")
    there = state.files.get(path)
    if there and not said.get("overwrite"):
        raise exists(f"Path ({path}) already exists.")
    if there and there["object_type"] != kind:
        raise exists(f"Node named '{path.rsplit('/', 1)[1]}' already exists")
    add(
        state,
        path,
        kind,
        content=content,
        format="JUPYTER" if form == "JUPYTER" or said["path"].endswith(".ipynb") else "SOURCE",
        **({"language": language} if kind == "NOTEBOOK" else {"size": len(content)}),
    )


def what_it_is(path: str, content: bytes, form: str, language: str | None) -> tuple[str, str]:
    """Return whether it is a notebook or a file, and in which language."""
    suffix = "." + path.rsplit(".", 1)[-1].lower() if "." in path.rsplit("/", 1)[-1] else ""
    first = content.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if form == "JUPYTER" or (form == "AUTO" and suffix == ".ipynb"):
        try:
            book = json.loads(content)
            return "NOTEBOOK", book["metadata"].get("language_info", {}).get(
                "name", "python"
            ).upper()
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise invalid(f"The content of {path} is not a Jupyter notebook: {error}") from error
    if form == "AUTO":
        return (
            ("NOTEBOOK", LANGUAGES[suffix])
            if suffix in LANGUAGES and first in HEADERS
            else ("FILE", "")
        )
    if form == "RAW":
        return "FILE", ""
    if not language:
        raise invalid("Language must be specified for SOURCE format")
    return "NOTEBOOK", language


@serves(workspace.WorkspaceAPI.export, "workspace/workspace/export", also=("direct_download",))
def export(state: State, request: Request) -> Json | Content:
    """Return what was imported, as it was; the server does not convert notebooks."""
    need_path(state, request.caller, request["path"], "CAN_READ")
    found, form = node(state, request["path"]), request["format"] or "SOURCE"
    if found["object_type"] == "DIRECTORY":
        raise invalid("The test server exports no directories")
    if form not in ("AUTO", found["format"]):
        raise invalid(f"The test server does not convert {found['format']} to {form}")
    if request["direct_download"] == "true":
        return Content(found["content"], {"Content-Type": "application/octet-stream"})
    return {
        "content": base64.b64encode(found["content"]).decode(),
        "file_type": {"JUPYTER": "ipynb"}.get(
            found["format"], "py" if found["object_type"] == "NOTEBOOK" else ""
        ),
    }


@serves(workspace.WorkspaceAPI.get_status, "workspace/workspace/getstatus")
def get_status(state: State, request: Request) -> Json:
    """Return what is at a path, without its content."""
    need_path(state, request.caller, request["path"], "CAN_READ")
    return shown(node(state, request["path"]))


@serves(workspace.WorkspaceAPI.list, "workspace/workspace/list")
def list_objects(state: State, request: Request) -> Json:
    """Return what is in a directory; not in pages."""
    need_path(state, request.caller, request["path"], "CAN_READ")
    found = node(state, request["path"])
    if found["object_type"] != "DIRECTORY":
        return {"objects": [shown(found)]}
    inside = [
        item
        for path, item in sorted(state.files.items())
        if path != found["path"] and (path.rsplit("/", 1)[0] or "/") == found["path"]
    ]
    return {
        "objects": [
            shown(item)
            for item in inside
            if item["modified_at"] >= (request["notebooks_modified_after"] or 0)
        ]
    }


@serves(workspace.WorkspaceAPI.mkdirs, "workspace/workspace/mkdirs")
def mkdirs(state: State, request: Request) -> None:
    """Make a directory and those that it is in; one that is there is left as it is."""
    need_path(state, request.caller, request["path"], "CAN_EDIT")
    path = path_of(request["path"])
    parts = path.strip("/").split("/")
    folders = ["/" + "/".join(parts[: at + 1]) for at in range(len(parts))]
    for folder in folders:
        if state.files.get(folder, {"object_type": "DIRECTORY"})["object_type"] != "DIRECTORY":
            raise exists(f"Path ({folder}) already exists and is no directory.")
    for folder in folders:
        if folder not in state.files:
            add(state, folder, "DIRECTORY")


@serves(workspace.WorkspaceAPI.delete, "workspace/workspace/delete")
def delete(state: State, request: Request) -> None:
    """Delete what is at a path; a directory that is not empty only with what is in it."""
    need_path(state, request.caller, request["path"], "CAN_MANAGE")
    found = node(state, request["path"])
    inside = [path for path in state.files if path.startswith(found["path"].rstrip("/") + "/")]
    if inside and not request.body.get("recursive"):
        raise Refusal(400, "DIRECTORY_NOT_EMPTY", f"Folder ({found['path']}) is not empty")
    for path in (*inside, found["path"]):
        state.files.pop(path, None)
