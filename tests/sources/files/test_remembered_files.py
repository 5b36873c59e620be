"""Files that are read again make the home that they make when nothing is known, and only what changed is decoded."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from engine.sources.files import remembered_files
from engine.sources.files.remembered_files import RememberedFiles, snapshot_of_remembered
from engine.sources.files.storage_files import snapshot_of_files
from engine.sources.files.stored_files import StorageFiles, StoredFile
from tests.examples import first_quick
from tests.loop.changing_core import ODD
from tests.sources.recorded_homes import DATA

Stores = dict[str, Any]


@pytest.fixture
def stores() -> Stores:
    folder = DATA / "2026.11.0" / "storage"
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}


def files_of(stores: Stores) -> StorageFiles:
    contents = {name: StoredFile(json.dumps(store).encode(), 0.0) for name, store in stores.items()}
    return StorageFiles("here", contents, frozenset(contents))


def read(remembered: RememberedFiles, stores: Stores, at: float) -> Snapshot:
    return snapshot_of_remembered(
        remembered, files_of(stores), ha_version="2026.11.0", taken_at=at, origin="storage:here"
    )


def check(found: Snapshot, stores: Stores, at: float) -> None:
    """The same as without any memory."""
    whole = snapshot_of_files(files_of(stores), ha_version="2026.11.0", taken_at=at, origin="storage:here")
    assert found.reading == whole.reading
    for part in ("records", "hashes", "positions", "derived", "row_versions", "partly_read"):
        assert dict(getattr(found.home, part)) == dict(getattr(whole.home, part)), part
    assert found.home.set_aside == whole.home.set_aside
    assert (found.home.counts, found.home.entry_ids) == (whole.home.counts, whole.home.entry_ids)


def rows_of(stores: Stores, registry: str) -> list[dict[str, Any]]:
    name = {"entity": "entities"}.get(registry, f"{registry}s")
    found: list[dict[str, Any]] = stores[f"core.{registry}_registry"]["data"][name]
    return found


def rename_a_device(stores: Stores) -> None:
    rows_of(stores, "device")[0]["name_by_user"] = "Another name"


def remove_a_device(stores: Stores) -> None:
    gone = rows_of(stores, "device").pop(0)
    stores["core.device_registry"]["data"]["deleted_devices"].append(gone)


def split_a_device(stores: Stores) -> None:
    rows_of(stores, "device")[0]["composite_device_id"] = "old"


def rename_an_entity(stores: Stores) -> None:
    rows_of(stores, "entity")[1]["name"] = "Renamed"


def swap_two_entity_ids(stores: Stores) -> None:
    one, two, *_ = rows_of(stores, "entity")
    one["entity_id"], two["entity_id"] = two["entity_id"], one["entity_id"]


def call_a_device_none(stores: Stores) -> None:
    """As what an entity without a device reads as where everything is read as text."""
    rows_of(stores, "device")[0]["id"] = "None"
    one, two, *_ = rows_of(stores, "entity")
    del one["device_id"]
    two["device_id"] = None


def reorder_areas(stores: Stores) -> None:
    rows_of(stores, "area").reverse()


def list_nothing_as_deleted(stores: Stores) -> None:
    stores["core.entity_registry"]["data"]["deleted_entities"] = []


PLAIN = [
    rename_a_device,
    remove_a_device,
    split_a_device,
    rename_an_entity,
    swap_two_entity_ids,
    call_a_device_none,
    reorder_areas,
    list_nothing_as_deleted,
]


@pytest.mark.parametrize("change", first_quick(PLAIN, 3))
def test_only_changed_entries_of_changed_files_are_decoded(
    stores: Stores, change: Callable[[Stores], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = RememberedFiles("test")
    check(read(remembered, stores, 1.0), stores, 1.0)
    change(stores)
    with monkeypatch.context() as patch:
        patch.setattr(remembered_files, "snapshot_of_files", None)
        found = read(remembered, stores, 2.0)
    check(found, stores, 2.0)


def repeat_a_row(stores: Stores) -> None:
    rows_of(stores, "entity").append(rows_of(stores, "entity")[0])


def repeat_an_entity_id(stores: Stores) -> None:
    rows_of(stores, "entity")[0]["entity_id"] = rows_of(stores, "entity")[1]["entity_id"]


def repeat_an_id(stores: Stores) -> None:
    rows_of(stores, "device")[0]["id"] = rows_of(stores, "device")[1]["id"]


def write_an_odd_row(stores: Stores) -> None:
    rows_of(stores, "entity")[0]["entity_id"] = None


def change_the_minor_version(stores: Stores) -> None:
    stores["core.entity_registry"]["minor_version"] = 23


def lose_a_registry(stores: Stores) -> None:
    del stores["core.label_registry"]


def add_a_scope(stores: Stores) -> None:
    stores["core.category_registry"]["data"]["categories"]["another"] = []


@pytest.mark.parametrize(
    "change",
    first_quick(
        [
            repeat_a_row,
            repeat_an_entity_id,
            repeat_an_id,
            write_an_odd_row,
            change_the_minor_version,
            lose_a_registry,
            add_a_scope,
        ]
    ),
)
def test_where_more_changed_all_is_read(stores: Stores, change: Callable[[Stores], None]) -> None:
    remembered, before = RememberedFiles("test"), json.loads(json.dumps(stores))
    read(remembered, stores, 1.0)
    change(stores)
    for at, now in ((2.0, stores), (3.0, before), (4.0, stores)):
        check(read(remembered, now, at), now, at)


@pytest.mark.slow
@pytest.mark.parametrize("seed", first_quick(range(4)))
def test_after_any_change_of_the_files(stores: Stores, seed: int) -> None:
    random, remembered = Random(seed), RememberedFiles("test")
    for at in range(1, 12):
        rows = rows_of(stores, random.choice(["device", "entity", "area", "label", "floor"]))
        row = random.choice(rows)
        action = random.random()
        if action < 0.4:
            row[random.choice(list(row))] = random.choice(["Renamed", None, *ODD])
        elif action < 0.6 and len(rows) > 1:
            rows.remove(row)
        elif action < 0.8:
            rows.append({**row, "id": f"new {at}", "entity_id": f"light.new_{at}", "unique_id": str(at)})
        else:
            random.shuffle(rows)
        check(read(remembered, stores, float(at)), stores, float(at))


def test_what_was_learned_has_every_row_in_its_list_s_order(stores: Stores) -> None:
    remembered = RememberedFiles("test")
    for change in (lambda _: None, remove_a_device, rename_an_entity, reorder_areas):
        change(stores)
        snapshot = read(remembered, stores, 1.0)
        learned = remembered.learned()
        assert learned is not None
        keys = {listed.map.name: [key.id for key in listed.keys] for listed in learned.lists}
        assert keys["area"] == [row["id"] for row in rows_of(stores, "area")]
        assert keys["entity"] == [row["id"] for row in rows_of(stores, "entity")]
        assert sum(map(len, keys.values())) == len(snapshot.home.records)


def test_of_a_home_with_odd_rows_nothing_is_learned(stores: Stores) -> None:
    remembered = RememberedFiles("test")
    write_an_odd_row(stores)
    read(remembered, stores, 1.0)
    assert remembered.learned() is None
