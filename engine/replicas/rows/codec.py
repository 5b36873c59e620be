"""Rows of the SQLite replica: records and their derived values as column values, and back.

Pure. The tables begin with the columns that HomeIQ's data-api has, under its names and types, then come the
rest of the record, what Home Assistant sent that we do not know (`extra`), derived values, and `last_seen`,
the moment the row last changed. A row gives back exactly the record it was made from:

    NULL                    the field has its default: it says nothing
    text, number            the value; booleans are 0 and 1
    list, object            canonical JSON text
    created_at, ...         'YYYY-MM-DD HH:MM:SS.ffffff' in UTC, as SQLAlchemy writes it; to the microsecond
    devices.name            NOT NULL in HomeIQ's table, null in Home Assistant's child devices: then the effective
                            name (or '') replaces it, and `name_is_stand_in` is 1
    devices.suggested_area  a key of `extra` that HomeIQ gave a column; only there while it is text
"""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from operator import attrgetter, itemgetter
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin

import msgspec

from engine.core.compare.stored import StoredRow
from engine.core.decode_errors import DECODE_ERRORS
from engine.core.home.derived import Derived
from engine.core.home.home import row_version
from engine.core.home.list_order import ORDERED_REGISTRIES
from engine.core.records.content_hash import content_hash
from engine.core.records.record import (
    NESTING_MAX,
    RECORD_TYPES,
    Device,
    Json,
    Key,
    Record,
    canonical_fields,
    make_record,
    nests_too_deep,
)
from engine.core.records.registries import BY_NAME, REGISTRIES
from engine.errors import SourceInvalid

# What SQLite holds in one column of one row.
Value: TypeAlias = str | int | float | bytes | None


class Origin(StrEnum):
    """Where a column's value comes from."""

    FIELD = "field"
    DERIVED = "derived"
    EXTRA = "extra"  # what is left of the unknown keys
    EXTRA_KEY = "extra_key"  # one unknown key, by its name
    STAND_IN = "stand_in"
    LAST_SEEN = "last_seen"


class Column(msgspec.Struct, frozen=True):
    """One column: its SQL name and type, and what it holds. `name` is Home Assistant's name of the field."""

    sql: str
    name: str
    type: str
    origin: Origin
    json: bool = False
    default: Json = None
    decoder: Any = None  # of a JSON column: decodes into the field's own type


class Table:
    """One registry's table. `key_columns` identify a row; columns keep their order in digests."""

    def __init__(
        self, registry: str, name: str, key_columns: tuple[str, ...], columns: tuple[Column, ...]
    ) -> None:
        self.registry = registry
        self.name = name
        self.key_columns = key_columns
        self.columns = columns

    @cached_property
    def sql_names(self) -> tuple[str, ...]:
        """The columns' SQL names, in order."""
        return tuple(column.sql for column in self.columns)

    @cached_property
    def indexes(self) -> dict[str, int]:
        """The position of each column by SQL name."""
        return {name: index for index, name in enumerate(self.sql_names)}

    @cached_property
    def _sole_key(self) -> int | None:
        """The position of the column that identifies a row, if it is one column."""
        return self.indexes[self.key_columns[0]] if len(self.key_columns) == 1 else None

    @cached_property
    def take_fields(self) -> Callable[[Record], tuple[Any, ...]]:
        """Takes all fields of a record at once, and what is left of its unknown keys."""
        return attrgetter(*(column.name for column in self._fields))

    @cached_property
    def take_derived(self) -> Callable[[Derived | None], tuple[Any, ...]]:
        """Takes all derived values at once."""
        names = [column.name for column in self._derived]
        if not names:
            return lambda _: ()
        take, nothing = attrgetter(*names), (None,) * len(names)
        if len(names) == 1:
            return lambda derived: nothing if derived is None else (take(derived),)
        return lambda derived: nothing if derived is None else take(derived)

    @cached_property
    def arrange(self) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """Puts fields, derived values and a None behind them in the order of the columns."""
        places = {column.sql: place for place, column in enumerate([*self._fields, *self._derived])}
        return itemgetter(*(places.get(name, -1) for name in self.sql_names))

    @cached_property
    def _fields(self) -> list[Column]:
        return [column for column in self.columns if column.origin in (Origin.FIELD, Origin.EXTRA)]

    @cached_property
    def _derived(self) -> list[Column]:
        return [column for column in self.columns if column.origin is Origin.DERIVED]

    @cached_property
    def readable(self) -> list[tuple[int, Column, type | None]]:
        """(position, column, type of a value that is not converted) of all columns that say something of the record."""
        own = {"VARCHAR": str, "INTEGER": int}
        origins = (Origin.FIELD, Origin.EXTRA_KEY, Origin.EXTRA, Origin.DERIVED)
        return [
            (i, column, own.get(column.type))
            for i, column in enumerate(self.columns)
            if column.origin in origins
        ]

    @cached_property
    def lifted_keys(self) -> list[tuple[int, str]]:
        """(position, key) of the columns that hold a key of `extra`."""
        return [
            (i, column.name) for i, column in enumerate(self.columns) if column.origin is Origin.EXTRA_KEY
        ]

    @cached_property
    def converted(self) -> list[tuple[int, Column]]:
        """(position, column) of the columns whose values are not stored as they are."""
        plain = ("VARCHAR", "INTEGER")
        return [
            (i, column)
            for i, column in enumerate(self.columns)
            if column.type not in plain and column.origin is not Origin.LAST_SEEN
        ]

    def id_of(self, values: tuple[Value, ...], rowid: int) -> str:
        """The id a row stands under. Rows without a usable one stand under their row number."""
        if self._sole_key is not None:
            id_ = values[self._sole_key]
            if type(id_) is str and id_:
                return id_
        parts = [values[self.indexes[name]] for name in self.key_columns]
        if parts == [None] and self.registry == "entity":
            parts = [values[self.indexes["entity_id"]]]
        if all(isinstance(part, str) and part for part in parts):
            return "/".join(str(part) for part in parts)
        return f"rowid:{rowid}"


def encode_row(record: Record, derived: Derived | None, last_seen: str) -> tuple[Value, ...]:
    """The values of all columns of the record's table, in their order. `last_seen` as `format_time` writes it."""
    table = TABLES[record.REGISTRY]
    values = list(table.arrange((*table.take_fields(record), *table.take_derived(derived), None)))
    values[table.indexes["last_seen"]] = last_seen
    extra = record.extra
    for position, name in table.lifted_keys:
        if isinstance(extra.get(name), str):
            values[position] = extra[name]
            values[table.indexes["extra"]] = extra = {k: v for k, v in extra.items() if k != name}
    for position, column in table.converted:
        if values[position] is not None:
            values[position] = _encode(column, values[position])
    if isinstance(record, Device) and record.name is None:
        values[table.indexes["name"]] = (derived.effective_name if derived else None) or ""
        values[table.indexes["name_is_stand_in"]] = 1
    return tuple(values)


def decode_row(table: Table, key: Key, values: tuple[Value, ...]) -> StoredRow:
    """The fields of a row, whichever program wrote it. Values that fit no field stay as they are."""
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
    """The version that a row's own columns amount to, and whether it is exactly what `encode_row` would make of it.

    None when the columns are no record.
    """
    table = TABLES[key.registry]
    fields, derived_values = _decode_values(table, values)
    record = _record(key.registry, fields)
    if record is None:
        return None
    try:
        is_derived = bool(derived_values) or key.registry in _ALWAYS_DERIVED
        derived = msgspec.convert(derived_values, Derived) if is_derived else None
    except msgspec.ValidationError:
        return None
    last_seen = values[table.indexes["last_seen"]]
    is_as_written = isinstance(last_seen, str) and encode_row(record, derived, last_seen) == values
    return row_version(content_hash(record), derived), is_as_written


# MessagePack rather than JSON: it distinguishes bytes from text and infinity from null, and SQLite holds all of them.
_encode_values = msgspec.msgpack.Encoder().encode


def digest_row(values: tuple[Value, ...]) -> str:
    """A digest of all column values of a row, in the table's order; differs when any value or its type does."""
    return blake2b(_encode_values(values), digest_size=16).hexdigest()


def format_time(unix_seconds: float) -> str | None:
    """A point in time as SQLAlchemy's text in UTC; None when no calendar has it."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC).isoformat(" ", "microseconds")[:-6]
    except (ValueError, OverflowError, OSError):
        return None


def parse_time(text: str) -> float | None:
    """Unix seconds of a text as `format_time` writes it; None when it is no time."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _decode_values(table: Table, values: tuple[Value, ...]) -> tuple[dict[str, Json], dict[str, Json]]:
    """(fields, derived values) under Home Assistant's names, what says nothing left out."""
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


def _encode(column: Column, value: Json) -> Value:
    if column.json:
        return None if value == column.default else _encode_json(value).decode()
    return format_time(value) if column.type == "DATETIME" else int(value)


def _decode(column: Column, value: Value) -> Json:
    if isinstance(value, bytes):
        # No column of ours holds bytes, so this is no record; a person may still want to read it.
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


def _field_columns(registry: str) -> dict[str, Column]:
    columns = {}
    for field in msgspec.structs.fields(RECORD_TYPES[registry]):
        parts = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        types = {get_origin(part) or part for part in parts}
        json = bool(types & {tuple, dict})
        columns[field.name] = Column(
            sql=field.name,
            name=field.name,
            type=next((sql for type_, sql in _SQL_TYPES if type_ in types), "VARCHAR"),
            origin=Origin.EXTRA if field.name == "extra" else Origin.FIELD,
            json=json,
            # msgspec turns a default of {} into a factory; a required field has none, and equals no default.
            default=field.default if field.default is not msgspec.NODEFAULT else {} if json else None,
            decoder=msgspec.json.Decoder(field.type) if json else None,
        )
    return columns


# BOOLEAN and DATETIME are HomeIQ's names. TEXT for JSON: a type called JSON would turn text into numbers.
_SQL_TYPES = ((tuple, "TEXT"), (dict, "TEXT"), (bool, "BOOLEAN"), (int, "INTEGER"), (float, "DATETIME"))

# HomeIQ's columns, in its order.
_FIRST = {
    "device": (
        *("device_id", "name", "manufacturer", "model", "sw_version", "area_id", "integration", "last_seen"),
        *("created_at", "name_by_user", "entry_type", "configuration_url", "suggested_area"),
    ),
    "entity": (
        "entity_id",
        "device_id",
        "domain",
        "platform",
        "unique_id",
        "area_id",
        "disabled",
        "created_at",
    ),
}
_DERIVED = {
    "device": ("effective_area_id", "effective_name", "integration", "entity_count", "disabled"),
    "entity": ("effective_area_id", "effective_name", "domain", "disabled"),
    **dict.fromkeys(ORDERED_REGISTRIES, ("position",)),
}
# Of these something is derived of every record; of the others only where Home Assistant gives an order.
_ALWAYS_DERIVED = ("device", "entity")


def _table(registry: str) -> Table:
    fields = _field_columns(registry)
    last = ("created_at", "modified_at", "extra")  # what all registries share stands behind their own fields
    columns = {
        name: fields[name]
        for name in sorted(fields, key=lambda name: last.index(name) if name in last else -1)
    }
    if registry == "device":
        columns["id"] = msgspec.structs.replace(columns["id"], sql="device_id")
        columns["suggested_area"] = Column("suggested_area", "suggested_area", "VARCHAR", Origin.EXTRA_KEY)
        columns["name_is_stand_in"] = Column("name_is_stand_in", "name", "BOOLEAN", Origin.STAND_IN)
    types = {"entity_count": "INTEGER", "disabled": "BOOLEAN", "position": "INTEGER"}
    for name in _DERIVED.get(registry, ()):
        columns[name] = Column(name, name, types.get(name, "VARCHAR"), Origin.DERIVED)
    columns["last_seen"] = Column("last_seen", "last_seen", "DATETIME", Origin.LAST_SEEN)
    by_sql = {column.sql: column for column in columns.values()}
    # Identity first, where HomeIQ has no order of its own.
    keys = BY_NAME[registry].key
    order = [*_FIRST.get(registry, keys)]
    order += [name for name in by_sql if name not in order]
    return Table(registry, BY_NAME[registry].table, keys, tuple(by_sql[name] for name in order))


TABLES: dict[str, Table] = {registry: _table(registry) for registry in REGISTRIES}
