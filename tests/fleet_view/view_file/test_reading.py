"""Answers about devices and models."""

from pathlib import Path
from typing import Any

import pytest

from api.fleet.bodies import FleetDevice, FleetModel
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery
from engine.errors import ReplicaUnavailable
from engine.fleet_view.view_file.reading import ViewReader
from tests.fleet_view.viewed import opened, raw, reader_of, said_device, said_site, send

SAID = (
    said_device("a", "d1", "Lamp", model="Hue", sw_version="1"),
    said_device("a", "d2", "Lamp 2", model="Hue", sw_version="1"),
    said_device("b", "d1", "Plug", model="Hue", sw_version="2", hw_version="r3"),
    said_device("b", "d2", None, model=None, manufacturer=None, sw_version=None),
    said_site("a", tags=("west", "big")),
    said_site("b", tags=("westend",)),
)


def devices(reader: ViewReader, **query: object) -> list[str]:
    with reader.transaction() as transaction:
        found, _ = transaction.devices(ViewedDevicesQuery(**query))  # type: ignore[arg-type]
    return sorted(f"{device.site}/{device.id}" for device in found)


def test_filters_are_those_of_one_home(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, *SAID)
    assert devices(reader, manufacturer="SIGNIFY") == ["a/d1", "a/d2", "b/d1"]
    assert devices(reader, manufacturer="unknown") == ["b/d2"]
    assert devices(reader, model="Unknown") == ["b/d2"]
    assert devices(reader, sw_version="-") == ["b/d2"]
    assert devices(reader, model="hue", sw_version="2") == ["b/d1"]
    assert devices(reader, tag="west") == ["a/d1", "a/d2"]
    assert devices(reader, tag="wes") == []
    with reader.transaction() as transaction:
        found, more = transaction.devices(ViewedDevicesQuery(sw_version="2"))
        assert (found, more) == ([FleetDevice("b", "d1", "Plug", "Signify", "Hue", "2", "r3")], None)
        empty, _ = transaction.devices(ViewedDevicesQuery(sw_version="-"))
        assert empty == [FleetDevice("b", "d2", None, None, None, None, None)]


def test_models_are_counted_over_homes(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, *SAID)
    with reader.transaction() as transaction:
        assert transaction.models(ViewedModelsQuery()) == (
            [
                FleetModel("Signify", "Hue", "1", 2, 1),
                FleetModel(None, None, None, 1, 1),
                FleetModel("Signify", "Hue", "2", 1, 1),
            ],
            3,
        )
        assert transaction.models(ViewedModelsQuery(tag="westend", limit=1)) == (
            [FleetModel(None, None, None, 1, 1)],
            2,
        )
        assert transaction.models(ViewedModelsQuery(tag="east")) == ([], 0)
        assert transaction.count_devices() == 4


def test_models_are_counted_as_their_filters_find_them(tmp_path: Path) -> None:
    """A maker that is called Unknown cannot be told from none by the filter, and is counted with those."""
    said = (
        said_device("a", "d1", manufacturer=None, model=None, sw_version=None),
        said_device("a", "d2", manufacturer="", model="Unknown", sw_version="-"),
        said_device("a", "d3", manufacturer="Unknown", model="", sw_version=""),
        said_device("b", "d4", manufacturer="unknown", model=None, sw_version="-"),
        said_device("b", "d5", manufacturer="SIGNIFY", model="hue"),
        said_device("b", "d6", manufacturer="Signify", model="Hue"),
        said_device("a", "d7", manufacturer="Signify", model="Hue"),
        said_device("a", "d8", manufacturer="Signify", model="Hue", sw_version="1.2b"),
        said_site("a", tags=("west",)),
        said_site("b", tags=("west", "east")),
    )
    reader = reader_of(tmp_path, *said)
    assert devices(reader, manufacturer="Unknown") == ["a/d1", "a/d2", "a/d3", "b/d4"]
    for tag in (None, "west", "east"):
        asked: dict[str, Any] = {} if tag is None else {"tag": tag}
        with reader.transaction() as transaction:
            models, total = transaction.models(ViewedModelsQuery(**asked))
        assert total == len(models) == (2 if tag == "east" else 3)
        for model in models:
            found = devices(
                reader,
                manufacturer=model.manufacturer or "Unknown",
                model=model.model or "Unknown",
                sw_version=model.sw_version or "-",
                **asked,
            )
            assert (model.devices, model.sites) == (len(found), len({name[0] for name in found}))
    with reader.transaction() as transaction:
        (page, total) = transaction.models(ViewedModelsQuery(limit=1))
    assert (page[0].devices, total) == (4, 3)


def test_a_page_goes_on_behind_a_device_or_a_home_that_is_gone(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, *(said_device(site, f"d{n}", "Lamp") for site in "abc" for n in range(3)))
    with reader.transaction() as transaction:
        every, _ = transaction.devices(ViewedDevicesQuery())
        for place, device in enumerate(every):
            after = f"{device.site}/{device.id}"
            assert transaction.devices(ViewedDevicesQuery(after=after))[0] == every[place + 1 :]
        for after in ("gone/d1", "a/gone", "x/", "/", "a/"):
            rest, _ = transaction.devices(ViewedDevicesQuery(after=after))
            assert rest == every[len(every) - len(rest) :]
        assert transaction.devices(ViewedDevicesQuery(after="no cursor"))[0] == every


@pytest.mark.parametrize(
    "text",
    ['"', "'; DROP TABLE device;--", "(", "*", "a OR b", "NEAR(a b)", "§1", "\x00", "lamp\x00", "%", "{}:^"],
)
def test_what_is_searched_is_never_part_of_a_statement(tmp_path: Path, text: str) -> None:
    reader = reader_of(tmp_path, *SAID)
    for name in ("q", "manufacturer", "model", "sw_version", "site", "tag", "after"):
        devices(reader, **{name: text})


def test_a_file_in_which_there_is_nothing_yet_is_unavailable(tmp_path: Path) -> None:
    with (
        pytest.raises(ReplicaUnavailable, match="Nothing was read"),
        ViewReader(tmp_path / "x.db").transaction(),
    ):
        pass
    store = opened(tmp_path)
    reader = ViewReader(tmp_path / "view.db")
    assert devices(reader) == []
    send(store, said_device("a", "d1"), raw("p.device", b"x", b"", "a"))
    assert devices(reader) == ["a/d1"]
    with reader.transaction() as transaction:
        assert transaction.oddities() == {"foreign": 1, "newer": 0, "unreadable": 0}
    reader.close()
    assert devices(reader) == ["a/d1"]
