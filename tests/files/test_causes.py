"""The system's reason for a failure is found even if a library hides it, and reported with advice."""

import errno
import os
from pathlib import Path

import pytest

from engine.files.causes import cause_of, find_number

PATH = Path("/data/rows.db")


class Disk:
    """What `statvfs` says of a disk."""

    def __init__(
        self, *, files: int = 100, files_free: int = 10, blocks_free: int = 10, flags: int = 0
    ) -> None:
        self.f_files, self.f_favail, self.f_bavail, self.f_flag = files, files_free, blocks_free, flags


@pytest.mark.parametrize(
    ("number", "reason", "advice"),
    [
        (errno.ENOSPC, "the disk is full", "Make room on the disk of /data/rows.db"),
        (errno.EDQUOT, "quota", "raise the quota"),
        (errno.EFBIG, "largest size", "ulimit -f"),
        (errno.EROFS, "mounted read-only", "writable again"),
        (errno.EIO, "does not answer", "system's log"),
        (errno.EMFILE, "may not open another file", "ulimit -n"),
        (errno.ENFILE, "system has no file left", "fs.file-max"),
        (errno.ENOMEM, "not enough memory", "more memory"),
    ],
)
def test_each_shortage_is_named_with_the_next_step(number: int, reason: str, advice: str) -> None:
    cause = cause_of(number, PATH)
    assert cause is not None
    assert reason in cause.reason
    assert advice in cause.advice


@pytest.mark.parametrize("number", [0, errno.EACCES, errno.ENOENT, errno.EINVAL])
def test_what_is_no_shortage_has_no_cause(number: int) -> None:
    assert cause_of(number, PATH) is None


def test_a_disk_without_inodes_is_not_called_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: Disk(files_free=0))
    cause = cause_of(errno.ENOSPC, PATH)
    assert cause is not None
    assert "no inode is free" in cause.reason
    monkeypatch.setattr(os, "statvfs", lambda _: Disk(files=0, files_free=0))  # btrfs has no table of them
    cause = cause_of(errno.ENOSPC, PATH)
    assert cause is not None
    assert cause.reason == "the disk is full"


def test_where_nothing_is_short_there_is_no_number_and_no_trace(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    before = tmp_path.stat().st_mtime_ns
    assert find_number(tmp_path / "x.db") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    assert tmp_path.stat().st_mtime_ns == before


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_what_keeps_a_file_from_being_made_is_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    assert find_number(tmp_path / "x.db") == number


@pytest.mark.parametrize(
    ("disk", "number"),
    [
        (Disk(flags=os.ST_RDONLY), errno.EROFS),
        (Disk(files_free=0), errno.ENOSPC),
        (Disk(blocks_free=0), errno.ENOSPC),
        (Disk(), 0),
    ],
)
def test_a_file_system_without_unnamed_files_is_queried_with_statvfs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    assert find_number(tmp_path / "x.db") == number
