"""The wire format and lifetime of all streams of server-sent events.

A stream lasts only while its client reads: a disconnect, or a send that makes no progress for SEND_SECONDS,
ends it.
"""

import anyio
from anyio import CancelScope
from starlette.types import Receive, Send

from api.http.routing import EVENT_STREAM, LIVE_HEADERS

KEEP_ALIVE_SECONDS = 15.0
SEND_SECONDS = 30.0
KEEP_ALIVE = b": keep-alive\n\n"
RETRY = b"retry: 2000\n\n"
_HEADERS = [
    (name.encode(), value.encode())
    for name, value in (
        ("content-type", EVENT_STREAM),
        *LIVE_HEADERS.items(),
        ("x-accel-buffering", "no"),  # nginx, also in Home Assistant's ingress, would buffer events
    )
]


async def begin(send: Send) -> None:
    """Send the head of the answer."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})


async def send_piece(send: Send, data: bytes, scope: CancelScope) -> None:
    """Send a piece, and end the stream if the client does not read."""
    with anyio.move_on_after(SEND_SECONDS) as waited:
        await send({"type": "http.response.body", "body": data, "more_body": True})
    if waited.cancelled_caught:
        scope.cancel()
        await anyio.lowlevel.checkpoint()


async def end(send: Send) -> None:
    """End the stream without an event, so that the client reconnects."""
    await send({"type": "http.response.body"})


async def say_bye(send: Send) -> None:
    """End the stream with `bye`, because the service ends."""
    await send({"type": "http.response.body", "body": b"event: bye\ndata: {}\n\n", "more_body": False})


async def end_when_gone(receive: Receive, scope: CancelScope) -> None:
    """End the stream when its client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
