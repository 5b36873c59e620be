"""A pass that knows what changed finds what one finds that looks at everything."""

import anyio
from hypothesis import given

from engine.core.content_hash import content_hash
from engine.core.guard import Policy
from engine.core.record import REGISTRIES, Record
from engine.core.report import Report
from engine.core.snapshot import Snapshot
from engine.loop.memory import ReplicaMemory
from engine.loop.one_pass import OnePass, PassOptions, Since
from tests.fakes.world import MemoryLedger, MemoryReplica
from tests.homes import NOON, snapshot
from tests.loop.virtual_time import inline
from tests.strategies import homes


class Stand:
    """A replica filled from one home."""

    def __init__(self, home: Snapshot, *, stores_derived: bool) -> None:
        self.replica = MemoryReplica(stores_derived=stores_derived)
        self.ledger = MemoryLedger()
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
