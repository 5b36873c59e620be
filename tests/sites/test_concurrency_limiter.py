"""Gates: so many at a time, and one that hangs does not keep its place."""

import anyio
import pytest

from engine.core.state.hints import Hints
from engine.sites.concurrency_limiter import ConcurrencyLimiter, LimitedSource
from tests.homes import ENTRY, snapshot
from tests.loop.virtual_time import LiveHome

pytestmark = pytest.mark.anyio


async def test_so_many_pass_at_a_time_and_the_others_follow() -> None:
    limiter, inside, most = ConcurrencyLimiter(2), 0, 0
    release = anyio.Event()

    async def pass_through() -> None:
        nonlocal inside, most
        async with limiter.passed():
            inside += 1
            most = max(most, inside)
            await release.wait()
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(pass_through)
        await anyio.wait_all_tasks_blocked()
        assert inside == 2
        assert limiter.is_full
        release.set()
    assert most == 2
    assert not limiter.is_full


async def test_a_place_is_given_back_once_although_who_has_it_hangs() -> None:
    limiter = ConcurrencyLimiter(1, patience_seconds=0)
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(60):
            async with limiter.passed(), limiter.passed():  # the second waits until patience ends
                pass
            async with limiter.passed():
                pass
        tasks.cancel_scope.cancel()
    assert limiter._places._value == 1


async def test_a_limited_source_reads_and_follows_as_the_source_does() -> None:
    home = LiveHome(snapshot(ENTRY))
    source = LimitedSource(home, ConcurrencyLimiter(1), ConcurrencyLimiter(1))
    assert source.origin == home.origin
    async with source.watch() as watch:
        found = await watch.read(lambda *_: None)
        assert watch.unread_since is None
        home.change(home.now, Hints(relist=True))
        assert watch.unread_since == home.unread_since is not None
    assert ENTRY.key in found.home.records
    assert ENTRY.key in (await source.read(lambda *_: None)).home.records
