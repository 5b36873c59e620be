"""Homes share threads, and those that hang keep none from the others."""

import threading

import anyio
import anyio.lowlevel
import pytest

from engine.sites.threads import Threads

pytestmark = pytest.mark.anyio


async def hold_all(hanging: int, threads: Threads, placed: int) -> int:
    """How many pieces of work were begun when a home's work was done although others hang, each five times."""
    other = threads.of_home()
    released = threading.Event()
    entered = list[int]()

    def hang() -> None:
        entered.append(1)
        released.wait(60)

    async with anyio.create_task_group() as tasks:
        try:
            for home in [threads.of_home() for _ in range(hanging)]:
                for _ in range(5):
                    tasks.start_soon(home, hang)
            with anyio.fail_after(60):
                while len(entered) < placed:
                    await anyio.lowlevel.checkpoint()
                assert await other(lambda: "done") == "done"
            begun = len(entered)
        finally:
            released.set()
    assert len(entered) == hanging * 5
    return begun


async def test_a_home_that_hangs_holds_two_threads() -> None:
    assert await hold_all(1, Threads(3, patience_seconds=60), placed=2) == 2


async def test_homes_that_hang_do_not_hold_all_places_for_ever() -> None:
    assert await hold_all(20, Threads(3, patience_seconds=0), placed=3) >= 3


async def test_no_more_work_at_once_than_there_are_places() -> None:
    threads = Threads(2, patience_seconds=60)
    begun, released = list[int](), threading.Event()

    def work() -> None:
        begun.append(1)
        released.wait(60)

    async with anyio.create_task_group() as tasks:
        for home in [threads.of_home() for _ in range(4)]:
            tasks.start_soon(home, work)
        try:
            with anyio.fail_after(60):
                while len(begun) < 2:
                    await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            assert len(begun) == 2
        finally:
            released.set()
    assert len(begun) == 4
