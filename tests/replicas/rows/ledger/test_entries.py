"""The engine's own tables: what is remembered between passes, how much of it, and for how long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.look import Look, elapsed
from engine.core.records.record import Key
from engine.errors import ReplicaRejected
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, plan_of, run_of, sql

HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))
DAY = 86_400


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[SqliteRows]:
    made = open_rows(tmp_path / "rows.db", changes_max=10, tombstone_days=30, busy_timeout_seconds=0)
    yield made
    made.close()


def test_the_feed_shows_before_and_after_in_order(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME, run_id="first")
    one_pass(rows, rows, snapshot(ENTRY, device(1, name="New")), at=NOON + 1, run_id="second")
    feed = rows.changes(0, 100)
    assert [(c.seq, c.op, str(c.key), c.cause, c.run_id) for c in feed] == [
        (1, "c", "config_entry/entry", "pending", "first"),
        (2, "c", str(device(1).key), "pending", "first"),
        (3, "c", str(entity(1).key), "pending", "first"),
        (4, "d", str(entity(1).key), "pending", "second"),
        (5, "u", str(device(1).key), "pending", "second"),
    ]
    assert feed[4].at == NOON + 1
    assert feed[4].before == {"name": "Device 1", "effective_name": "Device 1", "entity_count": 1}
    assert feed[4].after == {"name": "New", "effective_name": "New", "entity_count": 0}
    assert feed[3].before is not None
    assert feed[3].before["entity_id"] == "sensor.s1"
    assert (feed[3].after, feed[0].before) == (None, None)
    assert rows.changes(3, 1) == [feed[3]]
    assert rows.last_change(device(1).key) == feed[4]


@pytest.mark.parametrize("edited", [False, True])
def test_the_feed_shows_the_last_content_of_a_row(rows: SqliteRows, edited: bool) -> None:
    one_pass(rows, rows, HOME)
    later = snapshot(ENTRY, device(1, name="New"), entity(1))
    rows.data_version()
    plan = plan_of(rows, rows, later)
    if edited:
        sql(rows.path, "UPDATE devices SET name = 'Mocked'")
    rows.apply(plan.operations, run_of(rows, later))
    last = rows.last_change(device(1).key)
    assert last is not None
    assert last.before is not None
    assert last.after is not None
    assert (last.before["name"], last.after["name"]) == ("Mocked" if edited else "Device 1", "New")
    assert rows.observe().versions == later.home.row_versions


def test_the_feed_and_the_runs_are_bounded_and_numbers_never_return(rows: SqliteRows) -> None:
    for number in range(30):
        one_pass(rows, rows, snapshot(device(1, name=f"n{number}")), run_id=f"r{number}")
    assert [change.seq for change in rows.changes(0, 100)] == list(range(21, 31))
    assert sql(rows.path, "SELECT count(*) FROM reconcile_runs") == [(10,)]


def test_a_run_that_writes_twice_has_one_account(rows: SqliteRows) -> None:
    one_pass(rows, rows, snapshot(entity(1)))
    one_pass(rows, rows, snapshot(entity(1, entity_id="sensor.b"), entity(2)))
    one_pass(rows, rows, snapshot(entity(1, entity_id="sensor.b")))
    found = sql(rows.path, "SELECT run_id, started_at, origin, upserts, moves, deletes FROM reconcile_runs")
    assert found == [("run", NOON, "test", 2, 1, 1)]


def test_tombstones_are_kept_for_their_days(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    one_pass(rows, rows, snapshot(ENTRY), at=NOON)
    one_pass(rows, rows, snapshot(ENTRY, device(2)), at=NOON + 30 * DAY)
    assert rows.tombstone(device(1).key) is not None
    one_pass(rows, rows, snapshot(ENTRY), at=NOON + 30 * DAY + 1)
    assert rows.tombstone(device(1).key) is None


def test_absences_keep_their_beginning_until_they_are_over(rows: SqliteRows) -> None:
    first, second = entity(1).key, entity(2).key
    rows.note_absences(Absences(begun=frozenset({first})), Look(NOON))
    rows.note_absences(Absences(begun=frozenset({first, second})), Look(NOON + 5))
    assert rows.absences() == {first: Look(NOON), second: Look(NOON + 5)}
    rows.note_absences(Absences(returned=frozenset({first})), Look(NOON + 6))
    assert rows.absences() == {second: Look(NOON + 5)}


@pytest.mark.parametrize("value", ["'x'", "x'00ff'", "''"])
@pytest.mark.parametrize("column", ["missed_at", "uptime"])
def test_an_absence_in_which_another_program_wrote_no_number_starts_again(
    rows: SqliteRows, column: str, value: str
) -> None:
    key = entity(1).key
    rows.note_absences(Absences(begun=frozenset({key})), Look(NOON, "boot", 60.0))
    sql(rows.path, f"UPDATE reconcile_absences SET {column} = {value}")
    assert elapsed(rows.absences()[key], Look(NOON + DAY, "boot", 60.0 + DAY)) < 0


@pytest.mark.parametrize("column", ["registry", "id"])
def test_ledger_rows_whose_key_is_not_text_are_skipped(rows: SqliteRows, column: str) -> None:
    one_pass(rows, rows, HOME)
    rows.note_absences(Absences(begun=frozenset({entity(2).key})), Look(NOON))
    damaged = f"{column} = CAST({column} AS BLOB)"
    sql(rows.path, f"UPDATE reconcile_applied SET {damaged} WHERE registry = 'device'")
    sql(rows.path, f"UPDATE reconcile_absences SET {damaged}")
    assert sorted(rows.applied("sqlite")) == [ENTRY.key, entity(1).key]
    assert rows.absences() == {}


def test_an_absence_is_moot_only_when_no_replica_holds_the_record(rows: SqliteRows) -> None:
    gone = entity(1).key
    rows.record_applied("influxdb", [(gone, "1:abc")], NOON)
    rows.note_absences(Absences(begun=frozenset({gone})), Look(NOON))
    rows.note_absences(Absences(moot=frozenset({gone})), Look(NOON + 1))
    assert rows.absences() == {gone: Look(NOON)}
    rows.record_applied("influxdb", [(gone, None)], NOON)
    rows.note_absences(Absences(moot=frozenset({gone})), Look(NOON + 2))
    assert rows.absences() == {}


def test_last_applied_is_kept_apart_per_replica_and_can_be_forgotten(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    rows.record_applied("influxdb", [(entity(1).key, "1:abc"), (entity(2).key, "1:def")], NOON)
    rows.record_applied("influxdb", [(entity(2).key, None)], NOON)
    assert rows.applied("influxdb") == {entity(1).key: "1:abc"}
    assert rows.applied("sqlite") == HOME.home.row_versions


def test_known_are_ids_applied_anywhere_deleted_or_changed(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    one_pass(rows, rows, snapshot(ENTRY))
    rows.record_applied("history", [(entity(7).key, "1:abc")], NOON)
    asked = [device(1).key, entity(1).key, ENTRY.key, entity(7).key, entity(8).key, Key("device", "")]
    assert rows.known_ids(asked) == set(asked[:4])
    assert rows.known_ids([]) == frozenset()


@pytest.mark.parametrize(
    "damage",
    ["changed_at = NULL", "after = '{'", "after = 5", "after = '[]'", "registry = NULL", "op = x'00'"],
)
def test_a_damaged_feed_is_refused_and_does_not_block_a_pass(rows: SqliteRows, damage: str) -> None:
    one_pass(rows, rows, HOME)
    remake_without_constraints(rows.path, "reconcile_changes")
    sql(rows.path, f"UPDATE reconcile_changes SET {damage}")
    with pytest.raises(ReplicaRejected, match="did not write"):
        rows.changes(0, 100)
    assert not one_pass(rows, rows, HOME, at=NOON + 1).operations


def test_an_unknown_registry_in_the_ledger_is_skipped(rows: SqliteRows) -> None:
    one_pass(rows, rows, HOME)
    sql(rows.path, "UPDATE reconcile_applied SET registry = '[]' WHERE registry = 'device'")
    sql(rows.path, "UPDATE reconcile_meta SET value = 0 WHERE name = 'row_layout'")
    renamed = snapshot(ENTRY, device(1, name="New"), entity(1, device_id=device(1).id))
    assert len(one_pass(rows, rows, renamed, at=NOON + 1).operations) == 2
    assert not one_pass(rows, rows, renamed, at=NOON + 2).operations


def remake_without_constraints(path: Path, table: str) -> None:
    """As another program's repair of the file may leave a table."""
    sql(path, f"CREATE TABLE kept AS SELECT * FROM {table}")
    sql(path, f"DROP TABLE {table}")
    sql(path, f"ALTER TABLE kept RENAME TO {table}")
