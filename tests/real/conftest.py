"""Real servers for tests, or the reason why there are none.

Without an installation a test that needs one is skipped. In CI that would hide what CI is for, so there it fails;
RECONCILE_TEST_REAL=1 installs what is missing.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.installation import Installation, InstallationMissingError, find_installation, install


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install, if told to, before the first test runs: pip may need longer than a test is given."""
    is_needed = any("home_assistant_python" in getattr(item, "fixturenames", ()) for item in session.items)
    if is_needed and os.environ.get("RECONCILE_TEST_REAL") == "1" and not session.config.option.collectonly:
        with suppress(InstallationMissingError):  # the fixture says so, to the tests that need it
            install(find_installation())


@pytest.fixture(scope="session")
def home_assistant_python() -> Path:
    """The interpreter that has Home Assistant."""
    try:
        return _complete_installation().python
    except InstallationMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def _complete_installation() -> Installation:
    installation = find_installation()
    if not installation.is_complete():
        raise InstallationMissingError("no real Home Assistant: run `python -m tests.real.installation`")
    return installation


@pytest.fixture(scope="session")
def home_assistant(
    home_assistant_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    """One core for the whole session: a test leaves it running, and with the rows it found."""
    with running_home_assistant(home_assistant_python, tmp_path_factory.mktemp("home_assistant")) as running:
        yield running


@pytest.fixture
def fresh_home_assistant(home_assistant_python: Path, tmp_path: Path) -> Iterator[HomeAssistant]:
    """A core of the test's own, to wreck."""
    with running_home_assistant(home_assistant_python, tmp_path / "home_assistant") as running:
        yield running
