"""Tables on disk.

What Unity Catalog says of a table becomes statements that local Delta takes, and its rows are read
from the files that Delta's log names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .sql_create import DELTA
from .sql_types import text_of
from .state import Json

CHECK = "delta.constraints."
SHOWN_ONLY = {*DELTA, "delta.lastCommitTimestamp", "clusteringColumns", "clusterByAuto"}


def identifier(name: str) -> str:
    """Return a name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def local_name(full_name: str) -> str:
    """Return the name that a table has in local Spark."""
    catalog, schema, table = full_name.split(".")
    return f"spark_catalog.{identifier(f'{catalog}__{schema}')}.{identifier(table)}"


def properties_of(table: Json) -> dict[str, str]:
    """Return the properties that local Delta is told."""
    return {
        key: value
        for key, value in table["properties"].items()
        if key not in SHOWN_ONLY and not key.startswith(CHECK)
    }


def checks_of(table: Json) -> dict[str, str]:
    """Return the CHECK constraints."""
    return {
        key.removeprefix(CHECK): value
        for key, value in table["properties"].items()
        if key.startswith(CHECK)
    }


def clustering_of(table: Json) -> str:
    """Return the columns by which a table is clustered, as SQL.

    NONE for none, and where the service chooses them.
    """
    columns = json.loads(table["properties"].get("clusteringColumns", "[]"))
    return (
        "(" + ", ".join(".".join(map(identifier, parts)) for parts in columns) + ")"
        if columns
        else "NONE"
    )


def pairs(properties: dict[str, str]) -> str:
    """Return properties as SQL."""
    return (
        "("
        + ", ".join(f"{literal(key)} = {literal(value)}" for key, value in properties.items())
        + ")"
    )


def column_text(column: Json) -> str:
    """Return a column as SQL."""
    comment = f" COMMENT {literal(column['comment'])}" if column.get("comment") else ""
    return (
        f"{identifier(column['name'])} "
        f"{column['type_text']}{'' if column['nullable'] else ' NOT NULL'}{comment}"
    )


def create_statements(table: Json, folder: Path) -> list[str]:
    """Return what makes a table. Keys, masks and tags are Unity Catalog's alone."""
    name, clustering, properties = (
        local_name(table["full_name"]),
        clustering_of(table),
        properties_of(table),
    )
    parts = [
        f"CREATE TABLE {name} ({', '.join(map(column_text, table['columns']))}) USING delta "
        f"LOCATION {literal(str(folder))}"
    ]
    parts += [f"CLUSTER BY {clustering}"] if clustering != "NONE" else []
    parts += [f"COMMENT {literal(table['comment'])}"] if table.get("comment") else []
    parts += [f"TBLPROPERTIES {pairs(properties)}"] if properties else []
    return [
        " ".join(parts),
        *(
            f"ALTER TABLE {name} ADD CONSTRAINT {identifier(key)} CHECK ({text})"
            for key, text in checks_of(table).items()
        ),
    ]


def alter_statements(before: Json, after: Json) -> list[str]:
    """Return what brings a table from what Unity Catalog said of it before one statement to what it
    says after.
    """
    alter = f"ALTER TABLE {local_name(after['full_name'])}"
    old, new = properties_of(before), properties_of(after)
    set_, unset = (
        {key: value for key, value in new.items() if old.get(key) != value},
        [key for key in old if key not in new],
    )
    made = [f"{alter} SET TBLPROPERTIES {pairs(set_)}"] if set_ else []
    made += [f"{alter} UNSET TBLPROPERTIES ({', '.join(map(literal, unset))})"] if unset else []
    made += [
        f"{alter} DROP CONSTRAINT {identifier(key)}"
        for key in checks_of(before)
        if checks_of(after).get(key) != checks_of(before)[key]
    ]
    made += column_statements(alter, before["columns"], after["columns"])
    made += [
        f"{alter} ADD CONSTRAINT {identifier(key)} CHECK ({text})"
        for key, text in checks_of(after).items()
        if checks_of(before).get(key) != text
    ]
    made += (
        [f"{alter} CLUSTER BY {clustering_of(after)}"]
        if clustering_of(before) != clustering_of(after)
        else []
    )
    made += (
        [
            f"COMMENT ON TABLE {local_name(after['full_name'])} IS "
            f"{literal(after.get('comment') or '')}"
        ]
        if (before.get("comment") or "") != (after.get("comment") or "")
        else []
    )
    return made


def column_statements(alter: str, before: list[Json], after: list[Json]) -> Iterator[str]:
    """Yield what brings columns from one state to the next.

    One that has another name in its place was renamed.
    """
    old, new = {item["name"]: item for item in before}, {item["name"]: item for item in after}
    lost, found = (
        [name for name in old if name not in new],
        [name for name in new if name not in old],
    )
    if len(lost) == len(found) == 1:
        yield f"{alter} RENAME COLUMN {identifier(lost[0])} TO {identifier(found[0])}"
        return
    if lost:
        yield f"{alter} DROP COLUMNS ({', '.join(map(identifier, lost))})"
    if found:
        yield f"{alter} ADD COLUMNS ({', '.join(column_text(new[name]) for name in found)})"
    for name in (name for name in new if name in old):
        one, other = old[name], new[name]
        if one["type_text"] != other["type_text"]:
            yield f"{alter} ALTER COLUMN {identifier(name)} TYPE {other['type_text']}"
        if (one.get("comment") or "") != (other.get("comment") or ""):
            yield (
                f"{alter} ALTER COLUMN {identifier(name)} COMMENT "
                f"{literal(other.get('comment') or '')}"
            )
        if one["nullable"] != other["nullable"]:
            yield (
                f"{alter} ALTER COLUMN {identifier(name)} "
                f"{'DROP' if other['nullable'] else 'SET'} NOT NULL"
            )


class TableStore(MutableMapping[str, list[Json]]):
    """The rows of tables by full name, as `state.rows` has them.

    Those that a test gives, else those on disk.
    """

    def __init__(self, folder: Path, first: MutableMapping[str, list[Json]]) -> None:
        self.folder, self.given = folder, dict(first)
        (folder / "statements").mkdir(parents=True, exist_ok=True)

    def __deepcopy__(self, memo: Any) -> TableStore:
        """Return itself: the rows on disk are always those of now."""
        return self

    def at(self, full_name: str) -> Path:
        """Return a table's folder."""
        return self.folder.joinpath(*full_name.split("."))

    def keep_statements(self, full_name: str, statements: list[str]) -> None:
        """Note what is to be run on a table's storage before a task uses it."""
        if statements:
            with (self.folder / "statements" / f"{full_name}.jsonl").open(
                "a", encoding="utf-8"
            ) as file:
                file.write(json.dumps(statements) + "\n")

    def follow(self, before: dict[str, Json], after: dict[str, Json]) -> None:
        """Note what a statement has changed of tables."""
        for name in before.keys() - after.keys():
            self.drop(name)
        for name, table in after.items():
            if name not in before:
                self.keep_statements(name, create_statements(table, self.at(name)))
            elif before[name] != table:
                self.keep_statements(name, alter_statements(before[name], table))

    def drop(self, full_name: str) -> None:
        """Delete a table's files."""
        shutil.rmtree(self.at(full_name), ignore_errors=True)
        for file in (self.folder / "statements").glob(f"{full_name}.*"):
            if file.name.removeprefix(full_name) in (".jsonl", ".done", ".lock"):
                file.unlink()

    def __getitem__(self, full_name: str) -> list[Json]:
        """Return a table's rows."""
        if full_name in self.given:
            return self.given[full_name]
        if full_name.count(".") != 2 or not (self.at(full_name) / "_delta_log").is_dir():
            raise KeyError(full_name)
        return delta_rows(self.at(full_name))

    def __setitem__(self, full_name: str, rows: list[Json]) -> None:
        """Give a table rows that are nowhere on disk."""
        self.given[full_name] = rows

    def __delitem__(self, full_name: str) -> None:
        """Take the rows of a table away, wherever they are."""
        if self.given.pop(full_name, None) is None:
            self.drop(full_name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the tables that have rows."""
        yield from self.given
        for log in sorted(self.folder.glob("*/*/*/_delta_log")):
            name = ".".join(log.parent.relative_to(self.folder).parts)
            if name not in self.given:
                yield name

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)


def delta_actions(folder: Path) -> Iterator[Json]:
    """Yield the actions of a table's log.

    Those of the last checkpoint, and of the commits after it (Delta, *Delta transaction log
    protocol*).
    """
    import pyarrow.parquet

    log = folder / "_delta_log"
    checkpoints = {
        int(file.name.split(".")[0]): file for file in sorted(log.glob("*.checkpoint.parquet"))
    }
    last = max(checkpoints, default=-1)
    if last >= 0:
        for row in pyarrow.parquet.read_table(checkpoints[last]).to_pylist():
            yield {
                key: {
                    **value,
                    **(
                        {"partitionValues": dict(value["partitionValues"])}
                        if value.get("partitionValues")
                        else {}
                    ),
                }
                for key, value in row.items()
                if value is not None
            }
    for file in sorted(log.glob("*.json")):
        if file.name.split(".")[0].isdigit() and int(file.name.split(".")[0]) > last:
            yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())


def delta_rows(folder: Path) -> list[Json]:
    """Return a table's rows.

    Raises ValueError for one that marks rows as deleted, which the server does not read.
    """
    import pyarrow.parquet

    fields, files = list[Json](), dict[str, Json]()
    for action in delta_actions(folder):
        if "metaData" in action:
            fields = json.loads(action["metaData"]["schemaString"])["fields"]
        elif "add" in action:
            files[action["add"]["path"]] = action["add"]
        elif "remove" in action:
            files.pop(action["remove"]["path"], None)
    names = {
        item["metadata"].get("delta.columnMapping.physicalName", item["name"]): item["name"]
        for item in fields
    }
    rows = list[Json]()
    for path, item in files.items():
        if item.get("deletionVector"):
            raise ValueError(
                f"{folder.name} has deletion vectors, which the test server does not read"
            )
        fixed = {
            names.get(key, key): value
            for key, value in dict(item.get("partitionValues") or {}).items()
        }
        for row in pyarrow.parquet.ParquetFile(folder / unquote(path)).read().to_pylist():
            rows.append(
                {
                    **dict.fromkeys(names.values()),
                    **{names[key]: value for key, value in row.items() if key in names},
                    **fixed,
                }
            )
    return rows


def create_text(full_name: str, folder: Path) -> str:
    """Return the statement by which Unity Catalog would have made a table that a write has made."""
    fields = next(
        json.loads(action["metaData"]["schemaString"])["fields"]
        for action in delta_actions(folder)
        if "metaData" in action
    )
    columns = ", ".join(f"{identifier(item['name'])} {text_of(item['type'])}" for item in fields)
    return f"CREATE TABLE {'.'.join(map(identifier, full_name.split('.')))} ({columns})"
