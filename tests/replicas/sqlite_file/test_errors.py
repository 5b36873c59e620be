"""What SQLite raises, as errors: whether to retry, and what to do about it."""

import errno
import os
from pathlib import Path

import apsw
import pytest

from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected, ReplicaUnavailable
from engine.replicas.sqlite_file.errors import translated

PATH = Path("/home/rows.db")


@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (apsw.BusyError("x"), ReplicaUnavailable, "locked for 5 seconds"),
        (apsw.FullError("x"), ReplicaUnavailable, "disk is full"),
        (apsw.CantOpenError("x"), ReplicaRejected, "not accessible"),
        (apsw.CorruptError("x"), ReplicaDamaged, "damaged"),
        (apsw.ConstraintError("x"), ReplicaRejected, "Another program's"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ReplicaUnavailable, "Make room"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), ReplicaRejected, "mode of its folder"),
        (OSError(0, "it is a named pipe and not a plain file"), ReplicaRejected, "named pipe"),
        (RecursionError("x"), ReplicaRejected, "did not write"),
        (OverflowError("x"), ReplicaRejected, "cannot hold"),
        (ReplicaRejected("sqlite", "The tables are newer."), ReplicaRejected, "tables are newer"),
    ],
)
def test_each_failure_names_the_file_and_the_next_step(
    raised: Exception, expected: type[ReplicaError], words: str
) -> None:
    with pytest.raises(ReplicaError) as caught, translated("sqlite", PATH, "read", 5.0):
        raise raised
    assert type(caught.value) is expected
    assert str(PATH) in caught.value.message
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "number", "words"),
    [
        (apsw.IOError("disk I/O error"), errno.EROFS, "mounted read-only"),
        (apsw.IOError("disk I/O error"), errno.EDQUOT, "quota"),
        (apsw.IOError("disk I/O error"), errno.EFBIG, "largest size"),
        (apsw.IOError("disk I/O error"), errno.EIO, "does not answer"),
        (apsw.CantOpenError("x"), errno.EMFILE, "may not open another file"),
        (apsw.NoMemError("x"), 0, "not enough memory"),
        (MemoryError(), 0, "not enough memory"),
    ],
)
def test_what_the_system_kept_from_sqlite_is_reported_and_tried_again(
    tmp_path: Path, raised: Exception, number: int, words: str
) -> None:
    path = tmp_path / "rows.db"
    with (
        pytest.raises(ReplicaUnavailable, match=words) as caught,
        translated("sqlite", path, "write", 5.0, lambda: number),
    ):
        raise raised
    assert "Nothing was changed." in caught.value.hint
    assert caught.value.hint.endswith("It is tried again.")


def test_a_file_that_cannot_be_opened_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says no more than that; before, each of these was a wrong owner or mode, and not tried again for minutes."""

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "open", no_room)
    with (
        pytest.raises(ReplicaUnavailable, match="disk is full"),
        translated("sqlite", tmp_path / "x", "read", 5.0),
    ):
        raise apsw.CantOpenError("unable to open database file")
