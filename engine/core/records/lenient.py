"""Reads rows leniently: an odd value from an integration refuses neither the record nor the home.

Integrations write versions that are lists, titles that are numbers, `null` for a list. Home Assistant keeps them
unchanged, and since 2026.6 reads a text field as `str(value)`; so does this module. The record and its hash are therefore
the same as when Home Assistant writes the value as text.

- a text field: `str(value)`; a reference (a device, an area, who disabled it) that is empty or false: none
- a list: `null` is empty, any other value that is not a list is its only member; members are read as text
- an object: any other value is empty
- a number or a time: any other value is unknown
- a switch: Python's truth of the value

Only the fields that identify the record (`Record.IDENTITY`) must be valid; a row without them raises UnusableRow.
Replicas are not read leniently: values that other programs wrote there must be reported.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.nesting import NESTING_MAX, nests_too_deep
from engine.core.records.record import RECORD_TYPES, Json, Record
from engine.core.records.record_json import decode_record, decode_row, make_record
from engine.core.records.set_aside import SetAside, UnusableRow, json_type
from engine.errors import SourceInvalid

# Text fields that refer to something, or where being set has a meaning: here false means none, not the text "False".
_REFERENCES = frozenset(
    {
        *("area_id", "config_entry_id", "config_subentry_id", "device_id", "disabled_by", "entity_category"),
        *("entry_type", "floor_id", "hidden_by", "humidity_entity_id", "parent_device_id"),
        *("temperature_entity_id", "via_device_id"),
    }
)
_RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIRST_TYPES = {b'"': "text", b"[": "list", b"n": "null", b"t": "boolean", b"f": "boolean"}
# Longer integers are kept as text: Python converts no more digits than 4300.
_DIGITS_MAX = 4000
_NAMES = ("name_by_user", "name", "title", "original_name")


def read_row(registry: str, data: bytes | msgspec.Raw) -> Record:
    """Read the record of one row from JSON; fast for valid rows.

    Raises UnusableRow when the record cannot be identified.
    """
    try:
        return decode_record(registry, data)
    except SourceInvalid:
        return read_fields(registry, read_object(registry, data))


def read_fields(registry: str, row: Mapping[str, Json]) -> Record:
    """Read the record of one decoded row. Raises UnusableRow when the record cannot be identified."""
    try:
        return make_record(registry, dict(row))
    except SourceInvalid:
        return _read_slowly(registry, row)


def read_object(
    registry: str, data: bytes | msgspec.Raw, only: Mapping[str, Callable[[msgspec.Raw], Json]] | None = None
) -> dict[str, Json]:
    """Read the fields of one row from JSON, or `only` those named, each with its own decoder.

    Raises UnusableRow when the row is not an object.
    """
    try:
        if only is None:
            return decode_row(registry, data)
        fields = _RAW_FIELDS.decode(data)
    except (SourceInvalid, *DECODE_ERRORS):
        fields = _raw_fields(registry, data)
    if only is None:
        return {name: decode_value(raw) for name, raw in fields.items()}
    return {name: only[name](raw) for name, raw in fields.items() if name in only}


def _raw_fields(registry: str, data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _RAW_FIELDS.decode(data)
    except DECODE_ERRORS:
        pass
    found = _FIRST_TYPES.get(bytes(data[:1] if isinstance(data, bytes) else bytes(data)[:1]), "number")
    raise _unusable(registry, {}, "(row)", found, f"it is {with_article(found)} and no object")


def decode_value(raw: msgspec.Raw) -> Json:
    """Decode any JSON value, including those that a strict decoder rejects."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError):
        pass
    try:
        # JSON allows numbers of any size, a strict decoder does not.
        return _plain(json.loads(bytes(raw), parse_int=_integer))
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> Json:
    return int(digits) if len(digits) < _DIGITS_MAX else digits


def texts_of(value: Json) -> list[str]:
    """The members of a value that should be a list of texts."""
    return [text_of(member) for member in _members(value) if member is not None]


def text_of(value: Json) -> str:
    """The text that Home Assistant writes into a text field for a value."""
    return value if isinstance(value, str) else str(value)


def seconds_of(value: Json) -> float | None:
    """Convert a time to Unix seconds, from a number or ISO 8601 (UTC without a zone); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        if not isinstance(value, str):
            return float(value)
        # Never this machine's zone, which would give one file two contents.
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def whole_number(value: Json) -> int | None:
    """The whole number that a value or a text is; None for anything else, or with a fraction."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value) if isinstance(value, str) else value
        return int(number) if number == int(number) else None
    except (ValueError, OverflowError):
        return None


def _read_slowly(registry: str, row: Mapping[str, Json]) -> Record:
    type_ = RECORD_TYPES[registry]
    fields: dict[str, Json] = {}
    for name, value in row.items():
        if nests_too_deep(value):
            raise _unusable(
                registry, row, name, json_type(value), f"its {name} nests deeper than {NESTING_MAX}"
            )
        fields[name] = _plain(value)
    for name in type_.IDENTITY:
        _check_identity(registry, row, name, fields)
    for field in msgspec.structs.fields(type_):
        if field.name in fields and field.name not in type_.IDENTITY and field.name != "extra":
            read = _READERS[str(field.type)]
            value = fields[field.name]
            if field.name in _REFERENCES:
                fields[field.name] = text_of(value) if value else None
            elif value is None:
                del fields[field.name]  # the default
            else:
                fields[field.name] = read(value)
        if field.name not in fields and field.required and field.name not in type_.IDENTITY:
            fields[field.name] = ""
    try:
        return make_record(registry, fields)
    except SourceInvalid as error:
        raise _unusable(registry, row, "(row)", "object", error.message.rstrip(".")) from error


def _check_identity(registry: str, row: Mapping[str, Json], name: str, fields: dict[str, Json]) -> None:
    value = fields.get(name)
    # Some integrations registered a number, which Home Assistant keeps.
    if name == "unique_id" and isinstance(value, (int, float)) and not isinstance(value, bool):
        fields[name] = text_of(value)
    elif name not in fields:
        raise _unusable(registry, row, name, "absent", f"it has no {name}")
    elif not isinstance(value, str):
        raise _unusable(
            registry, row, name, json_type(value), f"its {name} is {with_article(json_type(value))}"
        )
    elif not value and name != "unique_id":
        raise _unusable(registry, row, name, "text", f"its {name} is empty")


def with_article(type_: str) -> str:
    """The name of a JSON type with its article."""
    return {"null": "null", "text": "text", "object": "an object"}.get(type_, f"a {type_}")


def _unusable(registry: str, row: Mapping[str, Json], field: str, found: str, reason: str) -> UnusableRow:
    type_ = RECORD_TYPES[registry]
    id_ = _text(row, type_.ID_FIELD)
    if registry == "category":
        scope = _text(row, "scope")
        id_ = f"{scope}/{id_}" if scope and id_ else None
    name = next((text for text in (_text(row, name) for name in _NAMES) if text), None)
    entity_id = _text(row, "entity_id") if registry == "entity" else None
    return UnusableRow(SetAside(registry, field, found, reason, id_, entity_id, name))


def _text(row: Mapping[str, Json], name: str) -> str | None:
    value = row.get(name)
    return str(_plain(value)) if isinstance(value, str) and value else None


def _plain(value: Json) -> Json:
    """Replace what JSON allows and no store can hold: halves of characters, infinite numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    return value


def _members(value: Json) -> list[Json]:
    if isinstance(value, (list, tuple)):
        return list(value)
    return [value] if value else []


def _aliases(value: Json) -> list[str | None]:
    return [None if member is None else text_of(member) for member in _members(value)]


def _tuples(value: Json) -> list[Json]:
    members = (member for member in _members(value) if member is not None)
    return [member if isinstance(member, (list, tuple)) else [member] for member in members]


def _object(value: Json) -> Json:
    return value if isinstance(value, dict) else {}


def _text_object(value: Json) -> dict[str, str]:
    return {k: text_of(v) for k, v in _object(value).items() if v is not None}


# By the type of the field. `null` is handled before: it is the default.
_READERS: Mapping[str, Callable[[Json], Json]] = MappingProxyType(
    {
        str(str): text_of,
        str(str | None): text_of,
        str(bool): bool,
        str(bool | None): bool,
        str(int | None): whole_number,
        str(float | None): seconds_of,
        str(tuple[str, ...]): texts_of,
        str(tuple[str | None, ...]): _aliases,
        str(tuple[tuple[Json, ...], ...]): _tuples,
        str(tuple[dict[str, Json], ...]): lambda value: [v for v in _members(value) if isinstance(v, dict)],
        str(dict[str, str]): _text_object,
        str(dict[str, Json]): _object,
        str(dict[str, Json] | None): lambda value: value if isinstance(value, dict) else None,
    }
)
