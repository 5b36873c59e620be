"""Composes the running service: the mirror of one home, its API, and its host.

Stopping is cooperative. The signal stops the HTTP server first, so that streams end cleanly; then the engine is
cancelled, and a write that has begun is finished or rolled back.
"""

import socket
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

import anyio
import msgspec
from starlette.types import ASGIApp

from api.app import build_app
from api.app_context import AppOptions, only
from api.http.auth import AccessRules
from api.http.server import Streams, bind_socket
from api.http.server import serve as serve_http
from engine import __version__
from engine.composition.mirror import Mirror, MirrorListener, open_mirror
from engine.composition.stores import Clock
from engine.core.state.kept_past import Growth
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status, status_line
from engine.core.words import Mode
from engine.metrics.series import Metrics
from engine.process.memory_trim import keep_giving_back_memory
from engine.process.systemd import Notifier
from engine.settings.sections import LoadedSettings

_STATUS_SECONDS = 1.0


class Announced(Protocol):
    """Is notified when the API accepts requests."""

    @property
    def on_ready(self) -> Callable[[str], None]:
        """The function that receives the API's address."""

    @property
    def notifier(self) -> Notifier:
        """The notifier for systemd."""


class Host(msgspec.Struct, frozen=True):
    """The receivers of the service's events."""

    listener: MirrorListener
    on_ready: Callable[[str], None]  # receives the API's address
    notifier: Notifier


class MirrorMetrics:
    """Counts the events of a home."""

    def __init__(self, mirror: Mirror, metrics: Metrics) -> None:
        """Count nothing yet."""
        self._mirror = mirror
        self._metrics = metrics

    def on_report(self, report: Report) -> None:
        """Count a pass, and measure the files."""
        self._metrics.on_report(report)
        self._metrics.on_store_sizes(self._mirror.file_sizes())

    def on_source(self, what: str, _source: SourceStatus) -> None:
        """Count a read or a loss."""
        self._metrics.on_source(what)

    def on_status(self, status: Status, now: float) -> None:
        """Nothing to do: each scrape reads it."""

    def on_growth(self, growth: Growth | None, now: float) -> None:
        """Nothing to do: each scrape reads it."""

    def on_held_log(self, replica: str, held_bytes: int) -> None:
        """Nothing to do: each scrape reads it."""


async def serve(
    loaded: LoadedSettings,
    *,
    mode: Mode,
    host: Host,
    stop: anyio.Event,
    clock: Clock = time.time,
) -> None:
    """Run until `stop` is set. `mode` is `apply` or `observe`. Raises SettingsError before it is ready."""
    async with open_mirror(loaded, mode=mode, clock=clock) as mirror:
        metrics = Metrics(
            mirror.status, clock, version=__version__, replicas=mirror.replicas, freshness=mirror.freshness
        )
        metrics.watch_streams(lambda: mirror.feed.streams)
        metrics.watch_held_logs(mirror.held_logs)
        metrics.watch_growth(mirror.growth)
        mirror.listen(MirrorMetrics(mirror, metrics))
        mirror.listen(host.listener)
        await serve_beside(
            (
                mirror.run,
                mirror.run_activity,
                partial(_show_status, mirror, host.notifier),
                partial(keep_giving_back_memory, mirror.forget_pages),
            ),
            build_app(only(mirror.context), options_of(loaded, metrics)),
            mirror.feed,
            loaded,
            host,
            stop,
        )


async def serve_beside(
    jobs: Iterable[Callable[[], Coroutine[Any, Any, None]]],
    app: ASGIApp,
    streams: Streams,
    loaded: LoadedSettings,
    host: Announced,
    stop: anyio.Event,
) -> None:
    """Serve the API while the jobs run, until `stop` is set. Raises SettingsError before it is ready."""
    sock = _bind(loaded)
    try:
        async with anyio.create_task_group() as tasks:
            ready = anyio.Event()
            for job in jobs:
                tasks.start_soon(job)
            tasks.start_soon(_keep_alive, host.notifier)
            tasks.start_soon(_announce, ready, stop, host, _address_of(sock))
            await serve_http(app, sock, streams, ready=ready, stop=stop)
            host.notifier.stopping()
            tasks.cancel_scope.cancel()
    finally:
        sock.close()


def options_of(loaded: LoadedSettings, metrics: Metrics) -> AppOptions:
    """The API's options, from the settings."""
    return AppOptions(
        metrics=metrics.answer,
        observe=metrics.on_request,
        access=_access_of(loaded),
        cors_origins=loaded.settings.http.cors_origins,
    )


def _access_of(loaded: LoadedSettings) -> AccessRules:
    """The API's access rules, from the settings."""
    http = loaded.settings.http
    return AccessRules(
        token=loaded.http_token.reveal() or None,
        hosts=frozenset({http.host, *http.hosts}),
        trusted_peers=frozenset(http.trusted_peers),
        admits_all=http.allow_anonymous,
    )


def _bind(loaded: LoadedSettings) -> socket.socket:
    """The listening socket for the settings' address. Raises SettingsError."""
    http = loaded.settings.http
    # With trusted peers, every other client outside this machine is refused per request.
    is_guarded = bool(loaded.http_token) or bool(http.trusted_peers)
    return bind_socket(http.host, http.port, has_token=is_guarded, allow_anonymous=http.allow_anonymous)


def _address_of(sock: socket.socket) -> str:
    """The API's address. Ask for it while the socket is open."""
    address, port = sock.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


async def _announce(ready: anyio.Event, stop: anyio.Event, host: Announced, address: str) -> None:
    """Announce the API as soon as it accepts requests, unless it is to stop by then."""
    await ready.wait()
    if not stop.is_set():
        host.notifier.ready()
        host.on_ready(address)


async def _show_status(mirror: Mirror, notifier: Notifier) -> None:
    """Show the status in `systemctl status`."""
    shown = ""
    while True:
        line = status_line(mirror.status(), mirror.clock(), mirror.freshness)
        if line != shown:
            notifier.status(line)
            shown = line
        await anyio.sleep(_STATUS_SECONDS)


async def _keep_alive(notifier: Notifier) -> None:
    """Notify systemd while the event loop runs: if it hangs, the watchdog restarts the service."""
    while notifier.alive_seconds is not None:
        notifier.alive()
        await anyio.sleep(notifier.alive_seconds)
