"""One SQLite file: opening it late, reading and writing it in transactions, and apsw's errors as ours.

Opening writes nothing and creates nothing: an absent file reads as an empty database, and comes into being with
the first write. Nothing is ever left half done: a transaction ends in COMMIT or the file is as it was.
Knows nothing of tables. Threads take turns.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import msgspec

from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.file_modes import OWNER_ONLY, make_folder
from engine.replicas.private_copy import copy_into_memory

# FAT, the coarsest of file systems in use, tells times to two seconds.
_SAME_TIME_NS_MAX = 2_500_000_000
_STEP_PAGES = 64  # a signal is noticed between two steps
# A log of this length is moved into the file when there is time, and one of that length at once.
_LOG_PAGES_LONG, _LOG_PAGES_MAX = 1_000, 8_000
_BUSY = (apsw.BusyError, apsw.LockedError)
_NO_ROOM = (apsw.FullError, apsw.IOError, apsw.NoMemError)
_NOT_ALLOWED = (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError)
_BROKEN = (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)


class ApswFile:
    """A SQLite file that replica `replica` stands in.

    `read_only` opens it for reading only; `private_copy` reads a copy in memory and leaves no trace on the
    disk, so it suits a dry run: it shows one moment and never anything newer. Both refuse to write.
    """

    def __init__(
        self,
        replica: str,
        path: str | Path,
        *,
        read_only: bool = False,
        private_copy: bool = False,
        busy_timeout_seconds: float = 5.0,
    ) -> None:
        self.replica = replica
        self.path = Path(path)
        self._read_only = read_only or private_copy
        self._private_copy = private_copy
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0
        self._seen: int | None = None
        self._log_pages = 0
        # The rows file is also the ledger of the other replicas, whose passes run in threads of their own.
        self._lock = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction; of an absent file, an empty database. Raises ReplicaError."""
        with self._lock, self.translated("read"):
            connection = self._open() or apsw.Connection(":memory:")
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A connection inside one write transaction, committed at the end. Raises ReplicaError, then nothing changed."""
        with self._lock, self.translated("write"):
            if self._read_only:
                raise ReplicaRejected(
                    self.replica,
                    f"{self.path} was opened to look only, so nothing is written to it.",
                    "Run without --dry-run to write.",
                )
            connection = self._open() or self._create()
            _prefer_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                is_ours = self.is_as_seen() or _is_empty(connection)
                self._seen = self.data_version() if is_ours else None
                yield connection
                connection.execute("COMMIT")
            finally:
                _roll_back(connection)

    def data_version(self) -> int:
        """A number that changes when another connection committed to the file, or the file was replaced."""
        return self._count("data_version")

    def schema_version(self) -> int:
        """A number that changes when anybody makes or alters a table, or the file was replaced."""
        return self._count("schema_version")

    def traces(self) -> tuple[tuple[int, ...] | None, ...] | None:
        """Sizes and times of the files, which any write changes. Never waits.

        None when one was written so lately that another write could leave the same time.
        """
        found: list[tuple[int, ...] | None] = []
        for suffix in ("", "-wal", "-journal"):
            try:
                seen = os.stat(f"{self.path}{suffix}")  # noqa: PTH116 (a path has no suffix with a dash)
            except FileNotFoundError:
                found.append(None)
                continue
            except OSError:
                return None
            if time.time_ns() - seen.st_mtime_ns < _SAME_TIME_NS_MAX:
                return None
            found.append((seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
        return tuple(found)

    def shorten_log(self) -> None:
        """Move what was committed from the log into the file, if it is much: SQLite would do it within some commit."""
        with self._lock:
            if self._connection is not None and self._log_pages >= _LOG_PAGES_LONG:
                _checkpoint(self._connection)
                self._log_pages = 0

    def note_seen(self) -> None:
        """All that the file holds is about to be looked at. Call it within `reading`, before anything is read."""
        self._seen = self.data_version()

    def is_as_seen(self) -> bool:
        """Whether nobody but us wrote since all of it was looked at. In a write transaction it stays so."""
        return self._seen == self.data_version()

    def copy(self) -> apsw.Connection:
        """What the file holds at this moment, in memory; nothing on the disk is touched. Raises ReplicaError."""
        with self._lock, self.translated("read"):
            return copy_into_memory(self.path, self._busy_timeout_seconds)

    def replace(
        self,
        content: apsw.Connection,
        *,
        journal_mode: str = "wal",
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the file hold what another database holds, in one transaction. Raises ReplicaError, then nothing changed.

        `on_step` is called many times while it goes on. Programs that have the file open go on with the new content.
        """
        with self._lock, self.translated("write"):
            connection = self._open() or self._create()
            if connection.pragma("page_size") != content.pragma("page_size"):
                connection.pragma("journal_mode", "delete")  # a log takes pages of one size only
            # Waits for a writer under the busy timeout, which a backup step would not do.
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")
            with connection.backup("main", content, "main") as backup:
                while not backup.done:
                    backup.step(_STEP_PAGES)
                    on_step()
            # While another program has the file open, the log is not cut and the mode not changed.
            with suppress(*_BUSY):
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                connection.pragma("journal_mode", journal_mode)

    def close(self) -> None:
        """Release the file; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _on_commit(self, connection: apsw.Connection, _database: str, log_pages: int) -> int:
        self._log_pages = log_pages
        if log_pages >= _LOG_PAGES_MAX:
            _checkpoint(connection)
        return apsw.SQLITE_OK

    def _count(self, pragma: str) -> int:
        with self._lock, self.translated("read"):
            connection = self._open()
            count = connection.pragma(pragma) if connection else 0
            assert isinstance(count, int)
            return (self._openings << 32) + count

    def _open(self) -> apsw.Connection | None:
        """The connection to the file that stands at the path now; None when there is none."""
        if self._private_copy:
            self._connection = self._connection or copy_into_memory(self.path, self._busy_timeout_seconds)
            return self._connection
        identity = _identity(self.path)
        if self._connection is not None and identity != self._identity:
            # Moved away or replaced: without this we would go on writing to a file that nobody can see.
            self.close()
        if self._connection is None and identity is not None:
            flags = apsw.SQLITE_OPEN_READONLY if self._read_only else apsw.SQLITE_OPEN_READWRITE
            connection = apsw.Connection(str(self.path), flags=flags)
            connection.set_busy_timeout(int(self._busy_timeout_seconds * 1000))
            # FULL: a commit is on the disk when apply() returns, so that sequence numbers a reader of the change
            # feed has seen are never given out again after a power cut. It costs one sync per pass that writes.
            connection.pragma("synchronous", "FULL")
            # OFF: deleting a device must not take along (ON DELETE CASCADE) entities for whose absence there is
            # no evidence yet, and other programs' rows may point to devices that Home Assistant does not have.
            connection.pragma("foreign_keys", False)
            connection.set_wal_hook(self._on_commit)
            # Twice, because whoever reads must not be able to write whatever a statement says.
            connection.pragma("query_only", self._read_only)
            self._connection, self._identity = connection, identity
            self._openings += 1
        return self._connection

    def _create(self) -> apsw.Connection:
        make_folder(self.path.parent)
        # Names of people and rooms are private. SQLite gives the -wal and -shm files the same mode.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
        connection = self._open()
        if connection is None:
            raise FileNotFoundError(errno.ENOENT, "it is a link to a file that is not there")
        return connection

    @contextmanager
    def translated(self, attempt: str) -> Iterator[None]:
        """Raises what SQLite and the operating system raise in the block as ReplicaError, with the file's name."""
        try:
            yield
        except ReplicaRejected as error:
            # Whoever looked into the tables does not know which file they are in.
            if str(self.path) in error.message:
                raise
            raise ReplicaRejected(self.replica, f"{self.path}: {error.message}", error.hint) from error
        except apsw.Error as error:
            raise self._explain(attempt, error) from error
        except OSError as error:
            raise self._explain_os(attempt, error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ReplicaRejected(
                self.replica,
                f"Cannot {attempt} {self.path}: it holds what this program did not write ({error}).",
                "Nothing was changed. Restore the file, or move it away, and `reconcile` builds it anew.",
            ) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise ReplicaRejected(
                self.replica, f"Cannot {attempt} {self.path}: SQLite cannot hold a value ({error})."
            ) from error

    def _explain(self, attempt: str, error: apsw.Error) -> ReplicaError:
        what = f"Cannot {attempt} {self.path}"
        if isinstance(error, _BUSY):
            return ReplicaUnavailable(
                self.replica,
                f"{what}: another program held it locked for {self._busy_timeout_seconds:g} seconds.",
                f"Find it with `fuser -v {self.path}` and let its transaction end; it is tried again.",
            )
        if isinstance(error, _NO_ROOM):
            return ReplicaUnavailable(
                self.replica,
                f"{what}: the disk is full or does not answer ({error}).",
                "Nothing was changed. Make room on the disk; it is tried again.",
            )
        if isinstance(error, _NOT_ALLOWED):
            return ReplicaRejected(
                self.replica,
                f"{what}: it is read-only, a folder, or not accessible to this user ({type(error).__name__}).",
                "Check the owner and mode of the file and of its folder, and whether the disk is mounted read-only.",
            )
        if isinstance(error, _BROKEN):
            return ReplicaDamaged(
                self.replica,
                f"{what}: it is damaged or no SQLite database ({error}).",
                "Nothing was changed. Move the file away, and `reconcile` builds it anew.",
            )
        return ReplicaRejected(
            self.replica,
            f"{what}: {type(error).__name__}: {error}.",
            "Nothing was changed. Another program's table, trigger or constraint of the same name does not fit.",
        )

    def _explain_os(self, attempt: str, error: OSError) -> ReplicaError:
        what = f"Cannot {attempt} {self.path}: {error.strerror or error}."
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return ReplicaUnavailable(self.replica, what, "Nothing was changed. Make room on the disk.")
        return ReplicaRejected(self.replica, what, "Check the path, and the owner and mode of its folder.")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _prefer_wal(connection: apsw.Connection) -> None:
    """Let readers go on reading while we write. The mode stays with the file, so this is done once in its life."""
    if connection.pragma("journal_mode") == "wal":
        return
    # Another program that is reading prevents the change, not the writing: the old mode serves until next time.
    with suppress(*_BUSY):
        connection.pragma("journal_mode", "wal")


def _checkpoint(connection: apsw.Connection) -> None:
    # Waits for nobody. What another program still reads, or what fails, stays in the log and is committed all the same.
    with suppress(apsw.Error):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _is_empty(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _roll_back(connection: apsw.Connection) -> None:
    # SQLite has already rolled back by itself after some errors, such as a full disk.
    if connection.in_transaction:
        connection.execute("ROLLBACK")
