"""A fake Home Assistant with a secret home, served from a thread beside the test."""

from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from tests.fakes.home_assistant import FakeHomeAssistant, fake_home_assistant
from tests.fakes.influxdb import Reply, ScriptedPeer, scripted_peer
from tests.security.secret_home import HOME_TOKEN, INFLUX_TOKEN, secret_answers


@pytest.fixture
def home_assistant() -> Iterator[FakeHomeAssistant]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fake_home_assistant(secret_answers(), token=HOME_TOKEN)) as fake,
    ):
        yield fake


@pytest.fixture
def influxdb() -> Iterator[ScriptedPeer]:
    """A server that refuses everything, and repeats what it was shown."""
    with scripted_peer() as peer:
        said = f'{{"error": "authorization failed for Token {INFLUX_TOKEN} and u=user&p={INFLUX_TOKEN}"}}'
        peer.default = Reply(status=401, headers={"Content-Type": "application/json"}, body=said.encode())
        yield peer
