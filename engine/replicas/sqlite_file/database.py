"""One SQLite file: opens it on first use, and reads and writes it in transactions.

Each use is of the file that is at the path at that moment (`connections`). Opening writes nothing and creates nothing: an
absent file reads as an empty database, and the first write creates it. Nothing is ever left half done: a transaction ends
in COMMIT or the file is unchanged. Knows no tables. Threads take turns.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import Enum, auto
from functools import partial
from pathlib import Path

import apsw

from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.replicas.sqlite_file.errors import BUSY, translated
from engine.replicas.sqlite_file.file_identity import signature_of
from engine.replicas.sqlite_file.own_connection import INCREMENTAL, OwnConnection
from engine.replicas.sqlite_file.private_copy import InPlace, copy_into_memory
from engine.replicas.sqlite_file.set_up import roll_back, wait_when_busy
from engine.replicas.sqlite_file.tables import is_empty

_STEP_PAGES = 64  # signals are handled between two steps


class FileAccess(Enum):
    """The ways to open a file. All but `WRITE` refuse to write."""

    WRITE = auto()
    READ = auto()
    # A copy in memory, which leaves no trace on the disk, for dry runs: it is of one moment and never shows newer content.
    PRIVATE_COPY = auto()
    IN_PLACE = auto()  # the same without a copy, for a file that may be large


class ApswFile:
    """A SQLite file of the replica `replica`.

    A file created with `gives_back` can return space in steps (`PRAGMA incremental_vacuum`).
    `never_waits` is for an event loop: uses that would take time raise ReplicaUnavailable instead.
    `cache_kib` is the size of each connection's page cache; None is SQLite's default, 2000.
    """

    def __init__(  # noqa: PLR0913 (ways to open it, by keyword)
        self,
        replica: str,
        path: str | Path,
        access: FileAccess = FileAccess.WRITE,
        *,
        gives_back: bool = False,
        busy_timeout_seconds: float = 5.0,
        never_waits: bool = False,
        cache_kib: int | None = None,
    ) -> None:
        self.replica = replica
        self.path = Path(path)
        self._read_only = access is not FileAccess.WRITE
        self._private_copy = access is FileAccess.PRIVATE_COPY
        self._in_place = InPlace(self.path, busy_timeout_seconds) if access is FileAccess.IN_PLACE else None
        self._busy_timeout_seconds = busy_timeout_seconds
        self._never_waits = never_waits
        self._own = OwnConnection(
            self.path,
            is_read_only=self._read_only,
            gives_back=gives_back,
            busy_timeout_seconds=busy_timeout_seconds,
            cache_kib=cache_kib,
            never_waits=never_waits,
        )
        self._group, self._log = self._own.group, self._own.log
        self._copy: apsw.Connection | None = None
        self._is_in_use = False
        self._number = 0  # the system's error number from a connection that is closed
        self._seen: int | None = None
        # The rows file is also the ledger of the other replicas, whose passes run in threads of their own.
        self._lock = threading.RLock()

    @property
    def held_log_bytes(self) -> int:
        """The bytes that could not be moved from the log into the file, because others read them."""
        return self._log.held_bytes

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction; an empty database if the file is absent. Raises ReplicaError."""
        with self._used("read") as opened:
            connection = opened or apsw.Connection(":memory:")
            if connection.in_transaction:  # it shows one moment for as long as it is open
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                roll_back(connection)

    @contextmanager
    def reading_uncached(self) -> Iterator[apsw.Connection]:
        """As `reading`, on a connection without a cache: it sees the same as a program that opens the file now."""
        if self._private_copy or self._in_place:
            with self.reading() as connection:
                yield connection
            return
        with self._used("read") as opened:
            fresh = self._group.open(apsw.SQLITE_OPEN_READONLY)
            connection = fresh or opened or apsw.Connection(":memory:")
            try:
                wait_when_busy(connection, int(self._busy_timeout_seconds * 1000))
                connection.execute("BEGIN")
                yield connection
            finally:
                self._number = connection.system_errno
                roll_back(connection)
                if fresh is not None:
                    self._group.close(fresh)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A connection inside one write transaction, committed at the end. Raises ReplicaError; then nothing has changed."""
        with self._used("write") as opened:
            if self._read_only:
                raise ReplicaRejected(
                    self.replica,
                    f"{self.path} was opened for reading only, so nothing is written to it.",
                    "Run without --dry-run to write.",
                )
            connection = opened or self._own.create()
            self._own.prefer_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._own.note_made(connection)
                is_ours = self.is_as_seen() or is_empty(connection)
                self._seen = self.data_version() if is_ours else None
                yield connection
                connection.execute("COMMIT")
            finally:
                roll_back(connection)
                in_place = partial(self._log.is_in_place, connection)
                self._group.explain(database=self._log.has_changed_file, is_ours=in_place)
                self._log.has_changed_file = False

    def data_version(self) -> int:
        """A number that changes when another connection commits to the file, or another program creates or replaces it."""
        with self._used("read") as connection:
            return self._own.data_version(_number(connection, "data_version"))

    def schema_version(self) -> int:
        """A number that changes when a table is created or altered, or the file is replaced."""
        with self._used("read") as connection:
            return self._own.version(_number(connection, "schema_version"))

    def file_signature(self) -> tuple[tuple[int, ...] | None, ...] | None:
        """Sizes and times of the files, which any write changes; None if another write could leave them equal. Never waits."""
        try:
            return signature_of(self._group.files(), time.time_ns())
        except OSError:
            return None

    def is_overtaken(self, data_version: int) -> bool:
        """Whether the files were replaced, truncated or changed without SQLite since this data version. Never waits."""
        return self._own.is_other(data_version) or self._group.are_overtaken()

    def shorten_log(self, *, is_calm: bool) -> bool:
        """Move committed pages from the log into the file, so that no commit has to; True if none are left in the log.

        Never waits for readers. Unless `is_calm`, only a long log is moved, and cached pages are kept. Raises ReplicaError.
        """
        if is_calm:
            self.forget_pages()
        if not self._log.is_worth_moving(is_calm=is_calm):
            return self._log.is_empty()
        with self._used("write") as connection:
            if connection is not None:
                is_moved, is_ours = self._log.move(connection), partial(self._log.is_in_place, connection)
                if self._group.explain(database=True, is_ours=is_ours) and is_moved and is_calm:
                    self._own.empty_log(connection)
                    self._group.explain(database=False)
            return self._log.is_empty()

    def forget_pages(self) -> None:
        """Free the page cache of an open connection; pages are read again from the system's cache. Raises ReplicaError."""
        with nullcontext() if self._own.current is None else self._used("read") as connection:
            if connection is not None:
                connection.pragma("shrink_memory")

    def note_seen(self) -> None:
        """Note that the whole file is about to be read. Call it within `reading`, before reading anything."""
        self._seen = self.data_version()

    def is_as_seen(self) -> bool:
        """Whether no other program has written since the whole file was read. In a write transaction that cannot change."""
        return self._seen == self.data_version()

    def copy(self) -> apsw.Connection:
        """Copy the current content into memory, without touching the disk. Raises ReplicaError."""
        with self._lock, self.translated("read"):
            return copy_into_memory(self.path, self._busy_timeout_seconds)

    def replace(
        self,
        content: apsw.Connection,
        *,
        journal_mode: str = "wal",
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Replace the file's content with another database's, in one transaction. Raises ReplicaError; then nothing has changed.

        `on_step` is called many times meanwhile. Programs that have the file open continue with the new content.
        """
        with self._used("write") as opened:
            connection = opened or self._own.create()
            if connection.pragma("page_size") != content.pragma("page_size"):
                connection.pragma("journal_mode", "delete")  # a log only accepts pages of one size
            # Waits for a writer under the busy timeout, which a backup step would not do.
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")
            with connection.backup("main", content, "main") as backup:
                while not backup.done:
                    backup.step(_STEP_PAGES)
                    on_step()
            # While another program has the file open, the log is not truncated and the mode not changed.
            with suppress(*BUSY):
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                connection.pragma("journal_mode", journal_mode)
            self._group.forget_log()
            self._group.explain(database=True)

    def free_space(self) -> tuple[int, bool]:
        """The free bytes in the file, and whether they can be returned in steps. Raises ReplicaError."""
        with self.reading() as connection:
            free = connection.pragma("freelist_count") * connection.pragma("page_size")
            return free, connection.pragma("auto_vacuum") == INCREMENTAL

    def rebuild(self) -> None:
        """Rebuild the file without its free space; writers wait meanwhile. Raises ReplicaError."""
        with self._used("rebuild") as connection:
            if connection is not None:
                connection.pragma("auto_vacuum", INCREMENTAL)
                connection.execute("VACUUM")
                self._group.explain(database=True)

    def close(self) -> None:
        """Release the file; the next use opens it again."""
        with self._lock:
            if self._in_place is not None:
                self._in_place.close()
            if self._copy is not None:
                self._copy.close()
                self._copy = None
            self._own.close()

    def translated(self, attempt: str) -> AbstractContextManager[None]:
        """Raise exceptions of SQLite and the operating system in the block as ReplicaError, with the file's name."""
        return translated(self.replica, self.path, attempt, self._busy_timeout_seconds, self._system_number)

    @contextmanager
    def _used(self, attempt: str) -> Iterator[apsw.Connection | None]:
        """The connection to the file that is at the path now; None if there is none."""
        with self._lock, self.translated(attempt):
            if self._private_copy:
                self._copy = self._copy or copy_into_memory(self.path, self._busy_timeout_seconds)
                yield self._copy
            elif self._in_place is not None:
                yield self._in_place.connect()
                if not self._in_place.is_unchanged():
                    raise ReplicaUnavailable(
                        self.replica, f"{self.path} was changed while it was read.", "Run the command again."
                    )
            elif self._is_in_use:
                yield self._own.current
            else:
                with self._group.used(None if self._never_waits else self._busy_timeout_seconds):
                    self._is_in_use = True
                    try:
                        yield self._own.open()
                    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
                        if not isinstance(error, apsw.IOError) or _is_short(error):
                            self._group.invalidate()
                        raise
                    finally:
                        self._is_in_use = False

    def _system_number(self) -> int:
        number, self._number = self._number, 0
        connection = self._copy or self._own.current
        return number or (connection.system_errno if connection is not None else 0)


def _is_short(error: apsw.IOError) -> bool:
    # apsw sets the attribute on the instance. The file, or its log, was truncated while in use.
    return getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_SHORT_READ


def _number(connection: apsw.Connection | None, pragma: str) -> int:
    """The number that a pragma returns; 0 if there is no file."""
    count = connection.pragma(pragma) if connection else 0
    assert isinstance(count, int)
    return count
