"""Files and folders that we make: whole or not there, and open to those whom they are for, whatever the umask.

What holds the home's inventory is its owner's alone (0600). A folder may be entered by others, never written to.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG, S_ISSOCK

OWNER_ONLY = 0o600
FOR_ALL_TO_READ = 0o644
_FOLDER = 0o755
_KINDS = (
    (S_ISDIR, "a folder"),
    (S_ISFIFO, "a named pipe"),
    (S_ISSOCK, "a socket"),
    (S_ISCHR, "a device"),
    (S_ISBLK, "a device"),
)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises OSError."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER, exist_ok=True)


def kind_of(mode: int) -> str:
    """What a mode is of that is not a plain file, as a person would call it."""
    return next((name for is_it, name in _KINDS if is_it(mode)), "something else")


def check_replaceable(path: Path) -> None:
    """Raises OSError when something else than a file, or a link to one, stands where a file is to be put."""
    try:
        mode = path.lstat().st_mode
        if S_ISLNK(mode):  # such as /dev/stdout
            mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not S_ISREG(mode):
        raise OSError(0, f"it is {kind_of(mode)} and not a plain file")


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Put a file of this content and mode at `path` in one step. Raises OSError; an older file then stays as it was.

    A link at the path is replaced, never followed; the name of the unfinished file cannot be guessed.
    """
    check_replaceable(path)
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
