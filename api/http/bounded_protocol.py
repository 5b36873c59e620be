"""HTTP/1.1 connections with limits on the time a request takes to arrive, its size, and the number of waiting connections.

uvicorn's own protocol waits forever for the next byte of a request, keeps a header of any length, and lets
connections pile up until the process has no file descriptor left. Any client could stop the mirror in one of these ways
without a token, and no setting of uvicorn prevents it, so a subclass here enforces limits.

Invariants: a connection that is not answering a request has a deadline, and so has an answer that the client does not read.
Above `sockets_allowed` connections, a waiting one is closed, so that a new one (such as a health check)
is always accepted.
"""

import asyncio
import resource
from collections import Counter
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_BYTES_MAX = 64 * 1024  # request line, headers and body together; no route reads a body
REQUEST_SECONDS = 10.0  # from a request's first byte to its last
IDLE_SECONDS = (
    15.0  # until a connection's first request, between two, and while the client does not read an answer
)
PIPELINED_MAX = 16
SOCKETS_MAX = 256
# Files reserved for the mirror under any HTTP load; a process with a low limit reserves the larger half.
_FILES_RESERVED = 256
_FILES_MANY = 1 << 20


class TooManyPipelined(Exception):
    """A client pipelined more requests than the limit. The parser turns it into 400."""


def sockets_allowed() -> int:
    """The maximum of open connections, derived from this process's limit of open files."""
    return max(4, min(SOCKETS_MAX, _files() - _FILES_RESERVED, _files() // 4))


def accepted_at_once() -> int:
    """The maximum of connections accepted in one iteration of the loop, on top of `sockets_allowed`.

    A fraction of it, so that a new connection's request is read before newer connections can displace it.
    """
    return sockets_allowed() // 4


def _files() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _FILES_MANY if files == resource.RLIM_INFINITY else files


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a deadline and a size for every request.

    `waiting_since` is when the connection last began to wait for a request, in the loop's seconds.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, and close a waiting one if there are too many."""
        self._deadline: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._is_receiving = False
        self._received_bytes = 0
        self._unsent_bytes = 0
        self.waiting_since = self.loop.time()
        super().connection_made(transport)
        self._set_deadline(IDLE_SECONDS)
        if len(self.connections) > sockets_allowed():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        self._is_lost = True
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, unless the request has become too large."""
        self._received_bytes += len(data)
        if self._received_bytes > REQUEST_BYTES_MAX:
            is_answered = self.cycle is not None and not self.cycle.response_complete
            self._refuse(b"413 Content Too Large" if is_answered else b"431 Request Header Fields Too Large")
            return
        super().data_received(data)
        if not self._is_receiving:
            self._received_bytes = 0

    def on_message_begin(self) -> None:
        """Start a request at its first byte."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise TooManyPipelined
        super().on_message_begin()
        self._is_receiving = True
        self._set_deadline(REQUEST_SECONDS)

    def on_message_complete(self) -> None:
        """End the deadline at a request's last byte; its answer may take any time."""
        super().on_message_complete()
        self._is_receiving = False
        self._received_bytes = 0
        if self.is_answering():
            self._clear_deadline()
        else:
            self._wait_for_request()

    def on_response_complete(self) -> None:
        """Start waiting for the next request: the answer is written."""
        super().on_response_complete()
        if not self._is_receiving and not self.is_answering():
            self._wait_for_request()

    def pause_writing(self) -> None:
        """The client reads more slowly than we send: give it until the deadline to read something."""
        super().pause_writing()
        self._unsent_bytes = 0
        self._set_deadline(IDLE_SECONDS)

    def resume_writing(self) -> None:
        """The client has read most of what we sent."""
        super().resume_writing()
        if self._is_receiving:
            return
        if self.is_answering():
            self._clear_deadline()
        else:
            self._wait_for_request()

    def timeout_keep_alive_handler(self) -> None:
        """Do nothing: our deadline also closes connections whose client does not read."""

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a client that requests a websocket gets an ordinary answer."""

    def is_answering(self) -> bool:
        """Whether a request has arrived whose answer is not yet written."""
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _wait_for_request(self) -> None:
        self.waiting_since = self.loop.time()
        self._set_deadline(IDLE_SECONDS)

    def _make_room(self) -> None:
        """Close the longest-waiting connection of the peer with the most connections; this one if all are answering."""
        open_ = cast("set[BoundedProtocol]", self.connections)
        peers = Counter(_peer(c) for c in open_)
        waiting = [c for c in open_ if c is not self and not c.is_answering()]
        victim = min(waiting, key=lambda c: (-peers[_peer(c)], c.waiting_since), default=self)
        # It closes in a later iteration of the loop; until then it must not be chosen again.
        open_.discard(victim)
        victim.transport.abort()

    def _refuse(self, status: bytes) -> None:
        """Close the connection with a status, or without one if an answer is half written."""
        if self.is_answering() or self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        head = [b"HTTP/1.1 ", status, b"\r\ncontent-length: 0\r\nconnection: close\r\n"]
        head += [name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers]
        self.transport.write(b"".join((*head, b"\r\n")))
        self.transport.close()
        self._is_receiving = False
        self._set_deadline(IDLE_SECONDS)

    def _on_deadline(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent != self._unsent_bytes:
            # A slow client that still reads may finish.
            self._unsent_bytes = unsent
            self._set_deadline(IDLE_SECONDS)
        elif unsent or not self._is_receiving:
            self.transport.abort()
        else:
            self._refuse(b"408 Request Timeout")

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        # Also while it is closing, which lasts until the client has read the rest.
        if not self._is_lost:
            self._deadline = self.loop.call_later(seconds, self._on_deadline)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _peer(connection: BoundedProtocol) -> str:
    return connection.client[0] if connection.client else ""
