"""A record that any read listed is missed anew afterwards, whether or not a pass or the ledger could take that read."""

from collections.abc import Callable

import anyio
import msgspec
import pytest

from engine.core.guards.absences import Absences
from engine.core.guards.look import Look
from engine.core.home.snapshot import Snapshot
from engine.core.records.set_aside import SetAside
from engine.core.state.hints import Hints
from engine.errors import ReplicaUnavailable, SourceInvalid
from engine.loop.sightings import Sightings
from tests.fakes.world import MemoryLedger
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.kept import ConcurrencyLimiter
from tests.loop.passes.test_reconciler import HOME, Home
from tests.loop.running import Running, running

KEY = entity(1).key
ENTITIES = Hints(registries=frozenset({"entity"}))
WHOLE = snapshot(ENTRY, device(1), entity(1), entity(2))
LESS = snapshot(ENTRY, device(1), entity(2))
ODD = SetAside("entity", "id", "number", "its id is a number", KEY.id)


def test_a_snapshot_knows_what_earlier_reads_listed_and_it_lacks() -> None:
    sightings = Sightings()
    assert not sightings.add(WHOLE).last_seen
    later = WHOLE.with_changes([], [KEY], taken_at=NOON + 10, listed=frozenset())
    assert sightings.add(later).last_seen.at(KEY) == NOON
    full = WHOLE.with_changes([], [KEY, entity(2).key], taken_at=NOON + 20)
    seen = sightings.add(full).last_seen
    assert (seen.at(KEY), seen.at(entity(2).key)) == (NOON, NOON + 10)
    assert sightings.add(WHOLE.with_changes([], [], taken_at=NOON + 30)).last_seen.records == {}


def test_what_earlier_reads_saw_is_kept_with_the_parts_of_a_snapshot() -> None:
    sightings = Sightings()
    sightings.add(WHOLE)
    read = sightings.add(LESS)
    assert read.last_seen.at(KEY) == NOON
    for made in (
        read.only(frozenset({"entity"})),
        read.read_as(taken_at=NOON + 1),
        read.standing_in([]),
        read.filled_in([]),
        read.only(frozenset({"entity"})).with_unread_as_empty(),
    ):
        assert made.last_seen is read.last_seen


def test_after_a_read_that_failed_any_record_may_have_been_seen_until_the_next_one() -> None:
    for earlier in ([], [WHOLE], [WHOLE, LESS]):
        sightings = Sightings()
        for read in earlier:
            sightings.add(read)
        sightings.fail()
        at = sightings.add(LESS.read_as(taken_at=NOON + 20)).last_seen.at(KEY)
        assert at is not None
        assert NOON + 19.9 < at < NOON + 20
        assert sightings.add(LESS.read_as(taken_at=NOON + 30)).last_seen.at(KEY) == at


async def hang(service: Running) -> Callable[[], None]:
    """All stores hang from now on; returns what ends it."""
    limit = ConcurrencyLimiter()
    for controller in service.service._controllers:
        controller._offload = limit
    limit.closed.add("_compare")
    service.home.change(snapshot(*service.home.now.home.records.values(), device(7)), ENTITIES)
    await anyio.sleep(1)
    return limit.closed.clear


async def miss_twice(service: Running, between: Snapshot = WHOLE) -> None:
    """It is missing, all stores hang while `between` is read, and it is missing again a minute later, when they work."""
    service.home.change(WHOLE, ENTITIES)
    await anyio.sleep(5)
    service.home.change(LESS, ENTITIES)
    await anyio.sleep(2)
    work_again = await hang(service)
    service.home.change(between, ENTITIES)
    await anyio.sleep(60)
    service.home.change(LESS, ENTITIES)
    await anyio.sleep(1)
    work_again()
    await anyio.sleep(2)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_record_listed_while_every_store_hangs_is_missed_anew() -> None:
    async with running() as service:
        await miss_twice(service)
        assert KEY in service.rows.rows
        assert KEY in service.records.rows
        await anyio.sleep(55)
        assert KEY in service.rows.rows, "not a minute since it was listed"
        await anyio.sleep(10)
        assert KEY not in service.rows.rows
        assert KEY not in service.records.rows


MANY = [entity(n) for n in range(2, 42)]


async def remove_many(service: Running) -> None:
    """Events say that most entities are removed; a read of everything follows, which does not say so again."""
    rest = (ENTRY, device(1), entity(1))
    service.home.change(snapshot(*rest, removed=[r.key for r in MANY]), ENTITIES)
    await anyio.sleep(1)
    service.home.change(snapshot(*rest), Hints(relist=True))
    await anyio.sleep(1)


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("failing", [False, True])
async def test_a_removal_that_no_pass_could_write_is_still_one_after_a_relist(*, failing: bool) -> None:
    async with running() as service:
        service.home.change(snapshot(ENTRY, device(1), entity(1), *MANY), ENTITIES)
        await anyio.sleep(5)
        if failing:
            for replica in (service.rows, service.records):
                replica.fail_with = ReplicaUnavailable(replica.name, "It is away.", "Wait.")
            await remove_many(service)
            service.rows.fail_with = service.records.fail_with = None
        else:
            work_again = await hang(service)
            await remove_many(service)
            work_again()
        await anyio.sleep(30)
        for replica in (service.rows, service.records):
            assert not replica.rows.keys() & {r.key for r in MANY}
        # What is written is not evidence any more: a row that somebody brings back is one that is missing.
        service.home.change(snapshot(ENTRY, device(1), entity(1)), Hints(relist=True))
        await anyio.sleep(1)
        newest = service.service._controllers[0]._newest
        assert newest is not None
        assert newest.reading.removed == frozenset()


@pytest.mark.anyio
@pytest.mark.parametrize("prune_foreign", [False, True])
async def test_a_row_written_while_the_ledger_failed_is_ours_as_soon_as_it_works(
    *, prune_foreign: bool
) -> None:
    home, sightings = Home(), Sightings()
    await home.warm_pass(sightings.add(LESS))
    home.ledger.fail_with = ReplicaUnavailable("rows", "It is away.", "Wait.")
    await home.warm_pass(sightings.add(WHOLE.read_as(taken_at=NOON + 10)))
    assert KEY in home.rows.rows
    home.ledger.fail_with = None
    home.memories.clear()
    missing = sightings.add(LESS.read_as(taken_at=NOON + 20))
    report = await home.warm_pass(missing, prune_foreign=prune_foreign)
    assert {(r.replica, r.cause, r.outcome) for r in report.records} == {
        (name, "pending", "waiting") for name in ("rows", "records")
    }
    assert KEY in home.rows.rows
    assert KEY in home.records.rows


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_removed_record_that_was_listed_since_is_only_missing() -> None:
    async with running() as service:
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(5)
        work_again = await hang(service)
        service.home.change(LESS.read_as(removed=frozenset({KEY})), ENTITIES)
        await anyio.sleep(1)
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(1)
        service.home.change(LESS, Hints(relist=True))
        await anyio.sleep(1)
        work_again()
        await anyio.sleep(1)
        assert KEY in service.rows.rows


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_row_that_cannot_be_used_meanwhile_is_its_record_too() -> None:
    odd = Snapshot(msgspec.structs.replace(LESS.home, set_aside=(ODD,)), LESS.reading)
    async with running() as service:
        await miss_twice(service, odd)
        assert KEY in service.rows.rows
        await anyio.sleep(125)
        assert KEY not in service.rows.rows


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_read_that_failed_may_have_listed_any_record() -> None:
    async with running() as service:
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(5)
        service.home.change(LESS, ENTITIES)
        await anyio.sleep(30)
        service.home.unreadable = SourceInvalid("A list is cut off.", "Wait.")
        service.home.change(WHOLE, Hints(relist=True))
        await anyio.sleep(25)
        service.home.unreadable = None
        service.home.change(LESS, Hints(relist=True))
        await anyio.sleep(35)
        assert KEY in service.rows.rows
        await anyio.sleep(60)
        assert KEY not in service.rows.rows


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_store_that_hangs_does_not_begin_an_absence_that_has_ended() -> None:
    async with running() as service:
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(5)
        slow, other = ConcurrencyLimiter(), ConcurrencyLimiter()
        service.service._controllers[0]._offload = slow
        service.service._controllers[1]._offload = other
        slow.closed.add("_finish")
        service.home.change(LESS, ENTITIES)
        await anyio.sleep(2)
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(58)
        other.closed.add("_compare")
        service.home.change(LESS, ENTITIES)
        await anyio.sleep(1)
        # Now it writes down what it found missing a minute ago.
        slow.closed.clear()
        await anyio.sleep(1)
        other.closed.clear()
        await anyio.sleep(1)
        assert KEY in service.rows.rows
        assert KEY in service.records.rows
        await anyio.sleep(65)
        assert KEY not in service.rows.rows
        assert KEY not in service.records.rows


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_a_ledger_that_cannot_be_written_meanwhile_confirms_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_ledger: MemoryLedger, _absences: Absences, _at: Look) -> None:
        raise ReplicaUnavailable("ledger", "It cannot be written.", "Wait.")

    async with running() as service:
        service.home.change(WHOLE, ENTITIES)
        await anyio.sleep(5)
        service.home.change(LESS, ENTITIES)
        await anyio.sleep(2)
        with monkeypatch.context() as patch:
            patch.setattr(MemoryLedger, "note_absences", refuse)
            service.home.change(WHOLE, ENTITIES)
            await anyio.sleep(58)
        service.home.change(LESS, ENTITIES)
        await anyio.sleep(40)  # until it is tried again
        assert KEY in service.rows.rows
        await anyio.sleep(90)
        assert KEY not in service.rows.rows


async def test_a_run_that_confirms_deletes_remembers_what_its_first_read_listed() -> None:
    home, records = Home(), [*HOME, entity(3)]
    await home.run(snapshot(*records))
    await home.run(snapshot(*HOME, at=NOON))  # lacks entity 3
    lists_it, lacks_both = snapshot(*HOME[:-1], entity(3), at=NOON + 120), snapshot(*HOME[:-1], at=NOON + 180)
    await home.run(lists_it, lacks_both, confirm_deletes=True)
    assert set(home.rows.rows) == {r.key for r in (*HOME[:-1], entity(3))}
    assert home.ledger.missed == {entity(3).key: Look(NOON + 180)}
