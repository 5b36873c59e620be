"""Links from a record: to the tables of its contents, and to its page in Home Assistant."""

from collections.abc import Sequence
from urllib.parse import quote

from api.page.templates import link
from api.page.views.record import Fact
from engine.core.records.record import Key

# The filter of a table for a record, by registry.
_FILTERS = {"area": "area_id", "floor": "floor_id", "label": "label"}
# The address in Home Assistant's frontend by registry (2024.3 to 2026.11); for a config entry, its integration's.
_PATHS = {
    "device": "config/devices/device/{id}",
    "entity": "history?entity_id={asked}",
    "area": "config/areas/area/{id}",
    "floor": "config/areas/dashboard",
    "label": "config/labels",
    "config_entry": "config/integrations/dashboard#config_entry={id}",
}


def inside(key: Key, facts: Sequence[Fact]) -> dict[str, str]:
    """The tables of the devices and entities in a record."""
    if key.registry == "config_entry":
        domain = next((fact.value for fact in facts if fact.label == "domain"), None)
        if domain is None:
            return {}
        return {"devices": link("devices", integration=domain), "entities": link("entities", platform=domain)}
    name = _FILTERS.get(key.registry)
    if name is None:
        return {}
    return {table: link(table, **{name: key.id}) for table in ("devices", "entities")}


def own_page(home_assistant_url: str, key: Key, asked: str) -> str | None:
    """The address of a record's page in Home Assistant; None if Home Assistant's address or the page is unknown."""
    path = _PATHS.get(key.registry)
    if not home_assistant_url or path is None:
        return None
    return f"{home_assistant_url}/{path.format(id=quote(key.id, safe=''), asked=quote(asked, safe=''))}"
