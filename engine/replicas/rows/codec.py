"""Converts records and their derived values to rows of the SQLite replica, and back.

Pure. The tables begin with the columns of HomeIQ's data-api, under its names and types, then come the
rest of the record, unknown keys from Home Assistant (`extra`), derived values, and `last_seen`,
the time when the row last changed. A row converts back to exactly the record it was made from:

    NULL                    the field has its default
    text, number            the value; booleans are 0 and 1
    list, object            canonical JSON text
    created_at, ...         'YYYY-MM-DD HH:MM:SS.ffffff' in UTC, as SQLAlchemy writes it; to the microsecond
    devices.name            NOT NULL in HomeIQ's table, null in Home Assistant's child devices: then the effective
                            name (or '') replaces it, and `name_is_stand_in` is 1
    devices.suggested_area  a key of `extra` for which HomeIQ has a column; stored there only if it is text
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from engine.core.compare.stored import StoredRow
from engine.core.decode_errors import DECODE_ERRORS
from engine.core.home.derived import Derived
from engine.core.home.home import row_version
from engine.core.records.content_hash import content_hash, digest_text
from engine.core.records.nesting import NESTING_MAX, nests_too_deep
from engine.core.records.record import Device, Json, Key, Record
from engine.core.records.record_json import canonical_fields, make_record
from engine.errors import SourceInvalid
from engine.replicas.rows.columns import ALWAYS_DERIVED, TABLES, Column, Origin, Table, Value

_NOTHING = Derived()
# Without a zone, whose text would have to be removed again. Times are UTC.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def encode_row(record: Record, derived: Derived | None, last_seen: str) -> tuple[Value, ...]:
    """The values of all columns of the record's table, in order. `last_seen` is a text from `format_time`."""
    table = TABLES[record.REGISTRY]
    values = list(table.arrange((*astuple(record), *astuple(derived or _NOTHING), None, last_seen)))
    if extra := record.extra:
        for position, name in table.lifted_keys:
            if isinstance(extra.get(name), str):
                values[position] = extra[name]
                values[table.indexes["extra"]] = extra = {k: v for k, v in extra.items() if k != name}
    _convert(values, _CONVERTED[record.REGISTRY])
    if isinstance(record, Device) and record.name is None:
        values[table.indexes["name"]] = (derived.effective_name if derived else None) or ""
        values[table.indexes["name_is_stand_in"]] = 1
    return tuple(values)


def decode_row(table: Table, key: Key, values: tuple[Value, ...]) -> StoredRow:
    """The fields of a row, whichever program wrote it. Values of the wrong type stay as they are."""
    fields, derived = _decode_values(table, values)
    record = _record(table.registry, fields)
    timestamps = {name: values[table.indexes[name]] for name in ("last_seen", "created_at")}
    return StoredRow(
        key=key,
        fields=canonical_fields(record) if record is not None else fields,
        derived=derived,
        timestamps={name: str(value) for name, value in timestamps.items() if value is not None},
    )


def judge_row(key: Key, values: tuple[Value, ...]) -> tuple[str, bool] | None:
    """The version computed from a row's columns, and whether the row is exactly what `encode_row` would write.

    None if the columns are not a record.
    """
    table = TABLES[key.registry]
    fields, derived_values = _decode_values(table, values)
    record = _record(key.registry, fields)
    if record is None:
        return None
    try:
        is_derived = bool(derived_values) or key.registry in ALWAYS_DERIVED
        derived = msgspec.convert(derived_values, Derived) if is_derived else None
    except msgspec.ValidationError:
        return None
    last_seen = values[table.indexes["last_seen"]]
    is_as_written = isinstance(last_seen, str) and encode_row(record, derived, last_seen) == values
    return row_version(content_hash(record), derived), is_as_written


# MessagePack rather than JSON: it distinguishes bytes from text and infinity from null, and SQLite holds all of them.
_encode_values = msgspec.msgpack.Encoder().encode


def digest_row(values: tuple[Value, ...]) -> str:
    """A digest of all column values of a row, in the table's order; it differs if any value or its type does."""
    return digest_text(_encode_values(values))


@lru_cache(maxsize=4)  # a record that never changed has the same time twice
def format_time(unix_seconds: float) -> str | None:
    """Format a point in time as SQLAlchemy's text in UTC; None if it is outside the calendar."""
    try:
        return (_EPOCH + timedelta(0, unix_seconds)).isoformat(" ", "microseconds")
    except (ValueError, OverflowError):
        return None


def parse_time(text: str) -> float | None:
    """Parse a text of `format_time` into Unix seconds; None for any other text."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _decode_values(table: Table, values: tuple[Value, ...]) -> tuple[dict[str, Json], dict[str, Json]]:
    """(fields, derived values) under Home Assistant's names, without defaults."""
    fields: dict[str, Json] = {}
    derived: dict[str, Json] = {}
    extra: Json = {}
    for position, column, own_type in table.readable:
        value: Json = values[position]
        if value is None:
            continue
        if type(value) is not own_type:
            value = _decode(column, value)
        if column.origin is Origin.DERIVED:
            derived[column.name] = value
        elif column.origin is Origin.EXTRA:
            extra = value
        elif value != column.default:
            fields[column.name] = value
    stand_in = table.indexes.get("name_is_stand_in")
    if stand_in is not None and values[stand_in] == 1:
        fields.pop("name", None)
    return ({**extra, **fields} if isinstance(extra, dict) else {**fields, "extra": extra}), derived


def _record(registry: str, fields: dict[str, Json]) -> Record | None:
    try:
        return make_record(registry, fields)
    except SourceInvalid:
        return None


_encode_json = msgspec.json.Encoder(order="sorted").encode
_decode_json = msgspec.json.Decoder().decode


class _Converted(NamedTuple):
    """The columns of a table whose values are converted for storage, by conversion."""

    booleans: tuple[int, ...]
    times: tuple[int, ...]
    empty: tuple[int, ...]  # of JSON that is omitted if empty
    json: tuple[tuple[int, Json], ...]  # of other JSON, with the value that is omitted


def _converted(table: Table) -> _Converted:
    json = [(position, column.default) for position, column in table.converted if column.json]
    others = [(position, column.type) for position, column in table.converted if not column.json]
    return _Converted(
        booleans=tuple(position for position, type_ in others if type_ != "DATETIME"),
        times=tuple(position for position, type_ in others if type_ == "DATETIME"),
        empty=tuple(position for position, default in json if default in ((), {})),
        json=tuple((position, default) for position, default in json if default not in ((), {})),
    )


def _convert(values: list[Json], converted: _Converted) -> None:
    """Replace the values of these columns with their stored form."""
    for position in converted.booleans:
        if (value := values[position]) is not None:
            values[position] = int(value)
    for position in converted.times:
        if (value := values[position]) is not None:
            values[position] = format_time(value)
    for position in converted.empty:
        if (value := values[position]) is not None:
            values[position] = _encode_json(value).decode() if value else None
    for position, default in converted.json:
        if (value := values[position]) is not None:
            values[position] = None if value == default else _encode_json(value).decode()


_CONVERTED = {registry: _converted(table) for registry, table in TABLES.items()}


def _decode(column: Column, value: Value) -> Json:
    if isinstance(value, bytes):
        # None of our columns holds bytes, so this is not a record; a user may still want to read it.
        return {"bytes": value.hex()}
    if column.type == "BOOLEAN" and value in (0, 1):
        return bool(value)
    if column.type == "DATETIME" and isinstance(value, str):
        seconds = parse_time(value)
        return value if seconds is None else seconds
    if column.json and isinstance(value, str):
        for decode in (column.decoder.decode, _decode_json):
            try:
                decoded = decode(value)
            except DECODE_ERRORS:
                continue
            may_nest = value.count("[") + value.count("{") > NESTING_MAX
            return value if may_nest and nests_too_deep(decoded) else decoded
    return value
