"""Whole topics, read in all their partitions without a consumer group: what is committed, how far that reaches, and since when.

Nothing here waits for long. What a cluster has to say is asked for, and taken when it is there, so that one broker that hangs
does not hold up what the others send.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.administration import Administration
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.failures import AWAY
from engine.replicas.kafka.cluster.reading import READING, entry_of
from engine.replicas.kafka.messages import PlacedEntry
from engine.replicas.kafka.topics import TopicNames, TopicState

if TYPE_CHECKING:
    from concurrent.futures import Future

Place = tuple[str, int]

_END = KafkaError._PARTITION_EOF  # noqa: SLF001
# While they lead nowhere the client itself goes on trying.
_PASSING = frozenset({_END, *AWAY, KafkaError._TIMED_OUT, KafkaError.NOT_LEADER_FOR_PARTITION})  # noqa: SLF001
_CUT = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001
_SETTINGS = {
    **READING,
    # No more than this is asked for at once.
    "fetch.max.bytes": 8_388_608,
    "fetch.message.max.bytes": 524_288,
    "fetch.wait.max.ms": 500,
}
_TRIED = "be read"


class WholeTopics:
    """Reads some topics of a prefix. One thread at a time; every method raises ReplicaError."""

    def __init__(self, access: Access, topics: Sequence[str]) -> None:
        """Nothing is connected yet."""
        self.address = access.address
        prefix = self.address.prefix
        self._clients = ClusterClients(access)
        self._administration = Administration(self._clients, TopicNames(prefix), 0, topics)
        self._group = f"{prefix}.view"  # only a name, to brokers that allow by group
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None
        self._asked: dict[Place, Future[Any]] = {}
        self.positions: dict[Place, int] = {}  # the next offset to be read

    def describe(self) -> dict[str, TopicState]:
        """Those of the topics that exist. Waits for the answer."""
        return self._administration.describe()

    def follow(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions, each from an offset on."""
        self.positions = dict(positions)
        self._consumer = self._clients.consumer(**_SETTINGS, **{"group.id": self._group})
        # The first offset that is still there need not be 0.
        self._consumer.assign(
            [TopicPartition(*p, offset or OFFSET_BEGINNING) for p, offset in positions.items()]
        )

    def take(self, count: int, seconds: float) -> tuple[list[PlacedEntry], bool]:
        """At most so many messages, waiting for the first one; and whether the topics are other ones than before."""
        assert self._consumer is not None, "following comes first"
        first = self._consumer.poll(seconds)
        # Waiting for many would wait for all of them.
        messages = [first, *self._consumer.consume(count - 1, timeout=0)] if first is not None else []
        self._clients.check(None, tried=_TRIED)
        if messages and any(message.error() is None for message in messages):
            self._clients.note_answer()
        return self._taken(messages)

    def reach(self, places: Sequence[Place]) -> dict[Place, int]:
        """How far these partitions are committed. Waits for the answer."""
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
        """Ask how far the partitions reach, whether that is committed or not: to have read so far is to have waited for what is open.

        An earlier question is forgotten, with the connections that did not answer it.
        """
        self._ask(IsolationLevel.READ_UNCOMMITTED)

    def _ask(self, level: IsolationLevel) -> None:
        if self._asked or self._admin is None:
            self._admin = self._clients.admin()
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in self.positions}  # type: ignore[no-untyped-call]
        found = self._admin.list_offsets(
            asked,
            isolation_level=level,
            request_timeout=self._clients.timeout_seconds,
        )
        self._asked = {(place.topic, place.partition): future for place, future in found.items()}

    def ends(self) -> dict[Place, int] | None:
        """The answer, once: None while some is missing. Raises ReplicaError where a partition has none to give."""
        if not self._asked:
            return None
        assert self._admin is not None
        self._admin.poll(0)  # says what is the matter with the connections
        if not all(future.done() for future in self._asked.values()):
            return None
        asked, self._asked = self._asked, {}
        found = self._clients.results(self._admin, asked, tried=_TRIED)
        for answer in found.values():
            if isinstance(answer, KafkaError):
                self._admin = None
                raise self._clients.error(answer, tried=_TRIED)
        # Without a leader a partition has an offset below 0.
        ends = {place: answer.offset for place, answer in found.items()}
        return ends if min(ends.values(), default=0) >= 0 else None

    def behind(self) -> int | None:
        """How many messages, marks of transactions included, are known to be there and were not read; None: not known."""
        assert self._consumer is not None, "following comes first"
        behind = 0
        for place, position in self.positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if high < 0:
                return None
            behind += max(0, high - position)
        return behind

    def close(self) -> None:
        """Let go of the connections."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._admin = None
        self._asked = {}
        self._administration.close()
        self._clients.forget()

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
                # It lies behind the marks of transactions, which are no messages.
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
