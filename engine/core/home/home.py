"""The home: the records of Home Assistant's registries and their derived values, whenever and however they were read.

A home never changes. A later home made from it by a few changes shares the rest, and knows the keys in which the two
may differ.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import TypeVar

import msgspec

from engine.core.home.derived import Derived, affected_keys, derive
from engine.core.home.entity_index import EntityIndex
from engine.core.home.layered import with_changes
from engine.core.records.content_hash import content_hash, row_digest
from engine.core.records.record import Device, Entity, Key, Record
from engine.core.records.set_aside import SetAside, trusted_records

V = TypeVar("V")

_registry = itemgetter(0)  # of a key


class Generation:
    """Identifies the records of one home. It equals only itself; homes with the same records share it."""


class Home(msgspec.Struct, frozen=True, eq=False, dict=True, kw_only=True):
    """The records of one moment, by key, and their derived values. Made by `make_home`.

    `set_aside` are the rows that cannot be identified; no other part of the home contains them.
    `stand_ins` are records that are used only for derived values: a replica's rows of records that cannot be read
    now. `partly_read` names the unknown fields of some records: replicas keep their values. `positions` has
    the user's order of areas and floors, if known. `names_as_of` is the version, (year, month), whose rule names the
    entities. `entry_ids` identify the instance.
    """

    records: Mapping[Key, Record]
    hashes: Mapping[Key, str]
    entities: EntityIndex
    counts: Counter[
        str
    ]  # rows by registry, including those set aside, which are evidence that it is not empty
    positions: Mapping[Key, int]
    names_as_of: tuple[int, int] | None
    entry_ids: frozenset[str]
    set_aside: tuple[SetAside, ...]
    stand_ins: Mapping[Key, Record]
    partly_read: Mapping[Key, frozenset[str]]
    generation: Generation
    base: Generation | None = None  # of the home that this one was made from by `after`
    touched: frozenset[Key] = frozenset()  # keys whose row versions may differ from the base's
    known_derived: Mapping[Key, Derived] | None = (
        None  # taken over from another home; None: derived on access
    )
    known_versions: Mapping[Key, str] | None = None  # the same for row versions

    @property
    def has_odd_rows(self) -> bool:
        """Whether rows were set aside, or fields of some records are unknown."""
        return bool(self.set_aside or self.partly_read)

    @cached_property
    def set_aside_keys(self) -> frozenset[Key]:
        """The keys that the rows set aside name."""
        return frozenset(row.key for row in self.set_aside if row.key)

    @cached_property
    def derived(self) -> Mapping[Key, Derived]:
        """The derived values of devices and entities."""
        if self.known_derived is not None:
            return self.known_derived
        records = _for_deriving(self.records, self.stand_ins)
        counts = self.entities.per_device
        return derive(records, self.names_as_of, entity_counts=counts, positions=self.positions)

    @cached_property
    def row_versions(self) -> Mapping[Key, str]:
        """The versions for replicas that store derived columns: content hash and digest of the derived values."""
        if self.known_versions is not None:
            return self.known_versions
        found = zip(self.hashes.items(), map(self.derived.get, self.hashes), strict=True)
        return {key: row_version(hash_, derived) for (key, hash_), derived in found}

    def only(self, registries: frozenset[str]) -> "Home":
        """The records of some registries; derived values still take all registries into account."""
        set_aside = tuple(row for row in self.set_aside if row.registry in registries)
        records = _of(registries, self.records)
        return msgspec.structs.replace(
            self,
            records=records,
            hashes=_of(registries, self.hashes),
            entities=EntityIndex.of(records),
            counts=_count(records, set_aside),
            positions=_of(registries, self.positions),
            set_aside=set_aside,
            stand_ins=_of(registries, self.stand_ins),
            partly_read=_of(registries, self.partly_read),
            generation=Generation(),
            base=None,
            touched=frozenset(),
            known_derived=_of(registries, self.derived),
            known_versions=None,
        )

    def standing_in(self, records: Sequence[Record]) -> "Home":
        """The home with values derived as if it had these records, which a replica has and which cannot be read now."""
        found = {record.key: record for record in records if not isinstance(record, Entity)}
        return msgspec.structs.replace(
            self,
            stand_ins=dict(self.stand_ins) | found,
            entities=self.entities.counting(r for r in records if isinstance(r, Entity)),
            known_derived=None,
            known_versions=None,
        )

    def filled_in(self, records: Iterable[Record]) -> "Home":
        """The home with the unknown fields of some records filled in; no derived value depends on them."""
        found = {record.key: record for record in records}
        hashes = {key: content_hash(record) for key, record in found.items()}
        versions = {key: row_version(hash_, self.derived.get(key)) for key, hash_ in hashes.items()}
        return msgspec.structs.replace(
            self,
            records=with_changes(self.records, found, ()),
            hashes=with_changes(self.hashes, hashes, ()),
            known_derived=self.derived,
            known_versions=with_changes(self.row_versions, versions, ()),
        )

    def after(
        self,
        changed: Iterable[tuple[Record, str]],
        gone: Iterable[Key],
        registries: frozenset[str],
        positions: Mapping[Key, int] | None = None,
    ) -> "Home":
        """The home a little later: records with their hashes replaced or added, others `gone`.

        `registries` were read, now or earlier; `positions` None keeps the earlier ones. The cost depends on the number of
        changes, except for an occasional full copy. Raises SourceInvalid when two entities share an entity_id.
        """
        left = [key for key in gone if key in self.records]
        found, found_hashes = dict[Key, Record](), dict[Key, str]()
        for record, hash_ in changed:
            found[record.key], found_hashes[record.key] = record, hash_
        records = with_changes(self.records, found, left)
        hashes = with_changes(self.hashes, found_hashes, left)
        touched = {*left, *found}
        counts = self.counts.copy()
        counts.subtract(key.registry for key in touched if key in self.records)
        counts.update(key.registry for key in touched if key in records)
        entry_ids = self.entry_ids
        if any(key.registry == "config_entry" for key in touched):
            entry_ids = _entry_ids(records, self.set_aside, registries)
        later = msgspec.structs.replace(
            self,
            records=records,
            hashes=hashes,
            entities=self.entities.after(self.records, records, touched),
            counts=counts,
            positions=self.positions if positions is None else positions,
            entry_ids=entry_ids,
            known_derived=None,
            known_versions=None,
        )
        return self._derived_after(later, touched)

    def _derived_after(self, later: "Home", touched: set[Key]) -> "Home":
        """The `later` home, reusing this one's derived values wherever they cannot have changed."""
        records, places = later.records, later.positions
        moved = {key for key, _ in places.items() ^ self.positions.items() if key in records}
        affected = affected_keys(self.records, records, touched) | moved
        seen = _for_deriving(records, self.stand_ins)
        derived = derive(seen, self.names_as_of, affected, later.entities.per_device, places)
        versions = {k: row_version(later.hashes[k], derived.get(k)) for k in affected if k in records}
        return msgspec.structs.replace(
            later,
            generation=Generation(),
            base=self.generation,
            touched=frozenset(affected),
            known_derived=with_changes(self.derived, derived, affected),
            known_versions=with_changes(self.row_versions, versions, affected),
        )


def make_home(  # noqa: PLR0913 (a value with named parts)
    records: Iterable[Record] | Mapping[Key, Record],
    registries: frozenset[str],
    *,
    hashes: Mapping[Key, str],
    names_as_of: tuple[int, int] | None,
    set_aside: Iterable[SetAside],
    partly_read: Mapping[Key, frozenset[str]],
    positions: Mapping[Key, int],
) -> Home:
    """The home of these records; those that are listed more than once are set aside.

    `hashes` are the known ones, and must not be mutated afterwards.
    """
    # Of several rows with one id it is not known which is right, so nothing is derived from any.
    by_key, aside = trusted_records(records, set_aside)
    if hashes.keys() != by_key.keys():
        hashes = {key: hashes.get(key) or content_hash(record) for key, record in by_key.items()}
    return Home(
        records=by_key,
        hashes=hashes,
        entities=EntityIndex.of(by_key),
        counts=_count(by_key, aside),
        positions=positions,
        names_as_of=names_as_of,
        entry_ids=_entry_ids(by_key, aside, registries),
        set_aside=aside,
        stand_ins={},
        partly_read={key: names for key, names in partly_read.items() if key in by_key},
        generation=Generation(),
    )


def row_version(hash_: str, derived: Derived | None) -> str:
    """The version of a stored row: `<content hash>+<digest of its derived values>`."""
    return hash_ if derived is None else f"{hash_}+{row_digest(derived)[:16]}"


def hash_of(version: str) -> str:
    """The content hash in the version of a stored row."""
    return version.partition("+")[0]


def _of(registries: frozenset[str], values: Mapping[Key, V]) -> dict[Key, V]:
    return {key: value for key, value in values.items() if key.registry in registries}


def _count(records: Iterable[Key], set_aside: Iterable[SetAside]) -> Counter[str]:
    return Counter(map(_registry, records)) + Counter(row.registry for row in set_aside)


def _for_deriving(records: Mapping[Key, Record], stand_ins: Mapping[Key, Record]) -> Mapping[Key, Record]:
    """The records for deriving: a device that is set aside is represented by what a replica has of it."""
    missing = {key: record for key, record in stand_ins.items() if key not in records}
    return with_changes(records, missing, ()) if missing else records


def _entry_ids(
    records: Mapping[Key, Record], set_aside: Iterable[SetAside], registries: frozenset[str]
) -> frozenset[str]:
    """The config entries that identify a home; if the list is incomplete, also those that own records."""
    rows = [row for row in set_aside if row.registry == "config_entry"]
    keys = chain(records, (row.key for row in rows if row.key))
    listed = frozenset(key.id for key in keys if key.registry == "config_entry")
    if "config_entry" in registries and all(row.key for row in rows):
        return listed
    owners = (r.config_entry_id for r in records.values() if isinstance(r, (Device, Entity)))
    return listed.union(owner for owner in owners if owner)
