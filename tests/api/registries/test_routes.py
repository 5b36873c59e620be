"""Registry routes over real records: every row once, every filter, HomeIQ's shapes, and 304 before any row."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.registries.bodies.devices_and_entities import DeviceBody, EntityBody
from engine.core.records.record import Area, Key
from engine.core.state.report import Report
from tests.api.serving import Api, api_over, write_home
from tests.examples import at_most, first_quick
from tests.homes import ENTRY, device, entity, snapshot
from tests.replicas.passes import sql

LISTS = ("devices", "entities", "areas", "floors", "labels", "categories", "integrations")
TABLES = {"integrations": "config_entries"}


async def collect(api: Api, name: str, limit: int, **query: str) -> list[dict[str, Any]]:
    """All pages of a list, following the Link headers."""
    url: str | None = f"/api/{name}?{urlencode({'limit': limit, **query})}"
    rows: list[dict[str, Any]] = []
    while url is not None:
        response = await api.client.get(url)
        page = response.json()
        assert page["count"] == len(page[name]) <= limit
        rows += page[name]
        link = response.headers.get("link")
        assert (link is None) == (page["next"] is None)
        url = None if link is None else f"/api/{name}{link[1 : link.index('>')]}"
        if url is not None:
            assert f"after={quote(page['next'], safe='')}" in url
        else:
            assert page["total"] == len(rows)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("name", first_quick(LISTS))
async def test_pages_hold_every_row_exactly_once_with_any_limit(
    name: str, sample: tuple[Path, Report]
) -> None:
    (count,) = sql(sample[0], f"SELECT count(*) FROM {TABLES.get(name, name)}")[0]
    async with api_over(*sample) as api:
        whole = await collect(api, name, 1000)
        assert len(whole) == count
        assert whole == [dict(row) for row in {str(row): row for row in whole}.values()]
        for limit in (1, 2, 3, 7, len(whole)):
            assert await collect(api, name, limit) == whole


async def test_areas_come_in_the_users_order_and_go_on_behind_one_that_is_gone(tmp_path: Path) -> None:
    areas = [Area(area_id=name, name=name) for name in "abcd"]
    positions = {Key("area", name): place for place, name in enumerate("dbc")}
    home = snapshot(ENTRY, *areas, positions=positions)
    await write_home(tmp_path / "rows.db", home)
    async with api_over(tmp_path / "rows.db") as api:
        rows = await collect(api, "areas", 2)
        assert [(row["area_id"], row["position"]) for row in rows] == [
            ("d", 0),
            ("b", 1),
            ("c", 2),
            ("a", None),
        ]
        page = await api.get("/api/areas?after=bb")
        assert [row["area_id"] for row in page["areas"]] == ["d", "c"]


@settings(
    max_examples=at_most(15, fast=2),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(limit=st.integers(1, 200), domain=st.sampled_from(["sensor", "LIGHT", "none", "switch"]))
def test_filtered_pages_hold_every_row_exactly_once(
    sample: tuple[Path, Report], limit: int, domain: str
) -> None:
    async def check() -> None:
        async with api_over(*sample) as api:
            rows = await collect(api, "entities", limit, domain=domain)
            everything = await collect(api, "entities", 10_000)
            assert rows == [row for row in everything if row["domain"] == domain.lower()]

    anyio.run(check)


async def filtered(api: Api, name: str, query: str) -> set[str]:
    body = await api.get(f"/api/{name}?limit=1000&{query}")
    assert body["total"] == body["count"]
    return {row["device_id" if name == "devices" else "entity_id"] for row in body[name]}


async def test_every_filter(tmp_path: Path) -> None:
    a, b, c = (device(n).id for n in (1, 2, 3))
    home = snapshot(
        ENTRY,
        device(1, manufacturer="Acme", model="One", area_id="attic", labels=("new", "red")),
        device(2, manufacturer="ACME", model="Two", labels=("new",)),
        device(3, parent_device_id=a),
        entity(1, platform="hue", device_id=a, labels=("x", "y"), aliases=(None, "Big Lamp")),
        entity(2, platform="Zha", device_id=b, labels=("x",), disabled_by="user"),
        entity(3, entity_id="light.l", area_id="attic", aliases=("Lämpchen",)),
    )
    one, two, three = "sensor.s1", "sensor.s2", "light.l"
    expected = {
        "devices": {
            "manufacturer=acme": {a, b},
            "manufacturer=unknown": {c},
            "model=one": {a},
            "model=Unknown": {c},
            "area_id=attic": {a, c},
            "platform=HUE": {a},
            "platform=zha": {b},
            "label=new": {a, b},
            "label=new&manufacturer=acme&model=two": {b},
        },
        "entities": {
            "domain=sensor": {one, two},
            "domain=LIGHT": {three},
            "platform=ZHA": {two},
            f"device_id={a.upper()}": {one},
            "area_id=attic": {one, three},
            "label=x": {one, two},
            "label=x&label=y": {one},
            "alias=big": {one},
            "alias=%25": set(),
            "has_aliases=true": {one, three},
            "has_aliases=false": {two},
            "disabled=true": {two},
            "disabled=false": {one, three},
        },
    }
    await write_home(tmp_path / "rows.db", home)
    async with api_over(tmp_path / "rows.db") as api:
        for name, queries in expected.items():
            for query, found in queries.items():
                assert await filtered(api, name, query) == found, query
        await api.get("/api/devices?label=ne", 404)  # a label's whole id, which no label has


async def test_lists_have_homeiqs_shape(api: Api) -> None:
    devices = await api.get("/api/devices?limit=2")
    assert devices["count"] == len(devices["devices"]) == 2
    assert (devices["limit"], devices["total"] > 2, devices["next"] is not None) == (2, True, True)
    assert tuple(devices["devices"][0]) == DeviceBody.__struct_fields__
    entities = await api.get("/api/entities")
    assert (entities["count"], entities["limit"]) == (100, 100)
    assert tuple(entities["entities"][0]) == EntityBody.__struct_fields__
    for name in LISTS:
        body = await api.get(f"/api/{name}")
        assert {name, "count", "total", "next", "revision"} <= set(body)


async def test_unknown_is_shown_in_lists_and_null_elsewhere(tmp_path: Path) -> None:
    await write_home(tmp_path / "rows.db", snapshot(ENTRY, device(1), entity(1)))
    sql(tmp_path / "rows.db", "UPDATE entities SET platform = NULL")
    async with api_over(tmp_path / "rows.db") as api:
        (listed,) = (await api.get("/api/devices"))["devices"]
        one = await api.get(f"/api/devices/{device(1).id}")
        assert (listed["manufacturer"], listed["model"]) == ("Unknown", "Unknown")
        assert (one["manufacturer"], one["model"]) == (None, None)
        (listed,) = (await api.get("/api/entities"))["entities"]
        assert listed["platform"] == "unknown"
        assert (await api.get("/api/entities/sensor.s1"))["platform"] is None


async def test_a_missing_record_is_404(api: Api) -> None:
    assert "'light.none'" in (await api.get("/api/entities/light.none", 404))["detail"]
    await api.get("/api/devices/none", 404)


async def test_an_unchanged_answer_is_304_before_any_row_is_read(rows: Path) -> None:
    async with api_over(rows) as api:
        first = await api.client.get("/api/devices?limit=3")
        etag = first.headers["etag"]
        assert etag.startswith('W/"r')
        assert first.headers["cache-control"] == "no-cache"
        pages = api.rows_reader.pages
        for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
            again = await api.client.get("/api/devices?limit=3", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert api.rows_reader.pages == pages
        other = await api.client.get("/api/devices?limit=4", headers={"if-none-match": etag})
        assert other.status_code == 200


async def test_a_commit_by_any_program_makes_a_new_answer(rows: Path) -> None:
    async with api_over(rows) as api:
        first = await api.client.get("/api/devices?limit=1")
        id_ = first.json()["devices"][0]["device_id"]
        sql(rows, "UPDATE devices SET name = 'Mocked' WHERE device_id = ?", id_)
        later = await api.client.get("/api/devices?limit=1", headers={"if-none-match": first.headers["etag"]})
        assert later.status_code == 200
        assert later.json()["devices"][0]["name"] == "Mocked"
        assert later.json()["revision"] > first.json()["revision"]


async def test_the_same_answer_is_built_once_per_revision(rows: Path) -> None:
    async with api_over(rows) as api:
        bodies = {(await api.client.get("/api/devices?limit=5")).content for _ in range(5)}
        assert len(bodies) == 1
        assert api.rows_reader.pages == 3, "floors, areas and devices, each once"


async def test_a_tag_of_an_earlier_process_is_not_believed(rows: Path) -> None:
    async with api_over(rows) as api:
        etag = (await api.client.get("/api/areas")).headers["etag"]
    async with api_over(rows) as api:
        api.status = type(api.status)(
            **{**{f: getattr(api.status, f) for f in api.status.__struct_fields__}, "started_at": 1.0}
        )
        assert (await api.client.get("/api/areas", headers={"if-none-match": etag})).status_code == 200


async def test_an_absent_or_damaged_store_is_503_not_an_empty_home(tmp_path: Path) -> None:
    async with api_over(tmp_path / "rows.db", looked=False) as api:
        problem = await api.get("/api/devices", 503)
        assert "no rows file" in problem["detail"]
        assert (await api.client.get("/api/devices")).headers["retry-after"] == "5"
        (tmp_path / "rows.db").write_bytes(b"not a database" * 100)
        assert "damaged" in (await api.get("/api/entities", 503))["detail"]


async def test_head_is_get_without_a_body(api: Api) -> None:
    get = await api.client.get("/api/devices?limit=1")
    head = await api.client.head("/api/devices?limit=1")
    assert (head.status_code, head.headers["etag"]) == (200, get.headers["etag"])
    assert head.headers["content-length"] == get.headers["content-length"]
