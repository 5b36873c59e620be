"""Homes share threads, and one that hangs does not take them all."""

import threading

import anyio
import anyio.lowlevel
import pytest

from engine.offload import Threads, lacks_memory


@pytest.mark.anyio
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


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("dictionary changed size during iteration"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_a_mistake(error: Exception, is_it: bool) -> None:
    assert lacks_memory(error) is is_it
