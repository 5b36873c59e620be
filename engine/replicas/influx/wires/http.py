"""HTTP to one InfluxDB server: one kept connection, answers read to their proven end.

Uses the standard library's client, because it follows no redirects, retries nothing and reports a truncated body;
one connection replaces a pool. Credentials are put into a header when a request is made and are
never part of an address, so they cannot appear in a message.
"""

import base64
import gzip
import http.client
import ssl
import zlib
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import msgspec

from engine.replicas.influx.wires.address import Address
from engine.replicas.influx.wires.bounds import (
    ANSWER_BYTES_MAX,
    SMALL_ANSWER_BYTES_MAX,
    EndlessAnswer,
    PlainConnection,
    TlsConnection,
)
from engine.replicas.influx.wires.failures import explain_answer, explain_cut, explain_exception
from engine.secret import Secret

_PIECE_BYTES = 1 << 16
_ERROR_BYTES_MAX = 1 << 16
# Smaller bodies are not compressed. Registry records shrink to a ninth, nearly as much at the lowest level.
_PACKED_BYTES_MIN = 1 << 10
LINES = "text/plain; charset=utf-8"  # the one type that every server decompresses; none decompresses a form
_GZIP_WINDOW_BITS = zlib.MAX_WBITS | 16
# A server may close a kept connection at any time; a request that gets no answer on it proves nothing about the server.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Credentials(msgspec.Struct, frozen=True):
    """A token, or a user name and password, or neither."""

    token: Secret = Secret("")
    username: str = ""
    password: Secret = Secret("")

    def header(self) -> dict[str, str]:
        """The request header with the credentials."""
        if self.token:
            return {"Authorization": f"Token {self.token.reveal()}"}
        if self.username:
            pair = f"{self.username}:{self.password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}
        return {}


class Answer:
    """An answer whose head was read. Read the rest with `body` or `pieces`, which raise if it is truncated."""

    def __init__(self, where: str, response: http.client.HTTPResponse) -> None:
        self._where = where
        self._response = response
        if response.length == 0:
            response.close()
        self.is_read = response.isclosed()  # whether the connection is free for the next request
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        self._is_packed = self.headers.get("content-encoding", "").lower() == "gzip"

    def body(self) -> bytes:
        """The whole body. Raises InfluxUnavailable when it was cut off.

        For an error, as much as arrived: nothing is derived from it, and some servers send no length.
        """
        if self.status == 200:
            return b"".join(self.pieces(SMALL_ANSWER_BYTES_MAX))
        try:
            text = self._response.read(_ERROR_BYTES_MAX)
            if self._is_packed:
                text = zlib.decompressobj(_GZIP_WINDOW_BITS).decompress(text, _ERROR_BYTES_MAX)
            self.is_read = self._response.isclosed() and not self._response.will_close
        except (OSError, http.client.HTTPException, zlib.error):
            text = b""
        finally:
            self._response.close()
        return text

    def pieces(self, bytes_max: int = ANSWER_BYTES_MAX) -> Iterator[bytes]:
        """The body as it arrives. Raises InfluxUnavailable when it was cut off, or exceeds `bytes_max` once decompressed."""
        left = bytes_max
        if self._response.length is None and not self._response.chunked:
            # Ended by closing the connection: a truncated body looks the same.
            self._response.close()
            raise explain_cut(self._where, "its length is not given")
        try:
            for piece in self._unpacked() if self._is_packed else self._as_sent():
                left -= len(piece)
                if left < 0:
                    raise explain_cut(self._where, f"it is longer than {bytes_max} bytes")
                yield piece
            self.is_read = True
        except EndlessAnswer as error:
            raise explain_cut(self._where, str(error)) from error
        except (OSError, http.client.HTTPException, zlib.error) as error:
            raise explain_cut(self._where, type(error).__name__) from error
        finally:
            self._response.close()

    def _as_sent(self) -> Iterator[bytes]:
        while piece := self._response.read1(_PIECE_BYTES):
            yield piece
        if self._response.length:
            raise explain_cut(self._where, f"{self._response.length} bytes are missing")

    def _unpacked(self) -> Iterator[bytes]:
        unpack = zlib.decompressobj(_GZIP_WINDOW_BITS)
        for piece in self._as_sent():
            # In bounded steps: a small answer may be crafted to decompress to more than memory holds.
            rest = piece
            while rest and not unpack.eof:
                yield unpack.decompress(rest, _PIECE_BYTES)
                rest = unpack.unconsumed_tail
        while not unpack.eof:
            if not (plain := unpack.decompress(b"", _PIECE_BYTES)):
                raise explain_cut(self._where, "its compressed data has no end")
            yield plain


def packed(body: bytes) -> tuple[bytes, dict[str, str]]:
    """A body as it is sent, and the header for its encoding."""
    if len(body) < _PACKED_BYTES_MIN:
        return body, {}
    return gzip.compress(body, compresslevel=1, mtime=0), {"Content-Encoding": "gzip"}


class HttpClient:
    """Requests to one server. One thread at a time, and one answer at a time."""

    def __init__(self, address: Address, credentials: Credentials, *, timeout_seconds: float) -> None:
        self._address = address
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._connection: http.client.HTTPConnection | None = None
        self._answer: Answer | None = None
        self.where = str(address)

    def request(
        self,
        attempt: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        content_type: str = LINES,
    ) -> Answer:
        """Send a request and read the head of its answer, with any status. Raises ReplicaError."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {**self._credentials.header(), "User-Agent": "ha-reconcile", "Accept": "application/json"}
        headers["Accept-Encoding"] = "gzip"
        if body is not None:
            body, encoding = packed(body) if content_type == LINES else (body, {})
            headers |= {"Content-Type": content_type, **encoding}
        if self._answer is not None and not self._answer.is_read:
            self.close()  # the last answer was not read to its end
        is_kept = self._connection is not None
        try:
            try:
                response = self._exchange(method, target, body, headers)
            except _STALE:
                if not is_kept:
                    raise
                # Every request may be repeated: reads change nothing, and series and time identify a point.
                self.close()
                response = self._exchange(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise explain_exception(attempt, self.where, error) from error
        self._answer = Answer(self.where, response)
        return self._answer

    def expect(self, attempt: str, answer: Answer, status: int) -> bytes:
        """The whole body of an answer with this status. Raises ReplicaError for any other."""
        body = answer.body()
        if answer.status != status:
            raise explain_answer(attempt, self.where, answer.status, answer.headers, body)
        return body

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection, self._answer = self._connection, None, None
        if connection is not None:
            connection.close()

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request(method, target, body, headers)
        except (BrokenPipeError, ConnectionResetError) as error:
            if self._connection.sock is None:
                raise  # reset before it was connected, so nothing was sent
            # A server that refuses a long body answers and closes before it has read it.
            try:
                return self._connection.getresponse()
            except (OSError, http.client.HTTPException):
                raise error from None
        return self._connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._address.host, self._address.port, self._timeout_seconds
        if self._address.tls:
            return TlsConnection(host, port, timeout=timeout, context=ssl.create_default_context())
        return PlainConnection(host, port, timeout=timeout)


def server_time(headers: Mapping[str, str]) -> float | None:
    """The server's clock from the Date header, Unix seconds; None without a valid one."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
