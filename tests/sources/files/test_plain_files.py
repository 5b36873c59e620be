"""Only plain files are read, whatever stands in a folder under the name of one."""

import os
from pathlib import Path

import pytest

from engine.sources.files.plain_files import open_plain, read_plain


def test_content_and_time_of_a_plain_file_are_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    os.utime(tmp_path / "file", (5.0, 7.5))
    (tmp_path / "link").symlink_to("file")

    assert read_plain(tmp_path / "link", 7) == (b"content", 7.5)


def test_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    with pytest.raises(OSError, match="larger than 6 bytes"):
        read_plain(tmp_path / "file", 6)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)  # nobody writes to it: a plain open would wait for ever
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()

    with pytest.raises(OSError, match=r"no plain file|Is a directory"):
        open_plain(path)


def test_a_name_that_no_file_can_have_is_an_os_error() -> None:
    with pytest.raises(OSError, match="NUL"):
        open_plain(Path("a\0b"))
