"""Holds equal values of many records once: integrations, devices, icons and options repeat from row to row.

A decoder creates every value again. For 20,000 entities the duplicates are half of the memory. A command, which ends soon,
shares none: sharing would take a tenth of its pass.
"""

from collections.abc import Callable
from operator import attrgetter
from sys import intern
from typing import Any

import msgspec

from engine.core.records.record import RECORD_TYPES, Json, Record
from engine.process.garbage_collection import ends_soon

# Fields whose values differ in every record.
_OWN = frozenset({"id", "entity_id", "unique_id", "created_at", "modified_at"})


def _shared_fields(type_: type[Record]) -> tuple[tuple[str, ...], Callable[[Record], tuple[Any, ...]]]:
    names = tuple(f.name for f in msgspec.structs.fields(type_) if f.name not in _OWN)
    return names, attrgetter(*names)


_SHARED = {name: _shared_fields(type_) for name, type_ in RECORD_TYPES.items()}


class Interner:
    """The values of the records of one read. Drop it after the read: it keeps values alive that no record uses any more."""

    def __init__(self) -> None:
        """Share nothing yet."""
        self._by_text: dict[bytes, Json] = {}
        self._is_of_use = not ends_soon()

    def intern(self, record: Record) -> None:
        """Replace values by equal earlier ones; the record's content stays the same.

        A record's lists and objects are never mutated, so sharing them is safe.
        """
        if not self._is_of_use:
            return
        names, take = _SHARED[record.REGISTRY]
        for name, value in zip(names, take(record), strict=True):
            if value is None:
                continue
            if type(value) is str:
                shared: Json = intern(value)
            elif not value or value == (None,):
                continue  # a default, which is a shared object anyway
            elif type(value) in (dict, tuple):
                shared = self._by_text.setdefault(_encode(value), value)
            else:
                continue
            if shared is not value:
                msgspec.structs.force_setattr(record, name, shared)


_encode = msgspec.json.Encoder().encode
