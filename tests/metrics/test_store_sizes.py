"""The store's files as series: the last known values, and those read at each scrape."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.state.kept_past import Growth
from engine.metrics.store_sizes import store_series


def scrape(
    sizes: Mapping[str, int] = {},
    held_logs: Mapping[str, Callable[[], int]] = {},
    growth: Growth | None = None,
) -> dict[tuple[Any, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in store_series(sizes, held_logs, growth)
        for sample in family.samples
    }


def test_sizes_are_reported_and_held_log_bytes_are_read_each_time() -> None:
    assert scrape() == {}
    held = [0]
    sizes, held_logs = {"db": 4096}, {"sqlite": lambda: held[0]}
    expected = {
        ("reconcile_store_size_bytes", "db"): 4096.0,
        ("reconcile_store_log_held_bytes", "sqlite"): 0.0,
    }
    assert scrape(sizes, held_logs) == expected
    held[0] = 8192
    assert scrape(sizes, held_logs) == expected | {("reconcile_store_log_held_bytes", "sqlite"): 8192.0}


def test_the_growth_of_a_history_is_reported_with_forgotten_revisions() -> None:
    growth = Growth(bytes_per_second=2.5, forgotten_by_age=3, forgotten_by_thinning=4)
    expected = {
        ("reconcile_history_growth_bytes_per_second",): 2.5,
        ("reconcile_history_forgotten_revisions_total", "age"): 3.0,
        ("reconcile_history_forgotten_revisions_total", "thinning"): 4.0,
    }
    assert scrape(growth=growth) == expected
    growth = Growth(bytes_per_second=2.5, known_from=1e9, forgotten_by_age=3, forgotten_by_thinning=4)
    assert scrape(growth=growth) == expected | {("reconcile_history_known_from_timestamp_seconds",): 1e9}
