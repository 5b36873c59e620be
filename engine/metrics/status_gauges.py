"""Gauges of the current status, read at each scrape."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.core.records.registries import REGISTRIES
from engine.core.state.intervals import Freshness
from engine.core.state.report import (
    ReplicaReport,
    left_by_kind,
    open_keys,
)
from engine.core.state.status import Status, replica_status
from engine.core.words import GuardName, SyncStatus

_KINDS = ("missing", "stale", "orphaned", "foreign")


class StatusCollector(Collector):
    """Reads the gauges from the status at each scrape."""

    def __init__(
        self,
        status: Callable[[], Status],
        clock: Callable[[], float],
        freshness: Freshness,
    ) -> None:
        self._status = status
        self._clock = clock
        self._freshness = freshness

    def describe(self) -> Iterable[Metric]:
        """No metric, so that registering does not scrape for the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All gauges with their current values."""
        status = self._status()
        connected = GaugeMetricFamily(
            "reconcile_source_connected",
            "1 while Home Assistant is followed.",
            value=float(status.source.connected),
        )
        yield connected
        if status.source.last_message_at is not None:
            yield GaugeMetricFamily(
                "reconcile_source_last_message_timestamp_seconds",
                "Unix time of the last answer or event of Home Assistant.",
                value=status.source.last_message_at,
            )
        yield from self._words(status)
        yield from self._times(status)
        yield from self._counts(status)
        guards = GaugeMetricFamily(
            "reconcile_guard_blocking", "1 while a guard holds changes back.", labels=("guard",)
        )
        found = status.report.replicas if status.report else ()
        blocking = {refusal.guard for replica in found for refusal in replica.refusals}
        for guard in GuardName:
            guards.add_metric((guard,), float(guard in blocking))
        yield guards

    def _words(self, status: Status) -> Iterator[Metric]:
        words = GaugeMetricFamily(
            "reconcile_replica_status",
            "1 for the status that a replica has at this moment, 0 for the others.",
            labels=("replica", "status"),
        )
        since = GaugeMetricFamily(
            "reconcile_replica_status_since_timestamp_seconds",
            "Unix time since which a replica has its status.",
            labels=("replica",),
        )
        for replica in status.replicas:
            word, since_at = replica_status(replica, self._clock(), self._freshness)
            for each in SyncStatus:
                words.add_metric((replica.replica, each), float(each == word))
            if since_at is not None:
                since.add_metric((replica.replica,), since_at)
        yield from (words, since)

    def _times(self, status: Status) -> Iterator[Metric]:
        named = {
            "synced": "Unix time up to which a replica is known to hold every change of Home Assistant.",
            "compared": "Unix time of the Home Assistant that a replica was last compared with.",
            "succeeded": "Unix time at which the last pass without an error ended.",
        }
        metric_names = {"synced": "synced", "compared": "last_comparison", "succeeded": "last_success"}
        for name, text in named.items():
            family = GaugeMetricFamily(
                f"reconcile_{metric_names[name]}_timestamp_seconds", text, labels=("replica",)
            )
            for replica in status.replicas:
                value: float | None = getattr(replica, f"{name}_at")
                if value is not None:
                    family.add_metric((replica.replica,), value)
            yield family

    def _counts(self, status: Status) -> Iterator[Metric]:
        pending = GaugeMetricFamily(
            "reconcile_pending_changes", "Changes found and not yet written.", labels=("replica",)
        )
        is_up = GaugeMetricFamily(
            "reconcile_replica_up",
            "1 if the last pass over the replica ended without an error.",
            labels=("replica",),
        )
        drift = GaugeMetricFamily(
            "reconcile_drift_records",
            "Records on which a replica differed at the last comparison and still does.",
            labels=("replica", "kind"),
        )
        records = GaugeMetricFamily(
            "reconcile_records",
            "Records that a replica holds as Home Assistant has them.",
            labels=("replica",),
        )
        found = self._known(status)
        left = left_by_kind(status.report) if status.report else {}
        for replica in status.replicas:
            if replica.compared_at is not None:  # before, nothing was looked for
                pending.add_metric((replica.replica,), replica.pending)
            is_up.add_metric(
                (replica.replica,), float(replica.succeeded_at is not None and replica.error is None)
            )
            if replica.replica in found:
                records.add_metric((replica.replica,), found[replica.replica].equal)
                for kind in _KINDS:
                    drift.add_metric((replica.replica, kind), left.get((replica.replica, kind), 0))
        yield from (pending, is_up, drift, records)
        differing = GaugeMetricFamily(
            "reconcile_differing_records",
            "Records on which at least one replica differs; one on which two do counts once.",
        )
        if len(found) == len(status.replicas) > 0:
            differing.add_metric((), len(open_keys(status.report)))
        text = "Rows of Home Assistant that cannot be used and are not mirrored."
        rows = GaugeMetricFamily("reconcile_set_aside_rows", text, labels=("registry",))
        listed = [row.registry for row in status.report.set_aside] if status.report else []
        for registry in REGISTRIES if status.report else ():
            rows.add_metric((registry,), listed.count(registry))
        yield from (differing, rows)

    def _known(self, status: Status) -> dict[str, ReplicaReport]:
        """The reports of the replicas that are known now to be compared with this home. The others have no counts; 0 would mean equal."""
        now = self._clock()
        words = {r.replica: replica_status(r, now, self._freshness)[0] for r in status.replicas}
        found = status.report.replicas if status.report else ()
        return {r.replica: r for r in found if r.is_compared and words.get(r.replica) != SyncStatus.UNKNOWN}
