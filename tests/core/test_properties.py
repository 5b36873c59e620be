"""What must hold for any two homes: converges, does nothing twice, is minimal, survives a cut anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core.compare.plan import Action
from engine.core.records.record import Record
from tests.fakes.plans import RUN, filled, plan_to
from tests.homes import snapshot
from tests.strategies import homes


@given(homes(), homes())
def test_a_plan_converges_and_a_second_one_is_empty(old: list[Record], new: list[Record]) -> None:
    replica, applied = filled(old)
    desired = snapshot(*new)
    replica.apply(plan_to(desired, replica, applied).operations, RUN)
    assert replica.observe().versions == desired.home.row_versions
    assert plan_to(desired, replica, replica.observe().versions).operations == ()


@given(homes(), homes())
def test_a_plan_touches_each_differing_key_once_and_no_other(old: list[Record], new: list[Record]) -> None:
    replica, applied = filled(old)
    desired = snapshot(*new)
    touched = [o.key for o in plan_to(desired, replica, applied).operations]
    before, after = replica.observe().versions, desired.home.row_versions
    assert len(touched) == len(set(touched))
    assert set(touched) == {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


@given(homes(), homes(), st.randoms(use_true_random=False))
def test_the_order_of_input_is_irrelevant(old: list[Record], new: list[Record], random: object) -> None:
    replica, applied = filled(old)
    shuffled = list(new)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis's Random
    assert plan_to(snapshot(*new), replica, applied) == plan_to(snapshot(*shuffled), replica, applied)


@given(homes(), homes(), st.integers(min_value=0))
def test_any_prefix_of_a_plan_then_a_new_pass_ends_the_same(
    old: list[Record], new: list[Record], cut: int
) -> None:
    replica, applied = filled(old)
    desired = snapshot(*new)
    operations = plan_to(desired, replica, applied).operations
    done = operations[: cut % (len(operations) + 1)]
    replica.apply(done, RUN)  # and then the process died: nothing was recorded as applied
    again = plan_to(desired, replica, applied)
    replica.apply(again.operations, RUN)
    assert replica.observe().versions == desired.home.row_versions
    assert not {o.key for o in again.operations} & {o.key for o in done}


@given(homes(), homes())
def test_renames_chains_and_swaps_are_moves_and_nothing_else(old: list[Record], new: list[Record]) -> None:
    replica, applied = filled(old)
    names = {key: r.entity_id for key, (r, _) in replica.rows.items() if key.registry == "entity"}  # type: ignore[attr-defined]
    desired = snapshot(*new)
    plan = plan_to(desired, replica, applied)
    renamed = {
        key
        for key, name in names.items()
        if key in desired.home.records and desired.home.records[key].entity_id != name  # type: ignore[attr-defined]
    }
    assert {o.key for o in plan.of(Action.MOVE)} == renamed
