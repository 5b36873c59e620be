"""A snapshot: all records of one side at one moment, and what is known about how it was read.

A snapshot of Home Assistant also carries its health, because whether a record that is not in it may be
deleted depends on the state Home Assistant was in when it was asked.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import chain

import msgspec

from engine.core.home.content_hash import content_hash, row_digest
from engine.core.home.derived import Derived, affected_keys, derive
from engine.core.home.entity_index import EntityIndex
from engine.core.home.layered import with_changes
from engine.core.home.record import Device, Entity, Key, Record
from engine.core.home.set_aside import SetAside, trusted_records
from engine.core.home.unread import Unread


class Health(msgspec.Struct, frozen=True):
    """What Home Assistant said of itself while it was read; None where a form of source cannot know."""

    ha_version: str | None = None
    state: str | None = None  # RUNNING, STARTING, NOT_RUNNING, STOPPING, ...
    recovery_mode: bool | None = None
    corrupt_stores: tuple[str, ...] = ()  # named by storage_corruption_* repair issues or *.corrupt.* files
    unread: tuple[str, ...] = ()  # what it says of itself and could not be read, each with why


class Snapshot:
    """The desired state: complete for the registries in `registries`, read at `taken_at` (Unix seconds).

    `removed` holds keys that Home Assistant itself says are gone (its list of deleted rows, or a remove
    event); `splits` maps the id of a composite device to the ids that replaced it in 2026.8, first the one
    that inherits. `true_at` is up to when it has every change: `taken_at`, or earlier where a later look at
    some of it cannot know of all the rest. `names_as_of` is the version, (year, month), whose rule names the
    entities, from the one piece of evidence that a form has: its entity store's minor version, else the core's version.
    `unread` says what was left out, and why; `positions` has the user's order of areas and floors where it is told.

    `set_aside` are the rows of which nobody can tell which record they are, and `set_aside_keys` those that they may
    be about as far as they say; they are in no other part of the snapshot. `partly_read` names the fields that are not known of
    some records: what a replica has there stays.
    """

    def __init__(  # noqa: PLR0913 (a value with named parts, always built by keyword)
        self,
        *,
        records: Iterable[Record],
        taken_at: float,
        origin: str,
        registries: frozenset[str],
        health: Health | None = None,
        removed: frozenset[Key] = frozenset(),
        splits: Mapping[str, tuple[str, ...]] | None = None,
        hashes: Mapping[Key, str] | None = None,
        names_as_of: tuple[int, int] | None = None,
        unread: Unread | None = None,
        set_aside: Iterable[SetAside] = (),
        partly_read: Mapping[Key, frozenset[str]] | None = None,
        positions: Mapping[Key, int] | None = None,
    ) -> None:
        """Index the records; those that are listed more than once are set aside."""
        by_key, self.set_aside, self._stand_ins = trusted_records(records, set_aside)
        self.set_aside_keys = frozenset(row.key for row in self.set_aside if row.key)
        self.partly_read = {k: names for k, names in (partly_read or {}).items() if k in by_key}
        self.records: Mapping[Key, Record] = by_key
        # Rows by registry, those set aside among them: what they are of is not empty.
        self.counts = Counter(key.registry for key in by_key) + Counter(r.registry for r in self.set_aside)
        self.entities = EntityIndex.of(self.records)
        self.taken_at = taken_at
        self.true_at_given: float | None = None  # where it is not `taken_at`
        self.listed_at_given: dict[str, float] = {}
        self.origin = origin
        self.registries = registries
        self.unread = unread or Unread()
        self.positions: Mapping[Key, int] = positions or {}
        self.health = health or Health()
        self.names_as_of = names_as_of or version_of(self.health.ha_version)
        self.removed = removed
        self.splits = dict(splits or {})
        # Names the records as they are; a copy with the same records has the same one.
        self.content = object()
        self.base: object | None = None  # the content this one was made from by `with_changes`
        self.touched: frozenset[Key] = frozenset()  # keys whose row versions may differ from the base's
        known = hashes or {}
        # Which instance this is: kept apart, because `only` may leave the config entries out.
        self.entry_ids = _entry_ids(self.records, self.set_aside, registries)
        self.hashes: Mapping[Key, str] = {
            key: known.get(key) or content_hash(record) for key, record in self.records.items()
        }

    @property
    def true_at(self) -> float:
        """Every change up to here is in it, Unix seconds."""
        return self.taken_at if self.true_at_given is None else self.true_at_given

    def listed_at(self, registry: str) -> float:
        """When the whole of a registry was last read, Unix seconds: what is missing was missed then, not since."""
        return self.listed_at_given.get(registry, self.taken_at)

    @cached_property
    def derived(self) -> Mapping[Key, Derived]:
        """Derived values of devices and entities."""
        return derive(
            self._for_deriving(self.records),
            self.names_as_of,
            entity_counts=self.entities.per_device,
            positions=self.positions,
        )

    def _for_deriving(self, records: Mapping[Key, Record]) -> Mapping[Key, Record]:
        """Entities of a device that is set aside are named by the row that Home Assistant, too, would take: the last."""
        missing = {key: record for key, record in self._stand_ins.items() if key not in records}
        return with_changes(records, missing, ()) if missing else records

    @cached_property
    def row_versions(self) -> Mapping[Key, str]:
        """For replicas that store derived columns: content hash and digest of the derived values."""
        return {key: row_version(h, self.derived.get(key)) for key, h in self.hashes.items()}

    def only(self, registries: frozenset[str]) -> "Snapshot":
        """The same snapshot with only some registries; derived values still see all of them."""
        if self.registries <= registries and self.unread.registries.keys() <= registries:
            return self
        part = Snapshot(
            records=(r for k, r in self.records.items() if k.registry in registries),
            taken_at=self.taken_at,
            origin=self.origin,
            registries=self.registries & registries,
            health=self.health,
            removed=self.removed,
            splits=self.splits,
            hashes=self.hashes,
            names_as_of=self.names_as_of,
            unread=self.unread.only(registries),
            set_aside=(row for row in self.set_aside if row.registry in registries),
            partly_read=self.partly_read,
            positions={k: place for k, place in self.positions.items() if k.registry in registries},
        )
        part.entry_ids = self.entry_ids
        part.true_at_given, part.listed_at_given = self.true_at_given, self.listed_at_given
        part.__dict__["derived"] = {k: d for k, d in self.derived.items() if k.registry in registries}
        return part

    def with_evidence(self, removed: frozenset[Key]) -> "Snapshot":
        """The same snapshot with more that Home Assistant said it removed; what is listed all the same is not gone."""
        gone = frozenset(key for key in removed if key not in self.records) - self.removed
        if not gone:
            return self
        later = copy(self)
        later.removed = self.removed | gone
        return later

    def with_unread_as_empty(self) -> "Snapshot":
        """The same snapshot for somebody who says that what was not read is not there."""
        if self.unread == Unread():
            return self
        later = copy(self)
        later.registries, later.unread = self.registries | self.unread.registries.keys(), Unread()
        return later

    def is_missing(self, key: Key) -> bool:
        """Whether it was read where this key would be, and is not there."""
        return key.registry in self.registries and key not in self.records and not self.unread.leaves_out(key)

    def standing_in(self, records: Sequence[Record]) -> "Snapshot":
        """The same moment, derived as if these were there too, which a replica has and nobody can read now."""
        later = copy(self)
        for name in ("derived", "row_versions"):
            later.__dict__.pop(name, None)
        found = {record.key: record for record in records if not isinstance(record, Entity)}
        later._stand_ins = found | self._stand_ins  # noqa: SLF001 (a copy)
        later.entities = self.entities.counting(r for r in records if isinstance(r, Entity))
        return later

    def filled_in(self, records: Iterable[Record]) -> "Snapshot":
        """The same moment with what is not known of some records filled in; nothing derived depends on that."""
        later = copy(self)
        found = {record.key: record for record in records}
        hashes = {key: content_hash(record) for key, record in found.items()}
        versions = {key: row_version(hash_, self.derived.get(key)) for key, hash_ in hashes.items()}
        later.records = with_changes(self.records, found, ())
        later.hashes = with_changes(self.hashes, hashes, ())
        later.__dict__["row_versions"] = with_changes(self.row_versions, versions, ())
        return later

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
        that were read in full, None all; `positions` None are those of before. Raises SourceInvalid as the constructor does.
        """
        later = copy(self)
        for name in ("derived", "row_versions"):
            later.__dict__.pop(name, None)
        later.taken_at, later.true_at_given = taken_at, true_at
        unlisted = frozenset[str]() if listed is None else self.registries - listed
        later.listed_at_given = {registry: self.listed_at(registry) for registry in unlisted}
        left = [key for key in gone if key in self.records]
        records, hashes = dict[Key, Record](), dict[Key, str]()
        for record, hash_ in changed:
            key = record.key
            records[key], hashes[key] = record, hash_
        later.records = with_changes(self.records, records, left)
        later.hashes = with_changes(self.hashes, hashes, left)
        touched = {*left, *records}
        later.counts = self.counts.copy()
        later.counts.subtract(key.registry for key in touched if key in self.records)
        later.counts.update(key.registry for key in touched if key in later.records)
        later.removed = frozenset(
            key
            for key in self.removed | removed
            if key not in later.records and key not in later.set_aside_keys
        )
        if any(key.registry == "config_entry" for key in touched):
            later.entry_ids = _entry_ids(later.records, later.set_aside, later.registries)
        later.entities = self.entities.after(self.records, later.records, touched)
        if positions is not None:
            later.positions = positions
        moved = {key for key, _ in later.positions.items() ^ self.positions.items() if key in later.records}
        affected = affected_keys(self.records, later.records, touched) | moved
        # Filled in where `cached_property` looks, so that nothing is derived from scratch.
        later.__dict__.update(self._derived_after(later, affected))
        later.content, later.base, later.touched = object(), self.content, frozenset(affected)
        return later

    def _derived_after(self, later: "Snapshot", affected: set[Key]) -> dict[str, object]:
        """What is derived of the `later` records, taken over from this snapshot wherever it cannot have changed."""
        derived = derive(
            self._for_deriving(later.records),
            self.names_as_of,
            affected,
            later.entities.per_device,
            later.positions,
        )
        hashes = {key: later.hashes[key] for key in affected if key in later.records}
        versions = {key: row_version(hash_, derived.get(key)) for key, hash_ in hashes.items()}
        return {
            "derived": with_changes(self.derived, derived, affected),
            "row_versions": with_changes(self.row_versions, versions, affected),
        }


def _entry_ids(
    records: Mapping[Key, Record], set_aside: Iterable[SetAside], registries: frozenset[str]
) -> frozenset[str]:
    """The config entries of a home, by which it is known; those that own something, too, where not all are told."""
    rows = [row for row in set_aside if row.registry == "config_entry"]
    keys = chain(records, (row.key for row in rows if row.key))
    listed = frozenset(key.id for key in keys if key.registry == "config_entry")
    if "config_entry" in registries and all(row.key for row in rows):
        return listed
    owners = (r.config_entry_id for r in records.values() if isinstance(r, (Device, Entity)))
    return listed.union(owner for owner in owners if owner)


def row_version(hash_: str, derived: Derived | None) -> str:
    """The version of a stored row: `<content hash>+<digest of its derived values>`."""
    return hash_ if derived is None else f"{hash_}+{row_digest(derived)[:16]}"


def newest_version(written: Iterable[tuple[float, str | None]]) -> tuple[int, int] | None:
    """Of (time, version) of some writes the version, (year, month), of the last that had one; None when none had."""
    versions = [(at, version) for at, text in written if (version := version_of(text)) is not None]
    return max(versions)[1] if versions else None


def version_of(text: str | None) -> tuple[int, int] | None:
    """(year, month) of a Home Assistant version such as "2026.11.0"; None when it is no such text."""
    year, _, rest = (text or "").partition(".")
    month = rest.partition(".")[0]
    return (int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
