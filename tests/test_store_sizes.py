"""The store's files as series: what was told last, and what is asked at each scrape."""

from engine.store_sizes import StoreSizes


def scrape(sizes: StoreSizes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in sizes.collect()
        for sample in family.samples
    }


def test_sizes_are_told_and_what_a_reader_holds_of_a_log_is_asked_for_each_time() -> None:
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
