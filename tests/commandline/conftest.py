"""A copied home, and the command on it."""

from pathlib import Path

import pytest

from tests.commandline.homes import Home
from tests.commandline.in_process import Answer, Reconcile, nobodys_machine, reconcile

__all__ = ["nobodys_machine", "reconcile"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def mirror(reconcile: Reconcile, home: Home) -> Reconcile:
    """Runs a command on the copied home, with stores in the test's folder."""

    def run(*argv: str) -> Answer:
        return reconcile(
            *argv, "--source", home.source, "--rows", "rows.db", "--records", "history:history.db"
        )

    return run
