"""Plans for a replica in memory, without loop or guards."""

from msgspec import structs

from engine.core.compare.diff import compare
from engine.core.compare.plan import Operation, Plan, make_plan
from engine.core.compare.stored import StoredRow
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from engine.ports import Run
from tests.fakes.world import MemoryReplica
from tests.homes import snapshot

RUN = Run("run", 0.0, "test", None)


def plan_to(desired: Snapshot, replica: MemoryReplica, applied: dict[Key, str]) -> Plan:
    observed = replica.observe().versions
    diff = compare(desired.home.row_versions, observed, applied, frozenset(REGISTRIES))
    return make_plan("m", diff, desired, replica.read(observed), with_derived=True, prune_foreign=False)


def filled(home: list[Record]) -> tuple[MemoryReplica, dict[Key, str]]:
    replica = MemoryReplica()
    replica.apply(plan_to(snapshot(*home), replica, {}).operations, RUN)
    return replica, replica.observe().versions


def operation_of(before: Record | None, after: Record | None = None, **changed: object) -> Operation:
    """The one operation of a replica that holds `before`, or nothing, to `after`, or to `before` as it was changed."""
    assert before is not None or after is not None
    wanted = structs.replace(before, **changed) if before is not None and changed else after
    desired = snapshot(*([wanted] if wanted is not None else []))
    observed = snapshot(*([before] if before is not None else [])).home.hashes
    stored = {before.key: StoredRow(before.key, canonical_fields(before))} if before is not None else {}
    diff = compare(desired.home.hashes, observed, observed, frozenset(REGISTRIES))
    plan = make_plan("m", diff, desired, stored, with_derived=False, prune_foreign=False)
    [operation] = plan.operations
    return operation
