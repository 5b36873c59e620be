"""The processes of a fleet as the cluster knows them, and whether its topics are set up correctly. Pure."""

from collections.abc import Mapping

import msgspec

from engine.errors import ReplicaError
from engine.replicas.kafka.topics import TopicNames, TopicState, check_topics, check_user, shortage_of


class Worker(msgspec.Struct, frozen=True):
    """One process of the fleet, as the consumer group knows it."""

    name: str
    host: str
    partitions: tuple[int, ...]


def problems_of(names: TopicNames, found: Mapping[str, TopicState], partitions: int) -> tuple[str, ...]:
    """The problems of a fleet's topics, one sentence each; empty when there are none."""
    problems = [f"Topic {topic} does not exist." for topic in names.fleet if topic not in found]
    for topic, state in sorted(found.items()):
        try:
            check_topics(names, {topic: state}, partitions, "fleet.brokers")
            check_user(names, {topic: state})
        except ReplicaError as error:
            problems.append(f"{error.message} {error.hint}".strip())
        if (shortage := shortage_of(topic, state)) is not None:
            problems.append(f"{shortage}.")
    return tuple(problems)
