"""The project file.

Every key that it may have, every value that it may not have, and where each fault is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from workspace.quartz import is_quartz

from datamaster_kit import __version__
from datamaster_kit.contract.fault import BadInput, Fault
from datamaster_kit.project.project_file import Project, read_project
from datamaster_kit.project.sections import PROJECT_FILE_KEYS, Metastore
from datamaster_kit.project.shape import FixedKeys, Items, OpenKeys, shape_findings
from datamaster_kit.project.values import CRON
from datamaster_kit.setup.variables import entra_variables, setup_of

GUID = "00000000-0000-0000-0000-00000000000a"
CLUSTER = (
    "{workers: {min: 1, max: 8}, photon: true, runtime: 17.3.x-scala2.13, policy: Job "
    "Compute, pool: small nodes, driver_pool: large nodes, "
    "spark_conf: {spark.sql.shuffle.partitions: 64}, tags: {team: risk}}"
)
NETWORK = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"
KEY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/keys/lake"
KEY_ADDRESS = "https://vault-1.vault.azure.net/keys/lake/0123456789abcdef0123456789abcdef"
WHOLE = f"""\
toolkit: ">=0.1,<1"
domain: risk
catalog: risk
environment: dev
contracts: [contracts/*.yaml]
tags: {{project: datamaster, cost_center: 42}}
targets:
  production: {{host: "https://adb-1.2.azuredatabricks.net", account_id: {GUID}, \
    account_host: "https://accounts.azuredatabricks.net", profile: prod, warehouse: shared, \
    warehouse_id: 0123abcd, landing: /Volumes/risk/bronze/landing}}
unity:
  principal_user: ana_example.com#EXT#@contoso.onmicrosoft.com
  service_principal: {GUID}
  groups: {{platform: ADMIN}}
  group_ids: {{platform: {GUID}}}
  compute: serverless
  node_type: Standard_E4ds_v5
  metastore: {{owner: platform, delta_sharing_scope: INTERNAL_AND_EXTERNAL, token_days: 30}}
  secrets: {{broker-key: BROKER_KEY}}
jobs: {{compute: serverless, timezone: Europe/Lisbon, cron: "0 0 2 * * ?", \
  ingest_per: contract, cluster: {CLUSTER}}}
topics: {{partitions: 4, retention: 2 days, capture_window: PT5M, capture_megabytes: 300}}
kafka: {{servers: "broker.example.com:9093", security: {{way: tls}}}}
environments:
  prod: {{jobs: {{cron: "0 0 1 * * ?", cluster: {{\
    pool: , driver_pool: , node_type: Standard_D8ds_v5, driver_node_type: Standard_F8, \
    spot: true}}}}, \
    setup: {{budget: {{amount: 9000}}}}}}
setup:
  subscription: {GUID}
  tenant: {GUID}
  location: brazilsouth
  writers: {{ana: {{object_id: {GUID}, type: User}}}}
  budget: {{amount: 500, emails: [risk@example.com], percentages: [80]}}
  github: {{repository: example/lakehouse, environments: [prod], branches: [main]}}
  groups: {{data_engineer: [bob@example.com]}}
  existing_groups: [platform]
  state_replication: GRS
  azure:
    soft_delete_days: 7
    log_retention_days: 90
    storage_replication: LRS
    eventhub_sku: Premium
    eventhub_capacity: 2
    network_watcher_is_managed: false
    virtual_network: {{id: {NETWORK}, public_subnet_name: a, private_subnet_name: b,
                      public_security_group_association: x, private_security_group_association: y}}
    allowed_network: {{ip_rules: [20.1.2.3, 20.1.2.0/24], subnet_ids: [{NETWORK}/subnets/a]}}
    customer_managed_key: {{key_id: "{KEY_ADDRESS}",
                           key_resource_id: {KEY}, databricks_application_object_id: {GUID}}}
"""
OLDER = ("project", "user_principal_name", "domain_azure")


def read(folder: Path, text: str, environment: str | None = None) -> Project:
    """Return the project of a text."""
    (folder / "datamaster.yaml").write_text(text, encoding="utf-8")
    return read_project(folder, environment)


def refused(folder: Path, text: str, environment: str | None = None) -> tuple[Fault, ...]:
    """Return the faults for which a text is refused."""
    with pytest.raises(BadInput) as raised:
        read(folder, text, environment)
    return raised.value.faults


def keys_of(shape: object, path: str = "") -> set[str]:
    """Return every path that a shape has, without the names that a person chooses."""
    if isinstance(shape, FixedKeys):
        return {path} | {
            found for key, below in shape.of.items() for found in keys_of(below, f"{path}.{key}")
        }
    return (
        {path} | keys_of(shape.of, f"{path}.*") if isinstance(shape, OpenKeys | Items) else {path}
    )


def paths_of(data: object, shape: object, path: str = "") -> set[str]:
    """Return the paths of a shape that data has."""
    if isinstance(shape, FixedKeys) and isinstance(data, dict):
        return {path} | {
            found
            for key, value in data.items()
            for found in paths_of(value, shape.of[key], f"{path}.{key}")
        }
    if isinstance(shape, OpenKeys | Items):
        return {path} | {
            found
            for value in (data.values() if isinstance(data, dict) else data)
            for found in paths_of(value, shape.of, f"{path}.*")
        }
    return {path}


def test_every_key_is_read(tmp_path: Path) -> None:
    project = read(tmp_path, WHOLE)
    assert (project.names.domain, project.names.catalog, project.tags) == (
        "risk",
        "criskdev",
        {"project": "datamaster", "cost_center": "42"},
    )
    assert project.targets["production"]["account_id"] == GUID
    assert (project.unity.compute, project.unity.groups) == (
        "serverless",
        {"data_engineer": "USER", "platform": "ADMIN"},
    )
    assert (project.unity.service_principal, project.unity.group_ids) == (GUID, {"platform": GUID})
    assert project.unity.metastore == Metastore("platform", "INTERNAL_AND_EXTERNAL", 30)
    assert (project.jobs.timezone, project.jobs.cron) == ("Europe/Lisbon", "0 0 2 * * ?")
    assert (
        project.jobs.cluster["workers"] == {"min": 1, "max": 8}
        and project.jobs.cluster["pool"] == "small nodes"
    )
    assert setup_of(project).azure["eventhub_capacity"] == 2


def test_the_whole_file_above_has_every_key_there_is() -> None:
    said = paths_of(yaml.safe_load(WHOLE), PROJECT_FILE_KEYS)
    # a pool and machines exclude one another
    lacking = (
        keys_of(PROJECT_FILE_KEYS) - said - {path.removeprefix(".environments.*") for path in said}
    )
    assert {
        path
        for path in lacking
        if not path.startswith(".environments.*.") and path[1:] not in OLDER
    } == set()


def test_the_principal_user_is_a_data_engineer(tmp_path: Path) -> None:
    project = read(tmp_path, WHOLE)
    assert entra_variables(project, setup_of(project))["groups"] == {
        "data_engineer": ["ana_example.com#EXT#@contoso.onmicrosoft.com", "bob@example.com"]
    }


@pytest.mark.parametrize(
    ("good", "bad", "path", "says"),
    [
        ("domain: risk", "domain: Risk", "$.domain", "not lower-case letters"),
        ("retention: 2 days", "retention: soon", "$.topics.retention", "not a period"),
        (
            "capture_megabytes: 300",
            "capture_megabytes: 1",
            "$.topics.capture_megabytes",
            "10 to 500",
        ),
        ("domain: risk", "domain: riskmanagementandcontrols", "$.domain", "Azure allows 3 to 24"),
        (
            "domain: risk",
            "domain: riskmanagementab",
            "$.domain",
            "of Terraform's state has 25 characters",
        ),
        (
            "domain: risk\ncatalog: risk\nenvironment: dev",
            "domain: r\ncatalog: risk",
            "$.domain",
            "has fewer than 6 characters",
        ),
        ("domain: risk", "domain: riskwindows", "$.domain", "'windows'"),
        ("catalog: risk", "catalog: 7", "$.catalog", "7 is not a text"),
        ("environment: dev", "environment: d-v", "$.environment", "'d-v'"),
        (
            "contracts: [contracts/*.yaml]",
            "contracts: contracts/*.yaml",
            "$.contracts",
            "not a list",
        ),
        (
            "contracts: [contracts/*.yaml]",
            "contracts: [/etc/*.yaml]",
            "$.contracts[0]",
            "a pattern inside the project",
        ),
        ("cost_center: 42", '"cost/center": 42', "$.tags['cost/center']", "a tag's name"),
        (
            'host: "https://adb-1.2.azuredatabricks.net"',
            "host: adb-1.2.azuredatabricks.net",
            "$.targets.production.host",
            "the address of a workspace",
        ),
        (
            f"account_id: {GUID}",
            f"account_id: {GUID.upper()}",
            "$.targets.production.account_id",
            "a GUID in lower case",
        ),
        (
            "principal_user: ana_example.com#EXT#@contoso.onmicrosoft.com",
            "principal_user: ana",
            "$.unity.principal_user",
            "a user principal name",
        ),
        (
            f"service_principal: {GUID}",
            "service_principal: spndatamasteradmin",
            "$.unity.service_principal",
            "a GUID in lower case",
        ),
        (
            f"group_ids: {{platform: {GUID}}}",
            f"group_ids: {{platfrom: {GUID}}}",
            "$.unity.group_ids.platfrom",
            "not a group of the project",
        ),
        ("{platform: ADMIN}", "{platform: OWNER}", "$.unity.groups.platform", "one of USER, ADMIN"),
        (
            "compute: serverless",
            "compute: cluster",
            "$.unity.compute",
            "one of single_node, serverless",
        ),
        (
            "ingest_per: contract",
            "ingest_per: table",
            "$.jobs.ingest_per",
            "one of model, contract",
        ),
        (
            "min: 1, max: 8",
            "min: 8, max: 1",
            "$.jobs.cluster.workers",
            "the least and the most of them",
        ),
        ("min: 1, max: 8", "min: 0, max: 8", "$.jobs.cluster.workers", "a number of workers"),
        (
            "workers: {min: 1, max: 8}",
            "workers: many",
            "$.jobs.cluster.workers",
            "a number of workers",
        ),
        (
            "workers: {min: 1, max: 8}",
            "workers: 0",
            "$.jobs.cluster.driver_pool",
            "a single node has no workers",
        ),
        (
            "{workers: {min: 1, max: 8}, photon",
            "{photon",
            "$.jobs.cluster.driver_pool",
            "that is a single node",
        ),
        ("pool: small nodes, driver", "driver", "$.jobs.cluster.driver_pool", "and no pool"),
        (
            "pool: small nodes",
            "pool: small nodes, node_type: Standard_F8",
            "$.jobs.cluster.node_type",
            "a pool has machines of its own",
        ),
        (
            "pool: small nodes",
            "pool: small nodes, spot: true",
            "$.jobs.cluster.spot",
            "a pool has machines of its own",
        ),
        (
            "driver_pool: , node_type",
            "driver_pol: , node_type",
            "$.environments.prod.jobs.cluster.driver_pol",
            "unknown key 'driver_pol'",
        ),
        ("photon: true", "photon: 1", "$.jobs.cluster.photon", "true or false"),
        (
            "17.3.x-scala2.13",
            "16.4.x-scala2.12",
            "$.jobs.cluster.runtime",
            "of release 17 or later",
        ),
        (
            "17.3.x-scala2.13",
            "17.3.x-photon-scala2.13",
            "$.jobs.cluster.runtime",
            "of release 17 or later",
        ),
        ("policy: Job Compute", "policy: 7", "$.jobs.cluster.policy", "a name or an id"),
        (
            "spark.sql.shuffle.partitions: 64",
            "spark.databricks.acl.dfAclsEnabled: true",
            "$.jobs.cluster.spark_conf['spark.databricks.acl.dfAclsEnabled']",
            "a setting that tunes Spark",
        ),
        (
            "spark.sql.shuffle.partitions: 64",
            "spark.sql.shuffle.partitions: '{{secrets/a/b}}'",
            "$.jobs.cluster.spark_conf['spark.sql.shuffle.partitions']",
            "a number, true or false, or a word",
        ),
        ("team: risk", "env: prod", "$.jobs.cluster.tags.env", "none of Vendor"),
        ("Standard_E4ds_v5", "E4ds", "$.unity.node_type", "a size of virtual machines"),
        (
            "token_days: 30",
            "token_days: 30 days",
            "$.unity.metastore.token_days",
            "a whole number from 1 to 365",
        ),
        ("BROKER_KEY", "Endpoint=sb", "$.unity.secrets.broker-key", "an environment variable"),
        ("Europe/Lisbon", "Lisboa", "$.jobs.timezone", "a time zone"),
        ("0 0 2 * * ?", "0 2 * * *", "$.jobs.cron", "a Quartz cron expression"),
        (
            "0 0 1 * * ?",
            "0 0 25 * * ?",
            "$.environments.prod.jobs.cron",
            "a Quartz cron expression",
        ),
        ("  prod: {jobs", "  Prod: {jobs", "$.environments.Prod", "lower-case letters"),
        (
            "location: brazilsouth",
            "location: Brazil South",
            "$.setup.location",
            "a region's programmatic name",
        ),
        (
            "type: User",
            "type: user",
            "$.setup.writers.ana.type",
            "one of User, Group, ServicePrincipal",
        ),
        ("amount: 500", "amount: 0.5", "$.setup.budget.amount", "a number of 1 or more"),
        (
            "emails: [risk@example.com]",
            "emails: [risk]",
            "$.setup.budget.emails[0]",
            "an e-mail address",
        ),
        (
            "percentages: [80]",
            "percentages: [10, 20, 30, 40, 50]",
            "$.setup.budget.percentages",
            "has 5 items",
        ),
        (
            "repository: example/lakehouse",
            "repository: lakehouse",
            "$.setup.github.repository",
            "a repository of GitHub",
        ),
        (
            "environments: [prod], branches: [main]",
            "environments: []",
            "$.setup.github",
            "names 0 environments",
        ),
        ("[bob@example.com]", "[bob]", "$.setup.groups.data_engineer[0]", "a user principal name"),
        (
            "state_replication: GRS",
            "state_replication: twice",
            "$.setup.state_replication",
            "one of LRS",
        ),
        (
            "existing_groups: [platform]",
            "existing_groups: ['']",
            "$.setup.existing_groups[0]",
            "a group's name",
        ),
        (
            "soft_delete_days: 7",
            "soft_delete_days: 0",
            "$.setup.azure.soft_delete_days",
            "a whole number from 1 to 365",
        ),
        (
            "storage_replication: LRS",
            "storage_replication: lrs",
            "$.setup.azure.storage_replication",
            "one of LRS",
        ),
        (
            "eventhub_capacity: 2",
            "eventhub_capacity: 3",
            "$.setup.azure.eventhub_capacity",
            "as Premium has it",
        ),
        (
            "network_watcher_is_managed: false",
            "network_watcher_is_managed: 0",
            "$.setup.azure.network_watcher_is_managed",
            "true or false",
        ),
        (
            "private_subnet_name: b",
            "private_subnet_name: a",
            "$.setup.azure.virtual_network.private_subnet_name",
            "are one",
        ),
        (
            "ip_rules: [20.1.2.3,",
            "ip_rules: [192.168.0.1,",
            "$.setup.azure.allowed_network.ip_rules[0]",
            "a public IPv4 address",
        ),
        (
            "/keys/lake/0123456789abcdef0123456789abcdef",
            "/keys/lake",
            "$.setup.azure.customer_managed_key.key_id",
            "with its version",
        ),
        (f"  tenant: {GUID}\n", "", "$.setup", "'tenant' is missing"),
        (
            "  compute: serverless",
            "  computer: serverless",
            "$.unity.computer",
            "unknown key 'computer'",
        ),
        ('toolkit: ">=0.1,<1"', "toolkit: 0.1", "$.toolkit", "a requirement of a version"),
        ('toolkit: ">=0.1,<1"', 'toolkit: ">=9"', "$.toolkit", f"this is {__version__}"),
    ],
    ids=lambda item: item[:40],
)
def test_a_bad_value_is_told_alone_with_its_line(
    tmp_path: Path, good: str, bad: str, path: str, says: str
) -> None:
    assert good in WHOLE
    text = WHOLE.replace(good, bad, 1)
    faults = refused(tmp_path, text)
    about = [fault for fault in faults if fault.path == path and says in fault.message]
    assert about and {fault.path for fault in faults} == {path}, faults
    line = next(
        number
        for number, line in enumerate(text.splitlines(), 1)
        if (bad.splitlines()[0] in line if bad else line == "setup:")
    )
    assert (about[0].line, about[0].file.endswith("datamaster.yaml"), bool(about[0].hint)) == (
        line,
        True,
        True,
    )


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = (
        WHOLE.replace("domain: risk", "domain: Risk")
        .replace("brazilsouth", "Brasil")
        .replace("0 0 2 * * ?", "daily")
        .replace("bob@example.com", "bob")
        .replace("  compute:", "  computer:")
    )
    assert [fault.line for fault in refused(tmp_path, text)] == [14, 18, 26, 30, 2]


def test_a_bad_name_is_told_beside_a_missing_one(tmp_path: Path) -> None:
    assert [(fault.code, fault.path) for fault in refused(tmp_path, "catalog: Risk\n")] == [
        ("project-key", "$"),
        ("bad-name", "$.catalog"),
    ]


def test_an_environment_has_its_own_names_and_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMASTER_ENVIRONMENT", "prod")
    project = read(tmp_path, WHOLE)
    assert (project.names.storage_account, project.jobs.cron, project.jobs.timezone) == (
        "stadriskprod",
        "0 0 1 * * ?",
        "Europe/Lisbon",
    )
    assert project.setup["budget"] == {
        "amount": 9000,
        "emails": ["risk@example.com"],
        "percentages": [80],
    }
    monkeypatch.setenv("DATAMASTER_ENVIRONMENT", "prd")
    (fault,) = refused(tmp_path, WHOLE)
    assert (fault.code, "'prod'" in fault.hint) == ("no-such-environment", True)


def test_an_environment_looks_up_the_group_that_another_makes(tmp_path: Path) -> None:
    text = WHOLE.replace(
        "setup: {budget: {amount: 9000}}", "setup: {existing_groups: [data_engineer]}"
    )
    made, shared = (
        entra_variables(project, setup_of(project))
        for project in (read(tmp_path, text), read(tmp_path, text, "prod"))
    )
    assert (list(made["groups"]), made["existing_groups"], made["mark"]) == (
        ["data_engineer"],
        ["platform"],
        "Managed by datamaster_kit for riskdev.",
    )
    assert (shared["groups"], shared["existing_groups"], shared["mark"]) == (
        {},
        ["data_engineer"],
        "Managed by datamaster_kit for riskprod.",
    )


def test_a_project_file_that_is_not_there_is_told_with_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as raised:
        read_project(tmp_path)
    (fault,) = raised.value.faults
    assert (fault.code, fault.file, "`datamaster init` writes one" in fault.hint) == (
        "no-project-file",
        str(tmp_path / "datamaster.yaml"),
        True,
    )


def test_what_only_an_environment_lacks_is_told_where_it_belongs(tmp_path: Path) -> None:
    text = (
        f"domain: risk\ncatalog: risk\nenvironments:\n  dev: {{}}\n  prod:\n    setup: "
        f"{{subscription: {GUID}}}\n"
    )
    assert not read(tmp_path, text).setup
    faults = refused(tmp_path, text, "prod")
    assert {(fault.path, fault.line) for fault in faults} == {
        ("$.environments.prod.setup", 6)
    } and len(faults) == 5


def test_an_environment_has_no_domain_of_its_own(tmp_path: Path) -> None:
    (fault,) = refused(
        tmp_path, "domain: risk\ncatalog: risk\nenvironments:\n  prod: {domain: }\n", "prod"
    )
    assert (fault.path, fault.line) == ("$.environments.prod.domain", 4)


def test_a_name_too_long_in_another_environment_is_told(tmp_path: Path) -> None:
    (fault,) = refused(
        tmp_path, "domain: riskandcontrols\ncatalog: risk\nenvironments:\n  production: {}\n"
    )
    assert "stadriskandcontrolsproduction" in fault.message and fault.line == 1


def test_the_older_file_is_read_and_two_words_on_one_thing_are_refused(tmp_path: Path) -> None:
    older = (
        "domain: risk\ncatalog: risk\nproject: datamaster\nuser_principal_name: ana@example.com\n"
        "domain_azure: example.com\n"
    )
    project = read(tmp_path, older)
    assert (project.tags, project.unity.principal_user) == (
        {"project": "datamaster"},
        "ana@example.com",
    )
    (fault,) = refused(tmp_path, older + "tags: {project: other}\n")
    assert (fault.line, "tags.project" in fault.message) == (3, True)
    (fault,) = refused(
        tmp_path,
        older.replace("example.com\n", "nowhere\n", 2).replace("ana@nowhere", "ana@example.com"),
    )
    assert fault.path == "$.domain_azure"


def test_keys_without_a_value_are_not_there(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        "domain: risk\ncatalog: risk\ntags:\ntargets:\n  main:\nsetup:\nunity: {metastore: "
        "}\njobs:\n  cron:\n",
    )
    assert (project.tags, project.targets, project.setup, project.jobs.cron) == (
        {},
        {"main": {}},
        {},
        "",
    )


PART = st.one_of(
    st.sampled_from(
        [
            "*",
            "?",
            "L",
            "LW",
            "15W",
            "L-3",
            "6#3",
            "MON-FRI",
            "JAN",
            "1,15",
            "0/5",
            "*/10",
            "0/70",
            "10-20/2",
            "?,1",
            "5/0",
            "7",
            "60",
            "1-",
            "X",
            "MON,6L",
            "6#3,2#1",
            "32W",
            "L-31",
            "L,15",
            "²",
        ]
    ),
    st.integers(0, 62).map(str),
)


@given(st.lists(PART, min_size=5, max_size=7))
def test_a_schedule_is_taken_where_the_test_workspace_takes_it(parts: list[str]) -> None:
    text = " ".join(parts if len(parts) < 7 else [*parts[:6], "2027"])
    assert (CRON.problem(text) == "") == is_quartz(text), CRON.hint(text)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "domain",
                    "catalog",
                    "tags",
                    "targets",
                    "setup",
                    "unity",
                    "jobs",
                    "environments",
                    "groups",
                    "azure",
                    "github",
                    "prod",
                    "metastore",
                    "host",
                    "x",
                ]
            ),
            below,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(ANY)
def test_any_data_is_described_and_never_a_crash(data: object) -> None:
    assert all(found.message for found in shape_findings(data, PROJECT_FILE_KEYS))


@given(st.dictionaries(st.sampled_from(sorted(PROJECT_FILE_KEYS.of)), ANY, max_size=6))
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "datamaster.yaml").write_text(
        yaml.safe_dump({"domain": "risk", "catalog": "risk", **data}), encoding="utf-8"
    )
    try:
        assert isinstance(read_project(folder), Project)
    except BadInput as error:
        assert all(fault.file and fault.line for fault in error.faults)
