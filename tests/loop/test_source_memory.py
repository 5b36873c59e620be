"""A service that starts with the pass cache reads the same as one without, after any change of the file in between."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import anyio
import pytest
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.home.lazy_mappings import LazyMapping
from engine.core.home.snapshot import Snapshot
from engine.core.state.hints import Hints
from engine.errors import SourceError, SourceUnavailable
from engine.loop.informer import Informer
from engine.loop.source_memory import SourceMemory
from engine.pass_cache.file import PassCacheFile
from engine.ports import Progress
from engine.sources.live.websocket import WebsocketSource
from tests.examples import at_most
from tests.fakes.world import MemoryLedger
from tests.loop.changing_core import Core
from tests.loop.test_cached_passes import damage
from tests.loop.virtual_time import PACE, clock, inline
from tests.sources.recorded_homes import quiet


class Books(MemoryLedger):
    """Has a key, or none."""

    def __init__(self, key: bytes | None = b"k" * 32) -> None:
        super().__init__()
        self._key = key

    def secret(self) -> bytes | None:
        return self._key

    def make_secret(self) -> bytes | None:
        return self.secret()


class Followed(WebsocketSource):
    """A core that is followed without a socket: it is silent, and only read."""

    def __init__(self, core: Core) -> None:
        super().__init__("ws://core", "token", clock=clock, offload=inline)
        self.core = core
        self.unread_since: float | None = None

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["Followed"]:
        yield self

    async def read(self, progress: Progress) -> Snapshot:
        return await self.read_from(self.core, progress)

    async def wait_for_hints(self) -> Hints:
        await anyio.sleep_forever()
        raise AssertionError

    async def refresh(self, hints: Hints, newest: Snapshot) -> Snapshot:
        return newest

    async def heartbeat(self) -> float | None:
        return clock()


class Ear:
    """Compares each snapshot with that of a reader without a cache."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.snapshots: list[Snapshot] = []

    def on_connected(self) -> None:
        pass

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def on_confirmed(self, at: float) -> None:
        pass

    def on_disconnected(self, error: SourceError) -> None:
        assert isinstance(error, SourceUnavailable), error


async def serve(core: Core, file: PassCacheFile, seconds: float, *, reread: float = 0.0) -> Ear:
    """One service from its start to its death."""
    ear, source = Ear(core), Followed(core)
    memory = SourceMemory(file, source, Books(), inline, reread_seconds_max=reread)
    with anyio.move_on_after(seconds):
        await Informer(source, PACE, lambda: 0.5, quiet, memory).run(ear)
    return ear


async def kept_at(*, is_calm: Callable[[float], bool]) -> float:
    """After how many seconds of a service its cache is there."""
    with TemporaryDirectory() as folder:
        file, started = PassCacheFile(Path(folder) / "rows.db"), anyio.current_time()
        calm = lambda: is_calm(anyio.current_time() - started)  # noqa: E731
        memory = SourceMemory(file, source := Followed(Core()), Books(), inline, is_calm=calm)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Informer(source, PACE, lambda: 0.5, quiet, memory).run, Ear(source.core))
            while not file.path.exists() and anyio.current_time() - started < 1_000:  # noqa: ASYNC110 (virtual time)
                await anyio.sleep(1)
            tasks.cancel_scope.cancel()
        return anyio.current_time() - started


async def check_newest(ear: Ear) -> None:
    fresh = await Followed(ear.core).read(quiet)
    found = ear.snapshots[-1]
    assert found.home.records == fresh.home.records
    assert found.home.hashes == fresh.home.hashes
    assert found.home.row_versions == fresh.home.row_versions
    assert found.home.derived == fresh.home.derived
    assert found.home.positions == fresh.home.positions
    assert found.home.set_aside == fresh.home.set_aside
    assert found.home.partly_read == fresh.home.partly_read
    assert found.reading.registries == fresh.reading.registries


async def live(seed: int, starts: int) -> None:
    random, core, older = Random(seed), Core(), list[bytes]()
    with TemporaryDirectory() as folder:
        file = PassCacheFile(Path(folder) / "rows.db")
        for start in range(starts):
            for _ in range(random.choice([0, 1, 1, 2, 6]) if start else 0):
                core.edit(random)
            if random.random() < 0.3:
                damage(file, random, older)
            ear = await serve(core, file, 15 if random.random() < 0.8 else 1)
            if ear.snapshots:
                await check_newest(ear)
            core.edit(random)
            ear = await serve(core, file, 700)  # with a relist
            if ear.snapshots:
                await check_newest(ear)


@settings(max_examples=at_most(15, fast=1))
@given(st.integers(0, 2**32))
def test_a_start_with_a_cache_reads_the_same_as_one_without(seed: int) -> None:
    anyio.run(live, seed, 4, backend="trio", backend_options=_virtual())


def _virtual() -> dict[str, object]:
    return {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.mark.anyio
@pytest.mark.virtual_time
class TestOneFile:
    async def test_known_rows_are_not_requested_again(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        await serve(core, file, 15)
        assert core.asked_for > 0
        core.asked_for = 0
        row = core.rows("entity")[0]
        core.change("entity", row, {"name": "Another"})
        ear = await serve(core, file, 5)
        assert core.asked_for == 1
        await check_newest(ear)

    @pytest.mark.slow
    async def test_it_is_written_once_a_day_and_only_if_something_changed(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        await serve(core, file, 5)
        assert not file.path.exists(), "not before it is calm"
        await serve(core, file, 15)
        first = file.path.read_bytes()
        await serve(core, file, 3 * 86_400)
        assert file.path.read_bytes() == first
        file.remove()
        core.change("entity", core.rows("entity")[0], {"name": "Another"})
        await serve(core, file, 15)
        second = file.path.read_bytes()
        assert second != first

    async def test_a_restart_begins_with_the_cache_at_once_and_decodes_nothing_again(
        self, tmp_path: Path
    ) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        ear = await serve(core, file, 15)
        assert len(ear.snapshots) == 2, "what was decoded is let go with one more read"
        assert isinstance(ear.snapshots[1].home.records, LazyMapping)
        assert core.asked_for == len(core.rows("entity"))
        await check_newest(ear)

    async def test_where_reads_are_scarce_it_is_let_go_with_one_later_on(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        assert len((await serve(core, file, 90, reread=200)).snapshots) == 1
        file.remove()
        ear = await serve(core, file, 150, reread=200)
        assert len(ear.snapshots) == 2
        assert isinstance(ear.snapshots[1].home.records, LazyMapping)
        await check_newest(ear)

    async def test_it_reports_each_write_of_the_cache(self, tmp_path: Path) -> None:
        core, file, kept = Core(), PassCacheFile(tmp_path / "rows.db"), list[str]()
        source = Followed(core)
        memory = SourceMemory(file, source, Books(), inline, on_kept=lambda: kept.append("kept"))
        with anyio.move_on_after(700):
            await Informer(source, PACE, lambda: 0.5, quiet, memory).run(Ear(core))
        assert kept == ["kept"]

    async def test_a_read_is_kept_even_if_the_cache_cannot_be_written(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "nowhere" / "rows.db")
        ear = await serve(core, file, 15)
        assert len(ear.snapshots) == 1
        await check_newest(ear)

    async def test_a_home_with_odd_rows_leaves_none(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        await serve(core, file, 15)
        del core.rows("area")[0]["area_id"]
        ear = await serve(core, file, 15)
        assert ear.snapshots[-1].home.set_aside
        await check_newest(ear)
        assert not file.path.exists()

    async def test_a_ledger_without_a_key_is_no_reason_not_to_follow(self, tmp_path: Path) -> None:
        core, file = Core(), PassCacheFile(tmp_path / "rows.db")
        ear, source = Ear(core), Followed(core)
        with anyio.move_on_after(30):
            await Informer(
                source, PACE, lambda: 0.5, quiet, SourceMemory(file, source, Books(None), inline)
            ).run(ear)
        await check_newest(ear)
        assert not file.path.exists()


@pytest.mark.parametrize(
    ("is_calm", "earliest", "latest"),
    [(lambda _now: True, 0, 15), (lambda now: now > 60, 60, 75), (lambda _now: False, 300, 320)],
)
def test_it_is_left_once_a_process_that_starts_many_homes_has_time(
    is_calm: Callable[[float], bool], earliest: float, latest: float
) -> None:
    at = anyio.run(partial(kept_at, is_calm=is_calm), backend="trio", backend_options=_virtual())
    assert earliest < at < latest
