"""When the informer reads everything, what it requests, and how long it waits after each failure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import msgspec
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.core.state.intervals import Intervals
from engine.errors import SourceError, SourceInvalid, SourceUnavailable
from engine.loop.informer import Informer
from engine.loop.source_memory import SourceMemory
from engine.ports import Progress
from engine.process.offload import MORE_MEMORY
from tests.homes import ENTRY, device, snapshot
from tests.loop.test_informer import HINT, Ear
from tests.loop.virtual_time import PACE, LiveHome

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Home(LiveHome):
    """A Home Assistant that records its requests."""

    def __init__(self) -> None:
        super().__init__(snapshot(ENTRY))
        self.asked_with: list[object] = []

    async def read(self, progress: Progress) -> Snapshot:
        self.asked_with.append(progress)
        return await super().read(progress)

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        self.asked_with.append(newest)
        return await super().refresh(hints, newest)


class Known(SourceMemory):
    """What an earlier process left, as it is given."""

    def __init__(self, *, doubted: int = 0, kept: float | None = None) -> None:
        self.doubted, self.kept = doubted, kept
        self.calls: list[object] = []

    async def begin(self) -> None:
        self.calls.append("begin")

    def doubts(self, snapshot: Snapshot) -> bool:
        self.calls.append(snapshot.home.records)
        self.doubted -= 1
        return self.doubted >= 0

    async def keep(self) -> float | None:
        self.calls.append("keep")
        kept, self.kept = self.kept, None
        return kept


class Heard(Ear):
    """Remembers the errors as well."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[SourceError] = []

    def on_disconnected(self, error: SourceError) -> None:
        self.errors.append(error)
        super().on_disconnected(error)


def quiet(*_: object) -> None:
    """Nobody looks."""


@asynccontextmanager
async def following(
    home: LiveHome,
    pace: Intervals = PACE,
    memory: SourceMemory | None = None,
) -> AsyncIterator[tuple[Informer, Heard]]:
    informer, heard = Informer(home, pace, lambda: 0.5, quiet, memory), Heard()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(informer.run, heard)
        yield informer, heard
        tasks.cancel_scope.cancel()


async def test_a_relist_takes_place_when_due_and_not_at_the_heartbeat_before() -> None:
    home = Home()
    async with following(home, msgspec.structs.replace(PACE, relist_seconds=600.5)):
        await anyio.sleep(1210)
    assert home.reads == [0, 600.5, 1201]


async def test_a_requested_read_takes_place_on_time_and_later_requests_do_not_delay_it() -> None:
    home = Home()
    async with following(home) as (informer, _):
        await anyio.sleep(5)
        informer.relist_within(30)
        await anyio.sleep(1)
        informer.relist_within(50)
        await anyio.sleep(100)
        assert home.reads == [0, 35]
        informer.relist_within(-3)
        await anyio.sleep(2)
    assert home.reads == [0, 35, 107], "after a second at the earliest"


async def test_a_read_may_be_requested_before_the_informer_starts() -> None:
    home = Home()
    informer = Informer(home, PACE, lambda: 0.5, quiet)
    informer.relist_within(5)
    with anyio.move_on_after(60):
        await informer.run(Heard())
    assert home.reads == [0]


async def test_a_read_after_an_event_starts_from_the_known_snapshot() -> None:
    home = Home()
    async with following(home) as (_, heard):
        await anyio.sleep(5)
        home.change(snapshot(ENTRY, device(1)), HINT)
        await anyio.sleep(1)
        assert home.asked_with == [quiet, heard.snapshots[0]]
        assert heard.snapshots[1].home.records.keys() == home.now.home.records.keys()


async def test_the_cache_of_an_earlier_process_is_used_checked_and_kept() -> None:
    home, known = Home(), Known(doubted=1, kept=100.0)
    async with following(home, memory=known) as (_, heard):
        await anyio.sleep(1)
        assert home.asked_with == [quiet, quiet], "it was doubted"
        assert len(heard.snapshots) == 1
        assert known.calls == ["begin", home.now.home.records]
        await anyio.sleep(30)
        assert known.calls[2:] == ["keep"] * 3
        assert home.reads == [0, 0]
        await anyio.sleep(30)
    assert home.reads == [0, 0, 60], "a share of the hundred seconds after it was kept is drawn"


class Unusable(Home):
    """It can be reached, and fails when it is read."""

    error: SourceError | Exception = SourceUnavailable("cut off")

    async def read(self, progress: Progress) -> Snapshot:
        raise self.error


async def waits(home: LiveHome, seconds: float = 300.0) -> list[float]:
    async with following(home) as (_, heard):
        await anyio.sleep(seconds)
    lost = [at for at, what in heard.heard if what not in ("connected", "snapshot")]
    return [round(later - earlier, 3) for earlier, later in pairwise(lost)]


async def test_only_lists_that_cannot_be_used_are_waited_for_longer() -> None:
    answering, away, silent = Unusable(), Home(), Unusable()
    answering.error = SourceInvalid("no JSON")
    away.down = SourceInvalid("a proxy's page")
    assert max(await waits(answering)) == 22.5
    assert max(await waits(away)) == 7.5
    assert max(await waits(silent)) == 7.5


async def test_a_proxys_page_does_not_count_as_an_unusable_list() -> None:
    home = Unusable()
    home.error = SourceInvalid("no JSON")
    async with following(home) as (_, heard):
        await anyio.sleep(100)
        home.down, before = SourceInvalid("a proxy's page"), len(heard.errors)
        await anyio.sleep(100)
    lost = heard.times("SourceInvalid")[before:]
    assert max(later - earlier for earlier, later in pairwise(lost)) == 7.5


async def test_a_lack_of_memory_is_called_so() -> None:
    home = Unusable()
    home.error = MemoryError()
    async with following(home) as (_, heard):
        await anyio.sleep(0.1)
    (error,) = heard.errors
    assert isinstance(error, SourceUnavailable)
    assert (error.message, error.hint) == ("There is not enough memory to read Home Assistant.", MORE_MEMORY)
