"""What every test shares: how Hypothesis draws (the same each time, as slowly as a loaded machine likes), the event loop,
services, and which tests keep to one worker when they run on several.
"""

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from tests.availability import IS_LONG
from tests.blocking_calls import watched_for_blocking_calls
from tests.garbage import collect_without_warnings, has_failed
from tests.loop.virtual_time import virtual_backend
from tests.service_process import Service

# A random failure in CI does not help; long searches are in tests/fuzz, with seeds they print.
settings.register_profile(
    "repository",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=100 if IS_LONG else 12,
)
settings.load_profile("repository")
settings.register_profile(
    "fast", settings.get_profile("repository"), max_examples=8
)  # for `sh ops/test`, with and without `--fast`

# Servers of tests are on loopback; a proxy set for the machine, as in many a CI, must not be asked for them.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "localhost", "127.0.0.1", "::1")))


# The command line's messages are compared in English; and argparse looks for files of every other language, at every word.
os.environ["LANGUAGE"] = "C"


# Fixtures of a whole session that take long to make: the tests of one belong to one worker.
_SHARED = ("home_assistant", "service_image", "app_image")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that share something expensive; each variant of it is a group of its own. Leave long ones to CI."""
    for item in items:
        if not IS_LONG and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip("a long run: RECONCILE_TEST_LONG=1 includes it, as in CI"))
        release = getattr(getattr(item, "callspec", None), "params", {}).get("home_assistant_python")
        for shared in _SHARED:
            if shared in getattr(item, "fixturenames", ()):
                name = f"{shared} {release.version}" if release else shared
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str | tuple[str, dict[str, Any]]:
    """asyncio, which the program runs on; virtual time for the tests that are marked so."""
    if request.node.get_closest_marker("virtual_time"):
        return virtual_backend()
    return "asyncio"


@pytest.fixture(autouse=True)
def blocking_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call that blocks the event loop fails the test. In virtual time blocking work stands for a worker thread's."""
    if "anyio_backend" not in request.fixturenames or request.node.get_closest_marker("virtual_time"):
        yield
        return
    with watched_for_blocking_calls() as found:
        yield
    assert not found, "the event loop was blocked by:\n" + "\n".join(found[:3])


@pytest.fixture(autouse=True)
def garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test leaves open in a reference cycle fails the test itself in CI, and no other test anywhere."""
    yield
    if has_failed() or any(map(request.node.get_closest_marker, ("real_server", "optional_server"))):
        collect_without_warnings()  # it did not come to closing it, or a client of the test's own did not
    elif IS_LONG or request.node.get_closest_marker("process"):
        gc.collect()
        gc.freeze()  # the next search leaves out what this one has been through


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Services that a test starts; what still runs at its end is killed."""
    started: list[Service] = []
    yield started
    for service in started:
        service.process.kill()
        service.process.communicate()


def pytest_collection_finish() -> None:
    """Ten thousand tests and their modules stay as they are: looking through them for garbage took a tenth of the run."""
    # At its first use Hypothesis looks for what holds its random numbers, and does not find it among what is frozen.
    settings(database=None)(given(strategies.none())(lambda _: None))()
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """pytest looks ten times through all objects for one whose end raised something; once is enough, for what is left now."""
    gc.collect()
    gc.freeze()
