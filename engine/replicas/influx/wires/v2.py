"""Wire v2: `/api/v2/write` and Flux, for 2.x, Cloud, and 1.8 with Flux enabled.

It uses only two calls of influxdb-client: the synchronous write of bytes, and the raw query. The client's batching loses
points, its retries stop working in a long-lived process, and its write mistakes a login page for success; so we check
the status and retry ourselves. Requests that it has no call for use our own HTTP.
"""

import csv
import http.client
import io
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from typing import Any

import msgspec
import urllib3.exceptions
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from engine.core.decode_errors import DECODE_ERRORS
from engine.errors import ReplicaError, ReplicaRejected
from engine.replicas.influx.wires.address import Address
from engine.replicas.influx.wires.bounds import ANSWER_BYTES_MAX
from engine.replicas.influx.wires.failures import (
    BatchRefused,
    BucketMissing,
    explain_answer,
    explain_cut,
    explain_exception,
)
from engine.replicas.influx.wires.flux import STOP_NS_MAX, flux_scans, flux_script, join_blocks, read_blocks
from engine.replicas.influx.wires.http import Credentials, HttpClient, packed
from engine.replicas.influx.wires.pools import bound_answers
from engine.replicas.influx.wires.v1 import WireV1, probe_server
from engine.replicas.influx.wires.wire import Block, Scan, Server, missing_bucket_refusal

# The longest accepted row; a payload is a kilobyte.
_LINE_CHARACTERS_MAX = 16 << 20
_ANSWER_BYTES_MAX = 1 << 16
_ID = re.compile("[0-9a-f]{16}")  # the form of bucket and organization ids in 2.x
_STARTED = "process_start_time_seconds "


class _RetentionRule(msgspec.Struct):
    every_seconds: int = msgspec.field(default=0, name="everySeconds")


class _Bucket(msgspec.Struct):
    name: str
    retention: list[_RetentionRule] = msgspec.field(default_factory=list, name="retentionRules")


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket] = []


class _Ready(msgspec.Struct):
    started: str = ""


class WireV2:
    """A `Wire` over `/api/v2`."""

    name = "v2"

    def __init__(self, address: Address, credentials: Credentials, *, timeout_seconds: float) -> None:
        self._address = address
        self._http = HttpClient(address, credentials, timeout_seconds=timeout_seconds)
        self._where = str(address)
        self._credentials = credentials
        self._timeout_ms = int(timeout_seconds * 1000)
        self._client: InfluxDBClient | None = None
        # A payload may exceed the limit of Python's csv (128 kB by default), which is process-wide.
        csv.field_size_limit(_LINE_CHARACTERS_MAX)

    def probe(self) -> Server:
        """Ask `/ping`. Raises ReplicaError."""
        return probe_server(self._http, self.name)

    def retention_seconds(self) -> int | None:
        """The bucket's retention; None when the token may not see buckets, or the server has none (1.8)."""
        query = {"name": self._address.bucket}
        if self._address.org:
            query["orgID" if _ID.fullmatch(self._address.org) else "org"] = self._address.org
        answer = self._http.request("ask for the bucket", "GET", "/api/v2/buckets", query)
        body = answer.body()
        if answer.status == 404:  # 1.8, which reports it in InfluxQL
            with self._influxql() as other, suppress(ReplicaRejected):
                return other.retention_seconds()
        if answer.status != 200:
            return None
        try:
            buckets = msgspec.json.decode(body, type=_Buckets).buckets
        except DECODE_ERRORS as error:
            raise explain_answer("ask for the bucket", self._where, 200, answer.headers, body) from error
        ours = [bucket for bucket in buckets if bucket.name == self._address.bucket]
        return (ours[0].retention[0].every_seconds if ours[0].retention else 0) if ours else None

    def started(self) -> str | None:
        """When the server process started: 2.x reports it in `/ready` (2.7.11, seen 2026-11-23), 1.8 in `/metrics`."""
        answer = self._http.request("ask", "GET", "/ready")
        body = answer.body()
        if answer.status == 200:
            with suppress(*DECODE_ERRORS):
                return msgspec.json.decode(body, type=_Ready).started or None
        answer = self._http.request("ask", "GET", "/metrics")
        body = answer.body()
        if answer.status != 200:
            return None
        lines = body.decode("utf-8", "replace").splitlines()
        return next((line.removeprefix(_STARTED) for line in lines if line.startswith(_STARTED)), None)

    def write(self, body: bytes) -> None:
        """Write lines. Raises BatchRefused, BatchTooLarge, InfluxUnavailable, ReplicaRejected."""
        client = self._open()
        packed_body, encoding = packed(body)
        try:
            # The function below the client's synchronous write; called directly, it returns the answer with its status.
            response: Any = _write_service(client).post_write(
                org=self._org,
                bucket=self._address.bucket,
                body=packed_body,
                precision="ns",
                **({"content_encoding": encoding["Content-Encoding"]} if encoding else {}),
                content_type="text/plain; charset=utf-8",
                _preload_content=False,
            )
            content = response.read(_ANSWER_BYTES_MAX)
            response.release_conn()
        except ApiException as error:
            # Not chained: it contains the whole answer, which may repeat the refused token.
            raise self._explain("write to", error) from None
        except Exception as error:
            raise self._explain("write to", error) from error
        if response.status != 204:
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise explain_answer("write to", self._where, response.status, headers, content)

    def check_may_write(self) -> None:
        """Send a body without points, which is refused like any other without permission to write. Raises ReplicaError."""
        query = {"bucket": self._address.bucket, "org": self._org, "precision": "ns"}
        answer = self._http.request("write to", "POST", "/api/v2/write", query, body=b"# may I write?\n")
        body = answer.body()
        if answer.status == 204:
            return
        error = self._explain_answer("write to", answer.status, answer.headers, body)
        # Refused because it has no point, which the server checks only after everything else.
        if not isinstance(error, BatchRefused):
            raise error

    def scan(self, scan: Scan) -> Iterator[Block]:
        """Rows by Flux. Raises ReplicaError at any step of the iteration."""
        if scan.start_ns >= STOP_NS_MAX or (scan.stop_ns is not None and scan.start_ns >= scan.stop_ns):
            return  # refused as "cannot query an empty range" (2.7.11, seen 2026-11-23)
        asked = flux_scans(scan)
        try:
            if all(part.fields == scan.fields for part in asked):
                for part in asked:
                    yield from self._ask(part)
            else:
                yield from join_blocks(scan, ((part.fields, self._ask(part)) for part in asked))
        except BucketMissing as error:
            is_id = _ID.fullmatch(self._address.bucket) is not None
            raise missing_bucket_refusal(error, self, by_id=is_id) from error

    def field_types(self, measurements: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        """The types by InfluxQL, which 1.8 and 2.x offer beside Flux; empty if not available."""
        with self._influxql() as other, suppress(ReplicaRejected):
            return other.field_types(measurements)
        return {}

    def tags_of_type(self, measurement: str, field: str, kind: str) -> list[Any] | None:
        """See `Wire`."""
        with self._influxql() as other:
            return other.tags_of_type(measurement, field, kind)

    def close(self) -> None:
        """Close connections. May be called twice."""
        self._http.close()
        client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]  # the client's own gap

    def _influxql(self) -> AbstractContextManager[WireV1]:
        return closing(WireV1(self._address, self._credentials, timeout_seconds=self._timeout_ms / 1000))

    @property
    def _org(self) -> str:
        return self._address.org or "-"  # 1.8 ignores it, but the client requires one

    def _open(self) -> InfluxDBClient:
        if self._client is None:
            token = self._credentials.token.reveal()
            if not token and self._credentials.username:
                # The form that 1.8 accepts.
                token = f"{self._credentials.username}:{self._credentials.password.reveal()}"
            self._client = InfluxDBClient(
                url=self._address.url,
                token=token,
                org=self._org,
                timeout=(self._timeout_ms, self._timeout_ms),
                # The machine's trusted authorities, as in wire v1, instead of the client's own list.
                ssl_context=ssl.create_default_context() if self._address.tls else None,
            )
            self._client.api_client.default_headers["Accept-Encoding"] = "gzip"
            bound_answers(self._client.api_client.rest_client.pool_manager)
        return self._client

    def _ask(self, scan: Scan) -> Iterator[Block]:
        """The rows of one query."""
        try:
            script = flux_script(self._address.bucket, scan)
            response: Any = self._open().query_api().query_raw(script, org=self._org)
        except ApiException as error:
            # Not chained: it contains the whole answer, which may repeat the refused token.
            raise self._explain("read", error) from None
        except Exception as error:
            raise self._explain("read", error) from error
        try:
            yield from self._blocks(response, scan)
        finally:
            response.close()

    def _blocks(self, response: Any, scan: Scan) -> Iterator[Block]:
        headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        if response.status != 200 or "csv" not in headers.get("content-type", "csv"):
            raise explain_answer("read", self._where, response.status, headers, response.read(2000))
        if "content-length" not in headers and headers.get("transfer-encoding", "").lower() != "chunked":
            raise explain_cut(self._where, "its length is not given")
        response.auto_close = False  # otherwise the text layer finds a closed file at the end
        try:
            text = io.TextIOWrapper(response, "utf-8", newline="")
            yield from read_blocks(self._where, self._lines(text), scan)
        except (
            ValueError,
            KeyError,
            OverflowError,
            csv.Error,
            OSError,
            urllib3.exceptions.HTTPError,
        ) as error:
            raise explain_cut(self._where, f"{type(error).__name__}: {error}") from error

    def _lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        left = ANSWER_BYTES_MAX
        while line := text.readline(_LINE_CHARACTERS_MAX):
            if len(line) == _LINE_CHARACTERS_MAX:
                raise explain_cut(self._where, f"a line is longer than {_LINE_CHARACTERS_MAX} characters")
            left -= len(line)
            if left < 0:  # compressed, it may have been shorter
                raise explain_cut(self._where, f"it is longer than {ANSWER_BYTES_MAX} characters")
            yield line

    def _explain_answer(
        self, attempt: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> ReplicaError:
        if status in (400, 404) and not self._address.org and b"organization" in body:
            return ReplicaRejected(
                "influxdb",
                f"Cannot {attempt} {self._where}: wire v2 needs the bucket's organization, and records.uri names none.",
                "Use influxdb://HOST:8086/BUCKET?org=ORG&wire=v2.",
            )
        return explain_answer(attempt, self._where, status, headers, body)

    def _explain(self, attempt: str, error: Exception) -> ReplicaError:
        if isinstance(error, ReplicaError):
            return error
        if isinstance(error, ApiException):
            if error.status:
                headers = {name.lower(): value for name, value in (error.headers or {}).items()}
                return self._explain_answer(attempt, error.status, headers, _bytes(error.body))
            return ReplicaRejected(
                "influxdb",
                f"Cannot {attempt} {self._where}: TLS failed ({' '.join(str(error.reason).split())[:200]}).",
                "Check the certificate's name and authority (SSL_CERT_FILE); for plain HTTP use influxdb://.",
            )
        if isinstance(error, urllib3.exceptions.NewConnectionError):
            return explain_exception(attempt, self._where, ConnectionRefusedError())
        if isinstance(error, urllib3.exceptions.TimeoutError):
            return explain_exception(attempt, self._where, TimeoutError())
        if isinstance(error, urllib3.exceptions.HTTPError | OSError | http.client.HTTPException):
            return explain_exception(attempt, self._where, ConnectionError(type(error).__name__))
        raise error


def _write_service(client: InfluxDBClient) -> Any:
    return WriteService(client.api_client)  # type: ignore[no-untyped-call]  # the client's own gap


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode("utf-8", "replace")
