"""Sources of a body's fields, declared once beside each field, for current rows and past records.

A field comes from the column of its name, unless its annotation names others. Values may come from any program's
row: a value that is not a list of texts becomes an empty list.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
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

KEY = ""  # stands for a row's key among its columns


class FromColumns(NamedTuple):
    """The columns of a field, and the function that makes it from their values; None: the value of the only column."""

    columns: tuple[str, ...]
    make: Callable[..., object] | None = None


class Placed(NamedTuple):
    """A part of a record's effective `Place`; null if places are not given."""

    part: int


class Listed(NamedTuple):
    """The text that lists show for a missing value; a single record shows null."""

    instead: str


_decode = msgspec.json.Decoder().decode


def text_list(value: str | Sequence[Json] | None) -> list[str]:
    """The texts of a list, or of its JSON; empty for anything else, which another program may have written."""
    if not value:
        return []
    values = _decoded(value)
    return [v for v in values if isinstance(v, str)] if isinstance(values, (list, tuple)) else []


def list_of(value: str | Sequence[Json] | None) -> list[Json]:
    """A list, also from JSON; empty for anything else."""
    found = _decoded(value) if value else None
    return list(found) if isinstance(found, (list, tuple)) else []


def object_of(value: str | Mapping[str, Json] | None) -> dict[str, Json]:
    """An object, also from JSON; empty for anything else."""
    found = _decoded(value) if value else None
    return found if isinstance(found, dict) else {}


def time_text(text: str | None) -> str | None:
    """A column's time in UTC as RFC 3339; anything else unchanged."""
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
    """`value`, or `other` if it is empty."""
    return value or other


# When the row last changed; for a past record, when that version was recorded.
Timestamp = Annotated[str | None, FromColumns(("last_seen",), time_text)]

_HASHED = frozenset({str, int, bool, float, type(None)})
# By the type of a field without its own maker.
_MAKERS: dict[Any, Callable[[Any], object]] = {list[str]: text_list, bool: bool}


class BodyMaker(Generic[B]):
    """Makes the bodies of one registry. The last field of each is `sync`, the last but one `timestamp`.

    `summary` describes the route of its list.
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
        """The columns of a row after its key."""
        places = {name: place for place, name in enumerate((KEY, *self.columns))}
        self._id_place = places[own_id[0] if own_id else KEY]
        self._sources = [(tuple(places[name] for name in columns), make) for columns, make in sources]
        self._marked = [
            next((m for m in get_args(field.type) if isinstance(m, Placed | Listed)), None)
            for field in (*fields, last_but_one)
        ]

    def of_row(
        self,
        row: Row,
        verdicts: Verdicts | None = None,
        *,
        is_listed: bool = False,
        places: Places = NO_PLACES,
    ) -> B:
        """A body from a key and `columns`, with the current verdict, if given, and the record's place."""
        return self.of_rows([row], verdicts, is_listed=is_listed, places=places)[0]

    def of_rows(
        self,
        rows: Sequence[Row],
        verdicts: Verdicts | None = None,
        *,
        is_listed: bool = False,
        places: Places = NO_PLACES,
    ) -> list[B]:
        """The bodies of many rows: made column by column, so that shared values are made once."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return []
        made: dict[object, Sequence[Any]] = {}
        fields = []
        for source, marked in zip(self._sources, self._marked, strict=True):
            if source not in made:
                made[source] = _made(source[1], [columns[place] for place in source[0]])
            values = made[source]
            if isinstance(marked, Placed):
                known = {area: places.get(area, NOWHERE)[marked.part] for area in set(values)}
                values = [known[area] for area in values]
            elif isinstance(marked, Listed) and is_listed:
                values = [value or marked.instead for value in values]
            fields.append(values)
        if verdicts is None:
            return list(map(self.type, *fields, repeat(None, len(rows))))
        return list(map(self.type, *fields, self._syncs(columns, verdicts, fields[-1])))

    def _syncs(
        self, columns: Sequence[Sequence[Any]], verdicts: Verdicts, written_at: Sequence[str | None]
    ) -> list[Sync | None]:
        name, is_entity = self.registry.name, self.registry is ENTITY
        singled_out = verdicts.singled_out(name)
        others: dict[str | None, Sync | None] = {}  # by the time of the row's write
        syncs = []
        for key, own_id, at in zip(columns[0], columns[self._id_place], written_at, strict=True):
            # Rows of other programs have no registry id and are identified by their entity_id.
            id_ = own_id or key
            if id_ in singled_out or key in singled_out:
                syncs.append(sync_of(verdicts, Key(name, id_), key if is_entity else None, at or None))
                continue
            if at not in others:
                others[at] = sync_of(verdicts, Key(name, id_), None, at or None)
            syncs.append(others[at])
        return syncs

    def of_record(
        self,
        record: Record,
        derived: Derived | None,
        timestamp: str,
        *,
        is_listed: bool = False,
        places: Places = NO_PLACES,
    ) -> B:
        """The body of a past record; `timestamp` is when that version was recorded."""
        key = record.entity_id if isinstance(record, Entity) else record.id_value
        values = (_value(record, derived or Derived(), timestamp, column) for column in self.columns)
        return self.of_row((key, *values), is_listed=is_listed, places=places)


def _made(make: Callable[..., object] | None, columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """The maker's results for each row's values in these columns."""
    if make is None:
        return columns[0]
    if len(columns) > 1:
        return [make(*values) for values in zip(*columns, strict=True)]
    if all(type(value) in _HASHED for value in columns[0]):
        known = {value: make(value) for value in set(columns[0])}
        return [known[value] for value in columns[0]]
    return [make(value) for value in columns[0]]  # a past record has lists and objects


def _source(field: msgspec.structs.FieldInfo) -> tuple[tuple[str, ...], Callable[..., object] | None]:
    """(columns, maker) of a field; None: the value of its column."""
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
    """The value of a column for a record, not encoded."""
    if column == "last_seen":
        return timestamp
    if column == "disabled" and isinstance(record, Device | Entity):
        return record.disabled_by is not None
    if column == "name" and isinstance(record, Device) and record.name is None:
        return derived.effective_name
    return getattr(record, column) if column in record.__struct_fields__ else getattr(derived, column)
