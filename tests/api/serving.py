"""A filled store, an application over it, and clients for both, shared by the API's tests."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

import anyio
import anyio.lowlevel
import httpx
import msgspec

from api.app import build_app
from api.app_context import AppContext, AppOptions, only
from api.changes.feed import ChangeFeed
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from engine.core.records.revision import Revision
from engine.core.state.intervals import Freshness
from engine.core.state.kept_past import NOTHING_FORGOTTEN, Forgotten
from engine.core.state.report import Report
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import Mode
from engine.errors import HistoryForgotten
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.ports import Source
from engine.replicas.rows.queries.in_memory import rows_in_memory
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import open_rows
from engine.sources.files.capture import CaptureSource
from tests.fakes.world import MemorySource
from tests.homes import NOON

T = TypeVar("T")

SAMPLE = Path(__file__).parents[2] / "ops" / "sample" / "home-2026.11"
OF_APP = {field.name for field in fields(AppOptions)}
FRESHNESS = Freshness(stale_seconds=1200.0, unknown_seconds=60.0)


async def write_home(path: Path, source: Source | Snapshot, run_id: str = "r1") -> Report:
    """One writing pass into the rows file at `path`."""
    chosen: Source = MemorySource(source) if isinstance(source, Snapshot) else source
    rows = open_rows(path)
    try:
        options = PassOptions(Mode.APPLY, Policy(), frozenset(REGISTRIES), run_id, "home")
        return await Reconciler(chosen, [rows], rows, lambda: NOON, lambda *_: None).run(options)
    finally:
        rows.close()


async def write_sample(path: Path) -> Report:
    """The sample home in the rows file at `path`."""
    return await write_home(path, CaptureSource(SAMPLE, clock=lambda: NOON))


def status_of(report: Report | None, **changes: Any) -> Status:
    """The status of an engine whose last pass ended with `report` at noon."""
    context: dict[str, Any] = {
        "site": "home",
        "version": "1.2.3",
        "started_at": NOON - 60,
        "source": SourceStatus("capture:home", True, "2026.11.0", "RUNNING"),
        "replicas": tuple(
            ReplicaStatus(r.replica, r.status, synced_at=NOON, compared_at=NOON, succeeded_at=NOON)
            for r in (report.replicas if report else ())
        ),
        "report": report,
    }
    return Status(**{**context, **changes})


class CountingRowsReader:
    """A reader that counts the reads of rows."""

    def __init__(self, path: Path) -> None:
        self.inner = SqliteRowsReader(path)
        self.jobs = 0
        self.pages = 0

    async def read(self, job: Callable[[Any], T], /) -> T:
        self.jobs += 1
        return await self.inner.read(lambda transaction: job(CountingMoment(transaction, self)))

    def data_version(self) -> int | None:
        return self.inner.data_version()

    async def aclose(self) -> None:
        await self.inner.aclose()


class CountingMoment:
    def __init__(self, transaction: RowsTransaction, owner: CountingRowsReader) -> None:
        self._moment = transaction
        self._owner = owner

    def page(self, *arguments: Any) -> list[tuple[Any, ...]]:
        self._owner.pages += 1
        return self._moment.page(*arguments)

    def row(self, *arguments: Any) -> tuple[Any, ...] | None:
        self._owner.pages += 1
        return self._moment.row(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moment, name)


class MemoryTimeline:
    """A past made of records that were always there."""

    def __init__(self, records: Mapping[Key, Record], revisions: Sequence[Revision] = ()) -> None:
        self.records = {
            key: Revision(key, NOON, "create", 1, "b2:0", "r1", canonical_fields(record))
            for key, record in records.items()
        }
        self.revisions = list(revisions)
        self.since: float | None = NOON
        self.delayed: list[tuple[float, float]] = []
        self.known = NOTHING_FORGOTTEN

    def timeline(self, key: Key, *, after: int = 0, limit: int | None = None) -> list[Revision]:
        return [r for r in self.revisions if r.key == key and r.rev > after][:limit]

    def newest(self, key: Key, limit: int, *, before: int | None = None) -> list[Revision]:
        return [r for r in self.revisions if r.key == key and (before is None or r.rev < before)][-limit:]

    def count(self, key: Key) -> int:
        return sum(r.key == key for r in self.revisions)

    def holders(self, entity_id: str) -> list[Key]:
        return sorted({r.key for r in self.revisions if r.fields.get("entity_id") == entity_id})

    def as_of(self, at: float) -> Mapping[Key, Revision]:
        if self.known.known_from is not None and at < self.known.known_from:
            raise HistoryForgotten("history", self.known.known_from, "", "then")
        return self.records if self.since is not None and at >= self.since else {}

    def as_of_record(self, at: float, _registry: str, _asked: str) -> Mapping[Key, Revision]:
        return self.as_of(at)

    def edge(self, at: float) -> None:
        self.as_of(at)

    def begins_at(self) -> float | None:
        return self.since

    def delays(self, since: float) -> list[tuple[float, float]]:
        return [(at, seconds) for at, seconds in self.delayed if at > since]

    def forgotten(self, _key: Key) -> Forgotten:
        return self.known


class Api:
    """One application and what is behind it; `status` and `now` may be changed."""

    def __init__(self, path: Path, report: Report | None, **context: Any) -> None:
        self.path = path
        self.status = status_of(report)
        self.now = NOON + 12.5
        self.rows_reader = CountingRowsReader(path)
        self.feed = ChangeFeed(self.rows_reader)
        self.requests: list[tuple[str, str, int]] = []
        self.context = AppContext(
            status=lambda: self.status,
            clock=lambda: self.now,
            rows_reader=self.rows_reader,
            feed=self.feed,
            freshness=FRESHNESS,
            make_rows=rows_in_memory,
            **{name: value for name, value in context.items() if name not in OF_APP},
        )
        self.options = AppOptions(
            **{
                "observe": lambda route, method, code, _: self.requests.append((route, method, code)),
                **{name: value for name, value in context.items() if name in OF_APP},
            }
        )
        self.app = build_app(only(self.context), self.options)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://localhost",
            headers={"accept-encoding": ""},
        )

    async def get(self, url: str, status: int = 200, **headers: str) -> Any:
        """The decoded body of an answer with the expected status."""
        response = await self.client.get(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert response.status_code == status, response.text
        if status >= 400:
            assert response.headers["content-type"] == "application/problem+json"
        return msgspec.json.decode(response.content)


@asynccontextmanager
async def api_over(
    path: Path, report: Report | None = None, *, looked: bool = True, **context: Any
) -> AsyncIterator[Api]:
    """The application over the rows file at `path`, its feed running."""
    api = Api(path, report, **context)
    try:
        async with api.client, anyio.create_task_group() as group:
            group.start_soon(api.feed.run)
            if looked:
                await eventually(lambda: api.feed.is_readable)
            yield api
            api.feed.close()
            group.cancel_scope.cancel()
    finally:
        await api.rows_reader.aclose()


async def no_metrics(_accept: str) -> tuple[bytes, str]:
    """An exposition without series."""
    return b"x", "text/plain"


async def eventually(is_so: Callable[[], bool]) -> None:
    """Let other tasks and threads run until something is so; the clock is not looked at."""
    with anyio.fail_after(60):
        while not is_so():
            await anyio.lowlevel.checkpoint()
            _let_threads_run()


def _let_threads_run() -> None:
    time.sleep(0)  # a worker thread would get the interpreter after 5 ms otherwise


def is_long_poll_waiting(api: Api) -> bool:
    """Whether a long poll has read that there is nothing yet, and waits for the feed."""
    return api.feed._moved.statistics().tasks_waiting > 0


@contextmanager
def stopped_soon() -> Iterator[None]:
    """Lets uvicorn check ten times as often as by default (each tenth of a second) whether to stop."""
    quick = SimpleNamespace(**{**vars(asyncio), "sleep": lambda seconds: asyncio.sleep(seconds / 10)})
    with mock.patch("uvicorn.server.asyncio", quick):
        yield
