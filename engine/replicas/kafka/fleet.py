"""Who keeps which partition of a fleet, and whether its topics are as they have to be. Looks only. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from engine.errors import ReplicaError
from engine.replicas.kafka.topics import TopicNames, TopicState, check_topics, partition_of, shortage_of


class Worker(msgspec.Struct, frozen=True):
    """One process of the fleet, as the consumer group knows it."""

    name: str
    host: str
    partitions: tuple[int, ...]


class WorkerHomes(msgspec.Struct, frozen=True):
    """One process, and the homes that it was given."""

    name: str
    host: str
    partitions: int
    homes: tuple[str, ...]


def homes_of(workers: Iterable[Worker], homes: Iterable[str], partitions: int) -> tuple[WorkerHomes, ...]:
    """Each process by name, with those of the homes that stand in its partitions."""
    names = sorted(homes)
    return tuple(
        WorkerHomes(
            worker.name,
            worker.host,
            len(worker.partitions),
            tuple(name for name in names if partition_of(name, partitions) in worker.partitions),
        )
        for worker in sorted(workers, key=lambda worker: worker.name)
    )


def problems_of(names: TopicNames, found: Mapping[str, TopicState], partitions: int) -> tuple[str, ...]:
    """What is wrong with a fleet's topics, a sentence each; none where all is well."""
    problems = [f"Topic {topic} does not exist." for topic in names.fleet if topic not in found]
    for topic, state in sorted(found.items()):
        try:
            check_topics(names, {topic: state}, partitions, "fleet.brokers")
        except ReplicaError as error:
            problems.append(f"{error.message} {error.hint}".strip())
        if (shortage := shortage_of(topic, state)) is not None:
            problems.append(f"{shortage}.")
    return tuple(problems)
