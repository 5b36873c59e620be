"""The registries: every table that lists them has the same ones, under unique names."""

import pytest

from engine.core.records.record import RECORD_TYPES
from engine.core.records.registries import BY_NAME, REGISTRIES, Registry
from engine.replicas.rows.columns import TABLES
from engine.sources.answers.command_results import LISTS
from engine.sources.answers.mass_changes import STORES

every_registry = pytest.mark.parametrize("registry", BY_NAME.values(), ids=REGISTRIES)


def test_every_registry_has_a_record_type_a_table_and_a_file() -> None:
    for known in (RECORD_TYPES, TABLES, STORES):
        assert tuple(known) == REGISTRIES


@every_registry
def test_a_row_is_identified_by_columns_that_it_has(registry: Registry) -> None:
    columns = TABLES[registry.name].sql_names
    assert {*registry.key, *registry.page_key} <= set(columns)


@pytest.mark.parametrize("field", ["table", "list_command", "store", "store_list", "route", "capture"])
def test_no_two_share_a_name(field: str) -> None:
    names = [getattr(registry, field) for registry in BY_NAME.values()]
    assert len(set(names)) == len(names)


def test_recorded_answers_are_named_after_their_command() -> None:
    assert BY_NAME["device"].capture == "device_registry_list"
    assert BY_NAME["config_entry"].capture == "config_entries_get"


def test_what_refers_to_another_registry_is_listed_before_it() -> None:
    listed = list(LISTS)
    assert listed.index("device") < listed.index("area") < listed.index("floor")
    assert listed[-1] == "config_entry"
