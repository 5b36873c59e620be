"""Missing records, the read that first missed them, and clock changes in between."""

import pytest

from engine.core.compare.diff import Cause, Difference
from engine.core.compare.plan import Action, Operation
from engine.core.guards.absences import (
    Absences,
    ended_absences,
    is_confirmed,
    track_absences,
    wait_seconds,
)
from engine.core.guards.look import Calendar, Look
from engine.core.home.last_seen import LastSeen
from engine.core.home.reading import SourceHealth
from tests.homes import ENTRY, NOON, device, snapshot

GONE = device(1).key
KNOWN = {GONE: "1:a", ENTRY.key: "1:b"}
HOME = snapshot(ENTRY, device(2))
DELETE = Operation(Action.DELETE, Difference(GONE, Cause.PENDING, None, "1:a", "1:a"), None, None)


def running(seconds: float, *, boot: str = "a", shift: float = 0.0) -> Calendar:
    """The calendar of a machine that had been running so long at noon."""
    return Calendar(shift=shift, boot=boot, booted_at=NOON - seconds)


def confirmed(first: Look, calendar: Calendar) -> bool:
    return is_confirmed(DELETE, HOME, {GONE: first}, calendar, 60.0)


def test_sixty_seconds_that_went_by_confirm() -> None:
    assert confirmed(running(100).look(NOON - 60), running(100))
    assert not confirmed(running(100).look(NOON - 59), running(100))


@pytest.mark.parametrize("wall", [5.0, NOON - 86_400, NOON + 86_400])
def test_a_wall_clock_that_jumped_over_the_wait_confirms_nothing(wall: float) -> None:
    assert not confirmed(Look(wall, "a", 95.0), running(100))
    assert confirmed(Look(wall, "a", 40.0), running(100))


def test_a_first_absence_is_confirmed_only_if_no_second_read_is_required() -> None:
    assert is_confirmed(DELETE, HOME, {}, running(100), 0)
    assert not is_confirmed(DELETE, HOME, {}, running(100), 1)


def test_a_foreign_row_that_is_to_be_pruned_was_never_there_to_be_missed() -> None:
    foreign = Operation(Action.DELETE, Difference(GONE, Cause.FOREIGN, None, "1:a", None), None, None)
    assert is_confirmed(foreign, HOME, {}, running(100), 60.0)


def test_a_read_of_other_registries_confirms_nothing() -> None:
    earlier = snapshot(ENTRY, device(2), at=NOON - 60)
    newer = earlier.with_changes([], frozenset(), taken_at=NOON, listed=frozenset({"entity"}))
    first = running(100).look(NOON - 60)
    assert not is_confirmed(DELETE, newer, {GONE: first}, running(100), 60.0)
    listed = earlier.with_changes([], frozenset(), taken_at=NOON, listed=frozenset({"device"}))
    assert is_confirmed(DELETE, listed, {GONE: first}, running(100), 60.0)


def test_a_machine_that_has_just_started_confirms_nothing() -> None:
    first = Look(5.0, "earlier", 9.0)
    assert not confirmed(first, running(59))
    assert confirmed(first, running(60))


@pytest.mark.parametrize("first", [Look(NOON + 60), Look(5.0), Look(NOON, "a", 200.0)])
def test_an_absence_with_an_unusable_time_starts_over(first: Look) -> None:
    found = track_absences(HOME, KNOWN, {GONE: first}, running(100))
    assert found == Absences(begun=frozenset({GONE}), returned=frozenset({GONE}))


def test_an_absence_keeps_its_beginning_while_the_wall_clock_is_set() -> None:
    first = running(100).look(NOON - 30)
    assert track_absences(HOME, KNOWN, {GONE: first}, running(100, shift=-86_400)) == Absences()


def test_the_wait_before_the_next_read() -> None:
    now = Look(NOON, "a", 100.0)
    assert wait_seconds(now, now=now, confirm=60) == pytest.approx(60, abs=0.03)
    assert wait_seconds(Look(5.0, "a", 70.0), now=now, confirm=60) == pytest.approx(30, abs=0.03)
    assert wait_seconds(Look(NOON, "a", 1.0), now=now, confirm=60) == 0
    assert wait_seconds(Look(NOON, "a", 99.5), now=now, confirm=60) == pytest.approx(59.5, abs=0.03)
    assert wait_seconds(Look(NOON + 5, "b", 1.0), now=now, confirm=60) == 60


NOW = Look(NOON)


def test_a_record_that_is_missed_for_the_first_time_begins_an_absence() -> None:
    assert track_absences(HOME, KNOWN, {}, Calendar()).begun == {GONE}
    assert track_absences(HOME, KNOWN, {GONE: NOW}, Calendar()) == Absences(), "it goes on"
    assert track_absences(HOME, KNOWN, {}, Calendar(), {GONE, device(2).key, device(7).key}).begun == {GONE}
    assert track_absences(HOME, KNOWN, {}, Calendar(), {device(2).key}) == Absences()


def test_a_kept_record_is_neither_missing_nor_moot() -> None:
    kept = frozenset({GONE})
    assert track_absences(HOME, KNOWN, {}, Calendar(), kept=kept) == Absences()
    assert track_absences(HOME, {}, {GONE: NOW}, Calendar(), kept=kept) == Absences(returned=kept)


def test_a_record_that_is_listed_again_has_returned() -> None:
    back = device(2).key
    assert track_absences(HOME, {}, {back: NOW}, Calendar()) == Absences(returned=frozenset({back}))


def test_an_absence_of_a_record_in_no_replica_is_moot() -> None:
    assert track_absences(HOME, {}, {GONE: NOW}, Calendar()) == Absences(moot=frozenset({GONE}))


def test_a_read_that_may_not_delete_begins_no_absence_and_ends_those_that_are_over() -> None:
    back = device(2).key
    for doubtful in (
        SourceHealth(state="STARTING", recovery_mode=False),
        SourceHealth(state="RUNNING", recovery_mode=True),
    ):
        home = HOME.read_as(health=doubtful)
        assert track_absences(home, KNOWN, {back: NOW}, Calendar()) == Absences(returned=frozenset({back}))


def test_an_absence_ends_with_any_read_that_listed_the_record() -> None:
    calendar = running(100)
    first = calendar.look(NOON - 60)
    assert ended_absences({GONE: first}, HOME, calendar) == frozenset()
    for seen in (LastSeen({GONE: NOON - 30}), LastSeen({}, {"device": NOON - 30})):
        home = HOME.after_others(seen)
        assert ended_absences({GONE: first, ENTRY.key: first}, home, calendar) == {GONE}
        assert ended_absences({GONE: calendar.look(NOON - 20)}, home, calendar) == frozenset()
    set_back = running(100, shift=-3600)
    home = HOME.after_others(LastSeen({GONE: NOON - 30}))
    assert ended_absences({GONE: first}, home, set_back) == {GONE}, "whatever the wall clock shows"
    assert ended_absences({GONE: Look(NOON, "earlier", 900.0)}, home, calendar) == {GONE}
