"""What rows can be filtered by, counted by, sorted by and searched in, as SQL over our own tables and columns.

A registry in braces stands for its table, as far as it is there. An area has the rows that are effectively in it.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Iterable, Mapping
from typing import Final

from engine.core.records.registries import BY_NAME

# What rows without a value are counted and found under; manufacturers and models as lists show them.
NONE: Final = "-"

# What pages are ordered by; an id of several parts has slashes between them.
KEYS = {
    registry.name: " || char(47) || ".join(registry.page_key or registry.key) for registry in BY_NAME.values()
}
# The id that a verdict knows a row by: the registry's, where the row has one.
_IDS = KEYS | {"entity": "coalesce(entities.id, entity_id)"}  # json_each has an id, too


def _elements(column: str) -> str:
    # Another program's text need not be JSON, and json_each would refuse the whole statement.
    return f"json_each(CASE WHEN json_valid({column}) THEN {column} ELSE '[]' END)"


def _of_device(column: str) -> str:
    return f"(SELECT d.{column} FROM {{device}} AS d WHERE d.device_id = entities.device_id)"


def _some(expression: str, otherwise: str = NONE) -> str:
    return f"coalesce(nullif({expression}, ''), '{otherwise}')"


_AREA = "coalesce(effective_area_id, area_id)"


def _floor(table: str) -> str:
    # With the table before each column: areas have an area_id, too.
    area = f"coalesce({table}.effective_area_id, {table}.area_id)"
    return f"(SELECT a.floor_id FROM {{area}} AS a WHERE a.area_id = {area})"


_FLAG = "CASE WHEN coalesce(disabled, 0) THEN 'true' ELSE 'false' END"
# By registry and facet, the value that a row is counted under.
FACETS: dict[str, dict[str, str]] = {
    "device": {
        "area_id": _some(_AREA),
        "floor_id": _some(_floor("devices")),
        "integration": _some("integration"),
        "manufacturer": _some("manufacturer", "Unknown"),
        "model": _some("model", "Unknown"),
        "sw_version": _some("sw_version"),
        "disabled": _FLAG,
    },
    "entity": {
        "area_id": _some(_AREA),
        "floor_id": _some(_floor("entities")),
        "platform": _some("platform", "unknown"),
        "domain": _some("domain"),
        "manufacturer": _some(_of_device("manufacturer"), "Unknown"),
        "model": _some(_of_device("model"), "Unknown"),
        "sw_version": _some(_of_device("sw_version")),
        "disabled": _FLAG,
    },
    "area": {"floor_id": _some("floor_id")},
    "floor": {},
    "label": {},
    "category": {"scope": _some("scope")},
    "config_entry": {
        "domain": _some("domain"),
        "source": _some("source"),
        "disabled": "CASE WHEN disabled_by IS NULL THEN 'false' ELSE 'true' END",
    },
}
# Facets that count a row under each element of a list: the column.
LIST_FACETS: dict[str, dict[str, str]] = {
    registry: {"label": "labels"} for registry in ("device", "entity", "area")
}
_ALIASES = f"SELECT 1 FROM {_elements('aliases')} WHERE value IS NOT NULL"
# By registry and filter. Home Assistant's ids and domains are lower case, so the query in lower case finds them
# whatever its case, and an index still serves.
_OWN_FILTERS: dict[str, dict[str, str]] = {
    "device": {
        "manufacturer": "coalesce(nullif(manufacturer, ''), 'Unknown') = ? COLLATE NOCASE",
        "model": "coalesce(nullif(model, ''), 'Unknown') = ? COLLATE NOCASE",
        "platform": (
            "EXISTS (SELECT 1 FROM {entity} AS e WHERE e.device_id = devices.device_id"
            " AND coalesce(nullif(e.platform, ''), 'unknown') = ? COLLATE NOCASE)"
        ),
    },
    "entity": {
        "domain": "domain IN (?, lower(?))",
        "platform": "coalesce(nullif(platform, ''), 'unknown') = ? COLLATE NOCASE",
        "device_id": "device_id IN (?, lower(?))",
        "alias": f"EXISTS ({_ALIASES} AND instr(lower(value), lower(?)) > 0)",
        "has_aliases": f"EXISTS ({_ALIASES}) = ?",
        "has_device": "(device_id IS NOT NULL) = ?",
    },
}
# What is searched: every name, id and model. Lists are searched as their JSON text.
TEXTS: dict[str, tuple[str, ...]] = {
    "device": (
        *("effective_name", "name_by_user", "name", "manufacturer", "model", "model_id", "serial_number"),
        *("sw_version", "integration", "identifiers", "connections"),
    ),
    "entity": (
        *("effective_name", "name", "original_name", "id", "unique_id", "platform", "aliases"),
        *("device_class", "device_id"),
    ),
    "area": ("name", "aliases"),
    "floor": ("name", "aliases"),
    "label": ("name", "description"),
    "category": ("name",),
    "config_entry": ("title", "domain"),
}


def _all_filters() -> dict[tuple[str, str], str]:
    filters = {}
    for registry, key in _IDS.items():
        # A JSON list of ids, as verdicts know them.
        filters[registry, "among"] = f"{key} IN (SELECT value FROM json_each(?))"
        filters[registry, "not_among"] = f"{key} NOT IN (SELECT value FROM json_each(?))"
        filters[registry, "keyed"] = f"{KEYS[registry]} IN (SELECT value FROM json_each(?))"
        for name, column in LIST_FACETS.get(registry, {}).items():
            filters[registry, name] = f"EXISTS (SELECT 1 FROM {_elements(column)} WHERE value = ?)"
        for name, value in FACETS.get(registry, {}).items():
            is_flag = name == "disabled"
            wanted = "CASE ? WHEN 0 THEN 'false' ELSE 'true' END" if is_flag else "?"
            filters[registry, name] = f"({value}) = {wanted}"
        for name, condition in _OWN_FILTERS.get(registry, {}).items():
            filters[registry, name] = condition
    return filters


# The condition of each filter by registry and name, with a ? wherever its value stands.
FILTERS = _all_filters()


def facet_sources(registry: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """By what the table is joined with: by facet, the value that is counted. What needs no join is read at once."""
    sources: dict[str, dict[str, str]] = {}
    for name in names:
        column = LIST_FACETS.get(registry, {}).get(name)
        joined, value = (
            ("", FACETS[registry][name]) if column is None else (f", {_elements(column)}", "value")
        )
        sources.setdefault(joined, {})[name] = value
    return sources


def most_frequent(counts: Mapping[bytes | None, int]) -> list[tuple[str, int]]:
    """(value, count), the most frequent first, as text."""
    known = [(value, count) for value, count in counts.items() if value is not None]
    known.sort(key=lambda item: (-item[1], item[0]))
    return [(value.decode("utf-8", "replace"), count) for value, count in known]
