"""Any edit of any text that YAML allows has the value that was asked for, and changes no other
line.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from itertools import dropwhile
from typing import Any

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from test_edit_structure import HOSTILE, SEEDS, at, entries_of, places, read, same, with_entries

from datamaster_kit.contract.document import NodePath
from datamaster_kit.contract.edit.edit import (
    REMOVE,
    apply_yaml_edits,
    duplicate_yaml_entry,
    insert_yaml_entry,
    move_yaml_entry,
    rename_yaml_key,
)
from datamaster_kit.contract.fault import BadInput

KEYS = [
    "name", "b c", "é", "no", "1.0", "~", "-x", "?q", ":x", "a:b", "a#b", "a]", "it's", "$ref",
    "'k: v'", '"\\u00e9\\t"', "'d''e'", '"f"',
]  # fmt: skip
SCALARS = [
    "text", "two words", "1.10", "true", "null", "~", "2024-01-01", "0x1F", "'it''s'",
    '"# \\"no\\""', "!!str 1", "&AT v", "&AT 'v'", "[ ]", "{ }", "[a, b, ]",
    "{a: , b: [c, {d: 1}]}", "{a, b}", "[[a], {b: 1}]", "",
]  # fmt: skip
COMMENTS = ["", "", "", " # c", "   #\ttab: - x", "  # it's"]
BETWEEN = [
    [],
    [],
    [],
    [],
    [""],
    ["{}# own"],
    ["", "{}# section", "", "{}# own", "{}# too"],
    ["# left"],
    ["   "],
]
HEADS = ["", "", "# header\n", "# header\n\n", "---\n", "--- # c\n", "%YAML 1.2\n---\n"]
ENDS = ["\n", "\n", "\n", "", "\n\n", "\n# the end\n", "\n...\n"]


class Writer:
    """Writes a file by chance, as people and as programs write them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.step, self.dash = self.rng.choice([2, 2, 3, 4]), self.rng.choice([0, 2, 4])
        self.anchors = 0

    def text(self) -> str:
        """Return the file's text."""
        body = "\n".join(self.entries(0, self.rng.randrange(1, 4), True))
        text = self.rng.choice(HEADS) + body + self.rng.choice(ENDS)
        ending = self.rng.choice(["\n"] * 6 + ["\r\n"])
        return self.rng.choice([""] * 7 + ["\ufeff"]) + text.replace("\n", ending)

    def entries(
        self, column: int, depth: int, is_mapping: bool, is_compact: bool = False
    ) -> list[str]:
        """Return the lines of a collection."""
        made: list[str] = []
        keys = (
            self.rng.sample(KEYS, self.rng.randrange(1, 5))
            if is_mapping
            else [""] * self.rng.randrange(1, 4)
        )
        for index, key in enumerate(keys):
            above = [] if is_compact and not index else self.rng.choice(BETWEEN)
            made += [line.format(" " * column) for line in above]
            head = f"{key}{self.rng.choice(['', '', ' '])}:" if is_mapping else "-"
            made += self.entry(" " * column + head, column, depth)
        return made

    def entry(self, head: str, column: int, depth: int) -> list[str]:
        """Return the lines of an entry."""
        kind = self.rng.randrange(10 if depth else 6)
        if kind < 4:
            self.anchors += 1
            scalar = self.rng.choice(SCALARS).replace("AT", f"s{self.anchors}")
            return [f"{head} {scalar}{self.rng.choice(COMMENTS)}".rstrip()]
        if kind < 6:
            return self.long_entry(head, " " * (column + self.step))
        self.anchors += 1
        is_item = head.endswith("-")
        is_mapping = kind < 8
        if is_item and self.rng.random() < 0.7:
            first, *rest = self.entries(column + 2, depth - 1, is_mapping, is_compact=True)
            return [f"{head} {first.lstrip()}", *rest]
        mark = self.rng.choice(
            ["", "", "", " !!map" if is_mapping else " !!seq", f" &c{self.anchors}"]
        )
        inner = self.step if is_mapping else 2 if is_item else self.dash
        return [
            f"{head}{mark}{self.rng.choice(COMMENTS)}",
            *self.entries(column + inner, depth - 1, is_mapping),
        ]

    def long_entry(self, head: str, indent: str) -> list[str]:
        """Return the lines of an entry whose value runs over several."""
        comment, mark = self.rng.choice(COMMENTS), self.rng.choice(["|", "|-", ">", ">-"])
        made: list[list[str]] = [
            ["", "two", "", "lines"],
            [' "two', "", "lin: es", f'# end"{comment}'],
            [" 'it''s", f"k: v'{comment}"],
            [" [", "one,   # first", "", "two", f"]{comment}"],
            [f" {{a: 1,{comment}", "b: [x,", f"  y], c: }}{comment}"],
            [f"{comment}", f"below{comment}"],
            [" ", "# why", f"[a, b]{comment}"],
            [f" {mark}{comment}", "text", "", "# no comment", "- no: item", "  more", "end"],
            [f" {mark}", "&a *b 'c"],
        ]
        first, *rest = self.rng.choice(made)
        return [head + first, *(indent + line if line else "" for line in rest)]


def lines_of(text: str) -> list[str]:
    """The lines of a text, whatever ends them; one of blanks alone is empty."""
    return [
        line if line.strip() else ""
        for line in text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    ]


def span(text: str, path: NodePath) -> tuple[int, int]:
    """The first and the last line of the entry at a path, by PyYAML's own nodes."""
    body = text.removeprefix("\ufeff").replace("\r\n", "\n")
    start = node = yaml.compose(body, Loader=yaml.SafeLoader)
    has_dash = False
    for part in path:
        if isinstance(node, yaml.MappingNode):
            start, node = next(pair for pair in node.value if pair[0].value == part)
        else:
            assert isinstance(node, yaml.SequenceNode) and isinstance(part, int)
            has_dash, start, node = not node.flow_style, node.value[part], node.value[part]
    first = start.start_mark.line
    if path and isinstance(path[-1], int) and has_dash:  # the dash may stand above its value
        before = [*body.split("\n")[:first], body.split("\n")[first][: start.start_mark.column]]
        first = max(line for line, text in enumerate(before) if "-" in text.split("#")[0])
    return first, start.start_mark.line + body[
        start.start_mark.index : last_of(node)
    ].rstrip().count("\n")


def last_of(node: yaml.Node) -> int:
    """Where the last character of a node stands, without what follows a block."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def is_comment(line: str) -> bool:
    """The line says nothing to a reader."""
    return not line.strip() or line.lstrip().startswith("#")


def made(text: str, edit: Callable[[], str]) -> str:
    """The text after an edit.

    Where it is refused, a block's text ends with a line of blanks alone, or one would.
    """
    try:
        return edit()
    except BadInput as error:
        assert [fault.code for fault in error.faults] == ["edit-not-possible"] and re.search(
            r"^ +\r?$", text, re.M
        ), text
        reject()


TEXTS = SEEDS.map(lambda seed: Writer(seed).text())
SET = st.sampled_from(
    [*HOSTILE, "another", 7, True, None, 1.5, {"a": [1, {}], "b": "x\ny\n"}, ["p", ["q"]], {}, []]
)


BLOCK_MARK = re.compile(r"([|>]\d?)-$")


@settings(max_examples=300, deadline=None)
@given(TEXTS, SET, st.data())
def test_a_value_that_is_set_changes_the_lines_of_its_entry(
    text: str, value: Any, data: st.DataObject
) -> None:
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    after = made(text, lambda: apply_yaml_edits(text, {path: value}))
    expected = deepcopy(before)
    at(expected, path[:-1])[path[-1]] = value
    assert read(after) == expected, f"\n{text}\n=====\n{after}"
    first, last = span(text, path)
    old, new = lines_of(text), lines_of(after)
    assert old[:first] == new[:first], f"\n{text}\n=====\n{after}"
    below = [line for line in old[last + 1 :] if not is_comment(line)]
    left = [line for line in new if not is_comment(line)][-len(below) :]
    if not text.endswith("\n"):
        # a block that ends a file without a line break is marked so where the file gets one
        below, left = ([BLOCK_MARK.sub(r"\1", line) for line in lines] for lines in (below, left))
    assert not below or left == below, f"\n{text}\n=====\n{after}"
    if not isinstance(at(before, path), dict | list) and old[last + 1 :] and text.endswith("\n"):
        below = old[last + 1 :]
        if re.search(r"[|>][-+0-9]*$", old[first]):
            # blank lines below a block belong to it (YAML 1.2.2, 8.1.1.2)
            below = list(dropwhile(lambda line: not line.strip(), below))
        assert below == new[len(new) - len(below) :], f"\n{text}\n=====\n{after}"


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_an_entry_that_is_removed_takes_its_lines(text: str, data: st.DataObject) -> None:
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    after = made(text, lambda: apply_yaml_edits(text, {path: REMOVE}))
    expected = deepcopy(before)
    del at(expected, path[:-1])[path[-1]]
    assert same(read(after), expected), f"\n{text}\n=====\n{after}"
    first, last = span(text, path)
    old = lines_of(text)
    parent = span(text, path[:-1])[0]
    went, came = Counter(old) - Counter(lines_of(after)), Counter(lines_of(after)) - Counter(old)
    # it may get the dash
    following = next((line for line in old[last + 1 :] if not is_comment(line)), "")
    own = {*old[first : last + 1], old[parent], following}
    assert all(line in own or is_comment(line) for line in went), f"\n{text}\n=====\n{after}"
    assert came.total() <= 2, f"\n{text}\n=====\n{after}"


def is_insertion(before: str, after: str) -> bool:
    """The one text is the other with one piece more."""
    start = next(
        (
            index
            for index, pair in enumerate(zip(before, after, strict=False))
            if pair[0] != pair[1]
        ),
        len(before),
    )
    return len(after) >= len(before) and after.endswith(before[start:])


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["copy", "insert"]), SET, st.data())
def test_an_entry_that_is_put_in_leaves_all_others(
    text: str, kind: str, value: Any, data: st.DataObject
) -> None:
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    entries = entries_of(at(before, path[:-1]))
    index = [key for key, _ in entries].index(path[-1])
    key = "new" if isinstance(path[-1], str) else None
    position = index + 1 if kind == "copy" else data.draw(st.integers(0, len(entries)))
    entries.insert(position, (key, entries[index][1] if kind == "copy" else value))
    copy, insert = (
        (lambda: duplicate_yaml_entry(text, path, key)),
        (lambda: insert_yaml_entry(text, path[:-1], position, value, key)),
    )
    after = made(text, copy if kind == "copy" else insert)
    assert same(read(after), with_entries(deepcopy(before), path[:-1], entries)), (
        f"\n{text}\n=====\n{after}"
    )
    assert not text.endswith("\n") or is_insertion(
        "\n".join(lines_of(text)), "\n".join(lines_of(after))
    ), f"\n{text}\n=====\n{after}"


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_an_entry_that_is_moved_or_renamed_leaves_all_characters(
    text: str, data: st.DataObject
) -> None:
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    entries = entries_of(at(before, path[:-1]))
    index = [key for key, _ in entries].index(path[-1])
    position = data.draw(st.integers(0, len(entries) - 1))
    if isinstance(path[-1], str):
        after = rename_yaml_key(text, path, "new")
        names = [("new" if key == path[-1] else key, value) for key, value in entries]
        assert same(read(after), with_entries(deepcopy(before), path[:-1], names))
        assert (
            sum(old != new for old, new in zip(lines_of(text), lines_of(after), strict=True)) == 1
        )
    after = made(text, lambda: move_yaml_entry(text, path, position))
    entries.insert(position, entries.pop(index))
    assert same(read(after), with_entries(deepcopy(before), path[:-1], entries)), (
        f"\n{text}\n=====\n{after}"
    )
    assert not text.endswith("\n") or sorted("".join(after.split())) == sorted(
        "".join(text.split())
    ), f"\n{text}\n=====\n{after}"
    assert position != index or after == text


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        (
            "a:\n  -x: 1\n  y: 2\n",
            lambda text: apply_yaml_edits(text, {("a", "-x"): 5}),
            "a:\n  -x: 5\n  y: 2\n",
        ),
        (
            "a:\n  - -1\n  - -x: 3\n",
            lambda text: apply_yaml_edits(text, {("a", 1, "-x"): 5}),
            "a:\n  - -1\n  - -x: 5\n",
        ),
        ("a:\n- -\n- -", lambda text: apply_yaml_edits(text, {("a", 1, 0): 5}), "a:\n- -\n- - 5"),
        ("a: |\n  x", lambda text: apply_yaml_edits(text, {("b",): 1}), "a: |-\n  x\nb: 1\n"),
        (
            "a: >2+\n    x\n\n  y",
            lambda text: apply_yaml_edits(text, {("b",): 1}),
            "a: >2-\n    x\n\n  y\nb: 1\n",
        ),
        (
            "a: 1\nb: | # c\n  x",
            lambda text: move_yaml_entry(text, ("a",), 1),
            "b: |- # c\n  x\na: 1\n",
        ),
        ("a: |\n  x", lambda text: insert_yaml_entry(text, (), 0, 1, "b"), "b: 1\na: |\n  x"),
        ("a: 1 # x|", lambda text: apply_yaml_edits(text, {("b",): 1}), "a: 1 # x|\nb: 1"),
    ],
)
def test_keys_with_a_dash_and_blocks_without_a_last_line_end(
    text: str, edit: Callable[[str], str], after: str
) -> None:
    assert edit(text) == after


@pytest.mark.parametrize("text", ["a: |+\n  x\n\nb: 1\n", "a: [k: v, w]\n", "? a\n: 1\nb: 1\n"])
def test_what_cannot_be_kept_is_refused_and_never_written_otherwise(text: str) -> None:
    before = read(text)
    for path in places(before):
        expected = deepcopy(before)
        del at(expected, path[:-1])[path[-1]]
        try:
            after = apply_yaml_edits(text, {path: REMOVE})
        except BadInput as error:
            assert [fault.code for fault in error.faults] == ["edit-not-possible"]
            continue
        assert same(read(after), expected)
