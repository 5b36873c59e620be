"""The informer in virtual time: at once, then gathered; a full read after every loss; never hammering."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.errors import SourceError, SourceInvalid, SourceRefused, SourceUnavailable
from engine.loop.informer import Informer
from engine.ports import Progress
from tests.homes import ENTRY, NOON, device, snapshot
from tests.loop.virtual_time import PACE, LiveHome

HINT = Hints(entity_ids=frozenset({"a.b"}))
pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Ear:
    """The calls that a listener received, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []
        self.snapshots: list[Snapshot] = []
        self.confirmed: list[float] = []

    def on_connected(self) -> None:
        self._note("connected")

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self._note("snapshot")

    def on_confirmed(self, at: float) -> None:
        self.confirmed.append(at)

    def on_disconnected(self, error: SourceError) -> None:
        self._note(type(error).__name__)

    def _note(self, what: str) -> None:
        self.heard.append((round(anyio.current_time(), 3), what))

    def times(self, what: str) -> list[float]:
        return [at for at, heard in self.heard if heard == what]


@asynccontextmanager
async def following(home: LiveHome) -> AsyncIterator[Ear]:
    ear = Ear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Informer(home, PACE, lambda: 0.5, lambda *_: None).run, ear)
        yield ear
        tasks.cancel_scope.cancel()


async def test_it_lists_first_and_again_from_time_to_time() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(1900)
    assert [round(at) for at in home.reads] == [0, 600, 1200, 1800]
    assert ear.times("connected") == [0]


async def test_the_first_change_is_reported_at_once_and_later_ones_are_batched() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(5)
        for _ in range(10):
            home.change(snapshot(ENTRY, device(1)), HINT)
            await anyio.sleep(0.01)
        await anyio.sleep(5)
    assert ear.times("snapshot") == [0, 5, 5.2]
    assert home.refreshes == [HINT, HINT]


async def test_an_announced_change_is_unread_from_its_event_until_it_is_reported() -> None:
    home, ear = LiveHome(snapshot(ENTRY)), Ear()
    informer = Informer(home, PACE, lambda: 0.5, lambda *_: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informer.run, ear)
        await anyio.sleep(5)
        assert informer.unread_since is None
        home.answer_seconds = 3
        home.change(snapshot(ENTRY, device(1)), HINT)
        await anyio.sleep(2)
        assert informer.unread_since == NOON + 5
        await anyio.sleep(2)
        assert informer.unread_since is None
        home.change(snapshot(ENTRY), HINT)
        home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(1)
        assert informer.unread_since is None, "once it is back, everything is read"
        tasks.cancel_scope.cancel()


async def test_hints_that_ask_for_everything_get_a_full_read() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home):
        await anyio.sleep(5)
        home.change(snapshot(ENTRY), Hints(relist=True))
        await anyio.sleep(1)
    assert len(home.reads) == 2
    assert home.refreshes == []


async def test_a_heartbeat_confirms_the_last_read_while_nothing_changes() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(35)
    assert [round(at - NOON) for at in ear.confirmed] == [10, 20, 30]


async def test_after_a_loss_it_comes_back_and_reads_everything() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(5)
        home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(20)
        home.down = None
        home.change(snapshot(ENTRY, device(1)))
        await anyio.sleep(20)
    assert ear.times("SourceUnavailable")[0] == 5
    waits = [
        b - a
        for a, b in zip(ear.times("SourceUnavailable"), ear.times("SourceUnavailable")[1:], strict=False)
    ]
    assert waits == [0.75, 1.5, 3, 6, 7.5]
    assert device(1).key in ear.snapshots[-1].home.records
    assert ear.confirmed[-1] > NOON + 20


async def test_a_refused_token_is_not_hammered() -> None:
    home = LiveHome(snapshot(ENTRY))
    home.down = SourceRefused("no")
    async with following(home) as ear:
        await anyio.sleep(100)
    assert ear.times("SourceRefused") == [0, 45, 90]


async def test_nothing_is_confirmed_while_it_is_away() -> None:
    home = LiveHome(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(15)
        home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(100)
    assert max(ear.confirmed) <= NOON + 15


def refused_by_a_proxy() -> SourceRefused:
    error = SourceRefused("HTTP 403")
    error.is_login = False
    return error


@pytest.mark.parametrize(
    "error", [SourceUnavailable("down"), SourceInvalid("a proxy's page"), refused_by_a_proxy()]
)
async def test_a_core_that_was_away_for_long_is_followed_again_within_seconds(error: SourceError) -> None:
    home = LiveHome(snapshot(ENTRY))
    home.down = error
    async with following(home) as ear:
        await anyio.sleep(1100 * PACE.reconnect_seconds_max)  # more tries than a power of two has room for
        home.down = None
        await anyio.sleep(PACE.reconnect_seconds_max)
        assert len(ear.snapshots) == 1


async def test_attempts_that_nothing_answers_count_as_waiting() -> None:
    class Silent(LiveHome):
        @asynccontextmanager
        async def watch(self) -> AsyncIterator[LiveHome]:
            if self.down is not None:
                await anyio.sleep(PACE.reconnect_seconds_max)  # a proxy holds the request
            async with super().watch():
                yield self

    home = Silent(snapshot(ENTRY))
    home.down = SourceUnavailable("no answer")
    async with following(home) as ear:
        await anyio.sleep(100 * PACE.reconnect_seconds_max + 0.001)
        assert len(ear.times("SourceUnavailable")) == 100
        home.down = None
        await anyio.sleep(PACE.reconnect_seconds_max)
        assert len(ear.snapshots) == 1


async def test_a_loss_after_a_good_read_begins_with_short_waits_again() -> None:
    home = LiveHome(snapshot(ENTRY))
    home.down = SourceUnavailable("down")
    async with following(home) as ear:
        await anyio.sleep(1000)
        home.down = None
        await anyio.sleep(PACE.reconnect_seconds_max)
        assert len(ear.snapshots) == 1
        home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(0.001)
        home.down = None
        await anyio.sleep(PACE.retry_seconds_min)
        assert len(ear.snapshots) == 2


async def test_unusable_lists_are_not_requested_every_few_seconds() -> None:
    home = LiveHome(snapshot(ENTRY))
    home.unreadable = SourceInvalid("no JSON")
    async with following(home) as ear:
        await anyio.sleep(1000)
        lost = ear.times("SourceInvalid")
        waits = [later - earlier for earlier, later in pairwise(lost)]
        assert max(waits) <= 30
        assert len(lost) < 1000 / 20


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
async def test_a_read_for_which_memory_does_not_suffice_is_tried_again(error: Exception) -> None:
    class Large(LiveHome):
        is_too_large = False

        async def read(self, progress: Progress) -> Snapshot:
            if self.is_too_large:
                raise error
            return await super().read(progress)

    home = Large(snapshot(ENTRY))
    async with following(home) as ear:
        await anyio.sleep(1)
        home.is_too_large = True
        home.change(snapshot(ENTRY, device(1)), HINT)
        home.change(snapshot(ENTRY, device(1)), Hints(relist=True))
        await anyio.sleep(20)
        assert ear.times("SourceUnavailable")
        assert len(ear.times("SourceUnavailable")) < 10
        home.is_too_large = False
        await anyio.sleep(30)
        assert ear.snapshots[-1].home.records.keys() == home.now.home.records.keys()


async def test_a_mistake_of_ours_is_not_called_a_lack_of_memory() -> None:
    class Broken(LiveHome):
        async def read(self, progress: Progress) -> Snapshot:
            raise RuntimeError("a mistake")

    with pytest.raises(ExceptionGroup) as caught:
        async with following(Broken(snapshot(ENTRY))):
            await anyio.sleep(1)
    assert caught.group_contains(RuntimeError, match="a mistake")
