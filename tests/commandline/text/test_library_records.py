"""The library-advice check: nothing that a library says to those who build on it reaches our log."""

import io
import json
import logging
import socket
import warnings
from collections.abc import Iterator

import anyio
import pytest
from starlette.applications import Starlette

from api.http.server import bind_socket, serve
from engine.commandline.text.log_lines import LOGGER, set_up_logging

ADVICE = (
    "No supported WebSocket library detected. Please use \"pip install 'uvicorn[standard]'\".",
    "Consider raising the limit, see https://example.org/help",
)
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# What our log may say of what other code logs.
OURS = {"message of a library", "refused an invalid HTTP request", "refused to speak another protocol"}


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def log_to(stream: io.StringIO, level: str = "info") -> logging.Logger:
    return set_up_logging(stream, format_="json", level=level)


def lines_of(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("name", ["uvicorn.error", "websockets.server", "asyncio", "reconciled", "root"])
@pytest.mark.parametrize("text", ADVICE)
def test_a_library_is_named_and_not_quoted(name: str, text: str) -> None:
    stream = io.StringIO()
    log_to(stream)
    logging.getLogger(name).warning("%s", text)
    (line,) = lines_of(stream)
    assert (line["message"], line["library"]) == ("message of a library", name)
    assert line["at"].startswith("test_library_records.py:")
    assert text not in stream.getvalue()


def test_arguments_that_do_not_fit_and_errors_are_reported_too() -> None:
    stream = io.StringIO()
    log_to(stream)
    logging.getLogger("sloppy").error("%d of %d", *["x"])
    try:
        int("pip install luck")
    except ValueError:
        logging.getLogger("sloppy").exception("please report this")
    first, second = lines_of(stream)
    assert first["message"] == second["message"] == "message of a library"
    assert second["error"] == "ValueError"
    assert "pip" not in stream.getvalue()


def test_a_warning_of_a_library_is_reported_in_the_same_way() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log_to(stream)
        warnings.warn("The query does not pivot. Please use pivot().", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines_of(stream)
    assert (line["message"], line["library"]) == ("message of a library", "py.warnings")


def test_ours_is_reported_as_it_is_and_with_debug_theirs_is_quoted() -> None:
    stream = io.StringIO()
    logger = log_to(stream, "debug")
    logger.warning("ours", extra={"fields": {"a": "b"}})
    logging.getLogger(f"{LOGGER}.part").warning("a part of ours")
    logging.getLogger("uvicorn").warning(ADVICE[0])
    first, second, third = lines_of(stream)
    assert (first["message"], first["a"], second["message"]) == ("ours", "b", "a part of ours")
    assert third["text"] == ADVICE[0]


class NoStreams:
    def __init__(self) -> None:
        self.ended = anyio.Event()

    async def run(self) -> None:
        await self.ended.wait()

    def close(self) -> None:
        self.ended.set()


async def test_odd_requests_bring_no_advice_into_the_log() -> None:
    stream = io.StringIO()
    log_to(stream)
    sock = bind_socket("127.0.0.1", 0, has_token=True, allow_anonymous=False)
    ready, stop = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve(Starlette(), sock, NoStreams(), ready=ready, stop=stop))
        await ready.wait()
        for request in (UPGRADE, UPGRADE.replace(b"websocket", b"h2c"), b"\x16\x03\x01 hello\r\n\r\n"):
            await ask(sock, request)
        stop.set()
    sock.close()
    assert lines_of(stream), "the library had something to say"
    assert {line["message"] for line in lines_of(stream)} <= OURS
    for word in ("pip", "lease", "install", "http://", "https://"):
        assert word not in stream.getvalue()


async def ask(sock: socket.socket, request: bytes) -> None:
    async with await anyio.connect_tcp(*sock.getsockname()[:2]) as client:
        await client.send(request)
        with anyio.move_on_after(10):
            await client.receive()
