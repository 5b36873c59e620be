"""Notifies systemd: ready, alive, stopping. Does nothing without systemd.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import socket
from collections.abc import Mapping


class Notifier:
    """Sends to the socket that systemd named in the environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        given = environ.get("WATCHDOG_USEC", "")
        self._watchdog_seconds = int(given) / 1_000_000 if given.isdecimal() and self._address else None

    @property
    def alive_seconds(self) -> float | None:
        """The interval at which to send `alive`, seconds: half of what systemd requires. None without a watchdog."""
        return self._watchdog_seconds / 2 if self._watchdog_seconds else None

    def ready(self) -> None:
        """Report that the service answers."""
        self._send("READY=1")

    def alive(self) -> None:
        """Report that the event loop runs."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line shown by `systemctl status`."""
        self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:
                # systemd not listening is no reason to fail; its watchdog will act.
                return
