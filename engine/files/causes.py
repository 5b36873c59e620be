"""Shortages that make file access fail (space, memory, descriptors, a writable disk): the reason in words, and
what to change. All of them may pass without any change to the file itself, so retrying makes sense.

The system's error number is the best evidence. If a library hides it, the folder is tested: an unnamed file is
created in it, which leaves no trace. The file itself is never opened, because closing it would release the locks
that others in this process hold on it.
"""

import errno
import os
from pathlib import Path
from typing import NamedTuple


class FileFault(NamedTuple):
    """A shortage: `reason` completes "Cannot write FILE: ", `advice` is a sentence."""

    reason: str
    advice: str


def cause_of(number: int, path: Path) -> FileFault | None:
    """The meaning of the system's error number for the file at `path`; None if it is not such a shortage."""
    if number == errno.ENOSPC and _is_out_of_inodes(path.parent):
        return FileFault(
            "its disk has no room for another file (no inode is free)",
            f"Remove files from the disk of {path} (`df -i` counts them).",
        )
    found = {
        errno.ENOSPC: ("the disk is full", f"Make room on the disk of {path}."),
        errno.EDQUOT: (
            "this user's quota of the disk is used up",
            "Make room there, or raise the quota.",
        ),
        errno.EFBIG: (
            "it has reached the largest size that a file may have",
            "Raise the limit on the size of files (`ulimit -f`, LimitFSIZE=), or use another file system.",
        ),
        errno.EROFS: (
            "its disk is mounted read-only",
            f"Mount the disk of {path} writable again; if an error of the disk made it read-only, check it first.",
        ),
        errno.EIO: (
            "the disk does not answer (I/O error)",
            "Look for errors of the disk in the system's log.",
        ),
        errno.EMFILE: (
            "this process may not open another file",
            "Raise the number of files that it may open (`ulimit -n`, LimitNOFILE=).",
        ),
        errno.ENFILE: (
            "the system has no file left to open",
            "Raise fs.file-max, or end what opens so many files.",
        ),
        errno.ENOMEM: ("there is not enough memory", "Give this process or machine more memory."),
    }.get(number)
    return FileFault(*found) if found is not None else None


def find_number(path: Path) -> int:
    """The error number of the shortage that prevents writing beside `path`; 0 if there is none, or it is unknown."""
    try:
        os.close(
            os.open(path.parent, os.O_RDWR | getattr(os, "O_TMPFILE", os.O_DIRECTORY) | os.O_CLOEXEC, 0o600)
        )
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return error.errno or 0
    try:
        disk = os.statvfs(path.parent)
        if disk.f_flag & os.ST_RDONLY:
            return errno.EROFS
        if disk.f_bavail == 0 or _is_out_of_inodes(path.parent):
            return errno.ENOSPC
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            return errno.EACCES
    except OSError as error:
        return error.errno or 0
    return 0


def _is_out_of_inodes(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    # File systems without an inode table report 0 of 0.
    return disk.f_files > 0 and disk.f_favail == 0
