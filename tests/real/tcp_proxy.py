"""A TCP proxy between the service and a real server, which delays, holds up, cuts and resets what passes through.

Bytes are forwarded as they come; what happens to them is decided piece by piece, by the test's own function or by
the switches. Every thread ends with the proxy.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

UP, DOWN = "up", "down"  # to the server, to the client

# Given a direction and a piece of data: None to forward it, or how many of its bytes to forward before both ends
# are reset.
Decide = Callable[[str, bytes], int | None]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST
_POLL_SECONDS = 0.02


class TcpProxy:
    """Forwards connections to a loopback port. The switches may be set at any time, from any thread."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.decide: Decide = lambda _direction, _data: None
        self.delay_seconds = 0.0  # before every piece
        self.held: frozenset[str] = frozenset()  # directions in which nothing passes, and nothing is lost
        self.connections = 0
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> "TcpProxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._is_closed = True
        # Closing a listener does not wake a thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        for thread in self._threads:
            thread.join(timeout=30)

    def reset(self) -> None:
        """Reset every connection there is, at both ends."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _reset(pair)

    def close_half(self, direction: str) -> None:
        """End one direction of every connection politely; the other one continues."""
        with self._lock:
            pairs = list(self._pairs)
        for client, server in pairs:
            with suppress(OSError):
                (server if direction == UP else client).shutdown(socket.SHUT_WR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            if self._is_closed:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self._target_port), timeout=30)
        except OSError:
            _reset((client,))
            return
        server.settimeout(None)
        pair = client, server
        with self._lock:
            self._pairs.add(pair)
        for source, sink, direction in ((client, server, UP), (server, client, DOWN)):
            thread = threading.Thread(target=self._pump, args=(pair, source, sink, direction), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pump(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        direction: str,
    ) -> None:
        try:
            while data := source.recv(65_536):
                while direction in self.held and self._is_open(pair):
                    time.sleep(_POLL_SECONDS)
                time.sleep(self.delay_seconds)
                passed = self.decide(direction, data)
                sink.sendall(data if passed is None else data[:passed])
                if passed is not None:
                    self._drop(pair)
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(pair)

    def _is_open(self, pair: tuple[socket.socket, socket.socket]) -> bool:
        with self._lock:
            return pair in self._pairs

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        _reset(pair)


def _reset(sockets: tuple[socket.socket, ...]) -> None:
    for one in sockets:
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Wakes a thread that waits in recv, which close alone does not.
        with suppress(OSError):
            one.shutdown(socket.SHUT_RD)
        one.close()
