"""A home is paused by a mark in its state folder."""

from pathlib import Path

from engine.sites.pauses import is_paused, pause, resume


def test_a_home_is_paused_and_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "home"
    assert not is_paused(folder)
    assert pause(folder)
    assert not pause(folder)
    assert is_paused(folder)
    assert resume(folder)
    assert not resume(folder)
    assert not is_paused(folder)
