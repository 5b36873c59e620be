"""The page of a fleet view: the worst homes first, devices of all, and no shown value is markup."""

from pathlib import Path

import msgspec
import pytest

from api.fleet.page import PAGE_SIZE, page_address
from api.fleet.ports import Standing, ViewTransaction
from api.fleet.queries import ViewedSitesQuery
from engine.fleet_view.view_file import device_search
from tests.api.fleet.views import HOSTILE, SAID, MemoryView, asking
from tests.api.page.markup import Markup
from tests.fleet_view.viewed import raw, said_device, said_site
from tests.homes import NOON

pytestmark = pytest.mark.anyio


@pytest.fixture
def view(tmp_path: Path) -> MemoryView:
    return MemoryView(tmp_path, *SAID)


async def shown(view: MemoryView, path: str, status: int = 200, now: float = NOON) -> Markup:
    async with asking(view, now) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    page = Markup(answer.text)
    assert len(page.all("script")) == 1  # its own
    return page


def links(page: Markup) -> list[str]:
    return [element["href"] for element in page.all("a")]


@pytest.mark.slow
async def test_homes_are_counted_and_the_worst_come_first(view: MemoryView) -> None:
    page = await shown(view, "/")
    assert page.text_of("homes-title") == "1 of 3 homes in sync"
    assert "./?status=blocked" in links(page)
    rows = [row.text for row in page.all("tr")[1:]]
    assert ["North <b>" in rows[0], "old" in rows[1], "south" in rows[2]] == [True, True, True]
    assert "3 records differ" in rows[0]
    assert "https://north.example/sites/north/" in links(page)
    assert "devices?site=old" in links(page)
    assert "Has what Kafka held" in page.one("footer").text
    west = await shown(view, "/?tag=west&q=NORTH&status=blocked")
    assert len(west.all("tr")) == 2
    assert "models?tag=west" in links(west)
    assert len((await shown(view, "/?status=in_sync&q=north")).all("tr")) == 0


@pytest.mark.slow
async def test_omitted_messages_are_mentioned(tmp_path: Path) -> None:
    newer = msgspec.structs.replace(said_device("a", "d1"), headers={"schema": b"9"})
    foreign = [raw("p.device", b"x", b"", "a")] * 1200
    page = await shown(MemoryView(tmp_path, newer, *foreign), "/")
    reported = page.one("main").text
    assert "There was a message by a newer version of this program" in reported
    assert "There were 1,200 messages that no process of the fleet wrote" in reported
    assert "Left out" not in (await shown(MemoryView(tmp_path / "b", *SAID), "/")).one("main").text


async def test_very_many_homes_come_in_pages(tmp_path: Path) -> None:
    view = MemoryView(tmp_path, *(said_site(f"home{n:03}") for n in range(PAGE_SIZE + 50)))
    first, second = await shown(view, "/"), await shown(view, "/?page=2")
    assert (len(first.all("tr")), len(second.all("tr"))) == (PAGE_SIZE + 1, 51)
    assert "./?page=2#main" in links(first)


async def test_devices_of_all_homes_are_found_with_their_homes(view: MemoryView) -> None:
    page = await shown(view, "/devices?q=lamp")
    (row,) = page.all("tr")[1:]
    assert "Lamp" in row.text
    assert "https://north.example/sites/north/" in links(page)
    assert "devices?model=Hue" in links(page)
    assert "No device matches." in (await shown(view, "/devices?q=nothing")).one("main").text
    every = await shown(view, "/devices?model=hue&tag=west&site=&manufacturer=&sw_version=&after=")
    assert len(every.all("tr")) == 3
    assert HOSTILE in every.one("main").text


async def test_a_search_that_stopped_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = MemoryView(tmp_path, *(said_device("a", f"d{n}", f"Lamp {n}") for n in range(PAGE_SIZE + 5)))
    page = await shown(view, "/devices?q=lamp")
    assert len(page.all("tr")) == PAGE_SIZE + 1
    (more,) = [href for href in links(page) if "after=" in href]
    rest = await shown(view, f"/{more}")
    assert len(rest.all("tr")) == 6
    for name, value in {"ROWS_MAX": 10, "_BEGINNINGS_MAX": 0, "_RARE_DEVICES_MAX": 0}.items():
        monkeypatch.setattr(device_search, name, value)
    view = MemoryView(
        tmp_path / "b", *(said_device("a", f"d{n}", "Lamp" if n % 2 else "Plug") for n in range(50))
    )
    page = await shown(view, "/devices?q=lamp+plug")
    assert "None among those that were looked at so far." in page.one("main").text
    assert page.one("a", rel="next").text == "Look on"


async def test_models_lead_to_their_devices(view: MemoryView) -> None:
    page = await shown(view, "/models")
    assert "devices?manufacturer=Signify&model=Innr&sw_version=1.2" in links(page)
    assert "devices?manufacturer=Signify&model=Hue&sw_version=%3Ci%3E2" in links(page)
    assert len((await shown(view, "/models?tag=east")).all("tr")) == 2
    assert "has the tag 'nowhere'." in (await shown(view, "/models?tag=nowhere", 404)).one("main").text


async def test_a_page_marks_outdated_data(view: MemoryView) -> None:
    view.held = msgspec.structs.replace(view.held, problem="Kafka <i>is away</i>.")
    page = await shown(view, "/", now=NOON + 600)
    assert "This is what Kafka held at 2026-11-23T11:59:58.000Z" in page.one("p", role="alert").text
    assert "Kafka <i>is away</i>." in page.one("p", role="alert").text
    assert page.text_of("homes-title") == "0 of 3 homes in sync"
    view.held = Standing(behind=5)
    assert "5 messages are to come" in (await shown(view, "/", 503)).one("main").text


@pytest.mark.parametrize("path", ["/?page=0", "/?status=fine", "/?x=1", "/devices?limit=1", "/models?q=1"])
async def test_a_bad_request_is_answered_with_a_page(view: MemoryView, path: str) -> None:
    page = await shown(view, path, 400)
    assert "Bad Request" in page.text_of("problem-title")


async def test_only_an_address_that_a_browser_may_follow_is_a_link(view: MemoryView) -> None:
    def read(transaction: ViewTransaction) -> str | None:
        (north,) = transaction.sites(ViewedSitesQuery(q="north"), NOON)
        for url in ("javascript:alert(1)", "//x", "data:text/html,x", "", None):
            assert page_address(msgspec.structs.replace(north, url=url)) is None
        return page_address(msgspec.structs.replace(north, url="http://[::1]:8099/prefix/"))

    assert await view.read(read) == "http://[::1]:8099/prefix/sites/north/"


async def test_static_files_are_there_without_another_token(view: MemoryView) -> None:
    page = await shown(view, "/")
    style = page.one("link", rel="stylesheet")["href"]
    async with asking(view) as client:
        assert (await client.get(f"/{style}")).status_code == 200
