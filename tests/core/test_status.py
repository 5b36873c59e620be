"""A status says no more than was looked at, and no longer than it stays true."""

import pytest

from engine.core.pace import Pace
from engine.core.status import (
    ReplicaStatus,
    SourceStatus,
    Status,
    lag_seconds,
    replica_status,
    status_word,
)


def status(*replicas: ReplicaStatus) -> Status:
    return Status("home", "0", 0.0, SourceStatus("test", connected=True), replicas)


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        ((), "unknown"),
        ((ReplicaStatus("a", "in_sync", compared_at=90.0),), "in_sync"),
        ((ReplicaStatus("a", "in_sync", compared_at=79.0),), "unknown"),
        ((ReplicaStatus("a", "in_sync"),), "unknown"),
        (
            (
                ReplicaStatus("a", "in_sync", compared_at=99.0),
                ReplicaStatus("b", "blocked", compared_at=99.0),
            ),
            "blocked",
        ),
        ((ReplicaStatus("a", "out_of_sync", compared_at=99.0), ReplicaStatus("b", "in_sync")), "unknown"),
    ],
)
def test_the_word_for_the_whole(replicas: tuple[ReplicaStatus, ...], expected: str) -> None:
    assert status_word(status(*replicas), now=100.0, stale_seconds=20.0) == expected


def test_a_status_is_unknown_from_the_moment_on_at_which_its_comparison_is_too_old() -> None:
    replica = ReplicaStatus("a", "in_sync", status_since=10.0, compared_at=90.0)
    assert replica_status(replica, 110.0, 20.0) == ("in_sync", 10.0)
    assert replica_status(replica, 111.0, 20.0) == ("unknown", 110.0)
    failed = ReplicaStatus("a", "unknown", status_since=95.0, compared_at=90.0)
    assert replica_status(failed, 111.0, 20.0) == ("unknown", 95.0)


def test_two_intervals_without_a_comparison_are_too_long() -> None:
    assert Pace(verify_seconds=300, relist_seconds=600).stale_seconds == 1200
    assert Pace(verify_seconds=900, relist_seconds=600).stale_seconds == 1800


def test_lag_grows_while_nothing_is_compared_and_is_absent_when_never_in_sync() -> None:
    replica = ReplicaStatus("a", "in_sync", synced_at=90.0)
    assert lag_seconds(replica, 100.0) == 10.0
    assert lag_seconds(replica, 110.0) == 20.0
    assert lag_seconds(replica, 80.0) == 0.0
    assert lag_seconds(ReplicaStatus("a", "unknown"), 100.0) is None
