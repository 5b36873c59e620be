"""The digest that follows what is written is at any time that of the rows that are there."""

import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Record
from engine.errors import ReplicaDiverged
from engine.replicas.rows.replica import SqliteRows, open_rows
from tests.examples import at_most
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import plan_of, run_of, sql
from tests.strategies import homes

SEED = 7


def write(rows: SqliteRows, desired: Snapshot, *, prune_foreign: bool = False) -> None:
    plan = plan_of(rows, rows, desired, prune_foreign=prune_foreign)
    rows.digest(seed=SEED, reread=False)
    rows.apply(plan.operations, run_of(rows, desired))


def followed(rows: SqliteRows) -> str | None:
    return rows.digest(seed=SEED, reread=False)


def found(rows: SqliteRows) -> str | None:
    other = open_rows(rows.path)
    try:
        return other.digest(seed=SEED)
    finally:
        other.close()


@settings(max_examples=at_most(25, fast=3), deadline=None)
@given(st.lists(homes(), min_size=2, max_size=4))
def test_it_follows_any_changes(path_of_homes: list[list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = open_rows(Path(folder) / "rows.db")
        write(rows, snapshot(ENTRY))
        for records in path_of_homes:
            rows.observe()
            write(rows, snapshot(*records))
            assert followed(rows) == found(rows)
            assert rows.is_unchanged()
        rows.close()


@pytest.fixture
def rows(tmp_path: Path) -> SqliteRows:
    made = open_rows(tmp_path / "rows.db")
    plan = plan_of(made, made, snapshot(ENTRY, device(1), *(entity(n) for n in range(1, 5))))
    made.apply(plan.operations, run_of(made, snapshot(ENTRY, device(1), *(entity(n) for n in range(1, 5)))))
    return made


def test_it_follows_swaps_take_overs_and_adopted_rows(rows: SqliteRows) -> None:
    sql(
        rows.path,
        "INSERT INTO entities (entity_id, domain, platform, unique_id) VALUES ('light.x', 'light', 'p', 'u')",
    )
    for desired in (
        snapshot(ENTRY, device(1), *(entity(n, entity_id=f"sensor.s{n % 4 + 1}") for n in range(1, 5))),
        snapshot(ENTRY, device(1), *(entity(n, entity_id=f"sensor.s{n}") for n in range(1, 5))),
        snapshot(ENTRY, device(1), entity(9, entity_id="sensor.s1"), entity(2, entity_id="light.x")),
        snapshot(ENTRY, device(1), entity(1, entity_id="light.x"), entity(2, entity_id="sensor.s1")),
    ):
        write(rows, desired, prune_foreign=True)
        assert followed(rows) == found(rows)
    rows.close()


def test_what_a_trigger_does_to_other_rows_shows(rows: SqliteRows) -> None:
    sql(
        rows.path,
        "CREATE TRIGGER other AFTER UPDATE ON devices BEGIN UPDATE entities SET icon = 'mdi:x'; END",
    )
    write(rows, snapshot(ENTRY, device(1, name="Another"), *(entity(n) for n in range(1, 5))))
    assert followed(rows) != found(rows)
    assert not rows.is_unchanged()
    rows.close()


def test_a_write_that_fails_leaves_nothing_known(rows: SqliteRows) -> None:
    sql(
        rows.path,
        "CREATE TRIGGER no AFTER UPDATE ON entities BEGIN UPDATE entities SET icon = 'mdi:x'"
        " WHERE rowid = new.rowid AND icon IS NULL; END",
    )
    desired = snapshot(ENTRY, device(1), entity(1, platform="other"), *(entity(n) for n in range(2, 5)))
    with pytest.raises(ReplicaDiverged):
        write(rows, desired)
    assert not rows.is_unchanged()
    assert followed(rows) == found(rows)
    rows.close()


def test_what_another_program_writes_is_seen(rows: SqliteRows) -> None:
    rows.observe()
    assert not rows.is_unchanged()  # nothing is known yet
    assert rows.digest(seed=SEED) == found(rows)
    assert rows.is_unchanged()
    other = apsw.Connection(str(rows.path))
    other.execute("UPDATE entities SET icon = 'mdi:x' WHERE rowid = 1")
    assert not rows.is_unchanged()
    assert rows.digest(seed=SEED, reread=False) is None
    other.close()
    rows.close()


def test_digests_of_two_seeds_differ(rows: SqliteRows) -> None:
    assert rows.digest(seed=1) != rows.digest(seed=2)
    rows.close()


def test_a_look_at_the_time_of_a_run_changes_nothing(rows: SqliteRows) -> None:
    desired = snapshot(ENTRY, device(1), *(entity(n) for n in range(1, 5)))
    before = rows.digest(seed=SEED)
    rows.apply((), run_of(rows, desired, NOON + 1))
    assert followed(rows) == before
    rows.close()
