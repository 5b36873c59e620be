"""Prometheus series of the store's files: their sizes, how much of a SQLite log others hold, and how the history grows.

A scrape touches no file: it reports what the last pass found, or the last checkpoint of the log.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.core.state.kept_past import Growth


class StoreSizes(Collector):
    """Collects `sizes`, bytes by file, and calls `held_logs`, bytes by replica, and `growth`, of the history file."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.held_logs: dict[str, Callable[[], int]] = {}
        self.growth: Callable[[], Growth | None] = lambda: None

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known with the first collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series."""
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
        yield from _history(self.growth())


def _history(growth: Growth | None) -> Iterator[Metric]:
    intervals = GaugeMetricFamily(
        "reconcile_history_growth_bytes_per_second",
        "By how much the history file grows, judged by its newest versions; times 86400 is a day.",
    )
    forgotten = CounterMetricFamily(
        "reconcile_history_forgotten_revisions",
        "Versions that the history file forgot: too old (age), or followed by another within an interval (thinning).",
        labels=("reason",),
    )
    known = GaugeMetricFamily(
        "reconcile_history_known_from_timestamp_seconds",
        "As of any time from then on the home is known; none while nothing was forgotten by age.",
    )
    if growth is not None:
        intervals.add_metric((), growth.bytes_per_second)
        forgotten.add_metric(("age",), growth.forgotten_by_age)
        forgotten.add_metric(("thinning",), growth.forgotten_by_thinning)
        if growth.known_from is not None:
            known.add_metric((), growth.known_from)
    yield from (intervals, forgotten, known)
