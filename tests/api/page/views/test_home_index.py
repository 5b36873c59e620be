"""The home in one value, from rows or from records."""

from pathlib import Path

import pytest

from api.page.views.home import HomeQuery, home_view
from api.page.views.home_index import (
    EntityLine,
    HomeIndex,
    KeptIndex,
    entities_of_rows,
    index_of_rows,
)
from engine.core.home.derived import derive
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Record
from engine.replicas.rows.queries.in_memory import rows_in_memory
from engine.replicas.rows.queries.read_transactions import RowsTransaction
from engine.replicas.rows.queries.rows_reader import SqliteRowsReader
from tests.api.serving import write_home
from tests.homes import ENTRY, device, entity, snapshot

RECORDS: tuple[Record, ...] = (
    ENTRY,
    Area(area_id="kitchen", name="Küche"),
    Area(area_id="attic", name="Attic"),
    device(1, area_id="kitchen", manufacturer="ACME", model="Lamp"),
    device(2, name="Älpha", name_by_user="Beta"),
    device(3, name=None, area_id="kitchen", disabled_by="user"),
    entity(1, device_id=device(1).id, original_name="Power"),
    entity(2, name="Loose"),
)


@pytest.fixture
def home() -> Snapshot:
    return snapshot(*RECORDS)


def past(home: Snapshot) -> RowsTransaction:
    records = home.home.records
    return rows_in_memory(records, derive(records, None), dict.fromkeys(records, 0.0))


async def now(home: Snapshot, tmp_path: Path) -> tuple[HomeIndex, tuple[list[EntityLine], int]]:
    await write_home(tmp_path / "rows.db", home)
    rows_reader = SqliteRowsReader(tmp_path / "rows.db")

    def job(transaction: RowsTransaction) -> tuple[HomeIndex, tuple[list[EntityLine], int]]:
        return index_of_rows(transaction), entities_of_rows(transaction, ["loose"], 10)

    try:
        return await rows_reader.read(job)
    finally:
        await rows_reader.aclose()


async def test_devices_stand_by_area_and_name_and_those_without_come_last(
    home: Snapshot, tmp_path: Path
) -> None:
    index, found = await now(home, tmp_path)
    assert list(index.areas.items()) == [("attic", "Attic"), ("kitchen", "Küche"), (None, "No area")]
    assert [(d.name, d.made_by, d.entity_count, d.is_disabled) for d in index.devices] == [
        (device(3).id, "", 0, True),  # nothing else is known to call it by
        ("Device 1", "ACME · Lamp", 1, False),
        ("Beta", "", 0, False),
    ]
    assert (index.entity_count, index.loose_count) == (2, 1)
    assert index.area_entities == {"kitchen": 1, "-": 1}
    assert index.names["config_entry", "entry"] == "Demo"
    assert found == ([EntityLine("sensor.s2", "Loose", False, entity(2).id)], 1)


def test_entities_count_where_they_are_and_only_those_without_a_device_as_loose() -> None:
    index = index_of_rows(
        past(
            snapshot(
                ENTRY,
                Area(area_id="kitchen", name="Kitchen"),
                Area(area_id="bath", name="Bath"),
                device(1, area_id="kitchen"),
                entity(1, device_id=device(1).id, area_id="bath"),
                entity(2, device_id="d" * 32),  # of a device that is not there
                entity(3, area_id="bath"),
            )
        )
    )
    assert (index.entity_count, index.loose_count) == (3, 1)
    assert index.area_entities == {"bath": 2, "-": 1}


@pytest.mark.parametrize("area_id", [None, "attic", "gone"])
@pytest.mark.parametrize("has_device", [False, True])
def test_no_area_holds_the_entities_that_the_filter_finds(area_id: str | None, *, has_device: bool) -> None:
    """Also those without a device, and also if every device has an area."""
    rows = past(
        snapshot(
            ENTRY,
            Area(area_id="attic", name="Attic"),
            device(1, area_id="attic"),
            *([device(2)] if has_device else []),
            entity(1, device_id=device(1).id),
            entity(2, area_id=area_id),
            entity(3),
        )
    )
    index = index_of_rows(rows)
    view = home_view(index, HomeQuery(), ([], 0))
    counted = {area.id: area.entities for area in view.areas}
    assert list(index.areas)[-1] is None
    assert counted == {area.id: rows.count("entity", [("area_id", area.id)]) for area in view.areas}
    assert counted["-"] == (2 if area_id is None else 1)
    assert sum(counted.values()) == index.entity_count
    assert view.area_count == len(view.areas) - 1


async def test_then_is_as_now_would_be(home: Snapshot, tmp_path: Path) -> None:
    index, found = await now(home, tmp_path)
    assert index_of_rows(past(home)) == index
    assert entities_of_rows(past(home), ["loose"], 10) == found


def test_the_areas_of_a_time_stand_in_the_order_that_is_given(home: Snapshot) -> None:
    assert list(index_of_rows(past(home), {"kitchen": 0, "attic": 1}).areas) == ["kitchen", "attic", None]


def test_an_index_is_kept_until_its_witness_moves() -> None:
    kept, index = KeptIndex(), HomeIndex((), {}, {}, 0)
    kept.put(1, index)
    assert kept.get(1) is index
    assert kept.get(2) is None
    kept.put(None, index)
    assert kept.get(None) is None


def test_a_home_can_be_empty() -> None:
    index = index_of_rows(rows_in_memory({}, {}, {}))
    assert (index.devices, index.areas, index.loose_count) == ((), {}, 0)
