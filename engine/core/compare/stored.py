"""A row as a replica holds it: ours, or another program's.

Rows written by other programs need not be records: they lack fields and hold values of other types. So a
stored row is what was found, under Home Assistant's field names, in the same form as
`record.canonical_fields`, and it is only ever compared, reported or put back.
"""

import msgspec

from engine.core.home.derived import Derived
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields

# The fields by one of which a person would call a record, the user's own choice first.
LABEL_FIELDS = ("name_by_user", "name", "title", "original_name", "entity_id")


class StoredRow(msgspec.Struct, frozen=True):
    """One row of a replica; `timestamps` are the row's own timestamps as text, by column."""

    key: Key
    fields: dict[str, Json]
    derived: dict[str, Json] = {}
    timestamps: dict[str, str] = {}

    @property
    def label(self) -> str:
        """What a person would call the row."""
        for name in LABEL_FIELDS:
            if self.fields.get(name):
                return str(self.fields[name])
        return self.key.id


def row_of(record: Record, derived: Derived | None) -> StoredRow:
    """The row that holds a record and its derived values, but for its timestamps."""
    return StoredRow(
        record.key, canonical_fields(record), {} if derived is None else msgspec.to_builtins(derived)
    )
