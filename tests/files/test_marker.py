"""A marker is there from `put_marker` to `remove_marker`, and only its owner may read it."""

from pathlib import Path

from engine.files.marker import put_marker, remove_marker
from engine.files.modes import OWNER_ONLY


def test_a_marker_is_put_in_a_folder_that_is_made_and_removed_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "paused"
    assert not remove_marker(path)
    put_marker(path, "Remove it.\n")
    assert path.read_text() == "Remove it.\n"
    assert path.stat().st_mode & 0o777 == OWNER_ONLY
    assert remove_marker(path)
    assert not path.exists()
    assert not remove_marker(path)
