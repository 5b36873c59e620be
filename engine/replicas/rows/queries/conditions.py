"""The filters, facets, orders and searched columns of rows, as SQL over our own tables and columns.

A registry in braces stands for its table, with the columns that exist. Filters by area find the rows effectively in it.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections.abc import Iterable, Mapping
from typing import Final

from engine.core.records.registries import BY_NAME

# The value that stands for rows without one, in counts and filters; manufacturers and models as lists show them.
NONE: Final = "-"

# The keys that order pages; an id with several parts has slashes between them.
KEYS = {
    registry.name: " || char(47) || ".join(registry.page_key or registry.key) for registry in BY_NAME.values()
}
# The id that verdicts use for a row: the registry's, if the row has one.
_IDS = KEYS | {"entity": "coalesce(entities.id, entity_id)"}  # json_each has an id too


def _elements(column: str) -> str:
    # Another program's text may not be JSON, for which json_each would fail the whole statement.
    return f"json_each(CASE WHEN json_valid({column}) THEN {column} ELSE '[]' END)"


def _of_device(column: str) -> str:
    return f"(SELECT d.{column} FROM {{device}} AS d WHERE d.device_id = entities.device_id)"


def _some(expression: str, otherwise: str = NONE) -> str:
    return f"coalesce(nullif({expression}, ''), '{otherwise}')"


_AREA = "coalesce(effective_area_id, area_id)"


def _floor(table: str) -> str:
    # With the table before each column: areas have an area_id too.
    area = f"coalesce({table}.effective_area_id, {table}.area_id)"
    return f"(SELECT a.floor_id FROM {{area}} AS a WHERE a.area_id = {area})"


_FLAG = "CASE WHEN coalesce(disabled, 0) THEN 'true' ELSE 'false' END"
# By registry and facet, the value under which a row is counted.
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
# The column of each facet that counts a row under every element of a list.
LIST_FACETS: dict[str, dict[str, str]] = {
    registry: {"label": "labels"} for registry in ("device", "entity", "area")
}
_ALIASES = f"SELECT 1 FROM {_elements('aliases')} WHERE value IS NOT NULL"
# By registry and filter. Home Assistant's ids and domains are lower case, so converting the query to lower case ignores
# its case and can still use an index.
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
# The searched columns: every name, id and model. Lists are searched as JSON text.
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
        # A JSON list of the ids that verdicts use.
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


# The condition of each filter by registry and name, with a ? in place of its value.
FILTERS = _all_filters()


def facet_sources(registry: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The counted value by facet, grouped by the join that it needs, so that facets without a join share one query."""
    sources: dict[str, dict[str, str]] = {}
    for name in names:
        column = LIST_FACETS.get(registry, {}).get(name)
        joined, value = (
            ("", FACETS[registry][name]) if column is None else (f", {_elements(column)}", "value")
        )
        sources.setdefault(joined, {})[name] = value
    return sources


def most_frequent(registry: str, name: str, counts: Mapping[bytes | None, int]) -> list[tuple[str, int]]:
    """(value, count) of a facet, the most frequent first, as text.

    Values that its filter finds together, in any case, are one value in its most frequent spelling.
    """
    known = [(value, count) for value, count in counts.items() if value is not None]
    known.sort(key=lambda item: (-item[1], item[0]))
    if FILTERS[registry, name].endswith("NOCASE"):
        spellings: dict[bytes, bytes] = {}
        totals: dict[bytes, int] = {}
        for value, count in known:
            shown = spellings.setdefault(value.lower(), value)  # of bytes, like NOCASE: of ASCII only
            totals[shown] = totals.get(shown, 0) + count
        known = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [(value.decode("utf-8", "replace"), count) for value, count in known]
