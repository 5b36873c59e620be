"""What the replica needs of Kafka, as a contract: one partition of a prefix's topics. One thread at a time.

Every method raises ReplicaError or nothing. After a ReplicaUnavailable all that was read is to be read again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.topics import TopicState


class Cluster(msgspec.Struct, frozen=True):
    """What a cluster says of itself."""

    brokers: int


class TooLarge(ReplicaRejected):
    """Some messages are larger than the cluster takes; nothing of their transaction was written."""

    keys: frozenset[bytes] = frozenset()


class Log(Protocol):
    """Topics, as they are read and written in one partition."""

    def cluster(self) -> Cluster:
        """Ask the cluster who it is."""

    def describe(self) -> dict[str, TopicState]:
        """Those of the prefix's topics that exist."""

    def create(self, topics: Sequence[str]) -> None:
        """Make topics that do not exist."""

    def take_over(self, batch_bytes: int | None) -> None:
        """Become the writer: what an earlier one left open is aborted, and it can write no more.

        `batch_bytes` is the most that the topics take at once, where that is known.
        """

    @property
    def is_writer(self) -> bool:
        """Whether the writer that was made last still can write."""

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """The offsets behind the last message of each topic, committed or not."""

    def follow(self, topics: Collection[str]) -> None:
        """Read these topics from their beginning on."""

    def read_to(self, ends: Mapping[str, int]) -> Iterator[TopicEntry]:
        """What is committed, from where reading stands to these offsets. Waits for it."""

    def arrived(self) -> Iterator[TopicEntry]:
        """What is committed and has arrived since. Does not wait."""

    def fetch(self, topic: str, offsets: Sequence[int]) -> dict[int, TopicEntry]:
        """The messages at these offsets, as far as they still stand there. Reading stands where it stood."""

    def commit(self, messages: Sequence[Message]) -> list[int]:
        """Write messages in one transaction; returns their offsets. Raises TooLarge, too."""

    def rest(self) -> None:
        """Release what only describing, making and measuring topics needs."""

    def close(self) -> None:
        """Release everything. It is opened again when it is needed."""
