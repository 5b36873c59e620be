"""How a command that fails ends."""

import pytest

from engine.commandline.commands import run_command
from engine.commandline.parser import parse
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
