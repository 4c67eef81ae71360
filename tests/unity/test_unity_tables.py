"""Tables of a workspace from outside, through a SQL warehouse.

The contracts' plan, applied, changed by hand, and again; over the real SDK and a server of the
routes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import catalog as uc
from databricks.sdk.service import sql
from test_workspace import stock
from workspace.clients import workspace_client
from workspace.faults import ALL_KINDS, Chaos, Fault
from workspace.furnish import add_principal
from workspace.server import Workspace
from workspace.state import Settings

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.model import Contract
from datamaster_kit.contract.read import examine_document
from datamaster_kit.lakehouse.names import names
from datamaster_kit.plan.plan import Plan
from datamaster_kit.plan.resources import ChangeOutcome
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.databricks import DatabricksTarget
from datamaster_kit.unity.tables import apply_plan, plan_project_tables

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]
WAREHOUSE = "Serverless Starter Warehouse"
SHOP = """
dataContractSpecification: 1.1.0
id: urn:datacontract:shop
info: {title: Shop, version: 1.0.0}
servers:
  lakehouse:
    type: databricks
    catalog: crisk
    schema: silver
    roles: [{name: readers, description: May read.}, {name: auditors, classifications: [pii]}]
models:
  "order":
    description: One row an order.
    fields:
      id: {type: long, primaryKey: true, description: The order's number.}
      customer: {type: string, classification: confidential}
      tax_number: {type: varchar, maxLength: 14, pii: true}
      amount: {type: int, minimum: 0}
      country: {type: string, required: true}
"""


@dataclass
class Lake:
    """A workspace with the project's catalog, and the toolkit outside of it."""

    workspace: Workspace
    client: WorkspaceClient
    project: Project
    contracts: tuple[Contract, ...]

    @property
    def target(self) -> DatabricksTarget:
        """The target of a process that has just begun."""
        return DatabricksTarget(self.project, "production", client=self.client)

    def plan(self, drops: bool = False) -> Plan:
        return plan_project_tables(self.target, self.project, self.contracts, drops)

    def apply(self, drops: bool = False) -> Plan:
        """Apply until nothing is left or it fails, and return the plan that comes after."""
        apply_plan(self.plan(drops), self.target, lambda: self.plan(drops))
        return self.plan(drops)

    def run(self, statement: str) -> list[dict[str, str]]:
        """Run a statement by hand."""
        return self.target.sql(statement)

    def pending(self) -> list[str]:
        """Return the differences that are pending, as `name: path`."""
        return [
            f"{change.name}: {item.path}"
            for change in self.plan().pending
            for item in change.differences
        ]


def contract_of(text: str) -> Contract:
    contract, faults = examine_document(parse_document(text, "shop.yaml"), ROOT)
    assert contract is not None and not faults, faults
    return contract


def lake_on(
    workspace: Workspace, contracts: Iterable[Contract], warehouse: str = WAREHOUSE
) -> Lake:
    client = workspace_client(workspace)
    stock(client)
    for group in ("data_engineer", "readers", "auditors", "flights_reader", "writers"):
        add_principal(
            workspace.state, "Groups", displayName=group, members=[], meta={"resourceType": "Group"}
        )
    settings = {
        "production": {"host": workspace.host, **({"warehouse": warehouse} if warehouse else {})}
    }
    return Lake(
        workspace,
        client,
        Project(ROOT, names("risk", "risk"), targets=settings, tags={"project": "datamaster"}),
        tuple(contracts),
    )


@pytest.fixture
def shop(workspace: Workspace) -> Lake:
    """The shop's tables, as the first version of the contract has them."""
    lake = lake_on(workspace, [contract_of(SHOP)])
    assert lake.apply().is_empty
    return lake


# --- plan, apply, plan


def test_the_sample_project_is_applied_and_a_second_plan_is_empty(workspace: Workspace) -> None:
    lake = lake_on(workspace, read_contracts(read_project(ROOT)))
    plan = lake.plan()
    assert {
        change.action
        for change in plan.changes
        if change.kind != "schema" or not change.name.endswith("bronze")
    } == {"create", "update"}
    reported: list[ChangeOutcome] = []
    apply_plan(plan, lake.target, report=reported.append)
    assert [outcome.change for outcome in reported] == list(plan.pending)
    again = lake.plan()
    assert again.is_empty and len(again.changes) == len(plan.changes), list(again.pending)
    flights = lake.client.tables.get("crisk.silver.flights")
    assert any(item.primary_key_constraint for item in flights.table_constraints or [])
    assert {
        item.tag_key: item.tag_value
        for item in lake.client.entity_tag_assignments.list("tables", "crisk.silver.flights")
    }.items() >= {
        "project": "datamaster",
        "domain": "flights",
        "contract": "urn:datacontract:flights:nyc-departures",
        "contract_version": "1.0.0",
    }.items()
    held = lake.client.grants.get("table", "crisk.silver.flights").privilege_assignments or []
    assert [(item.principal, item.privileges) for item in held] == [
        ("flights_reader", [uc.Privilege.SELECT])
    ]
    assert not lake.client.grants.get("table", "crisk.bronze.flights").privilege_assignments


def test_making_a_plan_changes_nothing_and_needs_no_catalog(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    project = Project(ROOT, names("risk", "risk"), targets={"production": {"warehouse": WAREHOUSE}})
    plan = plan_project_tables(
        DatabricksTarget(project, "production", client=client), project, [contract_of(SHOP)]
    )
    assert {change.action for change in plan.changes if change.kind in ("schema", "table")} == {
        "create"
    }
    assert {method for method, _, _ in workspace.log} == {"GET"}
    with pytest.raises(DatamasterError, match=r"schema crisk\.bronze"):
        apply_plan(plan, DatabricksTarget(project, "production", client=client))


# --- evolution


def test_the_next_version_of_a_contract_is_taken_over(shop: Lake) -> None:
    later = SHOP.replace("version: 1.0.0", "version: 2.0.0").replace(
        "amount: {type: int, minimum: 0}",
        "amount: {type: long, minimum: 1, description: In cents.}",
    )
    shop.contracts = (
        contract_of(later + "      note: {type: string, classification: confidential}\n"),
    )
    before = shop.client.tables.get("crisk.silver.order").table_id
    plan = shop.plan()
    assert not plan.refusals and "note" in str(plan.pending)
    assert shop.apply().is_empty
    there = shop.client.tables.get("crisk.silver.order")
    assert there.table_id == before, "the table is the same one"
    columns = {column.name: column for column in there.columns or []}
    assert (
        columns["amount"].type_text == "bigint"
        and columns["amount"].comment == "In cents."
        and columns["note"].mask is not None
    )
    assert "contract_version" in {
        item.tag_key
        for item in shop.client.entity_tag_assignments.list("tables", "crisk.silver.order")
        if item.tag_value == "2.0.0"
    }


def test_a_renamed_column_keeps_its_tags_mask_and_data_and_an_unknown_one_is_kept(
    shop: Lake,
) -> None:
    shop.contracts = (
        contract_of(
            SHOP.replace(
                "customer: {type: string, ", "buyer: {type: string, config: {aliases: [customer]}, "
            )
        ),
    )
    assert shop.apply().is_empty
    columns = {
        column.name: column for column in shop.client.tables.get("crisk.silver.order").columns or []
    }
    assert "customer" not in columns and columns["buyer"].mask
    shop.contracts = (
        contract_of(SHOP.replace("      country: {type: string, required: true}\n", "")),
    )
    left = shop.apply()
    assert (
        all(
            "country is not in the contract" in change.refusal
            or "customer" in change.refusal
            or "buyer" in change.refusal
            for change in left.refusals
        )
        and left.refusals
    )


def test_a_column_that_becomes_required_waits_for_its_rows(
    workspace: Workspace, shop: Lake
) -> None:
    workspace.state.rows["crisk.silver.order"] = [{"id": 1, "customer": None}]
    shop.contracts = (
        contract_of(
            SHOP.replace("customer: {type: string, ", "customer: {type: string, required: true, ")
        ),
    )
    (change,) = shop.apply().pending
    assert (
        change.name == "crisk.silver.order"
        and "customer has rows without a value" in change.refusal
    )
    workspace.state.rows["crisk.silver.order"] = [{"id": 1, "customer": "ana"}]
    assert shop.apply().is_empty


# --- drift


def test_what_was_changed_by_hand_is_shown_and_mended(shop: Lake) -> None:
    for statement in (
        "COMMENT ON TABLE crisk.silver.`order` IS 'mine'",
        "ALTER TABLE crisk.silver.`order` ALTER COLUMN id COMMENT 'x'",
        "ALTER TABLE crisk.silver.`order` DROP PRIMARY KEY",
        "ALTER TABLE crisk.silver.`order` UNSET TAGS ('contract')",
        "ALTER TABLE crisk.silver.`order` SET TAGS ('cost_center' = '42')",
        "ALTER TABLE crisk.silver.`order` ALTER COLUMN country SET TAGS ('pii' = 'true')",
        "ALTER TABLE crisk.silver.`order` ALTER COLUMN customer UNSET TAGS ('classification')",
        "ALTER TABLE crisk.silver.`order` CLUSTER BY NONE",
        "ALTER TABLE crisk.silver.`order` ALTER COLUMN customer DROP MASK",
        "ALTER TABLE crisk.silver.`order` DROP CONSTRAINT amount_range",
        "ALTER TABLE crisk.silver.`order` SET TBLPROPERTIES ('datamaster.model' = 'other', "
        "'mine' = 'yes')",
        "REVOKE SELECT ON TABLE crisk.silver.`order` FROM readers",
    ):
        shop.run(statement)
    assert shop.pending() == [
        f"crisk.silver.order: {path}"
        for path in (
            "id.comment",
            "comment",
            "property datamaster.model",
            "cluster by",
            "check amount_range",
            "tag contract",
            "customer.tag classification",
            "country.tag pii",
            "primary key",
            "customer.mask",
            "readers",
        )
    ]
    assert shop.apply().is_empty
    assert shop.run(
        "SELECT tag_value FROM crisk.information_schema.table_tags WHERE tag_name = 'cost_center'"
    ) == [{"tag_value": "42"}], "what others set stays"


def test_a_view_of_a_tables_name_is_left_alone(workspace: Workspace, shop: Lake) -> None:
    workspace.state.unity["table"]["crisk.silver.order"]["table_type"] = "VIEW"
    (change, *_) = shop.plan().refusals
    assert (
        change.name == "crisk.silver.order" and "VIEW" in change.refusal and not change.statements
    )


# --- who sees and may do what


def test_masks_are_functions_that_name_the_roles(shop: Lake) -> None:
    masks = {
        column.name: column.mask.function_name
        for column in shop.client.tables.get("crisk.silver.order").columns or []
        if column.mask
    }
    assert masks == {
        "customer": "crisk.silver.mask_shop_confidential_string",
        "tax_number": "crisk.silver.mask_shop_pii_string",
    }
    bodies = {
        item.name: item.routine_definition or ""
        for item in shop.client.functions.list("crisk", "silver")
    }
    assert (
        "'readers'" in bodies["mask_shop_pii_string"]
        and "'auditors'" in bodies["mask_shop_pii_string"]
        and "'data_engineer'" in bodies["mask_shop_pii_string"]
    )
    assert "'auditors'" not in bodies["mask_shop_confidential_string"]
    assert not [
        column
        for column in shop.client.tables.get("crisk.bronze.order").columns or []
        if column.mask
    ]


def test_a_function_changed_by_hand_is_made_anew_and_a_strangers_is_not_touched(shop: Lake) -> None:
    shop.run(
        "CREATE OR REPLACE FUNCTION crisk.silver.mask_shop_pii_string(value STRING) RETURNS "
        "STRING COMMENT 'Made by datamaster_kit: or so it says' RETURN value"
    )
    assert shop.pending() == ["crisk.silver.mask_shop_pii_string: body"] and shop.apply().is_empty
    shop.run("CREATE FUNCTION crisk.silver.mine(value STRING) RETURNS STRING RETURN '-'")
    shop.run("ALTER TABLE crisk.silver.`order` ALTER COLUMN customer SET MASK crisk.silver.mine")
    shop.run("ALTER TABLE crisk.silver.`order` ALTER COLUMN country SET MASK crisk.silver.mine")
    left = shop.apply()
    assert [change.refusal for change in left.pending if change.kind == "table"] == [
        "customer.mask is crisk.silver.mine, which the toolkit did not make; take it off, or "
        "leave it"
    ]


def test_a_mask_that_the_contract_no_longer_asks_for_is_taken_off(shop: Lake) -> None:
    shop.contracts = (contract_of(SHOP.replace(", classification: confidential}", "}")),)
    assert (
        "crisk.silver.order: customer.mask" in shop.pending()
        and "crisk.silver.order: customer.tag classification" in shop.pending()
    )
    assert shop.apply().is_empty
    assert [
        column.name
        for column in shop.client.tables.get("crisk.silver.order").columns or []
        if column.mask
    ] == ["tax_number"]


def test_rows_are_filtered_for_a_role_that_is_limited(shop: Lake) -> None:
    shop.contracts = (
        contract_of(
            SHOP.replace(
                "{name: readers, description: May read.}",
                "{name: readers, rows: {country: [BR, PT]}}",
            )
        ),
    )
    assert shop.apply().is_empty
    there = shop.client.tables.get("crisk.silver.order").row_filter
    assert (
        there
        and there.function_name == "crisk.silver.rows_shop_order"
        and there.input_column_names == ["country"]
    )
    assert "IN ('BR', 'PT')" in (
        shop.client.functions.get("crisk.silver.rows_shop_order").routine_definition or ""
    )
    shop.contracts = (contract_of(SHOP),)
    assert shop.apply().is_empty and shop.client.tables.get("crisk.silver.order").row_filter is None


def test_a_role_that_leaves_the_contract_loses_its_grants_and_the_rest_where_deletion_is_allowed(
    shop: Lake,
) -> None:
    shop.run("GRANT MODIFY ON TABLE crisk.silver.`order` TO readers")
    shop.run("GRANT SELECT ON TABLE crisk.silver.`order` TO writers")
    shop.contracts = (contract_of(SHOP.replace("{name: readers, description: May read.}, ", "")),)
    (left,) = shop.apply().pending
    held = {
        item.principal: [privilege.value for privilege in item.privileges or []]
        for item in shop.client.grants.get("table", "crisk.silver.order").privilege_assignments
        or []
    }
    assert held == {"auditors": ["SELECT"], "readers": ["MODIFY"], "writers": ["SELECT"]}
    assert [(item.path, item.before, item.after) for item in left.differences] == [
        ("readers", ["MODIFY"], []),
        ("writers", ["SELECT"], []),
    ] and "--allow-delete" in left.refusal
    apply_plan(
        plan_project_tables(shop.target, shop.project, shop.contracts, allow_delete=True),
        shop.target,
    )
    assert shop.plan().is_empty


def test_a_role_whose_group_is_not_there_is_named_after_the_tables_are_made(
    workspace: Workspace,
) -> None:
    lake = lake_on(workspace, [contract_of(SHOP.replace("name: readers", "name: nobody_knows"))])
    with pytest.raises(
        DatamasterError, match=r"grants crisk\.silver\.order: .*PRINCIPAL_DOES_NOT_EXIST"
    ):
        lake.apply()
    assert {change.kind for change in lake.plan().pending} == {"grants"}


# --- the warehouse


def test_a_stopped_warehouse_is_started_and_one_that_is_not_there_is_named(
    workspace: Workspace,
) -> None:
    lake = lake_on(workspace, [])
    (there,) = lake.client.warehouses.list()
    lake.client.warehouses.stop(there.id or "")
    workspace.forget_calls()
    assert lake.run("SELECT 1 AS one") == [{"one": "1"}]
    assert (
        workspace.count(sql.WarehousesAPI.start) == 1
        and lake.client.warehouses.get(there.id or "").state == sql.State.RUNNING
    )
    other = Project(ROOT, names("risk", "risk"), targets={"production": {"warehouse": there.id}})
    assert DatabricksTarget(other, "production", client=lake.client).sql("SELECT 2 AS two") == [
        {"two": "2"}
    ]
    for settings, said in (
        ({"warehouse": "Starter"}, "there is no SQL warehouse 'Starter'"),
        ({}, "no SQL warehouse is named"),
    ):
        with pytest.raises(
            BadInput, match=f"{said}; the workspace has 'Serverless Starter Warehouse'"
        ):
            DatabricksTarget(
                Project(ROOT, names("risk", "risk"), targets={"production": settings}),
                "production",
                client=lake.client,
            ).sql("SELECT 1")


def test_a_slow_statement_is_asked_for_until_it_ends_and_its_chunks_are_put_together() -> None:
    with Workspace(
        Settings(statement_polls=4, statement_chunk=3), metastore="primary"
    ) as workspace:
        lake = lake_on(workspace, [contract_of(SHOP)])
        assert lake.apply().is_empty
        waited = lake.client.config.clock.waited  # type: ignore[attr-defined]
        waited.clear()
        assert (
            len(
                lake.run(
                    "SELECT column_name FROM crisk.information_schema.columns WHERE "
                    "table_schema = 'silver'"
                )
            )
            == 7
        )
        assert waited == [0.5, 1.0, 2.0, 4.0]


def test_a_statement_that_fails_names_its_object_and_what_the_service_said(shop: Lake) -> None:
    with pytest.raises(
        DatamasterError, match=r"TABLE_OR_VIEW_NOT_FOUND.*\(in SELECT \* FROM crisk.silver.absent\)"
    ):
        shop.run("SELECT * FROM crisk.silver.absent")
    shop.run("DROP TABLE crisk.silver.`order`")
    broken = shop.plan()
    change = next(change for change in broken.pending if change.kind == "table")
    with pytest.raises(DatamasterError) as raised:
        apply_plan(
            Plan(
                (
                    replace(
                        change,
                        statements=(
                            *change.statements,
                            "ALTER TABLE crisk.silver.`order` ADD COLUMNS (id INT)",
                        ),
                    ),
                )
            ),
            shop.target,
        )
    assert raised.value.faults[0].code == "apply-failed" and raised.value.faults[
        0
    ].message.startswith("table crisk.silver.order: [COLUMN_ALREADY_EXISTS]")


# --- faults


@pytest.mark.parametrize(
    "fault",
    [
        Fault("throttled", "POST", "*/sql/statements", times=3, retry_after=7),
        Fault("unavailable", "GET", "*/tables", times=2),
        Fault("reset", "POST", "*/sql/statements", times=2, after=9),
        Fault("lost", "POST", "*/sql/statements", times=1, after=4),
        Fault("lost", "POST", "*/sql/statements", times=6, after=8),
        Fault("stale", "POST", "*/sql/statements", after=6, reads=1),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.times}",
)
def test_every_fault_is_survived_with_the_same_end(workspace: Workspace, fault: Fault) -> None:
    lake = lake_on(workspace, [contract_of(SHOP)])
    workspace.fail(fault)
    apply_plan(lake.plan(), lake.target, lake.plan)
    assert workspace.faults.struck
    workspace.fail()
    assert lake.plan().is_empty


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_faults_by_chance_are_survived(workspace: Workspace, seed: int) -> None:
    lake = lake_on(workspace, [contract_of(SHOP)])
    workspace.fail(chaos=Chaos(seed, 0.15, ALL_KINDS))
    for _ in range(3):
        try:
            lake.apply()
            break
        except DatamasterError:
            continue
    workspace.fail()
    assert workspace.state.unity["table"] and lake.apply().is_empty


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [1, 3, 6, 10, 14, 18])
def test_killed_anywhere_and_applied_again_the_end_is_the_same(
    workspace: Workspace, after: int
) -> None:
    lake = lake_on(workspace, [contract_of(SHOP)])
    target, left = lake.target, [after]

    def dies(
        run: Callable[[str], list[dict[str, object]]],
    ) -> Callable[[str], list[dict[str, object]]]:
        def one(statement: str) -> list[dict[str, object]]:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return run(statement)

        return one

    plan = lake.plan()
    target.__dict__["runner"] = dies(target.runner)
    with pytest.raises(Killed):
        apply_plan(plan, target)
    assert not lake.plan().is_empty and lake.apply().is_empty


# --- many


@pytest.mark.slow
def test_a_thousand_tables_are_planned_with_a_list_a_schema_and_four_queries() -> None:
    model = (
        "  m{0}:\n    fields:\n      id: {{type: long, primaryKey: true}}\n      name: {{type: "
        "string, classification: confidential}}\n"
    )
    head = SHOP[: SHOP.index("models:")] + "models:\n"
    contracts = [
        contract_of(
            head.replace("datacontract:shop", f"datacontract:shop{number}")
            + "".join(model.format(f"{number}_{item}") for item in range(20))
        )
        for number in range(17)
    ]
    with Workspace(Settings(page_size=500), metastore="primary") as workspace:
        lake = lake_on(workspace, contracts)
        desired = lake.plan()
        assert sum(change.kind == "table" for change in desired.changes) > 1000
        apply_plan(desired, lake.target)
        workspace.forget_calls()
        began = time.perf_counter()
        again = lake.plan()
        seconds = time.perf_counter() - began
        assert again.is_empty
        assert (
            workspace.count(sql.StatementExecutionAPI.execute_statement) == 4
            and workspace.count(uc.TablesAPI.list) == 4
        ), workspace.calls
        assert {path for method, path, _ in workspace.log if method != "GET"} == {
            "/api/2.0/sql/statements"
        } and seconds < 30
