"""What a read learned, for the cache: the snapshot, in which order its lists had the records, and what they were read from."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from engine.core.home.layered import Layered
from engine.core.home.lazy_mappings import LazyMapping
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import HASH_VERSION
from engine.core.records.record import Entity, Key, Record
from engine.core.records.record_json import decode_record, encode_record
from engine.errors import SourceInvalid
from engine.pass_cache.contents import (
    BYTES_MAX,
    Cache,
    CachedReplica,
    CachedSource,
    Front,
    ListMap,
    ListRows,
    Piece,
    seal_cache,
)

_Place: TypeAlias = tuple[str, str | None]  # the entity_id and the device of an entity


class LearnedList(msgspec.Struct, frozen=True):
    """One list in its order; `fingerprints` of its rows, one behind the other, where it has a map, and of their extended rows."""

    map: ListMap
    keys: Sequence[Key]
    fingerprints: bytes = b""
    extended: bytes = b""


class Learned(msgspec.Struct, frozen=True):
    """All that one read learned; `lists` have each record of the snapshot once."""

    snapshot: Snapshot
    source: CachedSource
    lists: tuple[LearnedList, ...]


def encode_learned(
    learned: Learned, replicas: Iterable[CachedReplica], *, program: str, key: bytes, before: Cache | None
) -> list[Piece] | None:
    """A cache, in pieces, of what was learned, and of the replicas that are equal to it; `before` is the cache that was begun with.

    None where this home cannot be kept: rows of it were set aside or only partly read, or it is too large.
    """
    snapshot = learned.snapshot
    keys = [key_ for listed in learned.lists for key_ in listed.keys]
    if (
        snapshot.home.has_odd_rows
        or set(keys) != snapshot.home.records.keys()
        or len(keys) != len(snapshot.home.records)
    ):
        return None
    rows = _Rows(snapshot, before)
    try:
        index = [rows.of(listed) for listed in learned.lists]
    except (SourceInvalid, OverflowError):
        return None
    front = Front(
        program=program,
        hash_version=HASH_VERSION,
        source=learned.source,
        reading=snapshot.reading,
        names_as_of=snapshot.home.names_as_of,
        entry_ids=snapshot.home.entry_ids,
        positions=sorted(snapshot.home.positions.items()),
        lists=tuple(listed.map for listed in learned.lists),
        replicas=tuple(replicas),
        index_bytes=0,
        index_digest=b"",
        records_bytes=0,
        records_digest=b"",
    )
    pieces = seal_cache(front, index, rows.records, key)
    return pieces if sum(map(len, pieces)) <= BYTES_MAX else None


class _Rows:
    """Encodes rows; what the previous cache holds unchanged is taken over as it is."""

    def __init__(self, snapshot: Snapshot, before: Cache | None) -> None:
        self._snapshot = snapshot
        self._versions = dict(snapshot.home.row_versions.items())
        self.records: list[Piece] = []
        self._known: dict[Key, int] = {}  # positions in the cache of before
        found = snapshot.home.records
        column, changed = (found.untouched(), found.layers[1]) if isinstance(found, Layered) else (found, {})
        if before is not None and isinstance(column, LazyMapping):
            self._known = {key: at for key, at in column.positions.by_key.items() if key not in changed}
        self._before = before

    def of(self, listed: LearnedList) -> ListRows:
        """The columns of one list; its records follow in `records`. Raises SourceInvalid, OverflowError."""
        keys, before = listed.keys, self._before
        lengths, places = list[int](), list[_Place]()
        begin = end = 0  # of a stretch of records that stand one behind the other in the cache of before
        for key in keys:
            at = self._known.get(key)
            if at is not None and before is not None:
                if at != end:
                    self._take_over(begin, end)
                    begin = at
                end = at + 1
                lengths.append(before.bounds[end] - before.bounds[at])
                places.append(before.places[at])
                continue
            self._take_over(begin, end)
            begin = end = 0
            record = self._snapshot.home.records[key]
            lengths.append(self._add(_encoded(key, record)))
            places.append(place_of(record))
        self._take_over(begin, end)
        is_of_entities = listed.map.registry == "entity"
        return ListRows(
            listed.fingerprints,
            [key.id for key in keys],
            [self._versions[key] for key in keys],
            lengths,
            [place[0] for place in places] if is_of_entities else [],
            [place[1] for place in places] if is_of_entities else [],
            listed.extended,
        )

    def _add(self, encoded: bytes) -> int:
        # Into one piece: thousands of small ones leave holes in the memory of a service.
        last = self.records[-1] if self.records else None
        if isinstance(last, bytearray):
            last += encoded
        else:
            self.records.append(bytearray(encoded))
        return len(encoded)

    def _take_over(self, begin: int, end: int) -> None:
        if begin < end and self._before is not None:
            self.records.append(self._before.encoded_together(begin, end))


def _encoded(key: Key, record: Record) -> bytes:
    """One record. Raises SourceInvalid where it would not be read back."""
    encoded = encode_record(record)
    # An unknown key may have the name of a known field.
    if record.extra and decode_record(key.registry, encoded) != record:
        raise SourceInvalid(f"{key} reads back as another record.")
    return encoded


def place_of(record: Record) -> _Place:
    """The entity_id and the device of an entity; of anything else nothing."""
    return (record.entity_id, record.device_id) if isinstance(record, Entity) else ("", None)
