"""A port for a server that cannot choose one itself."""

import random
import socket
from contextlib import suppress

# Below those from which Linux and macOS take the near end of connections: one of them, made by anybody while a server
# is about to start or stopped for a moment, would have its port.
_PORTS = range(20_000, 30_000)


def free_port() -> int:
    """A loopback port without a listener."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
