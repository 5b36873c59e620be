"""Every registry can be filtered and searched, by columns that there are."""

from engine.core.records.registries import REGISTRIES
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.queries.conditions import FACETS, FILTERS, LIST_FACETS, TEXTS, facet_sources


def test_every_registry_has_its_facets_and_texts() -> None:
    assert set(FACETS) == set(TEXTS) == set(REGISTRIES)
    for registry, columns in TEXTS.items():
        assert set(columns) <= set(TABLES[registry].sql_names), registry


def test_every_facet_is_a_filter() -> None:
    for registry, facets in FACETS.items():
        for name in (*facets, *LIST_FACETS.get(registry, ())):
            assert FILTERS[registry, name].count("?") >= 1
            assert facet_sources(registry, [name])
