"""The rows file: adopting a HomeIQ database, other programs' columns and rows, the ledger in the same commit."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.compare.diff import Cause
from engine.core.compare.foreign import foreign_reasons
from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Area, Key, Label
from engine.errors import ReplicaDiverged, ReplicaRejected
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import folder_state, make_homeiq, one_pass, plan_of, run_of, sql

HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[SqliteRows]:
    made = open_rows(tmp_path / "rows.db", busy_timeout_seconds=0)
    yield made
    made.close()


def others(path: Path) -> list[object]:
    """What in a HomeIQ database is not ours."""
    statements = (
        "SELECT * FROM alembic_version",
        "SELECT * FROM device_notes",
        "SELECT device_id, name, manufacturer, last_seen, health_score FROM devices WHERE length(device_id) = 32 ORDER BY 1",
        "SELECT name FROM sqlite_schema WHERE name LIKE 'idx_%' ORDER BY 1",
    )
    return [sql(path, statement) for statement in statements]


def test_a_homeiq_database_is_observed_without_changing_it(rows: SqliteRows) -> None:
    devices = make_homeiq(rows.path)
    before = folder_state(rows.path.parent)
    assert set(rows.observe().versions) == {Key("device", row["device_id"]) for row in devices}
    assert rows.applied("sqlite") == {}
    assert rows.known_ids(HOME.home.records) == frozenset()
    assert rows.last_change(device(1).key) is None
    rows.close()
    assert folder_state(rows.path.parent) == before


def test_the_five_mock_devices_are_foreign_with_reasons_and_survive(rows: SqliteRows) -> None:
    devices = make_homeiq(rows.path)
    *untouched, indexes = others(rows.path)
    plan = one_pass(rows, rows, HOME)
    assert [row.fields["name"] for row in plan.foreign] == [row["name"] for row in devices]
    known = rows.known_ids(row.key for row in plan.foreign)
    reasons = foreign_reasons({row.key: row for row in plan.foreign}, known, frozenset())
    for why in reasons.values():
        assert "Home Assistant was never seen to have this id" in why
        assert "its last_seen 2025-10-14 20:39:40.961413 is identical to that of 4 other foreign rows" in why
        assert "no entity belongs to it" in why
    *after, more_indexes = others(rows.path)
    assert [row for row in after[2] if row[0] != device(1).id] == untouched[2]  # type: ignore[attr-defined]
    assert after[:2] == untouched[:2]
    assert set(more_indexes) >= set(indexes)  # type: ignore[call-overload]
    assert one_pass(rows, rows, HOME).operations == ()


def test_pruning_removes_the_mock_devices_and_they_stay_unknown(rows: SqliteRows) -> None:
    devices = make_homeiq(rows.path)
    plan = one_pass(rows, rows, HOME, prune_foreign=True)
    gone = [Key("device", row["device_id"]) for row in devices]
    assert {o.difference.cause for o in plan.operations} == {Cause.FOREIGN, Cause.PENDING}
    assert rows.observe().versions == HOME.home.row_versions
    assert rows.known_ids(gone) == frozenset()
    tombstone = rows.tombstone(gone[0])
    assert tombstone is not None
    assert tombstone.fields["name"] == "Sun"
    assert sql(rows.path, "SELECT note FROM device_notes") == [("battery changed in spring",)]


def test_rows_of_another_program_become_ours_and_keep_its_columns(rows: SqliteRows) -> None:
    make_homeiq(rows.path)
    sql(
        rows.path,
        "INSERT INTO devices (device_id, name, health_score) VALUES (?, 'old', 70);"
        "INSERT INTO entities (entity_id, domain, platform) VALUES ('sensor.s1', 'sensor', 'demo')",
        device(1).id,
    )
    assert Key("entity", "sensor.s1") in rows.observe().versions
    one_pass(rows, rows, HOME)
    assert HOME.home.row_versions.items() <= rows.observe().versions.items()
    assert sql(rows.path, "SELECT name, health_score FROM devices WHERE device_id = ?", device(1).id) == [
        ("Device 1", 70)
    ]
    assert sql(rows.path, "SELECT id, entity_id FROM entities") == [(entity(1).id, "sensor.s1")]


def test_a_deleted_row_that_returns_has_its_other_columns_again(rows: SqliteRows) -> None:
    make_homeiq(rows.path)
    one_pass(rows, rows, HOME)
    sql(rows.path, "UPDATE devices SET health_score = x'00ff' WHERE device_id = ?", device(1).id)
    one_pass(rows, rows, snapshot(ENTRY))
    assert rows.tombstone(device(1).key) is not None
    assert rows.known_ids([device(1).key, device(2).key]) == {device(1).key}
    one_pass(rows, rows, HOME)
    assert sql(rows.path, "SELECT health_score FROM devices WHERE device_id = ?", device(1).id) == [
        (b"\x00\xff",)
    ]
    assert rows.tombstone(device(1).key) is None


def test_a_split_device_keeps_its_other_columns(rows: SqliteRows) -> None:
    make_homeiq(rows.path)
    one_pass(rows, rows, HOME)
    sql(rows.path, "UPDATE devices SET health_score = 7 WHERE device_id = ?", device(1).id)
    split = snapshot(ENTRY, device(2), device(3), splits={device(1).id: (device(2).id, device(3).id)})
    one_pass(rows, rows, split)
    assert sql(rows.path, "SELECT health_score FROM devices WHERE device_id = ?", device(2).id) == [(7,)]
    assert device(1).key not in rows.applied("sqlite")


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("UPDATE devices SET last_seen = '2020-01-01 00:00:00.000000'", Cause.DRIFT),
        ("UPDATE devices SET created_at = 'yesterday'", Cause.DRIFT),
        ("UPDATE devices SET effective_area_id = 'attic'", Cause.DRIFT),
        ("UPDATE devices SET suggested_area = 'attic'", Cause.DRIFT),
        ("UPDATE devices SET labels = '[1'", Cause.DRIFT),
        ("UPDATE devices SET name = x'ff'", Cause.DRIFT),
        ("UPDATE devices SET manufacturer = CAST(x'ff' AS TEXT)", Cause.DRIFT),
        ("UPDATE devices SET entity_count = 9e999", Cause.DRIFT),
        ("UPDATE devices SET extra = '[]'", Cause.DRIFT),
        ("DELETE FROM devices", Cause.DRIFT),
    ],
)
def test_any_touched_column_is_drift_and_healed(rows: SqliteRows, statement: str, cause: Cause) -> None:
    one_pass(rows, rows, HOME)
    sql(rows.path, statement)
    [operation] = plan_of(rows, rows, HOME).operations
    assert (operation.key, operation.difference.cause) == (device(1).key, cause)
    one_pass(rows, rows, HOME, at=NOON + 1)
    assert rows.observe().versions == HOME.home.row_versions
    last = rows.last_change(device(1).key)
    assert last is not None
    assert last.cause == "drift"


def test_rows_without_a_usable_key_are_listed_read_and_pruned(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(
        rows.path,
        "INSERT INTO devices (device_id, name) VALUES ('', 'empty'), (CAST(x'ff' AS TEXT), 'not text')",
    )
    foreign = plan_of(rows, rows, HOME).foreign
    assert sorted(row.fields["name"] for row in foreign) == ["empty", "not text"]
    one_pass(rows, rows, HOME, prune_foreign=True)
    assert rows.observe().versions == HOME.home.row_versions


def test_a_row_in_the_way_of_a_rename_is_buried_not_lost(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(
        rows.path,
        "INSERT INTO entities (entity_id, domain, platform) VALUES ('sensor.new', 'sensor', 'other')",
    )
    renamed = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id, entity_id="sensor.new"))
    one_pass(rows, rows, renamed)
    assert rows.observe().versions == renamed.home.row_versions
    buried = rows.tombstone(Key("entity", "sensor.new"))
    assert buried is not None
    assert (buried.fields["platform"], buried.cause) == ("other", "foreign")


def test_a_trigger_that_alters_written_rows_rolls_the_pass_back(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(rows.path, "CREATE TRIGGER t AFTER UPDATE ON devices BEGIN UPDATE devices SET name = 'no'; END")
    changed = snapshot(ENTRY, device(1, name="New"), entity(1, device_id=device(1).id))
    plan = plan_of(rows, rows, changed)
    with pytest.raises(ReplicaDiverged, match=r"device/d0+1"):
        rows.apply(plan.operations, run_of(rows, changed))
    assert rows.observe().versions == HOME.home.row_versions
    assert len(rows.changes(0, 100)) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE reconcile_changes",
        "DROP TABLE reconcile_applied",
        "DROP TABLE reconcile_meta",
        "DROP TABLE entities",
        "DROP INDEX idx_entity_registry_id",
        "ALTER TABLE devices DROP COLUMN model",
    ],
)
def test_tables_that_another_program_drops_are_created_again(rows: SqliteRows, statement: str) -> None:
    one_pass(rows, rows, HOME)
    schema = sorted(sql(rows.path, "SELECT name FROM sqlite_schema"))
    columns = sorted(sql(rows.path, "SELECT name FROM pragma_table_info('devices')"))
    sql(rows.path, statement)
    later = snapshot(ENTRY, device(1, name="New"), entity(1, device_id=device(1).id))
    one_pass(rows, rows, later, at=NOON + 1)
    assert rows.observe().versions == later.home.row_versions
    assert sorted(sql(rows.path, "SELECT name FROM sqlite_schema")) == schema
    assert sorted(sql(rows.path, "SELECT name FROM pragma_table_info('devices')")) == columns
    assert len(rows.changes(0, 100)) > 0


def test_tables_of_a_first_pass_that_was_undone_are_made_by_the_next(rows: SqliteRows) -> None:
    sql(rows.path, "CREATE TABLE labels (label_id TEXT PRIMARY KEY, name TEXT CHECK (name <> 'Bad'))")
    bad, good = (snapshot(ENTRY, Label(label_id="one", name=name)) for name in ("Bad", "Good"))
    with pytest.raises(ReplicaRejected):
        one_pass(rows, rows, bad)
    assert sql(rows.path, "SELECT name FROM sqlite_schema WHERE type = 'table'") == [("labels",)]
    one_pass(rows, rows, good)
    assert rows.observe().versions == good.home.row_versions


# Dies as by kill -9 when everything is written and nothing committed.
KILLED = """
import os, sys
from engine.replicas.rows.ledger import entries
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, entity, snapshot
from tests.replicas.passes import one_pass
entries.write_run = lambda *_: os._exit(9)
rows = open_rows(sys.argv[1])
one_pass(rows, rows, snapshot(ENTRY, *(entity(n, name="new") for n in range(2000))))
"""


def test_a_kill_in_the_middle_of_a_write_leaves_the_rows_as_they_were(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    rows.close()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(rows.path)], cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == 9
    assert rows.observe().versions == rows.applied("sqlite") == HOME.home.row_versions
    assert len(rows.changes(0, 100)) == 3
    assert one_pass(rows, rows, HOME).operations == ()


def test_a_settled_row_is_known_by_its_digest(rows: SqliteRows) -> None:
    """Rows that turn out equal without a write are recorded, so that a later touch shows as drift."""
    one_pass(rows, rows, HOME)
    rows.record_applied("sqlite", [(key, None) for key in HOME.home.records], NOON)
    assert rows.applied("sqlite") == {}
    assert one_pass(rows, rows, HOME).operations == ()
    assert rows.applied("sqlite") == HOME.home.row_versions
    sql(rows.path, "UPDATE devices SET last_seen = '2020-01-01 00:00:00.000000'")
    assert [o.difference.cause for o in plan_of(rows, rows, HOME).operations] == [Cause.DRIFT]


def test_nothing_to_record_opens_no_file(rows: SqliteRows) -> None:
    rows.record_applied("sqlite", [], NOON)
    rows.note_absences(Absences(), Look(NOON))
    rows.apply([], run_of(rows, HOME))
    assert not rows.path.exists()


def test_rows_of_an_older_layout_are_compared_by_content_until_the_next_write(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(rows.path, "UPDATE reconcile_meta SET value = 0 WHERE name = 'row_layout'")
    digests = sql(rows.path, "SELECT row_digest FROM reconcile_applied")
    sql(rows.path, "UPDATE reconcile_applied SET row_digest = 'of another layout'")
    assert rows.observe().versions == HOME.home.row_versions
    rows.note_absences(Absences(begun=frozenset({entity(2).key})), Look(NOON))  # any write
    assert sql(rows.path, "SELECT row_digest FROM reconcile_applied") == digests


def test_versions_of_another_hash_version_are_computed_again(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(rows.path, "UPDATE reconcile_applied SET version = '0:' || version")
    assert rows.observe().versions == HOME.home.row_versions


def test_the_users_order_is_kept_and_a_new_one_writes_only_moved_rows(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    areas = [Area(area_id=name, name=name) for name in "abc"]

    def ordered(order: str) -> Snapshot:
        positions = {Key("area", name): place for place, name in enumerate(order)}
        return snapshot(ENTRY, *areas, positions=positions)

    one_pass(rows, rows, snapshot(ENTRY, *areas))
    assert one_pass(rows, rows, snapshot(ENTRY, *areas), at=NOON + 1).operations == ()
    assert len(one_pass(rows, rows, ordered("bca"), at=NOON + 2).operations) == 3
    assert one_pass(rows, rows, ordered("bca"), at=NOON + 3).operations == ()
    assert len(one_pass(rows, rows, ordered("cba"), at=NOON + 4).operations) == 2
    assert sql(rows.path, "SELECT area_id FROM areas ORDER BY position") == [("c",), ("b",), ("a",)]
    assert one_pass(rows, rows, snapshot(ENTRY, *areas), at=NOON + 5).operations != ()
    assert one_pass(rows, rows, snapshot(ENTRY, *areas), at=NOON + 6).operations == ()
    rows.close()
