"""The HTTP server inside the host's task group: binds sockets, leaves signals to the host, stops within a second.

`serve` returns only when it has stopped. The host sets `stop`; then streams send `bye`, answers in progress are
finished, and a client that still does not read is disconnected.
"""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import anyio
import uvicorn
from anyio import Event
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import Server

from api.http.bounded_protocol import BoundedProtocol, accepted_at_once
from engine.errors import SettingsError

# Some modules of uvicorn expect it in the package, whose `__init__` did not run (see `api.http`).
uvicorn.Config = Config  # type: ignore[misc]

STOP_SECONDS = 0.3  # connections still open then are closed
_BACKLOG = 512  # queued by the kernel; a client that finds the queue full retries after a second
# On every answer, even without a route: for an error in a route, or for bytes that are not HTTP.
SECURITY_HEADERS = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    # 'self' may frame the page: Home Assistant's ingress shows it in a frame of its own origin.
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
    ),
]


class EmbeddedServer(Server):
    """uvicorn without signal handlers, with an event when it listens."""

    def __init__(self, config: Config, ready: Event) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: signals belong to the host program."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then set the event."""
        await super().startup(sockets=sockets)
        for sock in sockets or ():
            # asyncio has set the backlog to the number it accepts in one iteration.
            sock.listen(_BACKLOG)
        self._ready.set()

    def cut_off(self) -> None:
        """Close the remaining connections, even if the other side has not read everything."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def bind_socket(host: str, port: int, *, has_token: bool, allow_anonymous: bool = False) -> socket.socket:
    """A listening socket; port 0 picks a free port.

    Raises SettingsError when the address is not available, or when others can reach it and no token is set.
    """
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            f"Setting http.host = {host!r} is not an address of this machine: {error}.",
            "Set http.host, such as 127.0.0.1.",
        ) from error
    family, type_, protocol, _, address = found[0]
    is_loopback = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    if not (is_loopback or has_token or allow_anonymous):
        raise SettingsError(
            f"http.host = {host!r} lets other machines read this home's inventory, and no token is set.",
            "Set http.token_file, or http.host = 127.0.0.1; to let everyone read, set http.allow_anonymous = true.",
        )
    sock = socket.socket(family, type_, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address[0], port, *address[2:]))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        sock.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}.",
            "Is the service running already? Otherwise set http.host and http.port.",
        ) from error
    return sock


class Streams(Protocol):
    """The source of answers without an end."""

    async def run(self) -> None:
        """Feed the streams until closed."""

    def close(self) -> None:
        """End all streams."""


async def serve(app: ASGIApp, sock: socket.socket, streams: Streams, *, ready: Event, stop: Event) -> None:
    """Serve `app` on a listening socket, and run its change streams, until `stop` is set; then stop within a second.

    Cancelling it stops it in the same way.
    """
    config = Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=SECURITY_HEADERS,
        proxy_headers=False,
        backlog=accepted_at_once(),
    )
    server = EmbeddedServer(config, ready)
    stopped = anyio.Event()

    async def run() -> None:
        # Cancelling the group must not truncate answers; `cut_off` makes the server end.
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[sock])
        stopped.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(streams.run)
        try:
            await stop.wait()
        finally:
            streams.close()
            server.should_exit = True
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(STOP_SECONDS):
                    await stopped.wait()
                server.cut_off()
        group.cancel_scope.cancel()
