"""Pages of the reference that are made of the package itself: errors, verbs, tables and columns."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).resolve().parents[1]


def table_row(*cells: Any) -> str:
    """Return a row of a table in Markdown, whatever its cells say."""
    texts = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(texts)} |"


def table_lines(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    """Return a table in Markdown as lines."""
    heads = list(columns)
    return [
        table_row(*heads),
        table_row(*("---" for _ in heads)),
        *(table_row(*row) for row in rows),
    ]


def error_page() -> str:
    """Return the page that lists every fault code with its meaning and remedy, from the register
    that the library fills.
    """
    from datamaster_kit.contract.fault import CODES

    for module in sorted((ROOT / "datamaster_kit").rglob("*.py")):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        if module.stem != "__init__":
            importlib.import_module(name)
    rows = [
        (f"`{code.name}`", code.severity, code.meaning, code.remedy)
        for _, code in sorted(CODES.items())
    ]
    head = [
        "# Errors",
        "",
        "Every fault has a stable code. Exit codes: 0 done, 1 the work failed, 2 the input "
        "is bad and nothing was done.",
        "",
    ]
    heads = ("code", "severity", "what it means", "what to do")
    return "\n".join([*head, *table_lines(heads, rows)]) + "\n"


def walk_commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every verb that does something, with its whole name."""
    members = getattr(command, "commands", None)
    if not members:
        yield name, command
        return
    for part, member in members.items():
        if not member.hidden:
            yield from walk_commands(member, f"{name} {part}")


def parameter_row(parameter: click.Parameter) -> tuple[str, str]:
    """Return an argument or option of a verb, and what it is."""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    is_option = parameter.param_type_name == "option"
    shown = names if is_option else f"`{(parameter.name or '').upper()}`"
    return shown, str(getattr(parameter, "help", None) or "")


def verbs_page() -> str:
    """Return the page of every verb, with its arguments and options, as `--help` says them."""
    import typer.main

    from datamaster_kit.cli.main import app

    lines = ["# Verbs", "", "Each has `--help`, and the same text there.", ""]
    for name, command in walk_commands(typer.main.get_command(app), "datamaster"):
        lines += [f"## `{name}`", "", (command.help or "").strip(), ""]
        rows = [
            parameter_row(parameter) for parameter in command.params if parameter.name != "help"
        ]
        if rows:
            lines += [*table_lines(("argument or option", "what it is"), rows), ""]
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """Return the page of the tables of a lakehouse and their columns, of the sample's accounts."""
    from datamaster_kit.project.project_file import read_contracts, read_project
    from datamaster_kit.unity.desired import desired_tables

    project = read_project(ROOT / "datamaster.yaml")
    contracts = [one for one in read_contracts(project) if one.models[0].name == "account"]
    lines = [
        "# Tables and columns",
        "",
        "The tables that the sample contract of accounts makes, as `datamaster unity plan` would "
        "make them. Those of the lakehouse itself, such as runs, are there once.",
        "",
    ]
    for table in desired_tables(project, contracts):
        rows = [
            (f"`{column.name}`", f"`{column.type}`", column.comment) for column in table.columns
        ]
        lines += [f"## `{table.catalog}.{table.schema}.{table.name}`", "", table.comment, ""]
        lines += [*table_lines(("column", "type", "what it holds"), rows), ""]
    return "\n".join(lines) + "\n"
