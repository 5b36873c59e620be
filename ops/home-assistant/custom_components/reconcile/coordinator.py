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
# Each has its words in translations/. What holds while Home Assistant starts passes by itself and is no issue.
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
        """Nothing is asked yet."""
        # 2024.3 takes the entry from the context alone, later cores from there as well.
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
        """One issue for each guard, in the words of the service; one that speaks no more has none."""
        speaking: dict[str, dict[str, Any]] = {}
        for guard in status["guards"]:
            # Of a guard that holds something of several replicas, the one that would hold most is reported.
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
        """Stop checking whether they are still true."""
        self._drop(self._issues)
        self._issues = set()

    def _drop(self, names: set[str]) -> None:
        for name in names:
            issue_registry.async_delete_issue(self.hass, DOMAIN, self._issue_id(name))

    def _issue_id(self, guard: str) -> str:
        return f"{self.entry.entry_id}_{guard}"


def _naming(guard: dict[str, Any]) -> str:
    """What these deletes are called in the settings of a service without a command line."""
    name = guard.get("name")
    return f"\n\nName for plan.allow_deletes, in the app its option: `{name}`" if name else ""


def _held(guard: dict[str, Any]) -> int:
    held = guard.get("held", 0)
    return held if isinstance(held, int) else 0
