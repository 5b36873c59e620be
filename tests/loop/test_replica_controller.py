"""The controller of one replica, in virtual time: heals, retries, verifies, and says no more than it looked at."""

import anyio
import msgspec
import pytest

from engine.core.words import Outcome
from engine.errors import ReplicaUnavailable
from engine.ports import Observed
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot
from tests.loop.kept import HOME, ConcurrencyLimiter, keeping, later
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_a_snapshot_is_written_at_once() -> None:
    async with keeping() as kept:
        await anyio.sleep(3)
        kept.controller.offer(HOME)
        await anyio.sleep(0.01)
        assert set(kept.replica.rows) == set(HOME.home.records)
        assert kept.controller.status.status == "in_sync"
        assert kept.controller.status.synced_at == NOON


async def test_a_pass_changes_threads_twice() -> None:
    limiter = ConcurrencyLimiter()
    async with keeping(offload=limiter) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(0.01)
        assert kept.times == [0]
        assert limiter.entered[:2] == ["_compare", "_finish"]
        assert "_compare" not in limiter.entered[2:]


async def test_without_a_snapshot_it_knows_nothing_and_does_nothing() -> None:
    async with keeping() as kept:
        await anyio.sleep(1000)
        assert kept.reports == []
        assert kept.controller.status.status == "unknown"
        assert kept.controller.status.synced_at is None


async def test_drift_is_repaired_within_the_watch_interval() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(10.1)
        kept.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds)
        assert kept.replica.rows[device(1).key][0] == device(1)
        (record,) = kept.reports[-1][1].records
        assert (record.cause, record.outcome) == ("drift", "applied")
        assert [(f.name, f.source, f.replica) for f in record.fields] == [("name", "Device 1", "Mocked")]


async def test_only_a_pass_that_read_a_replica_in_full_verifies_it() -> None:
    async with keeping() as kept:
        assert kept.controller.status.verified_at is None
        kept.controller.offer(HOME)
        await anyio.sleep(100)
        verified_at = kept.controller.status.verified_at
        assert verified_at is not None
        assert verified_at < clock() - 99
        kept.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(1)
        assert kept.replica.rows[device(1).key][0] == device(1, name="New")
        assert kept.controller.status.verified_at == verified_at, "it only compared what changed"
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        await anyio.sleep(PACE.verify_seconds)
        assert kept.controller.status.verified_at == verified_at, "it could not be read"
        kept.replica.fail_with = None
        await anyio.sleep(PACE.retry_seconds_max)
        assert kept.controller.status.verified_at > verified_at


async def test_the_signature_is_not_read_while_a_store_shows_no_write() -> None:
    async with keeping() as kept:
        kept.replica.left_behind = "written at noon"
        kept.controller.offer(HOME)
        await anyio.sleep(3)
        asked = kept.replica.stamps_asked
        await anyio.sleep(PACE.verify_seconds / 2)
        assert kept.replica.stamps_asked == asked
        kept.replica.edit(device(1).key, name="Mocked")
        kept.replica.left_behind = "written later"
        await anyio.sleep(PACE.watch_seconds + 0.01)
        assert kept.replica.rows[device(1).key][0] == device(1)


async def test_housekeeping_runs_when_the_controller_is_idle() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(0.01)
        assert kept.replica.tidied == 1
        kept.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds + 0.01)
        assert kept.replica.tidied == 2
        await anyio.sleep(PACE.verify_seconds + 1)
        assert kept.replica.tidied == 2, "nothing was written since"


async def test_housekeeping_that_needs_a_calm_moment_is_requested_again() -> None:
    async with keeping() as kept:
        kept.replica.tidies_when_calm = True
        kept.controller.offer(HOME)
        await anyio.sleep(0.01)
        assert kept.replica.tidied == 0
        await anyio.sleep(PACE.watch_seconds + 0.01)
        assert kept.replica.tidied == 1


async def test_a_store_that_others_wrote_to_is_unknown_until_compared() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(0.01)
        assert kept.controller.status.status == "in_sync"
        kept.replica.edit(device(1).key, name="Mocked")
        seen = []
        observe = kept.replica.observe

        def looked() -> Observed:
            seen.append(kept.controller.status.status)
            return observe()

        kept.replica.observe = looked  # type: ignore[method-assign]
        await anyio.sleep(PACE.watch_seconds + 0.01)
        assert seen == ["unknown"]
        assert kept.controller.status.status == "in_sync"


async def test_observing_only_reports() -> None:
    async with keeping("observe") as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(700)
        assert kept.replica.rows == {}
        assert kept.controller.status.status == "out_of_sync"
        assert kept.controller.status.synced_at is None
        assert kept.controller.status.pending == 3


async def test_it_knows_since_when_its_status_holds() -> None:
    started = clock()
    async with keeping("observe") as kept:
        assert kept.controller.status.status_since == started
        kept.controller.offer(HOME)
        await anyio.sleep(10)
        found = kept.controller.status.status_since
        assert found is not None
        assert started <= found < started + 10
        kept.controller.offer(snapshot(ENTRY, device(1), at=clock()))
        await anyio.sleep(10)
        assert (kept.controller.status.status, kept.controller.status.status_since) == ("out_of_sync", found)


async def test_a_held_record_keeps_the_time_it_was_first_found() -> None:
    starting = msgspec.structs.replace(RUNNING, state="STARTING")
    named = entity(1, device_id=device(1).id)
    async with keeping() as kept:
        kept.controller.offer(snapshot(ENTRY, device(1), device(2), named, entity(2), at=NOON))
        await anyio.sleep(30)
        lost_at = clock()
        # The device and an entity are missing, and what the other entity derives from the device is held with them.
        for health in (starting, starting, RUNNING, RUNNING):
            kept.controller.offer(snapshot(ENTRY, device(2), named, health=health, at=clock()))
            await anyio.sleep(20)
            found = {r.key: r.since for r in kept.reports[-1][1].records if r.outcome != "applied"}
            assert found == dict.fromkeys((device(1).id, named.id, entity(2).id), lost_at)
        await anyio.sleep(30)
        kept.controller.offer(snapshot(ENTRY, device(2), named, at=clock()))
        await anyio.sleep(1)
        written = {r.key: (r.outcome, r.since) for r in kept.reports[-1][1].records}
        assert written == dict.fromkeys((device(1).id, named.id, entity(2).id), (Outcome.APPLIED, lost_at))


async def test_a_status_that_was_unproven_in_between_starts_over() -> None:
    async with keeping() as kept:
        kept.controller.offer(snapshot(ENTRY, device(1), at=clock()))
        await anyio.sleep(PACE.freshness.stale_seconds + 100)
        back = clock()
        kept.controller.offer(snapshot(ENTRY, device(1), at=back))
        await anyio.sleep(1)
        assert kept.controller.status.status == "in_sync"
        assert kept.controller.status.status_since == pytest.approx(back, abs=1)


async def test_a_periodic_verification_finds_drift_that_no_signature_shows() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        del kept.replica.rows[device(1).key]
        await anyio.sleep(250)
        assert device(1).key not in kept.replica.rows
        await anyio.sleep(100)
        assert device(1).key in kept.replica.rows
        assert kept.replica.observed == 2


async def test_homes_that_started_together_do_not_verify_together() -> None:
    intervals = msgspec.structs.replace(PACE, jitter_ratio=0.3)  # and the highest number is drawn
    async with keeping(intervals=intervals) as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(PACE.verify_seconds * 1.25)
        assert kept.replica.observed == 1
        await anyio.sleep(PACE.verify_seconds * 0.1)
        assert kept.replica.observed == 2


async def test_an_unchanged_home_is_not_written_and_not_read_again() -> None:
    async with keeping() as kept:
        for _ in range(5):
            kept.controller.offer(snapshot(ENTRY, device(1), entity(1), at=clock()))
            await anyio.sleep(20)
        assert kept.replica.writes == 1
        assert kept.replica.observed == 1
        assert len(kept.reports) == 5


async def test_the_watermark_moves_with_confirmations_only_while_in_sync() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.confirm(NOON + 50)
        assert kept.controller.status.synced_at == NOON + 50
        kept.replica.fail_with = ReplicaUnavailable("memory", "away")
        kept.replica.edits += 1
        await anyio.sleep(1)
        kept.controller.confirm(NOON + 90)
        assert kept.controller.status.synced_at == NOON + 50


async def test_a_snapshot_not_yet_written_is_not_confirmed() -> None:
    async with keeping() as kept:
        kept.controller.offer(HOME)
        await anyio.sleep(1)
        kept.controller.offer(snapshot(ENTRY, at=NOON + 5))
        kept.controller.confirm(NOON + 60)
        assert kept.controller.status.synced_at == NOON
