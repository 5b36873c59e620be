"""Attacks on the HTTP port: how long a change and a health check wait meanwhile, and how much memory they cost.

Input: a recorded home behind a fake core on a loopback socket, the service as a process of its own with 1,024 file
descriptors (systemd's default), and from this process without a token: 1,000 half-sent requests, 1,000 connections that
send one byte a second, 64 clients that send headers without end (16 MiB each), and 64 clients that ask for all entities
and read nothing. Budget on an idle machine: a change is in its row within 2 s, each health check is answered within 1 s,
and no more than 50 MiB of memory grown.

    python -m bench.service.http_attacks
"""

import copy
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread

from bench.figures import Figure, publish
from bench.service.burst import Watched
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, fake_home_assistant
from tests.service_process import Service
from tests.sources.recorded_homes import DATA, fake_answers

FILES = 1024
MANY, FEW = 1000, 64
HEADER_MIB = 16
SECONDS = 10
CHANGE_SECONDS_MAX, HEALTH_SECONDS_MAX, GROWTH_MIB_MAX = 2.0, 1.0, 50.0
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX"


def half_sent(connections: list[socket.socket]) -> None:
    """Begin requests, and leave it at that."""
    for connection in connections:
        _send(connection, HALF)


def one_byte_a_second(connections: list[socket.socket]) -> None:
    """Send another byte of each request every second."""
    half_sent(connections)
    for _ in range(SECONDS):
        time.sleep(1)
        for connection in connections:
            _send(connection, b"x")


def headers_without_end(connections: list[socket.socket]) -> None:
    """Send as much of a header as the service takes."""
    half_sent(connections)
    for _ in range(HEADER_MIB * 16):
        for connection in connections:
            _send(connection, b"a" * 65_536)


def answers_not_read(connections: list[socket.socket]) -> None:
    """Ask for everything, many times ahead, and take nothing of it."""
    for connection in connections:
        _send(connection, b"GET /api/entities?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)


ATTACKS: tuple[tuple[str, int, Callable[[list[socket.socket]], None]], ...] = (
    ("1,000 half-sent requests", MANY, half_sent),
    ("1,000 requests at a byte a second", MANY, one_byte_a_second),
    ("64 headers without end", FEW, headers_without_end),
    ("64 clients that read nothing", FEW, answers_not_read),
)


def _send(connection: socket.socket, data: bytes) -> None:
    # Refused, reset or full: an attacker continues with the next one.
    with suppress(OSError):
        connection.send(data)


@contextmanager
def connected(address: str, count: int) -> Iterator[list[socket.socket]]:
    """Connections to the service, as many as it takes; all of them are non-blocking."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            with suppress(OSError):
                connection.connect((host, int(port)))
            connection.setblocking(False)
            found.append(connection)
        yield found


async def measure(folder: Path) -> list[Figure]:
    """All figures, of one service."""
    figures: list[Figure] = []
    async with fake_home_assistant(copy.deepcopy(fake_answers(DATA / "2026.11.0" / "rich"))) as fake:
        service = await anyio.to_thread.run_sync(_start, fake, folder)
        try:
            it = await anyio.to_thread.run_sync(Watched, fake, service, folder)
            assert service.process.stderr is not None
            # A log that is not read would fill its pipe and block the service.
            threading.Thread(target=service.process.stderr.read, daemon=True).start()
            await it.rename()
            for name, count, attack in ATTACKS:
                figures += await _under(it, name, count, attack)
        finally:
            service.process.terminate()
            service.process.wait(timeout=60)
    return figures


def _start(fake: FakeHomeAssistant, folder: Path) -> Service:
    service = Service(folder, source=fake.uri, RECONCILE_SOURCE__TOKEN=TOKEN)
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    return service


async def _under(
    it: Watched, name: str, count: int, attack: Callable[[list[socket.socket]], None]
) -> list[Figure]:
    before, slowest = it.memory_mib(), 0.0
    most = before
    with it.asked_all_the_time(), connected(it.address, count) as connections:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, attack, connections)
            until = anyio.current_time() + SECONDS
            while anyio.current_time() < until:
                slowest = max(slowest, await it.rename())
                most = max(most, it.memory_mib())
                await anyio.sleep(0.2)
    grown = most - before
    return [
        Figure(name="change mirrored", size=name, value=slowest, unit="s", budget=CHANGE_SECONDS_MAX),
        Figure(name="/healthz, slowest", size=name, value=it.slowest, unit="s", budget=HEALTH_SECONDS_MAX),
        Figure(name="memory grown", size=name, value=grown, unit="MiB", budget=GROWTH_MIB_MAX),
    ]


def main() -> None:
    """Measure, print and keep."""
    files, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(hard, 4096)), hard))
    with tempfile.TemporaryDirectory() as folder:
        publish("http_attacks", anyio.run(measure, Path(folder)))


if __name__ == "__main__":
    main()
