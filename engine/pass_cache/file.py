"""The file of the pass cache, beside the rows file: written whole or not at all, and private to its owner, because it holds
the home's inventory.

It is only a cache. Failing to read or write it is the same as having none, so nothing here raises; and it is not synced to
the disk, because a file torn by a power cut is recognised as damaged (`pass_cache.contents`).
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from engine.files.modes import OWNER_ONLY, check_replaceable

SUFFIX = ".cache"
# The first bytes of every cache, in each format. Any other file with the cache's name is not ours to replace.
BEGINNING = b"ha-reconcile "
_ABANDONED_SECONDS = 60.0  # no writer takes that long


class PassCacheFile:
    """The cache of the rows file at a path."""

    def __init__(self, rows: Path) -> None:
        """Accesses nothing yet. Follows links, as SQLite does."""
        self._rows = rows

    @property
    def path(self) -> Path:
        """The path of the cache."""
        return Path(f"{os.path.realpath(self._rows)}{SUFFIX}")

    def read(self, at: int, size: int) -> bytes:
        """Read up to `size` bytes of the current file from the offset `at`."""
        try:
            return self._read(at, size)
        except OSError:
            return b""

    def write(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """Replace the cache with these pieces. Also replaces the unfinished file of a killed process."""
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
        """Remove the cache."""
        with suppress(OSError):
            if self._is_free():
                self.path.unlink()

    def _read(self, at: int, size: int) -> bytes:
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not S_ISREG(status.st_mode):
                return b""
            file.seek(at)
            return file.read(max(0, min(size, status.st_size - at))) or b""

    def _is_free(self) -> bool:
        """Whether the path is free or holds a cache, even one torn by a power cut. Raises OSError."""
        try:
            start = self._read(0, len(BEGINNING))
        except FileNotFoundError:
            return True
        return BEGINNING.startswith(start) or not any(start)
