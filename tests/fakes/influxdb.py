"""Two stand-ins for InfluxDB: a wire that keeps points in memory, and an HTTP peer that answers by script.

The wire means what the real server means (the contract suite runs on both); the peer says what a real server can
hardly be made to say. The peer speaks raw bytes, so that an answer may end anywhere.
"""

import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec

from engine.replicas.influx.wires.wire import Block, Scan, Server

LineValue = str | int | float | bool


def parse_line(line: bytes) -> tuple[str, dict[str, str], dict[str, LineValue], int]:
    """Measurement, tags, fields and time of one line, by the rules of the line protocol."""
    head, rest = _split(line.decode(), " ")
    body, time_ns = _split(rest, " ", quotes=True)
    measurement, *tags = _parts(head, ",")
    fields = dict(_split(part, "=", quotes=True) for part in _parts(body, ",", quotes=True))
    return (
        _plain(measurement),
        {_plain(k): _plain(v) for k, v in (_split(tag, "=") for tag in tags)},
        {name: _value(text) for name, text in fields.items()},
        int(time_ns),
    )


class MemoryWire:
    """A `Wire` on points in memory. `before_write` sees every body first and may raise."""

    name = "v1"

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.version = "1.6.7"
        self.retention: int | None = 0
        self.start = "first"
        self.is_forgetful = False  # confirms what it does not store
        self.bodies: list[bytes] = []
        self.scans: list[Scan] = []
        self.before_write: Callable[[bytes], None] = lambda _body: None
        # (measurement, tags) -> time -> fields
        self.series: dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, dict[str, LineValue]]] = {}

    def probe(self) -> Server:
        return Server(self.version, self.name, self.clock())

    def retention_seconds(self) -> int | None:
        return self.retention

    def started(self) -> str | None:
        return self.start

    def write(self, body: bytes) -> None:
        self.bodies.append(body)
        self.before_write(body)
        if not self.is_forgetful:
            self.store(body)

    def store(self, body: bytes) -> None:
        """Insert points directly."""
        for line in body.split(b"\n"):
            measurement, tags, fields, time_ns = parse_line(line)
            points = self.series.setdefault((measurement, tuple(sorted(tags.items()))), {})
            points.setdefault(time_ns, {}).update(fields)

    def field_types(self, measurements: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], frozenset[str]] = {}
        for name, field, kind, _ in self._typed_values():
            if name in measurements:
                found[name, field] = found.get((name, field), frozenset()) | {kind}
        return found

    def tags_of_type(self, measurement: str, field: str, kind: str) -> list[Any] | None:
        wanted = (measurement, field, kind)
        return max((row for *what, row in self._typed_values() if tuple(what) == wanted), default=None)

    def _typed_values(self) -> Iterator[tuple[str, str, str, list[Any]]]:
        kinds = {str: "string", bool: "boolean", int: "integer", float: "float"}
        for (name, tag_pairs), points in self.series.items():
            tags = dict(tag_pairs)
            for time_ns, fields in points.items():
                for field, value in fields.items():
                    yield name, field, kinds[type(value)], [time_ns, tags.get("site"), tags.get("id")]

    def check_may_write(self) -> None:
        self.before_write(b"")

    def scan(self, scan: Scan) -> Iterator[Block]:
        self.scans.append(scan)
        for measurement in scan.measurements:
            rows: list[list[Any]] = []
            for (name, tag_pairs), points in self.series.items():
                tags = dict(tag_pairs)
                if name != measurement or (scan.site is not None and tags.get("site") != scan.site):
                    continue
                if scan.ids and tags.get("id") not in scan.ids:
                    continue
                rows += [
                    [time_ns, *(tags.get(t) for t in scan.tags), *(fields.get(f) for f in scan.fields)]
                    for time_ns, fields in points.items()
                    if scan.start_ns <= time_ns and (scan.stop_ns is None or time_ns < scan.stop_ns)
                    if any(f in fields for f in scan.fields)
                    if scan.equals is None or fields.get(scan.fields[0]) == scan.equals
                ]
            rows.sort(key=lambda row: row[0], reverse=scan.newest_max is not None)
            if rows:
                yield Block(measurement, rows[: scan.newest_max])

    def close(self) -> None:
        pass

    def lines(self, prefix: bytes = b"ha_") -> list[bytes]:
        """All lines that were sent, in order; without a prefix, those of records and markers."""
        sent = [line for body in self.bodies for line in body.split(b"\n") if line.startswith(prefix)]
        return (
            sent if prefix != b"ha_" else [x for x in sent if not x.startswith((b"ha_count", b"ha_change"))]
        )

    def data_requests(self) -> list[bytes]:
        """Bodies that hold records, not markers."""
        return [body for body in self.bodies if not body.startswith(b"ha_run")]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted answer."""

    status: int = 204
    headers: dict[str, str] = {}
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()  # sent chunked instead of `body`
    is_cut: bool = False  # the connection ends before the body's announced end
    has_length: bool = True
    is_silent: bool = False  # the connection ends without an answer


class Request(msgspec.Struct, frozen=True):
    """The requests that the peer received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class ScriptedPeer:
    """The scripted replies of a peer, and the requests that it received."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.replies: dict[str, list[Reply]] = {}
        self.default = Reply()
        self.release: threading.Event | None = None  # when set, answers wait for it

    def say(self, path: str, *replies: Reply) -> None:
        """Answer requests to this path with these, one after the other; the last one stays."""
        self.replies[path] = list(replies)

    def next_reply(self, path: str) -> Reply:
        queue = self.replies.get(path)
        if not queue:
            return self.default
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def uri(self, wire: str, *, scheme: str = "influxdb") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/homes?org=org&wire={wire}"


@contextmanager
def scripted_peer() -> Iterator[ScriptedPeer]:
    """A peer that listens while the block runs."""
    peer = ScriptedPeer()
    handler = type("Handler", (_PeerHandler,), {"peer": peer})
    with _Listener(("127.0.0.1", 0), handler) as listener:
        peer.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            if peer.release is not None:
                peer.release.set()
            listener.shutdown()
            thread.join()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


class _PeerHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for the head to be acknowledged
    peer: ScriptedPeer

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.peer.requests.append(Request(self.command, self.path, headers, body))
        if self.peer.release is not None:
            self.peer.release.wait(20)
        reply = self.peer.next_reply(self.path.partition("?")[0])
        if reply.is_cut or reply.is_silent or not reply.has_length:
            self.close_connection = True
        if not reply.is_silent:
            self.answer(reply)

    do_GET = do_POST = handle_any  # noqa: N815 (the base class calls these names)

    def answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.chunks:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.status != 204 and reply.has_length:
            self.send_header("Content-Length", str(len(reply.body) + (10 if reply.is_cut else 0)))
        self.end_headers()
        for chunk in reply.chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if reply.chunks and not reply.is_cut:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _parts(text: str, separator: str, *, quotes: bool = False) -> list[str]:
    parts = []
    while True:
        part, rest = _split(text, separator, quotes=quotes)
        parts.append(part)
        if len(part) == len(text):
            return parts
        text = rest


def _split(text: str, separator: str, *, quotes: bool = False) -> tuple[str, str]:
    """Before and after the first separator that is neither escaped nor, with `quotes`, within quotes."""
    index, is_quoted = 0, False
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 1
        elif quotes and character == '"':
            is_quoted = not is_quoted
        elif character == separator and not is_quoted:
            return text[:index], text[index + 1 :]
        index += 1
    return text, ""


def _plain(text: str) -> str:
    return text.replace("\\,", ",").replace("\\=", "=").replace("\\ ", " ")


def _value(text: str) -> LineValue:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)
