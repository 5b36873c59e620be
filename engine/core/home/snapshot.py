"""A snapshot: a home and how it was read.

The home is compared; the reading says what the comparison is worth, above all whether a record that is not in the
home may be deleted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.core.home.derived import Derived
from engine.core.home.entity_index import EntityIndex
from engine.core.home.home import Generation, Home, make_home
from engine.core.home.reading import Reading, SourceHealth
from engine.core.home.unread import Unread
from engine.core.records.record import Key, Record
from engine.core.records.set_aside import SetAside


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """The desired state. Made by `make_snapshot`; it offers what home and reading offer."""

    home: Home
    reading: Reading

    def only(self, registries: frozenset[str]) -> "Snapshot":
        """The same snapshot with only some registries; derived values still see all of them."""
        if self.registries <= registries and self.unread.registries.keys() <= registries:
            return self
        return Snapshot(self.home.only(registries), self.reading.only(registries))

    def with_evidence(self, removed: frozenset[Key]) -> "Snapshot":
        """The same snapshot with more that Home Assistant said it removed; what is listed all the same is not gone."""
        gone = frozenset(key for key in removed if key not in self.records) - self.removed
        return self.read_as(removed=self.removed | gone) if gone else self

    def with_unread_as_empty(self) -> "Snapshot":
        """The same snapshot when what was not read is declared empty."""
        return self if self.unread == Unread() else Snapshot(self.home, self.reading.with_unread_as_empty())

    def read_as(self, **reading: object) -> "Snapshot":
        """The same home with another reading: these of its fields are different."""
        return Snapshot(self.home, msgspec.structs.replace(self.reading, **reading))

    def is_missing(self, key: Key) -> bool:
        """Whether it was read where this key would be, and is not there."""
        return key.registry in self.registries and key not in self.records and not self.unread.leaves_out(key)

    def standing_in(self, records: Sequence[Record]) -> "Snapshot":
        """The same moment, derived as if these were there too, which a replica has and which cannot be read now."""
        return Snapshot(self.home.standing_in(records), self.reading)

    def filled_in(self, records: Iterable[Record]) -> "Snapshot":
        """The same moment with what is not known of some records filled in; nothing derived depends on that."""
        return Snapshot(self.home.filled_in(records), self.reading)

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

        Costs what changed, now and then a copy of everything; equal to a snapshot made of the same records.
        `removed` is what Home Assistant said it removed; `true_at` None is `taken_at`; `listed` are the registries
        that were read in full, None all; `positions` None are those of before. Raises SourceInvalid when two entities
        have one entity_id.
        """
        home = self.home.after(changed, gone, self.registries, positions)
        gone_by_then = frozenset(
            key
            for key in self.removed | removed
            if key not in home.records and key not in home.set_aside_keys
        )
        reading = self.reading.after(taken_at=taken_at, true_at=true_at, listed=listed, removed=gone_by_then)
        return Snapshot(home, reading)

    # Of the home

    @property
    def records(self) -> Mapping[Key, Record]:
        """All records."""
        return self.home.records

    @property
    def hashes(self) -> Mapping[Key, str]:
        """Their content hashes."""
        return self.home.hashes

    @property
    def derived(self) -> Mapping[Key, Derived]:
        """Derived values of devices and entities."""
        return self.home.derived

    @property
    def row_versions(self) -> Mapping[Key, str]:
        """For replicas that store derived columns: content hash and digest of the derived values."""
        return self.home.row_versions

    @property
    def entities(self) -> EntityIndex:
        """The entities by what they are looked up by."""
        return self.home.entities

    @property
    def counts(self) -> Counter[str]:
        """Rows by registry, those set aside among them."""
        return self.home.counts

    @property
    def positions(self) -> Mapping[Key, int]:
        """The user's order of areas and floors, where it is known."""
        return self.home.positions

    @property
    def names_as_of(self) -> tuple[int, int] | None:
        """The version, (year, month), whose rule names the entities."""
        return self.home.names_as_of

    @property
    def entry_ids(self) -> frozenset[str]:
        """The config entries, by which a home is known."""
        return self.home.entry_ids

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """The rows that cannot be identified."""
        return self.home.set_aside

    @property
    def set_aside_keys(self) -> frozenset[Key]:
        """The keys that those may be about, as far as they say."""
        return self.home.set_aside_keys

    @property
    def partly_read(self) -> Mapping[Key, frozenset[str]]:
        """The fields that are not known of some records."""
        return self.home.partly_read

    @property
    def generation(self) -> Generation:
        """Names the records: equal in snapshots of the same home."""
        return self.home.generation

    @property
    def base(self) -> Generation | None:
        """The generation that this one was made from by `with_changes`."""
        return self.home.base

    @property
    def touched(self) -> frozenset[Key]:
        """The keys whose row versions may differ from the base's."""
        return self.home.touched

    # Of the reading

    @property
    def taken_at(self) -> float:
        """When it was read, Unix seconds."""
        return self.reading.taken_at

    @property
    def true_at(self) -> float:
        """Every change up to here is in it, Unix seconds."""
        return self.reading.true_at

    @property
    def origin(self) -> str:
        """Where it was read from, as a person would name it."""
        return self.reading.origin

    @property
    def registries(self) -> frozenset[str]:
        """The registries that it is complete for."""
        return self.reading.registries

    @property
    def health(self) -> SourceHealth:
        """Home Assistant's health while it was read."""
        return self.reading.health

    @property
    def removed(self) -> frozenset[Key]:
        """Keys that Home Assistant itself says are gone."""
        return self.reading.removed

    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The ids that replaced a composite device, by its id."""
        return self.reading.splits

    @property
    def unread(self) -> Unread:
        """What was left out, and why."""
        return self.reading.unread

    def listed_at(self, registry: str) -> float:
        """When the whole of a registry was last read, Unix seconds: what is missing was missed then, not since."""
        return self.reading.listed_at(registry)


def make_snapshot(  # noqa: PLR0913 (a value with named parts, always built by keyword)
    *,
    records: Iterable[Record],
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

    `names_as_of` comes from the one piece of evidence that a form has: its entity store's minor version, else the core's.
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
    """Of (Unix seconds, version) of some writes the version, (year, month), of the last that had one; None when none had."""
    versions = [(at, version) for at, text in written if (version := version_of(text)) is not None]
    return max(versions)[1] if versions else None


def version_of(text: str | None) -> tuple[int, int] | None:
    """(year, month) of a Home Assistant version such as "2026.11.0"; None when it is no such text."""
    year, _, rest = (text or "").partition(".")
    month = rest.partition(".")[0]
    return (int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
