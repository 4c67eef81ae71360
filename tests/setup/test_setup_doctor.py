"""`datamaster setup doctor` against a server of Azure Resource Manager and one of Databricks.

What is right, and each thing that is not, with its remedy.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from resource_manager.server import ResourceManager
from resource_manager.subscription import (
    CONTRIBUTOR,
    READER,
    ROLE_ADMINISTRATOR,
    Subscription,
    size,
)
from workspace.faults import Fault

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project
from datamaster_kit.project.sections import Jobs, Unity
from datamaster_kit.setup.caller import AzureServices
from datamaster_kit.setup.doctor import (
    azure_checks,
    contracts_check,
    refusal_of_az,
    setup_checks,
    terraform_check,
    terraform_login_check,
)
from datamaster_kit.setup.permissions import RESOURCE_ACTIONS, RESOURCE_PROVIDERS
from datamaster_kit.setup.variables import setup_of
from datamaster_kit.targets.clients.management import Management
from datamaster_kit.targets.doctor import DoctorCheck

if TYPE_CHECKING:
    from workspace.server import Workspace

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIPTION, TENANT, ANA, BOB = (
    f"00000000-0000-0000-0000-{number:012}" for number in (1, 2, 3, 4)
)
SETUP = {
    "subscription": SUBSCRIPTION,
    "tenant": TENANT,
    "location": "brazilsouth",
    "writers": {"ana": {"object_id": ANA, "type": "User"}},
    "budget": {"amount": 500, "emails": ["ana@example.com"]},
    "github": {"repository": "example/lake", "environments": ["prod"]},
    "groups": {"data_engineer": ["ana@example.com"]},
}
GUEST = "bob_example.com#EXT#@contoso.onmicrosoft.com"
ROWS = [
    "log-in",
    "subscription",
    "state's writers",
    "permissions",
    "roles",
    "lock of the state",
    "resource providers",
    "region",
    "replication",
    "replication of the state",
    "storage accounts",
    "machines",
    "storage account stadrisk",
    "storage account stadrisktf",
    "Event Hubs namespace ethdrisk",
    "resource group rsgdrisk",
    "Network Watcher",
    "group data_engineer",
    "members",
    "directory roles",
    "Databricks account",
    "account administrator",
]


def token_of(**claims: str) -> str:
    """Return a token with these claims."""
    return ".".join(
        ["e30", base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), "c2ln"]
    )


@pytest.fixture
def service() -> Iterator[ResourceManager]:
    with ResourceManager() as made:
        made.token = token_of(upn="ana@example.com", oid=ANA, tid=TENANT, scp="user_impersonation")
        made.subscriptions[SUBSCRIPTION] = Subscription(TENANT)
        made.directory.users = {"ana@example.com", GUEST}
        yield made


@pytest.fixture
def subscription(service: ResourceManager) -> Subscription:
    return service.subscriptions[SUBSCRIPTION]


@pytest.fixture
def azure(service: ResourceManager, workspace: Workspace) -> AzureServices:
    project = Project(
        ROOT,
        names("risk", "risk"),
        targets={
            "main": {"host": workspace.host, "account_id": workspace.state.settings.account_id}
        },
        setup=SETUP,
        unity=Unity(principal_user=GUEST),
    )
    calls = Management(lambda: service.token, service.host, lambda seconds: None, tries=3)
    return AzureServices(
        calls,
        calls,
        Management(lambda: workspace.token, workspace.host, tries=3),
        project,
        setup_of(project),
    )


def found(azure: AzureServices) -> dict[str, DoctorCheck]:
    """Return what the checks found, by name."""
    checks = azure_checks(azure)
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def changed(
    azure: AzureServices, setup: dict[str, object] | None = None, **project: object
) -> AzureServices:
    """Return the same place for a project that says something else."""
    made = replace(azure.project, setup={**SETUP, **(setup or {})}, **project)
    return AzureServices(azure.management, azure.graph, azure.account, made, setup_of(made))


def test_a_subscription_that_is_ready_is_told_so_and_left_as_it_is(
    azure: AzureServices, service: ResourceManager
) -> None:
    checks = found(azure)
    assert {
        name: (check.detail, check.remedy) for name, check in checks.items() if check.state != "ok"
    } == {}
    assert list(checks) == ROWS
    assert {
        (method, path.rsplit("/", 1)[1]) for method, path, _ in service.log if method != "GET"
    } == {("POST", "checkNameAvailability")}


@pytest.mark.parametrize(
    ("change", "row", "state", "says", "remedy"),
    [
        ({"state": "Disabled"}, "subscription", "missing", "Lakehouse (Disabled)", "Reactivate"),
        (
            {"offer": "FreeTrial_2014-09-01"},
            "subscription",
            "missing",
            "a free trial",
            "pay-as-you-go",
        ),
        ({"state": "Warned"}, "subscription", "warning", "(Warned)", "settle its bill"),
        ({"tenant": "another"}, "subscription", "missing", "of tenant another", "setup.tenant"),
        (
            {"permissions": [CONTRIBUTOR]},
            "roles",
            "missing",
            "Microsoft.Authorization/roleAssignments/write",
            "Role Based Access Control Administrator",
        ),
        (
            {"permissions": [CONTRIBUTOR, ROLE_ADMINISTRATOR]},
            "lock of the state",
            "warning",
            "Microsoft.Authorization/locks/write",
            "an owner",
        ),
        (
            {"permissions": [ROLE_ADMINISTRATOR]},
            "permissions",
            "missing",
            "and 17 more",
            "az role assignment create --role Contributor",
        ),
        (
            {"unregistered": {"Microsoft.Consumption"}},
            "resource providers",
            "warning",
            "not registered: Microsoft.Consumption",
            "az provider register --namespace Microsoft.Consumption",
        ),
        (
            {"regions": {"westeurope": "West Europe"}},
            "region",
            "missing",
            "no region 'brazilsouth'",
            "az account list-locations",
        ),
        (
            {"not_offered": {("Microsoft.Databricks/workspaces", "brazilsouth")}},
            "region",
            "missing",
            "Brazil South does not offer Microsoft.Databricks/workspaces",
            "another region",
        ),
        (
            {
                "quotas": {
                    "cores": (0, 20),
                    "standardDDSv5Family": (0, 0),
                    "StorageAccounts": (0, 250),
                }
            },
            "machines",
            "missing",
            "0 of 0 standardDDSv5Family",
            "Quotas",
        ),
        (
            {
                "quotas": {
                    "cores": (18, 20),
                    "standardDDSv5Family": (0, 20),
                    "StorageAccounts": (0, 250),
                }
            },
            "machines",
            "warning",
            "18 of 20 cores",
            "stop what runs",
        ),
        (
            {
                "quotas": {
                    "cores": (0, 20),
                    "standardDDSv5Family": (0, 20),
                    "StorageAccounts": (248, 250),
                }
            },
            "storage accounts",
            "missing",
            "248 of 250",
            "Microsoft.Storage",
        ),
        ({"sizes": []}, "machines", "missing", "has no Standard_D4ds_v5", "unity.node_type"),
        (
            {
                "sizes": [
                    size(
                        "Standard_D4ds_v5", "standardDDSv5Family", 4, "NotAvailableForSubscription"
                    )
                ]
            },
            "machines",
            "missing",
            "may not use",
            "ask for access",
        ),
        (
            {"taken": {"stadrisk"}},
            "storage account stadrisk",
            "missing",
            "already taken",
            "another domain",
        ),
        (
            {"taken": {"ethdrisk"}},
            "Event Hubs namespace ethdrisk",
            "missing",
            "not available",
            "another domain",
        ),
    ],
    ids=lambda item: next(iter(item)) if isinstance(item, dict) else "",
)
def test_each_fault_is_told_in_its_row_with_its_remedy(
    azure: AzureServices,
    subscription: Subscription,
    change: dict[str, object],
    row: str,
    state: str,
    says: str,
    remedy: str,
) -> None:
    for name, value in change.items():
        setattr(subscription, name, value)
    checks = found(azure)
    check = checks[row]
    assert (check.state, says in check.detail, remedy in check.remedy) == (state, True, True), check
    is_stopped = row == "subscription" and state == "missing"
    others = {name: check for name, check in checks.items() if check.state != "ok" and name != row}
    if is_stopped:
        assert all("needs the subscription" in check.detail for check in others.values()) and others
    else:
        assert set(others) <= {"roles", "lock of the state", "Event Hubs namespace ethdrisk"} and (
            not others or "permissions" in change
        ), others


def test_the_provider_of_the_clusters_machines_is_looked_for(
    azure: AzureServices, subscription: Subscription
) -> None:
    subscription.unregistered = {"Microsoft.Compute"}
    checks = found(azure)
    assert (checks["resource providers"].detail, checks["machines"].state) == (
        "not registered: Microsoft.Compute",
        "warning",
    )
    assert (
        "az provider register --namespace Microsoft.Compute" in checks["resource providers"].remedy
    )


KEYS = {
    "replication": "setup.azure.storage_replication",
    "replication of the state": "setup.state_replication",
}


@pytest.mark.parametrize(
    ("said", "offered", "state", "words"),
    [
        ("", ("LRS", "ZRS", "GRS"), "ok", "ZRS"),
        (
            "GRS",
            ("LRS", "ZRS", "GRS"),
            "warning",
            "GRS: a copy lies in South Central US (United States)",
        ),
        ("", ("LRS", "GRS"), "missing", "has no ZRS; it has GRS, LRS"),
        ("GRS", ("LRS", "ZRS"), "missing", "has no GRS; it has LRS, ZRS"),
    ],
    ids=["in the region", "abroad", "no zones", "no pair"],
)
def test_where_the_copies_of_the_lake_and_the_state_lie_is_told(
    azure: AzureServices,
    subscription: Subscription,
    said: str,
    offered: tuple[str, ...],
    state: str,
    words: str,
) -> None:
    subscription.replications = {"brazilsouth": offered}
    checks = found(
        changed(
            azure,
            {"state_replication": said, "azure": {"storage_replication": said}} if said else {},
        )
    )
    assert {
        row: (
            checks[row].state,
            words in checks[row].detail,
            key in checks[row].remedy or state == "ok",
        )
        for row, key in KEYS.items()
    } == dict.fromkeys(KEYS, (state, True, True))


def test_a_copy_within_the_geography_is_no_fault_and_a_region_without_zones_asks_for_none(
    azure: AzureServices, subscription: Subscription
) -> None:
    subscription.regions["westus"], subscription.replications["westus"] = "West US", ("LRS", "GRS")
    subscription.geographies |= {"westus": ("United States", "southcentralus")}
    for said, wanted in (
        ({}, "LRS"),
        ({"state_replication": "GRS", "azure": {"storage_replication": "GRS"}}, "GRS"),
    ):
        checks = found(changed(azure, {"location": "westus", **said}))
        assert {row: (checks[row].state, checks[row].detail) for row in KEYS} == dict.fromkeys(
            KEYS, ("ok", wanted)
        )


def test_an_account_that_would_be_made_anew_is_told_before(
    azure: AzureServices, subscription: Subscription
) -> None:
    subscription.put(
        "/resourceGroups/rsgdrisktf/providers/Microsoft.Storage/storageAccounts/stadrisktf",
        location="brazilsouth",
        sku={"name": "Standard_GRS"},
    )
    check = found(azure)["replication of the state"]
    assert (
        check.state == "missing"
        and "the account that is there has GRS" in check.detail
        and "say GRS under setup.state_replication" in check.remedy
    )


def test_nothing_is_asked_of_azure_when_nobody_is_logged_in(
    azure: AzureServices, service: ResourceManager
) -> None:
    from datamaster_kit.targets.clients.management import NO_LOGIN

    def nobody() -> str:
        raise DatamasterError(NO_LOGIN.fault("no credential"))

    calls = replace(azure.management, token=nobody)
    checks = found(replace(azure, management=calls, graph=calls, account=calls))
    assert (checks["log-in"].state, checks["log-in"].detail) == (
        "missing",
        "nobody is logged in: no credential",
    ) and f"az login --tenant {TENANT}" in checks["log-in"].remedy
    assert all(
        check.detail == "not looked at: it needs the log-in"
        for name, check in checks.items()
        if name != "log-in"
    )
    assert service.log == []


def test_a_subscription_that_is_not_the_callers_is_told(
    azure: AzureServices, service: ResourceManager
) -> None:
    service.subscriptions.clear()
    assert "correct setup.subscription" in found(azure)["subscription"].remedy


def test_another_tenant_and_another_writer_are_told(
    azure: AzureServices, service: ResourceManager
) -> None:
    service.token = token_of(appid="4fd1", oid=BOB, tid=TENANT)
    checks = found(azure)
    assert (
        found(changed(azure, {"writers": {"ana": {"object_id": BOB, "type": "User"}}}))[
            "state's writers"
        ].remedy
        == "write type: ServicePrincipal"
    )
    assert (
        checks["state's writers"].state,
        BOB in checks["state's writers"].remedy,
        "type: ServicePrincipal" in checks["state's writers"].remedy,
    ) == ("missing", True, True)
    assert "an application is logged in" in checks["directory roles"].detail
    service.token = token_of(upn="ana@example.com", oid=ANA, tid=BOB, scp="x")
    assert found(replace(azure))["log-in"].state == "missing"


def test_what_is_the_projects_own_is_no_fault(
    azure: AzureServices, subscription: Subscription
) -> None:
    subscription.put("/resourceGroups/rsgdrisk", location="brazilsouth", tags={"domain": "risk"})
    for group, kind, name in (
        ("rsgdrisk", "Microsoft.Storage/storageAccounts", "stadrisk"),
        ("rsgdrisktf", "Microsoft.Storage/storageAccounts", "stadrisktf"),
        ("rsgdrisk", "Microsoft.EventHub/namespaces", "ethdrisk"),
        ("rsgdrisk", "Microsoft.Network/networkWatchers", "NetworkWatcher_brazilsouth"),
    ):
        subscription.put(f"/resourceGroups/{group}/providers/{kind}/{name}", location="brazilsouth")
    subscription.quotas["StorageAccounts"] = (250, 250)
    checks = found(azure)
    assert {name: check for name, check in checks.items() if check.state != "ok"} == {}
    assert (
        checks["storage account stadrisk"].detail
        == "there already, in the project's resource group"
    )


def test_what_another_hand_made_is_told(azure: AzureServices, subscription: Subscription) -> None:
    subscription.put("/resourceGroups/rsgdrisk", location="westeurope", tags={"domain": "risk"})
    subscription.put(
        "/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/"
        "NetworkWatcher_brazilsouth",
        location="brazilsouth",
    )
    subscription.put(
        "/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/"
        "NetworkWatcher_westeurope",
        location="westeurope",
    )
    checks = found(azure)
    assert "it is in westeurope" in checks["resource group rsgdrisk"].detail
    assert (
        checks["Network Watcher"].remedy
        == "say network_watcher_is_managed: false under setup.azure"
    )
    subscription.put("/resourceGroups/rsgdrisk", location="brazilsouth", tags={})
    checks = found(changed(azure, {"azure": {"network_watcher_is_managed": False}}))
    assert (
        "terraform import" in checks["resource group rsgdrisk"].remedy,
        checks["Network Watcher"].state,
    ) == (True, "ok")


def test_a_network_of_ones_own_is_looked_at(
    azure: AzureServices, subscription: Subscription
) -> None:
    network = "/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/lake"
    identity = f"/subscriptions/{SUBSCRIPTION}{network}"
    own = changed(
        azure,
        {
            "azure": {
                "virtual_network": {
                    "id": identity,
                    "public_subnet_name": "host",
                    "private_subnet_name": "container",
                    "public_security_group_association": "x",
                    "private_security_group_association": "y",
                },
                "allowed_network": {"subnet_ids": [f"{identity}/subnets/host"]},
            }
        },
    )
    assert (found(own)["network"].state, found(own)["allowed subnets"].detail) == (
        "missing",
        "there is no lake/host",
    )
    part = {
        "addressPrefix": "10.0.0.0/26",
        "delegations": [{"properties": {"serviceName": "Microsoft.Databricks/workspaces"}}],
        "networkSecurityGroup": {"id": "g"},
        "serviceEndpoints": [{"service": "Microsoft.Storage"}, {"service": "Microsoft.EventHub"}],
    }
    subscription.put(
        network,
        location="brazilsouth",
        properties={
            "subnets": [{"name": name, "properties": part} for name in ("host", "container")]
        },
    )
    subscription.put(f"{network}/subnets/host", properties=part)
    assert (found(own)["network"].state, found(own)["allowed subnets"].state) == ("ok", "ok")
    assert "network" not in found(azure)


def test_members_and_directory_roles(azure: AzureServices, service: ResourceManager) -> None:
    service.directory.users = {"ana@example.com"}
    service.directory.roles = ["Application Developer"]
    checks = found(azure)
    assert (checks["members"].state, GUEST in checks["members"].detail) == ("missing", True)
    assert (
        checks["directory roles"].state,
        "Groups Administrator" in checks["directory roles"].remedy,
    ) == ("warning", True)
    service.directory.is_closed = True
    assert (
        "not looked at" in found(azure)["members"].detail
        and "Insufficient privileges" in found(azure)["members"].detail
    )


def test_a_group_of_another_project_is_told(azure: AzureServices, service: ResourceManager) -> None:
    own = azure.project.names.mark
    service.directory.groups = [("data_engineer", own), ("data_reader", "")]
    assert found(azure)["group data_engineer"].detail == "there already, the project's"
    two = changed(azure, {"groups": {"data_reader": [], "o'hara": []}})
    assert {
        name: (check.state, check.detail)
        for name, check in found(two).items()
        if name.startswith("group ")
    } == {
        "group data_engineer": ("ok", "there already, the project's"),
        "group data_reader": ("missing", "it was not made for this project"),
        "group o'hara": ("ok", "free"),
    }
    production = changed(azure, names=names("risk", "risk", "prod"))
    assert "setup.existing_groups" in found(production)["group data_engineer"].remedy
    shared = changed(
        azure,
        {"existing_groups": ["data_engineer", "platform"]},
        names=names("risk", "risk", "prod"),
    )
    assert (found(shared)["group data_engineer"].state, found(shared)["group platform"].state) == (
        "ok",
        "missing",
    )
    service.directory.groups *= 2
    assert "2 groups of that name" in found(azure)["group data_engineer"].detail
    service.directory.is_closed = True
    assert found(azure)["groups"].detail.startswith("not looked at:")


def test_the_account_is_found_and_compared(
    azure: AzureServices, subscription: Subscription, workspace: Workspace
) -> None:
    account = workspace.state.settings.account_id
    unsaid = changed(azure, targets={"main": {"host": workspace.host}})
    assert (
        found(unsaid)["Databricks account"].state,
        found(unsaid)["Databricks account"].remedy,
    ) == ("warning", f"write account_id: {account} under targets.main, for `datamaster unity`")
    assert (
        account
        in found(changed(azure, targets={"main": {"host": workspace.host, "account_id": BOB}}))[
            "Databricks account"
        ].remedy
    )
    nowhere = found(changed(azure, targets={}))
    assert (
        "accounts.azuredatabricks.net" in nowhere["Databricks account"].remedy
        and "account administrator" not in nowhere
    )
    subscription.put(
        "/resourceGroups/other/providers/Microsoft.Databricks/workspaces/old",
        properties={"workspaceUrl": workspace.host},
    )
    assert found(changed(azure, targets={}))["Databricks account"].detail == f"found: {account}"


def test_who_does_not_administer_the_account_is_told(
    azure: AzureServices, workspace: Workspace
) -> None:
    outsider = replace(
        azure, account=replace(azure.account, token=lambda: "not a token of the account")
    )
    assert (
        found(outsider)["account administrator"].state,
        "User management" in found(outsider)["account administrator"].remedy,
    ) == ("warning", True)


def test_a_reader_is_told_all_but_what_it_may_not_ask(
    azure: AzureServices, subscription: Subscription
) -> None:
    subscription.permissions = [READER]
    others = {name: check for name, check in found(azure).items() if check.state != "ok"}
    assert {name: check.state for name, check in others.items()} == {
        "permissions": "missing",
        "roles": "missing",
        "lock of the state": "warning",
        "Event Hubs namespace ethdrisk": "warning",
    }
    assert "checkNameAvailability/action" in others["Event Hubs namespace ethdrisk"].detail


@pytest.mark.parametrize(
    ("cluster", "row", "state", "said"),
    [
        (
            {"node_type": "Standard_D4ds_v5", "workers": {"min": 1, "max": 3}},
            "machines of jobs",
            "ok",
            "and 4 of them 16",
        ),
        (
            {"node_type": "Standard_D4ds_v5", "workers": {"min": 1, "max": 8}},
            "machines of jobs",
            "warning",
            "and 9 of them 36",
        ),
        ({"workers": 9}, "machines of jobs", "missing", "and 10 of them 40"),
        (
            {"node_type": "Standard_D4ds_v5", "workers": 9, "spot": True},
            "machines of jobs",
            "ok",
            "Standard_D4ds_v5",
        ),
        (
            {"node_type": "Standard_E999", "workers": 2},
            "machines of jobs",
            "missing",
            "has no Standard_E999",
        ),
        (
            {"driver_node_type": "Standard_E999", "workers": 2},
            "drivers of jobs",
            "missing",
            "has no Standard_E999",
        ),
    ],
)
def test_the_machines_of_the_jobs_clusters_are_looked_at(
    azure: AzureServices,
    subscription: Subscription,
    cluster: dict[str, object],
    row: str,
    state: str,
    said: str,
) -> None:
    subscription.quotas = {
        "cores": (0, 20),
        "standardDDSv5Family": (0, 20),
        "StorageAccounts": (0, 250),
    }
    checks = found(changed(azure, jobs=Jobs(cluster=cluster)))
    assert (
        checks["machines"].state == "ok"
        and checks[row].state == state
        and said in checks[row].detail
    )
    assert state == "ok" or "jobs.c" in checks[row].remedy


@pytest.mark.parametrize(
    "jobs",
    [
        Jobs(),
        Jobs(compute="serverless", cluster={"workers": 900}),
        Jobs(cluster={"pool": "p", "workers": 900}),
        Jobs(cluster={"photon": True}),
    ],
)
def test_jobs_without_machines_of_their_own_have_no_row(azure: AzureServices, jobs: Jobs) -> None:
    assert not {"machines of jobs", "drivers of jobs"} & set(found(changed(azure, jobs=jobs)))


def test_serverless_needs_no_machine(azure: AzureServices, subscription: Subscription) -> None:
    subscription.sizes = []
    assert (
        found(changed(azure, unity=Unity(compute="serverless")))["machines"].detail
        == "serverless: none of the subscription's"
    )


def test_a_service_that_fails_is_told_where_it_failed_and_the_rest_is_looked_at(
    azure: AzureServices, service: ResourceManager
) -> None:
    service.fail(
        Fault("unavailable", "GET", "*/Microsoft.Compute/skus", times=100),
        Fault("throttled", "GET", "*/locations", times=2),
        Fault("reset", "POST", times=1),
    )
    checks = found(azure)
    assert {name for name, check in checks.items() if check.state != "ok"} == {"machines"}
    assert (
        checks["machines"].detail.startswith("not looked at:")
        and "after 3 tries" in checks["machines"].detail
    )
    service.fail()
    service.subscriptions[SUBSCRIPTION].unregistered = {
        "Microsoft.Compute",
        "Microsoft.Network",
        "Microsoft.Databricks",
    }
    service.forget_calls()
    checks = found(azure)
    assert {name for name, check in checks.items() if check.state != "ok"} == {
        "machines",
        "resource providers",
    }
    assert set(Counter(path for _, path, status in service.log if status == 409).values()) == {1}, (
        "a provider that is not registered is not asked again and again"
    )
    service.fail(Fault("unavailable", "GET", "*/networkWatchers", times=100))
    assert "ServiceUnavailable" in found(azure)["resource group"].detail


def test_what_is_wanted_is_what_infra_declares() -> None:
    versions = (ROOT / "infra" / "azure" / "versions.tf").read_text(encoding="utf-8")
    assert all(f'"{name}"' in versions for name in RESOURCE_PROVIDERS) and versions.count(
        '"Microsoft.'
    ) == len(RESOURCE_PROVIDERS)
    assert (
        'required_version = ">= 1.11, < 2.0"' in versions
        and terraform_check("1.11.0").state == "ok"
        and terraform_check("2.0.0").state == "missing"
    )
    made = {
        line.split('"')[1]
        for file in (ROOT / "infra" / "azure").glob("*.tf")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("resource ")
    }
    services = {action.split("/")[0].split(".")[1].lower() for action in RESOURCE_ACTIONS}
    assert {
        "azurerm_eventhub_namespace",
        "azurerm_databricks_access_connector",
        "azurerm_consumption_budget_resource_group",
    } <= made
    assert services == {
        "resources",
        "storage",
        "eventhub",
        "databricks",
        "operationalinsights",
        "insights",
        "consumption",
    }


def test_the_command_tells_what_is_missing_here_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "terraform").write_text(
        '#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n', encoding="utf-8"
    )
    (tmp_path / "bin" / "terraform").chmod(0o755)
    (tmp_path / "datamaster.yaml").write_text(
        json.dumps({"domain": "risk", "catalog": "risk", "setup": SETUP}), encoding="utf-8"
    )
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[1:1] = ['setup', "
        "'doctor']; main()"
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AZURE_", "ARM_", "GITHUB_", "ACTIONS_"))
    }
    result = subprocess.run(
        [sys.executable, "-c", program, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            **kept,
            "PATH": str(tmp_path / "bin"),
            "PYTHONPATH": str(ROOT),
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
        },
    )
    assert (result.returncode, result.stderr) == (1, "")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert [
        (checks[name]["state"], checks[name]["detail"])
        for name in ("Terraform", "Terraform's log-in")
    ] == [("missing", "1.9.8"), ("missing", "az is not on PATH")]
    assert (
        checks["log-in"]["state"],
        "az login" in checks["log-in"]["remedy"],
        checks["machines"]["detail"],
    ) == ("missing", True, "not looked at: it needs the log-in")


AZ = f"""#!/bin/sh
[ "$*" = "account get-access-token --tenant {TENANT} --output none" ] && exit 0
echo "ERROR: Please run 'az login' to setup account." >&2; exit 1
"""


@pytest.mark.parametrize(
    ("tenant", "seen"),
    [
        (TENANT, ("ok", "by az", "")),
        (BOB, ("missing", "Please run 'az login' to setup account.", f"az login --tenant {BOB}")),
    ],
)
def test_terraform_logs_in_by_az_only_where_az_is_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tenant: str, seen: tuple[str, str, str]
) -> None:
    (tmp_path / "az").write_text(AZ, encoding="utf-8")
    (tmp_path / "az").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = terraform_login_check({}, tenant, refusal_of_az(tenant))
    assert (check.state, check.detail, check.remedy) == seen


def test_an_az_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "az").write_text("#!/bin/sh\nexec /bin/sleep 20\n", encoding="utf-8")
    (tmp_path / "az").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal_of_az(TENANT, seconds=0.5) == "az gives no answer in 0 s"


def test_contracts_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    project = Project(tmp_path, names("risk", "risk"), setup=SETUP)
    assert (
        "no file matches" in contracts_check(project).detail,
        contracts_check(project).state,
    ) == (True, "missing")
    (tmp_path / "contracts").mkdir()
    account = (ROOT / "contracts" / "account.yaml").read_text(encoding="utf-8")
    (tmp_path / "contracts" / "account.yaml").write_text(
        account.replace("period: 1 day", "period: a while"), encoding="utf-8"
    )
    told = contracts_check(project)
    assert (
        told.state,
        "account.yaml:" in told.detail and "'a while' is not a period" in told.detail,
        "datamaster contract lint" in told.remedy,
    ) == ("missing", True, True)
    (tmp_path / "contracts" / "account.yaml").write_text(account, encoding="utf-8")
    assert contracts_check(project) == DoctorCheck("contracts", "ok", "1 read")


def test_a_project_without_an_azure_side_is_refused() -> None:
    with pytest.raises(DatamasterError, match="there is no `setup:`") as raised:
        setup_checks(Project(ROOT, names("risk", "risk")))
    assert raised.value.exit_code == 2
