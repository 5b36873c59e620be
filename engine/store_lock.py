"""One service per store: the second one is refused, by the first one's name.

A lock file beside the rows file holds the process that keeps it. The lock belongs to the open file, so it ends
with the process however that ends; the file itself stays and means nothing.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import SettingsError, StoreHeld
from engine.file_modes import OWNER_ONLY, make_folder


@contextmanager
def hold_store(rows: Path) -> Iterator[None]:
    """Hold the store for this process while the block runs. Raises StoreHeld when another process does, or SettingsError."""
    path = rows.with_name(f"{rows.name}.lock")
    try:
        make_folder(path.parent)
        # Not through a link: what it leads to would lose its content.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_ONLY)
    except OSError as error:
        raise SettingsError(
            f"Cannot open {path}: {error.strerror}.",
            "Let rows.file name a file in a folder that is writable.",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SettingsError(f"{path} is no plain file.", "Remove it, or let rows.file name another file.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode("ascii", "replace").strip()
            raise StoreHeld(
                f"Another service keeps {rows} already ({holder or 'its process is unknown'}).",
                "Stop that one, or let rows.file name another file.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
