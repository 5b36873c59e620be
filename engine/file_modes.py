"""Files and folders that we make: whole or not there, and open to those whom they are for, whatever the umask.

What holds the home's inventory is its owner's alone (0600). A folder may be entered by others, never written to.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600
FOR_ALL_TO_READ = 0o644
_FOLDER = 0o755


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises OSError."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER, exist_ok=True)


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Put a file of this content and mode at `path` in one step. Raises OSError; an older file then stays as it was.

    A link that stands there is replaced, never followed; nobody can guess the name of the unfinished file.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
