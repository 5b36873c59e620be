"""Homes share threads, and one that hangs does not take them all."""

import threading

import anyio
import anyio.lowlevel
import pytest

from engine.offload import Threads

pytestmark = pytest.mark.anyio


async def test_a_home_that_hangs_leaves_threads_to_the_others() -> None:
    threads = Threads(3)
    hanging, other = threads.of_home(), threads.of_home()
    released = threading.Event()
    entered = list[int]()

    def hang() -> None:
        entered.append(1)
        released.wait(60)

    async with anyio.create_task_group() as tasks:
        try:
            for _ in range(5):
                tasks.start_soon(hanging, hang)
            with anyio.fail_after(60):
                while len(entered) < 2:
                    await anyio.lowlevel.checkpoint()
                assert await other(lambda: "done") == "done"
            assert len(entered) == 2
        finally:
            released.set()
    assert len(entered) == 5
