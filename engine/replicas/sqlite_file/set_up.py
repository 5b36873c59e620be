"""What every connection of ours to a SQLite file is set to: how it waits, what it remembers, that it may only read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from engine.replicas.sqlite_file.log import LONG_BYTES

# How long to wait before a lock is retried. SQLite's own pauses grow to 100 ms, which an event would wait behind a
# large transaction of another program's that has ended.
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.001, 0.005

# What a transaction of thousands of rows may remember. With less, pages that are not done with are written to the log, and
# read again, several times, while every other program waits.
_ROOM_KIB = 32_768


def set_up(
    connection: apsw.Connection, *, busy_timeout_ms: int, cache_kib: int | None, is_read_only: bool
) -> None:
    """Set what does not outlive a connection."""
    wait_when_busy(connection, busy_timeout_ms)
    if cache_kib is not None:
        connection.pragma("cache_size", -cache_kib)  # below zero it is KiB and not pages
    # FULL: a commit is on the disk when apply() returns, so that sequence numbers a reader of the change
    # feed has seen are never given out again after a power cut. It costs one sync per pass that writes.
    connection.pragma("synchronous", "FULL")
    # OFF: deleting a device must not take along (ON DELETE CASCADE) entities for whose absence there is
    # no evidence yet, and other programs' rows may point to devices that Home Assistant does not have.
    connection.pragma("foreign_keys", False)
    # A log that grew while others read is cut again when it is used from its beginning.
    connection.pragma("journal_size_limit", LONG_BYTES)
    # Twice, because a reader must not be able to write, whatever a statement says.
    connection.pragma("query_only", is_read_only)


def roll_back(connection: apsw.Connection) -> None:
    """End a transaction that may still be open: SQLite has already rolled back on its own after some errors, such as a full disk."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextmanager
def with_room(connection: apsw.Connection, kib: int = _ROOM_KIB) -> Iterator[None]:
    """Let the connection remember more pages in the block, for many writes within a transaction; the commit frees them."""
    size = connection.pragma("cache_size")
    connection.pragma("cache_size", -kib)
    try:
        yield
    finally:
        connection.pragma("cache_size", size)


def wait_when_busy(connection: apsw.Connection, timeout_ms: int) -> None:
    """Have the connection wait that long for locks of others, and notice soon when they are gone."""
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
