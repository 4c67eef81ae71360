"""Two contracts of one model.

One brings it to bronze, the other describes silver and names the tasks that fill it; and what two
contracts cannot both have.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.iam import WorkspacePermission
from resource_manager.server import ResourceManager
from workspace.clients import account_client, workspace_client
from workspace.server import Workspace

from datamaster_kit.contract.fault import DatamasterError, Fault
from datamaster_kit.contract.lint import lint
from datamaster_kit.contract.model import Contract, Field, Model, Workflow
from datamaster_kit.contract.odcs.writer import odcs_yaml
from datamaster_kit.contract.read import read_contract
from datamaster_kit.contract.sql.table import table_names, tables
from datamaster_kit.contract.together import assign_layers
from datamaster_kit.deliver.delivery import (
    Delivery,
    apply_delivery,
    observe_delivery,
    plan_delivery,
    release_files,
)
from datamaster_kit.deliver.job_runs import find_job_id, find_job_ids
from datamaster_kit.deliver.jobs import Job, build_jobs
from datamaster_kit.deliver.settings import Release
from datamaster_kit.ingest.versions import version_struct
from datamaster_kit.project.project_file import Project, read_contracts, read_project
from datamaster_kit.targets.clients.management import Management
from datamaster_kit.unity.desired import build_desired_catalog

SEED = Path(__file__).parents[1] / "seed_contracts"
PACKAGE = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "definition_project"\nversion = "1.0"\n'
)
COLUMNS = [
    "permission_id",
    "user_id",
    "starts_on",
    "ends_on",
    "data_kind",
    "kind_id",
    "state",
    "platform",
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of the pair as an older system's user has it, with the package that its task
    runs.
    """
    shutil.copytree(SEED, tmp_path / "contracts")
    (tmp_path / "definition_project").mkdir()
    (tmp_path / "definition_project" / "pyproject.toml").write_text(PACKAGE)
    (tmp_path / "datamaster.yaml").write_text(
        "domain: risk\ncatalog: risk\ntargets: {production: {host: "
        "'https://adb-1.1.azuredatabricks.net'}}\n"
    )
    return read_project(tmp_path)


def errors(folder: Path) -> list[Fault]:
    return [fault for fault in lint([str(folder)]) if fault.severity == "error"]


def change(project: Project, file: str, before: str, after: str) -> None:
    path = project.root / "contracts" / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def delivered(project: Project) -> list[Job]:
    release = Release(
        "production", "/Volumes/r", ("/Volumes/r/definition_project-1.0-py3-none-any.whl",)
    )
    files = ("contracts/ingest.yaml", "contracts/prep.yaml")
    return list(build_jobs(project, [*zip(files, read_contracts(project), strict=True)], release))


def test_the_pair_of_an_older_system_has_no_error_and_what_says_nothing_is_told(
    project: Project,
) -> None:
    assert [(fault.code, fault.severity) for fault in lint([str(project.root / "contracts")])] == [
        ("model-from-example", "warning"),
        *[("source-option-unused", "warning")] * 2,
        ("value-read-differently", "warning"),
    ]
    assert [contract.domain for contract in read_contracts(project)] == ["risk", "risk"]


def test_bronze_is_of_the_contract_with_a_source_and_silver_of_the_one_with_tasks(
    project: Project,
) -> None:
    wanted = build_desired_catalog(project, read_contracts(project))
    made = {
        (table.schema, table.name): [
            (column.name, column.type)
            for column in table.columns
            if not column.name.startswith("carlton")
        ]
        for table in wanted.tables
        if table.name.startswith("permissions")
    }
    assert list(made) == [
        ("bronze", "permissions"),
        ("bronze", "permissions_quarantine"),
        ("silver", "permissions"),
    ]
    assert made["bronze", "permissions"] == [(name, "STRING") for name in COLUMNS]
    assert made["silver", "permissions"] == [
        ("user_id", "INT"),
        ("kind_id", "INT"),
        ("data_kind", "STRING"),
        ("state", "STRING"),
        ("platform", "STRING"),
    ]
    assert ("silver", "permissions") in wanted.access and (
        "bronze",
        "permissions",
    ) not in wanted.access


def test_silver_of_a_pair_knows_that_its_rows_are_events_and_orders_them_as_the_topic_took_them(
    project: Project,
) -> None:
    for contract in read_contracts(project):
        (model,) = contract.workflow_models
        types = {
            column.name: column.type for table in tables(contract, "c") for column in table.columns
        }
        assert (
            contract.arrives_as_events(model)
            and "event: STRUCT<enqueued_at: TIMESTAMP" in types["carlton_metadata"]
        )
        assert version_struct(contract, model).startswith(
            "struct(carlton_metadata.event.enqueued_at AS v0"
        )


def test_the_one_ingests_and_the_other_makes_its_table_and_runs_the_users_wheel_by_its_schedule(
    project: Project,
) -> None:
    made = {job.name: job.settings for job in delivered(project)}
    assert set(made) == {
        "ingest-risk-permissions",
        "mock-ingest-risk-permissions",
        "prep-risk-permissions",
    }
    assert [task["task_key"] for task in made["ingest-risk-permissions"]["tasks"]] == [
        "task-ingest-risk-permissions"
    ]
    table, wheel = made["prep-risk-permissions"]["tasks"]
    assert table["python_wheel_task"]["parameters"][:5] == [
        "unity",
        "apply",
        "--only-tables",
        "--contract",
        "contracts/prep.yaml",
    ]
    assert (wheel["task_key"], wheel["depends_on"]) == (
        "main_task",
        [{"task_key": table["task_key"]}],
    )
    assert wheel["python_wheel_task"] == {
        "package_name": "definition_project",
        "entry_point": "main",
        "parameters": [
            "--contract",
            "contracts/prep.yaml",
            "--model",
            "permissions",
            "--target",
            "production",
            "--project",
            "/Volumes/r/datamaster.yaml",
        ],
    }
    assert made["prep-risk-permissions"]["schedule"]["quartz_cron_expression"] == "49 1 0/2 * * ?"
    assert made["prep-risk-permissions"]["email_notifications"]["on_failure"] == ["author@example"]
    files = made["mock-ingest-risk-permissions"]["tasks"][0]["python_wheel_task"]["parameters"]
    assert (
        files[files.index("--out") + 1]
        == "abfss://ctrdriskraw@stadrisk.dfs.core.windows.net/permissions/{{job.run_id}}"
    )


def test_a_contract_that_is_read_alone_knows_that_the_other_layer_is_not_its_own(
    project: Project,
) -> None:
    for file, layer in (("ingest", "bronze"), ("prep", "silver")):
        [alone] = read_contracts(project, f"contracts/{file}.yaml")
        assert alone.layers == {"permissions": layer}
        assert {table.schema for table in tables(alone, "crisk")} == {layer}


def test_a_release_of_one_of_a_pair_holds_the_other_too_so_that_its_jobs_know(
    project: Project,
) -> None:
    (project.root / "contracts" / "other.yaml").write_text(
        "dataContractSpecification: 1.1.0\nid: urn:other\ninfo: {title: Other, version: "
        "1.0.0}\nmodels: {account: {fields: {id: {type: long}}}}\n"
    )
    _, folders, files = release_files(project, read_contracts(project))
    held = {
        file: {path for path in files[folder] if path.endswith(".yaml")}
        for file, folder in folders.items()
    }
    both = {"datamaster.yaml", "contracts/ingest.yaml", "contracts/prep.yaml"}
    assert held == {
        "contracts/ingest.yaml": both,
        "contracts/prep.yaml": both,
        "contracts/other.yaml": {"datamaster.yaml", "contracts/other.yaml"},
    }


def test_a_source_that_a_contract_does_not_name_is_none_in_another_specification_either(
    project: Project,
) -> None:
    text = odcs_yaml(read_contract(project.root / "contracts" / "prep.yaml"))
    (project.root / "contracts" / "prep.yaml").write_text(text, encoding="utf-8")
    assert "source" not in text and "domain: risk" in text
    assert [contract.layers for contract in read_contracts(project)] == [
        {"permissions": "bronze"},
        {"permissions": "silver"},
    ]


@pytest.mark.parametrize(
    ("file", "before", "after", "told", "other"),
    [
        (
            "prep.yaml",
            "  tasks:\n",
            "  source: {type: adls}\n  tasks:\n",
            "prep.yaml:21",
            "ingest.yaml:40",
        ),
        (
            "prep.yaml",
            "  tasks:\n    - task_key: main_task\n      python_wheel_task:\n        "
            "package_name: definition_project\n        entry_point: main",
            "",
            "prep.yaml:21",
            "ingest.yaml:40",
        ),
    ],
)
def test_two_contracts_of_one_layer_are_refused_with_the_lines_of_both(
    project: Project, file: str, before: str, after: str, told: str, other: str
) -> None:
    change(project, file, before, after)
    [fault] = errors(project.root / "contracts")
    assert (
        fault.code == "table-claimed-twice"
        and f"{Path(fault.file).name}:{fault.line}" == told
        and fault.message.endswith(other)
    )
    with pytest.raises(DatamasterError, match="both have the table 'permissions'"):
        build_desired_catalog(project, read_contracts(project))


def test_lint_of_the_folder_refuses_a_second_contract_that_describes_silver_or_that_ingests(
    project: Project,
) -> None:
    folder = project.root / "contracts"
    shutil.copy(folder / "prep.yaml", folder / "prep2.yaml")
    [fault] = errors(folder)
    assert Path(fault.file).name == "prep2.yaml" and fault.message.endswith("prep.yaml:21")
    (folder / "prep2.yaml").unlink()
    shutil.copy(folder / "ingest.yaml", folder / "copy.yaml")  # the same id as well
    [fault] = errors(folder)
    assert Path(fault.file).name == "ingest.yaml" and fault.message.endswith("copy.yaml:40")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from datamaster_kit.cli.main import main; main()",
            "contract",
            "lint",
            "--json",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and json.loads(done.stdout)["errors"] == 1


def test_contracts_of_two_projects_are_not_looked_at_together(project: Project) -> None:
    for name in ("one", "two"):
        shutil.copytree(project.root / "contracts", project.root / name / "contracts")
        shutil.copy(project.root / "datamaster.yaml", project.root / name)
    shutil.rmtree(project.root / "contracts")
    assert [
        fault
        for fault in lint([str(project.root / name / "contracts") for name in ("one", "two")])
        if fault.severity == "error"
    ] == []


def test_models_of_one_name_have_one_landing_folder_whatever_their_tables_are_called(
    tmp_path: Path,
) -> None:
    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: {0}\nname: {0}\nversion: 1.0.0\nstatus: "
        "active\nschema:\n- name: account\n  physicalName: {0}\n  properties:\n  - {{name: id, "
        "logicalType: integer}}\n"
    )
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(text.format(name))
    [fault] = errors(tmp_path)
    assert (fault.code, Path(fault.file).name, fault.line) == (
        "model-named-twice",
        "second.yaml",
        8,
    ) and fault.message.endswith("first.yaml:8")


def test_a_package_for_several_tables_describes_them_all_and_is_one_job(project: Project) -> None:
    change(
        project,
        "prep.yaml",
        "  model: 'permissions'\n  email",
        "  models: [permissions, kinds]\n  email",
    )
    change(
        project,
        "prep.yaml",
        "models:\n  permissions:",
        "models:\n  kinds: {fields: {id: {type: long}}}\n  permissions:",
    )
    change(
        project,
        "prep.yaml",
        "        entry_point: main",
        "        entry_point: main\n        parameters: [all]",
    )
    [_, _, prep] = delivered(project)
    assert prep.name == "prep-risk-prep-permissions" and [
        task["task_key"] for task in prep.settings["tasks"]
    ] == ["task-prep-risk-prep-permissions-table", "main_task"]


@pytest.mark.parametrize("layers", [{}, {"account": "bronze"}, {"account": "silver"}])
@pytest.mark.parametrize(
    "workflow",
    [
        None,
        Workflow(delete_when={"account": {"id": ("x",)}}),
        Workflow(gold={"daily": "daily.sql"}),
    ],
)
def test_the_names_of_tables_are_those_of_the_tables(
    layers: dict[str, str], workflow: Workflow | None
) -> None:
    models = tuple(Model(name, (Field("id", primary_key=1),)) for name in ("account", "daily"))
    contract = Contract("urn:a", models=models, workflow=workflow, layers=layers)
    every = [*contract.workflow_models, *contract.gold_models]
    assert sorted((table.schema, table.name) for table in tables(contract, "crisk")) == sorted(
        name for model in every for name in table_names(contract, model)
    )


def test_a_contract_with_tasks_that_nobody_brings_in_ingests_itself_as_before() -> None:
    alone = replace(read_contract(SEED / "prep.yaml"), id="urn:alone")
    assert assign_layers((alone,)) == (alone,) and alone.curated_models == alone.workflow_models


@pytest.mark.server
def test_one_plan_has_the_jobs_of_the_pair_its_topic_and_its_releases_and_a_second_one_nothing(
    project: Project,
) -> None:
    subscription = "00000000-0000-0000-0000-000000000001"
    project = replace(project, setup={"subscription": subscription})
    with Workspace(metastore="primary") as server, ResourceManager() as azure:
        azure.furnish(
            subscription, "rsgdrisk", "ethdrisk", containers={("stadrisk", "ctrdriskraw")}
        )
        furnish_unity(project, server)
        client = workspace_client(server)

        def observed() -> Delivery:
            return observe_delivery(
                project,
                "production",
                read_contracts(project),
                client,
                lambda: Management(lambda: azure.token, azure.host, lambda seconds: None),
            )

        delivery = observed()
        plan = plan_delivery(delivery)
        assert sorted(
            (change.kind, change.name) for change in plan.pending if change.kind != "release"
        ) == [
            ("job", "ingest-risk-permissions"),
            ("job", "mock-ingest-risk-permissions"),
            ("job", "prep-risk-permissions"),
            ("topic", "topic-risk-permissions"),
        ]
        # the wheels, and the files of the pair
        assert len([change for change in plan.pending if change.kind == "release"]) == 2
        apply_delivery(delivery, plan)
        assert plan_delivery(observed()).is_empty
        contracts = read_contracts(project)
        assert find_job_ids(client, project, contracts, "prep") == (
            find_job_id(client, project, contracts, "permissions", "prep"),
        )


def furnish_unity(project: Project, server: Workspace) -> None:
    """Give a workspace the group and the volume that `datamaster unity apply` makes, as far as jobs
    need them.
    """
    account, client = account_client(server), workspace_client(server)
    group = account.groups_v2.create(display_name="data_engineer")
    account.workspace_assignment.update(
        server.state.settings.workspace_id,
        int(group.id or 0),
        permissions=[WorkspacePermission.USER],
    )
    server.state.unity["metastore"][next(iter(server.state.unity["metastore"]))]["storage_root"] = (
        "abfss://c@acc.dfs.core.windows.net"
    )
    client.catalogs.create(project.names.catalog)
    client.schemas.create("bronze", project.names.catalog)
    client.volumes.create(
        project.names.catalog, "bronze", project.names.checkpoint_volume, VolumeType.MANAGED
    )
