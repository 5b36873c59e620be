"""The change feed in memory: one reader of the store wakes every long poll and fills every stream.

The host calls `notify` after each commit; nothing here polls. Each stream has a bounded queue: a reader that
is too slow loses its position in the feed and gets a `RESET`; it never delays others for long or lets memory
grow. Everything but reading runs in the event loop, so a subscriber that starts at `latest` misses nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import msgspec

from api.changes.envelope import Change, change_of_row
from api.ports import ReadTransaction, RowsReader
from engine.errors import EngineError

QUEUE_MAX = 64
STREAMS_MAX = 8
RETRY_SECONDS = 5.0  # after the store could not be read
DRAIN_SECONDS = 1.0  # how long one batch waits for active readers
_BATCH = QUEUE_MAX // 2


class Event(msgspec.Struct, frozen=True):
    """What a stream sends: a change, or a `reset` after which the client has to start over."""

    kind: str  # change, reset
    seq: int
    registry: str
    data: bytes


class NoPlace(Exception):
    """A stream cannot start now; the message gives the reason."""


class FeedSubscription:
    """One stream's queue."""

    def __init__(self, head: int, registry: str | None, tell_read: Callable[[], None]) -> None:
        self._tell_read = tell_read
        self.head = head  # changes up to here are not in the queue
        self._registry = registry
        self._events: deque[Event] = deque()
        self._wake = anyio.Event()
        self._is_behind = False

    def __len__(self) -> int:
        return len(self._events)

    def offer(self, event: Event) -> None:
        """Queue an event; if the queue is full, one reset replaces its content."""
        if event.kind == "change" and self._registry not in (None, event.registry):
            return
        if self._is_behind or event.kind == "reset" or len(self._events) >= QUEUE_MAX:
            # One reset replaces everything until it is read, so a stuck reader costs no more.
            self._events.clear()
            self._is_behind = True
            event = reset_event(event.seq, "too_slow") if event.kind == "change" else event
        self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Make `next` check again."""
        self._wake.set()

    async def next(self) -> Event | None:
        """The next event; None when woken without one because the feed ends."""
        if not self._events:
            self._wake = anyio.Event()
            await self._wake.wait()
        if not self._events:
            return None
        event = self._events.popleft()
        self._is_behind = self._is_behind and event.kind != "reset"
        self._tell_read()
        return event


class ChangeFeed:
    """The change feed over a reader of the store; run `run` in a task group, call `notify` after every commit."""

    def __init__(self, rows_reader: RowsReader, *, streams_max: int = STREAMS_MAX) -> None:
        self._rows_reader = rows_reader
        self._streams_max = streams_max
        self._subscriptions: set[FeedSubscription] = set()
        self._notified = anyio.Event()
        self._moved = anyio.Event()
        self._read = anyio.Event()
        self._closed = anyio.Event()
        self.latest = 0  # the newest change that listeners have seen
        self._has_looked = False
        self.is_readable = False  # whether the last attempt to read the store succeeded

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    @property
    def streams(self) -> int:
        """The number of open streams."""
        return len(self._subscriptions)

    def notify(self) -> None:
        """Report a commit. Call it in the event loop; many calls in a row cost one read."""
        self._notified.set()

    def close(self) -> None:
        """End every stream, and let `run` end."""
        self._closed.set()
        self._notified.set()
        self._moved.set()
        self._read.set()
        for subscription in self._subscriptions:
            subscription.wake()

    async def wait_closed(self) -> None:
        """Wait until the feed is closed."""
        await self._closed.wait()

    async def wait_newer(self, seq: int) -> None:
        """Wait until there is a change after `seq`, or the feed is closed."""
        while self.latest <= seq and not self.is_closed:
            await self._moved.wait()

    @contextmanager
    def subscribe(self, registry: str | None) -> Iterator[FeedSubscription]:
        """A queue of all changes after `latest`. Raises NoPlace."""
        if not self._has_looked or self.is_closed:
            # Without the newest number, the client might miss changes.
            raise NoPlace(
                "The change feed cannot be followed: its store was not read yet, or the service ends."
            )
        if len(self._subscriptions) >= self._streams_max:
            raise NoPlace(
                f"All {self._streams_max} places for change streams are taken."
                " Use /api/changes?wait=30, or close another stream."
            )
        subscription = FeedSubscription(self.latest, registry, self._note_read)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def run(self) -> None:
        """Read new changes whenever notified, until closed."""
        while not self.is_closed:
            self._notified = anyio.Event()
            try:
                await self._catch_up()
                self.is_readable = True
            except EngineError:
                # Readiness and every route that reads report it; here a retry is enough.
                self.is_readable = False
            if self.is_closed:
                return
            with anyio.move_on_after(None if self.is_readable else RETRY_SECONDS):
                await self._notified.wait()

    async def _catch_up(self) -> None:
        while True:
            position = self.latest
            skips = not self._subscriptions

            def job(
                transaction: ReadTransaction, position: int = position, *, skips: bool = skips
            ) -> tuple[int, int, list[Event]]:
                oldest, newest = transaction.feed_bounds()
                rows = [] if skips else transaction.changes(position, _BATCH)
                return oldest, newest, [event_of_change(change_of_row(row)) for row in rows]

            oldest, newest, events = await self._rows_reader.read(job)
            if newest < position or (oldest > position + 1 and not skips):
                # Another file, or a feed that was shortened between two reads: the changes in between are lost.
                self._publish([reset_event(newest, "expired")], newest)
            elif skips:
                if self._subscriptions:
                    continue  # a client subscribed during the read, and must get all changes after the old `latest`
                self._publish([], newest)
            else:
                self._publish(events, events[-1].seq if events else newest)
                await self._let_drain()
            self._has_looked = True
            if self.latest >= newest or self.is_closed:
                return

    def _publish(self, events: list[Event], latest: int) -> None:
        for event in events:
            for subscription in self._subscriptions:
                subscription.offer(event)
        if latest != self.latest:
            self.latest = latest
            moved, self._moved = self._moved, anyio.Event()
            moved.set()

    def _note_read(self) -> None:
        self._read.set()

    async def _let_drain(self) -> None:
        """Give active readers time to read before more is queued."""
        with anyio.move_on_after(DRAIN_SECONDS):
            while any(len(s) > _BATCH for s in self._subscriptions) and not self.is_closed:
                self._read = anyio.Event()
                await self._read.wait()


def event_of_change(change: Change) -> Event:
    """A change as a stream's event, encoded once for all streams."""
    data = msgspec.json.encode(change)
    return Event(
        "change", change.seq, change.registry, b"id: %d\nevent: change\ndata: %b\n\n" % (change.seq, data)
    )


def reset_event(seq: int, reason: str) -> Event:
    """An event for a stream that lost the changes before `seq`: read the lists again, continue from `seq`."""
    data = msgspec.json.encode({"reason": reason, "next": seq})
    return Event("reset", seq, "", b"id: %d\nevent: reset\ndata: %b\n\n" % (seq, data))
