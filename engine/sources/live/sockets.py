"""The socket of a connection to Home Assistant: opened soon or not at all, and closed without delay.

Sets every option of `websockets` that we use. It must not send or read a message, and does not know the token.
"""

import asyncio
import logging
import ssl
from functools import lru_cache

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.protocol import State

from engine.files.signature import Signature, signature_of
from engine.sources.live.failures import connect_failure

_PING_SECONDS = 30.0
# Just after 7 s, when TCP sends its fourth SYN: the fifth would follow 8 s later, a new attempt comes sooner.
_CONNECT_SECONDS = 8.0
# The longest wait for Home Assistant's close frame: a program that receives a signal ends within a second.
_CLOSE_SECONDS = 0.3


class _Socket(ClientConnection):
    """Hangs up as soon as a Close frame has been exchanged or our own failure has been announced.

    The websocket protocol lets the server close the TCP connection first, and Home Assistant 2026.11 keeps
    it open for 10 s while it stops, which delays its own shutdown (seen 2026-11-23). Nothing after a
    Close frame matters.
    """

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.state is State.CLOSING:
            self.transport.close()


class _Connect(connect):
    """Connects without following redirects, and soon reports that no host answers.

    The login would send the token to a redirect's target.
    """

    async def open_tcp_connection(self) -> ClientConnection:
        """Look up the name and connect. Raises OSError."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await super().open_tcp_connection()
        except TimeoutError as error:
            # Without an error number: with a timeout's it would pass for a timeout of the whole handshake.
            raise OSError(f"nothing answered within {_CONNECT_SECONDS:g} s") from error

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(
    address: str,
    message_bytes_max: int,
    opening_seconds: float,
    ping_seconds: float,
    tls: ssl.SSLContext | None,
) -> ClientConnection:
    """Connect to `address` and open a websocket, whose pings are to be answered within `ping_seconds`. Raises SourceError."""
    with_tls = address.startswith("wss:")
    try:
        return await _Connect(
            address,
            create_connection=_Socket,
            # Home Assistant is in the local network or behind the Supervisor; a proxy configured for downloads
            # must not see it, and with ws:// would read the token.
            proxy=None,
            logger=_without_frames(),
            open_timeout=opening_seconds,
            ping_interval=_PING_SECONDS,
            ping_timeout=ping_seconds,
            close_timeout=_CLOSE_SECONDS,
            max_size=message_bytes_max,
            ssl=(tls or trusted_authorities()) if with_tls else None,
            ssl_shutdown_timeout=_CLOSE_SECONDS if with_tls else None,
        )
    except (OSError, WebSocketException) as error:
        raise connect_failure(error, address, opening_seconds) from error


def trusted_authorities() -> ssl.SSLContext:
    """The system's trusted authorities, read once in a process and again when they have changed.

    Each context takes 77 ms and 837 KiB (CPython 3.11, Debian 12, 2026-11-28), so all
    connections of all homes share one.
    """
    return _context_of(_authority_files())


def _authority_files() -> tuple[Signature | None, ...]:
    paths = ssl.get_default_verify_paths()
    return tuple(signature_of(path) for path in (paths.cafile, paths.capath) if path)


@lru_cache(maxsize=1)
def _context_of(_files: tuple[Signature | None, ...]) -> ssl.SSLContext:
    return ssl.create_default_context()


def _without_frames() -> logging.Logger:
    """The library's log, never at the level that logs frames, because one frame holds the token."""
    logger = logging.getLogger("websockets.client.without_frames")
    logger.setLevel(logging.INFO)
    return logger


async def close_socket(socket: ClientConnection) -> None:
    """Close it, with a close handshake if the other side answers at once."""
    with anyio.move_on_after(2 * _CLOSE_SECONDS, shield=True):
        await socket.close()
    socket.transport.abort()
