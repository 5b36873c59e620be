"""A file system of a test's own: small enough to be filled, and mounted read-only at will. Where none may be mounted, the test is skipped."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Take all the room there is."""
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            for size in (65_536, 4_096, 512):
                while True:
                    try:
                        if filler.write(b"x" * size) < size:
                            break
                    except OSError:
                        break

    def take_inodes(self) -> None:
        """Take every inode there is."""
        (self.folder / "many").mkdir()
        try:
            for number in range(1_000_000):
                (self.folder / "many" / str(number)).touch()
        except OSError:
            return

    def make_room(self) -> None:
        """Give back what was taken."""
        (self.folder / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "many", ignore_errors=True)

    def remount(self, how: str) -> None:
        """`ro` or `rw`; no process may have a file open for writing."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[SmallDisk]:
    """A tmpfs with these mount options at a folder that is made."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
    if made.returncode:
        pytest.skip("optional: no permission to mount a small file system")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
