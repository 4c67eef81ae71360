"""What a contract says of a topic is checked before a broker is asked, and no secret is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamaster_kit.contract.document import parse_document
from datamaster_kit.contract.fault import BadInput, Fault
from datamaster_kit.contract.read import examine_document
from datamaster_kit.contract.topic_options import Login
from datamaster_kit.deliver.settings import trigger_settings
from datamaster_kit.ingest.ingest import build_steps
from datamaster_kit.ingest.step import file_source
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.base import TopicAddress
from datamaster_kit.targets.local import LocalTarget
from datamaster_kit.targets.readers.topic_connection import connection_options

CONTRACT = """dataContractSpecification: 1.1.0
id: urn:c
info: {title: C, version: 1.0.0}
models:
  m: {type: table, fields: {id: {type: string}}}
workflow:
  source: SOURCE
"""


def faults_of(source: str) -> list[Fault]:
    """Return the faults of a contract with a source."""
    text = CONTRACT.replace("SOURCE", source)
    return list(examine_document(parse_document(text, "c.yaml"), Path())[1])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("{type: kafka, format: parquet}", ""),
        ("{type: kafka, format: json, kafka.sasl.jaas.config: x}", "secret scope"),
        ("{type: kafka, format: json, sasl.password: x}", "secret scope"),
        ("{type: kafka, format: json, kafka.bootstrap.servers: 'a:1'}", "write servers"),
        ("{type: kafka, format: json, subscribe: a}", "write topic"),
        ("{type: kafka, format: json, failOnDataLoss: false}", "always told"),
        ("{type: kafka, format: json, header: true}", ""),
        ("{type: kafka, format: json, delimiter: ';'}", ""),
        ("{type: kafka, format: json, endpoint: kafka}", ""),
        ("{type: kafka, format: json, servers: broker}", "host:port"),
        ("{type: kafka, format: json, servers: 'a:1,b'}", "host:port"),
        ("{type: kafka, format: json, topic: 'a,b'}", "letters"),
        ("{type: kafka, format: json, startingOffsets: newest}", "earliest"),
        ("{type: kafka, format: json, maxOffsetsPerTrigger: none}", "number"),
        ("{type: kafka, format: json, security: {way: password, password: x}}", "never"),
        ("{type: kafka, format: json, security: {way: passwort}}", "password"),
        ("{type: kafka, format: json, security: {way: tls, key: x}}", ""),
        (
            "{type: kafka, format: json, security: {way: password, user: 'a\"b', scope: s, key: k"
            "}}",
            "",
        ),
        ("{type: kafka, format: csv, sep: ''}", ""),
        ("{type: eventhub, format: json, endpoint: kafak}", "kafka"),
        ("{type: eventhub, format: json, endpoint: kafka, security: tls}", "service-credential"),
        ("{type: kafak, format: json}", "kafka"),
    ],
)
def test_what_a_topic_cannot_have_is_refused(source: str, hint: str) -> None:
    faults = faults_of(source)
    assert faults and hint in " ".join(f"{fault.message} {fault.hint}" for fault in faults), faults


@pytest.mark.parametrize(
    "source",
    [
        "{type: kafka, format: json}",
        "{type: kafka, format: csv, sep: ';', servers: 'a.b:9092', topic: 'x.{model}'}",
        "{type: kafka, format: avro, skipBytes: 5, security: tls}",
        "{type: eventhub, format: json, endpoint: kafka, keep_envelope: true}",
        "{type: eventhub, format: avro, endpoint: capture}",
        "{type: kafka, format: json, security: {way: password, user: u, scope: s, key: k, "
        "mechanism: SCRAM-SHA-256}}",
    ],
)
def test_what_a_topic_can_have_is_taken(source: str) -> None:
    assert not faults_of(source)


def test_a_name_that_avro_does_not_take_is_told() -> None:
    text = CONTRACT.replace("SOURCE", "{type: kafka, format: avro}").replace("{id:", "{'i d':")
    _, faults = examine_document(parse_document(text, "c.yaml"), Path())
    assert [fault.message for fault in faults] == ["no field of avro is called 'i d'"]


def test_the_project_says_what_the_contract_does_not(tmp_path: Path) -> None:
    (tmp_path / "datamaster.yaml").write_text(
        "domain: shop\ncatalog: shop\nkafka: {servers: 'dev:9092', security: {way: none}}\n"
        "environments: {prod: {kafka: {servers: 'live:9093', security: {way: tls}}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "contracts").mkdir()
    source = "{type: kafka, format: json, topic: 'shop.{model}', minPartitions: 3}"
    (tmp_path / "contracts" / "c.yaml").write_text(
        CONTRACT.replace("SOURCE", source), encoding="utf-8"
    )

    def address(environment: str) -> TopicAddress | None:
        project = read_project(tmp_path, environment)
        (contract,) = read_contracts(project)
        target = LocalTarget(project)
        (step,) = build_steps(target, project, contract, contract.models, "ingest")
        return file_source(step).topic

    assert address("") == TopicAddress("dev:9092", "shop.m", Login("none"), min_partitions=3)
    assert address("prod") == TopicAddress("live:9093", "shop.m", Login("tls"), min_partitions=3)
    text = (tmp_path / "datamaster.yaml").read_text(encoding="utf-8")
    (tmp_path / "datamaster.yaml").write_text(
        text.replace("{way: none}", "{way: password, user: u, password: s3cret}"), encoding="utf-8"
    )
    with pytest.raises(BadInput, match="password has no key 'password'") as refusal:
        read_project(tmp_path)
    assert "s3cret" not in str(refusal.value)


def test_a_topic_without_servers_is_told_before_spark_starts(tmp_path: Path) -> None:
    (tmp_path / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n", encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "c.yaml").write_text(
        CONTRACT.replace("SOURCE", "{type: kafka, format: json}"), encoding="utf-8"
    )
    project = read_project(tmp_path)
    (contract,) = read_contracts(project)
    target = LocalTarget(project)
    (step,) = build_steps(target, project, contract, contract.models, "ingest")
    with pytest.raises(BadInput, match="names no servers"):
        file_source(step)


def test_event_hubs_is_the_project_s_namespace_and_a_secret_goes_to_spark_alone() -> None:
    said = {"tenant": "t-1", "client": "c-1", "scope": "risk", "key": "spn"}
    hub = "ethshop.servicebus.windows.net:9093"
    asked = []

    def secret(scope: str, key: str) -> str:
        asked.append((scope, key))
        return 's"e\\cret'

    address = TopicAddress(hub, "topic-shop-m", Login("service-principal", said))
    there, here = (connection_options(address, secret, place) for place in (True, False))
    jaas = "kafka.sasl.jaas.config"
    assert there[jaas] == f"kafkashaded.{here[jaas]}" and asked == [("risk", "spn")] * 2
    assert here[jaas] == (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
        'clientId="c-1" clientSecret="s\\"e\\\\cret" '
        'scope="https://ethshop.servicebus.windows.net/.default";'
    )
    assert here["kafka.security.protocol"] == "SASL_SSL"
    assert "t-1/oauth2/v2.0/token" in here["kafka.sasl.oauthbearer.token.endpoint.url"]
    assert "cret" not in repr(address)
    credential = TopicAddress(hub, "t", Login("service-credential", {"credential": "hub"}))
    told = connection_options(credential, secret, True)
    assert told["databricks.serviceCredential"] == "hub"
    assert not [name for name in told if "sasl" in name] and len(asked) == 2
    with pytest.raises(BadInput, match="service credential"):
        connection_options(credential, secret, False)


@pytest.mark.parametrize(
    ("source", "kind", "way"),
    [
        ("{type: kafka, format: json}", "streaming", "continuous"),
        ("{type: kafka, format: json}", "micro-batching", "continuous"),
        ("{type: eventhub, format: json, endpoint: kafka}", "micro-batching", "continuous"),
        ("{type: eventhub, format: avro}", "micro-batching", "trigger"),
        ("{type: kafka, format: json}", "batch", "schedule"),
    ],
)
def test_a_job_that_reads_a_broker_waits_for_no_file(source: str, kind: str, way: str) -> None:
    text = CONTRACT.replace("SOURCE", source) + (
        f"servicelevels: {{frequency: {{type: {kind}, cron: 0 0 2 * * ?}}}}\n"
    )
    contract, _ = examine_document(parse_document(text, "c.yaml"), Path())
    project = Project(Path(), names("shop", "shop"))
    settings = trigger_settings(project, contract, "abfss://raw")
    assert [name for name, value in settings.items() if value] == [way]
