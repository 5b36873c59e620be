"""The connections of this process to one SQLite file: they use the same files, and end together.

A database in WAL mode is three files: itself, its log (`-wal`) and its shared memory (`-shm`). SQLite finds the
last two by name, so when another database replaces the first file, a new connection maps the shared memory
of the old one again, as if it were not open: it truncates the file while another connection has it mapped, which kills
the process with SIGBUS. (SQLite's locks belong to the process, so they do not protect a process from itself.) When a
program writes into the database without SQLite, every cached page of a connection may be outdated, and a checkpoint
would overwrite content that the log does not belong to.

So each use first checks that the files are those that the connections were opened for, and that no other program
changed the database itself. Otherwise all connections, in every thread, end before one is opened again. The log of a
database that was replaced is never applied to its replacement.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

import apsw

from engine.replicas.sqlite_file.file_identity import (
    Files,
    is_cut,
    is_same,
    look,
)


class Connections:
    """The connections to the file at one path. Threads only wait for each other while all connections are being ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._real_path = path  # SQLite keeps the log beside a link's target
        self._turn = threading.Condition()
        self._uses = 0
        self._open: list[apsw.Connection] = []
        self._files: Files | None = None  # files of the open connections; None without one
        self.endings = 0  # how often all were ended because the files were changed
        self.is_doubtful = False  # another program wrote the content, and it is unchecked
        self._checked: Files | None = None  # the database when it was last found sound

    @contextmanager
    def used(self, wait_seconds: float | None) -> Iterator[None]:
        """Use connections in the block: they are to the current files. Raises BusyError, OSError.

        With None it waits for nothing, and does not end connections either.
        """
        if not self._turn.acquire(blocking=wait_seconds is not None):
            raise apsw.BusyError("another thread opens or ends connections")
        try:
            self._begin_use(wait_seconds)
        finally:
            self._turn.release()
        try:
            yield
        finally:
            with self._turn:
                self._note_files()
                self._uses -= 1
                if self._uses == 0:
                    self._turn.notify_all()

    def _begin_use(self, wait_seconds: float | None) -> None:
        deadline = time.monotonic() + (wait_seconds or 0.0)
        while self._is_outdated():
            if wait_seconds is not None and self._uses == 0:
                self._end_all()
            elif wait_seconds is None or not self._turn.wait(max(0.0, deadline - time.monotonic())):
                raise apsw.BusyError("another thread still uses the file that stood here before")
        self._uses += 1

    def open(self, flags: int) -> apsw.Connection | None:
        """Open a new connection to the file; None if there is no file. Call it within `used`. Raises apsw.BusyError."""
        with self._turn:
            if self._files is None:
                if look(self._path).database is None:
                    # Before links are followed, which costs more: a home that starts asks twenty times.
                    return None
                self._real_path = os.path.realpath(self._path)
            files = look(self._real_path)
            known = self._files or files
            if known.database is None:
                return None
            connection = apsw.Connection(self._real_path, flags=flags)
            # Opening accesses neither the log nor the shared memory, so no harm can have been done yet.
            if files.database != known.database or look(self._real_path).database != known.database:
                connection.close()
                raise apsw.BusyError("another file took the place of this one just now")
            if self._files is None:
                self._files = Files(files.database, files.content, None, None, None, 0)
                self.is_doubtful = self.is_doubtful or not self._is_as_checked(files)
            self._open.append(connection)
            return connection

    def close(self, connection: apsw.Connection, *, keep_log: bool = False) -> None:
        """End one connection. The last one moves the log into the file, unless another program changed the file."""
        with self._turn:
            if connection not in self._open:
                return
            self._open.remove(connection)
            try:
                is_outdated = self._is_outdated()
            except OSError:
                is_outdated = True
            if keep_log or is_outdated:
                _keep_log(connection)
            connection.close()
            if not self._open:
                self._files = None

    def invalidate(self) -> None:
        """End all connections before the next use, because one of them found an impossible state."""
        with self._turn:
            if self._files is not None:
                self._files = self._files._replace(content=None)

    def explain(self, *, database: bool, is_ours: Callable[[], bool] = lambda: True) -> bool:
        """Note our change of the log, and with `database` of the database if its content `is_ours`; returns whether both are ours."""
        with self._turn, suppress(OSError):
            # Before `is_ours`, so that a write after its check is noticed.
            known, found = self._files, look(self._real_path)
            if known is None or found.database != known.database:
                return False
            if known.log in (None, found.log):  # the first transaction creates it
                known = known._replace(log=found.log, log_content=found.log_content)
            is_whole = not database or is_ours()
            self._files = known._replace(content=found.content) if database and is_whole else known
            return is_whole
        return False

    def files(self) -> Files:
        """The files at the path now. Raises OSError."""
        return look(self._path if self._files is None else self._real_path)

    def are_overtaken(self) -> bool:
        """Whether the files of the open connections were replaced, or changed by another program without SQLite.

        Never waits. Changes that this process is making at the moment do not count.
        """
        known, uses = self._files, self._uses
        if known is None:
            return False
        try:
            is_moved, is_outdated = self._compare(known)
        except OSError:
            return True
        is_ours = uses or self._uses or known is not self._files
        return is_moved if is_ours else is_outdated

    def forget_log(self) -> None:
        """Note that we just removed the log."""
        with self._turn:
            if self._files is not None:
                self._files = self._files._replace(log=None, log_content=None, memory=None, memory_bytes=0)

    def _is_outdated(self) -> bool:
        return self._files is not None and self._compare(self._files)[1]

    def _compare(self, known: Files) -> tuple[bool, bool]:
        """Whether the database is another one; and whether it is, or another program changed it or the files beside it."""
        found = look(self._path if self._path == self._real_path else self._checked_real_path())
        return found.database != known.database, (
            (found.database, found.content) != (known.database, known.content)
            or (known.log is not None and found.log != known.log)
            or (known.memory is not None and found.memory != known.memory)
            or found.memory_bytes < known.memory_bytes
            or is_cut(known, found)
        )

    def _checked_real_path(self) -> str:
        return self._real_path if is_same(self._path, self._real_path) else self._path

    def _note_files(self) -> None:
        """Remember the log and shared memory, which the first transaction creates."""
        known = self._files
        if known is None or (known.log is not None and known.memory is not None and known.memory_bytes):
            return
        with suppress(OSError):
            found = look(self._real_path)
            if found.database == known.database:
                self._files = known._replace(
                    log=found.log, memory=found.memory, memory_bytes=found.memory_bytes
                )

    def _end_all(self) -> None:
        known, found = self._files, look(self._real_path)
        assert known is not None, "only open connections can be outdated"
        is_moved, is_edited = found.database != known.database, found.content != known.content
        is_memory_cut = found.memory == known.memory and found.memory_bytes < known.memory_bytes
        is_emptied = False
        if not is_memory_cut and (is_moved or (not is_edited and found.log != known.log)):
            # Only we still see the log, or it belongs to a database that was replaced: move it into its own file.
            is_emptied = self._empty_log()
        for connection in self._open:
            _keep_log(connection)
            connection.close()
        self._open.clear()
        self._files = None
        if is_moved and not is_emptied:
            _remove_log(self._real_path, known)
        self.is_doubtful = self.is_doubtful or is_moved or is_edited or is_cut(known, found)
        self.endings += 1
        if is_edited and not is_moved and _drop_spoiling_log(self._real_path):
            # One check is enough: the next write waits for it, and another program's checkpoint counts as an edit too.
            self._checked, self.is_doubtful = found, False

    def _is_as_checked(self, found: Files) -> bool:
        checked, self._checked = self._checked, None
        return checked is None or (checked.database, checked.content) == (found.database, found.content)

    def _empty_log(self) -> bool:
        for connection in self._open:
            with suppress(apsw.Error):
                connection.set_busy_timeout(0)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                return True
        return False


_known_paths: WeakValueDictionary[str, Connections] = WeakValueDictionary()
_known_paths_lock = threading.Lock()


def connections_to(path: Path) -> Connections:
    """The connections of this process to the file at a path: the same object for every caller."""
    try:
        name = os.path.abspath(path)  # noqa: PTH100 (a link may lead elsewhere tomorrow, so it is not followed yet)
    except FileNotFoundError:  # the working folder was removed, so relative paths cannot be found
        name = str(path)
    with _known_paths_lock:
        return _known_paths.setdefault(name, Connections(name))


def _keep_log(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def _remove_log(path: str, known: Files) -> None:
    """Remove the log of a replaced database, which would be applied to the new one."""
    found = look(path)
    if found.database in (None, known.database):
        return
    for suffix, was, is_ in (("-wal", known.log, found.log), ("-shm", known.memory, found.memory)):
        if was is not None and was == is_:
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def check_sound(connection: apsw.Connection) -> None:
    """Raises CorruptError if a database is damaged, even if only in an index."""
    found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise apsw.CorruptError("; ".join(found))


def _drop_spoiling_log(path: str) -> bool:
    """Drop the log of a database that is damaged with it and sound without it. Returns whether the database was sound
    as it stood.

    Such a log belongs to the previous content. This process must not have the file open: merely reading it
    releases all its locks.
    """
    with suppress(apsw.Error, OSError):
        if not Path(f"{path}-wal").stat().st_size:
            return False
        if _is_sound(path):
            return True
        with closing(_alone(path)) as alone, closing(apsw.Connection(path)) as connection:
            check_sound(alone)
            with connection.backup("main", alone, "main") as backup:
                backup.step()
    return False


def _is_sound(path: str) -> bool:
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        _keep_log(connection)
        try:
            check_sound(connection)
        except (apsw.CorruptError, apsw.NotADBError):
            return False
        return True


def _alone(path: str) -> apsw.Connection:
    """Load a database without its log into memory."""
    flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
    with closing(apsw.Connection(f"{Path(path).as_uri()}?immutable=1", flags=flags)) as source:
        copy = apsw.Connection(":memory:")
        with copy.backup("main", source, "main") as backup:
            backup.step()
        return copy
