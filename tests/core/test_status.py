"""A status says no more than was looked at, and no longer than it stays true."""

import pytest

from engine.core.status import ReplicaStatus, SourceStatus, Status, lag_seconds, status_word


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


def test_lag_grows_while_nothing_is_compared_and_is_absent_when_never_in_sync() -> None:
    replica = ReplicaStatus("a", "in_sync", synced_at=90.0)
    assert lag_seconds(replica, 100.0) == 10.0
    assert lag_seconds(replica, 110.0) == 20.0
    assert lag_seconds(replica, 80.0) == 0.0
    assert lag_seconds(ReplicaStatus("a", "unknown"), 100.0) is None
