"""The workspace's plan against a workspace.

Made from nothing, unchanged by a second apply, whatever the network does, and taken away again.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
from azure_log_in import Spoken
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.iam import WorkspacePermission
from databricks.sdk.service.workspace import AclPermission
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workspace.clients import account_client, workspace_client
from workspace.faults import ALL_KINDS, Chaos, Fault
from workspace.server import Settings
from workspace.server import Workspace as Server

from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.lakehouse.names import names
from datamaster_kit.plan.plan import Plan
from datamaster_kit.plan.resources import ChangeOutcome, ignore_outcome
from datamaster_kit.project.project_file import Project
from datamaster_kit.project.sections import Metastore, parse_unity
from datamaster_kit.targets.clients.management import Management
from datamaster_kit.unity.workspace import (
    Workspace,
    WorkspaceState,
    apply_workspace_objects,
    give_ownership,
    plan_workspace_destruction,
    plan_workspace_objects,
    read_workspace_state,
    with_own_credential,
)

pytestmark = pytest.mark.server
PEOPLE = ["ana@example.com", "rui@example.com"]
APPLICATION = "00000000-0000-4000-8000-00000000aaaa"


STRANGER = "00000000-0000-4000-8000-00000000bbbb"
GROUP = "00000000-0000-4000-8000-0000000000a1"
MARK = "Managed by datamaster_kit for risk."


class Directory(Spoken, BaseHTTPRequestHandler):
    """Microsoft Graph's routes for groups, members and service principals, a member a page.

    A list of service principals would have a stranger's of the same name.
    """

    people = tuple(PEOPLE)
    groups: tuple[dict[str, Any], ...] = (
        {"id": GROUP, "displayName": "data_engineer", "description": MARK},
    )
    applications = (STRANGER, APPLICATION)

    def do_GET(self) -> None:
        path = unquote(self.path)
        known = [
            {"id": f"s-{index}", "appId": identity, "displayName": "spndatamasteradmin"}
            for index, identity in enumerate(self.applications)
        ]
        people = [
            {
                "@odata.type": "#microsoft.graph.user",
                "id": f"u-{index}",
                "userPrincipalName": name,
                "displayName": name.split("@")[0],
            }
            for index, name in enumerate(self.people)
        ]
        if "/servicePrincipals?" in path:
            self.answer({"value": known})
        elif "/servicePrincipals(" in path:
            self.answer_one([item for item in known if f"(appId='{item['appId']}')" in path])
        elif "/groups/" in path and "/transitiveMembers?" not in path:
            self.answer_one([item for item in self.groups if f"/groups/{item['id']}?" in path])
        elif "/transitiveMembers?" in self.path:
            path, _, page = self.path.partition("&page=")
            index = int(page or 0)
            following = (
                {"@odata.nextLink": f"http://{self.headers['Host']}{path}&page={index + 1}"}
                if index + 1 < len(people)
                else {}
            )
            self.answer({"value": people[index : index + 1], **following})
        else:
            self.answer(
                {
                    "value": [
                        item
                        for item in self.groups
                        if f"displayName eq '{item['displayName']}'" in path
                    ]
                }
            )

    def answer_one(self, found: list[dict[str, Any]]) -> None:
        self.answer(
            found[0]
            if found
            else {"error": {"code": "Request_ResourceNotFound", "message": "it does not exist"}},
            200 if found else 404,
        )


@pytest.fixture
def graph() -> Iterator[Management]:
    """A directory in which two people are data engineers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Directory) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Management(lambda: "a token", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def project_of(**unity: Any) -> Project:
    """Return a project with all that the workspace's plan reads."""
    return Project(
        Path(),
        names("risk", "risk"),
        targets={"production": {}},
        tags={"project": "datamaster"},
        setup={"subscription": "00000000-0000-0000-0000-000000000001", "location": Settings.region},
        unity=parse_unity(unity, "data_engineer"),
    )


def workspace_on(server: Server, graph: Management, project: Project | None = None) -> Workspace:
    """Return the project's workspace on a test server."""
    client, account = workspace_client(server), account_client(server)
    return Workspace(
        project or project_of(principal_user="ana@example.com", service_principal=APPLICATION),
        client,
        lambda: account,
        lambda: graph,
        syncs_principals=True,
    )


def apply_workspace(
    workspace: Workspace,
    state: WorkspaceState,
    plan: Plan,
    report: Callable[[ChangeOutcome], None] = ignore_outcome,
) -> tuple[ChangeOutcome, ...]:
    """Make what a plan makes, and give it to its owners."""
    return (
        *apply_workspace_objects(workspace, state, plan, report),
        *give_ownership(workspace, plan, report),
    )


def applied(workspace: Workspace, allow_delete: bool = False) -> list[ChangeOutcome]:
    """Observe, plan and apply once; return what was done."""
    state = read_workspace_state(workspace, [])
    return list(apply_workspace(workspace, state, plan_workspace_objects(state, allow_delete)))


def test_from_nothing_to_everything_and_a_second_apply_changes_nothing(graph: Management) -> None:
    with Server(Settings(page_size=2)) as server:
        workspace = workspace_on(server, graph)
        assert {outcome.state for outcome in applied(workspace)} == {"done"}
        server.forget_calls()
        state = read_workspace_state(workspace, [])
        assert plan_workspace_objects(state).is_empty
        assert {method for method, _, _ in server.log} == {"GET"}
        client: WorkspaceClient = workspace.client
        catalog = client.catalogs.get("crisk")
        assert (catalog.owner, catalog.storage_root) == (
            "data_engineer",
            "abfss://ctrdriskcatlog@stadrisk.dfs.core.windows.net",
        )
        assert (
            client.metastores.summary().storage_root_credential_name
            == "external_location_mi_credential"
        )
        assert {item.user_name for item in account_client(server).users_v2.list()} >= set(PEOPLE)
        held = {
            item.principal: {privilege.value for privilege in item.privileges or ()}
            for item in client.grants.list("SCHEMA", "crisk.bronze")
        }
        assert (
            held["data_engineer"]
            == held[APPLICATION]
            == {
                "USE_SCHEMA",
                "CREATE_FUNCTION",
                "CREATE_TABLE",
                "EXECUTE",
                "MODIFY",
                "SELECT",
                "CREATE_VOLUME",
            }
        )
        [cluster] = client.clusters.list()
        assert (
            cluster.autotermination_minutes,
            cluster.single_user_name,
            cluster.is_single_node,
        ) == (10, "ana@example.com", True)


def test_the_service_principal_is_in_the_workspace_where_jobs_run_as_it_and_reads_secrets(
    graph: Management,
) -> None:
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph)
        applied(workspace)
        assert {
            acl.principal: acl.permission
            for acl in workspace.client.secrets.list_acls("strife-secret-scope")
        }[APPLICATION] == AclPermission.READ
        account = account_client(server)
        [held] = [
            item.principal
            for item in account.workspace_assignment.list(workspace.number)
            if item.principal and item.principal.service_principal_name
        ]
        account.workspace_assignment.update(
            workspace.number, held.principal_id or 0, permissions=[WorkspacePermission.ADMIN]
        )
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty, (
            "one that administers the workspace goes on to do so"
        )
        account.workspace_assignment.delete(workspace.number, held.principal_id or 0)
        assert [
            (change.action, change.kind, change.name)
            for change in plan_workspace_objects(read_workspace_state(workspace, [])).pending
        ] == [("create", "workspace permission", APPLICATION)]


def granted(server: Server) -> set[str]:
    """Return who holds anything, reads the secrets or is in the workspace."""
    state, names_of = (
        server.state,
        {identity: item.name for identity, item in server.state.principals.items()},
    )
    return (
        {who for of in state.grants.values() for who in of}
        | {who for item in state.scopes.values() for who in item["acls"]}
        | {names_of[who] for _, who in state.assignments}
    )


def test_an_application_that_bears_the_name_gets_nothing(graph: Management) -> None:
    with Server(metastore="primary") as server:
        account, client = account_client(server), workspace_client(server)
        stranger = account.service_principals_v2.create(
            application_id=STRANGER, display_name="spndatamasteradmin"
        )
        client.service_principals_v2.create(
            application_id=STRANGER, display_name="spndatamasteradmin"
        )
        applied(workspace_on(server, graph))
        assert APPLICATION in granted(server) and STRANGER not in granted(server)
        assert str(stranger.id) not in {
            member.value
            for group in account.groups_v2.list()
            for member in account.groups_v2.get(group.id or "").members or ()
        }


def test_without_a_client_id_no_application_gets_anything_and_the_plan_says_so(
    graph: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Directory, "applications", (STRANGER,))
    with Server(metastore="primary") as server:
        account_client(server).service_principals_v2.create(
            application_id=STRANGER, display_name="spndatamasteradmin"
        )
        workspace = workspace_on(server, graph, project_of())
        for reads in (workspace, replace(workspace, syncs_principals=False)):
            [told] = [
                change
                for change in plan_workspace_objects(
                    read_workspace_state(reads, [])
                ).visible_changes
                if change.kind == "service principal"
            ]
            assert (
                (told.action, told.name) == ("unchanged", "spndatamasteradmin")
                and "anybody" in told.note
                and "unity.service_principal" in told.note
            )
        applied(workspace)
        assert STRANGER not in granted(server) and "data_engineer" in granted(server)
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty


def test_a_client_id_that_the_directory_does_not_have_is_refused(
    graph: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Directory, "applications", (STRANGER,))
    with Server(metastore="primary") as server:
        with pytest.raises(
            BadInput, match=f"no service principal {APPLICATION} in Microsoft Entra"
        ) as error:
            read_workspace_state(workspace_on(server, graph), [])
        assert [fault.path for fault in error.value.faults] == ["unity.service_principal"]
        assert not [path for method, path, _ in server.log if method != "GET"]


OTHER = "00000000-0000-4000-8000-0000000000a2"


@pytest.mark.parametrize(
    ("others", "says"),
    [
        (
            [
                {"id": OTHER, "displayName": "data_engineer", "description": MARK},
                Directory.groups[0],
            ],
            f"there are 2 groups 'data_engineer' in Microsoft Entra: {OTHER}, {GROUP}",
        ),
        (
            [
                {
                    "id": OTHER,
                    "displayName": "data_engineer",
                    "description": "Managed by datamaster_kit for riskprod.",
                }
            ],
            "was not made for this project",
        ),
        (
            [{"id": OTHER, "displayName": "data_engineer", "description": None}],
            "was not made for this project",
        ),
        ([], "there is no group 'data_engineer'"),
    ],
)
def test_a_group_that_may_be_another_is_refused_until_its_id_is_said(
    graph: Management, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]], says: str
) -> None:
    monkeypatch.setattr(Directory, "groups", tuple(others))
    with Server(metastore="primary") as server:
        with pytest.raises(BadInput) as error:
            read_workspace_state(workspace_on(server, graph), [])
        [fault] = error.value.faults
        assert says in fault.message and "unity.group_ids" in fault.hint
        for item in others:
            workspace = workspace_on(
                server, graph, project_of(group_ids={"data_engineer": item["id"]})
            )
            [group] = read_workspace_state(workspace, []).groups
            assert group.external_id == item["id"]


def test_an_id_of_another_group_is_refused(graph: Management) -> None:
    with Server(metastore="primary") as server:
        with pytest.raises(BadInput) as error:
            read_workspace_state(
                workspace_on(
                    server,
                    graph,
                    project_of(
                        groups={"platform": "ADMIN"},
                        group_ids={"platform": GROUP, "data_engineer": OTHER},
                    ),
                ),
                [],
            )
        assert [fault.message for fault in error.value.faults] == [
            f"there is no group {OTHER} in Microsoft Entra",
            f"the group {GROUP} is 'data_engineer' and not 'platform'",
        ]


def test_a_group_of_the_account_that_follows_another_of_the_directory_is_left_alone(
    graph: Management,
) -> None:
    with Server(metastore="primary") as server:
        account = account_client(server)
        group = account.groups_v2.create(display_name="data_engineer", external_id=OTHER)
        with pytest.raises(
            BadInput, match=f"is {OTHER} of Microsoft Entra, and the project's is {GROUP}"
        ):
            read_workspace_state(workspace_on(server, graph), [])
        account.groups_v2.delete(group.id or "")
        assert account.groups_v2.create(display_name="data_engineer", external_id=GROUP).id
        applied(workspace_on(server, graph))
        assert plan_workspace_objects(
            read_workspace_state(workspace_on(server, graph), [])
        ).is_empty


def end_state(server: Server) -> dict[str, Any]:
    """Return what a workspace holds, without ids and moments."""
    state = server.state
    names_of = {identity: item.name for identity, item in state.principals.items()}
    return {
        "objects": sorted(
            (
                kind,
                name,
                item.get("owner"),
                item.get("storage_root") if kind == "catalog" else item.get("url"),
            )
            for kind, items in state.unity.items()
            for name, item in items.items()
            if kind != "metastore"
        ),
        "metastores": sorted(
            (item["name"], item.get("storage_root"), item.get("storage_root_credential_name"))
            for item in state.unity["metastore"].values()
        ),
        "assigned": sorted(state.metastore_of),
        "grants": sorted(
            (*key, who, sorted(held))
            for key, of in state.grants.items()
            for who, held in of.items()
        ),
        "tags": sorted((*key, *tag) for key, of in state.tags.items() for tag in of.items()),
        "scopes": sorted(
            (item["name"], sorted(item["secrets"]), sorted(item["acls"].items()))
            for item in state.scopes.values()
        ),
        "clusters": sorted(item["cluster_name"] for item in state.clusters.values()),
        "principals": sorted(
            (
                item.kind,
                item.name,
                sorted(names_of[member["value"]] for member in item.resource.get("members", [])),
            )
            for item in state.principals.values()
        ),
        "permissions": sorted(
            (names_of[who], held) for (_, who), held in state.assignments.items()
        ),
        "restarts": sorted(
            (kind, sorted(json.dumps(entry, sort_keys=True) for entry in entries))
            for (kind, of), entries in state.permissions.items()
            if of in state.clusters
        ),
    }


def calm_state(graph: Management, project: Project | None = None) -> dict[str, Any]:
    """Return the end state of an apply that nothing disturbs."""
    with Server() as server:
        applied(workspace_on(server, graph, project))
        return end_state(server)


def applied_at_last(workspace: Workspace, tries: int = 6, allow_delete: bool = False) -> int:
    """Apply until the plan is empty, with `allow_delete` also of what is surplus.

    Return how often it took.
    """
    for attempt in range(tries):
        try:
            state = read_workspace_state(workspace, [])
            plan = plan_workspace_objects(state, allow_delete)
            if plan.is_empty:
                return attempt
            apply_workspace(workspace, state, plan)
        except (DatamasterError, OSError):
            continue
    raise AssertionError("the plan does not become empty")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("throttled", "POST", "*", times=3, retry_after=1),
        Fault("unavailable", "*", "*", times=2),
        Fault("reset", "POST", "*/catalogs"),
        Fault("lost", "POST", "*/catalogs"),
        Fault("lost", "POST", "*/schemas", times=3),
        Fault("lost", "POST", "*/storage-credentials"),
        Fault("lost", "POST", "*/external-locations", times=2),
        Fault("lost", "POST", "*/volumes", times=2),
        Fault("lost", "POST", "*/clusters/create"),
        Fault("lost", "POST", "*/scopes/create"),
        Fault("lost", "POST", "*/Groups"),
        Fault("lost", "POST", "*/Users", times=2),
        Fault("lost", "POST", "*/metastores"),
        Fault("lost", "POST", "*/entity-tag-assignments", times=5),
        Fault("lost", "PATCH", "*/permissions/*", times=5),
        Fault("stale", "POST", "*/storage-credentials", reads=3),
        Fault("stale", "POST", "*/catalogs", reads=4),
        Fault("stale", "POST", "*/schemas", times=3, reads=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.method}-{fault.path.strip('*/')}",
)
def test_each_fault_is_survived_with_the_same_end_state(graph: Management, fault: Fault) -> None:
    with Server() as server:
        server.fail(fault)
        assert applied_at_last(workspace_on(server, graph)) == 1 or fault.kind == "stale", (
            "one apply is enough"
        )
        assert server.faults.struck
        assert end_state(server) == calm_state(graph)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), rate=st.sampled_from([0.05, 0.15, 0.3]))
def test_any_mixture_of_faults_ends_in_the_same_state(
    graph: Management, seed: int, rate: float
) -> None:
    with Server() as server:
        server.fail(chaos=Chaos(seed, rate, ALL_KINDS))
        workspace = workspace_on(server, graph)
        for _ in range(3):
            try:
                applied(workspace)
            except (DatamasterError, OSError):
                continue
        server.fail()
        applied_at_last(
            workspace,
            allow_delete=True,
            # a cluster that was made twice, because the list that would have shown it was late, is
            # surplus
        )
        assert end_state(server) == calm_state(graph)


@pytest.mark.parametrize("after", [1, 9, 25, 50])
def test_killed_half_way_and_applied_again_the_end_state_is_the_same(
    graph: Management, after: int
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    with Server() as server:
        workspace, done = workspace_on(server, graph), 0
        state = read_workspace_state(workspace, [])

        def report(outcome: ChangeOutcome) -> None:
            nonlocal done
            done += 1
            if done == after:
                raise Killed

        with pytest.raises(Killed):
            apply_workspace(workspace, state, plan_workspace_objects(state), report)
        applied_at_last(workspace)
        assert end_state(server) == calm_state(graph)


def test_the_metastore_of_the_workspace_is_adopted_and_only_what_is_said_of_it_changes(
    graph: Management,
) -> None:
    project = project_of(
        metastore={"delta_sharing_scope": "INTERNAL_AND_EXTERNAL", "token_days": 2}
    )
    assert project.unity.metastore == Metastore(
        delta_sharing_scope="INTERNAL_AND_EXTERNAL", token_days=2
    )
    with Server(metastore="metastore_azure_westeurope") as server:
        workspace = workspace_on(server, graph, project)
        changes = {
            (change.kind, change.action): change
            for change in plan_workspace_objects(read_workspace_state(workspace, [])).changes
        }
        assert [item.path for item in changes["metastore", "update"].differences] == [
            "delta_sharing_scope",
            "token_seconds",
        ]
        assert ("metastore assignment", "unchanged") in changes and not any(
            kind == "metastore data access" for kind, _ in changes
        )
        applied(workspace)
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty
        assert workspace.client.metastores.summary().name == "metastore_azure_westeurope"


def test_drift_is_shown_and_mended_and_what_somebody_else_made_is_left_alone(
    graph: Management,
) -> None:
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph)
        client = workspace.client
        applied(workspace)
        client.schemas.update("crisk.silver", owner="admin@example.com")
        client.schemas.create("theirs", "crisk", comment="by hand")
        client.grants.update(
            "SCHEMA",
            "crisk.bronze",
            changes=[
                PermissionsChange(principal="data_engineer", add=[Privilege.MANAGE]),
                PermissionsChange(principal="account users", add=[Privilege.SELECT]),
            ],
        )
        plan = plan_workspace_objects(read_workspace_state(workspace, []))
        assert [
            (change.action, change.kind, change.name, bool(change.refusal))
            for change in plan.pending
        ] == [
            ("update", "schema", "crisk.silver", False),
            ("delete", "surplus grant", "schema crisk.bronze to data_engineer", True),
            ("delete", "surplus grant", "schema crisk.bronze to account users", True),
        ]
        applied(workspace)
        assert [
            change.kind
            for change in plan_workspace_objects(read_workspace_state(workspace, [])).pending
        ] == ["surplus grant"] * 2
        applied(workspace, allow_delete=True)
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty
        held = {
            item.principal: item.privileges for item in client.grants.list("SCHEMA", "crisk.bronze")
        }
        assert "account users" not in held and Privilege.MANAGE not in (held["data_engineer"] or ())


def test_a_catalog_that_somebody_else_made_is_refused_and_not_changed(graph: Management) -> None:
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph)
        server.state.unity["metastore"][next(iter(server.state.unity["metastore"]))][
            "storage_root"
        ] = "abfss://c@acc.dfs.core.windows.net"
        workspace.client.catalogs.create("crisk", comment="by hand")
        [refused, *others] = plan_workspace_objects(read_workspace_state(workspace, [])).refusals
        assert (refused.kind, refused.name) == ("catalog", "crisk") and {
            item.path for item in refused.differences
        } == {"storage_root", "owner"}
        assert others and all("which is refused" in change.refusal for change in others), others
        with pytest.raises(DatamasterError) as raised:
            applied(workspace)
        assert {fault.code for fault in raised.value.faults} == {"change-refused"} and len(
            raised.value.faults
        ) == 1 + len(others)
        assert workspace.client.catalogs.get("crisk").owner == "admin@example.com"
        assert [
            item.name
            for item in workspace.client.schemas.list("crisk")
            if item.name not in ("default", "information_schema")
        ] == []


def test_two_domains_and_two_environments_live_side_by_side_on_one_metastore(
    graph: Management,
) -> None:
    """Each applied twice, and taken away one by one.

    The metastore's own names are the first one's, and nobody's objects hang on another's
    credential.
    """
    of = [("risk", ""), ("fraud", ""), ("risk", "dev")]
    with Server(metastore="primary") as server:
        project = project_of(principal_user="ana@example.com", service_principal=APPLICATION)
        project = replace(project, setup={**project.setup, "existing_groups": ["data_engineer"]})
        workspaces = [
            workspace_on(server, graph, replace(project, names=names(domain, domain, environment)))
            for domain, environment in of
        ]
        client = workspaces[0].client
        for workspace in workspaces:
            settled = with_own_credential(workspace)
            assert {outcome.state for outcome in applied(settled)} == {"done"}
        for workspace, own in zip(workspaces, ("", "_fraud", "_riskdev"), strict=True):
            settled = with_own_credential(workspace)
            name = f"external_location_mi_credential{own}"
            plan = plan_workspace_objects(read_workspace_state(settled, []))
            assert plan.is_empty and [
                change.name for change in plan.visible_changes if "another domain's" in change.note
            ] == ([name] if own else [])
            assert {
                item.credential_name
                for item in client.external_locations.list()
                if settled.project.names.mark in (item.comment or "")
            } == {name}
        for workspace, catalog in zip(workspaces, ("crisk", "cfraud", "criskdev"), strict=True):
            state = read_workspace_state(with_own_credential(workspace), [])
            apply_workspace(workspace, state, plan_workspace_destruction(state))
            assert catalog not in [item.name for item in client.catalogs.list()]
            rest = workspaces[workspaces.index(workspace) + 1 :]
            assert all(
                plan_workspace_objects(
                    read_workspace_state(with_own_credential(other), [])
                ).is_empty
                for other in rest
            )
        assert not [*client.storage_credentials.list(), *client.external_locations.list()]


def test_who_leaves_the_directory_leaves_the_group_where_deletion_is_allowed(
    graph: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph)
        applied(workspace)
        monkeypatch.setattr(Directory, "people", tuple(PEOPLE[:1]))
        assert [
            (change.kind, change.action)
            for change in plan_workspace_objects(read_workspace_state(workspace, [])).pending
        ] == [("surplus members", "delete")]
        applied(workspace, allow_delete=True)
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty


def test_destroy_takes_what_the_toolkit_made_and_nothing_else(graph: Management) -> None:
    with Server(metastore="primary") as server:
        before = end_state(server)
        workspace = workspace_on(server, graph)
        applied(workspace)
        state = read_workspace_state(workspace, [])
        apply_workspace(workspace, state, plan_workspace_destruction(state))
        after = end_state(server)
        assert (
            after["objects"] == before["objects"]
            and after["clusters"] == []
            and after["metastores"] == before["metastores"]
        )
        assert plan_workspace_destruction(read_workspace_state(workspace, [])).is_empty


def test_a_schema_that_holds_something_of_another_keeps_it(graph: Management) -> None:
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph)
        applied(workspace)
        workspace.client.schemas.create("theirs", "crisk")
        state = read_workspace_state(workspace, [])
        with pytest.raises(DatamasterError, match="delete catalog crisk"):
            apply_workspace(workspace, state, plan_workspace_destruction(state))
        assert workspace.client.schemas.get("crisk.theirs")


def test_secrets_come_from_the_environment_and_are_said_nowhere(
    graph: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_of(secrets={"hub": "HUB_KEY", "mail": "MAIL_KEY"})
    with Server(metastore="primary") as server:
        workspace = workspace_on(server, graph, project)
        state = read_workspace_state(workspace, [])
        with pytest.raises(BadInput) as error:
            apply_workspace(workspace, state, plan_workspace_objects(state))
        assert len(error.value.faults) == 2 and not list(workspace.client.catalogs.list())
        monkeypatch.setenv("HUB_KEY", "a value that nobody sees")
        monkeypatch.setenv("MAIL_KEY", "another")
        outcomes = applied(workspace)
        assert (
            "nobody sees"
            not in repr(outcomes)
            + plan_workspace_objects(read_workspace_state(workspace, [])).as_json()
        )
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty


class Vault(Spoken, BaseHTTPRequestHandler):
    """A key vault with one secret (Azure Key Vault, *Get Secret*), which tells it to those who may
    know it, and is busy at first.
    """

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        path, _, query = self.path.partition("?")
        if type(self).asked == 1:
            self.answer({"error": {"code": "Throttled", "message": "later"}}, 429)
        elif query != "api-version=7.4" or self.headers["Authorization"] != "Bearer a token":
            self.answer(
                {
                    "error": {
                        "code": "Forbidden",
                        "message": "The user does not have secrets get permission",
                    }
                },
                403,
            )
        elif path == "/secrets/hub-key":
            self.answer(
                {"value": "a value that nobody sees", "id": path, "attributes": {"enabled": True}},
                200,
            )
        else:
            self.answer({"error": {"code": "SecretNotFound", "message": "not found"}}, 404)


def test_secrets_come_from_a_key_vault_and_are_said_nowhere(graph: Management) -> None:
    place = "https://kv-risk.vault.azure.net"
    project = project_of(
        secrets={"hub": f"{place}/secrets/hub-key", "mail": f"{place}/secrets/mail-key"}
    )
    with (
        Server(metastore="primary") as server,
        ThreadingHTTPServer(("127.0.0.1", 0), Vault) as kept,
    ):
        Thread(target=kept.serve_forever, daemon=True).start()
        asked, tokens = list[str](), iter(["a token", "a token", "a token", *["another"] * 9])

        def vaults(address: str) -> Management:
            asked.append(address)
            return Management(
                lambda: next(tokens), f"http://127.0.0.1:{kept.server_port}", lambda seconds: None
            )

        workspace = replace(workspace_on(server, graph, project), vaults=vaults)
        state = read_workspace_state(workspace, [])
        with pytest.raises(
            BadInput, match="mail-key has no value, which holds the secret strife-secret-scope/mail"
        ) as error:
            apply_workspace(workspace, state, plan_workspace_objects(state))
        assert (
            len(error.value.faults) == 1
            and not list(workspace.client.catalogs.list())
            and set(asked) == {place}
        )
        with pytest.raises(BadInput, match="does not have secrets get permission"):
            apply_workspace(workspace, state, plan_workspace_objects(state))
        tokens = iter(["a token"] * 9)
        workspace = replace(
            workspace, project=project_of(secrets={"hub": f"{place}/secrets/hub-key"})
        )
        outcomes = applied(workspace)
        assert (
            b64decode(workspace.client.secrets.get_secret("strife-secret-scope", "hub").value or "")
            == b"a value that nobody sees"
        )
        assert (
            "nobody sees"
            not in repr(outcomes)
            + plan_workspace_objects(read_workspace_state(workspace, [])).as_json()
        )
        assert plan_workspace_objects(read_workspace_state(workspace, [])).is_empty
        kept.shutdown()


def test_without_an_account_the_principals_are_left_alone(graph: Management) -> None:
    with Server(metastore="primary") as server:
        account: AccountClient = account_client(server)
        account.groups_v2.create(display_name="data_engineer")
        full = workspace_on(server, graph)
        workspace = Workspace(
            full.project, full.client, full.account, full.graph, syncs_principals=False
        )
        kinds = {
            change.kind
            for change in plan_workspace_objects(read_workspace_state(workspace, [])).changes
        }
        assert kinds.isdisjoint({"group", "user", "group members", "workspace permission"})
