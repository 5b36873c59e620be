"""The cache's file: the owner's alone, whole or not there, and never an error."""

import errno
import os
from pathlib import Path

import pytest

from engine.pass_cache import contents
from engine.pass_cache.file import BEGINNING, PassCacheFile


def everything(file: PassCacheFile) -> bytes:
    return file.read(0, 1000)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = PassCacheFile(tmp_path / "rows.db")
    assert everything(file) == b""
    file.write([BEGINNING, memoryview(b"01234"), b"56789"])
    assert everything(file) == BEGINNING + b"0123456789"
    assert (file.read(16, 2), file.read(21, 5), file.read(33, 5)) == (b"34", b"89", b"")
    file.write([BEGINNING + b"other"])
    assert everything(file) == BEGINNING + b"other"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.db.cache"]
    file.remove()
    assert everything(file) == b""
    file.remove()


def test_only_its_owner_can_read_it_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = PassCacheFile(tmp_path / "rows.db")
        file.write([b"names"])
    finally:
        os.umask(before)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_it_stands_beside_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "rows.db").symlink_to(tmp_path / "real" / "rows.db")
    assert PassCacheFile(tmp_path / "rows.db").path == tmp_path / "real" / "rows.db.cache"


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    file, secret = PassCacheFile(tmp_path / "rows.db"), tmp_path / "secret"
    secret.write_bytes(b"mine")
    file.path.symlink_to(secret)
    assert everything(file) == b""
    file.write([b"names"])
    assert secret.read_bytes() == b"mine"
    file.path.unlink()
    os.mkfifo(file.path)
    assert everything(file) == b""
    file.write([b"names"])
    assert file.path.is_fifo()


def test_a_file_that_is_no_cache_is_not_replaced(tmp_path: Path) -> None:
    """A history file that was called so was lost with the next pass."""
    file = PassCacheFile(tmp_path / "rows.db")
    for foreign in (b"SQLite format 3\0", b"notes"):
        file.path.write_bytes(foreign)
        file.write([BEGINNING])
        file.remove()
        assert everything(file) == foreign


@pytest.mark.parametrize("torn", [b"", BEGINNING[:5], b"\0" * 4096, BEGINNING + b"000\n"])
def test_a_cache_that_a_power_cut_tore_is_replaced(tmp_path: Path, torn: bytes) -> None:
    file = PassCacheFile(tmp_path / "rows.db")
    file.path.write_bytes(torn)
    file.write([BEGINNING + b"whole"])
    assert everything(file) == BEGINNING + b"whole"


def test_every_cache_begins_so() -> None:
    assert contents._MARK.startswith(BEGINNING)


def test_what_a_killed_process_left_is_replaced_when_it_is_old(tmp_path: Path) -> None:
    file = PassCacheFile(tmp_path / "rows.db")
    unfinished = tmp_path / ".rows.db.cache.new"
    unfinished.write_bytes(b"half")
    file.write([b"one"])
    assert everything(file) == b""  # another process may be writing it
    os.utime(unfinished, (0, 0))
    file.write([b"two"])
    assert everything(file) == b"two"
    assert not unfinished.exists()


def test_a_folder_that_cannot_be_written_to_has_no_cache(tmp_path: Path) -> None:
    file = PassCacheFile(tmp_path / "absent" / "rows.db")
    file.write([b"names"])
    assert everything(file) == b""


def test_a_disk_that_is_full_leaves_the_older_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PassCacheFile(tmp_path / "rows.db")
    file.write([BEGINNING])

    def fail(_descriptor: int, _mode: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fchmod", fail)
    file.write([b"newer"])
    assert everything(file) == BEGINNING
    assert [path.name for path in tmp_path.iterdir()] == ["rows.db.cache"]
