"""Writing rows: an update changes a row where it is, so nothing that hangs on it is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.core.compare.plan import Operation
from engine.core.records.record import Floor
from engine.replicas.rows import reader
from engine.replicas.rows.columns import TABLES
from engine.replicas.rows.ledger.tombstones import Tombstone
from engine.replicas.rows.replica import SqliteRows, open_rows
from engine.replicas.rows.writing.filling import upsert_statement
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, plan_of, run_of, sql


def test_no_statement_replaces_a_row() -> None:
    for table in TABLES.values():
        assert "REPLACE" not in upsert_statement(table)
        assert "DO UPDATE SET" in upsert_statement(table)


def test_a_row_keeps_its_number_through_updates_and_renames(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), entity(1), entity(2)))
    numbers = sql(rows.path, "SELECT id, rowid FROM entities ORDER BY id")
    swapped = (entity(1, entity_id="sensor.s2"), entity(2, entity_id="sensor.s1", name="New"))
    one_pass(rows, rows, snapshot(ENTRY, device(1), *swapped))
    assert sql(rows.path, "SELECT id, rowid FROM entities ORDER BY id") == numbers
    rows.close()


def test_last_seen_moves_only_in_rows_that_change(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), device(2)), at=NOON)
    one_pass(rows, rows, snapshot(ENTRY, device(1), device(2, name="New")), at=NOON + 1)
    found = sql(rows.path, "SELECT last_seen FROM devices ORDER BY device_id")
    assert found == [("2026-11-23 12:00:00.000000",), ("2026-11-23 12:00:01.000000",)]
    rows.close()


def test_an_update_writes_only_the_different_columns(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, device(1), entity(1)))
    # Triggers show which columns a statement sets, for any values.
    for column in ("name", "unique_id"):
        sql(
            rows.path,
            f"CREATE TABLE set_{column} (id); CREATE TRIGGER t_{column} AFTER UPDATE OF {column} ON entities"
            f" BEGIN INSERT INTO set_{column} VALUES (new.id); END",
        )
    one_pass(rows, rows, snapshot(ENTRY, device(1), entity(1, name="New")))
    assert sql(rows.path, "SELECT id FROM set_name") == [(entity(1).id,)]
    assert sql(rows.path, "SELECT id FROM set_unique_id") == []
    rows.close()


def test_an_equal_number_of_another_type_is_put_right(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    sql(rows.path, "CREATE TABLE floors (floor_id TEXT PRIMARY KEY, level)")
    ground = snapshot(ENTRY, Floor(floor_id="ground", name="Ground", level=1))
    one_pass(rows, rows, ground)
    sql(rows.path, "UPDATE floors SET level = 1.0")
    assert len(one_pass(rows, rows, ground, at=NOON + 1).operations) == 1
    assert sql(rows.path, "SELECT typeof(level) FROM floors") == [("integer",)]
    rows.close()


def test_deleting_a_device_takes_no_entity_along(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    kept = entity(1, device_id=device(1).id)
    one_pass(rows, rows, snapshot(ENTRY, device(1), kept))
    one_pass(rows, rows, snapshot(ENTRY, kept))
    assert sql(rows.path, "SELECT id FROM entities") == [(kept.id,)]
    rows.close()


def test_values_that_others_write_just_before_a_large_delete_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, *(device(n) for n in range(200))))
    prepare = rows._prepare

    def disturbed(operations: Sequence[Operation]) -> Any:
        prepared = prepare(operations)
        sql(rows.path, "UPDATE devices SET name = 'Edited' WHERE device_id = ?", device(7).id)
        sql(rows.path, "DELETE FROM devices WHERE device_id = ?", device(8).id)
        return prepared

    monkeypatch.setattr(rows, "_prepare", disturbed)
    one_pass(rows, rows, snapshot(ENTRY))

    assert sql(rows.path, "SELECT count(*) FROM devices") == [(0,)]
    names = {number: found and found.fields["name"] for number, found in _tombstones(rows, 7, 8, 9)}
    assert names == {7: "Edited", 8: None, 9: "Device 9"}
    rows.close()


def test_rows_of_a_large_removal_are_decoded_and_encoded_before_the_lock_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, *(device(n) for n in range(200))))
    plan = plan_of(rows, rows, snapshot(ENTRY))
    prepared = rows._prepare(plan.operations)
    monkeypatch.setattr(rows, "_prepare", lambda _operations: prepared)
    monkeypatch.setattr(reader, "decode_row", None)  # calling them fails
    monkeypatch.setattr(reader, "encoded", None)

    rows.apply(plan.operations, run_of(rows, snapshot(ENTRY)))

    assert sql(rows.path, "SELECT count(*) FROM devices") == [(0,)]
    rows.close()


def _tombstones(rows: SqliteRows, *numbers: int) -> list[tuple[int, Tombstone | None]]:
    return [(number, rows.tombstone(device(number).key)) for number in numbers]
