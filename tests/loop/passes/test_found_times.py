"""Since when a difference stands that nothing but the engine dates: it survives a restart, for the same row alone."""

import anyio
import msgspec
import pytest

from engine.core.guards.look import Calendar, FirstSeen, Look
from engine.core.state.report import Report
from engine.core.times import Instant
from engine.errors import ReplicaUnavailable
from engine.loop.passes.found_times import FOUND_MAX, FoundTimes
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import device, snapshot
from tests.loop.kept import HOME, Kept, keeping
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
FOREIGN = device(99)


async def found_since(ledger: MemoryLedger, replica: MemoryReplica, mode: str = "apply") -> float | None:
    """What a service that starts now says of the foreign row, and keeps for the next."""
    async with keeping(mode, replica=replica, ledger=ledger) as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), at=clock()))
        await anyio.sleep(1)
        return since_of(kept)


def since_of(kept: Kept) -> float | None:
    (record,) = (r for r in kept.reports[-1][1].records if r.key == FOREIGN.id)
    return record.since


def with_foreign() -> MemoryReplica:
    replica = MemoryReplica()
    replica.rows[FOREIGN.key] = (FOREIGN, None)
    return replica


async def test_a_foreign_row_keeps_the_time_it_was_first_found_across_restarts() -> None:
    ledger, replica, began = MemoryLedger(), with_foreign(), clock()
    for _ in range(3):
        assert await found_since(ledger, replica) == pytest.approx(began, abs=0.01)
        await anyio.sleep(86_400)


async def test_another_row_in_its_place_is_foreign_since_it_was_found() -> None:
    ledger, replica = MemoryLedger(), with_foreign()
    await found_since(ledger, replica)
    await anyio.sleep(86_400)
    replica.edit(FOREIGN.key, name="Another")
    now = clock()
    assert await found_since(ledger, replica) == pytest.approx(now, abs=0.01)


async def test_a_difference_that_went_and_came_back_starts_over() -> None:
    ledger, replica = MemoryLedger(), with_foreign()
    async with keeping(replica=replica, ledger=ledger) as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), at=clock()))
        await anyio.sleep(1)
        row = replica.rows.pop(FOREIGN.key)
        replica.edits += 1
        await anyio.sleep(PACE.watch_seconds + 1)
        assert ledger.found_first == {"memory": {}}
        replica.rows[FOREIGN.key] = row
        replica.edits += 1
        back_at = clock()
        await anyio.sleep(PACE.watch_seconds + 1)
        assert since_of(kept) == pytest.approx(back_at, abs=PACE.watch_seconds + 0.1)
    assert await found_since(ledger, replica) == pytest.approx(back_at, abs=PACE.watch_seconds + 0.1)


async def test_observe_mode_reads_the_noted_times_and_writes_none() -> None:
    ledger, replica, began = MemoryLedger(), with_foreign(), clock()
    await found_since(ledger, replica, "observe")
    assert ledger.found_first == {}
    await found_since(ledger, replica)
    await anyio.sleep(60)
    assert await found_since(ledger, replica, "observe") == pytest.approx(began + 1, abs=0.01)


async def test_a_ledger_that_fails_costs_nothing_but_the_time() -> None:
    ledger, replica = MemoryLedger(), with_foreign()
    await found_since(ledger, replica)
    await anyio.sleep(60)
    times = FoundTimes(ledger, "memory")
    ledger.fail_with = ReplicaUnavailable("memory", "Away.", "Wait.")
    report = await _report(replica)
    assert times.date(report, clock(), Calendar()).records[-1].since == clock()
    times.keep()
    assert times.is_changed, "it is tried again"


async def test_a_time_by_a_clock_that_was_wrong_is_not_believed() -> None:
    replica = with_foreign()
    report = await _report(replica)
    (record,) = report.records
    key = (record.replica, record.registry, record.key, record.kind)
    for wall in (0.0, clock() + 86_400):
        ledger = MemoryLedger()
        ledger.found_first = {"memory": {key: FirstSeen(record.replica_hash, Look(wall))}}
        dated = FoundTimes(ledger, "memory").date(report, clock(), Calendar())
        assert dated.records[0].since == clock()


async def test_so_many_are_remembered_and_no_more() -> None:
    replica = MemoryReplica()
    for number in range(100, 100 + FOUND_MAX + 50):
        replica.rows[device(number).key] = (device(number), None)
    ledger = MemoryLedger()
    async with keeping(replica=replica, ledger=ledger) as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), at=clock()))
        await anyio.sleep(1)
    assert len(ledger.found_first["memory"]) == FOUND_MAX


async def test_of_more_the_oldest_are_remembered() -> None:
    replica, ledger = with_foreign(), MemoryLedger()
    async with keeping(replica=replica, ledger=ledger) as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), at=clock()))
        await anyio.sleep(60)
        for number in range(100, 100 + FOUND_MAX):
            newer = device(number, id=f"a{number}")
            replica.rows[newer.key] = (newer, None)
        replica.edits += 1
        await anyio.sleep(PACE.watch_seconds + 1)
    found = ledger.found_first["memory"]
    assert (len(found), FOREIGN.id in {key[2] for key in found}) == (FOUND_MAX, True)


async def test_times_are_reported_by_the_current_wall_clock() -> None:
    report, calendar = await _report(with_foreign()), Calendar(shift=3600.0)
    assert FoundTimes(MemoryLedger(), "memory").date(report, clock(), calendar).records[0].since == (
        clock() + 3600
    )
    (record,) = report.records
    key = (record.replica, record.registry, record.key, record.kind)
    ledger, began = MemoryLedger(), clock() + 3600 - 500
    ledger.found_first = {"memory": {key: FirstSeen(record.replica_hash, Look(began))}}
    assert FoundTimes(ledger, "memory").date(report, clock(), calendar).records[0].since == began


async def test_only_records_without_a_time_are_noted_and_each_only_once() -> None:
    report, ledger = await _report(with_foreign()), MemoryLedger()
    timed = msgspec.structs.replace(report.records[0], since=Instant(clock() - 5))
    times = FoundTimes(ledger, "memory")
    times.date(msgspec.structs.replace(report, records=(timed,)), clock(), Calendar())
    assert not times.is_changed
    times.date(report, clock(), Calendar())
    assert times.is_changed
    times.keep()
    assert not times.is_changed
    again = FoundTimes(ledger, "memory")
    again.date(report, clock(), Calendar())
    assert not again.is_changed, "an earlier process noted it"


async def _report(replica: MemoryReplica) -> Report:
    """What a pass over it says before it is dated: of a foreign row, no time."""
    async with keeping(replica=replica) as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), at=clock()))
        await anyio.sleep(1)
        report = kept.reports[-1][1]
    records = [msgspec.structs.replace(r, since=None) for r in report.records if r.key == FOREIGN.id]
    return msgspec.structs.replace(report, records=tuple(records))
