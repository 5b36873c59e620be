"""What reads of one folder or backup remember from earlier ones, in one process or, through a cache, across processes.

Files with the same bytes as last time make the same home. In other files only rows that were not there before are decoded: a record
depends on its row's bytes, on what its file says about all rows, and, for an entity, on its device's name. If anything
but rows changed, everything is read as if nothing were known.
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
    """The rows of one list in order: their concatenated fingerprints, the keys of their records, and the entities' devices."""

    registry: str
    names: bytes
    keys: Sequence[Key]
    devices: Sequence[str | None] = ()


class _Base(NamedTuple):
    """A home that was read, and what it was read from."""

    snapshot: Snapshot
    lists: Mapping[str, _FileRows]


class RememberedFiles:
    """The last home read from files. `form` names their location: a cache from another one is not used."""

    def __init__(self, form: str) -> None:
        """Start without anything known."""
        self._form = form
        self.fingerprint = Fingerprint()
        self._answers: Mapping[str, str] = {}
        self._recalled: Snapshot | None = None
        self._cache: Cache | None = None  # holds the lists of the recalled home
        self._newest: _Base | None = None

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Take over a cache and return its snapshot; None, and nothing is taken over, when it is of other files."""
        self._newest = self._recalled = self._cache = None
        if cache is None or cache.front.source.form != self._form:
            return None
        source = cache.front.source
        self.fingerprint, self._answers = Fingerprint(source.seed), source.answers
        self._recalled, self._cache = recall(cache), cache
        return self._recalled

    def known(self, answers: Mapping[str, str]) -> Snapshot | None:
        """The snapshot made from files with these digests; None if it is unknown."""
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
        """The snapshot of these files, whose digests are `answers`. Raises SourceInvalid."""
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
        """Whether the last read found files other than the recalled ones."""
        return self._newest is not None

    def learned(self) -> Learned | None:
        """What to keep of the last read."""
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
        """The newest home with its rows: the last one read, or the recalled one."""
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
        """The last home with the rows that changed since; None if more than rows changed, or rows are odd."""
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
    """More than a few rows changed."""


class _Changes:
    """Changes in the rows of all lists since the last read. `names`: their fingerprints now; `before`: the lists then."""

    def __init__(
        self, stored: StoredHome, names: Mapping[str, list[bytes]], before: Mapping[str, _FileRows]
    ) -> None:
        self._stored = stored
        self._names = names
        self._before = before
        self._device_rows: dict[str, msgspec.Raw] = {}  # all devices by id
        self._has_changed_devices = False
        self.lists: dict[str, _FileRows] = {}
        self.gone: set[Key] = set()

    def make(self) -> list[Record]:
        """The records that are new or changed; fills `lists` and `gone`. Raises UnusableRow, _NotPlain."""
        made: list[Record] = []
        # Devices come first, so the device names that entities need are known.
        for listed in self._stored.lists:
            made += self._follow(listed, {record.key.id for record in made if record.REGISTRY == "device"})
        return made

    def splits(self) -> dict[str, tuple[str, ...]] | None:
        """The composite devices that were split; None if they are the same as before. Raises UnusableRow."""
        if not self._has_changed_devices:
            return None
        return splits_of_devices([read_object("device", row) for row in self._device_rows.values()])

    def _follow(self, listed: StoredList, changed_devices: set[str]) -> list[Record]:
        names, before = self._names[listed.name], self._before[listed.name]
        known = dict(zip(_split(before.names), range(len(before.keys)), strict=True))
        found = dict(zip(names, range(len(names)), strict=True))
        if len(found) < len(names):
            raise _NotPlain  # a row occurs twice
        self.gone.update(before.keys[known[name]] for name in known.keys() - found.keys())
        fresh = [name for name in names if name not in known]
        if listed.registry == "device" and known.keys() != found.keys():
            self._has_changed_devices = True
        if listed.registry == "entity":
            # An entity's name depends on its device's name, even if the device is gone.
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
            raise _NotPlain  # the store is too old, or odd
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
    """The rows of a home that uses all of them; nothing if some were set aside."""
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
    """As `snapshot_of_files`, but reuses what the same files made before. Raises SourceInvalid."""
    digest = remembered.fingerprint.of
    contents = {n: digest(file.content).hex() for n, file in files.contents.items() if n != ISSUES_FILE}
    answers = {**contents, "version": ha_version or "", "place": files.place}
    known = remembered.known(answers)
    if known is None:
        return remembered.read(files, answers, ha_version=ha_version, taken_at=taken_at, origin=origin)
    # Home Assistant's health comes from other files and their names.
    corrupt_stores, unread = corrupt_stores_of(files)
    health = SourceHealth(ha_version=ha_version, corrupt_stores=corrupt_stores, unread=unread)
    return known.read_as(taken_at=taken_at, origin=origin, health=health)
