"""What a task's run leaves: its output, and its notebook as the page that Databricks exports.

Reference page *Jobs*: get the output of a run, export a run.
"""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from typing import Any

from databricks.sdk.service import jobs

from .files import path_of
from .refusals import invalid
from .routes import Request, serves
from .runs import ENDED, need_run, script
from .state import Json, State

LIMIT = 5 * 1024 * 1024
# Databricks' own page is drawn by a script of its network; what is in the body here stands in for
# that.
PAGE = """<!DOCTYPE html>
<html>
<head>
<meta name="databricks-html-version" content="1">
<title>{title} - Databricks</title>
<meta charset="utf-8">
</head>
<body>
<script>window.settings = {{"enableStaticNotebook":true}}; \
var __DATABRICKS_NOTEBOOK_MODEL = '{model}';
</script>
{body}
</body>
</html>
"""


def task_run(state: State, request: Request) -> tuple[Json, Json]:
    """Return the run and the task of which a request names the run, or of which it names a run of
    one task.
    """
    identity = int(request["run_id"])
    run = next(
        (
            item
            for item in state.runs.values()
            if identity == item["run_id"] or identity in [task["run_id"] for task in item["tasks"]]
        ),
        None,
    )
    if not run:
        raise invalid(f"Run {identity} does not exist.")
    need_run(state, request, run, "CAN_VIEW")
    if identity == run["run_id"] and len(run["tasks"]) > 1:
        raise invalid(
            "Retrieving the output of runs with multiple tasks is not supported. "
            "Please retrieve the output of each individual task run instead."
        )
    return run, run["tasks"][0] if identity == run["run_id"] else next(
        item for item in run["tasks"] if item["run_id"] == identity
    )


@serves(jobs.JobsAPI.get_run_output, "workspace/jobs/getrunoutput")
def get_run_output(state: State, request: Request) -> Json:
    """Return the output of a task's run, or of a run that has one task.

    5 MB of what the notebook gives back, or of what the program prints.
    """
    run, task = task_run(state, request)
    made = state.run_outputs.get(task["run_id"], {})
    failed = task["state"].get("result_state") in ("FAILED", "TIMEDOUT")
    error = made.get("error") or (
        script(state, run, task["task_key"]) if failed and not made else ""
    )
    output: Json = {}
    if "notebook_task" in task:
        result = made.get("result")
        output["notebook_output"] = (
            {} if result is None else {"result": result[:LIMIT], "truncated": len(result) > LIMIT}
        )
    elif made.get("logs"):
        output.update(logs=made["logs"][-LIMIT:], logs_truncated=len(made["logs"]) > LIMIT)
    if error:
        output.update(
            error=error,
            error_trace=made.get("error_trace") or f"Traceback (most recent call last):\n{error}",
        )
    return {
        "metadata": {
            "run_id": task["run_id"],
            "job_id": run["job_id"],
            "state": task["state"],
            "tasks": [task],
        },
        **output,
    }


@serves(jobs.JobsAPI.export_run, "workspace/jobs/exportrun")
def export_run(state: State, request: Request) -> Json:
    """Return a notebook's run as a page; only notebooks have one, and only after they have run."""
    run, task = task_run(state, request)
    if "notebook_task" not in task:
        raise invalid("Only runs of notebook tasks can be exported")
    if task["state"]["life_cycle_state"] not in ENDED:
        raise invalid(f"Run {task['run_id']} has not ended.")
    path = task["notebook_task"]["notebook_path"]
    item = state.files.get(path_of(path))
    if not item:
        raise invalid(f"The notebook {path} of run {task['run_id']} does not exist.")
    made = state.run_outputs.get(task["run_id"], {})
    book = made.get("notebook") or source_book(item)
    name = path.rsplit("/", 1)[-1]
    view = PAGE.format(
        title=html.escape(name),
        model=encoded_model(
            notebook_model(book, name, script(state, run, task["task_key"]) if not made else "")
        ),
        body=drawn_book(made["notebook"]) if made.get("notebook") else "",
    )
    return {"views": [{"name": name, "type": "NOTEBOOK", "content": view}]}


def drawn_book(book: Json) -> str:
    """Return an executed notebook as HTML."""
    from nbconvert.exporters.html import HTMLExporter
    from nbformat import reads

    exporter = HTMLExporter(template_name="basic")
    return str(exporter.from_notebook_node(reads(json.dumps(book), as_version=4))[0])


def source_book(item: Json) -> Json:
    """Return a notebook of the workspace as one of Jupyter."""
    if item["format"] == "JUPYTER":
        return dict(json.loads(item["content"]))
    cells = item["content"].decode().split("# COMMAND ----------")
    return {
        "cells": [
            {
                "cell_type": "code",
                "source": cell.removeprefix("# Databricks notebook source").strip(),
                "outputs": [],
            }
            for cell in cells
        ]
    }


def encoded_model(model: Json) -> str:
    """Return a model as the page has it: base64 of JSON that is encoded as in an address."""
    return base64.b64encode(urllib.parse.quote(json.dumps(model)).encode()).decode()


def notebook_model(book: Json, name: str, scripted: str) -> Json:
    """Return the model of a notebook's page; with a scripted error, the last cell has it."""
    commands = [command_of(cell, position) for position, cell in enumerate(book["cells"], 1)]
    if scripted and commands:
        commands[-1].update(
            state="error",
            results=None,
            errorSummary=scripted,
            error=f"Traceback (most recent call last):\n{scripted}",
        )
    return {
        "version": "NotebookV1",
        "origId": 1,
        "name": name,
        "language": "python",
        "commands": commands,
        "dashboards": [],
        "globalVars": {},
        "iPythonMetadata": None,
        "inputWidgets": {},
    }


def result_of(kind: str, data: Any) -> Json:
    """Return a result as the model has it."""
    return {
        "type": kind,
        "data": data,
        "name": None,
        "arguments": {},
        "addedWidgets": {},
        "removedWidgets": [],
        "datasetInfos": [],
        "metadata": {},
    }


def command_of(cell: Json, position: int) -> Json:
    """Return a cell as the model has it.

    Text with the magic `%md`, outputs as a list of results, an error apart from them.
    """
    source = "".join(cell["source"])
    command: Json = {
        "version": "CommandV1",
        "subtype": "command",
        "commandType": "auto",
        "position": float(position),
        "command": f"%md\n{source}" if cell["cell_type"] == "markdown" else source,
        "commandTitle": "",
        "state": "finished",
        "results": None,
        "errorSummary": None,
        "error": None,
        "startTime": 0,
        "submitTime": 0,
        "finishTime": 0,
    }
    results = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "error":
            trace = "\n".join(output["traceback"])
            command.update(
                state="error",
                errorSummary=html.escape(f"{output['ename']}: {output['evalue']}"),
                error=trace,
                errorTraceType="ansi",
            )
        elif output["output_type"] == "stream":
            results.append(result_of("ansi", "".join(output["text"])))
        else:
            data = {
                kind: value if isinstance(value, str) or kind.endswith("json") else "".join(value)
                for kind, value in output["data"].items()
            }
            results.append(result_of("mimeBundle", data))
    if results:
        command["results"] = {
            "type": "listResults",
            "data": results,
            "arguments": {},
            "addedWidgets": {},
            "removedWidgets": [],
            "datasetInfos": [],
            "metadata": {},
        }
    return command
