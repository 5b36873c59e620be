"""Asks the user for the address and the token of a service, and checks them before saving them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import probatio as vol
except ImportError:  # cores before 2026.11
    import voluptuous as vol

from homeassistant.config_entries import ConfigFlow
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType

from .client import NoService, NotReached, ServiceError, TokenRefused, base_url, read_status
from .const import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS = {TokenRefused: "invalid_auth", NotReached: "cannot_connect", NoService: "no_service"}
_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_TOKEN = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
_ADDRESS = "http://127.0.0.1:8099"


class ReconcileFlow(ConfigFlow, domain=DOMAIN):
    """One service is one entry."""

    VERSION = 1

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> Any:
        """A new service."""
        errors: dict[str, str] = {}
        if user_input is not None:
            data, status = await self._tried(user_input, errors)
            if status is not None:
                self._async_abort_entries_match({CONF_URL: data[CONF_URL]})
                site = status.get("site", "home")
                title = "Reconcile" if site == "home" else f"Reconcile {site}"
                return self.async_create_entry(title=title, data=data)
        return self._form("user", user_input or {CONF_URL: _ADDRESS}, errors)

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> Any:
        """The service refuses the saved token."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> Any:
        """Another token for the same service."""
        return await self._replace("reauth_confirm", user_input, "reauth_successful")

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> Any:
        """Another address for the same service."""
        return await self._replace("reconfigure", user_input, "reconfigure_successful")

    async def _replace(self, step: str, user_input: dict[str, Any] | None, done: str) -> Any:
        entry = self.hass.config_entries.async_get_entry(self.context["entry_id"])
        errors: dict[str, str] = {}
        if user_input is not None:
            data, status = await self._tried(user_input, errors)
            if status is not None:
                return self.async_update_reload_and_abort(entry, data=data, reason=done)
        return self._form(step, user_input or {CONF_URL: entry.data[CONF_URL]}, errors)

    async def _tried(
        self, user_input: dict[str, Any], errors: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, Any] | None]:
        """The data to save, and the status; None if it could not be read, with the reason in `errors`."""
        token = user_input.get(CONF_TOKEN, "").strip()
        try:
            url = base_url(user_input[CONF_URL])
            status = await read_status(async_get_clientsession(self.hass), url, token)
        except ServiceError as error:
            errors["base"] = _ERRORS[type(error)]
            return {}, None
        return {CONF_URL: url, CONF_TOKEN: token}, status

    def _form(self, step: str, shown: Mapping[str, Any], errors: dict[str, str]) -> Any:
        fields = {
            vol.Required(CONF_URL, default=shown.get(CONF_URL, _ADDRESS)): _URL,
            vol.Optional(CONF_TOKEN): _TOKEN,
        }
        return self.async_show_form(step_id=step, data_schema=vol.Schema(fields), errors=errors)
