"""A file that was replaced under us is known as such at once, and what we or other programs do through SQLite is not taken for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from engine.replicas.file_replica import FileReplica
from engine.replicas.sqlite_file.database import ApswFile

Disturb = Callable[[Path], object]
WRITE = "import apsw, sys; apsw.Connection(sys.argv[1]).execute('INSERT INTO t VALUES (2)')"


class Kept(FileReplica):
    """A replica whose file alone matters here."""

    name = "kept"
    stores_derived = False

    def __init__(self, file: ApswFile) -> None:
        self._file = file

    def data_version(self) -> int:
        return self._file.data_version()

    def observe(self) -> None:  # type: ignore[override]
        """Nothing asks."""

    def read(self, keys: object) -> None:  # type: ignore[override]
        """Nothing asks."""

    def apply(self, operations: object, run: object) -> None:
        """Nothing asks."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ApswFile]:
    file = ApswFile("kept", tmp_path / "rows.db")
    with file.writing() as connection:
        connection.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    yield file
    file.close()


def other(path: Path) -> Path:
    made = path.with_name("other.db")
    connection = apsw.Connection(str(made))
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    return made


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_link(path: Path) -> None:
    path.rename(path.with_name("gone.db"))
    path.symlink_to(other(path))


DISTURBANCES: dict[str, Disturb] = {
    "replaced": lambda path: other(path).replace(path),
    "written over": lambda path: path.write_bytes(other(path).read_bytes()),
    "copied over": lambda path: shutil.copyfile(other(path), path),
    "removed": Path.unlink,
    "moved away": lambda path: path.rename(path.with_name("gone.db")),
    "cut": cut,
    "without its log": lambda path: Path(f"{path}-wal").unlink(),
    "with a log that was cut": lambda path: cut(Path(f"{path}-wal")),
    "without its index": lambda path: Path(f"{path}-shm").unlink(),
    "a folder": put_folder,
    "a link elsewhere": put_link,
}


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_what_happens_to_the_files_is_known_before_they_are_used_again(
    file: ApswFile, disturb: Disturb
) -> None:
    replica = Kept(file)
    version = replica.data_version()
    assert not replica.is_overtaken(version)
    disturb(file.path)
    assert replica.is_overtaken(version)


def test_it_stays_known_after_another_thread_opened_the_current_file(file: ApswFile) -> None:
    replica, reader = Kept(file), ApswFile("kept", file.path)
    version = replica.data_version()
    other(file.path).replace(file.path)
    with reader.reading():
        pass  # as a request that is served meanwhile
    assert replica.is_overtaken(version)
    reader.close()
    assert not replica.is_overtaken(replica.data_version())


def test_our_own_writes_and_checkpoints_do_not_count_as_overtaking(file: ApswFile) -> None:
    replica = Kept(file)
    version = replica.data_version()
    for number in range(3):
        with file.writing() as connection:
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            assert not replica.is_overtaken(version)
        assert not replica.is_overtaken(version)
        file.shorten_log(is_calm=True)
        assert not replica.is_overtaken(version)
    file.rebuild()
    assert not replica.is_overtaken(version)


def test_another_programs_rows_are_left_to_the_data_version(file: ApswFile) -> None:
    replica = Kept(file)
    version = replica.data_version()
    subprocess.run([sys.executable, "-c", WRITE, str(file.path)], check=True)
    assert not replica.is_overtaken(version)
    assert replica.data_version() != version


def test_a_file_that_was_never_read_is_not_overtaken(tmp_path: Path) -> None:
    replica = Kept(ApswFile("kept", tmp_path / "rows.db"))
    assert not replica.is_overtaken(None)
    assert not replica.is_overtaken(replica.data_version())
