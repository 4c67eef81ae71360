"""Files of volumes on disk, so that the server and the tasks that it runs see the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from .state import Json


class VolumeStore(MutableMapping[str, Json]):
    """The files by their paths, as `state.volume_files` has them.

    The folder stands for /Volumes.
    """

    def __init__(self, folder: Path, first: MutableMapping[str, Json]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.update(first)

    def __deepcopy__(self, memo: Any) -> dict[str, Json]:
        """Return what is there now, for a read that is to be stale."""
        return dict(self)

    def at(self, path: str) -> Path:
        """Return where a path is on disk."""
        return self.folder / path.removeprefix("/Volumes/")

    def __getitem__(self, path: str) -> Json:
        """Return a file or directory; the volume itself is none."""
        place = self.at(path)
        if path.count("/") < 5 or not place.exists():
            raise KeyError(path)
        item: Json = {
            "is_directory": place.is_dir(),
            "last_modified": int(place.stat().st_mtime * 1000),
        }
        return item if place.is_dir() else {**item, "content": place.read_bytes()}

    def __setitem__(self, path: str, item: Json) -> None:
        """Write a file, whole or not at all, or make a directory."""
        place = self.at(path)
        if item["is_directory"]:
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}.draft")
        draft.write_bytes(item["content"])
        draft.replace(place)

    def __delitem__(self, path: str) -> None:
        """Delete a file or directory."""
        place = self.at(path)
        shutil.rmtree(place) if place.is_dir() else place.unlink()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths below the volumes."""
        for place in sorted(self.folder.glob("*/*/*/**/*")):
            path = "/Volumes/" + place.relative_to(self.folder).as_posix()
            if path.count("/") > 4:
                yield path

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)
