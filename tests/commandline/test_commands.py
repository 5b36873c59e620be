"""How a command ends that fails or is stopped."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.commandline import commands
from engine.commandline.arguments.parser import parse
from engine.commandline.commands import run_command
from engine.commandline.interruption import Interruption, Stopped
from engine.commandline.verbs import run_pass
from engine.errors import EngineError, PlanStale, SettingsError, SourceRefused


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("Wrong.", "Do."), 1),
        (SourceRefused("Wrong.", "Do."), 1),
        (PlanStale("Wrong.", "Do."), 3),
    ],
)
def test_an_error_is_two_lines_and_a_code(
    error: EngineError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(run_pass, "run_pass", fail)
    assert run_command(parse([])) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Error: Wrong.\nDo.\n")


@pytest.mark.parametrize("is_entered", [False, True])
def test_a_signal_right_before_a_command_or_behind_it_is_an_ordinary_end(
    is_entered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted(_seconds: float) -> Iterator[Interruption]:
        if is_entered:
            yield Interruption()
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(commands, "interruption", interrupted)
    assert run_command(parse(["version", "--quiet"])) == 143
