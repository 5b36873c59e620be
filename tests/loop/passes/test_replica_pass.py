"""A pass that knows the changes finds the same as one that compares everything."""

from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.core.compare.diff import Cause
from engine.core.compare.plan import Operation
from engine.core.guards.guard import Policy
from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Record
from engine.core.records.registries import REGISTRIES
from engine.core.state.report import RecordReport, Report
from engine.core.words import Mode, Outcome
from engine.errors import ReplicaUnavailable
from engine.loop.passes.context import PassContext
from engine.loop.passes.options import PassOptions, Since
from engine.ports import Observed, Run
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, snapshot
from tests.loop.virtual_time import inline
from tests.loop.warm_passes import Memories, warm_pass
from tests.strategies import homes


class ExclusiveReplica(MemoryReplica):
    """A replica that only the holder of a claim writes."""

    is_exclusive = True
    is_inherited = True

    def observe(self) -> Observed:
        return msgspec.structs.replace(super().observe(), is_inherited=self.is_inherited)

    def upkeep(self, _desired: Snapshot, _run: Run) -> None:
        self.is_inherited = False


class CutOffReplica(ExclusiveReplica):
    """A replica whose first write has an unknown outcome: it is carried out, and raises."""

    def apply(self, operations: Sequence[Operation], run: Run) -> None:
        super().apply(operations, run)
        if self.writes == 1:
            raise ReplicaUnavailable(self.name, "cut off")


class Stand:
    """A replica filled from one home."""

    def __init__(
        self,
        home: Snapshot,
        *,
        stores_derived: bool,
        replica: MemoryReplica | None = None,
        ledger: MemoryLedger | None = None,
    ) -> None:
        self.replica = replica or MemoryReplica(stores_derived=stores_derived)
        self.ledger = ledger or MemoryLedger()
        self.memories: Memories = {}
        self.one_pass(home, "apply")

    @classmethod
    def again(cls, replica: MemoryReplica, ledger: MemoryLedger) -> "Stand":
        """Of what is there, without a pass."""
        stand = cls.__new__(cls)
        stand.replica, stand.ledger, stand.memories = replica, ledger, {}
        return stand

    def one_pass(self, desired: Snapshot, mode: str, since: Since | None = None) -> Report:
        options = PassOptions(
            Mode(mode), Policy(), frozenset(REGISTRIES), "run", "home", verify=since is None
        )
        context = PassContext(
            options, desired, [self.replica], self.ledger, clock=lambda: NOON, offload=inline
        )
        return anyio.run(warm_pass, context, [self.replica], self.memories, since)


def changed(before: Snapshot, after: list[Record]) -> Snapshot:
    rows = [(record, content_hash(record)) for record in after]
    gone = before.home.records.keys() - {record.key for record in after}
    return before.with_changes(rows, gone, taken_at=NOON + 1)


@given(homes(), homes())
def test_it_shows_former_row_contents_without_reading_rows(old: list[Record], new: list[Record]) -> None:
    for stores_derived in (True, False):
        before = snapshot(*old, at=NOON)
        stand = Stand(before, stores_derived=stores_derived)
        after = changed(before, new)

        reported = stand.one_pass(after, "observe", Since(before, after.home.touched))
        read = stand.one_pass(after, "observe")

        assert reported == read


@given(homes(), homes(), homes(), st.booleans())
def test_held_records_are_compared_again_together_with_changes(
    old: list[Record], new: list[Record], newest: list[Record], stores_derived: bool
) -> None:
    before = snapshot(*old, at=NOON)
    stand = Stand(before, stores_derived=stores_derived)
    after = changed(before, new)
    stand.one_pass(after, "apply", Since(before, after.home.touched))
    later = changed(after, newest)

    reported = stand.one_pass(later, "observe", Since(after, later.home.touched))
    read = stand.one_pass(later, "observe")

    assert reported == read


def test_held_records_are_not_read_planned_or_reported_again() -> None:
    home = snapshot(ENTRY, *(device(n) for n in range(50)), at=NOON)
    stand = Stand(home, stores_derived=True)
    smaller = changed(home, [ENTRY, *(device(n) for n in range(20))])
    first = stand.one_pass(smaller, "apply", Since(home, smaller.home.touched))
    assert (first.status, first.replicas[0].refusals[0].held) == ("blocked", 30)
    standing = stand.memories["memory"].standing

    observed, stand.replica.rows_read = stand.replica.observed, 0
    renamed = changed(smaller, [ENTRY, device(0, name="Other"), *(device(n) for n in range(1, 20))])
    second = stand.one_pass(renamed, "apply", Since(smaller, renamed.home.touched))

    assert [(r.key, r.outcome) for r in second.records if r.outcome != "held"] == [(device(0).id, "applied")]
    assert second.replicas[0].refusals[0].held == 30
    assert (stand.replica.observed, stand.replica.rows_read) == (observed, 0)
    now = stand.memories["memory"].standing
    assert len(now) == 30
    assert all(now[key] is operation for key, operation in standing.items())
    third = stand.one_pass(renamed, "apply", Since(renamed, frozenset()))
    held = {r.key: r for r in second.records if r.outcome == "held"}
    assert len(third.records) == 30
    assert all(record is held[record.key] for record in third.records)


class UpkeepReplica(MemoryReplica):
    """A store that needs upkeep, which fails."""

    def upkeep(self, desired: Snapshot, run: Run) -> None:
        raise ReplicaUnavailable("memory", "away")


def failing_pass(error: ReplicaUnavailable, replica: MemoryReplica) -> Report:
    stand = Stand(snapshot(ENTRY), stores_derived=True, replica=replica)
    replica.fail_apply_with = error
    return stand.one_pass(snapshot(ENTRY, device(1), device(2)), "apply")


def test_a_write_error_is_reported_with_its_known_details() -> None:
    error = ReplicaUnavailable("memory", "cut off", "look")
    for unwritten, outcomes, status in (
        (None, ["failed", "failed"], "out_of_sync"),
        (frozenset({device(1).key}), ["failed", "applied"], "out_of_sync"),
    ):
        error.unwritten = unwritten
        report = failing_pass(error, MemoryReplica())
        assert [(e.subject, e.message, e.transient) for e in report.errors] == [("memory", "cut off", True)]
        (found,) = report.replicas
        assert (found.status, report.status, found.error) == (status, status, "cut off look")
        assert [r.outcome for r in report.records] == outcomes
        assert (found.applied.upsert, found.pending) == (outcomes.count("applied"), outcomes.count("failed"))


class NotingReplica(MemoryReplica):
    """A store that has a note after each use."""

    def take_note(self) -> str:
        return "the outbox is full"


def test_a_stores_note_is_reported_whether_the_pass_succeeds_or_fails() -> None:
    stand = Stand(snapshot(ENTRY), stores_derived=True, replica=NotingReplica())
    (written,) = stand.one_pass(snapshot(ENTRY, device(1)), "apply").replicas
    assert (written.note, written.error) == ("the outbox is full", None)
    stand.replica.fail_apply_with = ReplicaUnavailable("memory", "cut off")
    (unwritten,) = stand.one_pass(snapshot(ENTRY, device(2)), "apply").replicas
    assert (unwritten.note, unwritten.error) == ("the outbox is full", "cut off")
    stand.replica.fail_with = ReplicaUnavailable("memory", "away")
    (unread,) = stand.one_pass(snapshot(ENTRY, device(3)), "apply").replicas
    assert (unread.status, unread.note, unread.error) == ("unknown", "the outbox is full", "away")


def test_an_error_after_the_write_does_not_unsay_it() -> None:
    stand = Stand(snapshot(ENTRY), stores_derived=True, replica=UpkeepReplica())
    report = stand.one_pass(snapshot(ENTRY, device(1)), "apply")
    assert [e.message for e in report.errors] == ["away"]
    assert [r.outcome for r in report.records] == ["applied"]
    assert (report.status, report.replicas[0].pending) == ("out_of_sync", 0)


def test_an_absence_that_could_not_be_noted_is_an_error() -> None:
    class Forgetful(MemoryLedger):
        def note_absences(self, absences: Any, at: Any) -> None:
            raise ReplicaUnavailable("ledger", "full")

    stand = Stand(snapshot(ENTRY, device(1)), stores_derived=True, ledger=Forgetful())
    report = stand.one_pass(snapshot(ENTRY), "apply")
    assert [(e.subject, e.message) for e in report.errors] == [("ledger", "full")]


def test_after_a_write_of_unknown_outcome_the_replica_memory_is_dropped() -> None:
    stand = Stand(snapshot(ENTRY, device(1), at=NOON), stores_derived=True)
    assert stand.memories
    stand.replica.fail_apply_with = ReplicaUnavailable("memory", "the line was cut")
    stand.one_pass(snapshot(ENTRY, device(1, name="New"), at=NOON + 1), "apply")
    assert stand.memories == {}


def test_a_replica_that_could_not_be_read_is_named_with_its_error() -> None:
    stand = Stand(snapshot(ENTRY, at=NOON), stores_derived=True)
    stand.replica.fail_with = ReplicaUnavailable("memory", "away", "start it")
    found = stand.one_pass(snapshot(ENTRY, at=NOON + 1), "observe")
    (replica,) = found.replicas
    assert (replica.replica, replica.status, replica.error) == ("memory", "unknown", "away start it")
    assert [(error.subject, error.message, error.hint) for error in found.errors] == [
        ("memory", "away", "start it")
    ]


def test_drift_dates_from_the_comparison_and_not_from_the_read() -> None:
    stand = Stand(snapshot(ENTRY, device(1), at=NOON - 300), stores_derived=True)
    stand.replica.edit(device(1).key, name="Mocked")
    (record,) = stand.one_pass(snapshot(ENTRY, device(1), at=NOON - 200), "apply").records
    assert (record.cause, record.outcome, record.since) == (Cause.DRIFT, Outcome.APPLIED, NOON)


def orphan_after_a_take_over(replica: MemoryReplica) -> RecordReport:
    """What is reported of a record that another process wrote, and that was deleted before this one took over."""
    before, after = snapshot(ENTRY, device(1), device(2)), snapshot(ENTRY, device(1))
    Stand(before, stores_derived=False, replica=replica)
    stand = Stand(after, stores_derived=False, replica=replica, ledger=MemoryLedger())
    (found,) = stand.one_pass(after, "dry_run").records
    assert found.key == device(2).id
    return found


def test_everything_in_an_exclusive_replica_is_ours() -> None:
    found = orphan_after_a_take_over(ExclusiveReplica(stores_derived=False))
    assert (found.cause, found.outcome) == (Cause.PENDING, Outcome.WAITING)  # for its second look
    assert orphan_after_a_take_over(MemoryReplica(stores_derived=False)).cause == Cause.FOREIGN


def test_rows_of_a_later_owner_are_no_drift_when_the_home_comes_back() -> None:
    here, elsewhere = MemoryLedger(), MemoryLedger()
    replica = ExclusiveReplica(stores_derived=False)
    lamps = (device(1, name="Lamp"), device(2), device(3))
    Stand(snapshot(ENTRY, *lamps, at=NOON), stores_derived=False, replica=replica, ledger=here)
    later = snapshot(ENTRY, device(1, name="Desk"), device(2, name="Shelf"), at=NOON + 1)
    replica.is_inherited = True
    Stand(later, stores_derived=False, replica=replica, ledger=elsewhere)
    replica.rows.pop(device(3).key)  # its delete was confirmed there

    replica.is_inherited = True
    newest = snapshot(ENTRY, device(1, name="Door"), device(2, name="Shelf"), device(3), at=NOON + 2)
    stand = Stand.again(replica, here)
    found = stand.one_pass(newest, "apply")

    assert [(r.key, r.cause, r.outcome) for r in found.records] == [
        (device(1).id, Cause.PENDING, Outcome.APPLIED),
        (device(3).id, Cause.PENDING, Outcome.APPLIED),
    ]
    assert stand.one_pass(newest, "apply").records == ()
    assert here.applied(replica.name) == replica.observe().versions
    replica.edit(device(1).key, name="Mocked")  # a stranger's, from here on
    (drift,) = stand.one_pass(newest, "apply").records
    assert drift.cause == Cause.DRIFT


def test_rows_of_an_interrupted_first_write_are_ours() -> None:
    replica, ledger = CutOffReplica(stores_derived=False), MemoryLedger()
    before, after = snapshot(ENTRY, device(1), device(2)), snapshot(ENTRY, device(1, name="Lamp"))
    Stand(before, stores_derived=False, replica=replica, ledger=ledger)
    assert ledger.applied(replica.name) == {}
    found = Stand.again(replica, ledger).one_pass(after, "observe").records
    assert {record.key for record in found} == {device(1).id, device(2).id}
    assert {record.cause for record in found} == {Cause.PENDING}
