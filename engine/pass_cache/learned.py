"""What a read learned, for the cache: the snapshot, in which order its lists had the records, and what they were read from."""

from collections.abc import Iterable, Mapping, Sequence
from operator import sub
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
    seal_cache,
)
from engine.pass_cache.seals import Piece

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


class _Columns:
    """Of one list what its records say, gathered as they are encoded or taken over."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.places: list[_Place] = []


class _Rows:
    """Encodes rows; what the previous cache holds unchanged is taken over as it is, in stretches."""

    def __init__(self, snapshot: Snapshot, before: Cache | None) -> None:
        self._home = snapshot.home
        self.records: list[Piece] = []
        self._before = before
        self._known: Mapping[Key, int] = {}  # positions in the cache of before
        self._changed: set[int] = set()  # those of rows that are others now
        self._versions = dict(snapshot.home.row_versions.items())
        found = snapshot.home.records
        column, changed = (found.untouched(), found.layers[1]) if isinstance(found, Layered) else (found, {})
        if before is not None and isinstance(column, LazyMapping):
            self._known = known = column.positions.by_key
            self._changed = {known[key] for key in changed if key in known}

    def of(self, listed: LearnedList) -> ListRows:
        """The columns of one list; its records follow in `records`. Raises SourceInvalid, OverflowError."""
        keys, columns = listed.keys, _Columns()
        begin = end = 0  # of a stretch of records that stand one behind the other in the cache of before
        for key, at in zip(keys, map(self._known.get, keys), strict=True):
            if at is not None and at not in self._changed:
                if at != end:
                    self._take_over(begin, end, columns)
                    begin = at
                end = at + 1
                continue
            self._take_over(begin, end, columns)
            begin = end = 0
            record = self._home.records[key]
            columns.lengths.append(self._add(_encoded(key, record)))
            columns.places.append(place_of(record))
        self._take_over(begin, end, columns)
        is_of_entities = listed.map.registry == "entity"
        return ListRows(
            listed.fingerprints,
            [key.id for key in keys],
            [self._versions[key] for key in keys],
            columns.lengths,
            [place[0] for place in columns.places] if is_of_entities else [],
            [place[1] for place in columns.places] if is_of_entities else [],
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

    def _take_over(self, begin: int, end: int, columns: _Columns) -> None:
        before = self._before
        if begin < end and before is not None:
            self.records.append(before.encoded_together(begin, end))
            bounds = before.bounds[begin : end + 1]
            columns.lengths += map(sub, bounds[1:], bounds)
            columns.places += before.places[begin:end]


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
