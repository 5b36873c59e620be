"""A second way to the brokers of a cluster, which a test can interrupt: on each broker a listener behind a proxy of its own.

Clients connect to the addresses that the brokers return, so they would bypass a proxy in front of the usual listener.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.real.free_port import free_port
from tests.real.kafka import KafkaBroker
from tests.real.tcp_proxy import DOWN, UP, TcpProxy


class SecondWay:
    """Whoever begins with `servers` reaches all brokers by the proxies alone."""

    def __init__(self, proxies: Sequence[TcpProxy]) -> None:
        self._proxies = proxies
        self.servers = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)

    def interrupt(self) -> None:
        """Nothing passes from now on, without any notice: as if a cable was pulled."""
        for proxy in self._proxies:
            proxy.held = frozenset({UP, DOWN})

    def restore(self) -> None:
        """What was under way arrives late."""
        for proxy in self._proxies:
            proxy.held = frozenset()


@contextmanager
def second_way(brokers: Sequence[KafkaBroker]) -> Iterator[SecondWay]:
    """Give brokers that were not started yet a listener for it."""
    with ExitStack() as running:
        proxies = []
        for broker in brokers:
            port = free_port()
            proxies.append(running.enter_context(TcpProxy(port)))
            text = broker.settings_file.read_text()
            for name, value in (
                ("listeners", f"SECOND://127.0.0.1:{port}"),
                ("advertised.listeners", f"SECOND://127.0.0.1:{proxies[-1].port}"),
                ("listener.security.protocol.map", "SECOND:PLAINTEXT"),
            ):
                text = re.sub(rf"(?m)^({re.escape(name)}=.*)$", rf"\1,{value}", text)
            broker.settings_file.write_text(text)
        yield SecondWay(proxies)
