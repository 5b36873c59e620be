"""Creates the program's files and folders: whole or not at all, and with fixed access rights, whatever the umask.

Files with the home's inventory are private to their owner (0600). Other users may enter a folder, but never write to it.
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
    """Create a folder and its missing parents. Raises OSError."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER, exist_ok=True)


def kind_of(mode: int) -> str:
    """The name, for users, of the kind of file that has this mode and is not a plain file."""
    return next((name for is_it, name in _KINDS if is_it(mode)), "something else")


def check_replaceable(path: Path) -> None:
    """Raises OSError if the path holds anything other than a file or a link to one."""
    try:
        mode = path.lstat().st_mode
        if S_ISLNK(mode):  # such as /dev/stdout
            mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not S_ISREG(mode):
        raise OSError(0, f"it is {kind_of(mode)} and not a plain file")


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write a file with this content and mode to `path` in one step. Raises OSError; an older file then stays unchanged.

    A link at the path is replaced, never followed; the name of the temporary file cannot be guessed.
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
