"""Opens the registry files of a `.storage` folder, from any source, down to their lists of rows, and reads the core's
health from them.

Pure: takes file contents, touches no disk. Each file is `{"version", "minor_version", "key", "data"}`. Home
Assistant promises that a newer minor version stays readable; a newer major one is refused. A registry
that was never saved has no file, nor has one that a copy left out: both count as not read. A folder
with neither devices nor entities is refused.

Store versions seen: device 1.5 to 3.4 (there is no 2), entity 1.13 to 1.24, area 1.6 to 1.9, floor 1.1 to
1.3, label and category 1.1 and 1.2, config entries 1.1 to 1.5 (2024.3.3 to 2026.11.0, seen 2026-11-23).
"""

from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.lenient import whole_number
from engine.core.records.record import Json, Key
from engine.core.records.registries import BY_NAME, CATEGORY, DEVICE, ENTITY, Registry
from engine.errors import SourceInvalid
from engine.sources.answers.mass_changes import STORES, corrupt_stores_of_issues, corrupted_at
from engine.sources.answers.usable_rows import UsableRows
from engine.sources.json_text import decode_json

ISSUES_FILE = "repairs.issue_registry"
FILES = frozenset({*STORES.values(), ISSUES_FILE})

Data = TypeVar("Data", bound=msgspec.Struct)


class StoredFile(msgspec.Struct, frozen=True):
    """A file's content and the time of its last write, Unix seconds."""

    content: bytes
    modified_at: float


class StorageFiles(msgspec.Struct, frozen=True):
    """The contents of those of `FILES` that exist, and the names of all files beside them."""

    place: str  # as shown to users
    contents: dict[str, StoredFile]
    names: frozenset[str]


class _Envelope(msgspec.Struct):
    data: msgspec.Raw
    version: Json = None
    minor_version: Json = None

    @property
    def major(self) -> int | None:
        """The major version; None if the file has none."""
        return whole_number(self.version)

    @property
    def minor(self) -> int:
        """The minor version; 1 where the file has none, as Home Assistant assumes."""
        return whole_number(self.minor_version) or 1


# The rows of a list, each decoded separately, so that an odd one does not affect the others.
_Rows = list[msgspec.Raw]
_NOTHING = msgspec.Raw(b"null")


class _Devices(msgspec.Struct):
    devices: _Rows
    child_devices: _Rows | None = None
    deleted_devices: msgspec.Raw = _NOTHING


class _Entities(msgspec.Struct):
    entities: _Rows
    deleted_entities: msgspec.Raw = _NOTHING


# The rest of a file's required content: its list; for categories, lists by scope.
_SHAPES: dict[Registry, type[msgspec.Struct]] = {
    registry: msgspec.defstruct(
        "_Lists", [(registry.store_list, dict[str, _Rows] if registry is CATEGORY else _Rows)]
    )
    for registry in BY_NAME.values()
}


class _StoredIssue(msgspec.Struct):
    issue_id: str = ""


class _StoredIssues(msgspec.Struct):
    issues: list[_StoredIssue] = []


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ROWS = msgspec.json.Decoder(_Rows)


class StoredList(NamedTuple):
    """One list of undecoded rows in a registry's file; `given` are fields shared by all of them: for categories, the scope."""

    name: str
    registry: str
    rows: list[msgspec.Raw]
    given: dict[str, Json]


class StoredHome(NamedTuple):
    """The content of the files of all registries. `minors`: their minor versions by registry; `deleted`: the keys listed as deleted."""

    lists: tuple[StoredList, ...]
    minors: dict[str, int]
    deleted: frozenset[Key]

    @property
    def entity_minor(self) -> int:
        """The minor version of the entity store."""
        return self.minors.get("entity", 1)


def open_files(files: StorageFiles) -> StoredHome:
    """The rows of a `.storage` folder. Raises SourceInvalid naming the file and the fault."""
    _check_is_storage(files)
    minors: dict[str, int] = {}
    devices = _open(files, "device", _Devices, minors) or _Devices([])
    entities = _open(files, "entity", _Entities, minors) or _Entities([])
    lists = [
        StoredList("device", "device", devices.devices, {}),
        StoredList("child device", "device", devices.child_devices or [], {}),
        StoredList("entity", "entity", entities.entities, {}),
    ]
    for registry in BY_NAME.values():
        if registry not in (DEVICE, ENTITY):
            lists += _lists(files, registry, minors)
    deleted = _deleted("device", devices.deleted_devices) | _deleted("entity", entities.deleted_entities)
    return StoredHome(tuple(lists), minors, frozenset(deleted))


def _check_is_storage(files: StorageFiles) -> None:
    if not {STORES["device"], STORES["entity"]} & files.contents.keys():
        raise SourceInvalid(
            f"{files.place} holds neither {STORES['device']} nor {STORES['entity']}: not a .storage folder.",
            "Let source.uri name Home Assistant's configuration folder or the .storage folder in it.",
        )


def _lists(files: StorageFiles, registry: Registry, minors: dict[str, int]) -> list[StoredList]:
    """The lists in a registry's file; for categories, one per scope."""
    opened = _open(files, registry.name, _SHAPES[registry], minors)
    if opened is None:
        return []
    found = getattr(opened, registry.store_list)
    if registry is CATEGORY:
        return [
            StoredList(f"category {scope}", registry.name, listed, {"scope": scope})
            for scope, listed in found.items()
        ]
    return [StoredList(registry.name, registry.name, found, {})]


def _deleted(registry: str, rows: msgspec.Raw) -> set[Key]:
    """The keys in a list of deleted rows. It is only evidence, so unreadable rows are skipped."""
    try:
        listed = _ROWS.decode(rows)
    except DECODE_ERRORS:
        return set()
    found = (row.get("id") for _, row in UsableRows().objects(registry, listed))
    return {Key(registry, id_) for id_ in found if isinstance(id_, str) and id_}


def _open(files: StorageFiles, registry: str, shape: type[Data], minors: dict[str, int]) -> Data | None:
    """The data of a registry's file, whose minor version is put into `minors`; None when there is no file.

    A file without its list is refused: Home Assistant writes an empty list when nothing is left.
    """
    name = STORES[registry]
    file = files.contents.get(name)
    if file is None:
        return None
    where = f"{files.place}/{name}"
    envelope = decode_json(_ENVELOPE, file.content, where)
    major, minor = envelope.major, envelope.minor
    if major is None:
        raise SourceInvalid(f"{where} has no version.", "It is damaged: restore that file.")
    if major not in BY_NAME[registry].store_majors:
        raise SourceInvalid(
            f"{where} has version {major}.{minor}, which this program does not know.",
            "Update this program, or read the home through the websocket API.",
        )
    minors[registry] = minor
    return decode_json(msgspec.json.Decoder(shape), envelope.data, where)


def corrupt_stores_of(files: StorageFiles) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stores found corrupt and not yet repaired by the user in Home Assistant; and what could not be read.

    Home Assistant renames a corrupt file and opens a repair issue, which it saves and removes when it is
    resolved; the renamed file stays forever. So a renamed file counts unless the issues were saved later and
    do not mention it.
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
        return False  # renamed by hand; it counts, to be safe
