"""Makes a snapshot from the registry files of a `.storage` folder. Pure."""

from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial

from engine.core.home.list_order import positions_of
from engine.core.home.reading import Reading, SourceHealth
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.home.unread import Unread
from engine.core.records.record import Json, Key, Record
from engine.core.records.registries import (
    AREA,
    BY_NAME,
    CONFIG_ENTRY,
    DEVICE,
    REGISTRIES,
    Registry,
)
from engine.core.records.set_aside import SetAside
from engine.errors import SourceInvalid
from engine.sources.answers.entity_names import names_as_of
from engine.sources.answers.mass_changes import STORES
from engine.sources.answers.usable_rows import Fields, Placed, UsableRows
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
from engine.sources.files.stored_files import (
    StorageFiles,
    StoredHome,
    StoredList,
    corrupt_stores_of,
    open_files,
)

# Home Assistant 2021.12 gave entities an id of their own (homeassistant/helpers/entity_registry.py, seen 2026-11-28).
_ENTITY_MINOR_WITH_IDS = 4

# The registries whose rows have another form in the store.
_FROM_STORE: dict[Registry, Callable[[dict[str, Json]], Record]] = {
    AREA: area_from_store,
    DEVICE: device_from_store,
    CONFIG_ENTRY: config_entry_from_store,
}


def snapshot_of_files(
    files: StorageFiles,
    *,
    ha_version: str | None,
    taken_at: float,
    origin: str,
    stored: StoredHome | None = None,
) -> Snapshot:
    """The snapshot of a `.storage` folder; `stored` are their lists of rows, if the caller opened them.

    Raises SourceInvalid naming the file and the fault.
    """
    stored = open_files(files) if stored is None else stored
    minor, rows = stored.entity_minor, UsableRows()
    placed = [(listed, placed_rows(listed, rows)) for listed in stored.lists]
    _check_age(
        files, [row for listed, found in placed if listed.registry == "entity" for _, row in found], minor
    )
    devices = [row for listed, found in placed if listed.registry == "device" for _, row in found]
    names = _names_of(devices)
    splits = splits_of_devices(devices)
    records = [
        record
        for listed, found in placed
        for record in rows.records(found, maker_of(listed.registry, minor, names))
    ]
    by_key = {record.key: record for record in records}
    reading = reading_of(
        files, stored, by_key, splits, ha_version=ha_version, taken_at=taken_at, origin=origin
    )
    return make_snapshot(
        records=records,
        taken_at=taken_at,
        origin=origin,
        registries=reading.registries,
        health=reading.health,
        removed=reading.removed,
        splits=splits,
        names_as_of=names_as_of(minor),
        unread=reading.unread,
        set_aside=rows.set_aside,
        positions=positions_in(stored, [record.key for record in records], rows.set_aside),
    )


def _names_of(devices: list[dict[str, Json]]) -> dict[str, str | None]:
    """Device names by id; None where rows with one id have different names, because which is right is not known."""
    names: dict[str, str | None] = {}
    for row in devices:
        id_, name = str(row.get("id")), device_name(row)
        names[id_] = name if names.get(id_, name) == name else None
    return names


def reading_of(  # noqa: PLR0913 (a value with named parts)
    files: StorageFiles,
    stored: StoredHome,
    live: Container[Key],
    splits: Mapping[str, tuple[str, ...]],
    *,
    ha_version: str | None,
    taken_at: float,
    origin: str,
) -> Reading:
    """The reading of the files; `live` are the keys of their records."""
    unread = {
        registry: f"{name} is missing in {files.place}"
        for registry, name in STORES.items()
        if name not in files.contents
    }
    corrupt_stores, unread_health = corrupt_stores_of(files)
    return Reading(
        taken_at=taken_at,
        origin=origin,
        registries=frozenset(REGISTRIES) - unread.keys(),
        health=SourceHealth(ha_version=ha_version, corrupt_stores=corrupt_stores, unread=unread_health),
        removed=frozenset(key for key in stored.deleted if key not in live),
        splits=splits,
        unread=Unread(unread),
    )


def placed_rows(listed: StoredList, rows: UsableRows) -> list[Placed]:
    """The rows of a list, decoded; a row that is not an object is set aside in `rows`."""
    return rows.objects(listed.registry, listed.rows, only_fields(listed.registry), **listed.given)


def only_fields(registry: str) -> Fields | None:
    """The fields of a registry that are decoded; None for all."""
    return ENTRY_FIELDS if registry == CONFIG_ENTRY.name else None


def maker_of(
    registry: str, minor: int, device_names: Mapping[str, str | None]
) -> Callable[[dict[str, Json]], Record]:
    """The function that turns a decoded row into a record; `minor` is the entity store's version, `device_names` are by device id."""
    if registry == "entity":
        return lambda row: entity_from_store(row, minor, device_names)
    return _FROM_STORE.get(BY_NAME[registry], partial(row_from_store, registry))


def positions_in(
    stored: StoredHome, keys: Sequence[Key], set_aside: Sequence[SetAside] = ()
) -> dict[Key, int]:
    """The user's order of areas and floors, where the stores' versions are known to keep it; `keys` in their lists' order."""
    ordered = {
        registry.name
        for registry in BY_NAME.values()
        if (minor := registry.store_ordered_minor) is not None
        and stored.minors.get(registry.name, 0) >= minor
    }
    return positions_of({name: [key for key in keys if key.registry == name] for name in ordered}, set_aside)


def _check_age(files: StorageFiles, entities: list[dict[str, Json]], minor: int) -> None:
    """Refuse a home from before 2021.12, whose entities have no id that distinguishes a rename from a removal."""
    if minor < _ENTITY_MINOR_WITH_IDS and not all(row.get("id") for row in entities):
        raise SourceInvalid(
            f"{files.place}/{STORES['entity']} has version 1.{minor}, of Home Assistant before 2021.12: its entities "
            "have no id yet. It is too old to read.",
            "Start a Home Assistant of 2021.12 or later with this configuration once: it upgrades the file.",
        )
