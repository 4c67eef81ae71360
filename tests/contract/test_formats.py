"""Formats with check digits, as Spark executes them, beside python-stdnum.

Valid values, mutated ones and random ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession
from stdnum import bic, iban, lei, luhn
from stdnum.br import cnpj, cpf

from datamaster_kit.contract.model import Field
from datamaster_kit.contract.quality.formats import (
    COUNTRIES,
    CURRENCIES,
    FORMAT_ALIASES,
    FORMAT_REGEXES,
    canonical_format,
    format_predicate,
    valid_format_value,
)
from datamaster_kit.contract.quality.predicates import format_constraint

DIGITS = "0123456789"
LETTERS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORACLES: dict[str, Callable[[str], bool]] = {
    "cpf": cpf.is_valid,
    "cnpj": cnpj.is_valid,
    "iban": lambda text: iban.is_valid(text, check_country=False),
    "bic": bic.is_valid,
    "lei": lei.is_valid,
    "card": lambda text: luhn.is_valid(re.sub("[ -]", "", text)),
    "cep": lambda text: re.fullmatch(r"[0-9]{5}-?[0-9]{3}", text) is not None,
    "currency": lambda text: text in CURRENCIES,
    "country": lambda text: text in COUNTRIES,
}
KNOWN = {
    "cpf": ["111.444.777-35", "11144477735"],
    "cnpj": ["12.ABC.345/01DE-35", "12ABC34501DE35", "11.222.333/0001-81", "00123456000149"],
    "iban": ["GB82WEST12345698765432", "BR1500000000000010932840814P2", "DE89370400440532013000"],
    "bic": ["DEUTDEFF", "ITAUBRSPXXX"],
    "lei": ["5493001KJTIIGC8Y1R12", "213800KUD8LAJWSQ9D15"],
    "card": ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "cep": ["01310-100", "01310100"],
    "currency": ["BRL"],
    "country": ["BR"],
}
WRONG = {
    "cpf": ["00000000000", "1114447773", "111444777-3５", "11144477736\n"],
    "cnpj": ["00123456000189", "00000000000000", "12abc34501de35"],
    "iban": ["GB82WEST1234569876543", "DED4000001393874780819"],
    "bic": ["DEUTABFF", "deutdeff"],
    "lei": ["5493001383390956070"],
    "card": ["0", "4111111111111112", "4111--111111111111"],
    "cep": ["0131-0100"],
    "currency": ["DEM", "brl"],
    "country": ["XX", "br"],
}


def values_of(name: str) -> list[str]:
    """Return valid, mutated and random texts, the same each time."""
    chance = random.Random(name)
    valid = [*KNOWN[name], *(valid_format_value(name, number) for number in range(400))]
    found = [*valid, *WRONG[name]]
    for text in valid:
        place = chance.randrange(len(text))
        for letters in (DIGITS, LETTERS):
            found.append(text[:place] + chance.choice(letters) + text[place + 1 :])
        found += [
            text[:place] + text[place + 1 :],
            text[:place] + text[place : place + 2][::-1] + text[place + 2 :],
        ]
    for letters in (DIGITS, LETTERS):
        found += ["".join(chance.choices(letters, k=chance.randint(1, 30))) for _ in range(300)]
    return [text for text in dict.fromkeys(found) if text]


@pytest.mark.spark
def test_spark_tells_valid_values_from_wrong_ones_as_python_stdnum_does(
    spark: SparkSession,
) -> None:
    rows = [(name, text) for name in FORMAT_REGEXES for text in values_of(name)]
    cases = " ".join(
        f"WHEN name = '{name}' THEN {format_predicate('text', name)}" for name in FORMAT_REGEXES
    )
    judged = (
        spark.createDataFrame(rows, "name string, text string")
        .selectExpr("name", "text", f"CASE {cases} END AS kept")
        .collect()
    )
    assert len(judged) == len(rows)
    for row in judged:
        has_shape = re.fullmatch(FORMAT_REGEXES[row.name].strip("^$"), row.text) is not None
        assert row.kept == (has_shape and ORACLES[row.name](row.text)), row
        if row.name in ("cpf", "cnpj", "bic"):  # python-stdnum is as strict about their shape
            assert row.kept or not ORACLES[row.name](row.text.strip()) or not has_shape, row
    kept = {(row.name, row.text) for row in judged if row.kept}
    assert {(name, text) for name, texts in KNOWN.items() for text in texts} <= kept
    assert not {(name, text) for name, texts in WRONG.items() for text in texts} & kept


def test_mock_values_of_every_format_are_valid_and_many() -> None:
    for name in FORMAT_REGEXES:
        texts = {valid_format_value(name, number) for number in range(20_000)}
        assert all(ORACLES[name](text) for text in list(texts)[:2_000])
        assert len(texts) > (150 if name in ("currency", "country") else 15_000)


def test_a_format_is_known_by_its_names_whatever_their_case() -> None:
    assert (
        canonical_format("CNPJ") == "cnpj"
        and canonical_format("credit_card") == "card"
        and canonical_format("email") == ""
    )
    assert set(FORMAT_ALIASES.values()) <= set(FORMAT_REGEXES)
    assert not format_constraint("c", Field("c", format="iban")).not_executed
    assert "not one of" in format_constraint("c", Field("c", format="vat")).not_executed


def test_the_lists_of_codes_are_those_that_another_publisher_has() -> None:
    from mimesis.datasets.int import COUNTRY_CODES, CURRENCY_ISO_CODES

    others = set(COUNTRY_CODES["a2"])
    assert len(COUNTRIES) == 249 and len(others - set(COUNTRIES)) <= 2
    assert len(set(CURRENCY_ISO_CODES) - set(CURRENCIES)) <= 25  # some that are no longer in use
