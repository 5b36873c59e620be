"""What the exchange of statuses needs of Kafka, as a contract: the topic `sites`, all partitions of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from engine.replicas.kafka.messages import Message, TopicEntry


class Outgoing(NamedTuple):
    """A message and its partition."""

    partition: int
    message: Message


class Arrived(NamedTuple):
    """A message as it stands in a partition."""

    partition: int
    entry: TopicEntry


class SiteTopic(Protocol):
    """The topic, for one thread at a time but for `flush`. Every method raises ReplicaError or nothing.

    After an error it is to be closed, and what was sent may be lost.
    """

    name: str
    partitions: int

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Hand messages over to be sent. Does not wait: what failed is raised by a later call."""

    def flush(self, seconds: float) -> None:
        """Wait until what was handed over is sent, at most so long."""

    def arrived(self) -> Sequence[Arrived]:
        """What has arrived since; at first all that stands there. Does not wait."""

    def has_read(self, partition: int) -> bool:
        """Whether all that stood there at first has arrived."""

    def close(self) -> None:
        """Release everything. It is opened again, and read from its beginning, when it is needed."""
