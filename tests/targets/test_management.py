"""Calls to Azure Resource Manager, over a server of it.

What is repeated, what is waited for, what is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from resource_manager.server import VERSION, ResourceManager
from workspace.connections import Answer as Sent
from workspace.faults import Fault

from datamaster_kit.contract.fault import DatamasterError
from datamaster_kit.targets.clients.management import (
    Management,
    build_management,
    call_azure,
    list_items,
)

HUBS = (
    "/subscriptions/s/resourceGroups/rsgdrisk/providers/Microsoft.EventHub/namespaces/ethdrisk/"
    "eventhubs"
)
QUERY = f"?api-version={VERSION}"
TWO = {"properties": {"partitionCount": 2}}


@pytest.fixture
def azure() -> Iterator[ResourceManager]:
    with ResourceManager(page_size=3) as made:
        made.furnish("s", "rsgdrisk", "ethdrisk")
        yield made


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def management(azure: ResourceManager, waited: list[float]) -> Management:
    return Management(lambda: azure.token, azure.host, waited.append)


def hubs(azure: ResourceManager) -> list[str]:
    return sorted(azure.groups["s", "rsgdrisk"]["ethdrisk"].hubs)


@pytest.mark.parametrize(
    ("fault", "pauses"),
    [
        (Fault("throttled", "PUT", times=2, retry_after=17), [17, 17]),
        (Fault("unavailable", "PUT", times=4), [1, 2, 4, 8]),
        (Fault("reset", "PUT"), [1]),
        (Fault("lost", "PUT"), [1]),
    ],
    ids=lambda item: item.kind if isinstance(item, Fault) else "",
)
def test_a_write_is_repeated_until_it_is_answered(
    azure: ResourceManager,
    management: Management,
    waited: list[float],
    fault: Fault,
    pauses: list[float],
) -> None:
    azure.fail(fault)
    answer = call_azure(management, "PUT", f"{HUBS}/topic-risk-account{QUERY}", TWO)
    assert answer.body["properties"]["partitionIds"] == ["0", "1"]
    assert hubs(azure) == ["topic-risk-account"]
    assert waited == pauses


def test_a_delete_whose_answer_is_lost_is_done(
    azure: ResourceManager, management: Management
) -> None:
    call_azure(management, "PUT", f"{HUBS}/t{QUERY}", TWO)
    azure.fail(Fault("lost", "DELETE"))
    assert call_azure(management, "DELETE", f"{HUBS}/t{QUERY}").status == 204
    assert hubs(azure) == []


def test_a_namespace_that_is_busy_is_waited_for(
    azure: ResourceManager, management: Management, waited: list[float]
) -> None:
    azure.busy = 3
    assert call_azure(management, "PUT", f"{HUBS}/t{QUERY}", TWO).status == 200
    assert waited == [1, 2, 4]


def test_a_full_namespace_is_not_waited_for(
    azure: ResourceManager, management: Management, waited: list[float]
) -> None:
    for number in range(10):
        call_azure(management, "PUT", f"{HUBS}/t{number}{QUERY}", TWO)
    with pytest.raises(DatamasterError, match="SubCode=40300") as raised:
        call_azure(management, "PUT", f"{HUBS}/t10{QUERY}", TWO)
    assert (raised.value.faults[0].code, waited) == ("azure-refused", [])


def test_an_operation_that_goes_on_is_waited_for(
    azure: ResourceManager, management: Management, waited: list[float]
) -> None:
    azure.polls = 4
    azure.fail(Fault("unavailable", "GET", "*/operations/*"))
    assert call_azure(management, "PUT", f"{HUBS}/t{QUERY}", TWO).status == 202
    assert azure.log[-1][1].endswith("/operations/0")
    assert waited == [3, 1, 3, 3, 3]


def test_an_operation_that_fails_is_told(azure: ResourceManager, management: Management) -> None:
    azure.polls, azure.fails = 2, True
    with pytest.raises(DatamasterError, match="Failed: InternalServerError: The operation failed"):
        call_azure(management, "PUT", f"{HUBS}/t{QUERY}", TWO)


def test_a_days_patience_is_not_had(
    azure: ResourceManager, management: Management, waited: list[float]
) -> None:
    azure.fail(Fault("throttled", "GET", retry_after=86_400))
    with pytest.raises(DatamasterError, match="asks to be left alone for 86,400 seconds") as raised:
        call_azure(management, "GET", HUBS + QUERY)
    assert raised.value.faults[0].code == "azure-unreachable" and not waited


@pytest.mark.parametrize(
    ("kind", "tries", "pauses"),
    [("reset", 5, [1, 2, 4, 8]), ("unavailable", 10, [1, 2, 4, 8, 16, *[30] * 4])],
)
def test_what_stays_busy_is_given_up_and_what_gives_no_answer_within_half_a_minute(
    azure: ResourceManager,
    management: Management,
    waited: list[float],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    tries: int,
    pauses: list[float],
) -> None:
    azure.fail(Fault(kind, times=100))
    with pytest.raises(DatamasterError, match=f"after {tries} tries") as raised:
        call_azure(management, "GET", HUBS + QUERY)
    assert raised.value.faults[0].code == "azure-unreachable" and waited == pauses
    assert "trying again in" in caplog.text and "Microsoft.EventHub" in caplog.text


@pytest.mark.parametrize(
    ("path", "token", "told"),
    [
        (f"{HUBS}/t{QUERY}", "another token", "AuthenticationFailed"),
        (f"{HUBS}/t", "", "MissingApiVersionParameter"),
        (f"{HUBS}/-t-{QUERY}", "", "BadRequest"),
    ],
)
def test_a_refusal_is_told_in_azures_words(
    azure: ResourceManager,
    management: Management,
    waited: list[float],
    path: str,
    token: str,
    told: str,
) -> None:
    with pytest.raises(DatamasterError, match=told) as raised:
        call_azure(replace(management, token=lambda: token or azure.token), "PUT", path, TWO)
    assert raised.value.faults[0].code == "azure-refused"
    assert waited == []
    assert "token" not in str(raised.value)


def test_what_is_not_there_is_an_answer(management: Management) -> None:
    assert call_azure(management, "GET", f"{HUBS}/nothing{QUERY}").status == 404
    assert list(list_items(management, HUBS.replace("ethdrisk", "ethdnone") + QUERY)) == []


def test_a_list_is_read_to_its_end(azure: ResourceManager, management: Management) -> None:
    for number in range(8):
        call_azure(management, "PUT", f"{HUBS}/t{number}{QUERY}", TWO)
    azure.forget_calls()
    azure.fail(Fault("lost", "GET", after=1), Fault("throttled", "GET", after=2))
    assert [item["name"] for item in list_items(management, HUBS + QUERY)] == [
        f"t{number}" for number in range(8)
    ]
    assert azure.calls["GET"] == 3 + 2


def test_the_token_goes_nowhere_else(
    azure: ResourceManager, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ResourceManager() as other:
        page = json.dumps({"value": [], "nextLink": other.host + HUBS + QUERY}).encode()
        monkeypatch.setattr(
            azure, "effect", lambda *_: Sent(200, page, (("Content-Type", "application/json"),))
        )
        with pytest.raises(DatamasterError, match="leads away"):
            list(list_items(management, HUBS + QUERY))
        monkeypatch.setattr(
            azure, "effect", lambda *_: Sent(307, b"", (("Location", other.host + HUBS + QUERY),))
        )
        with pytest.raises(DatamasterError, match="GET"):
            call_azure(management, "GET", HUBS + QUERY)
        assert other.log == []


def test_a_password_of_netrc_does_not_take_the_tokens_place(
    azure: ResourceManager, management: Management, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login ana password secret\n", encoding="utf-8"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert call_azure(management, "GET", HUBS + QUERY).status == 200


def test_nobody_logged_in_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    def nobody(*_: object, **__: object) -> None:
        raise ClientAuthenticationError(
            "DefaultAzureCredential failed to retrieve a token.\nAnd many lines more."
        )

    monkeypatch.setattr(DefaultAzureCredential, "get_token", nobody)
    with pytest.raises(DatamasterError, match="failed to retrieve a token") as raised:
        call_azure(build_management(), "GET", HUBS + QUERY)
    assert (raised.value.faults[0].code, raised.value.faults[0].hint) == (
        "azure-log-in",
        "az login, or in a workflow azure/login",
    )
