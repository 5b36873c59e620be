"""What the view needs of Kafka, as a contract: some topics, in all their partitions. One thread at a time.

Every method raises ReplicaError or nothing, and none but `describe` and `reach` waits for long. After a ReplicaError it is closed and followed anew.
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
        """Those of the topics that exist."""

    def follow(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions, each from an offset on."""

    def take(self, count: int, seconds: float) -> tuple[list[PlacedEntry], bool]:
        """At most so many messages, waiting for the first one; and whether the topics are other ones than before."""

    def reach(self, places: Sequence[Place]) -> dict[Place, int]:
        """How far these partitions are committed. Waits for the answer."""

    def ask_ends(self) -> None:
        """Ask how far the partitions reach, whether that is committed or not."""

    def ends(self) -> dict[Place, int] | None:
        """The answer, once; None while there is none."""

    def behind(self) -> int | None:
        """How many messages are known to be there and were not read; None: not known."""

    def close(self) -> None:
        """Let go of the connections."""
