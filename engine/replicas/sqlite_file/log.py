"""The write-ahead log of a SQLite file: moved into the file so that it does not grow, and no commit has to move it.

A program that writes much moves its own log, so that an event's small commit need not do it for thousands of removed rows.
"""

import struct
from contextlib import suppress

import apsw

# A log of this length is moved into the file when there is time, and one with so much of ours at once: more than removing
# 10,000 entities writes, because a service that follows the file must check all of it after another program moved the log.
_PAGES_LONG, _PAGES_MAX = 1_000, 16_000
# Whichever program wrote it, when there is never time.
_PAGES_OF_ALL_MAX = 32_000
_PAGE_BYTES = 4096  # unless another program created the file; only used to estimate lengths
# The number of newest frames to compare with the file: content that another program copies there is older, or differs.
_COMPARED_MAX = 64
# https://sqlite.org/fileformat2.html#walformat, seen 2026-11-29: a header with the page size and two salts, then frames,
# each with a page number, the same salts and the page.
_HEADER = struct.Struct(">8xI4x8s8x")
_FRAME = struct.Struct(">I4x8s8x")
_DATABASE, _LOG = 0, 1
LONG_BYTES = _PAGES_LONG * _PAGE_BYTES


class WriteAheadLog:
    """Our connection's knowledge of the log. Not thread-safe."""

    def __init__(self) -> None:
        self._pages = 0
        self._moved_at = 0  # pages that we had written by then
        self._frames = self._moved = 0  # frames of the log at the last move, and those that were moved
        self.held_bytes = 0  # could not be moved into the file, because others read them
        self.has_changed_file = False  # not only the log

    def begin(self, log_bytes: int) -> None:
        """Note that a connection was opened and found a log of this length."""
        self._pages = 1 + log_bytes // _PAGE_BYTES if log_bytes else 0
        self._moved_at = 0

    def is_worth_moving(self, *, is_calm: bool) -> bool:
        """Whether there is something to move; unless `is_calm`, only a long log is worth it."""
        return bool(self._pages) and (is_calm or self._pages >= _PAGES_LONG)

    def is_empty(self) -> bool:
        """Whether all commits are in the file."""
        return not self._pages

    def on_commit(self, connection: apsw.Connection, _database: str, pages: int) -> int:
        """SQLite's hook after a commit: the log now has `pages` pages."""
        self._pages, self._moved = pages, 0
        ours = _pages_written(connection) - self._moved_at
        if pages >= _PAGES_OF_ALL_MAX or (pages >= _PAGES_MAX and ours >= _PAGES_MAX // 2):
            self.move(connection)
        return apsw.SQLITE_OK

    def move(self, connection: apsw.Connection) -> bool:
        """Move the log into the file; returns whether all of it is there. The rest is committed all the same."""
        self.has_changed_file = True
        pages, moved = self._pages, 0
        with suppress(apsw.Error):
            pages, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._frames, self._moved = pages, moved
        if moved == pages:
            self._moved_at = _pages_written(connection)
        self.held_bytes = (pages - moved) * connection.pragma("page_size")
        return moved == pages

    def is_in_place(self, connection: apsw.Connection) -> bool:
        """Whether the file contains the pages of the last move: another program may have overwritten them meanwhile.

        Call it before emptying the log. It reads through the connection, because closing any other handle of the file
        would release SQLite's locks.
        """
        if not self._moved:
            return True
        with suppress(apsw.Error):
            size, count = connection.pragma("page_size"), connection.pragma("page_count")
            pages = _newest_pages(connection, self._moved, self._frames)
            if not self.held_bytes:
                pages.setdefault(count, b"")  # the last page must exist
            for number, page in pages.items():
                is_there, found = connection.read("main", _DATABASE, (number - 1) * size, size)
                if number <= count and not ((is_there or self.held_bytes) and page in (found, b"")):
                    return False
            return True
        return False

    def empty(self, connection: apsw.Connection) -> None:
        """Truncate the log, unless another program is reading or writing. For a connection that does not wait.

        An empty log cannot be mistaken for the log of a file that replaces this one.
        """
        with suppress(apsw.Error):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._pages = 0


def _newest_pages(connection: apsw.Connection, moved: int, frames: int) -> dict[int, bytes]:
    """The pages in the last moved frames, by number; empty if the log was restarted since.

    A page that is also in a later frame was not moved, and is empty here.
    """
    found: dict[int, bytes] = {}
    is_whole, header = connection.read("main", _LOG, 0, _HEADER.size)
    if not is_whole or frames - moved > _PAGES_LONG:
        return found
    page_bytes, salts = _HEADER.unpack(header)
    size = _FRAME.size + page_bytes
    for index in range(frames - 1, max(-1, moved - 1 - _COMPARED_MAX), -1):
        is_whole, frame = connection.read("main", _LOG, _HEADER.size + index * size, size)
        number, salts_here = _FRAME.unpack_from(frame)
        if not is_whole or salts_here != salts:
            return {}
        found.setdefault(number, frame[_FRAME.size :] if index < moved else b"")
    return found


def _pages_written(connection: apsw.Connection) -> int:
    """The number of pages that the connection has written since it was opened."""
    return connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
