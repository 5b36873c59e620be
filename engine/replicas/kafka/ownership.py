"""The claim on a partition of homes, and how long it stays valid without contact with the cluster.

Pure but for a clock. A process that was frozen wakes up and still believes that it owns homes that others have taken over. So a
claim expires when the thread that talks to the cluster has not run for as long as the cluster waits for it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import OwnershipLost
from engine.replicas.kafka.topics import REPLICA, partition_of

if TYPE_CHECKING:
    from engine.replicas.kafka.partition.partition import Partition


class Lease:
    """How long an assignment by the cluster stays valid. An expired lease stays expired."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        """`clock` returns seconds, and counts those in which the process was frozen."""
        self._clock = clock
        self._seconds = seconds
        self._renewed_at = clock()
        self._is_expired = False

    def is_expired(self) -> bool:
        """Whether it was not renewed in time and has expired."""
        if self._clock() - self._renewed_at > self._seconds:
            self._is_expired = True
        return self._is_expired

    def renew(self) -> bool:
        """Extend it, because the thread that talks to the cluster runs; returns False when it has already expired."""
        if self.is_expired():
            return False
        self._renewed_at = self._clock()
        return True


class PartitionClaim:
    """The `Claim` on the homes of one partition."""

    def __init__(self, partition: int, partitions: int, owner: str, lease: Lease) -> None:
        """`owner` is `worker@claim` and unique to this claim."""
        self.partition = partition
        self.shared: Partition | None = None  # shared only by the homes of this claim
        self._partitions = partitions
        self._owner = owner
        self._lease = lease
        self._is_closed = False

    @property
    def owner(self) -> str:
        """See `Claim`."""
        return self._owner

    @property
    def is_exclusive(self) -> bool:
        """True: a partition has one owner, and the previous owner is fenced."""
        return True

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return partition_of(site, self._partitions) == self.partition

    def check(self) -> None:
        """Raises OwnershipLost, and keeps doing so once the claim was closed or the lease expired."""
        if self._is_closed or self._lease.is_expired():
            self.close()
            raise OwnershipLost(REPLICA, "Another process keeps the home now, or may keep it.")

    def close(self) -> None:
        """End the claim."""
        self._is_closed = True
