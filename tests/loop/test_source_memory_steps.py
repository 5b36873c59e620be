"""The cache of Home Assistant for the next start, step by step: when it is written, its content, and its use."""

from pathlib import Path

import anyio
import msgspec
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Device
from engine.core.records.set_aside import SetAside
from engine.errors import ReplicaUnavailable
from engine.loop.source_memory import SourceMemory
from engine.pass_cache.contents import Cache
from engine.pass_cache.file import PassCacheFile
from engine.pass_cache.learned import Learned
from tests.homes import RUNNING, device, snapshot
from tests.loop.changing_core import Core
from tests.loop.test_source_memory import Books, Followed
from tests.loop.virtual_time import inline
from tests.sources.recorded_homes import quiet

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
DAY = 86_400.0
ODD = SetAside("device", "name", "number", "its name is a number", device(1).id)


class Pupil(Followed):
    """A source whose news is set by the tests."""

    def __init__(self) -> None:
        super().__init__(Core())
        self.is_new = False
        self.forgets_all = False  # a cache is about another home
        self.recovery_mode = False
        self.is_odd = False
        self.has_nothing = False

    def recall(self, cache: Cache | None) -> Snapshot | None:
        return None if self.forgets_all else super().recall(cache)

    def has_learned(self) -> bool:
        return self.is_new

    def learned(self) -> Learned | None:
        found = super().learned()
        if found is None or self.has_nothing:
            return None
        now = found.snapshot
        if self.recovery_mode:
            now = now.read_as(health=msgspec.structs.replace(RUNNING, recovery_mode=True))
        if self.is_odd:
            now = Snapshot(msgspec.structs.replace(now.home, set_aside=(ODD,)), now.reading)
        return msgspec.structs.replace(found, snapshot=now)


class Forgetful(Books):
    """Has only the key that the test sets."""

    made: bytes | None = b"k" * 32
    fails = False

    def secret(self) -> bytes | None:
        if self.fails:
            raise ReplicaUnavailable("rows", "locked")
        return super().secret()

    def make_secret(self) -> bytes | None:
        return self.made if self.secret() else None


class Stand:
    """A memory, and what it is made with."""

    def __init__(self, folder: Path) -> None:
        self.file = PassCacheFile(folder / "rows.db")
        self.source, self.ledger = Pupil(), Forgetful()
        self.memory = SourceMemory(self.file, self.source, self.ledger, inline)

    async def keep(self) -> float | None:
        """What `keep` returns; the source then reads, as it does at any time."""
        within = await self.memory.keep()
        await self.source.read(quiet)
        return within

    @property
    def is_there(self) -> bool:
        return self.file.path.exists()


@pytest.fixture
async def stand(tmp_path: Path) -> Stand:
    made = Stand(tmp_path)
    await made.source.read(quiet)
    return made


async def test_it_is_kept_once_a_day_and_not_again_where_nothing_is_new(stand: Stand) -> None:
    assert await stand.keep() == 0.0, "with the next read"
    assert stand.is_there
    stand.file.remove()
    stand.source.is_new = True
    await anyio.sleep(DAY - 1)
    assert await stand.keep() is None
    assert not stand.is_there
    await anyio.sleep(1)
    assert await stand.keep() == 0.0
    assert stand.is_there
    stand.source.is_new = False
    await anyio.sleep(DAY)
    assert await stand.keep() is None


async def test_an_outdated_cache_is_removed_if_there_is_nothing_to_keep(stand: Stand) -> None:
    await stand.keep()
    stand.source.is_new = stand.source.has_nothing = True
    await anyio.sleep(DAY)
    assert await stand.keep() is None
    assert not stand.is_there


@pytest.mark.parametrize("why", ["recovery_mode", "is_odd"])
async def test_records_of_another_home_or_a_partial_read_are_not_kept(stand: Stand, why: str) -> None:
    await stand.keep()
    before = stand.file.path.read_bytes()
    stand.source.is_new = True
    setattr(stand.source, why, True)
    await anyio.sleep(DAY)
    assert await stand.keep() is None
    assert stand.file.path.read_bytes() == before


async def test_a_ledger_that_fails_or_has_no_key_keeps_nothing(stand: Stand) -> None:
    await stand.keep()
    stand.source.is_new, stand.ledger.made = True, None
    await anyio.sleep(DAY)
    assert await stand.keep() is None
    stand.ledger.fails = True
    await anyio.sleep(DAY)
    assert await stand.keep() is None


async def test_a_cache_written_with_a_lost_key_is_not_used(tmp_path: Path) -> None:
    class Keyless(Books):
        def make_secret(self) -> bytes | None:
            return b"k" * 32

    source = Pupil()
    await source.read(quiet)
    memory = SourceMemory(PassCacheFile(tmp_path / "rows.db"), source, Keyless(None), inline)
    assert await memory.keep() is None


async def test_a_service_begins_without_a_cache_where_the_ledger_fails(stand: Stand) -> None:
    stand.ledger.fails = True
    await stand.memory.begin()
    assert not stand.memory.doubts(odd_home())


def odd_home() -> Snapshot:
    plain = snapshot(device(1))
    return Snapshot(msgspec.structs.replace(plain.home, set_aside=(ODD,)), plain.reading)


async def test_odd_rows_are_doubted_once_and_only_where_a_cache_is_used(stand: Stand) -> None:
    assert not stand.memory.doubts(odd_home()), "it knew nothing before"
    await stand.keep()
    assert not stand.memory.doubts(snapshot(Device(id="d")))
    assert stand.memory.doubts(odd_home())
    assert not stand.memory.doubts(odd_home()), "it was forgotten"


async def test_a_cache_of_another_home_is_not_used(stand: Stand) -> None:
    stand.source.forgets_all = True
    assert await stand.keep() is None
    assert not stand.memory.doubts(odd_home())
