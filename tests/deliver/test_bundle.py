"""The bundle: what Databricks' own models make of it, and that the same settings make a job of the
service.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.read import read_contract
from datamaster_kit.deliver.bundle.bundle import bundle_files, dashboards_of, write_bundle
from datamaster_kit.deliver.bundle.jobs import project_bundle_files
from datamaster_kit.deliver.bundle.resources import PLACEHOLDER_RELEASE, bundle_key
from datamaster_kit.lakehouse.names import names
from datamaster_kit.project.project_file import Project, read_contracts, read_project

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from workspace.server import Workspace

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tuple(read_contract(path) for path in sorted((ROOT / "contracts").glob("*.yaml")))
PROJECT = Project(
    ROOT,
    names("risk", "risk"),
    targets={
        "test": {"host": "https://adb-1.1.azuredatabricks.net"},
        "production": {"host": "https://adb-2.2.azuredatabricks.net", "warehouse_id": "abc123"},
    },
)
WHEEL = f"{PLACEHOLDER_RELEASE.folder}/definition-0.1.0-py3-none-any.whl"
INGEST = {
    "name": "ingest-risk-account",
    "format": "MULTI_TASK",
    "max_concurrent_runs": 1,
    "timeout_seconds": 7200,
    "queue": {"enabled": True},
    "tags": {"domain": "risk", "datamaster": "urn:datacontract:risk:account/ingest/account"},
    "schedule": {
        "quartz_cron_expression": "0 49 1 * * ?",
        "timezone_id": "America/Sao_Paulo",
        "pause_status": "PAUSED",
    },
    "email_notifications": {
        "on_failure": ["risk-data@example.com"],
        "no_alert_for_skipped_runs": True,
    },
    "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 3600}]},
    "parameters": [{"name": "run_id", "default": ""}],
    "run_as": {"service_principal_name": "00000000-0000-0000-0000-000000000009"},
    "access_control_list": [{"group_name": "data_engineer", "permission_level": "CAN_MANAGE_RUN"}],
    "job_clusters": [
        {
            "job_cluster_key": "job",
            "new_cluster": {
                "spark_version": "16.4.x-scala2.12",
                "node_type_id": "Standard_DS3_v2",
                "num_workers": 0,
                "data_security_mode": "SINGLE_USER",
                "spark_conf": {
                    "spark.master": "local[*, 4]",
                    "spark.databricks.cluster.profile": "singleNode",
                },
                "custom_tags": {"ResourceClass": "SingleNode"},
            },
        }
    ],
    "tasks": [
        {
            "task_key": "task-ingest-risk-account",
            "job_cluster_key": "job",
            "max_retries": 2,
            "min_retry_interval_millis": 60000,
            "retry_on_timeout": False,
            "notebook_task": {
                "notebook_path": "/Workspace/Shared/datamaster/03_ingest",
                "source": "WORKSPACE",
                "base_parameters": {
                    "contract": "contracts/account.yaml",
                    "run_id": "{{job.run_id}}",
                },
            },
        }
    ],
}
PREP = {
    "name": "prep-risk-account",
    "environments": [
        {
            "environment_key": "default",
            "spec": {"environment_version": "4", "dependencies": [WHEEL]},
        }
    ],
    "tasks": [
        {
            "task_key": "silver",
            "environment_key": "default",
            "python_wheel_task": {
                "package_name": "definition",
                "entry_point": "main",
                "named_parameters": {"model": "account"},
            },
        }
    ],
}
JOBS: dict[str, dict[str, Any]] = {job["name"]: job for job in (INGEST, PREP)}
WHEELS = ["definition-0.1.0-py3-none-any.whl"]
DASHBOARDS = {"Quality of risk": json.dumps({"pages": [{"name": "page", "displayName": "Rules"}]})}


def resources(files: dict[str, str], kind: str) -> dict[str, Any]:
    return yaml.safe_load(files[f"resources/{kind}.yml"])["resources"][kind]


def without_defaults(value: Any) -> Any:
    """Return settings without what is empty, which Databricks' models leave out."""
    if isinstance(value, dict):
        return {
            key: without_defaults(item) for key, item in value.items() if item not in ({}, [], None)
        }
    return [without_defaults(item) for item in value] if isinstance(value, list) else value


def test_databricks_models_take_every_field_and_keep_it() -> None:
    from databricks.bundles.dashboards import Dashboard
    from databricks.bundles.jobs import Job
    from databricks.bundles.schemas import Schema
    from databricks.bundles.volumes import Volume

    files = bundle_files(PROJECT, CONTRACTS, JOBS, DASHBOARDS, WHEELS)
    for kind, model in (
        ("jobs", Job),
        ("schemas", Schema),
        ("volumes", Volume),
        ("dashboards", Dashboard),
    ):
        found = resources(files, kind)
        assert found
        for key, said in found.items():
            assert model.from_dict(said).as_dict() == without_defaults(said), key


def test_databricks_models_refuse_what_is_no_field() -> None:
    from databricks.bundles.jobs import Job

    (made,) = resources(
        bundle_files(
            PROJECT, CONTRACTS, {"ingest-risk-account": INGEST | {"max_concurent_runs": 1}}
        ),
        "jobs",
    ).values()
    with pytest.raises(ValueError, match="max_concurent_runs"):
        Job.from_dict(made)


def test_the_root_names_every_target_and_every_file() -> None:
    files = bundle_files(PROJECT, CONTRACTS, JOBS, DASHBOARDS, WHEELS)
    root = yaml.safe_load(files["databricks.yml"])
    assert root["include"] == [name for name in files if name.startswith("resources/")]
    assert {name: target["workspace"]["host"] for name, target in root["targets"].items()} == {
        name: settings["host"] for name, settings in PROJECT.targets.items()
    }
    assert [name for name, target in root["targets"].items() if target.get("default")] == ["test"]
    assert root["targets"]["production"]["variables"] == {"warehouse_id": "abc123"}
    assert root["bundle"]["engine"] == "direct"
    references = {
        text.split("}")[0]
        for name, content in files.items()
        if name.endswith(".yml")
        for text in content.split("${")[1:]
    }
    assert references == {
        "var.catalog",
        "var.warehouse_id",
        "resources.schemas.bronze.name",
        "resources.schemas.silver.name",
        "workspace.current_user.userName",
        "bundle.name",
        "bundle.target",
    }
    assert {
        reference.removeprefix("var.") for reference in references if reference.startswith("var.")
    } == set(root["variables"])


def test_whom_jobs_run_as_may_read_the_bundles_files() -> None:
    """They lie in the deployer's folder.

    The levels of `permissions` are those of the bundle's own table (CAN_VIEW is CAN READ on a
    folder).
    """
    from databricks.bundles.jobs import JobPermission

    shared = {"name": "shared", "run_as": {"user_name": "ana@example.com"}}
    root = yaml.safe_load(
        bundle_files(
            PROJECT, CONTRACTS, JOBS | {"shared": shared, "again": {**INGEST, "name": "again"}}
        )["databricks.yml"]
    )
    assert root["permissions"] == [
        {"level": "CAN_VIEW", "service_principal_name": "00000000-0000-0000-0000-000000000009"},
        {"level": "CAN_VIEW", "user_name": "ana@example.com"},
    ]
    assert [JobPermission.from_dict(item).as_dict() for item in root["permissions"]] == root[
        "permissions"
    ]
    assert "permissions" not in yaml.safe_load(
        bundle_files(PROJECT, CONTRACTS, {"prep-risk-account": PREP})["databricks.yml"]
    )


def test_a_warehouse_is_looked_up_by_its_name() -> None:
    named = {
        "a": {"host": "https://a", "warehouse": "shared"},
        "b": {"host": "https://b", "warehouse": "0123456789abcdef"},
        "c": {"host": "https://c", "warehouse": "x", "warehouse_id": "abc"},
        "d": {"host": "https://d"},
    }
    project = replace(PROJECT, targets=named)
    targets = yaml.safe_load(bundle_files(project, CONTRACTS, JOBS, DASHBOARDS)["databricks.yml"])[
        "targets"
    ]
    assert {
        name: target.get("variables", {}).get("warehouse_id") for name, target in targets.items()
    } == {"a": {"lookup": {"warehouse": "shared"}}, "b": "0123456789abcdef", "c": "abc", "d": None}
    assert all(
        "variables" not in target
        for target in yaml.safe_load(bundle_files(project, CONTRACTS, JOBS)["databricks.yml"])[
            "targets"
        ].values()
    )


def test_what_unity_made_is_bound_without_a_difference(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    """What the direct engine compares of a schema and a volume (its state types CreateSchema and
    CreateVolumeRequestContent), against what `unity apply` makes.
    """
    from datamaster_kit.plan.resources import Resource
    from datamaster_kit.unity.securables import create_securable

    workspace.state.unity["metastore"][next(iter(workspace.state.unity["metastore"]))][
        "storage_root"
    ] = "abfss://c@acc.dfs.core.windows.net"
    client.catalogs.create("crisk")
    files = bundle_files(PROJECT, CONTRACTS, JOBS)
    bound = dict(
        line.split()[4:6]
        for line in files["README.md"].splitlines()
        if line.startswith("databricks bundle deployment bind")
    )
    for kind, compared in (
        ("schemas", ("comment", "properties", "storage_root", "custom_max_retention_hours")),
        ("volumes", ("comment", "volume_type")),
    ):
        for key, said in resources(files, kind).items():
            create_securable(
                client,
                PROJECT,
                Resource(kind[:-1], bound[key], {"type": "MANAGED"} if kind == "volumes" else {}),
                {},
            )
            actual = (
                client.schemas.get(bound[key])
                if kind == "schemas"
                else client.volumes.read(bound[key])
            ).as_dict()
            assert {name: actual.get(name) for name in compared} == {
                name: said.get(name) for name in compared
            } and said["comment"], key


def test_the_hand_over_says_how_it_is_undone() -> None:
    told = bundle_files(PROJECT, CONTRACTS, JOBS)["README.md"]
    keys = {
        word: [
            line.split()[4]
            for line in told.splitlines()
            if line.startswith(f"databricks bundle deployment {word} ")
        ]
        for word in ("bind", "unbind")
    }
    assert keys["bind"] == keys["unbind"] and len(keys["bind"]) == 7
    order = [
        told.index(part)
        for part in (
            "deployment bind",
            "deployment unbind",
            "`datamaster deliver apply --target test` takes the jobs again",
            "databricks bundle destroy --target test",
        )
    ]
    assert order == sorted(order)


def test_the_wheel_is_in_the_bundle_and_named_there() -> None:
    files = bundle_files(PROJECT, CONTRACTS, JOBS, None, WHEELS)
    assert resources(files, "jobs")["prep_risk_account"]["environments"][0]["spec"][
        "dependencies"
    ] == ["../release/definition-0.1.0-py3-none-any.whl"]


def test_the_jobs_are_those_of_the_contracts(tmp_path: Path) -> None:
    from databricks.bundles.jobs import Job

    project = read_project(ROOT)
    here = replace(
        project,
        targets=PROJECT.targets,
        unity=replace(project.unity, service_principal="00000000-0000-0000-0000-000000000009"),
    )
    contracts = read_contracts(project)
    files = project_bundle_files(here, contracts)
    found = resources({name: text for name, text in files.items() if isinstance(text, str)}, "jobs")
    assert {
        f"ingest_{project.names.stem}_{model.name}"
        for contract in contracts
        for model in contract.ingested_models
    } <= set(found)
    for key, said in found.items():
        assert Job.from_dict(said).as_dict() == without_defaults(said), key
    root = yaml.safe_load(files["databricks.yml"])
    assert (
        root["variables"]["principal"]["default"] == here.unity.service_principal
        and "lookup" not in root["variables"]["principal"]
    ), "a name is anybody's"
    unnamed = project_bundle_files(replace(here, unity=project.unity), contracts)
    assert "principal" not in yaml.safe_load(unnamed["databricks.yml"])[
        "variables"
    ] and "run_as" not in str(unnamed["resources/jobs.yml"])
    assert (
        len(write_bundle(files, tmp_path)) == len(files)
        and write_bundle(project_bundle_files(here, contracts), tmp_path) == ()
    )


def test_data_is_protected_and_jobs_are_not_repaused_silently() -> None:
    files = bundle_files(PROJECT, CONTRACTS, JOBS)
    assert all(
        item["lifecycle"] == {"prevent_destroy": True}
        for kind in ("schemas", "volumes")
        for item in resources(files, kind).values()
    )
    assert "whether their schedules are paused" in files["README.md"]


def test_what_a_bundle_cannot_hold_is_listed() -> None:
    told = bundle_files(PROJECT, CONTRACTS, JOBS)["README.md"]
    for what in (
        "metastore",
        "storage credential",
        "external locations",
        "grants on",
        "column masks",
        "`crisk.*.account`",
        "`crisk.*.flights`",
        "`strife-secret-scope`",
    ):
        assert what in told
    bound = [
        line.split()[4:6]
        for line in told.splitlines()
        if line.startswith("databricks bundle deployment bind")
    ]
    assert [key for key, _ in bound] == [
        "bronze",
        "silver",
        "gold",
        "volume_checkpoint_locations",
        "volume_checkpoint_locations_silver",
        "ingest_risk_account",
        "prep_risk_account",
    ]
    assert dict(bound)["volume_checkpoint_locations"] == "crisk.bronze.volume_checkpoint_locations"


def test_the_service_takes_the_jobs_of_the_bundle(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    for key, said in resources(bundle_files(PROJECT, CONTRACTS, JOBS), "jobs").items():
        body = {
            name: value for name, value in said.items() if name not in ("permissions", "run_as")
        }
        made = client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
        settings = workspace.state.jobs[made["job_id"]]["settings"]
        assert {name: settings[name] for name in body if name != "tasks"} == {
            name: value for name, value in body.items() if name != "tasks"
        }, key
        assert [task["task_key"] for task in settings["tasks"]] == [
            task["task_key"] for task in body["tasks"]
        ]


def test_bad_input_names_every_fault() -> None:
    with pytest.raises(BadInput) as raised:
        bundle_files(
            Project(
                ROOT, names("risk", "risk"), targets={"a": {}, "b": {"host": "https://x"}, "c": {}}
            ),
            CONTRACTS,
            {
                "x": {
                    "name": "${var.name}",
                    "tasks": [
                        {
                            "task_key": "${résumé}",
                            "description": "$ 5, ${5} and {{job.id}} are texts",
                        }
                    ],
                }
            },
        )
    assert [fault.code for fault in raised.value.faults] == [
        "bundle-target",
        "bundle-target",
        "bundle-reference",
        "bundle-reference",
    ]
    with pytest.raises(BadInput, match="names no workspace"):
        bundle_files(Project(ROOT, names("risk", "risk")), CONTRACTS, JOBS)
    with pytest.raises(BadInput, match="are both"):
        bundle_files(PROJECT, CONTRACTS, {"a-b": INGEST, "a_b": PREP, "a.b": PREP})


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    files = bundle_files(PROJECT, CONTRACTS, JOBS, DASHBOARDS, WHEELS)
    assert sorted(
        path.relative_to(tmp_path).as_posix() for path in write_bundle(files, tmp_path)
    ) == sorted(files)
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    again = bundle_files(
        PROJECT, tuple(reversed(CONTRACTS)), dict(reversed(JOBS.items())), DASHBOARDS, WHEELS
    )
    assert write_bundle(again, tmp_path) == ()
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in tmp_path.rglob("*")
        if path.is_file()
    } == before
    changed = bundle_files(
        PROJECT,
        CONTRACTS,
        JOBS | {"prep-risk-account": PREP | {"timeout_seconds": 60}},
        DASHBOARDS,
        WHEELS,
    )
    assert [path.name for path in write_bundle(changed, tmp_path)] == ["jobs.yml"]


def test_dashboards_of_the_project_are_taken(tmp_path: Path) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "Quality of risk.lvdash.json").write_text(
        DASHBOARDS["Quality of risk"], encoding="utf-8"
    )
    found = dashboards_of(Project(tmp_path, names("risk", "risk")))
    assert found == DASHBOARDS
    files = bundle_files(PROJECT, CONTRACTS, {}, found)
    assert (
        resources(files, "dashboards")["Quality_of_risk"]["file_path"]
        == "../dashboards/Quality_of_risk.lvdash.json"
    )
    assert files["dashboards/Quality_of_risk.lvdash.json"] == DASHBOARDS["Quality of risk"]
    assert dashboards_of(Project(tmp_path / "nowhere", names("risk", "risk"))) == {}


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
settings = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)


@tried(deadline=None)
@given(
    st.dictionaries(
        texts.filter(bundle_key), st.dictionaries(texts, settings, max_size=4), max_size=3
    )
)
def test_what_is_written_is_read_back_whole(jobs: dict[str, dict[str, Any]]) -> None:
    kept = {
        name: {
            key: value
            for key, value in said.items()
            if value is not None
            and key not in ("format", "edit_mode", "deployment", "access_control_list")
        }
        for name, said in jobs.items()
    }
    try:
        files = bundle_files(PROJECT, (), kept)
    except BadInput as error:
        assert {fault.code for fault in error.faults} <= {"bundle-reference", "bundle-key"}
        return
    assert files == bundle_files(PROJECT, (), kept)
    if kept:
        assert resources(files, "jobs") == {bundle_key(name): said for name, said in kept.items()}


@pytest.fixture
def command() -> Iterator[str]:
    """The databricks command, where this machine has it."""
    found = shutil.which("databricks")
    if not found:
        pytest.skip("not executed: the databricks command is not installed")
    yield found


@pytest.mark.slow
def test_the_databricks_command_validates_the_bundle(
    command: str, workspace: Workspace, tmp_path: Path
) -> None:
    here = Project(ROOT, names("risk", "risk"), targets={"test": {"host": workspace.host}})
    write_bundle(
        bundle_files(
            here,
            CONTRACTS,
            {
                "ingest-risk-account": {
                    name: value for name, value in INGEST.items() if name != "run_as"
                }
            },
        ),
        tmp_path,
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")
    } | {"DATABRICKS_TOKEN": workspace.token}
    shown = subprocess.run(
        [command, "bundle", "validate", "--target", "test"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
