"""Prometheus series of the store's files: their sizes, the part of a SQLite log that others hold, and the history's growth.

A scrape accesses no file: it reports the findings of the last pass, or of the log's last checkpoint.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.core.state.kept_past import Growth


def store_series(
    sizes: Mapping[str, int], held_logs: Mapping[str, Callable[[], int]], growth: Growth | None
) -> Iterator[Metric]:
    """All series: from `sizes` (bytes by file), from `held_logs` (called, by replica), and of the history file."""
    family = GaugeMetricFamily("reconcile_store_size_bytes", "Size of a file of the store.", labels=("file",))
    for name, size in sizes.items():
        family.add_metric((name,), size)
    yield family
    held = GaugeMetricFamily(
        "reconcile_store_log_held_bytes",
        "Part of a SQLite log that cannot be moved into its file, because another program reads it.",
        labels=("replica",),
    )
    for name, ask in held_logs.items():
        held.add_metric((name,), ask())
    yield held
    yield from _history(growth)


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
