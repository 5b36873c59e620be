"""A disk under SQLite that counts writes and kills the process at one of them.

Everything that `reconcile` keeps is in SQLite files, so a kill between two file operations leaves one of as many
states on the disk as there are operations, and a kill in the middle of a write leaves part of it. The number of an
operation is therefore every instant that differs; what lies between (an index in shared memory) is left to kills
by time.
"""

import os
import signal

import apsw

_BASE = "unix"


class CrashDisk(apsw.VFS):
    """Made the default of this process. Kills it before operation `crash_at` (from 1), or, `is_torn`, in its middle."""

    def __init__(self, crash_at: int | None, *, is_torn: bool = False) -> None:
        super().__init__("crash", _BASE, makedefault=True)
        self.operations = 0
        self._crash_at = crash_at
        self._is_torn = is_torn

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _CrashFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.count()
        super().xDelete(filename, syncdir)

    def count(self) -> bool:
        """Count an operation that is about to be done; returns whether it is to be torn."""
        self.operations += 1
        is_last = self.operations == self._crash_at
        if is_last and not self._is_torn:
            kill()
        return is_last


class _CrashFile(apsw.VFSFile):
    def __init__(self, disk: CrashDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(_BASE, name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self._disk.count():
            super().xWrite(bytes(data)[: len(data) // 2], offset)
            kill()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.count():
            kill()
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self._disk.count():
            kill()
        super().xTruncate(newsize)


def kill() -> None:
    """End this process as `kill -9` does: nothing of it runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)
