"""Derived truth: what every consumer would otherwise work out for itself, and differently.

An entity inherits its area from its device, a child device from its parent. Names follow Home Assistant's
rule, which changed in 2026.4: since then a name given by the user is also shown behind the device's name.
Derived values are stored in rows and compared like any column, but they are no part of the content hash:
when a device is renamed, its entities' records did not change.
"""

from collections import Counter
from collections.abc import Mapping

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


def derive(records: Mapping[Key, Record], ha_version: tuple[int, int] | None) -> dict[Key, Derived]:
    """The derived values of every device and entity; `ha_version` is (year, month), None when unknown."""
    devices = {r.id: r for r in records.values() if isinstance(r, Device)}
    entries = {r.entry_id: r.domain for r in records.values() if isinstance(r, ConfigEntry)}
    counts = Counter(r.device_id for r in records.values() if isinstance(r, Entity))
    prefixed = ha_version is None or ha_version >= _NAMES_PREFIXED_SINCE
    areas = {device_id: _device_area(device, devices) for device_id, device in devices.items()}
    derived: dict[Key, Derived] = {}
    for key, record in records.items():
        if isinstance(record, Entity):
            derived[key] = _entity(record, devices, areas, prefixed=prefixed)
        elif isinstance(record, Device):
            derived[key] = Derived(
                effective_area_id=areas[record.id],
                effective_name=_device_name(record),
                integration=entries.get(record.config_entry_id or ""),
                entity_count=counts[record.id],
                disabled=record.disabled_by is not None,
            )
    return derived


def _entity(
    entity: Entity, devices: Mapping[str, Device], areas: Mapping[str, str | None], *, prefixed: bool
) -> Derived:
    device = devices.get(entity.device_id or "")
    return Derived(
        effective_area_id=entity.area_id or (areas[device.id] if device else None),
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
