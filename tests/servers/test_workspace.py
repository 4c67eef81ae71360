"""The test workspace, through the real SDK.

Its form checks, paging, counts and failures, and the routes of Unity Catalog, storage and files.
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.errors import (
    AlreadyExists,
    BadRequest,
    DatabricksError,
    InternalError,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
    ResourceConflict,
    ResourceDoesNotExist,
    TooManyRequests,
    Unauthenticated,
)
from databricks.sdk.service import catalog, files
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language
from workspace.clients import QuickClock, account_client, workspace_client
from workspace.faults import Chaos, Fault
from workspace.routes import ROUTES
from workspace.server import Workspace
from workspace.state import Settings

pytestmark = pytest.mark.server

CONNECTOR = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rsgdrisk/providers/"
    "Microsoft.Databricks/accessConnectors/adbdrisk-mi"
)
ROOT = "abfss://ctrdriskcatlog@stadrisk.dfs.core.windows.net"


def stock(client: WorkspaceClient, tables: int = 0) -> None:
    """Make a credential, a location, a catalog and its schema bronze, and tables there."""
    client.storage_credentials.create(
        "external_location_mi_credential",
        azure_managed_identity=catalog.AzureManagedIdentityRequest(CONNECTOR),
    )
    client.external_locations.create("catlog", ROOT, "external_location_mi_credential")
    client.catalogs.create("crisk", storage_root=f"{ROOT}/crisk")
    client.schemas.create("bronze", "crisk")
    warehouse = next(iter(client.warehouses.list())).id or ""
    for number in range(tables):
        client.statement_execution.execute_statement(
            f"CREATE TABLE crisk.bronze.t{number} (id BIGINT)", warehouse
        )


def code(error: pytest.ExceptionInfo[DatabricksError]) -> str:
    return error.value.error_code or ""


# --- the server itself


def test_every_route_names_a_page_of_the_reference_and_none_is_served_twice() -> None:
    assert all(route.page.startswith("https://") for route in ROUTES)
    others = [
        route.call.path
        for route in ROUTES
        if not route.page.startswith("https://docs.databricks.com/api/azure/")
    ]
    # of the SDK's log-in, and of the compute that runs tasks
    assert sorted(others) == [
        "/.well-known/databricks-config",
        "/oidc/.well-known/oauth-authorization-server",
        "/runtime/sql",
        "/runtime/table",
    ]
    served = [(route.call.method, route.call.path) for route in ROUTES]
    assert len(served) == len(set(served)) > 150


@pytest.mark.slow
def test_the_routes_are_printed_with_their_pages() -> None:
    shown = subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "servers" / "workspace")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(shown) == len(ROUTES)
    assert any(
        line.split()
        == [
            "POST",
            "/api/2.2/jobs/create",
            "https://docs.databricks.com/api/azure/workspace/jobs/create",
        ]
        for line in shown
    )


def test_a_caller_without_a_token_or_with_a_wrong_one_is_refused(workspace: Workspace) -> None:
    stranger = workspace_client(workspace)
    del workspace.state.tokens[workspace.token]
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        stranger.current_user.me()
    assert (
        requests.get(f"{workspace.host}/api/2.1/unity-catalog/catalogs", timeout=5).status_code
        == 401
    )
    assert issubclass(Unauthenticated, DatabricksError)


@pytest.mark.parametrize(
    "body, words",
    [
        ({"name": "c", "colour": "red"}, ["unknown field colour"]),
        ({"comment": "no name"}, ["Missing required field: name"]),
        (
            {"name": 7, "properties": {"a": 1}, "custom_max_retention_hours": "soon"},
            [
                "name is not text",
                "properties.a is not text",
                "custom_max_retention_hours is not a whole number",
            ],
        ),
        ([], ["the body is not an object"]),
        (None, ["Missing required field: name"]),
    ],
)
def test_the_form_of_a_body_is_that_of_the_sdk_and_every_fault_is_named(
    workspace: Workspace, body: object, words: list[str]
) -> None:
    answer = requests.post(
        f"{workspace.host}/api/2.1/unity-catalog/catalogs",
        json=body,
        headers={"Authorization": f"Bearer {workspace.token}"},
        timeout=5,
    )
    assert answer.status_code == 400 and answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert all(word in answer.json()["message"] for word in words)


def test_nested_objects_lists_and_enumerations_are_checked_too(workspace: Workspace) -> None:
    headers = {"Authorization": f"Bearer {workspace.token}"}
    job = {
        "name": "j",
        "tasks": [
            {
                "task_key": "a",
                "notebook_task": {"notebook_path": "/a", "source": "ELSEWHERE"},
                "depends_on": [{"key": "b"}],
                "timeout_seconds": True,
            }
        ],
    }
    message = requests.post(
        f"{workspace.host}/api/2.2/jobs/create", json=job, headers=headers, timeout=5
    ).json()["message"]
    assert "tasks[0].notebook_task.source: 'ELSEWHERE' is not one of GIT, WORKSPACE" in message
    assert (
        "unknown field tasks[0].depends_on[0].key" in message
        and "Missing required field: tasks[0].depends_on[0].task_key" in message
    )
    assert "tasks[0].timeout_seconds is not a whole number" in message
    answer = requests.get(
        f"{workspace.host}/api/2.2/jobs/list?limit=many&colour=red", headers=headers, timeout=5
    ).json()
    assert (
        "limit is not a whole number" in answer["message"]
        and "unknown field colour" in answer["message"]
    )


def test_every_answer_names_the_workspace_and_the_host_says_what_it_is(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    assert client.get_workspace_id() == workspace.state.settings.workspace_id
    assert (
        client.config.is_azure and client.config.account_id == workspace.state.settings.account_id
    )


def test_json_that_is_none_and_paths_that_are_none_have_their_own_codes(
    workspace: Workspace,
) -> None:
    headers = {"Authorization": f"Bearer {workspace.token}"}
    assert (
        requests.post(
            f"{workspace.host}/api/2.2/jobs/create", data="{", headers=headers, timeout=5
        ).json()["error_code"]
        == "MALFORMED_REQUEST"
    )
    absent = requests.get(f"{workspace.host}/api/9.9/nothing", headers=headers, timeout=5)
    assert absent.status_code == 404 and absent.json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_lists_come_in_pages_and_calls_are_counted() -> None:
    with Workspace(Settings(page_size=4), metastore="primary") as workspace:
        client = workspace_client(workspace)
        stock(client, tables=10)
        workspace.forget_calls()
        assert {table.name for table in client.tables.list("crisk", "bronze")} == {
            f"t{number}" for number in range(10)
        }
        assert workspace.count(catalog.TablesAPI.list) == 3
        assert len(list(client.tables.list("crisk", "bronze", max_results=2))) == 10
        assert workspace.count(catalog.TablesAPI.list) == 3 + 5
        assert workspace.total() == workspace.total(["/api/2.1/unity-catalog/tables"]) == 8
        with pytest.raises(InvalidParameterValue, match="page token"):
            list(client.tables.list("crisk", "bronze", page_token="nonsense"))


def test_a_thousand_tables_are_listed_by_schema_in_a_few_calls() -> None:
    with Workspace(Settings(page_size=100), metastore="primary") as workspace:
        client = workspace_client(workspace)
        stock(client, tables=1)
        like = workspace.state.unity["table"]["crisk.bronze.t0"]
        for number in range(1000):
            workspace.state.unity["table"][f"crisk.bronze.t{number}"] = {
                **like,
                "name": f"t{number}",
                "full_name": f"crisk.bronze.t{number}",
            }
        workspace.forget_calls()
        assert len(list(client.tables.list("crisk", "bronze"))) == 1000
        assert workspace.total() == workspace.count(catalog.TablesAPI.list) == 10


def test_requests_from_many_threads_each_take_place_once(workspace: Workspace) -> None:
    stock(workspace_client(workspace))
    made = threading.local()

    def make(number: int) -> str:
        made.client = getattr(made, "client", None) or workspace_client(workspace)
        return made.client.schemas.create(f"s{number}", "crisk").full_name

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(make, range(40)))
    assert sorted(names) == sorted(f"crisk.s{number}" for number in range(40))
    assert workspace.count(catalog.SchemasAPI.create) == 41


# --- faults


def test_the_sdk_waits_as_long_as_the_service_asks_and_goes_on(workspace: Workspace) -> None:
    clock = QuickClock()
    client = workspace_client(workspace, clock=clock)
    workspace.fail(
        Fault("throttled", "GET", "*/catalogs", times=2, retry_after=7),
        Fault("unavailable", "GET", "*/catalogs", after=2, retry_after=3),
    )
    assert list(client.catalogs.list()) == []
    assert workspace.count(catalog.CatalogsAPI.list) == 4
    assert [int(pause) for pause in clock.waited] == [7, 7, 3]
    assert [kind for kind, _, _ in workspace.faults.struck] == [
        "throttled",
        "throttled",
        "unavailable",
    ]


def test_a_service_that_stays_away_is_a_timeout_with_its_reason(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    workspace.fail(Fault("throttled", times=1000, retry_after=20))
    with pytest.raises(TimeoutError) as raised:
        client.current_user.me()
    assert isinstance(raised.value.__cause__, TooManyRequests)


def test_a_connection_that_breaks_before_the_effect_leaves_nothing_and_the_retry_succeeds(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    workspace.fail(Fault("reset", "POST", "*/schemas"))
    assert client.schemas.create("silver", "crisk").full_name == "crisk.silver"
    assert workspace.count(catalog.SchemasAPI.create) == 3


def test_a_reply_that_is_lost_after_the_effect_makes_the_retry_meet_its_own_object(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    workspace.fail(Fault("lost", "POST", "*/schemas"))
    with pytest.raises(BadRequest, match="already exists") as raised:
        client.schemas.create("silver", "crisk")
    assert code(raised) == "SCHEMA_ALREADY_EXISTS"
    assert client.schemas.get("crisk.silver").name == "silver"


def test_a_reply_that_is_lost_makes_two_jobs_of_one_request(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    workspace.fail(Fault("lost", "POST", "*/jobs/create"))
    client.jobs.create(name="ingest-risk-account")
    assert [
        job.settings.name for job in client.jobs.list(name="ingest-risk-account") if job.settings
    ] == ["ingest-risk-account"] * 2


def test_reads_after_a_write_may_still_see_the_old_state(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    workspace.fail(Fault("stale", "POST", "*/schemas", reads=2))
    client.schemas.create("silver", "crisk")
    with pytest.raises(NotFound):
        client.schemas.get("crisk.silver")
    assert "silver" not in {item.name for item in client.schemas.list("crisk")}
    assert client.schemas.get("crisk.silver").name == "silver"
    with pytest.raises(BadRequest, match="already exists"):
        client.schemas.create("silver", "crisk")


def test_faults_by_chance_are_those_of_the_seed_whatever_the_order_of_calls() -> None:
    def struck(seed: int, names: list[str]) -> set[tuple[str, str, str]]:
        with Workspace(metastore="primary") as workspace:
            client = workspace_client(workspace)
            stock(client)
            workspace.fail(chaos=Chaos(seed, 0.3, kinds=("throttled", "unavailable", "reset")))
            for name in names:
                client.schemas.get(f"crisk.{name}")
            return set(workspace.faults.struck)

    names = ["bronze", "default", "information_schema"] * 6
    first = struck(1, names)
    assert first and first == struck(1, list(reversed(names))) != struck(2, names)


# --- metastores and the account


def test_a_new_account_has_no_metastore_until_one_is_made_and_assigned() -> None:
    with Workspace() as workspace:
        client, account = workspace_client(workspace), account_client(workspace)
        with pytest.raises(NotFound) as raised:
            client.metastores.current()
        assert code(raised) == "METASTORE_DOES_NOT_EXIST"
        with pytest.raises(NotFound):
            list(client.catalogs.list())
        info = account.metastores.create(
            metastore_info=catalog.CreateAccountsMetastore(name="primary", region="westeurope")
        ).metastore_info
        assert (
            info
            and info.metastore_id
            and [item.name for item in account.metastores.list()] == ["primary"]
        )
        with pytest.raises(
            BadRequest, match="reached the limit for metastores in region westeurope"
        ):
            account.metastores.create(
                metastore_info=catalog.CreateAccountsMetastore(
                    name="secondary", region="westeurope"
                )
            )
        with pytest.raises(BadRequest) as raised:
            client.metastores.create("primary", region="northeurope")
        assert code(raised) == "METASTORE_ALREADY_EXISTS"
        north = client.metastores.create("north", region="northeurope")
        identity = workspace.state.settings.workspace_id
        with pytest.raises(InvalidState):
            client.metastores.assign(identity, north.metastore_id or "", "")
        account.metastore_assignments.create(identity, info.metastore_id)
        assert (
            client.metastores.current().metastore_id == info.metastore_id
            and client.metastores.summary().name == "primary"
        )
        assert list(account.metastore_assignments.list(info.metastore_id)) == [identity]
        assert (
            account.metastore_assignments.get(identity).metastore_assignment.metastore_id
            == info.metastore_id
        )  # type: ignore[union-attr]
        client.metastores.update_assignment(identity, default_catalog_name="crisk")
        assert client.metastores.current().default_catalog_name == "crisk"
        account.groups_v2.create(display_name="metastore_admins")
        assert (
            client.metastores.update(
                info.metastore_id,
                owner="metastore_admins",
                delta_sharing_scope=catalog.DeltaSharingScopeEnum.INTERNAL,
            ).owner
            == "metastore_admins"
        )
        assert account.metastores.get(info.metastore_id).metastore_info.owner == "metastore_admins"  # type: ignore[union-attr]
        assert client.metastores.get(info.metastore_id).region == "westeurope"
        assert {item.name for item in client.metastores.list()} == {"primary", "north"}
        with pytest.raises(BadRequest) as raised:
            client.metastores.delete(info.metastore_id)
        assert code(raised) == "METASTORE_NOT_EMPTY"
        account.metastore_assignments.delete(identity, info.metastore_id)
        client.metastores.delete(info.metastore_id, force=True)


def test_a_metastore_takes_a_root_credential_that_is_there(client: WorkspaceClient) -> None:
    stock(client)
    metastore, credential = (
        client.metastores.summary().metastore_id or "",
        client.storage_credentials.get("external_location_mi_credential"),
    )
    assert (
        client.metastores.update(
            metastore, storage_root_credential_id=credential.id
        ).storage_root_credential_name
        == credential.name
    )
    with pytest.raises(NotFound) as raised:
        client.metastores.update(metastore, storage_root_credential_id="absent")
    assert code(raised) == "STORAGE_CREDENTIAL_DOES_NOT_EXIST"


def test_only_account_administrators_change_the_account(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    client.users_v2.create(user_name="dev@example.com")
    plain = account_client(workspace, "dev@example.com")
    with pytest.raises(PermissionDenied):
        plain.metastores.create(metastore_info=catalog.CreateAccountsMetastore(name="x"))
    with pytest.raises(PermissionDenied):
        list(plain.workspaces.list())
    with pytest.raises(NotFound):
        AccountClient(
            host=workspace.host, token=workspace.token, account_id="another"
        ).groups_v2.get("1")


# --- storage


def test_storage_credentials_are_made_read_changed_and_deleted(client: WorkspaceClient) -> None:
    stock(client)
    made = client.storage_credentials.get("external_location_mi_credential")
    assert (
        made.azure_managed_identity
        and made.azure_managed_identity.access_connector_id == CONNECTOR
        and made.azure_managed_identity.credential_id
    )
    assert (
        client.storage_credentials.update(
            "external_location_mi_credential", comment="by the toolkit", new_name="mi"
        ).comment
        == "by the toolkit"
    )
    assert [item.name for item in client.storage_credentials.list()] == [
        "mi"
    ] and client.external_locations.get("catlog").credential_name == "mi"
    with pytest.raises(InvalidState, match="dependent external locations catlog"):
        client.storage_credentials.delete("mi")
    client.storage_credentials.delete("mi", force=True)
    with pytest.raises(NotFound) as raised:
        client.storage_credentials.get("mi")
    assert code(raised) == "STORAGE_CREDENTIAL_DOES_NOT_EXIST"
    with pytest.raises(InvalidParameterValue, match="malformed"):
        client.storage_credentials.create(
            "x", azure_managed_identity=catalog.AzureManagedIdentityRequest("adbdrisk-mi")
        )
    with pytest.raises(InvalidParameterValue, match="exactly one"):
        client.storage_credentials.create("x")


def test_external_locations_need_a_credential_and_a_place_of_their_own(
    client: WorkspaceClient,
) -> None:
    stock(client)
    with pytest.raises(BadRequest) as raised:
        client.storage_credentials.create(
            "External_Location_MI_credential",
            azure_managed_identity=catalog.AzureManagedIdentityRequest(CONNECTOR),
        )
    assert code(raised) == "STORAGE_CREDENTIAL_ALREADY_EXISTS"
    for url in (ROOT, ROOT + "/", ROOT + "/inner/folder"):
        with pytest.raises(
            InvalidParameterValue, match=r"LOCATION_OVERLAP.*Conflicting location: catlog"
        ):
            client.external_locations.create("other", url, "external_location_mi_credential")
    with pytest.raises(NotFound) as raised:
        client.external_locations.create("raw", ROOT.replace("catlog", "raw"), "none")
    assert code(raised) == "STORAGE_CREDENTIAL_DOES_NOT_EXIST"
    with pytest.raises(InvalidParameterValue, match="Invalid URL"):
        client.external_locations.create(
            "raw", "https://stadrisk.blob.core.windows.net/raw", "external_location_mi_credential"
        )
    with pytest.raises(BadRequest) as raised:
        client.external_locations.create("catlog", ROOT, "external_location_mi_credential")
    assert code(raised) == "EXTERNAL_LOCATION_ALREADY_EXISTS"
    made = client.external_locations.create(
        "Raw",
        ROOT.replace("catlog", "raw") + "/",
        "external_location_mi_credential",
        read_only=True,
    )
    assert (made.name, made.url, made.read_only) == ("raw", ROOT.replace("catlog", "raw"), True)
    with pytest.raises(InvalidParameterValue, match="LOCATION_OVERLAP"):
        client.external_locations.update("raw", url=ROOT + "/x")
    assert client.external_locations.update("raw", comment="raw files").comment == "raw files"
    with pytest.raises(InvalidState, match="crisk"):
        client.external_locations.delete("catlog")
    client.external_locations.delete("raw")
    assert [item.name for item in client.external_locations.list()] == ["catlog"]


# --- catalogs, schemas, volumes, tables


def test_a_catalog_brings_its_own_schemas_and_is_deleted_by_force(client: WorkspaceClient) -> None:
    stock(client)
    assert {item.name for item in client.schemas.list("crisk")} == {
        "bronze",
        "default",
        "information_schema",
    }
    with pytest.raises(BadRequest) as raised:
        client.catalogs.create("CRISK", storage_root=f"{ROOT}/crisk")
    assert code(raised) == "CATALOG_ALREADY_EXISTS"
    with pytest.raises(InvalidState, match="Metastore storage root URL does not exist"):
        client.catalogs.create("without_root")
    with pytest.raises(NotFound, match="No parent external location"):
        client.catalogs.create("elsewhere", storage_root=ROOT.replace("catlog", "none"))
    with pytest.raises(InvalidParameterValue, match="not a valid name"):
        client.catalogs.create("a b", storage_root=ROOT)
    assert (
        client.catalogs.update(
            "crisk", comment="risk", isolation_mode=catalog.CatalogIsolationMode.ISOLATED
        ).comment
        == "risk"
    )
    assert client.catalogs.get("CRisk").isolation_mode == catalog.CatalogIsolationMode.ISOLATED
    with pytest.raises(BadRequest, match="not empty") as raised:
        client.catalogs.delete("crisk")
    assert code(raised) == "CATALOG_NOT_EMPTY"
    client.catalogs.delete("crisk", force=True)
    with pytest.raises(NotFound) as raised:
        client.catalogs.get("crisk")
    assert code(raised) == "CATALOG_DOES_NOT_EXIST"
    assert list(client.catalogs.list()) == []


def test_schemas_need_a_catalog_and_are_deleted_empty(client: WorkspaceClient) -> None:
    stock(client, tables=1)
    with pytest.raises(NotFound) as raised:
        client.schemas.create("bronze", "absent")
    assert code(raised) == "CATALOG_DOES_NOT_EXIST"
    with pytest.raises(BadRequest) as raised:
        client.schemas.create("Bronze", "crisk")
    assert code(raised) == "SCHEMA_ALREADY_EXISTS"
    assert client.schemas.update(
        "crisk.bronze", comment="raw rows", properties={"layer": "bronze"}
    ).properties == {"layer": "bronze"}
    with pytest.raises(BadRequest, match=r"1 tables\(s\)"):
        client.schemas.delete("crisk.bronze")
    client.schemas.update("crisk.bronze", new_name="copper")
    assert client.tables.get("crisk.copper.t0").schema_name == "copper"
    client.tables.delete("crisk.copper.t0")
    client.schemas.delete("crisk.copper")
    with pytest.raises(NotFound) as raised:
        client.schemas.get("crisk.copper")
    assert code(raised) == "SCHEMA_DOES_NOT_EXIST"


def test_volumes_are_managed_or_in_an_external_location(client: WorkspaceClient) -> None:
    stock(client)
    made = client.volumes.create(
        "crisk", "bronze", "volume_checkpoint_locations", catalog.VolumeType.MANAGED
    )
    assert made.storage_location and made.storage_location.startswith(ROOT)
    with pytest.raises(BadRequest) as raised:
        client.volumes.create(
            "crisk", "bronze", "Volume_Checkpoint_Locations", catalog.VolumeType.MANAGED
        )
    assert code(raised) == "VOLUME_ALREADY_EXISTS"
    with pytest.raises(NotFound) as raised:
        client.volumes.create("crisk", "absent", "v", catalog.VolumeType.MANAGED)
    assert code(raised) == "SCHEMA_DOES_NOT_EXIST"
    with pytest.raises(InvalidParameterValue, match="can not be provided"):
        client.volumes.create(
            "crisk", "bronze", "v", catalog.VolumeType.MANAGED, storage_location=ROOT
        )
    with pytest.raises(InvalidParameterValue, match="must be provided"):
        client.volumes.create("crisk", "bronze", "v", catalog.VolumeType.EXTERNAL)
    client.volumes.create(
        "crisk", "bronze", "v", catalog.VolumeType.EXTERNAL, storage_location=f"{ROOT}/v/"
    )
    with pytest.raises(
        InvalidParameterValue, match=r"Conflicting tables/volumes: crisk\.bronze\.v"
    ):
        client.volumes.create(
            "crisk", "bronze", "w", catalog.VolumeType.EXTERNAL, storage_location=f"{ROOT}/v/inner"
        )
    with pytest.raises(NotFound) as raised:
        client.volumes.create(
            "crisk",
            "bronze",
            "w",
            catalog.VolumeType.EXTERNAL,
            storage_location=ROOT.replace("catlog", "none"),
        )
    assert code(raised) == "EXTERNAL_LOCATION_DOES_NOT_EXIST"
    assert client.volumes.update("crisk.bronze.v", comment="files").comment == "files"
    client.volumes.delete("crisk.bronze.v")
    assert [item.name for item in client.volumes.list("crisk", "bronze")] == [
        "volume_checkpoint_locations"
    ]
    with pytest.raises(NotFound) as raised:
        client.volumes.read("crisk.bronze.v")
    assert code(raised) == "VOLUME_DOES_NOT_EXIST"


def test_tables_are_listed_summarized_got_owned_and_deleted(
    client: WorkspaceClient, account: AccountClient
) -> None:
    stock(client, tables=2)
    assert [
        table.columns for table in client.tables.list("crisk", "bronze", omit_columns=True)
    ] == [[], []]
    assert {
        item.full_name for item in client.tables.list_summaries("crisk", table_name_pattern="t%")
    } == {"crisk.bronze.t0", "crisk.bronze.t1"}
    assert (
        client.tables.exists("crisk.bronze.t0").table_exists
        and not client.tables.exists("crisk.bronze.t9").table_exists
    )
    account.groups_v2.create(display_name="data_engineer")
    client.tables.update("crisk.bronze.t0", owner="data_engineer")
    assert client.tables.get("CRISK.bronze.T0").owner == "data_engineer"
    with pytest.raises(NotFound, match="Could not find principal with name nobody"):
        client.tables.update("crisk.bronze.t0", owner="nobody")
    client.tables.delete("crisk.bronze.t0")
    with pytest.raises(NotFound) as raised:
        client.tables.get("crisk.bronze.t0")
    assert code(raised) == "TABLE_DOES_NOT_EXIST"
    with pytest.raises(NotFound):
        list(client.tables.list("crisk", "absent"))


# --- grants, tags, bindings


def test_grants_are_added_removed_and_inherited(
    client: WorkspaceClient, account: AccountClient
) -> None:
    stock(client, tables=1)
    account.groups_v2.create(display_name="data_engineer")
    add = catalog.PermissionsChange(
        principal="data_engineer", add=[catalog.Privilege.USE_CATALOG, catalog.Privilege.SELECT]
    )
    client.grants.update("catalog", "crisk", changes=[add])
    client.grants.update(
        "schema",
        "crisk.bronze",
        changes=[
            catalog.PermissionsChange(principal="DATA_engineer", add=[catalog.Privilege.MODIFY])
        ],
    )
    assignments = client.grants.get("catalog", "crisk").privilege_assignments or []
    assert [
        (item.principal, [privilege.value for privilege in item.privileges or []])
        for item in assignments
    ] == [("data_engineer", ["SELECT", "USE_CATALOG"])]
    (effective,) = (
        client.grants.get_effective("table", "crisk.bronze.t0").privilege_assignments or []
    )
    assert {(item.privilege, item.inherited_from_name) for item in effective.privileges or []} == {
        (catalog.Privilege.MODIFY, "crisk.bronze"),
        (catalog.Privilege.SELECT, "crisk"),
        (catalog.Privilege.USE_CATALOG, "crisk"),
    }
    assert [
        item.principal for item in client.grants.list("schema", "crisk.bronze", page_size=1)
    ] == ["data_engineer"]
    assert [
        len(item.privileges or [])
        for item in client.grants.list_effective(
            "table", "crisk.bronze.t0", principal="data_engineer"
        )
    ] == [3]
    client.grants.update(
        "catalog",
        "crisk",
        changes=[
            catalog.PermissionsChange(
                principal="data_engineer",
                remove=[catalog.Privilege.SELECT, catalog.Privilege.USE_CATALOG],
            )
        ],
    )
    assert client.grants.get("catalog", "crisk").privilege_assignments == []


@pytest.mark.parametrize(
    "kind, name, privilege",
    [
        ("catalog", "crisk", catalog.Privilege.CREATE_CATALOG),
        ("table", "crisk.bronze.t0", catalog.Privilege.USE_SCHEMA),
        ("schema", "crisk.bronze", catalog.Privilege.USAGE),
        ("external_location", "catlog", catalog.Privilege.SELECT),
        ("storage_credential", "external_location_mi_credential", catalog.Privilege.BROWSE),
    ],
)
def test_a_privilege_that_does_not_apply_is_refused(
    client: WorkspaceClient, kind: str, name: str, privilege: catalog.Privilege
) -> None:
    stock(client, tables=1)
    with pytest.raises(
        InvalidParameterValue, match=f"Privilege {privilege.value} is not applicable to this entity"
    ):
        client.grants.update(
            kind,
            name,
            changes=[catalog.PermissionsChange(principal="account users", add=[privilege])],
        )


def test_grants_know_the_principals_of_the_account_only(
    client: WorkspaceClient, account: AccountClient
) -> None:
    stock(client)
    client.groups_v2.create(display_name="local_group")
    robot = client.service_principals_v2.create(display_name="spndatamasteradmin")
    change = catalog.PermissionsChange
    for name in ("local_group", "admins", "spndatamasteradmin", "nobody@example.com"):
        with pytest.raises(NotFound, match=f"Could not find principal with name {name}") as raised:
            client.grants.update(
                "catalog",
                "crisk",
                changes=[change(principal=name, add=[catalog.Privilege.USE_CATALOG])],
            )
        assert code(raised) == "PRINCIPAL_DOES_NOT_EXIST"
    client.grants.update(
        "catalog",
        "crisk",
        changes=[change(principal=robot.application_id, add=[catalog.Privilege.USE_CATALOG])],
    )
    with pytest.raises(InvalidParameterValue, match="Duplicate privileges"):
        client.grants.update(
            "catalog",
            "crisk",
            changes=[
                change(
                    principal="account users",
                    add=[catalog.Privilege.SELECT],
                    remove=[catalog.Privilege.SELECT],
                )
            ],
        )
    with pytest.raises(NotFound):
        client.grants.get("catalog", "absent")
    with pytest.raises(InvalidParameterValue, match="not supported"):
        client.grants.get("cupboard", "crisk")


def test_who_is_granted_nothing_may_do_nothing_and_what_is_granted_suffices(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    client.users_v2.create(user_name="dev@example.com")
    plain = workspace_client(workspace, "dev@example.com")
    assert list(plain.catalogs.list()) == []
    for refused in (
        lambda: plain.catalogs.create("c", storage_root=ROOT),
        lambda: plain.schemas.create("gold", "crisk"),
        lambda: plain.catalogs.update("crisk", comment="mine"),
        lambda: plain.catalogs.get("crisk"),
        lambda: plain.grants.update(
            "catalog",
            "crisk",
            changes=[
                catalog.PermissionsChange(
                    principal="dev@example.com", add=[catalog.Privilege.ALL_PRIVILEGES]
                )
            ],
        ),
        lambda: plain.storage_credentials.create(
            "x", azure_managed_identity=catalog.AzureManagedIdentityRequest(CONNECTOR)
        ),
    ):
        with pytest.raises(PermissionDenied, match="User does not have"):
            refused()
    client.grants.update(
        "catalog",
        "crisk",
        changes=[
            catalog.PermissionsChange(
                principal="dev@example.com",
                add=[catalog.Privilege.USE_CATALOG, catalog.Privilege.CREATE_SCHEMA],
            )
        ],
    )
    assert plain.schemas.create("gold", "crisk").owner == "dev@example.com"
    with pytest.raises(PermissionDenied):
        plain.schemas.delete("crisk.bronze")
    plain.schemas.delete("crisk.gold")


def test_tags_are_set_changed_and_taken_off(client: WorkspaceClient) -> None:
    stock(client, tables=1)
    tag = catalog.EntityTagAssignment
    client.entity_tag_assignments.create(
        tag("crisk.bronze.t0", "domain", "tables", tag_value="risk")
    )
    client.entity_tag_assignments.create(
        tag("crisk.bronze.t0.id", "pii", "columns", tag_value="true")
    )
    with pytest.raises(AlreadyExists):
        client.entity_tag_assignments.create(
            tag("crisk.bronze.t0", "domain", "tables", tag_value="other")
        )
    client.entity_tag_assignments.update(
        "tables",
        "crisk.bronze.t0",
        "domain",
        tag("crisk.bronze.t0", "domain", "tables", tag_value="credit"),
        "tag_value",
    )
    assert [
        (item.tag_key, item.tag_value)
        for item in client.entity_tag_assignments.list("tables", "crisk.bronze.t0")
    ] == [("domain", "credit")]
    assert (
        client.entity_tag_assignments.get("columns", "crisk.bronze.t0.id", "pii").tag_value
        == "true"
    )
    client.entity_tag_assignments.delete("columns", "crisk.bronze.t0.id", "pii")
    with pytest.raises(NotFound):
        client.entity_tag_assignments.get("columns", "crisk.bronze.t0.id", "pii")
    with pytest.raises(NotFound, match="Column"):
        client.entity_tag_assignments.create(tag("crisk.bronze.t0.absent", "pii", "columns"))
    with pytest.raises(InvalidParameterValue, match="Invalid tag key"):
        client.entity_tag_assignments.create(tag("crisk", "a.b", "catalogs"))
    with pytest.raises(BadRequest, match="limit of 50 tags"):
        for number in range(51):
            client.entity_tag_assignments.create(tag("crisk.bronze", f"t{number}", "schemas"))


def test_catalogs_are_bound_to_workspaces(workspace: Workspace, client: WorkspaceClient) -> None:
    stock(client)
    here = workspace.state.settings.workspace_id
    client.workspace_bindings.update_bindings(
        "catalog",
        "crisk",
        add=[
            catalog.WorkspaceBinding(
                here, catalog.WorkspaceBindingBindingType.BINDING_TYPE_READ_ONLY
            )
        ],
    )
    assert [
        item.workspace_id for item in client.workspace_bindings.get_bindings("catalog", "crisk")
    ] == [here]
    with pytest.raises(InvalidParameterValue, match="not in the account"):
        client.workspace_bindings.update_bindings(
            "catalog", "crisk", add=[catalog.WorkspaceBinding(1)]
        )
    client.workspace_bindings.update_bindings(
        "catalog", "crisk", remove=[catalog.WorkspaceBinding(here)]
    )
    assert list(client.workspace_bindings.get_bindings("catalog", "crisk")) == []


# --- files


def test_notebooks_and_files_are_imported_exported_and_deleted(client: WorkspaceClient) -> None:
    source = b"# Databricks notebook source\nprint(1)\n"
    with pytest.raises(ResourceDoesNotExist, match="parent folder"):
        client.workspace.upload("/Shared/datamaster/a.py", source, format=ImportFormat.AUTO)
    client.workspace.mkdirs("/Workspace/Shared/datamaster")
    client.workspace.upload("/Shared/datamaster/a.py", source, format=ImportFormat.AUTO)
    client.workspace.upload(
        "/Shared/datamaster/a.txt", io.BytesIO(b"text"), format=ImportFormat.AUTO
    )
    client.workspace.upload(
        "/Shared/datamaster/b",
        b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        format=ImportFormat.JUPYTER,
    )
    assert {
        (item.path, item.object_type.value if item.object_type else "")
        for item in client.workspace.list("/Shared/datamaster")
    } == {
        ("/Shared/datamaster/a", "NOTEBOOK"),
        ("/Shared/datamaster/a.txt", "FILE"),
        ("/Shared/datamaster/b", "NOTEBOOK"),
    }
    assert client.workspace.download("/Shared/datamaster/a").read() == source
    before = client.workspace.get_status("/Workspace/Shared/datamaster/a")
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.upload("/Shared/datamaster/a", source, language=Language.PYTHON)
    client.workspace.upload(
        "/Shared/datamaster/a", source + b"2", language=Language.PYTHON, overwrite=True
    )
    assert (
        client.workspace.get_status("/Shared/datamaster/a").object_id == before.object_id
        and before.language == Language.PYTHON
    )
    with pytest.raises(DatabricksError, match=r"Node named 'a\.txt' already exists"):
        client.workspace.upload(
            "/Shared/datamaster/a.txt", source, language=Language.PYTHON, overwrite=True
        )
    with pytest.raises(DatabricksError, match="Language must be specified"):
        client.workspace.upload("/Shared/datamaster/c", source)
    with pytest.raises(DatabricksError, match="not a Jupyter notebook"):
        client.workspace.upload("/Shared/datamaster/c", b"[]", format=ImportFormat.JUPYTER)
    client.workspace.import_(
        "/Shared/datamaster/d",
        content="cHJpbnQoMSk=",
        format=ImportFormat.SOURCE,
        language=Language.PYTHON,
    )
    assert (
        client.workspace.export("/Shared/datamaster/d", format=ExportFormat.SOURCE).content
        == "cHJpbnQoMSk="
    )
    with pytest.raises(BadRequest, match="not empty"):
        client.workspace.delete("/Shared/datamaster")
    client.workspace.delete("/Shared/datamaster", recursive=True)
    with pytest.raises(ResourceDoesNotExist):
        client.workspace.get_status("/Shared/datamaster/a")


def test_files_of_volumes_are_written_read_listed_and_deleted(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    stock(client)
    client.volumes.create("crisk", "bronze", "landing", catalog.VolumeType.MANAGED)
    folder = "/Volumes/crisk/bronze/landing"
    client.files.create_directory(f"{folder}/2026/11")
    client.files.upload(f"{folder}/2026/a b.csv", io.BytesIO(b"id\n1\n"))
    with pytest.raises(ResourceConflict):
        client.files.upload(f"{folder}/2026/a b.csv", io.BytesIO(b"id\n2\n"))
    client.files.upload(f"{folder}/2026/a b.csv", io.BytesIO(b"id\n2\n"), overwrite=True)
    contents = client.files.download(f"{folder}/2026/a b.csv").contents
    assert contents and contents.read() == b"id\n2\n"
    assert client.files.get_metadata(f"{folder}/2026/a b.csv").content_length == 5
    assert [
        (item.name, item.is_directory, item.file_size)
        for item in client.files.list_directory_contents(f"{folder}/2026")
    ] == [("11", True, None), ("a b.csv", False, 5)]
    client.files.get_directory_metadata(f"{folder}/2026/11")
    for refused, error in (
        (lambda: client.files.get_metadata(f"{folder}/none"), NotFound),
        (lambda: client.files.delete_directory(f"{folder}/2026"), BadRequest),
        (lambda: client.files.upload("/Volumes/crisk/bronze/none/x", io.BytesIO(b"")), NotFound),
        (lambda: client.files.create_directory("/tmp/x"), InvalidParameterValue),
        (lambda: client.files.get_directory_metadata(f"{folder}/none"), NotFound),
    ):
        with pytest.raises(error):
            refused()
    client.files.delete(f"{folder}/2026/a b.csv")
    client.files.delete_directory(f"{folder}/2026/11")
    client.files.delete_directory(f"{folder}/2026")
    assert list(client.files.list_directory_contents(folder)) == []
    for number in range(45):
        client.files.upload(f"{folder}/f{number:02}", io.BytesIO(b"x"))
    workspace.forget_calls()
    assert (
        len(list(client.files.list_directory_contents(folder))) == 45
        and workspace.count(files.FilesAPI.list_directory_contents) == 3
    )


def test_a_fault_of_the_server_itself_is_told_and_not_tried_again(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    workspace.state.unity["catalog"]["crisk"] = ["no object"]  # type: ignore[assignment]
    with pytest.raises(InternalError, match="the test server fails at"):
        client.catalogs.update("crisk", comment="x")
    assert workspace.count(catalog.CatalogsAPI.update) == 1


def test_the_server_does_not_answer_what_the_sdk_would_not_read(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    stock(client)
    workspace.state.unity["catalog"]["crisk"]["colour"] = "red"
    with pytest.raises(InternalError, match="unknown field colour"):
        client.catalogs.get("crisk")


def test_a_request_that_its_client_did_not_finish_has_no_effect(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    import socket

    host, port = workspace.host.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(
            b"POST /api/2.1/jobs/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
            b"Content-Length: 400\r\n\r\n"
        )
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1000) == b""
    assert list(client.jobs.list()) == []
