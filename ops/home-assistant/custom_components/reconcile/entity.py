"""The base class of all entities of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeassistant.const import CONF_URL
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import ReconcileCoordinator

if TYPE_CHECKING:
    from homeassistant.helpers.entity import EntityDescription


class ReconcileEntity(CoordinatorEntity[ReconcileCoordinator]):
    """An entity that shows a part of the status."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: ReconcileCoordinator, description: EntityDescription) -> None:
        """Attach the entity to the service's device."""
        super().__init__(coordinator)
        entry = coordinator.entry
        self.entity_description = description
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
            name=entry.title,
            entry_type=DeviceEntryType.SERVICE,
            sw_version=str(coordinator.data.get("version", "")),
            configuration_url=f"{entry.data[CONF_URL]}/",
        )

    @property
    def status(self) -> dict[str, Any]:
        """The service's newest status."""
        return self.coordinator.data
