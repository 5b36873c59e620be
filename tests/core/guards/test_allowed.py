"""Deletes that a person allowed by their name: these and no others, today and tomorrow."""

import msgspec
import pytest

from engine.core.guards.allowed import is_allowed, name_of_deletes
from engine.core.guards.guard import Policy, Verdict
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Key, Record
from engine.core.words import GuardName
from tests.core.guards.test_guard import HOME, judge
from tests.homes import NOON, RUNNING, entity, snapshot

KEYS = [Key("entity", str(n)) for n in range(3)]
DAY = 86_400.0
MANY_GONE = HOME[:-30]


def allowed(desired: Snapshot, *names: str, stored: list[Record] = HOME) -> Verdict:
    return judge(desired, stored, Policy(delete_confirm_seconds=0, allow_deletes=names))


def named(verdict: Verdict) -> str:
    (refusal,) = verdict.refusals
    assert refusal.name is not None
    return refusal.name


def test_a_name_covers_the_records_in_any_order_with_their_number() -> None:
    name = name_of_deletes(KEYS, NOON)
    assert name.startswith("3-")
    assert name_of_deletes(KEYS[::-1], NOON) == name
    assert name_of_deletes(KEYS[:2], NOON) != name
    assert name_of_deletes([*KEYS[:2], Key("device", "2")], NOON) != name
    assert is_allowed(KEYS, NOON, ["7-0123456789", name])
    assert not is_allowed(KEYS[:2], NOON, [name])
    assert not is_allowed(KEYS, NOON, [])


def test_ids_of_any_characters_give_other_records_another_name() -> None:
    one = [Key("device", "a\0device/b"), Key("device", "c")]
    other = [Key("device", "a"), Key("device", "b\0device/c")]
    assert name_of_deletes(one, NOON) != name_of_deletes(other, NOON)


def test_deletes_that_home_assistant_reported_get_no_name_when_held() -> None:
    gone = [record.key for record in HOME if record.key.registry == "device"]
    removed = snapshot(*(r for r in HOME if r.key not in gone), removed=frozenset(gone))
    verdict = allowed(removed, name_of_deletes([], NOON))
    assert [(r.guard, r.name) for r in verdict.refusals] == [(GuardName.EMPTY_SOURCE, None)]
    assert verdict.allowed == ()


def test_a_name_ends_with_the_day_after() -> None:
    begun = NOON - NOON % DAY
    name = name_of_deletes(KEYS, begun)
    assert [is_allowed(KEYS, begun + days * DAY, [name]) for days in (-1, 0, 1, 2, 400)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert is_allowed(KEYS, begun + 2 * DAY - 1, [name])


def test_held_deletes_are_applied_when_allowed_by_name() -> None:
    held = judge(snapshot(*MANY_GONE), HOME)
    assert [r.guard for r in held.refusals] == [GuardName.DELETE_RATIO]
    verdict = allowed(snapshot(*MANY_GONE), named(held))
    assert (len(verdict.allowed), verdict.held, verdict.refusals) == (30, (), ())


def test_one_record_more_is_another_plan_which_is_held_again() -> None:
    name = named(judge(snapshot(*MANY_GONE), HOME))
    verdict = allowed(snapshot(*HOME[:-31]), name)
    assert (verdict.allowed, len(verdict.held)) == ((), 31)
    assert named(verdict) != name
    assert allowed(snapshot(*HOME[:-29]), name).allowed == ()


def test_other_changes_do_not_change_the_name() -> None:
    name = named(judge(snapshot(*MANY_GONE), HOME))
    changed = snapshot(*MANY_GONE[:-1], entity(29, name="New name"))
    assert len(allowed(changed, name).allowed) == 31


def test_an_allowed_delete_still_waits_for_its_second_read() -> None:
    name = named(judge(snapshot(*MANY_GONE), HOME))
    verdict = judge(snapshot(*MANY_GONE), HOME, Policy(allow_deletes=(name,)))
    assert (verdict.allowed, len(verdict.waiting), verdict.refusals) == ((), 30, ())


def test_an_empty_registry_and_too_many_records_are_allowed_in_the_same_way() -> None:
    no_devices = snapshot(*(record for record in HOME if record.key.registry != "device"))
    held = judge(no_devices, HOME)
    assert held.refusals[0].guard == GuardName.EMPTY_SOURCE
    assert allowed(no_devices, named(held)).refusals == ()
    few = Policy(delete_confirm_seconds=0, delete_count_max=10)
    assert judge(snapshot(*MANY_GONE), HOME, few).refusals[0].name == named(judge(snapshot(*MANY_GONE), HOME))


@pytest.mark.parametrize("state", ["STARTING", "NOT_RUNNING"])
def test_deletes_from_a_doubtful_read_have_no_name_and_cannot_be_allowed(state: str) -> None:
    name = named(judge(snapshot(*MANY_GONE), HOME))
    doubtful = snapshot(*MANY_GONE, health=msgspec.structs.replace(RUNNING, state=state))
    verdict = allowed(doubtful, name)
    assert [(r.guard, r.name) for r in verdict.refusals] == [(GuardName.NOT_RUNNING, None)]
    assert verdict.allowed == ()


def test_a_name_outlives_an_update_of_the_program() -> None:
    # Written down once: with another one, what a person allowed yesterday would be held again.
    assert name_of_deletes([Key("entity", "b"), Key("device", "\ud800é")], NOON) == "2-df921e9762"
