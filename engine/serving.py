"""The running service, put together: the engine that follows Home Assistant, and the API that tells of it.

Stopping is cooperative. The signal stops the HTTP server first, so that streams end politely; the engine is
cancelled then, and a write that has begun is finished or rolled back.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec

from api.activity import Trail
from api.app import build_app
from api.changes.feed import ChangeFeed
from api.given import Given
from api.http.admission import Admission
from api.http.server import bind_socket
from api.http.server import serve as serve_http
from engine import __version__
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status, status_line
from engine.loop.service import Service
from engine.metrics import Metrics
from engine.ports import Records
from engine.replicas.rows.inventory import SqliteInventory
from engine.run import Clock, Stores, check_folders, make_service, open_past, open_stores
from engine.settings import LoadedSettings
from engine.store_lock import hold_store
from engine.systemd import Notifier

_STATUS_SECONDS = 1.0


class Host(msgspec.Struct, frozen=True):
    """Who is told what the service does."""

    on_report: Callable[[Report], None]
    on_source: Callable[[SourceStatus], None]  # told after each look at Home Assistant, and when it is lost
    on_status: Callable[[Status, float], None]  # told the status and the time, often
    on_held_log: Callable[[str, int], None]  # told often what of which replica's log others hold, bytes
    on_ready: Callable[[str], None]  # told the API's address
    notifier: Notifier


async def serve(
    loaded: LoadedSettings,
    *,
    mode: str,
    host: Host,
    stop: anyio.Event,
    clock: Clock = time.time,
) -> None:
    """Run until `stop` is set. `mode` is `apply` or `observe`. Raises SettingsError before it is ready."""
    settings = loaded.settings
    check_folders(settings)
    rows = Path(settings.rows.file)
    with hold_store(rows) as held, open_stores(loaded) as stores, _past(loaded) as past:
        inventory = SqliteInventory(rows)
        feed = ChangeFeed(inventory)
        trail = Trail()

        def on_pass(report: Report) -> None:
            held.follow()
            metrics.on_report(report)
            metrics.on_store_sizes(_store_sizes(rows, settings.records.uri))
            trail.on_pass(report, clock())
            host.on_report(report)
            host.on_status(service.status(), clock())
            feed.notify()

        def on_source(what: str) -> None:
            metrics.on_source(what)
            host.on_source(service.status().source)
            host.on_status(service.status(), clock())

        service = make_service(loaded, stores, mode=mode, on_report=on_pass, on_source=on_source, clock=clock)
        replicas = [stores.rows.name, *([stores.records.name] if stores.records else [])]
        freshness = settings.loop.freshness
        metrics = Metrics(service.status, clock, version=__version__, replicas=replicas, freshness=freshness)
        metrics.watch_streams(lambda: feed.streams)
        held_logs = _held_logs(stores)
        metrics.watch_held_logs(held_logs)
        given = Given(
            status=service.status,
            clock=clock,
            inventory=inventory,
            feed=feed,
            freshness=freshness,
            timeline=past,
            metrics=metrics.render,
            observe=metrics.on_request,
            admission=_admission(loaded),
            trail=trail,
        )
        sock = _bind(loaded)
        try:
            await _run(service, given, sock, host, stop, held_logs)
        finally:
            sock.close()
            with anyio.CancelScope(shield=True):
                await inventory.aclose()


async def _run(
    service: Service,
    given: Given,
    sock: socket.socket,
    host: Host,
    stop: anyio.Event,
    held_logs: Mapping[str, Callable[[], int]],
) -> None:
    async with anyio.create_task_group() as tasks:
        ready = anyio.Event()
        tasks.start_soon(service.run)
        tasks.start_soon(given.trail.run, given.status, given.inventory, given.clock)
        tasks.start_soon(_tell_systemd, host.notifier)
        tasks.start_soon(_watch_status, given, host)
        tasks.start_soon(_watch_logs, held_logs, host)
        tasks.start_soon(_announce, ready, host, sock)
        await serve_http(build_app(given), sock, given.feed, ready=ready, stop=stop)
        host.notifier.stopping()
        tasks.cancel_scope.cancel()


def _admission(loaded: LoadedSettings) -> Admission:
    http = loaded.settings.http
    return Admission(
        token=loaded.http_token.reveal() or None,
        hosts=frozenset({http.host, *http.hosts}),
        trusted_peers=frozenset(http.trusted_peers),
        admits_all=http.allow_anonymous,
    )


def _bind(loaded: LoadedSettings) -> socket.socket:
    http = loaded.settings.http
    # With trusted peers, everybody else beyond this machine is refused request by request.
    is_guarded = bool(loaded.http_token) or bool(http.trusted_peers)
    return bind_socket(http.host, http.port, has_token=is_guarded, allow_anonymous=http.allow_anonymous)


def _held_logs(stores: Stores) -> dict[str, Callable[[], int]]:
    """What asks how much of a replica's log others hold, by replica."""
    kept = [replica for replica in (stores.rows, stores.records) if replica and replica.needs_tidying]
    return {replica.name: partial(getattr, replica, "held_log_bytes") for replica in kept}


async def _watch_logs(held_logs: Mapping[str, Callable[[], int]], host: Host) -> None:
    while True:
        for replica, held_bytes in held_logs.items():
            host.on_held_log(replica, held_bytes())
        await anyio.sleep(_STATUS_SECONDS)


def _store_sizes(rows: Path, records_uri: str) -> dict[str, int]:
    named = {"db": rows}
    scheme, _, history = records_uri.partition(":")
    if scheme == "history":
        named["history"] = Path(history)
    sizes = {}
    for name, path in named.items():
        real = Path(os.path.realpath(path))  # SQLite keeps the log beside what a link leads to
        sizes[name] = _size(real)
        sizes["wal" if name == "db" else f"{name}-wal"] = _size(real.with_name(f"{real.name}-wal"))
    return sizes


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _past(loaded: LoadedSettings) -> Iterator[Records | None]:
    past = open_past(loaded)
    try:
        yield past
    finally:
        if past is not None:
            past.close()


async def _announce(ready: anyio.Event, host: Host, sock: socket.socket) -> None:
    await ready.wait()
    host.notifier.ready()
    address, port = sock.getsockname()[:2]
    host.on_ready(f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}")


async def _watch_status(given: Given, host: Host) -> None:
    """Tell of a status that changes because time passes, and let `systemctl status` show it."""
    shown = ""
    while True:
        status, now = given.status(), given.clock()
        host.on_status(status, now)
        line = status_line(status, now, given.freshness)
        if line != shown:
            host.notifier.status(line)
            shown = line
        await anyio.sleep(_STATUS_SECONDS)


async def _tell_systemd(notifier: Notifier) -> None:
    # From the event loop: if that hangs, systemd hears nothing and restarts us.
    while notifier.alive_seconds is not None:
        notifier.alive()
        await anyio.sleep(notifier.alive_seconds)
