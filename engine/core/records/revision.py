"""A version of a record, as records stores keep it."""

import msgspec

from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields, make_record


class Revision(msgspec.Struct, frozen=True):
    """One entry of a key's timeline in the records replica.

    `content` is its record; the fields of a payload that cannot be read as a record; or None in a tombstone.
    """

    key: Key
    at: float  # commit time, Unix seconds
    op: str  # create, update, delete, refresh, repair
    rev: int
    hash: str  # "-" in a tombstone
    run_id: str
    content: Record | dict[str, Json]
    ha_version: str | None = None  # of the Home Assistant that it came from, if the store keeps it

    @property
    def fields(self) -> dict[str, Json]:
        """Canonical fields; empty in a tombstone."""
        return canonical_fields(self.content) if isinstance(self.content, Record) else self.content

    def record(self) -> Record:
        """Its record. Raises SourceInvalid for a tombstone, or if it cannot be read."""
        return (
            self.content if isinstance(self.content, Record) else make_record(self.key.registry, self.content)
        )
