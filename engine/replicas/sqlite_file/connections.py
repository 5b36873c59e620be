"""The connections of this process to one SQLite file: they are to the same files, and end together.

A database in WAL mode is three files: itself, its log (`-wal`) and its shared memory (`-shm`). SQLite finds the
last two by name, so when another database is put in the place of the first, a new connection maps the shared memory
of the old one again, as if it were not open: it cuts the file to nothing under the connection that has it mapped, which is
then killed by SIGBUS. (SQLite's locks belong to the process, so one process does not keep itself out.) When a program
writes into the database without SQLite, every page that a connection remembers may be of the past, and what the log
still holds would be moved over content that it does not belong to.

So each use looks first whether the files are those that the connections were opened for, and whether another program
changed the database itself. If not, all connections end before one is opened again, in every thread. What is in a log
that belongs to a database which is gone never reaches the one that is there now.
"""

import os
import threading
import time
from collections.abc import Iterator
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
    """The connections to the file at one path. Threads take turns only where they have to: when all are to end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._real_path = path  # SQLite keeps the log beside what a link leads to
        self._turn = threading.Condition()
        self._uses = 0
        self._open: list[apsw.Connection] = []
        self._files: Files | None = None  # what the open connections are to; None without one
        self.endings = 0  # how often all of them were ended because of what happened to the files
        self.is_doubtful = False  # another program put the content there, and it was not checked yet
        self._checked: Files | None = None  # the database as it was when it was found sound

    @contextmanager
    def used(self, wait_seconds: float | None) -> Iterator[None]:
        """Use connections in the block: they are to the files that are there now. Raises BusyError, OSError.

        With None nothing is waited for, and the connections are not ended either.
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
        """A new connection to the file; None when there is none. Call it within `used`. Raises apsw.BusyError."""
        with self._turn:
            if self._files is None:
                self._real_path = os.path.realpath(self._path)
            files = look(self._real_path)
            known = self._files or files
            if known.database is None:
                return None
            connection = apsw.Connection(self._real_path, flags=flags)
            # Opening touches neither the log nor the shared memory, so until now nothing can have gone wrong.
            if files.database != known.database or look(self._real_path).database != known.database:
                connection.close()
                raise apsw.BusyError("another file took the place of this one just now")
            if self._files is None:
                self._files = Files(files.database, files.content, None, None, None, 0)
                self.is_doubtful = self.is_doubtful or not self._is_as_checked(files)
            self._open.append(connection)
            return connection

    def close(self, connection: apsw.Connection, *, keep_log: bool = False) -> None:
        """End one connection. The last one moves the log into the file, unless that was changed by others."""
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
        """End all connections before the next use: what one of them found cannot be."""
        with self._turn:
            if self._files is not None:
                self._files = self._files._replace(content=None)

    def explain(self, *, database: bool) -> None:
        """The log, and the `database` if so, was changed just now, and that was us."""
        with self._turn, suppress(OSError):
            known = self._files
            found = look(self._real_path)
            if known is None or found.database != known.database:
                return
            if known.log in (None, found.log):  # it comes into being with the first transaction
                known = known._replace(log=found.log, log_content=found.log_content)
            self._files = known._replace(content=found.content) if database else known

    def files(self) -> Files:
        """What is at the path now. Raises OSError."""
        return look(self._path if self._files is None else self._real_path)

    def are_overtaken(self) -> bool:
        """Whether the open connections are to files that are not there any more, or that another program changed without SQLite.

        Never waits. What this process does to the files at this moment does not count.
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
        """The log was removed just now, and that was us."""
        with self._turn:
            if self._files is not None:
                self._files = self._files._replace(log=None, log_content=None, memory=None, memory_bytes=0)

    def _is_outdated(self) -> bool:
        return self._files is not None and self._compare(self._files)[1]

    def _compare(self, known: Files) -> tuple[bool, bool]:
        """Whether the database is another one; and whether that, or it or what is beside it was changed by others."""
        # Through the path as it was given: a link may lead elsewhere by now.
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
        """Log and shared memory come into being with the first transaction."""
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
        assert known is not None, "only what is open can be outdated"
        is_moved, is_edited = found.database != known.database, found.content != known.content
        is_memory_cut = found.memory == known.memory and found.memory_bytes < known.memory_bytes
        is_emptied = False
        if not is_memory_cut and (is_moved or (not is_edited and found.log != known.log)):
            # Only we still see the log, or it belongs to a database that is not here any more. There it goes.
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
            # Checked once is enough: the next write waits for it, and another program's checkpoint is an edit as well.
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
    except FileNotFoundError:  # the working folder is gone, and what is relative to it will not be found
        name = str(path)
    with _known_paths_lock:
        return _known_paths.setdefault(name, Connections(name))


def _keep_log(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def _remove_log(path: str, known: Files) -> None:
    """Remove the log of a database that was replaced: it would be applied to the one that is there now."""
    found = look(path)
    if found.database in (None, known.database):
        return
    for suffix, was, is_ in (("-wal", known.log, found.log), ("-shm", known.memory, found.memory)):
        if was is not None and was == is_:
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def check_sound(connection: apsw.Connection) -> None:
    """Raises CorruptError when a database is damaged, be it in an index only."""
    found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise apsw.CorruptError("; ".join(found))


def _drop_spoiling_log(path: str) -> bool:
    """If a database is damaged with its log and sound without, make it hold what it holds without. Returns whether it was
    found sound as it stands.

    Its log then belongs to what was there before. This process must not have it open: looking at the file
    alone gives up the locks of all.
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
    """What a database holds without its log, in memory."""
    flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
    with closing(apsw.Connection(f"{Path(path).as_uri()}?immutable=1", flags=flags)) as source:
        copy = apsw.Connection(":memory:")
        with copy.backup("main", source, "main") as backup:
            backup.step()
        return copy
