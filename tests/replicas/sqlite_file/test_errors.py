"""What SQLite raises, as errors: whether to try again, and what to do about it."""

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
        (OSError(0, "it is a named pipe and no plain file"), ReplicaRejected, "named pipe"),
        (RecursionError("x"), ReplicaRejected, "did not write"),
        (OverflowError("x"), ReplicaRejected, "cannot hold"),
        (ReplicaRejected("sqlite", "The tables are newer."), ReplicaRejected, "tables are newer"),
    ],
)
def test_each_failure_names_the_file_and_says_what_to_do(
    raised: Exception, expected: type[ReplicaError], words: str
) -> None:
    with pytest.raises(ReplicaError) as caught, translated("sqlite", PATH, "read", 5.0):
        raise raised
    assert type(caught.value) is expected
    assert str(PATH) in caught.value.message
    assert words in str(caught.value)
