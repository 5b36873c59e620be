"""The columns of the SQLite replica's tables: names, types, order, and the origin of each value."""

from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin

import msgspec

from engine.core.home.derived import Derived
from engine.core.home.list_order import ORDERED_REGISTRIES
from engine.core.records.record import RECORD_TYPES, Json
from engine.core.records.registries import BY_NAME, REGISTRIES

# A value of one column in one row.
Value: TypeAlias = str | int | float | bytes | None


class Origin(StrEnum):
    """The origin of a column's value."""

    FIELD = "field"
    DERIVED = "derived"
    EXTRA = "extra"  # the other unknown keys
    EXTRA_KEY = "extra_key"  # one unknown key, by its name
    STAND_IN = "stand_in"
    LAST_SEEN = "last_seen"


class Column(msgspec.Struct, frozen=True):
    """One column: its SQL name and type, and its value's origin. `name` is Home Assistant's name of the field."""

    sql: str
    name: str
    type: str
    origin: Origin
    json: bool = False
    default: Json = None
    decoder: Any = None  # decodes a JSON column into the field's own type


class Table:
    """One registry's table. `key_columns` identify a row; digests use the order of the columns."""

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
    def arrange(self) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """A function that arranges the fields of a record, derived values, a None and `last_seen` in column order."""
        record = [field.name for field in msgspec.structs.fields(RECORD_TYPES[self.registry])]
        derived = Derived.__struct_fields__
        at = {(Origin.DERIVED, name): len(record) + place for place, name in enumerate(derived)}
        for place, name in enumerate(record):
            at[Origin.EXTRA if name == "extra" else Origin.FIELD, name] = place
        nothing = len(record) + len(derived)
        at[Origin.LAST_SEEN, "last_seen"] = nothing + 1
        return itemgetter(*(at.get((column.origin, column.name), nothing) for column in self.columns))

    @cached_property
    def readable(self) -> list[tuple[int, Column, type | None]]:
        """(position, column, type of a value that is not converted) of all columns with values of the record."""
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
        """(position, column) of the columns whose values are converted for storage."""
        plain = ("VARCHAR", "INTEGER")
        return [
            (i, column)
            for i, column in enumerate(self.columns)
            if column.type not in plain and column.origin is not Origin.LAST_SEEN
        ]

    def id_of(self, values: tuple[Value, ...], rowid: int) -> str:
        """The id of a row; for a row without a usable one, its row number."""
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
# Every record of these has derived values; records of the others only if Home Assistant gives an order.
ALWAYS_DERIVED = ("device", "entity")


def _table(registry: str) -> Table:
    fields = _field_columns(registry)
    last = ("created_at", "modified_at", "extra")  # the fields of all registries follow a registry's own
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
    # Identity first, if HomeIQ does not define the order.
    keys = BY_NAME[registry].key
    order = [*_FIRST.get(registry, keys)]
    order += [name for name in by_sql if name not in order]
    return Table(registry, BY_NAME[registry].table, keys, tuple(by_sql[name] for name in order))


TABLES: dict[str, Table] = {registry: _table(registry) for registry in REGISTRIES}
