"""The protocol between the replica and Kafka: one partition of a prefix's topics. One thread at a time.

Methods raise nothing but ReplicaError. After a ReplicaUnavailable the caller has to read everything again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.topics import TopicState


class Cluster(msgspec.Struct, frozen=True):
    """A cluster's description of itself."""

    brokers: int


class TooLarge(ReplicaRejected):
    """Some messages are larger than the cluster accepts; nothing of their transaction was written."""

    keys: frozenset[bytes] = frozenset()


class Log(Protocol):
    """Reads and writes one partition of topics."""

    def cluster(self) -> Cluster:
        """Request the cluster's description."""

    def describe(self) -> dict[str, TopicState]:
        """The existing topics of the prefix."""

    def check_group(self) -> None:
        """Raises ReplicaRejected if this user may not use the consumer group that reading needs."""

    def create(self, topics: Sequence[str]) -> None:
        """Create topics that do not exist."""

    def take_over(self, batch_bytes: int | None) -> None:
        """Become the writer: an earlier writer is fenced and its open transaction aborted.

        `batch_bytes` is the largest batch that the topics accept, if known.
        """

    @property
    def is_writer(self) -> bool:
        """Whether the newest writer can still write."""

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """The offset after the last message of each topic, committed or not."""

    def follow(self, topics: Collection[str]) -> None:
        """Read these topics from their beginning."""

    def read_to(self, ends: Mapping[str, int]) -> Iterator[TopicEntry]:
        """The committed messages from the reader's position up to these offsets. Waits for them."""

    def arrived(self) -> Iterator[TopicEntry]:
        """The committed messages that have arrived since. Does not wait."""

    def fetch(self, topic: str, offsets: Sequence[int]) -> dict[int, TopicEntry]:
        """The messages at these offsets, as far as they still exist. Does not move the reader's position."""

    def commit(self, messages: Sequence[Message]) -> list[int]:
        """Write messages in one transaction; returns their offsets. Also raises TooLarge."""

    def rest(self) -> None:
        """Close the client that describes, creates and measures topics."""

    def close(self) -> None:
        """Close all connections. They are opened again when needed."""
