"""Three-level names over the one catalog that local Spark has.

`crisk.bronze.account` is the table `account` of the schema `crisk__bronze`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/|`(?:[^`]|``)*`|[A-Za-z_]\w*|\s+|.",
    re.DOTALL,
)
NAME = re.compile(r"`(?:[^`]|``)*`|[A-Za-z_]\w*")


def plain(name: str) -> str:
    """Return an identifier without its quotes, in lower case."""
    return (name[1:-1].replace("``", "`") if name.startswith("`") else name).lower()


def local_schema(catalog: str, schema: str) -> str:
    """Return the schema that stands for one of a catalog, quoted and with its catalog."""
    return "spark_catalog.`" + f"{catalog}__{schema}".replace("`", "``") + "`"


def local_text(text: str, catalogs: Collection[str]) -> tuple[str, list[tuple[str, str, str]]]:
    """Return SQL, or a name, with the names of this machine, and the tables of three-level names in
    it.
    """
    parts = list(TOKEN.findall(text))
    said = [
        at
        for at, part in enumerate(parts)
        if not part.isspace() and not part.startswith(("--", "/*"))
    ]
    tables = []
    for place, at in enumerate(said):
        after = [parts[index] for index in said[place + 1 : place + 5]]
        is_start = place == 0 or parts[said[place - 1]] != "."
        if not (
            is_start
            and NAME.fullmatch(parts[at])
            and plain(parts[at]) in catalogs
            and len(after) > 1
            and after[0] == "."
            and NAME.fullmatch(after[1])
        ):
            continue
        catalog, schema = plain(parts[at]), plain(after[1])
        if len(after) == 4 and after[2] == "." and NAME.fullmatch(after[3]):
            tables.append((catalog, schema, plain(after[3])))
        parts[at], parts[said[place + 1]], parts[said[place + 2]] = (
            local_schema(catalog, schema),
            "",
            "",
        )
    return "".join(parts), tables


def words_of(text: str) -> list[str]:
    """Return the words of SQL in upper case, without texts and comments."""
    return [plain(part).upper() for part in TOKEN.findall(text) if NAME.fullmatch(part)]


def is_governed(text: str) -> bool:
    """Unity Catalog answers the statement.

    It defines or grants something, or asks the information schema.
    """
    words = words_of(text)
    if "INFORMATION_SCHEMA" in words:
        return True
    if not words or words[0] not in ("CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE"):
        return False
    return not {"TEMP", "TEMPORARY", "VIEW"} & set(words[1:5])
