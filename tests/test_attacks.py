"""A contract is untrusted input.

Attacks on the reader get a clear fault, and names that carry tricks stay names.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.document import Document, parse_document, read_document
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.contract.lint import lint_file
from datamaster_kit.contract.model import Array, Field, Map, Scalar, Struct
from datamaster_kit.contract.period import parse_period
from datamaster_kit.contract.sql.sqltype import parse_sql_type, quote, sql_literal, sql_type
from datamaster_kit.deliver.release import project_files
from datamaster_kit.ingest.gold import builder_file
from datamaster_kit.project.project_file import read_contracts, read_project

BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{level + 1}: &a{level + 1} [{', '.join([f'*a{level}'] * 10)}]\n" for level in range(30)
)
ATTACKS = {
    "aliases that explode": (BOMB, "yaml-too-many-nodes"),
    "an object of Python": ("a: !!python/object/apply:os.system ['id']\n", "yaml-tag"),
    "an object of another language": ("a: !ruby/object:Gem::Installer\n  i: x\n", "yaml-tag"),
    "deep flow nesting": ("a: " + "[" * 10_000 + "]" * 10_000, "yaml-too-deep"),
    "deep block nesting": (
        "".join("  " * level + f"k{level}:\n" for level in range(300)),
        "yaml-too-deep",
    ),
    "deep nesting of lists": ("a:\n" + "- " * 10_000 + "x\n", "yaml-too-deep"),
    "duplicate keys": ("a: 1\nb: 2\na: 3\n", "yaml-duplicate-key"),
    "several documents": ("a: 1\n---\nb: 2\n", "yaml-several-documents"),
    "a list for a key": ("? [a, b]\n: 1\n", "yaml-complex-key"),
    "an alias into itself": ("a: &a [*a]\n", "yaml-unknown-anchor"),
    "nothing": ("", "yaml-not-a-mapping"),
    "a list": ("- a\n- b\n", "yaml-not-a-mapping"),
    "broken brackets": ("a: [1, 2\nb: }\n", "yaml-syntax"),
}


@pytest.mark.parametrize("text, code", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_with_its_own_fault_and_little_memory(text: str, code: str) -> None:
    tracemalloc.start()
    with pytest.raises(BadInput) as raised:
        parse_document(text, "attack.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code in {fault.code for fault in raised.value.faults}
    assert all(fault.file == "attack.yaml" and fault.hint for fault in raised.value.faults)
    assert peak < 100_000_000


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(BadInput) as raised:
        read_document(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.faults[0].code == "yaml-too-large" and peak < 1_000_000


def test_text_that_is_not_utf8_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("id: x\nname: café\n".encode("latin-1"))
    (fault,) = lint_file(tmp_path / "latin.yaml")
    assert (fault.code, fault.line) == ("yaml-not-utf8", 2)


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-16", "its byte order mark says UTF-16"),
        ("utf-32", "its byte order mark says UTF-32"),
        ("utf-16-le", "it looks like UTF-16LE"),
        ("utf-16-be", "it looks like UTF-16BE"),
    ],
)
def test_text_in_utf16_is_told_by_its_name_with_what_to_do(
    tmp_path: Path, codec: str, told: str
) -> None:
    (tmp_path / "windows.yaml").write_bytes("id: x\nname: café\n".encode(codec))
    (fault,) = lint_file(tmp_path / "windows.yaml")
    assert (fault.code, fault.line, fault.file) == (
        "yaml-not-utf8",
        1,
        str(tmp_path / "windows.yaml"),
    )
    assert (
        told in fault.message
        and f"iconv -f {told.rpartition(' ')[2] if 'mark says' in told else told.split()[3]} -t "
        "UTF-8"
        in fault.hint
    )


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.text(alphabet="ab:-[]{}&*!?#|>'\"\n ,%@`\\", max_size=80),
    )
)
def test_whatever_is_in_a_file_there_is_a_document_or_a_fault(content: bytes | str) -> None:
    try:
        assert isinstance(parse_document(content, "any.yaml"), Document)
    except BadInput as error:
        assert error.faults


GOLD = "../../x.sql", "/etc/x.sql", "gold/../../x.sql", "..\\x.sql"
DCS = """dataContractSpecification: 1.1.0
id: urn:shop
info: {title: Shop, version: 1.0.0}
models: {order: {fields: {id: {type: long}}}}
workflow:
  gold:
    order: 'FILE'
"""
ODCS = """apiVersion: v3.1.0
kind: DataContract
id: urn:shop
version: 1.0.0
status: active
schema: [{name: order, logicalType: object, properties: [{name: id, logicalType: integer}]}]
customProperties:
  - property: workflow
    value:
      gold:
        order: 'FILE'
"""


@pytest.mark.parametrize("file", GOLD)
@pytest.mark.parametrize(
    "text, line, path",
    [(DCS, 7, "$.workflow.gold.order"), (ODCS, 11, "$.customProperties[0].value.gold.order")],
    ids=["dcs", "odcs"],
)
def test_a_file_for_gold_outside_of_the_project_is_refused_at_its_line(
    tmp_path: Path, text: str, line: int, path: str, file: str
) -> None:
    written = tmp_path / "shop.yaml"
    written.write_text(text.replace("FILE", file), encoding="utf-8")
    [fault] = [fault for fault in lint_file(written) if fault.severity == "error"]
    assert (fault.code, fault.line, fault.path, fault.file) == (
        "workflow-broken",
        line,
        path,
        str(written),
    ) and "project's folder" in fault.hint
    written.write_text(text.replace("FILE", "gold/../x.sql"), encoding="utf-8")
    assert [fault.message for fault in lint_file(written) if fault.severity == "error"] == []


def test_a_file_for_gold_that_a_link_leads_out_of_the_project_is_not_released(
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    (project / "contracts").mkdir(parents=True)
    (tmp_path / "secret.sql").write_text("SELECT 1")
    (project / "x.sql").symlink_to(tmp_path / "secret.sql")
    (project / "datamaster.yaml").write_text("domain: shop\ncatalog: shop\n")
    (project / "contracts" / "shop.yaml").write_text(DCS.replace("FILE", "x.sql"))
    read = read_project(project)
    contracts = read_contracts(read)
    with pytest.raises(BadInput) as raised:
        project_files(read, contracts)
    [fault] = raised.value.faults
    assert (fault.line, fault.path, fault.file, raised.value.exit_code) == (
        7,
        "$.workflow.gold.order",
        str(project / "contracts" / "shop.yaml"),
        2,
    ) and fault.hint
    with pytest.raises(BadInput):
        builder_file(project, contracts[0], contracts[0].model("order"))
    (project / "x.sql").unlink()
    (project / "x.sql").write_text("SELECT 1")
    assert project_files(read, contracts)["x.sql"] == b"SELECT 1"


@pytest.mark.parametrize(
    "name", ["x`; DROP TABLE y; --", "a b", "<script>", "../../etc/passwd", "é", "select"]
)
def test_a_name_that_carries_a_trick_stays_one_identifier(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == "`" and "`" not in quoted[1:-1].replace("``", "")


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00b", "x" * 256])
def test_a_name_that_no_table_could_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        quote(name)


@given(st.text(max_size=50))
def test_a_text_never_ends_its_literal(text: str) -> None:
    body = sql_literal(text)[1:-1]
    assert "'" not in body.replace("\\\\", "").replace("\\'", "")


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8)
SCALARS = st.one_of(
    st.sampled_from(
        [
            Scalar(name)
            for name in (
                "string",
                "binary",
                "boolean",
                "byte",
                "short",
                "integer",
                "long",
                "float",
                "double",
                "date",
                "timestamp",
                "timestamp_ntz",
                "variant",
            )
        ]
    ),
    st.integers(1, 38).flatmap(
        lambda precision: st.integers(0, precision).map(
            lambda scale: Scalar("decimal", precision, scale)
        )
    ),
    st.integers(1, 9999).map(lambda length: Scalar("varchar", length=length)),
)
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda type: Array(Field("element", type))),
        st.tuples(SCALARS, inner).map(
            lambda pair: Map(Field("key", pair[0]), Field("value", pair[1]))
        ),
        st.lists(
            st.builds(
                Field, NAMES, inner, description=st.text(max_size=10), required=st.booleans()
            ),
            min_size=1,
            max_size=4,
        ).map(lambda fields: Struct(tuple(fields))),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(TYPES)
def test_a_type_survives_sql(type: object) -> None:
    assert parse_sql_type(sql_type(type)) == type


@given(st.lists(st.integers(0, 999), min_size=7, max_size=7).filter(any))
def test_a_period_survives_iso_and_words(parts: list[int]) -> None:
    years, months, weeks, days, hours, minutes, seconds = parts
    text = f"P{years}Y{months}M{weeks}W{days}DT{hours}H{minutes}M{seconds}S"
    period = parse_period(text)
    assert parse_period(period.iso()) == period == parse_period(period.words())


@pytest.mark.parametrize("field", ["name", "description", "id"])
@pytest.mark.parametrize(
    "trick",
    ["<script>alert(1)</script>", "'; DROP TABLE x; --", "{{7*7}}", "$(id)", "[red]x[/red]"],
)
def test_tricks_in_a_contracts_texts_reach_neither_sql_nor_html(field: str, trick: str) -> None:
    from dataclasses import replace

    from datamaster_kit.contract.model import Contract, Model
    from datamaster_kit.contract.publish.export import ddl
    from datamaster_kit.contract.publish.page import contract_page

    model = Model("order", (Field("id", Scalar("long"), description=trick),), description=trick)
    contract = replace(
        Contract("c", "n", models=(model,)), **({field: trick} if field != "description" else {})
    )
    assert "<script>alert" not in contract_page(contract)
    import sqlglot

    assert all(
        statement is not None and statement.key in ("create", "alter")
        for statement in sqlglot.parse(ddl(contract, "main"), read="databricks")
    )


ELSEWHERE = [
    "../x",
    "..",
    ".",
    "../../../../x",
    "/tmp/x",
    "a/b",
    "a/../../b",
    "a\\b",
    ".hidden",
    "ends.",
    " x",
    "x ",
    "",
    "a\x00b",
    "a\nb",
    "*",
    "acc?unt",
    "[a-z]*",
    "{account,orders}",
    "{{job.run_id}}",
    "x" * 256,
    "é" * 200,
    "\ud800",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_models_name_that_is_no_folder_is_refused_wherever_it_would_be_part_of_a_path(
    tmp_path: Path, name: str
) -> None:
    from datamaster_kit.contract.model import Contract, Model, Workflow
    from datamaster_kit.deliver.jobs import ingest_job, mock_job
    from datamaster_kit.deliver.settings import Release
    from datamaster_kit.forms.trial.preview import landing_folder
    from datamaster_kit.ingest.ingest import replay
    from datamaster_kit.ingest.step import Step, checkpoint_folder
    from datamaster_kit.lakehouse.names import names
    from datamaster_kit.project.project_file import Project
    from datamaster_kit.setup.local import local_folders
    from datamaster_kit.targets.databricks import DatabricksTarget
    from datamaster_kit.targets.local import LocalTarget

    root = tmp_path / "a" / "b" / "project"
    project = Project(
        root,
        names("risk", "risk"),
        targets={"production": {"landing": "/Volumes/crisk/bronze/raw"}},
    )
    model = Model(name, (Field("id"),), physical_name="account")
    contract, local = (
        Contract("urn:a", "a", models=(model,), workflow=Workflow()),
        LocalTarget(project),
    )
    release = Release("production", "/Volumes/crisk/bronze/releases/1")
    step = Step(
        local,
        project.names,
        contract,
        Model("account", physical_name=name or "/"),
        (),
        "run",
        "bronze",
    )
    for work in (
        lambda: local.landing_folder(name),
        lambda: DatabricksTarget(project, "production").landing_folder(name),
        lambda: local_folders(project, [contract]),
        lambda: landing_folder(project, model),
        lambda: ingest_job(project, contract, "a.yaml", model, release),
        lambda: mock_job(project, contract, "a.yaml", model, release),
        lambda: replay(local, project, contract, corrections=tmp_path),
    ):
        with pytest.raises(BadInput, match="name of a folder"):
            work()
    if "." in name:  # a path of its source's, and the table has the model's own name
        assert checkpoint_folder(step) == checkpoint_folder(
            Step(local, project.names, contract, Model("account"), (), "run", "bronze")
        )
    else:
        with pytest.raises(BadInput, match="name of a folder"):
            checkpoint_folder(step)
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.is_dir() and not path.is_relative_to(root) and path not in root.parents
    ]
    assert "landing" not in {path.name for path in tmp_path.rglob("*")}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_contract_with_a_model_that_is_no_folder_is_refused_also_with_a_name_for_its_table(
    name: str,
) -> None:
    from datamaster_kit.contract.check import contract_findings
    from datamaster_kit.contract.model import Contract, Model

    assert ("name-refused", name) in {
        (found[0].name, found[2])
        for found in contract_findings(
            Contract("urn:a", models=(Model(name, (Field("id"),), physical_name="account"),))
        )
    }


@pytest.mark.parametrize(
    "name",
    [
        "account",
        "Order Lines",
        "sales.orders",
        "pedido_é",
        "order-lines",
        "_raw",
        "conta (BRL)",
        "注文",
        "x" * 255,
    ],
)
def test_a_models_name_that_is_a_folder_stays_one(tmp_path: Path, name: str) -> None:
    from datamaster_kit.contract.check import contract_findings
    from datamaster_kit.contract.model import Contract, Model
    from datamaster_kit.lakehouse.names import names
    from datamaster_kit.project.project_file import Project
    from datamaster_kit.targets.local import LocalTarget

    assert not [
        found
        for found in contract_findings(
            Contract("urn:a", models=(Model(name, (Field("id"),), physical_name="account"),))
        )
        if found[0].name == "name-refused"
    ]
    assert (
        Path(LocalTarget(Project(tmp_path, names("risk", "risk"))).landing_folder(name))
        == tmp_path / ".datamaster" / "landing" / name
    )


@pytest.mark.parametrize("name", ELSEWHERE)
def test_files_of_mock_data_and_of_reports_stay_in_their_folder(name: str) -> None:
    from datamaster_kit.contract.model import Model
    from datamaster_kit.mock.files.files import model_file_name
    from datamaster_kit.observe.report import page_file_name as page_name

    for made in (model_file_name(Model(name)), page_name(name)):
        assert not set(made) & set("./\\*?[]{}\x00\n ")
