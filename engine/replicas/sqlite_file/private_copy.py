"""Reading a SQLite file without leaving a trace: a copy in memory, the file and its folder byte for byte as before.

Merely opening a database in WAL mode creates `-wal` and `-shm` beside it, or changes the `-shm` that is there,
even when opened read-only. What leaves no trace depends on the state of the file (found by experiment with
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

from engine.replicas.sqlite_file.connections import look

_ATTEMPTS = 5
_WAL_FORMAT = (
    2  # bytes 18 and 19 of the file, https://sqlite.org/fileformat2.html#file_format_version_numbers
)


def copy_into_memory(path: Path, busy_timeout_seconds: float) -> apsw.Connection:
    """The database as it stands, as a connection to memory; empty when there is no file.

    Raises what apsw and the operating system raise; BusyError when the file never held still.
    """
    look(str(path))  # what is no plain file may never end
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


def _copy(path: Path, busy_timeout_seconds: float) -> tuple[apsw.Connection, bool]:
    """The copy, and whether locks made sure that nobody wrote meanwhile."""
    if not _beside(path, "-wal").exists():
        parameters, is_certain = ("immutable=1", False) if _is_wal_mode(path) else ("mode=ro", True)
    elif _beside(path, "-shm").exists():
        parameters, is_certain = "mode=ro&readonly_shm=1", True
    else:
        return _copy_aside(path), False
    try:
        return _back_up(path, parameters, busy_timeout_seconds), is_certain
    except apsw.ReadOnlyError as error:
        # apsw sets the attribute on the instance.
        if getattr(error, "extendedresult", None) != apsw.SQLITE_READONLY_ROLLBACK:
            raise
        return _copy_aside(path), False


def _copy_aside(path: Path) -> apsw.Connection:
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        aside = Path(folder) / "copy.db"
        shutil.copyfile(path, aside)
        for suffix in ("-wal", "-journal"):
            if _beside(path, suffix).exists():
                shutil.copyfile(_beside(path, suffix), _beside(aside, suffix))
        return _back_up(aside, "mode=rw", 0.0)


def _back_up(path: Path, parameters: str, busy_timeout_seconds: float) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_URI | (
        apsw.SQLITE_OPEN_READWRITE if "mode=rw" in parameters else apsw.SQLITE_OPEN_READONLY
    )
    source = apsw.Connection(f"{path.absolute().as_uri()}?{parameters}", flags=flags)
    try:
        source.set_busy_timeout(int(busy_timeout_seconds * 1000))
        # Waits for a writer under the busy timeout, which a backup step would not do.
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        copy = apsw.Connection(":memory:")
        with copy.backup("main", source, "main") as backup:
            backup.step(-1)
        return copy
    finally:
        source.close()


def _is_wal_mode(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(20)
    return len(header) == 20 and header[18] == _WAL_FORMAT


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _fingerprint(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_status(file) for file in (path, _beside(path, "-wal"), _beside(path, "-journal")))


def _status(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
