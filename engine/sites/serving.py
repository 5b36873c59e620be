"""Composes the service of many homes: all homes, one API, one set of metrics.

As with one home, a signal stops the HTTP server first and then the homes.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec

from api.sites.app import build_sites_app
from api.sites.ports import Sites, SiteView
from engine import __version__
from engine.claims import Ownership
from engine.composition.mirror import Mirror, MirrorListener
from engine.composition.serving import options_of, serve_beside
from engine.composition.stores import Clock
from engine.core.records.record import Json
from engine.core.state.intervals import AGELESS
from engine.core.state.kept_past import Growth
from engine.core.state.report import Report
from engine.core.state.status import SourceStatus, Status
from engine.core.words import Mode
from engine.errors import EngineError
from engine.metrics.series import Metrics
from engine.process.memory_trim import keep_giving_back_memory
from engine.process.systemd import Notifier
from engine.replicas.kafka.sites.site_status import WorkerStatus
from engine.settings.layers import settings_layers
from engine.settings.sections import LoadedSettings
from engine.sites.files import SiteFile, SiteFiles
from engine.sites.fleet import Fleet
from engine.sites.limits import keep_from_cycle_search, look_for_cycles_in_short_steps, raise_descriptors
from engine.sites.metrics import LoopLag, SiteMetrics
from engine.sites.shards import StaticShard
from engine.sites.sharing.draining import DrainableOwnership
from engine.sites.sharing.home_statuses import milliseconds
from engine.sites.sharing.home_tokens import HomeTokens
from engine.sites.sharing.left_folders import keep_removing, mark_left
from engine.sites.sharing.metrics import FleetMetrics
from engine.sites.sharing.shared_sites import SharedSites
from engine.sites.sharing.status_exchange import StatusExchange

_REPLICAS = ("sqlite", "history", "influxdb", "kafka")
_STATUS_SECONDS = 5.0


class SitesHost(msgspec.Struct, frozen=True):
    """The callbacks of the service of many homes."""

    lines: Callable[[str, Mirror], MirrorListener]  # creates the log of one home
    on_failed: Callable[[str, str, BaseException], None]  # home, reason, error
    on_ready: Callable[[str], None]  # receives the API's address
    on_trouble: Callable[
        [EngineError], None
    ]  # receives the reason why processes cannot share the homes at the moment
    on_status_trouble: Callable[
        [EngineError], None
    ]  # receives the reason why they cannot exchange the status of homes
    notifier: Notifier


class Layers(msgspec.Struct, frozen=True):
    """The settings of the process: flags by setting, its environment, its settings file, and its folder."""

    flags: Mapping[str, Json]
    environ: Mapping[str, str]
    file: Path | None
    folder: Path | None


class CountedHome:
    """Counts events over all homes and passes on their changes."""

    def __init__(self, site: str, metrics: Metrics, fleet: Fleet) -> None:
        """Starts without counts."""
        self._site = site
        self._metrics = metrics
        self._fleet = fleet
        self._seen = set[str]()

    def on_report(self, report: Report) -> None:
        """Count a pass. After the first pass of each store the home's records are long-lived."""
        names = {replica.replica for replica in report.replicas}
        if names - self._seen:
            self._seen |= names
            keep_from_cycle_search()
        self._metrics.on_report(report)
        self._fleet.on_report(self._site, report)

    def on_source(self, what: str, _source: SourceStatus) -> None:
        """Count a read or a loss."""
        self._metrics.on_source(what)

    def on_status(self, status: Status, now: float) -> None:
        """Nothing to do: each scrape reads it."""

    def on_growth(self, growth: Growth | None, now: float) -> None:
        """Nothing to do: each scrape reads it."""

    def on_held_log(self, replica: str, held_bytes: int) -> None:
        """Nothing to do: the log reports it."""


class SitesService:
    """All homes and what the service reports about them. Create it inside the event loop."""

    def __init__(
        self, loaded: LoadedSettings, given: Layers, host: SitesHost, *, mode: Mode, clock: Clock
    ) -> None:
        """Reads nothing yet."""
        settings = loaded.settings
        layers = settings_layers(given.flags, given.environ, given.file, given.folder)
        self._host = host
        self._tokens = HomeTokens()
        self._sites = settings.sites
        self.clock = clock
        self.metrics = Metrics(None, clock, version=__version__, replicas=_REPLICAS, freshness=AGELESS)
        ownership = _ownership(loaded, host)
        self.exchange = _exchange(loaded, host, clock) if settings.fleet.brokers else None
        if self.exchange is not None:
            state, on_drained = Path(settings.sites.state), self.exchange.note_drained
            ownership = DrainableOwnership(self.exchange.around(ownership), state, on_drained)
            self.metrics.add(FleetMetrics(self.exchange.state))
        self.fleet = Fleet(
            SiteFiles(settings.sites, layers, given.environ),
            ownership,
            mode=mode,
            clock=clock,
            listeners=self._listeners,
            on_failed=host.on_failed,
            on_files=self._take_files,
        )
        self.lag = LoopLag()
        self._site_metrics = SiteMetrics(self._views, clock, settings.sites.metrics, self.lag)
        self.metrics.add(self._site_metrics)

    def _take_files(self, files: Mapping[str, SiteFile]) -> None:
        if self.exchange is not None:
            self.exchange.take_files(files)
            self._tokens.take(files)

    def _views(self) -> Iterator[SiteView]:
        """All homes, each read when the iterator reaches it."""
        for name in self.fleet.stages():
            if (view := self.fleet.view(name)) is not None:
                yield view
        sites = self.sites
        if isinstance(sites, SharedSites):
            yield from sites.unconfigured()

    async def answer_metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition, and its content type. The event loop continues meanwhile."""
        await self._site_metrics.look()
        return await self.metrics.answer(accept)

    @property
    def sites(self) -> Sites:
        """The homes for the API."""
        return SharedSites(self.fleet, self.exchange, self._tokens) if self.exchange else self.fleet

    async def run(self) -> None:
        """Keep all homes until cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.fleet.run)
                tasks.start_soon(self.lag.run)
                tasks.start_soon(self._show_status)
                if self.exchange is not None:
                    tasks.start_soon(self.exchange.run, self.fleet)
                    tasks.start_soon(self._remove_left, self.exchange)
        finally:
            if self.exchange is not None:
                await self.exchange.leave()

    async def _remove_left(self, exchange: StatusExchange) -> None:
        """Remove the rows of homes that moved away days ago."""
        sites = self._sites
        await keep_removing(Path(sites.state), sites.keep_days, exchange.is_kept_elsewhere)

    async def _show_status(self) -> None:
        """Let `systemctl status` show the number of homes by status."""
        while True:
            stages = self.fleet.stages()
            kept = sum(stage == "kept" for stage in stages.values())
            drained = ", drained" if self.sites.drained else ""
            self._host.notifier.status(f"{kept} of {len(stages)} homes are kept{drained}")
            await anyio.sleep(_STATUS_SECONDS)

    def _listeners(self, site: str, mirror: Mirror) -> tuple[MirrorListener, ...]:
        return CountedHome(site, self.metrics, self.fleet), self._host.lines(site, mirror)


def _ownership(loaded: LoadedSettings, host: SitesHost) -> Ownership:
    """The ownership that assigns homes to this process. Raises SettingsError."""
    if not loaded.settings.fleet.brokers:
        return StaticShard(loaded.settings.sites.shard)
    from engine.composition.kafka import open_ownership  # noqa: PLC0415 (its client may not be installed)

    return open_ownership(loaded, host.on_trouble)


def _exchange(loaded: LoadedSettings, host: SitesHost, clock: Clock) -> StatusExchange:
    """The exchange of statuses between this process and the others. Raises SettingsError."""
    from engine.composition.kafka import open_site_topic, worker_name  # noqa: PLC0415 (see above)

    settings = loaded.settings
    worker = WorkerStatus(
        worker=worker_name(),
        state="active",
        ts_ms=0,
        url=settings.fleet.url,
        version=__version__,
        since_ms=milliseconds(clock()),
    )
    return StatusExchange(
        open_site_topic(loaded),
        worker,
        directory=settings.sites.directory,
        clock=clock,
        on_trouble=host.on_status_trouble,
        on_released=lambda sites: mark_left(Path(settings.sites.state), sites),
    )


class _Streams:
    """Ends all streams. Each home feeds its own stream while it has readers."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def run(self) -> None:
        await anyio.sleep_forever()

    def close(self) -> None:
        self._fleet.close()


async def serve_sites(
    loaded: LoadedSettings,
    given: Layers,
    host: SitesHost,
    *,
    mode: Mode,
    stop: anyio.Event,
    clock: Clock = time.time,
) -> None:
    """Run until `stop` is set. `mode` is `apply` or `observe`. Raises SettingsError before it is ready."""
    raise_descriptors()
    look_for_cycles_in_short_steps()
    service = SitesService(loaded, given, host, mode=mode, clock=clock)
    await service.fleet.begin()
    app = build_sites_app(
        service.sites,
        service.clock,
        replace(options_of(loaded, service.metrics), metrics=service.answer_metrics),
    )
    await serve_beside(
        (service.run, keep_giving_back_memory), app, _Streams(service.fleet), loaded, host, stop
    )
