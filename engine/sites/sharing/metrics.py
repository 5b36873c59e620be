"""The series of a process that shares its homes with others."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.sites.sharing.status_exchange import ExchangeState


class FleetMetrics(Collector):
    """Collects the state of the exchange at each scrape."""

    def __init__(self, read: Callable[[], ExchangeState]) -> None:
        """`read` returns the current state."""
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """No metric: the names are known with the first collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series."""
        now = self._read()
        yield GaugeMetricFamily(
            "reconcile_fleet_drained",
            "1 while the process is drained and keeps no homes.",
            value=float(now.is_drained),
        )
        yield GaugeMetricFamily(
            "reconcile_fleet_exchange_up",
            "1 while the process exchanges the status of homes with the others.",
            value=float(now.trouble is None),
        )
        yield GaugeMetricFamily(
            "reconcile_fleet_strange_messages",
            "Messages of other programs in the topic of statuses, since the start.",
            value=float(now.strange_messages),
        )
        yield GaugeMetricFamily(
            "reconcile_fleet_workers",
            "Processes of the fleet that have reported within two minutes.",
            value=float(now.workers),
        )
        yield GaugeMetricFamily(
            "reconcile_fleet_unowned_sites",
            "Homes of the fleet that no process has reported within two minutes.",
            value=float(now.unowned),
        )
