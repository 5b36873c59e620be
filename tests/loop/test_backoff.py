"""Waits grow, are bounded and drawn, and start over after success."""

from engine.loop.backoff import Backoff


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


def test_what_trying_again_does_not_mend_waits_longest() -> None:
    assert Backoff(1, 60, lambda: 1.0).longest_delay() == 60


def test_a_bound_of_one_wait_holds_beside_that_of_all() -> None:
    backoff = Backoff(1, 8, lambda: 1.0)
    assert [backoff.next_delay_within(3) for _ in range(4)] == [1, 2, 3, 3]
    assert [backoff.next_delay_within(100) for _ in range(2)] == [8, 8]


def test_the_longest_wait_is_drawn_as_well() -> None:
    assert Backoff(1, 60, lambda: 0.0).longest_delay() == 30
