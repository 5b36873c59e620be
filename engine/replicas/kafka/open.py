"""Kafka from settings: the replica on its cluster, and what the doctor asks. Nothing is connected here."""

import time

from engine.claims import Claim
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import ClusterLog
from engine.replicas.kafka.records import KafkaOptions, KafkaRecords


def open_kafka(
    access: Access, *, site: str, claim: Claim, verify_seconds: float, read_only: bool = False
) -> KafkaRecords:
    """The records store that the address names, not yet connected."""
    options = KafkaOptions(
        site=site,
        prefix=access.address.prefix,
        partitions=access.address.partitions,
        verify_seconds=verify_seconds,
        read_only=read_only,
        setting=access.address.setting,
    )
    return KafkaRecords(ClusterLog(access, site), options, claim=claim, clock=time.monotonic)
