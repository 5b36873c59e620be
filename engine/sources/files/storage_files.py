"""The registry files of a `.storage` folder, wherever they come from, and the snapshot that they make.

Pure: takes file contents, touches no disk. Each file is `{"version", "minor_version", "key", "data"}`. A
newer minor version is readable by Home Assistant's own promise, a newer major one is refused. A registry
that was never saved has no file, and neither has one that a copy left out: it was not read. No home is without
both devices and entities.

Store versions seen: device 1.5 to 3.4 (there is no 2), entity 1.13 to 1.24, area 1.6 to 1.9, floor 1.1 to
1.3, label and category 1.1 and 1.2, config entries 1.1 to 1.5 (2024.3.3 to 2026.11.0, seen 2026-11-23).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.home.list_order import positions_of
from engine.core.home.reading import SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.home.unread import Unread
from engine.core.records.lenient import whole_number
from engine.core.records.record import Json, Key, Record
from engine.core.records.registries import (
    AREA,
    BY_NAME,
    CATEGORY,
    CONFIG_ENTRY,
    DEVICE,
    ENTITY,
    REGISTRIES,
    Registry,
)
from engine.core.records.set_aside import SetAside
from engine.errors import SourceInvalid
from engine.sources.answers.entity_names import names_as_of
from engine.sources.answers.mass_changes import STORES, corrupt_stores_of_issues, corrupted_at
from engine.sources.answers.usable_rows import UsableRows
from engine.sources.files.storage_rows import (
    ENTRY_FIELDS,
    area_from_store,
    config_entry_from_store,
    device_from_store,
    device_name,
    entity_from_store,
    row_from_store,
    splits_of_devices,
)
from engine.sources.json_text import decode_json

ISSUES_FILE = "repairs.issue_registry"
FILES = frozenset({*STORES.values(), ISSUES_FILE})

# Home Assistant 2021.12 gave entities an id of their own (homeassistant/helpers/entity_registry.py, seen 2026-11-28).
_ENTITY_MINOR_WITH_IDS = 4

Data = TypeVar("Data", bound=msgspec.Struct)


class StoredFile(msgspec.Struct, frozen=True):
    """A file's content and when it was last written, Unix seconds."""

    content: bytes
    modified_at: float


class StorageFiles(msgspec.Struct, frozen=True):
    """What was found: the contents of those of `FILES` that exist, and the names of all files beside them."""

    place: str  # as a person would name it
    contents: dict[str, StoredFile]
    names: frozenset[str]


class _Envelope(msgspec.Struct):
    data: msgspec.Raw
    version: Json = None
    minor_version: Json = None

    @property
    def major(self) -> int | None:
        """The major version; None where the file has none."""
        return whole_number(self.version)

    @property
    def minor(self) -> int:
        """The minor version; 1 where the file has none, as Home Assistant assumes."""
        return whole_number(self.minor_version) or 1


# The rows of a list, each decoded separately: an odd one does not cost the others.
_Rows = list[msgspec.Raw]
_NOTHING = msgspec.Raw(b"null")


class _Devices(msgspec.Struct):
    devices: _Rows
    child_devices: _Rows | None = None
    deleted_devices: msgspec.Raw = _NOTHING


class _Entities(msgspec.Struct):
    entities: _Rows
    deleted_entities: msgspec.Raw = _NOTHING


# What else a file has to hold: its list; that of the categories by scope.
_SHAPES: dict[Registry, type[msgspec.Struct]] = {
    registry: msgspec.defstruct(
        "_Lists", [(registry.store_list, dict[str, _Rows] if registry is CATEGORY else _Rows)]
    )
    for registry in BY_NAME.values()
}
# The registries whose rows look otherwise in the store.
_FROM_STORE: dict[Registry, Callable[[dict[str, Json]], Record]] = {
    AREA: area_from_store,
    CONFIG_ENTRY: config_entry_from_store,
}


class _StoredIssue(msgspec.Struct):
    issue_id: str = ""


class _StoredIssues(msgspec.Struct):
    issues: list[_StoredIssue] = []


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ROWS = msgspec.json.Decoder(_Rows)


def snapshot_of_files(
    files: StorageFiles, *, ha_version: str | None, taken_at: float, origin: str
) -> Snapshot:
    """The snapshot of a `.storage` folder. Raises SourceInvalid naming the file and what is wrong with it."""
    _check_is_storage(files)
    devices, _ = _open(files, "device", _Devices) or (_Devices([]), 1)
    entities, minor = _open(files, "entity", _Entities) or (_Entities([]), 1)
    rows = UsableRows()
    placed_entities = rows.objects("entity", entities.entities)
    _check_age(files, [row for _, row in placed_entities], minor)
    placed = [*rows.objects("device", devices.devices), *rows.objects("device", devices.child_devices or ())]
    names = {str(row.get("id")): device_name(row) for _, row in placed}
    splits = splits_of_devices([row for _, row in placed])
    records = [
        *rows.records(placed, device_from_store),
        *rows.records(placed_entities, lambda row: entity_from_store(row, minor, names)),
        *_other_records(files, rows),
    ]
    live = {record.key for record in records}
    deleted = _deleted("device", devices.deleted_devices) | _deleted("entity", entities.deleted_entities)
    unread = {
        registry: f"{name} is missing in {files.place}"
        for registry, name in STORES.items()
        if name not in files.contents
    }
    corrupt_stores, unread_health = corrupt_stores_of(files)
    return make_snapshot(
        records=records,
        taken_at=taken_at,
        origin=origin,
        registries=frozenset(REGISTRIES) - unread.keys(),
        health=SourceHealth(ha_version=ha_version, corrupt_stores=corrupt_stores, unread=unread_health),
        removed=frozenset(deleted - live),
        splits=splits,
        names_as_of=names_as_of(minor),
        unread=Unread(unread),
        set_aside=rows.set_aside,
        positions=_positions(files, records, rows.set_aside),
    )


def _check_is_storage(files: StorageFiles) -> None:
    if not {STORES["device"], STORES["entity"]} & files.contents.keys():
        raise SourceInvalid(
            f"{files.place} holds neither {STORES['device']} nor {STORES['entity']}: not a .storage folder.",
            "Let source.uri name Home Assistant's configuration folder or the .storage folder in it.",
        )


def _positions(
    files: StorageFiles, records: Sequence[Record], set_aside: Sequence[SetAside]
) -> dict[Key, int]:
    """The user's order of areas and floors, where the stores' own versions say that they are in it."""
    ordered = {
        registry.name
        for registry in BY_NAME.values()
        if (minor := registry.store_ordered_minor)
        and (file := files.contents.get(registry.store))
        and decode_json(_ENVELOPE, file.content, registry.store).minor >= minor
    }
    keys = [record.key for record in records if record.REGISTRY in ordered]
    return positions_of({name: [key for key in keys if key.registry == name] for name in ordered}, set_aside)


def _other_records(files: StorageFiles, rows: UsableRows) -> list[Record]:
    """The records of all registries but devices and entities."""
    records: list[Record] = []
    for registry in BY_NAME.values():
        if registry not in (DEVICE, ENTITY):
            only = ENTRY_FIELDS if registry is CONFIG_ENTRY else None
            for listed, given in _lists(files, registry):
                placed = rows.objects(registry.name, listed, only, **given)
                records += rows.records(
                    placed, _FROM_STORE.get(registry, partial(row_from_store, registry.name))
                )
    return records


def _lists(files: StorageFiles, registry: Registry) -> list[tuple[_Rows, dict[str, Json]]]:
    """The lists in a registry's file, each with what it says of all its rows: of categories, their scope."""
    opened = _open(files, registry.name, _SHAPES[registry])
    if opened is None:
        return []
    found = getattr(opened[0], registry.store_list)
    if registry is CATEGORY:
        return [(listed, {"scope": scope}) for scope, listed in found.items()]
    return [(found, {})]


def _check_age(files: StorageFiles, entities: list[dict[str, Json]], minor: int) -> None:
    """Refuse a home of before 2021.12, whose entities have no id that distinguishes a rename from a removal."""
    if minor < _ENTITY_MINOR_WITH_IDS and not all(row.get("id") for row in entities):
        raise SourceInvalid(
            f"{files.place}/{STORES['entity']} has version 1.{minor}, of Home Assistant before 2021.12: its entities "
            "have no id yet. It is too old to be read.",
            "Start a Home Assistant of 2021.12 or later with this configuration once: it upgrades the file.",
        )


def _deleted(registry: str, rows: msgspec.Raw) -> set[Key]:
    """The keys in a list of deleted rows, which is evidence and no registry: what cannot be read is none."""
    try:
        listed = _ROWS.decode(rows)
    except DECODE_ERRORS:
        return set()
    found = (row.get("id") for _, row in UsableRows().objects(registry, listed))
    return {Key(registry, id_) for id_ in found if isinstance(id_, str) and id_}


def _open(files: StorageFiles, registry: str, shape: type[Data]) -> tuple[Data, int] | None:
    """(data, minor version) of a registry's file; None when there is none.

    A file without its list is refused: Home Assistant writes an empty one where nothing is left.
    """
    name = STORES[registry]
    file = files.contents.get(name)
    if file is None:
        return None
    where = f"{files.place}/{name}"
    envelope = decode_json(_ENVELOPE, file.content, where)
    major, minor = envelope.major, envelope.minor
    if major is None:
        raise SourceInvalid(
            f"{where} does not say which version it has.", "It is damaged: restore that file."
        )
    if major not in BY_NAME[registry].store_majors:
        raise SourceInvalid(
            f"{where} has version {major}.{minor}, which this program does not know.",
            "Update this program, or read the home through the websocket API.",
        )
    return decode_json(msgspec.json.Decoder(shape), envelope.data, where), minor


def corrupt_stores_of(files: StorageFiles) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stores that were found corrupt, until a person has settled it in Home Assistant; what could not be read.

    Home Assistant renames a corrupt file and opens a repair issue, which it saves and which goes when it is
    settled; the renamed file stays forever. So a renamed file counts unless the issues were saved later and
    say nothing of it.
    """
    issues = files.contents.get(ISSUES_FILE)
    listed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    if issues is not None:
        where = f"{files.place}/{ISSUES_FILE}"
        try:
            data = decode_json(_ENVELOPE, issues.content, where).data
            decoded = decode_json(msgspec.json.Decoder(_StoredIssues), data, where)
            listed = corrupt_stores_of_issues(issue.issue_id for issue in decoded.issues)
        except SourceInvalid as error:
            issues, unread = None, (error.message.rstrip("."),)
    unsettled = {
        found[0]
        for found in map(corrupted_at, files.names)
        if found and (issues is None or not _is_before(found[1], issues.modified_at))
    }
    return tuple(sorted(unsettled.union(listed))), unread


def _is_before(iso_time: str, seconds: float) -> bool:
    try:
        at = datetime.fromisoformat(iso_time)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() < seconds
    except ValueError:
        return False  # named by a person; the cautious reading is that it counts
