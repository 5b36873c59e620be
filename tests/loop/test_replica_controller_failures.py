"""A controller whose store fails, hangs or requests a wait: its reports meanwhile, and when it is retried."""

import gc
import weakref

import anyio
import pytest

from engine.core.state.status import replica_status
from engine.errors import ReplicaRejected, ReplicaUnavailable
from engine.ports import Observed
from tests.examples import first_quick
from tests.fakes.world import MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.kept import HOME, ConcurrencyLimiter, Short, keeping, later
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_a_failing_store_is_tried_again_with_growing_waits_and_catches_up() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaUnavailable("memory", "away", "start it")
        kept.controller.offer(HOME)
        await anyio.sleep(20)
        assert kept.times == [0, 1, 3, 7, 15]
        status = kept.controller.status
        assert (status.status, status.error) == ("unknown", "away start it")
        assert status.compared_at is None
        kept.replica.fail_with = None
        await anyio.sleep(20)
        assert kept.controller.status.status == "in_sync"
        assert kept.controller.status.error is None
        assert set(kept.replica.rows) == set(HOME.home.records)


async def test_changes_do_not_hammer_a_failing_store() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        for number in range(100):
            kept.controller.offer(snapshot(ENTRY, device(number), at=clock()))
            await anyio.sleep(0.2)
        assert len(kept.reports) == 5


@pytest.mark.parametrize("hanging", ["_compare", "_finish"])
async def test_a_change_is_pending_as_soon_as_it_is_known(hanging: str) -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        gate.closed.add(hanging)
        changed_at = clock()
        newest = later(HOME, device(1, name="New"), device(2))
        kept.controller.offer(newest)
        for _ in range(10):
            await anyio.sleep(1)
            status = kept.controller.status
            assert status.pending >= 2
            assert status.pending_since == changed_at
            assert replica_status(status, clock(), PACE.freshness)[0] == "out_of_sync"
        # Nor does what comes while it hangs make that any better.
        kept.controller.offer(later(newest, device(3)))
        await anyio.sleep(1)
        assert kept.controller.status.pending >= 2
        assert kept.controller.status.pending_since == changed_at
        gate.closed.clear()
        await anyio.sleep(1)
        status = kept.controller.status
        assert (status.status, status.pending, status.pending_since) == ("in_sync", 0, None)


async def test_differences_are_known_before_the_pass_ends() -> None:
    """A row of ours looks foreign where the ledger cannot be read: nothing is to be written, and it is not equal."""
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1.2)
        kept.ledger.fail_with = ReplicaUnavailable("books", "locked")
        kept.replica.edits += 1
        gate.closed.add("_finish")
        kept.controller.offer(HOME.with_changes([], [device(1).key], taken_at=clock()))
        for _ in range(10):
            await anyio.sleep(1)
            assert replica_status(kept.controller.status, clock(), PACE.freshness)[0] == "out_of_sync"
        assert len(kept.reports) == 1, "the pass has not ended"


async def test_a_store_that_cannot_be_read_is_unknown_before_the_pass_ends() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        gate.closed.add("_finish")
        while clock() < NOON + PACE.verify_seconds + 5:
            kept.controller.confirm(clock())
            await anyio.sleep(5)
        assert replica_status(kept.controller.status, clock(), PACE.freshness)[0] == "unknown"
        assert len(kept.reports) == 1, "the pass has not ended"


async def test_changes_during_a_pass_are_pending_after_it() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        gate.closed.add("_finish")
        first = later(HOME, device(1, name="New"))
        kept.controller.offer(first)
        await anyio.sleep(1)
        kept.controller.offer(later(first, device(2)))
        gate.closed = {"_compare"}
        await anyio.sleep(5)
        assert device(1).key in kept.replica.rows
        assert device(2).key not in kept.replica.rows
        assert kept.controller.status.pending >= 1


async def test_a_change_that_is_written_at_once_is_no_change_of_status() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        since = kept.controller.status.status_since
        kept.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(1)
        assert (kept.controller.status.status, kept.controller.status.status_since) == ("in_sync", since)


async def test_a_write_counts_as_done_even_if_the_ledger_fails() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.ledger.fail_with = ReplicaUnavailable("books", "the disk is full")
        kept.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(20)
        status = kept.controller.status
        assert device(1).key in kept.replica.rows
        assert replica_status(status, clock(), PACE.freshness)[0] == "in_sync"
        assert status.error == "the disk is full"
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.replica.edits += 1
        await anyio.sleep(20)
        assert replica_status(kept.controller.status, clock(), PACE.freshness)[0] == "unknown"


async def test_changes_stay_pending_while_the_store_cannot_be_read() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.replica.edits += 1
        changed_at = clock()
        kept.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(20)
        status = kept.controller.status
        assert (status.pending, status.pending_since, status.error) == (1, changed_at, "away")


async def test_a_write_that_fails_is_reported_and_tried_again() -> None:
    async with keeping() as kept:
        kept.controller.offer(snapshot(*HOME.home.records.values(), entity(2), at=NOON))
        await anyio.sleep(1)
        succeeded_at = kept.controller.status.succeeded_at
        kept.replica.fail_apply_with = ReplicaUnavailable("memory", "it is full", "make room")
        kept.controller.offer(snapshot(ENTRY, device(1, name="New"), entity(2), at=clock()))
        await anyio.sleep(0.5)
        status = kept.controller.status
        assert (status.status, status.error) == ("out_of_sync", "it is full make room")
        assert (status.pending, status.succeeded_at) == (2, succeeded_at)
        outcomes = {record.key: record.outcome for record in kept.reports[-1][1].records}
        assert outcomes == {device(1).id: "failed", entity(1).id: "waiting"}
        kept.replica.fail_apply_with = None
        await anyio.sleep(PACE.retry_seconds_min)
        assert kept.controller.status.error is None
        assert kept.replica.rows[device(1).key][0] == device(1, name="New")


async def test_after_a_success_the_next_failure_is_tried_again_soon() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.controller.offer(HOME)
        await anyio.sleep(60)
        kept.replica.fail_with = None
        await anyio.sleep(60)
        assert kept.controller.status.status == "in_sync"
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.controller.offer(snapshot(ENTRY, device(2), at=clock()))
        kept.replica.edits += 1
        await anyio.sleep(0.5)
        failed_at = kept.times[-1]
        await anyio.sleep(2)
        assert kept.times[-1] == failed_at + PACE.retry_seconds_min


@pytest.mark.slow
async def test_a_store_that_was_away_for_long_is_used_again_within_half_a_minute() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.controller.offer(HOME)
        await anyio.sleep(9 * 3600)  # more tries than a power of two has room for
        assert len(kept.times) > 1024
        kept.replica.fail_with = None
        await anyio.sleep(30)
        assert set(kept.replica.rows) == set(HOME.home.records)


async def test_an_error_that_needs_a_change_is_retried_rarely() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaRejected("memory", "somebody else's")
        kept.controller.offer(HOME)
        await anyio.sleep(1000)
        last, before = kept.times[-1], kept.times[-2]
        assert last - before == PACE.retry_seconds_max


@pytest.mark.parametrize(
    ("asked", "waited"), first_quick([(45.0, 45.0), (1e8, PACE.retry_seconds_max), (0.5, 1.0)])
)
async def test_a_wait_requested_by_a_store_is_kept_up_to_our_bound(asked: float, waited: float) -> None:
    error = ReplicaUnavailable("memory", "slow down")
    error.retry_after_seconds = asked
    async with keeping() as kept:
        kept.replica.fail_with = error
        kept.controller.offer(HOME)
        await anyio.sleep(1000)
        assert kept.times[1] - kept.times[0] == waited


@pytest.mark.parametrize("where", ["_compare", "_finish"])
async def test_a_pass_for_which_memory_does_not_suffice_is_tried_again(where: str) -> None:
    short = Short()
    async with keeping(offload=short) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        short.at = where
        newest = later(HOME, device(1, name="New"), device(2))
        kept.controller.offer(newest)
        await anyio.sleep(20)
        status = kept.controller.status
        assert "There is not enough memory for a pass over memory." in str(status.error)
        assert "more memory" in str(status.error)
        assert replica_status(status, clock(), PACE.freshness)[0] != "in_sync"
        assert len(kept.reports) < 10
        short.at = None
        await anyio.sleep(30)
        assert kept.controller.status.status == "in_sync"
        assert kept.controller.status.error is None
        assert set(kept.replica.rows) == set(newest.home.records)


async def test_the_rows_read_by_a_failing_pass_are_released_at_once() -> None:
    """The service collects cycles rarely, and each try of a store that answers without end left its answer behind."""

    class Answer:
        pass

    kept_alive = list[weakref.ref[Answer]]()

    class Endless(MemoryReplica):
        def observe(self) -> Observed:
            answer = Answer()
            kept_alive.append(weakref.ref(answer))
            raise ReplicaUnavailable("memory", "without end") from ValueError("a cause")

    gc.disable()
    try:
        async with keeping(replica=Endless()) as kept:
            kept.controller.offer(HOME)
            await anyio.sleep(20)
            assert len(kept_alive) > 3
            assert [alive() for alive in kept_alive] == [None] * len(kept_alive)
    finally:
        gc.enable()
