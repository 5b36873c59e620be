"""Identifies the files at the path of a SQLite database, and when it was changed."""

import os
from stat import S_ISREG
from typing import NamedTuple

from engine.files.modes import kind_of

# FAT, the file system in use with the coarsest times, stores them to two seconds.
_SAME_TIME_NS_MAX = 2_500_000_000

Identity = tuple[int, int]  # device and inode


class Files(NamedTuple):
    """The files at a path: their identities, and the database's size and times."""

    database: Identity | None
    content: tuple[int, int, int] | None  # size, mtime, ctime
    log: Identity | None
    log_content: tuple[int, int, int] | None
    memory: Identity | None
    memory_bytes: int


class WrongKind(OSError):
    """The path holds something other than a plain file."""


def look(path: str) -> Files:
    """The files at a path, following links. Raises WrongKind and other OSErrors."""
    database, log, memory = (
        _status(path),
        _status(f"{path}-wal", "its log"),
        _status(f"{path}-shm", "its index"),
    )
    return Files(
        _identity(database),
        _content(database),
        _identity(log),
        _content(log),
        _identity(memory),
        memory.st_size if memory else 0,
    )


def _identity(status: os.stat_result | None) -> Identity | None:
    return status and (status.st_dev, status.st_ino)


def _content(status: os.stat_result | None) -> tuple[int, int, int] | None:
    return status and (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _status(path: str, what: str = "it") -> os.stat_result | None:
    try:
        status = os.stat(path)  # noqa: PTH116 (asked before each use, and a Path costs as much as the question)
    except FileNotFoundError:
        return None
    if not S_ISREG(status.st_mode):
        raise WrongKind(0, f"{what} is {kind_of(status.st_mode)} and not a plain file")
    return status


def is_cut(known: Files, found: Files) -> bool:
    """Whether the log is shorter than when last seen."""
    return known.log_content is not None and (found.log_content or (0,))[0] < known.log_content[0]


def is_same(a: str, b: str) -> bool:
    """Whether both paths lead to one file."""
    try:
        return os.path.samefile(a, b)  # noqa: PTH121
    except FileNotFoundError:
        return False


def signature_of(found: Files, now_ns: int) -> tuple[tuple[int, ...] | None, ...] | None:
    """Sizes and times, which any write changes; None if another write could leave the same time."""
    for times in (found.content, found.log_content):
        if times is not None and now_ns - times[1] < _SAME_TIME_NS_MAX:
            return None
    return (
        found.database and (*found.database, *(found.content or ())),
        found.log and (*found.log, *(found.log_content or ())),
        found.memory,
    )
