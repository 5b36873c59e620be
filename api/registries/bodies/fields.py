"""Where the fields of a body come from, declared beside each field, once: for the rows of now and the records of then.

A field has the column of its name, unless its annotation names others. Values are taken as they stand, whoever wrote the
row: what is no list of texts is an empty one.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from api.ports import Row
from api.registries.bodies.places import NO_PLACES, NOWHERE, Places
from api.registries.bodies.sync import Sync, sync_of
from engine.core.decode_errors import DECODE_ERRORS
from engine.core.home.derived import Derived
from engine.core.records.record import Device, Entity, Json, Key, Record
from engine.core.records.registries import BY_NAME, ENTITY
from engine.core.state.record_verdict import Verdicts

B = TypeVar("B", bound=msgspec.Struct)

KEY = ""  # the place of a row's key among its columns


class FromColumns(NamedTuple):
    """The columns that a field is made of, and what makes it of their values; None: it is the value of the only one."""

    columns: tuple[str, ...]
    make: Callable[..., object] | None = None


class Placed(NamedTuple):
    """A part of the place (`Place`) where a record effectively is; null where the places are not given."""

    part: int


class Listed(NamedTuple):
    """What a list shows where there is no text; a single record shows null."""

    instead: str


_decode = msgspec.json.Decoder().decode


def text_list(value: str | Sequence[Json] | None) -> list[str]:
    """The texts of a list, or of its JSON; another program's column may hold anything, then there are none."""
    if not value:
        return []
    values = _decoded(value)
    return [v for v in values if isinstance(v, str)] if isinstance(values, (list, tuple)) else []


def list_of(value: str | Sequence[Json] | None) -> list[Json]:
    """A list, or what its JSON says; empty where it is none."""
    found = _decoded(value) if value else None
    return list(found) if isinstance(found, (list, tuple)) else []


def object_of(value: str | Mapping[str, Json] | None) -> dict[str, Json]:
    """An object, or what its JSON says; empty where it is none."""
    found = _decoded(value) if value else None
    return found if isinstance(found, dict) else {}


def time_text(text: str | None) -> str | None:
    """A column's time, UTC, as RFC 3339; what is no time stays as it was found."""
    if text is None or len(text) < 19 or text[10] != " ":
        return text
    return f"{text[:10]}T{text[11:]}" + ("" if text[-1] == "Z" or "+" in text[19:] else "Z")


def _decoded(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    try:
        return _decode(value)
    except DECODE_ERRORS:
        return None


def either(value: Any, other: Any) -> Any:
    """The first that says something."""
    return value or other


# When the row last changed; of a record of the past, when that version was recorded.
Timestamp = Annotated[str | None, FromColumns(("last_seen",), time_text)]

# By the type of a field that names no maker.
_MAKERS: dict[Any, Callable[[Any], object]] = {list[str]: text_list, bool: bool}


class BodyMaker(Generic[B]):
    """Makes the bodies of one registry. The last field of each is `sync`, the last but one `timestamp`.

    `summary` says what the route of its list answers.
    """

    def __init__(self, type_: type[B], registry: str, summary: str) -> None:
        self.type = type_
        self.registry = BY_NAME[registry]
        self.summary = summary
        *fields, last_but_one, _ = msgspec.structs.fields(type_)
        assert last_but_one.name == "timestamp", "the verdict on a row says when it was written"
        sources = [_source(field) for field in (*fields, last_but_one)]
        own_id = ("id",) if self.registry is ENTITY else ()
        named = [name for columns, _ in sources for name in columns if name != KEY]
        self.columns: tuple[str, ...] = tuple(dict.fromkeys((*named, *own_id)))
        """The columns that a row has behind its key."""
        places = {name: place for place, name in enumerate((KEY, *self.columns))}
        self._id_place = places[own_id[0] if own_id else KEY]
        self._take = itemgetter(*(places[columns[0]] for columns, _ in sources))
        self._made = [
            (index, places[columns[0]], make)
            for index, (columns, make) in enumerate(sources)
            if make is not None and len(columns) == 1
        ]
        self._joined = [
            (index, itemgetter(*(places[name] for name in columns)), make)
            for index, (columns, make) in enumerate(sources)
            if make is not None and len(columns) > 1
        ]
        self._placed = [
            (index, marker.part)
            for index, field in enumerate(fields)
            for marker in get_args(field.type)
            if isinstance(marker, Placed)
        ]
        self._listed = [
            (index, marker.instead)
            for index, field in enumerate(fields)
            for marker in get_args(field.type)
            if isinstance(marker, Listed)
        ]

    def of_row(
        self,
        row: Row,
        verdicts: Verdicts | None = None,
        *,
        is_listed: bool = False,
        places: Places = NO_PLACES,
    ) -> B:
        """A body from a key and `columns`, with the verdict of now, if there are any, and where it is in the home."""
        values = list(self._take(row))
        for index, place, make in self._made:
            values[index] = make(row[place])
        for index, take, make in self._joined:
            values[index] = make(*take(row))
        for index, part in self._placed:
            values[index] = places.get(values[index], NOWHERE)[part]
        if is_listed:
            for index, instead in self._listed:
                values[index] = values[index] or instead
        return self.type(*values, None if verdicts is None else self._sync(row, verdicts, values[-1]))

    def _sync(self, row: Row, verdicts: Verdicts, written_at: str | None) -> Sync | None:
        # Rows of other programs have no registry id and are known by their entity_id.
        key = Key(self.registry.name, row[self._id_place] or row[0])
        entity_id = row[0] if self.registry is ENTITY else None
        return sync_of(verdicts, key, entity_id, written_at or None)

    def of_record(
        self,
        record: Record,
        derived: Derived | None,
        timestamp: str,
        *,
        is_listed: bool = False,
        places: Places = NO_PLACES,
    ) -> B:
        """The body of a record as it was; `timestamp` is when that version was recorded."""
        key = record.entity_id if isinstance(record, Entity) else record.id_value
        values = (_value(record, derived or Derived(), timestamp, column) for column in self.columns)
        return self.of_row((key, *values), is_listed=is_listed, places=places)


def _source(field: msgspec.structs.FieldInfo) -> tuple[tuple[str, ...], Callable[..., object] | None]:
    """(columns, what makes the field of them) of a field; None: it is the value of its column."""
    is_annotated = get_origin(field.type) is Annotated
    declared = (
        [marker for marker in get_args(field.type) if isinstance(marker, FromColumns)] if is_annotated else []
    )
    if declared:
        return declared[0]
    if any(isinstance(marker, Placed) for marker in get_args(field.type)):
        return ("effective_area_id", "area_id"), either
    type_ = get_args(field.type)[0] if is_annotated else field.type
    return (field.name,), _MAKERS.get(type_)


def _value(record: Record, derived: Derived, timestamp: str, column: str) -> Json:
    """What a column would hold of a record, not encoded."""
    if column == "last_seen":
        return timestamp
    if column == "disabled" and isinstance(record, Device | Entity):
        return record.disabled_by is not None
    if column == "name" and isinstance(record, Device) and record.name is None:
        return derived.effective_name
    return getattr(record, column) if column in record.__struct_fields__ else getattr(derived, column)
