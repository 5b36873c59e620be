"""A command that ends for lack of resources reports it in a sentence; our own bugs are shown in full."""

import errno
import os

import pytest

from engine.commandline import commands
from engine.commandline.arguments.parser import parse
from engine.commandline.exit_codes import FAILED
from engine.process.shortage import find_shortage


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("can't start new thread"), "not enough memory"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "may not open another file"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/rows.db.lock"),
            "/x/rows.db.lock: the disk is full",
        ),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/x/y"), "mounted read-only"),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [MemoryError()])]), "not enough memory"),
    ],
)
def test_what_the_system_did_not_give_is_one_sentence(error: Exception, words: str) -> None:
    found = find_shortage(error)
    assert found is not None
    assert words in found[0]
    assert "Each replica is as before or after a whole transaction." in found[1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("dictionary changed size during iteration"),
        OSError(errno.EINVAL, os.strerror(errno.EINVAL)),
        OSError("no number"),
        ExceptionGroup("tasks", [MemoryError(), KeyError("x")]),
    ],
)
def test_a_mistake_of_ours_is_none(error: Exception) -> None:
    assert find_shortage(error) is None


def test_a_command_that_runs_out_of_memory_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(*_: object) -> int:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [MemoryError()])

    monkeypatch.setattr(commands, "_dispatch", run_out)
    assert commands.run_command(parse(["version"])) == FAILED
    reported = capsys.readouterr().err
    assert "Traceback" not in reported
    assert (
        "Cannot go on: there is not enough memory. Give this process or machine more memory."
        in reported.replace("\n", " ")
    )
