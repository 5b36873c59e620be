"""The snapshot in a cache: equal to the one that was written, with records decoded on access."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from itertools import islice

from engine.core.home.derived import Derived, derive
from engine.core.home.entity_index import EntityIndex
from engine.core.home.home import Generation, Home
from engine.core.home.lazy_mappings import LazyMapping, LazySequence, Positions
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.pass_cache.contents import Cache

# Every record of these has derived values; records of others only if they have a position.
_ALWAYS_DERIVED = ("device", "entity")


def recall(cache: Cache) -> Snapshot:
    """The snapshot in a cache. Later accesses raise CacheDamaged if the cache is damaged."""
    front = cache.front
    positions = Positions(cache.count, lambda: cache.keys)
    made = LazySequence(cache.count, cache.record)
    records = LazyMapping(positions, lambda: made)
    entities = _RecalledEntities(cache)
    order = dict(front.positions)
    return Snapshot(
        Home(
            records=records,
            hashes=LazyMapping(positions, lambda: cache.hashes),
            entities=entities,
            counts=_counts(cache),
            positions=order,
            names_as_of=front.names_as_of,
            entry_ids=front.entry_ids,
            set_aside=(),
            stand_ins={},
            partly_read={},
            generation=Generation(),
            known_derived=_Derivations(cache, records, entities, order).column(),
            known_versions=LazyMapping(positions, lambda: cache.versions),
        ),
        front.reading,
    )


class _RecalledEntities(EntityIndex):
    """The index of entities, built from the cache's columns."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @cached_property
    def _keys(self) -> Mapping[str, Key]:  # type: ignore[override]
        return {
            entity_id: key
            for start, rows in zip(self._cache.starts, self._cache.index, strict=False)
            for entity_id, key in zip(rows.entity_ids, islice(self._cache.keys, start, None), strict=False)
        }

    @cached_property
    def per_device(self) -> Counter[str | None]:  # type: ignore[override]
        return Counter(device_id for rows in self._cache.index for device_id in rows.device_ids)


def _counts(cache: Cache) -> Counter[str]:
    counts = Counter[str]()
    for listed in cache.front.lists:
        counts[listed.registry] += listed.rows
    return counts


class _Derivations:
    """The derived values of one home, created on access."""

    def __init__(
        self, cache: Cache, records: Mapping[Key, Record], entities: EntityIndex, order: Mapping[Key, int]
    ) -> None:
        self._cache = cache
        self._records = records
        self._entities = entities
        self._order = order

    @cached_property
    def keys(self) -> list[Key]:
        """The keys of the records with derived values."""
        return [key for key in self._cache.keys if key.registry in _ALWAYS_DERIVED or key in self._order]

    def at(self, position: int) -> Derived:
        """The derived values at a position among `keys`."""
        key = self.keys[position]
        as_of, counts = self._cache.front.names_as_of, self._entities.per_device
        return derive(self._records, as_of, [key], counts, self._order)[key]

    def column(self) -> LazyMapping[Key, Derived]:
        """All derived values by key."""
        counts = _counts(self._cache)
        ordered = sum(key.registry not in _ALWAYS_DERIVED for key in self._order)
        count = sum(counts[registry] for registry in _ALWAYS_DERIVED) + ordered
        made = LazySequence(count, self.at)
        return LazyMapping(Positions(count, lambda: self.keys), lambda: made)
