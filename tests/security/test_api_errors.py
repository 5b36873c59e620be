"""Every route, with every error of the engine: one sentence that a program can distinguish from an error of this program."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import anyio
import httpx
import pytest

from api.app import ROUTES
from api.app_context import AppOptions
from api.fleet import page as fleet_page
from api.fleet import routes as fleet_routes
from api.fleet.app import build_view_app
from api.page.routes import PAGE_ROUTES
from api.sites import app as sites_app
from api.sites.app import build_sites_app
from engine.core.state.report import Report
from engine.errors import EngineError, HistoryForgotten, ReplicaError
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.api.fleet.views import SAID, MemoryView
from tests.api.serving import api_over, write_sample
from tests.examples import first_quick
from tests.homes import NOON
from tests.sites.homes import MemorySites, kept

AT = "at=2026-11-23T12:00:00Z"
ANSWERS = {200, 404, 410, 501, 503}  # 404: also without an error there is no such record

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    path = tmp_path_factory.mktemp("sample") / "rows.db"
    return path, anyio.run(write_sample, path)


def kinds_of(kind: type[EngineError]) -> Iterator[type[EngineError]]:
    yield kind
    for further in kind.__subclasses__():
        yield from kinds_of(further)


def made(kind: type[EngineError]) -> EngineError:
    if issubclass(kind, HistoryForgotten):
        return HistoryForgotten("history", NOON, "It was compacted.", "noon")
    return kind("sqlite", "It went wrong.") if issubclass(kind, ReplicaError) else kind("It went wrong.")


ASKED = [
    *((route.path, route.query) for route in ROUTES if not route.path.endswith("/stream")),
    *((route.path, route.query) for route in PAGE_ROUTES),
]
VIEWED = [*(route.path for route in fleet_routes.ROUTES), *(route.path for route in fleet_page.PAGES)]
KINDS = sorted({kind for kind in kinds_of(EngineError) if kind.__module__ == "engine.errors"}, key=str)


def asked_of(path: str) -> str:
    """An address at which a route answers."""
    return re.sub(r"\{[^}]*\}", "light.a", path)


class Failing:
    """Raises the same error for every call."""

    def __init__(self, error: EngineError) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., NoReturn]:
        def fail(*_arguments: object, **_named: object) -> NoReturn:
            raise self._error

        return fail


class FailingReader:
    def __init__(self, inner: SqliteRowsReader, error: EngineError) -> None:
        self._error = error
        self.aclose = inner.aclose

    async def read(self, _job: object, /) -> NoReturn:
        raise self._error

    def data_version(self) -> int | None:
        return None


class FailingView(MemoryView):
    def __init__(self, folder: Path, error: EngineError) -> None:
        super().__init__(folder, *SAID)
        self._error = error

    async def read(self, _job: object) -> NoReturn:
        raise self._error

    @asynccontextmanager
    async def follow_changes(self, last_id: str) -> AsyncIterator[Any]:
        raise self._error
        yield


class FailingSites(MemorySites):
    def __init__(self, error: EngineError) -> None:
        super().__init__(kept("one"))
        self._error = error

    async def read(self, _name: str, _job: object, /) -> NoReturn:
        raise self._error


async def check(client: httpx.AsyncClient, url: str, error: EngineError) -> None:
    answer = await client.get(url)
    assert answer.status_code in ANSWERS, (url, error, answer.text)
    if answer.status_code in (410, 503) and "readyz" not in url:
        assert "It went wrong." in answer.text or isinstance(error, HistoryForgotten), (url, answer.text)
        assert answer.headers["content-type"].startswith(("application/problem+json", "text/html")), url


@pytest.mark.slow
@pytest.mark.parametrize("kind", first_quick(KINDS))
async def test_a_homes_routes_answer_each_error(sample: tuple[Path, Report], kind: type[EngineError]) -> None:
    error = made(kind)
    async with api_over(*sample, timeline=Failing(error)) as api:
        api.rows_reader.inner = FailingReader(api.rows_reader.inner, error)  # type: ignore[assignment]
        sites = MemorySites(kept("one"))
        sites.givens["one"] = api.context
        app = build_sites_app(sites, lambda: NOON, AppOptions())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as of_many:
            for path, query_of in ASKED:
                has_past = "at" in query_of.__struct_fields__
                for query in ("", f"?{AT}") if has_past else ("",):
                    await check(api.client, asked_of(path) + query, error)
                await check(of_many, "/sites/one" + asked_of(path), error)
            resumed = await api.client.get("/api/changes/stream", headers={"last-event-id": "1"})
            assert resumed.status_code in (410, 503)


@pytest.mark.parametrize("kind", first_quick(KINDS))
async def test_a_views_routes_answer_each_error(tmp_path: Path, kind: type[EngineError]) -> None:
    error = made(kind)
    app = build_view_app(FailingView(tmp_path, error), lambda: NOON, AppOptions(), "process")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in VIEWED:
            await check(client, path, error)
        assert (await client.get("/api/fleet/changes/stream")).status_code in (410, 503)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unreadable_home_is_left_out_of_answers_about_all_homes(
    kind: type[EngineError],
) -> None:
    app = build_sites_app(FailingSites(made(kind)), lambda: NOON, AppOptions())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in [route.path for route in sites_app.ROUTES if not route.path.endswith("/stream")]:
            answer = await client.get(path.replace("{site}", "one"))
            assert answer.status_code == 200, (path, answer.text)
