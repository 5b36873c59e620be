"""A change stream on the wire (server-sent events): resume, keep-alives, a clean end, and disconnection of stuck clients.

When the feed closes it sends `bye` and ends, at the latest after BYE_SECONDS; `api.http.event_streams` lists other
reasons to end.
"""

from dataclasses import dataclass

import anyio
from anyio import CancelScope
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.changes.envelope import change_of_row
from api.changes.feed import ChangeFeed, Event, FeedSubscription, NoPlace, event_of_change, reset_event
from api.http import event_streams
from api.http.event_streams import KEEP_ALIVE, RETRY, begin, end, end_when_gone, say_bye, send_piece
from api.http.problems import RETRY_SECONDS, Problem
from api.ports import ReadTransaction, RowsReader
from engine.errors import EngineError

BYE_SECONDS = 0.3
_RESUME_BATCH = 200


@dataclass(frozen=True)
class StreamStart:
    """Where a stream starts: after `seq`, or now if None."""

    seq: int | None
    registry: str | None


class EventStream(Response):
    """The response that streams changes from a position on."""

    def __init__(self, feed: ChangeFeed, rows_reader: RowsReader, place: StreamStart) -> None:
        super().__init__(None, 200)
        self._feed = feed
        self._rows_reader = rows_reader
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client disconnects or the feed closes."""
        if scope["method"] == "HEAD":
            await begin(send)
            await end(send)
            return
        try:
            with self._feed.subscribe(self._place.registry) as subscription:
                await self._serve(subscription, receive, send)
        except NoPlace as error:
            problem = Problem(503, str(error), headers={"retry-after": str(RETRY_SECONDS)})
            await problem.response(scope["path"])(scope, receive, send)

    async def _serve(self, subscription: FeedSubscription, receive: Receive, send: Send) -> None:
        # Before the status line: a store that cannot be read is a 503, not a broken stream.
        position, events = await self._resume(self._place.seq, subscription.head)
        await begin(send)
        async with anyio.create_task_group() as group:
            group.start_soon(end_when_gone, receive, group.cancel_scope)
            group.start_soon(self._until_closed, group.cancel_scope)
            await send_piece(send, RETRY, group.cancel_scope)
            while events:
                for event in events:
                    await send_piece(send, event.data, group.cancel_scope)
                if position >= subscription.head or self._feed.is_closed:
                    break
                try:
                    position, events = await self._resume(position, subscription.head)
                except EngineError:
                    # The client reconnects and resumes after its last change; then it gets the reason, as a 503.
                    await end(send)
                    group.cancel_scope.cancel()
                    return
            await self._follow(subscription, send, group.cancel_scope)
            group.cancel_scope.cancel()

    async def _resume(self, after: int | None, head: int) -> tuple[int, list[Event]]:
        """The next batch of changes after `after` up to `head`; a reset if they are no longer available."""
        if after is None or after == head:
            return head, []
        registry = self._place.registry

        def job(transaction: ReadTransaction) -> tuple[int, list[Event]]:
            oldest, newest = transaction.feed_bounds()
            if after > newest or (after < head and after + 1 < oldest):
                return head, [reset_event(head, "expired")]
            rows = transaction.changes(after, _RESUME_BATCH, registry, head)
            last = rows[-1][0] if len(rows) == _RESUME_BATCH else head
            return last, [event_of_change(change_of_row(row)) for row in rows]

        return await self._rows_reader.read(job)

    async def _follow(self, subscription: FeedSubscription, send: Send, scope: CancelScope) -> None:
        # A client may have read further from the store than the feed's reader had at its start.
        seen = self._place.seq or 0
        while not self._feed.is_closed:
            event = None
            data = KEEP_ALIVE
            with anyio.move_on_after(event_streams.KEEP_ALIVE_SECONDS) as waited:
                event = await subscription.next()
            if event is not None:
                if event.kind == "change" and event.seq <= seen:
                    continue
                seen = 0
                data = event.data
            elif not waited.cancelled_caught:
                continue
            await send_piece(send, data, scope)
        await say_bye(send)

    async def _until_closed(self, scope: CancelScope) -> None:
        await self._feed.wait_closed()
        await anyio.sleep(BYE_SECONDS)
        scope.cancel()
