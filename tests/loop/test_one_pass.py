"""A pass that knows what changed finds what one finds that looks at everything."""

from typing import Any

import anyio
from hypothesis import given

from engine.core.guards.guard import Policy
from engine.core.home.content_hash import content_hash
from engine.core.home.record import REGISTRIES, Record
from engine.core.home.snapshot import Snapshot
from engine.core.state.report import Report
from engine.errors import ReplicaUnavailable
from engine.loop.memory import ReplicaMemory
from engine.loop.one_pass import OnePass
from engine.loop.pass_options import PassOptions, Since
from engine.ports import Run
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import ENTRY, NOON, device, snapshot
from tests.loop.virtual_time import inline
from tests.strategies import homes


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
        self.memories: dict[str, ReplicaMemory] = {}
        self.one_pass(home, "apply")

    def one_pass(self, desired: Snapshot, mode: str, since: Since | None = None) -> Report:
        options = PassOptions(mode, Policy(), frozenset(REGISTRIES), "run", "home", verify=since is None)
        work = OnePass(
            options,
            desired,
            [self.replica],
            self.ledger,
            clock=lambda: NOON,
            memories=self.memories,
            offload=inline,
            since=since,
        )
        anyio.run(work.examine, {})
        if mode == "apply":
            anyio.run(work.carry_out)
        return work.report(NOON)


def changed(before: Snapshot, after: list[Record]) -> Snapshot:
    rows = [(record, content_hash(record)) for record in after]
    gone = before.records.keys() - {record.key for record in after}
    return before.with_changes(rows, gone, taken_at=NOON + 1)


@given(homes(), homes())
def test_it_tells_what_rows_held_without_reading_them(old: list[Record], new: list[Record]) -> None:
    for stores_derived in (True, False):
        before = snapshot(*old, at=NOON)
        stand = Stand(before, stores_derived=stores_derived)
        after = changed(before, new)

        told = stand.one_pass(after, "observe", Since(before, after.touched))
        read = stand.one_pass(after, "observe")

        assert told == read


class UpkeepReplica(MemoryReplica):
    """A store that needs upkeep, which fails."""

    def upkeep(self, desired: Snapshot, run: Run) -> None:
        raise ReplicaUnavailable("memory", "away")


def failing_pass(error: ReplicaUnavailable, replica: MemoryReplica) -> Report:
    stand = Stand(snapshot(ENTRY), stores_derived=True, replica=replica)
    replica.fail_apply_with = error
    return stand.one_pass(snapshot(ENTRY, device(1), device(2)), "apply")


def test_an_error_of_a_write_is_reported_with_what_is_known_of_it() -> None:
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
