"""Limits an answer's time and size, on either wire.

A socket's timeout only limits silence: an answer that trickles, or never ends, does not trigger it. Both wires read
through the standard library's HTTP, so both read answers of this class.
"""

import http.client
import io
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.core.counts import plural

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A scan of 20,000 records is 17 MB; all revisions of one record are less.
ANSWER_BYTES_MAX = 512 << 20  # as sent
SMALL_ANSWER_BYTES_MAX = 16 << 20  # for other requests: a server's own metrics are a tenth of a megabyte
_TIMEOUTS_MAX = 10  # total time, in multiples of the timeout for a byte


class EndlessAnswer(OSError):
    """The answer took too long, or was too large; the text names which."""


class BoundedAnswer(http.client.HTTPResponse):
    """An answer with limits, also on its head. Reading it raises EndlessAnswer, an OSError."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        """Start the time limit, when the request was sent."""
        super().__init__(sock, debuglevel, method)
        self.fp: io.BufferedReader = io.BufferedReader(_Bounded(self.fp, sock.gettimeout()))


class _Bounded(io.RawIOBase):
    def __init__(self, inner: io.BufferedReader, timeout_seconds: float | None) -> None:
        self._inner = inner
        self._seconds = (timeout_seconds or 60.0) * _TIMEOUTS_MAX
        self._ends = time.monotonic() + self._seconds
        self._left = ANSWER_BYTES_MAX

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._inner.fileno()

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        if time.monotonic() > self._ends:
            raise EndlessAnswer(f"it did not end within {plural(self._seconds, 'second')}")
        count = self._inner.readinto1(buffer)
        self._left -= count
        if self._left < 0:
            raise EndlessAnswer(f"it is longer than {ANSWER_BYTES_MAX} bytes")
        return count

    def close(self) -> None:
        self._inner.close()
        super().close()


class PlainConnection(http.client.HTTPConnection):
    """A connection with limited answers."""

    response_class: type[http.client.HTTPResponse] = BoundedAnswer


class TlsConnection(http.client.HTTPSConnection):
    """The same over TLS."""

    response_class: type[http.client.HTTPResponse] = BoundedAnswer


def lines_of(pieces: Iterator[bytes], bytes_max: int) -> Iterator[bytes]:
    """The non-empty lines of a stream; the last needs no newline. A line over the limit is returned unfinished."""
    rest: list[bytes] = []
    size = 0
    for piece in pieces:
        *ended, tail = piece.split(b"\n")
        for end in ended:
            line = b"".join((*rest, end))
            rest = []
            if line.strip():
                yield line
        size = len(tail) if ended else size + len(tail)
        rest.append(tail)
        if size > bytes_max:
            break
    line = b"".join(rest)
    if line.strip():
        yield line
