"""The events of one subscription to Home Assistant, queued for one reader."""

from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel
import msgspec


class Subscription:
    """The events of one subscription, oldest first, as undecoded JSON, for one reader.

    At most `events_max` wait to be read; further ones are dropped and counted in `events_lost`.
    Events are hints: a reader that lists a registry again after reading its waiting events misses no
    change. Waiting for the reader would delay the answers to commands, which share the socket.
    """

    def __init__(self, check_open: Callable[[], None], events_max: int) -> None:
        """`check_open` raises the connection's SourceError once it has failed."""
        self.id = 0
        self.events_lost = 0
        self._check_open = check_open
        self._events: deque[msgspec.Raw] = deque()
        self._events_max = events_max
        self._changed = anyio.Event()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> msgspec.Raw:
        """Returns the next event, however long it takes: the connection's pings notice a dead peer.

        Raises the connection's SourceError once it has failed and all events are read.
        """
        while not self._events:
            self._check_open()
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._events.popleft()

    def put(self, event: msgspec.Raw) -> None:
        """Adds one event from the connection."""
        if len(self._events) >= self._events_max:
            self.events_lost += 1
            return
        self._events.append(event)
        self._changed.set()

    def wake(self) -> None:
        """Wakes the reader, because no event will follow."""
        self._changed.set()
