"""Whatever is edited, the file then reads as the data after the same operation, and every other
line is what it was.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.document import NodePath, parse_document
from datamaster_kit.contract.edit.edit import (
    REMOVE,
    apply_yaml_edits,
    duplicate_yaml_entry,
    insert_yaml_entry,
    move_yaml_entry,
    rename_yaml_key,
)
from datamaster_kit.contract.edit.layout import parse_layout
from datamaster_kit.contract.edit.outline import build_outline, has_plain_indentation
from datamaster_kit.contract.fault import BadInput

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "contracts").glob("*.yaml"))
HOSTILE = [
    "\n- x", "*a", "&a", "!!python/object:os.system", "{", "}", "[", "]", "%", "@", "`", "a: b",
    "b:", ": c", "# x", "x # y", "'", '"', "\\", "- ", "-", "?", "? a", "---", "...", "--- a",
    "a\nb: c\n", "a\n\n\n", "\n", "\n\n", " \n x", "\t", "\ta", "a\tb", "a\r\nb", "\r", "\x85",
    "\u2028", "\u2029", "\ufeff", "\u202e", "é ü 漢字 😀", "a,b", ", ", "<<", "=", "~", "null",
    "no", "On", "y", "007", "0o7", "0x1F", "1_000", "1.10", "1e5", ".5", "5.", ".inf", "-.NaN",
    "12:30", "2024-01-01", "2024-01-01T10:00:00Z", "", " ", " a", "a ", "|", ">", "|-", ">\n a",
    "x" * 300, "word " * 60, "a\n  b\n c", "  a\nb", "a\n \nb", "#\n#", "a #", "key: |\n  b",
    "'quoted'", '"quoted"', "it's", "{x: 1}", "[1, 2]", "!x", "! x", "a\\nb", "$.a", "%YAML 1.1",
]  # fmt: skip


# --------------------------------------------------------------------------------------------------
# the same on plain data


def at(data: Any, path: NodePath) -> Any:
    for part in path:
        data = data[part]
    return data


def places(data: Any, path: NodePath = ()) -> Iterator[NodePath]:
    """The paths of everything in some data."""
    if path:
        yield path
    entries = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in entries:
        yield from places(value, (*path, key))


def with_entries(data: Any, path: NodePath, entries: list[tuple[Any, Any]]) -> Any:
    """The data with a collection made of these entries at a path."""
    made = dict(entries) if isinstance(at(data, path), dict) else [value for _, value in entries]
    if not path:
        return made
    at(data, path[:-1])[path[-1]] = made
    return data


def entries_of(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value))


def read(text: str) -> dict[str, Any]:
    return deepcopy(parse_document(text, "").data)


def same(one: Any, other: Any) -> bool:
    """Equal, with the order of mappings, and true not 1."""
    return repr(one) == repr(other)


# --------------------------------------------------------------------------------------------------
# files as people write them

KEYS = ["a", "name", "b c", "no", "x.y", "1", "type", "enum", "é"]
WRITTEN = [
    "1", "1.10", "true", "null", "~", "", "text", "two words", "'it''s'", '"q \\"x\\" \\u00e9"',
    "2024-01-01", "'# no'", "no", "[]", "{}", "[1, two, 'x']", "{a: 1, b: [x, {c: d}]}",
    "[a, {b: c}, ]",
]  # fmt: skip


def block_text(rng: random.Random, column: int) -> list[str]:
    lines = ["some words", "", "# no comment", "- no item", "key: no key", "more   words"]
    picked = (
        [rng.choice(["text", "# no comment"])]
        + [rng.choice(lines) for _ in range(rng.randrange(3))]
        + ["end"]
    )
    return [" " * column + line if line else "" for line in picked]


def between(rng: random.Random, column: int) -> list[str]:
    """Comments and blank lines before an entry."""
    kind = rng.randrange(12)
    spaces = " " * column
    return {
        0: [""],
        1: [f"{spaces}# own\t: - x"],
        2: ["", f"{spaces}# own", f"{spaces}# too"],
        3: [f"{spaces}# section", ""],
        4: ["", f"{spaces}# section", "", f"{spaces}# own"],
        5: ["# left"],
    }.get(kind, [])


def value_lines(
    rng: random.Random, head: str, column: int, depth: int, step: int, dash: int
) -> list[str]:
    """The lines of an entry that begins with a key, or with a dash."""
    comment = rng.choice(["", "", "", "   # note: it's", "  #\ttab"])
    kind = rng.randrange(10) if depth else rng.randrange(6)
    is_item = head.endswith("-")
    if kind < 5:
        return [f"{head} {rng.choice(WRITTEN)}{comment}".rstrip()]
    if kind == 5:
        mark = rng.choice(["|", "|-", ">", ">-"])
        return [
            f"{head} {mark}{comment if comment.startswith(' ') else ''}",
            *block_text(rng, column + step),
        ]
    if kind < 8:
        if is_item and rng.random() < 0.8:
            lines = mapping_lines(rng, column + 2, depth - 1, step, dash, compact=True)
            return [f"{head} {lines[0].lstrip()}", *lines[1:]]
        return [f"{head}{comment}", *mapping_lines(rng, column + step, depth - 1, step, dash)]
    if is_item and rng.random() < 0.5:
        lines = list_lines(rng, column + 2, depth - 1, step, dash, compact=True)
        return [f"{head} {lines[0].lstrip()}", *lines[1:]]
    return [
        f"{head}{comment}",
        *list_lines(rng, column + (2 if is_item else dash), depth - 1, step, dash),
    ]


def mapping_lines(
    rng: random.Random, column: int, depth: int, step: int, dash: int, compact: bool = False
) -> list[str]:
    made: list[str] = []
    for index, key in enumerate(rng.sample(KEYS, rng.randrange(1, 5))):
        made += [] if compact and not index else between(rng, column)
        written = rng.choice([key, key, f"'{key}'", f'"{key}"'])
        made += value_lines(
            rng, f"{' ' * column}{written}{rng.choice(['', '', ' '])}:", column, depth, step, dash
        )
        made += [f"{' ' * (column + 1)}# inner"] if rng.random() < 0.05 else []
    return made


def list_lines(
    rng: random.Random, column: int, depth: int, step: int, dash: int, compact: bool = False
) -> list[str]:
    made: list[str] = []
    for index in range(rng.randrange(1, 4)):
        made += [] if compact and not index else between(rng, column)
        made += value_lines(rng, f"{' ' * column}-", column, depth, step, dash)
    return made


def file_of(seed: int) -> str:
    """A file as somebody might have written it."""
    rng = random.Random(seed)
    lines = mapping_lines(
        rng, 0, rng.randrange(1, 5), rng.choice([2, 2, 4, 3]), rng.choice([0, 2, 2, 4])
    )
    text = "\n".join([*rng.choice([[], ["# header"], ["# header", ""], ["---"]]), *lines]) + "\n"
    if rng.random() < 0.1 and lines[-1][-3:] != "end":
        text = text.rstrip("\n")
    if rng.random() < 0.1:
        text += "\n# the end\n"
    if rng.random() < 0.15:
        text = text.replace("\n", "\r\n")
    return ("\ufeff" if rng.random() < 0.1 else "") + text


VALUES = st.recursive(
    st.one_of(
        st.sampled_from(HOSTILE),
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(
            st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"),
            max_size=20,
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS, "new", "a: b", "- a", "*a", "", "x\ny"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def unread(text: str, path: NodePath) -> list[str]:
    """The lines of a text that are not of the entry at a path.

    Neither blank, nor its own comments.
    """
    body = text.removeprefix("\ufeff")
    layout = parse_layout(body)
    node = layout.root
    entry = None
    for part in path:
        entry = next(
            found
            for index, found in enumerate(node.entries)
            if part == (found.key.text if found.key else index)
        )
        node = entry.value
    first, last = (
        (-1, -1)
        if entry is None
        else (
            body.count("\n", 0, entry.start),
            body.count("\n", 0, max(entry.value.end, entry.start)),
        )
    )
    return [
        line
        for index, line in enumerate(body.split("\n"))
        if not first <= index <= last and line.strip() and not line.lstrip().startswith("#")
    ]


SEEDS = st.integers(0, 10**9)


def checked(before: str, after: str, expected: Any) -> None:
    """The text reads as expected, and has the line ends, the mark and the comments' lines of the
    one before.
    """
    assert same(read(after), expected), f"\n{before}\n=====\n{after}"
    assert after.startswith("\ufeff") == before.startswith("\ufeff")
    if "\r\n" in before:
        assert after.count("\r\n") == after.count("\n")


def comments(text: str) -> list[str]:
    return sorted(
        line.lstrip(" -").rstrip()
        for line in text.removeprefix("\ufeff").splitlines()
        if line.lstrip(" -").startswith("# section")
        or line.startswith(("# left", "# header", "# the end"))
    )


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_a_value_is_set_and_nothing_else(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    value = data.draw(VALUES)
    after = apply_yaml_edits(text, {path: value})
    expected = deepcopy(before)
    at(expected, path[:-1])[path[-1]] = value
    assert read(after) == expected and parse_document(after, "").data == expected
    assert unread(text, path) == unread(after, path), f"\n{text}\n=====\n{after}"


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_an_entry_is_removed(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    after = apply_yaml_edits(text, {path: REMOVE})
    expected = deepcopy(before)
    del at(expected, path[:-1])[path[-1]]
    checked(text, after, expected)
    if not isinstance(at(before, path), dict | list):
        assert [line for line in comments(text) if "section" in line] == [
            line for line in comments(after) if "section" in line
        ]
    if len(entries_of(at(before, path[:-1]))) > 1:
        left = [line for line in (line.strip().lstrip("- ") for line in unread(text, path)) if line]
        rest = iter(line.strip().lstrip("- ") for line in unread(after, ()))
        assert all(line in rest for line in left), f"\n{text}\n=====\n{after}"


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_an_entry_is_put_in(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(
        st.sampled_from(
            [(), *(path for path in places(before) if isinstance(at(before, path), dict | list))]
        )
    )
    entries = entries_of(at(before, path))
    position, value = data.draw(st.integers(0, len(entries))), data.draw(VALUES)
    key = (
        data.draw(st.sampled_from(["new", "a: b", "007", "- x", "*a", "{", ""]))
        if isinstance(at(before, path), dict)
        else None
    )
    after = insert_yaml_entry(text, path, position, value, key)
    expected = with_entries(
        deepcopy(before), path, [*entries[:position], (key, value), *entries[position:]]
    )
    checked(text, after, expected)
    lines = iter(after.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"))
    is_plain = not any(bracket in text for bracket in "[{") and not (
        path and at(before, path[:-1]) is list
    )
    if is_plain and entries and position:
        assert all(
            any(line == other for other in lines)
            for line in text.removeprefix("\ufeff").replace("\r\n", "\n").rstrip("\n").split("\n")
        ), f"\n{text}\n=====\n{after}"
    assert comments(text) == comments(after)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_an_entry_is_moved(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    entries = entries_of(at(before, path[:-1]))
    position = data.draw(st.integers(0, len(entries) - 1))
    index = [key for key, _ in entries].index(path[-1])
    after = move_yaml_entry(text, path, position)
    entries.insert(position, entries.pop(index))
    checked(text, after, with_entries(deepcopy(before), path[:-1], entries))
    assert sorted("".join(after.split())) == sorted("".join(text.split()))
    assert len(after.splitlines()) == len(text.splitlines()) and comments(text) == comments(after)
    if position == index:
        assert after == text


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_an_entry_is_copied(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(st.sampled_from(list(places(before))))
    entries = entries_of(at(before, path[:-1]))
    index = [key for key, _ in entries].index(path[-1])
    key = data.draw(st.sampled_from(["new", "a: b", "007"])) if isinstance(path[-1], str) else None
    after = duplicate_yaml_entry(text, path, key)
    entries.insert(index + 1, (key, entries[index][1]))
    checked(text, after, with_entries(deepcopy(before), path[:-1], entries))
    if not isinstance(at(before, path), dict | list):
        assert comments(text) == comments(after)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.data())
def test_a_key_is_renamed(seed: int, data: st.DataObject) -> None:
    text = file_of(seed)
    before = read(text)
    path = data.draw(
        st.sampled_from([path for path in places(before) if isinstance(path[-1], str)])
    )
    name = data.draw(
        st.sampled_from(["new", "a: b", "007", "- x", "é", "*a", "{", "", "x\ny", "#", "'", "no"])
    )
    entries = entries_of(at(before, path[:-1]))
    if name != path[-1] and name in dict(entries):
        with pytest.raises(BadInput):
            rename_yaml_key(text, path, name)
        return
    after = rename_yaml_key(text, path, name)
    checked(
        text,
        after,
        with_entries(
            deepcopy(before),
            path[:-1],
            [(name if key == path[-1] else key, value) for key, value in entries],
        ),
    )
    went = [
        number
        for number, (old, new) in enumerate(zip(text.split("\n"), after.split("\n"), strict=True))
        if old != new
    ]
    assert len(went) <= 1


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.data())
def test_an_outline_has_the_way_and_is_put_back(seed: int, data: st.DataObject) -> None:
    text = file_of(seed).removeprefix("\ufeff").replace("\r\n", "\n")
    path = data.draw(st.sampled_from(list(places(read(text)))))
    short = build_outline(text, path)
    assert has_plain_indentation(text) and short.restore(short.text) == text
    assert same(at(read(short.text), path), at(read(text), path))


# --------------------------------------------------------------------------------------------------
# values are untrusted

PLACES: list[NodePath] = [
    ("info", "title"),
    ("info", "note"),
    ("info", "text"),
    ("tags", 0),
    ("flow", "a"),
    ("flow", "b", 1),
    ("rules", 0, "name"),
    ("rules", 1),
    ("empty",),
    ("info", "new"),
    ("tags", 2),
]
FORM = """\
info:
    title: plain   # the title
    note: 'quoted'
    text: |
        a
        b
tags:
- a
- "b"   # second
flow: {a: x, b: [1, 2]}
rules:
- name: first
  # own
  type: sql
- two
empty:
last: 1
"""
ANY = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff")),
    st.text(st.sampled_from("ab \n\t:-#'\"\\{}[],&*!|>%@`?=<~.0"), max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), ANY)
def test_no_text_breaks_out_of_its_place(path: NodePath, value: str) -> None:
    expected = read(FORM)
    parent, last = at(expected, path[:-1]), path[-1]
    if isinstance(parent, list) and last == len(parent):
        parent.append(value)
    else:
        parent[last] = value
    after = apply_yaml_edits(FORM, {path: value})
    assert same(read(after), expected), after
    assert all(line in after.split("\n") for line in unread(after, path))
    assert [line for line in FORM.split("\n") if "#" in line and "own" in line] == [
        line for line in after.split("\n") if line == "  # own"
    ]


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    for path in (("info", "title"), ("flow", "a"), ("rules", 0, "name"), ("info",)):
        if name == "<<":
            with pytest.raises(BadInput):
                rename_yaml_key(FORM, path, name)
        elif name not in at(read(FORM), path[:-1]):
            entries = [
                (name if key == path[-1] else key, value)
                for key, value in at(read(FORM), path[:-1]).items()
            ]
            assert same(
                read(rename_yaml_key(FORM, path, name)),
                with_entries(read(FORM), path[:-1], entries),
            )


@pytest.mark.parametrize("character", [*"\0\x07\x1b\x7f\x80\x9f", "\ud800", "\uffff"])
def test_what_yaml_cannot_carry_is_refused_by_name(character: str) -> None:
    with pytest.raises(BadInput) as refused:
        apply_yaml_edits(
            FORM,
            {
                ("info", "title"): f"a{character}",
                ("tags", 0): {"x": [character]},
                ("tags", 9): 1,
                ("info", character): 1,
            },
        )
    assert [(fault.code, fault.path) for fault in refused.value.faults][:3] == [
        ("edit-unwritable", "$.info.title"),
        ("edit-unwritable", "$.tags[0].x[0]"),
        ("edit-no-place", "$.tags[9]"),
    ]
    assert len(refused.value.faults) == 4
    for attempt in (
        lambda: rename_yaml_key(FORM, ("info",), character),
        lambda: insert_yaml_entry(FORM, ("info",), 0, 1, character),
        lambda: duplicate_yaml_entry(FORM, ("info",), character),
    ):
        with pytest.raises(BadInput):
            attempt()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), {1: 2}, b"x", {"<<": {}}, 10**120]
)
def test_a_value_that_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        apply_yaml_edits(FORM, {("info", "title"): value})


# --------------------------------------------------------------------------------------------------
# what a reviewer sees


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("007", "title: '007'"),
        ("no", "title: 'no'"),
        ("1.10", "title: '1.10'"),
        ("2024-01-01", "title: '2024-01-01'"),
        ("a: b", "title: 'a: b'"),
        ("# x", "title: '# x'"),
        (" a ", "title: ' a '"),
        ("decimal(18,2)", "title: decimal(18,2)"),
        ("Conta é sua", "title: Conta é sua"),
        ("1.2.0", "title: 1.2.0"),
        (Decimal("1.10"), "title: 1.10"),
        (0.1, "title: 0.1"),
        (True, "title: true"),
        (None, "title: null"),
        ([], "title: []"),
    ],
)
def test_a_value_is_written_as_somebody_would(value: Any, line: str) -> None:
    assert apply_yaml_edits(FORM, {("info", "title"): value}) == FORM.replace(
        "title: plain ", f"{line} "
    )


def test_styles_are_kept() -> None:
    assert apply_yaml_edits(FORM, {("info", "note"): "it's"}) == FORM.replace("'quoted'", "'it''s'")
    assert apply_yaml_edits(FORM, {("info", "text"): "a\nc\n"}) == FORM.replace(
        "        b\n", "        c\n"
    )
    assert apply_yaml_edits(FORM, {("info", "text"): "one"}) == FORM.replace(
        "text: |\n        a\n        b\n", "text: |-\n        one\n"
    )
    assert apply_yaml_edits(FORM, {("info", "title"): "one\ntwo\n"}) == FORM.replace(
        "title: plain   # the title", "title: |   # the title\n        one\n        two"
    )
    assert apply_yaml_edits(FORM, {("flow", "b"): ["x", "y, z"]}) == FORM.replace(
        "b: [1, 2]", "b: [x, 'y, z']"
    )
    folded = "a: >-   # why\n    Whether it is open,\n    or it is closed.\nb: 1\n"
    assert apply_yaml_edits(
        folded, {("a",): "Whether it is open, or it is gone."}
    ) == folded.replace("closed", "gone")


def test_new_values_have_the_indentation_of_the_file() -> None:
    field = {
        "type": "string",
        "enum": ["a", "no"],
        "quality": [{"type": "sql", "query": "SELECT 1\nFROM t"}],
        "tags": [],
    }
    four = insert_yaml_entry(
        "a:\n    b:\n    - 1\nfields:\n    id: {}\n", ("fields",), 1, field, "status"
    )
    assert four.endswith("""\
    id: {}
    status:
        type: string
        enum:
        - a
        - "no"
        quality:
        - type: sql
          query: |-
              SELECT 1
              FROM t
        tags: []
""")
    assert (
        insert_yaml_entry("a: 1\n", ("b", "c"), 0, field["quality"][0])
        == "a: 1\nb:\n  c:\n    - type: sql\n      query: |-\n        SELECT 1\n        FROM t\n"
    )


SECTIONS = """\
# The contract, for everybody.
id: a

# ---- models ----

# the accounts
account:   # by id
  type: table
  # inner

# the cards
card:
  type: table

# ---- the rest ----

tags:   # all
- x   # one
# of two
- y
"""


def test_comments_go_with_their_entry_and_sections_stay() -> None:
    account = "# the accounts\naccount:   # by id\n  type: table\n  # inner"
    card = "# the cards\ncard:\n  type: table"
    assert move_yaml_entry(SECTIONS, ("card",), 1) == SECTIONS.replace(account, "1").replace(
        card, account
    ).replace("1\n\n", card + "\n\n", 1).replace("id: a", "id: a")
    assert apply_yaml_edits(SECTIONS, {("account",): REMOVE}) == SECTIONS.replace(
        account + "\n\n", ""
    )
    assert apply_yaml_edits(SECTIONS, {("card",): REMOVE}) == SECTIONS.replace(card + "\n\n", "")
    assert apply_yaml_edits(SECTIONS, {("tags", 1): REMOVE}) == SECTIONS.replace(
        "# of two\n- y\n", ""
    )
    assert move_yaml_entry(SECTIONS, ("tags", 1), 0) == SECTIONS.replace(
        "- x   # one\n# of two\n- y", "# of two\n- y\n- x   # one"
    )
    assert apply_yaml_edits(
        SECTIONS, {("tags", 1): REMOVE, ("tags", 0): REMOVE}
    ) == SECTIONS.replace("tags:   # all\n- x   # one\n# of two\n- y\n", "tags: []   # all\n")
    assert duplicate_yaml_entry(SECTIONS, ("account",), "loan") == SECTIONS.replace(
        account, account + "\nloan:   # by id\n  type: table\n  # inner"
    )
    assert rename_yaml_key(SECTIONS, ("account",), "loan") == SECTIONS.replace("account:", "loan:")
    assert move_yaml_entry(SECTIONS, ("id",), 1).startswith(
        "# The contract, for everybody.\n# the accounts\naccount:"
    )


def test_a_list_or_mapping_that_is_set_changes_where_it_differs() -> None:
    text = (
        "enum:   # all\n  - a   # first\n  # the second\n  - b\n  - c   # third\nof: {x: 1, y: 2}\n"
    )
    assert apply_yaml_edits(text, {("enum",): ["a", "b", "new", "c"]}) == text.replace(
        "  - b\n", "  - b\n  - new\n"
    )
    assert apply_yaml_edits(text, {("enum",): ["a", "c"]}) == text.replace(
        "  # the second\n  - b\n", ""
    )
    assert apply_yaml_edits(text, {("of",): {"x": 1, "y": 3, "z": [4]}}) == text.replace(
        "y: 2", "y: 3, z: [4]"
    )


def test_entries_within_brackets() -> None:
    text = "a: {x: 1, y: [p, q], z: }   # note\nb: [\n  one,   # first\n  two,\n]\nc: [k: v, w]\n"
    assert move_yaml_entry(text, ("a", "y"), 0) == text.replace(
        "x: 1, y: [p, q]", "y: [p, q], x: 1"
    )
    assert apply_yaml_edits(text, {("a", "x"): REMOVE, ("a", "z"): 2}) == text.replace(
        "{x: 1, y: [p, q], z: }", "{y: [p, q], z: 2 }"
    )
    assert insert_yaml_entry(text, ("b",), 1, "new") == text.replace("  two,\n", "  new,\n  two,\n")
    assert apply_yaml_edits(text, {("b", 1): REMOVE}).startswith(text[: text.index("  two")])
    assert duplicate_yaml_entry(text, ("a", "y"), "w") == text.replace(
        "y: [p, q]", "y: [p, q], w: [p, q]"
    )
    assert rename_yaml_key(text, ("a", "y"), "a b") == text.replace("y: [p", "a b: [p")
    with pytest.raises(BadInput) as refused:
        insert_yaml_entry(text, ("c", 0), 1, 1, "new")
    assert refused.value.faults[0].code == "edit-not-possible"


ANCHORS = """\
base: &base   # shared
  type: string
  required: true
kind: &kind varchar
fields:
  id:
    <<: *base   # as all
    type: long
  name: *base
  code: {type: *kind}
"""


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (
            lambda text: apply_yaml_edits(text, {("base", "type"): "int"}),
            lambda data: data["base"].update(type="int"),
        ),
        (lambda text: apply_yaml_edits(text, {("base",): REMOVE}), lambda data: data.pop("base")),
        (lambda text: apply_yaml_edits(text, {("kind",): "x"}), lambda data: data.update(kind="x")),
        (lambda text: apply_yaml_edits(text, {("kind",): REMOVE}), lambda data: data.pop("kind")),
        (
            lambda text: apply_yaml_edits(text, {("fields", "name", "type"): "int"}),
            lambda data: data["fields"]["name"].update(type="int"),
        ),
        (
            lambda text: apply_yaml_edits(text, {("fields", "id", "required"): REMOVE}),
            lambda data: data["fields"]["id"].pop("required"),
        ),
        (
            lambda text: apply_yaml_edits(text, {("fields", "id", "type"): "int"}),
            lambda data: data["fields"]["id"].update(type="int"),
        ),
        (
            lambda text: apply_yaml_edits(text, {("fields", "code", "type"): "int"}),
            lambda data: data["fields"]["code"].update(type="int"),
        ),
        (
            lambda text: duplicate_yaml_entry(text, ("base",), "new"),
            lambda data: data.update(new=deepcopy(data["base"])),
        ),
        (
            lambda text: duplicate_yaml_entry(text, ("fields", "id"), "new"),
            lambda data: data["fields"].update(new=deepcopy(data["fields"]["id"])),
        ),
        (lambda text: move_yaml_entry(text, ("base",), 2), lambda data: None),
        (
            lambda text: rename_yaml_key(text, ("fields", "name"), "new"),
            lambda data: data["fields"].update(new=data["fields"].pop("name")),
        ),
        (
            lambda text: insert_yaml_entry(text, ("fields", "name"), 0, 1, "new"),
            lambda data: data["fields"]["name"].update(new=1),
        ),
    ],
)
def test_an_edit_changes_nothing_of_those_who_share_a_value(edit: Any, change: Any) -> None:
    expected = json.loads(json.dumps(read(ANCHORS)))
    change(expected)
    assert read(edit(ANCHORS)) == expected, edit(ANCHORS)
    assert read(edit(ANCHORS.replace("\n", "\r\n"))) == expected


SHARED = (
    "base: &x\n  q: &y one   # c\n  r: [2]\n",
    "use1: *x\nuse2:\n  <<: *x   # m\n  own: *y\nuse3: [*x, {s: *y}]\n",
)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.data())
def test_any_edit_among_anchors_changes_its_own_path(seed: int, data: st.DataObject) -> None:
    body = file_of(seed).removeprefix("\ufeff").replace("\r\n", "\n").removeprefix("---\n")
    text = SHARED[0] + body + ("" if body.endswith("\n") else "\n") + SHARED[1]
    before = json.loads(json.dumps(read(text)))
    path = data.draw(
        st.sampled_from(
            [path for path in places(before) if path[0] in ("base", "use1", "use2", "use3")]
        )
    )
    entries = entries_of(at(before, path[:-1]))
    index, position = (
        [key for key, _ in entries].index(path[-1]),
        data.draw(st.integers(0, len(entries) - 1)),
    )
    key = "new" if isinstance(path[-1], str) else None
    expected = deepcopy(before)
    at(expected, path[:-1])[path[-1]] = "x"
    assert read(apply_yaml_edits(text, {path: "x"})) == expected
    expected = deepcopy(before)
    del at(expected, path[:-1])[path[-1]]
    assert same(read(apply_yaml_edits(text, {path: REMOVE})), expected)
    copied = [*entries[: index + 1], (key, entries[index][1]), *entries[index + 1 :]]
    assert same(
        read(duplicate_yaml_entry(text, path, key)),
        with_entries(deepcopy(before), path[:-1], copied),
    )
    entries.insert(position, entries.pop(index))
    assert same(
        read(move_yaml_entry(text, path, position)),
        with_entries(deepcopy(before), path[:-1], entries),
    )


def test_an_edit_beside_anchors_leaves_them() -> None:
    assert apply_yaml_edits(ANCHORS, {("fields", "id", "type"): "int"}) == ANCHORS.replace(
        "type: long", "type: int"
    )
    assert move_yaml_entry(ANCHORS, ("fields", "code"), 0).count("*") == 3


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda: rename_yaml_key(SECTIONS, ("nothing",), "x"), "edit-no-place"),
        (lambda: rename_yaml_key(SECTIONS, ("tags", 0), "x"), "edit-no-place"),
        (lambda: rename_yaml_key(SECTIONS, ("id",), "card"), "edit-name-exists"),
        (lambda: insert_yaml_entry(SECTIONS, ("tags",), 3, "x"), "edit-no-place"),
        (lambda: insert_yaml_entry(SECTIONS, ("tags",), 0, "x", "key"), "edit-no-place"),
        (lambda: insert_yaml_entry(SECTIONS, ("card",), 0, "x"), "edit-no-place"),
        (lambda: insert_yaml_entry(SECTIONS, ("card",), 0, "x", "type"), "edit-name-exists"),
        (lambda: insert_yaml_entry(SECTIONS, ("id",), 0, "x"), "edit-no-place"),
        (lambda: insert_yaml_entry(SECTIONS, ("new",), 1, "x"), "edit-no-place"),
        (lambda: move_yaml_entry(SECTIONS, ("card",), 4), "edit-no-place"),
        (lambda: move_yaml_entry(SECTIONS, ("nothing",), 0), "edit-no-place"),
        (lambda: move_yaml_entry(SECTIONS, (), 0), "edit-no-place"),
        (lambda: duplicate_yaml_entry(SECTIONS, ("card",)), "edit-no-place"),
        (lambda: duplicate_yaml_entry(SECTIONS, ("card",), "id"), "edit-name-exists"),
        (lambda: duplicate_yaml_entry(SECTIONS, ("tags", 0), "x"), "edit-no-place"),
        (lambda: apply_yaml_edits(SECTIONS, {(): 1}), "edit-no-place"),
        (lambda: apply_yaml_edits(SECTIONS, {("tags", -1): 1}), "edit-no-place"),
        (lambda: apply_yaml_edits(SECTIONS, {("card", 0): 1}), "edit-no-place"),
        (lambda: apply_yaml_edits(SECTIONS, {("card", "new"): REMOVE}), "edit-no-place"),
        (lambda: rename_yaml_key("a: [1\n", ("a",), "x"), "yaml-syntax"),
        (lambda: move_yaml_entry("a: 1\nb: {c: 1, c: 2}\n", ("a",), 0), "yaml-duplicate-key"),
    ],
)
def test_what_cannot_be_done_is_a_fault(edit: Any, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        edit()
    assert [fault.code for fault in refused.value.faults] == [code]


# --------------------------------------------------------------------------------------------------
# real files, odd files, large files


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
def test_every_place_of_a_sample_is_edited(file: Path, ending: str) -> None:
    text = file.read_text(encoding="utf-8").replace("\n", ending)
    before = read(text)
    lines = text.split("\n")
    rng = random.Random(1)
    every = list(places(before))
    for path in rng.sample(every, min(40, len(every))):
        after = (
            apply_yaml_edits(text, {path: "another, value"})
            if not isinstance(at(before, path), dict | list)
            else text
        )
        assert at(read(after), path) == ("another, value" if after != text else at(before, path))
        went = [line for line in after.split("\n") if line not in lines]
        assert len(went) <= 2 and (isinstance(at(before, path), dict | list) or after != text)
        entries = entries_of(at(before, path[:-1]))
        position = rng.randrange(len(entries))
        assert same(
            at(read(move_yaml_entry(text, path, position)), path[:-1]),
            reordered(before, path, position),
        )
        assert (
            sorted(move_yaml_entry(text, path, position).replace("- ", "  ").splitlines())
            == sorted(text.replace("- ", "  ").splitlines())
            or "{" in text
            or "[" in text
        )
        copy = duplicate_yaml_entry(text, path, "the_copy" if isinstance(path[-1], str) else None)
        place = (*path[:-1], "the_copy" if isinstance(path[-1], str) else path[-1] + 1)
        assert (
            same(at(read(copy), place), at(before, path))
            and read(apply_yaml_edits(copy, {place: REMOVE})) == before
        )


def reordered(data: Any, path: NodePath, position: int) -> Any:
    """The collection of a path with its entry moved."""
    entries = entries_of(at(data, path[:-1]))
    index = [key for key, _ in entries].index(path[-1])
    entries.insert(position, entries.pop(index))
    return (
        dict(entries) if isinstance(at(data, path[:-1]), dict) else [value for _, value in entries]
    )


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        ("a: 1\nb: |\n  x", lambda text: move_yaml_entry(text, ("a",), 1), None),
        (
            "a: 'x\n\nb: y'\nb: 2\n",
            lambda text: apply_yaml_edits(text, {("b",): 3}),
            "a: 'x\n\nb: y'\nb: 3\n",
        ),
        (
            "m:\n  a:\n    d: 'x\n  b:\n    y'\n  b: 1\n",
            lambda text: apply_yaml_edits(text, {("m", "b"): 2}),
            "m:\n  a:\n    d: 'x\n  b:\n    y'\n  b: 2\n",
        ),
        (
            "a: {b: [\n1,\n2]}\nc: 1\n",
            lambda text: rename_yaml_key(text, ("c",), "d"),
            "a: {b: [\n1,\n2]}\nd: 1\n",
        ),
        (
            "a: |+\n  x\n\n\nb: 1\n",
            lambda text: move_yaml_entry(text, ("b",), 0),
            "b: 1\na: |+\n  x\n\n\n",
        ),
        ("? a\n: 1\nb: 1\n", lambda text: apply_yaml_edits(text, {("b",): 2}), None),
        (
            "a:\r\n  b: 1\nc: 1\r\n",
            lambda text: apply_yaml_edits(text, {("a", "b"): 2}),
            "a:\r\n  b: 2\nc: 1\r\n",
        ),
        (
            "{a: 1, b: [2]}\n",
            lambda text: insert_yaml_entry(text, ("b",), 1, 3),
            "{a: 1, b: [2, 3]}\n",
        ),
        ("{}\n", lambda text: insert_yaml_entry(text, ("b",), 0, "x"), "b:\n  - x\n"),
        ("--- {}\n", lambda text: insert_yaml_entry(text, (), 0, "x", "b"), "--- {b: x}\n"),
        ("a: 1", lambda text: apply_yaml_edits(text, {("b",): 1}), "a: 1\nb: 1"),
        ("a: 1", lambda text: apply_yaml_edits(text, {("a",): REMOVE}), "{}"),
        ("a: 1\n...\n", lambda text: apply_yaml_edits(text, {("b",): 1}), "a: 1\nb: 1\n...\n"),
        (
            "%YAML 1.1\n---\na: 1\n",
            lambda text: apply_yaml_edits(text, {("b",): 1}),
            "%YAML 1.1\n---\na: 1\nb: 1\n",
        ),
        ("a: !!str 1\n", lambda text: apply_yaml_edits(text, {("a",): 2}), "a: 2\n"),
        ("\ufeffa: 1\r\nb: 1", lambda text: move_yaml_entry(text, ("a",), 1), "\ufeffb: 1\r\na: 1"),
        (
            "fields:\n",
            lambda text: apply_yaml_edits(text, {("fields", "id", "type"): "long"}),
            "fields:\n  id:\n    type: long\n",
        ),
        ("- a\n", None, None),
    ],
)
def test_odd_files(text: str, edit: Any, after: str | None) -> None:
    if edit is None:
        return
    try:
        made = edit(text)
    except BadInput as error:
        assert after is None and [fault.code for fault in error.faults] == ["edit-not-possible"]
        return
    assert after is None or made == after
    read(made)


def test_deep_nesting() -> None:
    path: NodePath = tuple(f"k{level}" if level % 2 else 0 for level in range(1, 60))
    text = apply_yaml_edits("k1:\n", {("k1",): [1]})
    value: Any = 1
    for part in reversed(path[1:]):
        value = [value] if part == 0 else {part: value}
    text = apply_yaml_edits("k1: 1\n", {("k1",): value})
    assert at(read(apply_yaml_edits(text, {path: "x: y"})), path) == "x: y"
    assert apply_yaml_edits(text, {path: 2}) == text.replace(": 1\n", ": 2\n")


def large(models: int = 100, fields: int = 50) -> str:
    """A contract of 25,000 lines."""
    lines = [
        "# large",
        "dataContractSpecification: 1.1.0",
        "id: urn:x",
        "info:",
        "  title: Large",
        "  version: 1.0.0",
        "",
        "models:",
    ]
    for model in range(models):
        lines += [f"  # model {model}", f"  model_{model}:", "    type: table", "    fields:"]
        for field in range(fields):
            lines += [
                f"      field_{field}:",
                "        type: string",
                f'        description: "What {field} of {model} is: a text."',
                "        required: true   # always",
                "        enum: [a, b]",
            ]
        lines += [""]
    return "\n".join([*lines, "terms:", "  usage: none", ""])


def test_an_edit_of_a_large_file_is_quick_and_small() -> None:
    text = large()
    lines = text.split("\n")
    field: NodePath = ("models", "model_70", "fields", "field_30")
    edits: list[tuple[Any, int]] = [
        (lambda: apply_yaml_edits(text, {(*field, "type"): "long"}), 1),
        (lambda: apply_yaml_edits(text, {(*field, "enum"): ["a", "c"]}), 1),
        (lambda: apply_yaml_edits(text, {field: REMOVE}), 0),
        (lambda: rename_yaml_key(text, ("models", "model_70"), "other"), 1),
        (lambda: insert_yaml_entry(text, ("models",), 70, {"type": "table"}, "new"), 1),
        (lambda: move_yaml_entry(text, field, 3), 0),
        (lambda: duplicate_yaml_entry(text, field, "copy"), 1),
    ]
    apply_yaml_edits(text, {})  # the first reads all of it
    for edit, new in edits:
        started = time.process_time()
        after = edit()
        assert time.process_time() - started < 0.5  # a hundredth, on a machine that is not busy
        assert len(set(after.split("\n")) - set(lines)) == new
        parse_document(after, "")
