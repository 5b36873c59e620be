"""What the system reports of a file that changes whenever the file does, without reading it. It only reads.

Programs can set the modification time of a file, and a copy can keep it, but none can set the time of its last
status change.
"""

import os
from pathlib import Path
from typing import NamedTuple


class Signature(NamedTuple):
    """The facts about one file; only whether two are equal means something."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def signature_of(path: Path | str) -> Signature | None:
    """The signature of the file at a path, following links; None if there is none. Raises other OSErrors."""
    try:
        status = os.stat(path)  # noqa: PTH116 (of thousands of files, and a Path costs as much as the question)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
