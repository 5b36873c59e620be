"""One service per store, distinguished by process; a dead one holds nothing."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from engine.errors import SettingsError, StoreHeld
from engine.files.store_lock import hold_store

HOLD = """
import sys
from pathlib import Path
from engine.files.store_lock import hold_store
with hold_store(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(rows: Path) -> Iterator[int]:
    """Another process holds the store; gives its id."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()


def test_a_second_service_is_refused_by_the_first_ones_name(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    with (
        held_by_another(rows) as pid,
        pytest.raises(SettingsError, match=f"process {pid}"),
        hold_store(rows),
    ):
        pass
    with hold_store(rows):  # what a killed process held is free
        pass


def link_to_the_file(rows: Path, place: Path) -> Path:
    (place / "link.db").symlink_to(rows)
    return place / "link.db"


def hard_link(rows: Path, place: Path) -> Path:
    (place / "hard.db").hardlink_to(rows)
    return place / "hard.db"


def link_to_the_folder(rows: Path, place: Path) -> Path:
    (place / "folder").symlink_to(rows.parent)
    return place / "folder" / rows.name


def another_spelling(rows: Path, _place: Path) -> Path:
    return rows.parent / ".." / rows.parent.name / rows.name


@pytest.mark.parametrize(
    "named", [link_to_the_file, hard_link, link_to_the_folder, another_spelling], ids=lambda f: f.__name__
)
def test_a_store_is_the_same_under_all_its_names(tmp_path: Path, named: Callable[[Path, Path], Path]) -> None:
    rows, place = tmp_path / "store" / "rows.db", tmp_path / "elsewhere"
    rows.parent.mkdir()
    place.mkdir()
    rows.touch()
    other = named(rows, place)
    for first, second in ((rows, other), (other, rows)):
        with (
            held_by_another(first) as pid,
            pytest.raises(SettingsError, match=f"process {pid}"),
            hold_store(second),
        ):
            pass


def test_a_rows_file_that_is_made_or_replaced_later_is_held_as_well(tmp_path: Path) -> None:
    rows, hard = tmp_path / "rows.db", tmp_path / "hard.db"
    with hold_store(rows) as held:
        for _ in range(5):
            (tmp_path / "new.db").touch()
            (tmp_path / "new.db").replace(rows)
            assert not held.is_followed()
            assert held.follow()
            assert held.is_followed()
            hard.unlink(missing_ok=True)
            hard.hardlink_to(rows)
            done = subprocess.run(
                [sys.executable, "-c", HOLD, str(hard)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
            assert "under another name" in done.stderr
            assert f"process {os.getpid()}" in done.stderr


def test_holding_a_store_does_not_release_sqlites_locks(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    with hold_store(rows) as held:
        connection = apsw.Connection(str(rows))
        connection.execute("CREATE TABLE t (a); BEGIN IMMEDIATE")
        assert held.follow()
        assert held.follow()
        ask = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        done = subprocess.run(
            [sys.executable, "-c", ask, str(rows)], capture_output=True, text=True, check=False
        )
        assert "locked" in done.stderr
        connection.close()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_a_lock_file_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "rows.db.lock")
    with pytest.raises(SettingsError, match=r"rows\.db\.lock"), hold_store(tmp_path / "rows.db"):
        pass


def test_the_lock_is_private_and_the_store_is_not_made(tmp_path: Path) -> None:
    with hold_store(tmp_path / "new" / "rows.db"):
        (found,) = (tmp_path / "new").iterdir()
        assert found.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"rows\.file"), hold_store(tmp_path / "file" / "rows.db"):
        pass


def test_a_full_disk_does_not_keep_a_service_from_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    with (
        hold_store(tmp_path / "rows.db"),
        pytest.raises(StoreHeld, match="its process is unknown"),
        hold_store(tmp_path / "rows.db"),
    ):
        pass


def test_a_lock_for_which_no_inode_is_left_is_refused_by_that_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SettingsError, match="the disk is full") as caught, hold_store(tmp_path / "rows.db"):
        pass
    assert "Make room" in caught.value.hint
