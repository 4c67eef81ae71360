"""A pattern is bounded before it runs.

What explodes is refused, what people write stays, and no value ends the session.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from re import _parser as reader  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from datamaster_kit.cli.main import app
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint_file
from datamaster_kit.contract.quality.predicates import VALUE_FORMAT_PATTERNS, match_predicate
from datamaster_kit.contract.sql.pattern_properties import JAVA_PROPERTIES, SCRIPT_NAMES
from datamaster_kit.contract.sql.pattern_steps import ExplodingPatternError
from datamaster_kit.contract.sql.patterns import (
    judge_java_pattern,
    longest_matched_length,
    python_pattern,
    safe_java_pattern,
)

EXPONENTIAL = [
    "(a+)+$",
    "^(a*)*b",
    "^(a|a)*b",
    "^(a|aa)+$",
    "^(aa?)*b",
    "(a|a?)+$",
    r"^(\d+)*x",
    r"^(\w+\s?)*$",
    "([a-z]*)*",
    "(x|(y+))*",
    "^(x+x+)+y",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^(([a-z]+)*)+\d",
    "^(a*b*)*c",
    "^(a?b?)*c",
    "^(ab|a|b)*c",
    r"(\s*\w*)*!",
    "^(.*)*x",
    "^(.+)+x",
    "^(.|a)*x",
    r"^([\w.]+)*@",
    r"^\w+([.-]?\w+)*@\w+([.-]?\w+)*(\.\w{2,3})+$",
    r"^(([0-9a-zA-Z]([-.\w]*[0-9a-zA-Z])*)+)@x",
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|"
    r"([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
    "^([a-z]{1,30}){1,30}[0-9]$",
    "^(a{1,9}){1,9}b",
    "^((a|b)+c?)+d",
    r"^(\([^)]*\)|[^(]*)*$",
    "^(?:a+)+b",
    "^(?:(?:a+)b?)+c",
    r"^((\d|\w)+,?)*x",
    "(?i)^(a|A)*b",
    "^([^,]|[^;])*!",
    r"^(\p{L}|a)*1",
    r"^(\p{L}|é)*1",
    r"^(\p{L}+\p{Lu}+)*1",
    r"^(\P{L}+ ?)*x",
    r"(?i)^(\p{Lu}|a)*1",
    r"^(\p{S}+\$)+!",
    r"^([\p{Nd}]+7?)*x",
    r"^([\p{L}]|\w)*!",
    "^(a*?)*b",
    "^(a+?)+b",
    "^(a?){64}a{64}$",
    "^((ab)*(ab)*)*c",
    r"^(?=(a+)+$)b",
    r"^(?!(\w+)+$).*",
]
POLYNOMIAL = [
    r"^\s*.*\s*$",
    "^.*a.*b.*c$",
    r"^.+@.+\..+$",
    r".*@.*\..*",
    r"^\d*\d*\d*x",
    r"^\w*\w+\w?\w*!",
    "^a*a*a*a*b",
    "a*a*a*b",
    r"\s*\s*\s+$",
    r"^[^x]*\w*\s*\w*$",
    r"^.*,.*,.*,.*$",
    "x*y?x*y?x*z",
    r"^\d+.*\d+.*\d+$",
    r"^[ab]*[bc]*[cb]*[b]*d",
    r"^\S*\w*\S*\w*!",
    r"^(\w+,?\w+,?\w+,?)x",
    r"^.*?:.*?:.*?:x",
    r"(.*)(.*)(.*)x",
    r"^a.*b.*c.*d.*$",
    r"^<.*>.*<.*/.*>$",
    r"^.*-.*-.*-.*$",
    r"\d+\d+\d+$",
    r"^[\w.-]*[\w.-]*[\w.-]*@",
    r"^(.*)x?(.*)x?(.*)y",
    r"^(?=.*a.*b.*c).*x.*y$",
    r"^\s*\w*\s*\w*\s*\w*\s*$(?!x)",
    r"^.{0,999}.{0,999}.{0,999}x",
    r"^[0-9]{0,400}[0-9]{0,400}[0-9]{0,400}z",
    r"[a-z]*[a-z0-9]*[0-9a-z]*!",
    r"^(\s|\t)?\s*\s*.\s*x",
    r"^([^:]*):?([^:]*):?([^:]*):?([^:]*)!",
    r"(?s)^.*\n.*\n.*\n$",
    r"^\D*\W*\D*5",
    r"^.*[aeiou].*[aeiou].*$",
    r"^[^a]*[^b]*[^c]*[^d]*abcd",
    r"\w+\W*\w+\W*\w+!$",
    r".*[0-9].*[A-Z].*x",
    r"^([a-z]*) ?([a-z]*) ?([a-z]*) ?!$",
    r"a+a+$a+",
    r"^x*x*x*x*x*$",
    r"\.*\.*\.*\w\.*,",
]
REFERENCES = [
    f"{before}{group}{between}\\{number}{after}"
    for before in ("^", "")
    for group, number in (
        ("(a*)", 1),
        (r"(\w+)", 1),
        ("(.)", 1),
        ("(?<x>[ab]+)", "k<x>"),
        ("(a)(b*)", 2),
    )
    for between, after in (("", "$"), (".*", "b"), ("-", ""), ("+", "x"))
]
ORDINARY = [
    "^[A-Z]{3}$",
    r"^\d{3}$",
    r"^[a-z0-9]{8}-[a-z0-9]{4}$",
    r"^\d{8,20}$",
    "^N[1-9][0-9A-Z]{0,4}$",
    "^[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+$",
    r"^C-[A-Z]{2}\d{4}$",
    "^[MN][AB]$",
    r"^(?!00)\d{3}$",
    r"^[^\d\s]{2,5}$",
    "^a|b$",
    "^(?:[A-F0-9]{2}:){5}[A-F0-9]{2}$",
    r"^\w+@\w+\.(com|org)$",
    r"(?i)^x.y$",
    r"^\p{Lu}\p{Ll}+$",
    r"^\bA\b.*$",
    "x",
    r"\d+",
    "^.*$",
    ".+",
    r"^\s*$",
    r"^\S+$",
    r"^\S+(\s+\S+)*$",
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$",
    r"^([a-zA-Z0-9_\-\.]+)@([a-zA-Z0-9_\-\.]+)\.([a-zA-Z]{2,5})$",
    r"^[^@]+@[^@]+$",
    r"^\+?[1-9]\d{1,14}$",
    r"^\+?\d{1,3}[ -]?\(?\d{2,3}\)?[ -]?\d{4,5}[ -]?\d{4}$",
    r"^\(\d{2}\) 9?\d{4}-\d{4}$",
    r"^(\(\d{3}\)|\d{3})[ -]?\d{3}-?\d{4}$",
    r"^\d{3}\.\d{3}\.\d{3}-\d{2}$",
    r"^\d{3}\.?\d{3}\.?\d{3}-?\d{2}$",
    r"^\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}$",
    r"^[A-Z0-9]{2}\.?[A-Z0-9]{3}\.?[A-Z0-9]{3}/?[A-Z0-9]{4}-?\d{2}$",
    r"^[A-Z]{2}\d{2}[A-Z0-9]{4}\d{7}([A-Z0-9]?){0,16}$",
    r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$",
    r"^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$",
    r"^\d{4}-\d{2}-\d{2}$",
    r"^\d{1,2}/\d{1,2}/\d{2,4}$",
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
    r"^([01]?\d|2[0-3]):[0-5]\d$",
    "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$",
    r"^https?://[^\s/$.?#].[^\s]*$",
    r"^(https?|ftp)://[a-z0-9.-]+(:\d+)?(/[^\s]*)?$",
    r"^-?\d+(\.\d+)?$",
    r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$",
    r"^\d{1,3}(,\d{3})*(\.\d{2})?$",
    r"^R?\$? ?\d{1,3}(\.\d{3})*,\d{2}$",
    r"^\d{5}-?\d{3}$",
    r"^\d{5}(-\d{4})?$",
    "^[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}$",
    "^[A-Z]{3}[0-9][0-9A-Z][0-9]{2}$",
    "^#?([a-fA-F0-9]{6}|[a-fA-F0-9]{3})$",
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$",
    r"^v?\d+\.\d+\.\d+(-[\w.]+)?$",
    r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d).{8,}$",
    r"^.{1,255}$",
    "^[A-Za-zÀ-ÿ' -]{1,100}$",
    r"^[^<>]*$",
    "^(ACTIVE|INACTIVE|CLOSED)$",
    "^(Y|N)?$",
    "^(Mon|Tues|Sun)day(,(Mon|Tues|Sun)day)*$",
    r"^(\d{4}[ -]?){3}\d{4}$",
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
    "^urn:[a-z0-9][a-z0-9-]{0,31}:[^ ]+$",
    "^[A-Z][a-z]+( [A-Z][a-z]+)*$",
    r"^s3://[a-z0-9.-]+/.*$",
    "^[01]+$",
    r"^(\+|-)?\d+$",
    "^arn:aws:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+$",
    "^.*[0-9].*$",
    r"^\p{L}+(?: \p{L}+)*$",
    r"^[\p{L}\p{M}']+([ -][\p{L}\p{M}']+)*$",
    r"^\p{N}+(\.\p{N}+)*$",
    r"^\p{IsAlphabetic}+(_\p{IsAlphabetic}+)*$",
]


@pytest.mark.parametrize("pattern", [*EXPONENTIAL, *POLYNOMIAL, *REFERENCES])
def test_a_pattern_whose_time_explodes_is_refused_at_once_and_says_why(pattern: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(ValueError) as raised:
        safe_java_pattern(pattern)
    assert (
        isinstance(raised.value, ExplodingPatternError)
        or "not a regular expression" in str(raised.value)
        or "multiple repeat" in str(raised.value)
    ), raised.value
    assert time.perf_counter() - begun < 10


def test_each_class_of_hostile_patterns_has_forty_and_there_are_sixty_ordinary_ones() -> None:
    assert (
        min(len(set(EXPONENTIAL)), len(set(POLYNOMIAL)), len(set(REFERENCES))) >= 40
        and len(set(ORDINARY)) >= 60
    )


@pytest.mark.parametrize("pattern", ORDINARY)
def test_a_pattern_that_people_write_stays_accepted(pattern: str) -> None:
    assert safe_java_pattern(pattern) and (longest_matched_length(pattern) or 1_000) >= 400


PROPERTIES = [
    "L",
    "Letter",
    "gc=Lu",
    "General_Category=Uppercase_Letter",
    "Decimal_Number",
    "Lowercase",
    "Alphabetic",
    "White_Space",
    "Script=Greek",
    "sc=Grek",
    "script=Latin",
    "Hiragana",
    "IsLatin",
    "IsAlphabetic",
    "IsL",
    "InGreek",
    "javaLowerCase",
    "Alpha",
    "Upper",
    "ASCII",
    "Punct",
    *(f"Script={name}" for name in SCRIPT_NAMES.values()),
    *JAVA_PROPERTIES,
]
OF_JAVA = [
    r"^[^\b]+$",
    r"[\b-z]",
    r"^[\0\/]$",
    r"\0a",
    "^(?i)[a-z]+$",
    r"\A(?is)(?i)x",
    "(?m)^a$",
    "(?m:a$)|b$",
    "a{2147483647}",
    "a{0,2147483647}?",
    r"[&&a]",
    r"[\w-\d]",
    "[a[b]",
    "^]$",
    "^a{$",
    "x{2}+",
    "(?>a|b)c",
    r"[\-a]",
    r"\_\-\/",
    *(
        f"{before}p{{{name}}}{after}"
        for name in PROPERTIES
        for before, after in (("\\", "+"), ("[^\\", "a]"))
    ),
    *(f"^\\P{{{name}}}$" for name in PROPERTIES[:20]),
]
NOT_OF_JAVA = {
    r"\p{Foo}": "Java knows no property 'Foo'",
    r"[\p{Emoji}]": "'Emoji'",
    r"\p{Script=Bogus}": "'Script=Bogus'",
    r"\P{scx=Latin}": "'scx=Latin'",
    r"\p{Leter}": "did you mean 'Letter'?",
    "a{3000000000}": "more than 2,147,483,647",
    "^a{2147483648,}$": "2,147,483,647",
    "a{1,2147483648}": "2,147,483,647",
    r"[\1]": "is not supported",
    r"\U0001F600": "is not supported",
    r"[\U0001F600]": "is not supported",
    r"\112": "is not supported",
    r"\01": "is not supported",
    r"[\N{DIGIT ONE}]": "is not supported",
}


@pytest.mark.spark
def test_java_compiles_whatever_pattern_is_accepted() -> None:
    from pyspark.java_gateway import launch_gateway

    for pattern, reason in NOT_OF_JAVA.items():
        with pytest.raises(ValueError, match=re.escape(reason)):
            safe_java_pattern(pattern)
    gateway = launch_gateway()
    try:
        pieces = [
            "a",
            "[",
            "]",
            "^",
            "$",
            "(",
            ")",
            "(?:",
            "(?=",
            "(?!",
            "(?<n>",
            "(?i)",
            "(?m:",
            "|",
            "*",
            "+",
            "{2}",
            "{",
            r"\d",
            r"\b",
            r"\0",
            r"\1",
            r"\12",
            r"\x41",
            r"\u0041",
            r"\p{L}",
            "&&",
            r"\]",
            r"\-",
            "-",
            r"\Z",
            r"\v",
            r"\é",
            "😀",
            r"\U",
            r"\N",
        ]
        random = Random(7)
        made = ["".join(random.choices(pieces, k=random.randint(1, 6))) for _ in range(1_500)]
        for pattern in [
            *OF_JAVA,
            *ORDINARY,
            *VALUE_FORMAT_PATTERNS.values(),
            *made,
            *(f"[{pattern}]" for pattern in made),
        ]:
            try:
                java = safe_java_pattern(pattern)
            except ValueError:
                assert pattern not in OF_JAVA
                continue
            gateway.jvm.java.util.regex.Pattern.compile(java)
        matches = gateway.jvm.java.util.regex.Pattern.matches
        assert (
            matches(safe_java_pattern(r"[\b]"), "\b")
            and matches(safe_java_pattern(r"\p{Uppercase_Letter}\p{Script=Greek}"), "Éα")
            and not matches(safe_java_pattern(r"\p{Script=Greek}"), "a")
        )
        assert [
            bool(
                gateway.jvm.java.util.regex.Pattern.compile(safe_java_pattern(pattern))
                .matcher("a\nb")
                .find()
            )
            for pattern in ("(?m)^a$", "^a$", "(?m:a$)", "^(?i)A")
        ] == [True, False, True, True]
    finally:
        gateway.shutdown()


LONG_PATTERNS = [
    r"\w{64}" * 40,
    "[ab]" * 2_000,
    "(?:a|b)" * 900,
    r"(?=\w{60})" * 40,
    "(?i)" + "[a-z]" * 1_500,
    "[^a]" * 2_400,
    r"\ba" * 2_000,
    "^" + "[a-z]{1,500}x" * 5,
    "(?:a{0,60}b?){0,40}",
    "(" * 150 + "a" + "){2}" * 150,
    "(?!a)" * 1_500,
    "^(?:" + "|".join([r"\w{20}"] * 100) + ")$",
    "[" + "".join(chr(0x100 + 2 * index) for index in range(4_000)) + "]*x",
]


def test_a_long_pattern_is_judged_in_a_bounded_time() -> None:
    for pattern in LONG_PATTERNS:
        begun = time.process_time()
        try:
            safe_java_pattern(pattern)
        except ExplodingPatternError as error:
            assert (
                "too large to be judged" in str(error)
                or "too many of its parts" in str(error)
                or "parts when" in str(error)
            )
        assert time.process_time() - begun < 8, pattern[:40]


def test_the_address_of_a_page_as_people_write_it_is_accepted() -> None:
    address = (
        r"^(?:https?:\/\/)?(?:www\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,"
        r"6}\b(?:[-a-zA-Z0-9()@:%_+.~#?&/=]*)$"
    )
    assert longest_matched_length(address) == 1_000
    with pytest.raises(ExplodingPatternError):
        safe_java_pattern("^[a-z.]{1,256}[.a-z]{1,256}[a-z.]{1,256}[a-z.]*!")


# What a pattern is made of at random: characters of a small alphabet, so that its texts often match
# nearly.
ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^b]", r"\w", "c"])
MARKS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{}{}".format, ATOMS, MARKS),
        st.builds("({}){}".format, inner, MARKS),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}|{}){}".format, inner, inner, MARKS),
        st.builds("{}{}".format, inner, inner),
        st.builds("(?={}){}".format, inner, inner),
    ),
    max_leaves=8,
)
WHOLE = st.builds(
    "{}{}{}".format, st.sampled_from(["^", ""]), PATTERNS, st.sampled_from(["$", "", "x", "c$"])
)


def python_of(pattern: str) -> str:
    return python_pattern(safe_java_pattern(pattern), "a-zA-Z0-9")


@settings(max_examples=400)
@given(WHOLE, st.lists(st.text(alphabet="abcx", max_size=14), min_size=1, max_size=12))
def test_a_repetition_that_is_made_possessive_matches_the_same_texts(
    pattern: str, texts: list[str]
) -> None:
    try:
        python = python_of(pattern)
    except ValueError:
        return
    original = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert [bool(re.search(python, text, re.ASCII)) for text in texts] == [
        bool(original.search(text)) for text in texts
    ]


class TooManySteps(Exception):
    pass


def steps_taken(pattern: str, text: str) -> int:
    """Search as a backtracking engine does, and count the characters that it takes."""
    taken = 0

    def one(kind: str, value: Any, at: int, then: Callable[[int], bool]) -> bool:
        nonlocal taken
        match kind:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                single = reader.SubPattern(reader.State(), [(getattr(reader, kind), value)])
                fits = at < len(text) and matches_single(single, text[at])
                taken += fits
                if taken > 3_000_000:
                    raise TooManySteps
                return fits and then(at + 1)
            case "AT":
                return (at == 0 if "BEGINNING" in str(value) else at == len(text)) and then(at)
            case "BRANCH":
                return any(sequence(list(item), at, then) for item in value[1])
            case "SUBPATTERN":
                return sequence(list(value[3]), at, then)
            case "ASSERT":
                return sequence(list(value[1]), at, lambda _: True) and then(at)
            case "MAX_REPEAT" | "MIN_REPEAT":
                return repeat(
                    int(value[0]),
                    int(value[1]),
                    list(value[2]),
                    kind == "MIN_REPEAT",
                    0,
                    -1,
                    at,
                    then,
                )
        raise AssertionError(kind)

    def repeat(
        least: int,
        most: int,
        items: list[Any],
        is_lazy: bool,
        count: int,
        since: int,
        at: int,
        then: Callable[[int], bool],
    ) -> bool:
        def more() -> bool:
            return (
                count < most
                and (at > since or count < least)
                and sequence(
                    items,
                    at,
                    lambda end: repeat(least, most, items, is_lazy, count + 1, at, end, then),
                )
            )

        if count < least:
            return more()
        return (then(at) or more()) if is_lazy else (more() or then(at))

    def sequence(items: list[Any], at: int, then: Callable[[int], bool]) -> bool:
        return (
            one(str(items[0][0]), items[0][1], at, lambda end: sequence(items[1:], end, then))
            if items
            else then(at)
        )

    items = list(reader.parse(pattern, re.ASCII))
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        any(sequence(items, start, lambda _: True) for start in range(len(text) + 1))
    finally:
        sys.setrecursionlimit(before)
    return taken


def matches_single(single: Any, character: str) -> bool:
    kind, value = single[0]
    match str(kind):
        case "LITERAL":
            return ord(character) == value
        case "NOT_LITERAL":
            return ord(character) != value
        case "ANY":
            return character != "\n"
    listed = {"CATEGORY_WORD": "abcx"}
    inside = any(
        ord(character) == part
        if str(name) == "LITERAL"
        else character in listed[str(part)]
        if str(name) == "CATEGORY"
        else part[0] <= ord(character) <= part[1]
        for name, part in value
        if str(name) != "NEGATE"
    )
    return inside != any(str(name) == "NEGATE" for name, _ in value)


@settings(max_examples=250)
@given(
    WHOLE, st.text(alphabet="abcx", min_size=1, max_size=3), st.text(alphabet="abcx", max_size=3)
)
def test_no_text_takes_more_steps_than_a_pattern_of_linear_time_may(
    pattern: str, pumped: str, end: str
) -> None:
    python = pattern.replace("$", r"\Z").replace("|", "|(?=)")
    try:
        if judge_java_pattern(pattern.replace("$", r"\z")).longest is not None:
            return
    except (ValueError, re.error):
        return
    # Both are longer than what a bounded repetition of these patterns can take.
    short, long = (steps_taken(python, pumped * count + end) for count in (48, 192))
    assert long <= 6 * max(short, 48), (
        "a text four times as long took more than six times the steps"
    )


CONTRACT = """dataContractSpecification: 1.1.0
id: urn:patterns
info: {title: Patterns, version: 1.0.0}
models:
  account:
    fields:
      id: {type: long, primaryKey: true}
      v: {type: string, FIELD}
workflow: {source: {type: adls, format: csv}}
"""
HELD_UP = [
    "pattern: '^(a|a)*b$', examples: [" + "a" * 38 + ", " + "a" * 43 + "]",
    "pattern: '^(a|a)*b$', enum: [" + "a" * 41 + ", b]",
    "pattern: '^(aa?)*b$', examples: [" + "a" * 87 + "]",
    "pattern: '^([a-z]{1,30}){1,30}[0-9]$', minLength: 20",
    "quality: [{type: library, metric: invalidValues, arguments: {pattern: '^(a|a)*b$'}, "
    "mustBe: 0}]",
]


@pytest.mark.parametrize("field", HELD_UP)
def test_lint_refuses_an_exploding_pattern_at_its_line_with_a_way_out(
    tmp_path: Path, field: str
) -> None:
    (tmp_path / "c.yaml").write_text(CONTRACT.replace("FIELD", field), encoding="utf-8")
    begun = time.perf_counter()
    [fault] = [fault for fault in lint_file(tmp_path / "c.yaml") if fault.severity == "error"]
    assert (
        (fault.code, fault.line) == ("pattern-explodes", 8)
        and "million steps" in fault.message
        and "anchor" in fault.hint
    )
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize("field", HELD_UP)
def test_mock_ends_with_the_fault_of_an_exploding_pattern(tmp_path: Path, field: str) -> None:
    (tmp_path / "c.yaml").write_text(CONTRACT.replace("FIELD", field), encoding="utf-8")
    result = CliRunner().invoke(
        app, ["mock", str(tmp_path / "c.yaml"), "--rows", "50", "--out", str(tmp_path / "out")]
    )
    assert (
        isinstance(result.exception, BadInput)
        and [fault.code for fault in result.exception.faults] == ["pattern-explodes"]
        and not list((tmp_path / "out").glob("**/*.csv"))
    )


LONG = 100_000
HOSTILE = {
    "a mail of many labels": "a@b" + ".c" * (LONG // 2),
    "one letter": "a" * LONG,
    "one letter and an end": "a" * LONG + "!",
    "colons": ":" * LONG,
    "a colon now and then": "ab:" * (LONG // 3),
    "dots": "." * LONG,
    "labels": "a." * (LONG // 2),
    "hyphens": "a-" * (LONG // 2),
    "digits": "1" * LONG,
    "ats": "@" * LONG,
    "a scheme": "a:" + "/" * LONG,
    "blanks": " " * LONG,
    "a line": "a" * LONG + "\n",
    "parts of an address": "25." * (LONG // 3),
    "a time": "12:00:00." + "0" * LONG,
    "a date": "2026-01-01T" + "0" * LONG,
    "zero": "\0" * LONG,
    "an emoji": "\N{GRINNING FACE}" * (LONG // 2),
}
REPEATED = [
    "^(a|ab)*c$",
    r"^(\w|-)*\b",
    "^((a|ab)|(c|cb))+$",
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    r"\w+\s",
    "^(?:(?:(?:(?:a|ab))))*c",
    "^(a|(?=b)b)+x",
    r"^(:|:a)*$",
    "^(cat|dog|a)+$",
]


def test_no_value_of_any_length_ends_the_session_and_it_is_judged_in_time(spark: Any) -> None:
    from pyspark.sql.functions import expr

    rows = (
        spark.createDataFrame(
            [*HOSTILE.items(), ("a short mail", "ana@example.com")], "name string, v string"
        )
        .repartition(2)
        .localCheckpoint()
    )
    wanted = {
        format: match_predicate("v", pattern) for format, pattern in VALUE_FORMAT_PATTERNS.items()
    } | {pattern: match_predicate("v", pattern) for pattern in REPEATED}
    begun = time.perf_counter()
    # Each is there twice, as in ingest, where Spark may judge what it shares before it needs it.
    columns = [
        expr(f"coalesce({predicate}, false)").alias(f"kept{index}")
        for index, predicate in enumerate(wanted.values())
    ]
    columns += [
        expr(f"CASE WHEN NOT ({predicate}) THEN 'broken' END").alias(f"broken{index}")
        for index, predicate in enumerate(wanted.values())
    ]
    found = {row["name"]: row for row in rows.select("name", *columns).collect()}
    assert time.perf_counter() - begun < 60
    kept = {
        name: {rule for index, rule in enumerate(wanted) if row[f"kept{index}"]}
        for name, row in found.items()
    }
    assert "email" in kept["a short mail"] and not any(
        "email" in rules for name, rules in kept.items() if name != "a short mail"
    )
    assert (
        kept["one letter"] == {"^(cat|dog|a)+$"}
        and "uri" in kept["a scheme"]
        and all(len(rules & set(VALUE_FORMAT_PATTERNS)) <= 3 for rules in kept.values())
    )
    assert spark.range(3).count() == 3
