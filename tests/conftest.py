"""What every test shares: how Hypothesis draws (the same each time, as slowly as a loaded machine likes), and services."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.service_process import Service

# A random failure in somebody's CI helps nobody; long searches stand in tests/fuzz, with seeds they print.
settings.register_profile(
    "repository", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repository")

# Servers of tests are on loopback; a proxy set for the machine, as in many a CI, must not be asked for them.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "localhost", "127.0.0.1", "::1")))


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Services that a test starts; what still runs at its end is killed."""
    started: list[Service] = []
    yield started
    for service in started:
        service.process.kill()
        service.process.communicate()
