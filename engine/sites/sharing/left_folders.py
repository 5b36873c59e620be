"""Folders of homes that moved to another process: kept as a cache for some days, because homes may return, and then removed.

It removes only what this process made and gave up in an orderly way, and only what can be rebuilt: no history file, no row
or table of another program, and nothing unless another process is known to keep the home in sync.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from engine.errors import EngineError, StoreHeld
from engine.files.modes import OWNER_ONLY, write_whole
from engine.files.store_lock import hold_store
from engine.pass_cache.file import SUFFIX
from engine.replicas.rows.only_ours import holds_only_ours

_MARKER = ".left"
_ROWS = "rows.db"
# The log first: beside a new rows file it would be mistaken for that file's log.
_REMOVED = (
    f"{_ROWS}-wal",
    f"{_ROWS}-shm",
    _ROWS,
    f"{_ROWS}{SUFFIX}",
    f".{_ROWS}{SUFFIX}.new",
    f"{_ROWS}.lock",
    _MARKER,
)
_LOOK_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_logger = logging.getLogger("reconcile")


def mark_left(state: Path, sites: Iterable[str]) -> None:
    """Mark these homes as given up now. A folder that cannot be marked is never removed."""
    text = b"The home moved to another process; rows.db is removed some days later (sites.keep_days).\n"
    for site in sites:
        with suppress(OSError):
            if (state / site).is_dir():
                write_whole(state / site / _MARKER, text, OWNER_ONLY)


async def keep_removing(state: Path, keep_days: float, is_kept_elsewhere: Callable[[str], bool]) -> None:
    """Remove folders of this age, until cancelled; with 0 days none.

    `is_kept_elsewhere` returns whether another process is known to keep a home in sync.
    """
    while keep_days:
        await anyio.sleep(_LOOK_SECONDS)
        before = time.time() - keep_days * _DAY_SECONDS
        for name in await anyio.to_thread.run_sync(partial(left_before, state, before)):
            if is_kept_elsewhere(name) and await anyio.to_thread.run_sync(partial(remove_left, state / name)):
                fields = {"site": name}
                _logger.info("removed the rows of a home that moved away", extra={"fields": fields})


def left_before(state: Path, before: float) -> list[str]:
    """The homes that were given up before a time (Unix seconds) and whose rows were not written since."""
    found = []
    with suppress(OSError):
        for folder in sorted(state.iterdir()):
            left_at = _changed_at(folder / _MARKER)
            if folder.is_symlink() or left_at is None or left_at > before:
                continue
            written = [_changed_at(folder / name) for name in (_ROWS, f"{_ROWS}-wal")]
            if all(at is None or at <= left_at for at in written):
                found.append(folder.name)
    return found


def remove_left(folder: Path) -> bool:
    """Remove the rows of a home if that loses nothing, and the folder if nothing else is in it."""
    rows = folder / _ROWS
    try:
        if rows.is_symlink() or (rows.exists() and not holds_only_ours(rows)):
            return False
        with hold_store(rows):
            for name in _REMOVED:
                (folder / name).unlink(missing_ok=True)
    except StoreHeld:
        return False  # the home has just returned
    except (EngineError, OSError) as error:
        fields = {"folder": str(folder), "error": str(error)}
        _logger.warning("the rows of a home that moved away cannot be removed", extra={"fields": fields})
        return False
    with suppress(OSError):
        folder.rmdir()
    return True


def _changed_at(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None
