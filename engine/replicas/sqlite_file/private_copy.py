"""Reads a SQLite file without leaving a trace: the file and its folder stay the same byte for byte.

It reads either a copy in memory, or the file in place, and then copies only files that must be repaired first.

Merely opening a database in WAL mode creates `-wal` and `-shm` beside it, or changes an existing `-shm`,
even when opened read-only. Which way leaves no trace depends on the state of the file (found by experiment with
SQLite 3.54.1; the tests repeat it):

    state                                               way
    no -wal, WAL mode (closed cleanly)                  immutable=1: no locks; so checked for changes afterwards
    -wal and -shm (in use now, or its program killed)   readonly_shm=1: reads the log, takes part in locking
    -wal without -shm; or a journal to be rolled back   needs writing: done in a temporary folder
    no -wal, rollback journal mode                      an ordinary read-only connection

Must not run in a process that has the file open: closing our file handle would drop that connection's locks.
"""

import shutil
import tempfile
from pathlib import Path

import apsw

from engine.files.signature import Signature, signature_of
from engine.replicas.sqlite_file.file_identity import look

_ATTEMPTS = 5
_WAL_FORMAT = (
    2  # bytes 18 and 19 of the file, https://sqlite.org/fileformat2.html#file_format_version_numbers
)


def copy_into_memory(path: Path, busy_timeout_seconds: float) -> apsw.Connection:
    """The database as it stands, as a connection to memory; empty if there is no file.

    Passes on exceptions of apsw and the operating system; raises BusyError if the file kept changing.
    """
    look(str(path))  # a file that is not plain may never end
    for _ in range(_ATTEMPTS):
        before = _fingerprint(path)
        if before[0] is None:
            return apsw.Connection(":memory:")
        try:
            copy, is_certain = _copy(path, busy_timeout_seconds)
        except (apsw.CantOpenError, FileNotFoundError):
            if _fingerprint(path) == before:
                raise
            continue  # its last user closed it while we looked
        if is_certain or _fingerprint(path) == before:
            return copy
    raise apsw.BusyError(f"{path} changed while it was copied, {_ATTEMPTS} times")


class InPlace:
    """One moment of a SQLite file, read where it is. Close it after use.

    The first use opens it and begins the read transaction that all uses share.
    """

    def __init__(self, path: Path, busy_timeout_seconds: float) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connection: apsw.Connection | None = None
        # The file's state when it was opened; None while locks prevent changes to the data being read.
        self._seen: tuple[object, ...] | None = None

    def connect(self) -> apsw.Connection:
        """A read-only connection; to an empty database if there is no file.

        Passes on exceptions of apsw and the operating system; raises BusyError if the file kept changing.
        """
        if self._connection is None:
            look(str(self._path))  # a file that is not plain may never end
            self._connection = self._open()
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # starts it
        return self._connection

    def is_unchanged(self) -> bool:
        """Whether no other program changed the file while no lock protected this transaction. Call it after each use."""
        return self._seen is None or _fingerprint(self._path) == self._seen

    def close(self) -> None:
        """Release the file. May be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> apsw.Connection:
        for _ in range(_ATTEMPTS):
            before = _fingerprint(self._path)
            parameters, is_certain = _way(self._path) if before[0] else (None, True)
            if parameters is None:
                return copy_into_memory(self._path, self._busy_timeout_seconds)
            try:
                connection = _connect(self._path, parameters, self._busy_timeout_seconds)
            except apsw.ReadOnlyError as error:
                if not _needs_rollback(error):
                    raise
                return copy_into_memory(self._path, self._busy_timeout_seconds)
            except (apsw.CantOpenError, FileNotFoundError):
                if _fingerprint(self._path) == before:
                    raise
                continue  # its last user closed it while we looked
            if is_certain or _fingerprint(self._path) == before:
                self._seen = None if is_certain else before
                return connection
            connection.close()
        raise apsw.BusyError(f"{self._path} changed while it was opened, {_ATTEMPTS} times")


def _copy(path: Path, busy_timeout_seconds: float) -> tuple[apsw.Connection, bool]:
    """Make the copy; also returns whether it certainly shows one moment."""
    parameters, is_certain = _way(path)
    if parameters is None:
        return _copy_aside(path)
    try:
        return _back_up(path, parameters, busy_timeout_seconds), is_certain
    except apsw.ReadOnlyError as error:
        if not _needs_rollback(error):
            raise
        return _copy_aside(path)


def _way(path: Path) -> tuple[str | None, bool]:
    """The way to open the file (None if it needs writing), and whether locks prevent writes meanwhile."""
    if not _beside(path, "-wal").exists():
        return ("immutable=1", False) if _is_wal_mode(path) else ("mode=ro", True)
    return ("mode=ro&readonly_shm=1", True) if _beside(path, "-shm").exists() else (None, False)


def _needs_rollback(error: apsw.ReadOnlyError) -> bool:
    # apsw sets the attribute on the instance.
    return getattr(error, "extendedresult", None) == apsw.SQLITE_READONLY_ROLLBACK


def _copy_aside(path: Path) -> tuple[apsw.Connection, bool]:
    """The copy, and whether the files stayed the same meanwhile."""
    # Not earlier: when root opens a journal, SQLite gives it the owner that it has, which sets the time of its change.
    before = _fingerprint(path)
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        aside = Path(folder) / "copy.db"
        shutil.copyfile(path, aside)
        for suffix in ("-wal", "-journal"):
            if _beside(path, suffix).exists():
                shutil.copyfile(_beside(path, suffix), _beside(aside, suffix))
        is_same = _fingerprint(path) == before
        return _back_up(aside, "mode=rw", 0.0), is_same


def _back_up(path: Path, parameters: str, busy_timeout_seconds: float) -> apsw.Connection:
    source = _connect(path, parameters, busy_timeout_seconds)
    try:
        copy = apsw.Connection(":memory:")
        with copy.backup("main", source, "main") as backup:
            backup.step(-1)
        return copy
    finally:
        source.close()


def _connect(path: Path, parameters: str, busy_timeout_seconds: float) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_URI | (
        apsw.SQLITE_OPEN_READWRITE if "mode=rw" in parameters else apsw.SQLITE_OPEN_READONLY
    )
    connection = apsw.Connection(f"{path.absolute().as_uri()}?{parameters}", flags=flags)
    try:
        connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
        # Waits for a writer under the busy timeout, which a backup step would not do.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_wal_mode(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(20)
    return len(header) == 20 and header[18] == _WAL_FORMAT


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _fingerprint(path: Path) -> tuple[Signature | None, ...]:
    return tuple(signature_of(file) for file in (path, _beside(path, "-wal"), _beside(path, "-journal")))
