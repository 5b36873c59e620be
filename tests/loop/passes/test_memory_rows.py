"""When a memory holds, and the rows that need not be read because of it."""

import pytest

from engine.core.compare.stored import row_of
from engine.loop.passes.memory import ReplicaMemory, rows_of, versions_of
from engine.loop.passes.options import Since
from tests.fakes.plans import RUN, filled, plan_to
from tests.fakes.world import MemoryReplica
from tests.homes import device, entity, snapshot


def test_a_memory_holds_while_the_data_version_and_ledger_entries_are_the_same() -> None:
    replica, applied = filled([device(1)])
    memory = ReplicaMemory(7, replica.observe().versions, applied)
    ledger = {replica.name: applied}
    assert memory.holds(replica, 7, None)
    assert not memory.holds(replica, 8, None)
    assert not memory.holds(replica, 7, ledger.get), "the rows may be others"
    replica.is_unchanged = lambda: True  # type: ignore[method-assign]
    assert memory.holds(replica, 7, ledger.get)
    assert not memory.holds(replica, 8, ledger.get)
    assert not memory.holds(replica, 7, lambda _name: {})


@pytest.mark.parametrize("stores_derived", [True, False])
def test_rows_come_from_the_last_equal_snapshot_or_else_from_the_replica(
    stores_derived: bool,
) -> None:
    before = snapshot(device(1), device(2), entity(3, device_id=device(1).id))
    replica = MemoryReplica(stores_derived=stores_derived)
    plan = plan_to(before, replica, {})
    replica.apply(plan.operations, RUN)
    versions = versions_of(replica, before)
    assert versions == replica.observe().versions if stores_derived else versions == before.home.hashes
    moved, same = device(2).key, [device(1).key, entity(3).key]
    memory = ReplicaMemory(0, {**versions, moved: "another"}, {})
    since = Since(before, frozenset(before.home.records))
    found = rows_of(replica, memory, [*same, moved], since)
    derived = before.home.derived
    assert {key: found[key] for key in same} == {
        key: row_of(before.home.records[key], derived.get(key) if stores_derived else None) for key in same
    }
    assert replica.rows_read == 1, "only the row that has another version"
    assert found[moved] == replica.read([moved])[moved]
    replica.rows_read = 0
    assert rows_of(replica, memory, [*same, moved], None) == found
    assert replica.rows_read == 0, "all of them are remembered"
    replica.rows_read = 0
    fresh = ReplicaMemory(0, versions, {})
    fresh.aliases = {device(1).key: moved}
    stored = rows_of(replica, fresh, [device(1).key], Since(None, frozenset()))
    assert stored == {device(1).key: replica.read([moved])[moved]}, "under the name that its row has"
