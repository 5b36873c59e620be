"""Rows of the store in the form the wire has them; secrets are never decoded."""

from typing import Any

import pytest

from engine.core.records.lenient import read_object
from engine.core.records.record import ConfigEntry, Entity
from engine.core.records.set_aside import UnusableRow
from engine.sources.files.storage_rows import (
    ENTRY_FIELDS,
    config_entry_from_store,
    device_from_store,
    entity_from_store,
    row_from_store,
    splits_of_devices,
)


def entity(minor: int, **fields: Any) -> Entity:
    row = {
        "id": "e",
        "entity_id": "light.a",
        "unique_id": "u",
        "platform": "demo",
        "device_id": "d",
        **fields,
    }
    record = entity_from_store(row, minor, {"d": "Hall lamp"})
    assert isinstance(record, Entity)
    return record


def test_names_are_stripped_where_the_api_strips_them() -> None:
    full = "Hall lamp power"

    assert entity(24, original_name=full, has_entity_name=False).original_name == "Power"
    assert entity(24, original_name=full, has_entity_name=True).original_name == full
    assert entity(24, original_name=full, has_entity_name=False, device_id="gone").original_name == full
    assert entity(19, original_name=full, has_entity_name=False).original_name == full


def test_the_name_of_before_an_upgrade_is_kept_until_the_core_drops_it() -> None:
    assert entity(24, name="Mine", compat_name="Mine").compat_name == "Mine"
    assert entity(24, name="Mine", compat_name=None).extra == {}


def test_aliases_come_from_where_the_version_keeps_them() -> None:
    assert entity(24, aliases=["legacy"], aliases_v2=["b", None]).aliases == ("b", None)
    assert entity(19, aliases=["b", "a"]).aliases == (None, "a", "b")
    assert entity(9).aliases == (None,)


def test_times_are_the_floats_of_the_api() -> None:
    record = row_from_store(
        "floor",
        {"floor_id": "f", "name": "F", "created_at": "2026-11-23T11:36:40.522644+00:00", "modified_at": None},
    )

    assert record.created_at == 1795433800.522644
    assert record.modified_at is None


@pytest.mark.parametrize("stamp", ["yesterday", True, "", [], {}, -5, 1e300, "0001-01-01T00:00:00+00:00"])
def test_an_invalid_time_is_unknown(stamp: Any) -> None:
    assert row_from_store("floor", {"floor_id": "f", "name": "F", "created_at": stamp}).created_at is None


def test_the_stores_own_bookkeeping_is_dropped_and_unknown_keys_are_not() -> None:
    record = device_from_store(
        {"id": "d", "config_entry_id": "c", "composite_device_id": "old", "split_at": "x", "brand_new": 1}
    )

    assert record.extra == {"brand_new": 1}


def test_devices_name_the_device_they_were_split_from() -> None:
    common = {"composite_device_id": "old", "composite_primary_config_entry": "c2"}
    rows: list[dict[str, Any]] = [
        {"id": "n1", "config_entry_id": "c1", **common},
        {"id": "n2", "config_entry_id": "c2", **common},
        {"id": "other", "config_entry_id": "c1", "composite_device_id": None},
    ]

    assert splits_of_devices(rows) == {"old": ("n2", "n1")}


def test_of_a_config_entry_only_the_named_fields_are_decoded() -> None:
    stored = b'{"entry_id": "c", "domain": "demo", "data": {"password": "hunter2"}, "options": {"t": 1e999}}'
    row = read_object("config_entry", stored, ENTRY_FIELDS)

    assert "hunter2" not in repr(row)
    assert config_entry_from_store(row) == ConfigEntry(entry_id="c", domain="demo")
    with pytest.raises(UnusableRow):
        config_entry_from_store({"entry_id": "", "domain": "demo"})
