"""Searching devices: every way there finds the same, and each question looks at a bounded number of rows."""

from itertools import product
from pathlib import Path

import pytest

from api.fleet.queries import ViewedDevicesQuery
from engine.fleet_view.view_file import device_search
from engine.fleet_view.view_file.reading import ViewReader
from tests.examples import first_quick
from tests.fleet_view.viewed import reader_of, said_device, said_site

ROOMS, THINGS = ("Kitchen", "Kiosk", "Küche"), ("lamp", "lantern", "plug")


@pytest.fixture
def reader(tmp_path: Path) -> ViewReader:
    said = [
        said_device(f"home-{site}", f"d{site}-{number}", f"{room} {thing} {number}", model=thing)
        for site in range(8)
        for number, (room, thing) in enumerate(product(ROOMS, THINGS))
    ]
    tags = [said_site(f"home-{site}", tags=("even",)) for site in range(0, 8, 2)]
    return reader_of(tmp_path, *said, *tags)


def pages(reader: ViewReader, **query: object) -> list[str]:
    """All pages, one behind the other."""
    found: list[str] = []
    after: str | None = ""
    for _ in range(1000):
        with reader.transaction() as transaction:
            devices, after = transaction.devices(ViewedDevicesQuery(after=after or "", **query))  # type: ignore[arg-type]
        found += [f"{device.site}/{device.name}" for device in devices]
        if after is None:
            return found
    raise AssertionError("it does not end")


QUERIES: list[dict[str, object]] = [
    {},
    {"q": "lamp"},
    {"q": "ki la"},
    {"q": "KUCHE Plug"},
    {"q": "k l 1"},
    {"q": "nothing"},
    {"q": "lamp nothing"},
    {"model": "PLUG"},
    {"model": "plug", "q": "kit"},
    {"model": "none such"},
    {"site": "home-3", "q": "la"},
    {"site": "nowhere"},
    {"tag": "even"},
    {"tag": "even", "q": "kiosk", "model": "lamp"},
    {"tag": "odd"},
    {"tag": "even", "site": "home-1"},
]
WAYS: dict[str, dict[str, float]] = {
    "the index": {},
    "the index, all words of a beginning": {"_BEGINNINGS_MAX": 0},
    "rows, for words": {"_BEGINNINGS_MAX": 0, "_RARE_DEVICES_MAX": 0},
    "rows, for models": {"_MODELS_MAX": 0},
    "rows, for homes": {"_FEW_SITES": 0, "_FEW_SITES_SHARE": 0.0},
    "few rows at a time": {"ROWS_MAX": 3, "_BEGINNINGS_MAX": 0, "_RARE_DEVICES_MAX": 0, "_MODELS_MAX": 0},
}


@pytest.mark.parametrize("query", first_quick(QUERIES, 3), ids=str)
def test_every_way_finds_the_same(
    reader: ViewReader, query: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for way, limits in WAYS.items():
        with monkeypatch.context() as patch:
            for name, value in limits.items():
                patch.setattr(device_search, name, value)
            for limit in (1, 4, 1000):
                found[way, limit] = pages(reader, limit=limit, **query)
    first = found["the index", 1000]
    assert len(first) == len(set(first))
    assert {key: names == first for key, names in found.items()} == dict.fromkeys(found, True)


def test_the_devices_that_a_search_finds(reader: ViewReader) -> None:
    assert len(pages(reader)) == 72
    assert len(pages(reader, q="la")) == 48
    assert len(pages(reader, q="kuche")) == 24
    assert {name.partition("/")[0] for name in pages(reader, tag="even")} == {
        f"home-{n}" for n in (0, 2, 4, 6)
    }
    assert pages(reader, site="home-3", q="plug kit") == ["home-3/Kitchen plug 2"]
    assert pages(reader, q="!?") == []


def test_a_page_ends_where_enough_was_looked_at(reader: ViewReader, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ROWS_MAX": 10, "_BEGINNINGS_MAX": 0, "_RARE_DEVICES_MAX": 0}.items():
        monkeypatch.setattr(device_search, name, value)
    with reader.transaction() as transaction:
        devices, after = transaction.devices(ViewedDevicesQuery(q="kiosk lamp plug"))
    assert devices == []
    assert after is not None
