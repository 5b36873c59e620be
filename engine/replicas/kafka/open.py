"""Creates the Kafka replica, and the partition that homes share, from settings. It connects to nothing yet."""

import threading
import time
from functools import partial

from engine.claims import Claim
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import home_log, partition_log
from engine.replicas.kafka.cluster.writing import Membership
from engine.replicas.kafka.ownership import PartitionClaim
from engine.replicas.kafka.partition.contents import PartitionOptions
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.records import KafkaRecords

# A transaction takes 30 to 100 ms whatever its size; writes that arrive within this time share one.
_GATHER_SECONDS = 0.02


def open_kafka(
    access: Access, *, site: str, claim: Claim, verify_seconds: float, read_only: bool = False
) -> KafkaRecords:
    """The records store at this address, not yet connected. Homes under a claim on a partition share its connections."""
    if isinstance(claim, PartitionClaim) and (shared := claim.shared) is not None:
        return KafkaRecords(shared, site, claim=claim, read_only=read_only)
    options = PartitionOptions(address=access.address, site=site, verify_seconds=verify_seconds)
    alone = Partition(home_log(access, site), options, claim=claim, clock=time.monotonic)
    return KafkaRecords(alone, site, claim=claim, read_only=read_only)


def open_shared(
    access: Access, claim: PartitionClaim, membership: Membership, *, verify_seconds: float
) -> Partition:
    """The partition that the homes of a claim share."""
    return Partition(
        partition_log(access, claim.partition, membership),
        PartitionOptions(address=access.address, verify_seconds=verify_seconds),
        claim=claim,
        clock=time.monotonic,
        gather=partial(threading.Event().wait, _GATHER_SECONDS),
    )
