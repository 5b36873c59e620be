"""The topics of a prefix: their names, the partition of each home, and their required settings.

Pure. A home's partition is a hash of its name modulo the number of partitions. That number never changes: with another
one, a home's records would be in two partitions, and a reader would see the home twice.
"""

from collections.abc import Mapping
from zlib import crc32

import msgspec

from engine.core.counts import plural
from engine.core.records.registries import REGISTRIES
from engine.errors import ReplicaRejected

REPLICA = "kafka"
CHANGES_DAYS = 90
TOMBSTONE_DAYS = 7

_DAY_MS = 86_400_000


class TopicState(msgspec.Struct, frozen=True):
    """One topic as the cluster describes it."""

    partitions: int
    replicas: int
    in_sync: int  # replicas of the home's partition that are up to date
    settings: Mapping[str, str] | None  # None: this user may not read them
    refused: tuple[str, ...] = ()  # those of Read and Write that this user may not do
    id: str = ""  # a recreated topic has another one

    def number(self, name: str) -> int | None:
        """The value of a numeric setting; None if unknown."""
        text = (self.settings or {}).get(name, "")
        return int(text) if text.lstrip("-").isdigit() else None


class TopicNames:
    """The names of a prefix's topics."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}."
        self.records = tuple(self.of(registry) for registry in REGISTRIES)
        self.changes = self.of("changes")
        self.all = (*self.records, self.changes)
        self.sites = self.of("sites")  # of a fleet: its homes and their processes
        self.fleet = (*self.all, self.sites)

    def of(self, registry: str) -> str:
        """The topic of a registry's records."""
        return f"{self._prefix}{registry}"

    def registry(self, topic: str) -> str:
        """The registry whose records a topic has."""
        return topic.removeprefix(self._prefix)


def partition_of(site: str, partitions: int) -> int:
    """The partition of a home in every topic."""
    return crc32(site.encode()) % partitions


def settings_of(names: TopicNames, topic: str, replicas: int) -> dict[str, str]:
    """The settings with which a topic is created."""
    safe = {"min.insync.replicas": "2" if replicas > 2 else "1"}
    if topic == names.changes:
        return {"cleanup.policy": "delete", "retention.ms": str(CHANGES_DAYS * _DAY_MS)} | safe
    return {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONE_DAYS * _DAY_MS)} | safe


def check_topics(names: TopicNames, found: Mapping[str, TopicState], partitions: int, setting: str) -> None:
    """Raises ReplicaRejected for a topic that would lose records or hold them twice. `setting` is the setting that names the cluster."""
    for topic, state in sorted(found.items()):
        if state.partitions != partitions:
            raise ReplicaRejected(
                REPLICA,
                f"Topic {topic} has {plural(state.partitions, 'partition')}, but the settings ask for {partitions}. With another "
                "number, a home would be in two partitions.",
                f"If all topics of the prefix have {state.partitions}, add partitions={state.partitions} to {setting}; "
                "if partitions were added, name another prefix, and the home is written there from scratch.",
            )
        policy = (state.settings or {}).get("cleanup.policy")
        wanted = "delete" if topic == names.changes else "compact"
        if policy is not None and policy != wanted:
            lost = "changes" if topic == names.changes else "records"
            raise ReplicaRejected(
                REPLICA,
                f"Topic {topic} has cleanup.policy={policy}, so Kafka would delete {lost} that are still needed; "
                f"it must be {wanted}.",
                f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} "
                f"--add-config cleanup.policy={wanted}",
            )


def shortage_of(topic: str, state: TopicState) -> str | None:
    """Why nothing can be written to the topic although its broker answers; None if it can."""
    # A topic with fewer replicas needs only those.
    needed = min(state.number("min.insync.replicas") or 1, state.replicas)
    if state.in_sync >= needed:
        return None
    return (
        f"Topic {topic} has {state.in_sync} of the {needed} up-to-date replicas that min.insync.replicas asks for, "
        "so the cluster accepts no writes"
    )


def check_user(names: TopicNames, found: Mapping[str, TopicState]) -> None:
    """Raises ReplicaRejected for a topic that this user may not read or write."""
    prefix = names.of("")
    for topic, state in sorted(found.items()):
        for operation in state.refused:
            if topic != names.changes or operation == "Write":
                raise ReplicaRejected(
                    REPLICA,
                    f"This user may not {operation.lower()} topic {topic}.",
                    f"Grant it {operation} on topics that begin with `{prefix}`. `reconcile docs kafka` has the commands.",
                )
