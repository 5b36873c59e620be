"""Derived truth: what every consumer would otherwise work out for itself, and differently.

An entity inherits its area from its device, a child device from its parent. Names follow Home Assistant's
rule, which changed in 2026.4: since then a name given by the user is also shown behind the device's name.
Derived values are stored in rows and compared like any column, but they are no part of the content hash:
when a device is renamed, its entities' records did not change.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from engine.core.record import ConfigEntry, Device, Entity, Key, Record

# The first version whose entity names always carry the device's name in front.
_NAMES_PREFIXED_SINCE = (2026, 4)


class Derived(msgspec.Struct, frozen=True, omit_defaults=True):
    """Derived values of one record; None where they do not apply."""

    effective_area_id: str | None = None
    effective_name: str | None = None
    integration: str | None = None  # device: domain of its config entry
    entity_count: int | None = None  # device: registered entities, disabled ones included
    domain: str | None = None  # entity: the part of entity_id before the dot
    disabled: bool | None = None


def derive(
    records: Mapping[Key, Record], ha_version: tuple[int, int] | None, keys: Iterable[Key] | None = None
) -> dict[Key, Derived]:
    """The derived values of devices and entities: of all, or of those among `keys`.

    `ha_version` is (year, month), None when unknown.
    """
    devices = {r.id: r for r in records.values() if isinstance(r, Device)}
    entries = {r.entry_id: r.domain for r in records.values() if isinstance(r, ConfigEntry)}
    counts = Counter(r.device_id for r in records.values() if isinstance(r, Entity))
    prefixed = ha_version is None or ha_version >= _NAMES_PREFIXED_SINCE
    derived: dict[Key, Derived] = {}
    for key in records if keys is None else keys:
        record = records.get(key)
        if isinstance(record, Entity):
            derived[key] = _entity(record, devices, prefixed=prefixed)
        elif isinstance(record, Device):
            derived[key] = Derived(
                effective_area_id=_device_area(record, devices),
                effective_name=_device_name(record),
                integration=entries.get(record.config_entry_id or ""),
                entity_count=counts[record.id],
                disabled=record.disabled_by is not None,
            )
    return derived


def affected_keys(
    before: Mapping[Key, Record], after: Mapping[Key, Record], changed: Iterable[Key]
) -> set[Key]:
    """The changed keys and those whose derived values depend on them.

    An entity depends on its device, a device on its parents, its config entry and the number of its entities.
    """
    affected = set(changed)
    devices = {key.id for key in affected if key.registry == "device"}
    entries = {key.id for key in affected if key.registry == "config_entry"}
    for records in (before, after):
        for key in tuple(affected):
            record = records.get(key)
            if isinstance(record, Entity) and record.device_id:
                affected.add(Key("device", record.device_id))
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


def _entity(entity: Entity, devices: Mapping[str, Device], *, prefixed: bool) -> Derived:
    device = devices.get(entity.device_id or "")
    return Derived(
        effective_area_id=entity.area_id or (_device_area(device, devices) if device else None),
        effective_name=_entity_name(entity, _device_name(device) if device else None, prefixed=prefixed),
        domain=entity.entity_id.partition(".")[0],
        disabled=entity.disabled_by is not None,
    )


def _entity_name(entity: Entity, device_name: str | None, *, prefixed: bool) -> str | None:
    own = entity.name if entity.name is not None else entity.original_name
    if not device_name or not own:
        return own or device_name
    with_device = prefixed or (entity.name is None and bool(entity.has_entity_name))
    return f"{device_name} {own}" if with_device and own != device_name else own


def _device_name(device: Device) -> str | None:
    return device.name_by_user if device.name_by_user is not None else device.name


def _device_area(device: Device, devices: Mapping[str, Device]) -> str | None:
    seen = {device.id}
    current: Device | None = device
    while current is not None and current.area_id is None and current.parent_device_id not in seen:
        seen.add(current.parent_device_id or "")
        current = devices.get(current.parent_device_id or "")
    return current.area_id if current is not None else None
