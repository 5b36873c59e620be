"""A fleet view for tests of its API: a file with messages of some homes, and a fixed standing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx

from api.app_context import AppOptions
from api.fleet.app import build_view_app
from api.fleet.ports import Standing, ViewedChange, ViewTransaction
from engine.errors import ReplicaError
from engine.replicas.kafka.messages import PlacedEntry
from tests.fleet_view.viewed import reader_of, said_device, said_site
from tests.homes import NOON

T = TypeVar("T")

HOSTILE = '<script>alert("1")</script>\u202e'
SAID = (
    said_device("north", "d1", "Lamp", model="Hue"),
    said_device("north", "d2", HOSTILE, model="Hue", sw_version="<i>2"),
    said_device("south", "d1", "Plug", model="Innr"),
    said_site(
        "north", "blocked", label="North <b>", tags=("west",), url="https://north.example/", drift_records=3
    ),
    said_site("south", "in_sync", tags=("east",)),
    said_site("old", "in_sync", at=NOON - 3600),
)


class MemoryView:
    """See `FleetView`."""

    def __init__(self, folder: Path, *entries: PlacedEntry) -> None:
        self.held = Standing(as_of=NOON - 2, replayed=True, behind=0, revision=1)
        self._reader = reader_of(folder, *entries)
        self.feed = MemoryChanges()

    def standing(self) -> Standing:
        return self.held

    async def read(self, job: Callable[[ViewTransaction], T]) -> T:
        with self._reader.transaction() as transaction:
            return job(transaction)

    @asynccontextmanager
    async def follow_changes(self, last_id: str) -> AsyncIterator["MemoryChanges"]:
        self.feed.asked.append(last_id)
        yield self.feed


class MemoryChanges:
    """See `ViewedChanges`. What is to come is in `batches`; behind them the service ends."""

    def __init__(self, *batches: list[ViewedChange] | ReplicaError | None, has_place: bool = True) -> None:
        self.asked: list[str] = []
        self.has_place = has_place
        self._batches = list(batches)

    async def next(self) -> list[ViewedChange] | None:
        if not self._batches:
            raise StopAsyncIteration
        found = self._batches.pop(0)
        if isinstance(found, ReplicaError):
            raise found
        await anyio.sleep(1.0)
        return found


@asynccontextmanager
async def asking(view: MemoryView, now: float = NOON, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = build_view_app(view, lambda: now, AppOptions(**options), "process")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers={"accept-encoding": ""}
    ) as client:
        yield client
