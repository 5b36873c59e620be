"""A version of a record, as stores of the past keep it."""

import msgspec

from engine.core.records.record import Json, Key, Record
from engine.core.records.record_json import canonical_fields, make_record


class Revision(msgspec.Struct, frozen=True):
    """One entry of a key's timeline in the records replica.

    `content` is its record; fields where its payload is none that can be read, and none in a tombstone.
    """

    key: Key
    at: float  # commit time, Unix seconds
    op: str  # create, update, delete, refresh, repair
    rev: int
    hash: str  # "-" in a tombstone
    run_id: str
    content: Record | dict[str, Json]
    ha_version: str | None = None  # of the Home Assistant that it came from, where the store keeps it

    @property
    def fields(self) -> dict[str, Json]:
        """Canonical fields; empty in a tombstone."""
        return canonical_fields(self.content) if isinstance(self.content, Record) else self.content

    def record(self) -> Record:
        """Its record. Raises SourceInvalid where there is none, or none that can be read."""
        return (
            self.content if isinstance(self.content, Record) else make_record(self.key.registry, self.content)
        )
