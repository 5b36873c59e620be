"""The claim on a partition of homes, and how long it may be trusted without hearing from the cluster.

Pure but for a clock. A process that was frozen wakes up believing that it owns what others have taken over by then, so a claim
ends by itself when the thread that talks to the cluster has not run for as long as the cluster waits for it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import OwnershipLost
from engine.replicas.kafka.topics import REPLICA, partition_of

if TYPE_CHECKING:
    from engine.replicas.kafka.partition.partition import Partition


class Lease:
    """For how long what the cluster gave may be believed. Once it is over, it stays so."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        """`clock` gives seconds, also those in which the process was frozen."""
        self._clock = clock
        self._seconds = seconds
        self._renewed_at = clock()
        self._is_over = False

    def is_over(self) -> bool:
        """Whether it was not renewed in time."""
        if self._clock() - self._renewed_at > self._seconds:
            self._is_over = True
        return self._is_over

    def renew(self) -> bool:
        """The thread that talks to the cluster runs; False when it is too late."""
        if self.is_over():
            return False
        self._renewed_at = self._clock()
        return True


class PartitionClaim:
    """The `Claim` on the homes of one partition."""

    def __init__(self, partition: int, partitions: int, owner: str, lease: Lease) -> None:
        """`owner` is `worker@claim`, and no other claim's."""
        self.partition = partition
        self.shared: Partition | None = None  # what the claim's homes share, and no other claim's
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
        """Yes: a partition has one owner, and whoever had it before is shut out."""
        return True

    def covers(self, site: str) -> bool:
        """See `Claim`."""
        return partition_of(site, self._partitions) == self.partition

    def check(self) -> None:
        """Raises OwnershipLost, for ever once it was closed or the lease was over."""
        if self._is_closed or self._lease.is_over():
            self.close()
            raise OwnershipLost(REPLICA, "Another process keeps the home now, or may keep it.")

    def close(self) -> None:
        """It is over."""
        self._is_closed = True
