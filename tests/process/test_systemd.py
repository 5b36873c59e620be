"""The notifications that systemd receives, on a socket like its own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.process.systemd import Notifier


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)
        yield ear


def test_it_says_ready_alive_and_stopping(ear: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "3000000"})
    notifier.ready()
    notifier.alive()
    notifier.stopping()
    notifier.status("in sync")
    assert [ear.recv(100) for _ in range(4)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1", b"STATUS=in sync"]
    assert notifier.alive_seconds == 1.5


def test_without_systemd_it_says_nothing() -> None:
    notifier = Notifier({"WATCHDOG_USEC": "3000000"})
    notifier.ready()
    assert notifier.alive_seconds is None


def test_a_systemd_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0reconcile-test-notify")
        Notifier({"NOTIFY_SOCKET": "@reconcile-test-notify"}).ready()
        assert ear.recv(100) == b"READY=1"
