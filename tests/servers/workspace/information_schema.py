"""The relations of INFORMATION_SCHEMA, made of the state (Databricks, *Information schema*, one
page a relation). A caller sees what it has a privilege on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .securables import parents, visible
from .sql_columns import constraint_name
from .sql_session import Session
from .state import Json

# Precision in bits and scale of the numbers that have no decimal places, or have them by exponent.
BITS = {
    "BYTE": (8, 0),
    "SHORT": (16, 0),
    "INT": (32, 0),
    "LONG": (64, 0),
    "FLOAT": (24, None),
    "DOUBLE": (53, None),
}
Maker = Callable[[Session], Iterator[Json]]


def yes(value: object) -> str:
    """Return YES or NO."""
    return "YES" if value else "NO"


def objects(session: Session, kind: str) -> Iterator[Json]:
    """Return the objects of a kind that the caller sees."""
    return (item for _, item in visible(session.state, session.caller, kind))


def audit(item: Json) -> Json:
    """Return who made and changed an object."""
    return {
        "created": item["created_at"],
        "created_by": item["created_by"],
        "last_altered": item["updated_at"],
        "last_altered_by": item["updated_by"],
    }


def place(item: Json, kind: str = "table") -> Json:
    """Return the parts of an object's name."""
    return {
        f"{kind}_catalog": item["catalog_name"],
        f"{kind}_schema": item["schema_name"],
        f"{kind}_name": item["name"],
    }


def catalogs(session: Session) -> Iterator[Json]:
    """Catalogs."""
    return (
        {
            "catalog_name": item["name"],
            "catalog_owner": item["owner"],
            "comment": item.get("comment"),
            **audit(item),
        }
        for item in objects(session, "catalog")
    )


def schemata(session: Session) -> Iterator[Json]:
    """Schemas."""
    return (
        {
            "catalog_name": item["catalog_name"],
            "schema_name": item["name"],
            "schema_owner": item["owner"],
            "comment": item.get("comment"),
            **audit(item),
        }
        for item in objects(session, "schema")
    )


def tables(session: Session) -> Iterator[Json]:
    """Tables."""
    return (
        {
            **place(item),
            "table_type": item["table_type"],
            "is_insertable_into": "YES",
            "commit_action": "PRESERVE",
            "table_owner": item["owner"],
            "comment": item.get("comment"),
            "data_source_format": item["data_source_format"],
            "storage_path": item["storage_location"],
            **audit(item),
        }
        for item in objects(session, "table")
    )


def columns(session: Session) -> Iterator[Json]:
    """Columns, from position 1."""
    for item in objects(session, "table"):
        for column in item["columns"]:
            precision, scale = BITS.get(column["type_name"]) or (
                column["type_precision"],
                column["type_scale"],
            )
            yield {
                **place(item),
                "column_name": column["name"],
                "ordinal_position": column["position"] + 1,
                "column_default": None,
                "is_nullable": yes(column["nullable"]),
                "full_data_type": column["type_text"],
                "data_type": column["type_name"],
                "numeric_precision": precision or None,
                "numeric_scale": scale if precision else None,
                "comment": column.get("comment"),
            }


def tags(kind: str) -> Maker:
    """Return the maker of the tags of catalogs, schemas, tables, columns or volumes."""

    def made(session: Session) -> Iterator[Json]:
        names = {
            "catalogs": ("catalog_name",),
            "schemas": ("catalog_name", "schema_name"),
            "columns": ("catalog_name", "schema_name", "table_name", "column_name"),
        }.get(kind, ("catalog_name", "schema_name", f"{kind[:-1]}_name"))
        seen = {
            item["full_name"]
            for item in objects(session, {"columns": "table"}.get(kind, kind[:-1]))
        }
        for (entity, name), held in session.state.tags.items():
            owner = name.rsplit(".", 1)[0] if kind == "columns" else name
            if entity == kind and owner in seen:
                parts = spelled(session, name) if kind == "columns" else name.split(".")
                yield from (
                    {**dict(zip(names, parts, strict=True)), "tag_name": key, "tag_value": value}
                    for key, value in held.items()
                )

    return made


def spelled(session: Session, name: str) -> list[str]:
    """Return the parts of a column's name, the last as the table spells it."""
    owner, _, column = name.rpartition(".")
    return [
        *owner.split("."),
        next(
            item["name"]
            for item in session.state.unity["table"][owner]["columns"]
            if item["name"].lower() == column
        ),
    ]


def keys(session: Session) -> Iterator[tuple[Json, str, Json]]:
    """Return every key with its table and kind."""
    for item in objects(session, "table"):
        for constraint in item.get("table_constraints", []):
            yield (
                item,
                "PRIMARY KEY" if "primary_key_constraint" in constraint else "FOREIGN KEY",
                next(iter(constraint.values())),
            )


def constrained(item: Json, detail: Json) -> Json:
    """Return the parts of a constraint's name."""
    return {
        "constraint_catalog": item["catalog_name"],
        "constraint_schema": item["schema_name"],
        "constraint_name": constraint_name({"": detail}),
    }


def table_constraints(session: Session) -> Iterator[Json]:
    """Keys; CHECK constraints are not among them."""
    return (
        {
            **constrained(item, detail),
            **place(item),
            "constraint_type": kind,
            "is_deferrable": "NO",
            "initially_deferred": "NO",
            "enforced": "NO",
        }
        for item, kind, detail in keys(session)
    )


def key_column_usage(session: Session) -> Iterator[Json]:
    """The columns of keys, from position 1."""
    return (
        {
            **constrained(item, detail),
            **place(item),
            "column_name": column,
            "ordinal_position": at + 1,
            "position_in_unique_constraint": at + 1 if kind == "FOREIGN KEY" else None,
        }
        for item, kind, detail in keys(session)
        for at, column in enumerate(detail["child_columns"])
    )


def constraint_column_usage(session: Session) -> Iterator[Json]:
    """The columns that keys refer to: their own for primary keys, the parent's for foreign keys."""
    for item, kind, detail in keys(session):
        parent = session.state.unity["table"].get(detail.get("parent_table", ""), item)
        yield from (
            {**place(parent), "column_name": column, **constrained(item, detail)}
            for column in detail["parent_columns" if kind == "FOREIGN KEY" else "child_columns"]
        )


def referential_constraints(session: Session) -> Iterator[Json]:
    """Foreign keys, with the keys that they refer to."""
    for item, kind, detail in keys(session):
        parent = session.state.unity["table"].get(detail.get("parent_table", ""), {})
        key = next(
            (
                one["primary_key_constraint"]
                for one in parent.get("table_constraints", [])
                if "primary_key_constraint" in one
            ),
            None,
        )
        if kind == "FOREIGN KEY" and key:
            yield {
                **constrained(item, detail),
                "unique_constraint_catalog": parent["catalog_name"],
                "unique_constraint_schema": parent["schema_name"],
                "unique_constraint_name": key["name"],
                "match_option": "FULL",
                "update_rule": "NO ACTION",
                "delete_rule": "NO ACTION",
            }


def function(used: Json, kind: str) -> Json:
    """Return the parts of the name of the function that masks or filters."""
    return dict(
        zip(
            (f"{kind}_catalog", f"{kind}_schema", f"{kind}_name"),
            used["function_name"].split("."),
            strict=True,
        )
    )


def column_masks(session: Session) -> Iterator[Json]:
    """Masks of columns."""
    for item in objects(session, "table"):
        for column in item["columns"]:
            if "mask" in column:
                yield {
                    **{
                        key.replace("table_catalog", "catalog_name").replace(
                            "table_schema", "schema_name"
                        ): value
                        for key, value in place(item).items()
                    },
                    "column_name": column["name"],
                    **function(column["mask"], "mask"),
                    "mask_col_usage": ",".join(column["mask"]["using_column_names"]) or None,
                }


def row_filters(session: Session) -> Iterator[Json]:
    """Row filters of tables."""
    for item in objects(session, "table"):
        if "row_filter" in item:
            yield {
                **{
                    key.replace("table_catalog", "catalog_name").replace(
                        "table_schema", "schema_name"
                    ): value
                    for key, value in place(item).items()
                },
                **function(item["row_filter"], "filter"),
                "filter_col_usage": ",".join(item["row_filter"]["input_column_names"]),
            }


def routines(session: Session) -> Iterator[Json]:
    """Functions."""
    return (
        {
            **place(item, "specific"),
            **place(item, "routine"),
            "routine_type": "FUNCTION",
            "data_type": item["data_type"],
            "full_data_type": item["full_data_type"],
            "routine_body": "SQL",
            "routine_definition": item["routine_definition"],
            "routine_owner": item["owner"],
            "comment": item.get("comment"),
            **audit(item),
        }
        for item in objects(session, "function")
    )


def volumes(session: Session) -> Iterator[Json]:
    """Volumes."""
    return (
        {
            **place(item, "volume"),
            "volume_type": item["volume_type"],
            "volume_owner": item["owner"],
            "comment": item.get("comment"),
            "storage_location": item["storage_location"],
            **audit(item),
        }
        for item in objects(session, "volume")
    )


def privileges(kind: str) -> Maker:
    """Return the maker of the grants on catalogs, schemas or tables, their own and those of what
    they are in.
    """

    def made(session: Session) -> Iterator[Json]:
        names = (
            ("catalog_name",)
            if kind == "catalog"
            else ("catalog_name", "schema_name")
            if kind == "schema"
            else ("table_catalog", "table_schema", "table_name")
        )
        for item in objects(session, kind):
            named = dict(zip(names, item["full_name"].split("."), strict=True))
            for of, name in [(kind, item["full_name"]), *parents(kind, item["full_name"])]:
                for principal, held in session.state.grants.get((of, name), {}).items():
                    yield from (
                        {
                            "grantor": item["owner"],
                            "grantee": principal,
                            **named,
                            "privilege_type": privilege,
                            "is_grantable": "NO",
                            "inherited_from": "NONE" if of == kind else of.upper(),
                        }
                        for privilege in sorted(held)
                    )

    return made


def nothing(session: Session) -> Iterator[Json]:
    """CHECK_CONSTRAINTS is reserved for future use, and empty."""
    return iter(())


AUDIT = ("created", "created_by", "last_altered", "last_altered_by")
CONSTRAINED = ("constraint_catalog", "constraint_schema", "constraint_name")
TABLE = ("table_catalog", "table_schema", "table_name")
# A relation's columns, its maker, and which of its columns names the catalog.
RELATIONS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "catalogs": (catalogs, ("catalog_name", "catalog_owner", "comment", *AUDIT)),
    "schemata": (schemata, ("catalog_name", "schema_name", "schema_owner", "comment", *AUDIT)),
    "tables": (
        tables,
        (
            *TABLE,
            "table_type",
            "is_insertable_into",
            "commit_action",
            "table_owner",
            "comment",
            *AUDIT,
            "data_source_format",
            "storage_path",
        ),
    ),
    "columns": (
        columns,
        (
            *TABLE,
            "column_name",
            "ordinal_position",
            "column_default",
            "is_nullable",
            "full_data_type",
            "data_type",
            "numeric_precision",
            "numeric_scale",
            "comment",
        ),
    ),
    "catalog_tags": (tags("catalogs"), ("catalog_name", "tag_name", "tag_value")),
    "schema_tags": (tags("schemas"), ("catalog_name", "schema_name", "tag_name", "tag_value")),
    "table_tags": (
        tags("tables"),
        ("catalog_name", "schema_name", "table_name", "tag_name", "tag_value"),
    ),
    "volume_tags": (
        tags("volumes"),
        ("catalog_name", "schema_name", "volume_name", "tag_name", "tag_value"),
    ),
    "column_tags": (
        tags("columns"),
        ("catalog_name", "schema_name", "table_name", "column_name", "tag_name", "tag_value"),
    ),
    "table_constraints": (
        table_constraints,
        (
            *CONSTRAINED,
            *TABLE,
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
        ),
    ),
    "key_column_usage": (
        key_column_usage,
        (*CONSTRAINED, *TABLE, "column_name", "ordinal_position", "position_in_unique_constraint"),
    ),
    "constraint_column_usage": (constraint_column_usage, (*TABLE, "column_name", *CONSTRAINED)),
    "referential_constraints": (
        referential_constraints,
        (
            *CONSTRAINED,
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ),
    ),
    "check_constraints": (nothing, (*CONSTRAINED, "check_clause", "sql_path")),
    "column_masks": (
        column_masks,
        (
            "catalog_name",
            "schema_name",
            "table_name",
            "column_name",
            "mask_catalog",
            "mask_schema",
            "mask_name",
            "mask_col_usage",
        ),
    ),
    "row_filters": (
        row_filters,
        (
            "catalog_name",
            "schema_name",
            "table_name",
            "filter_catalog",
            "filter_schema",
            "filter_name",
            "filter_col_usage",
        ),
    ),
    "routines": (
        routines,
        (
            "specific_catalog",
            "specific_schema",
            "specific_name",
            "routine_catalog",
            "routine_schema",
            "routine_name",
            "routine_type",
            "data_type",
            "full_data_type",
            "routine_body",
            "routine_definition",
            "routine_owner",
            "comment",
            *AUDIT,
        ),
    ),
    "volumes": (
        volumes,
        (
            "volume_catalog",
            "volume_schema",
            "volume_name",
            "volume_type",
            "volume_owner",
            "comment",
            "storage_location",
            *AUDIT,
        ),
    ),
    "catalog_privileges": (
        privileges("catalog"),
        ("grantor", "grantee", "catalog_name", "privilege_type", "is_grantable", "inherited_from"),
    ),
    "schema_privileges": (
        privileges("schema"),
        (
            "grantor",
            "grantee",
            "catalog_name",
            "schema_name",
            "privilege_type",
            "is_grantable",
            "inherited_from",
        ),
    ),
    "table_privileges": (
        privileges("table"),
        ("grantor", "grantee", *TABLE, "privilege_type", "is_grantable", "inherited_from"),
    ),
}
