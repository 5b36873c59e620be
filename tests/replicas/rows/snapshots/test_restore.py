"""A restore is complete or absent, keeps what it replaces, and never lets a reader mistake other changes for the awaited ones."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from engine.core.compare.diff import Kind
from engine.core.guards.look import FirstSeen, Look
from engine.errors import ReplicaUnavailable
from engine.replicas.rows.replica import open_rows
from engine.replicas.rows.snapshots.backup import take_snapshot
from engine.replicas.rows.snapshots.restore import restore_rows
from tests.homes import NOON, snapshot
from tests.replicas.passes import captured_records, one_pass, sql

ROOT = Path(__file__).parents[3]
KEPT = "rows.db.before-restore-20261123T120000Z"
# Restores, and is killed at the given step.
KILLED = """
import os, signal, sys
from pathlib import Path
from engine.replicas.rows.snapshots.restore import restore_rows
left = [int(sys.argv[3])]
def on_step():
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
restore_rows(Path(sys.argv[1]), Path(sys.argv[2]), 0.0, on_step)
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A rows file with a snapshot, changed since."""
    path = tmp_path / "rows.db"
    records = captured_records("2026.11.0")
    store = open_rows(path)
    one_pass(store, store, snapshot(*records))
    store.close()
    sql(path, "CREATE TABLE others (a)")
    # Several steps' worth of pages.
    sql(path, "INSERT INTO others SELECT randomblob(250000) FROM json_each('[1,2,3,4,5,6,7,8]')")
    take_snapshot(path, tmp_path / "snapshot.db")
    store = open_rows(path)
    one_pass(store, store, snapshot(*records[10:]), prune_foreign=True, run_id="later")
    store.close()
    return path


def content(path: Path, *, with_feed: bool = True) -> dict[str, list[tuple[object, ...]]]:
    tables = [str(name) for (name,) in sql(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    own = ("reconcile_changes", "sqlite_sequence")
    return {name: sql(path, f"SELECT * FROM {name}") for name in tables if with_feed or name not in own}


@pytest.mark.slow
def test_a_restore_brings_back_the_content_and_keeps_the_replaced_one(rows: Path, tmp_path: Path) -> None:
    later = content(rows)
    found = restore_rows(tmp_path / "snapshot.db", rows, NOON)
    assert found.kept == tmp_path / KEPT
    assert content(tmp_path / KEPT) == later
    assert (tmp_path / KEPT).stat().st_mode & 0o777 == 0o600
    assert content(rows, with_feed=False) == content(tmp_path / "snapshot.db", with_feed=False)
    assert found.content.records == found.content.as_applied
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.db", KEPT, "snapshot.db"]


@pytest.mark.slow
def test_nothing_that_was_kept_is_lost_to_a_second_restore(rows: Path, tmp_path: Path) -> None:
    later = content(rows)
    kept = [restore_rows(tmp_path / "snapshot.db", rows, NOON).kept for _ in range(3)]
    assert kept == [tmp_path / name for name in (KEPT, f"{KEPT}-2", f"{KEPT}-3")]
    assert content(tmp_path / KEPT) == later


def test_no_number_of_the_feed_is_given_out_twice(rows: Path, tmp_path: Path) -> None:
    newest = sql(rows, "SELECT max(seq) FROM reconcile_changes")[0][0]
    assert isinstance(newest, int)
    entries = "SELECT run_id, op, registry, id FROM reconcile_changes ORDER BY seq"
    restore_rows(tmp_path / "snapshot.db", rows, NOON)
    assert sql(rows, entries) == sql(tmp_path / "snapshot.db", entries)
    oldest = sql(rows, "SELECT min(seq) FROM reconcile_changes")[0][0]
    assert isinstance(oldest, int)
    # A client that resumes after an earlier number is before the feed's beginning by more than one, and gets a reset.
    assert oldest > newest + 1
    store = open_rows(rows)
    one_pass(store, store, snapshot(*captured_records("2026.11.0")[5:]), prune_foreign=True, run_id="after")
    store.close()
    numbers = sql(rows, "SELECT seq FROM reconcile_changes ORDER BY seq")
    assert [number for (number,) in numbers] == list(range(oldest, oldest + len(numbers)))


def test_a_restore_forgets_noted_absences(rows: Path, tmp_path: Path) -> None:
    sql(
        tmp_path / "snapshot.db",
        "INSERT INTO reconcile_absences VALUES ('device', 'back again', 1.0, NULL, NULL)",
    )
    key = ("sqlite", "device", "back again", Kind.ORPHANED)
    kept = open_rows(tmp_path / "snapshot.db")
    kept.note_found("sqlite", {key: FirstSeen(None, Look(1.0))})
    kept.close()
    restore_rows(tmp_path / "snapshot.db", rows, NOON)
    store = open_rows(rows)
    assert store.absences() == {}
    assert store.found("sqlite") == {}
    store.close()


def test_where_there_is_no_file_one_is_made(rows: Path, tmp_path: Path) -> None:
    new = tmp_path / "elsewhere" / "rows.db"
    assert restore_rows(tmp_path / "snapshot.db", new, NOON).kept is None
    assert content(new, with_feed=False) == content(tmp_path / "snapshot.db", with_feed=False)
    assert new.stat().st_mode & 0o777 == 0o600
    newest = sql(rows, "SELECT max(seq) FROM reconcile_changes")[0][0]
    oldest = sql(new, "SELECT min(seq) FROM reconcile_changes")[0][0]
    assert isinstance(newest, int)
    assert isinstance(oldest, int)
    assert oldest > newest + 1  # although the end of the lost file is not known


@pytest.mark.slow
def test_a_damaged_file_is_moved_aside(rows: Path, tmp_path: Path) -> None:
    rows.write_bytes(b"not a database" * 1000)
    rows.with_name("rows.db-wal").write_bytes(b"its log")
    found = restore_rows(tmp_path / "snapshot.db", rows, NOON)
    assert found.kept is not None
    assert found.kept.read_bytes() == b"not a database" * 1000
    assert found.kept.with_name(f"{KEPT}-wal").read_bytes() == b"its log"
    assert content(rows, with_feed=False) == content(tmp_path / "snapshot.db", with_feed=False)


def test_a_file_of_another_page_size_is_replaced_too(tmp_path: Path, rows: Path) -> None:
    other = tmp_path / "other.db"
    connection = apsw.Connection(str(other))
    connection.execute("PRAGMA page_size = 1024; PRAGMA journal_mode = wal; CREATE TABLE t (a)")
    connection.close()
    restore_rows(tmp_path / "snapshot.db", other, NOON)
    assert content(other, with_feed=False) == content(tmp_path / "snapshot.db", with_feed=False)
    assert sql(other, "PRAGMA journal_mode") == [("wal",)]


def test_a_program_with_the_file_open_sees_the_restored_content(rows: Path, tmp_path: Path) -> None:
    program = (
        "import sys, apsw\nother = apsw.Connection(sys.argv[1])\n"
        "count = lambda: other.execute('SELECT count(*) FROM areas').get\n"
        "print(count(), flush=True)\nsys.stdin.readline()\n"
        "other.execute('UPDATE devices SET model = 7')\nprint(count(), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        before = int(other.stdout.readline())
        restore_rows(tmp_path / "snapshot.db", rows, NOON)
        other.stdin.write(b"\n")
        other.stdin.flush()
        after = int(other.stdout.readline())
    assert other.returncode == 0
    assert after == sql(tmp_path / "snapshot.db", "SELECT count(*) FROM areas")[0][0] != before
    assert sql(rows, "SELECT DISTINCT model FROM devices") == [("7",)]
    assert sql(rows, "PRAGMA integrity_check") == [("ok",)]


def test_a_file_that_another_program_is_writing_is_left_alone(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys, apsw\nother = apsw.Connection(sys.argv[1])\n"
        "other.execute('BEGIN IMMEDIATE; DELETE FROM areas')\nprint('writing', flush=True)\nsys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"writing\n"
        monkeypatch.setattr("engine.replicas.rows.snapshots.restore.BUSY_TIMEOUT_SECONDS", 0.0)
        with pytest.raises(ReplicaUnavailable, match="locked"):
            restore_rows(tmp_path / "snapshot.db", rows, NOON)
        other.kill()
    assert content(rows) == content(tmp_path / KEPT)


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 4, 8])
def test_killed_at_any_step_it_is_as_before_and_can_be_done_again(
    step: int, rows: Path, tmp_path: Path
) -> None:
    before = content(rows)
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "snapshot.db"), str(rows), str(step)]
    ended = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert content(rows) == before
    assert sql(rows, "PRAGMA integrity_check") == [("ok",)]
    restore_rows(tmp_path / "snapshot.db", rows, NOON)
    assert content(rows, with_feed=False) == content(tmp_path / "snapshot.db", with_feed=False)
