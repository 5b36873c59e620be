"""The protocol between the exchange of statuses and Kafka: all partitions of the topic `sites`."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from engine.replicas.kafka.messages import Message, TopicEntry


class Outgoing(NamedTuple):
    """A message and its partition."""

    partition: int
    message: Message


class Arrived(NamedTuple):
    """A message in a partition."""

    partition: int
    entry: TopicEntry


class SiteTopic(Protocol):
    """The topic. One thread at a time, except for `flush`. Methods raise nothing but ReplicaError.

    After an error the caller has to close it, and sent messages may be lost.
    """

    name: str
    partitions: int

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Queue messages to be sent. Does not wait: a later call raises a failure."""

    def flush(self, seconds: float) -> None:
        """Wait until the queued messages are sent, at most `seconds`."""

    def arrived(self) -> Sequence[Arrived]:
        """The messages that have arrived since the last call; at first everything in the topic. Does not wait."""

    def has_read(self, partition: int) -> bool:
        """Whether all initial messages of the topic have arrived."""

    def close(self) -> None:
        """Close all connections. When needed again, they are reopened and the topic is read from its beginning."""
