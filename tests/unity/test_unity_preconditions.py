"""What an apply would be refused for is in the plan.

Warehouses, principals, the caller's privileges; what is given away is given last; whose an object
is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.workspace import AclPermission
from workspace import clusters
from workspace.clients import workspace_client
from workspace.furnish import add_principal, token_of
from workspace.server import Settings, Workspace

from datamaster_kit.cli.main import main
from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.read import examine_document
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.project.sections import parse_unity
from datamaster_kit.targets.databricks import DatabricksTarget
from datamaster_kit.targets.runtime import DEFAULT_RUNTIME
from datamaster_kit.unity.catalog import CatalogPlan, apply_catalog, plan_catalog, plan_destruction

pytestmark = pytest.mark.server
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
    roles: [{name: readers, description: May read.}]
models:
  order:
    fields:
      id: {type: long, primaryKey: true}
"""
BOB = "bob@example.com"


@dataclass
class Lake:
    """A project on a test workspace, for whoever is signed in."""

    workspace: Workspace
    project: Project
    monkeypatch: pytest.MonkeyPatch

    @property
    def client(self) -> WorkspaceClient:
        """The administrator's client."""
        return workspace_client(self.workspace)

    def sign_in(self, name: str) -> None:
        """Be somebody else from now on."""
        self.monkeypatch.setenv("DATABRICKS_TOKEN", token_of(self.workspace.state, name))

    def plan(self, text: str = SHOP, allow_delete: bool = False) -> CatalogPlan:
        contract, faults = examine_document(parse_document(text, "shop.yaml"), self.project.root)
        assert contract is not None and not faults, faults
        return plan_catalog(
            DatabricksTarget(self.project, "production"),
            self.project,
            [contract],
            allow_delete=allow_delete,
        )

    def apply(self, text: str = SHOP, allow_delete: bool = False) -> None:
        apply_catalog(self.plan(text, allow_delete))

    def written(self) -> list[str]:
        """Return what was asked for otherwise than by GET and, of SQL, by other statements than
        SELECT.
        """
        return [
            f"{method} {path}"
            for method, path, _ in self.workspace.log
            if method != "GET" and not path.endswith("/sql/statements")
        ]


@pytest.fixture
def lake(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A new workspace, whose account has the groups that the project and the contract name, and
    Bob, who may do nothing.
    """
    for group in ("data_engineer", "readers"):
        add_principal(
            workspace.state, "Groups", displayName=group, members=[], meta={"resourceType": "Group"}
        )
    add_principal(workspace.state, "Users", userName=BOB, displayName="Bob", active=True)
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token)
    setup = {"subscription": "00000000-0000-0000-0000-000000000001", "location": Settings.region}
    targets = {"production": {"host": workspace.host, "warehouse": WAREHOUSE}}
    yield Lake(
        workspace,
        Project(
            tmp_path,
            names("risk", "risk"),
            targets=targets,
            setup=setup,
            unity=parse_unity({"compute": "serverless"}, "data_engineer"),
        ),
        monkeypatch,
    )


def grant(lake: Lake, kind: str, name: str, principal: str, *privileges: Privilege) -> None:
    lake.client.grants.update(
        kind, name, changes=[PermissionsChange(principal=principal, add=list(privileges))]
    )


def metastore_of(lake: Lake) -> str:
    return lake.client.metastores.summary().metastore_id or ""


# --- a SQL warehouse


@pytest.mark.parametrize(
    ("named", "says"),
    [("", "no SQL warehouse is named"), ("Starter", "there is no SQL warehouse 'Starter'")],
)
def test_without_a_warehouse_the_plan_says_so_and_apply_changes_nothing(
    lake: Lake, named: str, says: str
) -> None:
    whole = lake.project
    lake.project = replace(
        whole, targets={"production": {"host": lake.workspace.host, "warehouse": named}}
    )
    for is_first in (True, False):
        found = lake.plan()
        (problem,) = found.plan.problems
        assert (
            problem.code == "no-warehouse"
            and says in problem.message
            and "`warehouse:`" in problem.hint
        )
        assert bool(found.plan.pending) == is_first
        lake.workspace.forget_calls()
        with pytest.raises(BadInput, match=says):
            apply_catalog(found)
        assert not lake.workspace.log
        lake.project = whole
        lake.apply()
        lake.project = replace(
            whole, targets={"production": {"host": lake.workspace.host, "warehouse": named}}
        )


def test_the_command_shows_the_problem_in_the_plan_and_apply_ends_with_2(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = lake.project.root
    (root / "contracts").mkdir()
    (root / "contracts" / "shop.yaml").write_text(SHOP, encoding="utf-8")
    setup = (
        "{subscription: 00000000-0000-0000-0000-000000000001, tenant: "
        "00000000-0000-0000-0000-000000000002, location: westeurope, writers: {ana: {object_id: "
        "00000000-0000-0000-0000-000000000003, type: User}}, budget: {amount: 5, emails: "
        "[ana@example.com]}, github: {repository: a/b, environments: [prod]}}"
    )
    (root / "datamaster.yaml").write_text(
        f"domain: risk\ncatalog: risk\nsetup: {setup}\ntargets:\n  production: {{host: "
        f"'{lake.workspace.host}'}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(root)
    for arguments, code in ((["plan"], 0), (["plan", "--json"], 0), (["apply"], 2)):
        monkeypatch.setattr(
            sys, "argv", ["datamaster", "unity", *arguments, "--target", "production"]
        )
        ended = 0
        try:
            main()
        except SystemExit as exit_code:
            ended = int(str(exit_code.code))
        shown = capsys.readouterr()
        assert ended == code and "no SQL warehouse is named" in shown.out
        assert "--json" in arguments or (
            "problem[no-warehouse]" in shown.out and "+ catalog crisk" in shown.out
        )
    assert "error[no-warehouse]" in shown.err and not list(lake.client.catalogs.list())


# --- principals


def test_a_principal_that_is_not_there_is_refused_in_the_plan_and_the_rest_is_made(
    lake: Lake,
) -> None:
    text = SHOP.replace(
        "{name: readers, description: May read.}",
        "{name: readers}, {name: nobody}, {name: eve@example.com}, {name: "
        "00000000-0000-4000-8000-0000000000ee}",
    )
    refused = [
        change for change in lake.plan(text).plan.refusals if change.kind in ("grant", "grants")
    ]
    assert {change.name.partition(" to ")[2] for change in refused if change.kind == "grant"} == {
        "nobody",
        "eve@example.com",
        "00000000-0000-4000-8000-0000000000ee",
    }
    (table,) = [change for change in refused if change.kind == "grants"]
    assert table.refusal.startswith(
        "no-such-principal: the account has no '00000000-0000-4000-8000-0000000000ee', "
        "'eve@example.com', 'nobody'; make it"
    )
    with pytest.raises(DatamasterError) as raised:
        lake.apply(text)
    assert {fault.code for fault in raised.value.faults} == {"change-refused"} and len(
        raised.value.faults
    ) == len(refused)
    held = {item.principal for item in lake.client.grants.list("table", "crisk.silver.order")}
    assert held == {"readers"} and lake.client.catalogs.get("crisk").owner == "data_engineer"
    add_principal(
        lake.workspace.state,
        "Groups",
        displayName="nobody",
        members=[],
        meta={"resourceType": "Group"},
    )
    add_principal(lake.workspace.state, "Users", userName="eve@example.com", active=True)
    add_principal(
        lake.workspace.state,
        "ServicePrincipals",
        applicationId="00000000-0000-4000-8000-0000000000ee",
        displayName="loader",
    )
    lake.apply(text)
    assert lake.plan(text).plan.is_empty


def test_a_group_that_owns_and_is_not_there_keeps_the_catalog_and_all_in_it_from_being_made(
    lake: Lake,
) -> None:
    engineers = next(
        item.resource["id"]
        for item in lake.workspace.state.principals.values()
        if item.name == "data_engineer"
    )
    del lake.workspace.state.principals[engineers]
    plan = lake.plan().plan
    first, *others = [
        change
        for change in plan.refusals
        if change.kind in ("catalog", "schema", "volume", "table")
    ]
    assert (
        first.kind == "catalog"
        and "no-such-principal: the account has no 'data_engineer'" in first.refusal
    )
    assert len(others) == 3 + 2 + 5 and all(
        "which is refused" in change.refusal or "no-such-principal" in change.refusal
        for change in others
    )
    with pytest.raises(DatamasterError) as raised:
        lake.apply()
    assert {fault.code for fault in raised.value.faults} == {"change-refused"}
    assert not list(lake.client.catalogs.list()) and not lake.workspace.state.statements


def test_a_workspace_that_does_not_pass_the_question_on_keeps_nothing_from_being_made(
    lake: Lake,
) -> None:
    lake.workspace.by_method["GET"] = [
        (pattern, route)
        for pattern, route in lake.workspace.by_method["GET"]
        if "/account/scim/" not in route.call.path
    ]
    lake.apply()
    text = SHOP.replace("{name: readers, ", "{name: nobody}, {name: readers, ")
    assert not lake.plan(text).plan.refusals
    with pytest.raises(DatamasterError, match="Could not find principal with name nobody"):
        lake.apply(text)


# --- the caller's privileges


def test_what_the_caller_lacks_is_in_the_plan_and_apply_changes_nothing(lake: Lake) -> None:
    lake.sign_in(BOB)
    found = lake.plan()
    assert {fault.code for fault in found.plan.problems} == {"missing-privilege"}
    assert [fault.message.partition(" on the ")[0] for fault in found.plan.problems] == [
        f"{BOB} lacks CREATE {what}"
        for what in ("STORAGE CREDENTIAL", "EXTERNAL LOCATION", "CATALOG")
    ]
    assert found.plan.problems[2].hint.startswith(f"GRANT CREATE CATALOG ON METASTORE TO `{BOB}`")
    lake.workspace.forget_calls()
    with pytest.raises(BadInput, match="CREATE CATALOG"):
        apply_catalog(found)
    assert not lake.workspace.log
    lake.sign_in("admin@example.com")
    lake.apply()
    grant(
        lake,
        "catalog",
        "crisk",
        BOB,
        Privilege.USE_CATALOG,
        Privilege.USE_SCHEMA,
        Privilege.BROWSE,
        Privilege.SELECT,
    )
    lake.client.secrets.put_acl("strife-secret-scope", BOB, AclPermission.MANAGE)
    lake.client.schemas.delete("crisk.gold", force=True)
    lake.client.grants.update(
        "schema",
        "crisk.bronze",
        changes=[PermissionsChange(principal="data_engineer", remove=[Privilege.SELECT])],
    )
    lake.sign_in(BOB)
    told = {fault.message.partition(",")[0] for fault in lake.plan().plan.problems}
    assert told >= {
        f"{BOB} lacks CREATE SCHEMA on the catalog crisk",
        f"{BOB} lacks MANAGE on the schema crisk.bronze",
    }


def test_a_member_of_the_owning_group_who_made_nothing_plans_and_applies(lake: Lake) -> None:
    """The storage credential, and who reads the secret scope, are not shown to them.

    Both stay as they are, and the plan says so.
    """
    lake.apply()
    state = lake.workspace.state
    bob = next(item.resource["id"] for item in state.principals.values() if item.name == BOB)
    engineers = next(item for item in state.principals.values() if item.name == "data_engineer")
    engineers.resource["members"] = [{"value": bob}]
    lake.sign_in(BOB)
    plan = lake.plan().plan
    assert plan.is_empty and not plan.problems
    unseen = {
        change.kind: change.note
        for change in plan.changes
        if "not seen by whoever plans, and left as it is" in change.note
    }
    assert (
        set(unseen) == {"storage credential", "secret reader"}
        and "MANAGE on the scope" in unseen["secret reader"]
    )
    lake.apply(
        SHOP.replace(
            "id: {type: long, primaryKey: true}",
            "id: {type: long, primaryKey: true}\n      note: {type: string}",
        )
    )
    assert "note" in {
        column.name for column in lake.client.tables.get("crisk.silver.order").columns or []
    }


@pytest.mark.parametrize("members", [[], ["Groups"], ["Users"]])
def test_a_privilege_that_a_group_may_give_the_caller_is_not_missed(
    lake: Lake, members: list[str]
) -> None:
    """A member of the owning group, of a group in it, and of a group of the directory whose members
    the account does not list.
    """
    state = lake.workspace.state
    bob = next(item.resource["id"] for item in state.principals.values() if item.name == BOB)
    inner = add_principal(
        state,
        "Groups",
        displayName="inner",
        members=[{"value": bob}],
        meta={"resourceType": "Group"},
    )
    inside = [{"value": inner if kind == "Groups" else bob} for kind in members]
    add_principal(
        state,
        "Groups",
        displayName="platform",
        externalId="e-1",
        members=inside,
        meta={"resourceType": "Group"},
    )
    next(iter(state.unity["metastore"].values()))["owner"] = "platform"
    lake.sign_in(BOB)
    assert not lake.plan().plan.problems


def test_a_plan_without_changes_asks_for_no_principal_and_no_privilege(lake: Lake) -> None:
    lake.apply()
    lake.workspace.forget_calls()
    assert lake.plan().plan.is_empty
    assert not [
        path for _, path, _ in lake.workspace.log if "/account/scim/" in path or "effective" in path
    ]


# --- ownership


def test_ownership_is_given_away_last_so_that_who_gives_can_make_it_all(lake: Lake) -> None:
    grant(
        lake,
        "metastore",
        metastore_of(lake),
        BOB,
        Privilege.CREATE_CATALOG,
        Privilege.CREATE_STORAGE_CREDENTIAL,
        Privilege.CREATE_EXTERNAL_LOCATION,
    )
    lake.sign_in(BOB)
    lake.workspace.forget_calls()
    lake.apply()
    assert lake.written()[-4:-1] == [
        f"PATCH /api/2.1/unity-catalog/schemas/crisk.{schema}"
        for schema in ("bronze", "silver", "gold")
    ]
    assert lake.written()[-1] == "PATCH /api/2.1/unity-catalog/catalogs/crisk"
    client = lake.client
    owners = {
        client.catalogs.get("crisk").owner,
        *(client.schemas.get(f"crisk.{schema}").owner for schema in ("bronze", "silver", "gold")),
    }
    tables = [
        item for schema in ("bronze", "silver") for item in client.tables.list("crisk", schema)
    ]
    assert owners | {table.owner for table in tables} == {"data_engineer"} and len(tables) == 5
    lake.sign_in("admin@example.com")
    assert lake.plan().plan.is_empty


def test_another_owner_of_a_schema_or_table_is_drift(lake: Lake) -> None:
    lake.apply()
    lake.client.schemas.update("crisk.gold", owner=BOB)
    lake.client.tables.update("crisk.silver.order", owner=BOB)
    changes = {
        (change.kind, change.name): [
            (item.path, item.before, item.after) for item in change.differences
        ]
        for change in lake.plan().plan.pending
    }
    assert changes == {
        (kind, name): [("owner", BOB, "data_engineer")]
        for kind, name in (("schema", "crisk.gold"), ("table", "crisk.silver.order"))
    }
    lake.apply()
    assert lake.plan().plan.is_empty


# --- grants that nobody asked for


def test_a_strangers_grants_on_what_is_ours_are_drift_and_revoked_where_deletion_is_allowed(
    lake: Lake,
) -> None:
    lake.apply()
    grant(lake, "catalog", "crisk", BOB, Privilege.USE_CATALOG)
    grant(lake, "schema", "crisk.silver", "account users", Privilege.SELECT)
    grant(lake, "volume", "crisk.bronze.volume_checkpoint_locations", BOB, Privilege.READ_VOLUME)
    grant(lake, "external_location", "ctrdriskraw", BOB, Privilege.READ_FILES)
    grant(lake, "table", "crisk.silver.order", BOB, Privilege.SELECT)
    grant(lake, "table", "crisk.silver.order", "readers", Privilege.MODIFY)
    grant(lake, "table", "crisk.bronze.order", "readers", Privilege.SELECT)
    grant(lake, "schema", "crisk.gold", "data_engineer", Privilege.MANAGE)
    plan = lake.plan().plan
    assert sorted((change.action, change.kind, change.name) for change in plan.pending) == [
        ("delete", "surplus grant", f"catalog crisk to {BOB}"),
        ("delete", "surplus grant", f"external location ctrdriskraw to {BOB}"),
        ("delete", "surplus grant", "schema crisk.gold to data_engineer"),
        ("delete", "surplus grant", "schema crisk.silver to account users"),
        ("delete", "surplus grant", f"volume crisk.bronze.volume_checkpoint_locations to {BOB}"),
        ("delete", "surplus grants", "crisk.bronze.order"),
        ("delete", "surplus grants", "crisk.silver.order"),
    ]
    lake.apply()
    assert lake.plan().plan == plan, "nothing is revoked where deletion is not allowed"
    lake.apply(allow_delete=True)
    assert lake.plan().plan.is_empty
    assert {item.principal for item in lake.client.grants.list("table", "crisk.silver.order")} == {
        "readers"
    }


def test_the_owners_and_the_systems_grants_are_left_alone_and_so_is_what_is_not_ours(
    lake: Lake,
) -> None:
    lake.apply()
    add_principal(
        lake.workspace.state,
        "Groups",
        displayName="_workspace_users_adbdrisk",
        members=[],
        meta={"resourceType": "Group"},
    )
    grant(lake, "schema", "crisk.silver", "_workspace_users_adbdrisk", Privilege.USE_SCHEMA)
    grant(lake, "table", "crisk.silver.order", "data_engineer", Privilege.SELECT)
    lake.client.schemas.create("theirs", "crisk")
    grant(lake, "schema", "crisk.theirs", BOB, Privilege.USE_SCHEMA)
    assert lake.plan().plan.is_empty


# --- whose an object is


def test_a_comment_that_somebody_rewrote_makes_nothing_somebody_elses(lake: Lake) -> None:
    lake.apply()
    unity = lake.workspace.state.unity
    for kind, name in (
        ("catalog", "crisk"),
        ("schema", "crisk.bronze"),
        ("schema", "crisk.silver"),
        ("volume", "crisk.bronze.volume_checkpoint_locations"),
    ):
        unity[kind][name]["comment"] = "Ask Ana before you use this"
    assert lake.plan().plan.is_empty
    lake.client.schemas.update("crisk.silver", owner=BOB)
    assert not lake.plan().plan.refusals
    lake.apply()
    destroyed = plan_destruction(DatabricksTarget(lake.project, "production"), lake.project, [])
    assert {
        ("catalog", "crisk"),
        ("schema", "crisk.bronze"),
        ("volume", "crisk.bronze.volume_checkpoint_locations"),
    } <= {(change.kind, change.name) for change in destroyed.plan.pending}
    apply_catalog(destroyed)
    assert not list(lake.client.catalogs.list())


def test_what_an_earlier_version_made_is_ours_and_gets_the_property(lake: Lake) -> None:
    lake.apply()
    schema = lake.workspace.state.unity["schema"]["crisk.gold"]
    schema["properties"] = {"theirs": "kept"}
    (change,) = lake.plan().plan.pending
    assert (change.kind, change.name, [item.path for item in change.differences]) == (
        "schema",
        "crisk.gold",
        ["managed_by"],
    )
    lake.apply()
    assert (
        schema["properties"]
        == {"theirs": "kept", "managed_by": "Managed by datamaster_kit for risk."}
        and lake.plan().plan.is_empty
    )


# --- the runtime


def test_the_cluster_is_made_with_the_jobs_runtime_and_an_older_one_is_brought_to_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.project = replace(lake.project, unity=parse_unity({}, "data_engineer"))
    lake.apply()
    (cluster,) = lake.client.clusters.list()
    assert cluster.spark_version == DEFAULT_RUNTIME
    stored = lake.workspace.state.clusters[cluster.cluster_id or ""]
    stored["spark_version"], stored["state"] = "16.4.x-scala2.12", "TERMINATED"
    (change,) = lake.plan().plan.pending
    assert [(item.path, item.before, item.after) for item in change.differences] == [
        ("runtime", "16.4.x-scala2.12", DEFAULT_RUNTIME)
    ]
    offered = dict(clusters.VERSIONS)
    monkeypatch.delitem(clusters.VERSIONS, DEFAULT_RUNTIME)
    (problem,) = lake.plan().plan.problems
    assert problem.code == "no-runtime" and "16.4.x-scala2.12" in problem.message
    monkeypatch.setattr(clusters, "VERSIONS", offered)
    lake.apply()
    assert (
        lake.plan().plan.is_empty
        and stored is not lake.workspace.state.clusters[cluster.cluster_id or ""]
    )
    lake.workspace.state.clusters[cluster.cluster_id or ""]["spark_version"] = "18.1.x-scala2.13"
    assert lake.plan().plan.is_empty, "a newer one is for people to choose"
