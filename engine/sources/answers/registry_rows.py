"""Registry rows of the websocket API, turned into records.

Pure. Knows which keys of a row are copies of others, which change although the item did not, and how Home Assistant
2024.3 to 2026.11 differ; everything else is the record's task. An unknown key is kept in the
record's `extra`. Rows of the store are converted into this form first (see `storage_rows`).

Facts about rows were measured on Home Assistant 2024.3.3 and 2026.11.0 and read in the versions between
(seen 2026-11-23); https://developers.home-assistant.io/docs/device_registry_index describes devices.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.home.snapshot import version_of
from engine.core.records.lenient import decode_value, read_fields, read_object, read_row, text_of
from engine.core.records.record import Entity, Json, Record
from engine.core.records.set_aside import UnusableRow
from engine.sources.answers.subentries import subentries_of
from engine.sources.json_text import decode_json

# Keys of a config entry row that describe the running integration rather than the entry: they change at every
# start, and during retries every few seconds.
_ENTRY_STATE = frozenset(
    {
        "state",
        "reason",
        "error_reason_translation_domain",
        "error_reason_translation_key",
        "error_reason_translation_placeholders",
        "supports_options",
        "supports_reconfigure",
        "supports_remove_device",
        "supports_unload",
        "supported_subentry_types",
        "num_subentries",
        # Never sent so far. In the store they hold secrets.
        "data",
        "options",
        "unique_id",
    }
)

_ALIASES_ORDERED_SINCE = (2026, 4)
Entries: TypeAlias = Mapping[str, msgspec.Raw]  # extended rows by entity_id
_EXTENDED_ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EXTENDED_RECORDS = msgspec.json.Decoder(dict[str, Entity | None])


class EntityListRow(msgspec.Struct):
    """The fields of a list row that are needed to request its extended row."""

    id: str
    entity_id: str
    modified_at: float | None = None


_ENTITY_LIST_ROW = msgspec.json.Decoder(EntityListRow)
_ENTITY_LIST_ROWS = msgspec.json.Decoder(list[EntityListRow])


def has_ordered_aliases(ha_version: str | None) -> bool | None:
    """Whether entity aliases are an ordered list (2026.4 and later) or a set; None when the version is unknown."""
    version = version_of(ha_version)
    return None if version is None else version >= _ALIASES_ORDERED_SINCE


def entity_list_rows(answer: msgspec.Raw) -> list[EntityListRow]:
    """The identities in the rows of a whole list; empty where rows have to be decoded one by one."""
    try:
        found = _ENTITY_LIST_ROWS.decode(answer)
    except DECODE_ERRORS:
        return []
    return found if all(row.id and row.entity_id for row in found) else []


def entity_list_row(row: msgspec.Raw) -> EntityListRow:
    """The entity's identity in a list row. Raises UnusableRow."""
    try:
        found = _ENTITY_LIST_ROW.decode(row)
    except DECODE_ERRORS:
        record = read_fields("entity", read_object("entity", row))
        assert isinstance(record, Entity)
        return EntityListRow(record.id, record.entity_id)
    if not found.id or not found.entity_id:
        read_fields("entity", read_object("entity", row))
    return found


def entity_record(row: bytes | msgspec.Raw, *, aliases_ordered: bool) -> Record:
    """The record of one entity row, given as JSON; extended rows are complete, list rows lack five fields.

    Raises UnusableRow.
    """
    record = read_row("entity", row)
    assert isinstance(record, Entity)
    return record if aliases_ordered else _with_ordered_aliases(record)


def _with_ordered_aliases(entity: Entity) -> Entity:
    return msgspec.structs.replace(entity, aliases=ordered_aliases(entity.aliases))


def ordered_aliases(aliases: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """The user's aliases, a set before 2026.4, in today's form: the computed name (None) comes first."""
    return (None, *sorted({alias for alias in aliases if alias is not None}))


def entity_record_from_fields(row: dict[str, Json]) -> Record:
    """The record of an entity row that is decoded and has its aliases in today's form. Raises UnusableRow."""
    return read_fields("entity", row)


def row_record(registry: str, row: bytes | msgspec.Raw, *, scope: str = "") -> Record:
    """The record of one row of any other registry; `scope` is that of the category list.

    Raises UnusableRow.
    """
    if registry == "device":
        return device_record(read_object(registry, row))
    if registry == "category":
        return read_fields(registry, {**read_object(registry, row), "scope": scope})
    if registry == "config_entry":
        fields = read_object(registry, row)
        known = {k: v for k, v in fields.items() if k not in _ENTRY_STATE}
        if "subentries" in known:
            known["subentries"] = subentries_of(known["subentries"])
        return read_fields(registry, known)
    return read_row(registry, row)


def device_record(row: dict[str, Json]) -> Record:
    """The record of a device row of any version, child devices included. Raises UnusableRow.

    Since 2026.8 a device has one owner, `config_entry_id`; the lists of owners are copies for compatibility,
    to be removed in 2027. Treating a copy as absent keeps every hash unchanged when they go.
    """
    primary = row.pop("primary_config_entry", None)
    entries = row.get("config_entries")
    sole = entries[0] if isinstance(entries, list) and len(entries) == 1 else None
    given = row.get("config_entry_id") or primary or sole
    owner = row["config_entry_id"] = text_of(given) if given else None
    if not entries and owner is not None:
        row["config_entries"] = [owner]
    subentries = row.get("config_entries_subentries")
    if isinstance(subentries, dict):
        copies = ([None], [row.get("config_subentry_id")])
        row["config_entries_subentries"] = {
            entry: _sorted_subentries(ids)
            for entry, ids in subentries.items()
            if ids != [None] and not (entry == owner and ids in copies)
        }
    return read_fields("device", row)


def _sorted_subentries(ids: Json) -> Json:
    # A set, serialised in any order; None is the entry itself.
    return sorted(ids, key=lambda i: (i is not None, str(i))) if isinstance(ids, list) else ids


def extended_rows(
    results: Iterable[msgspec.Raw | Entries], *, as_records: bool, aliases_ordered: bool
) -> dict[str, msgspec.Raw | Record]:
    """The extended rows in answers of `get_entries`, by entity_id. Raises SourceInvalid.

    `as_records`: those of an undecoded answer become records at once, unless its rows have to be read one by one.
    """
    found: dict[str, msgspec.Raw | Record] = {}
    for result in results:
        if not isinstance(result, msgspec.Raw):
            found.update(result)
        elif as_records and (records := _entity_records(result, aliases_ordered=aliases_ordered)) is not None:
            found.update(records)
        else:
            found.update(decode_entries(result))
    return found


def _entity_records(answer: msgspec.Raw, *, aliases_ordered: bool) -> dict[str, Entity] | None:
    try:
        rows = _EXTENDED_RECORDS.decode(answer)
    except DECODE_ERRORS:
        return None
    found = {id_: record for id_, record in rows.items() if record is not None}
    return found if aliases_ordered else {id_: _with_ordered_aliases(r) for id_, r in found.items()}


def decode_entries(answer: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The extended rows in an answer of `get_entries`, by entity_id. Raises SourceInvalid."""
    decoded = decode_json(_EXTENDED_ROWS, answer, "The answer to get_entries")
    return {id_: row for id_, row in decoded.items() if not _is_null(row)}


def aliases_look_ordered(entries: msgspec.Raw) -> bool:
    """Whether extended rows come from 2026.4 or later, recognised by a null among their aliases.

    A guess for recordings without a version: null is the default there and did not exist before.
    """
    rows = decode_json(_EXTENDED_ROWS, entries, "The answer to get_entries").values()
    return any(None in _aliases_of(row) for row in rows if not _is_null(row))


def _is_null(row: msgspec.Raw) -> bool:
    view = memoryview(row)  # no copy is made of longer rows
    return len(view) == len(b"null") and bytes(view) == b"null"


def _aliases_of(row: msgspec.Raw) -> list[Json]:
    try:
        aliases = read_object("entity", row, {"aliases": decode_value}).get("aliases")
    except UnusableRow:
        return []
    return aliases if isinstance(aliases, list) else []
