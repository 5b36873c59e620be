"""First passes over a big home take turns, in virtual time; one that hangs keeps no other for long."""

import anyio
import pytest

from engine.loop.first_passes import FirstPasses
from tests.homes import ENTRY, NOON, device, snapshot
from tests.loop.kept import ConcurrencyLimiter, Kept

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
MANY = 5_000


async def times_of(records: tuple[int, ...], seconds: float) -> list[tuple[float, float]]:
    """When each of the first passes over so many records began and ended, if it takes so many seconds."""
    first_passes, found = FirstPasses(), list[tuple[float, float]]()
    start = anyio.current_time()

    async def first_pass(size: int) -> None:
        async with first_passes.turn(size):
            began = anyio.current_time() - start
            await anyio.sleep(seconds)
            found.append((began, anyio.current_time() - start))

    async with anyio.create_task_group() as tasks:
        for size in records:
            tasks.start_soon(first_pass, size)
    return sorted(found)


async def test_over_a_big_home_one_begins_when_the_other_has_ended() -> None:
    assert await times_of((MANY, MANY, MANY), 5) == [(0, 5), (5, 10), (10, 15)]


async def test_over_a_small_home_and_of_stores_elsewhere_all_begin_at_once() -> None:
    assert await times_of((MANY - 1, 0, MANY), 5) == [(0, 5)] * 3


async def test_one_that_hangs_delays_the_others_by_a_minute() -> None:
    assert await times_of((MANY, MANY), 3_600) == [(0, 3_600), (60, 3_660)]


async def test_one_that_is_cancelled_gives_up_its_turn() -> None:
    first_passes = FirstPasses()
    with anyio.move_on_after(1):
        async with first_passes.turn(MANY):
            await anyio.sleep_forever()
    with anyio.fail_after(1):
        async with first_passes.turn(MANY):
            pass


async def test_a_later_pass_waits_for_no_other_stores_first() -> None:
    first_passes = FirstPasses()
    home = snapshot(ENTRY, *(device(number) for number in range(MANY)), at=NOON)
    hanging = ConcurrencyLimiter()
    hanging.closed.add("_finish")
    kept, slow = Kept(), Kept(offload=hanging)
    for one in (kept, slow):
        one.controller.offer(home)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kept.controller.run, kept, first_passes)
        await anyio.sleep(1)
        assert len(kept.times) == 1
        tasks.start_soon(slow.controller.run, slow, first_passes)
        await anyio.sleep(1)
        kept.controller.offer(snapshot(ENTRY, *(device(number) for number in range(MANY + 1)), at=NOON + 2))
        await anyio.sleep(1)
        assert len(kept.times) == 2, "the other one's first pass still goes on"
        assert not slow.times
        tasks.cancel_scope.cancel()
