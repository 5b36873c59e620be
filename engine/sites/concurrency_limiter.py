"""Limits the number of homes that connect, and that are read in full, at the same time; the others wait.

A hanging home would occupy a place until its timeout, and a few such homes all places. So a place is released after a
while, even if its holder still hangs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.ports import Progress, Source, Watch

# A healthy home of 1,300 entities connects and is read within one.
PATIENCE_SECONDS = 5.0


class ConcurrencyLimiter:
    """Admits `places` callers at a time, in the order of their arrival."""

    def __init__(self, places: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Starts with all places free."""
        self._places = asyncio.Semaphore(places)
        self._patience_seconds = patience_seconds

    @property
    def is_full(self) -> bool:
        """Whether the next caller would have to wait."""
        return self._places.locked()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Hold a place while the block runs, but for at most `patience_seconds`."""
        await self._places.acquire()
        is_held = True

        def give_back() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(self._patience_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()


class LimitedSource(Source):
    """A source that waits for a place before it connects and before each full read."""

    def __init__(self, source: Source, connecting: ConcurrencyLimiter, reading: ConcurrencyLimiter) -> None:
        """Connects to nothing yet."""
        self._source = source
        self._connecting = connecting
        self._reading = reading

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return self._source.origin

    @property
    def can_be_followed(self) -> bool:
        """Always."""
        return True

    async def read(self, progress: Progress) -> Snapshot:
        """As the source does. Raises SourceError."""
        async with self._reading.passed():
            return await self._source.read(progress)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Watch]:
        """As the source does. Raises SourceError."""
        async with AsyncExitStack() as stack:
            async with self._connecting.passed():
                watch = await stack.enter_async_context(self._source.watch())
            yield _LimitedWatch(watch, self._reading)


class _LimitedWatch:
    """An open connection that waits for a place before a full read; reading what an event named does not wait."""

    def __init__(self, watch: Watch, reading: ConcurrencyLimiter) -> None:
        self._watch = watch
        self._reading = reading
        self.wait_for_hints = watch.wait_for_hints
        self.heartbeat = watch.heartbeat

    @property
    def unread_since(self) -> float | None:
        return self._watch.unread_since

    async def read(self, progress: Progress) -> Snapshot:
        async with self._reading.passed():
            return await self._watch.read(progress)

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        return await self._watch.refresh(hints, newest)
