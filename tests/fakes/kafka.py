"""A Kafka in memory: one home's partition of a prefix's topics, with the relevant behaviour of a broker."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.errors import ReplicaError
from engine.replicas.kafka.log import Cluster, TooLarge
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.topics import REPLICA, TopicNames, TopicState, settings_of


class MemoryCluster:
    """The topics; many logs may be on one, each with its own writer."""

    def __init__(self, names: TopicNames, *, partitions: int = 4, brokers: int = 3) -> None:
        self.names = names
        self.partitions = partitions
        self.brokers = brokers
        self.topics: dict[str, list[TopicEntry | None]] = {}  # None: the mark of a transaction
        self.states: dict[str, TopicState] = {}
        self.writers: dict[str, object] = {}  # the newest of each home
        self.transactions = 0
        self.message_bytes_max = 1_048_588
        self.is_forgetful = False  # confirms what it does not keep

    def make(self, topic: str) -> None:
        settings = settings_of(self.names, topic, 3) | {"max.message.bytes": str(self.message_bytes_max)}
        self.topics.setdefault(topic, [])
        self.states.setdefault(topic, TopicState(self.partitions, 3, 3, settings))

    def put(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes] = {}
    ) -> int:
        """Write as another program would; returns the offset."""
        self.make(topic)
        offset = len(self.topics[topic])
        self.topics[topic].append(TopicEntry(topic, offset, key, value, dict(headers)))
        return offset

    def compact(self, topic: str) -> None:
        """Drop all but the newest message of each key, and tombstones, as a broker does in its own time."""
        newest = {entry.key: entry.offset for entry in self.entries(topic)}
        self.topics[topic] = [
            e if e is not None and newest[e.key] == e.offset and e.value is not None else None
            for e in self.topics[topic]
        ]

    def entries(self, topic: str) -> list[TopicEntry]:
        return [entry for entry in self.topics.get(topic, ()) if entry is not None]


class MemoryLog:
    """A `Log` on such a cluster. `failure`, when set, is raised by the next call."""

    def __init__(self, cluster: MemoryCluster, site: str) -> None:
        self.on = cluster
        self.site = site
        self.failure: ReplicaError | None = None
        self.commit_failure: ReplicaError | None = None
        self.group_failure: ReplicaError | None = None  # raised for as long as it is set
        self.calls: list[str] = []
        self._positions: dict[str, int] = {}
        self._writer: object | None = None

    @property
    def is_writer(self) -> bool:
        return self._writer is not None

    def _ask(self, call: str) -> None:
        self.calls.append(call)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def cluster(self) -> Cluster:
        self._ask("cluster")
        return Cluster(self.on.brokers)

    def describe(self) -> dict[str, TopicState]:
        self._ask("describe")
        return dict(self.on.states)

    def check_group(self) -> None:
        if self.group_failure is not None:
            raise self.group_failure

    def create(self, topics: Sequence[str]) -> None:
        self._ask("create")
        for topic in topics:
            self.on.make(topic)

    def take_over(self, batch_bytes: int | None) -> None:
        self._ask("take_over")
        self._writer = self.on.writers[self.site] = object()

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        self._ask("ends")
        return {topic: len(self.on.topics[topic]) for topic in topics}

    def follow(self, topics: Collection[str]) -> None:
        self._ask("follow")
        self._positions = dict.fromkeys(topics, 0)

    def read_to(self, ends: Mapping[str, int]) -> Iterator[TopicEntry]:
        self._ask("read_to")
        for topic in ends:
            yield from self._rest(topic)

    def arrived(self) -> Iterator[TopicEntry]:
        self._ask("arrived")
        for topic in self._positions:
            yield from self._rest(topic)

    def _rest(self, topic: str) -> Iterator[TopicEntry]:
        at, self._positions[topic] = self._positions[topic], len(self.on.topics[topic])
        yield from (entry for entry in self.on.topics[topic][at:] if entry is not None)

    def fetch(self, topic: str, offsets: Sequence[int]) -> dict[int, TopicEntry]:
        self._ask("fetch")
        return {entry.offset: entry for entry in self.on.entries(topic) if entry.offset in offsets}

    def commit(self, messages: Sequence[Message]) -> list[int]:
        self._ask("commit")
        if self.commit_failure is not None:
            raise self.commit_failure
        assert self._writer is self.on.writers[self.site], "fenced"
        over = [m.key for m in messages if len(m.value or b"") > self.on.message_bytes_max]
        if over:
            error = TooLarge(REPLICA, "too large")
            error.keys = frozenset(over)
            raise error
        self.on.transactions += 1
        if self.on.is_forgetful:
            return [len(self.on.topics[m.topic]) for m in messages]
        offsets = [self.on.put(m.topic, m.key, m.value, dict(m.headers)) for m in messages]
        for topic in {m.topic for m in messages}:
            self.on.topics[topic].append(None)
        return offsets

    def rest(self) -> None:
        pass

    def close(self) -> None:
        self._writer = None
        self._positions = {}
