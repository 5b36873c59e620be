"""Entities whose names are corner cases, for every kind of device that an entity can have."""
from __future__ import annotations

from homeassistant.components.sensor import SensorEntity
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN

# What an entity calls itself, on a device called "Salon".
NAMES = (None, "", "Salon", "Power", "Salon Power", "salon: power", "Salon-Power", "Salonpower", "SALON  power", " ")


async def naming_sensors(hass, entry):
    """Sensors of a device with a name, one without, one with a second child, and of none."""
    reg = dr.async_get(hass)
    owners = {
        "named": dr.DeviceInfo(identifiers={(DOMAIN, f"{entry.entry_id}-named")}, name="Salon"),
        "nameless": dr.DeviceInfo(identifiers={(DOMAIN, f"{entry.entry_id}-nameless")}),
        "renamed": dr.DeviceInfo(identifiers={(DOMAIN, f"{entry.entry_id}-renamed")}, name="Factory 12"),
        "none": None,
    }
    if hasattr(dr, "ChildDeviceInfo"):
        parent = reg.async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(DOMAIN, f"{entry.entry_id}-strip")}, name="Strip"
        )
        owners["child"] = dr.ChildDeviceInfo(
            identifiers={(DOMAIN, f"{entry.entry_id}-child")}, name="Salon", parent_device_id=parent.id
        )
    return [
        NamingSensor(f"{entry.entry_id} {owner} {has_entity_name} {number}", name, has_entity_name, info)
        for owner, info in owners.items()
        for has_entity_name in (True, False)
        for number, name in enumerate(NAMES)
    ]


class NamingSensor(SensorEntity):
    """One sensor."""

    _attr_should_poll = False
    _attr_native_value = 1

    def __init__(self, unique_id, name, has_entity_name, info):
        self._attr_unique_id = unique_id
        self._attr_name = name
        self._attr_has_entity_name = has_entity_name
        self._attr_device_info = info

    def tick(self):
        self.async_write_ha_state()
