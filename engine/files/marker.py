"""Files that say something by being there, so that a command and a service in two processes agree."""

from pathlib import Path

from engine.files.modes import OWNER_ONLY, make_folder, write_whole


def put_marker(path: Path, text: str) -> None:
    """Make the file, and its folder where there is none. `text` says to people how to undo it. Raises OSError."""
    make_folder(path.parent)
    write_whole(path, text.encode(), OWNER_ONLY)


def remove_marker(path: Path) -> bool:
    """Remove the file; False when it was not there. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
