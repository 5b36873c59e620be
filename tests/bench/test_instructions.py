"""The guard against slower code: callgrind's output is read, and a figure above its ceiling is a failure."""

import sys
from unittest import mock

import pytest

from bench import instructions


@pytest.mark.parametrize(("factor", "is_held"), [(0.9, True), (1.1, False)])
def test_a_path_above_its_ceiling_fails(
    factor: float, is_held: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {name: int(ceiling * 1e6 * factor) for name, ceiling in instructions.CEILINGS.items()}
    with (
        mock.patch.object(instructions, "counts", return_value=found),
        mock.patch.object(instructions, "publish"),
        mock.patch.object(instructions, "_PYTHON", sys.version_info[:2]),
    ):
        if is_held:
            instructions.main([])
        else:
            with pytest.raises(SystemExit, match="1"):
                instructions.main([])
            assert "raise the ceiling" in capsys.readouterr().out


def test_another_python_is_not_judged() -> None:
    found = {name: int(ceiling * 1e7) for name, ceiling in instructions.CEILINGS.items()}
    with (
        mock.patch.object(instructions, "counts", return_value=found),
        mock.patch.object(instructions, "publish"),
        mock.patch.object(instructions, "_PYTHON", (2, 7)),
    ):
        instructions.main([])
