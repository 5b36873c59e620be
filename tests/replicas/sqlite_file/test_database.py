"""A SQLite file: made late and private, followed when replaced, and every failure one clear error that changed nothing."""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec
import pytest

from engine.errors import ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.sqlite_file.database import ApswFile, FileAccess
from tests.replicas.passes import folder_state, sql


def file_at(path: Path, access: FileAccess = FileAccess.WRITE) -> ApswFile:
    return ApswFile("sqlite", path, access, busy_timeout_seconds=0)


def write(file: ApswFile, statement: str) -> None:
    with file.writing() as connection:
        connection.execute(statement)


def refusal(file: ApswFile, statement: str = "CREATE TABLE other (a)") -> ReplicaError:
    with pytest.raises(ReplicaError) as caught:
        write(file, statement)
    assert str(file.path) in caught.value.message
    assert caught.value.replica == "sqlite"
    assert caught.value.__cause__ is not None
    return caught.value


def test_reading_creates_nothing_and_writing_creates_a_private_file(tmp_path: Path) -> None:
    file = file_at(tmp_path / "new" / "x.db")
    with file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    assert list(tmp_path.iterdir()) == []
    write(file, "CREATE TABLE t (a)")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} == {0o600}
    file.close()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.db"]


def test_writes_are_durable_readable_meanwhile_and_do_not_cascade(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    with file.reading() as connection:
        settings = [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert settings == ["wal", 2, 0]


def test_what_a_connection_remembers_of_the_file_can_be_bounded(tmp_path: Path) -> None:
    for cache_kib in (None, 128):
        file = ApswFile("sqlite", tmp_path / "rows.db", cache_kib=cache_kib)
        write(file, "CREATE TABLE IF NOT EXISTS t (a)")
        with file.reading() as connection:
            assert connection.pragma("cache_size") == -(cache_kib or 2000)
        file.close()


def test_a_failure_inside_a_transaction_undoes_it(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")

    def interrupted() -> None:
        with file.writing() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sql(file.path, "SELECT * FROM t") == []


def test_a_reader_sees_the_old_or_the_new_but_never_half(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    with file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)")
        assert sql(file.path, "SELECT count(*) FROM t") == [(1,)]
    assert sql(file.path, "SELECT count(*) FROM t") == [(3,)]


def test_a_locked_file_is_busy_and_says_how_to_find_who_holds_it(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    other = apsw.Connection(str(file.path))
    other.execute("BEGIN IMMEDIATE")
    error = refusal(file)
    assert isinstance(error, ReplicaUnavailable)
    assert "locked" in error.message
    assert "fuser" in error.hint
    other.execute("ROLLBACK")
    write(file, "CREATE TABLE other (a)")


def test_a_reader_in_the_old_journal_mode_does_not_keep_us_from_writing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    sql(path, "CREATE TABLE t (a)")
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT * FROM t").fetchall()
    file = file_at(path)
    with pytest.raises(ReplicaUnavailable):  # the commit waits for the reader, and no longer
        write(file, "INSERT INTO t VALUES (1)")
    reader.close()
    write(file, "INSERT INTO t VALUES (1)")
    assert sql(path, "SELECT * FROM t") == [(1,)]


def test_a_full_disk_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    with file.reading() as connection:
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages)
    error = refusal(file, "INSERT INTO t VALUES (hex(zeroblob(100000)))")
    assert isinstance(error, ReplicaUnavailable)
    assert "disk" in error.message
    assert sql(file.path, "SELECT * FROM t") == [(1,)]


def test_a_disk_without_room_for_the_file_itself_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "open", full)
    assert isinstance(refusal(file_at(tmp_path / "x.db")), ReplicaUnavailable)
    assert list(tmp_path.iterdir()) == []


def test_every_write_changes_the_file_signature_even_if_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ApswFile("sqlite", tmp_path / "rows.db")
    assert file.file_signature() == (None, None, None)
    with file.writing() as connection:
        connection.execute("CREATE TABLE t (x)")
    assert file.file_signature() is None  # just now: another write could leave the same time
    now = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now + 10_000_000_000)
    before = file.file_signature()
    assert before is not None
    assert file.file_signature() == before

    other = apsw.Connection(str(file.path))
    other.execute("INSERT INTO t VALUES (1)")
    assert file.file_signature() not in (None, before)
    other.close()
    file.close()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        pytest.param(b"once upon a time " * 100, "not a SQLite database", id="text"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 4096, "damaged", id="garbage behind the header"),
        pytest.param(b"milk, bread\n", "not a SQLite database", id="notes"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, word: str
) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    for private_copy in (False, True):
        with (
            pytest.raises(ReplicaRejected, match=word) as caught,
            file_at(path, FileAccess.PRIVATE_COPY if private_copy else FileAccess.WRITE).reading() as c,
        ):
            c.execute("SELECT * FROM sqlite_schema").fetchall()
        assert "Move the file away" in caught.value.hint
    error = refusal(file_at(path))
    assert not error.transient
    assert folder_state(tmp_path) == {"x.db": content}


def test_a_database_with_a_torn_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    sql(path, "CREATE TABLE t (a)")
    sql(path, "INSERT INTO t SELECT hex(zeroblob(3000)) FROM (VALUES (1), (2), (3), (4))")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(ReplicaRejected, match="damaged"), file_at(path).reading() as connection:
        connection.execute("SELECT * FROM t").fetchall()


def test_a_file_opened_for_reading_only_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    sql(path, "CREATE TABLE t (a)")
    before = folder_state(tmp_path)
    file = file_at(path, access=FileAccess.READ)
    with file.reading() as connection, pytest.raises(apsw.ReadOnlyError):
        connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ReplicaRejected, match="reading only"), file.writing():
        pytest.fail("opened for writing")
    assert folder_state(tmp_path) == before


@pytest.mark.parametrize("error", [apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError])
def test_what_this_user_may_not_do_is_refused(tmp_path: Path, error: type[apsw.Error]) -> None:
    """Injected, because the user that runs the tests may be root, whom no mode stops."""
    file = file_at(tmp_path / "x.db")
    with (
        pytest.raises(ReplicaRejected, match="read-only, a folder, or not accessible") as caught,
        file.writing(),
    ):
        raise error("injected")
    assert "mode of the file and of its folder" in caught.value.hint


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert isinstance(refusal(file_at(tmp_path)), ReplicaRejected)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert isinstance(refusal(file_at(tmp_path / "file" / "x.db")), ReplicaRejected)


def test_a_number_too_large_for_sqlite_is_refused(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    with pytest.raises(ReplicaRejected, match="cannot hold"), file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (?)", (2**63,))


def test_a_file_that_was_moved_away_is_not_written_any_more(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    version = file.data_version()
    for path in sorted(tmp_path.iterdir()):
        path.rename(path.with_name("moved-" + path.name))
    assert file.data_version() != version
    write(file, "CREATE TABLE u (a)")
    assert sql(tmp_path / "x.db", "SELECT name FROM sqlite_schema") == [("u",)]


def test_the_data_version_shows_other_programs_commits_from_ours(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    absent = file.data_version()
    write(file, "CREATE TABLE t (a)")
    ours = file.data_version()
    write(file, "INSERT INTO t VALUES (1)")
    assert file.data_version() == ours == absent, "that there is a file now is our doing"
    sql(file.path, "INSERT INTO t VALUES (2)")
    assert file.data_version() != ours


def test_a_file_made_or_removed_by_others_is_distinguished_from_our_own(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    seen = [file.data_version()]
    write(file, "CREATE TABLE t (a)")
    assert file.data_version() == seen[0]
    for _ in range(3):
        file.path.unlink()
        seen.append(file.data_version())
        write(file, "CREATE TABLE t (a)")
        assert file.data_version() == seen[-1]
    file.path.unlink()
    seen.append(file.data_version())
    sql(file.path, "CREATE TABLE t (a)")
    seen.append(file.data_version())
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "'{'"])
def test_an_unreadable_value_is_a_rejection_and_not_a_crash(tmp_path: Path, value: str) -> None:
    path = tmp_path / "it.db"
    with apsw.Connection(str(path)) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT {value} AS v")
    file = ApswFile("sqlite", path)

    def look() -> None:
        with file.reading() as found:
            for (text,) in found.execute("SELECT v FROM t"):
                msgspec.json.decode(str(text))

    with pytest.raises(ReplicaRejected, match="holds data that this program did not write"):
        look()
    file.close()


def in_the_file_itself(path: Path) -> int:
    """Rows of t without what is in the log."""
    alone = path.with_name("alone.db")
    alone.write_bytes(path.read_bytes())
    return len(sql(alone, "SELECT a FROM t"))


def test_a_long_log_is_shortened_when_there_is_time(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    sql(file.path, "PRAGMA wal_checkpoint")
    for _ in range(3):
        write(file, "INSERT INTO t VALUES (randomblob(2000000))")
    assert in_the_file_itself(file.path) == 0
    file.shorten_log(is_calm=False)
    assert in_the_file_itself(file.path) == 3
    write(file, "INSERT INTO t VALUES (1)")
    file.shorten_log(is_calm=False)
    assert in_the_file_itself(file.path) == 3, "not for a page or two"
    file.close()
    assert in_the_file_itself(file.path) == 4


def test_an_idle_connection_keeps_no_pages_and_continues_with_the_file(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    file.forget_pages()
    assert not file.path.exists(), "there was nothing to forget"
    write(file, "CREATE TABLE t AS SELECT randomblob(500000) AS a")
    version = file.data_version()
    with file.reading() as connection:
        assert connection.execute("SELECT sum(length(a)) FROM t").get == 500_000
    before = apsw.memory_used()
    file.forget_pages()
    assert apsw.memory_used() < before - 400_000
    assert file.data_version() == version
    with file.reading() as connection:
        assert connection.execute("SELECT sum(length(a)) FROM t").get == 500_000


def test_in_a_calm_moment_even_a_short_log_is_emptied(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    log = tmp_path / "x.db-wal"
    assert log.stat().st_size > 0
    assert file.shorten_log(is_calm=True)
    assert log.stat().st_size == 0
    write(file, "INSERT INTO t VALUES (1)")
    assert not file.shorten_log(is_calm=False)
    with reader_of(file.path):
        write(file, "INSERT INTO t VALUES (2)")
        assert not file.shorten_log(is_calm=True)
        assert file.held_log_bytes > 0, "another program still reads the old content"
    assert file.shorten_log(is_calm=True)
    assert (log.stat().st_size, file.held_log_bytes) == (0, 0)
    file.close()


@contextmanager
def reader_of(path: Path) -> Iterator[None]:
    """Another program that reads what is there now, and continues reading."""
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT * FROM t").fetchall()
    try:
        yield
    finally:
        reader.close()


def test_a_log_that_grew_while_others_read_is_short_again_afterwards(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    with reader_of(file.path):
        for _ in range(3):
            write(file, "INSERT INTO t VALUES (randomblob(4000000))")
            file.shorten_log(is_calm=False)
        assert (tmp_path / "x.db-wal").stat().st_size > 12_000_000
    file.shorten_log(is_calm=False)
    write(file, "INSERT INTO t VALUES (1)")
    assert (tmp_path / "x.db-wal").stat().st_size < 5_000_000
    file.close()


@pytest.mark.slow
def test_a_log_that_grows_too_long_is_shortened_at_once(tmp_path: Path) -> None:
    file = file_at(tmp_path / "x.db")
    write(file, "CREATE TABLE t (a)")
    write(file, "INSERT INTO t VALUES (randomblob(80000000))")
    assert in_the_file_itself(file.path) == 1
    file.close()
