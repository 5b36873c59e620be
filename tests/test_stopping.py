"""The service ends within a second of SIGTERM while waiting for anything: as a process, with real hangs."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from tests.commandline.homes import Home
from tests.service_process import ROOT, Service, get, poll, wait_until

pytestmark = pytest.mark.process

# The second of the promise, and what a loaded machine may add.
SECONDS_MAX = 1.0 + float(os.environ.get("RECONCILE_TEST_STOP_SLACK_SECONDS", "1.0"))


@contextmanager
def silent_server() -> Iterator[tuple[int, socket.socket]]:
    """A port that takes connections and never answers; who connected waits in its backlog."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1], server


def check_stops_in_time(service: Service) -> str:
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    _, rest = service.process.communicate(timeout=60)
    seconds = time.monotonic() - began
    assert service.process.returncode == 0, rest
    assert seconds < SECONDS_MAX, rest
    return "".join(service.lines) + rest


def wait_for_connection(server: socket.socket) -> socket.socket:
    server.settimeout(120)
    connection, _ = server.accept()
    return connection


def test_while_home_assistant_does_not_answer(tmp_path: Path, services: list[Service]) -> None:
    with silent_server() as (port, server):
        services.append(Service(tmp_path, source=f"ws://127.0.0.1:{port}", RECONCILE_SOURCE__TOKEN="token"))
        services[0].wait_until_serving()
        with wait_for_connection(server):
            assert '"stopped"' in check_stops_in_time(services[0])


def test_while_influxdb_does_not_answer(tmp_path: Path, services: list[Service]) -> None:
    with silent_server() as (port, server):
        services.append(Service(tmp_path, "--records", f"influxdb://127.0.0.1:{port}/homes?wire=v1"))
        services[0].wait_until_serving()
        with wait_for_connection(server):
            check_stops_in_time(services[0])
    # It was cut off like by a kill, and continues where it was.
    services.append(Service(tmp_path))
    poll(services[1].wait_until_serving(), "/api/status", "in_sync")


def test_while_another_program_holds_the_rows(tmp_path: Path, services: list[Service]) -> None:
    home = Home(tmp_path / "home")
    services.append(Service(tmp_path, source=home.source, RECONCILE_LOOP__POLL_SECONDS="0.1"))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    with closing(apsw.Connection(str(tmp_path / "rows.db"))) as other:
        other.set_busy_timeout(60_000)
        other.execute("BEGIN IMMEDIATE")
        home.rename_device("Renamed")
        wait_until(lambda: get(address, "/api/status")["replicas"][0]["pending"], "a change that waits")
        check_stops_in_time(services[0])


def test_while_a_stream_has_no_reader(tmp_path: Path, services: list[Service]) -> None:
    services.append(Service(tmp_path))
    address = services[0].wait_until_serving()
    poll(address, "/api/status", "in_sync")
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as reader:
        reader.sendall(b"GET /api/changes/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reader.recv(12)
        assert '"stopped"' in check_stops_in_time(services[0])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_while_the_disk_does_not_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine", "serve", "--records", "none", "--rows", "rows.db"]
    source = ["--source", f"capture:{ROOT / 'ops' / 'sample' / 'home-2026.11'}"]
    slow = ["strace", "-f", "-qq", "-o", "calls", "-e", "trace=fsync,fdatasync"]
    slow += ["-e", "inject=fsync,fdatasync:delay_enter=60000000"]
    process = subprocess.Popen(
        [*slow, *command, *source],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RECONCILE_HTTP__PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            wait_until(lambda: "sync(" in _text(tmp_path / "calls"), "a write that is synced")
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            began = time.monotonic()
            os.kill(int(child), signal.SIGTERM)
            wait_until(lambda: _is_gone(int(child)), "the end")
            assert time.monotonic() - began < SECONDS_MAX
        finally:
            process.kill()


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
