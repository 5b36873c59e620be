"""The protocol between the view and Kafka: some topics, in all their partitions. One thread at a time.

Methods raise nothing but ReplicaError, and only `describe` and `reach` wait for long. After a ReplicaError the caller closes it and follows again.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.fleet_view.view_file.writing import Place
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.topics import TopicState


class Topics(Protocol):
    """See `engine.replicas.kafka.cluster.whole_topics`."""

    positions: dict[Place, int]

    def describe(self) -> dict[str, TopicState]:
        """The existing topics."""

    def follow(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions, each from an offset."""

    def take(self, count: int, seconds: float) -> tuple[list[PlacedEntry], bool]:
        """At most this many messages, waiting for the first one; and whether the topics were replaced by others."""

    def reach(self, places: Sequence[Place]) -> dict[Place, int]:
        """The end of the committed messages of these partitions. Waits for the response."""

    def ask_ends(self) -> None:
        """Request the ends of the partitions, including open transactions."""

    def ends(self) -> dict[Place, int] | None:
        """The response to `ask_ends`, once; None until it has arrived."""

    def behind(self) -> int | None:
        """The number of unread messages; None if unknown."""

    def close(self) -> None:
        """Close the connections."""
