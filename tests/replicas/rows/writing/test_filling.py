"""Filling empty tables leaves what any other write leaves: rows, ledger, change feed, and nothing where a row reads back otherwise."""

import tempfile
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import seed_of
from engine.core.records.record import Area, Floor, Record
from engine.errors import ReplicaDiverged
from engine.replicas.rows import summed_rows
from engine.replicas.rows.replica import SqliteRows, open_rows
from engine.replicas.rows.writing import filling, writer
from tests.examples import at_most
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import one_pass, plan_of, run_of, sql
from tests.strategies import homes

HOME = (ENTRY, device(1), device(2, name=None), entity(1, name='Ä " \\ \n \x01 \x7f \u2028 🏠'), entity(2))
TABLES_WRITTEN = (
    "SELECT * FROM entities ORDER BY id",
    "SELECT * FROM devices ORDER BY device_id",
    "SELECT * FROM areas ORDER BY area_id",
    "SELECT * FROM reconcile_applied ORDER BY registry, id",
    "SELECT * FROM reconcile_changes ORDER BY seq",
    "SELECT upserts, moves, deletes FROM reconcile_runs",
    "SELECT seq FROM sqlite_sequence",
)


def test_a_fill_writes_the_same_as_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desired = snapshot(*HOME, Area(area_id="hall", name="Hall", aliases=("a", "b")))
    filled = _written(tmp_path / "filled.db", desired)
    monkeypatch.setattr(writer, "can_fill", lambda *_: False)
    assert filled == _written(tmp_path / "written.db", desired)


@pytest.mark.slow
@settings(max_examples=at_most(25), deadline=None)
@given(homes(), st.integers(1, 3))
def test_any_home_that_was_filled_is_in_sync(records: list[Record], batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.replicas.rows.writing.filling._BATCH", batch)
        rows = open_rows(Path(folder) / "rows.db")
        desired = snapshot(*records)
        one_pass(rows, rows, desired)
        assert rows.observe().versions == rows.applied("sqlite") == desired.home.row_versions
        rows.close()


def test_rows_need_no_second_look_with_any_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "check_rows", None)  # calling it fails
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(*HOME))
    rows.close()


@pytest.mark.slow
def test_no_page_is_written_before_it_is_done_with(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db", cache_kib=64)
    one_pass(rows, rows, snapshot(ENTRY, *(entity(n, original_name="x" * 1000) for n in range(300))))
    connection = rows._file._own.current
    assert connection is not None
    written = connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
    in_log = (tmp_path / "rows.db-wal").stat().st_size // 4096
    assert in_log > 200
    assert written < in_log * 1.02
    assert connection.pragma("cache_size") == -64
    rows.close()


def test_what_a_trigger_alters_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    rows = _prepared(
        tmp_path,
        "CREATE TRIGGER t AFTER INSERT ON floors BEGIN UPDATE floors SET name = 'Other' WHERE floor_id = 'b'; END",
    )
    desired = snapshot(ENTRY, *(Floor(floor_id=id_, name="Floor") for id_ in "abc"))
    plan = plan_of(rows, rows, desired)
    with pytest.raises(ReplicaDiverged, match="1 of 4 rows read back otherwise than written, first floor/b"):
        rows.apply(plan.operations, run_of(rows, desired))
    assert sql(rows.path, "SELECT count(*) FROM floors") == [(0,)]
    assert sql(rows.path, "SELECT count(*) FROM reconcile_changes") == [(0,)]
    rows.close()


def test_what_is_only_shown_in_another_type_counts_as_written(tmp_path: Path) -> None:
    other_table = "CREATE TABLE floors (floor_id TEXT PRIMARY KEY, level FLOAT)"
    rows = _prepared(tmp_path, "DROP TABLE floors", other_table)
    desired = snapshot(ENTRY, Floor(floor_id="a", name="Floor", level=1))
    one_pass(rows, rows, desired)
    assert sql(rows.path, "SELECT level, typeof(level) FROM floors") == [(1.0, "real")]
    assert rows.observe().versions == desired.home.row_versions
    rows.close()


def test_rows_that_a_trigger_adds_are_not_taken_for_ours(tmp_path: Path) -> None:
    added = "INSERT OR IGNORE INTO floors (floor_id, name) VALUES ('more', 'More')"
    rows = _prepared(tmp_path, f"CREATE TRIGGER t AFTER INSERT ON floors BEGIN {added}; END")
    one_pass(rows, rows, snapshot(ENTRY, Floor(floor_id="a", name="Floor")))
    assert [key.id for key in rows.observe().versions.keys() - rows.applied("sqlite").keys()] == ["more"]
    rows.close()


def test_a_returning_row_regains_the_values_of_other_programs(tmp_path: Path) -> None:
    rows = _prepared(tmp_path, "ALTER TABLE devices ADD COLUMN rating")
    one_pass(rows, rows, snapshot(ENTRY, device(1)))
    sql(rows.path, "UPDATE devices SET rating = 5")
    one_pass(rows, rows, snapshot(ENTRY), at=NOON + 1)
    one_pass(rows, rows, snapshot(ENTRY, device(1)), at=NOON + 2)
    assert sql(rows.path, "SELECT rating FROM devices") == [(5,)]
    rows.close()


def test_the_digest_of_a_filled_file_is_known_at_once(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(*HOME))
    assert rows.is_unchanged()
    sql(rows.path, "UPDATE devices SET name = 'Edited'")
    assert not rows.is_unchanged()
    rows.close()


def test_the_pass_that_filled_a_file_need_not_read_it_again_for_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = open_rows(tmp_path / "rows.db")
    one_pass(rows, rows, snapshot(*HOME))
    seed = seed_of(rows.make_secret())
    other = open_rows(rows.path)
    digest = other.digest(seed=seed)
    monkeypatch.setattr(summed_rows, "sum_rows", None)  # calling it fails
    assert rows.digest(seed=seed, reread=False) == digest
    other.close()
    rows.close()


def test_rows_of_another_program_in_another_table_leave_the_digest_unknown(tmp_path: Path) -> None:
    rows = _prepared(tmp_path, "INSERT INTO labels (label_id, name) VALUES ('theirs', 'Theirs')")
    one_pass(rows, rows, snapshot(*HOME))
    digest = rows.digest(seed=7, reread=False)
    other = open_rows(rows.path)
    assert digest == other.digest(seed=7)
    other.close()
    rows.close()


def _written(path: Path, desired: Snapshot) -> list[list[Any]]:
    rows = open_rows(path)
    one_pass(rows, rows, desired)
    found = [sql(path, statement) for statement in TABLES_WRITTEN]
    rows.close()
    return found


def _prepared(folder: Path, *statements: str) -> SqliteRows:
    """A file with our tables, all empty, and what another program did to them."""
    rows = open_rows(folder / "rows.db")
    rows.remember_home(frozenset({"entry"}))
    for statement in statements:
        sql(rows.path, statement)
    return rows


def test_a_row_that_a_trigger_wrote_first_is_written_over(tmp_path: Path) -> None:
    added = f"INSERT INTO devices (device_id, name) VALUES ('{device(1).id}', 'Other')"
    rows = _prepared(tmp_path, f"CREATE TRIGGER t AFTER INSERT ON areas BEGIN {added}; END")
    desired = snapshot(ENTRY, Area(area_id="hall", name="Hall"), device(1))
    one_pass(rows, rows, desired)
    assert rows.observe().versions == desired.home.row_versions
    rows.close()
