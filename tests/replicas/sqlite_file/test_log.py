"""A log that another program wrote, and a lock that it held, cost a small commit nothing."""

from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from engine.errors import ReplicaUnavailable
from engine.replicas.sqlite_file.database import ApswFile
from tests.replicas.sqlite_file.test_database import file_at, in_the_file_itself, reader_of, write


@pytest.mark.slow
def test_a_small_commit_does_not_move_what_another_program_wrote(tmp_path: Path) -> None:
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
def test_a_log_that_nobody_had_time_to_move_is_moved_by_whoever_commits(
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
