"""The command in this process, on an empty machine, as fixtures for the command line tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.__main__ import main


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Reconcile = Callable[..., Answer]


@pytest.fixture(autouse=True)
def nobodys_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and no settings in the environment."""
    for name in list(os.environ):
        if name.startswith(("RECONCILE_", "SUPERVISOR_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def reconcile(capsys: pytest.CaptureFixture[str]) -> Reconcile:
    """Runs one command in this process."""

    def run(*argv: str) -> Answer:
        code = main(list(argv))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run
