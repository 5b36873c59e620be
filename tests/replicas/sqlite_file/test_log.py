"""The log is moved when there is time: another program's costs a small commit nothing, and what it writes meanwhile is noticed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from engine.errors import ReplicaUnavailable
from engine.replicas.sqlite_file.database import ApswFile
from engine.replicas.sqlite_file.log import WriteAheadLog
from tests.replicas.sqlite_file import test_connections as connections
from tests.replicas.sqlite_file.test_database import file_at, in_the_file_itself, reader_of, write


@pytest.mark.slow
def test_a_small_commit_does_not_checkpoint_another_programs_large_log(tmp_path: Path) -> None:
    file, other = file_at(tmp_path / "x.db"), file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    with reader_of(file.path):  # so that the other one cannot move it either
        write(other, "INSERT INTO t VALUES (randomblob(80000000))")
    write(file, "INSERT INTO t VALUES (1)")
    assert (tmp_path / "x.db").stat().st_size < 1_000_000, "an event would wait for it"
    write(other, "INSERT INTO t VALUES (2)")
    assert in_the_file_itself(file.path) == 3
    other.close()
    file.close()


@pytest.mark.slow
def test_a_log_left_in_place_too_long_is_moved_by_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.replicas.sqlite_file.log._PAGES_OF_ALL_MAX", 17_000)
    file, other = file_at(tmp_path / "x.db"), file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    with reader_of(file.path):
        write(other, "INSERT INTO t VALUES (randomblob(80000000))")
    write(file, "INSERT INTO t VALUES (1)")
    assert (tmp_path / "x.db").stat().st_size > 80_000_000
    other.close()
    file.close()


def test_a_lock_that_is_given_up_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses))
    monkeypatch.setattr("engine.replicas.sqlite_file.set_up.time", clock)
    file = ApswFile("sqlite", tmp_path / "x.db", busy_timeout_seconds=5)
    write(file, "CREATE TABLE t (a)")
    holder = apsw.Connection(str(file.path))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ReplicaUnavailable, match="locked"):
        write(file, "INSERT INTO t VALUES (1)")
    holder.execute("COMMIT")
    assert pauses[:2] == [0.001, 0.002]
    assert max(pauses) == 0.005
    assert sum(pauses) == pytest.approx(5, abs=0.01)
    write(file, "INSERT INTO t VALUES (1)")
    holder.close()
    file.close()


def filled(folder: Path) -> tuple[ApswFile, Path]:
    """A file with a full log, and an older copy of it."""
    file, older = ApswFile("sqlite", folder / "x.db", busy_timeout_seconds=0), folder / "older.db"
    for number in range(1, 10):
        connections.write(file, number)
    file.close()
    shutil.copy(file.path, older)
    for number in range(10, 100):
        connections.write(file, number)
    return file, older


def cut_in_half(path: Path, _older: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "happens",
    [connections.copied_over, connections.emptied, cut_in_half],
    ids=lambda happens: happens.__name__,
)
def test_what_others_write_while_we_move_the_log_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path, Path], None]
) -> None:
    file, older = filled(tmp_path)
    move = WriteAheadLog.move

    def moved_and_overwritten(log: WriteAheadLog, connection: apsw.Connection) -> bool:
        is_moved = move(log, connection)
        happens(file.path, older)
        return is_moved

    data_version = file.data_version()
    with monkeypatch.context() as patched:
        patched.setattr(WriteAheadLog, "move", moved_and_overwritten)
        file.shorten_log(is_calm=True)
    assert file.is_overtaken(data_version)
    found = connections.newest(file)
    assert connections.ask(file.path, connections.NEWEST) == ["SQLError" if found is None else str(found)]
    connections.write(file, 1000)
    assert connections.ask(file.path, connections.NEWEST, connections.CHECK) == ["1000", "ok"]
    file.close()


def test_a_log_that_we_moved_alone_is_taken_for_ours(tmp_path: Path) -> None:
    file, _ = filled(tmp_path)
    data_version = file.data_version()
    for _ in range(2):
        assert file.shorten_log(is_calm=True)
        assert not file.is_overtaken(data_version)
        connections.write(file, 1000)
    with reader_of(file.path):  # it holds the log, of which only a part can be moved
        connections.write(file, 1001)
        file.shorten_log(is_calm=True)
        assert not file.is_overtaken(data_version)
    assert connections.ask(file.path, connections.NEWEST, connections.CHECK) == ["1001", "ok"]
    file.close()
