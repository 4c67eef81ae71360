"""What is submitted to the test workspace runs.

Notebooks and wheels, each in a process of its own, on what a workspace has.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import catalog, compute, jobs
from databricks.sdk.service import workspace as objects
from test_workspace_jobs import NODE, SPARK, model_of
from workspace.clients import workspace_client
from workspace.compute_environment import processes_of
from workspace.executor import ExecutionSettings
from workspace.server import Workspace
from workspace.state import Settings

from datamaster_kit.deliver.release import build_toolkit_wheel, zip_archive

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
VOLUME = "/Volumes/crisk/bronze/landing"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    execution = ExecutionSettings(tmp_path_factory.mktemp("workspace"), ROOT / ".datamaster")
    with Workspace(Settings(has_serverless=True), metastore="primary", execution=execution) as made:
        client = workspace_client(made)
        made.state.unity["metastore"][next(iter(made.state.unity["metastore"]))]["storage_root"] = (
            "abfss://c@stadrisk.dfs.core.windows.net"
        )
        sql(client, "CREATE CATALOG crisk")
        sql(client, "CREATE SCHEMA crisk.bronze")
        client.volumes.create("crisk", "bronze", "landing", catalog.VolumeType.MANAGED)
        yield made


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> WorkspaceClient:
    return workspace_client(workspace)


def sql(client: WorkspaceClient, statement: str) -> list[list[str]]:
    warehouse = next(iter(client.warehouses.list())).id or ""
    made = client.statement_execution.execute_statement(statement, warehouse)
    assert made.status and made.status.state and made.status.state.value == "SUCCEEDED", made.status
    return (made.result and made.result.data_array) or []


def put(client: WorkspaceClient, name: str, *cells: str) -> str:
    path = f"/Users/admin@example.com/{name}"
    book = {
        "cells": [
            {
                "cell_type": "code",
                "metadata": {},
                "source": cell,
                "outputs": [],
                "execution_count": None,
                "id": f"cell{at}",
            }
            for at, cell in enumerate(cells)
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    client.workspace.import_(
        path,
        content=base64.b64encode(json.dumps(book).encode()).decode(),
        format=objects.ImportFormat.JUPYTER,
        overwrite=True,
    )
    return path


def notebook(
    path: str, mode: compute.DataSecurityMode | None = None, **parameters: str
) -> jobs.SubmitTask:
    cluster = (
        compute.ClusterSpec(
            spark_version=SPARK, node_type_id=NODE, num_workers=1, data_security_mode=mode
        )
        if mode
        else None
    )
    return jobs.SubmitTask(
        "notebook",
        notebook_task=jobs.NotebookTask(path, base_parameters=parameters),
        new_cluster=cluster,
    )


def ended(client: WorkspaceClient, run: int) -> jobs.Run:
    for _ in range(200):
        found = client.jobs.get_run(run)
        if found.state and found.state.result_state:
            return found
    raise AssertionError(f"run {run} does not end")


def ran(client: WorkspaceClient, *tasks: jobs.SubmitTask, **said: Any) -> jobs.Run:
    return ended(client, client.jobs.submit(tasks=list(tasks), **said).response.run_id)


def succeeded(client: WorkspaceClient, *tasks: jobs.SubmitTask, **said: Any) -> jobs.Run:
    found = ran(client, *tasks, **said)
    outputs = [client.jobs.get_run_output(task.run_id or 0) for task in found.tasks or []]
    assert found.state and found.state.result_state == jobs.RunResultState.SUCCESS, [
        (item.error, item.error_trace, item.logs) for item in outputs
    ]
    return found


def shown(client: WorkspaceClient, run: jobs.Run) -> list[str]:
    """Return what the cells of a run's exported notebook have printed or shown as text."""
    results = [
        command["results"]["data"] if command["results"] else []
        for command in model_of(client.jobs.export_run(run.run_id or 0))["commands"]
    ]
    return [
        "".join(
            item["data"] if item["type"] == "ansi" else item["data"].get("text/plain", "")
            for item in found
        )
        for found in results
    ]


def upload(client: WorkspaceClient, name: str, content: bytes) -> str:
    import io

    client.files.upload(f"{VOLUME}/{name}", io.BytesIO(content), overwrite=True)
    return f"{VOLUME}/{name}"


def wheel(name: str, code: str) -> bytes:
    about = f"{name}-1.0.dist-info"
    return zip_archive(
        {
            f"{name}.py": code.encode(),
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
            b"Tag: py3-none-any\n",
            f"{about}/entry_points.txt": f"[console_scripts]\nstart = {name}:main\n".encode(),
            f"{about}/RECORD": b"",
        }
    )


def wheel_task(key: str, package: str, entry: str, *parameters: str) -> jobs.SubmitTask:
    return jobs.SubmitTask(
        key,
        environment_key="default",
        python_wheel_task=jobs.PythonWheelTask(package, entry, parameters=list(parameters)),
    )


def environment(*wheels: str) -> list[jobs.JobEnvironment]:
    return [
        jobs.JobEnvironment(
            "default", compute.Environment(environment_version="4", dependencies=list(wheels))
        )
    ]


# --- notebooks


def test_a_notebook_has_its_parameters_as_widgets_and_its_outputs_are_exported(
    client: WorkspaceClient,
) -> None:
    path = put(
        client,
        "widgets",
        "dbutils.widgets.text('other', 'own')\nprint(dbutils.widgets.get('day'), "
        "dbutils.widgets.get('other'))",
        "import os\nos.getcwd(), os.environ['DATABRICKS_RUNTIME_VERSION']",
        "from IPython.display import HTML\nHTML('<b>shown</b>')",
        "dbutils.notebook.exit('done')",
        "raise SystemError('not reached')",
    )
    run = succeeded(client, notebook(path, day="{{job.run_id}} été"))
    assert (
        shown(client, run)[0] == f"{run.run_id} été own\n"
        and "/Workspace/Users/admin@example.com" in shown(client, run)[1]
    )
    commands = model_of(client.jobs.export_run(run.run_id or 0))["commands"]
    assert (
        commands[2]["results"]["data"][0]["data"]["text/html"] == "<b>shown</b>"
        and commands[3]["errorSummary"] is None
        and commands[4]["results"] is None
    )
    output = client.jobs.get_run_output(run.run_id or 0)
    assert (
        output.notebook_output and output.notebook_output.result == "done" and output.error is None
    )


def test_a_failing_cell_fails_the_run_with_its_message(client: WorkspaceClient) -> None:
    run = ran(
        client,
        notebook(
            put(
                client,
                "failing",
                "print('before')",
                "raise ValueError('a bad <day>')",
                "print('after')",
            )
        ),
    )
    assert (
        run.state
        and run.state.result_state == jobs.RunResultState.FAILED
        and "Workload failed" in (run.state.state_message or "")
    )
    output = client.jobs.get_run_output(run.run_id or 0)
    assert output.error == "ValueError: a bad <day>" and "raise ValueError" in (
        output.error_trace or ""
    )
    commands = model_of(client.jobs.export_run(run.run_id or 0))["commands"]
    assert (
        [item["state"] for item in commands] == ["finished", "error", "finished"]
        and commands[1]["errorSummary"] == "ValueError: a bad &lt;day&gt;"
        and commands[2]["results"] is None
    )
    (task,) = ran(client, notebook(put(client, "dying", "import os\nos._exit(3)"))).tasks or []
    assert "Python process exited" in (client.jobs.get_run_output(task.run_id or 0).error or "")


def test_a_notebook_installs_the_toolkit_from_its_wheel_and_nothing_of_the_checkout(
    client: WorkspaceClient,
) -> None:
    name, content = build_toolkit_wheel()
    path = put(
        client,
        "installs",
        "import importlib.util\nprint(importlib.util.find_spec('datamaster_kit'))\nleft = 1",
        f"get_ipython().run_line_magic('pip', 'install {upload(client, name, content)}')\n"
        "dbutils.library.restartPython()\nprint('not reached')",
        "import datamaster_kit\nprint(datamaster_kit.__file__)",
        "print('left' in globals(), dbutils.widgets.get('a'))",
    )
    lines = shown(client, succeeded(client, notebook(path, a="b")))
    assert lines[0] == "None\n" and "not reached" not in lines[1] and lines[3] == "False b\n"
    assert "/runs/" in lines[2] and str(ROOT) not in lines[2]


def test_a_cancelled_run_leaves_no_process(workspace: Workspace, client: WorkspaceClient) -> None:
    assert workspace.executor
    path = put(
        client,
        "endless",
        "import subprocess, time\nopen(dbutils.widgets.get('file'), 'w').write('begun')\n"
        "subprocess.Popen(['sleep', '600'])\ntime.sleep(600)",
        "1",
    )
    run = client.jobs.submit(tasks=[notebook(path, file=f"{VOLUME}/begun")]).response.run_id
    (task,) = client.jobs.get_run(run).tasks or []
    mark = workspace.executor.folder_of(task.run_id or 0) / "told.json"
    while f"{VOLUME}/begun" not in workspace.state.volume_files:
        assert client.jobs.get_run(run).state.life_cycle_state in (
            jobs.RunLifeCycleState.PENDING,
            jobs.RunLifeCycleState.RUNNING,
        )  # type: ignore[union-attr]
    assert len(processes_of(mark)) > 1
    client.jobs.cancel_run(run)
    found = ended(client, run)
    assert found.state and found.state.result_state == jobs.RunResultState.CANCELED
    for _ in range(100):
        if not processes_of(mark):
            break
        time.sleep(0.1)
    assert processes_of(mark) == []
    late = ran(client, notebook(path, file=f"{VOLUME}/late"), timeout_seconds=6)
    assert late.state and late.state.result_state == jobs.RunResultState.TIMEDOUT


# --- wheels


def test_a_wheel_task_runs_the_wheels_code_with_its_parameters(client: WorkspaceClient) -> None:
    code = (
        "import sys, os, datamaster_kit\ndef main():\n    print(sys.argv[1:], "
        "datamaster_kit.__file__, os.path.exists('/Volumes/crisk/bronze/landing'))\n    if "
        "'fail' in sys.argv: raise KeyError('lost')\n"
    )
    wheels = environment(
        upload(client, "definition-1.0-py3-none-any.whl", wheel("definition", code)),
        upload(client, *build_toolkit_wheel()),
    )
    run = ran(
        client,
        wheel_task("good", "definition", "start", "--day", "2026-01-31"),
        wheel_task("bad", "definition", "main", "fail"),
        environments=wheels,
    )
    good, bad = (client.jobs.get_run_output(task.run_id or 0) for task in run.tasks or [])
    assert (
        good.logs
        and good.logs.startswith("['--day', '2026-01-31'] ")
        and "/runs/" in good.logs
        and str(ROOT) not in good.logs
        and good.logs.endswith("True\n")
        and good.error is None
    )
    assert (
        bad.error == "KeyError: 'lost'"
        and "in main" in (bad.error_trace or "")
        and run.state
        and run.state.result_state == jobs.RunResultState.FAILED
    )
    absent = ran(
        client,
        wheel_task("a", "definition", "start"),
        environments=environment("/Volumes/crisk/bronze/landing/absent-1.0-py3-none-any.whl"),
    )
    assert "Library installation failed" in (
        client.jobs.get_run_output(absent.run_id or 0).error or ""
    )


# --- Spark

DEDICATED, STANDARD = compute.DataSecurityMode.SINGLE_USER, compute.DataSecurityMode.USER_ISOLATION
LOADS = """
def batch(rows, number):
    (
        rows.write.format("delta")
        .mode("append")
        .option("txnAppId", "load")
        .option("txnVersion", number)
        .saveAsTable("crisk.bronze.loaded")
    )

read = (
    spark.readStream.format("cloudFiles")
    .option("cloudFiles.format", "csv")
    .option("header", "true")
    .option("rescuedDataColumn", "rescued")
    .option("cloudFiles.schemaLocation", f"{VOLUME}/_state/schema")
    .schema("id STRING, name STRING")
    .load(f"{VOLUME}/raw")
    .selectExpr(
        "CAST(id AS INT) AS id",
        "name",
        "get_json_object(rescued, '$.extra') AS extra",
        "_metadata.file_name AS file",
    )
)
assert read.isStreaming and read.columns == ["id", "name", "extra", "file"]
(
    read.writeStream.foreachBatch(batch)
    .option("checkpointLocation", f"{VOLUME}/_state")
    .trigger(availableNow=True)
    .start()
    .awaitTermination()
)
"""
REFUSED = """
def words(call):
    try:
        call()
    except Exception as error:
        return str(error)
    return "allowed"

for call in (
    lambda: spark.sparkContext,
    lambda: spark._jvm,
    lambda: spark.range(1).rdd,
    lambda: spark.range(1)._jdf,
    lambda: spark.range(1).cache().count(),
    lambda: spark.conf.set("spark.sql.files.maxRecordsPerFile", "10"),
    lambda: spark.conf.set("spark.sql.shuffle.partitions", "2"),
    lambda: (
        spark.readStream.format("rate").load().writeStream.trigger(processingTime="1 second")
    ),
):
    print(words(call))
"""


def test_names_statements_and_new_files_are_those_of_a_workspace(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    sql(
        client,
        "CREATE TABLE crisk.bronze.account (id INT NOT NULL COMMENT 'its number', name "
        "STRING, PRIMARY KEY (id)) CLUSTER BY (id) COMMENT 'accounts' TBLPROPERTIES "
        "('delta.appendOnly' = 'false', 'by' = 'unity')",
    )
    sql(client, "ALTER TABLE crisk.bronze.account SET TAGS ('domain' = 'risk')")
    sql(
        client,
        "ALTER TABLE crisk.bronze.account ADD COLUMNS (balance DECIMAL(9,2) COMMENT 'money')",
    )
    upload(client, "raw/a.csv", b"name,id\nana,1\nrui,2\n")
    first = put(
        client,
        "first",
        f"VOLUME = {VOLUME!r}",
        """spark.sql(
    "INSERT INTO `crisk`.bronze.account VALUES (1, 'a', 1.50), (2, 'crisk.bronze.b', NULL)"
)
spark.sql("ALTER TABLE crisk.bronze.account SET TBLPROPERTIES ('stream' = 'x')")
spark.sql("ALTER TABLE crisk.bronze.account ADD COLUMNS (more STRING)")
spark.sql("COMMENT ON COLUMN crisk.bronze.account.name IS 'whose'")
(
    spark.table("crisk.bronze.account")
    .select("id")
    .write.format("delta")
    .saveAsTable("crisk.bronze.made")
)
(
    spark.sql(
        "SELECT * FROM crisk.bronze.account WHERE name = 'crisk.bronze.b' -- crisk.bronze.none"
    ).count(),
    spark.catalog.tableExists("`crisk`.`bronze`.`account`"),
    spark.catalog.tableExists("crisk.bronze.absent"),
)""",
        """(
    spark.table("crisk.bronze.account").schema["id"].metadata,
    spark.table("crisk.bronze.account").schema["name"].metadata,
    spark.sql("DESCRIBE DETAIL crisk.bronze.account").first().description,
    sorted(
        (row.key, row.value)
        for row in spark.sql("SHOW TBLPROPERTIES crisk.bronze.account").collect()
        if row.key in ("by", "stream")
    ),
)""",
        """[
    row.tag_value
    for row in spark.sql(
        "SELECT tag_value FROM crisk.information_schema.table_tags WHERE table_name = 'account'"
    ).collect()
]""",
        """
try:
    spark.sql("ALTER TABLE crisk.bronze.absent ADD COLUMNS (a INT)")
except Exception as error:
    print(type(error).__name__, error)
spark.sparkContext.version""",
        LOADS,
        """open(f"{VOLUME}/out.txt", "w").write("été"); dbutils.secrets.get("s", "k")""",
    )
    client.secrets.create_scope("s")
    client.secrets.put_secret("s", "k", string_value="s3cret")
    cells = shown(client, succeeded(client, notebook(first, DEDICATED)))
    assert "(1, True, False)" in cells[1]
    assert (
        " ".join(cells[2].split())
        == "({'comment': 'its number'}, {'comment': 'whose'}, 'accounts', [('by', 'unity'), "
        "('stream', 'x')])"
    )
    assert (
        cells[3] == "['risk']"
        and "AnalysisException" in cells[4]
        and "4.1" in cells[4]
        and "does not exist" in cells[4]
        and cells[6] == "'s3cret'"
    )
    assert sql(client, "SELECT id, name, balance FROM crisk.bronze.account ORDER BY id") == [
        ["1", "a", "1.50"],
        ["2", "crisk.bronze.b", None],
    ]
    assert sql(
        client,
        "SELECT column_name FROM crisk.information_schema.columns WHERE table_name = "
        "'account' ORDER BY ordinal_position",
    ) == [["id"], ["name"], ["balance"], ["more"]]
    assert client.tables.get("crisk.bronze.made").columns and sql(
        client, "SELECT count(*) FROM crisk.bronze.made"
    ) == [["2"]]
    assert client.files.download(f"{VOLUME}/out.txt").contents.read() == "été".encode()  # type: ignore[union-attr]
    assert sql(client, "SELECT id, name, file FROM crisk.bronze.loaded ORDER BY id") == [
        ["1", "ana", "a.csv"],
        ["2", "rui", "a.csv"],
    ]
    # The next run, on other compute, takes the new file only, and sees what a warehouse has changed
    # since.
    upload(client, "raw/b.csv", b"id,extra\n3,x\n")
    sql(client, "ALTER TABLE crisk.bronze.loaded ADD COLUMNS (later STRING)")
    second = put(
        client,
        "second",
        f"VOLUME = {VOLUME!r}",
        REFUSED,
        LOADS,
        """spark.table("crisk.bronze.loaded").columns""",
    )
    cells = shown(client, succeeded(client, notebook(second)))
    lines = cells[1].splitlines()[-8:]
    assert (
        all("[JVM_ATTRIBUTE_NOT_SUPPORTED]" in line for line in lines[:4])
        and "[NOT_SUPPORTED_WITH_SERVERLESS]" in lines[4]
        and "[CONFIG_NOT_AVAILABLE]" in lines[5]
    )
    assert (
        lines[6] == "allowed"
        and "[INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED]" in lines[7]
        and "'later'" in cells[3]
    )
    assert sql(client, "SELECT id, name, extra, file FROM crisk.bronze.loaded ORDER BY id") == [
        ["1", "ana", None, "a.csv"],
        ["2", "rui", None, "a.csv"],
        ["3", None, "x", "b.csv"],
    ]


def test_standard_compute_has_no_java_virtual_machine(client: WorkspaceClient) -> None:
    lines = shown(client, succeeded(client, notebook(put(client, "refused", REFUSED), STANDARD)))[
        0
    ].splitlines()[-8:]
    assert (
        all("[JVM_ATTRIBUTE_NOT_SUPPORTED]" in line for line in lines[:4])
        and lines[4:] == ["allowed"] * 4
    )
