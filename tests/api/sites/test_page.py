"""The page of all homes: the worst first, and nothing of a home's name is markup."""

from pathlib import Path

import pytest

from api.sites.ports import Stage
from engine.core.state.report import Report
from tests.api.sites.test_app import asking
from tests.sites.homes import MemorySites, away, kept

pytestmark = pytest.mark.anyio


async def test_the_worst_homes_come_first_and_counts_are_links(sample: tuple[Path, Report]) -> None:
    sites = MemorySites(
        kept("good", label="<b>Good</b>"), kept("held", "blocked"), away("broken", Stage.INVALID, "file <x>")
    )
    async with asking(sample, sites) as client:
        text = (await client.get("/")).text
        order = [text.index(f'href="sites/{name}/"') for name in ("broken", "held", "good")]
        assert order == sorted(order)
        assert "1 of 3 homes in sync" in text
        assert "&lt;b&gt;Good&lt;/b&gt;" in text
        assert "file &lt;x&gt;" in text
        found = (await client.get("/?status=blocked")).text
        assert 'href="sites/held/"' in found
        assert 'href="sites/good/"' not in found
        assert (await client.get("/?page=0")).status_code == 400


async def test_very_many_homes_come_in_pages(sample: tuple[Path, Report]) -> None:
    async with asking(sample, MemorySites(*(kept(f"home{n:03}") for n in range(150)))) as client:
        assert (await client.get("/")).text.count('<a href="sites/') == 100
        assert (await client.get("/?page=2")).text.count('<a href="sites/') == 50


@pytest.mark.parametrize("path", ["/sites/none/", "/sites/none/devices", "/sites/%3Cb%3E/"])
async def test_an_unknown_home_is_answered_with_a_page(sample: tuple[Path, Report], path: str) -> None:
    async with asking(sample, MemorySites(kept("one"))) as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "This service has no home called" in answer.text
        assert "<b>" not in answer.text
        assert 'href="../../"' in answer.text
        assert "refresh" not in answer.text


async def test_a_home_that_is_not_kept_has_a_page_with_the_reason(sample: tuple[Path, Report]) -> None:
    async with asking(sample, MemorySites(away("broken", Stage.INVALID, "file <x>"))) as client:
        answer = await client.get("/sites/broken/")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert "The home broken is invalid: file &lt;x&gt;" in answer.text
        assert 'href="../../"' in answer.text
        style = answer.text.partition('rel="stylesheet" href="../..')[2].partition('"')[0]
        assert (await client.get(style)).status_code == 200
        assert (await client.get("/sites/broken/api/devices")).json()["status"] == 503
