"""The lists of an earlier process: their rows, and the rows' records, decoded on access."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from engine.core.home.layered import Layered
from engine.core.home.lazy_mappings import LazyMapping, LazySequence, Positions
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import LearnedList
from engine.sources.answers.listing import Known, Listing
from engine.sources.unchanged.fingerprint import NAME_BYTES, Fingerprint
from engine.sources.unchanged.row_map import RowMap


class RecalledRows(LazyMapping[bytes, Known]):
    """The records of one list by their rows' fingerprints; `keys` are the records' keys in the list's order."""

    def __init__(self, listed: "RecalledList") -> None:
        """Decode nothing yet."""
        self.listed = listed
        super().__init__(Positions(len(listed.rows), listed.names), lambda: listed.rows)


class RecalledList:
    """The list at position `place` of a cache. `snapshot` is the cache's."""

    def __init__(self, cache: Cache, place: int, snapshot: Snapshot, fingerprint: Fingerprint) -> None:
        """Read only the cache's head."""
        self._cache = cache
        self._place = place
        self._start = cache.starts[place]
        self.known = cache.front.lists[place]
        self.map = RowMap.recalled(fingerprint, self.known, lambda: cache.index[place].fingerprints)
        self.rows = LazySequence(self.known.rows, lambda nth: self._row(snapshot, nth))
        self.by_row = RecalledRows(self)
        self.listing = Listing(self.rows)

    @cached_property
    def keys(self) -> list[Key]:
        """The keys of all records, in the list's order. Raises CacheDamaged."""
        return self._cache.keys[self._start : self._start + self.known.rows]

    def names(self) -> Iterable[bytes]:
        """The fingerprints of all rows. Raises CacheDamaged."""
        names = self._cache.index[self._place].fingerprints
        return [names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)]

    @cached_property
    def extended(self) -> LazyMapping[bytes, bytes]:
        """The fingerprints of extended rows by those of their list rows, as far as they were kept."""
        return LazyMapping(self.by_row.positions, lambda: self._extended)

    @cached_property
    def _extended(self) -> list[bytes]:
        names = self._cache.index[self._place].extended.ljust(NAME_BYTES * self.known.rows, b"\0")
        return [names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)]

    def _row(self, snapshot: Snapshot, nth: int) -> Known:
        key = self.keys[nth]
        return Known(snapshot.home.records[key], self._cache.hashes[self._start + nth], key)


def learned_list(
    name: str, registry: str, rows: RowMap, by_row: Mapping[bytes, Known], extended: bytes = b""
) -> LearnedList:
    """What to keep of a list and of its `extended` rows; recalled rows are not decoded for it."""
    names = list(rows)
    column, changed = by_row.layers if isinstance(by_row, Layered) else (by_row, {})
    if isinstance(column, RecalledRows):
        positions, keys = column.positions.by_key, column.listed.keys
        found = [
            changed[n].key if n in changed else keys[positions[n]]  # type: ignore[union-attr]  # its rows exist
            for n in names
        ]
    else:
        found = [by_row[n].key for n in names]
    return LearnedList(rows.keep(name, registry), found, b"".join(names), extended)
