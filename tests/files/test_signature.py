"""A file's signature changes with the file, whatever another program does to its times."""

import os
from pathlib import Path

import pytest

from engine.files.signature import signature_of
from tests.files.unseen_edits import edit_unseen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    os.utime(path, ns=(1, 1))
    return path


def test_an_edit_that_keeps_size_and_modification_time_changes_it(file: Path) -> None:
    before = signature_of(file)
    edit_unseen(file, b"behind")

    assert signature_of(file) != before


def test_another_file_with_the_same_size_and_modification_time_changes_it(file: Path) -> None:
    before = signature_of(file)
    new = file.with_name("new")
    new.write_bytes(b"behind")
    os.utime(new, ns=(1, 1))
    new.replace(file)

    assert signature_of(file) != before


def test_an_earlier_modification_time_changes_it(file: Path) -> None:
    before = signature_of(file)
    os.utime(file, ns=(0, 0))

    assert signature_of(file) != before


def test_a_link_has_the_signature_of_the_file_it_leads_to(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"before")
    link = tmp_path / "link"
    link.symlink_to(file)
    assert signature_of(link) == signature_of(file)

    link.unlink()
    link.symlink_to(other)

    assert signature_of(link) == signature_of(other) != signature_of(file)


def test_an_unchanged_file_keeps_it_and_an_absent_one_has_none(file: Path) -> None:
    assert signature_of(file) == signature_of(file)
    assert signature_of(file.with_name("absent")) is None
    assert signature_of(file / "below") is None
