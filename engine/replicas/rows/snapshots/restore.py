"""Putting a snapshot back: the rows file becomes what it was, in one transaction; what it is now is kept beside it.

The content is replaced, not the file: SQLite's own journal makes that whole or nothing, a program that has the
file open continues with the new content, and no log of the old file is left to be applied to the new one.

Two things are not taken over as they were:
- the change feed continues with numbers that no client has seen. A client that resumes behind a change which
  the restored file never made gets a reset, and does not take other changes for those it waits for;
- what was missed is forgotten. An absence that was over since would confirm a delete with one look instead of two.

The outbox beside the file stays: its batches say what happened, at the time it happened.
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

# Further than any file that began as this snapshot can have come, be it lost by now.
_FEED_DISTANCE = 1_000_000_000
BUSY_TIMEOUT_SECONDS = 5.0


class Restored(msgspec.Struct, frozen=True):
    """What the rows file holds now, and where what it held is; None when there was no file."""

    content: Content
    kept: Path | None


def restore_rows(
    snapshot: Path, rows: Path, at: float, on_step: Callable[[], None] = lambda: None
) -> Restored:
    """Make `rows` hold what `snapshot` holds. Hold the store's lock. `at` is now, in Unix seconds.

    Raises ReplicaError; the rows file is then as it was, or, when it was damaged, moved to where it is kept.
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
    """Copy the rows file beside itself. Returns where, and the newest number of its change feed."""
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
    """The path, or with a number behind it: what an earlier restore of the same second kept stays."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(free for free in chain([path], numbered) if not free.exists())


def _move_aside(rows: Path, kept: Path) -> None:
    # The file first: SQLite discards the logs of a file that is not there.
    for suffix in ("", "-wal", "-shm", "-journal"):
        path = rows.with_name(rows.name + suffix)
        if path.exists():
            path.replace(kept.with_name(kept.name + suffix))
