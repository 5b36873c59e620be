"""Homes that another process keeps: who asks for them is led there, once, and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from api.app_context import AppOptions
from api.http.auth import AccessRules
from api.sites.app import build_sites_app
from api.sites.ports import Elsewhere
from tests.homes import NOON
from tests.sites.homes import MemorySites

pytestmark = pytest.mark.anyio
WORKER = "https://worker2.example:8443"


@asynccontextmanager
async def asking(
    found: Elsewhere, host: str = "localhost", token: str = "of-far"
) -> AsyncIterator[httpx.AsyncClient]:
    sites = MemorySites(tokens={"far": token})
    sites.others["far"] = found
    app = build_sites_app(sites, lambda: NOON, AppOptions(access=AccessRules(token="secret")))
    transport = httpx.ASGITransport(app)
    headers = {"authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/api/sites/far",
        "/api/sites/far/devices?limit=2&area=a%20b",
        "/api/sites/far/categories/scope%2Fid",
        "/sites/far/",
        "/sites/far/api/entities?q=%E2%82%AC",
        "/sites/far/devices/..%2f..%2fx",
    ],
)
async def test_a_request_is_redirected_unchanged_to_the_homes_owner(path: str) -> None:
    async with asking(Elsewhere("worker2", WORKER, is_current=True)) as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, WORKER + path)
        assert answer.headers["cache-control"] == "no-store"
        assert "secret" not in answer.headers["location"]
        assert (await client.head(path)).headers["location"] == WORKER + path


async def test_an_address_with_a_path_is_kept() -> None:
    async with asking(Elsewhere("worker2", "http://proxy/two/", is_current=True)) as client:
        answer = await client.get("/sites/far/")
        assert answer.headers["location"] == "http://proxy/two/sites/far/"


async def test_the_token_of_the_home_leads_there_too_and_no_further() -> None:
    async with asking(Elsewhere("worker2", WORKER, is_current=True), token="of-far") as client:
        headers = {"authorization": "Bearer of-far"}
        assert (await client.get("/sites/far/", headers=headers)).status_code == 307
        assert (await client.get("/sites/other/", headers=headers)).status_code == 401


async def test_who_may_not_ask_is_led_nowhere() -> None:
    async with asking(Elsewhere("worker2", WORKER, is_current=True)) as client:
        answer = await client.get("/api/sites/far/devices", headers={"authorization": "Bearer other"})
        assert answer.status_code == 401
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("found", "host", "why"),
    [
        (Elsewhere("worker2", "", is_current=True), "localhost", "is kept by worker2, which publishes no address"),
        (Elsewhere("worker2", "http://[::::]", is_current=True), "localhost", "worker2, which publishes no address"),
        (Elsewhere("worker2", WORKER, is_current=False), "localhost", "moment; worker2 kept it last"),
        (Elsewhere("", "", is_current=False), "localhost", "to keep the home far at the moment."),
        (Elsewhere("worker2", "http://all:8099", is_current=True), "all:8099", "address of its own"),
        (Elsewhere("worker2", "http://ALL:80/", is_current=True), "all", "address of its own"),
    ],
)  # fmt: skip
async def test_where_nothing_leads_there_it_is_one_clear_sentence(
    found: Elsewhere, host: str, why: str
) -> None:
    async with asking(found, host) as client:
        for path in ("/api/sites/far", "/api/sites/far/devices", "/sites/far/api/status"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert why in answer.json()["detail"]
            assert answer.headers["retry-after"]
        page = await client.get("/sites/far/")
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
        assert "Another process keeps this home" in page.text


async def test_an_unknown_home_is_none() -> None:
    async with asking(Elsewhere("worker2", WORKER, is_current=True)) as client:
        assert (await client.get("/api/sites/none/devices")).status_code == 404
        assert (await client.get("/sites/none/")).status_code == 404
