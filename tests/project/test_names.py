"""Any name of a field, and any text of a contract, comes back as it was written.

What cannot is refused before anything is made.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_life import Lake

from datamaster_kit.contract.check import contract_findings
from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.contract.model import Contract, Field, Model, Scalar, Struct, Workflow
from datamaster_kit.lakehouse.names import names
from datamaster_kit.observe.report import page_file_name
from datamaster_kit.project.project_file import Project
from datamaster_kit.unity.desired import desired_tables

INTERNAL = [
    "_file",
    "_rank",
    "_extra",
    "_rescued",
    "_known",
    "_content",
    "_version",
    "_is_deletion",
    "_path",
    "_first",
    "_id",
    "_c0",
    "_raw",
    "name",
    "value",
    "s",
]
NEAR = ["_path", "_first", "_id", "_c0", "name", "value"]


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


def refused(name: str) -> set[str]:
    """Return the codes of what is wrong with a field of that name, errors only."""
    return {
        found[0].name
        for found in contract_findings(Contract("urn:a", models=(Model("order", (Field(name),)),)))
        if found[0].severity == "error"
    }


@pytest.mark.parametrize(
    "name",
    [
        "carlton_x",
        "_datamaster_file",
        "_corrupt_record",
        "_file_path",
        "_unreadable",
        "_metadata",
        "_METADATA",
        "a${env:HOME}",
        "a😀",
    ],
)
def test_a_field_whose_name_ingest_cannot_do_without_is_refused(name: str) -> None:
    assert refused(name) & {"name-reserved", "name-refused"}


@pytest.mark.spark
@pytest.mark.parametrize("name", ["_file", "_rank"])
def test_a_field_with_a_name_of_ingests_own_reaches_silver(lake: Lake, name: str) -> None:
    lake.contract(
        f"id: {{type: string, primaryKey: true, required: true}}\n{name}: {{type: string}}",
        "model: order, source: {type: adls, format: csv}",
    )
    assert lake.apply() == []
    lake.land("a.csv", f"id,{name}\n1,x\n")
    assert [run.result for run in lake.run()] == ["succeeded"] * 2 and lake.rows(
        "silver/order", "id", name
    ) == [("1", "x")]


@pytest.mark.spark
@pytest.mark.parametrize(
    ("format", "keeps_history"), [("csv", False), ("json", True), ("parquet", False)]
)
def test_a_field_may_have_any_name_that_ingest_could_use_for_itself(
    lake: Lake, format: str, keeps_history: bool
) -> None:
    assert not any(map(refused, INTERNAL))
    lake.contract(
        "id: {type: integer, primaryKey: true}\nat: {type: integer}\n"
        + "".join(f"{name}: {{type: integer}}\n" for name in INTERNAL),
        f"source: {{type: adls, format: {format}}}, models: [order], latest_by: [at], "
        f"delete_when: {{_rank: [9]}}, history: [{'order' if keeps_history else ''}]",
    )
    assert lake.apply() == []
    for time, (at, value) in enumerate([(1, 5), (2, 6)], 1):
        cells = {"id": 1, "at": at, **dict.fromkeys(INTERNAL, value)}
        if format == "parquet":
            schema = ", ".join(f"`{name}` INT" for name in cells)
            lake.spark.createDataFrame([tuple(cells.values())], schema).coalesce(1).write.mode(
                "append"
            ).parquet(lake.target.landing_folder("order"))
        else:
            lake.land(
                f"{at}.{format}",
                ",".join(cells) + "\n" + ",".join(map(str, cells.values())) + "\n"
                if format == "csv"
                else str(cells).replace("'", '"') + "\n",
                time,
            )
        assert [run.result for run in lake.run()] == ["succeeded"] * 2
    assert lake.rows("bronze/order", *INTERNAL) == [(5,) * len(INTERNAL), (6,) * len(INTERNAL)]
    assert lake.rows("silver/order", *INTERNAL) == (
        [(5,) * len(INTERNAL), (6,) * len(INTERNAL)] if keeps_history else [(6,) * len(INTERNAL)]
    )


@pytest.mark.spark
def test_a_misfit_of_a_field_that_ingest_could_name_itself_is_quarantined_and_looked_at_again(
    lake: Lake,
) -> None:
    from datamaster_kit.ingest.ingest import replay

    fields = "id: {type: integer, primaryKey: true}\n" + "".join(
        f"{name}: {{type: integer}}\n" for name in NEAR
    )
    lake.contract(fields, "source: {type: adls, format: csv}, models: [order]")
    lake.apply()
    lake.land(
        "a.csv", ",".join(["id", *NEAR]) + "\n" + ",".join(["1", *("x" for _ in NEAR)]) + "\n"
    )
    assert lake.run()[0].rows_quarantined == 1
    (again,) = replay(lake.target, lake.project, lake.now, "")
    assert (again.rows_read, again.rows_written, again.rows_quarantined) == (1, 0, 1), (
        "it is still what it was"
    )


TEXT = (
    'it\'s `a` "b" \\n \\ -- c /* d */ $ ${env:HOME} ${system:user.home} ${spark.app.name} '
    "$${env:HOME}} {{secrets/a/b}} \r\n\t é 😀 ;"
)
NAME = "a`b'c\"d\\e--f/*g*/ $ {env:HOME} é ;"


def nasty_contract() -> Contract:
    """Return a contract whose texts and names have every sign that SQL could take for something
    else.
    """
    fields = (
        Field("id", Scalar("integer"), primary_key=1, description=TEXT),
        Field(NAME, description=TEXT, enum=(TEXT, "x")),
        Field("part", Struct((Field(NAME, description=TEXT),))),
    )
    return Contract(
        "urn:shop", name=TEXT, version="1.0.0", models=(Model("order", fields, description=TEXT),)
    )


@pytest.mark.spark
def test_texts_and_names_come_back_from_tables_as_they_were_written_also_where_spark_substitutes(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.now = nasty_contract()
    # as on serverless compute, where it cannot be turned off
    lake.spark.conf.set("spark.sql.variable.substitute", "true")
    try:
        assert lake.apply() == [], "the second plan is empty"
        found = {
            row["col_name"]: row["comment"]
            for row in lake.spark.sql(
                f"DESCRIBE {lake.target.sql_name(lake.project.names.table('silver', 'order'))}"
            ).collect()
        }
        assert found["id"] == TEXT and found[NAME] == TEXT
        (detail,) = lake.spark.sql(
            f"DESCRIBE DETAIL {lake.target.sql_name(lake.project.names.table('silver', 'order'))}"
        ).collect()
        assert (
            detail["description"].startswith(TEXT)
            and TEXT.encode().decode() in detail["description"]
        )
        checks = [
            text
            for key, text in detail["properties"].items()
            if key.startswith("delta.constraints.")
        ]
        assert checks and not any("${" in text for text in checks)
    finally:
        lake.spark.conf.set("spark.sql.variable.substitute", "false")


@pytest.mark.server
def test_texts_and_names_come_back_from_a_workspace_as_they_were_written(workspace, client) -> None:
    from test_workspace import stock
    from test_workspace_sql import runner

    from datamaster_kit.contract.sql.table import Dialect, create_statements, tables

    stock(client)
    for schema in ("silver", "gold"):
        client.schemas.create(schema, "crisk")
    run = runner(client)
    for table in tables(nasty_contract(), "crisk"):
        for statement in create_statements(
            table, f"`crisk`.`{table.schema}`.`{table.name}`", Dialect()
        ):
            assert "${" not in statement
            run(statement)
        there = client.tables.get(f"crisk.{table.schema}.{table.name}")
        assert [(item.name, item.comment or "") for item in there.columns or []] == [
            (item.name, item.comment) for item in table.columns
        ]
        assert (there.comment or "") == table.comment and table.properties.items() <= (
            there.properties or {}
        ).items()
        assert {
            key.removeprefix("delta.constraints."): value
            for key, value in (there.properties or {}).items()
            if key.startswith("delta.constraints.")
        } == table.checks
        assert {
            item.tag_key: item.tag_value
            for item in client.entity_tag_assignments.list("tables", there.full_name or "")
        } == table.tags


LOOK_ALIKE = [
    "аccount",
    "ac\u200bcount",
    "a\u202etnuocc",
    "ｂalance",
    "ﬁeld",
    "e\u0301tat",
    "a\u00a0b",
    "ιd",
    "a\u3164b",
    "id\ufe0f",
]


@pytest.mark.parametrize("name", LOOK_ALIKE)
def test_a_name_that_is_not_what_it_looks_like_is_warned_of(name: str) -> None:
    found = contract_findings(Contract("urn:a", models=(Model("order", (Field(name),)),)))
    assert [(item[0].name, item[0].severity, item[3]) for item in found] == [
        ("name-looks-alike", "warning", name)
    ]


def test_two_names_that_look_the_same_are_warned_of_and_ordinary_ones_are_not() -> None:
    found = contract_findings(
        Contract(
            "urn:a",
            models=(Model("order", (Field("сор"), Field("cop"))), Model("оrdеr", (Field("id"),))),
        )
    )
    assert {(item[0].name, item[2]) for item in found} == {
        ("name-looks-alike", "order"),
        ("name-looks-alike", "оrdеr"),
    }
    ordinary = (
        "account",
        "pedido_é",
        "nº_documento",
        "счет",
        "注文_id",
        "größe",
        "α",
        "x²",
        "Ünïcode name",
        "ação",
    )
    assert (
        contract_findings(Contract("urn:a", models=(Model("order", tuple(map(Field, ordinary))),)))
        == ()
    )


@pytest.mark.parametrize(
    "name", ["a:b", "a/b", "..", "x" * 256, "CON", "nul.txt", "a|b", 'a"b', "a<b", "a\\b", " a"]
)
def test_a_models_name_that_a_catalog_or_a_path_refuses_is_refused(name: str) -> None:
    # a path is its source's, and the table has the model's own name
    physical = "physical-name-path" if "." in name else "name-refused"
    for model, told in (
        (Model(name, (Field("id"),)), "name-refused"),
        (Model("a", (Field("id"),), physical_name=name), physical),
    ):
        assert {item[0].name for item in contract_findings(Contract("urn:a", models=(model,)))} == {
            told
        }


def test_models_whose_names_differ_only_by_case_are_refused() -> None:
    models = (
        Model("order", (Field("id"),), physical_name="x"),
        Model("Order", (Field("id"),), physical_name="y"),
    )
    assert [item[0].name for item in contract_findings(Contract("urn:a", models=models))] == [
        "name-taken"
    ]


def test_no_model_is_a_table_that_the_toolkit_makes_for_another() -> None:
    def told(workflow: Workflow | None, *names: str) -> list[tuple[str, str]]:
        return [
            (item[0].name, item[2])
            for item in contract_findings(
                Contract(
                    "urn:a",
                    models=tuple(Model(name, (Field("id", primary_key=1),)) for name in names),
                    workflow=workflow,
                )
            )
            if item[0].severity == "error"
        ]

    assert (
        told(None, "account", "account_quarantine")
        == told(None, "account_quarantine", "account")
        == [("name-taken", "account_quarantine")]
    )
    assert told(None, "Account", "ACCOUNT_Quarantine", "b") == [
        ("name-taken", "ACCOUNT_Quarantine")
    ]
    deleting = Workflow(delete_when={"account": {"id": ("x",)}})
    assert told(deleting, "account", "account_deleted") == [("name-taken", "account_deleted")]
    assert told(Workflow(delete_when={"*": {"id": ("x",)}}), "account", "account_deleted") == [
        ("name-taken", "account_deleted")
    ]
    physical = (
        Model("a", (Field("id"),), physical_name="account"),
        Model("b", (Field("id"),), physical_name="account_quarantine"),
    )
    assert [item[0].name for item in contract_findings(Contract("urn:a", models=physical))] == [
        "name-taken"
    ]
    for workflow, *models in (
        (None, "account", "account_deleted", "account_history"),
        (Workflow(models=("account",)), "account", "account_quarantine"),
        (Workflow(gold={"account_quarantine": "a.sql"}), "account", "account_quarantine"),
    ):
        assert told(workflow, *models) == []


def test_no_contract_has_a_table_that_the_toolkit_makes_for_a_model_of_another() -> None:
    project, one, other = (
        Project(Path(), names("risk", "risk")),
        Contract("urn:a", models=(Model("account", (Field("id"),)),)),
        Contract("urn:b", models=(Model("Account_quarantine", (Field("id"),)),)),
    )
    for contracts in ((one, other), (other, one)):
        with pytest.raises(
            DatamasterError, match=r"both have the table '[Aa]ccount_quarantine'"
        ) as told:
            desired_tables(project, contracts)
        assert [fault.code for fault in told.value.faults] == ["table-claimed-twice"]
    gold = Contract(
        "urn:b", models=other.models, workflow=Workflow(gold={"Account_quarantine": "a.sql"})
    )
    assert len(desired_tables(project, (one, gold))) == 6


def test_a_page_of_a_report_has_a_name_that_a_disk_takes_however_long_the_contracts_id_is() -> None:
    assert (
        page_file_name("urn:" + "d" * 300) == "urn-" + "d" * 96
        and len(page_file_name("-" * 99 + "é" * 300 + "x")) <= 100
        and page_file_name("urn:a") == "urn-a"
    )


def test_a_name_that_a_path_reads_as_another_or_that_leaves_no_room_is_refused() -> None:
    def told(model: Model) -> set[str]:
        return {item[0].name for item in contract_findings(Contract("urn:a", models=(model,)))}

    for name in ("a%20b", "%2e%2e", "%00", "a%2Fb", "x%c3%A9"):
        assert (
            told(Model(name, (Field("id"),)))
            == told(Model("a", (Field("id"),), physical_name=name))
            == {"name-refused"}
        ), name
    for name in ("x" * 181, "x" * 244, "x" * 246, "x" * 255, "é" * 91):
        assert (
            told(Model(name, (Field("id"),)))
            == told(Model("a", (Field("id"),), physical_name=name))
            == {"name-refused"}
        ), len(name)
    for name in ("100%", "a%b_c", "50%off", "x" * 180, "é" * 90):
        assert (
            told(Model(name, (Field("id"),)))
            == told(Model("a", (Field("id"),), physical_name=name))
            == set()
        ), name


@pytest.mark.spark
@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
        ),
        min_size=1,
        max_size=4,
        unique_by=str.lower,
    )
)
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
def test_any_name_that_lint_takes_ingests_and_reads_back(lake: Lake, names: list[str]) -> None:
    import json
    import shutil

    taken = [name for name in names if not refused(name) and name.strip().lower() != "id"]
    lake = Lake(lake.spark, lake.folder)
    shutil.rmtree(lake.folder / ".datamaster", ignore_errors=True)
    lake.contract(
        "id: {type: integer, primaryKey: true}\n"
        + "".join(f"{json.dumps(name)}: {{type: string}}\n" for name in taken),
        "source: {type: adls, format: json}, models: [order]",
    )
    assert lake.apply() == []
    lake.land(
        "a.json",
        json.dumps({"id": 1, **{name: f"v{index}" for index, name in enumerate(taken)}}) + "\n",
    )
    assert [run.result for run in lake.run()] == ["succeeded"] * 2
    (row,) = lake.rows("silver/order")
    assert [row[name] for name in taken] == [f"v{index}" for index in range(len(taken))]
