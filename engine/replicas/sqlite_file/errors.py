"""What SQLite and the operating system raise about a file, as errors that name the file, the reason and the next step."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable

BUSY = (apsw.BusyError, apsw.LockedError)
_NO_ROOM = (apsw.FullError, apsw.IOError, apsw.NoMemError)
_NOT_ALLOWED = (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError)
_BROKEN = (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)


@contextmanager
def translated(replica: str, path: Path, attempt: str, busy_timeout_seconds: float) -> Iterator[None]:
    """Raises what SQLite and the operating system raise in the block as ReplicaError, with the file's name."""
    try:
        yield
    except ReplicaRejected as error:
        # Whoever looked into the tables does not know which file they are in.
        if str(path) in error.message:
            raise
        raise ReplicaRejected(replica, f"{path}: {error.message}", error.hint) from error
    except apsw.Error as error:
        raise _explain(replica, path, attempt, error, busy_timeout_seconds) from error
    except OSError as error:
        raise _explain_os(replica, path, attempt, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReplicaRejected(
            replica,
            f"Cannot {attempt} {path}: it holds what this program did not write ({error}).",
            "Nothing was changed. Restore the file, or move it away, and `reconcile` builds it anew.",
        ) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise ReplicaRejected(
            replica, f"Cannot {attempt} {path}: SQLite cannot hold a value ({error})."
        ) from error


def _explain(
    replica: str, path: Path, attempt: str, error: apsw.Error, busy_timeout_seconds: float
) -> ReplicaError:
    what = f"Cannot {attempt} {path}"
    if isinstance(error, BUSY):
        return ReplicaUnavailable(
            replica,
            f"{what}: another program held it locked for {busy_timeout_seconds:g} seconds.",
            f"Find it with `fuser -v {path}` and let its transaction end; it is tried again.",
        )
    if isinstance(error, _NO_ROOM):
        return ReplicaUnavailable(
            replica,
            f"{what}: the disk is full or does not answer ({error}).",
            "Nothing was changed. Make room on the disk; it is tried again.",
        )
    if isinstance(error, _NOT_ALLOWED):
        return ReplicaRejected(
            replica,
            f"{what}: it is read-only, a folder, or not accessible to this user ({type(error).__name__}).",
            "Check the owner and mode of the file and of its folder, and whether the disk is mounted read-only.",
        )
    if isinstance(error, _BROKEN):
        return ReplicaDamaged(
            replica,
            f"{what}: it is damaged or no SQLite database ({error}).",
            "Nothing was changed. Move the file away, and `reconcile` builds it anew.",
        )
    return ReplicaRejected(
        replica,
        f"{what}: {type(error).__name__}: {error}.",
        "Nothing was changed. Another program's table, trigger or constraint of the same name does not fit.",
    )


def _explain_os(replica: str, path: Path, attempt: str, error: OSError) -> ReplicaError:
    what = f"Cannot {attempt} {path}: {error.strerror or error}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return ReplicaUnavailable(replica, what, "Nothing was changed. Make room on the disk.")
    return ReplicaRejected(replica, what, "Check the path, and the owner and mode of its folder.")
