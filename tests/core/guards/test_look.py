"""The time that certainly passed between two looks, even if the wall clock was changed."""

import pytest

from engine.core.guards.look import PLAUSIBLE_SINCE, Calendar, Look, begun_at, elapsed, is_after
from tests.homes import NOON

EPOCH = 5.0  # a machine without a clock of its own starts in 1970
DAY = 86_400.0


@pytest.mark.parametrize("wall", [NOON + 30, EPOCH, NOON + DAY, NOON - DAY])
def test_within_one_start_of_the_machine_only_its_running_counts(wall: float) -> None:
    assert elapsed(Look(NOON, "a", 100.0), Look(wall, "a", 130.0)) == pytest.approx(30, abs=0.03)
    assert elapsed(Look(EPOCH, "a", 100.0), Look(wall, "a", 130.0)) == pytest.approx(30, abs=0.03)


def test_a_wait_of_sixty_seconds_is_over_after_sixty_seconds() -> None:
    # Some systems report the uptime in hundredths, truncated.
    assert elapsed(Look(NOON, "a", 100.0), Look(NOON + 60, "a", 159.99)) >= 60


def test_since_an_earlier_boot_at_least_the_uptime_has_passed() -> None:
    assert elapsed(Look(EPOCH, "a", 5.0), Look(NOON, "b", 20.0)) == 20
    assert elapsed(Look(NOON, "a", 5.0), Look(NOON + 90, "b", 3000.0)) == 90


def test_looks_that_cannot_be_compared_begin_the_wait_again() -> None:
    assert elapsed(Look(NOON, "a", 5.0), Look(EPOCH, "b", 20.0)) < 0
    # A container whose own start counts, on a machine that continues.
    assert elapsed(Look(NOON, "a", 500.0), Look(NOON + 90, "a", 20.0)) < 0


def test_without_a_monotonic_clock_the_wall_clock_counts_if_plausible() -> None:
    assert elapsed(Look(NOON), Look(NOON + 60)) == 60
    assert elapsed(Look(NOON), Look(NOON - 60)) < 0
    assert elapsed(Look(EPOCH), Look(NOON)) < 0
    assert elapsed(Look(EPOCH), Look(EPOCH + 90)) == 0
    assert elapsed(Look(NOON, "a", 5.0), Look(NOON + 60)) == 60


def test_a_wall_clock_is_plausible_from_the_first_second_of_this_program_on() -> None:
    assert elapsed(Look(PLAUSIBLE_SINCE), Look(PLAUSIBLE_SINCE + 60)) == 60
    assert elapsed(Look(PLAUSIBLE_SINCE - 60), Look(PLAUSIBLE_SINCE)) < 0


def test_a_calendar_converts_the_times_of_a_process() -> None:
    calendar = Calendar(shift=DAY, boot="a", booted_at=NOON - 100)
    assert calendar.look(NOON) == Look(NOON + DAY, "a", 100.0)
    assert Calendar().look(NOON) == Look(NOON)


def test_between_dates_of_backups_their_difference_has_passed_whenever_this_machine_started() -> None:
    """They waited for ever on a machine that starts each day after the backup was made."""
    first = Calendar(boot="a", booted_at=NOON + 500).look(NOON, is_dated=True)
    last = Calendar(boot="b", booted_at=NOON + DAY + 500).look(NOON + DAY, is_dated=True)

    assert elapsed(first, last) == pytest.approx(DAY, abs=0.03)
    assert elapsed(last, first) < 0
    assert begun_at(first, last) == NOON
    dated = Calendar(shift=60.0, boot="a", booted_at=NOON).look(NOON, is_dated=True)
    assert (dated.wall, dated.uptime) == (NOON + 60, NOON + 60)
    assert dated.boot not in (None, "a")


def test_clocks_that_differ_by_moments_move_no_look() -> None:
    for uptime in (99.98, 99.99, 100.01, 100.9):
        assert begun_at(Look(NOON - 30.0004, "a", 70.0), Look(NOON, "a", uptime)) == NOON - 30.0004
    assert begun_at(Look(NOON - 30.0004, "a", 70.0), Look(NOON, "a", 101.1)) == NOON - 31.1
    assert begun_at(Look(NOON - 30, "a", 70.0), Look(NOON, "a", 101.0)) == NOON - 30
    assert begun_at(Look(EPOCH, "a", 70.0), Look(NOON, "a", 70.0)) == NOON


@pytest.mark.parametrize("wall", [EPOCH, NOON + 90 * DAY, NOON - 30])
def test_when_a_look_was_taken_is_known_by_the_clock_that_is_right_now(wall: float) -> None:
    assert begun_at(Look(wall, "a", 70.0), Look(NOON, "a", 100.0)) == NOON - 30


def test_a_time_of_an_earlier_boot_is_given_only_if_plausible() -> None:
    now = Look(NOON, "b", 100.0)
    assert begun_at(Look(NOON - 500, "a", 70.0), now) == NOON - 500
    assert begun_at(Look(EPOCH, "a", 70.0), now) is None
    assert begun_at(Look(NOON + DAY, "a", 70.0), now) is None
    assert begun_at(Look(NOON - 500), Look(NOON)) == NOON - 500
    assert begun_at(Look(EPOCH), Look(EPOCH + 60)) == EPOCH, "there is no better clock"
    assert begun_at(Look(PLAUSIBLE_SINCE), Look(NOON)) == PLAUSIBLE_SINCE
    assert begun_at(Look(EPOCH), Look(PLAUSIBLE_SINCE)) is None
    assert begun_at(Look(NOON, "a", 70.0), now) == NOON


def test_the_time_of_a_look_is_stored_to_the_millisecond() -> None:
    # So that it is the same in each report, although clocks count finer.
    assert begun_at(Look(NOON, "a", 70.0), Look(NOON + 0.1234567, "a", 100.0)) == round(NOON - 29.877, 3)
    assert begun_at(Look(NOON, "a", 100.0), Look(NOON, "a", 100.0)) == NOON


@pytest.mark.parametrize(
    ("look", "other", "is_later"),
    [
        (Look(5.0, "a", 11.0), Look(9.0, "a", 10.0), True),
        (Look(9.0, "a", 10.0), Look(5.0, "a", 10.0), False),
        (Look(9.0, "a", 9.0), Look(5.0, "a", 10.0), False),
        (Look(9.0, "b", 11.0), Look(5.0, "a", 10.0), False),
        (Look(9.0), Look(5.0), True),
        (Look(5.0), Look(5.0), False),
        (Look(9.0, "a", 11.0), Look(5.0), False),
        (Look(9.0), Look(5.0, "a", 10.0), False),
    ],
)
def test_a_look_is_later_if_that_is_certain(look: Look, other: Look, is_later: bool) -> None:
    assert is_after(look, other) is is_later
