"""Reads all partitions of whole topics without a consumer group: committed messages, and the ends of the partitions.

Nothing here waits for long. Responses are fetched once they have arrived, so that one hanging broker
does not delay messages from the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.administration import Administration
from engine.replicas.kafka.cluster.clients import ClusterClients, end_admin
from engine.replicas.kafka.cluster.failures import AWAY
from engine.replicas.kafka.cluster.reading import READING, entry_of
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.topics import TopicNames, TopicState

if TYPE_CHECKING:
    from concurrent.futures import Future

Place = tuple[str, int]

_END = KafkaError._PARTITION_EOF  # noqa: SLF001
# The client itself keeps retrying failed connections.
_PASSING = frozenset({_END, *AWAY, KafkaError._TIMED_OUT, KafkaError.NOT_LEADER_FOR_PARTITION})  # noqa: SLF001
_CUT = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001
_SETTINGS = {
    **READING,
    # The most requests that are sent at once.
    "fetch.max.bytes": 8_388_608,
    "fetch.message.max.bytes": 524_288,
    "fetch.wait.max.ms": 500,
}
_TRIED = "be read"


class WholeTopics:
    """Reads some topics of a prefix. One thread at a time. Every method raises ReplicaError."""

    def __init__(self, access: Access, topics: Sequence[str]) -> None:
        """Connects to nothing yet."""
        self.address = access.address
        prefix = self.address.prefix
        self._clients = ClusterClients(access)
        self._administration = Administration(self._clients, TopicNames(prefix), 0, topics)
        self._group = f"{prefix}.view"  # only a name, for brokers that authorise by group
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None
        self._asked: dict[Place, Future[Any]] = {}
        self.positions: dict[Place, int] = {}  # the next offset to be read

    def describe(self) -> dict[str, TopicState]:
        """The existing topics. Waits for the response."""
        found = self._administration.describe()
        self._administration.check_groups([self._group])
        return found

    def follow(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions, each from an offset."""
        self.positions = dict(positions)
        self._end_consumer()
        self._consumer = self._clients.consumer(**_SETTINGS, **{"group.id": self._group})
        # The first offset that still exists need not be 0.
        self._consumer.assign(
            [TopicPartition(*p, offset or OFFSET_BEGINNING) for p, offset in positions.items()]
        )

    def take(self, count: int, seconds: float) -> tuple[list[PlacedEntry], bool]:
        """At most this many messages, waiting for the first one; and whether the topics were replaced by others."""
        assert self._consumer is not None, "follow() must come first"
        first = self._consumer.poll(seconds)
        # With a larger number, the call would wait until that many have arrived.
        messages = [first, *self._consumer.consume(count - 1, timeout=0)] if first is not None else []
        self._clients.check(None, tried=_TRIED)
        if messages and any(message.error() is None for message in messages):
            self._clients.note_answer()
        return self._taken(messages)

    def reach(self, places: Sequence[Place]) -> dict[Place, int]:
        """The end of the committed messages of these partitions. Waits for the response."""
        self.positions = dict.fromkeys(places, 0)
        deadline = self._clients.deadline()
        while True:
            self._ask(IsolationLevel.READ_COMMITTED)
            assert self._admin is not None
            self._clients.results(self._admin, self._asked, tried=_TRIED)
            ends = self.ends()
            if ends is not None:
                return ends
            self._clients.check(deadline, tried=_TRIED)

    def ask_ends(self) -> None:
        """Request the ends of the partitions, including open transactions: a reader that gets there has waited for those.

        This drops an earlier request, together with the connections that did not answer it.
        """
        self._ask(IsolationLevel.READ_UNCOMMITTED)

    def _ask(self, level: IsolationLevel) -> None:
        if self._asked:
            self._end_admin()
        if self._admin is None:
            self._admin = self._clients.admin()
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in self.positions}  # type: ignore[no-untyped-call]
        found = self._admin.list_offsets(
            asked,
            isolation_level=level,
            request_timeout=self._clients.timeout_seconds,
        )
        self._asked = {(place.topic, place.partition): future for place, future in found.items()}

    def ends(self) -> dict[Place, int] | None:
        """The response to `ask_ends`, once; None while part of it is missing. Raises ReplicaError for a partition without an end."""
        if not self._asked:
            return None
        assert self._admin is not None
        self._admin.poll(0)  # lets the callback report what is wrong with the connections
        if not all(future.done() for future in self._asked.values()):
            return None
        asked, self._asked = self._asked, {}
        found = self._clients.results(self._admin, asked, tried=_TRIED)
        for answer in found.values():
            if isinstance(answer, KafkaError):
                self._end_admin()
                raise self._clients.error(answer, tried=_TRIED)
        # Without a leader a partition has an offset below 0.
        ends = {place: answer.offset for place, answer in found.items()}
        return ends if min(ends.values(), default=0) >= 0 else None

    def behind(self) -> int | None:
        """The number of unread messages, including transaction markers; None if unknown."""
        assert self._consumer is not None, "follow() must come first"
        behind = 0
        for place, position in self.positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if high < 0:
                return None
            behind += max(0, high - position)
        return behind

    def close(self) -> None:
        """Close the connections."""
        self._end_consumer()
        self._end_admin()
        self._administration.close()
        self._clients.forget()

    def _end_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _end_admin(self) -> None:
        """Close the client that asks for ends. What it was asked is never answered."""
        admin, self._admin = self._admin, None
        self._asked = {}
        end_admin(admin)

    def _taken(self, messages: Iterable[Message]) -> tuple[list[PlacedEntry], bool]:
        entries: list[PlacedEntry] = []
        for message in messages:
            error = message.error()
            place = (message.topic() or "", message.partition() or 0)
            offset = message.offset() or 0
            if error is None:
                entries.append(_placed(message))
                self.positions[place] = offset + 1
            elif error.code() == _END:
                # It is after the transaction markers, which are not messages.
                self.positions[place] = max(self.positions.get(place, 0), offset)
            elif error.code() in _CUT:
                return entries, True
            elif error.code() not in _PASSING:
                raise self._clients.error(error, tried=f"read topic {message.topic()}")
        return entries, False


def _placed(message: Message) -> PlacedEntry:
    found = entry_of(message)
    return PlacedEntry(
        found.topic, found.offset, found.key, found.value, found.headers, message.partition() or 0
    )
