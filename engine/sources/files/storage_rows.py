"""Turns rows that Home Assistant stores in `.storage` into records.

Pure. Converts a stored row into the websocket's form and leaves the rest to `registry_rows`, so that one home
has one content. Of config entries only the record's fields are ever decoded: the others
(`data`, `options`, ...) hold passwords and tokens, and never become objects. For the same reason an unknown key of a
stored config entry is dropped, while one of any other registry is kept in `extra`.

Stored rows were compared with listed ones on 2024.3.3 and 2026.11.0 (seen 2026-11-23).
"""

from collections.abc import Mapping

from engine.core.records.lenient import decode_value, read_fields, seconds_of, text_of, texts_of
from engine.core.records.record import Json, Record
from engine.core.records.record_json import field_names
from engine.sources.answers.entity_names import without_device_name
from engine.sources.answers.mass_changes import order_split
from engine.sources.answers.registry_rows import device_record, entity_record_from_fields, ordered_aliases
from engine.sources.answers.subentries import decode_subentries

# Entity stores of 2026.4 and later: aliases are ordered and in `aliases_v2`, and listed names
# omit the device's name.
ENTITY_MINOR_2026_4 = 22

_DEVICE_STORE_ONLY = (
    "composite_device_id",
    "composite_primary_config_entry",
    "has_composite_identifiers",
    "split_at",
)
_ENTITY_STORE_ONLY = (
    "aliases_v2",
    "object_id_base",
    "previous_unique_id",
    "suggested_object_id",
)


# The only fields of a stored config entry that are read.
ENTRY_FIELDS = {
    **dict.fromkeys(field_names("config_entry"), decode_value),
    "subentries": decode_subentries,
}


def device_from_store(row: dict[str, Json]) -> Record:
    """The record of a stored device or child device; consumes `row`. Raises UnusableRow."""
    for name in _DEVICE_STORE_ONLY:
        row.pop(name, None)
    return device_record(_with_stamps(row))


def entity_from_store(row: dict[str, Json], minor: int, device_names: Mapping[str, str | None]) -> Record:
    """The record of a stored entity; consumes `row`.

    `minor` is its store's minor version, `device_names` are by device id. Raises UnusableRow.
    """
    if minor >= ENTITY_MINOR_2026_4:
        row["aliases"] = row.get("aliases_v2", [None])
        if not row.get("has_entity_name") and isinstance(row.get("original_name"), str):
            device_name = device_names.get(str(row.get("device_id")))
            row["original_name"] = without_device_name(row["original_name"], device_name)
    else:
        row["aliases"] = _aliases_of_a_set(row.get("aliases"))
    for name in _ENTITY_STORE_ONLY:
        row.pop(name, None)
    return entity_record_from_fields(_with_stamps(row))


def area_from_store(row: dict[str, Json]) -> Record:
    """The record of a stored area, whose id has another name there; consumes `row`. Raises UnusableRow."""
    if "id" in row:
        row["area_id"] = row.pop("id")
    return read_fields("area", _with_stamps(row))


def row_from_store(registry: str, row: dict[str, Json]) -> Record:
    """The record of a stored row of any other registry; consumes `row`. Raises UnusableRow."""
    return read_fields(registry, _with_stamps(row))


def config_entry_from_store(row: dict[str, Json]) -> Record:
    """The record of a stored config entry, decoded to `ENTRY_FIELDS` only. Raises UnusableRow."""
    return read_fields("config_entry", _with_stamps(row))


def device_name(row: Mapping[str, Json]) -> str | None:
    """The device name that prefixes its entities' names: the user's, else the integration's."""
    name = row.get("name_by_user") or row.get("name")
    return text_of(name) if name is not None else None


def splits_of_devices(rows: list[dict[str, Json]]) -> dict[str, tuple[str, ...]]:
    """The devices of 2026.7 and earlier that were replaced by several, in the form of `Snapshot.splits`."""
    new_ids: dict[str, list[str]] = {}
    primaries: dict[str, str] = {}
    for row in rows:
        old_id, new_id = row.get("composite_device_id"), row.get("id")
        if isinstance(old_id, str) and isinstance(new_id, str):
            new_ids.setdefault(old_id, []).append(new_id)
            if row.get("config_entry_id") == row.get("composite_primary_config_entry"):
                primaries[old_id] = new_id
    return {old: order_split(ids, primaries.get(old)) for old, ids in sorted(new_ids.items())}


def _aliases_of_a_set(aliases: Json) -> Json:
    if aliases is None:
        return (None,)
    return ordered_aliases(tuple(texts_of(aliases)))


def _with_stamps(fields: dict[str, Json]) -> dict[str, Json]:
    """Times in the API's form, Unix seconds; the store has ISO 8601, and both come from one datetime."""
    for name in ("created_at", "modified_at"):
        if name in fields:
            fields[name] = seconds_of(fields[name])
    return fields
