"""What happens to a database, its log and its shared memory under us: noticed at the next use, and never made worse.

"Another program" is another process here: SQLite's locks belong to the process.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaDamaged, ReplicaRejected, ReplicaUnavailable
from engine.replicas.sqlite_file import connections, own_connection
from engine.replicas.sqlite_file.connections import check_sound, connections_to
from engine.replicas.sqlite_file.database import ApswFile, FileAccess

ASK = """
import sys
import apsw
connection = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READONLY)
for statement in sys.argv[2:]:
    try:
        print(connection.execute(statement).get)
    except apsw.Error as error:
        print(type(error).__name__)
"""

CHECKPOINT = """
import sys
import apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("INSERT INTO t (a) VALUES (200)")
connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
connection.execute("INSERT INTO t (a) VALUES (201)")
connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
"""
PAGE_BYTES = 4096


def ask(path: Path, *statements: str) -> list[str]:
    """What another program reads that opens the file now, in one process: starting it takes longer than the question."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(path), *statements], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


NEWEST = "SELECT max(a) FROM t"
CHECK = "PRAGMA integrity_check"


def write(file: ApswFile, number: int) -> None:
    with file.writing() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER, filling)")
        connection.execute("CREATE INDEX IF NOT EXISTS i ON t (a)")
        connection.execute("INSERT INTO t VALUES (?, randomblob(5000))", (number,))


def newest(file: ApswFile) -> object:
    with file.reading_uncached() as connection:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 't'").fetchone() is None:
            return None
        return connection.execute("SELECT max(a) FROM t").get


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """An older copy of the file, put aside: it holds 1 to 9 where the file holds 1 to 99."""
    return tmp_path / "other.db"


@pytest.fixture
def file(tmp_path: Path, other: Path) -> Iterator[ApswFile]:
    made = ApswFile("sqlite", tmp_path / "x.db", busy_timeout_seconds=0)
    for number in range(1, 10):
        write(made, number)
    made.close()
    shutil.copy(made.path, other)
    for number in range(10, 100):
        write(made, number)
    yield made
    made.close()


@pytest.fixture
def reader(file: ApswFile) -> Iterator[ApswFile]:
    """A second user of the file in this process, with a connection of its own that has it mapped."""
    made = ApswFile("sqlite", file.path, access=FileAccess.READ, busy_timeout_seconds=0)
    assert newest(made) == 99
    made.data_version()
    yield made
    made.close()


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def renamed_over(path: Path, other: Path) -> None:
    other.replace(path)


def copied_over(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def removed(path: Path, _other: Path) -> None:
    path.unlink()


def emptied(path: Path, _other: Path) -> None:
    os.truncate(path, 0)


def without_log(path: Path, _other: Path) -> None:
    beside(path, "-wal").unlink()


def without_memory(path: Path, _other: Path) -> None:
    beside(path, "-shm").unlink()


def without_both(path: Path, _other: Path) -> None:
    beside(path, "-shm").unlink()
    beside(path, "-wal").unlink()


def with_memory_cut(path: Path, _other: Path) -> None:
    os.truncate(beside(path, "-shm"), 0)


def with_log_cut(path: Path, _other: Path) -> None:
    os.truncate(beside(path, "-wal"), 0)


def all_three_replaced(path: Path, other: Path) -> None:
    other.replace(path)
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink()


def with_log_of_another(path: Path, _other: Path) -> None:
    beside(path, "-wal.new").write_bytes(b"not the log of this one" * 1000)
    beside(path, "-wal.new").replace(beside(path, "-wal"))


HAPPENINGS = (
    renamed_over,
    copied_over,
    removed,
    emptied,
    without_log,
    without_memory,
    without_both,
    with_memory_cut,
    with_log_cut,
    all_three_replaced,
    with_log_of_another,
)


@pytest.mark.parametrize("is_log_empty", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.parametrize("happens", HAPPENINGS)
def test_after_any_change_of_the_files_we_read_and_write_the_same_file_as_others(
    file: ApswFile,
    reader: ApswFile,
    other: Path,
    happens: Callable[[Path, Path], None],
    is_log_empty: bool,
) -> None:
    if is_log_empty:
        assert file.shorten_log(is_calm=True)
    data_version = file.data_version()
    happens(file.path, other)
    found = [newest(it) for it in (file, reader, file, reader)]
    assert len(set(found)) == 1
    if file.path.exists() and found[0] is not None:
        assert ask(file.path, NEWEST) == [str(found[0])]
        # Nothing that we ever committed is lost where it still was somewhere.
    if happens in (without_log, without_memory, without_both, with_memory_cut) or (
        is_log_empty and happens is with_log_cut
    ):
        assert found[0] == 99
    elif is_log_empty and happens in (renamed_over, copied_over, all_three_replaced):
        assert found[0] == 9
    assert file.data_version() != data_version or happens is with_log_cut
    write(file, 1000)
    assert newest(reader) == 1000
    assert ask(file.path, NEWEST, CHECK) == ["1000", "ok"]
    file.close()
    reader.close()
    assert ask(file.path, NEWEST, CHECK) == ["1000", "ok"]


def test_a_log_that_does_not_fit_the_database_any_more_is_not_laid_over_it(
    file: ApswFile, other: Path
) -> None:
    """Half of the log is in the file, when an older state of the file is copied over it."""
    copied_over(file.path, other)
    assert newest(file) in (9, 99)
    assert ask(file.path, CHECK) == ["ok"]


def test_a_stop_does_not_move_the_log_into_a_file_that_others_changed(file: ApswFile, other: Path) -> None:
    assert file.shorten_log(is_calm=True)
    write(file, 100)
    copied_over(file.path, other)
    before = file.path.read_bytes()
    file.close()
    assert file.path.read_bytes() == before


def test_bytes_that_another_program_changed_in_the_file_are_seen(file: ApswFile, reader: ApswFile) -> None:
    with file.writing() as connection:
        connection.execute("CREATE TABLE names (name)")
        connection.execute("INSERT INTO names VALUES ('Kitchen of ours')")
    assert file.shorten_log(is_calm=True)
    for it in (file, reader):
        with it.reading() as connection:
            connection.execute("SELECT * FROM names").fetchall()
    content = file.path.read_bytes()
    assert content.count(b"Kitchen of ours") == 1
    with file.path.open("r+b") as found:
        found.seek(content.index(b"Kitchen of ours"))
        found.write(b"Bedroom")
    for it in (file, reader):
        with it.reading() as connection:
            assert connection.execute("SELECT name FROM names").get == "Bedroom of ours"


def test_a_full_read_does_not_use_cached_pages(file: ApswFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the change leaves no trace at all."""
    assert file.shorten_log(is_calm=True)
    with file.reading() as connection:
        assert connection.execute("SELECT max(a) FROM t").get == 99
    monkeypatch.setattr("engine.replicas.sqlite_file.connections.Connections._is_outdated", lambda _: False)
    content = bytearray(file.path.read_bytes())
    with file.reading() as connection:
        connection.pragma("cache_size", 10_000)
        before = connection.execute("SELECT hex(filling) FROM t WHERE a = 99").get
        with file.path.open("r+b") as found:
            found.seek(content.index(bytes.fromhex(before)[:50]))
            found.write(b"\0" * 50)
        assert connection.execute("SELECT hex(filling) FROM t WHERE a = 99").get == before
    with file.reading_uncached() as connection:
        assert connection.execute("SELECT hex(filling) FROM t WHERE a = 99").get != before


def checkpoint_by_another(path: Path) -> None:
    """Another program commits, moves its log into the file, and commits again."""
    subprocess.run([sys.executable, "-c", CHECKPOINT, str(path)], check=True)


def test_what_another_program_moved_from_its_log_is_checked_once(
    file: ApswFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[apsw.Connection] = []

    def counted(connection: apsw.Connection) -> None:
        checks.append(connection)
        check_sound(connection)

    for module in (connections, own_connection):
        monkeypatch.setattr(module, "check_sound", counted)
    newest(file)
    checkpoint_by_another(file.path)
    write(file, 202)
    assert len(checks) == 1, "the write waits for it"
    assert newest(file) == 202


def test_a_file_that_is_damaged_right_behind_its_check_is_refused(
    file: ApswFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sound = connections._is_sound

    def and_then_damaged(path: str) -> bool:
        found = is_sound(path)
        with Path(path).open("r+b") as raw:
            raw.seek(PAGE_BYTES)
            raw.write(b"\xff" * (Path(path).stat().st_size - PAGE_BYTES))
        return found

    newest(file)
    checkpoint_by_another(file.path)
    monkeypatch.setattr(connections, "_is_sound", and_then_damaged)
    with pytest.raises(ReplicaDamaged):
        write(file, 202)


def test_a_damaged_file_in_the_place_of_ours_is_refused(file: ApswFile, other: Path) -> None:
    content = other.read_bytes()
    assert file.shorten_log(is_calm=True)
    file.path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    for _ in range(2):
        with pytest.raises(ReplicaDamaged):
            newest(file)
    copied_over(file.path, other)
    assert newest(file) == 9, "and taken again when it is sound"


def test_a_second_user_waits_for_the_first_instead_of_opening_the_new_file(
    file: ApswFile, reader: ApswFile, other: Path
) -> None:
    with file.reading() as connection:
        connection.execute("SELECT * FROM t").fetchall()
        renamed_over(file.path, other)
        with pytest.raises(ReplicaUnavailable):
            newest(reader)
        assert connection.execute("SELECT max(a) FROM t").get == 99, "one moment"
    assert newest(reader) == newest(file)


def test_an_event_loop_does_not_wait_or_open_files(file: ApswFile, other: Path) -> None:
    watching = ApswFile("sqlite", file.path, access=FileAccess.READ, busy_timeout_seconds=0, never_waits=True)
    assert watching.data_version() == watching.data_version()
    renamed_over(file.path, other)
    with pytest.raises(ReplicaUnavailable):
        watching.data_version()
    newest(file)
    watching.data_version()
    watching.close()


def test_two_names_for_one_path_are_one_group_of_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    group = connections_to(Path("x.db"))
    assert connections_to(tmp_path / "x.db") is group
    assert connections_to(tmp_path / "folder" / ".." / "x.db") is group


def test_a_link_that_leads_elsewhere_now_is_another_file(file: ApswFile, other: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file.path)
    linked = ApswFile("sqlite", link, busy_timeout_seconds=0)
    assert newest(linked) == 99
    link.unlink()
    link.symlink_to(other)
    assert newest(linked) == 9
    write(linked, 1000)
    linked.close()
    assert (ask(other, NEWEST), ask(file.path, NEWEST)) == (["1000"], ["99"])


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as it, contextlib.chdir(path.parent):  # 107 bytes are the longest
        it.bind(path.name)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a named pipe"),
        (make_device, "a device"),
        (make_socket, "a socket"),
        (Path.mkdir, "a folder"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_what_is_no_plain_file_is_refused_by_its_kind(
    tmp_path: Path, make: Callable[[Path], None], kind: str, suffix: str
) -> None:
    path = tmp_path / "x.db"
    make(beside(path, suffix))
    if suffix:
        path.touch()
    for file in (ApswFile("sqlite", path), ApswFile("sqlite", path, access=FileAccess.PRIVATE_COPY)):
        with pytest.raises(ReplicaRejected, match=f"{kind} and not a plain file"), file.reading():
            pass
    with pytest.raises(ReplicaRejected, match=kind):
        write(ApswFile("sqlite", path), 1)
