"""A SQLite file comes into being in one step, whole and on the disk, and also where the system cannot do that."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine.errors import ReplicaError
from engine.replicas.sqlite_file.database import ApswFile
from tests.replicas.passes import folder_state, sql

PRAGMAS = ("journal_mode", "auto_vacuum", "page_size", "encoding", "integrity_check")


def make(path: Path, *, gives_back: bool = False) -> ApswFile:
    file = ApswFile("sqlite", path, gives_back=gives_back, busy_timeout_seconds=0)
    with file.writing() as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
    return file


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def pragmas(path: Path) -> list[object]:
    connection = apsw.Connection(str(path))
    found = [connection.pragma(name) for name in PRAGMAS]
    connection.close()
    return found


@pytest.mark.parametrize("gives_back", [False, True])
def test_a_file_has_its_name_once_it_is_a_database_in_wal_mode(
    tmp_path: Path, gives_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, found = os.link, list[object]()

    def look(*arguments: Any, **more: Any) -> None:
        found.append(folder_state(tmp_path))
        link(*arguments, **more)
        found.extend(
            [sorted(path.name for path in tmp_path.iterdir()), (tmp_path / "x.db").read_bytes()[18:20]]
        )

    monkeypatch.setattr(os, "link", look)
    make(tmp_path / "x.db", gives_back=gives_back).close()
    assert found == [{}, ["x.db"], b"\2\2"]
    assert pragmas(tmp_path / "x.db") == ["wal", 2 if gives_back else 0, 4096, "UTF-8", "ok"]
    assert stat.S_IMODE((tmp_path / "x.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("gives_back", [False, True])
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.ENOENT])
def test_a_system_without_nameless_files_gets_the_same_file(
    tmp_path: Path, number: int, gives_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "x.db", gives_back=gives_back).close()
    monkeypatch.setattr(os, "link", failing(number))
    make(tmp_path / "y.db", gives_back=gives_back).close()
    assert pragmas(tmp_path / "y.db") == pragmas(tmp_path / "x.db")
    assert sql(tmp_path / "y.db", "SELECT a FROM t") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.db", "y.db"]


def test_a_file_that_does_not_fit_on_the_disk_is_not_there_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:100]))
    make(tmp_path / "x.db").close()  # SQLite finds room, or says why not
    assert pragmas(tmp_path / "x.db")[-1] == "ok"


def test_what_another_program_makes_at_the_same_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def be_late(*arguments: Any, **more: Any) -> None:
        if not (tmp_path / "x.db").exists():
            sql(tmp_path / "x.db", "CREATE TABLE theirs (b)")
        link(*arguments, **more)

    monkeypatch.setattr(os, "link", be_late)
    make(tmp_path / "x.db").close()
    assert sql(tmp_path / "x.db", "SELECT name FROM sqlite_schema ORDER BY name") == [("t",), ("theirs",)]


def test_a_file_we_create_does_not_count_as_a_foreign_change(tmp_path: Path) -> None:
    file = ApswFile("sqlite", tmp_path / "x.db", gives_back=True)
    before = file.data_version()
    with file.writing() as connection:
        connection.execute("CREATE TABLE t (a)")
    assert file.data_version() == before
    sql(tmp_path / "x.db", "INSERT INTO t VALUES (2)")
    assert file.data_version() != before
    file.close()


def test_a_link_to_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    (tmp_path / "x.db").symlink_to(tmp_path / "elsewhere" / "x.db")
    with pytest.raises(ReplicaError, match=r"x\.db"):
        make(tmp_path / "x.db")
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_where_links_lead_is_only_followed_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed, realpath = list[str](), os.path.realpath

    def follow(path: str) -> str:
        followed.append(path)
        return realpath(path)

    (tmp_path / "x.db").symlink_to(tmp_path / "there.db")
    monkeypatch.setattr(os.path, "realpath", follow)
    file = ApswFile("sqlite", tmp_path / "x.db")
    with file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    assert followed == []
    sql(tmp_path / "there.db", "CREATE TABLE t (a)")
    with file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 1
    assert followed == [str(tmp_path / "x.db")]
    file.close()
