"""`datamaster new engine`: a model put to work, tested here, planned and written as a bundle."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from test_deliver import applied, job_named, observed, prepared, written_project
from test_new_project import ROOT, run
from workspace.server import Workspace

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint
from datamaster_kit.contract.read import read_contract
from datamaster_kit.deliver.bundle.jobs import project_bundle_files
from datamaster_kit.deliver.delivery import plan_delivery
from datamaster_kit.deliver.new_project import (
    files_of_new_engine,
    templates_folder,
    write_new_project,
)
from datamaster_kit.project.project_file import read_contracts

JOB = "prep-risk-churn_score"
FILES = files_of_new_engine(templates_folder(), "churn", "risk")


def test_an_engine_is_named_throughout_and_its_contract_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    write_new_project(tmp_path, FILES)
    assert lint([str(tmp_path / "contracts")]) == ()
    assert len(FILES) == 9
    assert not [path for path, text in FILES.items() if re.search("account.engine", path + text)]
    contract = read_contract(tmp_path / "contracts" / "churn.yaml")
    assert [model.name for model in contract.task_models] == ["churn_score"]
    assert not contract.ingested_models and not contract.built_models
    with pytest.raises(BadInput) as refused:
        write_new_project(tmp_path, FILES)
    assert len(refused.value.faults) == 9


@pytest.mark.parametrize("name", ["", "../churn", "Churn", "class", "datamaster_kit", "c" * 41])
def test_a_name_that_no_package_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="engine"):
        files_of_new_engine(templates_folder(), name, "risk")


def test_gold_by_tasks_needs_tasks(tmp_path: Path) -> None:
    text = FILES["contracts/churn.yaml"]
    (tmp_path / "churn.yaml").write_text(text[: text.index("    tasks:\n")], encoding="utf-8")
    [fault] = lint([str(tmp_path / "churn.yaml")])
    assert "gold has tasks fill 'churn_score', and the workflow has none" in fault.message


@pytest.mark.server
def test_its_job_trains_and_then_scores_in_a_workspace_and_in_a_bundle(tmp_path: Path) -> None:
    with Workspace(metastore="primary") as server:
        client, project = prepared(server), written_project(tmp_path, server.host)
        write_new_project(tmp_path, FILES)
        applied(project, client)
        job = job_named(client, JOB)
        again = plan_delivery(observed(project, client))
    assert not [change for change in again.changes if change.action != "unchanged"]
    order = [[item.task_key for item in task.depends_on or ()] for task in job.settings.tasks]
    assert order == [[], [f"task-{JOB}-table"], ["train"]]
    train, score = job.settings.tasks[1:]
    assert (train.python_wheel_task.entry_point, score.python_wheel_task.entry_point) == (
        "train",
        "score",
    )
    assert score.python_wheel_task.parameters[:6] == [
        *("--contract", "contracts/churn.yaml"),
        *("--model", "churn_score", "--target", "production"),
    ]
    assert [
        item
        for item in train.libraries
        if (item.whl or "").endswith("churn-0.1.0-py3-none-any.whl")
    ]
    files = project_bundle_files(project, read_contracts(project))
    written = "\n".join(text for text in files.values() if isinstance(text, str))
    assert JOB in written and "entry_point: score" in written


@pytest.mark.spark
@pytest.mark.slow
def test_its_own_tests_pass(tmp_path: Path, own_java: None) -> None:
    (tmp_path / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    write_new_project(tmp_path, FILES)
    (tmp_path / ".datamaster").mkdir()
    (tmp_path / ".datamaster" / "jars").symlink_to(ROOT / ".datamaster" / "jars")
    shutil.copy(ROOT / "contracts" / "account.yaml", tmp_path / "contracts")
    result = run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", "churn")
    assert result.returncode == 0, result.stdout[-4000:]
    assert "3 passed" in result.stdout
