"""Wire v1: `/write` and InfluxQL on `/query`, the API that 1.x, 2.x and 3.x share.

Answers are chunked JSON, never CSV: in CSV a failed statement and an empty result look the same. A read is
complete when the last line of its answer has arrived without "partial", and no line contains "error".
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.schema.points import REPLICA
from engine.replicas.influx.wires.address import Address
from engine.replicas.influx.wires.bounds import ANSWER_BYTES_MAX, SMALL_ANSWER_BYTES_MAX, lines_of
from engine.replicas.influx.wires.failures import (
    NOT_INFLUXDB_HINT,
    BatchRefused,
    BucketMissing,
    explain_answer,
    explain_cut,
    explain_statement,
)
from engine.replicas.influx.wires.http import Answer, Credentials, HttpClient, server_time
from engine.replicas.influx.wires.influxql import (
    identifier,
    seconds_of,
    select_text,
)
from engine.replicas.influx.wires.slices import slices
from engine.replicas.influx.wires.wire import Block, Scan, Server, missing_bucket_refusal

# Rows per line of an answer: large enough for hashes, small enough for payloads of a kilobyte.
_CHUNK_ROWS = 5_000
_CHUNK_ROWS_WITH_PAYLOAD = 1_000
# The error of a server that has InfluxQL but not this statement.
_UNKNOWN_STATEMENT = ("not supported", "unsupported", "not implemented")
# The longest accepted answer for one chunk of rows; payloads are a kilobyte.
_LINE_BYTES_MAX = 32 << 20
_NS = 1_000_000_000


class _Series(msgspec.Struct):
    name: str = ""
    columns: list[str] = []
    values: list[list[str | int | float | bool | None]] = []
    partial: bool = False


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str = ""
    partial: bool = False


class _Line(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


_decode_line = msgspec.json.Decoder(_Line).decode


class WireV1:
    """A `Wire` over `/write` and `/query`."""

    name = "v1"

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        *,
        timeout_seconds: float,
        version: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Does not connect. `version` is the server's, if known; else `probe` determines it."""
        self._version = version
        self._clock = clock
        self._http = HttpClient(address, credentials, timeout_seconds=timeout_seconds)
        self._database = address.database
        self._policy = address.retention_policy

    def probe(self) -> Server:
        """Ask `/ping`. Raises ReplicaError."""
        server = probe_server(self._http, self.name)
        self._version = server.version
        return server

    def retention_seconds(self) -> int | None:
        """How long the retention policy keeps points, seconds; 0 for unlimited. Raises ReplicaError."""
        statement = f"SHOW RETENTION POLICIES ON {identifier(self._database)}"
        try:
            found = list(self._select(statement, {}))
        except ReplicaError as error:
            if any(word in error.message.lower() for word in _UNKNOWN_STATEMENT):
                return None
            raise
        for series in found:
            for row in series.values:
                named = dict(zip(series.columns, row, strict=False))
                is_ours = named.get("name") == self._policy if self._policy else named.get("default")
                if is_ours:
                    return seconds_of(str(named.get("duration", "")))
        return None

    def started(self) -> str | None:
        """When the server started: 1.x reports it in `/debug/vars`, 2.x in `/ready` (2.7.12, seen 2026-11-29)."""
        for path in ("/debug/vars", "/ready"):
            answer = self._http.request("ask", "GET", path)
            body = answer.body()
            with suppress(*DECODE_ERRORS):
                server_vars = msgspec.json.decode(body, type=_Started)
                if answer.status == 200 and (server_vars.system.started or server_vars.started):
                    return server_vars.system.started or server_vars.started
        return None

    def write(self, body: bytes) -> None:
        """Write lines. Raises BatchRefused, BatchTooLarge, InfluxUnavailable, ReplicaRejected."""
        query = {"db": self._database, "precision": "ns"}
        if self._policy:
            query["rp"] = self._policy
        answer = self._http.request("write to", "POST", "/write", query, body=body)
        self._http.expect("write to", answer, 204)

    def check_may_write(self) -> None:
        """Send a body without points, which is refused like any other without permission to write. Raises ReplicaError."""
        with suppress(BatchRefused):  # 3.x refuses a body without points, after checking the permission
            self.write(b"# may I write?\n")

    def scan(self, scan: Scan) -> Iterator[Block]:
        """Rows by InfluxQL; for InfluxDB 3 in slices of time. Raises ReplicaError at any step of the iteration."""
        is_sliced = self._version.startswith("3.")
        found = 0
        for part in slices(scan, int(self._clock() * _NS)) if is_sliced else (scan,):
            for block in self._scan_once(part):
                found += len(block.rows)
                yield block
            if scan.newest_max is not None and found >= scan.newest_max:
                return

    def _scan_once(self, scan: Scan) -> Iterator[Block]:
        statement, params = select_text(scan)
        rows = _CHUNK_ROWS_WITH_PAYLOAD if "payload" in scan.fields else _CHUNK_ROWS
        width = 1 + len(scan.columns)
        for series in self._readable(statement, params, rows):
            if series.name == "databases":
                # VictoriaMetrics' answer to every query (1.79, seen 2026-11-29).
                raise ReplicaRejected(
                    REPLICA,
                    f"Cannot read {self._http.where}: instead of records, it lists databases.",
                    NOT_INFLUXDB_HINT,
                )
            if series.name not in scan.measurements:
                raise explain_cut(
                    self._http.where, f"it has rows of {series.name[:80]!r}, which were not requested"
                )
            if not all(_is_row(row, width, len(scan.tags)) for row in series.values):
                raise explain_cut(self._http.where, "a row lacks the requested columns")
            yield Block(series.name, series.values)

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._http.close()

    def field_types(self, measurements: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        """The types of each field in those measurements that exist. Raises ReplicaError."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        statement = (
            f"SHOW FIELD KEYS ON {identifier(self._database)} FROM {', '.join(map(identifier, measurements))}"
        )
        for series in self._select(statement, {}):
            for field, kind in (row[:2] for row in series.values if len(row) >= 2):
                known = found.get((series.name, str(field)), frozenset())
                found[series.name, str(field)] = known | {str(kind)}
        return found

    def tags_of_type(self, measurement: str, field: str, kind: str) -> list[Any] | None:
        """[time, site, id] of the newest point whose field has a type; None when there is none. Raises ReplicaError."""
        # A cast to a type hides values of other types.
        value = f"{identifier(field)}::{kind}"
        statement = f'SELECT "site"::tag, "id"::tag, {value} FROM {identifier(measurement)} ORDER BY time DESC LIMIT 1'  # noqa: S608 (our names)
        for series in self._select(statement, {}):
            for row in series.values:
                return row[:3]
        return None

    def _readable(self, statement: str, params: dict[str, Any], rows: int) -> Iterator[_Series]:
        try:
            yield from self._select(statement, params, rows, ANSWER_BYTES_MAX)
        except BucketMissing as error:
            raise missing_bucket_refusal(error, self, by_id=False) from error

    def _select(
        self,
        statement: str,
        params: dict[str, Any],
        rows: int = _CHUNK_ROWS,
        bytes_max: int = SMALL_ANSWER_BYTES_MAX,
    ) -> Iterator[_Series]:
        query = {"db": self._database, "epoch": "ns", "chunked": "true", "chunk_size": str(rows)}
        if self._policy:
            query["rp"] = self._policy
        form = {"q": statement}
        if params:
            form["params"] = msgspec.json.encode(params).decode()
        answer = self._http.request(
            "read",
            "POST",
            "/query",
            query,
            body=_form(form),
            content_type="application/x-www-form-urlencoded",
        )
        if answer.status != 200:
            raise explain_answer("read", self._http.where, answer.status, answer.headers, answer.body())
        return self._series(answer, bytes_max)

    def _series(self, answer: Answer, bytes_max: int) -> Iterator[_Series]:
        is_complete = False
        for line in self._lines(answer.pieces(bytes_max)):
            decoded = self._decode(line, answer)
            error = decoded.error or next((r.error for r in decoded.results if r.error), "")
            if error:
                raise explain_statement(self._http.where, error)
            series = [s for result in decoded.results for s in result.series]
            is_complete = bool(decoded.results) and not (
                any(r.partial for r in decoded.results) or any(s.partial for s in series)
            )
            yield from series
        if not is_complete:
            raise explain_cut(self._http.where, "its last part is missing")

    def _lines(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines_of(pieces, _LINE_BYTES_MAX):
            if len(line) > _LINE_BYTES_MAX:
                raise explain_cut(self._http.where, f"a line is longer than {_LINE_BYTES_MAX} bytes")
            yield line

    def _decode(self, line: bytes, answer: Answer) -> _Line:
        try:
            return _decode_line(line)
        except DECODE_ERRORS as error:
            if b"<html" in line[:1000].lower():
                raise explain_answer("read", self._http.where, answer.status, answer.headers, line) from error
            raise explain_cut(self._http.where, f"not JSON: {error}") from error


class _System(msgspec.Struct):
    started: str = ""


class _Started(msgspec.Struct):
    system: _System = msgspec.field(default_factory=_System)
    started: str = ""


def probe_server(client: HttpClient, wire: str) -> Server:
    """The answer of `/ping`, which every version since 0.9 has. Raises ReplicaError."""
    answer = client.request("reach", "GET", "/ping")
    body = answer.body()
    if answer.status not in (200, 204):
        raise explain_answer("reach", client.where, answer.status, answer.headers, body)
    version = answer.headers.get("x-influxdb-version", "")
    if answer.status == 200 and not version:
        try:
            version = msgspec.json.decode(body, type=_Pong).version
        except DECODE_ERRORS as error:
            raise explain_answer("reach", client.where, answer.status, answer.headers, body) from error
    return Server(version.removeprefix("v"), wire, server_time(answer.headers))


class _Pong(msgspec.Struct):
    version: str


def _is_row(row: list[Any], width: int, tags: int) -> bool:
    """Whether a row begins with a time and tags; other programs' fields may have any type."""
    is_wide = len(row) == width and type(row[0]) is int
    return is_wide and all(tag is None or type(tag) is str for tag in row[1 : tags + 1])


def _form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()
