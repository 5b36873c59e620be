"""Prometheus metrics: every series, declared once, from the status and the passes that ended.

Nothing is global: a registry belongs to one `Metrics`. Times are exported as timestamps, because "seconds since"
stops growing exactly when the engine hangs. A time that never occurred has no series; 0 would be read as 1970. No
label contains an entity, a device, a name or an error's text.
"""

import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.compare.diff import Cause
from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Freshness
from engine.core.state.kept_past import Growth
from engine.core.state.report import (
    Report,
    write_lag_seconds,
)
from engine.core.state.status import Status
from engine.core.words import GuardName, Outcome
from engine.files.modes import FOR_ALL_TO_READ, write_whole
from engine.metrics.instruments import Counter, Gauge, Histogram, Info, Instrument
from engine.process.offload import to_thread

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

    from engine.metrics.exposition import Exposition

_ACTIONS = ("upsert", "move", "delete")
_LOSSES = {"SourceUnavailable": "unavailable", "SourceRefused": "refused", "SourceInvalid": "invalid"}
_RESULTS = ("success", "partial", "error", "blocked")
_LAG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_RUN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5)


class Metrics:
    """The metrics of one running engine. `replicas` are the names of all its replicas.

    `freshness`: how old knowledge may be. Without `status` there are no gauges: services with many homes have others.
    """

    def __init__(
        self,
        status: Callable[[], Status] | None,
        clock: Callable[[], float],
        *,
        version: str,
        replicas: Iterable[str],
        freshness: Freshness,
    ) -> None:
        self._clock = clock
        self._status = status
        self._freshness = freshness
        self._instruments = registry = list[Instrument]()
        self._added: list[Collector] = []
        self._exposition: Exposition | None = None  # from the first scrape on
        about = {"version": version, "python": platform.python_version()}
        Info("reconcile_build", "Version of the running program.", about, registry=registry)
        self._declare_passes(registry)
        self._declare_findings(registry)
        self._declare_source(registry)
        self._declare_requests(registry)
        self._replicas = tuple(replicas)
        self._start_at_zero(self._replicas)
        self._sizes: dict[str, int] = {}
        self._held_logs: dict[str, Callable[[], int]] = {}
        self._growth: Callable[[], Growth | None] = lambda: None

    def add(self, collector: "Collector") -> None:
        """Export these series too."""
        self._added.append(collector)

    def _declare_passes(self, registry: list[Instrument]) -> None:
        self._runs = Counter("reconcile_runs", "Passes finished.", ("replica", "result"), registry=registry)
        self._duration = Histogram(
            "reconcile_run_duration_seconds",
            "Duration of a pass over one replica.",
            ("replica",),
            buckets=_RUN_BUCKETS,
            registry=registry,
        )
        self._lag = Histogram(
            "reconcile_lag_seconds",
            "Time from a change in Home Assistant to its durable write in a replica.",
            ("replica",),
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self._applied = Counter(
            "reconcile_changes_applied",
            "Changes written to a replica.",
            ("replica", "registry", "action"),
            registry=registry,
        )

    def _declare_findings(self, registry: list[Instrument]) -> None:
        self._drift_found = Counter(
            "reconcile_drift_found",
            "Records that another program had changed in a replica.",
            ("replica", "registry"),
            registry=registry,
        )
        self._trips = Counter(
            "reconcile_guard_trips",
            "Passes in which a guard held changes back.",
            ("guard",),
            registry=registry,
        )
        self._phases = Histogram(
            "reconcile_phase_duration_seconds",
            "Duration of one phase of a pass.",
            ("replica", "phase"),
            buckets=_RUN_BUCKETS,
            registry=registry,
        )
        self._failures = Counter(
            "reconcile_replica_errors",
            "Passes that failed on a replica: transient ones are tried again, terminal ones need a change.",
            ("replica", "reason"),
            registry=registry,
        )

    def _declare_source(self, registry: list[Instrument]) -> None:
        self._reads = Counter(
            "reconcile_source_reads",
            "Looks at Home Assistant, in full or where an event pointed.",
            registry=registry,
        )
        self._losses = Counter(
            "reconcile_source_losses",
            "Times Home Assistant was lost or not reached.",
            ("reason",),
            registry=registry,
        )

    def _declare_requests(self, registry: list[Instrument]) -> None:
        self._stream_clients = Gauge(
            "reconcile_http_stream_clients", "Clients connected to the change stream.", registry=registry
        )
        self._requests = Counter(
            "reconcile_http_requests",
            "HTTP requests answered.",
            ("route", "method", "code"),
            registry=registry,
        )
        self._request_duration = Histogram(
            "reconcile_http_request_duration_seconds",
            "Duration of HTTP requests, streams left out.",
            ("route",),
            buckets=_HTTP_BUCKETS,
            registry=registry,
        )

    def on_report(self, report: Report) -> None:
        """Count a pass that ended."""
        now = self._clock()
        for replica in report.replicas:
            name = replica.replica
            self._runs.labels(name, _result(report, blocked=bool(replica.refusals))).inc()
            self._duration.labels(name).observe(report.duration_seconds)
            for phase, seconds in report.phase_seconds.items():
                self._phases.labels(name, phase).observe(seconds)
            for guard in {refusal.guard for refusal in replica.refusals}:
                self._trips.labels(guard).inc()
        for error in report.errors:
            if error.subject in self._replicas:
                self._failures.labels(error.subject, "transient" if error.transient else "terminal").inc()
        self._count_records(report, now)

    def on_source(self, what: str) -> None:
        """Count a read of Home Assistant (`read`), or its loss (the error's class name)."""
        if what == "read":
            self._reads.inc()
        else:
            self._losses.labels(_LOSSES.get(what, "error")).inc()

    def on_store_sizes(self, sizes: Mapping[str, int]) -> None:
        """Remember the sizes of the store's files, bytes by file."""
        self._sizes = dict(sizes)

    def watch_streams(self, streams: Callable[[], int]) -> None:
        """Call this for the number of open change streams at each scrape."""
        self._stream_clients.set_function(streams)

    def watch_held_logs(self, held_logs: Mapping[str, Callable[[], int]]) -> None:
        """Call these for the held bytes of each replica's log at each scrape."""
        self._held_logs = dict(held_logs)

    def watch_growth(self, growth: Callable[[], Growth | None]) -> None:
        """Call this for the growth of the history file at each scrape."""
        self._growth = growth

    def write_textfile(self, path: str) -> None:
        """Write the exposition for node_exporter's textfile collector, atomically. Raises OSError."""
        write_whole(Path(path), self.render("")[0], FOR_ALL_TO_READ)

    def on_request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count an HTTP request; `route` is the template, never the path."""
        self._requests.labels(route, method, str(code)).inc()
        self._request_duration.labels(route).observe(seconds)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition in the format of the Accept header, and its content type."""
        return self._encoded(self._collected(), accept)

    async def answer(self, accept: str) -> tuple[bytes, str]:
        """As `render`, in a worker thread: for 500 homes the text takes 30 ms of processor time."""
        return await to_thread(partial(self._encoded, self._collected(), accept))

    def _collected(self) -> "list[Metric]":
        return [metric for one in self._added for metric in one.collect()]

    def _encoded(self, added: "list[Metric]", accept: str) -> tuple[bytes, str]:
        from engine.metrics.exposition import encoded  # noqa: PLC0415 (see `instruments`)

        self._exposition = self._exposition or self._expose()
        return encoded(self._exposition, added, accept)

    def _expose(self) -> "Exposition":
        from engine.metrics.exposition import Exposition  # noqa: PLC0415 (see `instruments`)
        from engine.metrics.status_gauges import StatusCollector  # noqa: PLC0415
        from engine.metrics.store_sizes import store_series  # noqa: PLC0415

        if self._status is None:
            return Exposition(self._instruments, ())
        gauges = StatusCollector(self._status, self._clock, self._freshness)
        stores = lambda: store_series(self._sizes, self._held_logs, self._growth())  # noqa: E731
        return Exposition(self._instruments, (gauges.collect, stores))

    def _count_records(self, report: Report, now: float) -> None:
        applied = dict[tuple[str, str, str], int]()
        for record in report.records:
            if record.cause in (Cause.DRIFT, Cause.CONFLICT):
                self._drift_found.labels(record.replica, record.registry).inc()
            if record.outcome != Outcome.APPLIED or record.action is None:
                continue
            labels: tuple[str, str, str] = (record.replica, record.registry, record.action)
            applied[labels] = applied.get(labels, 0) + 1
            if record.replica_hash and (lag := write_lag_seconds(record, now)) is not None:
                self._lag.labels(record.replica).observe(lag)
        for labels, count in applied.items():
            self._applied.labels(*labels).inc(count)

    def _start_at_zero(self, replicas: tuple[str, ...]) -> None:
        for reason in sorted(set(_LOSSES.values())):
            self._losses.labels(reason)
        for guard in GuardName:
            self._trips.labels(guard)
        for replica in replicas:
            self._duration.labels(replica)
            self._lag.labels(replica)
            for phase in ("compare", "apply"):
                self._phases.labels(replica, phase)
            for reason in ("transient", "terminal"):
                self._failures.labels(replica, reason)
            for result in _RESULTS:
                self._runs.labels(replica, result)
            for registry in REGISTRIES:
                self._drift_found.labels(replica, registry)
                for action in _ACTIONS:
                    self._applied.labels(replica, registry, action)


def _result(report: Report, *, blocked: bool) -> str:
    if report.errors:
        return "partial" if report.partial else "error"
    return "blocked" if blocked else "success"
