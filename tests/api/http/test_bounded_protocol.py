"""Bounds on requests without a token, on a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import pytest

from api.http.bounded_protocol import PIPELINED_MAX, REQUEST_BYTES_MAX, accepted_at_once, sockets_allowed
from engine.core.state.report import Report
from tests.api.http.test_server import Served, Stream, server_over

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture
async def served(rows: Path, sample: tuple[Path, Report]) -> AsyncIterator[Served]:
    async with server_over(rows, sample[1]) as running:
        yield running


async def connect(served: Served, data: bytes = b"") -> anyio.abc.SocketStream:
    connection = await anyio.connect_tcp("127.0.0.1", served.port)
    if data:
        await connection.send(data)
    return connection


async def send_until_closed(connection: anyio.abc.SocketStream, piece: bytes, *, pause: float = 0) -> int:
    """Send without reading until the other side has closed; returns how many bytes it took."""
    sent = 0
    with anyio.fail_after(60):
        try:
            while True:
                await connection.send(piece)
                sent += len(piece)
                await anyio.sleep(pause)
        except anyio.BrokenResourceError:
            await connection.aclose()
            return sent


async def answer_to(served: Served, data: bytes) -> bytes:
    connection = await connect(served, data)
    answer = await Stream(connection).rest()
    await connection.aclose()
    return answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"GET / HTTP/1.1\r\nhost: x\r\nX",
        b"GET / HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc",
        HEALTH + b"GET /",
    ],
)
async def test_a_request_that_does_not_end_is_ended(
    served: Served, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.REQUEST_SECONDS", 0.05)
    connection = await connect(served, begun)
    await Stream(connection).rest()
    await connection.aclose()


async def test_one_byte_now_and_then_does_not_prolong_a_request(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.REQUEST_SECONDS", 0.2)
    await send_until_closed(await connect(served, b"GET / HTTP/1.1\r\nX: "), b"a", pause=0.01)


async def test_empty_lines_are_no_request(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.IDLE_SECONDS", 0.1)
    await send_until_closed(await connect(served), b"\r\n", pause=0.01)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\nX: ", b"a" * 4096),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"a: b\r\n" * 700),
        (b"GET /", b"a" * 4096),
    ],
    ids=["a header without end", "headers without end", "a path without end"],
)
async def test_a_head_without_end_is_cut_off(served: Served, head: bytes, piece: bytes) -> None:
    sent = await send_until_closed(await connect(served, head), piece)
    assert sent < 64 * REQUEST_BYTES_MAX


async def test_a_head_that_is_too_large_is_reported(served: Served) -> None:
    head = b"GET / HTTP/1.1\r\nX: " + b"a" * (REQUEST_BYTES_MAX + 1)
    assert await answer_to(served, head) == b"HTTP/1.1 431 Request Header Fields Too Large"


async def test_requests_sent_ahead_are_bounded(served: Served) -> None:
    connection = await connect(served, HEALTH * (PIPELINED_MAX + 40))
    assert (await Stream(connection).rest()).count(b" 200 OK") <= PIPELINED_MAX + 1
    await connection.aclose()
    few = await connect(served, HEALTH * 3)
    stream = Stream(few)
    for _ in range(3):
        await stream.until(b" 200 OK")
    await few.aclose()


async def test_a_new_client_is_answered_even_if_many_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.SOCKETS_MAX", 8)
    waiting = [await connect(served, b"GET /") for _ in range(40)]
    newcomer = Stream(await connect(served, HEALTH))
    await newcomer.until(b" 200 OK")
    with anyio.fail_after(30):
        ended = 0
        for connection in waiting[:32]:
            await Stream(connection).rest()
            ended += 1
    assert ended == 32
    for connection in (*waiting, newcomer.connection):
        await connection.aclose()


async def test_streams_are_not_closed_for_a_newcomer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.SOCKETS_MAX", 4)
    streams = [await (await served.stream()).started() for _ in range(4)]
    refused = await connect(served, HEALTH)
    assert await Stream(refused).rest() == b""
    served.change()
    for stream in streams:
        assert (await stream.event())[0] == "change"
        await stream.connection.aclose()
    await refused.aclose()


async def test_an_answer_that_the_client_does_not_read_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.IDLE_SECONDS", 0.05)
    asked = b"GET /api/entities?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    await send_until_closed(await connect(served, asked * PIPELINED_MAX), b"\r\n", pause=0.01)


async def test_a_request_for_another_protocol_is_answered_as_any_other(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = HEALTH[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    stream = Stream(await connect(served, upgrade))
    await stream.until(b" 200 OK")
    await stream.connection.aclose()
    assert caplog.records == []


def test_the_mirror_keeps_files_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, sockets, accepted in (
        (1024, 256, 64),
        (4096, 256, 64),
        (300, 44, 11),
        (32, 4, 1),
        (-1, 256, 64),
    ):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert (sockets_allowed(), accepted_at_once()) == (sockets, accepted)
