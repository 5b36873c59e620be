"""Homes that are paused: a file in the home's state folder, so that a command and a service in two processes agree."""

import os
from pathlib import Path

from engine.files.marker import put_marker, remove_marker

_MARKER = "paused"


def is_paused(folder: Path) -> bool:
    """Whether the home whose state is in `folder` is paused."""
    # If the folder cannot be read, the home's stores cannot be opened either; pathlib's `exists` would raise.
    return os.path.exists(folder / _MARKER)  # noqa: PTH110


def pause(folder: Path) -> bool:
    """Pause the home; False if it was already paused. Raises OSError."""
    if is_paused(folder):
        return False
    put_marker(folder / _MARKER, "To resume, remove this file or run `reconcile site resume`.\n")
    return True


def resume(folder: Path) -> bool:
    """Resume the home; False if it was not paused. Raises OSError."""
    return remove_marker(folder / _MARKER)
