"""Mock data keeps the contract it is made from, and breaks of it exactly what the truth says."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.model import (
    Array,
    Contract,
    Field,
    Map,
    Model,
    Quality,
    Reference,
    Scalar,
    Source,
    Struct,
    Workflow,
)
from datamaster_kit.contract.quality.predicates import VALUE_FORMAT_PATTERNS
from datamaster_kit.contract.quality.rules import rules
from datamaster_kit.contract.read import read_contract
from datamaster_kit.contract.sql.sqltype import sql_literal
from datamaster_kit.mock.request import MockRequest, write_mock
from datamaster_kit.mock.rows.conditions import NotEvaluatedError, predicate_mask
from datamaster_kit.mock.rows.keys import GenerationContext
from datamaster_kit.mock.rows.rows import build_generation_plan
from datamaster_kit.mock.values.patterns import compile_patterns, pattern_shapes
from datamaster_kit.mock.values.texts import TextDomain
from datamaster_kit.targets.readers.avro_files import avro_damage, avro_schema

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "contracts").glob("*.yaml"))


def integer(name: str, **said: Any) -> Field:
    return Field(name, Scalar("integer"), **said)


CUSTOMER = Model(
    "customer",
    (
        Field("customer_id", primary_key=1, required=True, pattern=r"^C-[A-Z]{2}\d{4}$"),
        Field("email", format="email", unique=True),
        Field("full_name", required=True, min_length=3, max_length=40),
        Field("site", format="uri"),
        Field("token", format="uuid", required=True),
        Field("host", format="hostname"),
        Field("ip", format="ipv4"),
        Field("ip6", format="ipv6"),
        Field("day_text", format="date"),
        Field("time_text", format="time"),
        Field("moment_text", format="date-time"),
        Field("kind", enum=("PERSON", "COMPANY", "STATE"), required=True),
        Field("code", Scalar("char", length=3)),
        Field("label", Scalar("varchar", length=12), min_length=2),
        Field("is_active", Scalar("boolean"), required=True),
        Field("vip", Scalar("boolean"), enum=(True,)),
        Field("level", Scalar("byte"), minimum=1, maximum=5),
        Field("points", Scalar("short"), exclusive_minimum=0),
        Field("visits", Scalar("long"), maximum=10**12),
        Field("year_text", integer("x").type, pattern=r"^\d{4}$", minimum=1900),
        Field("rate", Scalar("float"), minimum=0, maximum=1),
        Field("score", Scalar("double"), exclusive_minimum=-1, exclusive_maximum=1),
        Field("balance", Scalar("decimal", 18, 2), minimum="-1000.00", maximum="99999.99"),
        Field("tiny", Scalar("decimal", 3, 3), exclusive_maximum="0.5"),
        Field("born_on", Scalar("date"), minimum="1930-01-01", maximum="2007-12-31", required=True),
        Field("alarm", Scalar("time")),
        Field("seen_at", Scalar("timestamp"), minimum="2024-01-01T00:00:00Z"),
        Field("local_at", Scalar("timestamp_ntz"), exclusive_maximum="2024-06-01T00:00:00"),
        Field("photo", Scalar("binary"), max_length=12),
        Field("extra", Scalar("variant")),
        Field("nothing", Scalar("null")),
        Field(
            "tags",
            Array(Field("element", pattern="^[a-z]{3,5}$")),
            min_length=1,
            max_length=4,
            required=True,
        ),
        Field(
            "limits",
            Map(
                Field("key", enum=("day", "month", "year")),
                Field("value", Scalar("decimal", 9, 2), minimum=0),
            ),
        ),
        Field(
            "address",
            Struct(
                (
                    Field("city", required=True),
                    Field("zip", pattern=r"^\d{5}$"),
                    Field("lines", Array(Field("element", max_length=80))),
                )
            ),
            required=True,
        ),
        Field(
            "status",
            quality=(
                Quality(
                    "library", metric="invalidValues", arguments={"validValues": ["OPEN", "SHUT"]}
                ),
                Quality("library", metric="nullValues"),
            ),
        ),
    ),
)
ORDER = Model(
    "order",
    (
        integer("order_id", primary_key=1, required=True),
        Field("customer", required=True, references=("customer.customer_id",)),
        Field("priority", enum=("LOW", "HIGH")),
        Field("ordered_on", Scalar("date"), required=True),
        Field("shipped_on", Scalar("date")),
        integer("net", minimum=1, maximum=1000, required=True),
        integer("tax", minimum=0, maximum=200, required=True),
        integer("gross", required=True),
    ),
    quality=(
        Quality(
            "sql",
            name="ships_later",
            query="SELECT COUNT(*) FROM order WHERE shipped_on < ordered_on",
        ),
        Quality("sql", name="adds_up", query="gross = net + tax"),
        Quality(
            "library", metric="duplicateValues", arguments={"properties": ["customer", "order_id"]}
        ),
    ),
)
LINE = Model(
    "line",
    (
        integer("order_id", primary_key=1, required=True, references=("order.order_id",)),
        integer("line_no", primary_key=2, required=True, minimum=1, maximum=9),
        Field("region", required=True),
        Field("shop", required=True),
        integer("parent", references=("order.order_id",)),
    ),
    references=(Reference(("region", "shop"), "shop", ("region", "name")),),
)
SHOP = Model(
    "shop",
    (
        Field("region", enum=("N", "S"), primary_key=1, required=True),
        Field("name", primary_key=2, required=True, pattern="^[A-Z]{2}$"),
        Field("city"),
    ),
)
RICH = Contract("rich", models=(LINE, ORDER, CUSTOMER, SHOP))
CONTRACTS = {path.stem: read_contract(path) for path in SAMPLES} | {"rich": RICH}


def records(path: Path, **options: Any) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **options))


def mock(contract: Contract, folder: Path, rows: int = 500, **said: Any) -> dict[str, Any]:
    """Write mock data and return what was written, by model."""
    return {
        written.model: written
        for written in write_mock(contract, MockRequest(rows, **said), folder)
    }


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_row_rule_that_can_be_judged_is_kept(name: str) -> None:
    contract = CONTRACTS[name]
    world = GenerationContext(contract, 2000, 7)
    for model in contract.ingested_models:
        plan = build_generation_plan(world, model)
        table, judged = plan.build_table(plan.generate_chunk(0, plan.rows)), 0
        assert not plan.unjudged and not plan.lost
        for rule in rules(contract, model):
            if rule.is_row_rule and not rule.is_about_reading:
                assert predicate_mask(rule.predicate, table).all(), (
                    f"{model.name}: {rule.id}: {rule.predicate}"
                )
                judged += 1
        assert judged or model.name == "nothing"


@given(seed=st.integers(0, 2**63), rows=st.integers(1, 3000))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_seed_gives_rows_that_keep_the_contract_with_keys_and_references(
    seed: int, rows: int
) -> None:
    world = GenerationContext(RICH, rows, seed)
    tables = {
        model.name: (plan := build_generation_plan(world, model)).build_table(
            plan.generate_chunk(0, plan.rows)
        )
        for model in RICH.ingested_models
    }
    for model in RICH.ingested_models:
        for rule in rules(RICH, model):
            if rule.is_row_rule and not rule.is_about_reading:
                assert predicate_mask(rule.predicate, tables[model.name]).all(), rule.id
        keys = list(
            zip(*(tables[model.name][item.column].to_pylist() for item in model.key), strict=True)
        )
        assert len(set(keys)) == len(keys) == tables[model.name].num_rows
    emails = tables["customer"]["email"].to_pylist()
    assert len(set(emails)) == len(emails)
    assert set(tables["order"]["customer"].to_pylist()) <= set(
        tables["customer"]["customer_id"].to_pylist()
    )
    assert set(tables["line"]["order_id"].to_pylist()) <= set(
        tables["order"]["order_id"].to_pylist()
    )
    assert set(tables["line"]["parent"].to_pylist()) - {None} <= set(
        tables["order"]["order_id"].to_pylist()
    )
    shops = set(
        zip(tables["shop"]["region"].to_pylist(), tables["shop"]["name"].to_pylist(), strict=True)
    )
    assert (
        set(
            zip(
                tables["line"]["region"].to_pylist(),
                tables["line"]["shop"].to_pylist(),
                strict=True,
            )
        )
        <= shops
    )


def test_references_of_the_sample_are_found_and_its_enumerated_airports_exist() -> None:
    contract = CONTRACTS["flights.odcs"]
    world = GenerationContext(contract, 2000, 3)
    tables = {
        model.name: (plan := build_generation_plan(world, model))
        .build_table(plan.generate_chunk(0, plan.rows))
        .to_pydict()
        for model in contract.ingested_models
    }
    flights = tables["flights"]
    for field, model, key in (
        ("carrier", "airlines", "carrier"),
        ("tailnum", "planes", "tailnum"),
        ("origin", "airports", "faa"),
        ("dest", "airports", "faa"),
    ):
        assert set(flights[field]) - {None} <= set(tables[model][key]), field
    assert set(zip(flights["origin"], flights["time_hour"], strict=True)) <= set(
        zip(tables["weather"]["origin"], tables["weather"]["time_hour"], strict=True)
    )
    assert len(tables["airlines"]["carrier"]) == 49, (
        "a range excludes its ends; the promised row count limits the rows"
    )
    assert set(flights["origin"]) == {"EWR", "JFK", "LGA"}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        mock(RICH, tmp_path / name, seed=seed, bad_ratio=0.1)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.csv"))
    assert len(files) == 8
    for file in files:
        first, second, third = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second and first != third


def test_a_row_does_not_depend_on_the_chunk_it_is_made_in() -> None:
    world = GenerationContext(RICH, 3000, 1)
    for model in RICH.ingested_models:
        plan = build_generation_plan(world, model)
        whole = plan.build_table(plan.generate_chunk(0, plan.rows)).to_pylist()
        middle = plan.rows // 2
        assert (
            plan.build_table(plan.generate_chunk(0, middle)).to_pylist()
            + plan.build_table(plan.generate_chunk(middle, plan.rows)).to_pylist()
            == whole
        )


def test_values_look_alive(tmp_path: Path) -> None:
    rows = records(mock(CONTRACTS["account"], tmp_path, 5000)["account"].files[0])
    kinds = Counter(row["type"] for row in rows)
    assert kinds["CURRENT"] > kinds["SAVINGS"] > kinds["PREPAID"] > 500
    assert sum(row["updated_at"] > "2025-11-15" for row in rows) > len(rows) / 2, (
        "most changes are recent"
    )
    balances = sorted(float(row["balance"]) for row in rows)
    assert balances[2500] < sum(balances) / len(balances) / 1.5, "few amounts are large"
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\d*@\S+", row["email"]) for row in rows if row["email"])


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_formats_hold_the_same_rows(tmp_path: Path, format: str) -> None:
    written = mock(RICH, tmp_path, 300, format=format)["order"]
    plan = build_generation_plan(GenerationContext(RICH, 300, 1), ORDER)
    expected = plan.build_table(plan.generate_chunk(0, 300)).to_pydict()
    if format == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(written.files[0]).to_pydict() == expected
        return
    text = written.files[0].read_text(encoding="utf-8")
    rows = (
        [json.loads(line) for line in text.splitlines()]
        if format == "json"
        else list(csv.DictReader(text.splitlines()))
    )
    for name, values in expected.items():
        as_text = ["" if value is None else str(value) for value in values]
        assert ["" if row.get(name) is None else str(row[name]) for row in rows] == as_text, name


def test_nested_values_are_json(tmp_path: Path) -> None:
    for row in records(mock(RICH, tmp_path, 200)["customer"].files[0]):
        assert (
            all(re.fullmatch("[a-z]{3,5}", tag) for tag in json.loads(row["tags"]))
            and json.loads(row["address"])["city"]
        )
        assert not row["limits"] or set(json.loads(row["limits"])) <= {"day", "month", "year"}


def test_a_row_of_absent_members_is_an_empty_object(tmp_path: Path) -> None:
    contract = Contract("c", models=(Model("m", (Field("a", Scalar("boolean"), required=True),)),))
    written = mock(contract, tmp_path, 100, format="json", bad_ratio=0.2)["m"]
    lines = written.files[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) == 100 and [line for line in lines if line == "{}"] == ["{}"] * sum(
        row["rule_id"] == "a.required" for row in records(written.truth)
    )


def test_the_source_says_how_files_are_written(tmp_path: Path) -> None:
    options = {
        "delimiter": "|",
        "header": False,
        "nullValue": "NA",
        "encoding": "UTF-16LE",
        "dateFormat": "dd/MM/yyyy",
        "timestampFormat": "yyyy-MM-dd HH:mm",
    }
    model = Model(
        "m",
        (
            Field("code", pattern="^[MN][AB]$"),
            Field("day", Scalar("date"), required=True),
            Field("at", Scalar("timestamp"), required=True),
            Field("note", enum=("a|b",), required=True),
        ),
    )
    contract = Contract("c", models=(model,), workflow=Workflow(source=Source(options=options)))
    lines = (
        mock(contract, tmp_path, 200)["m"].files[0].read_bytes().decode("utf-16-le").splitlines()
    )
    assert len(lines) == 200 and not any(line.startswith('"') for line in lines)
    for line in lines:
        assert re.fullmatch(
            r'(M[AB]|NB|NA)\|\d\d/\d\d/\d{4}\|\d{4}-\d\d-\d\d \d\d:\d\d\|"a\|b"', line
        ), line
    assert sum(line.startswith("NA") for line in lines) < 20, "the text for nothing is no code"


def test_a_unique_text_is_never_the_text_for_nothing(tmp_path: Path) -> None:
    contract = Contract(
        "c",
        models=(Model("m", (Field("code", primary_key=1, required=True, pattern="^[A-Z]{2}$"),)),),
        workflow=Workflow(source=Source(options={"nullValue": "NA"})),
    )
    codes = [row["code"] for row in records(mock(contract, tmp_path, 10_000)["m"].files[0])]
    assert len(set(codes)) == len(codes) == 675 and "NA" not in codes


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{14}$",
        r"^(?!00)\d{3}$",
        r"^[^\d\s]{2,5}$",
        r"^a|b$",
        r"^(?:[A-F0-9]{2}:){5}[A-F0-9]{2}$",
        r"^\w+@\w+\.(com|org)$",
        r"(?i)^x.y$",
        r"^\p{Lu}\p{Ll}+$",
        r"^\bA\b.*$",
    ],
)
def test_texts_match_their_pattern(pattern: str) -> None:
    contract = Contract("c", models=(Model("m", (Field("x", pattern=pattern, required=True),)),))
    plan = build_generation_plan(GenerationContext(contract, 500, 2), contract.models[0])
    found = plan.generate_chunk(0, 500)["x"].to_pylist()
    assert len(set(found)) > 1 and all(
        compile_patterns((pattern,))[0].search(text) for text in found
    )


@given(st.from_regex(r"\A(\[[a-c]\]|[a-z]|\\d|(ab|c))([+*?]|\{1,3\})?(-[A-Z]{2})?\Z"))
@settings(max_examples=60, deadline=None)
def test_shapes_of_any_simple_pattern_match_it(pattern: str) -> None:
    import numpy as np

    texts = TextDomain(pattern_shapes(f"^{pattern}$"))
    assert all(
        re.fullmatch(pattern, text)
        for text in texts.at(texts.draw_numbers(1, np.arange(50))).to_pylist()
    )


def test_exactly_the_rules_of_the_truth_are_broken(tmp_path: Path) -> None:
    written = mock(CONTRACTS["account"], tmp_path, 2000, bad_ratio=0.05)["account"]
    truth = records(written.truth)
    assert written.broken == len(truth) == 100
    found = records(written.files[0])
    assert {row["file"] for row in truth} == {written.files[0].name} and len(
        {row["record"] for row in truth}
    ) == 100
    for entry in truth:
        value = found[int(entry["record"]) - 1].get(entry["field"])
        kind = entry["rule_id"].rpartition(".")[2]
        if kind == "required":
            assert value == ""
        if kind == "enum":
            assert value not in ("CURRENT", "SAVINGS", "PREPAID", "BRL", "EUR", "USD")
        if kind == "format":
            assert not re.search(VALUE_FORMAT_PATTERNS["email"], value)


def test_named_rules_are_broken_and_no_others(tmp_path: Path) -> None:
    written = mock(
        CONTRACTS["account"], tmp_path, 1000, bad_ratio=0.2, rules=("currency.enum", "email.format")
    )["account"]
    assert (
        Counter(row["rule_id"] for row in records(written.truth)).keys()
        == {"currency.enum", "email.format"}
        and written.broken == 200
    )


def test_a_rule_that_cannot_be_broken_alone_is_named_with_the_reason(tmp_path: Path) -> None:
    written = mock(
        CONTRACTS["account"],
        tmp_path,
        1000,
        bad_ratio=0.2,
        rules=("rowcount", "opened_on.type", "email.format"),
    )["account"]
    assert (
        written.not_broken["rowcount"] == "it is decided over all rows"
        and "opened_on.required" in written.not_broken["opened_on.type"]
    )


def test_parquet_keeps_types_so_types_are_not_broken(tmp_path: Path) -> None:
    written = mock(RICH, tmp_path, 500, bad_ratio=0.3, format="parquet")["customer"]
    assert (
        written.not_broken["balance.type"] == "the file format keeps types"
        and written.broken == 150
    )
    assert not any(row["rule_id"].endswith(".type") for row in records(written.truth))


def test_a_circle_of_keys_and_a_field_without_values_are_faults() -> None:
    first = Model("a", (Field("id", primary_key=1, references=("b.id",)),))
    second = Model("b", (Field("id", primary_key=1, references=("a.id",)),))
    with pytest.raises(BadInput, match="made of one another"):
        build_generation_plan(
            GenerationContext(Contract("c", models=(first, second)), 10, 1), first
        )
    empty = Model(
        "a", (Field("x", enum=("LONG",), max_length=1), integer("y", minimum=2, maximum=1))
    )
    with pytest.raises(BadInput) as raised:
        build_generation_plan(GenerationContext(Contract("c", models=(empty,)), 10, 1), empty)
    assert len(raised.value.faults) == 2


def test_a_model_may_refer_to_itself() -> None:
    model = Model(
        "employee",
        (
            Field("id", Scalar("long"), primary_key=1, required=True),
            Field("manager", Scalar("long"), references=("employee.id",)),
        ),
    )
    plan = build_generation_plan(GenerationContext(Contract("c", models=(model,)), 500, 1), model)
    found = {name: values.to_pylist() for name, values in plan.generate_chunk(0, 500).items()}
    assert set(found["manager"]) - {None} <= set(found["id"])


def test_conditions_that_are_not_known_are_not_half_evaluated() -> None:
    import pyarrow as pa

    for predicate in ("soundex(a) = 'x'", "a IN (SELECT 1)", "b = 1", "a = ("):
        with pytest.raises(NotEvaluatedError):
            predicate_mask(predicate, pa.table({"a": ["x"]}))


# The command line
def datamaster(*arguments: str) -> Any:
    from datamaster_kit.cli.main import app

    return CliRunner().invoke(app, ["mock", *arguments])


def test_the_command_writes_files_and_tells_the_rest_on_standard_error(tmp_path: Path) -> None:
    result = datamaster(
        str(ROOT / "contracts/account.yaml"),
        "--rows",
        "100",
        "--bad-ratio",
        "0.1",
        "--out",
        str(tmp_path),
        "--json",
    )
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)["models"][0]
    assert (written["rows"], written["broken"]) == (100, 10) and Path(
        written["truth"]
    ) == tmp_path / "account.truth.csv"
    assert (
        "account: not broken: agrees_with_ledger: it is text for people" in result.stderr
        and "rowcount is not kept by 100 rows" in result.stderr
    )
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "account-00001.csv",
        "account.truth.csv",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rows", "0"), "0 rows"),
        (("--bad-ratio", "1.5"), "between 0 and 1"),
        (("--format", "orc"), "'orc'"),
        (("--model", "acount"), "did you mean 'account'?"),
        (("--bad-ratio", "0.1", "--rules", "currency.enumm,nope"), "did you mean 'currency.enum'?"),
        (("--rules", "currency.enum"), "give --bad-ratio"),
    ],
)
def test_what_cannot_be_done_is_bad_input_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    program = (
        "import sys; from datamaster_kit.cli.main import main; sys.argv[0] = 'datamaster'; main()"
    )
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "mock",
            str(ROOT / "contracts/account.yaml"),
            "--out",
            str(tmp_path / "out"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 2 and said in result.stderr and not (tmp_path / "out").exists(), (
        result.stderr
    )


def test_mock_data_is_never_overwritten(tmp_path: Path) -> None:
    mock(CONTRACTS["account"], tmp_path, 10)
    with pytest.raises(BadInput, match="has mock data"):
        mock(CONTRACTS["account"], tmp_path, 10)


EVENTS = replace(RICH, workflow=Workflow(source=Source("eventhub", "avro")))


@pytest.mark.parametrize(
    ("contract", "format"), [(RICH, "avro"), (EVENTS, "")], ids=["avro", "events"]
)
def test_avro_files_are_whole_and_the_same_seed_gives_the_same_bytes(
    tmp_path: Path, contract: Contract, format: str
) -> None:
    first, second = (
        mock(contract, tmp_path / name, 300, format=format, bad_ratio=0.1)["order"].files
        for name in ("a", "b")
    )
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second] and {
        file.suffix for file in first
    } == {".avro"}
    assert [avro_damage(file) for file in first] == [("", file.stat().st_size) for file in first]
    names = [item["name"] for item in avro_schema(first[0])["fields"]]
    assert names == (
        [item.column for item in ORDER.fields]
        if format
        else [
            "SequenceNumber",
            "Offset",
            "EnqueuedTimeUtc",
            "SystemProperties",
            "Properties",
            "Body",
        ]
    )


def test_files_reach_azure_storage_through_the_contracts_volume_and_else_it_is_told_they_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datamaster_kit.cli import mock as command

    copied: dict[str, list[str]] = {}

    class Files:
        def cp(self, source: str, to: str, recurse: bool = False) -> None:
            assert recurse
            copied[to] = [
                source,
                *sorted(path.name for path in Path(source.removeprefix("file:")).rglob("*.csv")),
            ]

    with (
        pytest.raises(BadInput, match="abfss://c@a/x is a folder of Azure storage"),
        command.mock_output_folder("abfss://c@a/x", tmp_path / "c.yaml"),
    ):
        raise AssertionError("there is nowhere to write")
    volume = tmp_path / "crisk" / "bronze" / "v"
    volume.mkdir(parents=True)
    monkeypatch.setattr(command, "workspace_fs_utility", lambda out: Files())
    for there, place in ((volume, str(volume)), (None, "file:")):
        monkeypatch.setattr(command, "volume_of", lambda contract, there=there: there)
        with command.mock_output_folder("abfss://c@a/x", Path("c.yaml")) as folder:
            mock(RICH, folder, 10, models=("order",), format="csv")
        assert copied["abfss://c@a/x"][0].startswith(place) and copied["abfss://c@a/x"][1:] == [
            "order-00001.csv"
        ]
    assert list(volume.iterdir()) == []


# With Spark
@pytest.mark.spark
@pytest.mark.parametrize("format", ["csv", "json"])
def test_spark_counts_every_row_of_a_single_column(spark, tmp_path: Path, format: str) -> None:
    from whole_files import read_files

    from datamaster_kit.targets.base import FileSource

    model = Model("m", (Field("a", pattern="^[a-z]{2}$", required=True),))
    written = mock(Contract("c", models=(model,)), tmp_path, 100, format=format, bad_ratio=0.5)["m"]
    rows = read_files(
        spark,
        [str(written.files[0])],
        FileSource(format, str(written.files[0].parent), model.fields, {}),
    )
    absent = sum(row["rule_id"] == "a.required" for row in records(written.truth))
    assert rows.count() == 100 and rows.where("a IS NULL").count() == absent > 10


@pytest.mark.spark
@pytest.mark.parametrize(
    ("name", "format", "ratio"),
    [
        *((name, "csv", ratio) for name in CONTRACTS for ratio in (0.0, 0.1)),
        ("rich", "json", 0.1),
        ("rich", "parquet", 0.1),
        ("rich", "avro", 0.1),
        ("events", "", 0.1),
    ],
)
def test_spark_finds_what_the_truth_says_and_nothing_else(
    spark, tmp_path: Path, name: str, format: str, ratio: float
) -> None:
    from whole_files import read_files

    from datamaster_kit.targets.base import FileSource

    contract = EVENTS if name == "events" else CONTRACTS[name]
    options = (contract.workflow or Workflow()).source.options
    for written in mock(contract, tmp_path, 400, bad_ratio=ratio, format=format).values():
        model = contract.model(written.model)
        judged = [rule for rule in rules(contract, model) if rule.is_row_rule]
        rows = read_files(
            spark,
            [str(path) for path in written.files],
            FileSource(
                format or "avro",
                str(written.files[0].parent),
                model.fields,
                options,
                is_captured=not format,
            ),
        )
        broken = ", ".join(
            f"CASE WHEN NOT coalesce(({rule.predicate}), false) THEN {sql_literal(rule.id)} END"
            for rule in judged
        )
        found = [
            row["broken"]
            for row in rows.selectExpr(f"array_compact(array({broken})) AS broken").collect()
        ]
        truth = (
            {int(row["record"]): [row["rule_id"]] for row in records(written.truth)}
            if written.truth
            else {}
        )
        assert len(found) == written.rows and len(truth) == round(ratio * written.rows)
        assert {record: ids for record, ids in enumerate(found, 1) if ids} == truth, written.model
