"""The feed of changes of all homes for one reader: from now on, or from its last position.

A position is the next offset of each partition. Every event's id contains it, so a reader that reconnects misses nothing and gets
nothing twice, from any view. One thread at a time.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.fleet.ports import ViewedChange
from api.sites.ports import SiteChange
from engine.core.decode_errors import DECODE_ERRORS
from engine.fleet_view.messages import is_home, is_newer, shortened
from engine.fleet_view.ports import Topics
from engine.replicas.kafka.messages import SCHEMA_VERSION, PlacedEntry, decode_key
from engine.replicas.kafka.topics import TopicNames

_AT_ONCE = 200
_OFFSET_DIGITS_MAX = 18
_NAMES = (
    "name_by_user",
    "name",
    "title",
    "original_name",
    "entity_id",
)  # the fields that may hold a record's name, the best first


class EventOrigin(msgspec.Struct, frozen=True):
    """The fields of an event's source that are used."""

    table: str
    run_id: str
    cause: str


class ChangeEvent(msgspec.Struct, frozen=True):
    """The fields of an event that are used."""

    op: str
    source: EventOrigin
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(ChangeEvent).decode


class ChangeFollower:
    """Reads the feed. Every method raises ReplicaError."""

    def __init__(self, topics: Topics, prefix: str, partitions: int) -> None:
        """Connects to nothing yet."""
        self._topics = topics
        self._topic = TopicNames(prefix).changes
        self._partitions = partitions
        self._next: list[int] = []  # by partition

    def begin(self, last_id: str) -> bool:
        """Continue after this id, or start now without one. Returns False if the position no longer exists; then it also starts now."""
        places = [(self._topic, number) for number in range(self._partitions)]
        ends = self._topics.reach(places)
        found = _offsets_in(last_id, self._partitions) if last_id else None
        known = found is not None and all(at <= ends[place] for place, at in zip(places, found, strict=True))
        self._next = found if found is not None and known else [ends[place] for place in places]
        self._topics.follow(dict(zip(places, self._next, strict=True)))
        return known or not last_id

    def take(self, seconds: float) -> list[ViewedChange] | None:
        """The changes that have arrived, waiting up to `seconds` for the first; None if some no longer exist: then it starts now."""
        entries, is_cut = self._topics.take(_AT_ONCE, seconds)
        if is_cut:
            self._topics.close()
            self.begin("")
            return None
        return list(self._changes(entries))

    def close(self) -> None:
        """Close the connections."""
        self._topics.close()

    def _changes(self, entries: list[PlacedEntry]) -> Iterator[ViewedChange]:
        for entry in entries:
            self._next[entry.partition] = entry.offset + 1
            change = read_change(entry, self._partitions)
            if change is not None:
                yield ViewedChange("-".join(map(str, self._next)), change)


def read_change(entry: PlacedEntry, partitions: int) -> SiteChange | None:
    """The change in an event of the feed; None for a message that no home's owner of this version wrote."""
    if entry.value is None or is_newer(entry, SCHEMA_VERSION):
        return None
    try:
        event = _decode(entry.value)
    except DECODE_ERRORS:
        return None
    found = decode_key(entry.key, event.source.table)
    if found is None or not is_home(found.site, entry, partitions):
        return None
    return SiteChange(
        site=found.site,
        replica="kafka",
        registry=found.key.registry,
        id=found.key.id,
        name=_name_in(event.after or event.before or {}),
        cause=event.source.cause,
        outcome="applied",
        run_id=event.source.run_id,
    )


def _name_in(record: Mapping[str, Any]) -> str | None:
    names = (record.get(name) for name in _NAMES)
    return next((shortened(name) for name in names if isinstance(name, str) and name), None)


def _offsets_in(id_: str, partitions: int) -> list[int] | None:
    """The offsets in an id; None if it is not an id of a feed with this number of partitions."""
    parts = id_.split("-")
    if len(parts) != partitions or not all(
        part.isascii() and part.isdigit() and len(part) <= _OFFSET_DIGITS_MAX for part in parts
    ):
        return None
    return [int(part) for part in parts]
