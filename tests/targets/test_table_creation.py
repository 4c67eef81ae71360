"""Tables that are begun without Spark are those that Spark's own CREATE TABLE makes, seen by Spark
and by delta-rs; one of many processes creates a table, whole or not at all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.sql.table import Dialect, Table, TableColumn, create_statements, tables
from datamaster_kit.lakehouse.ledger import files_table
from datamaster_kit.lakehouse.names import names
from datamaster_kit.lakehouse.runs import runs_table
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.targets.records import Detail, detail_by_spark, read_table_detail
from datamaster_kit.targets.table_creation import can_write_commit, create_by_commit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
LOCAL = Dialect(primary_keys=False, tags=False, checks_at_creation=True, access=False)
Json = dict[str, Any]


def sample_tables() -> Iterator[Table]:
    """Return the tables of all sample contracts that can be read, of the toolkit's records, and
    some of odd names and types.
    """
    yield from (make("crisk") for make in (runs_table, files_table))
    for file in sorted(
        [
            *(ROOT / "contracts").glob("*.yaml"),
            *(ROOT / "tests" / "corpus_contracts").rglob("*.yaml"),
        ]
    ):
        with suppress(BadInput):  # some are no contracts, to see what is said of them
            contract, _ = examine_document(
                parse_document(file.read_text(encoding="utf-8"), str(file)), ROOT
            )
            yield from tables(contract, "crisk") if contract else ()
    mapped = {"delta.columnMapping.mode": "name"}
    odd = (
        TableColumn(
            "a b", "ARRAY<STRUCT<`x y`: MAP<STRING, STRUCT<q: TIMESTAMP_NTZ COMMENT 'it\\'s'>>>>"
        ),
        TableColumn("ü`", "VARIANT"),
        TableColumn("code", "CHAR(3)", False, '"${x}" \\ 😀\n'),
    )
    yield Table(
        "crisk",
        "silver",
        "odd",
        odd,
        "it's \\ '${x}'",
        checks={"c": "`a b` IS NOT NULL"},
        cluster_by=("code",),
        properties=mapped | {"datamaster.x": "\\'\n😀"},
    )
    yield Table(
        "crisk", "silver", "checked", (TableColumn("a", "INT"),), checks={"a_range": "a > 0"}
    )


def actions_of(folder: Path) -> Json:
    """Return the first commit of a table's folder, what is by chance replaced.

    Identifiers, times, names in the files, the order of features.
    """
    actions: Json = {}
    for line in (folder / "_delta_log" / f"{0:020}.json").read_text(encoding="utf-8").splitlines():
        actions |= json.loads(line)
    schema = json.loads(actions["metaData"]["schemaString"])
    physical = dict(physical_names(schema))
    for item in ("id", "createdTime", "schemaString"):
        del actions["metaData"][item]
    protocol = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in actions["protocol"].items()
    }
    clustering = json.dumps(actions.get("domainMetadata"))
    for name, logical in physical.items():
        clustering = clustering.replace(name, logical)
    return {
        "metadata": actions["metaData"],
        "schema": without_physical_names(schema),
        "protocol": protocol,
        "clustering": clustering,
    }


def physical_names(kind: Any) -> Iterator[tuple[str, str]]:
    """Return the names in the files, each with the column's."""
    if isinstance(kind, dict):
        for item in kind.get("fields", ()):
            yield (
                item["metadata"].get("delta.columnMapping.physicalName", item["name"]),
                item["name"],
            )


def without_physical_names(kind: Any) -> Any:
    """Return a schema in which a name in the files is replaced by what all have in common."""
    if isinstance(kind, list):
        return [without_physical_names(item) for item in kind]
    if not isinstance(kind, dict):
        return kind
    return {
        name: value[:4]
        if name == "delta.columnMapping.physicalName"
        else without_physical_names(value)
        for name, value in kind.items()
    }


def create_by_spark(spark: SparkSession, folder: Path, table: Table) -> None:
    """Create a table in a folder by Spark's CREATE TABLE."""
    for statement in create_statements(table, f"delta.`{folder}`", LOCAL):
        spark.sql(statement)


@pytest.mark.spark
def test_the_first_commit_says_what_that_of_spark_says_for_all_sample_tables(
    spark: SparkSession, tmp_path: Path
) -> None:
    seen = set()
    for number, table in enumerate(sample_tables()):
        shape = (
            tuple(sorted({column.type for column in table.columns})),
            table.cluster_by,
            tuple(table.checks),
            tuple(table.properties),
        )
        if shape in seen:
            continue
        seen.add(shape)
        assert can_write_commit(table), table
        ours, theirs = tmp_path / f"{number}_ours", tmp_path / f"{number}_theirs"
        create_by_commit(ours, table)
        create_by_spark(spark, theirs, table)
        assert actions_of(ours) == actions_of(theirs), table
        assert seen_by_spark(spark, ours) == seen_by_spark(spark, theirs)
    assert len(seen) > 25


def seen_by_spark(spark: SparkSession, folder: Path) -> Detail | None:
    """Return what Spark says of the table in a folder, without what is by chance."""
    by_spark = detail_by_spark(spark, f"delta.`{folder}`")
    assert by_spark is not None
    return Detail(
        without_physical_names(by_spark.schema),
        by_spark.properties,
        by_spark.description,
        by_spark.clustering,
    )


KINDS = some.recursive(
    some.sampled_from(
        [
            "STRING",
            "BIGINT",
            "INT",
            "SMALLINT",
            "TINYINT",
            "DOUBLE",
            "FLOAT",
            "BOOLEAN",
            "BINARY",
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP_NTZ",
            "DECIMAL(38,18)",
            "DECIMAL(10,0)",
        ]
    ),
    lambda inner: some.one_of(
        inner.map("ARRAY<{}>".format),
        inner.map("MAP<STRING, {}>".format),
        some.tuples(inner, inner).map(
            lambda pair: f"STRUCT<first: {pair[0]}, `the second`: {pair[1]} COMMENT 'of two'>"
        ),
    ),
    max_leaves=5,
)
COLUMNS = some.lists(
    some.builds(
        lambda kind, nullable, comment: (kind, nullable, comment),
        KINDS,
        some.booleans(),
        some.text(max_size=8),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.spark
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=COLUMNS, is_mapped=some.just(True) | some.booleans())
def test_the_first_commit_says_what_that_of_spark_says_for_whatever_columns(
    spark: SparkSession, tmp_path: Path, columns: list[tuple[str, bool, str]], is_mapped: bool
) -> None:
    is_mapped = is_mapped or any("the second" in kind for kind, _, _ in columns)
    clean = [
        TableColumn(
            f"c{index}",
            kind,
            nullable,
            "".join(character for character in comment if character.isprintable()),
        )
        for index, (kind, nullable, comment) in enumerate(columns)
    ]
    table = Table(
        "crisk",
        "bronze",
        "any",
        tuple(clean),
        properties={"delta.columnMapping.mode": "name"} if is_mapped else {},
    )
    ours, theirs = tmp_path / uuid.uuid4().hex, tmp_path / uuid.uuid4().hex
    create_by_commit(ours, table)
    create_by_spark(spark, theirs, table)
    assert actions_of(ours) == actions_of(theirs)


@pytest.mark.spark
def test_spark_and_delta_rs_write_to_a_table_that_was_begun_without_spark(
    spark: SparkSession, tmp_path: Path
) -> None:
    import pyarrow
    from deltalake import DeltaTable, write_deltalake

    folder = tmp_path / "account"
    create_by_commit(
        folder,
        Table(
            "crisk",
            "bronze",
            "account",
            (TableColumn("id", "BIGINT", False), TableColumn("name", "STRING")),
        ),
    )
    write_deltalake(
        folder,
        pyarrow.table({"id": pyarrow.array([1], pyarrow.int64()), "name": ["a"]}),
        mode="append",
    )
    spark.sql(f"INSERT INTO delta.`{folder}` VALUES (2, 'b')")
    spark.sql(f"UPDATE delta.`{folder}` SET name = 'c' WHERE id = 1")
    assert sorted(DeltaTable(folder).to_pyarrow_table().to_pylist(), key=lambda row: row["id"]) == [
        {"id": 1, "name": "c"},
        {"id": 2, "name": "b"},
    ]
    with pytest.raises(Exception, match=r"NOT NULL|DELTA_NOT_NULL_CONSTRAINT_VIOLATED"):
        spark.sql(f"INSERT INTO delta.`{folder}` VALUES (NULL, 'b')")


@pytest.mark.spark
def test_a_checksum_that_is_missing_and_a_draft_that_a_kill_left_change_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "account"
    create_by_commit(
        folder, Table("crisk", "bronze", "account", (TableColumn("id", "BIGINT"),), "Accounts.")
    )
    (folder / "_delta_log" / f"{0:020}.crc").unlink()
    (folder / "_delta_log" / f".{uuid.uuid4()}.tmp").write_text("{", encoding="utf-8")
    spark.sql(f"INSERT INTO delta.`{folder}` VALUES (1)")
    detail = read_table_detail(folder)
    assert detail is not None
    assert (spark.table(f"delta.`{folder}`").count(), detail.description) == (1, "Accounts.")


def test_one_of_many_creates_a_table(tmp_path: Path) -> None:
    table = Table("crisk", "bronze", "account", (TableColumn("id", "BIGINT"),))

    def create(_: int) -> bool:
        try:
            create_by_commit(tmp_path, table)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(create, range(64))) == 1
    assert sorted(file.name for file in (tmp_path / "_delta_log").iterdir()) == [
        f"{0:020}.crc",
        f"{0:020}.json",
    ]
    commit, sums = (
        (tmp_path / "_delta_log" / f"{0:020}.{kind}").read_text(encoding="utf-8")
        for kind in ("json", "crc")
    )
    assert json.loads(sums)["metadata"]["id"] in commit, "the sum is that of the commit"


@pytest.mark.parametrize(
    "table",
    [
        Table("c", "bronze", "t", (TableColumn("a", "ARRAY<VARCHAR(3)>"),)),
        Table(
            "c",
            "bronze",
            "t",
            (TableColumn("a", "INT"),),
            properties={"delta.enableChangeDataFeed": "true"},
        ),
    ],
    ids=["a limited text within a type", "a property that asks for more"],
)
def test_what_only_spark_knows_how_to_say_is_left_to_spark(table: Table, tmp_path: Path) -> None:
    statements = []

    class Recording(LocalTarget):
        def sql(self, statement: str) -> list[Json]:
            statements.append(statement)
            return []

    assert not can_write_commit(table)
    target = Recording(Project(tmp_path, names("c", "c")))
    target.create_table(table, ("CREATE TABLE ...",))
    assert statements == ["CREATE TABLE ..."] and not target.has_table(
        names("c", "c").table("bronze", "t")
    )
