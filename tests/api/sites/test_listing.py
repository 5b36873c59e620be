"""The list of homes: the known facts of each, and the selection of a request."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from api.sites.ports import Stage
from engine.core.state.report import RefusalReport, Report
from engine.core.words import GuardName
from tests.api.sites.test_app import asking
from tests.sites.homes import MemorySites, away, kept

pytestmark = pytest.mark.anyio
SITES = MemorySites(
    kept("a", "in_sync", "west", label="House A"),
    kept("b", "blocked", "west"),
    kept("c"),
    away("d", Stage.PAUSED, "paused"),
)


async def names(client: Any, query: str) -> list[str]:
    return [site["name"] for site in (await client.get(f"/api/sites?{query}")).json()["sites"]]


async def test_homes_are_found_by_tag_status_and_words(sample: tuple[Path, Report]) -> None:
    async with asking(sample, SITES) as client:
        assert await names(client, "") == ["a", "b", "c", "d"]
        assert await names(client, "tag=west") == ["a", "b"]
        assert await names(client, "status=blocked") == ["b"]
        assert await names(client, "q=HOUSE") == ["a"]
        assert await names(client, "q=//c:") == ["c"]
        assert await names(client, "status=unknown") == []
        assert await names(client, "status=paused") == ["d"]
        whole = (await client.get("/api/sites")).json()
        assert (whole["total"], whole["by_status"]) == (4, {"in_sync": 2, "blocked": 1, "paused": 1})
        assert (await client.get("/api/sites?status=fine")).status_code == 400


async def test_of_another_home_no_number_of_differences_is_given(sample: tuple[Path, Report]) -> None:
    view = kept("a", "blocked")
    assert view.status is not None
    refusal = RefusalReport(GuardName.WRONG_INSTANCE, "another", "accept it", 9)
    refused = replace(sample[1], replicas=(replace(sample[1].replicas[0], refusals=(refusal,)),))
    for report, differing in ((sample[1], 0), (refused, None)):
        listed = replace(view, status=replace(view.status, report=report))
        async with asking(sample, MemorySites(listed)) as client:
            (site,) = (await client.get("/api/sites")).json()["sites"]
            assert (site["status"], site["differing"]) == ("blocked", differing)


async def test_pages_follow_each_other(sample: tuple[Path, Report]) -> None:
    async with asking(sample, SITES) as client:
        first = (await client.get("/api/sites?limit=3")).json()
        assert (len(first["sites"]), first["next"]) == (3, "c")
        assert await names(client, "after=c") == ["d"]


async def test_a_home_that_is_not_kept_gives_the_reason_and_claims_nothing(
    sample: tuple[Path, Report],
) -> None:
    async with asking(sample, SITES) as client:
        found = (await client.get("/api/sites/d")).json()
        reported = found["stage"], found["status"], found["reason"], found["connected"], found["records"]
        assert reported == ("paused", "unknown", "paused", False, None)
