"""Waits grow, are bounded and drawn, and start over after success."""

import msgspec

from engine.core.state.backoff import Backoff
from engine.core.state.report import ErrorReport, Report
from tests.commandline.reports import report as a_report


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(1, 60, lambda: 1.0)
    assert [backoff.next_delay_within(60) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_wait_is_drawn_from_the_upper_half() -> None:
    assert Backoff(4, 60, lambda: 0.0).next_delay_within(60) == 2
    assert Backoff(4, 60, lambda: 0.5).next_delay_within(60) == 3


def test_after_success_it_starts_over() -> None:
    backoff = Backoff(1, 60, lambda: 1.0)
    backoff.next_delay_within(60)
    backoff.next_delay_within(60)
    backoff.reset()
    assert backoff.next_delay_within(60) == 1


def test_it_never_overflows() -> None:
    backoff = Backoff(1, 60, lambda: 1.0)
    assert {backoff.next_delay_within(60) for _ in range(3000)} == {1, 2, 4, 8, 16, 32, 60}


def test_an_error_that_a_retry_cannot_fix_waits_longest() -> None:
    assert Backoff(1, 60, lambda: 1.0).longest_delay() == 60


def test_a_bound_for_one_delay_applies_besides_the_general_one() -> None:
    backoff = Backoff(1, 8, lambda: 1.0)
    assert [backoff.next_delay_within(3) for _ in range(4)] == [1, 2, 3, 3]
    assert [backoff.next_delay_within(100) for _ in range(2)] == [8, 8]


def test_the_longest_wait_is_drawn_as_well() -> None:
    assert Backoff(1, 60, lambda: 0.0).longest_delay() == 30


def test_an_unavailable_store_is_retried_soon_and_one_that_needs_a_change_is_not() -> None:
    assert _late_wait(is_transient=True) == 30
    assert _late_wait(is_transient=False) == 600


def test_a_delay_requested_by_a_store_is_kept_up_to_our_bound() -> None:
    backoff = Backoff(1, 60, lambda: 1.0)
    waits = [backoff.next_delay_for_store(is_transient=True, asked_seconds=s) for s in (45.0, 1e8, 0.5)]
    assert waits == [45, 60, 4]


def report(*transient: bool) -> Report:
    """A report with errors, each fixed by a retry or not."""
    errors = tuple(ErrorReport("rows", "failed", "", is_transient) for is_transient in transient)
    return msgspec.structs.replace(a_report(), errors=errors)


def test_a_pass_that_failed_is_retried_and_one_that_did_not_starts_over() -> None:
    backoff = Backoff(1, 600, lambda: 1.0)
    assert [backoff.wait_after(report(True), 0) for _ in range(6)] == [1, 2, 4, 8, 16, 30]
    assert backoff.wait_after(report(True), 45.0) == 45
    assert backoff.wait_after(report(True, False), 0) == 128, "one of them needs a change"
    assert backoff.wait_after(report(), 45.0) is None
    assert backoff.wait_after(report(True), 0) == 1


def _late_wait(*, is_transient: bool) -> float:
    backoff = Backoff(1, 600, lambda: 1.0)
    return [backoff.next_delay_for_store(is_transient=is_transient, asked_seconds=0) for _ in range(11)][-1]
