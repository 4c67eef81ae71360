"""The parts of the test workspace's runtime that are functions of values, and what it reads of
Delta's files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from runtime.names import TOKEN, is_governed, local_text
from workspace.server import Workspace
from workspace.table_store import TableStore, alter_statements, create_statements, delta_rows
from workspace.volume_store import VolumeStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CATALOGS = ("crisk", "system")


@pytest.mark.parametrize(
    "text, local, tables",
    [
        (
            "SELECT a.b FROM crisk.bronze.account a",
            "SELECT a.b FROM spark_catalog.`crisk__bronze`.account a",
            [("crisk", "bronze", "account")],
        ),
        (
            "SELECT `crisk` . `bronze`.`Account`.id",
            "SELECT spark_catalog.`crisk__bronze` .`Account`.id",
            [("crisk", "bronze", "account")],
        ),
        (
            "SELECT 'crisk.bronze.a', \"crisk.bronze.a\" -- crisk.bronze.a\n/* crisk.bronze.a */",
            "SELECT 'crisk.bronze.a', \"crisk.bronze.a\" -- crisk.bronze.a\n/* crisk.bronze.a */",
            [],
        ),
        ("SHOW TABLES IN CRISK.bronze", "SHOW TABLES IN spark_catalog.`crisk__bronze`", []),
        ("SELECT t.crisk.bronze.x, crisk", "SELECT t.crisk.bronze.x, crisk", []),
        (
            "SELECT 'it\\'s crisk.bronze.a', crisk.`od``d`.t",
            "SELECT 'it\\'s crisk.bronze.a', spark_catalog.`crisk__od``d`.t",
            [("crisk", "od`d", "t")],
        ),
    ],
)
def test_a_name_of_three_levels_is_found_in_sql_and_nowhere_else(
    text: str, local: str, tables: list[tuple[str, str, str]]
) -> None:
    assert [
        part for part in TOKEN.findall(local_text(text, CATALOGS)[0]) if not part.isspace()
    ] == [part for part in TOKEN.findall(local) if not part.isspace()]
    assert local_text(text, CATALOGS)[1] == tables


@given(some.text(alphabet="abc`.'\"\\-/* \n\t;()", max_size=60))
def test_sql_without_a_catalogs_name_stays_as_it_is(text: str) -> None:
    assert local_text(text, CATALOGS) == (text, [])


@pytest.mark.parametrize(
    "text, governed",
    [
        ("ALTER TABLE crisk.b.t SET TAGS ('a' = 'b')", True),
        ("create or replace temp view v as select 1", False),
        ("SELECT * FROM crisk.information_schema.tables", True),
        ("SELECT 'information_schema'", False),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", False),
        ("GRANT SELECT ON TABLE t TO u", True),
        ("", False),
    ],
)
def test_what_defines_or_grants_is_asked_of_unity_catalog(text: str, governed: bool) -> None:
    assert is_governed(text) is governed


def column(name: str, kind: str = "string", **said: Any) -> dict[str, Any]:
    return {"name": name, "type_text": kind, "nullable": True, **said}


def table(*columns: dict[str, Any], comment: str = "", **properties: str) -> dict[str, Any]:
    return {
        "full_name": "c.s.t",
        "columns": list(columns),
        "comment": comment,
        "properties": {
            "delta.minReaderVersion": "1",
            **{key.replace("__", "."): value for key, value in properties.items()},
        },
    }


def test_what_a_statement_changes_of_a_table_is_changed_of_its_storage() -> None:
    first = table(
        column("a", "int", nullable=False, comment="it's"),
        column("b"),
        comment="all",
        by="me",
        delta__constraints__c="a > 0",
        clusteringColumns='[["a"],["b","x"]]',
    )
    name = "spark_catalog.`c__s`.`t`"
    assert create_statements(first, Path("/f")) == [
        f"CREATE TABLE {name} (`a` int NOT NULL COMMENT 'it\\'s', `b` string) USING delta "
        "LOCATION '/f' CLUSTER BY (`a`, `b`.`x`) COMMENT 'all' TBLPROPERTIES ('by' = 'me')",
        f"ALTER TABLE {name} ADD CONSTRAINT `c` CHECK (a > 0)",
    ]
    assert alter_statements(first, first) == []
    renamed = table(
        column("a", "int", nullable=False, comment="it's"),
        column("z"),
        comment="all",
        by="me",
        delta__constraints__c="a > 0",
        clusteringColumns='[["a"],["b","x"]]',
    )
    assert alter_statements(first, renamed) == [f"ALTER TABLE {name} RENAME COLUMN `b` TO `z`"]
    last = table(
        column("a", "bigint"),
        column("b", comment="new"),
        column("d", "date"),
        comment="some",
        of="you",
        clusterByAuto="true",
    )
    assert alter_statements(first, last) == [
        f"ALTER TABLE {name} {rest}"
        for rest in (
            "SET TBLPROPERTIES ('of' = 'you')",
            "UNSET TBLPROPERTIES ('by')",
            "DROP CONSTRAINT `c`",
            "ADD COLUMNS (`d` date)",
            "ALTER COLUMN `a` TYPE bigint",
            "ALTER COLUMN `a` COMMENT ''",
            "ALTER COLUMN `a` DROP NOT NULL",
            "ALTER COLUMN `b` COMMENT 'new'",
            "CLUSTER BY NONE",
        )
    ] + [f"COMMENT ON TABLE {name} IS 'some'"]


def test_files_of_volumes_are_files_of_a_folder(tmp_path: Path) -> None:
    store = VolumeStore(
        tmp_path,
        {"/Volumes/c/s/v/a/b.txt": {"content": b"1", "is_directory": False, "last_modified": 0}},
    )
    store["/Volumes/c/s/v/d"] = {"is_directory": True, "last_modified": 0}
    (tmp_path / "c/s/v/e").write_bytes(b"22")
    assert (
        list(store) == [f"/Volumes/c/s/v/{name}" for name in ("a", "a/b.txt", "d", "e")]
        and store["/Volumes/c/s/v/e"]["content"] == b"22"
        and len(store) == 4
    )
    del store["/Volumes/c/s/v/a"]
    assert "/Volumes/c/s/v/a/b.txt" not in store and "/Volumes/c/s/v" not in store


def test_a_table_that_is_dropped_leaves_neither_files_nor_statements(tmp_path: Path) -> None:
    store = TableStore(tmp_path, {"c.s.given": [{"a": 1}]})
    store.follow({}, {"c.s.t": table(column("a"))})
    (store.at("c.s.t") / "_delta_log").mkdir(parents=True)
    assert "c.s.t" in list(store)
    store.pop("c.s.given")
    store.pop("c.s.t", None)
    assert list(store) == [] and list((tmp_path / "statements").iterdir()) == []


@pytest.mark.spark
def test_the_rows_of_a_table_are_those_that_its_log_names(
    spark: SparkSession, tmp_path: Path
) -> None:
    where = f"delta.`{tmp_path / 'table'}`"
    spark.sql(
        f"CREATE TABLE {where} (id INT, `a b` STRING, part STRING) USING delta PARTITIONED "
        "BY (part) TBLPROPERTIES ('delta.columnMapping.mode' = 'name', "
        "'delta.checkpointInterval' = '2')"
    )
    spark.sql(f"INSERT INTO {where} VALUES (1, 'one', 'x y'), (2, 'two', 'z')")
    spark.sql(f"UPDATE {where} SET `a b` = 'changed' WHERE id = 1")
    spark.sql(f"DELETE FROM {where} WHERE id = 2")
    assert list((tmp_path / "table" / "_delta_log").glob("*.checkpoint.parquet"))
    assert delta_rows(tmp_path / "table") == [{"id": 1, "a b": "changed", "part": "x y"}]


def test_a_workspace_that_executes_nothing_keeps_its_state_in_memory() -> None:
    with Workspace() as workspace:
        assert (
            workspace.executor is None
            and isinstance(workspace.state.volume_files, dict)
            and isinstance(workspace.state.rows, dict)
        )
