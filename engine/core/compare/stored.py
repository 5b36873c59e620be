"""A row as a replica holds it, written by us or by another program.

Rows written by other programs need not be records: they lack fields and hold values of other types. So a
stored row contains the values found, under Home Assistant's field names, in the same form as
`record.canonical_fields`; the engine only compares, reports or restores it.
"""

import msgspec

from engine.core.home.derived import Derived
from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields

# The fields that may hold a record's name for users, the user's own choice first.
LABEL_FIELDS = ("name_by_user", "name", "title", "original_name", "entity_id")


class StoredRow(msgspec.Struct, frozen=True):
    """One row of a replica; `timestamps` are the row's own timestamps as text, by column."""

    key: Key
    fields: dict[str, Json]
    derived: dict[str, Json] = {}
    timestamps: dict[str, str] = {}

    @property
    def label(self) -> str:
        """The row's name for users."""
        for name in LABEL_FIELDS:
            if self.fields.get(name):
                return str(self.fields[name])
        return self.key.id


def row_of(record: Record, derived: Derived | None) -> StoredRow:
    """The row that holds a record and its derived values, without timestamps."""
    return StoredRow(
        record.key, canonical_fields(record), {} if derived is None else msgspec.to_builtins(derived)
    )
