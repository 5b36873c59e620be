"""Every decoder of outside input, as one function of bytes.

Each returns for what is acceptable and for what is refused by a documented error; anything else it lets through,
and that is a finding.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
from starlette.datastructures import Headers

from api import past
from api.changes import routes as changes
from api.changes import runs
from api.changes.envelope import change_of_row
from api.http.problems import Problem
from api.http.queries import StreamQuery, parse_query
from api.registries import routes as registries
from api.state import drift
from engine.commandline.saved_plan import read_fingerprints
from engine.core.records.record import Key
from engine.core.times import encode_document
from engine.errors import EngineError
from engine.replicas.history.replica import open_history
from engine.replicas.history.retention import Retention
from engine.replicas.influx.outbox import open_outbox
from engine.replicas.influx.reading import holding_of, needs_payloads, newest_rows
from engine.replicas.influx.wires.address import parse_address
from engine.replicas.influx.wires.failures import explain_answer, explain_statement
from engine.replicas.influx.wires.http import Credentials, server_time
from engine.replicas.influx.wires.v1 import WireV1, probe_server
from engine.replicas.influx.wires.v2 import WireV2
from engine.replicas.influx.wires.wire import Scan, Wire
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from engine.replicas.rows.replica import open_rows
from engine.settings.layers import load_settings
from engine.sources.files.backup import BackupSource
from engine.sources.files.capture import CaptureSource
from engine.sources.files.storage_files import snapshot_of_files
from engine.sources.files.stored_files import FILES, StorageFiles, StoredFile
from engine.sources.ha_uri import websocket_uri
from engine.sources.live.events import config_entry_hints, event_hints
from engine.sources.live.protocol import AuthRequired, HomeAssistantProtocol, SubscriptionEvent
from tests.fuzz.seeds import CAPTURE, STORAGE, folder_of, mirror, stores
from tests.sources.recorded_homes import clock, quiet, write_outer

SCANS = (
    Scan(measurements=("ha_device", "ha_entity"), fields=("hash",)),
    Scan(measurements=("ha_device", "ha_entity"), fields=("hash", "schema", "payload")),
)
QUERIES = tuple({r.query for routes in (past, registries, drift, runs, changes) for r in routes.ROUTES})


def websocket_login(data: bytes) -> None:
    """Frames before the login is through, one a line."""
    protocol = HomeAssistantProtocol("s3cret-token")
    with suppress(EngineError):
        for frame in data.split(b"\n"):
            for message in protocol.receive(frame):
                if isinstance(message, AuthRequired):
                    protocol.send_auth()


def websocket_messages(data: bytes) -> None:
    """Frames after the login, and what events hint at."""
    protocol = HomeAssistantProtocol("s3cret-token")
    protocol.receive(b'{"type": "auth_required"}')
    protocol.receive(b'{"type": "auth_ok"}')
    for command in ("one", "two", "three"):
        protocol.send_command(command)
    with suppress(EngineError):
        for frame in data.split(b"\n"):
            for message in protocol.receive(frame):
                if isinstance(message, SubscriptionEvent):
                    for read in (event_hints, config_entry_hints):
                        with suppress(EngineError):
                            read(message.event)


def capture_folder(data: bytes) -> None:
    """A capture with one given file, whose name is in the first line."""
    name, _, content = data.partition(b"\n")
    with folder_of(CAPTURE) as folder:
        chosen = next((known for known in CAPTURE if known.encode() == name), "unknown.json")
        (folder / chosen).write_bytes(content)
        with suppress(EngineError):
            anyio.run(CaptureSource(folder, clock=clock).read, quiet)


def storage_files(data: bytes) -> None:
    """A `.storage` folder with one given file, whose name is in the first line."""
    name, _, content = data.partition(b"\n")
    contents = {n: StoredFile(c, 0.0) for n, c in STORAGE.items()}
    contents |= {n: StoredFile(content, 0.0) for n in FILES if n.encode() == name}
    files = StorageFiles("storage", contents, frozenset({*contents, name.decode("utf-8", "surrogateescape")}))
    with suppress(EngineError):
        snapshot_of_files(files, ha_version="2026.11.0", taken_at=0.0, origin="storage")


def backup_file(data: bytes) -> None:
    """A whole backup."""
    with folder_of({"backup.tar": data}) as folder, suppress(EngineError):
        anyio.run(BackupSource(folder / "backup.tar", clock=clock).read, quiet)


def backup_inner(data: bytes) -> None:
    """The archive within a backup, packed or not."""
    with folder_of({}) as folder, suppress(EngineError):
        anyio.run(BackupSource(write_outer(folder / "backup.tar", data), clock=clock).read, quiet)


def settings_file(data: bytes) -> None:
    """A settings file, whose values are also tried as environment variables."""
    with folder_of({"reconcile.toml": data}) as folder:
        with suppress(EngineError):
            load_settings({}, {}, folder / "reconcile.toml", folder)
        environ = {}
        for line in data.decode("utf-8", "surrogateescape").replace("\0", "").splitlines():
            name, _, value = line.partition("=")
            environ[f"RECONCILE_{name.strip().upper().replace('.', '__')}"] = value.strip()
        environ = {k: v for k, v in environ.items() if "=" not in k and not k.endswith("_FILE")}
        with suppress(EngineError):
            load_settings({}, environ, None, folder)


def saved_plan(data: bytes) -> None:
    """A saved plan."""
    with folder_of({"plan.json": data}) as folder, suppress(EngineError):
        read_fingerprints(folder / "plan.json", "home")


def query_string(data: bytes) -> None:
    """A query string, for every route."""
    for query in QUERIES:
        with suppress(Problem):
            parse_query(data, query)


def change_offset(data: bytes) -> None:
    """The header that resumes a stream."""
    request = SimpleNamespace(headers=Headers(raw=[(b"last-event-id", data)]))
    given = SimpleNamespace(feed=None, rows_reader=None)
    answer = changes.stream_changes(cast("Any", given), cast("Any", request), StreamQuery())
    with suppress(Problem):
        try:
            answer.send(None)  # it never waits
        except StopIteration:
            return


def addresses(data: bytes) -> None:
    """The addresses of both servers."""
    text = data.decode("utf-8", "surrogateescape")
    for parse in (websocket_uri, parse_address):
        with suppress(EngineError):
            str(parse(text))


def influx_v1(data: bytes) -> None:
    """An answer of `/query`, and of what else is asked."""
    wire = WireV1(parse_address("influxdb://h/homes"), Credentials(), timeout_seconds=1)
    wire._http = cast("Any", _Said(data))
    _look(wire)
    for ask in (wire.retention_seconds, wire.started, lambda: probe_server(wire._http, "v1")):
        with suppress(EngineError):
            ask()


def influx_v2(data: bytes) -> None:
    """An answer to a Flux query, and what else is asked."""
    wire = WireV2(parse_address("influxdb://h/homes?org=o"), Credentials(), timeout_seconds=1)
    try:
        for scan in SCANS:
            response = _Streamed(data)
            with suppress(EngineError):
                holding_of(newest_rows(wire._blocks(response, scan)), is_verified="payload" in scan.fields)
        wire._http = cast("Any", _Said(data))
        for ask in (wire.retention_seconds, wire.started):
            with suppress(EngineError):
                ask()
    finally:
        csv.field_size_limit(131_072)  # the interpreter's default, for other code in this process


def influx_refusal(data: bytes) -> None:
    """An answer that is an error: head in the first line, then the body."""
    head, _, body = data.partition(b"\n")
    headers = {name: head.decode("latin-1") for name in ("retry-after", "date", "content-type")}
    for status in (200, 302, 400, 401, 404, 413, 422, 429, 500, 503):
        explain_answer("read", "influxdb://h/b", status, headers, body)
    explain_statement("influxdb://h/b", body.decode("utf-8", "replace"))
    server_time(headers)


def rows_file(data: bytes) -> None:
    """A rows file of anybody's: looked at, served, and mirrored into."""
    with folder_of({"rows.db": data}) as folder:
        with suppress(EngineError):
            anyio.run(_serve_all, folder / "rows.db")
        rows = open_rows(folder / "rows.db", busy_timeout_seconds=0.1)
        look: tuple[Callable[[], object], ...] = (
            lambda: rows.read(rows.observe().versions),
            lambda: rows.applied("sqlite"),
            rows.absences,
            lambda: rows.known_ids([Key("device", "x")]),
            lambda: rows.changes(0, 1000),
            lambda: encode_document(anyio.run(mirror, rows)),
        )
        for attempt in look:
            with suppress(EngineError):
                attempt()
        rows.close()


def history_file(data: bytes) -> None:
    """A history file of anybody's."""
    with folder_of({"history.db": data, "rows.db": stores()["rows.db"]}) as folder:
        rows = open_rows(folder / "rows.db", busy_timeout_seconds=0.1)
        history = open_history(
            folder / "history.db",
            busy_timeout_seconds=0.1,
            retention=Retention(keep_days=1, thin_seconds=60),
            clock=clock,
        )
        key = Key("device", "x")
        look: tuple[Callable[[], object], ...] = (
            lambda: history.read(history.observe().versions),
            lambda: history.as_of(2e9),
            lambda: (history.timeline(key), history.newest(key, 2, before=3), history.count(key)),
            lambda: (history.forgotten(key), history.holders("light.x")),
            lambda: history.housekeeper.count(history.housekeeper.plan(before_ns=10**18 * 2)),
            lambda: list(history.housekeeper.steps(history.housekeeper.plan(before_ns=10**18 * 2))),
            lambda: [history.tidy(is_calm=True) for _ in range(20)],
            lambda: encode_document(anyio.run(mirror, rows, history)),
        )
        for attempt in look:
            with suppress(EngineError):
                attempt()
        history.close()
        rows.close()


def outbox_file(data: bytes) -> None:
    """An outbox of anybody's."""
    with folder_of({"rows.db.outbox": data}) as folder:
        outbox = open_outbox("influxdb", folder / "rows.db.outbox", bytes_max=1_000_000)
        with suppress(EngineError):
            for number, _ in outbox.pending("influxdb"):
                outbox.drop(number)
        with suppress(EngineError):
            outbox.put("influxdb", b"ha_device a=1")
        outbox.close()


def pass_cache(data: bytes) -> None:
    """A pass cache of anybody's beside rows that are equal: the pass says what it says without."""
    with folder_of({"rows.db.cache": data, "rows.db": stores()["rows.db"]}) as folder:
        rows = open_rows(folder / "rows.db")
        report = anyio.run(mirror, rows)
        rows.close()
        assert report.status == "in_sync", report
        assert not report.records, report


def _look(wire: Wire) -> None:
    for scan in SCANS:
        with suppress(EngineError):
            held = holding_of(newest_rows(wire.scan(scan)), is_verified="payload" in scan.fields)
            needs_payloads(held.versions.values())


class _Said:
    """An HTTP client whose every answer is this body."""

    where = "influxdb://h/homes"

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 200
        self.headers = {"content-type": "application/json"}

    def request(self, *_arguments: object, **_options: object) -> "_Said":
        return self

    def body(self) -> bytes:
        return self._body

    def pieces(self, _bytes_max: int = 0) -> Iterator[bytes]:
        yield self._body


class _Streamed(io.BytesIO):
    """A response of urllib3 with this body."""

    status = 200
    auto_close = True

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.headers = {"content-type": "text/csv", "content-length": str(len(body))}


def _serve(transaction: RowsTransaction) -> None:
    for registry, columns in (("device", ("name", "labels")), ("entity", ("name", "aliases"))):
        transaction.page(registry, columns, (("label", "x"),), "", 50)
        transaction.page(registry, columns, (), "", 50)
        transaction.count(registry, ())
    transaction.feed_bounds()
    for row in transaction.changes(0, 100):
        change_of_row(row)
    for row in transaction.runs(None, 10):
        runs._run(row)


async def _serve_all(path: Path) -> None:
    rows_reader = SqliteRowsReader(path)
    try:
        await rows_reader.read(_serve)
    finally:
        await rows_reader.aclose()


DECODERS: dict[str, Callable[[bytes], None]] = {
    decode.__name__: decode
    for decode in (
        addresses,
        backup_file,
        backup_inner,
        capture_folder,
        change_offset,
        history_file,
        influx_refusal,
        influx_v1,
        influx_v2,
        outbox_file,
        pass_cache,
        query_string,
        rows_file,
        saved_plan,
        settings_file,
        storage_files,
        websocket_login,
        websocket_messages,
    )
}
