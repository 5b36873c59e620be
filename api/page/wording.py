"""Names and formats on the page: fields, values, time spans, numbers."""

from collections.abc import Iterable, Mapping

import msgspec

from engine.core.records.record import Json

TEXT_MAX = 300
# Names of records by (registry, id).
Names = Mapping[tuple[str, str], str]

_REGISTRIES = {"config_entry": "integration"}
_FIELDS = {
    "area_id": "area",
    "config_entry_id": "integration",
    "device_id": "device",
    "disabled_by": "disabled by",
    "effective_area_id": "effective area",
    "effective_name": "effective name",
    "entity_id": "entity_id",
    "floor_id": "floor",
    "hidden_by": "hidden by",
    "name_by_user": "name given by the user",
    "original_name": "name given by the integration",
    "sw_version": "firmware",
    "via_device_id": "via device",
}
_REFERENCES = {
    "area_id": "area",
    "effective_area_id": "area",
    "config_entries": "config_entry",
    "config_entry_id": "config_entry",
    "device_id": "device",
    "via_device_id": "device",
    "parent_device_id": "device",
    "floor_id": "floor",
    "labels": "label",
}
# In a sentence these replace fields with the same but partial content: the effective area and the effective name.
_SHADOWS = {
    "effective_area_id": frozenset({"area_id"}),
    "effective_name": frozenset({"name", "name_by_user", "original_name"}),
}
_PLAIN = {"effective_area_id": "area", "effective_name": "name"}
_REPLICAS = {"sqlite": "SQLite", "history": "History file", "influxdb": "InfluxDB", "kafka": "Kafka"}
_SPANS = (
    (1.5, 0.001, "ms"),
    (90, 1, "s"),
    (90 * 60, 60, "min"),
    (36 * 3600, 3600, "h"),
    (1e18, 86400, "days"),
)


def registry_text(registry: str) -> str:
    """The word for one item of a registry."""
    return _REGISTRIES.get(registry, registry)


def registry_text_plural(registry: str) -> str:
    """The word for several items of a registry."""
    text = registry_text(registry)
    return f"{text[:-1]}ies" if text.endswith("y") else f"{text}s"


def replica_text(replica: str) -> str:
    """A replica's name, as its vendor writes it."""
    return _REPLICAS.get(replica, replica)


def replica_in_sentence(replica: str) -> str:
    """A replica's name within a sentence."""
    return "the history file" if replica == "history" else replica_text(replica)


def field_text(field: str) -> str:
    """The word for a field."""
    return _FIELDS.get(field, field.replace("_", " "))


def shown_fields(fields: Iterable[str]) -> list[tuple[str, str]]:
    """(field, word for it) of the fields of a change that a sentence needs, in order."""
    given = list(dict.fromkeys(fields))
    shadowed = {own for field in given for own in _SHADOWS.get(field, ()) if own in given}
    plain = {field: text for field, text in _PLAIN.items() if _SHADOWS[field] & shadowed}
    return [(field, plain.get(field) or field_text(field)) for field in given if field not in shadowed]


def value_text(field: str, value: Json, names: Names) -> str | None:
    """A field's value as text, ids of other records as their names; None if there is none."""
    if value is None:
        return None
    if value in ([], {}, ""):
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return cut(names.get((_REFERENCES.get(field, ""), value), value))
    if isinstance(value, list | tuple):
        return cut(", ".join(value_text(field, each, names) or "nothing" for each in value))
    return cut(msgspec.json.encode(value).decode())


def cut(text: str, length_max: int = TEXT_MAX) -> str:
    """The text, cut if it is too long."""
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def span_text(seconds: float) -> str:
    """A duration: `38 ms`, `12 s`, `5 min`, `3 h`, `9 days`."""
    seconds = max(0.0, seconds)
    _, unit, name = next(span for span in _SPANS if seconds < span[0])
    number = int(seconds / unit)
    return "1 day" if (number, name) == (1, "days") else f"{number} {name}"


def age_text(seconds: float) -> str:
    """The time since something, with no unit below seconds."""
    return span_text(seconds) if seconds >= 1.5 else f"{int(max(0.0, seconds))} s"


def count_text(number: int, noun: str, plural: str = "") -> str:
    """`1 record`, `1,284 records`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
