"""The `Log` of a home or a partition on a cluster: puts its clients together."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.administration import Administration
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.reading import PartitionReader
from engine.replicas.kafka.cluster.writing import Membership, PartitionWriter
from engine.replicas.kafka.log import Cluster
from engine.replicas.kafka.messages import Message, TopicEntry
from engine.replicas.kafka.topics import TopicNames, TopicState, partition_of


class ClusterLog:
    """See `Log`. Connects on first use."""

    def __init__(
        self, access: Access, partition: int, name: str, membership: Membership | None = None
    ) -> None:
        """`name` is the writer's unique name, the same in every process that replaces this writer."""
        address = access.address
        self._address = address
        self._clients = ClusterClients(access)
        self._administration = Administration(self._clients, TopicNames(address.prefix), partition)
        self._reading = PartitionReader(self._clients, partition, name)
        self._writing = PartitionWriter(self._clients, partition, name, membership)
        # A member of the fleet's group has checked the groups of all partitions.
        self._unchecked_groups = [] if membership else [name]

    @property
    def is_writer(self) -> bool:
        """See `Log`."""
        return self._writing.is_open

    def cluster(self) -> Cluster:
        """See `Log`."""
        return self._administration.cluster()

    def describe(self) -> dict[str, TopicState]:
        """See `Log`."""
        return self._administration.describe()

    def check_group(self) -> None:
        """See `Log`."""
        self._administration.check_groups(self._unchecked_groups)
        self._unchecked_groups = []

    def create(self, topics: Sequence[str]) -> None:
        """See `Log`."""
        self._administration.create(
            topics, partitions=self._address.partitions, replicas=self._address.replicas
        )

    def take_over(self, batch_bytes: int | None) -> None:
        """See `Log`."""
        self._writing.take_over(batch_bytes)

    def ends(self, topics: Collection[str]) -> dict[str, int]:
        """See `Log`."""
        return self._administration.ends(topics)

    def follow(self, topics: Collection[str]) -> None:
        """See `Log`."""
        # The client would take half a second to find the beginning by itself.
        self._reading.follow(self._administration.begins(topics))

    def read_to(self, ends: Mapping[str, int]) -> Iterator[TopicEntry]:
        """See `Log`."""
        return self._reading.read_to(ends)

    def arrived(self) -> Iterator[TopicEntry]:
        """See `Log`."""
        return self._reading.arrived()

    def fetch(self, topic: str, offsets: Sequence[int]) -> dict[int, TopicEntry]:
        """See `Log`."""
        return self._reading.fetch(topic, offsets)

    def commit(self, messages: Sequence[Message]) -> list[int]:
        """See `Log`."""
        return self._writing.commit(messages)

    def rest(self) -> None:
        """See `Log`."""
        self._administration.close()

    def close(self) -> None:
        """See `Log`."""
        self._writing.close()
        self._reading.close()
        self._administration.close()
        self._clients.forget()


def home_log(access: Access, site: str) -> ClusterLog:
    """The log of a home that one process keeps on its own; the writer's name contains the home's."""
    address = access.address
    return ClusterLog(access, partition_of(site, address.partitions), f"{address.prefix}.{site}")


def partition_log(access: Access, partition: int, membership: Membership) -> ClusterLog:
    """The log of a partition; the writer's name is the same for every owner, and no home can have it."""
    return ClusterLog(access, partition, f"{access.address.prefix}.partition/{partition}", membership)
