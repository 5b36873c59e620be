"""The checks of `reconcile doctor` on Kafka. They only read: they create no topic, write no message and fence no writer."""

from typing import Literal

import msgspec

from engine.core.counts import plural
from engine.errors import ReplicaError
from engine.replicas.kafka.address import KafkaAddress
from engine.replicas.kafka.log import Log
from engine.replicas.kafka.partition.holding import HeldPartition
from engine.replicas.kafka.topics import (
    TopicNames,
    TopicState,
    check_topics,
    check_user,
    partition_of,
    shortage_of,
)


class KafkaCheck(msgspec.Struct, frozen=True):
    """One finding; `advice` is empty when there is nothing to do."""

    name: str  # cluster, topics, replicas, rights, records, messages
    status: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""


def examine_kafka(log: Log, address: KafkaAddress, site: str) -> tuple[KafkaCheck, ...]:
    """Every check, in order. The checks stop when the cluster cannot be reached or the topics cannot be used."""
    names = TopicNames(address.prefix)
    name = "cluster"
    checks = []
    try:
        brokers = log.cluster().brokers
        checks.append(_cluster_check(brokers, address))
        name = "topics"
        topics = log.describe()
        check_topics(names, topics, address.partitions, address.setting)
        checks.append(_topics_check(names, topics, address, site))
        checks += _shortages(topics)
        name = "rights"
        check_user(names, topics)
        log.check_group()
        name = "records"
        checks += _records_checks(log, names, topics, site)
    except ReplicaError as error:
        checks.append(KafkaCheck(name, "failed", error.message, error.hint))
    return tuple(checks)


def _cluster_check(brokers: int, address: KafkaAddress) -> KafkaCheck:
    found = f"{brokers} broker{'' if brokers == 1 else 's'} at {address}"
    if brokers >= address.replicas:
        return KafkaCheck("cluster", "ok", found)
    return KafkaCheck(
        "cluster",
        "warning",
        f"{found}, and new topics get {address.replicas} replicas",
        f"Where the topics do not exist yet, start the other brokers, or add replicas=1 to {address.setting}.",
    )


def _topics_check(
    names: TopicNames, topics: dict[str, TopicState], address: KafkaAddress, site: str
) -> KafkaCheck:
    partition = partition_of(site, address.partitions)
    missing = [topic for topic in names.all if topic not in topics]
    if not missing:
        found = f"{plural(len(topics), 'topic')}; this home is partition {partition} of {address.partitions} in each"
        return KafkaCheck("topics", "ok", found)
    return KafkaCheck(
        "topics", "ok", f"{', '.join(missing)} do not exist yet; the first pass that writes creates them"
    )


def _shortages(topics: dict[str, TopicState]) -> list[KafkaCheck]:
    found = [s for topic, state in sorted(topics.items()) if (s := shortage_of(topic, state))]
    return [KafkaCheck("replicas", "failed", found[0], "Start the brokers that are down.")] if found else []


def _records_checks(
    log: Log, names: TopicNames, topics: dict[str, TopicState], site: str
) -> list[KafkaCheck]:
    followed = [topic for topic in names.records if topic in topics]
    held = HeldPartition(names, site)
    if followed:
        ends = log.ends(followed)
        log.follow(followed)
        for entry in log.read_to(ends):
            held.fold(entry)
    held.of(site).check()
    count = len(held.of(site))
    checks = [KafkaCheck("records", "ok", f"{plural(count, 'record')} of {site}")]
    if held.first_strange is not None:
        topic, offset = held.first_strange
        checks.append(
            KafkaCheck(
                "messages",
                "warning",
                f"{plural(held.strange, 'message')} {'was' if held.strange == 1 else 'were'} not written by this program, the first in {topic} at offset {offset}",
                "They are ignored. Keep other programs from writing to these topics.",
            )
        )
    return checks
