"""What makes a controller run a pass, its kind and scope, and the calls it makes beside it, in virtual time."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar, FirstSeen
from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import FoundKey, Report
from engine.core.words import Mode
from engine.errors import ReplicaUnavailable
from engine.loop.first_passes import FirstPasses
from engine.loop.passes.options import PassOptions
from engine.loop.replica_controller import ReplicaController
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.loop.kept import HOME, later
from tests.loop.virtual_time import PACE, clock, inline

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Turns(FirstPasses):
    """Notes over how many records the passes are."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    @asynccontextmanager
    async def turn(self, records: int) -> AsyncIterator[None]:
        self.asked.append(records)
        yield


class Books(MemoryLedger):
    """Counts what was found first."""

    def __init__(self) -> None:
        super().__init__()
        self.found_noted: list[set[str]] = []

    def note_found(self, replica: str, found: Mapping[FoundKey, FirstSeen]) -> None:
        super().note_found(replica, found)
        self.found_noted.append({key[2] for key in found})


class Stand:
    """A controller that records its steps."""

    def __init__(self, mode: str, registries: tuple[str, ...], replica: MemoryReplica | None) -> None:
        self.replica, self.ledger, self.turns = replica or MemoryReplica(), Books(), Turns()
        self.verified: list[bool] = []
        self.reports: list[Report] = []
        self.waiting: list[float] = []
        self.shift = 0.0

        def options(verify: bool) -> PassOptions:
            self.verified.append(verify)
            return PassOptions(Mode(mode), Policy(), frozenset(registries), "run", "home", verify=verify)

        self.controller = ReplicaController(
            replica=self.replica,
            ledger=self.ledger,
            intervals=PACE,
            make_options=options,
            clock=clock,
            draw=lambda: 1.0,
            calendar=lambda: Calendar(shift=self.shift),
            offload=inline,
        )

    def on_report(self, report: Report) -> None:
        self.reports.append(report)

    def on_waiting(self, at: float) -> None:
        self.waiting.append(at)


@asynccontextmanager
async def stand(
    desired: Snapshot | None = HOME,
    mode: str = "apply",
    registries: tuple[str, ...] = REGISTRIES,
    replica: MemoryReplica | None = None,
) -> AsyncIterator[Stand]:
    """One that has done its first pass."""
    made = Stand(mode, registries, replica)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.controller.run, made, made.turns)
        if desired is not None:
            made.controller.offer(desired)
        await anyio.sleep(0.1)
        yield made
        tasks.cancel_scope.cancel()


async def test_a_pass_verifies_when_it_is_the_first_when_it_is_time_and_after_a_failure() -> None:
    async with stand() as it:
        await anyio.sleep(100)
        it.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(0.1)
        assert it.verified == [True, False]
        await anyio.sleep(PACE.verify_seconds - 99)
        assert it.verified == [True, False, True]
        it.replica.fail_apply_with = ReplicaUnavailable("memory", "full")
        it.controller.offer(later(HOME, device(1, name="Newer")))
        await anyio.sleep(0.1)
        assert it.verified[3:] == [False]
        it.replica.fail_apply_with = None
        await anyio.sleep(PACE.retry_seconds_min)
        assert it.verified[3:] == [False, True]
        await anyio.sleep(PACE.verify_seconds - 2)
        assert len(it.verified) == 5, "that one verified, too"


@pytest.mark.parametrize(("seconds", "passes"), [(1.0, 1), (-1.0, 1), (1.1, 2), (-1.1, 2)])
async def test_a_wall_clock_that_was_set_is_a_reason_to_verify(seconds: float, passes: int) -> None:
    async with stand() as it:
        it.shift = seconds
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert it.verified == [True] * passes
        await anyio.sleep(PACE.watch_seconds * 3)
        assert len(it.verified) == passes, "once"
        assert it.reports[-1].compared_at == NOON + (seconds if passes == 2 else 0)


async def test_only_a_first_pass_to_a_file_of_ours_takes_its_turn() -> None:
    async with stand() as it:
        assert it.turns.asked == [3]
        it.controller.offer(later(HOME, device(2)))
        await anyio.sleep(0.1)
        assert it.turns.asked == [3, 0]

    class Elsewhere(MemoryReplica):
        needs_tidying = False

    async with stand(replica=Elsewhere()) as it:
        assert it.turns.asked == [0]
        assert it.replica.tidied == 0, "it needs none"


async def test_a_file_that_cannot_be_tidied_is_left_until_it_is_written_again() -> None:
    class Untidy(MemoryReplica):
        asked = 0

        def tidy(self, *, is_calm: bool) -> bool:
            self.asked += 1
            raise ReplicaUnavailable(self.name, "locked")

    replica = Untidy()
    async with stand(replica=replica) as it:
        await anyio.sleep(10)
        assert (replica.asked, it.controller.status.error) == (1, None)
        it.controller.offer(later(HOME, device(2)))
        await anyio.sleep(10)
        assert replica.asked == 2


async def test_first_found_times_are_noted_when_they_change_and_only_in_apply_mode() -> None:
    foreign = device(9)
    async with stand() as it:
        assert it.ledger.found_noted == []
        it.replica.rows[foreign.key] = (foreign, None)
        it.replica.edits += 1
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert it.ledger.found_noted == [{foreign.id}]
        await anyio.sleep(PACE.verify_seconds + 10)
        assert it.ledger.found_noted == [{foreign.id}]
        del it.replica.rows[foreign.key]
        it.replica.edits += 1
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert (it.ledger.found_noted, [*it.ledger.found_first]) == ([{foreign.id}, set()], ["memory"])
    async with stand(mode="observe") as it:
        it.replica.rows[foreign.key] = (foreign, None)
        it.replica.edits += 1
        await anyio.sleep(10)
        assert it.ledger.found_noted == []


async def test_only_the_requested_registries_are_kept_and_pending() -> None:
    async with stand(registries=("config_entry", "device")) as it:
        assert it.replica.rows.keys() == {ENTRY.key, device(1).key}
        assert it.reports[-1].source.records == 2
        it.replica.fail_with = ReplicaUnavailable("memory", "away")
        it.replica.edits += 1
        it.controller.offer(later(HOME, device(1, name="New"), entity(1, name="New")))
        await anyio.sleep(0.1)
        assert it.controller.status.pending == 1


async def test_a_second_read_is_requested_only_when_it_can_confirm_a_delete() -> None:
    home, fewer = snapshot(ENTRY, device(1), entity(1), entity(2), at=NOON), HOME
    for mode, asked in (("apply", [NOON + 60.0]), ("observe", [])):
        async with stand(home, mode=mode) as it:
            if mode == "observe":
                it.replica.rows |= {key: (record, None) for key, record in home.home.records.items()}
                it.replica.edits += 1
            it.controller.offer(fewer)
            await anyio.sleep(1)
            assert [pytest.approx(at, abs=0.1) for at in it.waiting] == asked
    async with stand(home) as it:
        it.replica.fail_apply_with = ReplicaUnavailable("memory", "full")
        it.controller.offer(later(HOME, device(1, name="New")))
        await anyio.sleep(0.1)
        assert it.waiting == [], "the pass is tried again first"


async def test_a_store_without_a_readable_signature_is_compared() -> None:
    class Unsigned(MemoryReplica):
        fails = False

        def data_version(self) -> int | None:
            if self.fails:
                raise ReplicaUnavailable(self.name, "locked")
            return super().data_version()

    replica = Unsigned()
    async with stand(replica=replica) as it:
        replica.fails = True
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert (it.controller.status.status, it.controller.status.error) == ("unknown", "locked")
        assert it.reports[-1].errors[0].message == "locked"


async def test_a_failed_store_is_left_alone_until_its_retry() -> None:
    async with stand() as it:
        it.replica.fail_with = ReplicaUnavailable("memory", "away")
        it.replica.edits += 1
        await anyio.sleep(PACE.watch_seconds)
        asked = it.replica.stamps_asked
        it.controller.offer(later(HOME, device(2)))
        await anyio.sleep(PACE.retry_seconds_min / 2)
        assert it.replica.stamps_asked == asked


async def test_it_is_proven_again_only_by_a_read_that_came_after_the_loss() -> None:
    async with stand() as it:
        await anyio.sleep(1)
        it.controller.lose()
        lost_at = it.controller.status.unproven_since
        assert lost_at == clock()
        await anyio.sleep(1)
        it.controller.lose()
        assert it.controller.status.unproven_since == lost_at
        it.replica.edit(device(1).key, name="Mocked")
        await anyio.sleep(PACE.watch_seconds + 0.1)
        assert (it.controller.status.status, it.controller.status.unproven_since) == ("in_sync", lost_at)
        it.controller.offer(later(HOME))
        await anyio.sleep(0.1)
        assert it.controller.status.unproven_since is None


async def test_a_pass_reports_the_duration_of_its_parts_and_when_it_succeeded() -> None:
    async with stand() as it:
        (report,) = it.reports
        assert set(report.phase_seconds) == {"compare", "apply"}
        status = it.controller.status
        assert (status.replica, status.compared_at, status.synced_at) == ("memory", NOON, NOON)
        assert status.succeeded_at == NOON
        assert status.report == report
        assert (status.pending, status.changed) == (0, frozenset())
    async with stand(mode="observe") as it:
        assert set(it.reports[0].phase_seconds) == {"compare"}


async def test_a_confirmation_during_a_comparison_counts() -> None:
    async with stand(desired=None) as it:
        it.controller.offer(HOME)
        it.controller.confirm(NOON + 7)
        await anyio.sleep(0.1)
        assert it.controller.status.synced_at == NOON + 7


async def test_a_just_replaced_file_is_unknown_instead_of_in_or_out_of_sync() -> None:
    async with stand() as it:
        assert it.controller.current() is it.controller.status
        await anyio.sleep(7)
        it.replica.is_replaced = True
        found = it.controller.current()
        assert (found.status, found.status_since) == ("unknown", clock())
        assert msgspec.structs.replace(found, status="in_sync", status_since=NOON) == it.controller.status
    async with stand(mode="observe") as it:
        it.replica.is_replaced = True
        assert it.controller.status.status == "out_of_sync"
        assert it.controller.current().status == "unknown"


async def test_one_that_has_no_turns_to_share_works_alone() -> None:
    made = Stand("apply", REGISTRIES, None)
    made.controller.offer(HOME)
    with anyio.move_on_after(1):
        await made.controller.run(made)
    assert made.controller.status.status == "in_sync"
    assert made.controller.name == "memory"
