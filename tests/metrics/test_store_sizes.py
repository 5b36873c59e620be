"""The store's files as series: what was told last, and what is asked at each scrape."""

from engine.core.state.kept_past import Growth
from engine.metrics.store_sizes import StoreSizes


def scrape(sizes: StoreSizes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in sizes.collect()
        for sample in family.samples
    }


def test_sizes_are_reported_and_what_a_reader_holds_of_a_log_is_asked_for_each_time() -> None:
    sizes, held = StoreSizes(), [0]
    assert scrape(sizes) == {}
    sizes.sizes = {"db": 4096}
    sizes.held_logs = {"sqlite": lambda: held[0]}
    expected = {
        ("reconcile_store_size_bytes", "db"): 4096.0,
        ("reconcile_store_log_held_bytes", "sqlite"): 0.0,
    }
    assert scrape(sizes) == expected
    held[0] = 8192
    assert scrape(sizes) == expected | {("reconcile_store_log_held_bytes", "sqlite"): 8192.0}


def test_the_growth_of_a_history_is_reported_and_what_it_forgot() -> None:
    sizes = StoreSizes()
    sizes.growth = lambda: Growth(bytes_per_second=2.5, forgotten_by_age=3, forgotten_by_thinning=4)
    expected = {
        ("reconcile_history_growth_bytes_per_second",): 2.5,
        ("reconcile_history_forgotten_revisions_total", "age"): 3.0,
        ("reconcile_history_forgotten_revisions_total", "thinning"): 4.0,
    }
    assert scrape(sizes) == expected
    sizes.growth = lambda: Growth(
        bytes_per_second=2.5, known_from=1e9, forgotten_by_age=3, forgotten_by_thinning=4
    )
    assert scrape(sizes) == expected | {("reconcile_history_known_from_timestamp_seconds",): 1e9}
