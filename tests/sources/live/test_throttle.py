"""A flood is slowed down, a burst is not."""

from engine.sources.live.throttle import Throttle


def test_a_burst_passes_and_a_flood_waits() -> None:
    now = 100.0
    throttle = Throttle(100.0, lambda: now)
    assert throttle.wait_after(900) == 0
    assert throttle.wait_after(200) == 1
    now = 101.0
    assert throttle.wait_after(0) == 0
    assert throttle.wait_after(50) == 0.5
    now = 1000.0
    assert throttle.wait_after(1000) == 0


def test_without_a_bound_nothing_waits() -> None:
    assert Throttle(None, lambda: 0.0).wait_after(1_000_000) == 0
