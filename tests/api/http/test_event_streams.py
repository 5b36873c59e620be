"""A stream ends when its client goes or takes nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from api.http.event_streams import SEND_SECONDS, begin, end_when_gone, send_piece

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def kept(messages: list[Any]) -> Callable[[Any], Awaitable[None]]:
    async def send(message: Any) -> None:
        messages.append(message)

    return send


async def test_no_cache_or_proxy_keeps_or_holds_back_a_stream() -> None:
    sent: list[Any] = []
    await begin(kept(sent))
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream"
    assert (headers[b"cache-control"], headers[b"x-accel-buffering"]) == (b"no-store", b"no")


async def test_a_stream_continues_after_an_accepted_piece() -> None:
    sent: list[Any] = []
    with anyio.CancelScope() as scope:
        await send_piece(kept(sent), b"data: 1\n\n", scope)
    assert sent == [{"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}]
    assert not scope.cancel_called


async def test_a_client_that_takes_nothing_ends_its_stream() -> None:
    async def send(_message: Any) -> None:
        await anyio.sleep_forever()

    began = anyio.current_time()
    with anyio.CancelScope() as scope:
        await send_piece(send, b"data: 1\n\n", scope)
        pytest.fail("it went on")
    assert scope.cancelled_caught
    assert anyio.current_time() - began == SEND_SECONDS


async def test_a_client_that_goes_ends_its_stream() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    with anyio.CancelScope() as scope:
        await end_when_gone(receive, scope)
    assert scope.cancel_called
