"""What a read learned, for the cache: the snapshot, in which order its lists had the records, and what they were read from."""

from collections.abc import Iterable, Sequence

import msgspec

from engine.core.home.layered import Layered
from engine.core.home.lazy_mappings import LazyMapping
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import HASH_VERSION
from engine.core.records.record import Entity, Key, Record, decode_record, encode_record
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
) -> bytes | None:
    """A cache of what was learned, and of the replicas that are equal to it; `before` is the cache that was begun with.

    None where this home cannot be kept: rows of it were set aside or only partly read, or it is too large.
    """
    snapshot = learned.snapshot
    keys = [key_ for listed in learned.lists for key_ in listed.keys]
    if (
        snapshot.set_aside
        or snapshot.partly_read
        or set(keys) != snapshot.records.keys()
        or len(keys) != len(snapshot.records)
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
        names_as_of=snapshot.names_as_of,
        entry_ids=snapshot.entry_ids,
        positions=sorted(snapshot.positions.items()),
        lists=tuple(listed.map for listed in learned.lists),
        replicas=tuple(replicas),
        index_bytes=0,
        index_digest=b"",
        records_bytes=0,
        records_digest=b"",
    )
    data = seal_cache(front, index, rows.records, key)
    return data if len(data) <= BYTES_MAX else None


class _Rows:
    """Encodes rows; what stands in the cache of before, and is the same, is taken from there as it is."""

    def __init__(self, snapshot: Snapshot, before: Cache | None) -> None:
        self._snapshot = snapshot
        self._hashes, self._versions = dict(snapshot.hashes.items()), dict(snapshot.row_versions.items())
        self.records: list[bytes | memoryview] = []
        self._known: dict[Key, int] = {}  # positions in the cache of before
        found = snapshot.records
        column, changed = (found.untouched(), found.layers[1]) if isinstance(found, Layered) else (found, {})
        if before is not None and isinstance(column, LazyMapping):
            self._known = {key: at for key, at in column.positions.by_key.items() if key not in changed}
        self._before = before

    def of(self, listed: LearnedList) -> ListRows:
        """The columns of one list; its records follow in `records`. Raises SourceInvalid, OverflowError."""
        keys, first = listed.keys, len(self.records)
        places = [self._add(key) for key in keys]
        is_of_entities = listed.map.registry == "entity"
        return ListRows(
            listed.fingerprints,
            [key.id for key in keys],
            [self._hashes[key] for key in keys],
            [self._versions[key] for key in keys],
            [len(encoded) for encoded in self.records[first:]],
            [place[0] for place in places] if is_of_entities else [],
            [place[1] for place in places] if is_of_entities else [],
            listed.extended,
        )

    def _add(self, key: Key) -> tuple[str, str | None]:
        """Encode one record; returns the entity_id and the device of an entity."""
        at = self._known.get(key)
        if at is not None and self._before is not None:
            self.records.append(self._before.encoded(at))
            return self._before.places[at]
        record = self._snapshot.records[key]
        encoded = encode_record(record)
        # A key that nobody knows may be called like a field that everybody does.
        if record.extra and decode_record(key.registry, encoded) != record:
            raise SourceInvalid(f"{key} reads back as another record.")
        self.records.append(encoded)
        return place_of(record)


def place_of(record: Record) -> tuple[str, str | None]:
    """The entity_id and the device of an entity; of anything else nothing."""
    return (record.entity_id, record.device_id) if isinstance(record, Entity) else ("", None)
