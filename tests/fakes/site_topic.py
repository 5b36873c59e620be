"""The topic `sites` in memory, as several processes see it."""

from collections.abc import Sequence

from engine.errors import ReplicaError
from engine.replicas.kafka.messages import TopicEntry
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.sites.site_topic import Arrived, Outgoing
from engine.replicas.kafka.topics import partition_of
from tests.homes import NOON

PARTITIONS = 4


class MemoryTopic:
    """What is in the topic; `ends` are the views of processes on it."""

    def __init__(self) -> None:
        self.log: list[Arrived] = []

    def put(self, partition: int, entry: TopicEntry) -> None:
        self.log.append(Arrived(partition, entry))

    def known(self) -> KnownSites:
        """What a reader that comes now makes of it."""
        known = KnownSites(PARTITIONS)
        for partition, entry in self.log:
            known.fold(entry, partition, NOON * 1000)
        return known

    def end(self) -> "MemoryEnd":
        return MemoryEnd(self)


class MemoryEnd:
    """The `SiteTopic` of one process. While `error` is set, everything fails with it."""

    name = "fleet.sites"
    partitions = PARTITIONS

    def __init__(self, topic: MemoryTopic) -> None:
        self.topic = topic
        self.error: ReplicaError | None = None
        self.is_closed = False
        self._read = 0

    def send(self, messages: Sequence[Outgoing]) -> None:
        self._check()
        for partition, message in messages:
            entry = TopicEntry(message.topic, len(self.topic.log), message.key, message.value)
            headers = dict(message.headers)
            self.topic.put(partition, TopicEntry(entry.topic, entry.offset, entry.key, entry.value, headers))
            name = (message.key or b"").split(b'"')[3].decode()
            assert partition == partition_of(name, PARTITIONS)

    def flush(self, seconds: float) -> None:
        """All is there at once."""

    def arrived(self) -> Sequence[Arrived]:
        self._check()
        found, self._read = self.topic.log[self._read :], len(self.topic.log)
        self.is_closed = False
        return found

    def has_read(self, partition: int) -> bool:
        return self._read == len(self.topic.log)

    def close(self) -> None:
        self._read, self.is_closed = 0, True

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
