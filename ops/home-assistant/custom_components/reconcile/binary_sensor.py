"""Binary sensors: whether there is a problem, and whether the service follows Home Assistant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory

from .const import DOMAIN
from .entity import ReconcileEntity

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeassistant.config_entries import ConfigEntry
    from homeassistant.core import HomeAssistant
    from homeassistant.helpers.entity_platform import AddEntitiesCallback

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ReconcileBinaryDescription(BinarySensorEntityDescription):
    """A binary sensor, and the condition for it to be on."""

    is_on: Callable[[dict[str, Any]], bool]


BINARY_SENSORS = (
    ReconcileBinaryDescription(
        key="problem",
        translation_key="problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        # An unknown status is a problem too.
        is_on=lambda status: status["status"] != "in_sync",
    ),
    ReconcileBinaryDescription(
        key="followed",
        translation_key="followed",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on=lambda status: bool(status["source"].get("connected")),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    """Add the binary sensors of a service."""
    coordinator = hass.data[DOMAIN][entry.entry_id]
    async_add_entities(ReconcileBinarySensor(coordinator, description) for description in BINARY_SENSORS)


class ReconcileBinarySensor(ReconcileEntity, BinarySensorEntity):
    """One yes-or-no fact about the status."""

    entity_description: ReconcileBinaryDescription

    @property
    def is_on(self) -> bool:
        """Whether the sensor is on; None if unknown."""
        return self.entity_description.is_on(self.status)
