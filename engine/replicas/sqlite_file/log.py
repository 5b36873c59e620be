"""The write-ahead log of a SQLite file: moved into the file so that it does not grow, and no commit has to do it.

Who writes much moves it, so that an event's small commit does not do it for another program that removed thousands of rows.
"""

from contextlib import suppress

import apsw

# A log of this length is moved into the file when there is time, and one with so much of ours at once: more than 10,000
# removed entities write, because a service that follows the file has to check all of it when others moved their log.
_PAGES_LONG, _PAGES_MAX = 1_000, 16_000
# Regardless of who wrote it, where there is never time.
_PAGES_OF_ALL_MAX = 32_000
_PAGE_BYTES = 4096  # of a page, unless another program made the file; used to judge lengths only
LONG_BYTES = _PAGES_LONG * _PAGE_BYTES


class WriteAheadLog:
    """What our connection knows of the log. Not for several threads at a time."""

    def __init__(self) -> None:
        self._pages = 0
        self._moved_at = 0  # how many pages we had written
        self.held_bytes = 0  # what could not be moved from the log into the file, because others read it
        self.has_changed_file = False  # not only the log

    def begin(self, log_bytes: int) -> None:
        """A connection was opened and found a log of this length."""
        self._pages = 1 + log_bytes // _PAGE_BYTES if log_bytes else 0
        self._moved_at = 0

    def is_worth_moving(self, *, is_calm: bool) -> bool:
        """Whether there is something to be moved; unless it `is_calm`, only a long log is worth it."""
        return bool(self._pages) and (is_calm or self._pages >= _PAGES_LONG)

    def is_empty(self) -> bool:
        """Whether all that was committed is in the file."""
        return not self._pages

    def on_commit(self, connection: apsw.Connection, _database: str, pages: int) -> int:
        """SQLite's hook after a commit: the log has so many pages now."""
        self._pages = pages
        ours = _pages_written(connection) - self._moved_at
        if pages >= _PAGES_OF_ALL_MAX or (pages >= _PAGES_MAX and ours >= _PAGES_MAX // 2):
            self.move(connection)
        return apsw.SQLITE_OK

    def move(self, connection: apsw.Connection) -> bool:
        """Whether all of the log is in the file now. What is not, is committed all the same."""
        self.has_changed_file = True
        pages, moved = self._pages, 0
        with suppress(apsw.Error):
            pages, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if moved == pages:
            self._moved_at = _pages_written(connection)
        self.held_bytes = (pages - moved) * connection.pragma("page_size")
        return moved == pages

    def empty(self, connection: apsw.Connection) -> None:
        """Cut the log to nothing, unless another program reads or writes just now. For a connection that does not wait.

        An empty log cannot be taken for that of another file which is put in the place of this one.
        """
        with suppress(apsw.Error):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._pages = 0


def _pages_written(connection: apsw.Connection) -> int:
    """How many pages the connection wrote since it was opened."""
    return connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
