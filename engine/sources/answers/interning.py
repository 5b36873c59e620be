"""Equal values of many records held once: integrations, devices, icons and options repeat from row to row.

A decoder creates every value again. For 20,000 entities the repeated ones are half of the memory.
"""

from sys import intern

import msgspec

from engine.core.records.record import RECORD_TYPES, Json, Record

_NAMES = {name: tuple(f.name for f in msgspec.structs.fields(t)) for name, t in RECORD_TYPES.items()}


class Interner:
    """The values of the records of one read. Keep it no longer: it would keep values alive that no record holds any more."""

    def __init__(self) -> None:
        """Nothing is shared yet."""
        self._by_text: dict[bytes, Json] = {}

    def intern(self, record: Record) -> None:
        """Put values that equal earlier ones in their place; the record says the same as before.

        A record's lists and objects are never mutated, so sharing them is safe.
        """
        values = msgspec.structs.astuple(record)
        for name, value in zip(_NAMES[record.REGISTRY], values, strict=True):
            if value is None or value is True or value is False:
                continue
            if type(value) is str:
                shared: Json = intern(value)
            elif type(value) is float:
                continue
            else:
                shared = self._by_text.setdefault(msgspec.json.encode(value), value)
            if shared is not value:
                msgspec.structs.force_setattr(record, name, shared)
