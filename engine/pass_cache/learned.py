"""The results of a read, for the cache: the snapshot, the order of records in its lists, and fingerprints of their rows."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, sub
from typing import cast

import msgspec

from engine.core.home.layered import Layered
from engine.core.home.lazy_mappings import LazyMapping
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import HASH_VERSION
from engine.core.records.record import Key, Record
from engine.core.records.registries import ENTITY
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

# Encode many at a time, into a reused buffer. A line break within a value is escaped.
_RECORDS_AT_ONCE = 128
_encode_lines = msgspec.json.Encoder().encode_lines
_entity_id, _device_id = attrgetter("entity_id"), attrgetter("device_id")


class LearnedList(msgspec.Struct, frozen=True):
    """One list in its order; `fingerprints` are those of its rows, concatenated, if it has a map, and of their extended rows."""

    map: ListMap
    keys: Sequence[Key]
    fingerprints: bytes = b""
    extended: bytes = b""


class Learned(msgspec.Struct, frozen=True):
    """The results of one read; `lists` contain each record of the snapshot once."""

    snapshot: Snapshot
    source: CachedSource
    lists: tuple[LearnedList, ...]


def encode_learned(
    learned: Learned, replicas: Iterable[CachedReplica], *, program: str, key: bytes, before: Cache | None
) -> list[Piece] | None:
    """Encode a cache, in pieces, of a read's results and of the replicas equal to them; `before` is the cache that it started from.

    None if this home cannot be cached: some of its rows were set aside or only partly read, or it is too large.
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
    except OverflowError:
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
    """The columns of one list's records, collected while these are encoded or copied; the last two are of entities."""

    def __init__(self, registry: str) -> None:
        self.are_entities = registry == ENTITY.name
        self.lengths: list[int] = []
        self.entity_ids: list[str] = []
        self.device_ids: list[str | None] = []


class _Rows:
    """Encodes rows; copies unchanged ones from the previous cache, in stretches."""

    def __init__(self, snapshot: Snapshot, before: Cache | None) -> None:
        self._home = snapshot.home
        self.records: list[Piece] = []
        self._before = before
        self._known: Mapping[Key, int] = {}  # positions in the previous cache
        self._changed: set[int] = set()  # positions of rows that have changed
        versions = snapshot.home.row_versions
        self._versions = versions if isinstance(versions, dict) else dict(versions.items())
        found = snapshot.home.records
        column, changed = (found.untouched(), found.layers[1]) if isinstance(found, Layered) else (found, {})
        if before is not None and isinstance(column, LazyMapping):
            self._known = known = column.positions.by_key
            self._changed = {known[key] for key in changed if key in known}

    def of(self, listed: LearnedList) -> ListRows:
        """The columns of one list; its records follow in `records`. Raises OverflowError."""
        keys, columns = listed.keys, _Columns(listed.map.registry)
        if not self._known:
            self._add([self._home.records[key] for key in keys], columns)
            return self._columns_of(listed, columns)
        begin = end = 0  # of a stretch of records that are consecutive in the previous cache
        fresh: list[Record] = []  # records after it that are not
        for key, at in zip(keys, map(self._known.get, keys), strict=True):
            if at is None or at in self._changed:
                if begin < end:
                    self._take_over(begin, end, columns)
                    begin = end = 0
                fresh.append(self._home.records[key])
                continue
            if fresh:
                self._add(fresh, columns)
                fresh = []
            if at != end:
                self._take_over(begin, end, columns)
                begin = at
            end = at + 1
        self._take_over(begin, end, columns)
        self._add(fresh, columns)
        return self._columns_of(listed, columns)

    def _columns_of(self, listed: LearnedList, columns: _Columns) -> ListRows:
        return ListRows(
            listed.fingerprints,
            [key.id for key in listed.keys],
            [self._versions[key] for key in listed.keys],
            columns.lengths,
            columns.entity_ids,
            columns.device_ids,
            listed.extended,
        )

    def _add(self, records: list[Record], columns: _Columns) -> None:
        """Encode these. Raises OverflowError."""
        if not records:
            return
        # Into one piece: thousands of small ones would fragment the memory of a service.
        if not self.records or not isinstance(self.records[-1], bytearray):
            self.records.append(bytearray())
        piece = cast("bytearray", self.records[-1])
        for at in range(0, len(records), _RECORDS_AT_ONCE):
            encoded = _encode_lines(records[at : at + _RECORDS_AT_ONCE])
            piece += encoded
            columns.lengths += map(len, encoded.splitlines(keepends=True))
        if columns.are_entities:
            columns.entity_ids += map(_entity_id, records)
            columns.device_ids += map(_device_id, records)

    def _take_over(self, begin: int, end: int, columns: _Columns) -> None:
        before = self._before
        if begin < end and before is not None:
            self.records.append(before.encoded_together(begin, end))
            bounds = before.bounds[begin : end + 1]
            columns.lengths += map(sub, bounds[1:], bounds)
            if columns.are_entities:
                columns.entity_ids += before.entity_ids[begin:end]
                columns.device_ids += before.device_ids[begin:end]
