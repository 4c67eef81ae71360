"""Topics: planned, applied and planned again over a server of Azure Resource Manager that fails on
purpose.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_manager.server import ResourceManager
from workspace.faults import Chaos, Fault

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput, DatamasterError
from datamaster_kit.contract.model import Contract, Model, Source, Workflow
from datamaster_kit.contract.odcs.writer import odcs_yaml
from datamaster_kit.contract.read import read_contract
from datamaster_kit.deliver.namespace_topics import (
    build_found_topics,
    desired_topics,
    read_topics,
    topic_operations,
)
from datamaster_kit.deliver.topics import Topic, build_topics
from datamaster_kit.lakehouse.names import names
from datamaster_kit.plan.plan import Plan
from datamaster_kit.plan.resources import ExistingResource, Service, apply_resources, plan_resources
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.clients.management import Management

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
PROJECT = Project(Path(), names("risk", "risk"), setup={"subscription": SUBSCRIPTION})
PREMIUM = Project(
    Path(),
    names("risk", "risk"),
    setup={"subscription": SUBSCRIPTION, "azure": {"eventhub_sku": "Premium"}},
)
EVERY_FAULT = (
    Fault("throttled", "PUT", retry_after=7),
    Fault("unavailable", "GET"),
    Fault("reset", "PUT", after=1),
    Fault("lost", "PUT", after=2),
    Fault("lost", "GET", after=3),
)


def contract(*models: str, id: str = "urn:events", **topic: Any) -> Contract:
    return Contract(
        id,
        models=tuple(map(Model, models)),
        workflow=Workflow(
            source=Source("eventhub", "avro"), properties={"topic": topic} if topic else {}
        ),
    )


def furnished(
    azure: ResourceManager, sku: str = "Standard", identity: str = "SystemAssigned"
) -> None:
    azure.furnish(
        SUBSCRIPTION,
        "rsgdrisk",
        "ethdrisk",
        sku=sku,
        identity=identity,
        containers={("stadrisk", "ctrdriskraw")},
    )


@pytest.fixture
def azure() -> Iterator[ResourceManager]:
    with ResourceManager(page_size=3) as made:
        furnished(made)
        yield made


def management(azure: ResourceManager) -> Management:
    return Management(lambda: azure.token, azure.host, lambda seconds: None)


def hubs(azure: ResourceManager) -> dict[str, dict[str, Any]]:
    return azure.groups[SUBSCRIPTION, "rsgdrisk"]["ethdrisk"].hubs


def kept(azure: ResourceManager) -> dict[str, Any]:
    """Return what the namespace has, without times."""
    return {
        name: {
            key: value
            for key, value in item["properties"].items()
            if key not in ("createdAt", "updatedAt")
        }
        for name, item in hubs(azure).items()
    }


def plan(
    azure: ResourceManager,
    *contracts: Contract,
    project: Project = PROJECT,
    allows_delete: bool = False,
) -> Plan:
    wanted = build_topics(project, contracts)
    found = read_topics(management(azure), project, wanted)
    return plan_resources(desired_topics(project, wanted, found), found, allows_delete)


def apply(
    azure: ResourceManager,
    *contracts: Contract,
    project: Project = PROJECT,
    allows_delete: bool = False,
) -> list[str]:
    return apply_plan(
        azure,
        plan(azure, *contracts, project=project, allows_delete=allows_delete),
        *contracts,
        project=project,
    )


def apply_plan(
    azure: ResourceManager, made: Plan, *contracts: Contract, project: Project = PROJECT
) -> list[str]:
    wanted, done = build_topics(project, contracts), list[str]()
    there = azure.groups[SUBSCRIPTION, "rsgdrisk"].get("ethdrisk")
    found = build_found_topics(list(there.hubs.values()) if there else [], wanted)
    known = (
        *found,
        *(
            ExistingResource("topic", change.name, {}, change.name, is_ours=True)
            for change in made.changes
            if change.action == "delete"
        ),
    )
    service = Service(
        {"topic": topic_operations(management(azure), project, wanted)},
        (),
        (),
        sleep=lambda seconds: None,
    )
    apply_resources(
        made,
        desired_topics(project, wanted, found),
        known,
        service,
        lambda outcome: done.append(outcome.change.name) if outcome.state == "done" else None,
    )
    return sorted(done)


def shown(found: Plan) -> list[tuple[str, str, bool]]:
    return [(change.action, change.name, bool(change.refusal)) for change in found.changes]


def test_a_second_apply_changes_nothing(azure: ResourceManager) -> None:
    both = (
        contract(
            "account",
            "consents",
            partitions=4,
            retention="2 days",
            capture_window="PT2M",
            capture_megabytes=10,
        ),
        contract("clicks", id="urn:clicks"),
    )
    assert shown(plan(azure, *both)) == [
        ("create", f"topic-risk-{model}", False) for model in ("account", "clicks", "consents")
    ]
    assert apply(azure, *both) == ["topic-risk-account", "topic-risk-clicks", "topic-risk-consents"]
    azure.forget_calls()
    assert plan(azure, *both).is_empty
    assert apply(azure, *both) == []
    assert dict(azure.calls) == {"GET": 2}


def test_a_topic_is_as_the_contract_says(azure: ResourceManager) -> None:
    apply(
        azure,
        contract(
            "account", partitions=4, retention="2 days", capture_window="PT2M", capture_megabytes=10
        ),
    )
    (made,) = kept(azure).values()
    assert (
        made["partitionCount"],
        made["retentionDescription"],
        made["messageRetentionInDays"],
    ) == (4, {"cleanupPolicy": "Delete", "retentionTimeInHours": 48}, 2)
    capture = made["captureDescription"]
    assert (
        capture["enabled"],
        capture["encoding"],
        capture["intervalInSeconds"],
        capture["sizeLimitInBytes"],
        capture["skipEmptyArchives"],
    ) == (True, "Avro", 120, 10 * 1024 * 1024, True)
    assert capture["destination"] == {
        "name": "EventHubArchive.AzureBlockBlob",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "storageAccountResourceId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rsgdrisk/"
            "providers/Microsoft.Storage/storageAccounts/stadrisk",
            "blobContainer": "ctrdriskraw",
            "archiveNameFormat": "account/{Namespace}/{EventHub}/{PartitionId}/"
            "{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}",
        },
    }


def test_what_a_contract_does_not_say_of_a_topic_the_project_says_and_else_the_older_system(
    azure: ResourceManager,
) -> None:
    quiet, loud = contract("account"), contract("clicks", id="urn:clicks", partitions=4)
    [found] = build_topics(PROJECT, (quiet,))
    assert (
        found.partitions,
        found.retention_hours,
        found.captured_seconds,
        found.captured_bytes,
    ) == (1, 24, 120, 10 * 1024 * 1024)
    said = replace(
        PROJECT,
        topics={
            "partitions": 2,
            "retention": "2 days",
            "capture_window": "5 minutes",
            "capture_megabytes": 300,
        },
    )
    assert [
        (item.partitions, item.retention_hours, item.captured_seconds, item.captured_bytes)
        for item in build_topics(said, (quiet, loud))
    ] == [(2, 48, 300, 300 * 1024 * 1024), (4, 48, 300, 300 * 1024 * 1024)]
    assert (
        apply(azure, quiet, project=said) == ["topic-risk-account"]
        and plan(azure, quiet, project=said).is_empty
    )
    with pytest.raises(
        BadInput,
        match="the project: '30 days' is not between 1 and 168 hours, "
        "as a Standard namespace takes",
    ) as told:
        build_topics(replace(PROJECT, topics={"retention": "30 days"}), (quiet, loud))
    assert [(fault.path, fault.file) for fault in told.value.faults] == [
        ("$.topics.retention", "datamaster.yaml")
    ]


def test_files_have_no_topic() -> None:
    files = Contract("urn:files", models=(Model("account"),), workflow=Workflow())
    assert build_topics(PROJECT, (files, Contract("urn:none", models=(Model("account"),)))) == ()


@pytest.mark.parametrize(
    "drift",
    [
        {"captureDescription": {"enabled": False}},
        {"retentionDescription": {"cleanupPolicy": "Delete", "retentionTimeInHours": 1}},
        {"status": "SendDisabled"},
    ],
    ids=["capture", "retention", "status"],
)
def test_a_change_by_hand_is_shown_and_set_back(
    azure: ResourceManager, drift: dict[str, Any]
) -> None:
    apply(azure, contract("account"))
    before = kept(azure)
    hubs(azure)["topic-risk-account"]["properties"] |= drift
    found = plan(azure, contract("account"))
    assert shown(found) == [("update", "topic-risk-account", False)]
    assert found.changes[0].differences
    assert apply(azure, contract("account")) == ["topic-risk-account"]
    assert kept(azure) == before


def test_the_case_of_names_and_of_azures_paths_is_no_drift(azure: ResourceManager) -> None:
    apply(azure, contract("account"))
    item = hubs(azure)["topic-risk-account"]
    target = item["properties"]["captureDescription"]["destination"]["properties"]
    item["name"], target["storageAccountResourceId"] = (
        "Topic-Risk-Account",
        target["storageAccountResourceId"].upper(),
    )
    assert plan(azure, contract("account")).is_empty


def test_partitions_cannot_change_in_a_standard_namespace(azure: ResourceManager) -> None:
    apply(azure, contract("account", partitions=2))
    assert shown(plan(azure, contract("account", partitions=4))) == [
        ("update", "topic-risk-account", True)
    ]
    with pytest.raises(DatamasterError, match="cannot be changed in place"):
        apply(azure, contract("account", partitions=4))
    assert kept(azure)["topic-risk-account"]["partitionCount"] == 2


def test_partitions_can_only_grow_in_a_premium_namespace() -> None:
    with ResourceManager() as azure:
        furnished(azure, "Premium")
        apply(azure, contract("account", partitions=2), project=PREMIUM)
        assert apply(azure, contract("account", partitions=64), project=PREMIUM) == [
            "topic-risk-account"
        ]
        assert shown(plan(azure, contract("account", partitions=8), project=PREMIUM)) == [
            ("update", "topic-risk-account", True)
        ]


def theirs(azure: ResourceManager, name: str, **properties: Any) -> None:
    hubs(azure)[name] = {
        "name": name,
        "id": "x",
        "properties": {
            "partitionCount": 1,
            "status": "Active",
            "retentionDescription": {"cleanupPolicy": "Compact"},
            **properties,
        },
    }


@pytest.mark.parametrize(
    "mark",
    [
        {},
        {"userMetadata": "made by hand"},
        {"userMetadata": '{"made_by": "another tool"}'},
        {"userMetadata": '["datamaster_kit"]'},
    ],
    ids=["none", "text", "another", "list"],
)
def test_what_is_not_ours_is_never_touched(azure: ResourceManager, mark: dict[str, str]) -> None:
    theirs(azure, "topic-risk-account", **mark)
    theirs(azure, "clicks", **mark)
    before = copy.deepcopy(kept(azure))
    assert shown(plan(azure, contract("account"), allows_delete=True)) == [
        ("update", "topic-risk-account", True)
    ]
    with pytest.raises(DatamasterError, match="not made by this toolkit"):
        apply(azure, contract("account"), allows_delete=True)
    assert apply(azure, allows_delete=True) == []
    assert kept(azure) == before
    assert {method for method, _, _ in azure.log} == {"GET"}


@pytest.mark.parametrize("wanted", [True, False])
def test_what_became_somebody_elses_after_the_plan_is_left_alone(
    azure: ResourceManager, wanted: bool
) -> None:
    asked = (contract("account"),) if wanted else ()
    if not wanted:
        apply(azure, contract("account"))
    made = plan(azure, *asked, allows_delete=True)
    theirs(azure, "topic-risk-account")
    before = copy.deepcopy(kept(azure))
    with pytest.raises(DatamasterError, match="somebody else's") as raised:
        apply_plan(azure, made, *asked)
    assert raised.value.faults[0].code == "apply-failed"
    assert kept(azure) == before


def test_topics_are_deleted_only_where_that_is_allowed(azure: ResourceManager) -> None:
    apply(azure, contract("account", "consents"))
    assert shown(plan(azure, contract("consents"))) == [
        ("unchanged", "topic-risk-consents", False),
        ("delete", "topic-risk-account", True),
    ]
    assert apply(azure, contract("consents")) == []
    assert sorted(hubs(azure)) == ["topic-risk-account", "topic-risk-consents"]
    assert apply(azure, contract("consents"), allows_delete=True) == ["topic-risk-account"]
    assert plan(azure, contract("consents"), allows_delete=True).is_empty
    assert apply(azure, allows_delete=True) == ["topic-risk-consents"]
    assert hubs(azure) == {}


def test_a_topic_that_somebody_deleted_in_the_meantime_is_no_failure(
    azure: ResourceManager,
) -> None:
    apply(azure, contract("account"))
    made = plan(azure, allows_delete=True)
    hubs(azure).clear()
    apply_plan(azure, made)


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: f"{fault.kind}-{fault.method}")
def test_every_fault_ends_in_the_same_state(azure: ResourceManager, fault: Fault) -> None:
    asked = contract("account", "consents", "clicks", "views")
    azure.fail(fault)
    azure.busy = 2
    apply(azure, asked)
    struck = list(azure.faults.struck)
    azure.fail()
    assert [kind for kind, _, _ in struck] == [fault.kind]
    assert plan(azure, asked).is_empty
    with ResourceManager() as calm:
        furnished(calm)
        apply(calm, asked)
        assert kept(azure) == kept(calm)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sets(st.sampled_from(["a", "b", "c", "d", "e"])),
    st.sets(st.sampled_from(["a", "b", "c", "d", "e"])),
    st.integers(1, 4),
)
def test_mixed_faults_end_in_the_same_state(
    seed: int, first: set[str], second: set[str], days: int
) -> None:
    with ResourceManager(page_size=2) as azure:
        furnished(azure)
        for models, retention in ((first, 1), (second, days)):
            asked = [contract(*sorted(models), retention=f"{retention} days")] if models else []
            azure.fail(chaos=Chaos(seed, 0.3, path="/subscriptions/*"))
            for _ in range(20):
                try:
                    apply(azure, *asked, allows_delete=True)
                    break
                except DatamasterError as error:
                    assert {fault.code for fault in error.faults} == {"apply-failed"}
            azure.fail()
            assert plan(azure, *asked, allows_delete=True).is_empty
            assert {
                name: item["retentionDescription"]["retentionTimeInHours"]
                for name, item in kept(azure).items()
            } == {f"topic-risk-{model}": 24 * retention for model in models}


def test_cut_off_half_way_it_goes_on(azure: ResourceManager) -> None:
    asked = contract(*(f"m{number}" for number in range(9)))
    azure.fail(Fault("reset", "PUT", after=4, times=10_000))
    with pytest.raises(DatamasterError) as raised:
        apply(azure, asked)
    assert len(hubs(azure)) == 4
    assert len(raised.value.faults) == 5
    azure.fail()
    assert len(apply(azure, asked)) == 5
    assert plan(azure, asked).is_empty


def test_one_that_fails_keeps_no_other_from_being_made(azure: ResourceManager) -> None:
    azure.fail(Fault("unavailable", "PUT", "*/topic-risk-account", times=100))
    with pytest.raises(DatamasterError, match="topic-risk-account"):
        apply(azure, contract("account", "consents", "clicks"))
    assert sorted(hubs(azure)) == ["topic-risk-clicks", "topic-risk-consents"]


def test_without_the_namespaces_identity_azure_says_so() -> None:
    with ResourceManager() as azure:
        furnished(azure, identity="")
        with pytest.raises(DatamasterError, match="no identity of type SystemAssigned"):
            apply(azure, contract("account"))
        assert hubs(azure) == {}


def test_a_namespace_that_is_not_there_is_told() -> None:
    with ResourceManager() as azure:
        azure.furnish(SUBSCRIPTION, "rsgdrisk", "another")
        assert shown(plan(azure, contract("account"))) == [("create", "topic-risk-account", False)]
        with pytest.raises(DatamasterError, match="ethdrisk"):
            apply(azure, contract("account"))


def test_every_wrong_setting_is_told_before_anything_is_asked() -> None:
    with pytest.raises(BadInput) as raised:
        build_topics(
            PROJECT,
            (
                contract(
                    "a",
                    partitions=0,
                    retention="8 days",
                    capture_window="1 second",
                    capture_megabytes=9,
                    cleanup="Compact",
                ),
                contract("b", id="urn:b", retention=True),
            ),
        )
    assert [fault.path.rsplit(".", 1)[1] for fault in raised.value.faults] == [
        "partitions",
        "retention",
        "capture_window",
        "capture_megabytes",
        "cleanup",
        "retention",
    ]
    with pytest.raises(BadInput, match="is neither of"):
        build_topics(
            Project(Path(), names("risk", "risk"), setup={"azure": {"eventhub_sku": "Basic"}}), ()
        )
    with pytest.raises(BadInput, match="no subscription"):
        build_topics(Project(Path(), names("risk", "risk")), (contract("a"),))
    assert build_topics(PREMIUM, (contract("a", partitions=100, retention="90 days"),)) == (
        Topic("topic-risk-a", "urn:events", "a", 100, 2160),
    )


def test_the_setting_is_read_from_both_specifications(tmp_path: Path) -> None:
    text = """
dataContractSpecification: 1.1.0
id: urn:events
info: {title: Events, version: 1.0.0}
models:
  account: {fields: {id: {type: string}}}
workflow:
  model: account
  source: {type: eventhub, format: avro}
  topic: {partitions: 4, retention: 3 days}
"""
    assert parse_document(text, "events.yaml")
    (tmp_path / "events.yaml").write_text(text, encoding="utf-8")
    dcs = read_contract(tmp_path / "events.yaml")
    (tmp_path / "events.odcs.yaml").write_text(odcs_yaml(dcs), encoding="utf-8")
    expected = (Topic("topic-risk-account", "urn:events", "account", 4, 72),)
    assert build_topics(PROJECT, (dcs,)) == expected
    assert build_topics(PROJECT, (read_contract(tmp_path / "events.odcs.yaml"),)) == expected


def test_a_hundred_topics_are_planned_by_their_pages(azure: ResourceManager) -> None:
    azure.page_size = 100
    azure.groups[SUBSCRIPTION, "rsgdrisk"]["ethdrisk"].sku = "Premium"
    asked = contract(*(f"m{number}" for number in range(100)))
    apply(azure, asked, project=PREMIUM)
    azure.forget_calls()
    assert plan(azure, asked, project=PREMIUM).is_empty
    assert dict(azure.calls) == {"GET": 1}
