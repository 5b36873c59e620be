"""Translates errors of SQLite and the operating system into ones that name the file, the reason and the next step."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from engine.core.counts import plural
from engine.core.decode_errors import DECODE_ERRORS
from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.files.causes import cause_of, find_number

BUSY = (apsw.BusyError, apsw.LockedError)
# The system's error number gives the cause of these; an I/O error counts even without a number.
_OF_THE_SYSTEM = {
    apsw.FullError: errno.ENOSPC,
    apsw.NoMemError: errno.ENOMEM,
    apsw.IOError: errno.EIO,
    apsw.CantOpenError: 0,
    apsw.ReadOnlyError: 0,
}
_NOT_ALLOWED = (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError)
_BROKEN = (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)


@contextmanager
def translated(
    replica: str,
    path: Path,
    attempt: str,
    busy_timeout_seconds: float,
    system_number: Callable[[], int] = lambda: 0,
) -> Iterator[None]:
    """Raise exceptions of SQLite and the operating system in the block as ReplicaError, with the file's name.

    `system_number` returns the system's error number that SQLite met last; 0 if unknown.
    """
    try:
        yield
    except ReplicaRejected as error:
        # The code that read the tables does not know their file.
        if str(path) in error.message:
            raise
        raise ReplicaRejected(replica, f"{path}: {error.message}", error.hint) from error
    except apsw.Error as error:
        raise _explain(replica, path, attempt, error, busy_timeout_seconds, system_number()) from error
    except MemoryError as error:
        raise _explain_os(replica, path, attempt, OSError(errno.ENOMEM, "")) from error
    except OSError as error:
        raise _explain_os(replica, path, attempt, error) from error
    except DECODE_ERRORS as error:
        raise ReplicaRejected(
            replica,
            f"Cannot {attempt} {path}: it holds data that this program did not write ({error}).",
            "Nothing was changed. Restore the file, or move it away, and `reconcile` rebuilds it.",
        ) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise ReplicaRejected(
            replica, f"Cannot {attempt} {path}: SQLite cannot hold a value ({error})."
        ) from error


def _explain(
    replica: str, path: Path, attempt: str, error: apsw.Error, busy_timeout_seconds: float, number: int
) -> ReplicaError:
    what = f"Cannot {attempt} {path}"
    if isinstance(error, BUSY):
        return ReplicaUnavailable(
            replica,
            f"{what}: another program held it locked for {plural(busy_timeout_seconds, 'second')}.",
            f"Find it with `fuser -v {path}` and let its transaction end; it is tried again.",
        )
    explained = _explain_system(replica, path, attempt, error, number)
    if explained is not None:
        return explained
    if isinstance(error, _NOT_ALLOWED):
        return ReplicaRejected(
            replica,
            f"{what}: it is read-only, a folder, or not accessible to this user.",
            "Check the owner and mode of the file and of its folder, and whether the disk is mounted read-only.",
        )
    if isinstance(error, _BROKEN):
        return ReplicaDamaged(
            replica,
            f"{what}: it is damaged or not a SQLite database ({' '.join(str(error).split())}).",
            "Nothing was changed. Move the file away, and `reconcile` rebuilds it.",
        )
    return ReplicaRejected(
        replica,
        f"{what}: {type(error).__name__}: {error}.",
        "Nothing was changed. Another program's table, trigger or constraint of the same name does not fit.",
    )


def _explain_system(
    replica: str, path: Path, attempt: str, error: apsw.Error, number: int
) -> ReplicaError | None:
    """The error for a cause in the operating system; None if there is none, or it is unknown."""
    known = next((known for kind, known in _OF_THE_SYSTEM.items() if isinstance(error, kind)), None)
    if known is None:
        return None
    if known in (errno.ENOSPC, errno.ENOMEM):
        return _explain_number(replica, path, attempt, known)
    # A file that cannot be opened often has no connection to report the reason.
    found = number or find_number(path) if known else find_number(path) or number
    return _explain_number(replica, path, attempt, found) or _explain_number(replica, path, attempt, known)


def _explain_number(replica: str, path: Path, attempt: str, number: int) -> ReplicaError | None:
    cause = cause_of(number, path)
    if cause is None:
        return None
    message = f"Cannot {attempt} {path}: {cause.reason}."
    return ReplicaUnavailable(replica, message, f"Nothing was changed. {cause.advice} It is tried again.")


def _explain_os(replica: str, path: Path, attempt: str, error: OSError) -> ReplicaError:
    return _explain_number(replica, path, attempt, error.errno or 0) or ReplicaRejected(
        replica,
        f"Cannot {attempt} {path}: {error.strerror or error}.",
        "Check the path, and the owner and mode of its folder.",
    )
