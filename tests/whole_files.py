"""Files read whole, as a batch of the local target reads them.

Their copies are kept until the process ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamaster_kit.targets.base import FileSource
from datamaster_kit.targets.readers.local_files import read_batch

COPIES = tempfile.TemporaryDirectory(prefix="datamaster-")


def read_files(spark: Any, files: Sequence[str], source: FileSource) -> Any:
    """Return the rows of files, or None where every file is empty."""
    return read_batch(spark, files, source, Path(tempfile.mkdtemp(dir=COPIES.name)))[0]
