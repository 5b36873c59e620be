"""What a pass reports of itself, from its first read to its last write, by a clock that moves as tests say."""

from collections.abc import Sequence
from typing import Any

import pytest

from engine.core.compare.plan import Operation
from engine.core.guards.guard import Policy
from engine.core.guards.look import Calendar
from engine.core.home.snapshot import Snapshot, make_snapshot
from engine.core.records.record import Record
from engine.core.records.registries import REGISTRIES
from engine.core.records.set_aside import SetAside
from engine.core.state.report import ErrorReport, Report, SourceReport
from engine.core.words import Mode
from engine.errors import EngineError, PlanStale, ReplicaUnavailable, SourceUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions
from engine.loop.passes.reconciler import Reconciler
from engine.loop.passes.replica_pass import ReplicaPass
from engine.loop.passes.report import apply_passes
from engine.ports import Observed, Progress, Run
from tests.fakes.world import MemoryLedger, MemoryReplica, MemorySource
from tests.homes import ENTRY, NOON, RUNNING, device, entity, snapshot

HOME: list[Record] = [ENTRY, device(1), entity(1), entity(2)]
SHIFT = 3_600.0  # the wall clock is an hour ahead of the clock that never jumps
ODD = SetAside("device", "name", "number", "its name is a number", device(9).id)


class Clock:
    """Moves when something is done that takes time."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class SlowSource(MemorySource):
    """Takes two seconds to read."""

    def __init__(self, clock: Clock, *answers: Snapshot | EngineError) -> None:
        super().__init__(*answers)
        self.clock = clock

    async def read(self, progress: Progress) -> Snapshot:
        self.clock.now += 2.0000006
        progress("reading", 1, 7)
        return await super().read(progress)


class SlowReplica(MemoryReplica):
    """Takes three seconds to compare and five to write."""

    def __init__(self, clock: Clock, name: str) -> None:
        super().__init__(name)
        self.clock = clock

    def observe(self) -> Observed:
        self.clock.now += 3
        return super().observe()

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        self.clock.now += 5
        super().apply(operations, run)


class Stand:
    """Two replicas that several passes are made over."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.replicas = [SlowReplica(self.clock, name) for name in ("one", "two")]
        self.ledger = MemoryLedger()
        self.progress: list[tuple[str, int, int | None]] = []
        self.slept: list[float] = []

    async def run(self, *answers: Snapshot | EngineError, mode: Mode = Mode.APPLY, **more: Any) -> Report:
        given = {"policy": Policy(), "registries": frozenset(REGISTRIES), "run_id": "run 7", "site": "cabin"}

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock.now += seconds

        made = Reconciler(
            SlowSource(self.clock, *answers),
            self.replicas,
            self.ledger,
            self.clock,
            lambda *told: self.progress.append(told),
            sleep,
            calendar=lambda: Calendar(shift=SHIFT),
        )
        return await made.run(PassOptions(mode, **{**given, **more}))


@pytest.fixture
def stand() -> Stand:
    return Stand()


async def test_a_pass_reports_its_reads_and_its_duration(stand: Stand) -> None:
    home = make_snapshot(
        records=HOME,
        taken_at=NOON + 1,
        origin="kept elsewhere",
        registries=frozenset(REGISTRIES),
        health=RUNNING,
        set_aside=[ODD],
    )
    report = await stand.run(home)
    assert (report.run_id, report.site, report.mode, report.schema_version) == ("run 7", "cabin", "apply", 1)
    assert (report.status, report.partial, report.errors) == ("in_sync", False, ())
    assert report.source == SourceReport(
        "kept elsewhere", True, RUNNING.ha_version, RUNNING.state, 4, REGISTRIES
    )
    assert report.set_aside == (ODD,)
    assert report.compared_at == NOON + 1 + SHIFT
    assert report.duration_seconds == 18.000001, "to the microsecond"
    assert report.phase_seconds == {"compare": 6.0, "apply": 10.0}
    assert [(record.replica, record.key) for record in report.records] == [
        (name, record.id_value) for name in ("one", "two") for record in HOME
    ]
    assert stand.progress == [("reading", 1, 7)]


async def test_a_pass_that_only_compares_has_no_other_phase(stand: Stand) -> None:
    report = await stand.run(snapshot(*HOME), mode=Mode.DRY_RUN, registries=frozenset({"device"}))
    assert report.phase_seconds == {"compare": 6.0}
    assert report.source.registries == ("device",)
    assert report.source.records == 1


async def test_a_failed_read_is_reported_by_when_and_where(stand: Stand) -> None:
    report = await stand.run(SourceUnavailable("no answer", "look at it"))
    assert report.source == SourceReport("memory", False)
    assert (report.compared_at, report.duration_seconds) == (NOON + SHIFT, 2.000001)
    assert [(r.replica, r.status, r.refusals) for r in report.replicas] == [
        ("one", "unknown", ()),
        ("two", "unknown", ()),
    ]
    assert report.errors == (ErrorReport("source", "no answer", "look at it", True),)
    assert (report.status, report.partial, report.records) == ("unknown", False, ())


async def test_a_pass_is_partial_where_some_replicas_failed(stand: Stand) -> None:
    stand.replicas[0].fail_with = ReplicaUnavailable("one", "away")
    assert (await stand.run(snapshot(*HOME))).partial
    stand.replicas[1].fail_with = ReplicaUnavailable("two", "away")
    report = await stand.run(snapshot(*HOME))
    assert not report.partial
    assert [error.subject for error in report.errors] == ["one", "two"]


async def test_waiting_to_confirm_deletes_shows_as_progress_and_counts_from_the_first_read(
    stand: Stand,
) -> None:
    await stand.run(snapshot(*HOME))
    stand.progress.clear()
    smaller = HOME[:-1]
    first, second = snapshot(*smaller, at=NOON + 20), snapshot(*smaller, at=NOON + 80)
    report = await stand.run(first, second, confirm_deletes=True)
    assert stand.progress == [
        ("reading", 1, 7),
        ("waiting to confirm deletes", 0, None),
        ("reading", 1, 7),
    ]
    assert stand.slept == [60.0]
    assert {record.outcome for record in report.records} == {"applied"}
    stand.progress.clear()
    await stand.run(second, confirm_deletes=True)
    assert stand.slept == [60.0], "nothing waits"


async def test_to_confirm_deletes_a_backup_is_not_read_again(stand: Stand) -> None:
    """It shows the same moment, so a record would not be missed for longer than before."""
    await stand.run(snapshot(*HOME))
    backup = snapshot(*HOME[:-1], at=NOON + 20).read_as(is_frozen=True)
    report = await stand.run(backup, confirm_deletes=True)
    assert stand.slept == []
    assert {(r.outcome, r.waits_for_backup) for r in report.records} == {("waiting", True)}
    assert report.source.backup_at == report.compared_at


@pytest.mark.parametrize("mode", [Mode.APPLY, Mode.OBSERVE])
async def test_a_comparison_is_applied_in_one_call_in_apply_mode(stand: Stand, mode: Mode) -> None:
    await stand.run(snapshot(*HOME))
    options = PassOptions(mode, Policy(), frozenset(REGISTRIES), "run", "home")
    smaller = snapshot(*HOME[:-1], entity(3), at=NOON + 100)
    context = PassContext(options, smaller, stand.replicas, stand.ledger, clock=stand.clock)
    passes = [ReplicaPass(replica, context, memory=None, since=None) for replica in stand.replicas]
    for one in passes:
        await one.compare()
    apply_passes(context, passes)
    is_applied = mode == Mode.APPLY
    assert context.phase_seconds == ({"apply": 10.0} if is_applied else {})
    assert [entity(3).key in replica.rows for replica in stand.replicas] == [is_applied] * 2
    assert set(stand.ledger.missed) == ({entity(2).key} if is_applied else set())


async def test_a_stale_plan_names_the_changes(stand: Stand) -> None:
    plan = await stand.run(snapshot(*HOME), mode=Mode.DRY_RUN)
    expected = {replica.replica: replica.fingerprint for replica in plan.replicas}
    changed = {**expected, "two": "another", "three": "gone"}
    with pytest.raises(PlanStale) as caught:
        await stand.run(snapshot(*HOME), expected=changed)
    assert caught.value.message == (
        "The saved plan is stale: Home Assistant or three, two changed since it was made."
    )
    assert caught.value.hint == "Nothing was written. Make a new plan with --plan-out."
    assert (await stand.run(snapshot(*HOME), expected=expected)).status == "in_sync"
