"""Whatever a contract holds, the ODCS file written from it is valid and reads back as an equal
contract.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamaster_kit.contract import model as m
from datamaster_kit.contract.document import Document, parse_document
from datamaster_kit.contract.odcs.older_forms import ODCS_OPERATORS
from datamaster_kit.contract.odcs.properties import read_odcs_field
from datamaster_kit.contract.odcs.property_writer import build_odcs_property
from datamaster_kit.contract.odcs.quality import build_odcs_quality, read_odcs_quality
from datamaster_kit.contract.odcs.reader import read_odcs
from datamaster_kit.contract.odcs.standard_schema import validator
from datamaster_kit.contract.odcs.writer import build_odcs, odcs_yaml

AWKWARD = [
    "no",
    "on",
    "Yes",
    "null",
    "~",
    "1e5",
    "1.10",
    "0x1F",
    "0o17",
    "12:30",
    "2024-02-29",
    "- a",
    "a: b",
    "a #b",
    "#",
    "{a}",
    "[",
    "'",
    '"',
    "\\",
    "| x",
    "> x",
    "@",
    "`",
    "%",
    " lead",
    "trail ",
    "two\nlines",
    "two\n\nparts\n",
    "tab\there",
    "\u00e9\u4e2d\U0001f600",
    "x" * 300,
    "word " * 60 + "end",
    "line one\n  indented\nlast ",
    "a\r\nb",
    "\u2028",
    "'; DROP TABLE x --",
    "<script>",
    "../../etc",
    "a.b",
    "${table}",
    "=",
    "<<",
    "!!str",
    "&a",
    "*a",
    "?",
    ":",
    "-",
    "---",
    "...",
]
texts = st.one_of(
    st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
)
some = texts.filter(bool)
optional = st.one_of(st.just(""), texts)
names = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), some.filter(lambda name: name != "<<")
)
numbers = st.one_of(
    st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
keys = texts.filter(lambda key: key != "<<")  # YAML's merge
scalars = st.one_of(some, numbers, st.booleans())
values = st.recursive(
    st.one_of(scalars, st.none(), st.just("")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=5,
)
OWN_NAMES = {
    "workflow",
    "pii",
    "precision",
    "scale",
    "enum",
    "references",
    "examples",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "clusterKeyPosition",
    "declaredPhysicalType",
    "dataType",
    "mapKeyType",
    "mapValueType",
    "contactName",
    "contactEmail",
    "contactUrl",
    "customType",
    "dialect",
    "id",
    "dimension",
    "value",
    "models",
    "source",
}
properties = st.dictionaries(names.filter(lambda name: name not in OWN_NAMES), values, max_size=2)


def tuples(strategy: st.SearchStrategy, size: int = 2) -> st.SearchStrategy:
    """Build tuples of at most `size` values."""
    return st.lists(strategy, max_size=size).map(tuple)


tags = tuples(some)
links = tuples(st.builds(m.Link, url=optional, type=optional, description=optional), 1)

musts = st.one_of(
    st.builds(m.Threshold, operator=st.sampled_from(ODCS_OPERATORS[:6]), value=numbers),
    st.builds(
        m.Threshold,
        operator=st.sampled_from(ODCS_OPERATORS[6:]),
        value=st.lists(numbers, min_size=2, max_size=2),
    ),
    st.builds(m.Threshold, operator=st.sampled_from(ODCS_OPERATORS[:2]), value=scalars),
)
qualities = st.builds(
    m.Quality,
    type=st.sampled_from(["library", "sql", "text", "custom"]),
    metric=st.one_of(
        st.sampled_from(
            ["", "nullValues", "rowCount", "invalidValues", "duplicateValues", "missingValues"]
        ),
        optional,
    ),
    implementation=st.one_of(
        st.none(), some, st.dictionaries(keys, values, min_size=1, max_size=2)
    ),
    arguments=properties,
    must=tuples(musts),
    dimension=st.one_of(st.sampled_from(["", "accuracy", "uniqueness"]), optional),
    tags=tags,
    properties=properties,
    **dict.fromkeys(
        [
            "id",
            "name",
            "description",
            "query",
            "engine",
            "unit",
            "dialect",
            "severity",
            "business_impact",
            "method",
            "schedule",
            "scheduler",
        ],
        optional,
    ),
)

plain_types = st.one_of(
    st.sampled_from([name for name in m.SCALARS if name not in ("decimal", "varchar", "char")]).map(
        m.Scalar
    ),
    st.builds(
        lambda precision, scale: m.Scalar("decimal", precision, min(scale, precision)),
        st.integers(1, 38),
        st.integers(0, 38),
    ),
    st.builds(
        lambda name, length: m.Scalar(name, length=length),
        st.sampled_from(["varchar", "char"]),
        st.integers(1, 255),
    ),
    st.just(m.Scalar("decimal")),
    st.just(m.Scalar("varchar")),
)


def fields(types: st.SearchStrategy) -> st.SearchStrategy:
    """Build fields of the given types with everything a field can carry."""
    return st.builds(
        m.Field,
        name=names,
        type=types,
        physical_type=st.one_of(
            st.just(""),
            st.sampled_from(
                [
                    "BIGINT",
                    "bigint",
                    "STRING",
                    "NUMBER(10,2)",
                    "NVARCHAR",
                    "STRUCT<a: INT>",
                    "ARRAY<STRING>",
                ]
            ),
            optional,
        ),
        primary_key=st.integers(0, 3),
        partition=st.integers(0, 3),
        cluster=st.integers(0, 3),
        enum=tuples(st.one_of(scalars, st.none(), st.lists(scalars, max_size=1)), 3),
        minimum=st.one_of(st.none(), scalars),
        maximum=st.one_of(st.none(), scalars),
        exclusive_minimum=st.one_of(st.none(), scalars),
        exclusive_maximum=st.one_of(st.none(), scalars),
        min_length=st.one_of(st.none(), st.integers(-1, 9)),
        max_length=st.one_of(st.none(), st.integers(0, 9)),
        references=tuples(st.one_of(st.sampled_from(["airports.faa", "a.b.c"]), some)),
        transform_sources=tags,
        examples=tuples(values),
        tags=tags,
        links=links,
        quality=tuples(qualities, 1),
        properties=properties,
        **dict.fromkeys(["required", "unique", "pii", "critical"], st.booleans()),
        **dict.fromkeys(
            [
                "description",
                "title",
                "physical_name",
                "pattern",
                "format",
                "classification",
                "encrypted_name",
                "transform_logic",
                "transform_description",
            ],
            optional,
        ),
    )


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Build arrays, maps and structs whose parts have the inner types."""
    part = fields(inner)
    return st.one_of(
        st.builds(m.Array, part),
        st.builds(m.Array, part.map(lambda field: replace(field, name="element"))),
        st.builds(m.Map, part, part),
        st.builds(m.Struct, tuples(part)),
    )


all_fields = fields(st.recursive(plain_types, nested, max_leaves=3))
references = st.one_of(
    st.just(m.Reference(("origin", "time_hour"), "weather", ("origin", "time_hour"))),
    st.builds(m.Reference, tuples(names, 2), names, tuples(names, 2)),
)
examples = st.builds(m.Example, data=values, type=some, description=optional)
models = st.builds(
    m.Model,
    name=names,
    fields=tuples(all_fields),
    type=optional,
    references=tuples(references),
    examples=tuples(examples),
    quality=tuples(qualities),
    tags=tags,
    links=links,
    properties=properties,
    **dict.fromkeys(["description", "title", "physical_name", "granularity"], optional),
)
roles = st.builds(
    m.Role,
    name=texts,
    properties=properties,
    **dict.fromkeys(
        ["access", "description", "first_level_approvers", "second_level_approvers"], optional
    ),
)
options = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "host",
                "catalog",
                "schema",
                "path",
                "format",
                "location",
                "port",
                "topic",
                "description2",
            ]
        ),
        names,
    ),
    values,
    max_size=4,
)
servers = st.builds(
    m.Server,
    name=texts,
    type=st.one_of(
        st.sampled_from(["databricks", "azure", "kafka", "local", "custom", "eventhub", "adls"]),
        some,
    ),
    environment=optional,
    description=optional,
    options=options.map(
        lambda held: {key: value for key, value in held.items() if key not in OWN_NAMES}
    ),
    roles=tuples(roles, 1),
)
members = st.builds(
    m.Member,
    username=texts,
    **dict.fromkeys(
        ["name", "role", "description", "date_in", "date_out", "replaced_by"], optional
    ),
)
teams = st.builds(
    m.Team,
    members=tuples(members),
    properties=properties,
    **dict.fromkeys(
        ["name", "description", "contact_name", "contact_email", "contact_url"], optional
    ),
)
levels = st.builds(
    m.ServiceLevel,
    property=texts,
    value=values,
    options=properties,
    **dict.fromkeys(
        ["unit", "element", "driver", "description", "schedule", "scheduler"], optional
    ),
)
support = st.builds(
    m.SupportChannel,
    channel=texts,
    **dict.fromkeys(["url", "description", "tool", "scope", "invitation_url"], optional),
)
WORKFLOW_KEYS = {
    "type",
    "format",
    "job_mock",
    "model",
    "models",
    "source",
    "email_notifications",
    "latest_by",
    "tasks",
}
free = properties.map(
    lambda held: {key: value for key, value in held.items() if key not in WORKFLOW_KEYS}
)
workflows = st.builds(
    m.Workflow,
    models=tags,
    source=st.builds(m.Source, type=some, format=some, options=free),
    email_notifications=st.builds(m.EmailNotifications, tags, tags, tags),
    job_mock=st.booleans(),
    latest_by=st.dictionaries(names, tags, max_size=2),
    tasks=tuples(free.filter(bool)),
    properties=free,
)
contracts = st.builds(
    m.Contract,
    id=texts,
    specification=st.sampled_from(["odcs", "dcs"]),
    specification_version=st.sampled_from(["3.1.0", "1.2.1"]),
    description=st.builds(m.Description, optional, optional, optional, properties),
    team=teams,
    models=tuples(models),
    servers=tuples(servers),
    service_levels=tuples(levels),
    roles=tuples(roles),
    support=tuples(support),
    price=st.one_of(
        st.none(), st.builds(m.Price, st.one_of(st.none(), numbers), optional, optional)
    ),
    workflow=st.one_of(st.none(), workflows),
    tags=tags,
    links=links,
    properties=properties,
    **dict.fromkeys(
        ["name", "version", "status", "tenant", "domain", "data_product", "created"], optional
    ),
)
patient = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)


@patient
@given(all_fields)
def test_a_field_is_written_validly_and_reads_back_equal(field: m.Field) -> None:
    written = build_odcs_property(field)
    assert [error.message for error in validator("SchemaProperty").iter_errors(written)] == []
    assert read_odcs_field(written) == field


@patient
@given(qualities)
def test_a_check_is_written_validly_and_reads_back_equal(quality: m.Quality) -> None:
    written = build_odcs_quality(quality)
    assert validator("DataQuality").is_valid(written)
    assert read_odcs_quality(written) == quality


@patient
@given(contracts)
def test_a_contract_is_written_validly_and_reads_back_equal(contract: m.Contract) -> None:
    written = build_odcs(contract)
    assert [error.message for error in validator().iter_errors(written)] == []
    again, faults = read_odcs(Document("contract.yaml", written, {}), None)
    assert [str(fault) for fault in faults if fault.severity == "error"] == []
    assert again == replace(contract, specification="odcs", specification_version="3.2.0")


@settings(patient, max_examples=15)
@given(contracts)
def test_a_contract_survives_yaml(contract: m.Contract) -> None:
    document = parse_document(odcs_yaml(contract), "contract.yaml")
    again, _ = read_odcs(document, None)
    assert again == replace(contract, specification="odcs", specification_version="3.2.0")
