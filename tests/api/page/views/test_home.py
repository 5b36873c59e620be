"""The home section: the results of a query on an index."""

import pytest

from api.http.problems import Problem
from api.page.views.home import NO_AREA, PAGE_SIZE, HomeQuery, home_view
from api.page.views.home_index import DeviceLine, EntityLine, HomeIndex

AREAS: dict[str | None, str] = {"attic": "Attic", "kitchen": "Küche", None: "No area"}


def line(number: int, area: str | None = "kitchen", **given: str) -> DeviceLine:
    name = given.get("name", f"Lamp {number}")
    maker = given.get("manufacturer", "ACME")
    return DeviceLine(f"d{number:04}", name, maker, "Lamp", "demo", area, 2, is_disabled=False)


INDEX = HomeIndex(
    (line(1), line(2, manufacturer="Éclair"), line(3, None)),
    AREAS,
    {},
    9,
    3,
    {"attic": 1, "kitchen": 4, NO_AREA: 2},
)


def names(query: HomeQuery, index: HomeIndex = INDEX) -> list[str]:
    texts = {d.id: f"{d.name}\n{d.made_by}".casefold() for d in index.devices}
    return [d.id for group in home_view(index, query, ([], 0), texts).groups for d in group.devices]


def test_everything_is_shown_by_area() -> None:
    view = home_view(INDEX, HomeQuery(), ([], 0))
    assert [(g.name, [d.id for d in g.devices]) for g in view.groups] == [
        ("Küche", ["d0001", "d0002"]),
        ("No area", ["d0003"]),
    ]
    assert [(a.id, a.devices, a.entities) for a in view.areas] == [
        ("attic", 0, 1),  # an entity need not be where its device is
        ("kitchen", 2, 4),
        (NO_AREA, 1, 2),
    ]
    assert view.area_count == 2  # no area is no area
    assert (view.device_count, view.entity_count, view.loose_count) == (3, 9, 3)


def test_a_search_matches_every_word_ignoring_case() -> None:
    assert names(HomeQuery(q="LAMP éclair")) == ["d0002"]
    assert names(HomeQuery(q="KÜCHE")) == ["d0001", "d0002"]
    assert names(HomeQuery(q="lamp nothing")) == []


def test_an_area_and_no_area_can_be_chosen() -> None:
    assert names(HomeQuery(area="kitchen")) == ["d0001", "d0002"]
    assert names(HomeQuery(area=NO_AREA)) == ["d0003"]
    with pytest.raises(Problem, match="There is no area 'nowhere'"):
        names(HomeQuery(area="nowhere"))
    assert [a.id for a in home_view(INDEX, HomeQuery(area=NO_AREA), ([], 0)).areas if a.is_chosen] == [
        NO_AREA
    ]


def test_pages_hold_every_device_once() -> None:
    index = HomeIndex(tuple(line(n) for n in range(PAGE_SIZE + 1)), AREAS, {}, 0)
    assert len(names(HomeQuery(), index)) == PAGE_SIZE
    assert names(HomeQuery(page=2), index) == [f"d{PAGE_SIZE:04}"]
    assert home_view(index, HomeQuery(page=77), ([], 0)).page == 2


def test_found_entities_are_passed_on_and_loose_ones_stand_alone() -> None:
    found = ([EntityLine("light.a", "A")], 7)
    view = home_view(INDEX, HomeQuery(loose=True), found)
    assert (view.groups, view.entities, view.entities_found) == ([], found[0], 7)
