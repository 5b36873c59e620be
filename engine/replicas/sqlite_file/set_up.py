"""Sets up our connections to a SQLite file: waiting for locks, cache size, durability, read-only access."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from engine.replicas.sqlite_file.log import LONG_BYTES

# The pause before a lock is retried. SQLite's own pauses grow to 100 ms, and an event would wait
# that long after the end of another program's large transaction.
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.001, 0.005

# The cache for a transaction of thousands of rows. With less, unfinished pages are written to the log, and
# read again, several times, while every other program waits.
_ROOM_KIB = 32_768


def set_up(
    connection: apsw.Connection, *, busy_timeout_ms: int, cache_kib: int | None, is_read_only: bool
) -> None:
    """Set the options that are not stored in the file."""
    wait_when_busy(connection, busy_timeout_ms)
    if cache_kib is not None:
        connection.pragma("cache_size", -cache_kib)  # negative means KiB instead of pages
    # FULL: a commit is on the disk when apply() returns, so that sequence numbers that a reader of the change
    # feed has seen are never reused after a power cut. It costs one sync per pass that writes.
    connection.pragma("synchronous", "FULL")
    # OFF: deleting a device must not delete entities too (ON DELETE CASCADE) whose absence is not proven
    # yet, and other programs' rows may refer to devices that Home Assistant does not have.
    connection.pragma("foreign_keys", False)
    # A log that grew while others read is truncated when it is next used from its beginning.
    connection.pragma("journal_size_limit", LONG_BYTES)
    # Twice, because a reader must not be able to write with any statement.
    connection.pragma("query_only", is_read_only)


def roll_back(connection: apsw.Connection) -> None:
    """End a transaction that may still be open: SQLite has already rolled back on its own after some errors, such as a full disk."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextmanager
def with_room(connection: apsw.Connection, kib: int = _ROOM_KIB) -> Iterator[None]:
    """Let the connection cache more pages in the block, for many writes within a transaction; the commit frees them."""
    size = connection.pragma("cache_size")
    connection.pragma("cache_size", -kib)
    try:
        yield
    finally:
        connection.pragma("cache_size", size)


def wait_when_busy(connection: apsw.Connection, timeout_ms: int) -> None:
    """Make the connection wait up to `timeout_ms` for other programs' locks, with short pauses between attempts."""
    began_at = 0.0

    def wait(tries: int) -> bool:
        nonlocal began_at
        now = time.monotonic()
        if not tries:
            began_at = now
        if (now - began_at) * 1000 >= timeout_ms:
            return False
        time.sleep(min(_PAUSE_SECONDS_MIN * (tries + 1), _PAUSE_SECONDS_MAX))
        return True

    connection.set_busy_handler(wait)
