"""The real server on a real socket: streams, slow and vanishing clients, a stop that waits for none of them."""

import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx
import msgspec
import pytest

from api.http.server import bind_socket, serve
from engine.core.state.report import Report
from engine.errors import SettingsError
from tests.api.serving import Api, api_over, eventually, is_long_poll_waiting, stopped_soon
from tests.replicas.passes import sql

TOKEN = "secret"
ROOT = Path(__file__).parents[3]


class Served:
    """A running server; `stop` ends it."""

    def __init__(self, api: Api, port: int, stop: anyio.Event) -> None:
        self.api = api
        self.port = port
        self.stop = stop
        self.url = f"http://127.0.0.1:{port}"

    async def stream(self, query: str = "", **headers: str) -> "Stream":
        return await Stream.open(self.port, query, **headers)

    def change(self, count: int = 1, bytes_each: int = 2) -> None:
        """Changes in the store, as a pass would make them."""
        payload = msgspec.json.encode({"name": "x" * bytes_each}).decode()
        for _ in range(count):
            sql(
                self.api.path,
                "INSERT INTO reconcile_changes (run_id, changed_at, op, registry, id, cause, before, after)"
                " VALUES ('r1', 1, 'u', 'device', 'd', 'pending', NULL, ?)",
                payload,
            )
        self.api.feed.notify()


class Stream:
    """A raw client of /api/changes/stream, which reads only on request."""

    def __init__(self, connection: anyio.abc.SocketStream) -> None:
        self.connection = connection
        self.buffer = b""

    @classmethod
    async def open(cls, port: int, query: str = "", **headers: str) -> "Stream":
        connection = await anyio.connect_tcp("127.0.0.1", port)
        lines = [
            f"{name.replace('_', '-')}: {value}" for name, value in {"host": "localhost", **headers}.items()
        ]
        request = f"GET /api/changes/stream{query} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        await connection.send(request.encode())
        return cls(connection)

    async def until(self, text: bytes) -> bytes:
        """What came up to and with `text`."""
        with anyio.fail_after(60):
            while text not in self.buffer:
                self.buffer += await self.connection.receive(65_536)
        found, _, self.buffer = self.buffer.partition(text)
        return found + text

    async def started(self) -> "Stream":
        assert b" 200 OK" in await self.until(b"retry: 2000\n\n")
        return self

    async def event(self) -> tuple[str, int, Any]:
        """(kind, id, data) of the next event; comments and chunk sizes are passed over."""
        await self.until(b"id: ")
        id_ = int(await self.until(b"\n"))
        kind = (await self.until(b"\n")).decode().removeprefix("event: ").strip()
        data = (await self.until(b"\n\n")).decode().removeprefix("data: ")
        return kind, id_, msgspec.json.decode(data)

    async def rest(self) -> bytes:
        with anyio.fail_after(60):
            try:
                while True:
                    self.buffer += await self.connection.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return self.buffer


@asynccontextmanager
async def server_over(path: Path, report: Report | None, **given: Any) -> AsyncIterator[Served]:
    sock = bind_socket("127.0.0.1", 0, has_token=False)
    async with api_over(path, report, looked=False, **given) as api, anyio.create_task_group() as group:
        ready, stop = anyio.Event(), anyio.Event()
        # `api_over` runs the feed already, so the server is given one of its own that ends at once.
        api.feed.close()
        api.feed.__init__(api.rows_reader)  # type: ignore[misc]  # a fresh feed under the same reference
        port = sock.getsockname()[1]

        async def run() -> None:
            with stopped_soon():
                await serve(api.app, sock, api.feed, ready=ready, stop=stop)

        group.start_soon(run)
        await ready.wait()
        await eventually(lambda: api.feed.is_readable)
        yield Served(api, port, stop)
        stop.set()


@pytest.fixture
async def served(rows: Path, sample: tuple[Path, Report]) -> AsyncIterator[Served]:
    async with server_over(rows, sample[1]) as running:
        yield running


@pytest.mark.slow
def test_a_service_loads_no_command_line_of_its_server_and_no_templates() -> None:
    unwanted = "sys.modules.keys() & {'click', 'jinja2', 'uvicorn.main'}"
    program = f"import sys, engine.composition.serving, engine.sites.serving; print(*{unwanted})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


async def test_it_answers_over_http(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url) as client:
        plain = await client.get("/api/devices?limit=100", headers={"accept-encoding": ""})
        packed = await client.get("/api/devices?limit=100")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.json() == plain.json()
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "server" not in plain.headers
        head = await client.head("/api/changes/stream")
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")


async def test_a_stream_carries_changes_as_they_come(served: Served) -> None:
    stream = await (await served.stream()).started()
    served.change()
    kind, id_, data = await stream.event()
    assert (kind, id_, data["seq"], data["after"]) == ("change", 206, 206, {"name": "xx"})
    await stream.connection.aclose()


async def test_resuming_has_no_gap_and_nothing_twice(served: Served) -> None:
    seen: list[int] = []
    last = 100
    for _ in range(5):
        stream = await (await served.stream(last_event_id=str(last))).started()
        served.change(3)
        for _ in range(20):
            kind, last, _ = await stream.event()
            assert kind == "change"
            seen.append(last)
        await stream.connection.aclose()
    assert seen == list(range(101, 201))


async def test_a_resumed_stream_filters_too(served: Served) -> None:
    stream = await (await served.stream("?registry=floor", last_event_id="0")).started()
    _, id_, data = await stream.event()
    assert data["registry"] == "floor"
    assert id_ > 1
    await stream.connection.aclose()


async def test_a_place_that_is_gone_is_a_reset(served: Served) -> None:
    sql(served.api.path, "DELETE FROM reconcile_changes WHERE seq <= 100")
    for last in ("50", "99999"):
        stream = await (await served.stream(last_event_id=last)).started()
        kind, id_, data = await stream.event()
        assert (kind, id_, data["reason"]) == ("reset", 205, "expired")
        await stream.connection.aclose()


async def test_a_reader_that_is_too_slow_is_reset(served: Served) -> None:
    stuck = await (await served.stream()).started()
    served.change(300, bytes_each=60_000)
    await eventually(lambda: served.api.feed.latest == 505)
    kinds: list[str] = []
    while "reset" not in kinds:
        kind, id_, _ = await stuck.event()
        kinds.append(kind)
    assert id_ == 505
    assert 1 < len(kinds) < 300
    served.change()
    assert (await stuck.event())[:2] == ("change", 506)
    await stuck.connection.aclose()


async def test_a_client_that_vanishes_frees_its_place(served: Served) -> None:
    streams = [await (await served.stream()).started() for _ in range(8)]
    refused = await served.stream()
    assert b" 503 " in await refused.until(b"\r\n\r\n")
    await streams[0].connection.aclose()
    await eventually(lambda: served.api.feed.streams == 7)
    streams.append(await (await served.stream()).started())
    for stream in (*streams[1:], refused):
        await stream.connection.aclose()
    await eventually(lambda: served.api.feed.streams == 0)


@pytest.mark.slow
async def test_a_client_that_takes_nothing_is_dropped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.event_streams.SEND_SECONDS", 0.2)
    half_open = await (await served.stream()).started()
    served.change(300, bytes_each=60_000)
    await eventually(lambda: served.api.feed.streams == 0)
    await half_open.connection.aclose()


async def test_silence_is_kept_alive(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.event_streams.KEEP_ALIVE_SECONDS", 0.01)
    stream = await (await served.stream()).started()
    await stream.until(b": keep-alive\n\n")
    await stream.until(b": keep-alive\n\n")
    await stream.connection.aclose()


async def test_a_connection_without_a_request_is_closed(
    rows: Path, sample: tuple[Path, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bounded_protocol.IDLE_SECONDS", 0.05)
    async with server_over(rows, sample[1]) as served:
        silent = await anyio.connect_tcp("127.0.0.1", served.port)
        assert await Stream(silent).rest() == b""
        await silent.aclose()


@pytest.mark.slow
async def test_it_stops_soon_with_streams_open_and_stuck(rows: Path, sample: tuple[Path, Report]) -> None:
    async with server_over(rows, sample[1]) as served:
        polite = await (await served.stream()).started()
        stuck = await (await served.stream()).started()
        idle = await anyio.connect_tcp("127.0.0.1", served.port)
        await eventually(lambda: served.api.feed.streams == 2)
        for newest in range(213, 526, 8):  # more than the sockets between us hold
            served.change(8, bytes_each=60_000)
            while (await polite.event())[1] < newest:
                pass
        poll = await anyio.connect_tcp("127.0.0.1", served.port)
        query = f"after={served.api.feed.latest}&wait=30"
        await poll.send(f"GET /api/changes?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await eventually(lambda: is_long_poll_waiting(served.api))
        began = anyio.current_time()
        served.stop.set()
        assert b"event: bye\ndata: {}\n\n" in await polite.rest()
        assert b'"changes":[]' in await Stream(poll).rest()
        for connection in (stuck.connection, poll, idle, polite.connection):
            await connection.aclose()
    assert anyio.current_time() - began < 12, "less than anybody here waits by themselves"


async def test_cancelling_it_stops_it_too(rows: Path) -> None:
    sock = bind_socket("127.0.0.1", 0, has_token=False)
    async with api_over(rows) as api, anyio.create_task_group() as group:
        ready = anyio.Event()

        async def run() -> None:
            await serve(api.app, sock, api.feed, ready=ready, stop=anyio.Event())

        group.start_soon(run)
        await ready.wait()
        group.cancel_scope.cancel()
    assert sock.fileno() == -1


def test_a_port_that_is_taken_is_a_settings_error() -> None:
    with (
        bind_socket("127.0.0.1", 0, has_token=False) as taken,
        pytest.raises(SettingsError, match=r"Cannot listen on 127\.0\.0\.1"),
    ):
        bind_socket("127.0.0.1", taken.getsockname()[1], has_token=False)
    for host, port in (("no.such.host.invalid", 0), ("127.0.0.1", 99_999)):
        with pytest.raises(SettingsError):
            bind_socket(host, port, has_token=False)


def test_others_are_let_in_only_with_a_token() -> None:
    with pytest.raises(SettingsError) as refused:
        bind_socket("0.0.0.0", 0, has_token=False)
    assert "http.token_file" in refused.value.hint
    assert "http.allow_anonymous" in refused.value.hint
    for options in ({"has_token": True}, {"has_token": False, "allow_anonymous": True}):
        with bind_socket("0.0.0.0", 0, **options) as sock:
            assert isinstance(sock, socket.socket)
    with bind_socket("localhost", 0, has_token=False) as sock:
        assert sock.getsockname()[1] > 0
