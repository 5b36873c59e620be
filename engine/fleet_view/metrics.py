"""The series of a fleet view: its progress, and the number of homes by status."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.fleet.ports import Standing


class Totals(msgspec.Struct, frozen=True):
    """The recent totals of the view."""

    sites: dict[str, int]  # by status
    devices: int
    oddities: dict[str, int]  # messages that are not in the view, by reason


class ViewMetrics(Collector):
    """Collects from the view as it is at each scrape."""

    def __init__(self, standing: Callable[[], Standing], totals: Callable[[], Totals]) -> None:
        self._standing = standing
        self._totals = totals

    def describe(self) -> Iterable[Metric]:
        """No metric: the names are known with the first collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series."""
        standing, totals = self._standing(), self._totals()
        as_of = GaugeMetricFamily(
            "reconcile_view_as_of_timestamp_seconds",
            "Unix time up to which the view has everything in Kafka.",
        )
        behind = GaugeMetricFamily(
            "reconcile_view_behind_messages", "Messages that the view has not read yet."
        )
        if standing.as_of is not None:
            as_of.add_metric((), standing.as_of)
        if standing.behind is not None:
            behind.add_metric((), standing.behind)
        yield from (as_of, behind)
        yield GaugeMetricFamily(
            "reconcile_view_replayed",
            "1 once the view has read everything that Kafka held when it started.",
            value=float(standing.replayed),
        )
        yield GaugeMetricFamily("reconcile_view_devices", "Devices of all homes.", value=totals.devices)
        sites = GaugeMetricFamily("reconcile_view_sites", "Homes, by their status.", labels=("status",))
        for word, count in totals.sites.items():
            sites.add_metric((word,), count)
        odd = CounterMetricFamily(
            "reconcile_view_messages_left_out",
            "Messages that were left out of the view since its file was created, by reason.",
            labels=("reason",),
        )
        for reason, count in totals.oddities.items():
            odd.add_metric((reason,), count)
        yield from (sites, odd)
