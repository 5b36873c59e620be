"""The processes of the kill tests: started once, because loading the program takes longer than killing it."""

from collections.abc import Iterator

import pytest

from tests.kill.fork_server import ForkServer
from tests.kill.onlooker import Onlooker


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture(scope="session")
def onlooker() -> Iterator[Onlooker]:
    with Onlooker() as looking:
        yield looking
