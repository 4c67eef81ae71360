"""Files and directories in volumes (reference page *Files*)."""

from __future__ import annotations

import re
from email.utils import formatdate

from databricks.sdk.service import files

from .refusals import Refusal, absent, invalid
from .routes import Content, Reply, Request, page_of, serves
from .securables import find, need
from .state import Json, State, now


def place(state: State, request: Request, key: str, *privileges: str) -> str:
    """Return a path in a volume on which the caller has one of the privileges."""
    path = "/" + request[key].strip("/")
    parts = path.split("/")
    if len(parts) < 5 or parts[1] != "Volumes" or ".." in parts:
        raise invalid(f"Invalid path: {path}. It has the form /Volumes/catalog/schema/volume/...")
    name = ".".join(parts[2:5])
    find(state, "volume", name)
    need(state, request.caller, "volume", name, *privileges)
    return path


def is_directory(state: State, path: str) -> bool:
    """A directory was made there, or something is below it; the volume itself is one."""
    return (
        path.count("/") == 4
        or state.volume_files.get(path, {}).get("is_directory", False)
        or any(other.startswith(path + "/") for other in state.volume_files)
    )


def file_at(state: State, path: str) -> Json:
    """Return a file."""
    found = state.volume_files.get(path)
    if not found or found["is_directory"]:
        raise Refusal(404, "NOT_FOUND", f"The file {path} being accessed is not found.")
    return found


def headers_of(item: Json) -> dict[str, str]:
    """Return the headers that describe a file."""
    return {
        "Content-Type": "application/octet-stream",
        "Last-Modified": formatdate(item["last_modified"] / 1000, usegmt=True),
    }


@serves(files.FilesAPI.upload, "workspace/files/upload", has_content=True)
def upload(state: State, request: Request) -> Reply:
    """Write a file; over one that is there only where that is asked for."""
    path = place(state, request, "file_path", "WRITE_VOLUME")
    if is_directory(state, path):
        raise invalid(f"{path} is a directory")
    if path in state.volume_files and not request["overwrite"]:
        raise Refusal(409, "ALREADY_EXISTS", f"The file being created already exists: {path}")
    state.volume_files[path] = {
        "content": request.content,
        "is_directory": False,
        "last_modified": now(),
    }
    return Reply(204)


@serves(files.FilesAPI.download, "workspace/files/download")
def download(state: State, request: Request) -> Content:
    """Return a file, or the part of it that the header Range asks for."""
    item = file_at(state, place(state, request, "file_path", "READ_VOLUME"))
    part = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    content = (
        item["content"][int(part[1]) : int(part[2]) + 1 if part[2] else None]
        if part
        else item["content"]
    )
    return Content(content, headers_of(item))


@serves(files.FilesAPI.get_metadata, "workspace/files/getmetadata")
def get_metadata(state: State, request: Request) -> Content:
    """Return the headers of a file."""
    item = file_at(state, place(state, request, "file_path", "READ_VOLUME"))
    return Content(b"", {**headers_of(item), "Content-Length": str(len(item["content"]))})


@serves(files.FilesAPI.delete, "workspace/files/delete")
def delete(state: State, request: Request) -> Reply:
    """Delete a file."""
    path = place(state, request, "file_path", "WRITE_VOLUME")
    file_at(state, path)
    del state.volume_files[path]
    return Reply(204)


@serves(files.FilesAPI.create_directory, "workspace/files/createdirectory")
def create_directory(state: State, request: Request) -> Reply:
    """Make a directory, and those that it is in; one that is there is left as it is."""
    path = place(state, request, "directory_path", "WRITE_VOLUME")
    parts = path.split("/")
    for at in range(5, len(parts)):
        folder = "/".join(parts[: at + 1])
        if folder in state.volume_files and not state.volume_files[folder]["is_directory"]:
            raise Refusal(409, "ALREADY_EXISTS", f"A file is at {folder}")
        state.volume_files.setdefault(folder, {"is_directory": True, "last_modified": now()})
    return Reply(204)


@serves(files.FilesAPI.get_directory_metadata, "workspace/files/getdirectorymetadata")
def get_directory_metadata(state: State, request: Request) -> Content:
    """Say whether a directory is there."""
    path = place(state, request, "directory_path", "READ_VOLUME")
    if not is_directory(state, path):
        raise Refusal(404, "NOT_FOUND", f"The directory {path} being accessed is not found.")
    return Content(b"", {})


@serves(files.FilesAPI.list_directory_contents, "workspace/files/listdirectorycontents")
def list_directory(state: State, request: Request) -> Json:
    """Return a page of what is in a directory."""
    path = place(state, request, "directory_path", "READ_VOLUME")
    if not is_directory(state, path):
        raise Refusal(404, "NOT_FOUND", f"The directory {path} being accessed is not found.")
    names = sorted(
        {
            other.removeprefix(path + "/").split("/")[0]
            for other in state.volume_files
            if other.startswith(path + "/")
        }
    )
    found = []
    for name in names:
        item = state.volume_files.get(f"{path}/{name}", {"is_directory": True})
        found.append(
            {
                "name": name,
                "path": f"{path}/{name}",
                "is_directory": item["is_directory"],
                **(
                    {}
                    if item["is_directory"]
                    else {"file_size": len(item["content"]), "last_modified": item["last_modified"]}
                ),
            }
        )
    return page_of(state, request, found, "contents", "page_size")


@serves(files.FilesAPI.delete_directory, "workspace/files/deletedirectory")
def delete_directory(state: State, request: Request) -> Reply:
    """Delete an empty directory."""
    path = place(state, request, "directory_path", "WRITE_VOLUME")
    if not is_directory(state, path) or path.count("/") == 4:
        raise absent(f"The directory {path} being accessed is not found.", "RESOURCE")
    if any(other.startswith(path + "/") for other in state.volume_files):
        raise Refusal(400, "DIRECTORY_NOT_EMPTY", f"The directory {path} is not empty.")
    state.volume_files.pop(path, None)
    return Reply(204)
