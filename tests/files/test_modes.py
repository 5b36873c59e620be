"""Whole files and folders of a known mode, under any umask, and through no link."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.files.modes import FOR_ALL_TO_READ, OWNER_ONLY, make_folder, write_whole


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_are_never_open_for_others_to_write(tmp_path: Path, umask: int) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert {mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")} == {0o755 & ~umask}


def test_a_file_where_a_folder_belongs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")


@pytest.mark.parametrize("mode", [OWNER_ONLY, FOR_ALL_TO_READ])
def test_a_file_has_the_mode_it_is_given(tmp_path: Path, umask: int, mode: int) -> None:
    (tmp_path / "file").write_text("old")
    write_whole(tmp_path / "file", b"new", mode)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert mode_of(tmp_path / "file") == mode, f"under the umask {umask:03o}"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "file").symlink_to("victim")
    write_whole(tmp_path / "file", b"new", OWNER_ONLY)
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


def test_after_a_failure_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"new", OWNER_ONLY)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, link_to_a_device], ids=["pipe", "folder", "device"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "it"
    make(path)
    before = path.lstat().st_mode
    with pytest.raises(OSError, match="not a plain file"):
        write_whole(path, b"content", FOR_ALL_TO_READ)
    assert path.lstat().st_mode == before
    assert list(tmp_path.iterdir()) == [path]
