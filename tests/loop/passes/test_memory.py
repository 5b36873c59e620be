"""The memory of a replica after a pass equals a fresh read of it."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given

from engine.core.compare.stored import StoredRow
from engine.core.guards.guard import Verdict
from engine.core.guards.instance import KnownHomes
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.loop.passes.memory import ReplicaMemory, known_to
from engine.loop.passes.options import Since
from tests.fakes.plans import RUN, filled, plan_to
from tests.homes import device, entity, snapshot
from tests.strategies import homes


@given(homes(), homes())
def test_it_follows_the_writes_of_a_pass(old: list[Record], new: list[Record]) -> None:
    replica, applied = filled(old)
    memory = ReplicaMemory(replica.data_version(), replica.observe().versions, applied)
    desired = snapshot(*new)
    plan = plan_to(desired, replica, applied)

    replica.apply(plan.operations, RUN)
    memory.take(
        plan.operations, plan.diff.settled, desired.home.row_versions, drops_replaced=replica.drops_replaced
    )

    found = replica.observe().versions
    assert memory.versions == memory.applied == found
    assert memory.counts == Counter(key.registry for key in found)


def test_versions_that_are_the_homes_are_held_once_and_never_changed() -> None:
    one, two, three = device(1).key, device(2).key, device(3).key
    wanted = {one: "v1", two: "v1"}
    memory = ReplicaMemory(0, dict(wanted), dict(wanted))
    memory.share(wanted)
    assert memory.versions is memory.applied is wanted

    later = {one: "v1", two: "v2"}
    memory.share(later)
    memory.take([], [(three, "v9")], later, drops_replaced=True)
    assert (memory.versions, memory.applied) == (wanted, {**wanted, three: "v9"})
    assert wanted == {one: "v1", two: "v1"}
    assert later == {one: "v1", two: "v2"}


@given(homes(), homes())
def test_writes_are_tracked_if_the_versions_are_those_of_the_home(
    old: list[Record], new: list[Record]
) -> None:
    replica, applied = filled(old)
    memory = ReplicaMemory(replica.data_version(), replica.observe().versions, applied)
    before = snapshot(*old).home.row_versions
    memory.share(before)
    kept, desired = dict(before), snapshot(*new)
    plan = plan_to(desired, replica, applied)

    replica.apply(plan.operations, RUN)
    memory.take(
        plan.operations, plan.diff.settled, desired.home.row_versions, drops_replaced=replica.drops_replaced
    )

    assert memory.versions == memory.applied == replica.observe().versions
    assert before == kept


def test_rows_written_as_planned_are_not_compared_again() -> None:
    replica, applied = filled([device(1)])
    memory = ReplicaMemory(0, replica.observe().versions, applied)
    desired = snapshot(device(1), device(2), device(3))
    plan = plan_to(desired, replica, applied)
    memory.leave(plan, Verdict(allowed=plan.operations[:1], held=(), waiting=(), refusals=()), is_known=True)
    memory.take(plan.operations[:1], (), desired.home.row_versions, drops_replaced=True)
    since = memory.widened(Since(None, frozenset()))
    assert since is not None
    assert list(since.keys) == [device(3).key]


@pytest.mark.parametrize(("drops_replaced", "stays"), [(True, False), (False, True)])
def test_a_row_that_lost_its_entity_id_is_remembered_if_the_store_keeps_it(
    drops_replaced: bool, stays: bool
) -> None:
    replica, _ = filled([entity(1, entity_id="sensor.x")])
    memory = ReplicaMemory(0, replica.observe().versions, {})
    desired = snapshot(entity(2, entity_id="sensor.x"))
    [operation] = plan_to(desired, replica, {}).operations
    memory.take([operation], (), desired.home.row_versions, drops_replaced=drops_replaced)
    assert (entity(1).key in memory.versions) == stays
    assert memory.counts["entity"] == 1 + stays


def test_a_row_is_read_again_only_if_its_version_changed() -> None:
    first, second = device(1).key, device(2).key
    memory = ReplicaMemory(0, {first: "v1", second: "v1"}, {})
    asked: list[set[Key]] = []

    def read(keys: Iterable[Key]) -> dict[Key, StoredRow]:
        asked.append(set(keys))
        return {key: StoredRow(key, {"name": f"of look {len(asked)}"}) for key in asked[-1]}

    names = {first: first, second: second}
    once = memory.rows_under(names, read)
    assert memory.rows_under(names, read) == once
    assert asked == [{first, second}]
    memory.versions = {first: "v2", second: "v1"}
    assert memory.rows_under(names, read)[first].fields == {"name": "of look 2"}
    assert asked[1:] == [{first}]
    assert memory.rows_under({second: second}, read) == {second: once[second]}
    memory.rows_under({first: first}, read)
    assert asked[2:] == [{first}], "what the last pass had no use for is not kept"


def leaving(*, is_known: bool) -> tuple[ReplicaMemory, Snapshot]:
    """What is remembered after a pass that found two devices missing."""
    replica, applied = filled([device(3)])
    desired = snapshot(device(1), device(2), device(3))
    memory = ReplicaMemory(0, replica.observe().versions, applied)
    plan = plan_to(desired, replica, applied)
    memory.leave(plan, Verdict((), plan.operations, (), ()), is_known=is_known)
    return memory, desired


def test_the_next_pass_looks_at_changes_and_at_leftovers_of_the_last_pass() -> None:
    memory, desired = leaving(is_known=True)
    widened = memory.widened(Since(desired, frozenset({device(3).key})))
    assert widened is not None
    assert widened.before is desired
    assert list(widened.keys) == [device(1).key, device(2).key, device(3).key]
    assert set(memory.differences) == {device(1).key, device(2).key}


def test_the_next_pass_looks_at_everything_if_changes_or_remains_are_unknown() -> None:
    memory, desired = leaving(is_known=True)
    assert memory.widened(None) is None
    since = Since(desired, frozenset({device(3).key}))
    assert memory.widened(since) is None, "the pass before broke off"
    assert leaving(is_known=False)[0].widened(since) is None


def test_rows_of_other_programs_are_remembered_under_the_keys_that_they_were_given() -> None:
    stranger, owner = Key("entity", "light.x"), Key("entity", "id-1")
    memory = ReplicaMemory(0, {stranger: "v1"}, {})
    memory.adopt({stranger: "v1"}, {})
    assert (memory.versions, memory.aliases) == ({stranger: "v1"}, {})
    memory.adopt({owner: "v1"}, {owner: stranger})
    assert (memory.versions, memory.aliases) == ({owner: "v1"}, {owner: stranger})


def test_equal_versions_are_shared_and_others_are_unchanged() -> None:
    key, version = device(1).key, "".join(["v", "1"])
    memory = ReplicaMemory(0, {key: "v1"}, {key: "v0"})
    memory.share({key: version})
    assert memory.versions[key] is version
    assert memory.applied == {key: "v0"}
    assert not memory.is_equal({key: "v1"})
    memory.applied = {key: "v1"}
    memory.share({key: version})
    assert memory.applied[key] is version
    assert memory.is_equal({key: "v1"})
    assert not memory.is_equal({key: "v2"})


def test_rows_left_equal_by_another_process_are_known_without_a_read() -> None:
    versions, counts = {device(1).key: "v1"}, Counter({"device": 1})
    memory = ReplicaMemory.recalled(7, versions, counts, KnownHomes(own=frozenset({"e"})))
    assert (memory.data_version, memory.counts, memory.homes.own) == (7, counts, frozenset({"e"}))
    assert memory.is_equal(versions)
    counts["device"] += 1
    assert memory.counts["device"] == 1, "a count of its own"
    widened = memory.widened(Since(None, frozenset({device(2).key})))
    assert widened is not None
    assert list(widened.keys) == [device(2).key]


def test_a_record_of_ours_in_any_replica_is_known() -> None:
    one, two = device(1).key, device(2).key
    first, second = ReplicaMemory(0, {}, {one: "a"}), ReplicaMemory(0, {}, {one: "b", two: "c"})
    assert known_to([first]) is first.applied
    assert dict(known_to([first, second])) == {one: "a", two: "c"}
    assert dict(known_to([])) == {}


def test_rows_that_were_never_compared_do_not_count_as_known() -> None:
    memory = ReplicaMemory(0, {}, {})
    assert memory.order is None, "asked for, and not taken for empty"
    assert (memory.differences, memory.standing, memory.reported) == ({}, {}, {})
    since = Since(None, frozenset({device(1).key}))
    assert memory.widened(since) is None, "it is unknown what was left before the first pass"


def test_held_operations_remain_for_the_next_pass() -> None:
    replica, applied = filled([device(3)])
    memory = ReplicaMemory(0, replica.observe().versions, applied)
    plan = plan_to(snapshot(device(1), device(2), device(3)), replica, applied)
    first, second = plan.operations
    memory.leave(plan, Verdict((), (first,), (second,), ()), is_known=True)
    assert memory.standing == {first.key: first, second.key: second}
    assert memory.differences == {}


def test_a_row_that_is_gone_when_read_is_ignored_and_requested_again() -> None:
    key = device(1).key
    memory = ReplicaMemory(0, {}, {})
    assert memory.rows_under({key: key}, lambda _keys: {}) == {key: StoredRow(key, {})}
    memory.versions = {key: "v1"}
    found = StoredRow(key, {"name": "Lamp"})
    assert memory.rows_under({key: key}, lambda _keys: {key: found}) == {key: found}


def test_one_mapping_for_both_stays_one() -> None:
    one, two = device(1).key, device(2).key
    memory = ReplicaMemory(0, {one: "v1"}, {one: "v1"})
    memory.share({one: "v2"})
    assert memory.applied is memory.versions, "they are equal, so one of them is enough"
    memory.share({one: "v3"})
    assert memory.applied is memory.versions
    memory.take([], [(two, None)], {one: "v3"}, drops_replaced=True)
    assert memory.applied is memory.versions, "the bookkeeping said what was known"
    assert (memory.versions, memory.applied) == ({one: "v1"}, {one: "v1"})
    memory.take([], [(one, None), (two, None)], {one: "v3"}, drops_replaced=True)
    assert (memory.versions, memory.applied) == ({one: "v1"}, {})


def test_applied_versions_are_tracked_separately_from_held_versions() -> None:
    replica, _ = filled([device(1), device(2)])
    versions = replica.observe().versions
    memory = ReplicaMemory(0, versions, {device(1).key: "older", device(2).key: "older"})
    plan = plan_to(snapshot(device(1)), replica, versions)
    memory.take(plan.operations, [], {}, drops_replaced=True)
    assert memory.versions == {device(1).key: versions[device(1).key]}
    assert memory.applied == {device(1).key: "older"}


def test_a_row_that_was_written_has_its_own_name() -> None:
    replica, _ = filled([])
    desired = snapshot(device(1))
    memory = ReplicaMemory(0, {}, {})
    memory.aliases = {device(1).key: device(9).key, device(2).key: device(8).key}
    memory.take(plan_to(desired, replica, {}).operations, [], desired.home.row_versions, drops_replaced=True)
    assert memory.aliases == {device(2).key: device(8).key}


def test_after_a_first_fill_the_homes_own_versions_are_held() -> None:
    replica, _ = filled([])
    desired = snapshot(device(1), device(2))
    wanted = desired.home.row_versions
    memory = ReplicaMemory(0, {}, {})
    plan = plan_to(desired, replica, {})
    memory.take(plan.operations, [], wanted, drops_replaced=True)
    assert memory.versions is memory.applied is wanted
    assert memory.counts == {"device": 2}


def test_after_a_large_write_the_homes_own_versions_are_held() -> None:
    replica, _ = filled([device(n) for n in range(2, 17)])
    desired = snapshot(*(device(n) for n in range(1, 17)))
    memory = ReplicaMemory(0, versions := replica.observe().versions, versions)
    wanted = desired.home.row_versions
    memory.take(plan_to(desired, replica, versions).operations, [], wanted, drops_replaced=True)
    assert memory.versions is memory.applied is wanted, "one of sixteen was written"
    larger = snapshot(*(device(n) for n in range(1, 40)))
    everything = larger.home.row_versions
    held = ReplicaMemory.recalled(0, everything, Counter(), KnownHomes())
    held.take(plan_to(desired, replica, versions).operations, [], wanted, drops_replaced=True)
    assert held.applied is held.versions is not everything, "one copy for both"


def test_the_next_pass_looks_at_the_new_key_of_a_moved_row() -> None:
    replica, applied = filled([device(1)])
    memory = ReplicaMemory(0, replica.observe().versions, applied)
    desired = snapshot(device(2), splits={device(1).id: (device(2).id,)})
    plan = plan_to(desired, replica, applied)
    assert [operation.moved_from for operation in plan.operations] == [device(1).key]
    memory.leave(plan, Verdict(plan.operations, (), (), ()), is_known=True)
    memory.take(plan.operations, (), desired.home.row_versions, drops_replaced=True)
    since = memory.widened(Since(desired, frozenset()))
    assert since is not None
    assert device(2).key in since.keys
