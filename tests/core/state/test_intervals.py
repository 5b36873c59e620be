"""How long the running engine waits, and how old its knowledge may be."""

import pytest

from engine.core.state.intervals import Freshness, Intervals


@pytest.mark.parametrize(("draw", "waited"), [(0.0, 70.0), (0.5, 100.0), (1.0, 130.0)])
def test_a_wait_is_shorter_or_longer_by_the_share_that_is_set(draw: float, waited: float) -> None:
    assert Intervals(jitter_ratio=0.3).jittered(100.0, draw) == pytest.approx(waited)
    assert Intervals(jitter_ratio=0.0).jittered(100.0, draw) == 100.0


@pytest.mark.parametrize(
    ("intervals", "freshness"),
    [
        (Intervals(relist_seconds=600, verify_seconds=300), Freshness(1200, 60, 390)),
        (Intervals(relist_seconds=100, verify_seconds=300), Freshness(600, 60, 390)),
        (Intervals(heartbeat_seconds=25), Freshness(1200, 75, 405)),
        (Intervals(heartbeat_seconds=25, unknown_seconds=90), Freshness(1200, 90, 420)),
        (Intervals(verify_seconds=100, jitter_ratio=0.25), Freshness(1200, 60, 185)),
    ],
)
def test_knowledge_is_valid_for_two_full_reads_and_three_heartbeats(
    intervals: Intervals, freshness: Freshness
) -> None:
    assert intervals.freshness == freshness
