"""The running engine in virtual time: one home, two replicas that fail alone, one status."""

import anyio
import pytest

from engine.core.state.hints import Hints
from engine.core.state.report import APPLIED_MAX
from engine.core.state.status import lag_seconds, replica_status, status_word, why_not_ready
from engine.core.times import rfc3339
from engine.errors import ReplicaUnavailable, SourceUnavailable
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.running import SetClock, running
from tests.loop.virtual_time import PACE, clock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_a_change_reaches_every_replica_and_the_status() -> None:
    async with running() as it:
        assert it.word() == "unknown"
        await anyio.sleep(1)
        assert it.word() == "in_sync"
        it.home.change(
            snapshot(ENTRY, device(1, name="New"), entity(1)), Hints(registries=frozenset({"device"}))
        )
        await anyio.sleep(0.05)
        for replica in (it.rows, it.records):
            assert replica.rows[device(1).key][0] == device(1, name="New")
        status = it.service.status()
        assert (status.source.connected, status.source.version) == (True, "2026.11.0")
        assert status.report is not None
        assert {r.replica for r in status.report.records} == {"rows", "records"}


async def test_a_status_is_made_once_for_as_long_as_nothing_changes() -> None:
    async with running() as it:
        await anyio.sleep(1)
        before = it.service.status()
        assert it.service.status() is before
        it.home.change(
            snapshot(ENTRY, device(1, name="New"), entity(1)), Hints(registries=frozenset({"device"}))
        )
        await anyio.sleep(0.05)
        assert it.service.status().replicas != before.replicas


async def test_a_replaced_file_is_not_in_sync_until_it_is_compared() -> None:
    async with running() as it:
        await anyio.sleep(1)
        assert it.word() == "in_sync"
        it.rows.is_replaced = True
        assert it.word() == "unknown"
        assert [replica.status for replica in it.service.status().replicas] == ["unknown", "in_sync"]
        it.rows.is_replaced = False
        assert it.word() == "in_sync"


@pytest.mark.parametrize(("entities", "kept"), [(APPLIED_MAX - 2, APPLIED_MAX), (APPLIED_MAX - 1, 0)])
async def test_a_large_fill_is_passed_on_whole_and_kept_as_counts(entities: int, kept: int) -> None:
    async with running() as it:
        it.home.now = snapshot(ENTRY, device(1), *(entity(n) for n in range(entities)))
        await anyio.sleep(1)
        report = it.service.status().report
        assert report is not None
        assert [len(reported.records) for reported in it.reported] == [entities + 2] * 2
        assert len(report.records) == 2 * kept
        assert [r.applied.upsert for r in report.replicas] == [entities + 2] * 2


async def test_one_replica_that_fails_leaves_the_other_in_time() -> None:
    async with running() as it:
        it.records.fail_with = ReplicaUnavailable("records", "away")
        await anyio.sleep(1)
        it.home.change(snapshot(ENTRY, device(2), entity(1)), Hints(registries=frozenset({"device"})))
        await anyio.sleep(0.05)
        assert device(2).key in it.rows.rows
        status = it.service.status()
        assert [r.status for r in status.replicas] == ["out_of_sync", "unknown"]
        assert status.report is not None
        assert status.report.partial
        it.records.fail_with = None
        await anyio.sleep(60)
        assert device(2).key in it.records.rows


async def test_an_evidenced_delete_is_done_at_once_and_any_other_after_the_next_full_read() -> None:
    async with running() as it:
        it.home.change(snapshot(ENTRY, device(1), *(entity(n) for n in range(4))))
        await anyio.sleep(1)
        reported, unreported = entity(1).key, entity(2).key
        without = snapshot(ENTRY, device(1), entity(0), entity(3), removed=[reported])
        it.home.change(without, Hints(removed_entity_ids=frozenset({"sensor.s1"})))
        await anyio.sleep(0.05)
        assert reported not in it.rows.rows
        assert unreported in it.rows.rows
        await anyio.sleep(PACE.relist_seconds * 1.1)
        assert unreported not in it.rows.rows


async def test_while_home_assistant_is_away_the_status_is_unknown_and_the_watermark_stays() -> None:
    async with running() as it:
        await anyio.sleep(25)
        it.home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(30)
        status = it.service.status()
        assert (status.source.connected, status.source.error) == (False, "gone")
        assert status.source.state is None
        assert all(r.synced_at is not None and r.synced_at <= NOON + 25 for r in status.replicas)
        assert it.word() == "unknown"
        assert it.rows.writes == 1


async def test_a_home_assistant_that_does_not_answer_is_unknown_before_it_is_given_up() -> None:
    async with running() as it:
        await anyio.sleep(25)
        it.home.answer_seconds = 1000
        await anyio.sleep(PACE.freshness.unknown_seconds - 10)
        assert it.word() == "in_sync"
        await anyio.sleep(20)
        assert it.service.status().source.connected
        assert it.word() == "unknown"


@pytest.mark.parametrize("hints", [Hints(registries=frozenset({"device"})), Hints(relist=True)])
async def test_a_change_that_was_announced_and_is_not_read_is_not_called_in_sync(hints: Hints) -> None:
    async with running() as it:
        await anyio.sleep(5)
        it.home.answer_seconds = 20
        it.home.change(snapshot(ENTRY, device(1, name="Renamed"), entity(1)), hints)
        await anyio.sleep(PACE.freshness.unread_seconds - 0.1)
        assert it.word() == "in_sync", "a change that is read at once is no alarm"
        await anyio.sleep(0.2)
        assert it.word() == "unknown"
        replica = it.service.status().replicas[0]
        assert why_not_ready(replica, None, clock(), PACE.freshness) == (
            "unknown: Home Assistant announced a change, and it was not read yet"
        )
        assert replica_status(replica, clock(), PACE.freshness)[1] == NOON + 5 + PACE.freshness.unread_seconds
        await anyio.sleep(20)
        assert it.word() == "in_sync"
        assert it.rows.rows[device(1).key][0] == device(1, name="Renamed")


async def test_a_change_that_is_announced_while_everything_is_read_is_unread_until_it_is_read() -> None:
    async with running() as it:
        await anyio.sleep(PACE.relist_seconds - 1)
        it.home.answer_seconds = 20
        await anyio.sleep(5)  # the full read hangs
        assert it.word() == "in_sync"
        it.home.change(snapshot(ENTRY, device(1, name="Renamed"), entity(1)), Hints(relist=True))
        await anyio.sleep(PACE.freshness.unread_seconds - 0.1)
        assert it.word() == "in_sync"
        await anyio.sleep(0.2)
        assert it.word() == "unknown"
        await anyio.sleep(20)
        assert it.word() == "in_sync"
        assert it.rows.rows[device(1).key][0] == device(1, name="Renamed")


@pytest.mark.slow
async def test_a_healthy_service_is_in_sync_at_every_moment() -> None:
    async with running() as it:
        await anyio.sleep(1)
        it.home.answer_seconds = 8  # as long as Home Assistant's loop may be blocked
        words = set()
        for _ in range(2000):
            await anyio.sleep(1)
            words.add(it.word())
        assert words == {"in_sync"}
        assert len(it.home.reads) > 2


async def test_after_a_reconnect_the_status_is_unknown_until_the_first_read_is_compared() -> None:
    async with running() as it:
        await anyio.sleep(5)
        it.home.take_down(SourceUnavailable("gone"))
        await anyio.sleep(1)
        lost_at = [replica_status(r, clock(), PACE.freshness)[1] for r in it.service.status().replicas]
        assert lost_at == [NOON + 5, NOON + 5]
        it.home.answer_seconds, it.home.down = 4, None
        # A pass that begins now compares with what was read before.
        it.rows.edit(device(1).key, name="Mocked")
        await anyio.sleep(2)
        assert it.service.status().source.connected
        assert it.rows.rows[device(1).key][0] == device(1)
        assert it.word() == "unknown"
        await anyio.sleep(5)
        assert it.word() == "in_sync"


async def test_drift_is_repaired_from_the_last_read_while_home_assistant_is_away() -> None:
    async with running() as it:
        await anyio.sleep(5)
        it.home.take_down(SourceUnavailable("gone"))
        it.rows.edit(device(1).key, name="Mocked")
        await anyio.sleep(1)
        assert it.rows.rows[device(1).key][0] == device(1)


async def test_the_second_read_takes_place_when_it_confirms_and_not_at_the_next_relist() -> None:
    async with running() as it:
        it.home.change(snapshot(ENTRY, device(1), *(entity(n) for n in range(4))))
        await anyio.sleep(1)
        gone = entity(1).key
        it.home.change(
            snapshot(ENTRY, device(1), entity(0), entity(2), entity(3)),
            Hints(registries=frozenset({"entity"})),
        )
        await anyio.sleep(1)
        assert gone in it.rows.rows
        reads = len(it.home.reads)
        await anyio.sleep(58)
        assert (gone in it.rows.rows, len(it.home.reads)) == (True, reads)
        await anyio.sleep(3)
        assert gone not in it.rows.rows
        assert gone not in it.records.rows
        # Nothing waits any more, so nothing more is read before it is time.
        await anyio.sleep(PACE.relist_seconds / 2)
        assert len(it.home.reads) == reads + 1


async def test_a_record_that_returns_before_the_second_read_was_never_gone() -> None:
    async with running() as it:
        whole = snapshot(ENTRY, device(1), *(entity(n) for n in range(4)))
        it.home.change(whole)
        await anyio.sleep(1)
        it.home.change(
            snapshot(ENTRY, device(1), entity(0), entity(2)), Hints(registries=frozenset({"entity"}))
        )
        await anyio.sleep(30)
        it.home.change(whole)
        await anyio.sleep(60)
        assert it.word() == "in_sync"
        assert {entity(1).key, entity(3).key} <= it.rows.rows.keys()


async def test_observe_mode_requests_no_second_read() -> None:
    async with running(mode="observe") as it:
        it.home.change(snapshot(ENTRY, device(1)), Hints(relist=True))
        await anyio.sleep(300)
        assert len(it.home.reads) <= 2


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0, -56 * 365 * 86_400.0, 73 * 365 * 86_400.0])
async def test_a_wall_clock_that_is_set_changes_no_age_and_no_status(seconds: float) -> None:
    machine = SetClock()
    async with running(machine=machine) as it:
        await anyio.sleep(20)
        machine.offset = seconds
        for _ in range(3):
            await anyio.sleep(4)
            now, status = machine.wall(), it.service.status()
            assert status_word(status, now, PACE.freshness) == "in_sync"
            for replica in status.replicas:
                assert 0 <= (lag_seconds(replica, now) or 0) <= PACE.heartbeat_seconds + 1
                assert replica.status_since is not None
                assert now - replica.status_since == pytest.approx(anyio.current_time(), abs=1.1)
        assert status.report is not None
        assert rfc3339(status.report.compared_at)[:4] == rfc3339(machine.wall())[:4]


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
async def test_setting_the_wall_clock_does_not_confirm_or_delay_a_delete(seconds: float) -> None:
    machine = SetClock()
    async with running(machine=machine) as it:
        await anyio.sleep(1)
        it.home.change(snapshot(ENTRY, device(1), entity(1), entity(2)), Hints(relist=True))
        await anyio.sleep(1)
        it.home.change(snapshot(ENTRY, device(1), entity(1)), Hints(relist=True))
        await anyio.sleep(10)
        machine.offset = seconds
        it.home.change(it.home.now, Hints(relist=True))
        await anyio.sleep(45)
        assert entity(2).key in it.rows.rows
        await anyio.sleep(10)
        assert entity(2).key not in it.rows.rows
