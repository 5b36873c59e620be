"""An edit that keeps a file's size and modification time."""

import os
from pathlib import Path


def edit_unseen(path: Path, content: bytes | None = None) -> None:
    """Write other content of the same length, or the same again, and set the modification time back."""
    before = path.stat()
    content = path.read_bytes() if content is None else content
    assert len(content) == before.st_size
    while (
        path.stat().st_ctime_ns == before.st_ctime_ns
    ):  # a file system's clock may tick a few hundred times a second
        with path.open("r+b") as opened:
            opened.write(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
