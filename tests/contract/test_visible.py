"""What is printed is visible text.

Nothing of a contract or of data drives a terminal, a log or a reader's eye.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from datamaster_kit.cli.main import app
from datamaster_kit.cli.output import (
    outcome_printer,
    print_faults,
    print_json,
    print_plan,
    print_table,
)
from datamaster_kit.cli.setup import output_lines, progress_line
from datamaster_kit.contract.fault import Fault
from datamaster_kit.contract.lint import github_annotation
from datamaster_kit.contract.odcs.writer import render_document_yaml
from datamaster_kit.contract.read import read_unchecked_contract
from datamaster_kit.contract.visible import visible_text
from datamaster_kit.plan.plan import Change, Difference, Plan
from datamaster_kit.plan.resources import ChangeOutcome
from datamaster_kit.setup.events import ResourceProgress

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = [
    "\n",
    "\r\n",
    "\r",
    "\x1b]0;title\x07",
    "\x1b[31m",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u2028",
    "\u2029",
    "\x00",
    "\x7f",
    "\ufeff",
    "\U000e0041",
    "\ud800",
    "\t",
    "\v",
    "\x85",
    "::error::x",
    "::warning file=README.md,line=1::x",
    "::stop-commands::x",
    "::set-output name=a:b::c",
    "##[error]x",
    "##vso[task.setvariable variable=a]b",
    "::",
    ":",
    " ",
    "[red]",
    "[link=http://x]",
    "urn:a",
    "é",
    "::add-mask::",
]
TEXTS = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=4)), max_size=12).map("".join)
# GitHub's runner takes a line for a command that begins so, blanks aside; Azure's agent finds its
# own anywhere.
COMMAND = re.compile(r"^\s*::[A-Za-z][\w-]*( .*)?::|##\[|##vso\[")


def assert_harmless(printed: str) -> None:
    for line in printed.split("\n"):
        assert line.isprintable() and not COMMAND.search(line), line


def output_of(act: Callable[[], Any]) -> str:
    stream = io.StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        act()
    return stream.getvalue()


def test_what_libraries_log_of_a_servers_words_is_visible_text() -> None:
    """The command line's own process.

    A library's warning that repeats an answer is one line, and no command of a log.
    """
    code = (
        "import logging, sys, datamaster_kit.cli.main as cli; cli.app = lambda: "
        "logging.getLogger('databricks.sdk').warning('it says %s', "
        "'no\\n::error::x\\n::add-mask::y \\x1b[31m'); cli.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert_harmless(ended.stderr.removesuffix("\n"))
    assert ended.stderr.count("\n") == 1 and "it says no" in ended.stderr


@given(TEXTS, TEXTS, st.integers(0, 30))
def test_visible_text_is_one_line_in_which_nothing_acts_wherever_it_is_broken(
    one: str, other: str, at: int
) -> None:
    shown = visible_text(one + other)
    assert_harmless(shown[at:])
    assert visible_text(shown) == shown or "::" in shown
    assert visible_text("plain: text, 1.5 é") == "plain: text, 1.5 é"


def outcomes(text: str) -> None:
    with outcome_printer(1) as report:
        report(ChangeOutcome(Change("create", text, text), "failed", text))


@given(TEXTS)
def test_no_function_that_prints_lets_a_text_act(text: str) -> None:
    fault = Fault("a-code", text, text, 3, text, text)
    change = Change(
        "update", text, text, (Difference(text, text, [text]),), note=text, refusal=text
    )
    printed = [
        output_of(act)
        for act in (
            lambda: print_table(text, ("a", "b"), [(text, 1), ("x", text)]),
            lambda: print_faults([fault]),
            lambda: print_plan(Plan((change,))),
            lambda: outcomes(text),
            lambda: print(fault),
            lambda: print(
                "\n".join(
                    visible_text(line)
                    for line in output_lines({"part": {"name": text, "map": {text: text}}})
                )
            ),
            lambda: print(progress_line(ResourceProgress(text, text, "done", 1.0))),
        )
    ]
    for shown in printed:
        assert_harmless(shown)
    [_, kind, message] = github_annotation(fault).split("::", 2)
    assert kind.startswith("error file=") and (kind + message).isprintable() and "::" not in kind


@given(TEXTS)
def test_json_says_the_same_and_hides_nothing(text: str) -> None:
    printed = output_of(lambda: print_json({"a": [text], text: 1}))
    assert json.loads(printed) == {"a": [text], text: 1} and all(
        line.isprintable() for line in printed.split("\n")
    )


COMMANDS = (
    r"""dataContractSpecification: 1.1.0
id: "urn:a\n::warning file=README.md,line=1::PWNED-annotation\n::stop-commands::xyz\n"""
    r"""\e]0;PWNED-title\a\e[31mred"
info: {title: Mail, version: 1.0.0, description: "x\n::error::FROM-SHOW"}
models:
  account:
    description: "a\n::error::FROM-DESC"
    fields:
      id: {type: long, primaryKey: true}
      v: {type: string, config: {"bad\n::error::KEY": 1}, typ: "q\n::error::VAL"}
workflow: {source: {type: adls, format: csv}}
"""
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("contract", "lint", "c.yaml"),
        ("contract", "show", "c.yaml"),
        ("contract", "lint", "c.yaml", "--github"),
        ("contract", "diff", "c.yaml", "d.yaml"),
        ("mock", "c.yaml", "--rows", "3"),
    ],
)
def test_no_command_of_a_contract_reaches_the_log(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "c.yaml").write_text(COMMANDS, encoding="utf-8")
    (tmp_path / "d.yaml").write_text(
        COMMANDS.replace("FROM-DESC", "NOW\\n::error::NOW"), encoding="utf-8"
    )
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    printed = result.stdout + result.stderr
    assert printed and "Traceback" not in printed
    lines = printed.split("\n")
    if "--github" in arguments:
        lines = [
            re.sub(r"^::(error|warning|notice) file=c\.yaml,line=\d+,title=[a-z-]+::", "", line)
            for line in lines
        ]
    for line in lines:
        assert_harmless(line)


EXPORTED = """dataContractSpecification: 1.1.0
id: "urn:a\\n::error::x"
info: {title: "T\\u202Eevil", version: 1.0.0, description: \
  "LONG\\n\\n::error file=a::pwned\\n\\n::add-mask::e ##[command]x ##vso[a]b"}
models:
  account:
    description: "a\\u2066\\n  ::error::FROM ::stop-commands::x"
    fields:
      id: {type: long, primaryKey: true, description: "LONG ::error::fold ##[error]y"}
      v: {type: string, enum: ["::error::a", "##[error]b", "\\u202Ec"], \
        examples: ["\\n::warning::x", "std::vector"], pattern: "^::a::b$"}
workflow: {source: {type: adls, format: csv}}
""".replace("LONG", "a" * 200)


def test_no_command_of_a_contract_reaches_the_log_in_what_is_exported_and_it_is_read_back_as_it_was(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.yaml").write_text(EXPORTED, encoding="utf-8")
    before = read_unchecked_contract(tmp_path / "c.yaml")
    for arguments in (
        ("convert", "c.yaml"),
        ("convert", "--json", "c.yaml"),
        ("export", "c.yaml"),
        ("export", "--odcs-version", "3.0.2", "c.yaml"),
        *(
            ("export", "--format", form, "c.yaml")
            for form in ("spark", "sql", "json-schema", "html")
        ),
    ):
        result = CliRunner().invoke(
            app,
            [
                "contract",
                *(
                    str(tmp_path / "c.yaml") if argument == "c.yaml" else argument
                    for argument in arguments
                ),
            ],
        )
        assert result.exit_code == 0 and result.stdout, result.output
        assert_harmless(result.output)
        if arguments in (("convert", "c.yaml"), ("export", "c.yaml")):
            (tmp_path / "d.yaml").write_text(result.stdout, encoding="utf-8")
            after = read_unchecked_contract(tmp_path / "d.yaml")
            assert (after.id, after.name, after.description, after.models) == (
                before.id,
                before.name,
                before.description,
                before.models,
            )


@given(TEXTS)
def test_a_text_in_yaml_acts_nowhere_and_is_read_back_as_it_was(text: str) -> None:
    text = (
        "".join(
            letter
            for letter in text
            if letter == "\x85"
            or ((letter.isprintable() or ord(letter) > 31) and not "\ud800" <= letter <= "\udfff")
        )
        or "a"
    )
    for said in ({"a": text}, {text: [text]}, {"a": ["x " * 90 + text]}):
        written = render_document_yaml(said)
        assert_harmless(written)
        assert yaml.safe_load(written) == said


def is_shown(argument: ast.expr) -> bool:
    """What is printed is a constant, went through `visible_line`, or is JSON or a number."""
    if ast.unparse(argument) in KNOWN:
        return True
    if isinstance(argument, ast.Call):
        return ast.unparse(argument.func).split(".")[-1] in (
            "visible_line",
            "as_json",
            "Text",
            "len",
            "progress_line",
            "append",
        )
    if isinstance(argument, ast.JoinedStr):
        return all(
            is_shown(part.value) for part in argument.values if isinstance(part, ast.FormattedValue)
        )
    return isinstance(argument, ast.Constant)


# What else is printed: the package's version, the page's own address, the names of steps and parts,
# counts.
KNOWN = {"__version__", "page.address", "', '.join(counts)", "planned.part", "cell", "cells"}


def test_whatever_the_command_line_prints_is_made_visible() -> None:
    printed = [
        (file.name, call.args[0])
        for file in sorted((ROOT / "datamaster_kit" / "cli").glob("*.py"))
        if file.name != "output.py"
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("typer.echo", "console.print", "print", "rich.print")
    ]
    assert (
        len(printed) > 20
        and [(file, ast.unparse(argument)) for file, argument in printed if not is_shown(argument)]
        == []
    )
