"""Marker files, whose existence is the message: a command and a service in two processes agree through them."""

from pathlib import Path

from engine.files.modes import OWNER_ONLY, make_folder, write_whole


def put_marker(path: Path, text: str) -> None:
    """Create the file, and its folder if missing. `text` tells users how to undo it. Raises OSError."""
    make_folder(path.parent)
    write_whole(path, text.encode(), OWNER_ONLY)


def remove_marker(path: Path) -> bool:
    """Remove the file; False if it did not exist. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
