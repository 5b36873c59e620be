"""Converts rows and JSON with Home Assistant's keys to records, and back."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.record import RECORD_TYPES, Json, Record
from engine.errors import SourceInvalid

_DECODERS = {name: msgspec.json.Decoder(t) for name, t in RECORD_TYPES.items()}
_ROW_DECODER = msgspec.json.Decoder(dict[str, Json])
# Names and defaults, each in the order of `msgspec.structs.astuple`; `extra` is recognised by its name.
_FIELDS = {
    name: (
        tuple(f.name for f in msgspec.structs.fields(t)),
        tuple({} if f.default is msgspec.NODEFAULT else f.default for f in msgspec.structs.fields(t)),
    )
    for name, t in RECORD_TYPES.items()
}


class _Counted(NamedTuple):
    """The hashed fields of a registry's records: takes them from all, and makes a struct from which an encoder omits defaults."""

    take: Callable[[tuple[Json, ...]], tuple[Json, ...]]
    make: Callable[..., msgspec.Struct]


def _counted(registry: str, type_: type[Record]) -> _Counted:
    """Make the struct with its fields sorted by name, so that they need not be sorted for each record."""
    names = sorted(set(_FIELDS[registry][0]) - type_.UNHASHED - {"extra"})
    defaults = {f.name: f for f in msgspec.structs.fields(type_)}
    fields = [(name, Any, _default_of(defaults[name])) for name in names]
    # By position, because looking up each by its name takes three times as long.
    places = map(_FIELDS[registry][0].index, names)
    return _Counted(itemgetter(*places), msgspec.defstruct("Counted", fields, omit_defaults=True, gc=False))


def _default_of(field: msgspec.structs.FieldInfo) -> Json:
    """The field's default; for a required field, a value that no record has."""
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return None if field.default is msgspec.NODEFAULT else field.default


_COUNTED = {name: _counted(name, type_) for name, type_ in RECORD_TYPES.items()}
_encode = msgspec.json.Encoder(order="sorted").encode
_encode_sorted = msgspec.json.Encoder(
    order="deterministic"
).encode  # does not sort again: the fields are sorted already


def field_names(registry: str) -> tuple[str, ...]:
    """The modelled fields of a registry, in declaration order, without `extra`."""
    return tuple(name for name in _FIELDS[registry][0] if name != "extra")


_FIELD_NAMES = {name: frozenset(field_names(name)) for name in RECORD_TYPES}


def make_record(registry: str, row: dict[str, Json]) -> Record:
    """Turn a row with Home Assistant's keys into a record; unknown keys go to `extra`.

    Raises SourceInvalid naming the registry, the field and the expected type.
    """
    known, names = row, _FIELD_NAMES[registry]
    if not names.issuperset(row):
        known = {k: v for k, v in row.items() if k in names}
        known["(extra)"] = {k: v for k, v in row.items() if k not in known and not _says_nothing(v)}
    try:
        return msgspec.convert(known, RECORD_TYPES[registry])
    except (msgspec.ValidationError, ValueError) as error:
        raise _invalid_row(registry, row, error) from error


def decode_record(registry: str, data: bytes | msgspec.Raw) -> Record:
    """Decode one JSON object with Home Assistant's keys into a record; fast for rows without unknown keys.

    Raises SourceInvalid as `make_record` does, and when `data` is not a JSON object.
    """
    try:
        return _DECODERS[registry].decode(data)
    except msgspec.ValidationError:
        # An unknown key, or a value of another type: the slow path finds out which.
        return make_record(registry, decode_row(registry, data))
    except DECODE_ERRORS as error:
        raise SourceInvalid(f"A {registry} row is not valid JSON: {error}.") from error


def decode_row(registry: str, data: bytes | msgspec.Raw) -> dict[str, Json]:
    """Decode one JSON object. Raises SourceInvalid when `data` is not one."""
    try:
        return _ROW_DECODER.decode(data)
    except DECODE_ERRORS as error:
        raise SourceInvalid(f"A {registry} row is not a JSON object: {error}.") from error


def canonical_fields(record: Record) -> dict[str, Json]:
    """The content of a record: fields that differ from their default, and `extra`, in one namespace.

    One namespace, so that a key keeps its place in the hash when it becomes a modelled field.
    """
    names, defaults = _FIELDS[record.REGISTRY]
    fields = {
        name: value
        for name, default, value in zip(names, defaults, msgspec.structs.astuple(record), strict=True)
        if value is not default and value != default
    }
    if record.extra:
        fields.update(fields.pop("extra"))
    return fields


def encode_record(record: Record) -> bytes:
    """The canonical JSON of a record, unhashed fields included; `decode_record` reads it back."""
    # The encoder omits defaults several times as fast as a dict of the other fields could be built.
    return _encode(canonical_fields(record) if record.extra else record)


def encode_hashed(record: Record) -> bytes:
    """The canonical JSON of the registry and the hashed fields: the input of the content hash."""
    if record.extra:
        fields = canonical_fields(record)
        for name in record.UNHASHED:
            fields.pop(name, None)
        return _encode((record.REGISTRY, fields))
    take, make = _COUNTED[record.REGISTRY]
    return _encode_sorted((record.REGISTRY, make(*take(msgspec.structs.astuple(record)))))


def _says_nothing(value: Json) -> bool:
    return value is None or value is False or value in ([], {})


def _invalid_row(registry: str, row: dict[str, Json], error: Exception) -> SourceInvalid:
    identity = next(
        (f"{k}={row[k]!r}" for k in ("id", "entity_id", "area_id", "name") if row.get(k)), "no id"
    )
    return SourceInvalid(
        f"A {registry} row ({identity[:80]}) cannot be read: {error}.",
        "Nothing was changed. If this Home Assistant is newer than this program, update the program.",
    )
