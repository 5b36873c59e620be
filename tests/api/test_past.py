"""The home in the past: `at` shows the same as the rows did then, filters included."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.core.state.kept_past import Forgotten
from engine.core.state.report import Report
from engine.sources.files.capture import CaptureSource
from tests.api.serving import SAMPLE, Api, MemoryTimeline, api_over
from tests.homes import NOON

AT = "at=2026-11-23T12:00:00Z"


async def timeline_of_sample() -> MemoryTimeline:
    snapshot = await CaptureSource(SAMPLE, clock=lambda: NOON).read(lambda *_: None)
    return MemoryTimeline(snapshot.home.records)


def without_times(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k not in ("timestamp", "sync")} for row in rows]


FILTERS = {
    "devices": (
        "",
        "manufacturer=unknown",
        "manufacturer=example+devices+gmbh",
        "model=multi+sensor+3",
        "area_id=bedroom",
        "platform=DEMO",
        "label=batareia",
    ),
    "entities": (
        "",
        "domain=LIGHT",
        "platform=demo",
        "area_id=bedroom",
        "label=batareia",
        "alias=a",
        "has_aliases=true",
        "has_aliases=false",
        "disabled=true",
        "disabled=false",
    ),
}


@pytest.mark.slow
async def test_then_is_shown_as_now_would_be(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        for name, queries in FILTERS.items():
            for query in queries:
                now = await api.get(f"/api/{name}?limit=1000&{query}")
                then = await api.get(f"/api/{name}?limit=1000&{AT}&{query}")
                assert without_times(then[name]) == without_times(now[name]), query
                assert then["total"] == now["total"]


async def test_pages_of_the_past(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        whole = (await api.get(f"/api/entities?limit=1000&{AT}"))["entities"]
        seen, after = [], ""
        while after is not None:
            response = await api.client.get(
                "/api/entities", params={"limit": 17, "after": after, "at": AT[3:]}
            )
            assert "etag" not in response.headers
            seen += response.json()["entities"]
            after = response.json()["next"]
        assert seen == whole


async def test_one_record_then(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        for name, key in (("devices", "device_id"), ("entities", "entity_id")):
            id_ = (await api.get(f"/api/{name}?limit=1"))[name][0][key]
            now = await api.get(f"/api/{name}/{id_}")
            then = await api.get(f"/api/{name}/{id_}?{AT}")
            assert without_times([then]) == without_times([now])
            assert "at 2026-11-23" in (await api.get(f"/api/{name}/none?{AT}", 404))["detail"]


async def test_before_the_records_began_nothing_is_known(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample()) as api:
        problem = await api.get("/api/devices?at=2020-01-01T00:00:00Z", 404)
        assert "do not reach back" in problem["detail"]
        assert "they begin at 2026-11-23T12:00:00.000Z" in problem["detail"]
        assert problem["known_from"] == "2026-11-23T12:00:00.000Z"
        assert (await api.get(f"/api/devices?at={problem['known_from']}"))["total"] > 0


@pytest.mark.parametrize(
    ("changes", "last", "until"),
    [
        ({}, "12:01:00", "12:00:00"),
        ({"synced_at": NOON - 3600}, "11:01:00", "11:00:00"),
        ({"unproven_since": NOON + 20}, "12:00:20", "12:00:00"),
        ({"status": "out_of_sync", "compared_at": NOON - 1200}, "12:00:00", "11:40:00"),
        ({"compared_at": None, "synced_at": None}, "11:59:00", "11:59:00"),
    ],
    ids=["in sync", "an hour ago", "lost since", "out of sync", "nothing compared since the start"],
)
async def test_a_time_of_which_nothing_is_known_yet_is_not_answered_with_what_was_recorded_last(
    changes: dict[str, Any], last: str, until: str, sample: tuple[Path, Report]
) -> None:
    """As for the status, what is known counts for a minute after a heartbeat, and for two intervals after a comparison."""
    timeline = await timeline_of_sample()
    timeline.since = NOON - 7200
    async with api_over(*sample, timeline=timeline) as api:
        api.now = NOON + 600
        api.status = replace(api.status, replicas=tuple(replace(r, **changes) for r in api.status.replicas))
        id_ = (await api.get("/api/devices?limit=1"))["devices"][0]["device_id"]
        for path in ("/api/devices", f"/api/devices/{id_}", "/api/entities"):
            assert await api.get(f"{path}?at=2026-11-23T{last}Z")
            at = f"2026-11-23T{last}.001Z"
            problem = await api.get(f"{path}?at={at}", 404)
            assert (
                problem["detail"] == f"The records are known up to 2026-11-23T{until}.000Z, and not to {at}."
            )
            future = await api.get(f"{path}?at=2100-01-01T00:00:00Z", 404)
            assert "and not to 2100-01-01T00:00:00.000Z, which is yet to come." in future["detail"]


async def test_the_past_is_known_as_far_as_the_replica_that_keeps_it(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample, timeline=await timeline_of_sample(), past_replica="history") as api:
        (rows,) = api.status.replicas
        old = replace(rows, synced_at=NOON - 7200)
        kept = replace(rows, replica="history")
        api.status = replace(api.status, replicas=(old, kept))
        assert await api.get(f"/api/devices?{AT}")
        api.status = replace(api.status, replicas=(rows, replace(old, replica="history")))
        assert "known up to 2026-11-23T10:00:00.000Z" in (await api.get(f"/api/devices?{AT}", 404))["detail"]


async def test_the_404_of_an_empty_past_names_no_start_of_the_records(
    sample: tuple[Path, Report],
) -> None:
    timeline = MemoryTimeline({})
    async with api_over(*sample, timeline=timeline) as api:
        problem = await api.get(f"/api/devices?{AT}", 404)
        assert "All that was recorded since 2026-11-23T12:00:00.000Z had been deleted" in problem["detail"]
        timeline.since = None
        problem = await api.get(f"/api/devices?{AT}", 404)
        assert problem["detail"] == "The records do not reach back to 2026-11-23T12:00:00.000Z."
        assert "known_from" not in problem


async def test_a_forgotten_past_is_410_and_not_an_empty_home(sample: tuple[Path, Report]) -> None:
    timeline = await timeline_of_sample()
    timeline.known = Forgotten(known_from=NOON, by_age=7, by_thinning=2)
    async with api_over(*sample, timeline=timeline) as api:
        id_ = (await api.get("/api/devices?limit=1"))["devices"][0]["device_id"]
        for path in ("/api/devices", "/api/entities", f"/api/devices/{id_}", "/api/entities/light.x"):
            problem = await api.get(f"{path}?at=2026-11-23T11:59:59Z", 410)
            assert problem["type"] == "/problems/history-forgotten"
            assert problem["known_from"] == "2026-11-23T12:00:00.000Z"
            assert "forgotten" in problem["detail"]
        assert (await api.get(f"/api/devices?{AT}"))["total"] > 0
        page = await api.client.get("/?at=2026-11-23T11:59:59Z")
        assert "what was before is forgotten" in page.text
        timeline.revisions = [Revision(Key("device", id_), NOON, "update", 10, "b2:1", "r", {})]
        history = await api.get(f"/api/devices/{id_}/history")
        assert (history["known_from"], history["forgotten"]) == ("2026-11-23T12:00:00.000Z", 9)
        never = await api.get("/api/devices/never/history", 404)
        assert "since 2026-11-23T12:00:00.000Z; what was before is forgotten" in never["detail"]


@pytest.mark.parametrize(
    "path",
    ["/api/devices", "/api/entities/light.x", "/api/devices/x/history", "/api/entities/light.x/history"],
)
async def test_a_missing_records_replica_is_reported(api: Api, path: str) -> None:
    query = "" if path.endswith("history") else f"?{AT}"
    assert "records.uri" in (await api.get(path + query, 501))["detail"]


async def test_the_history_of_a_device(sample: tuple[Path, Report]) -> None:
    key = Key("device", "d1")
    timeline = MemoryTimeline({})
    timeline.revisions = [
        Revision(key, NOON + n, op, n, hash_, f"r{n}", fields)
        for n, op, hash_, fields in (
            (1, "create", "b2:1", {"name": "One"}),
            (2, "update", "b2:2", {"name": "Two"}),
            (3, "delete", "-", {}),
        )
    ]
    async with api_over(*sample, timeline=timeline) as api:
        whole = await api.get("/api/devices/d1/history")
        assert [(r["rev"], r["op"], r["fields"]) for r in whole["revisions"]] == [
            (1, "create", {"name": "One"}),
            (2, "update", {"name": "Two"}),
            (3, "delete", {}),
        ]
        assert whole["revisions"][0]["at"] == "2026-11-23T12:00:01.000Z"
        first = await api.get("/api/devices/d1/history?limit=2")
        rest = await api.get(f"/api/devices/d1/history?limit=2&after={first['next']}")
        assert first["revisions"] + rest["revisions"] == whole["revisions"]
        assert (first["total"], rest["next"]) == (3, None)
        await api.get("/api/devices/never/history", 404)


async def test_the_history_of_an_entity_continues_through_a_rename(sample: tuple[Path, Report]) -> None:
    async with api_over(*sample) as api:
        row = await api.rows_reader.read(
            lambda transaction: transaction.page("entity", ("id",), [], "", 1)[0]
        )
    entity_id, id_ = row
    key = Key("entity", id_)
    names = (entity_id, "light.older")
    timeline = MemoryTimeline(
        {},
        [Revision(key, NOON + n, "update", n, f"b2:{n}", "r", {"entity_id": names[n % 2]}) for n in (1, 2)],
    )
    async with api_over(*sample, timeline=timeline) as api:
        for asked, reported in ((entity_id, entity_id), (id_, entity_id)):
            history = await api.get(f"/api/entities/{asked}/history")
            assert (history["entity_id"], history["id"], history["total"]) == (reported, id_, 2)
            assert [r["fields"]["entity_id"] for r in history["revisions"]] == ["light.older", entity_id]
        await api.get("/api/entities/light.never/history", 404)
