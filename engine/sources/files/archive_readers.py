"""Files that an archive is read from: one that bounds what is read at a time, one that only goes forward.

Neither knows what an archive is. Both offer what tarfile needs: read, seek, tell.
"""

import io
from pathlib import Path
from typing import IO, Protocol

from engine.errors import SourceInvalid

READ_BYTES_MAX = 16 * 2**20  # one read of an archive; longer ones are headers that lie about their size
_CHUNK_BYTES = 2**20
_KEPT_BYTES = 1024  # tarfile goes back by one byte, to see that a member is there to its end


class Readable(Protocol):
    """What can be read on."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class BoundedReader(io.RawIOBase):
    """A file that gives out at most so much at a time, and remembers what it gave out last."""

    def __init__(self, opened: "IO[bytes] | ForwardReader", file: Path) -> None:
        """`file` is named in errors."""
        super().__init__()
        self._opened = opened
        self._file = file
        self.last_read = b""

    def seekable(self) -> bool:
        """As tarfile needs it."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises SourceInvalid when that is too much to be meant."""
        if not 0 <= size <= READ_BYTES_MAX:
            raise SourceInvalid(
                f"{self._file} has a header of {size} bytes: damaged, or not a backup.",
                "Make another backup.",
            )
        self.last_read = self._opened.read(size)
        return self.last_read

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to another place."""
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._opened.tell()


class ForwardReader:
    """A file of which nothing is read twice: what was unpacked or decrypted would have to be so from the beginning.

    Going forward reads what is between; going back works as far as a tar's last block.
    """

    def __init__(self, opened: Readable) -> None:
        """It is at its beginning."""
        self._opened = opened
        self._at = 0  # up to where the file was read
        self._kept = b""  # what was read last
        self._back = 0  # how far before that the next read begins

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
        """Go to a place counted from the beginning. Raises ValueError when it lies too far back."""
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
        """Where the next read begins."""
        return self._at - self._back
