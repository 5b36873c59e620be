"""Examples for the OpenAPI document, made from its schemas: always one lamp in one kitchen.

Each matches its schema, so a field that is not listed here still has an example. Pure.
"""

from collections.abc import Mapping
from typing import Any

_AT = "2026-11-23T12:00:00.000Z"
_ID = "04969ec96ec400e0219e4b6a7d61ef4a"
# By the name of a field, or by schema and field if the name has several meanings.
_VALUES: dict[str, Any] = {
    **dict.fromkeys(("device_id", "Change.key", "RecordReport.key", "Became.id"), _ID),
    **dict.fromkeys(("entity_id", "EntityHistory.entity_id"), "light.bed_light"),
    **dict.fromkeys(("area_id", "effective_area_id"), "bedroom"),
    **dict.fromkeys(("area_name", "display_name", "Area.name"), "Bedroom"),
    **dict.fromkeys(("name", "effective_name", "friendly_name", "original_name"), "Bed Light"),
    **dict.fromkeys(("integration", "platform"), "hue"),
    **dict.fromkeys(("entry_id", "config_entry_id"), "01M83ZKQEZFG5SJA71ZF000004"),
    **dict.fromkeys(
        (
            "timestamp",
            "at",
            "since",
            "started_at",
            "compared_at",
            "synced_at",
            "succeeded_at",
            "connected_at",
        ),
        _AT,
    ),
    **dict.fromkeys(("version", "ha_version"), "2026.11.0"),
    **dict.fromkeys(("replica", "ChangeSource.name"), "sqlite"),
    **dict.fromkeys(("source_hash", "replica_hash", "applied_hash", "hash"), "b2:5f0c9e1d"),
    "id": "ef619eaac677d1932beade4964af05f0",
    "unique_id": "00:17:88:01:0b-light",
    "manufacturer": "Signify",
    "model": "LCT014",
    "sw_version": "1.122.2",
    "domain": "light",
    "Integration.domain": "hue",
    "Integration.title": "Hue Bridge",
    "Integration.source": "zeroconf",
    "Integration.state": "unknown",
    "Device.status": "active",
    "Sync.state": "real",
    "Sync.reasons": ["Every store holds exactly what Home Assistant has."],
    "Sync.differs": [],
    "Sync.next": "Nothing is to be done.",
    **dict.fromkeys(("Sync.cause", "Sync.command", "next", "error"), None),
    "floor_id": "upstairs",
    "floor_name": "Upstairs",
    "Floor.name": "Upstairs",
    **dict.fromkeys(("label", "label_id"), "bright"),
    "Label.name": "Bright",
    "prefix": "",
    "labels": ["bright"],
    "domains": ["light", "sensor"],
    "aliases": ["Reading lamp"],
    "capabilities": ["effect_list", "supported_color_modes"],
    "capability_attributes": {"supported_color_modes": ["color_temp", "xy"]},
    "options": {"conversation": {"should_expose": True}},
    "identifiers": [["hue", "00:17:88:01:0b"]],
    "connections": [["mac", "00:17:88:01:02:03"]],
    "Revision.fields": {"name": "Bed Light", "area_id": "bedroom"},
    "Change.op": "u",
    "Change.before": {"name": "Lamp"},
    "Change.after": {"name": "Bed Light"},
    "cause": "pending",
    "Revision.op": "update",
    "registry": "device",
    "Facets.facets": {"sw_version": [{"value": "1.122.2", "name": None, "count": 4}]},
    "run_id": "20261123T120000Z-abcdef",
    "origin": "ws://homeassistant.local:8123",
    "uri": "ws://homeassistant.local:8123",
    "site": "home",
    "StatusBody.status": "in_sync",
    "Drift.status": "in_sync",
    "Guard.guard": "delete_ratio",
    **dict.fromkeys(("Guard.name", "RefusalReport.name"), "delete_ratio-1f0c"),
    "message": "Plan deletes 412 of 980 records (42 %).",
    "hint": "To allow this, raise plan.delete_ratio_max (now 0.10).",
    "command": "reconcile drift",
    "subject": "sqlite",
    "field": "id",
    "found": "null",
    "reason": "it has no id",
    "limit": 100,
    "count": 1,
    "total": 1,
    "ts_ms": 1_795_435_200_000,
}
_PARAMETERS: dict[str, Any] = {
    "q": "bed light",
    "state": "drifted",
    "format": "json",
    "limit": 100,
    "after": _ID,
    "at": "2026-11-17T18:00:00Z",
    "id": _ID,
    "key": _ID,
    "alias": "reading",
    "registry": "device",
    "replica": "sqlite",
    "kind": "stale",
    "run_id": "20261123T120000Z-abcdef",
    "before": "20261123T120000Z-abcdef",
    "wait": 30,
    "scope": "automation",
    "source": "user",
    "disabled": False,
    "has_aliases": True,
    "facet": ["sw_version", "state"],
    "label": "bright",
    "Last-Event-ID": "4711",
}
_DEPTH_MAX = 16


def parameter_example(name: str, schema: Mapping[str, Any]) -> Any:
    """A plausible value of a parameter."""
    found = _PARAMETERS.get(name, _VALUES.get(name))
    if name == "sort":
        return next(
            (field for field in ("effective_name", "name") if field in schema["pattern"]), "timestamp"
        )
    if name == "fields":
        return schema["pattern"].split("(")[1].split("|")[0]
    if schema.get("type") == "array" and not isinstance(found, list):
        return [found]
    if schema.get("type") == "integer" and not isinstance(found, int):
        return schema.get("default", 4711)
    return found


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], field: str = "") -> Any:
    """A value that matches a schema."""
    return _example(schema, components, field, "", 0)


def _example(
    schema: Mapping[str, Any], components: Mapping[str, Any], field: str, of: str, depth: int
) -> Any:
    for name in (f"{of}.{field}", field):
        if name in _VALUES and _fits(_VALUES[name], schema):
            return _VALUES[name]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(components[name], components, "", name, depth + 1) if depth < _DEPTH_MAX else {}
    if "enum" in schema:
        return next((value for value in schema["enum"] if value is not None), None)
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], components, field, of, depth)
    if schema.get("type") == "object":
        return {
            name: _example(part, components, name, of, depth + 1)
            for name, part in schema.get("properties", {}).items()
        }
    if schema.get("type") == "array":
        items = schema.get("items")
        return [_example(items, components, "", of, depth + 1)] if items else []
    return {"integer": 1, "number": 0.5, "boolean": False, "string": "text"}.get(schema.get("type", ""))


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value has a schema's type; a referenced schema makes its own value."""
    kinds = [schema, *schema.get("anyOf", ())]
    if "enum" in schema:
        return value in schema["enum"]
    if any("$ref" in str(kind.get("items")) for kind in kinds):
        return False  # rows of a page
    types = {kind.get("type") for kind in kinds}
    named = {
        str: "string",
        bool: "boolean",
        int: "integer",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return named[type(value)] in types and not any("properties" in kind for kind in kinds)
