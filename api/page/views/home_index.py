"""The index of the home for the page: every device in one line, by area.

Building it for 2,000 devices takes a few milliseconds; it is kept until the next commit.
"""

from collections.abc import Mapping, Sequence, Set
from operator import attrgetter

import msgspec

from api.ports import Filter, ReadTransaction, Row

ALL = 10_000_000
_DEVICE_COLUMNS = (
    *("effective_name", "name", "manufacturer", "model", "integration"),
    *("effective_area_id", "area_id", "entity_count", "disabled"),
)
ENTITY_LINE_COLUMNS = ("effective_name", "original_name", "disabled", "id")
WITHOUT_DEVICE: Filter = ("has_device", False)
PAST_REGISTRIES = frozenset({"area", "config_entry", "device", "entity", "floor", "label"})


class DeviceLine(msgspec.Struct, frozen=True, gc=False):
    """One device. `area_id` is where it effectively is."""

    id: str
    name: str
    manufacturer: str
    model: str
    integration: str
    area_id: str | None
    entity_count: int
    is_disabled: bool

    @property
    def made_by(self) -> str:
        """Manufacturer and model, as far as known."""
        return " · ".join(part for part in (self.manufacturer, self.model) if part)


class EntityLine(msgspec.Struct, frozen=True, gc=False):
    """One entity."""

    entity_id: str
    name: str
    is_disabled: bool = False
    id: str = ""  # the registry's id; a row of another program has none


class HomeIndex(msgspec.Struct, frozen=True):
    """Devices by area and name, areas in the user's order or by name, and records' names by (registry, id).

    `loose_count` entities belong to no device: automations, scenes, helpers. `area_entities` counts those that effectively
    are in each area, which need not be their device's.
    """

    devices: tuple[DeviceLine, ...]
    areas: dict[str | None, str]
    names: dict[tuple[str, str], str]
    entity_count: int
    loose_count: int = 0
    area_entities: Mapping[str, int] = {}


def index_of_rows(transaction: ReadTransaction, order: Mapping[str | None, int] | None = None) -> HomeIndex:
    """The index of the rows, with the areas in `order`, or by name: past records have no order.

    Call it in a job.
    """
    devices = [
        DeviceLine(
            id_,
            shown or name or id_,
            manufacturer or "",
            model or "",
            integration or "",
            area or own or None,
            count or 0,
            bool(disabled),
        )
        for id_, shown, name, manufacturer, model, integration, area, own, count, disabled in transaction.page(
            "device", _DEVICE_COLUMNS, [], "", ALL
        )
    ]
    names = {("device", device.id): device.name for device in devices}
    for registry, column in (
        ("area", "name"),
        ("floor", "name"),
        ("label", "name"),
        ("config_entry", "title"),
    ):
        rows = transaction.page(registry, (column,), [], "", ALL)
        names |= {(registry, id_): str(name) for id_, name in rows if name}
    if order is None:
        positions = transaction.page("area", ("position",), [], "", ALL)
        order = {id_: place for id_, place in positions if place is not None}
    area_entities = dict(transaction.facets("entity", ("area_id",), [])["area_id"])
    areas, ordered = _placed(devices, names, order, area_entities.keys())
    return HomeIndex(
        ordered,
        areas,
        names,
        transaction.count("entity", []),
        transaction.count("entity", [WITHOUT_DEVICE]),
        area_entities,
    )


def entities_of_rows(
    transaction: ReadTransaction, words: Sequence[str], limit: int
) -> tuple[list[EntityLine], int]:
    """(the first entities with all these words, the number of all). Call it in a job."""
    found = transaction.found("entity", words)
    rows = transaction.keyed("entity", ENTITY_LINE_COLUMNS, found[:limit])
    return [entity_line(row) for row in rows], len(found)


def entity_line(row: Row) -> EntityLine:
    """An entity from its key and ENTITY_LINE_COLUMNS."""
    entity_id, shown, own, disabled, id_ = row
    return EntityLine(entity_id, shown or own or entity_id, bool(disabled), id_ or "")


class KeptIndex:
    """The newest index, valid until a commit changes the data version. For one event loop."""

    def __init__(self) -> None:
        self._kept: tuple[int, HomeIndex] | None = None

    def get(self, data_version: int | None) -> HomeIndex | None:
        """The index, if it is still valid."""
        return self._kept[1] if self._kept and self._kept[0] == data_version else None

    def put(self, data_version: int | None, index: HomeIndex) -> None:
        """Keep an index that was built after the data version was taken."""
        self._kept = None if data_version is None else (data_version, index)


def _placed(
    devices: list[DeviceLine],
    names: dict[tuple[str, str], str],
    order: Mapping[str | None, int],
    with_entities: Set[str],
) -> tuple[dict[str | None, str], tuple[DeviceLine, ...]]:
    """The areas by id and the devices, both in the order in which they are shown."""
    held = {device.area_id for device in devices} | {None if id_ == "-" else id_ for id_ in with_entities}
    # Includes empty areas; an area without a name is shown by its id. What is in none comes last.
    ids = {id_ for registry, id_ in names if registry == "area"} | (held - {None})
    called: dict[str | None, str] = {id_: names.get(("area", str(id_)), str(id_)) for id_ in ids}
    # In the user's order; areas without a position follow, by name.
    areas = dict(
        sorted(
            called.items(),
            key=lambda item: (order.get(item[0], float("inf")), item[1].casefold(), str(item[0])),
        )
    )
    if None in held:
        areas[None] = "No area"
    places = {id_: place for place, id_ in enumerate(areas)}
    # Sorted by one key after the other, the least significant first: sorting by tuples takes twice the time.
    ordered = sorted(devices, key=attrgetter("id"))
    ordered.sort(key=lambda device: device.name.casefold())
    ordered.sort(key=lambda device: places[device.area_id])
    return areas, tuple(ordered)
