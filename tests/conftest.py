"""What every test shares: how Hypothesis draws (the same each time, as slowly as a loaded machine likes), and services."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.service_process import Service

# A random failure in somebody's CI helps nobody; long searches stand in tests/fuzz, with seeds they print.
settings.register_profile(
    "repository", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repository")


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Services that a test starts; what still runs at its end is killed."""
    started: list[Service] = []
    yield started
    for service in started:
        service.process.kill()
        service.process.communicate()
