"""The file of the pass cache, beside the rows file: whole or not there, and its owner's alone, because it holds the home's inventory.

It is only a cache. What cannot be read or written is as good as no cache, so nothing here raises; and it is not synced to the disk,
because a file that a power cut tore is not taken for one (`core.cache`).
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from engine.files.modes import OWNER_ONLY, check_replaceable

SUFFIX = ".cache"
# What every cache begins with, in each of its forms. Something else that is called like a cache is not ours to replace.
BEGINNING = b"ha-reconcile "
_ABANDONED_SECONDS = 60.0  # no writer takes that long


class PassCacheFile:
    """The cache of the rows file at a path."""

    def __init__(self, rows: Path) -> None:
        """Nothing is looked at yet. A link is followed, as SQLite does."""
        self._rows = rows

    @property
    def path(self) -> Path:
        """Where the cache is."""
        return Path(f"{os.path.realpath(self._rows)}{SUFFIX}")

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from a place on of what is there now; fewer where there are no more."""
        try:
            return self._read(at, size)
        except OSError:
            return b""

    def write(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """Keep this, one piece behind the other, in place of it. An unfinished file of a process that was killed is replaced, too."""
        with suppress(OSError):
            path = self.path
            unfinished = path.with_name(f".{path.name}.new")
            check_replaceable(path)
            if not self._is_free():
                return
            with suppress(FileNotFoundError):
                if time.time() - unfinished.lstat().st_mtime > _ABANDONED_SECONDS:
                    unfinished.unlink()
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWNER_ONLY)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines(pieces)
                    os.fchmod(descriptor, OWNER_ONLY)
                unfinished.replace(path)
            except BaseException:
                with suppress(OSError):
                    unfinished.unlink()
                raise

    def remove(self) -> None:
        """Keep nothing."""
        with suppress(OSError):
            if self._is_free():
                self.path.unlink()

    def _read(self, at: int, size: int) -> bytes:
        # Without O_NONBLOCK the opening itself would wait for the writer of what is not a plain file.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not S_ISREG(status.st_mode):
                return b""
            file.seek(at)
            return file.read(max(0, min(size, status.st_size - at))) or b""

    def _is_free(self) -> bool:
        """Whether nothing is there, or a cache, be it one that a power cut tore. Raises OSError."""
        try:
            start = self._read(0, len(BEGINNING))
        except FileNotFoundError:
            return True
        return BEGINNING.startswith(start) or not any(start)
