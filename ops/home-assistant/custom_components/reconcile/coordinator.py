"""Polls the service, and keeps the repair issues of the guards that hold changes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import issue_registry
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .client import ServiceError, TokenRefused, read_status
from .const import DOMAIN, SCAN_INTERVAL

if TYPE_CHECKING:
    from homeassistant.config_entries import ConfigEntry
    from homeassistant.core import HomeAssistant

_LOGGER = logging.getLogger(__name__)
# Each has its text in translations/. A guard that only holds while Home Assistant starts raises no issue.
GUARDS = (
    "recovery_mode",
    "wrong_instance",
    "storage_corruption",
    "health_unread",
    "registry_unread",
    "empty_source",
    "delete_ratio",
    "delete_count",
)
_PASSING = "not_running"


class ReconcileCoordinator(DataUpdateCoordinator[dict[str, Any]]):
    """The newest status of one service."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Does not poll yet."""
        # 2024.3 only takes the entry from the context, which later cores still support.
        super().__init__(hass, _LOGGER, name=entry.title, update_interval=SCAN_INTERVAL)
        self.entry = entry
        self._issues: set[str] = set()

    async def _async_update_data(self) -> dict[str, Any]:
        data = self.entry.data
        session = async_get_clientsession(self.hass)
        try:
            status = await read_status(session, data[CONF_URL], data.get(CONF_TOKEN, ""))
        except TokenRefused as error:
            raise ConfigEntryAuthFailed(str(error)) from error
        except ServiceError as error:
            raise UpdateFailed(str(error)) from error
        self._show(status)
        return status

    def _show(self, status: dict[str, Any]) -> None:
        """Show one issue per guard that holds something, with the service's text; remove the others."""
        speaking: dict[str, dict[str, Any]] = {}
        for guard in status["guards"]:
            # If a guard holds changes of several replicas, the one with the most is reported.
            name = str(guard.get("guard"))
            if name != _PASSING and _held(guard) >= _held(speaking.get(name, {})):
                speaking[name] = guard
        for name, guard in speaking.items():
            issue_registry.async_create_issue(
                self.hass,
                DOMAIN,
                self._issue_id(name),
                is_fixable=False,
                severity=issue_registry.IssueSeverity.WARNING,
                learn_more_url=f"{self.entry.data[CONF_URL]}/",
                translation_key=f"guard_{name}" if name in GUARDS else "guard",
                translation_placeholders={
                    "title": self.entry.title,
                    "guard": name,
                    "message": str(guard.get("message", "")),
                    "hint": str(guard.get("hint", "")),
                    "name": _naming(guard),
                },
            )
        self._drop(self._issues - speaking.keys())
        self._issues = set(speaking)

    def forget_issues(self) -> None:
        """Remove all issues."""
        self._drop(self._issues)
        self._issues = set()

    def _drop(self, names: set[str]) -> None:
        for name in names:
            issue_registry.async_delete_issue(self.hass, DOMAIN, self._issue_id(name))

    def _issue_id(self, guard: str) -> str:
        return f"{self.entry.entry_id}_{guard}"


def _naming(guard: dict[str, Any]) -> str:
    """The name of these deletes for the settings of a service without a command line."""
    name = guard.get("name")
    return f"\n\nName for plan.allow_deletes, in the app its option: `{name}`" if name else ""


def _held(guard: dict[str, Any]) -> int:
    held = guard.get("held", 0)
    return held if isinstance(held, int) else 0
