"""`spark.readStream.format("cloudFiles")`: new files are found by Spark's own stream of files, with
its checkpoint, and each batch's files are read as Auto Loader reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from runtime.auto_loader import OWN, read_cloud_files

FILE = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
KNOWN = {
    "format",
    "schemaLocation",
    "schemaEvolutionMode",
    "maxFilesPerTrigger",
    "includeExistingFiles",
    "useNotifications",
    "validateOptions",
    "backfillInterval",
    "inferColumnTypes",
}


class CloudReader:
    """What reads a folder's new files."""

    def __init__(self, session: Any) -> None:
        self.session, self.said, self.fields = session, dict[str, str](), None

    def option(self, key: str, value: Any) -> CloudReader:
        """Tell an option."""
        self.said[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return self

    def options(self, **said: Any) -> CloudReader:
        """Tell options."""
        for key, value in said.items():
            self.option(key, value)
        return self

    def schema(self, fields: Any) -> CloudReader:
        """Tell the columns."""
        self.fields = fields
        return self

    def load(self, path: str) -> CloudFrame:
        """Return the rows of the new files.

        Raises ValueError for what the stand-in does not know.
        """
        from pyspark.sql.types import _parse_datatype_string

        unknown = {name.removeprefix(OWN) for name in self.said if name.startswith(OWN)} - KNOWN
        if unknown or self.fields is None:
            raise ValueError(
                "the stand-in for Auto Loader needs a schema, and does not know "
                f"{', '.join(sorted(unknown)) or 'how to infer one'}"
            )
        schema = (
            _parse_datatype_string(self.fields) if isinstance(self.fields, str) else self.fields
        )
        limit = self.said.get(f"{OWN}maxFilesPerTrigger", "1000")
        files = (
            self.session.readStream.format("binaryFile")
            .schema(FILE)
            .option("recursiveFileLookup", "true")
            .option("maxFilesPerTrigger", limit)
        )
        names = {name: self.said[name] for name in ("pathGlobFilter",) if name in self.said}
        template = read_cloud_files(self.session, (), self.said, schema)
        return CloudFrame(
            files.options(**names).load(path).select("path"),
            template,
            lambda paths: read_cloud_files(self.session, paths, self.said, schema),
        )


class CloudFrame:
    """Rows of new files.

    What is made of them is made of an empty table, to know its columns, and of each batch's rows
    when it comes.
    """

    def __init__(self, files: Any, template: Any, rows: Callable[[list[str]], Any]) -> None:
        self._files, self._template, self._rows = files, template, rows

    @property
    def isStreaming(self) -> bool:  # noqa: N802 - Spark's own name
        """It is a stream."""
        return True

    @property
    def writeStream(self) -> CloudWriter:  # noqa: N802 - Spark's own name
        """What writes it."""
        return CloudWriter(self)

    def __getitem__(self, name: Any) -> Any:
        """Return a column."""
        return self._template[name]

    def __getattr__(self, name: str) -> Any:
        """Return what the rows have under a name.

        A method that makes rows makes a stream of them.
        """
        there = getattr(self._template, name)
        if not callable(there):
            return there

        def call(*args: Any, **said: Any) -> Any:
            from pyspark.sql import DataFrame

            made = there(*args, **said)
            if not isinstance(made, DataFrame):
                return made
            return CloudFrame(
                self._files, made, lambda paths: getattr(self._rows(paths), name)(*args, **said)
            )

        return call


class CloudWriter:
    """What writes a stream of new files: Spark's own writer, of the stream of their paths."""

    def __init__(self, frame: CloudFrame) -> None:
        self._frame, self._writer = frame, frame._files.writeStream

    def foreachBatch(self, handle: Callable[[Any, int], None]) -> CloudWriter:  # noqa: N802 - Spark's own name
        """Hand over each batch's rows."""

        def handled(files: Any, number: int) -> None:
            handle(self._frame._rows(sorted(row.path for row in files.collect())), number)

        self._writer = self._writer.foreachBatch(handled)
        return self

    def toTable(self, name: str, **said: Any) -> Any:  # noqa: N802 - Spark's own name
        """Append the rows to a table, each batch once."""
        where = str(said.pop("checkpointLocation", "") or self._checkpoint)
        self.foreachBatch(
            lambda rows, number: (
                rows.write.format("delta")
                .mode("append")
                .option("txnAppId", where)
                .option("txnVersion", number)
                .saveAsTable(name)
            )
        )
        return self.start()

    _checkpoint = ""

    def option(self, key: str, value: Any) -> CloudWriter:
        """Tell an option."""
        if key == "checkpointLocation":
            self._checkpoint = str(value)
        self._writer = self._writer.option(key, value)
        return self

    def __getattr__(self, name: str) -> Any:
        """Tell the writer, which starts the stream in the end."""
        there = getattr(self._writer, name)

        def call(*args: Any, **said: Any) -> Any:
            made = there(*args, **said)
            if isinstance(made, type(self._writer)):
                self._writer = made
                return self
            return made

        return call


def fit_reader(owner: Any) -> None:
    """Have Spark's reader of streams know the format."""
    method = owner.format

    @wraps(method)
    def fitted(self: Any, source: str) -> Any:
        if source.lower() != "cloudfiles":
            return method(self, source)
        from pyspark.sql import SparkSession

        return CloudReader(SparkSession.builder.getOrCreate())

    owner.format = fitted
