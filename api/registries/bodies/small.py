"""The bodies of areas, floors, labels, categories and integrations: each field comes from the column of its name."""

from typing import Annotated, Any

import msgspec

from api.registries.bodies.fields import KEY, BodyMaker, FromColumns, Listed, Timestamp, either
from api.registries.bodies.sync import Sync
from engine.core.decode_errors import DECODE_ERRORS


def _later(_key: str) -> None:
    """A value that is filled in later, from the rows of entities."""


def _state(disabled_by: str | None) -> str:
    return "disabled" if disabled_by else "unknown"


def _prefix(label_id: str) -> str:
    prefix, colon, _ = label_id.partition(":")
    return prefix if colon else ""


class AreaBody(msgspec.Struct, frozen=True):
    """An area. `position` is its place in the user's order, from 0; null if Home Assistant gives none (before 2025.12).

    `entity_count` and `domains` cover the entities effectively in it; null in the past. `display_name` is its
    name, or its id if it has none.
    """

    area_id: str
    name: str | None
    display_name: Annotated[str, FromColumns(("name", KEY), either)]
    floor_id: str | None
    aliases: list[str]
    labels: list[str]
    icon: str | None
    picture: str | None
    humidity_entity_id: str | None
    temperature_entity_id: str | None
    position: int | None
    floor_name: Annotated[str | None, FromColumns((KEY,), _later)]
    entity_count: Annotated[int | None, FromColumns((KEY,), _later)]
    domains: Annotated[list[str] | None, FromColumns((KEY,), _later)]
    timestamp: Timestamp
    sync: Sync | None = None


class FloorBody(msgspec.Struct, frozen=True):
    """A floor; `position` as for an area."""

    floor_id: str
    name: str | None
    level: int | None
    aliases: list[str]
    icon: str | None
    position: int | None
    timestamp: Timestamp
    sync: Sync | None = None


class LabelBody(msgspec.Struct, frozen=True):
    """A label. `label` is its id, which rows refer to; `prefix` is the id's part before a colon; `entity_count` is the number
    of entities with it, null in the past.
    """

    label_id: str
    name: str | None
    label: Annotated[str, FromColumns((KEY,))]
    prefix: Annotated[str, FromColumns((KEY,), _prefix)]
    entity_count: Annotated[int | None, FromColumns((KEY,), _later)]
    description: str | None
    color: str | None
    icon: str | None
    timestamp: Timestamp
    sync: Sync | None = None


class CategoryBody(msgspec.Struct, frozen=True):
    """A category; its id is unique within its scope."""

    scope: str
    category_id: str
    name: str | None
    icon: str | None
    timestamp: Timestamp
    sync: Sync | None = None


class Subentry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a config entry with its own title, without its data."""

    subentry_id: str
    subentry_type: str | None = None
    title: str | None = None


_SUBENTRIES = msgspec.json.Decoder(list[Subentry])


def _subentries(value: str | None) -> list[Subentry] | None:
    try:
        return _SUBENTRIES.decode(value) if value else None
    except DECODE_ERRORS:
        return None  # another program's


class Integration(msgspec.Struct, frozen=True):
    """A config entry, without its data and options, which hold passwords and are never read.

    `state` is disabled or unknown: other states change with every start, and are not mirrored. `subentries` is null if there
    are none, or if the token is not an administrator's and may not list them.
    """

    entry_id: str
    domain: Annotated[str | None, Listed("unknown")]
    title: Annotated[str | None, Listed("Unknown")]
    source: str | None
    disabled_by: str | None
    pref_disable_new_entities: bool
    pref_disable_polling: bool
    subentries: Annotated[list[Subentry] | None, FromColumns(("subentries",), _subentries)]
    state: Annotated[str, FromColumns(("disabled_by",), _state)]
    timestamp: Timestamp
    sync: Sync | None = None


_MAKERS: tuple[BodyMaker[Any], ...] = (
    BodyMaker(AreaBody, "area", "Areas, in the user's order, where there is one, else by id."),
    BodyMaker(FloorBody, "floor", "Floors, in the user's order, where there is one, else by id."),
    BodyMaker(LabelBody, "label", "Labels, by id."),
    BodyMaker(CategoryBody, "category", "Categories, by scope and id."),
    BodyMaker(Integration, "config_entry", "Integrations: the config entries, by id."),
)
# By registry.
SMALL = {maker.registry.name: maker for maker in _MAKERS}
