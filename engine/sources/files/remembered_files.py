"""What reads of one folder, or of one backup, remember of each other, in one process or, by a cache, in several.

Files with the bytes of last time make the home of last time. Of others only the rows are decoded that were not there before: a record
depends on its row's bytes, on what its file says of all rows, and, of an entity, on its device's name. Where anything
but plain changes of rows was found, all is read as if nothing were known.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.lenient import read_object
from engine.core.records.record import Entity, Key, Record
from engine.core.records.set_aside import UnusableRow
from engine.errors import SourceInvalid
from engine.pass_cache.contents import Cache, CachedSource, ListMap
from engine.pass_cache.learned import Learned, LearnedList
from engine.pass_cache.recalled import recall
from engine.sources.files.storage_files import (
    maker_of,
    only_fields,
    positions_in,
    reading_of,
    snapshot_of_files,
)
from engine.sources.files.storage_rows import device_name, splits_of_devices
from engine.sources.files.stored_files import (
    ISSUES_FILE,
    StorageFiles,
    StoredHome,
    StoredList,
    corrupt_stores_of,
    open_files,
)
from engine.sources.unchanged.fingerprint import NAME_BYTES, Fingerprint

_MINOR = "minor version of "


class _FileRows(NamedTuple):
    """The rows of one list in its order: their fingerprints, one behind the other, the keys of their records, entities' devices."""

    registry: str
    names: bytes
    keys: Sequence[Key]
    devices: Sequence[str | None] = ()


class _Base(NamedTuple):
    """A home that was read, and what it was read from."""

    snapshot: Snapshot
    lists: Mapping[str, _FileRows]


class RememberedFiles:
    """The last home that was read from files. `form` names where they are: others are not theirs."""

    def __init__(self, form: str) -> None:
        """Nothing is known yet."""
        self._form = form
        self.fingerprint = Fingerprint()
        self._answers: Mapping[str, str] = {}
        self._recalled: Snapshot | None = None
        self._cache: Cache | None = None  # which the lists of the home that was recalled are in
        self._newest: _Base | None = None

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Know what is in a cache, and return its snapshot; None, and nothing is known, when it is of other files."""
        self._newest = self._recalled = self._cache = None
        if cache is None or cache.front.source.form != self._form:
            return None
        source = cache.front.source
        self.fingerprint, self._answers = Fingerprint(source.seed), source.answers
        self._recalled, self._cache = recall(cache), cache
        return self._recalled

    def known(self, answers: Mapping[str, str]) -> Snapshot | None:
        """The home that files with these digests made; None if it is not known."""
        base = self._newest.snapshot if self._newest is not None else self._recalled
        known = {name: text for name, text in self._answers.items() if not name.startswith(_MINOR)}
        return base if base is not None and answers == known else None

    def read(
        self,
        files: StorageFiles,
        answers: Mapping[str, str],
        *,
        ha_version: str | None,
        taken_at: float,
        origin: str,
    ) -> Snapshot:
        """The home that these files make, whose digests are `answers`. Raises SourceInvalid."""
        stored = open_files(files)
        names = {listed.name: self.fingerprint.of_each(listed.rows) for listed in stored.lists}
        about = {f"{_MINOR}{registry}": str(minor) for registry, minor in stored.minors.items()}
        is_comparable = about == {n: text for n, text in self._answers.items() if n.startswith(_MINOR)}
        found = self._follow(stored, names) if is_comparable else None
        if found is None:
            snapshot = snapshot_of_files(
                files, ha_version=ha_version, taken_at=taken_at, origin=origin, stored=stored
            )
            found = _Base(snapshot, _lists_of(stored, names, snapshot))
        else:
            reading = reading_of(
                files,
                stored,
                found.snapshot.home.records,
                found.snapshot.reading.splits,
                ha_version=ha_version,
                taken_at=taken_at,
                origin=origin,
            )
            found = found._replace(snapshot=Snapshot(found.snapshot.home, reading))
        self._newest, self._answers = found, {**answers, **about}
        return found.snapshot

    def has_learned(self) -> bool:
        """Whether the last read found other files than were recalled."""
        return self._newest is not None

    def learned(self) -> Learned | None:
        """What there is to keep of the last read."""
        base = self._base()
        if base is None or sum(len(rows.keys) for rows in base.lists.values()) != len(
            base.snapshot.home.records
        ):
            return None
        source = CachedSource(form=self._form, seed=self.fingerprint.seed, answers=dict(self._answers))
        lists = tuple(
            LearnedList(ListMap(name, rows.registry, len(rows.keys)), rows.keys, rows.names)
            for name, rows in base.lists.items()
        )
        return Learned(base.snapshot, source, lists)

    def _base(self) -> _Base | None:
        """The newest home with its rows: the last that was read, or the one that was recalled."""
        cache = self._cache
        if self._newest is not None or self._recalled is None or cache is None:
            return self._newest
        return _Base(
            self._recalled,
            {
                listed.name: _FileRows(
                    listed.registry,
                    rows.fingerprints,
                    list(islice(cache.keys, start, start + listed.rows)),
                    rows.device_ids,
                )
                for listed, start, rows in zip(cache.front.lists, cache.starts, cache.index, strict=False)
            },
        )

    def _follow(self, stored: StoredHome, names: Mapping[str, list[bytes]]) -> _Base | None:
        """The home of the last read with the rows that changed since; None if more than rows did, or rows are odd."""
        base = self._base()
        if base is None or base.lists.keys() != names.keys():
            return None
        changes = _Changes(stored, names, base.lists)
        try:
            changed = changes.make()
            later = base.snapshot.with_changes(
                [(record, content_hash(record)) for record in changed],
                changes.gone - {record.key for record in changed},
                taken_at=base.snapshot.reading.taken_at,
                positions=positions_in(stored, [key for rows in changes.lists.values() for key in rows.keys]),
            )
        except (UnusableRow, _NotPlain, SourceInvalid):
            return None
        if len(later.home.records) != sum(len(listed.rows) for listed in stored.lists):
            return None
        splits = changes.splits()
        return _Base(later if splits is None else later.read_as(splits=splits), changes.lists)


class _NotPlain(Exception):
    """More changed than some rows."""


class _Changes:
    """What became of the rows of all lists since the last read. `names` are their fingerprints now, `before` the lists then."""

    def __init__(
        self, stored: StoredHome, names: Mapping[str, list[bytes]], before: Mapping[str, _FileRows]
    ) -> None:
        self._stored = stored
        self._names = names
        self._before = before
        self._device_rows: dict[str, msgspec.Raw] = {}  # of all devices, by id
        self._has_changed_devices = False
        self.lists: dict[str, _FileRows] = {}
        self.gone: set[Key] = set()

    def make(self) -> list[Record]:
        """The records that are new or others than before; fills `lists` and `gone`. Raises UnusableRow, _NotPlain."""
        made: list[Record] = []
        # Devices come first, so what an entity takes from its device is known by then.
        for listed in self._stored.lists:
            made += self._follow(listed, {record.key.id for record in made if record.REGISTRY == "device"})
        return made

    def splits(self) -> dict[str, tuple[str, ...]] | None:
        """The composite devices that were split; None if they are those of before. Raises UnusableRow."""
        if not self._has_changed_devices:
            return None
        return splits_of_devices([read_object("device", row) for row in self._device_rows.values()])

    def _follow(self, listed: StoredList, changed_devices: set[str]) -> list[Record]:
        names, before = self._names[listed.name], self._before[listed.name]
        known = dict(zip(_split(before.names), range(len(before.keys)), strict=True))
        found = dict(zip(names, range(len(names)), strict=True))
        if len(found) < len(names):
            raise _NotPlain  # a row is there twice
        self.gone.update(before.keys[known[name]] for name in known.keys() - found.keys())
        fresh = [name for name in names if name not in known]
        if listed.registry == "device" and known.keys() != found.keys():
            self._has_changed_devices = True
        if listed.registry == "entity":
            # An entity's name depends on that of its device, also of one that is gone.
            others = changed_devices | {key.id for key in self.gone if key.registry == "device"}
            at = before.devices
            fresh += [name for name in names if name in known and at[known[name]] in others] if others else []
        made = {name: self._made(listed, listed.rows[found[name]]) for name in fresh}
        keys = [made[name].key if name in made else before.keys[known[name]] for name in names]
        if listed.registry == "device":
            self._device_rows.update(zip((key.id for key in keys), listed.rows, strict=True))
        devices: Sequence[str | None] = ()
        if listed.registry == "entity":
            devices = [
                _device_of(made[name]) if name in made else before.devices[known[name]] for name in names
            ]
        self.lists[listed.name] = _FileRows(listed.registry, b"".join(names), keys, devices)
        return list(made.values())

    def _made(self, listed: StoredList, data: msgspec.Raw) -> Record:
        row = {**read_object(listed.registry, data, only_fields(listed.registry)), **listed.given}
        if listed.registry == "entity" and not row.get("id"):
            raise _NotPlain  # of a store that is too old, or odd
        names: dict[str, str | None] = {}
        device_id = str(row.get("device_id"))
        device = self._device_rows.get(device_id) if listed.registry == "entity" else None
        if device is not None:
            names[device_id] = device_name(read_object("device", device))
        return maker_of(listed.registry, self._stored.entity_minor, names)(row)


def _device_of(record: Record) -> str | None:
    return record.device_id if isinstance(record, Entity) else None


def _split(names: bytes) -> list[bytes]:
    return [names[at : at + NAME_BYTES] for at in range(0, len(names), NAME_BYTES)]


def _lists_of(
    stored: StoredHome, names: Mapping[str, list[bytes]], snapshot: Snapshot
) -> dict[str, _FileRows]:
    """The rows of a home that was made of all of them; nothing where some were set aside."""
    records = iter(snapshot.home.records.values())
    if len(snapshot.home.records) != sum(len(listed.rows) for listed in stored.lists):
        return {}
    lists = {}
    for listed in stored.lists:
        found = list(islice(records, len(listed.rows)))
        devices = [_device_of(record) for record in found] if listed.registry == "entity" else ()
        lists[listed.name] = _FileRows(
            listed.registry, b"".join(names[listed.name]), [record.key for record in found], devices
        )
    return lists


def snapshot_of_remembered(
    remembered: RememberedFiles,
    files: StorageFiles,
    *,
    ha_version: str | None,
    taken_at: float,
    origin: str,
) -> Snapshot:
    """As `snapshot_of_files`, but what these very files made before is not made again. Raises SourceInvalid."""
    digest = remembered.fingerprint.of
    contents = {n: digest(file.content).hex() for n, file in files.contents.items() if n != ISSUES_FILE}
    answers = {**contents, "version": ha_version or "", "place": files.place}
    known = remembered.known(answers)
    if known is None:
        return remembered.read(files, answers, ha_version=ha_version, taken_at=taken_at, origin=origin)
    # Home Assistant's health is in other files, and in their names.
    corrupt_stores, unread = corrupt_stores_of(files)
    health = SourceHealth(ha_version=ha_version, corrupt_stores=corrupt_stores, unread=unread)
    return known.read_as(taken_at=taken_at, origin=origin, health=health)
