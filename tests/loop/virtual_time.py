"""An hour in no time: trio's clock jumps to the next deadline whenever everything waits."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import trio.testing

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import GatheredHints, Hints
from engine.core.state.intervals import Intervals
from engine.errors import SourceError
from engine.ports import Progress, Source
from tests.homes import NOON

T = TypeVar("T")
PACE = Intervals(
    relist_seconds=600,
    verify_seconds=300,
    jitter_ratio=0,
    heartbeat_seconds=10,
    coalesce_seconds=0.2,
    watch_seconds=0.5,
    retry_seconds_min=1,
    retry_seconds_max=60,
)


def virtual_backend() -> tuple[str, dict[str, Any]]:
    """What an `anyio_backend` fixture returns for virtual time."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


def clock() -> float:
    """Unix seconds that move with virtual time."""
    return NOON + anyio.current_time()


async def inline(work: Callable[[], T]) -> T:
    """Blocking work, done here: a thread would run in real time."""
    await anyio.lowlevel.checkpoint()
    return work()


class LiveHome(Source):
    """A Home Assistant to be followed: tests change `now`, push hints, and take it down."""

    origin = "live"

    def __init__(self, now: Snapshot) -> None:
        self.now = now
        self.down: SourceError | None = None
        self.unreadable: SourceError | None = None  # it answers, and what it lists cannot be used
        self.answer_seconds = 0.0
        self.reads: list[float] = []
        self.refreshes: list[Hints] = []
        self._hints = GatheredHints()
        self._changed = anyio.Event()

    def change(self, now: Snapshot, hints: Hints | None = None) -> None:
        """Home Assistant is different, and says so unless `hints` is None."""
        self.now = now
        if hints is not None:
            self._hints.add(hints, clock())
            self._changed.set()

    def take_down(self, error: SourceError) -> None:
        self.down = error
        self._changed.set()

    async def read(self, progress: Progress) -> Snapshot:
        await anyio.sleep(self.answer_seconds)
        self._check()
        if self.unreadable is not None:
            raise self.unreadable
        self._hints.take()
        self.mark_read()
        self.reads.append(anyio.current_time())
        return self.now.with_changes([], [], taken_at=clock())

    @property
    def can_be_followed(self) -> bool:
        """It can."""
        return True

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["LiveHome"]:
        self._check()
        yield self

    async def wait_for_hints(self) -> Hints:
        while not self._hints:
            self._check()
            self._changed = anyio.Event()
            await self._changed.wait()
        self._check()
        return self._hints.take()

    @property
    def unread_since(self) -> float | None:
        return self._hints.unread_since

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        await anyio.sleep(self.answer_seconds)
        self._check()
        self.refreshes.append(hints)
        self.mark_read()
        return self.now.with_changes([], [], taken_at=clock())

    def mark_read(self) -> None:
        self._hints.mark_read()

    async def heartbeat(self) -> float | None:
        asked_at = clock()
        await anyio.sleep(self.answer_seconds)
        self._check()
        return None if self.unread_since is not None else asked_at

    def _check(self) -> None:
        if self.down is not None:
            raise self.down
