"""Two Prometheus series of the store's files: their sizes, and how much of a SQLite log others hold.

A scrape touches no file: it tells what was found out at the last pass, or when the log was last moved.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class StoreSizes(Collector):
    """Collects `sizes`, bytes by file, and asks `held_logs`, bytes by replica."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.held_logs: dict[str, Callable[[], int]] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known with the first collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Both series."""
        family = GaugeMetricFamily(
            "reconcile_store_size_bytes", "Size of a file of the store.", labels=("file",)
        )
        for name, size in self.sizes.items():
            family.add_metric((name,), size)
        yield family
        held = GaugeMetricFamily(
            "reconcile_store_log_held_bytes",
            "Part of a SQLite log that cannot be moved into its file, because another program reads it.",
            labels=("replica",),
        )
        for name, ask in self.held_logs.items():
            held.add_metric((name,), ask())
        yield held
