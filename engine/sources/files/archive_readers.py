"""File objects for reading an archive: one limits the size of a read, one only moves forward.

Neither knows the archive's format. Both have the methods that tarfile needs: read, seek, tell.
"""

import io
from pathlib import Path
from typing import IO, Protocol

from engine.errors import SourceInvalid

READ_BYTES_MAX = 16 * 2**20  # one read of an archive; a longer one comes from a header with a false size
_CHUNK_BYTES = 2**20
_KEPT_BYTES = 1024  # tarfile goes back one byte to check that a member is complete


class Readable(Protocol):
    """Something that can be read sequentially."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class BoundedReader(io.RawIOBase):
    """A file that limits the size of each read, and keeps the bytes it returned last."""

    def __init__(self, opened: "IO[bytes] | ForwardReader", file: Path) -> None:
        """`file` is named in errors."""
        super().__init__()
        self._opened = opened
        self._file = file
        self.last_read = b""

    def seekable(self) -> bool:
        """True, as tarfile requires."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises SourceInvalid when `size` is implausibly large."""
        if not 0 <= size <= READ_BYTES_MAX:
            raise SourceInvalid(
                f"{self._file} has a header of {size} bytes: damaged, or not a backup.",
                "Make another backup.",
            )
        self.last_read = self._opened.read(size)
        return self.last_read

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to another position."""
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._opened.tell()


class ForwardReader:
    """A file that is read only once, because reading it again would unpack or decrypt it from the beginning.

    Seeking forward reads the bytes in between; seeking back reaches as far as a tar's last block.
    """

    def __init__(self, opened: Readable) -> None:
        """Start at the beginning."""
        self._opened = opened
        self._at = 0  # the position up to which the file was read
        self._kept = b""  # the bytes read last
        self._back = 0  # how many bytes before `_at` the next read begins

    def read(self, size: int) -> bytes:
        """The next bytes; fewer than `size` only at the end."""
        again = self._kept[len(self._kept) - self._back :][:size]
        self._back -= len(again)
        parts, missing = [again], size - len(again)
        while missing > 0 and (data := self._opened.read(missing)):
            parts.append(data)
            missing -= len(data)
            self._at += len(data)
            self._kept = (
                (self._kept + data)[-_KEPT_BYTES:] if len(data) < _KEPT_BYTES else data[-_KEPT_BYTES:]
            )
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position counted from the beginning. Raises ValueError when it is too far back."""
        if whence != io.SEEK_SET or offset < self._at - len(self._kept):
            raise ValueError("it cannot be read backwards")
        if offset <= self._at:
            self._back = self._at - offset
            return offset
        self._back = 0
        while self._at < offset and self.read(min(offset - self._at, _CHUNK_BYTES)):
            pass
        return self._at

    def tell(self) -> int:
        """The position of the next read."""
        return self._at - self._back
