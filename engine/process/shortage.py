"""Reports a shortage that ends a command: of memory, open files, or disk space.

A shortage is reported in a sentence instead of a traceback; any other unexpected exception is a bug of this program, and shown
in full.
"""

import errno
from pathlib import Path

from engine.files.causes import cause_of
from engine.process.offload import lacks_memory

_OF_THE_SYSTEM = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EFBIG,
    }
)


def find_shortage(error: BaseException) -> tuple[str, str] | None:
    """Message and hint; None if the error is not a shortage, or not only that."""
    if isinstance(error, BaseExceptionGroup):
        found = [find_shortage(each) for each in error.exceptions]
        return found[0] if all(found) else None
    if lacks_memory(error):
        number = errno.ENOMEM
    elif isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        number = error.errno
    else:
        return None
    name = getattr(error, "filename", None)
    cause = cause_of(number, Path(name) if isinstance(name, str) else Path.cwd() / "-")
    assert cause is not None, "each of these numbers has a cause"
    what = f"Cannot use {name}" if name else "Cannot go on"
    return (
        f"{what}: {cause.reason}.",
        f"{cause.advice} Each replica is as before or after a whole transaction.",
    )
