"""The bodies of devices and entities: the shapes of HomeIQ's data-api, extended."""

from typing import Annotated, Any

import msgspec

from api.registries.bodies.fields import (
    KEY,
    BodyMaker,
    FromColumns,
    Listed,
    Placed,
    Timestamp,
    either,
    list_of,
    object_of,
)
from api.registries.bodies.options import served_options
from api.registries.bodies.sync import Sync
from engine.core.records.record import Json


def _or_null(value: Any) -> Any:
    return value or None


def _first(shown: str | None, name: str | None, original: str | None) -> str | None:
    return shown or name or original


def _text(value: str | None) -> str:
    return value or ""


def _status(disabled: object) -> str:
    return "disabled" if disabled else "active"


def _options(value: Json) -> dict[str, Any]:
    return served_options(object_of(value)) if value else {}


def _capabilities(value: Json) -> dict[str, Any] | None:
    return object_of(value) if value else None


def _capability_names(value: Json) -> list[str] | None:
    return sorted(object_of(value)) if value else None


def _domain(domain: str | None, entity_id: str) -> str:
    return domain or entity_id.partition(".")[0]


# From a record's effective area.
AreaName = Annotated[str | None, Placed(0)]
FloorId = Annotated[str | None, Placed(1)]
FloorName = Annotated[str | None, Placed(2)]


class DeviceBody(msgspec.Struct, frozen=True, gc=False):
    """A device. `name` is the integration's, `name_by_user` the user's, `effective_name` the one shown;
    `effective_area_id` may come from its parent. `status` is active or disabled; `timestamp` is when the row
    last changed; `sync` is null in the past.
    """

    device_id: Annotated[str, FromColumns((KEY,))]
    name: Annotated[str, FromColumns(("name",), _text)]
    manufacturer: Annotated[str | None, FromColumns(("manufacturer",), _or_null), Listed("Unknown")]
    model: Annotated[str | None, FromColumns(("model",), _or_null), Listed("Unknown")]
    integration: str | None
    sw_version: str | None
    area_id: str | None
    config_entry_id: str | None
    via_device: Annotated[str | None, FromColumns(("via_device_id",))]
    labels: list[str]
    serial_number: str | None
    model_id: str | None
    entity_count: Annotated[int, FromColumns(("entity_count",), lambda count: count or 0)]
    status: Annotated[str, FromColumns(("disabled",), _status)]
    name_by_user: str | None
    effective_name: Annotated[str | None, FromColumns(("effective_name", "name_by_user", "name"), _first)]
    effective_area_id: Annotated[str | None, FromColumns(("effective_area_id", "area_id"), either)]
    area_name: AreaName
    floor_id: FloorId
    floor_name: FloorName
    hw_version: str | None
    entry_type: str | None
    configuration_url: str | None
    disabled_by: str | None
    parent_device_id: str | None
    identifiers: Annotated[list[Any], FromColumns(("identifiers",), list_of)]
    connections: Annotated[list[Any], FromColumns(("connections",), list_of)]
    timestamp: Timestamp
    sync: Sync | None = None


class EntityBody(msgspec.Struct, frozen=True, gc=False):
    """An entity. `name` and `name_by_user` are the user's; `friendly_name` and `effective_name` the one
    shown; `id` is the registry's, which survives renames. `capabilities` are the names of its capability
    attributes. `sync` is null in the past.
    """

    entity_id: Annotated[str, FromColumns((KEY,))]
    device_id: str | None
    domain: Annotated[str, FromColumns(("domain", KEY), _domain)]
    platform: Annotated[str | None, FromColumns(("platform",), _or_null), Listed("unknown")]
    unique_id: str | None
    area_id: str | None
    disabled: bool
    config_entry_id: str | None
    name: str | None
    name_by_user: Annotated[str | None, FromColumns(("name",))]
    original_name: str | None
    friendly_name: Annotated[str | None, FromColumns(("effective_name", "name", "original_name"), _first)]
    supported_features: int | None
    capabilities: Annotated[list[str] | None, FromColumns(("capabilities",), _capability_names)]
    icon: str | None
    original_icon: str | None
    device_class: Annotated[str | None, FromColumns(("device_class", "original_device_class"), either)]
    unit_of_measurement: str | None
    aliases: list[str]
    labels: list[str]
    options: Annotated[dict[str, Any], FromColumns(("options",), _options)]
    id: str | None
    effective_name: Annotated[str | None, FromColumns(("effective_name", "name", "original_name"), _first)]
    effective_area_id: Annotated[str | None, FromColumns(("effective_area_id", "area_id"), either)]
    area_name: AreaName
    floor_id: FloorId
    floor_name: FloorName
    capability_attributes: Annotated[dict[str, Any] | None, FromColumns(("capabilities",), _capabilities)]
    entity_category: str | None
    disabled_by: str | None
    hidden_by: str | None
    translation_key: str | None
    timestamp: Timestamp
    sync: Sync | None = None


DEVICES = BodyMaker(
    DeviceBody, "device", "Devices, by id. An absent manufacturer or model is shown as Unknown."
)
ENTITIES = BodyMaker(EntityBody, "entity", "Entities, by entity_id. An absent platform is shown as unknown.")


def served_fields(fields: Json) -> Json:
    """The fields of a record without possible secrets; empty for anything but an object."""
    if not isinstance(fields, dict):
        return None
    options = fields.get("options")
    if isinstance(options, dict):
        return {**fields, "options": served_options(options)}
    return fields
