"""Changes of all homes as they are written to Kafka, as server-sent events; a reader that reconnects misses nothing."""

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.fleet.answers import Viewed
from api.fleet.ports import FleetView, ViewedChange, ViewedChanges
from api.http import event_streams
from api.http.event_streams import KEEP_ALIVE, RETRY, begin, end, end_when_gone, say_bye, send_piece
from api.http.queries import NoQuery
from api.http.routing import EVENT_STREAM, route
from api.sites.ports import SiteChange
from engine.errors import EngineError

ID_PATTERN = "^[0-9]{1,18}(-[0-9]{1,18})*$"
_RESET = b'event: reset\ndata: {"reason":"expired"}\n\n'


@route(
    "/api/fleet/changes/stream",
    SiteChange,
    statuses=(503,),
    media_type=EVENT_STREAM,
    event_id_pattern=ID_PATTERN,
)
async def stream_viewed_changes(found: Viewed, request: Request, _query: NoQuery) -> Response:
    """Changes of all homes of the fleet as they are written (server-sent events), resumed after Last-Event-ID."""
    return ViewStream(found.view, request.headers.get("last-event-id", ""))


class ViewStream(Response):
    """The response that streams changes."""

    def __init__(self, view: FleetView, last_id: str) -> None:
        super().__init__(None, 200)
        self._view = view
        self._last_id = last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client disconnects, the service ends, or Kafka does not answer; then the client reconnects."""
        if scope["method"] == "HEAD":
            await begin(send)
            await end(send)
            return
        # Before the status line: a Kafka that does not answer is a 503, not a broken stream.
        async with self._view.follow_changes(self._last_id) as changes:
            await begin(send)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(end_when_gone, receive, tasks.cancel_scope)
                await send_piece(send, RETRY, tasks.cancel_scope)
                try:
                    await self._follow(changes, send, tasks.cancel_scope)
                    await say_bye(send)
                except EngineError:
                    await end(send)
                tasks.cancel_scope.cancel()

    async def _follow(self, changes: ViewedChanges, send: Send, scope: anyio.CancelScope) -> None:
        if not changes.has_place:
            await send_piece(send, _RESET, scope)
        quiet_since = anyio.current_time()
        while True:
            try:
                found = await changes.next()
            except StopAsyncIteration:
                return
            data = _RESET if found is None else b"".join(map(_event, found))
            if not data and anyio.current_time() - quiet_since >= event_streams.KEEP_ALIVE_SECONDS:
                data = KEEP_ALIVE
            if data:
                quiet_since = anyio.current_time()
                await send_piece(send, data, scope)


def _event(found: ViewedChange) -> bytes:
    return b"id: %b\nevent: change\ndata: %b\n\n" % (found.id.encode(), msgspec.json.encode(found.change))
