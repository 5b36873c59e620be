"""Many homes over one port: whose routes answer, and who may ask them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app_context import AppOptions
from api.http.auth import AccessRules
from api.sites.app import build_sites_app
from api.sites.ports import Stage
from engine.core.state.report import Report
from tests.api.serving import api_over, no_metrics
from tests.homes import NOON
from tests.sites.homes import MemorySites, away, kept

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def asking(
    sample: tuple[Path, Report], sites: MemorySites, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with api_over(*sample) as api:
        for view in sites.views():
            if view.stage is Stage.KEPT:
                sites.givens[view.name] = api.context
        app = build_sites_app(sites, lambda: NOON, AppOptions(**options))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", headers={"accept-encoding": ""}
        ) as client:
            yield client


async def test_all_routes_of_a_home_stand_under_its_name(sample: tuple[Path, Report]) -> None:
    async with asking(sample, MemorySites(kept("one"))) as client:
        short = await client.get("/api/sites/one/devices?limit=2")
        whole = await client.get("/sites/one/api/devices?limit=2")
        assert short.json() == whole.json()
        assert len(short.json()["devices"]) == 2
        again = await client.get(
            "/api/sites/one/devices?limit=2", headers={"if-none-match": short.headers["etag"]}
        )
        assert again.status_code == 304
        id_ = short.json()["devices"][0]["device_id"]
        assert (await client.get(f"/api/sites/one/devices/{id_}")).json()["device_id"] == id_
        assert (await client.get("/api/sites/one/status")).json()["site"] == "home"
        assert (await client.get("/sites/one/api/status")).json()[
            "site"
        ] == "home"  # the integration asks this
        page = await client.get("/sites/one/")
        assert page.headers["content-type"].startswith("text/html")
        assert (await client.get("/sites/one/openapi.json")).status_code == 200
        assert (await client.get("/sites/one/metrics")).text == "one"
        assert (await client.get("/sites/one/static/page.css")).status_code == 200
        assert (await client.get("/sites/one")).headers["location"] == "one/"


async def test_a_home_that_is_not_there_or_not_kept_is_one_clear_sentence(
    sample: tuple[Path, Report],
) -> None:
    sites = MemorySites(kept("one"), away("two", Stage.INVALID, "its file is broken"))
    async with asking(sample, sites) as client:
        for path in ("/api/sites/none", "/api/sites/none/devices", "/sites/none/api/devices"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
            assert "'none'" in answer.json()["detail"]
        answer = await client.get("/api/sites/two/devices")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The home two is invalid: its file is broken"
        for path in ("/api/sites/one/nothing", "/api/devices", "/api/fleet", "/sites/one/api/sites"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/api/sites")).status_code == 405


async def test_the_token_of_a_home_opens_that_home_only(sample: tuple[Path, Report]) -> None:
    sites = MemorySites(kept("one"), kept("two"), tokens={"one": "of-one"})
    async with asking(sample, sites, access=AccessRules(token="of-all")) as client:

        async def status(path: str, token: str) -> int:
            return (await client.get(path, headers={"authorization": f"Bearer {token}"})).status_code

        for path in ("/api/sites/one/devices", "/sites/one/", "/api/sites/one"):
            assert await status(path, "of-one") == await status(path, "of-all") == 200
            assert await status(path, "") == await status(path, "other") == 401
        for path in (
            "/",
            "/api/sites",
            "/api/fleet/models",
            "/api/sites/two/devices",
            "/sites/two/",
            "/metrics",
        ):
            assert await status(path, "of-one") == 401
        assert await status("/api/sites/two/devices", "of-all") == 200
        assert await status("/api/sites/one/../two/devices", "of-one") == 401
        assert await status("/healthz", "") == 200


async def test_the_service_is_ready_when_it_has_homes_and_until_it_ends(sample: tuple[Path, Report]) -> None:
    sites = MemorySites(kept("one"), away("two", Stage.FAILED, "x"))
    async with asking(sample, sites) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["sites"]["failed"]) == (200, 1)
        sites.is_closed = True
        assert (await client.get("/readyz")).status_code == 503


async def test_a_drained_process_is_reported(sample: tuple[Path, Report]) -> None:
    sites = MemorySites(kept("one"))
    sites.why_drained = "This process is drained."
    async with asking(sample, sites) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "drained")
        assert "This process is drained." in (await client.get("/")).text
        sites.why_drained = None
        assert (await client.get("/readyz")).json()["status"] == "ready"
        assert "drained" not in (await client.get("/")).text


async def test_the_document_names_all_routes(sample: tuple[Path, Report]) -> None:
    async with asking(sample, MemorySites(kept("one")), metrics=no_metrics) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/api/sites", "/api/fleet/models", "/api/sites/{site}/devices"} <= paths.keys()
        assert (await client.get("/metrics")).status_code == 200
