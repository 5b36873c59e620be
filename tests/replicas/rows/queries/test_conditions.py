"""Every registry can be filtered and searched, by columns that there are."""

from engine.core.records.registries import REGISTRIES
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.queries.conditions import (
    FACETS,
    FILTERS,
    LIST_FACETS,
    TEXTS,
    facet_sources,
    most_frequent,
)


def test_every_registry_has_its_facets_and_texts() -> None:
    assert set(FACETS) == set(TEXTS) == set(REGISTRIES)
    for registry, columns in TEXTS.items():
        assert set(columns) <= set(TABLES[registry].sql_names), registry


def test_every_facet_is_a_filter() -> None:
    for registry, facets in FACETS.items():
        for name in (*facets, *LIST_FACETS.get(registry, ())):
            assert FILTERS[registry, name].count("?") >= 1
            assert facet_sources(registry, [name])


def test_values_that_a_filter_finds_together_are_counted_together() -> None:
    counts: dict[bytes | None, int] = {b"ACME": 1, b"Acme": 2, b"acme": 1, b"Zig": 3, None: 7}
    assert most_frequent("device", "manufacturer", counts) == [("Acme", 4), ("Zig", 3)]
    assert most_frequent("device", "sw_version", {b"V1": 1, b"v1": 2}) == [("v1", 2), ("V1", 1)]
    capitals: dict[bytes | None, int] = {"Éclair".encode(): 1, "éclair".encode(): 1}
    assert len(most_frequent("device", "model", capitals)) == 2, "SQLite ignores the case of ASCII only"
