"""No form of a secret survives in what is kept."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamaster_kit.project.secret_values import environment_secrets, scrub_secrets

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "html": html.escape,
    "html text": lambda text: html.escape(text, quote=False),
    "json": json.dumps,
    "json with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "python": repr,
    "url": lambda text: quote(text, safe=""),
    "url path": quote,
    "url query": quote_plus,
    "url in lower case": lambda text: re.sub(
        "%..", lambda match: match[0].lower(), quote(text, safe="")
    ),
    "hexadecimal": lambda text: text.encode().hex(),
}
# Letters of a secret that are in nothing else here, so that what is left of it can be told.
SECRETS = st.text(alphabet="QXZ79/+=&%<>'\"\\éñ ;:?#@", min_size=8, max_size=60).filter(
    lambda text: text.strip() == text and len(set(text)) > 2
)
AROUND = st.text(alphabet="abc .,:\n", max_size=7)


@given(SECRETS, AROUND, AROUND, st.sampled_from(list(FORMS)))
def test_no_written_form_of_a_secret_survives(
    secret: str, before: str, after: str, form: str
) -> None:
    kept = scrub_secrets({"text": [FORMS[form](f"{before}{secret}{after}")]}, {"A_KEY": secret})[
        "text"
    ][0]
    assert (
        "[value of A_KEY]" in kept
        and FORMS[form](secret).strip("'\"") not in kept
        and secret not in kept
    )


@given(
    SECRETS,
    st.binary(max_size=7),
    st.binary(max_size=7),
    st.sampled_from([b64encode, urlsafe_b64encode]),
    st.booleans(),
)
def test_no_base64_of_a_secret_survives_whatever_is_around_it(
    secret: str,
    before: bytes,
    after: bytes,
    encode: Callable[[bytes], bytes],
    is_in_an_address: bool,
) -> None:
    data = secret.encode()
    whole = encode(before + data + after).decode()
    kept = scrub_secrets(quote(whole, safe="") if is_in_an_address else whole, {"A_KEY": secret})
    left = kept.replace("[value of A_KEY]", "\n")
    # What its neighbours' signs share with it is at most one byte at each end.
    assert (
        "[value of A_KEY]" in kept
        and max(len(part) for part in left.split("\n"))
        <= len(quote(encode(max(before, after, key=len)).decode(), safe="")) + 12
    )


@pytest.mark.parametrize(
    "name",
    [
        "A_SAS",
        "SAS_TOKEN",
        "GITHUB_PAT",
        "PAT",
        "API_KEY",
        "APIKEY",
        "AZURE_STORAGE_KEY",
        "KEY",
        "KEY_1",
        "KEYS",
        "SSH_PASSPHRASE",
        "DB_PASS",
        "ARM_CLIENT_SECRET",
        "AccountKey",
        "HUB_CONNECTION_STRING",
        "storage_key",
    ],
)
def test_a_name_that_says_secret_is_secret(name: str) -> None:
    assert environment_secrets({name: "a value of some length"}) == {name: "a value of some length"}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "PYTHONPATH",
        "KEYBOARD",
        "KEYMAP",
        "COMPAT",
        "PATTERN",
        "DISPATCH",
        "PASSAGE",
        "BYPASS",
        "SASKIA",
        "HOME",
        "MONKEY",
        "TURKEY_REGION",
        "SPATIAL",
        "COMPASS_X",
        "ACCOUNT",
        "HOST_URL",
        "DOCS_URI",
    ],
)
def test_an_ordinary_name_is_not(name: str) -> None:
    assert (
        environment_secrets(
            {name: "a value of some length", f"{name}_2": "https://example.com/a/path"}
        )
        == {}
    )


def test_an_address_is_secret_where_it_carries_a_password_a_query_or_a_signature() -> None:
    found = environment_secrets(
        {
            "DB_URL": "postgres://ana:p%40ssword@db/x",
            "HTTP_PROXY": "http://u:pass-word@proxy:80",
            "BLOB_URL": "https://x.blob.core.windows.net/a?sv=2024&se=2026",
            "PLACE": "https://x/a?sig=abcdefghijk",
        }
    )
    assert {"p@ssword", "p%40ssword", "pass-word", "sv=2024&se=2026", "abcdefghijk"} <= set(
        found.values()
    )
    assert (
        scrub_secrets("failed for p@ssword at https://x/a?sig=abcdefghijk", found)
        == "failed for [value of DB_URL[2]] at [value of PLACE]"
    )


def test_the_parts_of_a_connection_string_and_the_lines_of_a_key_are_secret_alone() -> None:
    pem = (
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n"
        "-----END PRIVATE KEY-----"
    )
    found = environment_secrets(
        {
            "HUB_CONNECTION_STRING": "Endpoint=sb://x/;SharedAccessKeyName=root;"
            "SharedAccessKey=c2VjcmV0LWtleQ==",
            "PRIVATE_KEY": pem,
        }
    )
    assert {"c2VjcmV0LWtleQ==", "MIIEvQIBADANBgkqhkiG9w0BAQ"} <= set(found.values())
    assert "MIIEvQ" not in scrub_secrets("line 2: MIIEvQIBADANBgkqhkiG9w0BAQ", found)
