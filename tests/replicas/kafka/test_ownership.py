"""A claim ends for good when the cluster revokes it, or when it was out of contact with the cluster for too long."""

import pytest

from engine.errors import OwnershipLost
from engine.replicas.kafka.ownership import Lease, PartitionClaim
from engine.replicas.kafka.topics import partition_of


class Stand:
    """A claim and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lease = Lease(lambda: self.now, 10)
        self.claim = PartitionClaim(2, 4, "worker@2.1", self.lease)


def test_a_claim_covers_the_homes_of_its_partition() -> None:
    claim = Stand().claim
    covered = {name for number in range(40) if claim.covers(name := f"home{number}")}
    assert covered == {f"home{n}" for n in range(40) if partition_of(f"home{n}", 4) == 2}
    assert covered
    assert claim.is_exclusive
    assert claim.owner == "worker@2.1"


def test_a_claim_that_was_closed_is_lost_for_ever() -> None:
    stand = Stand()
    stand.claim.check()
    stand.claim.close()
    for _ in range(2):
        with pytest.raises(OwnershipLost):
            stand.claim.check()


def test_a_process_that_was_frozen_owns_nothing_when_it_wakes() -> None:
    stand = Stand()
    stand.now = 9
    assert stand.lease.renew()
    stand.now = 18
    stand.claim.check()
    stand.now = 30
    # Whichever of its threads wakes first.
    assert not stand.lease.renew()
    with pytest.raises(OwnershipLost):
        stand.claim.check()
    other = Stand()
    other.now = 30
    with pytest.raises(OwnershipLost):
        other.claim.check()
    assert not other.lease.renew()
    other.now = 5  # a clock that is set back does not revive it
    assert other.lease.is_expired()
