"""What is remembered of a replica after a pass is what a look at it would find."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given

from engine.core.compare.stored import StoredRow
from engine.core.records.record import Key, Record
from engine.loop.passes.memory import ReplicaMemory
from tests.fakes.plans import RUN, filled, plan_to
from tests.homes import device, entity, snapshot
from tests.strategies import homes


@given(homes(), homes())
def test_it_follows_what_a_pass_wrote(old: list[Record], new: list[Record]) -> None:
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


@pytest.mark.parametrize(("drops_replaced", "stays"), [(True, False), (False, True)])
def test_a_row_whose_entity_id_another_one_bears_is_remembered_where_it_stays(
    drops_replaced: bool, stays: bool
) -> None:
    replica, _ = filled([entity(1, entity_id="sensor.x")])
    memory = ReplicaMemory(0, replica.observe().versions, {})
    desired = snapshot(entity(2, entity_id="sensor.x"))
    [operation] = plan_to(desired, replica, {}).operations
    memory.take([operation], (), desired.home.row_versions, drops_replaced=drops_replaced)
    assert (entity(1).key in memory.versions) == stays
    assert memory.counts["entity"] == 1 + stays


def test_a_row_is_read_again_only_when_another_version_of_it_stands_there() -> None:
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
