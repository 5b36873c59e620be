"""Readers of the feed of changes. Each has its own client and reads at its own pace; their number is limited."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread

from api.fleet.ports import ViewedChange
from engine.errors import ReplicaUnavailable
from engine.fleet_view.changes import ChangeFollower
from engine.fleet_view.view_file.schema import REPLICA

STREAMS_MAX = 8
_TAKE_SECONDS = 0.2  # short enough to end in time with the service


class ChangeStreams:
    """All readers. Create it inside the event loop; `open_follower` creates the follower of one reader."""

    def __init__(self, open_follower: Callable[[], ChangeFollower]) -> None:
        self._open_follower = open_follower
        self._threads = anyio.CapacityLimiter(STREAMS_MAX)
        self._open = 0
        self.is_closed = False

    @asynccontextmanager
    async def follow(self, last_id: str) -> AsyncIterator["OpenStream"]:
        """See `FleetView.follow_changes`. Raises ReplicaUnavailable when there are too many."""
        if self._open >= STREAMS_MAX:
            raise ReplicaUnavailable(
                REPLICA,
                f"{STREAMS_MAX} streams of changes are open already.",
                "Close one of them, or read Kafka itself.",
            )
        follower = self._open_follower()
        self._open += 1
        try:
            begin = partial(follower.begin, last_id)
            has_place = await anyio.to_thread.run_sync(begin, limiter=self._threads)
            yield OpenStream(self, follower, has_place)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(follower.close, limiter=self._threads)
            self._open -= 1

    async def take(self, follower: ChangeFollower) -> list[ViewedChange] | None:
        """The changes that one reader gets in one step."""
        return await anyio.to_thread.run_sync(partial(follower.take, _TAKE_SECONDS), limiter=self._threads)

    async def run(self) -> None:
        """Does nothing: each reader reads on its own."""
        await anyio.sleep_forever()

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True


class OpenStream:
    """See `ViewedChanges`."""

    def __init__(self, streams: ChangeStreams, follower: ChangeFollower, has_place: bool) -> None:
        self._streams = streams
        self._follower = follower
        self.has_place = has_place

    async def next(self) -> list[ViewedChange] | None:
        """See `ViewedChanges`."""
        if self._streams.is_closed:
            raise StopAsyncIteration
        return await self._streams.take(self._follower)
