"""A raw file whose byte order mark says another encoding than the contract is refused before a
value of it is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamaster_kit.contract.model import Field
from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers.local_files import (
    BatchFile,
    prepare_csv_file,
    prepare_json_file,
)

TEXTS = {"csv": "id,name\n1,é\n", "json": '{"id": 1, "name": "é"}\n'}
READERS: dict[str, Any] = {"csv": prepare_csv_file, "json": prepare_json_file}


def read(folder: Path, format: str, codec: str, options: dict[str, Any]) -> Any:
    """Look at a file as a run of ingest does."""
    path = folder / f"a.{format}"
    path.write_bytes(TEXTS[format].encode(codec))
    return READERS[format](
        BatchFile(0, f"file://{path}", path),
        FileSource(format, str(folder), (Field("id"), Field("name")), options),
        folder,
    )


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize(
    ("codec", "options", "encoding"),
    [
        ("utf-16", {}, "UTF-16"),
        ("utf-32", {}, "UTF-32"),
        ("utf-16", {"encoding": "latin-1"}, "UTF-16"),
        ("utf-16", {"encoding": "utf-16be"}, "UTF-16"),
    ],
)
def test_a_mark_of_another_encoding_is_told_with_the_key_to_write(
    tmp_path: Path, format: str, codec: str, options: dict[str, Any], encoding: str
) -> None:
    with pytest.raises(
        ValueError,
        match=f"its byte order mark says {encoding}, and the contract .*write `encoding: "
        f"{encoding}` in workflow.source",
    ):
        read(tmp_path, format, codec, options)


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-16", {"encoding": "UTF-16"}),
        ("utf-16", {"encoding": "utf-16le"}),
        ("utf-16-be", {"encoding": "UTF-16BE"}),
        ("latin-1", {"encoding": "latin-1"}),
    ],
)
def test_a_file_that_is_as_the_contract_says_is_read(
    tmp_path: Path, format: str, codec: str, options: dict[str, Any]
) -> None:
    assert read(tmp_path, format, codec, options)
