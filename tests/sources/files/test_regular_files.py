"""Only regular files are read, even if a folder has something else under a file's name."""

import errno
import os
import tracemalloc
from pathlib import Path

import pytest

from engine.sources.files.regular_files import (
    FILE_BYTES_MAX,
    open_regular_file,
    read_regular_file,
    reading_failed,
)


def test_content_and_time_of_a_plain_file_are_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    os.utime(tmp_path / "file", (5.0, 7.5))
    (tmp_path / "link").symlink_to("file")

    assert read_regular_file(tmp_path / "link", 7) == (b"content", 7.5)


def test_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with pytest.raises(OSError, match="larger than 6 bytes"):
        read_regular_file(tmp_path / "file", 6)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)  # without a writer, a plain open would wait forever
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()

    with pytest.raises(OSError, match=r"not a plain file|Is a directory"):
        open_regular_file(path)


def test_a_name_that_no_file_can_have_is_an_os_error() -> None:
    with pytest.raises(OSError, match="NUL"):
        open_regular_file(Path("a\0b"))


def test_a_short_file_takes_no_more_memory_than_it_holds(tmp_path: Path) -> None:
    """What may be read is 512 MiB, and a service may have less."""
    (tmp_path / "file").write_bytes(b"content")
    tracemalloc.start()
    try:
        read_regular_file(tmp_path / "file", FILE_BYTES_MAX)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_a_file_with_an_unreliable_size_is_read_whole() -> None:
    content, _ = read_regular_file(Path("/proc/self/mounts"), FILE_BYTES_MAX)
    assert len(content) > 1


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (
            OSError(errno.EMFILE, "Too many open files", "/home/x"),
            "Reading /home/x failed: this process may not open another file.",
        ),
        (
            OSError(errno.EBUSY, "Device or resource busy"),
            "Reading capture:/home failed: Device or resource busy.",
        ),
    ],
)
def test_a_file_that_the_system_cannot_read_is_retried(error: OSError, reported: str) -> None:
    found = reading_failed("capture:/home", error)
    assert found.transient
    assert found.message == reported
