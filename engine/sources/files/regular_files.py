"""Opens the files of a home: only regular ones, and no larger than a registry can be.

A folder may hold anything: a FIFO would block the reader forever, a device would fill the
memory. Anything but a regular file is refused like a file that could not be opened.
"""

import errno
import os
import stat
from pathlib import Path
from typing import IO

from engine.errors import SourceUnavailable
from engine.files.causes import cause_of

FILE_BYTES_MAX = 512 * 2**20  # 27 MB for 20,000 entities and as many deleted ones


def open_regular_file(path: Path) -> IO[bytes]:
    """The file, opened for reading. Raises OSError, also when it is not a regular file."""
    try:
        # Without O_NONBLOCK, open() itself would wait for a FIFO's writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "its name holds a NUL character", str(path)) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular_file(path: Path, bytes_max: int) -> tuple[bytes, float]:
    """(content, Unix seconds of its last change). Raises OSError, also when it holds more than `bytes_max`."""
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        # Not `bytes_max`: read() allocates its argument, however short the file is.
        content = file.read(status.st_size + 1) if status.st_size <= bytes_max else b""
        if len(content) > status.st_size:  # it is growing
            content += file.read(bytes_max + 1 - len(content))
        if max(status.st_size, len(content)) > bytes_max:
            raise OSError(errno.EFBIG, f"it is larger than {bytes_max} bytes", str(path))
        return content, status.st_mtime


def reading_failed(what: str, error: OSError) -> SourceUnavailable:
    """The error for a file that the system would not read; `what` names it if the system's error does not."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    cause = cause_of(error.errno or 0, path or Path(what))
    reason = cause.reason if cause else error.strerror or error
    return SourceUnavailable(f"Reading {path or what} failed: {reason}.", cause.advice if cause else "")
