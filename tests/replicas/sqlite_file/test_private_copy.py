"""A dry run reads a file left in any state, and leaves file and folder byte for byte unchanged."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.rows.replica import open_rows
from engine.replicas.sqlite_file import private_copy
from engine.replicas.sqlite_file.database import ApswFile, FileAccess
from engine.replicas.sqlite_file.private_copy import InPlace, copy_into_memory
from tests.files.unseen_edits import edit_unseen
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.replicas.passes import folder_state, one_pass, run_of, sql

HOME = snapshot(ENTRY, device(1), entity(1, device_id=device(1).id))

# Leaves a database in the state a kill -9 leaves it in: {mode} journal, 100 rows committed, more under way.
KILLED = """
import apsw, os, sys
path, mode, under_way = sys.argv[1:]
connection = apsw.Connection(path)
connection.pragma("journal_mode", mode)
connection.execute("CREATE TABLE t (a)")
many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO t SELECT hex(zeroblob(500)) FROM n"
connection.execute(many, (100,))
if under_way == "yes":
    connection.execute("PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN")
    connection.execute(many, (5000,))
os._exit(9)
"""


def kill_while_open(path: Path, mode: str, under_way: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(path), mode, under_way], check=False)


def count_of(path: Path) -> object:
    """Read both ways."""
    [(count,)] = copy_into_memory(path, 0.0).execute("SELECT count(*) FROM t").fetchall()
    in_place = InPlace(path, 0.0)
    assert in_place.connect().execute("SELECT count(*) FROM t").fetchall() == [(count,)]
    assert in_place.is_unchanged()
    in_place.close()
    return count


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("under_way", ["yes", "no"])
def test_after_a_kill_committed_rows_are_read_and_no_file_changes(
    tmp_path: Path, mode: str, under_way: str
) -> None:
    kill_while_open(tmp_path / "x.db", mode, under_way)
    before = folder_state(tmp_path)
    assert ("x.db-wal" in before, "x.db-journal" in before) == (
        mode == "wal",
        mode == "delete" and under_way == "yes",
    )
    assert count_of(tmp_path / "x.db") == 100
    assert folder_state(tmp_path) == before


def test_a_log_without_its_index_is_read_and_nothing_touched(tmp_path: Path) -> None:
    kill_while_open(tmp_path / "x.db", "wal", "no")
    (tmp_path / "x.db-shm").unlink()
    before = folder_state(tmp_path)
    assert count_of(tmp_path / "x.db") == 100
    assert folder_state(tmp_path) == before


def test_a_file_in_use_is_read_up_to_its_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = apsw.Connection(str(path))
    writer.pragma("journal_mode", "wal")
    writer.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    writer.execute("BEGIN; INSERT INTO t VALUES (2)")
    before = folder_state(tmp_path)
    # In a process of its own, as a dry run is: the writer's locks belong to its process.
    program = (
        "import sys, pathlib; from engine.replicas.sqlite_file.private_copy import copy_into_memory;"
        "print(copy_into_memory(pathlib.Path(sys.argv[1]), 0.0).execute('SELECT count(*) FROM t').get)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
    assert folder_state(tmp_path) == before
    writer.close()


@pytest.fixture(params=["wal", "delete", "absent", "empty"])
def rows_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "my home #1?" / "rows.db"
    path.parent.mkdir()
    if request.param == "empty":
        path.touch()
    elif request.param != "absent":
        rows = open_rows(path)
        one_pass(rows, rows, HOME)
        rows.close()
        sql(path, f"PRAGMA journal_mode = {request.param}")
    return path


def test_a_dry_run_sees_the_rows_and_leaves_the_folder_as_it_was(rows_file: Path) -> None:
    before = folder_state(rows_file.parent)
    rows = open_rows(rows_file, private_copy=True)
    expected = HOME.home.row_versions if before.get("rows.db") else {}
    assert rows.observe().versions == expected
    assert rows.applied("sqlite") == expected
    assert set(rows.read(HOME.home.records)) == set(expected)
    assert rows.changes(0, 10) == [] or expected
    assert rows.data_version() >= 0
    rows.close()
    assert folder_state(rows_file.parent) == before


def test_a_file_read_in_place_is_of_one_moment_and_nothing_is_copied(
    rows_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_copy, "_back_up", lambda *_: pytest.fail("copied"))
    before = folder_state(rows_file.parent)
    file = ApswFile("sqlite", rows_file, access=FileAccess.IN_PLACE)
    with file.reading() as first, file.reading() as again:
        assert first is again or not rows_file.exists()
        is_filled = bool(first.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall())
    assert is_filled == bool(before.get("rows.db"))
    with pytest.raises(ReplicaRejected, match="reading only"), file.writing():
        pass
    file.close()
    file.close()
    assert folder_state(rows_file.parent) == before


def test_a_file_that_changes_while_nothing_shields_it_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    sql(path, "PRAGMA journal_mode = wal")
    sql(path, "CREATE TABLE t (a)")
    file = ApswFile("sqlite", path, access=FileAccess.IN_PLACE)
    with pytest.raises(ReplicaUnavailable, match="was changed while it was read"), file.reading():
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"import apsw; apsw.Connection({str(path)!r}).execute('INSERT INTO t VALUES (1)')",
            ],
            check=True,
        )
    file.close()
    with file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(1,)]
    file.close()


def test_a_file_whose_times_are_set_back_after_a_change_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    sql(path, "PRAGMA journal_mode = wal")
    sql(path, "CREATE TABLE t (a)")
    file = ApswFile("sqlite", path, access=FileAccess.IN_PLACE)
    with pytest.raises(ReplicaUnavailable, match="was changed while it was read"), file.reading():
        edit_unseen(path)
    file.close()


def test_a_copy_of_a_file_whose_times_are_set_back_after_a_change_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.db"
    sql(path, "PRAGMA journal_mode = wal")
    copy = private_copy._copy

    def copy_and_edit(path: Path, wait: float) -> tuple[apsw.Connection, bool]:
        made = copy(path, wait)
        edit_unseen(path)
        return made

    monkeypatch.setattr(private_copy, "_copy", copy_and_edit)
    with pytest.raises(apsw.BusyError, match="changed while it was copied"):
        copy_into_memory(path, 0.0)


def test_a_dry_run_refuses_to_write(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db", private_copy=True)
    with pytest.raises(ReplicaRejected, match="reading only"):
        rows.note_absences(Absences(begun=frozenset({entity(1).key})), Look(NOON))
    with pytest.raises(ReplicaRejected, match="reading only"):
        rows.record_applied("sqlite", [(entity(1).key, "1:0")], run_of(rows, HOME).at)
    assert list(tmp_path.iterdir()) == []


def test_a_file_locked_for_itself_by_another_program_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    holder = apsw.Connection(str(path))
    holder.execute("CREATE TABLE t (a); BEGIN EXCLUSIVE")
    with pytest.raises(ReplicaUnavailable, match="locked"):
        open_rows(path, private_copy=True, busy_timeout_seconds=0).observe()
    holder.close()
