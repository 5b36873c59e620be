"""What a real core lists, in a form that two readings can be compared in; shares nothing with the engine's own reading."""

import json
from typing import Any

from tests.real.home_assistant import HomeAssistant

Lists = dict[str, dict[str, Any]]

_COMMANDS = {
    "device": ("config/device_registry/list", "id"),
    "entity": ("config/entity_registry/list", "id"),
    "area": ("config/area_registry/list", "area_id"),
    "floor": ("config/floor_registry/list", "floor_id"),
    "label": ("config/label_registry/list", "label_id"),
    "config_entry": ("config_entries/get", "entry_id"),
}
CATEGORY_SCOPE = "automation"
# What moves by itself, and what is a copy of another field.
_LEFT_OUT = {"created_at", "modified_at", "next_name_part", "has_entity_name", "config_entries_subentries"}
# All else that a config entry's row says is about the running integration.
_ENTRY_FIELDS = (
    *("entry_id", "domain", "title", "source", "disabled_by"),
    *("pref_disable_new_entities", "pref_disable_polling"),
)
_IN_ANY_ORDER = ("identifiers", "connections", "labels", "config_entries", "aliases")
SETTLE_ATTEMPTS_MAX = 50


def settled_lists(core: HomeAssistant) -> Lists:
    """All registries by registry and id, read when two readings one after the other agree."""
    before = read_lists(core)
    for _ in range(SETTLE_ATTEMPTS_MAX):
        after = read_lists(core)
        if after == before:
            return after
        before = after
    raise AssertionError("the registries do not come to rest")


def read_lists(core: HomeAssistant) -> Lists:
    """All registries by registry and id."""
    lists = {
        registry: {row[id_]: _comparable(registry, row) for row in core.command(command)}
        for registry, (command, id_) in _COMMANDS.items()
    }
    ids = [row["entity_id"] for row in lists["entity"].values()]
    extended = core.command("config/entity_registry/get_entries", entity_ids=ids)
    lists["entity"] = {row["id"]: _comparable("entity", row) for row in extended.values() if row}
    if core.version != "2024.3.3":
        rows = core.command("config/category_registry/list", scope=CATEGORY_SCOPE)
        lists["category"] = {f"{CATEGORY_SCOPE}/{r['category_id']}": _comparable("category", r) for r in rows}
    return lists


def changed_keys(before: Lists, after: Lists) -> set[str]:
    """`registry/id` of the rows that came, went or say something else."""
    return {
        f"{registry}/{id_}"
        for registry in after
        for id_ in before[registry].keys() | after[registry].keys()
        if before[registry].get(id_) != after[registry].get(id_)
    }


def _comparable(registry: str, row: dict[str, Any]) -> dict[str, Any]:
    if registry == "config_entry":
        return {field: row[field] for field in _ENTRY_FIELDS}
    return {
        field: sorted(value, key=json.dumps) if field in _IN_ANY_ORDER else value
        for field, value in row.items()
        if field not in _LEFT_OUT
    }
