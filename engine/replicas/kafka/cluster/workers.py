"""Describes the processes and topics of a fleet. Joins no consumer group."""

from collections.abc import Sequence
from contextlib import closing
from time import time

from confluent_kafka import KafkaError

from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.administration import Administration
from engine.replicas.kafka.cluster.clients import ClusterClients
from engine.replicas.kafka.cluster.group import group_of
from engine.replicas.kafka.cluster.site_topic import ClusterSiteTopic
from engine.replicas.kafka.fleet import Worker
from engine.replicas.kafka.sites.known_sites import KnownSites
from engine.replicas.kafka.topics import TopicNames, TopicState, check_topics


class ClusterFleet:
    """Reads the description of a fleet. Every method raises ReplicaError."""

    def __init__(self, access: Access) -> None:
        """Connects to nothing yet."""
        self._access, self._address = access, access.address
        self.partitions = access.address.partitions
        self.names = TopicNames(access.address.prefix)
        self._clients = ClusterClients(access)
        self._administration = Administration(self._clients, self.names, 0, self.names.fleet)

    def topics(self) -> dict[str, TopicState]:
        """The existing topics of the fleet."""
        with closing(self._administration):
            return self._administration.describe()

    def create(self, topics: Sequence[str]) -> None:
        """Create topics."""
        with closing(self._administration):
            self._administration.create(
                topics, partitions=self._address.partitions, replicas=self._address.replicas
            )

    def said(self) -> KnownSites:
        """The processes' reports about the homes and themselves."""
        known, sites = KnownSites(self.partitions), self.names.sites
        found = {topic: state for topic, state in self.topics().items() if topic == sites}
        check_topics(self.names, found, self.partitions, self._address.setting)
        if found:
            with closing(ClusterSiteTopic(self._access)) as topic:
                for partition, entry in topic.read_all():
                    known.fold(entry, partition, time() * 1000)
        return known

    def workers(self) -> tuple[Worker, ...]:
        """The members of the consumer group; empty if the group does not exist."""
        group, tried = group_of(self.names), "list the members of the group"
        with self._clients.admin() as admin:
            asked = admin.describe_consumer_groups([group], request_timeout=self._clients.timeout_seconds)
            found = self._clients.results(admin, asked, tried=tried)[group]
        if isinstance(found, KafkaError):
            if found.code() == KafkaError.GROUP_ID_NOT_FOUND:
                return ()
            raise self._clients.error(found, tried=tried)
        return tuple(
            Worker(
                member.client_id,
                member.host.lstrip("/"),
                tuple(sorted(place.partition for place in member.assignment.topic_partitions)),
            )
            for member in found.members
        )
