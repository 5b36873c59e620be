"""Reads the committed messages of one partition in order from the beginning, and single ones again by their offsets.

It joins no consumer group and commits no offsets: the reader keeps its own position.
"""

from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from engine.errors import ReplicaUnavailable
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.messages import TopicEntry
from engine.replicas.kafka.topics import REPLICA

_AT_ONCE = 10_000
# How long a broker holds a request while there are no new messages. The next request waits for that.
_SOON_MS = 10
_IDLE_MS = 500
_STEP_SECONDS = 0.1
# Offsets closer together than this are read in one request.
_GAP = 1_000
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
# For every consumer that reads committed messages and keeps its own position.
READING = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    # A truncated or recreated topic is read in full, not from its new beginning.
    "auto.offset.reset": "error",
    "queued.max.messages.kbytes": 16_384,
}


class PartitionReader:
    """Reads one partition of some topics. Every method raises ReplicaError."""

    def __init__(self, clients: ClusterClients, partition: int, group: str) -> None:
        """`group` only identifies the reader to brokers that authorise by group."""
        self._clients = clients
        self._partition = partition
        self._group = group
        self._tail: Consumer | None = None
        self._again: Consumer | None = None
        self._positions: dict[str, int] = {}  # the next offset to be read, by topic
        self._is_hurried = False  # reading everything, rather than following

    def follow(self, begins: Mapping[str, int]) -> None:
        """Read these topics, each from an offset."""
        self.close()
        self._positions = dict(begins)
        self._tail, self._is_hurried = self._consumer(_SOON_MS), True
        self._tail.assign([TopicPartition(t, self._partition, at) for t, at in begins.items()])

    def read_to(self, ends: Mapping[str, int]) -> Iterator[TopicEntry]:
        """The committed messages from the current position up to these offsets. Waits as long as messages keep arriving."""
        deadline = self._clients.deadline()
        while late := [topic for topic, end in ends.items() if self._positions.get(topic, 0) < end]:
            messages = self._take(self._tail, _STEP_SECONDS)
            for message in messages:
                if (entry := self._advance(message)) is not None:
                    yield entry
            if any(message.error() is None for message in messages):
                deadline = self._clients.deadline()
            else:
                self._check(deadline, late[0])
        if self._is_hurried:
            self._slow_down()

    def arrived(self) -> Iterator[TopicEntry]:
        """The committed messages that have arrived since. Does not wait."""
        while messages := self._take(self._tail, 0):
            for message in messages:
                if (entry := self._advance(message)) is not None:
                    yield entry
        self._clients.check(None, tried="be read")

    def fetch(self, topic: str, offsets: Sequence[int]) -> dict[int, TopicEntry]:
        """The messages at these offsets, as far as they still exist."""
        found: dict[int, TopicEntry] = {}
        wanted = frozenset(offsets)
        for first, last in stretches(sorted(wanted)):
            found |= {e.offset: e for e in self._stretch(topic, first, last) if e.offset in wanted}
        self._let_go()
        return found

    def close(self) -> None:
        """Close the connections."""
        for consumer in (self._tail, self._again):
            if consumer is not None:
                consumer.close()
        self._tail = self._again = None

    def _slow_down(self) -> None:
        """Follow with few requests from now on; new messages still arrive at once."""
        slow = self._consumer(_IDLE_MS)
        hurried, self._tail, self._is_hurried = self._tail, slow, False
        self._tail.assign([TopicPartition(t, self._partition, at) for t, at in self._positions.items()])
        if hurried is not None:
            hurried.close()

    def _consumer(self, wait_ms: int) -> Consumer:
        more = {"group.id": self._group, "fetch.wait.max.ms": wait_ms}
        return self._clients.consumer(**READING, **more)

    def _stretch(self, topic: str, first: int, last: int) -> Iterator[TopicEntry]:
        if self._again is None:
            self._again = self._consumer(_SOON_MS)
        self._again.assign([TopicPartition(topic, self._partition, first)])
        deadline = self._clients.deadline()
        at = first
        while at <= last:
            messages = self._take(self._again, _STEP_SECONDS)
            for message in messages:
                at = (message.offset() or 0) + (message.error() is None)
                if message.error() is None:
                    yield entry_of(message)
                elif at <= last:
                    return  # the end of the committed messages: the rest no longer exists
            if not messages:
                self._clients.check(deadline, tried="be read")

    def _let_go(self) -> None:
        """Keep the client from fetching messages that are not read."""
        if self._again is not None:
            self._again.unassign()

    def _take(self, consumer: Consumer | None, seconds: float) -> list[Message]:
        """Messages and ends of partitions; any other result is raised."""
        assert consumer is not None, "follow() must come first"
        # With a larger number, the call would wait until that many have arrived.
        first = consumer.poll(seconds)
        messages = [first, *consumer.consume(_AT_ONCE, timeout=0)] if first is not None else []
        for message in messages:
            error = message.error()
            if error is not None and error.code() != _END:
                topic = message.topic()
                raise self._clients.error(error, tried=f"read topic {topic}" if topic else "be read")
        if messages:
            self._clients.note_answer()
        return messages

    def _advance(self, message: Message) -> TopicEntry | None:
        topic, offset, is_message = message.topic() or "", message.offset() or 0, message.error() is None
        # A partition ends after its transaction markers, which are not messages.
        self._positions[topic] = max(self._positions.get(topic, 0), offset + is_message)
        return entry_of(message) if is_message else None

    def _check(self, deadline: float, topic: str) -> None:
        self._clients.check(None, tried="be read")
        if self._clients.is_over(deadline):
            # The cluster returned all it can: the following messages belong to a transaction that is still open.
            raise ReplicaUnavailable(
                REPLICA,
                f"Topic {topic} cannot be read to its end: in partition {self._partition}, which homes share, a "
                "transaction of another program is open.",
                "The transaction ends by itself at its timeout.",
            )


def stretches(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of ascending offsets that are worth reading in one request."""
    first = last = None
    for offset in offsets:
        if first is None or last is None:
            first = offset
        elif offset - last > _GAP:
            yield first, last
            first = offset
        last = offset
    if first is not None and last is not None:
        yield first, last


def entry_of(message: Message) -> TopicEntry:
    """A message of the client in the program's own form."""
    given = message.headers()
    pairs = given.items() if isinstance(given, dict) else given or ()
    headers = {name: value for name, value in pairs if isinstance(value, bytes)}
    return TopicEntry(message.topic() or "", message.offset() or 0, message.key(), message.value(), headers)
