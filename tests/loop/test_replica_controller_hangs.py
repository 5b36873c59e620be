"""The status of a controller while a pass hangs and others write, in virtual time."""

from itertools import pairwise

import anyio
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.record import ConfigEntry
from engine.core.state.report import Report
from engine.core.state.status import replica_status
from engine.errors import ReplicaUnavailable
from tests.fakes.world import MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.kept import HOME, ConcurrencyLimiter, keeping, later
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
FULL = snapshot(ENTRY, *(device(n) for n in range(1, 41)), entity(1), at=NOON)


async def test_drift_is_pending_since_home_assistant_was_read() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(5.1)
        gate.closed.add("_finish")
        kept.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds)
        assert (kept.controller.status.pending, kept.controller.status.pending_since) == (1, NOON)


async def test_a_pass_without_writes_leaves_nothing_pending_even_if_it_hangs() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        gate.closed.add("_finish")
        kept.controller.offer(later(HOME))
        await anyio.sleep(1)
        assert (kept.controller.status.pending, kept.controller.status.pending_since) == (0, None)


async def test_a_store_that_hangs_when_it_is_to_be_verified_is_unknown() -> None:
    gate, freshness = ConcurrencyLimiter(), PACE.freshness
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        gate.closed.add("_compare")
        for _ in range(40):
            await anyio.sleep(10)
            kept.controller.confirm(clock())
            word, since = replica_status(kept.controller.status, clock(), freshness)
            late = clock() > NOON + freshness.unverified_seconds
            assert (word, since) == (
                ("unknown", NOON + freshness.unverified_seconds) if late else ("in_sync", NOON)
            )
        assert late
        gate.closed.clear()
        await anyio.sleep(1)
        assert replica_status(kept.controller.status, clock(), freshness)[0] == "in_sync"


async def test_after_a_pass_that_hung_past_the_verify_interval_the_next_one_starts_at_once() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        gate.closed.add("_finish")
        kept.controller.offer(HOME)
        await anyio.sleep(PACE.verify_seconds - 10)
        gate.closed.clear()
        await anyio.sleep(1)
        assert len(kept.reports) == 1
        await anyio.sleep(10)
        assert len(kept.reports) == 2


async def synced_after(offered: Snapshot | None) -> float | None:
    """Up to when the replica is known to be equal, where this came while it was compared with HOME."""
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        gate.closed.add("_compare")
        kept.controller.offer(HOME)
        await anyio.sleep(5)
        if offered is not None:
            kept.controller.offer(offered)
            gate.closed.add("_finish")
        kept.controller.confirm(NOON + 4)
        gate.closed.discard("_compare")
        found = []

        def note(report: Report) -> None:
            found.append(kept.controller.status.synced_at)

        kept.on_report = note  # type: ignore[method-assign]
        gate.closed.clear()
        await anyio.sleep(1)
        return found[0]


async def test_a_confirmation_during_a_pass_applies_to_the_newest_read_only() -> None:
    assert await synced_after(None) == NOON + 4
    assert await synced_after(snapshot(*HOME.home.records.values(), device(2), at=NOON + 3)) == NOON


async def test_a_second_loss_is_one_more() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.lose()
        kept.controller.offer(later(HOME))
        await anyio.sleep(1)
        assert kept.controller.status.unproven_since is None
        kept.controller.lose()
        lost_at = clock()
        kept.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert kept.replica.rows[device(1).key][0] == device(1)
        assert kept.controller.status.unproven_since == lost_at
        # Nor is it unknown only since then that its file was replaced.
        kept.replica.is_replaced = True
        assert kept.controller.current().status_since == lost_at


async def test_is_overtaken_receives_the_remembered_data_version() -> None:
    class Asked(MemoryReplica):
        with_version: int | None = None

        def is_overtaken(self, data_version: int | None) -> bool:
            self.with_version = data_version
            return False

    replica = Asked()
    replica.edits = 7
    async with keeping(replica=replica) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.current()
        assert replica.with_version == 7


async def test_a_file_that_was_not_written_is_not_tidied() -> None:
    class Asked(MemoryReplica):
        asked = 0

        def tidy(self, *, is_calm: bool) -> bool:
            self.asked += 1
            return True

    replica = Asked()
    async with keeping(replica=replica) as kept:
        await anyio.sleep(10)
        assert replica.asked == 0
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        assert replica.asked == 1


async def test_a_store_that_is_away_is_tried_every_half_minute() -> None:
    async with keeping() as kept:
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.controller.offer(HOME)
        await anyio.sleep(300)
        assert max(b - a for a, b in pairwise(kept.times)) == 30


async def test_another_home_is_compared_once_and_again_when_it_is_time() -> None:
    other = snapshot(ConfigEntry(entry_id="other", domain="demo"), at=NOON + 1)
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.offer(other)
        await anyio.sleep(60)
        assert len(kept.reports) == 2
        assert kept.controller.status.status == "blocked"


async def test_changed_records_are_known_during_comparison_and_writing() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        gate.closed.add("_compare")
        first = later(HOME, device(1, name="New"))
        kept.controller.offer(first)
        assert kept.controller.status.changed == {device(1).key}
        gate.closed = {"_finish"}
        await anyio.sleep(1)
        assert kept.controller.status.changed == {device(1).key}
        kept.controller.offer(later(first, device(2)))
        assert kept.controller.status.changed == {device(1).key, device(2).key}
        gate.closed.clear()
        await anyio.sleep(1)
        assert kept.controller.status.changed == frozenset()


async def test_the_last_report_stays_until_a_new_finding_or_the_end_of_the_pass() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        before = kept.controller.status.report
        gate.closed.add("_finish")
        kept.controller.offer(later(FULL))
        await anyio.sleep(5)
        assert kept.controller.status.report is before
        gate.closed.clear()
        await anyio.sleep(1)
        gate.closed.add("_finish")
        found_at = clock()
        kept.controller.offer(
            snapshot(*FULL.home.records.values(), at=found_at).with_changes(
                [], [device(n).key for n in range(1, 31)], taken_at=found_at
            )
        )
        await anyio.sleep(5)
        status = kept.controller.status
        assert (status.status, status.status_since) == ("blocked", found_at)
        assert status.report is not None
        assert [r.guard for r in status.report.replicas[0].refusals] == ["delete_ratio"]


async def test_a_record_that_was_long_pending_differs_from_that_time_on() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(FULL)
        await anyio.sleep(1)
        gate.closed = {"_compare"}
        changed_at = clock()
        kept.controller.offer(FULL.with_changes([], [device(1).key], taken_at=changed_at))
        await anyio.sleep(10)
        gate.closed = {"_finish"}
        await anyio.sleep(1)
        status = kept.controller.status
        assert (status.status, status.status_since) == ("out_of_sync", changed_at)


async def test_after_a_loss_the_same_home_is_compared_again_and_proven() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.lose()
        await anyio.sleep(1)
        assert (len(kept.reports), kept.controller.status.unproven_since) == (1, NOON + 1)
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        assert (len(kept.reports), kept.controller.status.unproven_since) == (2, None)
        await anyio.sleep(PACE.verify_seconds / 2)
        assert len(kept.reports) == 2


async def test_it_is_known_since_when_changes_wait_however_often_there_are_more() -> None:
    gate = ConcurrencyLimiter()
    async with keeping(offload=gate) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(5)
        assert kept.controller.status.changed_since is None
        gate.closed.add("_compare")
        kept.controller.offer(later(HOME, device(2)))
        await anyio.sleep(5)
        kept.controller.offer(later(HOME, device(2), device(3)))
        await anyio.sleep(5)
        assert kept.controller.status.changed_since == NOON + 5
        gate.closed.clear()
        await anyio.sleep(1)
        assert (kept.controller.status.status, kept.controller.status.changed_since) == ("in_sync", None)
