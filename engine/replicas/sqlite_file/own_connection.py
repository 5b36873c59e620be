"""Our one connection to a SQLite file: opened on first use, reopened after all connections ended, and able to create the file."""

import errno
import os
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import apsw

from engine.files.modes import OWNER_ONLY, make_folder
from engine.replicas.sqlite_file.connections import check_sound, connections_to
from engine.replicas.sqlite_file.errors import BUSY
from engine.replicas.sqlite_file.log import WriteAheadLog
from engine.replicas.sqlite_file.set_up import set_up, wait_when_busy
from engine.replicas.sqlite_file.tables import is_empty

INCREMENTAL = 2  # `PRAGMA auto_vacuum` of a file that can return space in steps


class OwnConnection:
    """The connection of one `ApswFile`. All methods but `close` require the file's connections to be in use (`group.used`)."""

    def __init__(
        self,
        path: Path,
        *,
        is_read_only: bool,
        gives_back: bool,
        busy_timeout_seconds: float,
        cache_kib: int | None,
        never_waits: bool,
    ) -> None:
        """Opens nothing yet; the arguments are those of `ApswFile`."""
        self._path = path
        self._is_read_only = is_read_only
        self._gives_back = gives_back
        self._busy_timeout_ms = int(busy_timeout_seconds * 1000)
        self._cache_kib = cache_kib
        self._never_waits = never_waits
        self.group = connections_to(path)
        self.log = WriteAheadLog()
        self._connection: apsw.Connection | None = None
        self._endings = 0  # of the group, when the connection was opened
        self._openings = 0
        self._is_made = False  # by us, in the current transaction
        self._base = 0  # SQLite's data version in a file that we made

    @property
    def current(self) -> apsw.Connection | None:
        """The connection as it is, without checking the file."""
        return self._connection

    def open(self) -> apsw.Connection | None:
        """The connection, opened if there is none or all were ended; None if there is no file."""
        if self._connection is not None and self._endings == self.group.endings:
            return self._connection
        self._connection, self._base = None, 0
        flags = apsw.SQLITE_OPEN_READONLY if self._is_read_only else apsw.SQLITE_OPEN_READWRITE
        connection = self.group.open(flags)
        if connection is None:
            return None
        try:
            self._set_up(connection)
        except BaseException:
            self.group.close(connection, keep_log=True)
            raise
        self._connection, self._endings = connection, self.group.endings
        self._openings += 1
        # This includes the log that a killed program left.
        log = self.group.files().log_content
        self.log.begin(log[0] if log else 0)
        return connection

    def create(self) -> apsw.Connection:
        """The connection, creating the file if it is missing. Raises OSError."""
        make_folder(self._path.parent)
        self._is_made = _make_file(self._path, gives_back=self._gives_back) or self._is_made
        connection = self.open()
        self.log.has_changed_file = True
        if connection is None:
            raise FileNotFoundError(errno.ENOENT, "it is a link to a file that is not there")
        # In a file that holds something it changes nothing, but may write a page.
        if self._gives_back and connection.pragma("auto_vacuum") != INCREMENTAL:
            connection.pragma("auto_vacuum", INCREMENTAL)
        return connection

    def note_made(self, connection: apsw.Connection) -> None:
        """Treat a file that we created, and that is still empty, like no file: it is not another program's change."""
        if self._is_made and is_empty(connection):
            self._openings -= 1
            version = connection.pragma("data_version")
            assert isinstance(version, int)
            self._base = version
        self._is_made = False

    def prefer_wal(self, connection: apsw.Connection) -> None:
        """Switch to WAL, so that readers can continue while we write. The mode is stored in the file, so once is enough."""
        self.log.has_changed_file = self.log.has_changed_file or connection.pragma("journal_mode") != "wal"
        if self.log.has_changed_file:
            # Another program's read prevents the change but not the writing: keep the old mode until next time.
            with suppress(*BUSY):
                connection.pragma("journal_mode", "wal")

    def empty_log(self, connection: apsw.Connection) -> None:
        """Truncate the log without waiting, unless another program is reading or writing."""
        connection.set_busy_timeout(0)
        try:
            self.log.empty(connection)
        finally:
            wait_when_busy(connection, self._busy_timeout_ms)

    def data_version(self, count: int) -> int:
        """SQLite's data version, continued across all files that were opened; creating a file ourselves is not a change."""
        return self.version(count) - self._base

    def is_other(self, data_version: int) -> bool:
        """Whether all connections were ended, or this one was opened, since this data version."""
        return self.version(0) >> 32 != data_version >> 32

    def version(self, count: int) -> int:
        """A version of the open file, continued across all files that were opened."""
        return ((self._openings + self.group.endings) << 32) + count

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.group.close(connection)

    def _set_up(self, connection: apsw.Connection) -> None:
        set_up(
            connection,
            busy_timeout_ms=self._busy_timeout_ms,
            cache_kib=self._cache_kib,
            is_read_only=self._is_read_only,
        )
        connection.set_wal_hook(self.log.on_commit)
        if self.group.is_doubtful and not self._never_waits:
            check_sound(connection)
            self.group.is_doubtful = False


def _make_file(path: Path, *, gives_back: bool) -> bool:
    """Make a database without tables, where nothing is; returns whether it did. Raises OSError."""
    with suppress(FileExistsError):
        try:
            _put_whole(path, _empty_database(gives_back=gives_back))
        except FileExistsError:
            raise
        except (
            OSError
        ):  # no nameless files on this system; an empty file is a database, too, which SQLite has to begin
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
        return True
    return False


def _put_whole(path: Path, content: bytes) -> None:
    """Put a file of this content at a path where nothing is, on the disk and in one step. Raises OSError.

    It has no name before, so a process killed earlier leaves nothing. It is written before SQLite opens it, because closing a
    file gives up SQLite's locks on it.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Names of people and rooms are private. SQLite gives the -wal and -shm files the same mode.
        nameless = os.open(path.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, OWNER_ONLY)
        try:
            if os.write(nameless, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(nameless)
            os.link(f"/proc/self/fd/{nameless}", path, src_dir_fd=folder)  # with a folder it follows the link
        finally:
            os.close(nameless)
    finally:
        os.close(folder)


@cache
def _empty_database(*, gives_back: bool) -> bytes:
    """A database in WAL mode without tables: what SQLite makes of an empty file in three transactions of its own."""
    with closing(apsw.Connection(":memory:")) as connection:
        if gives_back:
            connection.pragma("auto_vacuum", INCREMENTAL)
        connection.execute("CREATE TABLE t (c); DROP TABLE t; VACUUM")
        content = bytearray(connection.serialize("main"))
    # https://sqlite.org/fileformat2.html#file_format_version_numbers, seen 2026-11-29: 2 is WAL.
    content[18:20] = b"\x02\x02"
    return bytes(content)
