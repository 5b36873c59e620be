"""Resolving paths: as the system does, with fewer calls for many homes."""

import os
from pathlib import Path

import pytest

from engine.files.real_paths import real_path


@pytest.mark.parametrize(
    "path",
    ["file", "link/file", "link/..", "link/../folder/file", "broken/file", "folder/link", "no/such", "", "."],
)
def test_a_path_resolves_as_the_system_resolves_it(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to("folder/inner")
    (tmp_path / "folder" / "link").symlink_to("file")
    (tmp_path / "broken").symlink_to("nowhere")
    place = f"{tmp_path}/{path}"
    assert real_path(place, {}) == os.path.realpath(place)
