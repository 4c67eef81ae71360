"""Volumes (reference page *Volumes*)."""

from __future__ import annotations

from databricks.sdk.service import catalog

from .refusals import invalid
from .routes import Request, page_of, serves
from .securables import add, change, find, need, need_in_schema, remove, visible
from .state import Json, State, new_uuid
from .storage import location_of, overlaps, url_of


def create(state: State, caller: str, schema: str, name: str, said: Json) -> Json:
    """Make a volume.

    A managed one where the schema has its files, an external one in an external location.
    """
    need_in_schema(state, caller, schema, "CREATE_VOLUME")
    is_external = said["volume_type"] == "EXTERNAL"
    if bool(said.get("storage_location")) != is_external:
        raise invalid(
            f"CreateVolume storage_location {'must be' if is_external else 'can not be'} provided."
        )
    identity = new_uuid()
    catalog_name, schema_name = schema.lower().split(".")
    place = (
        f"{state.unity['catalog'][catalog_name]['storage_root']}/__unitystorage/volumes/{identity}"
    )
    if is_external:
        place = url_of(said["storage_location"])
        location_of(state, caller, place, "CREATE_EXTERNAL_VOLUME")
        for kind in ("volume", "table"):
            for other, item in state.unity[kind].items():
                if overlaps(place, item.get("storage_location", "-")):
                    raise invalid(
                        f"LOCATION_OVERLAP: Input path url '{place}' overlaps with other "
                        "external tables or volumes within 'CreateVolume' call. Conflicting "
                        f"tables/volumes: {other}."
                    )
    return add(
        state,
        "volume",
        f"{schema}.{name}",
        caller,
        catalog_name=catalog_name,
        schema_name=schema_name,
        volume_type=said["volume_type"],
        comment=said.get("comment"),
        storage_location=place,
        volume_id=identity,
    )


@serves(catalog.VolumesAPI.create, "workspace/volumes/create")
def create_volume(state: State, request: Request) -> Json:
    """Make one."""
    return create(
        state,
        request.caller,
        f"{request['catalog_name']}.{request['schema_name']}",
        request["name"],
        request.body,
    )


@serves(catalog.VolumesAPI.list, "workspace/volumes/list")
def list_volumes(state: State, request: Request) -> Json:
    """Return a page of a schema's volumes."""
    schema = find(state, "schema", f"{request['catalog_name']}.{request['schema_name']}")[
        "full_name"
    ]
    return page_of(
        state,
        request,
        [
            item
            for name, item in visible(state, request.caller, "volume")
            if name.startswith(schema + ".")
        ],
        "volumes",
    )


@serves(catalog.VolumesAPI.read, "workspace/volumes/read")
def read_volume(state: State, request: Request) -> Json:
    """Return one."""
    found = find(state, "volume", request["name"])
    need(state, request.caller, "volume", request["name"], "READ_VOLUME", "WRITE_VOLUME", "BROWSE")
    return found


@serves(catalog.VolumesAPI.update, "workspace/volumes/update")
def update_volume(state: State, request: Request) -> Json:
    """Update one."""
    return change(state, "volume", request["name"], request.caller, request.body)


@serves(catalog.VolumesAPI.delete, "workspace/volumes/delete")
def delete_volume(state: State, request: Request) -> None:
    """Delete one, with its files."""
    remove(state, "volume", request["name"], request.caller)
