"""The informer: list, watch, relist. It keeps the newest snapshot of Home Assistant and notifies its listener.

The informer reports the first change at once and gathers those that follow closely. It reopens a lost connection
after a growing wait and reads everything again, because no event reports the changes of the meantime. It repeats a full
read when a delete needs confirmation. Between changes a heartbeat proves that the connection is alive: all events
before the answer have been delivered by then, so the newest snapshot is true up to the moment the request was sent.
"""

import math
from collections.abc import Awaitable, Callable

import anyio

from engine.core.home.snapshot import Snapshot
from engine.core.state.backoff import Backoff
from engine.core.state.hints import Hints
from engine.core.state.intervals import Intervals
from engine.errors import SourceError, SourceInvalid, SourceRefused, SourceUnavailable
from engine.loop.listeners import HomeListener
from engine.loop.sightings import Sightings
from engine.loop.source_memory import SourceMemory
from engine.ports import Progress, Source, Watch
from engine.process.offload import MORE_MEMORY, lacks_memory

# Each retry after unusable lists costs Home Assistant a full read.
_UNUSABLE_SECONDS_MAX = 30.0
# The shortest wait before a scheduled full read.
_LOOK_AGAIN_SECONDS_MIN = 1.0


class Informer:
    """Follows one source until cancelled. `draw` returns a number from 0 to 1."""

    def __init__(
        self,
        source: Source,
        intervals: Intervals,
        draw: Callable[[], float],
        progress: Progress,
        memory: SourceMemory | None = None,
    ) -> None:
        self._source = source
        self._memory = memory
        self._pace = intervals
        self._draw = draw
        self._progress = progress
        self._watch: Watch | None = None
        self._sightings = Sightings()
        self._relist_at = math.inf  # by anyio's clock
        self._waiting = anyio.CancelScope()

    def relist_within(self, seconds: float) -> None:
        """Schedule a full read in `seconds`, unless one is due sooner."""
        at = anyio.current_time() + max(seconds, _LOOK_AGAIN_SECONDS_MIN)
        if at < self._relist_at:
            self._relist_at = at
            self._waiting.cancel()

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return self._source.origin

    @property
    def unread_since(self) -> float | None:
        """When the source announced the first change that is not read yet, Unix seconds; None if there is none."""
        return self._watch.unread_since if self._watch is not None else None

    async def run(self, listener: HomeListener) -> None:
        """Follow the source until cancelled."""
        backoff = Backoff(self._pace.retry_seconds_min, self._pace.retry_seconds_max, self._draw)
        if self._memory is not None:
            await self._memory.begin()
        while True:
            has_connected, started = False, anyio.current_time()
            try:
                async with self._source.watch() as watch:
                    has_connected = True
                    listener.on_connected()
                    self._watch = watch
                    await self._follow(watch, listener, backoff)
            except SourceError as error:
                listener.on_disconnected(error)
                delay = self._delay_after(error, backoff, has_connected=has_connected)
                if not has_connected:
                    delay -= (
                        anyio.current_time() - started
                    )  # an attempt that nothing answered has waited already
            except (MemoryError, RuntimeError) as error:
                if not lacks_memory(error):
                    raise
                message = "There is not enough memory to read Home Assistant."
                listener.on_disconnected(SourceUnavailable(message, MORE_MEMORY))
                delay = backoff.next_delay_within(_UNUSABLE_SECONDS_MAX)
            self._watch = None
            await anyio.sleep(max(delay, 0.0))

    def _delay_after(self, error: SourceError, backoff: Backoff, *, has_connected: bool) -> float:
        """The wait before the next attempt, seconds.

        Short even if Home Assistant was unreachable for days, whatever answered in its place: an attempt to connect
        costs hardly anything, and a core that is back should be followed at once.
        """
        if isinstance(error, SourceRefused) and error.is_login:
            # Every attempt is a failed login in Home Assistant.
            return backoff.longest_delay()
        if isinstance(error, SourceInvalid) and has_connected:
            return backoff.next_delay_within(_UNUSABLE_SECONDS_MAX)
        return backoff.next_delay_within(self._pace.reconnect_seconds_max)

    async def _follow(self, watch: Watch, listener: HomeListener, backoff: Backoff) -> None:
        self._relist_at = self._next_relist()
        newest = await self._read(watch)
        listener.on_snapshot(newest)
        backoff.reset()
        while True:
            hints = await self._wait_for_hints(watch, listener)
            if hints is None or hints.relist:
                self._relist_at = self._next_relist()
                newest = await self._read(watch)
            else:
                newest = await self._seen(watch.refresh(hints, newest))
            listener.on_snapshot(newest)
            await anyio.sleep(self._pace.coalesce_seconds)

    async def _read(self, watch: Watch) -> Snapshot:
        """Read everything. Raises SourceError."""
        read = await self._seen(watch.read(self._progress))
        if self._memory is not None and self._memory.doubts(read):
            read = await self._seen(watch.read(self._progress))
        return read

    async def _seen(self, read: Awaitable[Snapshot]) -> Snapshot:
        """The result of a read, with what earlier ones saw. Raises SourceError."""
        try:
            return self._sightings.add(await read)
        except SourceError:
            self._sightings.fail()
            raise

    async def _wait_for_hints(self, watch: Watch, listener: HomeListener) -> Hints | None:
        """Return hints as soon as there are any; None when a full read is due."""
        while (left := self._relist_at - anyio.current_time()) > 0:
            with anyio.move_on_after(min(left, self._pace.heartbeat_seconds)) as self._waiting:
                return await watch.wait_for_hints()
            if anyio.current_time() >= self._relist_at:
                break
            confirmed_at = await watch.heartbeat()
            if confirmed_at is not None:
                listener.on_confirmed(confirmed_at)
                seconds = await self._memory.keep() if self._memory is not None else None
                if seconds is not None:
                    self.relist_within(seconds * self._draw())
        return None

    def _next_relist(self) -> float:
        # With jitter, because homes start together when power returns.
        return anyio.current_time() + self._pace.jittered(self._pace.relist_seconds, self._draw())
