"""Allows one service per store: a second one is refused with the name of the first.

There are two locks, because a store may have several names. A lock file beside the rows file names the process that keeps
it, and exists before the rows file does. The lock on the rows file itself holds under any of its names: a hard
link, or a bind mount of the file alone. Links are followed first. Locks belong to open files, so they end with
the process however it ends; the lock file stays, without effect.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import SettingsError, StoreHeld
from engine.files.causes import cause_of
from engine.files.modes import OWNER_ONLY, make_folder

_DESCRIPTORS_MAX = 3
_HINT = "Stop that one, or let {} name another file."


class HeldStore:
    """Holds the rows file under all of its names; if another file replaces it at the path, holds that one."""

    def __init__(self, rows: Path) -> None:
        self._rows = rows
        self._descriptors: list[int] = []
        self._identity: tuple[int, int] | None = None

    def is_followed(self) -> bool:
        """Whether the held file is the one at the path now. A single check, which does not wait unless the disk hangs."""
        try:
            status = self._rows.stat()
        except OSError:
            return True  # as in `follow`
        return (status.st_dev, status.st_ino) == self._identity

    def follow(self) -> bool:
        """Hold the file that is at the path now. False if another process holds it.

        Never closes a file that this process may use elsewhere: that would release SQLite's locks on it.
        """
        try:
            status = self._rows.stat()
        except OSError:
            return True
        if (status.st_dev, status.st_ino) == self._identity or not stat.S_ISREG(status.st_mode):
            return True
        try:
            descriptor = os.open(self._rows, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return True  # its next use will report the reason
        found = os.fstat(descriptor)
        self._identity = found.st_dev, found.st_ino
        self._descriptors.append(descriptor)
        while len(self._descriptors) > _DESCRIPTORS_MAX:
            os.close(self._descriptors.pop(0))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without such locks; the lock file must suffice
        return True

    def close(self) -> None:
        """Release the locks."""
        while self._descriptors:
            os.close(self._descriptors.pop())


@contextmanager
def hold_store(rows: Path, setting: str = "rows.file") -> Iterator[HeldStore]:
    """Lock the store for this process during the block. Raises StoreHeld when another process holds it, or SettingsError.

    `setting` is the setting that names the file.
    This process must not have the rows file open before or after the block.
    """
    try:
        real = Path(os.path.realpath(rows))
    except FileNotFoundError:  # the working folder is gone
        real = rows
    path = real.with_name(f"{real.name}.lock")
    descriptor = _open(path, setting)
    held = HeldStore(real)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode("ascii", "replace").strip()
            raise StoreHeld(
                f"Another service keeps {rows} already ({holder or 'its process is unknown'}).",
                _HINT.format(setting),
            ) from None
        if not held.follow():
            raise StoreHeld(
                f"Another service keeps {rows} already, under another name ({_process_that_locks(real)}).",
                _HINT.format(setting),
            )
        with suppress(OSError):  # a full disk: the lock works without its holder's name
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()}\n".encode())
        yield held
    finally:
        held.close()
        os.close(descriptor)


def _open(path: Path, setting: str) -> int:
    try:
        make_folder(path.parent)
        # Not through a link: its target would lose its content.
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, OWNER_ONLY
        )
    except OSError as error:
        # A socket cannot be opened at all, nor a device without a driver.
        reason = "it is not a plain file" if error.errno == errno.ENXIO else error.strerror
        advice = f"Let {setting} name a file in a folder that is writable."
        cause = cause_of(error.errno or 0, path)
        if cause is not None:
            reason, advice = cause.reason, cause.advice
        raise SettingsError(f"Cannot open {path}: {reason}.", advice) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SettingsError(f"{path} is not a plain file.", f"Remove it, or let {setting} name another file.")
    return descriptor


def _process_that_locks(path: Path) -> str:
    """The process that locks the file itself, if Linux reports it: `1: FLOCK ADVISORY WRITE 4711 fd:01:42 0 EOF`."""
    with suppress(OSError):
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f"process {words[4]}"
    return "its process is unknown"
