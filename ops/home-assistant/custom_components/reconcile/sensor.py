"""Sensors for the status and its numbers. An unknown number is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime

from .client import WORDS, pending_changes
from .const import DOMAIN
from .entity import ReconcileEntity

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeassistant.config_entries import ConfigEntry
    from homeassistant.core import HomeAssistant
    from homeassistant.helpers.entity_platform import AddEntitiesCallback

PARALLEL_UPDATES = 0
_SHOWN_OF_A_REPLICA = ("replica", "status", "since", "differing", "pending", "error")


@dataclass(frozen=True, kw_only=True)
class ReconcileSensorDescription(SensorEntityDescription):
    """A sensor, and the function that reads its value from the status."""

    value: Callable[[dict[str, Any]], str | float | None]


def _word(status: dict[str, Any]) -> str | None:
    return None if status["status"] == "unknown" else status["status"]


def _lag(status: dict[str, Any]) -> float | None:
    lags = [replica.get("lag_seconds") for replica in status["replicas"]]
    return None if not lags or None in lags else max(lags)


SENSORS = (
    ReconcileSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[word for word in WORDS if word != "unknown"],
        value=_word,
    ),
    ReconcileSensorDescription(
        key="differing",
        translation_key="differing",
        native_unit_of_measurement="records",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda status: status.get("differing"),
    ),
    ReconcileSensorDescription(
        key="pending",
        translation_key="pending",
        native_unit_of_measurement="changes",
        state_class=SensorStateClass.MEASUREMENT,
        value=pending_changes,
    ),
    ReconcileSensorDescription(
        key="lag",
        translation_key="lag",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_lag,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    """Add the sensors of a service."""
    coordinator = hass.data[DOMAIN][entry.entry_id]
    async_add_entities(ReconcileSensor(coordinator, description) for description in SENSORS)


class ReconcileSensor(ReconcileEntity, SensorEntity):
    """One value of the status."""

    entity_description: ReconcileSensorDescription
    # These attributes change with every answer, so the recorder does not store them.
    _unrecorded_attributes = frozenset({"replicas", "guards"})

    @property
    def native_value(self) -> str | float | None:
        """The value; None: unknown."""
        return self.entity_description.value(self.status)

    @property
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """For the status: each replica's status and the guards' messages."""
        if self.entity_description.key != "status":
            return None
        return {
            "site": self.status.get("site"),
            "replicas": [
                {name: replica.get(name) for name in _SHOWN_OF_A_REPLICA}
                for replica in self.status["replicas"]
            ],
            "guards": self.status["guards"],
        }
