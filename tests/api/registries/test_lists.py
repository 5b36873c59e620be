"""Every list can be searched, sorted, cut to some fields, and given as CSV, now and then."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.core.records.record import Area, Floor
from tests.api.serving import Api, MemoryTimeline, api_over, write_home
from tests.commandline.reports import foreign
from tests.examples import first_quick
from tests.homes import ENTRY, device, entity, snapshot

AT = "&at=2026-11-23T12:00:00Z"
HOME = snapshot(
    ENTRY,
    Floor(floor_id="up", name="Upstairs"),
    Area(area_id="attic", name="Attic", floor_id="up"),
    Area(area_id="den", name="Den"),
    device(1, name="Zebra", area_id="attic", sw_version="1.0", manufacturer="ÄCME", hw_version="rev b"),
    device(2, name="apple", sw_version="2.0", disabled_by="user"),
    device(3, name="Mango", area_id="den"),
    entity(1, entity_id="light.zebra", device_id=device(1).id, name="Lamp", aliases=("Glow",)),
    entity(2, entity_id="sensor.loose", original_name="Loose", capabilities={"b": 1, "a": 2}),
)
LISTS = ("devices", "entities", "areas", "floors", "labels", "categories", "integrations")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    reported = await write_home(tmp_path / "rows.db", HOME)
    mock = foreign("Mango", key=device(3).id)
    reported = msgspec.structs.replace(reported, records=(mock,))
    async with api_over(tmp_path / "rows.db", reported, timeline=MemoryTimeline(HOME.home.records)) as made:
        yield made


async def names(api: Api, asked: str, name: str = "devices", field: str = "name") -> list[str]:
    return [row[field] for row in (await api.get(f"/api/{name}?{asked}"))[name]]


@pytest.mark.parametrize("at", first_quick(["", AT]))
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("sort=name", ["apple", "Mango", "Zebra"]),
        ("sort=-name", ["Zebra", "Mango", "apple"]),
        ("sort=sw_version", ["Zebra", "apple", "Mango"]),
        ("q=ZEB", ["Zebra"]),
        ("q=\u00e4cme", ["Zebra"]),
        ("q=apple+zebra", []),
        ("floor_id=up", ["Zebra"]),
        ("floor_id=-&sort=name", ["apple", "Mango"]),
        ("sw_version=2.0", ["apple"]),
        ("sw_version=-", ["Mango"]),
        ("disabled=true", ["apple"]),
        ("disabled=false&sort=name", ["Mango", "Zebra"]),
    ],
)
async def test_devices_are_found_and_sorted(api: Api, asked: str, found: list[str], at: str) -> None:
    assert await names(api, asked + at) == found


async def test_sorted_lists_have_pages(api: Api) -> None:
    first = await api.get("/api/devices?sort=name&limit=2")
    rest = await api.get(f"/api/devices?sort=name&limit=2&after={first['next']}")
    assert [d["name"] for d in (*first["devices"], *rest["devices"])] == ["apple", "Mango", "Zebra"]
    assert (first["total"], rest["next"]) == (3, None)


async def test_a_sorted_list_goes_on_behind_a_row_that_stopped_matching(api: Api) -> None:
    after = f"after={device(3).id}"  # Mango, which is enabled
    assert await names(api, f"sort=name&disabled=true&{after}") == []
    assert await names(api, f"sort=-name&disabled=true&{after}") == ["apple"]


@pytest.mark.parametrize("at", first_quick(["", AT]))
async def test_a_sorted_list_does_not_begin_again_behind_a_row_that_is_gone(api: Api, at: str) -> None:
    gone = await api.get(f"/api/devices?sort=name&after=gone{at}", 410)
    assert (
        gone["detail"] == "There is no device 'gone' any more to continue after. List again without `after`."
    )


async def test_a_verdict_is_a_filter_of_now(api: Api) -> None:
    assert await names(api, "state=foreign") == ["Mango"]
    assert await names(api, "state=real&sort=name") == ["apple", "Zebra"]
    assert await names(api, "state=drifted") == []
    assert await names(api, f"state=real{AT}") == [], "the past has none"
    await api.get(f"/api/devices?state=real&area_id=nowhere{AT}", 404)


async def test_a_verdict_does_not_hide_that_nothing_is_known_of_a_time(api: Api) -> None:
    early = "at=1971-01-01T00:00:00Z"
    refused = await api.get(f"/api/devices?{early}", 404)
    assert (await api.get(f"/api/devices?state=real&{early}", 404))["detail"] == refused["detail"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("at", first_quick(["", AT]))
async def test_every_list_knows_every_form(api: Api, name: str, at: str) -> None:
    whole = await api.get(
        f"/api/{name}?q=e&sort=name&limit=10{at}" if name != "integrations" else f"/api/{name}?sort=title{at}"
    )
    assert whole["count"] == len(whole[name])
    field = "title" if name == "integrations" else "name"
    cut = await api.get(f"/api/{name}?fields={field}{at}")
    assert all(set(row) == {field} for row in cut[name])
    response = await api.client.get(f"/api/{name}?fields={field}{at}", headers={"accept": "text/csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row[field] for row in csv.DictReader(io.StringIO(response.text))] == [
        str(r[field] or "") for r in cut[name]
    ]
    for wrong in ("sort=nothing", "fields=name,nothing", "fields=,", "format=xml"):
        await api.get(f"/api/{name}?{wrong}", 400)


async def test_names_are_those_the_user_knows(api: Api) -> None:
    (zebra,) = (await api.get("/api/devices?q=zebra"))["devices"]
    assert (zebra["effective_name"], zebra["effective_area_id"], zebra["area_name"]) == (
        "Zebra",
        "attic",
        "Attic",
    )
    assert (zebra["floor_id"], zebra["floor_name"], zebra["hw_version"]) == ("up", "Upstairs", "rev b")
    (lamp,) = (await api.get("/api/entities?q=glow"))["entities"]
    assert (lamp["id"], lamp["effective_area_id"], lamp["floor_name"]) == (entity(1).id, "attic", "Upstairs")
    loose = await api.get("/api/entities/sensor.loose")
    assert (loose["capabilities"], loose["capability_attributes"]) == (["a", "b"], {"a": 2, "b": 1})


async def test_then_has_the_fields_of_now(api: Api) -> None:
    for name in ("devices", "entities"):
        now, then = await api.get(f"/api/{name}"), await api.get(f"/api/{name}?x=1".replace("x=1", AT[1:]))
        for a, b in zip(now[name], then[name], strict=True):
            assert {k: v for k, v in a.items() if k not in ("timestamp", "sync")} == {
                k: v for k, v in b.items() if k not in ("timestamp", "sync")
            }


async def test_a_record_is_found_by_its_former_name(api: Api, tmp_path: Path) -> None:
    renamed = snapshot(
        *[r for r in HOME.home.records.values() if r.key != device(3).key], device(3, name="Pear")
    )
    await write_home(tmp_path / "rows.db", renamed, "r2")
    assert await names(api, "q=mango") == ["Pear"]


async def test_one_record_of_every_registry_and_the_entities_of_an_area(api: Api) -> None:
    attic = await api.get("/api/areas/attic")
    assert (attic["floor_name"], attic["entity_count"], attic["domains"]) == ("Upstairs", 1, ["light"])
    assert (await api.get("/api/floors/up"))["name"] == "Upstairs"
    assert (await api.get(f"/api/integrations/{ENTRY.entry_id}"))["state"] == "unknown"
    assert (await api.get("/api/labels/none", 404))["detail"] == "There is no label 'none'."
    found = await api.get("/api/entities/by-area/attic")
    assert [e["entity_id"] for e in found["entities"]] == ["light.zebra"]
    elsewhere = (await api.client.get("/api/entities/by-area/nowhere?state=real")).json()
    history = (
        await api.client.get("/api/entities/by-area/history?state=real")
    ).json()  # the area, and no entity's past
    assert str(history) == str(elsewhere).replace("nowhere", "history")


@pytest.mark.parametrize("at", first_quick(["", AT]))
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("devices?area_id=nowhere", "area 'nowhere'"),
        ("devices?floor_id=cellar", "floor 'cellar'"),
        ("devices?label=", "label ''"),
        ("devices?area_id=ATTIC", "area 'ATTIC'"),
        ("devices?floor_id=UP", "floor 'UP'"),
        ("entities/by-area/ATTIC?limit=5", "area 'ATTIC'"),
        ("entities?device_id=nothing", "device 'nothing'"),
        ("entities?label=none&domain=light", "label 'none'"),
        ("areas?floor_id=cellar&q=attic", "floor 'cellar'"),
        ("entities/by-area/nowhere?limit=5", "area 'nowhere'"),
    ],
)
async def test_a_filter_for_something_unknown_is_an_error_and_not_an_empty_list(
    api: Api, asked: str, named: str, at: str
) -> None:
    assert (await api.get(f"/api/{asked}{at}", 404))["detail"] == f"There is no {named}."


async def test_an_area_that_rows_still_name_and_one_without_rows_are_no_error(
    api: Api, tmp_path: Path
) -> None:
    assert (await api.get(f"/api/entities?device_id={device(2).id.upper()}"))["total"] == 0
    assert (await api.get("/api/areas?floor_id=-&q=attic"))["total"] == 0
    left = snapshot(*[r for r in HOME.home.records.values() if r.key != ("area", "attic")])
    await write_home(tmp_path / "rows.db", left, "r2")
    assert (await api.get("/api/devices?area_id=attic"))["total"] == 1
    assert (await api.get("/api/devices?area_id=attic&q=nothing"))["total"] == 0


async def test_the_entities_of_an_area_cannot_be_asked_for_those_of_another(api: Api) -> None:
    refused = await api.get("/api/entities/by-area/attic?area_id=den", 400)
    assert refused["detail"].startswith("Unknown query parameter: area_id.")
