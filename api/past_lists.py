"""Lists and single records of the home as it was (`at`), from the records replica."""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from api.app_context import AppContext
from api.http.problems import Problem
from api.past import in_timeline, read_home
from api.ports import Filter, Timeline
from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES, DeviceBody, EntityBody
from api.registries.bodies.fields import BodyMaker
from api.registries.bodies.places import places_then
from api.registries.bodies.small import SMALL
from api.registries.selection import Selection
from engine.core.home.derived import Derived
from engine.core.records.record import Area, Device, Entity, Key
from engine.core.times import rfc3339

NONE = "-"  # what rows without a value are found under, as in the store
_NOTHING = Derived()
# What devices and entities, and what is derived of them, are made from.
_NEEDED = ("area", "config_entry", "device", "entity", "floor")


class _Item(msgspec.Struct, frozen=True):
    """A record of the past, and what filters need to know of it."""

    id: str
    shown: Any  # its body
    derived: Derived
    platforms: frozenset[str]
    floor_id: str | None
    device: Device | None  # of an entity


async def past_page(
    context: AppContext, registry: str, query: Any, selection: Selection
) -> tuple[list[msgspec.Struct], int, str | None]:
    """(rows, total, next) of the page for a query with `at`. Raises Problem when nothing is known of then."""
    if selection.state:
        return [], 0, None  # a verdict is of now: no record of the past has one

    def build(timeline: Timeline) -> tuple[list[msgspec.Struct], int, str | None]:
        found = [
            item
            for item in _home(timeline, registry, query.at, is_listed=True)
            if _is_wanted(item, selection.filters, selection.words)
        ]
        if selection.sort:
            _sort(found, selection.sort)
        ids = [item.id for item in found]
        first = ids.index(query.after) + 1 if query.after in ids else 0
        if (
            query.after and not first and not selection.sort
        ):  # it was another page's last, and was not there then
            first = sum(id_ <= query.after for id_ in ids)
        page = found[first : first + query.limit + 1]
        next_key = page[query.limit - 1].id if len(page) > query.limit else None
        return [item.shown for item in page[: query.limit]], len(found), next_key

    return await in_timeline(context, build)


async def past_record(context: AppContext, registry: str, id_: str, at: datetime) -> msgspec.Struct:
    """One record as it was. Raises Problem 404 when there was none."""

    def build(timeline: Timeline) -> msgspec.Struct:
        for item in _home(timeline, registry, at, is_listed=False):
            if item.id == id_:
                found: msgspec.Struct = item.shown
                return found
        raise Problem(404, f"There was no {registry} {id_[:255]!r} at {at.isoformat()}.")

    return await in_timeline(context, build)


def _home(timeline: Timeline, registry: str, at: datetime, *, is_listed: bool) -> list[_Item]:
    """The records of a registry at a time, by id, as the rows would show them."""
    home = read_home(timeline, at, (*_NEEDED, registry))
    places, body = places_then(home.records), BODIES[registry]
    platforms: dict[str | None, set[str]] = {}
    for record in home.records.values():
        if isinstance(record, Entity):
            platforms.setdefault(record.device_id, set()).add(record.platform.casefold())
    items = []
    for key, record in home.records.items():
        if key.registry != registry:
            continue
        derived = home.derived.get(key, _NOTHING)
        area = home.records.get(Key("area", derived.effective_area_id or ""))
        device = home.records.get(Key("device", getattr(record, "device_id", None) or ""))
        at_text = rfc3339(home.recorded_at[key])
        shown = body.of_record(record, derived, at_text, is_listed=is_listed, places=places)
        item = _Item(
            record.entity_id if isinstance(record, Entity) else key.id,
            shown,
            derived,
            frozenset(platforms.get(key.id, ()) if registry == "device" else ()),
            area.floor_id if isinstance(area, Area) else getattr(record, "floor_id", None),
            device if isinstance(device, Device) else None,
        )
        items.append(item)
    return sorted(items, key=attrgetter("id"))


BODIES: dict[str, BodyMaker[Any]] = {"device": DEVICES, "entity": ENTITIES, **SMALL}


def _is_wanted(item: _Item, filters: Sequence[Filter], words: Sequence[str]) -> bool:
    if not all(_FILTERS[name](value, item) for name, value in filters):
        return False
    if not words:
        return True
    text = msgspec.json.encode(item.shown).decode().casefold()
    return all(word in text for word in words)


def _sort(items: list[_Item], sort: str) -> None:
    name = sort.removeprefix("-")

    def value(item: _Item) -> tuple[bool, str]:
        found = getattr(item.shown, name)
        return found in (None, ""), str(found).casefold().rjust(20) if isinstance(found, int) else str(
            found
        ).casefold()

    items.sort(key=lambda item: value(item)[1], reverse=sort.startswith("-"))
    items.sort(key=lambda item: value(item)[0])


def _is_same(name: str) -> Callable[[Any, _Item], bool]:
    return lambda wanted, item: str(getattr(item.shown, name) or NONE).casefold() == str(wanted).casefold()


def _of_device(name: str, unknown: str) -> Callable[[Any, _Item], bool]:
    """A value of the device itself, or of an entity's device."""

    def check(wanted: str, item: _Item) -> bool:
        found = getattr(item.shown if isinstance(item.shown, DeviceBody) else item.device, name, None)
        return str(found or unknown).casefold() == wanted.casefold()

    return check


def _has_platform(wanted: str, item: _Item) -> bool:
    if isinstance(item.shown, DeviceBody):
        return wanted.casefold() in item.platforms
    return str(item.shown.platform).casefold() == wanted.casefold()


def _is_disabled(wanted: bool, item: _Item) -> bool:
    shown = item.shown
    if isinstance(shown, EntityBody):
        return shown.disabled == wanted
    return (getattr(shown, "status", "") == "disabled" or bool(getattr(shown, "disabled_by", None))) == wanted


# The filters that the store has, over what is shown.
_FILTERS: dict[str, Callable[[Any, _Item], bool]] = {
    "manufacturer": _of_device("manufacturer", "Unknown"),
    "model": _of_device("model", "Unknown"),
    "sw_version": _of_device("sw_version", NONE),
    "integration": _is_same("integration"),
    "domain": _is_same("domain"),
    "scope": _is_same("scope"),
    "source": _is_same("source"),
    "platform": _has_platform,
    "device_id": _is_same("device_id"),
    "area_id": lambda wanted, item: (item.derived.effective_area_id or NONE) == wanted,
    "floor_id": lambda wanted, item: (item.floor_id or NONE) == wanted,
    "label": lambda wanted, item: wanted in item.shown.labels,
    "alias": lambda wanted, item: any(wanted.casefold() in a.casefold() for a in item.shown.aliases),
    "has_aliases": lambda wanted, item: bool(item.shown.aliases) == wanted,
    "disabled": _is_disabled,
}
