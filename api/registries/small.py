"""What the routes of areas, floors, labels, categories and integrations answer, made from columns by name."""

from collections.abc import Callable
from typing import Any

import msgspec

from api.ports import Row
from api.registries.bodies import text_list, time_text
from api.registries.sync import Sync, sync_of
from engine.core.home.record import Key
from engine.core.state.record_verdict import Verdicts


class Area(msgspec.Struct, frozen=True):
    """An area. `position` is where the user put it, from 0; null where Home Assistant does not tell (before 2025.12)."""

    area_id: str
    name: str | None
    floor_id: str | None
    aliases: list[str]
    labels: list[str]
    icon: str | None
    picture: str | None
    humidity_entity_id: str | None
    temperature_entity_id: str | None
    position: int | None
    timestamp: str | None
    sync: Sync | None = None


class Floor(msgspec.Struct, frozen=True):
    """A floor; `position` as of an area."""

    floor_id: str
    name: str | None
    level: int | None
    aliases: list[str]
    icon: str | None
    position: int | None
    timestamp: str | None
    sync: Sync | None = None


class Label(msgspec.Struct, frozen=True):
    """A label."""

    label_id: str
    name: str | None
    description: str | None
    color: str | None
    icon: str | None
    timestamp: str | None
    sync: Sync | None = None


class Category(msgspec.Struct, frozen=True):
    """A category; its id is unique within its scope."""

    scope: str
    category_id: str
    name: str | None
    icon: str | None
    timestamp: str | None
    sync: Sync | None = None


class Subentry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a config entry that has a title of its own, without its data."""

    subentry_id: str
    subentry_type: str | None = None
    title: str | None = None


class Integration(msgspec.Struct, frozen=True):
    """A config entry, without its data and options: those hold passwords and are read by nothing here.

    `subentries` is null where there are none, or where the token is no administrator's and may not list them.
    """

    entry_id: str
    domain: str | None
    title: str | None
    source: str | None
    disabled_by: str | None
    pref_disable_new_entities: bool
    pref_disable_polling: bool
    subentries: list[Subentry] | None
    timestamp: str | None
    sync: Sync | None = None


def _list(value: str | None) -> list[str]:
    return text_list(value) if value else []


_SUBENTRIES = msgspec.json.Decoder(list[Subentry])


def _subentries(value: str | None) -> list[Subentry] | None:
    try:
        return _SUBENTRIES.decode(value) if value else None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None  # another program's


def _as_is(value: object) -> object:
    return value


# By the annotation of a field; a column says less than its field where another program wrote it.
_FROM_COLUMN: dict[Any, Callable[[Any], object]] = {
    list[str]: _list,
    list[Subentry] | None: _subentries,
    bool: bool,
}


def columns_for(body: type[msgspec.Struct]) -> tuple[str, ...]:
    """The columns that `row_maker` wants."""
    return tuple("last_seen" if f.name == "timestamp" else f.name for f in _stored(body))


def _stored(body: type[msgspec.Struct]) -> list[msgspec.structs.FieldInfo]:
    """The fields that have a column: all but the last, the verdict."""
    return [field for field in msgspec.structs.fields(body) if field.name != "sync"]


def row_maker(body: type[msgspec.Struct], registry: str = "") -> Callable[..., msgspec.Struct]:
    """What makes a body of a registry from a row, its key and its columns, and the verdicts of now, if there are any."""
    makers = [
        time_text if field.name == "timestamp" else _FROM_COLUMN.get(field.type, _as_is)
        for field in _stored(body)
    ]

    def make(row: Row, verdicts: Verdicts | None = None) -> msgspec.Struct:
        values = [maker(value) for maker, value in zip(makers, row[1:], strict=True)]
        return body(*values, sync_of(verdicts, Key(registry, row[0]), None, str(values[-1] or "") or None))

    return make


# What is served of the registries whose columns are served as they stand.
SMALL_BODIES: dict[str, type[msgspec.Struct]] = {
    "area": Area,
    "floor": Floor,
    "label": Label,
    "category": Category,
    "config_entry": Integration,
}
