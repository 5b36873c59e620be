"""Derived values, which each consumer would otherwise compute itself, and differently.

An entity inherits its area from its device, a child device from its parent. Names follow the rule of the core
that keeps the registry, which changed four times between 2024.3 and 2026.11. Derived values are stored in rows and
compared like any column, but are not part of the content hash: renaming a device does not change its entities' records.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from sys import intern
from typing import NamedTuple

import msgspec

from engine.core.records.record import ConfigEntry, Device, Entity, Key, Record

# The first versions with each new rule for naming entities (see `_entity_name`).
_EMPTY_NAME_COUNTS, _ORIGINAL_NAME_FOLLOWS_DEVICE = (2026, 2), (2026, 4)
_EMPTY_NAME_SHOWS_DEVICE, _ANY_NAME_FOLLOWS_DEVICE = (2026, 10), (2026, 11)
_NEWEST = (9999, 12)


class Derived(msgspec.Struct, frozen=True, omit_defaults=True):
    """Derived values of one record; None if they do not apply."""

    effective_area_id: str | None = None
    effective_name: str | None = None
    integration: str | None = None  # device: domain of its config entry
    entity_count: int | None = None  # device: registered entities, disabled ones included
    domain: str | None = None  # entity: the part of entity_id before the dot
    disabled: bool | None = None
    position: int | None = None  # area, floor: position in the user's order


def derive(
    records: Mapping[Key, Record],
    names_as_of: tuple[int, int] | None,
    keys: Iterable[Key] | None = None,
    entity_counts: Mapping[str | None, int] | None = None,
    positions: Mapping[Key, int] | None = None,
) -> dict[Key, Derived]:
    """The derived values of devices, entities and records with a position: of all, or of those in `keys`.

    `names_as_of` is the Home Assistant version, (year, month), whose naming rule applies; None (unknown) means the
    newest. `entity_counts` are the numbers of entities by device, if already counted.
    """
    wanted = records.items() if keys is None else [(key, records[key]) for key in keys if key in records]
    counts = _entity_counts(records) if entity_counts is None else entity_counts
    as_of = names_as_of or _NEWEST
    derived: dict[Key, Derived] = {}
    owners: dict[str | None, _Owner] = {None: _NOBODY}
    for key, record in wanted:
        if isinstance(record, Entity):
            owner = owners.get(record.device_id)
            if owner is None:
                owner = owners[record.device_id] = _owner(record.device_id, records)
            derived[key] = _entity(record, owner, as_of)
        elif isinstance(record, Device):
            entry = records.get(Key("config_entry", record.config_entry_id or ""))
            derived[key] = Derived(
                effective_area_id=_device_area(record, records),
                effective_name=_device_name(record),
                integration=entry.domain if isinstance(entry, ConfigEntry) else None,
                entity_count=counts.get(record.id, 0),
                disabled=record.disabled_by is not None,
            )
        elif positions and key in positions:
            derived[key] = Derived(position=positions[key])
    return derived


def _entity_counts(records: Mapping[Key, Record]) -> Counter[str | None]:
    return Counter(r.device_id for r in records.values() if isinstance(r, Entity))


def affected_keys(
    before: Mapping[Key, Record], after: Mapping[Key, Record], changed: Iterable[Key]
) -> set[Key]:
    """The changed keys and those whose derived values depend on them.

    An entity depends on its device, a device on its parents, its config entry and the number of its entities.
    """
    affected = set(changed)
    devices = {key.id for key in affected if key.registry == "device"}
    entries = {key.id for key in affected if key.registry == "config_entry"}
    for key in tuple(affected):
        owners = [r.device_id if isinstance(r, Entity) else None for r in (before.get(key), after.get(key))]
        # A device counts its entities, so only an added, removed or moved entity affects it.
        if owners[0] != owners[1]:
            affected |= {Key("device", owner) for owner in owners if owner}
    if entries:
        devices |= {r.id for r in after.values() if isinstance(r, Device) and r.config_entry_id in entries}
    if devices:
        parents = {r.id: r.parent_device_id for r in after.values() if isinstance(r, Device)}
        devices |= {id_ for id_ in parents if devices & _ancestors(id_, parents)}
        affected |= {Key("device", id_) for id_ in devices}
        affected |= {k for k, r in after.items() if isinstance(r, Entity) and r.device_id in devices}
    return affected


def _ancestors(device_id: str, parents: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    current = parents.get(device_id)
    while current and current not in found:
        found.add(current)
        current = parents.get(current)
    return found


class _Owner(NamedTuple):
    """The values that an entity inherits from its device."""

    area_id: str | None
    name: str | None


_NOBODY = _Owner(None, None)


def _owner(device_id: str | None, records: Mapping[Key, Record]) -> _Owner:
    device = _device(records, device_id)
    return _Owner(_device_area(device, records), _device_name(device)) if device else _NOBODY


def _entity(entity: Entity, owner: _Owner, as_of: tuple[int, int]) -> Derived:
    return Derived(
        effective_area_id=entity.area_id or owner.area_id,
        effective_name=_entity_name(entity, owner.name, as_of),
        domain=intern(entity.entity_id.partition(".")[0]),
        disabled=entity.disabled_by is not None,
    )


def _entity_name(entity: Entity, device_name: str | None, as_of: tuple[int, int]) -> str | None:
    """The `friendly_name` that a core of that version shows for the entity; None if it shows none.

    Read in `helpers/entity.py` and `helpers/entity_registry.py` of 2024.3.3, 2024.7.0, 2025.6.0, 2025.11.0, 2026.1.0,
    2026.2.3, 2026.3.0, 2026.4.0, 2026.6.0, 2026.9.0, 2026.10.0 and 2026.11.0 (seen 2026-11-28). `engine/DESIGN.md`
    has the rules in words, and the cases that no registry covers.
    """
    name, original = entity.name, entity.original_name
    if as_of >= _ANY_NAME_FOLLOWS_DEVICE:
        if entity.compat_name is not None:
            return entity.compat_name or None
        return _joined(device_name, original if name is None else name)
    if name:
        return name
    if name is not None and as_of >= _EMPTY_NAME_COUNTS:
        return device_name if as_of >= _EMPTY_NAME_SHOWS_DEVICE else None
    if as_of >= _ORIGINAL_NAME_FOLLOWS_DEVICE or (entity.has_entity_name and as_of >= _EMPTY_NAME_COUNTS):
        return _joined(device_name, original)
    if not entity.has_entity_name or not device_name:
        return original
    return device_name if original is None else f"{device_name} {original}"


def _joined(device_name: str | None, name: str | None) -> str | None:
    return f"{device_name} {name}" if device_name and name else device_name or name or None


def _device_name(device: Device) -> str | None:
    return device.name_by_user or device.name or None


def _device_area(device: Device, records: Mapping[Key, Record]) -> str | None:
    seen = {device.id}
    current: Device | None = device
    while current is not None and current.area_id is None and current.parent_device_id not in seen:
        seen.add(current.parent_device_id or "")
        current = _device(records, current.parent_device_id)
    return current.area_id if current is not None else None


def _device(records: Mapping[Key, Record], device_id: str | None) -> Device | None:
    found = records.get(Key("device", device_id)) if device_id else None
    return found if isinstance(found, Device) else None
