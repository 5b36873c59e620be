"""Plans for a replica in memory, without loop or guards."""

from engine.core.diff import compare
from engine.core.plan import Plan, make_plan
from engine.core.record import REGISTRIES, Key, Record
from engine.core.snapshot import Snapshot
from engine.ports import Run
from tests.fakes.world import MemoryReplica
from tests.homes import snapshot

RUN = Run("run", 0.0, "test", None)


def plan_to(desired: Snapshot, replica: MemoryReplica, applied: dict[Key, str]) -> Plan:
    observed = replica.observe().versions
    diff = compare(desired.row_versions, observed, applied, frozenset(REGISTRIES))
    return make_plan("m", diff, desired, replica.read(observed), with_derived=True, prune_foreign=False)


def filled(home: list[Record]) -> tuple[MemoryReplica, dict[Key, str]]:
    replica = MemoryReplica()
    replica.apply(plan_to(snapshot(*home), replica, {}).operations, RUN)
    return replica, replica.observe().versions
