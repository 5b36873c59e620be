"""What is remembered of a replica after a pass is what a look at it would find."""

from collections import Counter

from hypothesis import given

from engine.core.record import Record
from engine.loop.memory import ReplicaMemory
from tests.fakes.plans import RUN, filled, plan_to
from tests.homes import snapshot
from tests.strategies import homes


@given(homes(), homes())
def test_it_follows_what_a_pass_wrote(old: list[Record], new: list[Record]) -> None:
    replica, applied = filled(old)
    memory = ReplicaMemory(replica.stamp(), replica.observe().versions, applied)
    desired = snapshot(*new)
    plan = plan_to(desired, replica, applied)

    replica.apply(plan.operations, RUN)
    memory.take(plan.operations, plan.diff.settled, desired.row_versions)

    found = replica.observe().versions
    assert memory.versions == memory.applied == found
    assert memory.counts == Counter(key.registry for key in found)
