"""Real servers for tests, or the reason why there are none.

Without an installation a test that needs one is skipped. In CI that would hide what CI is for, so there it fails;
RECONCILE_TEST_REAL=1 installs what is missing.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.availability import skip_or_fail
from tests.garbage import collect_without_warnings
from tests.real.home_assistant import HomeAssistant, running_home_assistant
from tests.real.influxd import InfluxdMissingError
from tests.real.influxd import build as build_influxd
from tests.real.influxdb import ADMIN, DATABASE, InfluxMissingError, InfluxServer, influxdb_or_skip
from tests.real.influxdb2 import InfluxServer2, own_influxdb2
from tests.real.influxdb_stand import Stand
from tests.real.installation import (
    NEWEST,
    OLDEST,
    RELEASES,
    InstallationMissingError,
    Release,
    find_installation,
    install,
)
from tests.real.npm_package import PackageMissingError

if TYPE_CHECKING:
    from tests.real.browser import Browser

# Why a release of Home Assistant could not be installed, by its version.
REASONS = pytest.StashKey[dict[str, str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install, if requested, before the first test runs: pip may need longer than a test is given."""
    reasons = session.config.stash.setdefault(REASONS, {})
    if os.environ.get("RECONCILE_TEST_REAL") != "1" or session.config.option.collectonly:
        return
    for release in RELEASES:
        if any(_needs(item, release) for item in session.items):
            try:
                install(find_installation(release))
            except InstallationMissingError as missing:  # the fixture says so, to the tests that need it
                reasons[release.version] = str(missing)
    if any("influxdb18" in getattr(item, "fixturenames", ()) for item in session.items):
        with suppress(InfluxdMissingError):
            build_influxd()


def _needs(item: pytest.Item, release: Release) -> bool:
    chosen = getattr(getattr(item, "callspec", None), "params", {}).get("home_assistant_python")
    return chosen is release or "both_pythons" in getattr(item, "fixturenames", ())


@pytest.fixture(autouse=True)
def garbage() -> Iterator[None]:
    """What a client of a test left open is closed, and fails no test."""
    yield
    collect_without_warnings()


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: f"Home Assistant {release.version}")
def home_assistant_python(request: pytest.FixtureRequest) -> Path:
    """The interpreter that has Home Assistant: every test that uses a core runs against each release."""
    return _python_of(request.param, request.config)


@pytest.fixture(scope="session")
def both_pythons(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """The interpreters that have the oldest and the newest Home Assistant, for a home that is upgraded."""
    oldest, newest = (_python_of(release, request.config) for release in (OLDEST, NEWEST))
    return oldest, newest


def _python_of(release: Release, config: pytest.Config) -> Path:
    try:
        installation = find_installation(release)
    except InstallationMissingError as missing:
        skip_or_fail(str(missing))
    if not installation.is_complete():
        reported = f"no real Home Assistant {release.version}: run `python -m tests.real.installation`"
        skip_or_fail(config.stash[REASONS].get(release.version, reported))
    return installation.python


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


@pytest.fixture
def browser(tmp_path: Path) -> "Iterator[Browser]":
    """A browser that knows nothing yet; where there is none, the test is skipped, or fails in CI."""
    from tests.real.browser import (  # needs selenium, which others can do without
        BrowserMissingError,
        running_browser,
    )

    try:
        with running_browser(tmp_path / "profile") as running:
            yield running
    except BrowserMissingError as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="session")
def axe() -> None:
    """axe-core is there; where it is not, the test is skipped, or fails in CI."""
    from tests.real.browser import axe_source

    try:
        axe_source()
    except PackageMissingError as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """One InfluxDB 1.x for all tests that leave it as it is; each has a site of its own."""
    with influxdb_or_skip(tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """One InfluxDB 1.8, which also speaks Flux, for all tests that leave it as it is; each has a site of its own."""
    with influxdb_or_skip(tmp_path_factory.mktemp("influxdb18"), version="1.8") as server:
        yield server


@pytest.fixture
def own_influxdb(tmp_path: Path) -> Iterator[InfluxServer]:
    """An InfluxDB 1.x of the test's own, to wreck."""
    with influxdb_or_skip(tmp_path / "influxdb") as server:
        yield server


@pytest.fixture(scope="session")
def guarded_influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """An InfluxDB 1.x with auth on, and the users reader, writer and nobody; their passwords are their names."""
    with influxdb_or_skip(tmp_path_factory.mktemp("guarded_influxdb"), auth=True) as server:
        for name, grant in (("reader", "READ"), ("writer", "WRITE"), ("nobody", "")):
            server.query(f"CREATE USER {name} WITH PASSWORD '{name}'", ADMIN)
            if grant:
                server.query(f"GRANT {grant} ON {DATABASE} TO {name}", ADMIN)
        yield server


@pytest.fixture
def stand(influxdb: InfluxServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A site of the test's own in the shared server, with rows beside it."""
    made = Stand(influxdb, tmp_path, f"s{abs(hash(request.node.name))}")
    yield made
    made.close()


@pytest.fixture
def own_stand(own_influxdb: InfluxServer, tmp_path: Path) -> Iterator[Stand]:
    """A site in a server of the test's own."""
    made = Stand(own_influxdb, tmp_path, "home")
    yield made
    made.close()


@pytest.fixture
def influxdb2(tmp_path: Path) -> Iterator[InfluxServer2]:
    """An InfluxDB 2.x of the test's own, to wreck. No package brings it, so it may be missing in CI too."""
    try:
        with own_influxdb2(tmp_path / "influxdb2") as server:
            yield server
    except InfluxMissingError as reason:
        pytest.skip(str(reason))
