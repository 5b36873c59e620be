"""Store files of every version as one snapshot."""

import json
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key
from engine.errors import SourceInvalid
from engine.sources.files.storage_files import snapshot_of_files
from engine.sources.files.stored_files import StorageFiles, StoredFile


def snapshot(**stores: tuple[int, dict[str, Any]]) -> Snapshot:
    """Of stores by the end of their name, as (major version, data)."""
    contents = {
        f"core.{name}": StoredFile(json.dumps({"version": v, "data": data}).encode(), 0.0)
        for name, (v, data) in stores.items()
    }
    files = StorageFiles("here", contents, frozenset(contents))
    return snapshot_of_files(files, ha_version=None, taken_at=1.0, origin="storage:here")


def test_children_and_splits_come_out_of_the_device_store() -> None:
    found = snapshot(
        device_registry=(
            3,
            {
                "devices": [{"id": "n1", "config_entry_id": "c", "composite_device_id": "old"}],
                "child_devices": [{"id": "k", "config_entry_id": "c", "parent_device_id": "n1"}],
                "deleted_devices": [{"id": "gone"}, {"id": "k"}],
            },
        )
    )

    assert found.home.records.keys() == {Key("device", "n1"), Key("device", "k")}
    assert found.reading.removed == {Key("device", "gone")}
    assert found.reading.splits == {"old": ("n1",)}


@pytest.mark.parametrize("ha_version", [None, "2024.3.3", "2026.11.0"])
@pytest.mark.parametrize(("minor", "shown"), [(15, "Mine"), (24, "Plug Mine")])
def test_the_entity_stores_minor_version_alone_decides_how_entities_are_named(
    minor: int, shown: str, ha_version: str | None
) -> None:
    entity = {"id": "e", "entity_id": "light.a", "unique_id": "u", "platform": "demo", "name": "Mine"}
    stores = {
        "core.device_registry": {"version": 1, "data": {"devices": [{"id": "d", "name": "Plug"}]}},
        "core.entity_registry": {
            "version": 1,
            "minor_version": minor,
            "data": {"entities": [entity | {"device_id": "d"}]},
        },
    }
    contents = {name: StoredFile(json.dumps(store).encode(), 0.0) for name, store in stores.items()}
    files = StorageFiles("here", contents, frozenset(contents))
    found = snapshot_of_files(files, ha_version=ha_version, taken_at=1.0, origin="storage:here")

    assert found.home.derived[Key("entity", "e")].effective_name == shown
    assert found.only(frozenset({"entity"})).home.names_as_of == found.home.names_as_of


@pytest.mark.parametrize(("other", "kept"), [("Plug", "Power"), ("Lamp", "Plug power")])
def test_a_name_is_not_shortened_by_that_of_the_last_of_several_devices_with_one_id(
    other: str, kept: str
) -> None:
    entity = {"id": "e", "entity_id": "sensor.a", "unique_id": "u", "platform": "demo", "device_id": "d"}
    stores = {
        "core.device_registry": {
            "version": 1,
            "data": {"devices": [{"id": "d", "name": other}, {"id": "d", "name": "Plug"}]},
        },
        "core.entity_registry": {
            "version": 1,
            "minor_version": 24,
            "data": {"entities": [entity | {"original_name": "Plug power"}]},
        },
    }
    contents = {name: StoredFile(json.dumps(store).encode(), 0.0) for name, store in stores.items()}
    files = StorageFiles("here", contents, frozenset(contents))
    found = snapshot_of_files(files, ha_version=None, taken_at=1.0, origin="storage:here").home

    assert found.derived[Key("entity", "e")].effective_name == kept
    assert len(found.set_aside) == 2


def test_categories_carry_their_scope() -> None:
    category = {"category_id": "c", "name": "C"}
    found = snapshot(
        entity_registry=(1, {"entities": []}),
        category_registry=(1, {"categories": {"script": [category], "scene": [category]}}),
    )

    assert found.home.records.keys() == {Key("category", "script/c"), Key("category", "scene/c")}


def test_a_store_of_before_2021_12_is_refused_with_its_age() -> None:
    for rows in (
        [{"entity_id": "sun.sun"}],
        [{"id": "e", "entity_id": "a.a"}, {"id": None, "entity_id": "b.b"}],
    ):
        with pytest.raises(SourceInvalid, match=r"before 2021\.12") as refused:
            snapshot(entity_registry=(1, {"entities": rows}))
        assert "newer" not in str(refused.value)


def test_an_order_is_reported_by_stores_that_have_one() -> None:
    areas = {"areas": [{"id": name, "name": name} for name in "cab"]}

    def read(minor: int) -> Snapshot:
        store = {"version": 1, "minor_version": minor, "data": areas}
        contents = {
            "core.area_registry": StoredFile(json.dumps(store).encode(), 0.0),
            "core.entity_registry": StoredFile(b'{"version": 1, "data": {"entities": []}}', 0.0),
        }
        files = StorageFiles("here", contents, frozenset(contents))
        return snapshot_of_files(files, ha_version=None, taken_at=1.0, origin="storage:here")

    assert [key.id for key in read(9).home.positions] == ["c", "a", "b"]
    assert read(8).home.positions == {}
    assert read(9).home.hashes == read(8).home.hashes
