"""Kafka under the contract suite: in memory and as a real broker, and how another program disturbs its topics."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import msgspec
from confluent_kafka import Producer

from engine.claims import LastingClaim
from engine.core.records.record import Record
from engine.replicas.kafka.address import KafkaAddress, parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import home_log
from engine.replicas.kafka.events import full_fields
from engine.replicas.kafka.log import Log
from engine.replicas.kafka.messages import TopicEntry, encode_key, site_prefix
from engine.replicas.kafka.partition.contents import PartitionOptions
from engine.replicas.kafka.partition.partition import Partition
from engine.replicas.kafka.records import KafkaRecords
from engine.replicas.kafka.topics import TopicNames, partition_of
from tests.fakes.kafka import MemoryCluster, MemoryLog
from tests.homes import device, entity
from tests.real.kafka import KafkaBroker

PREFIX, PARTITIONS = "homes", 2
NAMES = TopicNames(PREFIX)
# Writes a message (topic, key, value, headers) as another program would.
Put = Callable[[str, bytes, bytes | None, dict[str, bytes]], object]


class KafkaStand(NamedTuple):
    """What a stand is made of."""

    replica: KafkaRecords
    contents: Callable[[], bytes | None]
    alter: Callable[[], object]
    make_newer: Callable[[], object]
    reopen: Callable[[], KafkaRecords]


def memory_stand(site: str = "home") -> KafkaStand:
    cluster = MemoryCluster(NAMES, partitions=PARTITIONS)

    def entries() -> Iterator[TopicEntry]:
        return (entry for topic in NAMES.all for entry in cluster.entries(topic))

    return _stand(partial(MemoryLog, cluster, site), site, cluster.put, entries)


def broker_stand(broker: KafkaBroker, site: str) -> KafkaStand:
    access = Access(parse_address(broker.uri(PREFIX, partitions=PARTITIONS)), timeout_seconds=20)

    def entries() -> Iterator[TopicEntry]:
        log = home_log(access, site)
        try:
            topics = sorted(log.describe())
            if topics:
                ends = log.ends(topics)
                log.follow(topics)
                yield from log.read_to(ends)
        finally:
            log.close()

    return _stand(partial(home_log, access, site), site, partial(put, broker, site), entries)


def put(
    broker: KafkaBroker, site: str, topic: str, key: bytes, value: bytes | None, headers: dict[str, bytes]
) -> None:
    """Write a message into a home's partition as another program would."""
    producer = Producer({"bootstrap.servers": broker.server})
    place = partition_of(site, PARTITIONS)
    producer.produce(topic, value=value, key=key, partition=place, headers=list(headers.items()))
    assert producer.flush(20) == 0


def event_of(record: Record) -> bytes:
    """An event as another program may write it: no more than what is."""
    return msgspec.json.encode({"op": "u", "after": full_fields(record)})


def _stand(
    open_log: Callable[[], Log], site: str, write: Put, entries: Callable[[], Iterator[TopicEntry]]
) -> KafkaStand:
    # Every look reads all there is, as the first one of a process does.
    address = KafkaAddress(("memory:9092",), PREFIX, PARTITIONS)
    options = PartitionOptions(address=address, site=site, verify_seconds=0)

    def fresh() -> KafkaRecords:
        claim = LastingClaim(site, "test@1")
        return KafkaRecords(Partition(open_log(), options, claim=claim, clock=lambda: 0.0), site, claim=claim)

    def disturb(record: Record, headers: dict[str, bytes]) -> None:
        write(NAMES.of(record.REGISTRY), encode_key(site, record.key), event_of(record), headers)

    def contents() -> bytes | None:
        ours = sorted((e for e in entries() if (e.key or b"").startswith(site_prefix(site))), key=_place)
        return b"\n".join(repr(entry).encode() for entry in ours) or None

    altered = entity(1, name="altered", device_id=device(1).id)
    return KafkaStand(
        fresh(),
        contents,
        partial(disturb, altered, {}),
        partial(disturb, entity(1), {"schema": b"99"}),
        fresh,
    )


def _place(entry: TopicEntry) -> tuple[str, int]:
    return entry.topic, entry.offset
