"""Restores a snapshot: replaces the content of the rows file in one transaction, and keeps the present content beside it.

The content is replaced, not the file: SQLite's journal makes that all or nothing, a program that has the
file open continues with the new content, and no log of the old file remains that could be applied to the new one.

Two things are not restored:
- the change feed continues with numbers that no client has seen. A client that resumes after a change which
  the restored file never made gets a reset, and does not mistake other changes for the ones it waits for;
- absences are forgotten. One that has ended since would confirm a delete with one look instead of two.

The outbox beside the file stays: its batches describe past events with their times.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

import apsw
import msgspec

from engine.errors import ReplicaDamaged
from engine.replicas.rows.ledger import entries, feed
from engine.replicas.rows.ledger.found import forget_found
from engine.replicas.rows.replica import NAME
from engine.replicas.rows.snapshots.backup import Content, check_content, read_snapshot, write_copy
from engine.replicas.sqlite_file.database import ApswFile

# Further than any file that started from this snapshot, even one that is lost, can have counted.
_FEED_DISTANCE = 1_000_000_000
BUSY_TIMEOUT_SECONDS = 5.0


class Restored(msgspec.Struct, frozen=True):
    """The new content of the rows file, and the path of the previous content; None if there was no file."""

    content: Content
    kept: Path | None


def restore_rows(
    snapshot: Path, rows: Path, at: float, on_step: Callable[[], None] = lambda: None
) -> Restored:
    """Replace the content of `rows` with that of `snapshot`. The caller holds the store's lock. `at` is now, Unix seconds.

    Raises ReplicaError; the rows file is then unchanged, or, if it was damaged, moved aside.
    """
    content, _ = read_snapshot(snapshot)
    try:
        kept, newest = _keep(rows, at)
        with ApswFile(NAME, snapshot).translated("read"), content:
            feed.move_feed(content, max(newest, feed.read_newest(content)) + _FEED_DISTANCE)
            entries.forget_absences(content)
            forget_found(content)
        try:
            return Restored(_replace(rows, content, on_step), kept)
        except ReplicaDamaged:
            if kept is None:
                raise
            _move_aside(rows, kept)
            return Restored(_replace(rows, content, on_step), kept)
    finally:
        content.close()


def _replace(rows: Path, content: apsw.Connection, on_step: Callable[[], None]) -> Content:
    file = ApswFile(NAME, rows, busy_timeout_seconds=BUSY_TIMEOUT_SECONDS)
    try:
        file.replace(content, on_step=on_step)
        with file.reading() as connection:
            return check_content(connection, rows)
    finally:
        file.close()


def _keep(rows: Path, at: float) -> tuple[Path | None, int]:
    """Copy the rows file beside itself. Returns the copy's path, and the newest number of its change feed."""
    if not rows.exists():
        return None, 0
    kept = _free_name(
        rows.with_name(f"{rows.name}.before-restore-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}")
    )
    file = ApswFile(NAME, rows, busy_timeout_seconds=BUSY_TIMEOUT_SECONDS)
    try:
        with file.translated("read"):
            present = file.copy()
            try:
                newest = feed.read_newest(present)
                write_copy(present, kept, is_checked=False)
            finally:
                present.close()
        return kept, newest
    except ReplicaDamaged:
        _move_aside(rows, kept)
        return kept, 0


def _free_name(path: Path) -> Path:
    """The path, or one with a number appended, so that the copy of an earlier restore in the same second stays."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(free for free in chain([path], numbered) if not free.exists())


def _move_aside(rows: Path, kept: Path) -> None:
    # The file first: SQLite discards the logs of a missing file.
    for suffix in ("", "-wal", "-shm", "-journal"):
        path = rows.with_name(rows.name + suffix)
        if path.exists():
            path.replace(kept.with_name(kept.name + suffix))
