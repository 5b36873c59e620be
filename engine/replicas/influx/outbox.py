"""The outbox: a file of batches that must reach a replica even if this process dies first.

A batch is saved before it is first sent and dropped once it has been read back. Its bytes contain their times, so
sending it twice stores it once. Bounded: a store that was away for long is brought up to date by comparison, not from here.
"""

from pathlib import Path

import apsw

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.sqlite_file.database import ApswFile
from engine.replicas.sqlite_file.tables import OUTBOX, check_kind, has_table

SCHEMA_VERSION = 0  # SQLite's user_version: a program that creates a different table sets a different one
BYTES_MAX = 64 * 1024 * 1024

_TABLE = """CREATE TABLE IF NOT EXISTS reconcile_outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, replica TEXT NOT NULL, body BLOB NOT NULL)"""


class SqliteOutbox:
    """An `Outbox` in a SQLite file, on a connection of its own. One thread at a time."""

    def __init__(self, file: ApswFile, *, bytes_max: int = BYTES_MAX) -> None:
        self._file = file
        self._bytes_max = bytes_max

    def put(self, replica: str, body: bytes) -> int:
        """Save a batch durably; returns its number. Raises ReplicaError, ReplicaUnavailable when full."""
        with self._file.writing() as connection:
            _check(connection, replica)
            connection.execute(_TABLE)
            [(held,)] = connection.execute("SELECT coalesce(sum(length(body)), 0) FROM reconcile_outbox")
            if held + len(body) > self._bytes_max:
                raise ReplicaUnavailable(
                    replica,
                    f"The outbox in {self._file.path} holds {held} bytes and may hold {self._bytes_max}.",
                    "Bring the unreachable store back, or raise records.outbox_bytes_max.",
                )
            connection.execute("INSERT INTO reconcile_outbox (replica, body) VALUES (?, ?)", (replica, body))
            return connection.last_insert_rowid()

    def pending(self, replica: str) -> list[tuple[int, bytes]]:
        """Batches not yet dropped, oldest first. Raises ReplicaError."""
        with self._file.reading() as connection:
            _check(connection, replica)
            if not has_table(connection, "reconcile_outbox"):
                return []
            rows = connection.execute(
                "SELECT number, body FROM reconcile_outbox WHERE replica = ? ORDER BY number", (replica,)
            )
            return [(number, body) for number, body in rows if isinstance(body, bytes)]

    def drop(self, number: int) -> None:
        """Delete a batch that arrived. Raises ReplicaError."""
        with self._file.writing() as connection:
            connection.execute(_TABLE)
            connection.execute("DELETE FROM reconcile_outbox WHERE number = ?", (number,))
        self._file.shorten_log(is_calm=False)

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._file.close()


def open_outbox(replica: str, path: str | Path, *, bytes_max: int = BYTES_MAX) -> SqliteOutbox:
    """The outbox of a replica in the SQLite file at `path`; errors name that replica."""
    return SqliteOutbox(ApswFile(replica, path), bytes_max=bytes_max)


def _check(connection: apsw.Connection, replica: str) -> None:
    """Raises ReplicaRejected for another file of ours, and for an outbox of a newer program."""
    check_kind(connection, replica, OUTBOX)
    version = connection.pragma("user_version")
    if version != SCHEMA_VERSION:
        raise ReplicaRejected(
            replica,
            f"The outbox has schema version {version}, and this program knows {SCHEMA_VERSION}.",
            "Nothing was changed. Update this program, or move the file away to begin a new outbox.",
        )
