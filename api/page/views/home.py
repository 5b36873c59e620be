"""The home section: areas with their counts, and one page of devices by area, or of search results."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from api.http.problems import Problem
from api.http.queries import Text
from api.page.templates import link
from api.page.views.home_index import DeviceLine, EntityLine, HomeIndex
from api.page.wording import registry_text

PAGE_SIZE = 100
HITS_MAX = 50
NO_AREA = "-"  # no area has this id: Home Assistant's ids consist of letters, digits and _


class HomeQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of the home to show, and the time."""

    q: Text = ""
    area: Text = ""
    loose: bool = False
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    at: Annotated[str, Meta(max_length=40)] = ""

    @property
    def words(self) -> list[str]:
        """The words of the search."""
        return self.q.casefold().split()


class AreaView(msgspec.Struct, frozen=True):
    """One area of the whole home."""

    id: str
    name: str
    devices: int
    entities: int
    is_chosen: bool


class AreaDevicesView(msgspec.Struct, frozen=True):
    """Devices of one area on this page."""

    name: str
    devices: list[DeviceLine]


class HomeView(msgspec.Struct, frozen=True):
    """The section. `found`: the number of devices that match the query, on all pages. "No area" is not counted as an area."""

    areas: list[AreaView]
    area_count: int
    groups: list[AreaDevicesView]
    entities: list[EntityLine]
    entities_found: int
    found: int
    page: int
    pages: int
    device_count: int
    entity_count: int
    loose_count: int


def home_view(
    index: HomeIndex,
    query: HomeQuery,
    entities: tuple[list[EntityLine], int],
    texts: Mapping[str, str] = {},
) -> HomeView:
    """The section for a query; `entities` are the ones found, and their number.

    `texts` has all text about each device, in lower case, for a search. Raises Problem 404 for an unknown area.
    """
    if query.area and query.area != NO_AREA and query.area not in index.areas:
        raise Problem(404, f"There is no area {query.area!r}.")
    found = [] if query.loose else _found(index, query, texts)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(query.page, pages)
    groups: dict[str | None, list[DeviceLine]] = {}
    for device in found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
        groups.setdefault(device.area_id, []).append(device)
    return HomeView(
        areas=[] if query.words else _areas(index, query),  # a search covers all areas
        area_count=sum(id_ is not None for id_ in index.areas),
        groups=[AreaDevicesView(index.areas[id_], devices) for id_, devices in groups.items()],
        entities=entities[0],
        entities_found=entities[1],
        found=len(found),
        page=page,
        pages=pages,
        device_count=len(index.devices),
        entity_count=index.entity_count,
        loose_count=index.loose_count,
    )


def _found(index: HomeIndex, query: HomeQuery, texts: Mapping[str, str]) -> list[DeviceLine]:
    wanted = None if query.area == NO_AREA else query.area
    found: Sequence[DeviceLine] = index.devices
    if query.area:
        found = [device for device in found if device.area_id == wanted]
    areas = {id_: name.casefold() for id_, name in index.areas.items()}
    for word in query.words:
        found = [d for d in found if word in texts.get(d.id, "") or word in areas[d.area_id]]
    return list(found)


def other_pages(index: HomeIndex) -> dict[str, list[tuple[str, str]]]:
    """(name, page) of the floors, labels and integrations, by name."""
    others = {}
    for registry in ("floor", "label", "config_entry"):
        page = registry_text(registry)
        found = [(name, link(page, id=id_)) for (of, id_), name in index.names.items() if of == registry]
        if found:
            others[f"{page}s"] = sorted(found, key=lambda item: item[0].casefold())
    return others


def _areas(index: HomeIndex, query: HomeQuery) -> list[AreaView]:
    devices = Counter(device.area_id for device in index.devices)
    entities = index.area_entities
    return [
        AreaView(
            id_ or NO_AREA,
            name,
            devices[id_],
            entities.get(id_ or NO_AREA, 0),
            query.area == (id_ or NO_AREA),
        )
        for id_, name in index.areas.items()
    ]
