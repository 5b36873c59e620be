"""What registry routes answer: the shapes that HomeIQ's data-api has, and a little more.

`count` is the length of the page, as there; `total` is ours. Fields of a row are made from columns of the store
(now) or from a record (then).
"""

from typing import Any

import msgspec

from api.ports import Row
from api.registries.options import served_options
from api.registries.sync import Sync, sync_of
from engine.core.home.derived import Derived
from engine.core.home.record import Device as DeviceRecord
from engine.core.home.record import Entity as EntityRecord
from engine.core.home.record import Json, Key
from engine.core.state.record_verdict import Verdicts


class Device(msgspec.Struct, frozen=True):
    """A device. `status` is active or disabled; `timestamp` is when the row last changed; `sync` is null in the past."""

    device_id: str
    name: str
    manufacturer: str | None
    model: str | None
    integration: str | None
    sw_version: str | None
    area_id: str | None
    config_entry_id: str | None
    via_device: str | None
    labels: list[str]
    serial_number: str | None
    model_id: str | None
    entity_count: int
    status: str
    timestamp: str | None
    sync: Sync | None = None


class Entity(msgspec.Struct, frozen=True):
    """An entity. `name` and `name_by_user` are what the user called it; `friendly_name` is what is shown; `sync` is
    null in the past.
    """

    entity_id: str
    device_id: str | None
    domain: str
    platform: str | None
    unique_id: str | None
    area_id: str | None
    disabled: bool
    config_entry_id: str | None
    name: str | None
    name_by_user: str | None
    original_name: str | None
    friendly_name: str | None
    supported_features: int | None
    capabilities: dict[str, Any] | None
    icon: str | None
    original_icon: str | None
    device_class: str | None
    unit_of_measurement: str | None
    aliases: list[str]
    labels: list[str]
    options: dict[str, Any]
    timestamp: str | None
    sync: Sync | None = None


DEVICE_COLUMNS = (
    *("name", "manufacturer", "model", "integration", "sw_version", "area_id", "config_entry_id"),
    *("via_device_id", "labels", "serial_number", "model_id", "entity_count", "disabled", "last_seen"),
)
ENTITY_COLUMNS = (
    *("device_id", "domain", "platform", "unique_id", "area_id", "disabled", "config_entry_id", "name"),
    *("original_name", "effective_name", "supported_features", "capabilities", "icon", "original_icon"),
    *("device_class", "original_device_class", "unit_of_measurement", "aliases", "labels", "options"),
    *("last_seen", "id"),
)


def device_of_row(row: Row, unknown: str | None, verdicts: Verdicts | None = None) -> Device:
    """A device from its key and DEVICE_COLUMNS; `unknown` stands for an absent manufacturer or model."""
    key, name, manufacturer, model, integration, version, area_id, entry, via, labels, *last = row
    serial, model_id, count, disabled, seen = last
    timestamp = time_text(seen)
    return Device(
        key,
        name or "",
        manufacturer or unknown,
        model or unknown,
        integration,
        version,
        area_id,
        entry,
        via,
        text_list(labels) if labels else [],
        serial,
        model_id,
        count or 0,
        "disabled" if disabled else "active",
        timestamp,
        sync_of(verdicts, Key("device", key), None, timestamp),
    )


def entity_of_row(row: Row, unknown: str | None, verdicts: Verdicts | None = None) -> Entity:
    """An entity from its key and ENTITY_COLUMNS; `unknown` stands for an absent platform."""
    key, device_id, domain, platform, unique_id, area_id, disabled, entry, name, original, shown, *rest = row
    features, capabilities, icon, original_icon, class_, original_class, unit, aliases, *last = rest
    labels, options, seen, id_ = last
    timestamp = time_text(seen)
    return Entity(
        key,
        device_id,
        domain or key.partition(".")[0],
        platform or unknown,
        unique_id,
        area_id,
        bool(disabled),
        entry,
        name,
        name,
        original,
        shown or name or original,
        features,
        _object(capabilities) if capabilities else None,
        icon,
        original_icon,
        class_ or original_class,
        unit,
        text_list(aliases) if aliases else [],
        text_list(labels) if labels else [],
        served_options(_object(options)) if options else {},
        timestamp,
        # Rows of other programs have no registry id and are known by their entity_id.
        sync_of(verdicts, Key("entity", id_ or key), key, timestamp),
    )


def device_of_record(record: DeviceRecord, derived: Derived, unknown: str | None, timestamp: str) -> Device:
    """A device as it was; `timestamp` is when that version was recorded."""
    return Device(
        record.id,
        record.name if record.name is not None else derived.effective_name or "",
        record.manufacturer or unknown,
        record.model or unknown,
        derived.integration,
        record.sw_version,
        record.area_id,
        record.config_entry_id,
        record.via_device_id,
        list(record.labels),
        record.serial_number,
        record.model_id,
        derived.entity_count or 0,
        "disabled" if record.disabled_by else "active",
        timestamp,
    )


def entity_of_record(record: EntityRecord, derived: Derived, unknown: str | None, timestamp: str) -> Entity:
    """An entity as it was; `timestamp` is when that version was recorded."""
    return Entity(
        record.entity_id,
        record.device_id,
        derived.domain or "",
        record.platform or unknown,
        record.unique_id,
        record.area_id,
        record.disabled_by is not None,
        record.config_entry_id,
        record.name,
        record.name,
        record.original_name,
        derived.effective_name,
        record.supported_features,
        record.capabilities,
        record.icon,
        record.original_icon,
        record.device_class or record.original_device_class,
        record.unit_of_measurement,
        [alias for alias in record.aliases if alias is not None],
        list(record.labels),
        served_options(record.options),
        timestamp,
    )


def served_fields(fields: Json) -> Json:
    """The fields of a record without what might be a secret; anything but an object is nothing."""
    if not isinstance(fields, dict):
        return None
    options = fields.get("options")
    if isinstance(options, dict):
        return {**fields, "options": served_options(options)}
    return fields


_decode = msgspec.json.Decoder().decode


def text_list(text: str) -> list[str]:
    """The texts of a JSON list; another program's column may hold anything, then there are none."""
    try:
        values = _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return []
    return [v for v in values if isinstance(v, str)] if isinstance(values, list) else []


def time_text(text: str | None) -> str | None:
    """A column's time, UTC, as RFC 3339; what is no time stays as it was found."""
    if text is None or len(text) < 19 or text[10] != " ":
        return text
    return f"{text[:10]}T{text[11:]}" + ("" if text[-1] == "Z" or "+" in text[19:] else "Z")


def _object(text: str) -> dict[str, Any]:
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
