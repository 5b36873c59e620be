"""SIGINT and SIGTERM end a command cleanly at any point."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from engine.commandline.interruption import Stopped, interruption
from engine.process.offload import to_thread

pytestmark = pytest.mark.process

CHECKOUT = Path(__file__).parents[2]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_waiting_work_is_cancelled(number: signal.Signals, code: int) -> None:
    async def work() -> None:
        os.kill(os.getpid(), number)
        await anyio.sleep_forever()

    with pytest.raises(Stopped) as stopped, interruption() as stop:
        stop.run(work)
    assert (stopped.value.exit_code, stopped.value.name) == (code, number.name)


def test_a_write_in_a_worker_thread_is_waited_for() -> None:
    written = []
    cancelled = threading.Event()

    def write() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        written.append(cancelled.wait(120))

    async def notice() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(notice)
            await anyio.to_thread.run_sync(write)
            await anyio.sleep_forever()

    with pytest.raises(Stopped), interruption() as stop:
        stop.run(work)
    assert written == [True]


def test_work_that_still_finishes_keeps_its_result() -> None:
    async def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "done"

    with interruption() as stop:
        assert stop.run(work) == "done"


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_without_an_event_loop_a_write_is_waited_for_as_well(number: signal.Signals, code: int) -> None:
    written = list[int]()

    def write() -> None:
        os.kill(os.getpid(), number)
        written.append(1)

    async def work() -> None:
        await to_thread(write)
        await to_thread(write)

    with pytest.raises(Stopped) as stopped, interruption() as stop:
        stop.run_alone(work)
    assert (stopped.value.exit_code, written) == (code, [1])


def test_without_an_event_loop_work_that_still_finishes_keeps_its_result() -> None:
    async def work() -> str:
        await to_thread(lambda: os.kill(os.getpid(), signal.SIGTERM))
        return "done"

    with interruption() as stop:
        assert stop.run_alone(work) == "done"


def test_work_that_does_not_wait_is_stopped_where_it_is() -> None:
    with pytest.raises(Stopped), interruption():
        os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruption() as stop:
        assert stop.run(_nothing) is None
        assert signal.getsignal(signal.SIGTERM) == stop.handle
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def _nothing() -> None:
    return None


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_pass_that_waits_for_home_assistant_ends_without_a_traceback(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"ws://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "--source", uri, "--rows", "rows.db", "--records", "none"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "RECONCILE_SOURCE__TOKEN": "token"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        server.settimeout(120)
        connection, _ = server.accept()  # it has asked, and is never answered
        with connection:
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (code, b"")
    assert err.startswith(f"Stopped by {number.name}. ".encode())
    assert err.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
