"""Worker threads do their work, end when idle, and keep no reference to the results."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from engine.process.worker_threads import WorkerThreads

pytestmark = pytest.mark.anyio

_LONG = 60.0  # never waited for


class Thing:
    """Something that can be seen to be let go."""


@pytest.fixture
async def workers() -> AsyncIterator[WorkerThreads]:
    """Threads that end at once when there is nothing to do."""
    yield WorkerThreads(idle_seconds=0.0)
    await until_alone()


async def until_alone() -> None:
    """Until no worker is left."""
    with anyio.fail_after(_LONG):
        while any(thread.name == "worker" for thread in threading.enumerate()):
            await anyio.lowlevel.checkpoint()


async def test_it_returns_the_result_of_the_work(workers: WorkerThreads) -> None:
    here = threading.get_ident()
    assert await workers.run(threading.get_ident) != here


async def test_it_raises_the_error_of_the_work(workers: WorkerThreads) -> None:
    def fail() -> None:
        raise ValueError("the reason")

    with pytest.raises(ValueError, match="the reason"):
        await workers.run(fail)
    assert await workers.run(lambda: "next") == "next"


async def test_a_thread_is_used_again_while_it_waits() -> None:
    workers = WorkerThreads(idle_seconds=_LONG)
    used = {await workers.run(threading.get_ident) for _ in range(20)}
    assert len(used) == 1
    workers._idle_seconds = 0.0
    await workers.run(int)  # the thread waits no longer from then on
    await until_alone()


async def test_work_at_the_same_time_has_threads_of_its_own(workers: WorkerThreads) -> None:
    together = threading.Barrier(5)
    with anyio.fail_after(_LONG):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(workers.run, together.wait)


async def test_an_exhausted_iterator_is_an_error_and_no_endless_wait(workers: WorkerThreads) -> None:
    with anyio.fail_after(_LONG), pytest.raises(RuntimeError, match="StopIteration"):
        await workers.run(partial(next, iter(())))


async def test_cancelled_waiting_ends_with_the_work(workers: WorkerThreads) -> None:
    begun, released, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        released.wait(_LONG)
        done.append("all of it")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run, work)
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
        released.set()
    assert done == ["all of it"]


async def test_work_cancelled_before_it_starts_does_not_run(workers: WorkerThreads) -> None:
    done = list[str]()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await workers.run(lambda: done.append("it"))
    assert scope.cancelled_caught
    assert not done


async def test_a_task_that_is_cancelled_for_good_leaves_its_thread_to_others(workers: WorkerThreads) -> None:
    begun, released = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        released.wait(_LONG)

    task = asyncio.ensure_future(workers.run(work))
    while not begun.is_set():
        await anyio.lowlevel.checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
    assert await workers.run(lambda: "next") == "next"


async def test_a_result_is_let_go() -> None:
    workers = WorkerThreads(idle_seconds=_LONG)
    gc.disable()  # what is in a cycle would be let go by chance
    try:
        result = weakref.ref(await workers.run(Thing))
        with anyio.fail_after(_LONG):
            while result() is not None:  # until the thread waits for the next job
                await anyio.lowlevel.checkpoint()
    finally:
        gc.enable()
    workers._idle_seconds = 0.0
    await workers.run(int)
    await until_alone()
