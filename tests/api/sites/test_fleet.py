"""Questions about all homes."""

import html
from pathlib import Path

import anyio
import msgspec
import pytest

from api.sites.fleet import FleetStream
from api.sites.ports import Elsewhere, SiteChange, Stage
from engine.core.state.report import Report
from tests.api.serving import write_home
from tests.api.sites.test_app import asking
from tests.homes import ENTRY, device, snapshot
from tests.sites.homes import MemorySites, away, kept

pytestmark = pytest.mark.anyio


def sites() -> MemorySites:
    return MemorySites(kept("a", "in_sync", "west"), kept("b"), away("c", Stage.PAUSED, "paused"))


async def test_devices_of_all_homes_come_in_pages(sample: tuple[Path, Report]) -> None:
    async with asking(sample, sites()) as client:
        seen, after = list[tuple[str, str]](), ""
        for _ in range(10):
            page = (await client.get("/api/fleet/devices", params={"limit": 40, "after": after})).json()
            seen += [(device["site"], device["id"]) for device in page["devices"]]
            after = page["next"] or ""
            if not after:
                break
        assert len(seen) == len(set(seen)) == 2 * 72
        assert page["not_asked"] == 1
        narrow = (await client.get("/api/fleet/devices?tag=west&limit=1000")).json()
        assert {device["site"] for device in narrow["devices"]} == {"a"}
        versions = {device["sw_version"] for device in narrow["devices"]} - {None}
        wanted = min(versions)
        found = (await client.get("/api/fleet/devices", params={"sw_version": wanted, "limit": 1000})).json()
        assert {device["sw_version"] for device in found["devices"]} == {wanted}


async def test_devices_are_searched_in_all_homes_or_in_one(sample: tuple[Path, Report]) -> None:
    async with asking(sample, sites()) as client:

        async def names(**query: str) -> list[tuple[str, str]]:
            page = (await client.get("/api/fleet/devices", params={"limit": "1000", **query})).json()
            return [(device["site"], device["name"]) for device in page["devices"]]

        every = await names(site="b")
        assert {site for site, _ in every} == {"b"}
        word = max((name for _, name in every), key=len)
        found = await names(q=word.upper())
        assert {site for site, _ in found} == {"a", "b"}
        assert all(name == word for _, name in found)
        assert await names(q=word, site="a") == [pair for pair in found if pair[0] == "a"]
        assert await names(q="no such thing") == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/fleet/devices?site=none", "no home called 'none'"),
        ("/api/fleet/devices?site=moved", "Another process keeps the home 'moved', other."),
        ("/api/fleet/devices?tag=none", "No home of this service has the tag 'none'."),
        ("/api/fleet/models?tag=none", "tag 'none'"),
        ("/api/fleet/drift?tag=none", "tag 'none'"),
        ("/api/sites?tag=none", "tag 'none'"),
        ("/?tag=none", "tag 'none'"),
    ],
)
async def test_a_home_or_tag_that_there_is_not_is_no_empty_answer(
    sample: tuple[Path, Report], path: str, said: str
) -> None:
    homes = sites()
    homes.others["moved"] = Elsewhere("other", "https://other.example", is_current=True)
    async with asking(sample, homes) as client:
        answer = await client.get(path)
        assert (answer.status_code, said in html.unescape(answer.text)) == (404, True), answer.text
        assert (await client.get("/?status=none")).status_code == 400


async def test_models_are_counted_over_homes(sample: tuple[Path, Report]) -> None:
    async with asking(sample, sites()) as client:
        found = (await client.get("/api/fleet/models")).json()
        assert sum(model["devices"] for model in found["models"]) == 2 * 72
        assert {model["sites"] for model in found["models"]} == {2}
        assert found["not_asked"] == 1
        assert found["models"][0]["devices"] >= found["models"][-1]["devices"]


async def test_models_are_counted_as_their_filters_find_them(tmp_path: Path) -> None:
    makers = (None, "", "Unknown", "ACME", "Acme", "Acme", "\u00c4", "\u00e4")
    home = snapshot(ENTRY, *(device(n, manufacturer=maker) for n, maker in enumerate(makers)))
    report = await write_home(tmp_path / "rows.db", home)
    async with asking((tmp_path / "rows.db", report), sites()) as client:
        found = (await client.get("/api/fleet/models")).json()["models"]
        assert [(m["manufacturer"] or "Unknown", m["devices"]) for m in found[:2]] == [
            ("Unknown", 6),
            ("Acme", 6),
        ]
        for model in found:
            asked = {
                "manufacturer": model["manufacturer"] or "Unknown",
                "model": "Unknown",
                "sw_version": "-",
            }
            answer = (await client.get("/api/fleet/devices", params=asked)).json()
            assert len(answer["devices"]) == model["devices"], model


async def test_homes_without_a_report_are_unknown_and_not_equal(sample: tuple[Path, Report]) -> None:
    async with asking(sample, sites()) as client:
        assert (await client.get("/api/fleet/drift")).json() == {"records": [], "total": 0, "unknown": 3}


async def test_outdated_knowledge_is_not_reported_as_current(sample: tuple[Path, Report]) -> None:
    """A home that had lost Home Assistant counted as one in which nothing differs."""
    views = []
    for name, word in (("followed", "in_sync"), ("lost", "unknown")):
        view = kept(name, word)
        assert view.status is not None
        status = msgspec.structs.replace(view.status, report=sample[1])
        views.append(msgspec.structs.replace(view, status=status))
    async with asking(sample, MemorySites(*views)) as client:
        drift = (await client.get("/api/fleet/drift")).json()
    assert drift["unknown"] == 1
    assert "lost" not in {record["site"] for record in drift["records"]}


async def test_changes_of_all_homes_are_streamed_until_the_service_ends() -> None:
    homes = sites()
    homes.changes.put([SiteChange("a", "sqlite", "device", "d1", "Lamp", "pending", "applied", "run")])
    homes.changes.close()
    sent = list[bytes]()

    async def receive() -> dict[str, str]:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        sent.append(bytes(message.get("body", b"")))  # type: ignore[call-overload]

    await FleetStream(homes)({"type": "http", "method": "GET"}, receive, send)  # type: ignore[arg-type]
    text = b"".join(sent).decode()
    assert '"site":"a"' in text
    assert text.index("event: change") < text.index("event: bye")


@pytest.mark.virtual_time
async def test_a_client_that_takes_nothing_is_dropped() -> None:
    async def wait(message: dict[str, object] | None = None) -> dict[str, str]:
        if message is None or message["type"] == "http.response.body":
            await anyio.sleep_forever()
        return {}

    with anyio.fail_after(60):
        await FleetStream(sites())({"type": "http", "method": "GET"}, wait, wait)  # type: ignore[arg-type]
