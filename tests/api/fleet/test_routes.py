"""Questions to a fleet view."""

import html
from pathlib import Path

import pytest

from api.fleet.ports import Standing
from tests.api.fleet.views import HOSTILE, SAID, MemoryView, asking
from tests.homes import NOON

pytestmark = pytest.mark.anyio


@pytest.fixture
def view(tmp_path: Path) -> MemoryView:
    return MemoryView(tmp_path, *SAID)


async def test_devices_of_all_homes_come_in_pages(view: MemoryView) -> None:
    async with asking(view) as client:
        seen, after = list[tuple[str, str]](), ""
        for _ in range(3):
            page = (await client.get("/api/fleet/devices", params={"limit": 1, "after": after})).json()
            seen += [(device["site"], device["id"]) for device in page["devices"]]
            after = page["next"] or ""
        assert sorted(seen) == [("north", "d1"), ("north", "d2"), ("south", "d1")]
        assert page["next"] is None
        narrow = (await client.get("/api/fleet/devices?tag=west&q=script")).json()
        assert [device["name"] for device in narrow["devices"]] == [HOSTILE]
        assert narrow["as_of"] == "2026-11-23T11:59:58.000Z"


async def test_models_and_firmwares_are_counted(view: MemoryView) -> None:
    async with asking(view) as client:
        found = (await client.get("/api/fleet/models")).json()
        assert found["total"] == 3
        assert sum(model["devices"] for model in found["models"]) == 3
        west = (await client.get("/api/fleet/models?tag=west&limit=1")).json()
        assert (west["total"], len(west["models"])) == (2, 1)


async def test_homes_are_listed_with_their_status(view: MemoryView) -> None:
    async with asking(view) as client:
        page = (await client.get("/api/fleet/sites?limit=2")).json()
        assert [(site["name"], site["status"]) for site in page["sites"]] == [
            ("north", "blocked"),
            ("old", "unknown"),
        ]
        assert (page["total"], page["next"]) == (3, "old")
        assert page["by_status"] == {"blocked": 1, "out_of_sync": 0, "unknown": 1, "in_sync": 1}
        rest = (await client.get("/api/fleet/sites?limit=2&after=old")).json()
        assert ([site["name"] for site in rest["sites"]], rest["next"]) == (["south"], None)
        some = (await client.get("/api/fleet/sites?status=in_sync")).json()
        assert ([site["name"] for site in some["sites"]], some["total"]) == (["south"], 1)
        assert (await client.get("/api/fleet/sites?status=fine")).status_code == 400


async def test_homes_that_need_attention_are_listed_worst_first(view: MemoryView) -> None:
    async with asking(view) as client:
        drift = (await client.get("/api/fleet/drift")).json()
        assert [site["name"] for site in drift["sites"]] == ["north", "old"]
        assert drift["sites"][0]["differing"] == 3
        assert drift["total"] == 3
        assert len((await client.get("/api/fleet/drift?limit=1")).json()["sites"]) == 1
        assert (await client.get("/api/fleet/drift?tag=east")).json()["sites"] == []


async def test_nothing_is_answered_before_everything_was_read(view: MemoryView) -> None:
    view.held = Standing(behind=1234)
    async with asking(view) as client:
        for path in ("devices", "models", "sites", "drift"):
            answer = await client.get(f"/api/fleet/{path}")
            assert answer.status_code == 503
            assert "1,234 messages are to come" in answer.json()["detail"]
            assert answer.headers["retry-after"]
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"], ready.json()["behind"]) == (503, "not_ready", 1234)
    view.held = Standing(problem="Kafka at x cannot be reached.")
    async with asking(view) as client:
        assert (await client.get("/readyz")).json()["reason"] == "Kafka at x cannot be reached."
        assert (await client.get("/api/fleet/models")).json()["detail"] == "Kafka at x cannot be reached."


async def test_a_view_that_was_ready_stays_ready_and_reports_its_problem(view: MemoryView) -> None:
    view.held = Standing(as_of=NOON - 600, replayed=True, problem="Kafka at x cannot be reached.")
    async with asking(view) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (200, "Kafka at x cannot be reached.")
        assert (await client.get("/api/fleet/devices")).status_code == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/fleet/devices?site=none", "The fleet has no home called 'none'."),
        ("/api/fleet/devices?tag=none&q=lamp", "No home of the fleet has the tag 'none'."),
        ("/api/fleet/models?tag=none", "tag 'none'"),
        ("/api/fleet/sites?tag=none", "tag 'none'"),
        ("/api/fleet/drift?tag=none", "tag 'none'"),
        ("/?tag=none", "tag 'none'"),
        ("/devices?site=none", "no home called 'none'"),
        ("/models?tag=none", "tag 'none'"),
    ],
)
async def test_a_home_or_tag_that_there_is_not_is_no_empty_answer(
    view: MemoryView, path: str, said: str
) -> None:
    async with asking(view) as client:
        answer = await client.get(path)
        assert (answer.status_code, said in html.unescape(answer.text)) == (404, True), answer.text
        assert (await client.get("/api/fleet/devices?site=old")).json()["devices"] == []
