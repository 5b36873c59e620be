"""States of records."""

from engine.core.compare.diff import Cause
from engine.core.state.record_states import BY_URGENCY, LABELS, State, outcomes_by_state, state_of
from tests.commandline.reports import added, changed, foreign, removed, report


def test_every_state_has_a_label_and_a_place() -> None:
    assert set(LABELS) == set(State)
    assert sorted(BY_URGENCY) == sorted(State)
    assert BY_URGENCY[-1] is State.FOREIGN


def test_a_difference_in_one_replica_determines_the_state() -> None:
    assert state_of(foreign("a")) is State.FOREIGN
    assert state_of(removed("a")) is State.GONE
    assert state_of(added("a", cause=Cause.DRIFT)) is State.MISSING
    assert state_of(changed("a")) is State.PENDING
    assert state_of(changed("a", cause=Cause.CONFLICT)) is State.DRIFTED


def test_what_became_of_the_changes_of_each_state() -> None:
    made = report(removed("a", outcome="held"), removed("b", outcome="waiting"), changed("c"), foreign("d"))
    assert outcomes_by_state(made) == {State.GONE: {"held", "waiting"}, State.PENDING: {"planned"}}
    assert outcomes_by_state(None) == {}
