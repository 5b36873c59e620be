"""A snapshot: a home and how it was read.

The home is compared; the reading tells how far the comparison can be trusted, above all whether a record that is not in
the home may be deleted. So do the reads before it, which may have listed that record.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.core.home.home import Home, make_home
from engine.core.home.last_seen import LastSeen
from engine.core.home.reading import Reading, SourceHealth
from engine.core.home.unread import Unread
from engine.core.records.record import Key, Record
from engine.core.records.set_aside import SetAside


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """The desired state: a home, and the reading that tells how far to trust it. Made by `make_snapshot`.

    `last_seen`: when earlier reads of this process listed records that this one lacks.
    """

    home: Home
    reading: Reading
    last_seen: LastSeen = LastSeen()

    def only(self, registries: frozenset[str]) -> "Snapshot":
        """The same snapshot with only some registries; derived values still take all registries into account."""
        if self.reading.registries <= registries and self.reading.unread.registries.keys() <= registries:
            return self
        return Snapshot(self.home.only(registries), self.reading.only(registries), self.last_seen)

    def after_others(self, last_seen: LastSeen) -> "Snapshot":
        """The same snapshot with what earlier reads saw."""
        return Snapshot(self.home, self.reading, last_seen)

    def with_evidence(self, removed: frozenset[Key]) -> "Snapshot":
        """The same snapshot with more keys that Home Assistant reported as removed, except those that it lists."""
        listed, aside = self.home.records, self.home.set_aside_keys
        gone = {key for key in removed - self.reading.removed if key not in listed and key not in aside}
        return self.read_as(removed=self.reading.removed | gone) if gone else self

    def with_unread_as_empty(self) -> "Snapshot":
        """The same snapshot with the unread registries declared empty."""
        if self.reading.unread == Unread():
            return self
        return Snapshot(self.home, self.reading.with_unread_as_empty(), self.last_seen)

    def read_as(self, **reading: object) -> "Snapshot":
        """The same home with these fields of the reading replaced."""
        return Snapshot(self.home, msgspec.structs.replace(self.reading, **reading), self.last_seen)

    def is_missing(self, key: Key) -> bool:
        """Whether the part that would contain this key was read and does not contain it."""
        return (
            key.registry in self.reading.registries
            and key not in self.home.records
            and not self.reading.unread.leaves_out(key)
        )

    def is_reported_gone(self, key: Key) -> bool:
        """Whether Home Assistant itself reports that the record is gone: as removed, or as split into others (see `is_split`)."""
        return key in self.reading.removed or self.is_split(key)

    def is_split(self, key: Key) -> bool:
        """Whether it is a device that was split into devices that this read lists.

        Home Assistant remembers a split for ever, so a read that lacks its parts may as well lack a device that is there.
        """
        parts = self.reading.splits.get(key.id, ()) if key.registry == "device" else ()
        listed, aside = self.home.records, self.home.set_aside_keys
        return bool(parts) and all(
            part in listed or part in aside for part in (Key("device", id_) for id_ in parts)
        )

    def standing_in(self, records: Sequence[Record]) -> "Snapshot":
        """The same moment with values derived as if it had these records, which a replica has and which cannot be read now."""
        return Snapshot(self.home.standing_in(records), self.reading, self.last_seen)

    def filled_in(self, records: Iterable[Record]) -> "Snapshot":
        """The same moment with the unknown fields of some records filled in; no derived value depends on them."""
        return Snapshot(self.home.filled_in(records), self.reading, self.last_seen)

    def with_changes(  # noqa: PLR0913 (what a later look found, by keyword)
        self,
        changed: Iterable[tuple[Record, str]],
        gone: Iterable[Key],
        *,
        taken_at: float,
        removed: frozenset[Key] = frozenset(),
        true_at: float | None = None,
        listed: frozenset[str] | None = None,
        positions: Mapping[Key, int] | None = None,
    ) -> "Snapshot":
        """The same home a little later: records with their hashes replaced or added, others `gone`.

        The cost depends on the number of changes, except for an occasional full copy; the result equals a snapshot made from
        the same records. `removed` are the keys that Home Assistant reported as removed; `true_at` None means `taken_at`;
        `listed` are the registries that were read in full, None means all; `positions` None keeps the earlier ones. Raises
        SourceInvalid when two entities share an entity_id.
        """
        home = self.home.after(changed, gone, self.reading.registries, positions)
        gone_by_then = frozenset(
            key
            for key in self.reading.removed | removed
            if key not in home.records and key not in home.set_aside_keys
        )
        reading = self.reading.after(taken_at=taken_at, true_at=true_at, listed=listed, removed=gone_by_then)
        return Snapshot(home, reading)


def make_snapshot(  # noqa: PLR0913 (a value with named parts, always built by keyword)
    *,
    records: Iterable[Record] | Mapping[Key, Record],
    taken_at: float,
    origin: str,
    registries: frozenset[str],
    health: SourceHealth | None = None,
    removed: frozenset[Key] = frozenset(),
    splits: Mapping[str, tuple[str, ...]] | None = None,
    hashes: Mapping[Key, str] | None = None,
    names_as_of: tuple[int, int] | None = None,
    unread: Unread | None = None,
    set_aside: Iterable[SetAside] = (),
    partly_read: Mapping[Key, frozenset[str]] | None = None,
    positions: Mapping[Key, int] | None = None,
) -> Snapshot:
    """The snapshot of these records; those that are listed more than once are set aside. See `Home` and `Reading`.

    If no two records share a key, `records` may be a mapping by key, because computing keys is not cheap.
    `names_as_of` comes from the evidence that the kind of source has: its entity store's minor version, else the core's version.
    """
    health = health or SourceHealth()
    home = make_home(
        records,
        registries,
        hashes=hashes or {},
        names_as_of=names_as_of or version_of(health.ha_version),
        set_aside=set_aside,
        partly_read=partly_read or {},
        positions=positions or {},
    )
    reading = Reading(
        taken_at=taken_at,
        origin=origin,
        registries=registries,
        health=health,
        removed=removed,
        splits=dict(splits or {}),
        unread=unread or Unread(),
    )
    return Snapshot(home, reading)


def newest_version(written: Iterable[tuple[float, str | None]]) -> tuple[int, int] | None:
    """The version, (year, month), of the last of the writes (Unix seconds, version) that has one; None if none has."""
    versions = [(at, version) for at, text in written if (version := version_of(text)) is not None]
    return max(versions)[1] if versions else None


def version_of(text: str | None) -> tuple[int, int] | None:
    """(year, month) of a Home Assistant version such as "2026.11.0"; None for any other text."""
    year, _, rest = (text or "").partition(".")
    month = rest.partition(".")[0]
    return (int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
